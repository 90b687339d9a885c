//! Webhooks: found through objects, refused in the API server's words.

use super::*;
use crate::sandbox::{Admission, Review};

struct Hook;

impl Webhook for Hook {
    fn runs_in(&self, image: &str) -> bool {
        image == "nginx:hook"
    }

    fn answers(&self, namespace: &str, service: &str) -> bool {
        (namespace, service) == ("sys", "hook")
    }

    fn review(&self, review: &Review<'_>) -> Admission {
        if review.object.name() == "bad" {
            return Admission::Deny { message: "no bad pods".into(), code: 0 };
        }
        let mut object = review.object.clone();
        object.set(&["metadata", "annotations", "seen"], json!(review.path));
        Admission::Allow { object: Some(object), warnings: vec!["looked at it".into()] }
    }
}

fn configure(world: &mut World, policy: &str) {
    ok(post(world, "/api/v1/namespaces", json!({"metadata": {"name": "sys"}})));
    ok(post(
        world,
        "/api/v1/namespaces/sys/services",
        json!({"metadata": {"name": "hook"}, "spec": {"selector": {"app": "hook"}, "ports": [{"port": 443}]}}),
    ));
    let hook = json!({"name": "pods.hook.io", "sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": policy,
        "clientConfig": {"service": {"namespace": "sys", "name": "hook", "path": "/inject"}},
        "namespaceSelector": {"matchLabels": {"inject": "yes"}},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]});
    let config = json!({"metadata": {"name": "hook"}, "webhooks": [hook]});
    ok(post(world, "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", config));
    ok(patch(world, "/api/v1/namespaces/default", "merge-patch+json", json!({"metadata": {"labels": {"inject": "yes"}}})));
}

fn start_hook(world: &mut World) {
    let mut server = pod("hook");
    server["spec"]["containers"][0]["image"] = json!("nginx:hook");
    ok(post(world, "/api/v1/namespaces/sys/pods", server));
}

#[test]
fn without_a_ready_server_the_policy_decides() {
    let mut world = world_with(vec![Arc::new(Hook)]);
    configure(&mut world, "Fail");
    let text = refused(post(&mut world, PODS, pod("a")), 500);
    assert_eq!(
        text,
        "Internal error occurred: failed calling webhook \"pods.hook.io\": failed to call webhook: Post \
         \"https://hook.sys.svc:443/inject?timeout=10s\": no endpoints available for service \"hook\""
    );
    ok(post(&mut world, DEPLOYMENTS, deployment("web", 1)));
    let events = ok(get(&mut world, "/api/v1/namespaces/default/events"));
    let failed = events["items"].as_array().expect("events").iter().find(|e| e["reason"] == "FailedCreate").expect("an event");
    assert!(
        failed["message"].as_str().expect("text").starts_with("Error creating: Internal error occurred: failed calling webhook")
    );
    assert_eq!(failed["involvedObject"]["kind"], "ReplicaSet");
    // As soon as the server is there the pods come.
    start_hook(&mut world);
    assert_eq!(names(&ok(get(&mut world, PODS))).len(), 1);

    let mut lenient = world_with(vec![Arc::new(Hook)]);
    configure(&mut lenient, "Ignore");
    ok(post(&mut lenient, PODS, pod("a")));
}

#[test]
fn a_server_changes_warns_and_refuses() {
    let mut world = world_with(vec![Arc::new(Hook)]);
    configure(&mut world, "Fail");
    start_hook(&mut world);
    let answer = post(&mut world, PODS, pod("a"));
    assert_eq!(answer.header_value("warning"), Some("299 - \"looked at it\""));
    assert_eq!(ok(answer)["metadata"]["annotations"]["seen"], "/inject");
    let text = refused(post(&mut world, PODS, pod("bad")), 400);
    assert_eq!(text, "admission webhook \"pods.hook.io\" denied the request: no bad pods");
    // A namespace without the label is left alone.
    ok(post(&mut world, "/api/v1/namespaces/sys/pods", pod("bad")));
}
