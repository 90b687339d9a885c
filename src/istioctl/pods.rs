//! Which pod is meant: `POD`, `POD.NAMESPACE`, `TYPE/NAME[.NAMESPACE]` (S: istioctl/pkg/util/handlers).

use super::{Context, Stop, api};
use crate::base::order::Order;
use crate::k8s::Object;
use serde_json::Value;
use std::collections::BTreeMap;

/// Types that have pods: names, group path, plural.
const TYPES: &[(&[&str], &str, &str)] = &[
    (&["pod", "pods", "po"], "api/v1", "pods"),
    (&["deployment", "deployments", "deploy", "deployments.apps", "deployment.apps"], "apis/apps/v1", "deployments"),
    (&["service", "services", "svc"], "api/v1", "services"),
    (&["replicaset", "replicasets", "rs", "replicasets.apps"], "apis/apps/v1", "replicasets"),
    (&["statefulset", "statefulsets", "sts", "statefulsets.apps"], "apis/apps/v1", "statefulsets"),
    (&["daemonset", "daemonsets", "ds", "daemonsets.apps"], "apis/apps/v1", "daemonsets"),
    (&["replicationcontroller", "replicationcontrollers", "rc"], "api/v1", "replicationcontrollers"),
    (&["job", "jobs", "jobs.batch"], "apis/batch/v1", "jobs"),
];

/// Name and namespace: what stands after the last point is a namespace; in `TYPE/NAME` only after the slash.
pub fn split<'a>(text: &'a str, namespace: &'a str) -> (&'a str, &'a str) {
    let after = text.rfind('/').filter(|at| *at > 0).unwrap_or(0);
    match text[after..].rfind('.') {
        Some(point) => (&text[..after + point], &text[after + point + 1..]),
        None => (text, namespace),
    }
}

/// The pod that is meant, by name and namespace. A plain name is taken as it is.
///
/// # Errors
/// No such object, an object without pods, no pod.
pub async fn find(context: &Context, text: &str, namespace: &str) -> Result<(String, String), Stop> {
    let (name, namespace) = split(text, namespace);
    if !name.contains('/') {
        return Ok((name.to_string(), namespace.to_string()));
    }
    let mut pods = select(context, name, namespace).await?;
    // The one that kubectl logs would take: running and ready ones first, then the one that has been ready longest.
    pods.order_by_key(|pod| {
        let ready = pod.at(&["status", "conditions"]).as_array().into_iter().flatten().find(|c| c["type"] == "Ready");
        let since = ready.and_then(|c| c["lastTransitionTime"].as_str()).unwrap_or("").to_string();
        let is_ready = ready.is_some_and(|c| c["status"] == "True");
        let phase = match pod.str_at(&["status", "phase"]) {
            "Running" => 0,
            "Unknown" => 1,
            _ => 2,
        };
        (pod.str_at(&["spec", "nodeName"]).is_empty(), phase, !is_ready, since, pod.name().to_string())
    });
    match pods.first() {
        Some(pod) => Ok((pod.name().to_string(), namespace.to_string())),
        None => Err(Stop::failed(format!("no pods match {name:?}"))),
    }
}

/// All pods that are meant.
///
/// # Errors
/// As [`find`]; no pod is no error.
pub async fn find_all(context: &Context, text: &str, namespace: &str) -> Result<Vec<(String, String)>, Stop> {
    let (name, namespace) = split(text, namespace);
    if !name.contains('/') {
        return Ok(vec![(name.to_string(), namespace.to_string())]);
    }
    let pods = select(context, name, namespace).await?;
    Ok(pods.iter().map(|pod| (pod.name().to_string(), namespace.to_string())).collect())
}

/// The pods of a selector.
///
/// # Errors
/// What the server says.
pub async fn of_selector(context: &Context, selector: &str, namespace: &str) -> Result<Vec<(String, String)>, Stop> {
    let found = list(context, namespace, selector)
        .await
        .map_err(|stop| Stop::failed(format!("not able to locate pod with selector {selector}: {}", stop.message)))?;
    match found.is_empty() {
        true => Err(Stop::failed("no pods found")),
        false => Ok(found.iter().map(|pod| (pod.name().to_string(), namespace.to_string())).collect()),
    }
}

async fn select(context: &Context, name: &str, namespace: &str) -> Result<Vec<Object>, Stop> {
    let failed = |why: String| Stop::failed(format!("failed retrieving: {why} in the {namespace:?} namespace"));
    let (kind, name) = name.split_once('/').unwrap_or(("pods", name));
    let lower = kind.to_ascii_lowercase();
    let Some((_, root, plural)) = TYPES.iter().find(|(names, ..)| names.contains(&lower.as_str())) else {
        return Err(failed(format!("the server doesn't have a resource type {kind:?}")));
    };
    let path = format!("/{root}/namespaces/{namespace}/{plural}/{name}");
    let group = match root.split('/').nth(1) {
        Some(group) if root.starts_with("apis") => format!(".{group}"),
        _ => String::new(),
    };
    let object = match api::read(&context.client, &path).await? {
        Some(value) => Object(value),
        None => return Err(failed(format!("{plural}{group} {name:?} not found"))),
    };
    if *plural == "pods" {
        return Ok(vec![object]);
    }
    let selector = object.at(&["spec", "selector"]);
    let labels = if *plural == "services" || *plural == "replicationcontrollers" { selector } else { &selector["matchLabels"] };
    let texts: BTreeMap<&str, &str> =
        labels.as_object().into_iter().flatten().filter_map(|(k, v)| Some((k.as_str(), v.as_str()?))).collect();
    if texts.is_empty() {
        let why = format!(
            "{:?} does not refer to a pod: invalid service {name:?}: Service is defined without a selector",
            format!("{kind}/{name}")
        );
        return Err(Stop::failed(why));
    }
    let text: Vec<String> = texts.iter().map(|(k, v)| format!("{k}={v}")).collect();
    list(context, namespace, &text.join(",")).await
}

async fn list(context: &Context, namespace: &str, selector: &str) -> Result<Vec<Object>, Stop> {
    let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector={}", api::encode(selector));
    let value = api::read(&context.client, &path).await?.unwrap_or(Value::Null);
    Ok(value["items"].as_array().into_iter().flatten().cloned().map(Object).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_carry_a_namespace() {
        for (text, expected) in [
            ("a", ("a", "ns")),
            ("a.b", ("a", "b")),
            ("a.b.c", ("a.b", "c")),
            ("deploy/x", ("deploy/x", "ns")),
            ("deploy/x.y", ("deploy/x", "y")),
            ("deployments.apps/x", ("deployments.apps/x", "ns")),
        ] {
            assert_eq!(split(text, "ns"), expected, "{text}");
        }
    }
}
