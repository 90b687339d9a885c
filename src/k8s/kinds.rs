//! The built-in kinds: what discovery lists and the API serves without any CustomResourceDefinition.

use crate::k8s::Kind;

/// A built-in kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindInfo {
    pub group: &'static str,
    /// Served versions, the preferred one first; it is also the stored one.
    pub versions: &'static [&'static str],
    pub kind: &'static str,
    pub plural: &'static str,
    pub singular: &'static str,
    pub short_names: &'static [&'static str],
    pub namespaced: bool,
    pub categories: &'static [&'static str],
    pub verbs: &'static [&'static str],
    pub subresources: &'static [&'static str],
    /// The API server counts changes of the spec in `metadata.generation`.
    pub counts_generations: bool,
}

const ALL: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const NAMESPACE: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];
const CREATE: &[&str] = &["create"];

impl KindInfo {
    /// The kind without its version.
    pub fn kind(&self) -> Kind {
        Kind::new(self.group, self.kind)
    }

    /// The message that describes it in a version: `core.v1.Pod`, `autoscaling.v2.HorizontalPodAutoscaler`.
    pub fn message(&self, version: &str) -> String {
        let group = self.group.split('.').next().filter(|g| !g.is_empty()).unwrap_or("core");
        format!("{group}.{version}.{}", self.kind)
    }

    /// `v1`, `apps/v1`: the preferred version with its group.
    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.versions[0].to_string(),
            group => format!("{group}/{}", self.versions[0]),
        }
    }
}

/// The built-in kind of this group and kind.
pub fn find(group: &str, kind: &str) -> Option<&'static KindInfo> {
    KINDS.iter().find(|info| info.group == group && info.kind == kind)
}

/// The built-in kind of this group and plural.
pub fn find_plural(group: &str, plural: &str) -> Option<&'static KindInfo> {
    KINDS.iter().find(|info| info.group == group && info.plural == plural)
}

#[allow(clippy::too_many_arguments)] // One row of the table below.
const fn kind(
    group: &'static str,
    versions: &'static [&'static str],
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
    short_names: &'static [&'static str],
    namespaced: bool,
    categories: &'static [&'static str],
    verbs: &'static [&'static str],
    subresources: &'static [&'static str],
    counts_generations: bool,
) -> KindInfo {
    KindInfo {
        group,
        versions,
        kind,
        plural,
        singular,
        short_names,
        namespaced,
        categories,
        verbs,
        subresources,
        counts_generations,
    }
}

/// The kinds in the order of discovery: the core group first, then the groups in the order of a real server.
/// Columns: group, versions, kind, plural, singular, short names, namespaced, categories, verbs, subresources, generations.
#[rustfmt::skip]
pub const KINDS: &[KindInfo] = &[
    kind("", &["v1"], "Binding", "bindings", "binding", &[], true, &[], CREATE, &[], false),
    kind("", &["v1"], "ConfigMap", "configmaps", "configmap", &["cm"], true, &[], ALL, &[], false),
    kind("", &["v1"], "Endpoints", "endpoints", "endpoints", &["ep"], true, &[], ALL, &[], false),
    kind("", &["v1"], "Event", "events", "event", &["ev"], true, &[], ALL, &[], false),
    kind("", &["v1"], "LimitRange", "limitranges", "limitrange", &["limits"], true, &[], ALL, &[], false),
    kind("", &["v1"], "Namespace", "namespaces", "namespace", &["ns"], false, &[], NAMESPACE, &["finalize", "status"], false),
    kind("", &["v1"], "Node", "nodes", "node", &["no"], false, &[], ALL, &["status"], false),
    kind("", &["v1"], "PersistentVolumeClaim", "persistentvolumeclaims", "persistentvolumeclaim", &["pvc"], true, &[], ALL, &["status"], false),
    kind("", &["v1"], "PersistentVolume", "persistentvolumes", "persistentvolume", &["pv"], false, &[], ALL, &["status"], false),
    kind("", &["v1"], "Pod", "pods", "pod", &["po"], true, &["all"], ALL, &["attach", "binding", "ephemeralcontainers", "eviction", "exec", "log", "portforward", "resize", "status"], true),
    kind("", &["v1"], "PodTemplate", "podtemplates", "podtemplate", &[], true, &[], ALL, &[], false),
    kind("", &["v1"], "ReplicationController", "replicationcontrollers", "replicationcontroller", &["rc"], true, &["all"], ALL, &["scale", "status"], true),
    kind("", &["v1"], "ResourceQuota", "resourcequotas", "resourcequota", &["quota"], true, &[], ALL, &["status"], false),
    kind("", &["v1"], "Secret", "secrets", "secret", &[], true, &[], ALL, &[], false),
    kind("", &["v1"], "ServiceAccount", "serviceaccounts", "serviceaccount", &["sa"], true, &[], ALL, &["token"], false),
    kind("", &["v1"], "Service", "services", "service", &["svc"], true, &["all"], ALL, &["status"], false),
    kind("apps", &["v1"], "ControllerRevision", "controllerrevisions", "controllerrevision", &[], true, &[], ALL, &[], false),
    kind("apps", &["v1"], "DaemonSet", "daemonsets", "daemonset", &["ds"], true, &["all"], ALL, &["status"], true),
    kind("apps", &["v1"], "Deployment", "deployments", "deployment", &["deploy"], true, &["all"], ALL, &["scale", "status"], true),
    kind("apps", &["v1"], "ReplicaSet", "replicasets", "replicaset", &["rs"], true, &["all"], ALL, &["scale", "status"], true),
    kind("apps", &["v1"], "StatefulSet", "statefulsets", "statefulset", &["sts"], true, &["all"], ALL, &["scale", "status"], true),
    kind("events.k8s.io", &["v1"], "Event", "events", "event", &["ev"], true, &[], ALL, &[], false),
    kind("authentication.k8s.io", &["v1"], "SelfSubjectReview", "selfsubjectreviews", "selfsubjectreview", &[], false, &[], CREATE, &[], false),
    kind("authentication.k8s.io", &["v1"], "TokenReview", "tokenreviews", "tokenreview", &[], false, &[], CREATE, &[], false),
    kind("authorization.k8s.io", &["v1"], "LocalSubjectAccessReview", "localsubjectaccessreviews", "localsubjectaccessreview", &[], true, &[], CREATE, &[], false),
    kind("authorization.k8s.io", &["v1"], "SelfSubjectAccessReview", "selfsubjectaccessreviews", "selfsubjectaccessreview", &[], false, &[], CREATE, &[], false),
    kind("authorization.k8s.io", &["v1"], "SelfSubjectRulesReview", "selfsubjectrulesreviews", "selfsubjectrulesreview", &[], false, &[], CREATE, &[], false),
    kind("authorization.k8s.io", &["v1"], "SubjectAccessReview", "subjectaccessreviews", "subjectaccessreview", &[], false, &[], CREATE, &[], false),
    kind("autoscaling", &["v2", "v1"], "HorizontalPodAutoscaler", "horizontalpodautoscalers", "horizontalpodautoscaler", &["hpa"], true, &["all"], ALL, &["status"], false),
    kind("batch", &["v1"], "CronJob", "cronjobs", "cronjob", &["cj"], true, &["all"], ALL, &["status"], true),
    kind("batch", &["v1"], "Job", "jobs", "job", &[], true, &["all"], ALL, &["status"], true),
    kind("certificates.k8s.io", &["v1"], "CertificateSigningRequest", "certificatesigningrequests", "certificatesigningrequest", &["csr"], false, &[], ALL, &["approval", "status"], false),
    kind("networking.k8s.io", &["v1"], "IngressClass", "ingressclasses", "ingressclass", &[], false, &[], ALL, &[], true),
    kind("networking.k8s.io", &["v1"], "Ingress", "ingresses", "ingress", &["ing"], true, &[], ALL, &["status"], true),
    kind("networking.k8s.io", &["v1"], "NetworkPolicy", "networkpolicies", "networkpolicy", &["netpol"], true, &[], ALL, &[], true),
    kind("policy", &["v1"], "PodDisruptionBudget", "poddisruptionbudgets", "poddisruptionbudget", &["pdb"], true, &[], ALL, &["status"], true),
    kind("rbac.authorization.k8s.io", &["v1"], "ClusterRoleBinding", "clusterrolebindings", "clusterrolebinding", &[], false, &[], ALL, &[], false),
    kind("rbac.authorization.k8s.io", &["v1"], "ClusterRole", "clusterroles", "clusterrole", &[], false, &[], ALL, &[], false),
    kind("rbac.authorization.k8s.io", &["v1"], "RoleBinding", "rolebindings", "rolebinding", &[], true, &[], ALL, &[], false),
    kind("rbac.authorization.k8s.io", &["v1"], "Role", "roles", "role", &[], true, &[], ALL, &[], false),
    kind("storage.k8s.io", &["v1"], "CSIDriver", "csidrivers", "csidriver", &[], false, &[], ALL, &[], false),
    kind("storage.k8s.io", &["v1"], "CSINode", "csinodes", "csinode", &[], false, &[], ALL, &[], false),
    kind("storage.k8s.io", &["v1"], "StorageClass", "storageclasses", "storageclass", &["sc"], false, &[], ALL, &[], false),
    kind("storage.k8s.io", &["v1"], "VolumeAttachment", "volumeattachments", "volumeattachment", &[], false, &[], ALL, &["status"], false),
    kind("admissionregistration.k8s.io", &["v1"], "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "mutatingwebhookconfiguration", &[], false, &["api-extensions"], ALL, &[], true),
    kind("admissionregistration.k8s.io", &["v1"], "ValidatingAdmissionPolicy", "validatingadmissionpolicies", "validatingadmissionpolicy", &[], false, &["api-extensions"], ALL, &["status"], true),
    kind("admissionregistration.k8s.io", &["v1"], "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", "validatingadmissionpolicybinding", &[], false, &["api-extensions"], ALL, &[], true),
    kind("admissionregistration.k8s.io", &["v1"], "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "validatingwebhookconfiguration", &[], false, &["api-extensions"], ALL, &[], true),
    kind("apiextensions.k8s.io", &["v1"], "CustomResourceDefinition", "customresourcedefinitions", "customresourcedefinition", &["crd", "crds"], false, &["api-extensions"], ALL, &["status"], true),
    kind("scheduling.k8s.io", &["v1"], "PriorityClass", "priorityclasses", "priorityclass", &["pc"], false, &[], ALL, &[], true),
    kind("coordination.k8s.io", &["v1"], "Lease", "leases", "lease", &[], true, &[], ALL, &[], false),
    kind("node.k8s.io", &["v1"], "RuntimeClass", "runtimeclasses", "runtimeclass", &[], false, &[], ALL, &[], false),
    kind("discovery.k8s.io", &["v1"], "EndpointSlice", "endpointslices", "endpointslice", &[], true, &[], ALL, &[], true),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::types;

    #[test]
    fn every_kind_is_described_and_named_once() {
        for info in KINDS {
            for version in info.versions {
                assert!(types::message(&info.message(version)).is_some(), "{} {version}", info.kind);
            }
            let same = KINDS.iter().filter(|other| other.group == info.group && other.plural == info.plural);
            assert_eq!(same.count(), 1, "{}", info.plural);
        }
        assert_eq!(find("apps", "Deployment").map(KindInfo::api_version).as_deref(), Some("apps/v1"));
        assert_eq!(find_plural("", "pods").map(|info| info.kind), Some("Pod"));
    }
}
