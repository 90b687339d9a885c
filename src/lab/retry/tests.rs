//! What may be asked again, and what an object that is there says. The client as a whole is tried in `tests/retry.rs`.

use super::asked::{Asked, Repeat};
use super::held::holds;
use super::trouble::is_lost;
use super::{Limits, Reread, Tiding, Tidings, client};
use serde_json::{Value, json};
use std::sync::Arc;

fn asked(method: &str, path: &str, form: &str, body: Value) -> Asked {
    let request = http::Request::builder().method(method).uri(path).header("content-type", form).body(()).unwrap();
    let bytes = if body.is_null() { String::new() } else { body.to_string() };
    Asked::new(request.into_parts().0, bytes.into())
}

#[test]
fn only_what_does_the_same_twice_goes_again_unseen() {
    const PODS: &str = "/api/v1/namespaces/default/pods";
    const ENTRIES: &str = "/apis/networking.istio.io/v1/namespaces/default/serviceentries";
    let named = json!({"metadata": {"name": "a"}});
    let versioned = json!({"metadata": {"name": "a", "resourceVersion": "7"}});
    let missing = |path: &str| Repeat::Missing { path: path.into() };
    for (method, path, form, body, wanted) in [
        ("GET", PODS.to_string(), "", Value::Null, Repeat::Freely),
        ("POST", PODS.into(), "", named.clone(), missing(&format!("{PODS}/a"))),
        ("POST", ENTRIES.into(), "", named.clone(), missing(&format!("{ENTRIES}/a"))),
        ("POST", "/api/v1/namespaces".into(), "", named.clone(), missing("/api/v1/namespaces/a")),
        ("POST", format!("{PODS}?dryRun=All"), "", named.clone(), Repeat::Freely),
        ("POST", PODS.into(), "", json!({"metadata": {"generateName": "a-"}}), Repeat::WhenRefused),
        ("POST", format!("{PODS}/a/eviction"), "", named.clone(), Repeat::WhenRefused),
        ("POST", format!("{PODS}/a/binding"), "", named.clone(), Repeat::WhenRefused),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews".into(), "", json!({"spec": {}}), Repeat::Freely),
        ("PUT", format!("{PODS}/a"), "", versioned.clone(), Repeat::Unchanged),
        ("PUT", format!("{PODS}/a"), "", named.clone(), Repeat::Freely),
        ("PATCH", format!("{PODS}/a"), "application/apply-patch+yaml", Value::Null, Repeat::Freely),
        ("PATCH", format!("{PODS}/a"), "application/merge-patch+json", named.clone(), Repeat::Freely),
        ("PATCH", format!("{PODS}/a"), "application/merge-patch+json", versioned, Repeat::Unchanged),
        (
            "PATCH",
            format!("{PODS}/a"),
            "application/json-patch+json",
            json!([{"op": "replace", "path": "/spec/x/0"}]),
            Repeat::Freely,
        ),
        (
            "PATCH",
            format!("{PODS}/a"),
            "application/json-patch+json",
            json!([{"op": "add", "path": "/spec/x/-"}]),
            Repeat::WhenRefused,
        ),
        (
            "PATCH",
            format!("{PODS}/a"),
            "application/json-patch+json",
            json!([{"op": "add", "path": "/spec/x/1"}]),
            Repeat::WhenRefused,
        ),
        (
            "PATCH",
            format!("{PODS}/a"),
            "application/json-patch+json",
            json!([{"op": "remove", "path": "/spec/x"}]),
            Repeat::WhenRefused,
        ),
        ("DELETE", format!("{PODS}/a"), "", Value::Null, Repeat::WhileThere),
        ("DELETE", format!("{PODS}/a"), "", json!({"preconditions": {"uid": "u"}}), Repeat::Freely),
        ("DELETE", PODS.into(), "", Value::Null, Repeat::WhenRefused),
        ("DELETE", "/api/v1/namespaces/default".into(), "", Value::Null, Repeat::WhileThere),
        ("DELETE", "/api/v1/nodes/n".into(), "", Value::Null, Repeat::WhileThere),
    ] {
        assert_eq!(asked(method, &path, form, body.clone()).repeat(), wanted, "{method} {path} {form} {body}");
    }
    let upgrade = http::Request::get(format!("{PODS}/a/exec?command=date")).header("upgrade", "websocket").body(()).unwrap();
    assert_eq!(Asked::new(upgrade.into_parts().0, Default::default()).repeat(), Repeat::WhenRefused, "a command may have run");
}

#[test]
fn an_object_holds_what_was_sent_whatever_the_server_added() {
    let there = json!({
        "metadata": {"name": "a", "uid": "u", "resourceVersion": "9", "labels": {"app": "a", "added": "1"}},
        "spec": {"containers": [{"name": "proxy"}, {"name": "a", "image": "i", "imagePullPolicy": "IfNotPresent"}], "n": 1},
    });
    for (sent, wanted) in [
        (json!({"metadata": {"name": "a"}}), true),
        (json!({"metadata": {"name": "a", "resourceVersion": "3", "creationTimestamp": null, "labels": {}}}), true),
        (json!({"metadata": {"name": "b"}}), false),
        (json!({"metadata": {"name": "a", "labels": {"app": "b"}}}), false),
        (json!({"metadata": {"name": "a", "labels": {"app": null}}}), false),
        (json!({"metadata": {"name": "a", "annotations": {"x": null}}}), true),
        (json!({"spec": {"containers": [{"name": "a", "image": "i", "resources": {}}]}, "status": {}}), true),
        (json!({"spec": {"containers": [{"name": "a", "image": "other"}]}}), false),
        (json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}), false),
        (json!({"spec": {"n": 2}}), false),
        (json!({"spec": {"m": 0}}), false),
    ] {
        assert_eq!(holds(&sent, &there), wanted, "{sent}");
    }
}

#[test]
fn a_lost_connection_is_told_from_what_a_command_says_itself() {
    assert!(is_lost("HTTP/1.1 200 OK\nerror: error reading from error stream: Connection reset without closing handshake\n"));
    assert!(is_lost("Unable to connect to the server: dial tcp 127.0.0.1:1: connect: connection refused"));
    assert!(!is_lost("command terminated with exit code 56"));
    assert!(!is_lost("Unable to connect to the server: no\nError from server (NotFound): pods \"test\" not found"));
    assert!(!is_lost(""));
}

#[tokio::test]
async fn a_server_that_takes_a_request_and_says_nothing_is_spoken_of_and_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connection = kube::Config::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            held.push(socket);
        }
    });
    let limits = Limits { told_ms: 1_000, answer_ms: 2_000, total_ms: 1_500, ..Limits::CLUSTER };
    let tidings = Tidings::default();
    let mut heard = tidings.listen();
    let reread: Reread = Arc::new(|| Box::pin(async { None }));
    let client = client(connection, reread, limits, tidings).unwrap();
    let error = client.request_text(http::Request::get("/api/v1/namespaces").body(Vec::new()).unwrap()).await.unwrap_err();
    assert!(format!("{error:?}").contains("Silence { ms: 2000 }"), "{error:?}");
    let told = [heard.recv().await.unwrap(), heard.recv().await.unwrap()];
    assert_eq!(told[0], Tiding::Waiting("no answer from the API server for 1 s (GET /api/v1/namespaces)".into()));
    assert_eq!(told[1], Tiding::Over);
    let Tiding::Remained(last) = heard.recv().await.unwrap() else { panic!("{told:?}") };
    assert!(last.contains("has not answered within 2 s") && last.contains("GET /api/v1/namespaces"), "{last}");
    silent.abort();
}
