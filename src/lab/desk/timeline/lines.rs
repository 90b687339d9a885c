//! Objects before and after as lines.

use crate::base::yaml;
use crate::k8s::Object;
use crate::session::desk::timeline::{Lines, Sign};
use similar::{ChangeTag, TextDiff};

/// Lines around a change that stay the same.
const CONTEXT: usize = 3;
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object without what only the server writes: versions, owners of fields, the copy that `apply` keeps.
pub fn shown(object: &Object) -> Object {
    let mut object = object.clone();
    for path in [&["metadata", "managedFields"][..], &["metadata", "resourceVersion"], &["metadata", "annotations", APPLIED]] {
        object.remove(path);
    }
    if object.at(&["metadata", "annotations"]).as_object().is_some_and(serde_json::Map::is_empty) {
        object.remove(&["metadata", "annotations"]);
    }
    object
}

/// What went and what came, with some lines around.
pub fn difference(before: Option<&Object>, after: Option<&Object>) -> Lines {
    let text = |object: Option<&Object>| object.map(|o| yaml::write(&shown(o).0)).unwrap_or_default();
    let (before, after) = (text(before), text(after));
    let diff = TextDiff::from_lines(&before, &after);
    let mut lines = Lines::new();
    for (nth, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if nth > 0 {
            lines.push((Sign::Same, "...".into()));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Equal => Sign::Same,
                ChangeTag::Insert => Sign::Added,
                ChangeTag::Delete => Sign::Removed,
            };
            lines.push((sign, change.value().trim_end_matches('\n').to_string()));
        }
    }
    if lines.is_empty() {
        lines.push((Sign::Same, "(nothing but its version)".into()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_people_mean_is_shown() {
        let object = |v: &str, n: i64| {
            Object(json!({"kind": "ConfigMap", "metadata": {"name": "a", "resourceVersion": v, "managedFields": [1],
                "annotations": {APPLIED: "{}"}}, "data": {"count": n}}))
        };
        assert_eq!(difference(Some(&object("1", 1)), Some(&object("2", 1))), [(Sign::Same, "(nothing but its version)".into())]);
        let lines = difference(Some(&object("1", 1)), Some(&object("2", 2)));
        let text: Vec<String> = lines.iter().map(|(sign, line)| format!("{sign:?} {line}")).collect();
        assert!(text.contains(&"Removed   count: 1".to_string()) && text.contains(&"Added   count: 2".to_string()), "{text:?}");
        assert!(!text.iter().any(|line| line.contains("annotations")), "{text:?}");
        assert!(difference(None, Some(&object("1", 1))).iter().all(|(sign, _)| *sign == Sign::Added));
    }
}
