//! Transformers: namespace, names, labels, annotations, replicas, images.

use super::read::{Kustomization, Labels};
use super::{Res, is_cluster_scoped, set};
use crate::kubectl::error::{Error, Result};
use serde_json::{Map, Value, json};

/// Namespace, prefix, suffix, labels, annotations, in that order.
///
/// # Errors
/// None so far; kept for the transformers that can fail.
pub fn run(from: &Kustomization, all: &mut [Res]) -> Result<()> {
    for res in all.iter_mut() {
        if !from.namespace.is_empty() {
            namespace(res, &from.namespace);
        }
        rename(res, &from.prefix, &from.suffix);
        for labels in &from.labels {
            label(res, labels);
        }
        if !from.annotations.is_empty() {
            annotate(res, &from.annotations);
        }
    }
    Ok(())
}

fn namespace(res: &mut Res, namespace: &str) {
    let (group, kind) = (res.group_version().0.to_string(), res.kind().to_string());
    res.remember();
    if kind == "Namespace" && group.is_empty() {
        res.value["metadata"]["name"] = json!(namespace);
    } else if !is_cluster_scoped(&group, &kind) {
        res.value["metadata"]["namespace"] = json!(namespace);
    }
    // Accounts that are part of the kustomization follow as references do; the default one is in every namespace.
    if matches!(kind.as_str(), "RoleBinding" | "ClusterRoleBinding") {
        for subject in res.value.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
            if subject["kind"] == "ServiceAccount" && subject["name"] == "default" {
                subject["namespace"] = json!(namespace);
            }
        }
    }
}

fn rename(res: &mut Res, prefix: &str, suffix: &str) {
    if prefix.is_empty() && suffix.is_empty() || matches!(res.kind(), "CustomResourceDefinition" | "APIService" | "Namespace") {
        return;
    }
    res.remember();
    res.value["metadata"]["name"] = json!(format!("{prefix}{}{suffix}", res.name()));
}

/// Where a kind keeps selectors (made when missing, or only filled) and the labels of its template.
struct Places {
    selectors: &'static [(&'static str, bool)],
    templates: &'static [&'static str],
}

fn places(kind: &str) -> Places {
    let of = |selectors, templates| Places { selectors, templates };
    match kind {
        "Service" => of(&[("spec/selector", true)], &[]),
        "ReplicationController" => of(&[("spec/selector", true)], &["spec/template/metadata"]),
        "Deployment" | "ReplicaSet" | "DaemonSet" => of(&[("spec/selector/matchLabels", true)], &["spec/template/metadata"]),
        "StatefulSet" => {
            of(&[("spec/selector/matchLabels", true)], &["spec/template/metadata", "spec/volumeClaimTemplates/*/metadata"])
        }
        "Job" => of(&[("spec/selector/matchLabels", false)], &["spec/template/metadata"]),
        "CronJob" => of(
            &[("spec/jobTemplate/spec/selector/matchLabels", false)],
            &["spec/jobTemplate/metadata", "spec/jobTemplate/spec/template/metadata"],
        ),
        "PodDisruptionBudget" => of(&[("spec/selector/matchLabels", false)], &[]),
        "NetworkPolicy" => of(
            &[
                ("spec/podSelector/matchLabels", false),
                ("spec/ingress/*/from/*/podSelector/matchLabels", false),
                ("spec/egress/*/to/*/podSelector/matchLabels", false),
            ],
            &[],
        ),
        _ => of(&[], &[]),
    }
}

fn label(res: &mut Res, labels: &Labels) {
    let places = places(res.kind());
    put(&mut res.value, &["metadata", "labels"], &labels.pairs, true);
    if labels.selectors {
        for (path, make) in places.selectors {
            put(&mut res.value, &path.split('/').collect::<Vec<_>>(), &labels.pairs, *make);
        }
    }
    if labels.selectors || labels.templates {
        for path in places.templates {
            let path: Vec<&str> = path.split('/').chain(["labels"]).collect();
            put(&mut res.value, &path, &labels.pairs, true);
        }
    }
}

fn annotate(res: &mut Res, pairs: &Map<String, Value>) {
    put(&mut res.value, &["metadata", "annotations"], pairs, true);
    for path in places(res.kind()).templates.iter().filter(|path| !path.contains('*')) {
        let path: Vec<&str> = path.split('/').chain(["annotations"]).collect();
        put(&mut res.value, &path, pairs, true);
    }
}

/// Adds pairs to the map at a path; `*` goes through a list.
fn put(value: &mut Value, path: &[&str], pairs: &Map<String, Value>, make: bool) {
    let Some((key, rest)) = path.split_first() else {
        if !value.is_object() && make {
            *value = json!({});
        }
        if let Some(map) = value.as_object_mut() {
            map.extend(pairs.iter().map(|(k, v)| (k.clone(), v.clone())));
        }
        return;
    };
    if *key == "*" {
        value.as_array_mut().into_iter().flatten().for_each(|item| put(item, rest, pairs, make));
        return;
    }
    if !make && value[*key].is_null() || value.is_array() {
        return;
    }
    if rest.first() == Some(&"*") && !value[*key].is_array() {
        return;
    }
    if value.is_null() {
        *value = json!({});
    }
    put(&mut value[*key], rest, pairs, make);
}

/// Sets how many replicas workloads have, by the name in their file.
///
/// # Errors
/// A name that no workload has.
pub fn replicas(from: &Kustomization, all: &mut [Res]) -> Result<()> {
    for (name, count) in &from.replicas {
        let scaled = |res: &Res| {
            matches!(res.kind(), "Deployment" | "ReplicationController" | "ReplicaSet" | "StatefulSet")
                && res.known.iter().any(|(known, _)| known == name)
        };
        let mut found = false;
        for res in all.iter_mut().filter(|res| scaled(res)) {
            set(&mut res.value, &["spec", "replicas"], json!(count));
            found = true;
        }
        if !found {
            return Err(Error::plain(format!(
                "resource with name {name} does not match a config with the following GVK [Deployment.[noVer].[noGrp] ReplicationController.[noVer].[noGrp] ReplicaSet.[noVer].[noGrp] StatefulSet.[noVer].[noGrp]]"
            )));
        }
    }
    Ok(())
}

/// Changes the images of containers wherever an object has some.
pub fn images(from: &Kustomization, all: &mut [Res]) {
    for image in &from.images {
        for res in all.iter_mut().filter(|res| res.kind() != "CustomResourceDefinition") {
            containers(&mut res.value, image, 0);
        }
    }
}

fn containers(value: &mut Value, image: &Value, depth: usize) {
    if depth > 64 {
        return;
    }
    match value {
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                if matches!(key.as_str(), "containers" | "initContainers") {
                    for container in member.as_array_mut().into_iter().flatten() {
                        if let Some(new) = container["image"].as_str().and_then(|old| renamed(old, image)) {
                            container["image"] = json!(new);
                        }
                    }
                }
                containers(member, image, depth + 1);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| containers(item, image, depth + 1)),
        _ => (),
    }
}

/// The new image, when the old one has the name that is asked for.
fn renamed(old: &str, image: &Value) -> Option<String> {
    let text = |field: &str| image[field].as_str().unwrap_or("");
    let (rest, old_digest) = match old.split_once('@') {
        Some((rest, digest)) => (rest, format!("@{digest}")),
        None => (old, String::new()),
    };
    let after_host = rest.rfind('/').map_or(0, |at| at + 1);
    let (name, old_tag) = match rest[after_host..].find(':') {
        Some(at) => (&rest[..after_host + at], rest[after_host + at..].to_string()),
        None => (rest, String::new()),
    };
    if name != text("name") {
        return None;
    }
    let name = if text("newName").is_empty() { name } else { text("newName") };
    let (mut tag, mut digest) = (old_tag, old_digest);
    match (text("newTag"), text("digest")) {
        ("", "") => (),
        (new, "") => (tag, digest) = (format!(":{new}"), String::new()),
        ("", new) => (tag, digest) = (String::new(), format!("@{new}")),
        (new, hash) => (tag, digest) = (format!(":{new}"), format!("@{hash}")),
    }
    if !text("tagSuffix").is_empty() {
        tag += text("tagSuffix");
    }
    Some(format!("{name}{tag}{digest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_changed_by_name() {
        let rows = [
            ("nginx:1.27", json!({"name": "nginx", "newTag": "1.30"}), Some("nginx:1.30")),
            ("nginx", json!({"name": "nginx", "newName": "a.b:5000/x"}), Some("a.b:5000/x")),
            ("a.b:5000/nginx:1", json!({"name": "a.b:5000/nginx", "digest": "sha256:1"}), Some("a.b:5000/nginx@sha256:1")),
            ("nginx@sha256:2", json!({"name": "nginx", "newTag": "3"}), Some("nginx:3")),
            ("nginxx:1", json!({"name": "nginx", "newTag": "3"}), None),
        ];
        for (old, image, want) in rows {
            assert_eq!(renamed(old, &image).as_deref(), want, "{old}");
        }
    }
}
