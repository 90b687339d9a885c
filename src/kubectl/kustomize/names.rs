//! References by name follow the names.

use super::{Res, same_namespace};
use serde_json::{Value, json};

/// A field that names an object: kinds it may name (the sibling `kind` decides among several), kinds that have it, and the way to it.
struct Reference {
    to: &'static [&'static str],
    from: &'static [&'static str],
    path: &'static str,
}

const fn row(to: &'static [&'static str], from: &'static [&'static str], path: &'static str) -> Reference {
    Reference { to, from, path }
}

/// Where pods are described.
const PODS: &[(&str, &str)] = &[
    ("Pod", "spec"),
    ("PodTemplate", "template/spec"),
    ("Deployment", "spec/template/spec"),
    ("ReplicaSet", "spec/template/spec"),
    ("ReplicationController", "spec/template/spec"),
    ("DaemonSet", "spec/template/spec"),
    ("StatefulSet", "spec/template/spec"),
    ("Job", "spec/template/spec"),
    ("CronJob", "spec/jobTemplate/spec/template/spec"),
];

/// What a pod's description names.
const IN_POD: &[(&[&str], &str)] = &[
    (&["ConfigMap"], "volumes/*/configMap/name"),
    (&["ConfigMap"], "volumes/*/projected/sources/*/configMap/name"),
    (&["ConfigMap"], "containers/*/env/*/valueFrom/configMapKeyRef/name"),
    (&["ConfigMap"], "initContainers/*/env/*/valueFrom/configMapKeyRef/name"),
    (&["ConfigMap"], "containers/*/envFrom/*/configMapRef/name"),
    (&["ConfigMap"], "initContainers/*/envFrom/*/configMapRef/name"),
    (&["Secret"], "volumes/*/secret/secretName"),
    (&["Secret"], "volumes/*/projected/sources/*/secret/name"),
    (&["Secret"], "containers/*/env/*/valueFrom/secretKeyRef/name"),
    (&["Secret"], "initContainers/*/env/*/valueFrom/secretKeyRef/name"),
    (&["Secret"], "containers/*/envFrom/*/secretRef/name"),
    (&["Secret"], "initContainers/*/envFrom/*/secretRef/name"),
    (&["Secret"], "imagePullSecrets/*/name"),
    (&["PersistentVolumeClaim"], "volumes/*/persistentVolumeClaim/claimName"),
    (&["ServiceAccount"], "serviceAccountName"),
    (&["PriorityClass"], "priorityClassName"),
];

const BINDINGS: &[&str] = &["RoleBinding", "ClusterRoleBinding"];
const SCALED: &[&str] = &["Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"];

const ELSEWHERE: &[Reference] = &[
    row(SCALED, &["HorizontalPodAutoscaler"], "spec/scaleTargetRef/name"),
    row(&["Service"], &["StatefulSet"], "spec/serviceName"),
    row(&["Service"], &["Ingress"], "spec/rules/*/http/paths/*/backend/service/name"),
    row(&["Service"], &["Ingress"], "spec/defaultBackend/service/name"),
    row(&["Service"], &["APIService"], "spec/service/name"),
    row(
        &["Service"],
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
        "webhooks/*/clientConfig/service/name",
    ),
    row(&["Service"], &["CustomResourceDefinition"], "spec/conversion/webhook/clientConfig/service/name"),
    row(&["Secret"], &["Ingress"], "spec/tls/*/secretName"),
    row(&["Secret"], &["ServiceAccount"], "secrets/*/name"),
    row(&["Secret"], &["ServiceAccount"], "imagePullSecrets/*/name"),
    row(&["ConfigMap", "Secret"], &["Role", "ClusterRole"], "rules/*/resourceNames/*"),
    row(&["Role", "ClusterRole"], BINDINGS, "roleRef/name"),
    row(&["ServiceAccount"], BINDINGS, "subjects/*/name"),
    row(&["PersistentVolume"], &["PersistentVolumeClaim"], "spec/volumeName"),
    row(&["StorageClass"], &["PersistentVolume", "PersistentVolumeClaim"], "spec/storageClassName"),
    row(&["StorageClass"], &["StatefulSet"], "spec/volumeClaimTemplates/*/spec/storageClassName"),
    row(&["IngressClass"], &["Ingress"], "spec/ingressClassName"),
];

/// What an object was called, and what it is called now.
struct Renamed {
    kind: String,
    known: Vec<(String, String)>,
    name: String,
    namespace: String,
}

/// Lets every reference follow the object it names.
pub fn update_references(all: &mut [Res]) {
    let renamed: Vec<Renamed> = all
        .iter()
        .map(|res| Renamed {
            kind: res.kind().to_string(),
            known: res.known.clone(),
            name: res.name().to_string(),
            namespace: res.namespace().to_string(),
        })
        .collect();
    for res in all.iter_mut() {
        let kind = res.kind().to_string();
        let homes: Vec<String> = res.known.iter().map(|(_, ns)| ns.clone()).chain([res.namespace().to_string()]).collect();
        let finder = Finder { renamed: &renamed, homes: &homes };
        for (_, spec) in PODS.iter().filter(|(owner, _)| *owner == kind) {
            for (to, path) in IN_POD {
                let whole: Vec<&str> = spec.split('/').chain(path.split('/')).collect();
                finder.follow(&mut res.value, &whole, to);
            }
        }
        for reference in ELSEWHERE.iter().filter(|reference| reference.from.contains(&kind.as_str())) {
            finder.follow(&mut res.value, &reference.path.split('/').collect::<Vec<_>>(), reference.to);
        }
    }
}

struct Finder<'a> {
    renamed: &'a [Renamed],
    /// The namespaces that the object with the reference is and was in.
    homes: &'a [String],
}

impl Finder<'_> {
    fn follow(&self, value: &mut Value, path: &[&str], to: &[&str]) {
        match path {
            ["*"] => value.as_array_mut().into_iter().flatten().for_each(|item| self.update(item, to, &None)),
            ["*", rest @ ..] => value.as_array_mut().into_iter().flatten().for_each(|item| self.follow(item, rest, to)),
            [key] => self.member(value, key, to),
            [key, rest @ ..] => {
                if let Some(inner) = value.get_mut(*key) {
                    self.follow(inner, rest, to);
                }
            }
            [] => (),
        }
    }

    /// The reference itself: its siblings may say which kind and namespace are meant.
    fn member(&self, holder: &mut Value, key: &str, to: &[&str]) {
        let kind = holder["kind"].as_str().unwrap_or("").to_string();
        if !kind.is_empty() && !to.contains(&kind.as_str()) {
            return;
        }
        let to: Vec<&str> = to.iter().copied().filter(|known| kind.is_empty() || *known == kind).collect();
        let namespace = holder["namespace"].as_str().map(str::to_string);
        let Some(name) = holder.get(key).and_then(Value::as_str) else { return };
        let Some(found) = self.find(name, &to, &namespace) else { return };
        holder[key] = json!(found.name);
        if namespace.is_some() && !found.namespace.is_empty() {
            holder["namespace"] = json!(found.namespace);
        }
    }

    fn update(&self, item: &mut Value, to: &[&str], namespace: &Option<String>) {
        if let Some(found) = item.as_str().and_then(|name| self.find(name, to, namespace)) {
            *item = json!(found.name);
        }
    }

    /// The object that had this name, in the namespace that is meant.
    fn find(&self, name: &str, to: &[&str], namespace: &Option<String>) -> Option<&Renamed> {
        let here = |ns: &str| match namespace {
            Some(meant) => same_namespace(ns, meant),
            None => self.homes.iter().any(|home| same_namespace(home, ns)),
        };
        let had = |r: &&Renamed| {
            to.contains(&r.kind.as_str())
                && r.known.iter().any(|(known, ns)| known == name && (here(ns) || super::is_cluster_scoped_kind(&r.kind)))
        };
        self.renamed.iter().find(had)
    }
}
