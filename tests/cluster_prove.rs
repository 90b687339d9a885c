//! The proofs of the lesson on a cluster: an `egress-lab sandbox` that another process serves, through its API alone; and the same with
//! a bad day of the API server in between.

use crate::faulty::{Faults, Faulty};
use crate::program::{Home, Served, finish, text};
use regex::Regex;
use serde_json::Value;
use std::path::Path;
use std::process::Output;

const LESSON: &str = "control-external-egress";
/// Proven in the normal run; the long run takes all of them.
const SOME: &[&str] = &["run-test-pod", "recreate-the-pod", "register-port-80"];

fn long() -> bool {
    std::env::var_os("EGRESS_LAB_LONG").is_some()
}

/// Runs the program on a context of a kubeconfig.
async fn on(home: &std::sync::Arc<Home>, kubeconfig: &Path, args: &[&str], seconds: u64) -> Output {
    let mut command = home.command(args);
    command.env("KUBECONFIG", kubeconfig);
    tokio::task::spawn_blocking(move || finish(command, "", seconds)).await.unwrap()
}

fn prove<'a>(more: &[&'a str], steps: &[&'a str]) -> Vec<&'a str> {
    let steps = steps.iter().flat_map(|step| ["--step", step]);
    ["prove", LESSON, "--json"].into_iter().chain(more.iter().copied()).chain(steps).collect()
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}\n{}", text(&output.stdout), text(&output.stderr)))
}

/// What an environment chooses itself: addresses, times, generated names, the ids of requests.
fn masked(value: &Value) -> Value {
    let rules = [
        (r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(:\d+)?\b", "ADDRESS"),
        (r"\b\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
        (r"egress-lab/[0-9a-f-]{13}", "AGENT"),
        (r"-[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "-GENERATED"),
        (r"\b\d+ ?ms\b", "DURATION"),
        // On a cluster what model and observation disagree on is kept for the author; on the sandbox nobody needs a file for it.
        (r" What was seen and what the model says differ; both are in \S+\.yaml\.", ""),
    ];
    let mut text = value.to_string();
    for (pattern, word) in rules {
        text = Regex::new(pattern).unwrap().replace_all(&text, word).into_owned();
    }
    serde_json::from_str(&text).unwrap()
}

/// Holds what was proven on the cluster to what the sandbox says of the same proofs; how many were compared.
fn compare(cluster: &Value, sandbox: &Value, all: bool) -> usize {
    let (cluster, sandbox) = (masked(cluster), masked(sandbox));
    let steps = |report: &Value| report["lessons"][0]["steps"].as_array().unwrap().clone();
    let (ours, theirs) = (steps(&cluster), steps(&sandbox));
    let ids = |steps: &[Value]| steps.iter().map(|s| s["id"].as_str().unwrap().to_string()).collect::<Vec<_>>();
    assert_eq!(ids(&ours), ids(&theirs));
    let mut compared = 0;
    for (ours, theirs) in ours.iter().zip(&theirs) {
        for key in ["kind", "untouched", "solution", "start", "solved"] {
            assert_eq!(ours[key], theirs[key], "{} {key}", ours["id"]);
            compared += 1;
        }
        assert_ne!(ours["reset"], "fail", "{}", ours["id"]);
        for list in ["mutants", "accepted", "removals"] {
            let (few, many) = (ours[list].as_array().unwrap(), theirs[list].as_array().unwrap());
            let name = |row: &Value| row.get("id").unwrap_or(&row["part"]).clone();
            for row in few {
                let same = many.iter().find(|other| name(other) == name(row));
                assert_eq!(Some(row), same, "{} {list} {}", ours["id"], name(row));
                compared += 1;
            }
            assert!(!all || few.len() == many.len(), "{} {list}: {} of {}", ours["id"], few.len(), many.len());
            assert!(list != "mutants" || many.is_empty() || !few.is_empty(), "{}: no mutant", ours["id"]);
        }
    }
    compared
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_judged_as_the_sandbox_is() {
    let home = std::sync::Arc::new(Home::new());
    let served = Served::start(&home, &["--instant"], 2);
    let steps = if long() { &[][..] } else { SOME };
    let flags = ["--env", "context:sandbox", "--allow-mesh-config", "--yes", "--within", "2s"];
    let flags: Vec<&str> = flags.into_iter().chain(long().then_some("--all")).collect();
    let there = on(&home, served.kubeconfig(), &prove(&flags, steps), 3_600).await;
    let here = on(&home, Path::new("/nonexistent"), &prove(&[], steps), 600).await;
    assert_eq!(there.status.code(), Some(0), "{}\n{}", text(&there.stderr), text(&there.stdout));
    let (cluster, sandbox) = (report(&there), report(&here));
    let compared = compare(&cluster, &sandbox, long());
    assert!(compared >= 5 * SOME.len() + 2, "{compared}");
    let told = text(&there.stderr);
    assert!(told.contains("untouched") && told.contains("mutant") && told.contains("solution"), "{told}");
    println!("{} steps, {compared} comparisons, {} ms", cluster["steps_proven"], cluster["elapsed_ms"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_day_of_the_api_server_is_nobodys_mistake() {
    let home = std::sync::Arc::new(Home::new());
    // Watches grow old only where time passes: the long run's sandbox goes by the wall's clock.
    let pace: &[&str] = if long() { &[] } else { &["--instant"] };
    let served = Served::start(&home, pace, 2);
    let latency_ms = if long() { 200 } else { 5 };
    let faults = Faults { seed: 5, latency_ms, resets: 2, refusals: 2, streams: 2, watches_ms: Some(5_000), ..Faults::default() };
    let proxy = Faulty::before(served.kubeconfig(), faults).await;
    let to: &[&str] = if long() { &[] } else { &["--to", "register-port-80"] };
    let args: Vec<&str> = ["run", LESSON, "--env", "context:faulty", "--allow-mesh-config", "--yes", "--within", "20s"]
        .into_iter()
        .chain(to.iter().copied())
        .collect();
    let output = on(&home, &proxy.kubeconfig(), &args, 3_600).await;
    let (told, seen) = (text(&output.stderr), proxy.seen());
    assert_eq!(output.status.code(), Some(0), "{}\n{told}", text(&output.stdout));
    let cuts = seen.cut.0 + seen.cut.1 + seen.cut.2;
    assert!(cuts >= 3 && seen.refused >= 3, "nothing to survive: {seen:?}");
    assert!(!long() || seen.watches_cut >= 3, "no watch to survive: {seen:?}");
    assert!(told.contains("waiting for the API server: "), "{told}");
    println!(
        "{} requests, {cuts} cut, {} refused, {} commands cut, {} watches cut",
        seen.requests, seen.refused, seen.streams_cut, seen.watches_cut
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_is_named_before_anything_is_written() {
    let home = std::sync::Arc::new(Home::new());
    let served = Served::start(&home, &["--instant"], 2);
    let forbidden = vec![("create", "serviceentries.networking.istio.io"), ("create", "pods/exec")];
    let proxy = Faulty::before(served.kubeconfig(), Faults { forbidden, ..Faults::default() }).await;
    let flags = ["--env", "context:faulty", "--allow-mesh-config", "--yes", "--within", "2s"];
    for command in [&["run", LESSON][..], &["prove", LESSON]] {
        let args: Vec<&str> = command.iter().copied().chain(flags).collect();
        let output = on(&home, &proxy.kubeconfig(), &args, 120).await;
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{command:?}: {told}");
        for words in ["create serviceentries.networking.istio.io", "create pods/exec", "Nothing was written."] {
            assert!(told.contains(words), "{command:?}: no {words:?} in {told}");
        }
    }
    assert_eq!(proxy.seen().writes, Vec::<String>::new());
    assert!(proxy.seen().requests > 10, "{:?}", proxy.seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_come_back_is_an_environment_fault() {
    use crate::faulty::{Fault, Planned};
    let home = std::sync::Arc::new(Home::new());
    let served = Served::start(&home, &["--instant"], 2);
    // Every creation of a pod is refused for good: nothing of the lesson can be judged by that.
    let planned = vec![Planned { verb: "create", resource: "pods", fault: Fault::Webhook, times: u32::MAX }];
    let proxy = Faulty::before(served.kubeconfig(), Faults { planned, ..Faults::default() }).await;
    let args = ["run", LESSON, "--env", "context:faulty", "--allow-mesh-config", "--yes", "--to", "run-test-pod"];
    let output = on(&home, &proxy.kubeconfig(), &args, 120).await;
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{}\n{told}", text(&output.stdout));
    assert!(told.contains("webhook namespace.sidecar-injector.istio.io is not ready, try 2 of 8"), "{told}");
    assert!(told.contains("failed calling webhook"), "{told}");
}
