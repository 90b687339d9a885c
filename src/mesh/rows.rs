//! The decision tables as tests: one file of `tests/data/mesh/rows` per row, what else is known in `more`, under each Istio release.

mod bytes;
mod file;
mod gates;
mod injection;
mod installed;
mod judge;
mod refusals;
mod validation;

use crate::{base, k8s, mesh, outside};
use file::{Row, Shared};
use mesh::validate::validate;
use std::collections::BTreeSet;

/// How many rows may be listed as gaps.
const MAX_GAPS: usize = 5;

/// What is wrong with a row under a release.
fn faults_of(row: &Row, shared: &Shared) -> Vec<String> {
    let mut wrong = Vec::new();
    for refused in &row.refused {
        let object = k8s::Object(refused.object.clone());
        let found = validate(&object, &shared.world);
        if found.errors != refused.errors {
            wrong.push(format!("refused: wanted {:?}, got {:?}", refused.errors, found.errors));
        }
    }
    let steps = row.requests.iter().enumerate().filter(|(_, step)| step.is_in(&shared.release.line));
    for (nth, step) in steps {
        let found = judge::step_faults(shared, row, step);
        wrong.extend(found.into_iter().map(|f| format!("[{nth}] {f}")));
    }
    wrong
}

/// Runs a folder under every release; rows that are listed as gaps must fail.
fn run(folder: &str, gaps: &[(String, String)]) {
    let rows = file::rows(folder);
    let mut failed = Vec::new();
    let mut holds: BTreeSet<&str> = rows.iter().map(|r| r.row.as_str()).collect();
    for version in mesh::versions::lines() {
        let shared = Shared::read(&version);
        for row in rows.iter().filter(|row| row.versions.contains(&version)) {
            let wrong = faults_of(row, &shared);
            if wrong.is_empty() {
                continue;
            }
            holds.remove(row.row.as_str());
            if !gaps.iter().any(|(gap, _)| *gap == row.row) {
                failed.push(format!("row {} in {version}: {}\n    {}", row.row, row.title, wrong.join("\n    ")));
            }
        }
    }
    let closed = gaps.iter().filter(|(gap, _)| holds.contains(gap.as_str()));
    failed.extend(closed.map(|(gap, _)| format!("row {gap} is listed in gaps.txt, but it holds")));
    assert!(failed.is_empty(), "{} failures in {folder}:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn every_row_of_the_decision_tables() {
    run("rows", &file::gaps("row "));
}

#[test]
fn what_else_is_known() {
    run("more", &file::gaps("more "));
}

/// No row is missing, none is there twice, and a file is named after its row.
#[test]
fn there_is_one_file_for_each_row() {
    let mut wanted: BTreeSet<String> = (1..=165).map(|n| n.to_string()).collect();
    wanted.extend(["70a".to_string(), "126a".to_string()]);
    let rows = file::rows("rows");
    let found: BTreeSet<String> = rows.iter().map(|r| r.row.clone()).collect();
    assert_eq!((rows.len(), &found), (167, &wanted));
    for (path, row) in file::files("rows").iter().zip(&rows) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let number = row.row.trim_end_matches('a');
        let start = format!("{number:0>3}{}-", if row.row.ends_with('a') { "a" } else { "" });
        assert!(name.starts_with(&start), "{name} holds row {}", row.row);
        assert!(!row.requests.is_empty() || !row.refused.is_empty(), "{name} expects nothing");
        assert!(["envoy-run", "source-read", "inferred"].contains(&row.evidence.as_str()), "{name}: {}", row.evidence);
        for step in &row.requests {
            assert!(step.expect.outcome.is_some() || !step.mix.is_empty(), "{name}: a request without an outcome");
        }
    }
    let gaps = file::gaps("row ");
    assert!(gaps.len() <= MAX_GAPS, "{} gaps", gaps.len());
    assert!(gaps.iter().all(|(row, why)| wanted.contains(row) && why.len() > 10), "{gaps:?}");
}
