//! What istiod's webhook says of the objects of `tests/data/mesh/validation`. The texts are those of Istio's own validation.

use super::file;
use super::refusals::{Written, rules};
use crate::k8s::{Object, Snapshot};
use crate::mesh::validate::validate;
use crate::mesh::versions::lines;
use std::collections::BTreeSet;

/// Blanks do not count: Go's printing of a message puts one or two, as it likes.
fn blanks(texts: &[String]) -> Vec<String> {
    texts.iter().map(|t| t.split(' ').filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" ")).collect()
}

fn faults(written: &Written) -> Vec<String> {
    let found = validate(&Object(written.object()), &Snapshot::default());
    let mut wrong = Vec::new();
    if written.decode.is_none() && blanks(&found.errors) != blanks(&written.webhook) {
        wrong.push(format!("errors {:?}, not {:?}", found.errors, written.webhook));
    }
    if written.decode.is_none() && found.warnings != written.warnings {
        wrong.push(format!("warnings {:?}, not {:?}", found.warnings, written.warnings));
    }
    wrong
}

#[test]
fn the_webhook_says_what_istiod_says() {
    let gaps = file::gaps("validation ");
    let mut failed = Vec::new();
    for rules in rules() {
        let is_gap = gaps.iter().any(|(row, _)| *row == rules.row);
        let wrong: Vec<String> = rules
            .objects
            .iter()
            .flat_map(|w| faults(w).into_iter().map(move |f| format!("{} {}: {f}", w.kind, w.spec)))
            .collect();
        match (wrong.is_empty(), is_gap) {
            (true, true) => failed.push(format!("row {} is listed in gaps.txt, but it holds", rules.row)),
            (false, false) => failed.push(format!("row {}: {}\n    {}", rules.row, rules.title, wrong.join("\n    "))),
            _ => (),
        }
    }
    assert!(failed.is_empty(), "{} failures:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn there_is_one_file_for_each_row() {
    let rows: Vec<u32> = rules().iter().map(|r| r.row.parse().expect("a number")).collect();
    let wanted: BTreeSet<u32> = (1..=95).collect();
    assert_eq!((rows.len(), rows.into_iter().collect::<BTreeSet<_>>()), (95, wanted));
    for rules in rules() {
        assert!(!rules.objects.is_empty(), "row {}", rules.row);
        let versions = lines();
        let texts = |w: &Written| versions.iter().flat_map(|v| w.schema_in(v).to_vec()).collect::<Vec<_>>();
        assert!(rules.objects.iter().flat_map(texts).all(|text| !text.is_empty()), "row {}", rules.row);
    }
}
