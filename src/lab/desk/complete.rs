//! What could stand at the cursor of a line of the lab prompt. The line is read as far as the cursor; the world is asked for names, with
//! a deadline: a slow cluster leaves candidates out, it never holds up typing.

mod hosts;
mod line;
mod tools;

use self::line::At;
use crate::kubectl::complete::{self as kubectl, Wanted};
use crate::lab::prompt::Prompt;
use crate::lab::prompt::words::{self, Local, Word};
use crate::lesson::model::Lesson;
use crate::session::desk::{Candidate, Completions, MAX_CANDIDATES};
use std::time::Duration;

/// How long the world may take.
const DEADLINE: Duration = Duration::from_millis(300);
/// How long it may take over hosts, without which there are others.
const HOSTS: Duration = Duration::from_millis(200);

/// What candidates are looked for with.
pub struct Looker<'a> {
    pub prompt: &'a Prompt,
    /// For the numbers of its steps.
    pub lesson: Option<&'a Lesson>,
}

/// Candidates for a part of the word at the cursor.
#[derive(Debug, Default)]
struct Found {
    /// What of the word stands before that part (`--output=`, `pod/`).
    head: String,
    /// That part.
    start: String,
    items: Vec<(String, String)>,
}

impl Found {
    fn of(word: &str, items: Vec<(String, String)>) -> Found {
        Found { head: String::new(), start: word.to_string(), items }
    }
}

impl Looker<'_> {
    /// The candidates at a cursor (in characters).
    pub async fn complete(&self, line: &str, cursor: usize) -> Completions {
        let Some(at) = line::read(line, cursor) else { return Completions::default() };
        let (found, missing) = match tokio::time::timeout(DEADLINE, self.found(&at)).await {
            Ok(Ok(found)) => (found, None),
            Ok(Err(reason)) => (Found::default(), Some(format!("The cluster did not say what there is: {reason}"))),
            Err(_) => (Found::default(), Some("The cluster takes too long to say what there is; Tab asks again.".into())),
        };
        let fits = |(text, _): &(String, String)| text.starts_with(&found.start);
        let fitting = found.items.iter().filter(|item| fits(item));
        let mut candidates: Vec<Candidate> = fitting.map(|(text, note)| Candidate::new(text.as_str(), note.as_str())).collect();
        candidates.sort();
        candidates.dedup_by(|a, b| a.text == b.text);
        candidates.truncate(MAX_CANDIDATES);
        Completions { from: at.from + found.head.chars().count(), candidates, missing }
    }

    async fn found(&self, at: &At) -> Result<Found, String> {
        if at.redirects {
            return Ok(self.files(&at.word));
        }
        let Some((name, operands)) = at.before.split_first() else { return Ok(Found::of(&at.word, tools::words())) };
        match words::find(name) {
            Some(Word::Kubectl) => self.kubectl(operands, &at.word).await,
            Some(Word::Istioctl) => self.istioctl(operands, &at.word).await,
            Some(Word::Explain | Word::Picture) => self.explain(operands, &at.word).await,
            Some(Word::GoTo) => Ok(Found::of(&at.word, self.steps())),
            Some(Word::Local(Local::Edit | Local::Remove | Local::Copy | Local::Tool)) => Ok(self.files(&at.word)),
            _ => Ok(Found::default()),
        }
    }

    async fn kubectl(&self, operands: &[String], word: &str) -> Result<Found, String> {
        let question = kubectl::wanted(&self.prompt.kubectl, operands, word);
        let items = match &question.wanted {
            Wanted::Files => {
                let found = self.files(&question.start);
                return Ok(Found { head: format!("{}{}", question.head, found.head), ..found });
            }
            Wanted::Inner(inner) => return Ok(Found::of(word, self.in_a_pod(inner).await)),
            _ => kubectl::candidates(&self.prompt.kubectl, &question).await?,
        };
        Ok(Found { head: question.head, start: question.start, items })
    }

    async fn istioctl(&self, operands: &[String], word: &str) -> Result<Found, String> {
        match tools::istioctl(operands, word) {
            tools::Istioctl::Words(items) => Ok(Found::of(word, items)),
            tools::Istioctl::Files => Ok(self.files(word)),
            tools::Istioctl::Names(kind) => Ok(Found::of(word, self.names(kind, operands).await?)),
        }
    }

    /// `explain [FROM] URL`.
    async fn explain(&self, operands: &[String], word: &str) -> Result<Found, String> {
        let mut items = tools::urls(&self.hosts().await);
        let has_from = operands.iter().any(|operand| !operand.starts_with('-'));
        if !has_from && !word.starts_with("http") {
            items.extend(self.names("pods", operands).await?);
        }
        Ok(Found::of(word, items))
    }

    /// A line that runs in a pod.
    async fn in_a_pod(&self, inner: &[String]) -> Vec<(String, String)> {
        match tools::in_a_pod(inner) {
            tools::Inner::Words(words) => words,
            tools::Inner::Urls => tools::urls(&self.hosts().await),
            tools::Inner::Hosts => self.hosts().await,
        }
    }

    /// Hosts that could be called: those of the outside world that the lab has, and those that ServiceEntries of this world name.
    /// Without an answer of the cluster the former alone.
    async fn hosts(&self) -> Vec<(String, String)> {
        let mut hosts = tools::names();
        let here = tokio::time::timeout(HOSTS, hosts::of_entries(&self.prompt.kubectl.client)).await.unwrap_or_default();
        for (host, entry) in here {
            match hosts.iter_mut().find(|(known, _)| *known == host) {
                Some((_, about)) => *about = entry,
                None => hosts.push((host, entry)),
            }
        }
        hosts
    }

    /// Names as kubectl would list them.
    async fn names(&self, kind: &str, operands: &[String]) -> Result<Vec<(String, String)>, String> {
        let named = |pair: &[String]| (pair[0] == "-n" || pair[0] == "--namespace").then(|| pair[1].clone());
        let namespace = operands.windows(2).find_map(named);
        let wanted = if kind == "namespaces" { Wanted::Namespaces } else { Wanted::Names(kind.to_string()) };
        let question = kubectl::Question { wanted, head: String::new(), start: String::new(), namespace };
        kubectl::candidates(&self.prompt.kubectl, &question).await
    }

    fn steps(&self) -> Vec<(String, String)> {
        let steps = self.lesson.map(|lesson| lesson.steps.as_slice()).unwrap_or_default();
        steps.iter().enumerate().map(|(nth, step)| ((nth + 1).to_string(), step.title.clone())).collect()
    }

    /// Files of the lab's folder; a folder goes on with `/`.
    fn files(&self, word: &str) -> Found {
        let (folder, start) = word.rsplit_once('/').map_or(("", word), |(folder, start)| (folder, start));
        let names = self.prompt.files.list(folder).unwrap_or_default();
        let head = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        Found { head, start: start.to_string(), items: names.into_iter().map(|name| (name, String::new())).collect() }
    }
}

#[cfg(test)]
mod tests;
