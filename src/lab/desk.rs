//! Answers what screens and plain mode ask besides running lines: one question, one file below. Nothing here changes the world
//! unless its question says so.

use crate::lab::prompt::Prompt;
use crate::lesson::model::Lesson;
use crate::session::desk::{Answer, Place, Request};

/// What answers are made from.
pub struct Desk<'a> {
    /// The environment, the lab's files and the kubectl settings that lines run with.
    pub prompt: &'a Prompt,
    pub lesson: &'a Lesson,
}

impl Desk<'_> {
    /// Looks one thing up.
    ///
    /// # Errors
    /// The environment does not answer, or has no such thing; for people.
    pub async fn answer(&self, request: Request) -> anyhow::Result<Answer> {
        Ok(match request {
            Request::Place => Answer::Place(self.place()),
        })
    }

    fn place(&self) -> Place {
        let config = self.prompt.kubectl.config.lock().unwrap_or_else(|p| p.into_inner());
        Place { context: config.current.clone(), namespace: config.namespace() }
    }
}
