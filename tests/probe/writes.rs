//! Writes: dry runs, versions, generations, preconditions, finalizers, and what the server sets itself.

use super::{Lab, lab};
use egress_lab::sandbox::Pace;
use serde_json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

fn deployment(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}}})
}

async fn got(lab: &Lab, target: &str) -> Value {
    let (status, got) = lab.ask("GET", target, &[], Value::Null).await;
    assert_eq!(status, 200, "{target}: {got}");
    got
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing_whatever_the_verb() {
    let lab = lab(Pace::Instant).await;
    lab.made(MAPS, json!({"metadata": {"name": "a", "labels": {"x": "y"}}, "data": {"k": "1"}})).await;
    let made = lab.made(DEPLOYMENTS, deployment("d")).await;
    let uid = made["metadata"]["uid"].clone();
    let before = lab.handle.revision().await.unwrap();
    let one = format!("{MAPS}/a");
    for (method, target, body, status) in [
        ("POST", format!("{MAPS}?dryRun=All"), json!({"metadata": {"name": "b"}}), 201),
        ("POST", format!("{MAPS}?dryRun=All"), json!({"metadata": {"generateName": "b-"}}), 201),
        ("PUT", format!("{one}?dryRun=All"), json!({"metadata": {"name": "a"}, "data": {"k": "2"}}), 200),
        ("PATCH", format!("{one}?dryRun=All"), json!({"data": {"k": "2"}}), 200),
        ("PATCH", format!("{DEPLOYMENTS}/d/scale?dryRun=All"), json!({"spec": {"replicas": 5}}), 200),
        ("PATCH", format!("{DEPLOYMENTS}/d/status?dryRun=All"), json!({"status": {"replicas": 5}}), 200),
        ("DELETE", format!("{one}?dryRun=All"), Value::Null, 200),
        ("DELETE", one.clone(), json!({"dryRun": ["All"]}), 200),
        ("DELETE", format!("{MAPS}?dryRun=All"), Value::Null, 200),
        ("DELETE", MAPS.into(), json!({"dryRun": ["All"]}), 200),
        ("DELETE", "/api/v1/namespaces/default/pods?dryRun=All".into(), Value::Null, 200),
    ] {
        let (code, got) = lab.ask(method, &target, &[], body).await;
        assert_eq!(code, status, "{method} {target}: {got}");
        assert_eq!(lab.handle.revision().await.unwrap(), before, "{method} {target}");
    }
    let (_, dry) = lab.ask("POST", &format!("{MAPS}?dryRun=All"), &[], json!({"metadata": {"name": "b"}})).await;
    assert!(dry["metadata"]["resourceVersion"].is_null() && dry["metadata"]["uid"].is_string(), "{dry}");
    assert_eq!(got(&lab, &format!("{DEPLOYMENTS}/d")).await["metadata"]["uid"], uid);
    for method in ["POST", "DELETE"] {
        let (code, got) = lab.ask(method, &format!("{MAPS}?dryRun=Some"), &[], json!({"metadata": {"name": "b"}})).await;
        assert_eq!(code, 422);
        assert!(
            got["message"].as_str().unwrap().contains("dryRun: Unsupported value: [\"Some\"]: supported values: \"All\""),
            "{got}"
        );
    }
    // Options that cannot be read do not pass for none.
    for body in [
        json!({"dryRun": ["Some"]}),
        json!({"dryRun": "All"}),
        json!({"gracePeriodSeconds": "x"}),
        json!({"kind": "Pod", "apiVersion": "v1"}),
        json!({"propagationPolicy": "Foreground", "orphanDependents": true}),
        json!({"propagationPolicy": "Sometimes"}),
    ] {
        let (code, _) = lab.ask("DELETE", &one, &[], body.clone()).await;
        assert!((400..500).contains(&code), "{body}");
    }
    got(&lab, &one).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_nothing_is_no_revision() {
    let lab = lab(Pace::Instant).await;
    lab.made(MAPS, json!({"metadata": {"name": "a"}, "data": {"k": "1"}})).await;
    lab.made(DEPLOYMENTS, deployment("d")).await;
    let before = lab.handle.revision().await.unwrap();
    let one = format!("{MAPS}/a");
    let map = got(&lab, &one).await;
    let web = got(&lab, &format!("{DEPLOYMENTS}/d")).await;
    for (method, target, body) in [
        ("PUT", one.clone(), map.clone()),
        ("PUT", format!("{DEPLOYMENTS}/d"), web.clone()),
        ("PATCH", one.clone(), json!({"data": {"k": "1"}})),
        ("PATCH", one.clone(), json!({})),
        ("PATCH", format!("{DEPLOYMENTS}/d"), json!({"spec": {"replicas": 1}})),
        ("PATCH", format!("{DEPLOYMENTS}/d/scale"), json!({"spec": {"replicas": 1}})),
    ] {
        let (code, _) = lab.ask(method, &target, &[], body).await;
        assert_eq!((code, lab.handle.revision().await.unwrap()), (200, before), "{method} {target}");
    }
    // The generation counts the spec, and a Deployment's annotations.
    for (body, generation) in [
        (json!({"metadata": {"labels": {"l": "m"}}}), 1),
        (json!({"metadata": {"annotations": {"l": "m"}}}), 2),
        (json!({"spec": {"replicas": 2}}), 3),
        (json!({"spec": {"replicas": 2}}), 3),
    ] {
        let (_, got) = lab.ask("PATCH", &format!("{DEPLOYMENTS}/d"), &[], body.clone()).await;
        assert_eq!(got["metadata"]["generation"], generation, "{body}");
    }
    assert!(map["metadata"]["generation"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_uids_are_preconditions() {
    let lab = lab(Pace::Instant).await;
    let made = lab.made(MAPS, json!({"metadata": {"name": "a"}})).await;
    let (uid, version) = (made["metadata"]["uid"].as_str().unwrap(), made["metadata"]["resourceVersion"].as_str().unwrap());
    let one = format!("{MAPS}/a");
    lab.ask("PATCH", &one, &[], json!({"data": {"k": "1"}})).await;
    let modified = "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again";
    for (method, body, message) in [
        ("PUT", json!({"metadata": {"name": "a", "resourceVersion": version}}), modified.to_string()),
        ("PATCH", json!({"metadata": {"resourceVersion": version}, "data": {"k": "2"}}), modified.to_string()),
        (
            "DELETE",
            json!({"preconditions": {"resourceVersion": version}}),
            format!(
                "Operation cannot be fulfilled on ConfigMap \"a\": the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ("
            ),
        ),
        (
            "DELETE",
            json!({"preconditions": {"uid": "x"}}),
            format!(
                "Operation cannot be fulfilled on ConfigMap \"a\": the UID in the precondition (x) does not match the UID in record ({uid})."
            ),
        ),
    ] {
        let (code, got) = lab.ask(method, &one, &[], body).await;
        assert_eq!((code, got["reason"].as_str()), (409, Some("Conflict")), "{method}");
        assert!(got["message"].as_str().unwrap().starts_with(&message), "{got}");
    }
    assert_eq!(lab.ask("PUT", &one, &[], json!({"metadata": {"name": "a", "resourceVersion": "x"}})).await.0, 409);
    let now = got(&lab, &one).await["metadata"]["resourceVersion"].clone();
    let (code, _) = lab.ask("DELETE", &one, &[], json!({"preconditions": {"uid": uid, "resourceVersion": now}})).await;
    assert_eq!(code, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn finalizers_hold_objects_and_names_are_made() {
    let lab = lab(Pace::Instant).await;
    lab.made(MAPS, json!({"metadata": {"name": "a", "finalizers": ["x.y/z", "x.y/w"]}})).await;
    let one = format!("{MAPS}/a");
    let (code, first) = lab.ask("DELETE", &one, &[], Value::Null).await;
    assert_eq!(
        (code, first["kind"].as_str(), first["metadata"]["deletionTimestamp"].is_string()),
        (200, Some("ConfigMap"), true)
    );
    let (_, again) = lab.ask("DELETE", &one, &[], Value::Null).await;
    assert_eq!(again["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    assert_eq!(
        lab.ask("POST", MAPS, &[], json!({"metadata": {"name": "a"}})).await.1["message"],
        "object is being deleted: configmaps \"a\" already exists"
    );
    // Nothing can be added to what is going.
    let (code, got) = lab.ask("PATCH", &one, &[], json!({"metadata": {"finalizers": ["x.y/z", "x.y/w", "x.y/new"]}})).await;
    assert_eq!(code, 422);
    assert!(got["message"].as_str().unwrap().contains("metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"x.y/new\"}"), "{got}");
    assert_eq!(lab.ask("PATCH", &one, &[], json!({"metadata": {"finalizers": ["x.y/w"]}})).await.0, 200);
    assert_eq!(lab.ask("PATCH", &one, &[], json!({"metadata": {"finalizers": null}})).await.0, 200);
    assert_eq!(lab.ask("GET", &one, &[], Value::Null).await.0, 404);
    for n in 0..3 {
        let made = lab.made(MAPS, json!({"metadata": {"generateName": "gen-"}})).await;
        let name = made["metadata"]["name"].as_str().unwrap();
        assert!(name.len() == 9 && name[4..].bytes().all(|b| b"bcdfghjklmnpqrstvwxz2456789".contains(&b)), "{n}: {name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_checked() {
    let lab = lab(Pace::Instant).await;
    let long = "a".repeat(254);
    for (metadata, text) in [
        (json!({"name": long}), format!("metadata.name: Invalid value: \"{long}\": must be no more than 253 bytes")),
        (
            json!({"name": "a", "annotations": {"a": "x".repeat(300_000)}}),
            "metadata.annotations: Too long: may not be more than 262144 bytes".into(),
        ),
        (
            json!({"name": "a", "finalizers": ["x"]}),
            "metadata.finalizers: Invalid value: \"x\": name is neither a standard finalizer name nor is it fully qualified"
                .into(),
        ),
        (
            json!({"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p"}]}),
            "metadata.ownerReferences.uid: Invalid value: \"\": must not be empty".into(),
        ),
        (
            json!({"name": "a", "labels": {"k": "-"}}),
            "metadata.labels: Invalid value: \"-\": a valid label must be an empty string".into(),
        ),
    ] {
        let (code, got) = lab.ask("POST", MAPS, &[], json!({"metadata": metadata})).await;
        assert_eq!((code, got["details"]["kind"].as_str()), (422, Some("ConfigMap")), "{got}");
        assert!(got["message"].as_str().unwrap().contains(&text), "{got}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_that_a_kind_lacks_is_refused() {
    let lab = lab(Pace::Instant).await;
    for (method, target) in [
        ("PUT", MAPS),
        ("PATCH", MAPS),
        ("POST", "/api/v1/namespaces/default/configmaps/a"),
        ("OPTIONS", MAPS),
        ("POST", "/api/v1/configmaps"),
        ("DELETE", "/api/v1/namespaces"),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
        ("POST", "/version"),
    ] {
        let (code, got) = lab.ask(method, target, &[], json!({})).await;
        assert_eq!((code, got["reason"].as_str()), (405, Some("MethodNotAllowed")), "{method} {target}");
        assert_eq!(
            (got["message"].as_str(), &got["details"]),
            (Some("the server does not allow this method on the requested resource"), &json!({}))
        );
    }
    let head = lab.client.send("HEAD", MAPS, &[], b"").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}
