//! The order in which kubectl prints and applies what a kustomization makes.

use super::Res;

const FIRST: &[&str] = &[
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];
const LAST: &[&str] = &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// What others need comes first, webhooks last; otherwise by type and name.
pub fn sort(all: &mut [Res]) {
    all.sort_by_cached_key(|res| {
        let (group, version) = res.group_version();
        let rank = match (FIRST.iter().position(|k| *k == res.kind()), LAST.iter().position(|k| *k == res.kind())) {
            (Some(at), _) => at,
            (_, Some(at)) => FIRST.len() + 1 + at,
            _ => FIRST.len(),
        };
        // What is missing comes last, as kustomize writes it: `~G`, `~X`.
        let group = if group.is_empty() { "~G" } else { group };
        let namespace = if res.namespace().is_empty() { "~X" } else { res.namespace() };
        let texts = [group, version, res.kind(), namespace, res.name()].map(str::to_string);
        (rank, texts)
    });
}
