//! Who asks: a pod by its name, or by the name of what made it.

use crate::k8s::{Object, Snapshot};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// A pod of this name; else one that a workload of this name made, else one labelled `app: NAME`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client {
    pub namespace: String,
    pub name: String,
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Client {
    /// Reads `POD` or `NAMESPACE/POD`.
    pub fn parse(text: &str, default_namespace: &str) -> Client {
        let (namespace, name) = text.split_once('/').unwrap_or((default_namespace, text));
        Client { namespace: namespace.into(), name: name.into() }
    }

    /// The pod.
    ///
    /// # Errors
    /// A sentence: there is none, and what there is.
    pub fn find(&self, snapshot: &Snapshot) -> Result<Arc<Object>, String> {
        if let Some(pod) = snapshot.find("", "Pod", &self.namespace, &self.name) {
            return Ok(pod.clone());
        }
        let alive = |p: &&Arc<Object>| !matches!(p.str_at(&["status", "phase"]), "Succeeded" | "Failed");
        let pods: Vec<&Arc<Object>> = snapshot.list_in("", "Pod", &self.namespace).filter(alive).collect();
        let made = pods.iter().find(|p| workload(snapshot, p) == self.name);
        let labelled =
            || pods.iter().find(|p| ["app", "app.kubernetes.io/name"].iter().any(|l| p.label(l) == Some(self.name.as_str())));
        made.or_else(labelled).map(|p| (*p).clone()).ok_or_else(|| {
            let mut names: Vec<String> = pods.iter().take(5).map(|p| p.name().to_string()).collect();
            if names.is_empty() {
                let elsewhere = snapshot.list("", "Pod").take(5).map(|p| format!("{}/{}", p.namespace(), p.name()));
                names.extend(elsewhere);
            }
            let seen =
                if names.is_empty() { "there are no pods at all".to_string() } else { format!("there is {}", names.join(", ")) };
            format!("there is no pod or workload {} in namespace {}; {seen}", self.name, self.namespace)
        })
    }
}

/// The name of what made a pod (Deployment, StatefulSet, DaemonSet, Job, CronJob), its own name when nothing did.
pub fn workload<'a>(snapshot: &'a Snapshot, pod: &'a Object) -> &'a str {
    let Some((kind, name)) = owner(pod) else { return pod.name() };
    let (group, above) = match kind {
        "ReplicaSet" => ("apps", "Deployment"),
        "Job" => ("batch", "CronJob"),
        _ => return name,
    };
    match snapshot.find(group, kind, pod.namespace(), name).and_then(|o| owner(o)) {
        Some((kind, name)) if kind == above => name,
        // ReplicaSets are not always read: a Deployment's name is theirs without the hash.
        None if kind == "ReplicaSet" => match (pod.label("pod-template-hash"), snapshot.count(group, kind)) {
            (Some(hash), 0) => name.strip_suffix(hash).and_then(|n| n.strip_suffix('-')).unwrap_or(name),
            _ => name,
        },
        _ => name,
    }
}

/// Kind and name of the owner that controls an object.
fn owner(object: &Object) -> Option<(&str, &str)> {
    let owners = object.at(&["metadata", "ownerReferences"]).as_array()?;
    let owner = owners.iter().find(|o| o.get("controller") == Some(&Value::Bool(true))).or(owners.first())?;
    Some((owner.get("kind")?.as_str()?, owner.get("name")?.as_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_is_found_by_its_name_its_workload_and_its_label() {
        let pod = |name: &str, owner: Value, labels: Value| {
            Object(json!({"apiVersion": "v1", "kind": "Pod", "metadata":
                {"namespace": "a", "name": name, "ownerReferences": owner, "labels": labels}}))
        };
        let snapshot: Snapshot = [
            pod("web-5d4-x", json!([{"kind": "ReplicaSet", "name": "web-5d4"}]), json!({"pod-template-hash": "5d4"})),
            pod("db-0", json!([{"kind": "StatefulSet", "name": "db"}]), json!({})),
            pod("plain", json!([]), json!({"app": "tool"})),
        ]
        .into_iter()
        .collect();
        for (name, found) in
            [("web", "web-5d4-x"), ("web-5d4-x", "web-5d4-x"), ("db", "db-0"), ("tool", "plain"), ("plain", "plain")]
        {
            assert_eq!(Client::parse(name, "a").find(&snapshot).unwrap().name(), found, "{name}");
        }
        let error = Client::parse("b/web", "a").find(&snapshot).unwrap_err();
        assert!(error.contains("namespace b") && error.contains("a/db-0"), "{error}");
    }
}
