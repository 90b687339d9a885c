//! Finding a pod and a container for exec, attach and logs.

use super::error::{Error, Result};
use super::fetch::{self, Filter};
use super::select;
use super::session::Session;
use crate::base::order::Order;
use serde_json::Value;

/// The annotation that names the container to use when none is named.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// The pods behind an object: itself, or those its selector finds, the best first.
///
/// # Errors
/// Objects that select no pods, and what the server says.
pub async fn behind(s: &mut Session<'_>, operand: &str) -> Result<Vec<Value>> {
    let target = select::pod_like(s, operand).await?;
    let namespace = s.namespace.clone();
    let object = fetch::object(s, &target.resource, &namespace, &target.name).await?;
    if target.resource.kind == "Pod" {
        return Ok(vec![object]);
    }
    let labels = selector(&object)
        .ok_or_else(|| Error::plain(format!("cannot get the logs from {}: no pod selector", target.resource.plural)))?;
    let pods = select::one_type(s, "pods").await?;
    let filter = Filter { namespace, labels, ..Filter::default() };
    let mut found = fetch::objects(s, &pods, &filter).await?;
    found.order_by_key(|pod| (!is_ready(pod), pod["metadata"]["name"].as_str().unwrap_or("").to_string()));
    Ok(found)
}

/// The label selector of a workload or service, as a query.
pub fn selector(object: &Value) -> Option<String> {
    let spec = &object["spec"]["selector"];
    let members = spec["matchLabels"].as_object().or_else(|| spec.as_object().filter(|o| o.values().all(Value::is_string)))?;
    let mut terms: Vec<String> = members.iter().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or(""))).collect();
    for expression in spec["matchExpressions"].as_array().into_iter().flatten() {
        let (key, values) = (expression["key"].as_str().unwrap_or(""), expression["values"].as_array());
        let values: Vec<&str> = values.into_iter().flatten().filter_map(Value::as_str).collect();
        terms.push(match expression["operator"].as_str().unwrap_or("") {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_string(),
        });
    }
    (!terms.is_empty()).then(|| terms.join(","))
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    pod["metadata"]["deletionTimestamp"].is_null() && conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True")
}

fn names<'v>(pod: &'v Value, field: &str) -> Vec<&'v str> {
    pod["spec"][field].as_array().into_iter().flatten().filter_map(|c| c["name"].as_str()).collect()
}

/// `main, side, istio-init (init)`.
fn all_names(pod: &Value) -> String {
    let mut all: Vec<String> = names(pod, "containers").into_iter().map(str::to_string).collect();
    all.extend(names(pod, "ephemeralContainers").into_iter().map(|n| format!("{n} (ephem)")));
    all.extend(names(pod, "initContainers").into_iter().map(|n| format!("{n} (init)")));
    all.join(", ")
}

/// Every container, init containers first.
pub fn every(pod: &Value) -> Vec<String> {
    ["initContainers", "containers", "ephemeralContainers"].iter().flat_map(|f| names(pod, f)).map(str::to_string).collect()
}

/// The container that is meant, and what is said about the choice.
///
/// # Errors
/// A name the pod does not have.
pub fn container(pod: &Value, wanted: &str) -> Result<(String, Option<String>)> {
    let known = every(pod);
    let pod_name = pod["metadata"]["name"].as_str().unwrap_or("");
    if !wanted.is_empty() {
        return match known.iter().any(|n| n == wanted) {
            true => Ok((wanted.to_string(), None)),
            false => Err(Error::plain(format!("container {wanted} is not valid for pod {pod_name} out of: {}", all_names(pod)))),
        };
    }
    if let Some(name) = pod["metadata"]["annotations"][DEFAULT_CONTAINER].as_str().filter(|n| !n.is_empty()) {
        if known.iter().any(|n| n == name) {
            return Ok((name.to_string(), None));
        }
        let said = format!("Default container name {name:?} not found in pod {pod_name}");
        return Ok((names(pod, "containers").first().unwrap_or(&"").to_string(), Some(said)));
    }
    let first = names(pod, "containers").first().unwrap_or(&"").to_string();
    let said = (known.len() > 1).then(|| format!("Defaulted container {first:?} out of: {}", all_names(pod)));
    Ok((first, said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn containers() {
        let pod = json!({"metadata": {"name": "p1"}, "spec": {
            "initContainers": [{"name": "istio-init"}], "containers": [{"name": "main"}, {"name": "side"}]}});
        let (name, said) = container(&pod, "").unwrap();
        assert_eq!(
            (name.as_str(), said.as_deref()),
            ("main", Some("Defaulted container \"main\" out of: main, side, istio-init (init)"))
        );
        assert_eq!(container(&pod, "side").unwrap(), ("side".into(), None));
        assert_eq!(
            container(&pod, "x").unwrap_err().text(),
            "error: container x is not valid for pod p1 out of: main, side, istio-init (init)"
        );
        let mut chosen = pod.clone();
        chosen["metadata"]["annotations"] = json!({DEFAULT_CONTAINER: "side"});
        assert_eq!(container(&chosen, "").unwrap(), ("side".into(), None));
    }

    #[test]
    fn selectors() {
        let deployment = json!({"spec": {"selector": {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "t", "operator": "In", "values": ["a", "b"]}]}}});
        assert_eq!(selector(&deployment).unwrap(), "app=web,t in (a,b)");
        assert_eq!(selector(&json!({"spec": {"selector": {"app": "web"}}})).unwrap(), "app=web");
        assert_eq!(selector(&json!({"spec": {}})), None);
    }
}
