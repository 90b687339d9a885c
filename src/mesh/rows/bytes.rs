//! Header for header and field for field, and what needs more than one exchange.

use super::file::{Row, Shared};
use super::mesh::{Inputs, Model, Trace, follow};
use super::{file, judge};
use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::outside::wire::Reply;

pub fn row(text: &str) -> Row {
    file::row(text, "a row of this test")
}

pub const GOOD: &str = "{row: good, title: '', evidence: own, given: {use: [se, gw, dr, vs]}, \
     requests: [{url: 'http://www.wikipedia.org/', method: HEAD, expect: {}}]}";

fn client_text(trace: &Trace) -> String {
    match &trace.reply {
        Reply::Response(r) => {
            let headers: Vec<String> = r.headers.iter().map(|(n, v)| format!("{n}: {v}")).collect();
            format!("{}\n{}\n\n{}", r.status, headers.join("\n"), String::from_utf8_lossy(&r.body))
        }
        Reply::Failure(f) => format!("exit {}", f.exit_code()),
    }
}

fn now() -> Shared {
    Shared::read("1.30")
}

fn run(row: &Row, shared: &Shared) -> (Model, Trace) {
    (shared.model(row, &row.requests[0]), judge::traces(shared, row, &row.requests[0], 7).remove(0))
}

/// Header for header and field for field, as recorded (appendix A).
#[test]
fn the_bytes_of_a_request_through_the_gateway() {
    let (_, trace) = run(&row(GOOD), &now());
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
    let blocked = row("{row: b, title: '', evidence: own, requests: [{url: 'http://www.wikipedia.org/', expect: {}}]}");
    let (_, trace) = run(&blocked, &now());
    assert_eq!(client_text(&trace), "502\ndate: Thu, 01 Jan 2026 09:00:00 GMT\nserver: envoy\ncontent-length: 0\n\n");
    assert_eq!(
        mask(&trace.logs[0].text),
        "[2026-01-01T09:00:00.000Z] \"GET / HTTP/1.1\" 502 - direct_response - \"-\" 0 0 0 - \"-\" \"curl/8.1.2\" \"ID\" \
         \"www.wikipedia.org\" \"-\" - - 198.51.100.224:80 10.244.0.5:PORT - block_all"
    );
}

#[test]
fn a_client_that_follows_goes_on_directly_after_the_gateway() {
    let shared = now();
    let (model, _) = run(&row(GOOD), &shared);
    let pod = model.snapshot().find("", "Pod", "default", "test").expect("the pod").clone();
    let inputs = Inputs { outside: &shared.outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 7 };
    let all = model.trace_follow(&pod, &row(GOOD).requests[0].request(), &inputs, 5);
    let paths: Vec<(String, Option<u16>)> = all.exchanges.iter().map(|r| (r.path.to_string(), r.status)).collect();
    assert_eq!(paths, [("gateway istio-system/istio-egressgateway".into(), Some(301)), ("direct".into(), Some(200))]);
    assert!(all.assumptions.is_empty());
    let json = serde_json::to_value(&all).expect("serialises");
    assert_eq!(json["exchanges"][0]["hops"][0]["listener"], "0.0.0.0_80");
    assert_eq!(json["exchanges"][0]["hops"][0]["route_config"], "80");
    assert_eq!(json["exchanges"][0]["hops"][1]["route_config"], "http.8080");
    assert_eq!(json["exchanges"][0]["hops"][1]["virtual_host"], "www.wikipedia.org:80");
}

/// 52 and 56 both occur, and the same exchange always gives the same one.
#[test]
fn plain_http_into_the_black_hole_ends_in_52_or_56() {
    let shared = now();
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
