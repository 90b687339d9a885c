//! What the retries have to say to people, and what remained in spite of them.

use super::trouble::Trouble;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// One thing that people may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tiding {
    /// Something is asked again after a pause; a sentence on why.
    Waiting(String),
    /// Nobody waits any more: what was waited for was answered, ended in trouble for good, or was given up.
    Over,
    /// A request ended in trouble for good; a sentence on which, and what came of it.
    Remained(String),
}

impl fmt::Display for Tiding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tiding::Waiting(sentence) | Tiding::Remained(sentence) => f.write_str(sentence),
            Tiding::Over => f.write_str("the API server answers again"),
        }
    }
}

/// Sentences that a slow reader may be behind; older ones are lost.
const QUEUE: usize = 64;

/// Heard by anybody who asks; silent otherwise. Clones are the same.
#[derive(Clone)]
pub struct Tidings {
    words: broadcast::Sender<Tiding>,
    left: Arc<Mutex<Left>>,
}

/// A request that waits; dropping it says so when it was the last one.
pub struct Waits(Tidings);

impl Drop for Waits {
    fn drop(&mut self) {
        let mut left = self.0.left();
        left.waiting -= 1;
        // Said before anybody else can begin to wait.
        if left.waiting == 0 {
            self.0.say(Tiding::Over);
        }
    }
}

#[derive(Default)]
struct Left {
    count: u64,
    newest: Option<String>,
    /// Requests that wait now.
    waiting: usize,
}

impl Default for Tidings {
    fn default() -> Tidings {
        Tidings { words: broadcast::channel(QUEUE).0, left: Arc::default() }
    }
}

impl Tidings {
    /// Every sentence from now on.
    pub fn listen(&self) -> broadcast::Receiver<Tiding> {
        self.words.subscribe()
    }

    /// How many requests ended in trouble for good.
    pub fn remained(&self) -> u64 {
        self.left().count
    }

    /// The newest of them in words: what was asked, and what came of it.
    pub fn newest(&self) -> Option<String> {
        self.left().newest.clone()
    }

    /// Something begins to wait.
    pub fn waits(&self) -> Waits {
        self.left().waiting += 1;
        Waits(self.clone())
    }

    /// Tells whoever listens.
    pub fn say(&self, tiding: Tiding) {
        // Nobody listens: fine.
        let _ = self.words.send(tiding);
    }

    pub(super) fn remains(&self, asked: &str, trouble: &Trouble, tries: u32) {
        let tried = if tries > 1 { format!(", tried {tries} times") } else { String::new() };
        let sentence = format!("the API server: {trouble} ({asked}{tried})");
        let mut left = self.left();
        left.count += 1;
        left.newest = Some(sentence.clone());
        drop(left);
        self.say(Tiding::Remained(sentence));
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
