//! The two gates of injection over the rows of `tests/data/mesh/injection`, under each release.

use super::injection::{Decision, decisions};
use super::{file, mesh};
use crate::k8s::{Object, Snapshot};
use mesh::inject::{inject, selected, would_inject};
use mesh::install::{InstallOptions, render};
use serde_json::json;
use std::sync::Arc;

/// A demo installation.
fn installed(version: &str) -> Snapshot {
    let options = InstallOptions { profile: "demo".into(), version: version.into(), ..InstallOptions::default() };
    let mut objects = render(&options).expect("the demo profile renders");
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "status": {"nodeInfo": {"kubeletVersion": "v1.36.2"}}});
    objects.push(Object(node));
    objects.into_iter().collect()
}

fn faults(installed: &Snapshot, case: &Decision) -> Vec<String> {
    let (mut snapshot, pod) = (installed.clone(), case.pod());
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": case.name, "labels": case.namespace}});
    snapshot.put(Arc::new(Object(namespace)));
    let mut wrong = Vec::new();
    let asked = selected(&pod, &case.name, &snapshot);
    if asked != case.asked {
        wrong.push(format!("asked by {asked:?}, not {:?}", case.asked));
    }
    if would_inject(&pod, &case.name, &snapshot) != case.injected {
        wrong.push("the decision is the other one".into());
    }
    let answer = match asked.is_empty() {
        true => None,
        false => inject(&pod, &case.name, &snapshot).expect("what the pod asks for is simulated"),
    };
    wrong.extend(case.faults(&answer.unwrap_or(pod)));
    wrong
}

#[test]
fn every_row_of_the_injection_table() {
    let gaps = file::gaps("injection ");
    assert!(gaps.is_empty(), "all rows hold: {gaps:?}");
    let mut failed = Vec::new();
    for version in mesh::versions::lines() {
        let installed = installed(&version);
        for row in decisions() {
            for (nth, case) in row.cases.iter().enumerate() {
                let wrong = faults(&installed, case);
                if !wrong.is_empty() {
                    failed.push(format!("row {} [{nth}] in {version}: {}: {}", row.row, row.title, wrong.join("; ")));
                }
            }
        }
    }
    assert!(failed.is_empty(), "{} failures:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn there_is_one_file_for_each_row() {
    let mut rows: Vec<u32> = decisions().iter().map(|d| d.row.parse().expect("a number")).collect();
    rows.sort_unstable();
    assert_eq!(rows, (1..=26).collect::<Vec<_>>());
    assert!(decisions().iter().all(|d| !d.cases.is_empty()));
    let later = |d: &super::injection::Decisions| d.cases.iter().any(|c| c.after.is_some() || c.deployment.is_some());
    let later: Vec<String> = decisions().into_iter().filter(later).map(|d| d.row).collect();
    assert_eq!(later, ["22", "23", "24"], "rows that only the API server's side can show");
}
