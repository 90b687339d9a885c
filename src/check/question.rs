//! Whether an answer to a step's question is right in this world.

use super::objects::{Holds, line_fits, log_lines};
use super::reader::{Error, Reader};
use crate::finding::Evidence;
use crate::k8s::{Kind, Object, Snapshot};
use crate::lesson::field::text_of;
use crate::lesson::markdown::{Block, plain};
use crate::lesson::model::{Choice, Expected, Question, Take};
use std::sync::Arc;

/// Answers longer than this are not looked at.
const MAX_ANSWER: usize = 4_096;

/// Judges an answer; without one the question is open.
///
/// # Errors
/// What the API says where a value of this world is needed.
pub async fn judge(reader: &Reader, world: &Snapshot, question: &Question, answer: Option<&str>) -> Result<Holds, Error> {
    let Some(answer) = answer.map(str::trim).filter(|answer| !answer.is_empty() && answer.len() <= MAX_ANSWER) else {
        return Ok(holds(false, "an answer", "none yet", ""));
    };
    match &question.answer {
        Expected::Options(choices) => Ok(choice(choices, answer)),
        Expected::Entry { label, take, prefix, right, wrong } => {
            let truths = values(reader, world, take).await?;
            Ok(entry(&truths, label, *prefix, answer, (right, wrong)))
        }
    }
}

fn holds(holds: bool, expected: &str, observed: &str, detail: &str) -> Holds {
    let evidence = Evidence { expected: expected.into(), observed: observed.into(), ..Evidence::default() };
    Holds { holds, evidence, detail: detail.into() }
}

fn choice(choices: &[Choice], answer: &str) -> Holds {
    match choices.iter().find(|choice| choice.id.eq_ignore_ascii_case(answer)) {
        None => {
            let ids: Vec<&str> = choices.iter().map(|choice| choice.id.as_str()).collect();
            holds(false, &format!("one of {}", ids.join(", ")), answer, "That is none of the choices.")
        }
        // What would be right is not told with a wrong answer: the feedback leads there.
        Some(choice) => holds(choice.right, "the right choice", &choice.text, &blocks_text(&choice.feedback)),
    }
}

fn entry(truths: &[String], label: &str, prefix: Option<usize>, answer: &str, (right, wrong): (&str, &str)) -> Holds {
    if truths.is_empty() {
        let detail = "There is nothing to compare the answer with yet: do what the step asks first.";
        return holds(false, &format!("{label} of this run"), "no such value in this world yet", detail);
    }
    let answer = answer.trim_matches(['"', '\'', '`']).to_lowercase();
    let same = |truth: &String| {
        let truth = truth.trim().to_lowercase();
        truth == answer || prefix.is_some_and(|n| answer.chars().count() >= n && truth.starts_with(&answer))
    };
    let is_right = truths.iter().any(same);
    holds(is_right, &format!("{label} of this run"), &answer, if is_right { right } else { wrong })
}

/// The kinds of objects that a value is taken from.
pub fn kinds(take: &Take) -> Vec<Kind> {
    match take {
        Take::Object { object, .. } => vec![object.kind.clone()],
        Take::Labelled { kind, .. } => vec![kind.clone()],
        Take::Output { .. } | Take::Log { .. } => Vec::new(),
    }
}

/// All values of this world that are right.
///
/// # Errors
/// What the API says.
pub async fn values(reader: &Reader, world: &Snapshot, take: &Take) -> Result<Vec<String>, Error> {
    match take {
        // Only a driver can run lines; lint keeps this out of questions.
        Take::Output { .. } => Ok(Vec::new()),
        Take::Object { object, path } => {
            let found = world.find(&object.kind.group, &object.kind.kind, &object.namespace, &object.name);
            Ok(found.map(|object| path.select(&object.0).into_iter().map(text_of).collect()).unwrap_or_default())
        }
        Take::Labelled { kind, namespace, labels, path } => {
            let fits = |o: &&Arc<Object>| o.namespace() == namespace && labels.iter().all(|(k, v)| o.label(k) == Some(v));
            let found = world.list(&kind.group, &kind.kind).filter(fits);
            Ok(found.flat_map(|o| path.select(&o.0).into_iter().map(text_of).collect::<Vec<_>>()).collect())
        }
        Take::Log { log, field, fields, pattern } => {
            let lines = log_lines(reader, world, log).await?;
            let texts = lines.iter().filter(|line| line_fits(line, fields)).map(|line| line.get(*field));
            Ok(texts
                .flat_map(|text| match pattern {
                    Some(pattern) => pattern.captures(text),
                    None => vec![text.to_string()],
                })
                .filter(|value| value != "-")
                .collect())
        }
    }
}

/// The text of blocks on one line.
pub fn blocks_text(blocks: &[Block]) -> String {
    let texts: Vec<String> = blocks
        .iter()
        .map(|block| match block {
            Block::Heading { text, .. } | Block::Paragraph(text) => plain(text),
            Block::Code { text, .. } => text.clone(),
            Block::List { items, .. } => items.iter().map(|item| blocks_text(item)).collect::<Vec<_>>().join(" "),
            Block::Aside { blocks, .. } => blocks_text(blocks),
            Block::Table { .. } | Block::Rule => String::new(),
        })
        .collect();
    texts.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lesson::markdown::Inline;

    #[test]
    fn a_choice_is_right_or_leads_on() {
        let option = |id: &str, right| Choice {
            id: id.into(),
            text: id.to_uppercase(),
            right,
            feedback: vec![Block::Paragraph(vec![Inline::Text(format!("about {id}"))])],
        };
        let choices = [option("sidecar", true), option("istiod", false)];
        for (answer, right, detail) in [
            ("sidecar", true, "about sidecar"),
            ("Sidecar", true, "about sidecar"),
            ("istiod", false, "about istiod"),
            ("gateway", false, "That is none of the choices."),
        ] {
            let found = choice(&choices, answer);
            assert_eq!((found.holds, found.detail.as_str()), (right, detail), "{answer}");
        }
    }

    #[test]
    fn an_entry_is_compared_with_this_world() {
        let truths = ["3f2a9c1e-0000".to_string(), "10.244.0.7".to_string()];
        for (answer, prefix, right) in [
            ("10.244.0.7", None, true),
            ("\"10.244.0.7\"", None, true),
            ("10.244.0.70", None, false),
            ("3F2A9C1E", Some(8), true),
            ("3f2a", Some(8), false),
            ("3f2a9c1e", None, false),
        ] {
            assert_eq!(entry(&truths, "id", prefix, answer, ("", "")).holds, right, "{answer}");
        }
        assert!(!entry(&[], "id", Some(1), "x", ("", "")).holds);
    }
}
