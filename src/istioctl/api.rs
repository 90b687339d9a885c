//! The few requests that istioctl makes.

use super::Stop;
use crate::base::clock::{Clock, SystemClock, Time};
use crate::k8s::Object;
use serde_json::{Map, Value};

/// The kinds an installation consists of: apiVersion, kind, plural, whether namespaced, whether a later install or uninstall may
/// remove objects of it. In the order of removal.
const KINDS: &[(&str, &str, &str, bool, bool)] = &[
    ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true, true),
    ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", true, true),
    ("apps/v1", "Deployment", "deployments", true, true),
    ("v1", "Service", "services", true, true),
    ("v1", "ConfigMap", "configmaps", true, true),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", true, true),
    ("rbac.authorization.k8s.io/v1", "Role", "roles", true, true),
    ("v1", "ServiceAccount", "serviceaccounts", true, true),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", false, true),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", false, true),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", false, true),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", false, true),
    ("v1", "Pod", "pods", true, false),
    ("v1", "Namespace", "namespaces", false, false),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", false, false),
];

/// The kinds that pruning looks at, in the order of removal: (apiVersion, kind).
pub fn prunable() -> impl Iterator<Item = (&'static str, &'static str)> {
    KINDS.iter().filter(|k| k.4).map(|k| (k.0, k.1))
}

/// The sandbox's mark, `None` when the server does not carry it.
pub async fn mark(client: &kube::Client) -> Option<Value> {
    let value: Value = request(client, "GET", "/.well-known/egress-lab", None).await.ok()?;
    (value["name"] == "egress-lab").then_some(value)
}

/// Whether the sandbox says that nothing is under way.
pub async fn settled(client: &kube::Client) -> bool {
    mark(client).await.is_some_and(|mark| mark["world"]["settled"] == true)
}

/// One object, `None` when there is none.
///
/// # Errors
/// Whatever the server or the connection says.
pub async fn get(client: &kube::Client, object: &Object) -> Result<Option<Object>, Stop> {
    match request(client, "GET", &path(object)?, None).await {
        Ok(value) => Ok(Some(Object(value))),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(stop(&error)),
    }
}

/// All objects of a kind that a label selector chooses ("" = all), in every namespace.
///
/// # Errors
/// As [`get`]; a kind that the server does not have is an empty list.
pub async fn list(client: &kube::Client, api_version: &str, kind: &str, selector: &str) -> Result<Vec<Object>, Stop> {
    let Some(row) = KINDS.iter().find(|k| k.0 == api_version && k.1 == kind) else { return Ok(Vec::new()) };
    let query = if selector.is_empty() { String::new() } else { format!("?labelSelector={}", encode(selector)) };
    match request(client, "GET", &format!("{}/{}{query}", root(api_version), row.2), None).await {
        Ok(mut value) => {
            let items = value["items"].take();
            let items = items.as_array().cloned().unwrap_or_default().into_iter().map(|mut item| {
                item["apiVersion"] = Value::from(api_version);
                item["kind"] = Value::from(kind);
                Object(item)
            });
            Ok(items.collect())
        }
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        Err(error) => Err(stop(&error)),
    }
}

/// Creates the object or brings it to the wanted state; writes nothing when it already is.
///
/// # Errors
/// As [`get`].
pub async fn apply(client: &kube::Client, wanted: &Object) -> Result<(), Stop> {
    let live = get(client, wanted).await?;
    let (method, path, body) = match live {
        None => {
            let path = path(wanted)?;
            let (collection, _) = path.rsplit_once('/').unwrap_or((&path, ""));
            ("POST", collection.to_string(), wanted.0.clone())
        }
        Some(live) => match difference(&keep_armed(wanted, &live), &live.0) {
            None => return Ok(()),
            Some(patch) => ("PATCH", path(wanted)?, patch),
        },
    };
    request(client, method, &path, Some(&body)).await.map(drop).map_err(|e| stop(&e))
}

/// Deletes the object; one that is gone already counts as deleted.
///
/// # Errors
/// As [`get`].
pub async fn delete(client: &kube::Client, object: &Object) -> Result<(), Stop> {
    match request(client, "DELETE", &path(object)?, None).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(stop(&error)),
    }
}

/// A validating webhook configuration with the failure policy that istiod has set meanwhile: writing the chart's Ignore over it
/// would only be undone.
fn keep_armed(wanted: &Object, live: &Object) -> Value {
    let mut wanted = wanted.0.clone();
    let armed = |name: &Value| {
        let live = live.at(&["webhooks"]).as_array().into_iter().flatten();
        live.into_iter().any(|webhook| webhook["name"] == *name && webhook["failurePolicy"] == "Fail")
    };
    for webhook in wanted.get_mut("webhooks").and_then(Value::as_array_mut).into_iter().flatten() {
        if armed(&webhook["name"]) {
            webhook["failurePolicy"] = Value::from("Fail");
        }
    }
    wanted
}

/// What a path of the API holds, `None` when there is nothing.
///
/// # Errors
/// Whatever the server or the connection says.
pub async fn read(client: &kube::Client, path: &str) -> Result<Option<Value>, Stop> {
    match request(client, "GET", path, None).await {
        Ok(value) => Ok(Some(value)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(stop(&error)),
    }
}

/// The present moment: certificates are held against it.
pub fn now() -> Time {
    SystemClock.now()
}

/// One request; the body is JSON, a PATCH a merge patch.
pub async fn request(client: &kube::Client, method: &str, path: &str, body: Option<&Value>) -> Result<Value, kube::Error> {
    let content = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let builder =
        http::Request::builder().method(method).uri(path).header("Content-Type", content).header("Accept", "application/json");
    let request = builder.body(bytes).map_err(kube::Error::HttpError)?;
    client.request(request).await
}

/// The server's or the connection's own words.
pub fn stop(error: &kube::Error) -> Stop {
    Stop::failed(match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    })
}

fn root(api_version: &str) -> String {
    let top = if api_version.contains('/') { "apis" } else { "api" };
    format!("/{top}/{api_version}")
}

fn path(object: &Object) -> Result<String, Stop> {
    let row = KINDS.iter().find(|k| k.0 == object.api_version() && k.1 == object.kind());
    let row = row.ok_or_else(|| Stop::failed(format!("no matches for kind {:?}", object.kind())))?;
    let namespace = if row.3 { format!("/namespaces/{}", object.namespace()) } else { String::new() };
    Ok(format!("{}{namespace}/{}/{}", root(row.0), row.2, object.name()))
}

/// Percent-encodes what may not stand in a query value.
pub fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'/');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The merge patch that brings `live` to `wanted`; `None` when everything wanted is there already. What others added to objects
/// stays; a list that differs is replaced.
fn difference(wanted: &Value, live: &Value) -> Option<Value> {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => {
            let missing = Value::Null;
            let parts = wanted
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), difference(value, live.get(key).unwrap_or(&missing))?)));
            let patch: Map<String, Value> = parts.collect();
            (!patch.is_empty()).then_some(Value::Object(patch))
        }
        (wanted, live) => (!contains(live, wanted)).then(|| wanted.clone()),
    }
}

/// Whether `live` has everything of `wanted`; lists must have the same length, empty objects and lists may be missing.
fn contains(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| contains(live.get(key).unwrap_or(&Value::Null), value))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| contains(live, wanted))
        }
        (Value::Null, Value::Object(wanted)) => wanted.is_empty(),
        (Value::Null, Value::Array(wanted)) => wanted.is_empty(),
        (live, wanted) => live == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_written() {
        let live =
            json!({"data": {"mesh": "a", "other": "b"}, "spec": {"ports": [{"port": 80, "nodePort": 30000}]}, "status": {}});
        let rows = [
            (json!({"data": {"mesh": "a"}}), None),
            (json!({"spec": {"ports": [{"port": 80}]}}), None),
            (json!({"spec": {"selector": {}}}), None),
            (json!({"data": {"mesh": "c"}}), Some(json!({"data": {"mesh": "c"}}))),
            (
                json!({"spec": {"ports": [{"port": 80}, {"port": 443}]}}),
                Some(json!({"spec": {"ports": [{"port": 80}, {"port": 443}]}})),
            ),
        ];
        for (wanted, expected) in rows {
            assert_eq!(difference(&wanted, &live), expected, "{wanted}");
        }
    }

    #[test]
    fn every_rendered_kind_has_a_path() {
        let options = crate::mesh::install::InstallOptions { profile: "demo".into(), ..Default::default() };
        for object in crate::mesh::install::render(&options).expect("demo renders") {
            assert!(path(&object).is_ok(), "{}", object.key());
        }
        let options = crate::mesh::install::InstallOptions::default();
        assert!(crate::mesh::install::render(&options).expect("default renders").iter().all(|o| path(o).is_ok()));
    }
}
