//! The API rules, proven against raw recordings of a real API server 1.36 (tests/recordings/kubectl/probe.txt): the same requests in
//! the same order, the same answers but for what no two servers share.

mod access;
mod compare;
mod custom;
mod hostile;
mod lists;
mod property;
mod real;
mod recorded;
mod wire;
mod writes;

use crate::serve;
use compare::Bindings;
use egress_lab::base::clock::{Clock, SystemClock};
use egress_lab::sandbox::Pace;
use egress_lab::sandbox::serve::{Handle, Identity, Options, Server};
use recorded::Pair;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use wire::{Client, Response};

const RECORDING: &str = include_str!("recordings/kubectl/probe.txt");
const KNOWN: &str = include_str!("recordings/kubectl/probe-known.txt");

/// A served world with a client that may do everything.
pub struct Lab {
    pub client: Client,

    pub handle: Handle,
    _server: Server,
    _folder: tempfile::TempDir,
}

pub async fn lab(pace: Pace) -> Lab {
    serving(serve::handle(pace)).await
}

/// A lab on a world that is already there.
pub async fn serving(handle: Handle) -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::fresh(SystemClock.now()).unwrap();
    let options = Options { port: 0, kubeconfig: folder.path().join("kubeconfig"), ..Default::default() };
    let server = Server::start(handle.clone(), &identity, &options).await.unwrap();
    Lab { client: Client::new(&server, identity.token()), handle, _server: server, _folder: folder }
}

/// What happened on the recorded server between the recorded requests: (the request before which, the nth of its kind, requests).
const BETWEEN: &[(&str, usize, &[&str])] = &[
    (
        "GET /api/v1/namespaces/probe",
        1,
        &[
            r#"POST /api/v1/namespaces {"metadata":{"name":"probe"}}"#,
            r#"POST /api/v1/namespaces/probe/configmaps {"metadata":{"name":"openshift-service-ca.crt"}}"#,
        ],
    ),
    (
        "GET /api/v1/namespaces/probe/configmaps?limit=2",
        1,
        &[
            r#"POST /api/v1/namespaces/probe/configmaps {"metadata":{"name":"p0","labels":{"i":"0"}}}"#,
            r#"POST /api/v1/namespaces/probe/configmaps {"metadata":{"name":"p1","labels":{"i":"1"}}}"#,
            r#"POST /api/v1/namespaces/probe/configmaps {"metadata":{"name":"p2","labels":{"i":"2"}}}"#,
            r#"POST /api/v1/namespaces/probe/configmaps {"metadata":{"name":"p3","labels":{"i":"3"}}}"#,
            r#"POST /api/v1/namespaces/probe/configmaps {"metadata":{"name":"p4","labels":{"i":"4"}}}"#,
        ],
    ),
    (
        "GET /api/v1/namespaces/probe/configmaps?watch=1&timeoutSeconds=1",
        1,
        &[
            r#"PATCH /api/v1/namespaces/probe/configmaps/p1 {"data":{"z":"1795408791.3459845"}}"#,
            r#"DELETE /api/v1/namespaces/probe/configmaps/p4 "#,
            r#"POST /api/v1/namespaces/probe/configmaps {"metadata":{"name":"p4"}}"#,
        ],
    ),
    (
        "DELETE /api/v1/namespaces/probe/configmaps/p0",
        1,
        &[r#"PATCH /api/v1/namespaces/probe/configmaps/p1 {"data":{"z":"1795408807.5188508"}}"#],
    ),
    ("POST /api/v1/namespaces/probe/pods", 1, &[r#"PATCH /api/v1/nodes/sandbox-node {"spec":{"unschedulable":true}}"#]),
    (
        "GET /api/v1/namespaces/probe/pods/pe/log",
        1,
        &[
            r#"PATCH /api/v1/nodes/sandbox-node {"spec":{"unschedulable":null}}"#,
            r#"POST /api/v1/namespaces/probe/pods {"metadata":{"name":"pe"},"spec":{"containers":[{"name":"c","image":"i"},{"name":"d","image":"i"}]}}"#,
        ],
    ),
    (
        "GET /api/v1/namespaces/probe/pods/pp/log",
        1,
        &[
            r#"PATCH /api/v1/nodes/sandbox-node {"spec":{"unschedulable":true}}"#,
            r#"POST /api/v1/namespaces/probe/pods {"metadata":{"name":"pp","annotations":{"fk":"pending"}},"spec":{"containers":[{"name":"c","image":"i"}]}}"#,
        ],
    ),
    (
        "POST /apis/apps/v1/namespaces/probe/deployments",
        1,
        &[r#"PATCH /api/v1/nodes/sandbox-node {"spec":{"unschedulable":null}}"#],
    ),
    // The recorded namespace took seconds to go; here something has to hold it.
    (
        "DELETE /api/v1/namespaces/probe",
        1,
        &[r#"POST /api/v1/namespaces/probe/configmaps {"metadata":{"name":"held","finalizers":["x.y/z"]}}"#],
    ),
];

async fn between(lab: &Lab, pair: &Pair, nth: usize) {
    for (_, _, requests) in BETWEEN.iter().filter(|(line, n, _)| *line == pair.line() && *n == nth) {
        for request in *requests {
            let (line, body) = request.split_at(request.find(" {").unwrap_or(request.len()));
            let (method, target) = line.trim().split_once(' ').unwrap();
            let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
            let done = lab.client.send(method, target, &[("Content-Type", kind)], body.trim().as_bytes()).await;
            assert!(done.status < 300, "{request}: {} {}", done.status, done.body);
        }
    }
}

async fn ask(lab: &Lab, pair: &Pair, bindings: &Bindings) -> Response {
    let mut headers = vec![("Accept", pair.accept.as_str())];
    if !pair.content_type.is_empty() {
        headers.push(("Content-Type", &pair.content_type));
    }
    for (name, value) in &pair.headers {
        // The recorded server had a second user by a token of its own.
        match value.as_str() {
            "Bearer devtoken" => headers.push(("Impersonate-User", "dev")),
            value => headers.push((name, value)),
        }
    }
    let target = format!("{}&", pair.target);
    let target = bindings.here(&target);
    // Objects that were read come back with their times: those of another clock.
    let body = bindings.here(&pair.body).replace("2026-11-23T04:39:47Z", "2026-01-01T09:00:00Z");
    lab.client.send(&pair.method, target.trim_end_matches('&'), &headers, body.as_bytes()).await
}

fn differences(pair: &Pair, got: &Response, bindings: &mut Bindings) -> Vec<String> {
    let mut found = Vec::new();
    if pair.status != got.status {
        found.push(format!("status: recorded {}, here {} {}", pair.status, got.status, got.body));
        return found;
    }
    for name in ["content-type", "warning", "retry-after", "x-content-type-options", "cache-control", "vary"] {
        if pair.header(name) != got.header(name) {
            found.push(format!("{name}: recorded {:?}, here {:?}", pair.header(name), got.header(name)));
        }
    }
    let kind = pair.header("content-type").first().copied().unwrap_or("").to_string();
    match kind.as_str() {
        "application/yaml" => {
            let node = recorded::json(&egress_lab::base::yaml::parse(&pair.answer).unwrap().to_string()).unwrap();
            let ours = egress_lab::base::yaml::parse(&got.body).unwrap_or(Value::Null);
            found.extend(bindings.differences(&node, &ours));
        }
        kind if kind.starts_with("application/json") && pair.answer.starts_with("{\"type\":") => {
            let lines: Vec<&str> = got.body.lines().collect();
            for (i, line) in pair.answer.lines().enumerate() {
                let ours = lines.get(i).and_then(|line| serde_json::from_str(line).ok()).unwrap_or(Value::Null);
                found
                    .extend(bindings.differences(&recorded::json(line).unwrap(), &ours).iter().map(|d| format!("event {i} {d}")));
            }
        }
        kind if kind.starts_with("application/json") && !pair.answer.is_empty() => {
            found.extend(bindings.differences(&recorded::json(&pair.answer).unwrap(), &got.json()));
        }
        _ if pair.answer.trim_end().ends_with("...") => (),
        _ if pair.answer.trim_end() == got.body.trim_end() => (),
        _ => found.push(format!("body: recorded {:?}, here {:?}", pair.answer, got.body)),
    }
    found
}

/// The listed differences: `METHOD TARGET #nth`, or a place in answers (`.metadata.managedFields`), to the reason.
fn known() -> BTreeMap<String, String> {
    let lines = KNOWN.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split_once(" | ").expect("a reason")).map(|(line, why)| (line.to_string(), why.to_string())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_requests_are_answered_as_recorded() {
    let lab = lab(Pace::Instant).await;
    let known = known();
    let mut bindings = Bindings::default();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let (mut wrong, mut agree, mut all) = (Vec::new(), BTreeSet::new(), 0);
    let mut places = BTreeSet::new();
    for pair in recorded::read(RECORDING) {
        let nth = seen.entry(pair.line()).or_default();
        *nth += 1;
        let name = format!("{} #{nth}", pair.line());
        between(&lab, &pair, *nth).await;
        let got = ask(&lab, &pair, &bindings).await;
        let mut found = differences(&pair, &got, &mut bindings);
        for (place, _) in known.iter().filter(|(line, _)| line.starts_with('.')) {
            let before = found.len();
            found.retain(|difference| !difference.contains(&format!("{place}: ")) && !difference.contains(&format!("{place}[")));
            if found.len() < before {
                places.insert(place.clone());
            }
        }
        all += 1;
        match (found.is_empty(), known.contains_key(&name)) {
            (true, _) => drop(agree.insert(name)),
            (false, true) => (),
            (false, false) => wrong.push(format!("{name} [{}]\n      {}", pair.accept, found.join("\n      "))),
        }
    }
    let stale: Vec<&String> = known.keys().filter(|name| agree.contains(*name)).collect();
    println!("{} of {all} recorded pairs agree, {} are listed", agree.len(), known.len());
    assert!(stale.is_empty(), "listed in probe-known.txt, but agree: {stale:#?}");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    for name in known.keys() {
        let there = places.contains(name) || seen.keys().any(|line| name.starts_with(&format!("{line} #")));
        assert!(there, "{name} is listed in probe-known.txt, but not recorded or not different");
    }
}
