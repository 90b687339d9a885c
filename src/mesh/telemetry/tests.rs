use super::*;
use crate::mesh::trace::wire::Address;
use serde_json::json;

fn entry() -> Entry {
    Entry {
        method: "GET".into(),
        path: "/get?a=b".into(),
        protocol: "HTTP/1.1",
        code: 404,
        details: "via_upstream".into(),
        sent: 5,
        authority: "httpbin.org".into(),
        headers: vec![("user-agent".into(), "curl".into())].into(),
        downstream_remote: Address::At([10, 0, 0, 1].into(), 4000),
        downstream_local: Address::At([1, 2, 3, 4].into(), 80),
        cluster: "outbound|80||httpbin.org".into(),
        ..Entry::default()
    }
}

fn tcp() -> Entry {
    Entry { method: "-".into(), sni: "a.org".into(), flags: "UH".into(), ..Entry::default() }
}

fn takes(expression: &str, entry: &Entry) -> Option<bool> {
    Filter::new(expression, &Cause::new("Telemetry a/b", "f", "")).takes(entry).ok()
}

#[test]
fn filters_are_cel_over_what_envoy_knows() {
    for (expression, http, raw) in [
        ("response.code >= 400", Some(true), Some(false)),
        ("response.code < 400", Some(false), Some(false)),
        ("request.host == 'httpbin.org' && request.method == 'GET'", Some(true), Some(false)),
        ("request.url_path.startsWith('/get')", Some(true), Some(false)),
        ("request.headers['user-agent'] == 'curl'", Some(true), Some(false)),
        ("connection.requested_server_name == 'a.org'", Some(false), Some(true)),
        ("has(response.code)", Some(true), Some(false)),
        ("destination.port == 80", Some(true), Some(false)),
        ("xds.cluster_name.contains('outbound')", Some(true), Some(false)),
        ("'metadata.x' == 'metadata.x'", Some(true), Some(true)),
        ("request.time > timestamp('2020-01-01T00:00:00Z')", None, None),
        ("metadata.filter_metadata['a'] == 'b'", None, None),
        ("response.code >=", None, None),
    ] {
        assert_eq!((takes(expression, &entry()), takes(expression, &tcp())), (http, raw), "{expression}");
    }
}

fn line(format: Format, entry: &Entry) -> String {
    format.modelled().map(|()| format.line(entry)).expect("modelled")
}

#[test]
fn formats_are_text_or_json() {
    let place = ("ConfigMap istio-system/istio", "data.mesh accessLogFormat");
    let text = |format: &str, omit| Format::text(format, omit, place);
    assert_eq!(
        line(text("%REQ(:METHOD)%|%RESPONSE_CODE%|%REQ(X-A?USER-AGENT)%|%RESPONSE_FLAGS%\n", false), &entry()),
        "GET|404|curl|-"
    );
    assert_eq!(line(text("%REQ(USER-AGENT):2% 100%% %RESPONSE_FLAGS%x", true), &entry()), "cu 100% x");
    assert_eq!(line(text("%DOWNSTREAM_REMOTE_PORT% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", false), &entry()), "4000 10.0.0.1");
    assert_eq!(line(text("%REQ_WITHOUT_QUERY(:PATH)%", false), &entry()), "/get");
    let cause = text("%FILTER_STATE(x)% %REQ(A)%", false).modelled().expect_err("not modelled");
    assert_eq!(cause.field, "data.mesh accessLogFormat");
    let json = Format::json(
        &json!({"code": "%RESPONSE_CODE%", "flags": "%RESPONSE_FLAGS%", "agent": {"name": "%REQ(USER-AGENT)%", "no": "%REQ(X)%"}, "n": "7",
            "both": "%REQ(:METHOD)% %REQ(X)%", "l": ["%PROTOCOL%", 1]}),
        false,
        place,
    );
    let value: Value = serde_json::from_str(&line(json, &entry())).expect("JSON");
    assert_eq!(
        value,
        json!({"code": 404, "flags": "-", "agent": {"name": "curl", "no": null}, "n": "7", "both": "GET -", "l": ["HTTP/1.1", 1]})
    );
    let omitting = Format::json(&json!({"a": "%REQ(X)%", "b": "%PROTOCOL%"}), true, place);
    assert_eq!(line(omitting, &entry()), "{\"b\":\"HTTP/1.1\"}");
}

fn level(logging: Value) -> Object {
    Object(json!({"apiVersion": "telemetry.istio.io/v1", "kind": "Telemetry",
        "metadata": {"name": "t", "namespace": "istio-system"}, "spec": {"accessLogging": logging}}))
}

fn merged(levels: &[Value], defaults: &[&str], side: Side) -> Vec<String> {
    let levels: Vec<Object> = levels.iter().cloned().map(level).collect();
    let levels: Vec<&Object> = levels.iter().collect();
    let defaults: Vec<String> = defaults.iter().map(|d| d.to_string()).collect();
    let show = |(name, spec): (String, merge::Spec)| {
        let filter = spec.filter.map(|(text, _)| format!(" if {text}")).unwrap_or_default();
        format!("{name}{}{filter}", if spec.disabled { " off" } else { "" })
    };
    merge::merge(&levels, &defaults, side).into_iter().map(show).collect()
}

/// After Istio's TestAccessLoggingWithFilter and TestAccessLogging.
#[test]
fn levels_are_put_together_as_istio_does() {
    let envoy = json!([{"providers": [{"name": "envoy"}]}]);
    let off = json!([{"disabled": true}]);
    let none: [&str; 0] = [];
    assert_eq!(merged(&[], &["envoy"], Side::Client), ["envoy"]);
    assert_eq!(merged(std::slice::from_ref(&envoy), &[], Side::Client), ["envoy"]);
    assert_eq!(merged(std::slice::from_ref(&off), &[], Side::Client), none);
    assert_eq!(merged(std::slice::from_ref(&off), &["envoy"], Side::Client), ["envoy off"]);
    assert_eq!(merged(&[envoy.clone(), off.clone()], &[], Side::Client), ["envoy off"]);
    assert_eq!(merged(&[json!([{"providers": [{"name": "envoy"}], "disabled": true}])], &[], Side::Server), ["envoy off"]);
    let server = json!([{"match": {"mode": "SERVER"}, "providers": [{"name": "envoy"}]}]);
    assert_eq!(merged(std::slice::from_ref(&server), &[], Side::Client), none);
    assert_eq!(merged(&[server], &[], Side::Server), ["envoy"]);
    let mine = json!([{"providers": [{"name": "mine"}], "filter": {"expression": "a"}}]);
    assert_eq!(merged(&[envoy.clone(), mine], &[], Side::Client), ["mine if a"]);
    let split = json!([
        {"match": {"mode": "CLIENT"}, "providers": [{"name": "envoy"}], "filter": {"expression": "c"}},
        {"match": {"mode": "SERVER"}, "disabled": true},
    ]);
    assert_eq!(merged(std::slice::from_ref(&split), &[], Side::Client), ["envoy if c"]);
    assert_eq!(merged(&[split], &["envoy"], Side::Server), ["envoy off"]);
}
