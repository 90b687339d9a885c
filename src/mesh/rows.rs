//! The rows of the fact tables as tests: `tests/data/mesh/rows-*.yaml`, one exchange each, over `world.yaml` and `parts.yaml`.

mod installed;

use super::{Inputs, Model, Options, Trace, follow};
use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::base::yaml;
use crate::k8s::{Key, Kind, Object, Snapshot};
use crate::outside::wire::{HttpVersion, Reply, Request};
use crate::outside::{Faults, Outside};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    /// `ALLOW_ANY` in place of REGISTRY_ONLY.
    #[serde(default)]
    allow_any: bool,
    #[serde(default, rename = "use")]
    parts: Vec<String>,
    /// `[key of an object, JSON pointer, value]`.
    #[serde(default)]
    set: Vec<(String, String, Value)>,
    #[serde(default)]
    delete: Vec<String>,
    #[serde(default)]
    objects: Vec<Value>,
    /// `NAMESPACE/POD`, default `default/test`.
    #[serde(default)]
    from: Option<String>,
    url: String,
    #[serde(default)]
    head: bool,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    http10: bool,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    proxy_user: bool,
    #[serde(default)]
    address: Option<std::net::IpAddr>,
    #[serde(default)]
    max_time_ms: Option<u64>,
    #[serde(default)]
    faults: Faults,
    /// `301`, `exit 35`, `exit 52/56`; followed by words that the answer must hold (`server: envoy`).
    client: Vec<String>,
    /// `CODE FLAGS DETAILS | CLUSTER | ROUTE | UPSTREAM`, as many parts as matter.
    #[serde(default)]
    sc: Vec<String>,
    #[serde(default)]
    gw: Vec<String>,
    outcome: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    at: Option<String>,
    #[serde(default)]
    tls: Option<String>,
    /// `OBJECT FIELD`.
    #[serde(default)]
    cause: Option<String>,
    #[serde(default)]
    delay_ms: Option<u64>,
}

fn documents(text: &str) -> Vec<Value> {
    yaml::parse_documents(text).expect("test data is YAML")
}

fn key_of(text: &str) -> Key {
    let (kind, name) = text.split_once(' ').expect("KIND NS/NAME");
    let (namespace, name) = name.split_once('/').expect("NS/NAME");
    let group = match kind {
        "ConfigMap" | "Pod" | "Service" | "Namespace" => "",
        "Deployment" => "apps",
        _ => "networking.istio.io",
    };
    Key { kind: Kind::new(group, kind), namespace: namespace.into(), name: name.into() }
}

/// What all rows share, read once.
struct Shared {
    world: Snapshot,
    parts: Vec<Value>,
    outside: Outside,
}

impl Shared {
    fn read() -> Shared {
        let world = documents(include_str!("../../tests/data/mesh/world.yaml"));
        Shared {
            world: world.into_iter().map(Object).collect(),
            parts: documents(include_str!("../../tests/data/mesh/parts.yaml")),
            outside: Outside::standard(),
        }
    }
}

fn snapshot(row: &Row, shared: &Shared) -> Snapshot {
    let mut snapshot = shared.world.clone();
    for part in shared.parts.iter().cloned().map(Object) {
        let name = part.label("part").expect("parts are labelled").to_string();
        if row.parts.contains(&name) {
            snapshot.put(Arc::new(part));
        }
    }
    row.objects.iter().for_each(|o| snapshot.put(Arc::new(Object(o.clone()))));
    if row.allow_any {
        set(&mut snapshot, "ConfigMap istio-system/istio", "/data/mesh", "accessLogFile: /dev/stdout\n".into());
    }
    for (key, pointer, value) in &row.set {
        set(&mut snapshot, key, pointer, value.clone());
    }
    for key in &row.delete {
        assert!(snapshot.remove(&key_of(key)).is_some(), "row {}: no {key}", row.id);
    }
    snapshot
}

/// Sets (or with `null` removes) a value; `/metadata/namespace` moves the object.
fn set(snapshot: &mut Snapshot, key: &str, pointer: &str, value: Value) {
    let mut object = (*snapshot.remove(&key_of(key)).unwrap_or_else(|| panic!("no {key}"))).clone();
    let (parent, last) = pointer.rsplit_once('/').expect("a pointer");
    let parent = object.0.pointer_mut(parent).unwrap_or_else(|| panic!("no {pointer} in {key}"));
    match (parent, value) {
        (Value::Object(map), Value::Null) => drop(map.remove(last)),
        (Value::Object(map), value) => drop(map.insert(last.into(), value)),
        (Value::Array(list), Value::Null) => drop(list.remove(last.parse().expect("an index"))),
        (Value::Array(list), value) => list[last.parse::<usize>().expect("an index")] = value,
        _ => panic!("{pointer} in {key} is in a scalar"),
    }
    snapshot.put(Arc::new(object));
}

fn request(row: &Row) -> Request {
    let method = if row.head { "HEAD" } else { "GET" };
    let mut request = follow::request_for(&row.url, method, "curl/8.1.2").expect("a URL");
    for (name, value) in &row.headers {
        request.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        request.headers.push((name.clone(), value.clone()));
    }
    if row.http10 {
        request.version = HttpVersion::Http10;
    }
    request.insecure = row.insecure;
    request.from_proxy_user = row.proxy_user;
    request.address = row.address.or(request.address);
    request.max_time_ms = row.max_time_ms;
    request
}

fn run(row: &Row, shared: &Shared) -> (Model, Trace) {
    let model = Model::compile(&snapshot(row, shared), &Options::default());
    let from = row.from.as_deref().unwrap_or("default/test");
    let (namespace, name) = from.split_once('/').expect("NS/POD");
    let pod = model.snapshot().find("", "Pod", namespace, name).unwrap_or_else(|| panic!("no pod {from}")).clone();
    let outside = shared.outside.with_faults(row.faults.clone());
    let inputs = Inputs { outside: &outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 7 };
    let trace = model.trace(&pod, &request(row), &inputs);
    (model, trace)
}

/// `CODE FLAGS DETAILS[ TERMINATION] | CLUSTER | ROUTE | UPSTREAM` of a line in the default format.
fn shape(line: &str) -> String {
    let mut fields = Vec::new();
    let mut rest = line.trim_start_matches(|c| c != ']').trim_start_matches(']').trim_start();
    while !rest.is_empty() {
        let (field, tail) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').expect("a closing quote"),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        fields.push(field);
        rest = tail.trim_start();
    }
    assert_eq!(fields.len(), 21, "a default line has 21 fields: {line}");
    format!("{} {} {} | {} | {} | {}", fields[1], fields[2], fields[3], fields[15], fields[20], fields[14])
}

/// Whether each part of a wanted shape that is given equals the line's.
fn shape_fits(wanted: &str, line: &str) -> bool {
    let shape = shape(line);
    wanted
        .split(" | ")
        .zip(shape.split(" | "))
        .all(|(w, s)| w == "*" || w == s || w.strip_suffix('*').is_some_and(|p| s.starts_with(p)))
}

fn client_text(trace: &Trace) -> String {
    match &trace.reply {
        Reply::Response(r) => {
            let headers: Vec<String> = r.headers.iter().map(|(n, v)| format!("{n}: {v}")).collect();
            format!("{}\n{}\n\n{}", r.status, headers.join("\n"), String::from_utf8_lossy(&r.body))
        }
        Reply::Failure(f) => format!("exit {}", f.exit_code()),
    }
}

fn client_fits(wanted: &str, text: &str) -> bool {
    let first = text.lines().next().unwrap_or("");
    match wanted.strip_prefix("exit ") {
        Some(codes) => codes.split('/').any(|c| first == format!("exit {c}")),
        None if wanted.len() == 3 && wanted.bytes().all(|b| b.is_ascii_digit()) => first == wanted,
        None => match wanted.strip_prefix("not ") {
            Some(absent) => !text.contains(absent),
            None => text.contains(wanted),
        },
    }
}

/// What is wrong with a row, empty when nothing is.
fn faults_of(row: &Row, shared: &Shared) -> Vec<String> {
    let (_, trace) = run(row, shared);
    let mut wrong = Vec::new();
    let text = client_text(&trace);
    wrong.extend(row.client.iter().filter(|w| !client_fits(w, &text)).map(|w| format!("client: wanted {w:?}, got {text:?}")));
    let lines = |gateway: bool| -> Vec<&str> {
        let is_gateway = |pod: &str| pod == "egw" || pod == "igw";
        let client = row.from.as_deref().unwrap_or("default/test");
        let own = |l: &&crate::outside::wire::LogLine| match gateway {
            true => is_gateway(&l.pod),
            false => format!("{}/{}", l.namespace, l.pod) == client,
        };
        trace.logs.iter().filter(own).map(|l| l.text.as_str()).collect()
    };
    for (name, wanted, got) in [("sc", &row.sc, lines(false)), ("gw", &row.gw, lines(true))] {
        let fits = wanted.len() == got.len() && wanted.iter().zip(&got).all(|(w, g)| shape_fits(w, g));
        if !fits {
            let got: Vec<String> = got.iter().map(|g| shape(g)).collect();
            wrong.push(format!("{name}: wanted {wanted:?}, got {got:?}"));
        }
    }
    let record = &trace.record;
    let mut word = |name: &str, wanted: Option<&str>, got: String| {
        if wanted.is_some_and(|w| w != got) {
            wrong.push(format!("{name}: wanted {:?}, got {got:?}", wanted.unwrap_or("")));
        }
    };
    word("outcome", Some(&row.outcome), record.outcome.to_string());
    word("path", row.path.as_deref(), record.path.to_string());
    word("at", row.at.as_deref(), record.at.to_string());
    word("tls", row.tls.as_deref(), record.tls.to_string());
    word("cause", row.cause.as_deref(), format!("{} {}", record.cause.object, record.cause.field));
    word("delay", row.delay_ms.map(|d| d.to_string()).as_deref(), trace.delay_ms.to_string());
    wrong
}

fn check(file: &str, text: &str) {
    let rows: Vec<Row> = documents(text)
        .into_iter()
        .flat_map(|d| serde_json::from_value::<Vec<Row>>(d).unwrap_or_else(|e| panic!("{file}: {e}")))
        .collect();
    let shared = Shared::read();
    assert!(!rows.is_empty(), "{file} has rows");
    let failed: Vec<String> = rows
        .iter()
        .map(|row| (row, faults_of(row, &shared)))
        .filter(|(_, w)| !w.is_empty())
        .map(|(r, w)| format!("row {}\n    {}", r.id, w.join("\n    ")))
        .collect();
    assert!(failed.is_empty(), "{} of {} rows of {file}:\n{}", failed.len(), rows.len(), failed.join("\n"));
}

#[test]
fn rows_without_a_gateway() {
    check("rows-direct.yaml", include_str!("../../tests/data/mesh/rows-direct.yaml"));
}

#[test]
fn rows_with_an_egress_gateway() {
    check("rows-gateway.yaml", include_str!("../../tests/data/mesh/rows-gateway.yaml"));
}

fn row(text: &str) -> Row {
    serde_json::from_value(documents(text).remove(0)).expect("a row")
}

const GOOD: &str =
    "{id: good, use: [se, gw, dr, vs], url: 'http://www.wikipedia.org/', head: true, client: [], outcome: delivered}";

/// Header for header and field for field, as recorded (appendix A).
#[test]
fn the_bytes_of_a_request_through_the_gateway() {
    let (_, trace) = run(&row(GOOD), &Shared::read());
    let headers = client_text(&trace);
    let wanted = [
        "301",
        "content-length: 0",
        "location: https://www.wikipedia.org/",
        "server: envoy",
        "x-cache: cp6012 int",
        "x-cache-status: int-tls",
        "x-envoy-upstream-service-time: 25",
        "date: Thu, 01 Jan 2026 09:00:00 GMT",
    ];
    assert_eq!(headers.trim_end().lines().collect::<Vec<_>>(), wanted);
    let lines: Vec<String> = trace.logs.iter().map(|l| mask(&l.text)).collect();
    assert_eq!(
        lines,
        [
            "[2026-01-01T09:00:00.001Z] \"HEAD / HTTP/2\" 301 - via_upstream - \"-\" 0 0 25 24 \"10.244.0.5\" \"curl/8.1.2\" \"ID\" \
             \"www.wikipedia.org\" \"198.51.100.224:80\" outbound|80||www.wikipedia.org 10.244.0.20:PORT 10.244.0.20:8080 \
             10.244.0.5:PORT - -",
            "[2026-01-01T09:00:00.000Z] \"HEAD / HTTP/1.1\" 301 - via_upstream - \"-\" 0 0 26 25 \"-\" \"curl/8.1.2\" \"ID\" \
             \"www.wikipedia.org\" \"10.244.0.20:8080\" \
             outbound|80|wiki|istio-egressgateway.istio-system.svc.cluster.local 10.244.0.5:PORT 198.51.100.224:80 10.244.0.5:PORT - -",
        ]
    );
    let ids: Vec<&str> = trace.logs.iter().filter_map(|l| l.text.split('"').nth(9)).collect();
    assert_ne!(ids[0], ids[1], "the gateway makes a new request id");
}

/// Request ids and ephemeral ports replaced by words.
fn mask(line: &str) -> String {
    let id = regex::Regex::new(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}").expect("a pattern");
    let port = regex::Regex::new(r":(3[2-9]|[45]\d|60)\d{3}\b").expect("a pattern");
    port.replace_all(&id.replace_all(line, "ID"), ":PORT").into_owned()
}

#[test]
fn the_bytes_of_a_blocked_request() {
    let blocked = row("{id: b, url: 'http://www.wikipedia.org/', client: [], outcome: blocked-registry-only}");
    let (_, trace) = run(&blocked, &Shared::read());
    assert_eq!(client_text(&trace), "502\ndate: Thu, 01 Jan 2026 09:00:00 GMT\nserver: envoy\ncontent-length: 0\n\n");
    assert_eq!(
        mask(&trace.logs[0].text),
        "[2026-01-01T09:00:00.000Z] \"GET / HTTP/1.1\" 502 - direct_response - \"-\" 0 0 0 - \"-\" \"curl/8.1.2\" \"ID\" \
         \"www.wikipedia.org\" \"-\" - - 198.51.100.224:80 10.244.0.5:PORT - block_all"
    );
}

#[test]
fn a_client_that_follows_goes_on_directly_after_the_gateway() {
    let shared = Shared::read();
    let (model, _) = run(&row(GOOD), &shared);
    let pod = model.snapshot().find("", "Pod", "default", "test").expect("the pod").clone();
    let inputs = Inputs { outside: &shared.outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 7 };
    let all = model.trace_follow(&pod, &request(&row(GOOD)), &inputs, 5);
    let paths: Vec<(String, Option<u16>)> = all.exchanges.iter().map(|r| (r.path.to_string(), r.status)).collect();
    assert_eq!(paths, [("gateway istio-system/istio-egressgateway".into(), Some(301)), ("direct".into(), Some(200))]);
    assert!(all.assumptions.is_empty());
    let json = serde_json::to_value(&all).expect("serialises");
    assert_eq!(json["exchanges"][0]["hops"][0]["listener"], "0.0.0.0_80");
    assert_eq!(json["exchanges"][0]["hops"][0]["route_config"], "80");
    assert_eq!(json["exchanges"][0]["hops"][1]["route_config"], "http.8080");
    assert_eq!(json["exchanges"][0]["hops"][1]["virtual_host"], "www.wikipedia.org:80");
}

#[test]
fn row_25_the_redirect_ends_at_the_unregistered_port() {
    let shared = Shared::read();
    let half = row("{id: '25', use: [se80], url: 'http://www.wikipedia.org/', client: [], outcome: delivered}");
    let (model, _) = run(&half, &shared);
    let pod = model.snapshot().find("", "Pod", "default", "test").expect("the pod").clone();
    let inputs = Inputs { outside: &shared.outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 7 };
    let all = model.trace_follow(&pod, &request(&half), &inputs, 5);
    let codes: Vec<(Option<u16>, i32)> = all.exchanges.iter().map(|r| (r.status, r.exit_code)).collect();
    assert_eq!(codes, [(Some(301), 0), (None, 35)]);
}

/// 52 and 56 both occur, and the same exchange always gives the same one.
#[test]
fn plain_http_into_the_black_hole_ends_in_52_or_56() {
    let shared = Shared::read();
    let (model, _) = run(&row(GOOD), &shared);
    let pod = model.snapshot().find("", "Pod", "default", "test").expect("the pod").clone();
    let ask = follow::request_for("http://www.wikipedia.org:8081/", "GET", "curl/8.1.2").expect("a URL");
    let code = |nth: u64| {
        let inputs = Inputs { outside: &shared.outside, now: Time::LOGICAL_START, seed: Seed(1), nth };
        model.trace(&pod, &ask, &inputs).record.exit_code
    };
    let codes: std::collections::BTreeSet<i32> = (0..40).map(code).collect();
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), [52, 56]);
    assert_eq!(code(3), code(3));
}
