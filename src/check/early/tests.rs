//! When what is not good is final: by rounds of a judging in a world that a table plays.

use super::*;
use crate::base::outcome::{At, Outcome, Path, TlsBy};
use crate::finding::{Evidence, Exchanged};
use crate::lesson::load::Pack;
use crate::mesh::{Cause, Record};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Mutex;

/// A world that has a marker in force from the n-th question on.
#[derive(Default)]
struct Played {
    /// `None`: it takes no marker.
    from: Option<usize>,
    asked: Mutex<usize>,
    marks: Mutex<Vec<&'static str>>,
}

impl Restless for Played {
    fn mark(&self) -> BoxFuture<'_, Option<u64>> {
        self.marks.lock().unwrap().push("mark");
        async { self.from.map(|_| 7) }.boxed()
    }

    fn in_force<'a>(&'a self, mark: u64, from: &'a [&'a Workload]) -> BoxFuture<'a, bool> {
        assert!(mark == 7 && from.len() == 1, "the proxies of the step's requests are asked");
        let mut asked = self.asked.lock().unwrap();
        *asked += 1;
        let is = self.from.is_some_and(|from| *asked >= from);
        async move { is }.boxed()
    }

    fn unmark(&self, _: u64) -> BoxFuture<'_, ()> {
        self.marks.lock().unwrap().push("unmark");
        async {}.boxed()
    }

    fn disagreed<'a>(&'a self, _: &'a Finding) -> BoxFuture<'a, Option<String>> {
        async { None }.boxed()
    }
}

/// A check of the embedded lesson.
fn check(step: &str, id: &str) -> Check {
    let tracks = Pack::embedded().tracks().unwrap();
    let step = tracks[0].lessons.iter().find_map(|lesson| lesson.step(step)).unwrap();
    step.checks.iter().find(|check| check.id == id).unwrap().clone()
}

fn finding(verdict: Verdict, observed: &str, exchanges: usize) -> Finding {
    let observation = Record {
        outcome: Outcome::BlockedRegistryOnly,
        at: At::Sidecar,
        path: Path::Direct,
        tls: TlsBy::None,
        status: Some(502),
        exit_code: 0,
        hops: Vec::new(),
        cause: Cause::new("", "", ""),
    };
    let exchange = Exchanged { url: "http://www.wikipedia.org/".into(), observation, prediction: None };
    Finding {
        check: "c".into(),
        title: String::new(),
        verdict,
        message: String::new(),
        evidence: Evidence { observed: observed.into(), exchanges: vec![exchange; exchanges], ..Evidence::default() },
        wrong_turn: None,
        revision: None,
    }
}

/// The round in which a judging ends before its time, counted from 0, if each round observes this; what became of the marker.
async fn ends(world: &Played, check: &Check, rounds: &[&str]) -> (Option<usize>, Vec<&'static str>) {
    let (mut early, mut end) = (Early::default(), None);
    let (checks, world_) = ([check.clone()], Some(world as &dyn Restless));
    for (nth, observed) in rounds.iter().enumerate() {
        let in_force = early.in_force(world_, &checks).await;
        let exchanges = usize::from(matches!(check.kind, CheckKind::Probe(_)) && !observed.is_empty());
        let findings = [finding(Verdict::NotYet, observed, exchanges)];
        if in_force && early.agrees(&findings) {
            end = Some(nth);
            break;
        }
        early.saw(world_, &checks, &findings, in_force).await;
    }
    early.end(world_).await;
    (end, world.marks.lock().unwrap().clone())
}

async fn probed(from: Option<usize>, rounds: &[&str]) -> (Option<usize>, Vec<&'static str>) {
    let world = Played { from, ..Played::default() };
    ends(&world, &check("register-port-80", "first-hop"), rounds).await
}

const TAKEN_AWAY: [&str; 2] = ["mark", "unmark"];

#[tokio::test]
async fn two_that_agree_with_the_marker_in_force_are_final() {
    // The first round sets the marker, the second has it, the third agrees.
    assert_eq!(probed(Some(1), &["502", "502", "502", "502"]).await, (Some(2), TAKEN_AWAY.to_vec()));
    // One that came before the marker counts for nothing.
    assert_eq!(probed(Some(3), &["502", "502", "502", "502", "502"]).await, (Some(4), TAKEN_AWAY.to_vec()));
}

#[tokio::test]
async fn what_still_changes_is_not_final() {
    assert_eq!(probed(Some(1), &["502", "502", "404", "404"]).await, (Some(3), TAKEN_AWAY.to_vec()));
    assert_eq!(probed(Some(1), &["502", "502", "404", "502", "404"]).await, (None, TAKEN_AWAY.to_vec()));
}

#[tokio::test]
async fn without_the_marker_the_whole_time_is_waited() {
    // Never in force: also that one is taken away.
    assert_eq!(probed(Some(99), &["502"; 6]).await, (None, TAKEN_AWAY.to_vec()));
    // The world takes none: it is asked for once.
    assert_eq!(probed(None, &["502"; 6]).await, (None, vec!["mark"]));
    // A request that could not be sent at all waits for something else.
    assert_eq!(probed(Some(1), &[""; 6]).await, (None, vec![]));
}

#[tokio::test]
async fn what_people_write_needs_no_marker_and_what_comes_by_itself_all_the_time() {
    let world = Played { from: Some(1), ..Played::default() };
    let label = check("label-the-namespace", "labelled");
    assert_eq!(ends(&world, &label, &["no label"; 4]).await, (Some(2), vec![]));
    let running = check("recreate-the-pod", "running");
    assert_eq!(ends(&world, &running, &["Pending"; 6]).await, (None, vec![]));
    let ready = check("install-istio", "istiod-ready");
    assert_eq!(ends(&world, &ready, &["status.availableReplicas: absent"; 6]).await, (None, vec![]));
}

#[tokio::test]
async fn an_environment_fault_is_never_final_early() {
    let world = Played { from: Some(1), ..Played::default() };
    let checks = [check("register-port-80", "first-hop")];
    let mut early = Early::default();
    for _ in 0..4 {
        let in_force = early.in_force(Some(&world), &checks).await;
        assert!(!in_force);
        early.saw(Some(&world), &checks, &[finding(Verdict::EnvironmentFault, "no route", 1)], in_force).await;
    }
    assert_eq!((early.pause(1_000), early.pause(0)), (1_000, 50));
}

#[tokio::test]
async fn evaluations_that_have_to_agree_are_half_a_second_apart() {
    let world = Played { from: Some(1), ..Played::default() };
    let checks = [check("register-port-80", "first-hop")];
    let mut early = Early::default();
    assert_eq!(early.pause(5_000), 5_000);
    early.saw(Some(&world), &checks, &[finding(Verdict::NotYet, "502", 1)], false).await;
    assert_eq!(early.pause(5_000), APART);
}
