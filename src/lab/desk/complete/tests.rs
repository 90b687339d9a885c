//! Completion against a world of the sandbox.

use super::*;
use crate::base::files::{Files, MemoryFiles};
use crate::base::seed::Seed;
use crate::lab::env::Environment;
use crate::lab::env::sandbox::throw_away;
use std::sync::Arc;

async fn texts(looker: &Looker<'_>, line: &str) -> Vec<String> {
    let found = looker.complete(line, usize::MAX).await;
    assert_eq!(found.missing, None, "{line}");
    found.candidates.into_iter().map(|candidate| candidate.text).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_completes_from_the_table_the_world_and_the_folder() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let world = throw_away(Seed(5), "").await.expect("a world");
    let files = Arc::new(MemoryFiles::default());
    files.write("web.yaml", b"x").expect("written");
    files.write("more/deep.yaml", b"x").expect("written");
    let env: Arc<dyn Environment> = world.env.clone();
    let prompt = Prompt::new(env, files, None);
    let definition = http::Request::post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").body(
        serde_json::to_vec(&serde_json::json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "serviceentries.networking.istio.io"},
            "spec": {"group": "networking.istio.io", "scope": "Namespaced", "names": {"kind": "ServiceEntry", "plural": "serviceentries"},
                "versions": [{"name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})).expect("JSON"),
    );
    let client = world.env.client();
    client.request::<serde_json::Value>(definition.expect("a request")).await.expect("defined");
    let entry = serde_json::json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"name": "own"},
        "spec": {"hosts": ["payments.example.com", "*.wild.example.com", "www.wikipedia.org"]}});
    let path = "/apis/networking.istio.io/v1/namespaces/default/serviceentries";
    let entry = http::Request::post(path).body(serde_json::to_vec(&entry).expect("JSON")).expect("a request");
    client.request::<serde_json::Value>(entry).await.expect("created");
    let looker = Looker { prompt: &prompt, lesson: None };
    for (line, has, lacks) in [
        ("", "kubectl", ""),
        ("kub", "kubectl", "istioctl"),
        ("kubectl des", "describe", "get"),
        ("kubectl ", "get", "proxy"),
        ("k get serv", "services", "pods"),
        ("k get sv", "svc", "services"),
        ("k get pods,dep", "deployments", ""),
        ("kubectl get ns kube-", "kube-system", "default"),
        ("kubectl get ns/def", "default", "kube-system"),
        ("kubectl -n ", "kube-system", ""),
        ("kubectl get pods --namespace=def", "default", "kube-system"),
        ("kubectl get pods -ndef", "default", "kube-system"),
        ("kubectl get pods -o js", "json", "yaml"),
        ("kubectl get pods -ojs", "jsonpath=", "yaml"),
        ("kubectl get --sel", "--selector", "--context"),
        ("kubectl get --c", "--chunk-size", "--context"),
        ("kubectl create nam", "namespace", ""),
        ("kubectl rollout ", "status", "pods"),
        ("kubectl rollout status dep", "deployments", "pods"),
        ("kubectl apply -f w", "web.yaml", ""),
        ("kubectl apply -f more/", "deep.yaml", "web.yaml"),
        ("cat ", "web.yaml", ""),
        ("kubectl get pods > w", "web.yaml", ""),
        ("ls | gr", "grep", "kubectl"),
        ("kubectl drain ", "sandbox-node", ""),
        ("kubectl exec test -- cu", "curl", ""),
        ("kubectl exec test -- curl http://www.wiki", "http://www.wikipedia.org/", ""),
        ("istioctl pro", "proxy-config", "install"),
        ("istioctl pc ro", "route", ""),
        ("istioctl install --set prof", "profile=demo", ""),
        ("explain https://www.wiki", "https://www.wikipedia.org/", "http://www.wikipedia.org/"),
        ("kubectl explain serv", "services", ""),
        ("kubectl exec test -- curl https://pay", "https://payments.example.com/", "http://payments.example.com/"),
        ("kubectl exec test -- nslookup pay", "payments.example.com", ""),
        ("explain http://", "http://payments.example.com/", "http://*.wild.example.com/"),
        ("picture http://pay", "http://payments.example.com/", ""),
    ] {
        let found = texts(&looker, line).await;
        assert!(found.iter().any(|text| text == has), "{line}: {found:?}");
        assert!(lacks.is_empty() || !found.iter().any(|text| text == lacks), "{line}: {found:?}");
    }
    for line in [
        "kubectl nonsense ",
        "kubectl get ns default x-y --for",
        "nonsense ",
        "kubectl apply -f - <<EOF\nki",
        "kubectl get nosuchkind x",
    ] {
        assert_eq!(texts(&looker, line).await, Vec::<String>::new(), "{line}");
    }
    let found = looker.complete("explain http://www.wikipedia.or", usize::MAX).await;
    let about: Vec<(&str, &str)> = found.candidates.iter().map(|c| (c.text.as_str(), c.note.as_str())).collect();
    assert_eq!(about, [("http://www.wikipedia.org/", "ServiceEntry default/own")], "once, with the entry that names it");
    let found = looker.complete("kubectl get pods --namespace=ku", usize::MAX).await;
    assert_eq!(found.from, "kubectl get pods --namespace=".len());
}
