//! PeerAuthentication: which connections a workload takes, and what its clients' proxies are told of it
//! (Istio: security/authn/policy_applier.go, xds/endpoints/mtls_checker.go).

use super::attach::Target;
use crate::k8s::Object;
use crate::mesh::Cause;
use crate::mesh::compile::scope::Identity;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a port takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mtls {
    Disable,
    #[default]
    Permissive,
    Strict,
}

/// What a workload takes, and who says so (`None`: Istio's default).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mode {
    general: (Mtls, Option<Cause>),
    ports: BTreeMap<u16, (Mtls, Option<Cause>)>,
}

impl Mode {
    /// What a port takes.
    pub fn at(&self, port: u16) -> (Mtls, Option<&Cause>) {
        let (mode, cause) = self.ports.get(&port).unwrap_or(&self.general);
        (*mode, cause.as_ref())
    }
}

/// All PeerAuthentications.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Peers {
    root: String,
    /// Oldest first.
    policies: BTreeMap<String, Vec<Arc<Object>>>,
}

impl Peers {
    /// Sorts them by namespace; `objects` are sorted by age.
    pub fn read(objects: &[Arc<Object>], root: &str) -> Peers {
        let mut policies: BTreeMap<String, Vec<Arc<Object>>> = BTreeMap::new();
        for object in objects {
            policies.entry(object.namespace().to_string()).or_default().push(object.clone());
        }
        Peers { root: root.to_string(), policies }
    }

    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// What a workload with these labels takes: the narrowest policy wins, the oldest of each scope, `UNSET` inherits.
    pub fn mode(&self, namespace: &str, labels: &BTreeMap<String, String>) -> Mode {
        let mut mode = Mode::default();
        if self.is_empty() {
            return mode;
        }
        let id = Identity { gateway: false, namespace: namespace.to_string(), labels: labels.clone() };
        let in_namespace = |ns: &str| self.policies.get(ns).into_iter().flatten();
        let general = |ns: &str| in_namespace(ns).find(|p| Target::of(p).is_general());
        let outside_root = namespace != self.root;
        let own = general(namespace).filter(|_| outside_root);
        let workload = in_namespace(namespace).find(|p| !Target::of(p).is_general() && Target::of(p).selects(&id));
        let workload = workload.filter(|_| outside_root);
        for policy in [general(&self.root), own, workload].into_iter().flatten() {
            if let Some(found) = read(policy, policy.at(&["spec", "mtls"]), "spec.mtls.mode") {
                mode.general = found;
            }
        }
        let ports = workload.and_then(|p| p.at(&["spec", "portLevelMtls"]).as_object());
        for (port, mtls) in ports.into_iter().flatten() {
            let (Ok(number), Some(policy)) = (port.parse(), workload) else { continue };
            let field = format!("spec.portLevelMtls[{port}].mode");
            let found = read(policy, mtls, &field).unwrap_or_else(|| mode.general.clone());
            mode.ports.insert(number, found);
        }
        mode
    }
}

fn read(policy: &Object, mtls: &Value, field: &str) -> Option<(Mtls, Option<Cause>)> {
    let (mode, text) = match mtls.get("mode").and_then(Value::as_str)? {
        "DISABLE" => (Mtls::Disable, "The workload takes no mutual TLS here."),
        "PERMISSIVE" => (Mtls::Permissive, "The workload takes mutual TLS and plain text here."),
        "STRICT" => (Mtls::Strict, "The workload takes only mutual TLS here."),
        _ => return None,
    };
    Some((mode, Some(Cause::new(policy.key().to_string(), field, text))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(namespace: &str, name: &str, spec: Value) -> Arc<Object> {
        Arc::new(Object(json!({
            "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec,
        })))
    }

    #[test]
    fn the_narrowest_policy_wins_and_unset_inherits() {
        let app: BTreeMap<String, String> = [("app".to_string(), "a".to_string())].into();
        let all = [
            policy("istio-system", "mesh", json!({"mtls": {"mode": "STRICT"}})),
            policy("ns", "own", json!({"mtls": {"mode": "UNSET"}})),
            policy(
                "ns",
                "workload",
                json!({"selector": {"matchLabels": {"app": "a"}}, "portLevelMtls": {"80": {"mode": "DISABLE"}, "81": {}}}),
            ),
            policy("istio-system", "chosen", json!({"selector": {"matchLabels": {"app": "a"}}, "mtls": {"mode": "DISABLE"}})),
        ];
        let peers = Peers::read(&all, "istio-system");
        let mode = peers.mode("ns", &app);
        assert_eq!([mode.at(80).0, mode.at(81).0, mode.at(443).0], [Mtls::Disable, Mtls::Strict, Mtls::Strict]);
        assert_eq!(mode.at(80).1.map(|c| c.field.as_str()), Some("spec.portLevelMtls[80].mode"));
        assert_eq!(mode.at(443).1.map(|c| c.object.as_str()), Some("PeerAuthentication istio-system/mesh"));
        assert_eq!(peers.mode("ns", &BTreeMap::new()).at(80).0, Mtls::Strict);
        assert_eq!(peers.mode("istio-system", &app).at(80).0, Mtls::Strict, "selectors do nothing in the root namespace");
        assert_eq!(Peers::default().mode("ns", &app), Mode::default());
    }
}
