//! The roles and bindings that every cluster has (kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy): those that people meet
//! or bind, not those of controllers that this program does not run.

use crate::sandbox::api::rbac::GROUP;
use serde_json::{Value, json};

/// A rule: API groups, resources, verbs; words apart by spaces, the core group is `core`.
type Row = (&'static str, &'static str, &'static str);

const READ: &str = "get list watch";
const WRITE: &str = "create delete deletecollection patch update";
const READ_WRITE: &str = "create delete deletecollection get list patch update watch";

const VIEW: &[Row] = &[
    (
        "core",
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers \
         replicationcontrollers/scale serviceaccounts services services/status",
        READ,
    ),
    (
        "core",
        "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas \
         resourcequotas/status",
        READ,
    ),
    ("core", "namespaces", READ),
    ("discovery.k8s.io", "endpointslices", READ),
    (
        "apps",
        "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets \
         replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
        READ,
    ),
    ("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", READ),
    ("batch", "cronjobs cronjobs/status jobs jobs/status", READ),
    (
        "extensions",
        "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status networkpolicies \
         replicasets replicasets/scale replicasets/status replicationcontrollers/scale",
        READ,
    ),
    ("policy", "poddisruptionbudgets poddisruptionbudgets/status", READ),
    ("networking.k8s.io", "ingresses ingresses/status networkpolicies", READ),
];

const EDIT: &[Row] = &[
    ("core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy", READ),
    ("core", "serviceaccounts", "impersonate"),
    ("core", "pods pods/attach pods/exec pods/portforward pods/proxy", WRITE),
    ("core", "pods/eviction", "create"),
    (
        "core",
        "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts \
         services services/proxy",
        WRITE,
    ),
    ("core", "serviceaccounts/token", "create"),
    (
        "apps",
        "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale",
        WRITE,
    ),
    ("autoscaling", "horizontalpodautoscalers", WRITE),
    ("batch", "cronjobs jobs", WRITE),
    (
        "extensions",
        "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets replicasets/scale \
         replicationcontrollers/scale",
        WRITE,
    ),
    ("policy", "poddisruptionbudgets", WRITE),
    ("networking.k8s.io", "ingresses networkpolicies", WRITE),
    ("coordination.k8s.io", "leases", READ_WRITE),
];

const ADMIN: &[Row] = &[
    ("authorization.k8s.io", "localsubjectaccessreviews", "create"),
    ("rbac.authorization.k8s.io", "rolebindings roles", READ_WRITE),
];

/// Cluster roles of one purpose: name, rules.
const SYSTEM: &[(&str, &[Row])] = &[
    (
        "system:basic-user",
        &[
            ("authentication.k8s.io", "selfsubjectreviews", "create"),
            ("authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", "create"),
        ],
    ),
    (
        "system:auth-delegator",
        &[("authentication.k8s.io", "tokenreviews", "create"), ("authorization.k8s.io", "subjectaccessreviews", "create")],
    ),
    ("system:kube-dns", &[("core", "endpoints services", "list watch")]),
    (
        "system:node-proxier",
        &[
            ("core", "endpoints services", "list watch"),
            ("core", "nodes", READ),
            ("discovery.k8s.io", "endpointslices", "list watch"),
            ("events.k8s.io core", "events", "create patch update"),
        ],
    ),
    (
        "system:node-problem-detector",
        &[("core", "nodes", "get"), ("core", "nodes/status", "patch"), ("events.k8s.io core", "events", "create patch update")],
    ),
    (
        "system:persistent-volume-provisioner",
        &[
            ("core", "persistentvolumes", "create delete get list watch"),
            ("core", "persistentvolumeclaims", "get list update watch"),
            ("storage.k8s.io", "storageclasses", READ),
            ("core", "events", "watch"),
            ("events.k8s.io core", "events", "create patch update"),
        ],
    ),
];

/// Paths that are no resources: name of the role, the paths, the groups that have it.
const PATHS: &[(&str, &str, &str)] = &[
    (
        "system:discovery",
        "/.well-known /.well-known/* /api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/",
        "system:authenticated",
    ),
    ("system:public-info-viewer", "/healthz /livez /readyz /version /version/", "system:authenticated system:unauthenticated"),
    ("system:monitoring", "/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*", "system:monitoring"),
    (
        "system:service-account-issuer-discovery",
        "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/",
        "system:serviceaccounts",
    ),
];

/// All objects, roles before bindings.
pub fn objects() -> Vec<Value> {
    let everything = json!([
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}]);
    let mut objects = vec![role("cluster-admin", &[], everything)];
    objects.push(aggregated("admin", &[]));
    objects.push(aggregated("edit", &["admin"]));
    objects.push(aggregated("view", &["edit"]));
    for (name, rules) in [("admin", ADMIN), ("edit", EDIT), ("view", VIEW)] {
        objects.push(role(&format!("system:aggregate-to-{name}"), &[name], read(rules)));
    }
    objects.extend(SYSTEM.iter().map(|(name, rules)| role(name, &[], read(rules))));
    for (name, paths, _) in PATHS {
        let rules = json!([{"nonResourceURLs": words(paths), "verbs": ["get"]}]);
        objects.push(role(name, &[], rules));
    }
    objects.push(binding("cluster-admin", "system:masters"));
    objects.push(binding("system:basic-user", "system:authenticated"));
    objects.extend(PATHS.iter().map(|(name, _, groups)| binding(name, groups)));
    objects
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

fn read(rows: &[Row]) -> Value {
    let rule = |(groups, resources, verbs): &Row| {
        let groups: Vec<&str> = words(groups).into_iter().map(|group| if group == "core" { "" } else { group }).collect();
        json!({"apiGroups": groups, "resources": words(resources), "verbs": words(verbs)})
    };
    rows.iter().map(rule).collect()
}

fn metadata(name: &str, aggregate_to: &[&str]) -> Value {
    let mut labels = json!({"kubernetes.io/bootstrapping": "rbac-defaults"});
    for to in aggregate_to {
        labels[format!("{GROUP}/aggregate-to-{to}")] = json!("true");
    }
    json!({"name": name, "labels": labels, "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"}})
}

fn role(name: &str, aggregate_to: &[&str], rules: Value) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata(name, aggregate_to), "rules": rules})
}

/// A role that is made of those labelled for it.
fn aggregated(name: &str, aggregate_to: &[&str]) -> Value {
    let mut role = role(name, aggregate_to, json!([]));
    let label = format!("{GROUP}/aggregate-to-{name}");
    role["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]});
    role
}

fn binding(name: &str, groups: &str) -> Value {
    let subject = |group: &str| json!({"apiGroup": GROUP, "kind": "Group", "name": group});
    let subjects: Vec<Value> = words(groups).into_iter().map(subject).collect();
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": metadata(name, &[]),
           "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": name}, "subjects": subjects})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_binding_names_a_role_that_is_there() {
        let objects = objects();
        let names = |kind: &str| -> Vec<&str> {
            objects.iter().filter(|o| o["kind"] == kind).filter_map(|o| o["metadata"]["name"].as_str()).collect()
        };
        let roles = names("ClusterRole");
        assert!(names("ClusterRoleBinding").iter().all(|name| roles.contains(name)));
        for role in ["cluster-admin", "admin", "edit", "view"] {
            assert!(roles.contains(&role), "{role}");
        }
    }
}
