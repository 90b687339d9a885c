//! What a sandbox world tells of its past.

use crate::k8s::{Key, Object};
use crate::lab::env::{Happened, HappenedPart};
use crate::sandbox::store::Change;
use crate::sandbox::world::{Hand, Moment as Kept, Occasion};
use crate::session::desk::timeline::{Moment, Part, Verb};
use serde_json::Value;

/// The lab's own client of the served world.
const OWN: &str = "learner";

/// A moment as a line of the time-line.
pub(super) fn moment(kept: &Kept) -> Moment {
    let shown: Vec<&(Hand, std::sync::Arc<Change>)> = kept.changes.iter().filter(|(_, change)| !is_event(&change.key)).collect();
    let first = shown.first().map(|(_, change)| format!("{} {}", verb(change).word(), change.key));
    let what = match &kept.occasion {
        Occasion::Begun => "the world as it was opened".to_string(),
        Occasion::Exec { namespace, pod, container, line } => {
            let container = if container.is_empty() { String::new() } else { format!(" ({container})") };
            format!("exec {namespace}/{pod}{container}: {line}")
        }
        Occasion::Port => "bytes through a port-forward".into(),
        Occasion::Return { to } => format!("returned to revision {to}"),
        Occasion::Kept => "as it was when it got its bookmark, the last time or before".to_string(),
        Occasion::Adopted => "took over a state that was made elsewhere".into(),
        Occasion::Call | Occasion::Time => first.clone().or_else(|| event_text(kept)).unwrap_or_else(|| "time passed".into()),
    };
    let named = matches!(kept.occasion, Occasion::Call | Occasion::Time) && first.is_some();
    let more = shown.len().saturating_sub(usize::from(named)) + kept.unlisted;
    let own = kept.asked.is_some() && !matches!(kept.occasion, Occasion::Begun | Occasion::Kept);
    Moment { revision: kept.revision, at: kept.at, who: who(kept), own, what, more, mark: None }
}

/// A moment with everything that changed in it.
pub(super) fn happened(kept: &Kept) -> Happened {
    let part = |(hand, change): &(Hand, std::sync::Arc<Change>)| HappenedPart {
        part: Part { verb: verb(change), thing: change.key.clone(), who: name(hand) },
        before: change.before.clone(),
        after: change.after.clone(),
    };
    Happened { moment: moment(kept), parts: kept.changes.iter().map(part).collect(), unlisted: kept.unlisted }
}

fn who(kept: &Kept) -> String {
    if let Some(hand) = &kept.asked {
        return name(hand);
    }
    let mut names: Vec<String> = Vec::new();
    for (hand, _) in &kept.changes {
        let name = name(hand);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match names.len() {
        0 => "the clock".into(),
        1 | 2 => names.join(", "),
        n => format!("{}, {} and {} more", names[0], names[1], n - 2),
    }
}

fn name(hand: &Hand) -> String {
    match hand {
        Hand::User { name, manager } if name == OWN && manager.is_empty() => "you".into(),
        Hand::User { name, manager } if name == OWN => format!("you ({manager})"),
        Hand::User { name, manager } => format!("{name} ({manager})"),
        Hand::Component(name) => name.clone(),
        Hand::Lab => "the lab".into(),
    }
}

fn is_event(key: &Key) -> bool {
    key.kind.kind == "Event"
}

/// Where nothing but events was written: what the newest says.
fn event_text(kept: &Kept) -> Option<String> {
    let event = kept.changes.iter().rev().find_map(|(_, change)| change.after.as_ref().filter(|_| is_event(&change.key)))?;
    let about = format!("{} {}", event.str_at(&["involvedObject", "kind"]), event.str_at(&["involvedObject", "name"]));
    Some(format!("event {} about {about}: {}", event.str_at(&["reason"]), event.str_at(&["message"])))
}

fn verb(change: &Change) -> Verb {
    match (&change.before, &change.after) {
        (None, _) => Verb::Created,
        (_, None) => Verb::Deleted,
        (Some(before), Some(after)) if means_the_same(before, after) => Verb::Status,
        _ => Verb::Changed,
    }
}

/// Whether two versions differ only in what the server alone writes.
fn means_the_same(before: &Object, after: &Object) -> bool {
    same_but(&before.0, &after.0, &["status", "metadata"])
        && same_but(&before.0["metadata"], &after.0["metadata"], &["managedFields", "resourceVersion", "generation"])
}

/// Whether two JSON objects have the same members, apart from some.
fn same_but(before: &Value, after: &Value, apart: &[&str]) -> bool {
    let counts = |(name, _): &(&String, &Value)| !apart.contains(&name.as_str());
    let (before, after) = (before.as_object(), after.as_object());
    let (Some(before), Some(after)) = (before, after) else { return before == after };
    before.iter().filter(counts).count() == after.iter().filter(counts).count()
        && before.iter().filter(counts).all(|(name, value)| after.get(name) == Some(value))
}
