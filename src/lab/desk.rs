//! Answers what screens and plain mode ask besides running lines: one question, one file below. Nothing here changes the world
//! unless its question says so.

pub mod browse;
pub mod timeline;
pub mod complete;
pub mod object;
pub mod way;
mod check;
mod file;
mod preview;
mod schema;
mod spot;
#[cfg(test)]
mod tests;
pub mod told;

use crate::lab::prompt::Prompt;
use crate::lesson::model::Lesson;
use crate::session::desk::{Answer, Place, Request};

/// What answers are made from.
pub struct Desk<'a> {
    /// The environment, the lab's files and the kubectl settings that lines run with.
    pub prompt: &'a Prompt,
    pub lesson: &'a Lesson,
}

/// What is asked about manifests; also by words of the prompt.
pub struct Manifests<'a> {
    pub prompt: &'a Prompt,
}

impl Manifests<'_> {
    /// The namespace of objects that name none.
    fn namespace(&self) -> String {
        self.prompt.kubectl.namespace()
    }
}

impl Desk<'_> {
    /// Looks one thing up.
    ///
    /// # Errors
    /// The environment does not answer, or has no such thing; for people.
    pub async fn answer(&self, request: Request) -> anyhow::Result<Answer> {
        let manifests = Manifests { prompt: self.prompt };
        Ok(match request {
            Request::Place => Answer::Place(self.place()),
            Request::TimeLine { last, after } => Answer::TimeLine(timeline::time_line(self.prompt, last, after).await?),
            Request::Change { revision } => Answer::Change(Box::new(timeline::change(self.prompt, &revision.to_string()).await?)),
            Request::Compare { from, to } => Answer::Compare(Box::new(timeline::compared(self.prompt, &from, &to).await?)),
            Request::Undone { revision } => Answer::Undone(timeline::undone(self.prompt, &revision.to_string()).await?),
            Request::Mark { revision, name } => Answer::Mark(timeline::mark(self.prompt, &revision.to_string(), &name).await?),
            Request::Kinds { at } => Answer::Kinds(browse::kinds(self.prompt, at).await?),
            Request::Table { which, seen } => Answer::Table(Box::new(browse::table(self.prompt, &which, seen.as_deref()).await?)),
            Request::Read { subject, view, seen } => {
                Answer::Read(Box::new(browse::read(self.prompt, &subject, &view, seen.as_deref()).await?))
            }
            Request::Complete { line, cursor } => {
                let looker = complete::Looker { prompt: self.prompt, lesson: Some(self.lesson) };
                Answer::Complete(looker.complete(&line, cursor).await)
            }
            Request::Object { kind, namespace, name } => {
                Answer::Object(object::yaml(&self.prompt.kubectl, &kind, &namespace, &name).await?)
            }
            Request::Way { words } => Answer::Way(way::pictures(&self.prompt.kubectl, &words).await?),
            Request::OpenFile { name } => Answer::OpenFile(manifests.open_file(&name)?),
            Request::WriteFile { name, text } => Answer::WriteFile(manifests.write_file(&name, &text)?),
            Request::KeepDraft { name, text } => {
                manifests.keep_draft(&name, text.as_deref());
                Answer::KeepDraft
            }
            Request::Check { text } => Answer::Check(manifests.check(&text).await),
            Request::Shape { api_version, kind } => Answer::Shape(manifests.shape(&api_version, &kind).await?),
            Request::Names => Answer::Names(manifests.names().await?),
            Request::Preview { name, text } => Answer::Preview(Box::new(manifests.preview(&name, &text).await?)),
            Request::LastChange => Answer::Preview(Box::new(manifests.last_change().await?)),
        })
    }

    fn place(&self) -> Place {
        let config = self.prompt.kubectl.config.lock().unwrap_or_else(|p| p.into_inner());
        Place { context: config.current.clone(), namespace: config.namespace() }
    }
}
