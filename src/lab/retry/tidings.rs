//! What the retries have to say to people, and what remained in spite of them.

use super::trouble::Trouble;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

/// Sentences that a slow reader may be behind; older ones are lost.
const QUEUE: usize = 64;

/// Heard by anybody who asks; silent otherwise. Clones are the same.
#[derive(Clone)]
pub struct Tidings {
    words: broadcast::Sender<String>,
    left: Arc<Mutex<Left>>,
}

#[derive(Default)]
struct Left {
    count: u64,
    newest: Option<String>,
}

impl Default for Tidings {
    fn default() -> Tidings {
        Tidings { words: broadcast::channel(QUEUE).0, left: Arc::default() }
    }
}

impl Tidings {
    /// Every sentence from now on.
    pub fn listen(&self) -> broadcast::Receiver<String> {
        self.words.subscribe()
    }

    /// How many requests ended in trouble for good.
    pub fn remained(&self) -> u64 {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    /// The newest of them in words: what was asked, and what came of it.
    pub fn newest(&self) -> Option<String> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).newest.clone()
    }

    pub(super) fn say(&self, sentence: String) {
        // Nobody listens: fine.
        let _ = self.words.send(sentence);
    }

    pub(super) fn remains(&self, asked: &str, trouble: &Trouble, tries: u32) {
        let tried = if tries > 1 { format!(", tried {tries} times") } else { String::new() };
        let sentence = format!("the API server: {trouble} ({asked}{tried})");
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.count += 1;
        left.newest = Some(sentence.clone());
        drop(left);
        self.say(sentence);
    }
}
