//! The rows of the injection table through the API: Istio is installed, a namespace labelled, a pod or Deployment created, and what
//! the API server stored is looked at.

use crate::rows::injection::{self as rows, Decision};
use egress_lab::base::seed::Seed;
use egress_lab::istioctl::{self, Context, Readiness};
use egress_lab::k8s::Object;
use egress_lab::lab::env::Environment;
use egress_lab::lab::env::sandbox::{Bend, Make, Sandbox};
use egress_lab::mesh::versions;
use serde_json::{Value, json};

struct Lab(Sandbox);

impl Lab {
    async fn installed(version: &str) -> Lab {
        let lab = Lab(Sandbox::in_process(Make::instant(Seed(3)), Bend::Honest));
        let readiness = Readiness { poll_ms: 10, limit_ms: 5_000 };
        let context = Context { client: lab.0.client(), namespace: "default".into(), version: version.into(), readiness };
        istioctl::install_action(&context, "demo", &[]).await.expect("the installation succeeds");
        lab
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Result<Value, String> {
        let content = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = http::Request::builder().method(method).uri(path).header("Content-Type", content).body(bytes);
        self.0.client().request(request.expect("a request")).await.map_err(|e| e.to_string())
    }

    /// Labels a namespace, which is made if it is not there.
    async fn label(&self, case: &Decision, labels: &Value) {
        let path = format!("/api/v1/namespaces/{}", case.name);
        if self.ask("GET", &path, Value::Null).await.is_err() {
            let made = json!({"metadata": {"name": case.name}});
            self.ask("POST", "/api/v1/namespaces", made).await.expect("a namespace");
        }
        let gone =
            json!({"metadata": {"labels": {"istio-injection": null, "istio.io/rev": null, "istio.io/dataplane-mode": null}}});
        self.ask("PATCH", &path, gone).await.expect("no labels");
        self.ask("PATCH", &path, json!({"metadata": {"labels": labels}})).await.expect("labels");
    }

    /// The pod of a case as the API server stored it.
    async fn pod(&self, case: &Decision) -> Result<Object, String> {
        let pods = format!("/api/v1/namespaces/{}/pods", case.name);
        let Some(labels) = &case.deployment else {
            self.ask("POST", &pods, case.pod().0).await?;
            return self.ask("GET", &format!("{pods}/test"), Value::Null).await.map(Object);
        };
        let mut template = case.pod().0;
        template["metadata"]["labels"]["app"] = "test".into();
        let deployment = json!({"metadata": {"name": "test", "labels": labels}, "spec": {
            "selector": {"matchLabels": {"app": "test"}},
            "template": {"metadata": {"labels": template["metadata"]["labels"]}, "spec": template["spec"]}}});
        self.ask("POST", &format!("/apis/apps/v1/namespaces/{}/deployments", case.name), deployment).await?;
        let list = self.ask("GET", &format!("{pods}?labelSelector=app%3Dtest"), Value::Null).await?;
        Ok(Object(list["items"][0].clone()))
    }

    async fn faults(&self, case: &Decision) -> Vec<String> {
        self.label(case, &json!(case.namespace)).await;
        let mut pod = match self.pod(case).await {
            Ok(pod) => pod,
            Err(why) => return vec![why],
        };
        if let Some(after) = &case.after {
            self.label(case, &json!(after)).await;
            let path = format!("/api/v1/namespaces/{}/pods/{}", case.name, pod.name());
            pod = Object(self.ask("GET", &path, Value::Null).await.expect("the pod"));
        }
        case.faults(&pod)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_injection_table_through_the_api() {
    let mut failed = Vec::new();
    for version in versions::lines() {
        let ground = Lab::installed(&version).await;
        for row in rows::decisions() {
            for (nth, case) in row.cases.iter().enumerate() {
                let lab = Lab(ground.0.fork_instant().await.expect("a fork"));
                let wrong = lab.faults(case).await;
                if !wrong.is_empty() {
                    failed.push(format!("row {} [{nth}] in {version}: {}: {}", row.row, row.title, wrong.join("; ")));
                }
            }
        }
    }
    assert!(failed.is_empty(), "{} failures:\n{}", failed.len(), failed.join("\n"));
}
