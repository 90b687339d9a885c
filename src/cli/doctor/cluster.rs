//! The user's contexts, the cluster of the current one, and the lab's own kind cluster.

use crate::base::paths::{Paths, user_kubeconfigs};
use crate::lab::kind::journal::Journal;
use crate::lab::kind::preflight::{Row, State};
use crate::lab::kind::status;
use crate::lab::reach::{self, Reach};

/// Contexts that are named; the rest is counted.
const NAMED: usize = 8;

/// Contexts, reachability and Istio of the current context; no other is asked.
pub(super) async fn rows() -> Vec<Row> {
    let files: Vec<String> = user_kubeconfigs().into_iter().filter(|p| p.exists()).map(|p| p.display().to_string()).collect();
    if files.is_empty() {
        return vec![Row::new("kubeconfig", State::Good, "none; not needed for the sandbox")];
    }
    let mut rows = vec![Row::new("kubeconfig", State::Good, files.join(", "))];
    match reach::look().await {
        Ok(reach) => rows.extend(of(&reach)),
        Err(error) => rows.push(Row::new("contexts", State::Note, crate::lab::words::line(&error))),
    }
    rows
}

fn of(reach: &Reach) -> Vec<Row> {
    let mut names: Vec<String> = reach.contexts.iter().take(NAMED).cloned().collect();
    names.extend((reach.contexts.len() > NAMED).then(|| format!("and {} more", reach.contexts.len() - NAMED)));
    let contexts = Row::new("contexts", State::Good, format!("{}; current: {}", names.join(", "), reach.current));
    let cluster = match &reach.version {
        Ok(version) => {
            Row::new("cluster", State::Good, format!("{version} at {} (only the current context was asked)", reach.server))
        }
        Err(reason) => Row::new("cluster", State::Note, format!("{} does not answer: {reason}", reach.server))
            .needs("nothing for the sandbox; for --env context:NAME a cluster that answers")
            .next("kubectl config get-contexts"),
    };
    let mut rows = vec![contexts, cluster];
    if reach.version.is_ok() {
        rows.push(match &reach.istio {
            Ok(found) if found.is_empty() => {
                Row::new("istio", State::Note, "not installed there; a lesson does it with --allow-mesh-config")
            }
            Ok(found) => Row::new("istio", State::Good, found.join("; ")),
            Err(reason) => Row::new("istio", State::Note, format!("not known: {reason}")),
        });
    }
    rows
}

/// From its journal alone.
pub(super) fn own_kind(paths: &Paths) -> Row {
    match Journal::open(&paths.kind()) {
        Ok(journal) => match status::unmade(&journal) {
            Some(row) => Row { name: "kind cluster", ..row },
            None => Row::new("kind cluster", State::Good, "made by `kind up`").next("egress-lab kind status"),
        },
        Err(e) => Row::new("kind cluster", State::Note, format!("its journal cannot be read: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(version: Result<&str, &str>, istio: Result<Vec<String>, String>) -> Reach {
        let version = version.map(str::to_string).map_err(str::to_string);
        let contexts = (0..11).map(|n| format!("c{n}")).collect();
        Reach { contexts, current: "c3".into(), server: "https://h:6443".into(), version, istio }
    }

    #[test]
    fn the_cluster_of_the_current_context_is_told() {
        let rows = of(&reach(Ok("v1.36.2"), Ok(vec!["istio-system/istiod 1.30.0, 1 of 1 ready".into()])));
        assert_eq!(rows[0].found, "c0, c1, c2, c3, c4, c5, c6, c7, and 3 more; current: c3");
        assert!(rows[1].found.starts_with("v1.36.2 at https://h:6443") && rows[2].found.contains("1.30.0"), "{rows:?}");
        let none = of(&reach(Ok("v1.36.2"), Ok(Vec::new())));
        assert!(none[2].state == State::Note && none[2].found.starts_with("not installed"));
    }

    #[test]
    fn a_cluster_that_does_not_answer_is_no_fault_of_this_machine() {
        let rows = of(&reach(Err("no answer within 3 s"), Err("x".into())));
        assert!(rows.len() == 2 && rows[1].state == State::Note && !rows[1].next.is_empty(), "{rows:?}");
    }
}
