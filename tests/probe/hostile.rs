//! Requests that nobody sends in good faith: answered in the API server's own words, never by a panic.

use super::lab;
use egress_lab::sandbox::Pace;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const UNREAD: &str =
    "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: ";
const OF: &str = "Go value of type struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }";
const NO_RESOURCE: &str = "the server could not find the requested resource";

/// Method, what follows the path of config maps ("/..": a path of its own), body, code, the message's beginning.
type Row = (&'static str, String, Vec<u8>, u16, String);

fn row(method: &'static str, target: impl Into<String>, body: impl AsRef<[u8]>, code: u16, message: impl Into<String>) -> Row {
    (method, target.into(), body.as_ref().to_vec(), code, message.into())
}

fn nested(n: usize) -> String {
    format!("{{\"metadata\":{{\"name\":\"x\"}},\"data\":{}1{}}}", "{\"a\":".repeat(n), "}".repeat(n))
}

/// Bodies of creates.
fn bodies() -> Vec<Row> {
    let handled = "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: ";
    let unread = |why: &str| format!("{UNREAD}{why}");
    let scheme = "in scheme \"pkg/api/legacyscheme/scheme.go:30\"";
    let post = |body: &[u8], code: u16, message: String| row("POST", "", body, code, message);
    vec![
        post(b"", 400, unread("unexpected end of JSON input (<empty>)")),
        post(b"[]", 400, unread(&format!("json: cannot unmarshal array into {OF} (5b5d)"))),
        post(b"\"x\"", 400, unread(&format!("json: cannot unmarshal string into {OF} (227822)"))),
        post(b"null", 422, "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required".into()),
        post(b"{}", 422, "ConfigMap \"\" is invalid: metadata.name: Required value".into()),
        post(b"{bad", 400, unread("invalid character 'b' looking for beginning of object key string ({bad)")),
        post(b"{} {}", 400, unread("invalid character '{' after top-level value")),
        post(b"{\"metadata\":[]}", 400, format!("{handled}json: cannot unmarshal array into Go struct field ConfigMap.metadata of type v1.ObjectMeta")),
        post(b"{\"metadata\":{\"name\":5}}", 400, format!("{handled}json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string")),
        post(b"{\"metadata\":{\"name\":\"x\"},\"data\":[1]}", 400, format!("{handled}json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string")),
        post(b"{\"kind\":7,\"metadata\":{\"name\":\"x\"}}", 400, unread("json: cannot unmarshal number into Go struct field .kind of type string")),
        post(b"{\"metadata\":{\"name\":\"x\0y\"}}", 400, unread("invalid character '\\x00' in string literal")),
        post(b"{\"metadata\":{\"name\":\"x\\u0000y\"}}", 422, "ConfigMap \"x\0y\" is invalid: metadata.name: Invalid value: \"x\\u0000y\": ".into()),
        post(b"{\"metadata\":{\"name\":\"x\xff\"}}", 422, "ConfigMap \"x\u{fffd}\" is invalid: metadata.name".into()),
        post(b"{\"metadata\":{\"name\":\"..\"}}", 422, "ConfigMap \"..\" is invalid: metadata.name".into()),
        post(b"{\"metadata\":{\"name\":\"a/b\"}}", 422, "ConfigMap \"a/b\" is invalid: metadata.name".into()),
        post(b"{\"kind\":\"ConfigMap\",\"apiVersion\":\"v2\"}", 400, format!("ConfigMap in version \"v2\" cannot be handled as a ConfigMap: no kind \"ConfigMap\" is registered for version \"v2\" {scheme}")),
        post(b"{\"kind\":\"Bogus\",\"apiVersion\":\"v1\"}", 400, format!("Bogus in version \"v1\" cannot be handled as a ConfigMap: no kind \"Bogus\" is registered for version \"v1\" {scheme}")),
        post(b"{\"kind\":\"ConfigMap\",\"apiVersion\":\"a/b/c\"}", 400, "ConfigMap in version \"c\" cannot be handled as a ConfigMap: unexpected GroupVersion string: a/b/c".into()),
        post(b"{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\"}", 400, "ConfigMapList in version \"v1\" cannot be handled as a ConfigMap: converting (v1.ConfigMapList) to (core.ConfigMap): unknown conversion".into()),
        post(nested(100).as_bytes(), 400, format!("{handled}json: cannot unmarshal object into Go struct field ConfigMap.data of type string")),
        post(nested(500).as_bytes(), 501, "not simulated here: JSON nested deeper than 128 levels".into()),
        post(nested(20_000).as_bytes(), 400, unread("exceeded max depth")),
        post(&vec![b'['; 2_000_000], 400, unread("exceeded max depth")),
        row("POST", "/apis/apps/v1/namespaces/default/deployments", b"{\"metadata\":{\"name\":\"d\"},\"spec\":{\"replicas\":1.5}}", 400, "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32"),
        row("POST", "/apis/apps/v1/namespaces/default/deployments", b"{\"metadata\":{\"name\":\"d\"},\"spec\":{\"replicas\":99999999999}}", 400, "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal number 99999999999 into Go struct field DeploymentSpec.spec.replicas of type int32"),
        row("POST", "/api/v1/namespaces/default/services", b"{\"metadata\":{\"name\":\"s\"},\"spec\":{\"ports\":[{\"port\":70000}]}}", 422, "Service \"s\" is invalid: [spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive"),
        row("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", b"{\"spec\":7}", 400, "SelfSubjectAccessReview in version \"v1\" cannot be handled as a SelfSubjectAccessReview: json: cannot unmarshal number into"),
        row("PUT", "/kube-root-ca.crt", b"{}", 400, "the name of the object () does not match the name on the URL (kube-root-ca.crt)"),
        row("PATCH", "/kube-root-ca.crt", b"", 400, "error decoding patch: unexpected end of JSON input"),
        row("PATCH", "/kube-root-ca.crt", b"[]", 400, "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"),
        row("PATCH", "/kube-root-ca.crt", b"{bad", 400, "error decoding patch: invalid character 'b' looking for beginning of object key string"),
        row("PATCH", "/kube-root-ca.crt", b"{\"metadata\":{\"name\":\"other\"}}", 400, "the name of the object (other) does not match the name on the URL (kube-root-ca.crt)"),
        row("DELETE", "/kube-root-ca.crt", b"{bad", 400, "the object provided is unrecognized (must be of type DeleteOptions)"),
        row("DELETE", "/kube-root-ca.crt", b"{\"gracePeriodSeconds\":\"x\"}", 400, "DeleteOptions in version \"v1\" cannot be handled as a DeleteOptions: json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64"),
        row("DELETE", "?gracePeriodSeconds=x", b"", 400, "strconv.ParseInt: parsing \"x\": invalid syntax"),
    ]
}

/// Paths and queries.
fn paths() -> Vec<Row> {
    let get = |target: &str, code: u16, message: &str| row("GET", target, b"", code, message);
    let no_label = "unable to parse requirement: key: Invalid value: ";
    vec![
        get("/a%2Fb", 404, NO_RESOURCE),
        get("/%00", 404, "configmaps \"\0\" not found"),
        get("/%ff%fe", 404, "configmaps \"\u{fffd}\u{fffd}\" not found"),
        get("/%zz", 404, "configmaps \"%zz\" not found"),
        get("/../secrets", 404, NO_RESOURCE),
        get(&format!("/{}", "a".repeat(5_000)), 404, "configmaps \"aaa"),
        get("/kube-root-ca.crt/status", 404, NO_RESOURCE),
        get("/a/b/c/d", 404, "404 page not found"),
        get("//api/v1/namespaces//nodes", 404, "namespaces \"nodes\" not found"),
        get("/api/v1/configmaps/x", 404, NO_RESOURCE),
        get("/api/v1/namespaces/default/nodes", 404, NO_RESOURCE),
        get("/api/v7/pods", 404, "404 page not found"),
        get("/api/v1/nosuch?watch=1", 404, NO_RESOURCE),
        get("/api/v1/namespaces/default/nosuch/x/log?follow=1", 404, NO_RESOURCE),
        get("/apis/no.such/v1/things?watch=1", 404, "404 page not found"),
        get("//version?watch=1", 200, ""),
        get("/api/v1/watch/namespaces/default/configmaps", 501, "not simulated here: paths with /watch/; ask for ?watch=true"),
        get("?limit=-1", 200, ""),
        get("?limit=", 200, ""),
        get("?&&&=&a", 200, ""),
        get("?labelSelector=%00", 400, no_label),
        get("?labelSelector=%ff", 400, no_label),
        get(&format!("?labelSelector=a%20in%20({})", "b,".repeat(3_000)), 200, ""),
        get("?labelSelector=a%20in%20((((", 400, "unable to parse requirement: found '(', expected: ',', ')' or identifier"),
        get("?fieldSelector=%2C%2C%3D", 400, "\"\" is not a known field selector"),
        get("?fieldSelector=metadata.name%3D%5C", 400, "invalid field selector: invalid escape sequence: \\"),
        get("?fieldSelector=metadata.name%3Da%3Db", 400, "invalid field selector: unescaped character in value: 61"),
        get(
            "?continue=%F0%9F%98%80",
            400,
            "invalid continue token: continue key is not valid: illegal base64 data at input byte 0",
        ),
        get("?watch=1&timeoutSeconds=-1&labelSelector=none", 200, ""),
        get("?watch=1&timeoutSeconds=9223372036854775807&labelSelector=none", 200, ""),
        get(
            "?watch=1&timeoutSeconds=9223372036854775808",
            400,
            "strconv.ParseInt: parsing \"9223372036854775808\": value out of range",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_in_the_api_servers_words() {
    let lab = lab(Pace::Instant).await;
    for (method, target, body, code, message) in bodies().into_iter().chain(paths()) {
        let own = ["/api/", "/apis/", "//"].iter().any(|begin| target.starts_with(begin));
        let target = if own { target.replacen("//", "/", 1) } else { format!("{MAPS}{target}") };
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let got = lab.client.send(method, &target, &[("Content-Type", kind)], &body).await;
        let text = got.json()["message"].as_str().map_or(got.body.clone(), str::to_string);
        let what: String = format!("{method} {target} {}", String::from_utf8_lossy(&body)).chars().take(160).collect();
        assert_eq!(got.status, code, "{what}: {text}");
        assert!(text.starts_with(&message) || code == 200, "{what}: {text}");
        assert!(!text.contains("sandbox could not do this"), "{what}: a panic");
    }
    assert!(lab.handle.with(|world| world.settled()).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_and_answers_have_a_form() {
    let lab = lab(Pace::Instant).await;
    let unsupported = "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf";
    for (kind, body, code, message) in [
        ("application/yaml", "- 1", 400, UNREAD),
        ("application/yaml", "a: [1", 400, UNREAD),
        ("application/yaml", "", 422, "ConfigMap \"\" is invalid: metadata.name"),
        ("application/yaml", "metadata: {name: made}", 201, ""),
        ("application/json;charset=utf-8", "{\"metadata\":{\"name\":\"z\"}}", 201, ""),
        ("application/vnd.kubernetes.protobuf", "nope", 400, ""),
        ("application/cbor", "x", 415, unsupported),
        ("text/plain", "{}", 415, unsupported),
    ] {
        let got = lab.client.send("POST", MAPS, &[("Content-Type", kind)], body.as_bytes()).await;
        let text = got.json()["message"].as_str().unwrap_or("").to_string();
        assert_eq!(got.status, code, "{kind} {body}: {text}");
        assert!(text.starts_with(message), "{kind} {body}: {text}");
    }
    let none = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf";
    for (accept, code, expected) in [
        ("text/html", 406, none),
        ("application/json;as=Nothing;v=v1;g=meta.k8s.io", 406, none),
        ("application/json;as=Table;v=v9;g=meta.k8s.io", 406, none),
        (";;", 406, none),
        (
            "application/vnd.kubernetes.protobuf",
            501,
            "not simulated here: answers in protobuf alone; name application/json beside it",
        ),
        ("text/html, */*", 200, "ConfigMapList"),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io", 200, "Table"),
        ("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json", 200, "PartialObjectMetadataList"),
    ] {
        let got = lab.client.send("GET", MAPS, &[("Accept", accept)], b"").await;
        let json = got.json();
        let text = if code == 200 { json["kind"].as_str() } else { json["message"].as_str() };
        assert_eq!((got.status, text), (code, Some(expected)), "{accept}");
    }
}
