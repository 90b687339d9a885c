//! Which policies are for which workload (Istio: model/policyattachment.go).

use crate::k8s::Object;
use crate::mesh::compile::scope::Identity;
use serde_json::Value;

/// The label that makes a pod an instance of a Gateway API gateway.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// A policy's `selector` and `targetRefs`.
pub struct Target<'a> {
    spec: &'a Value,
    namespace: &'a str,
}

impl<'a> Target<'a> {
    pub fn of(policy: &'a Object) -> Target<'a> {
        Target { spec: policy.spec(), namespace: policy.namespace() }
    }

    fn labels(&self) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        self.spec.pointer("/selector/matchLabels").and_then(Value::as_object).into_iter().flatten()
    }

    fn references(&self) -> Vec<&'a Value> {
        let many = self.spec.get("targetRefs").and_then(Value::as_array).filter(|all| !all.is_empty());
        match many {
            Some(all) => all.iter().collect(),
            None => self.spec.get("targetRef").filter(|one| one.is_object()).into_iter().collect(),
        }
    }

    /// Whether it is for every workload of its namespace (or, in the root namespace, of the mesh).
    pub fn is_general(&self) -> bool {
        self.labels().next().is_none() && self.references().is_empty()
    }

    /// Whether the selector takes these labels.
    pub fn selects(&self, id: &Identity) -> bool {
        self.labels().all(|(k, v)| id.labels.get(k).map(String::as_str) == v.as_str())
    }

    /// Whether the policy is attached to the workload; the namespaces looked in are the caller's business.
    pub fn takes(&self, id: &Identity) -> bool {
        let references = self.references();
        let Some(gateway) = id.labels.get(GATEWAY_NAME) else {
            return references.is_empty() && self.selects(id);
        };
        if references.is_empty() {
            return self.selects(id);
        }
        let text = |reference: &'a Value, key: &str| reference.get(key).and_then(Value::as_str).unwrap_or("");
        self.namespace == id.namespace
            && references.iter().any(|r| {
                let own = matches!(text(r, "namespace"), ns if ns.is_empty() || ns == id.namespace);
                let kind = (text(r, "group"), text(r, "kind")) == ("gateway.networking.k8s.io", "Gateway");
                own && kind && text(r, "name") == gateway
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn id(labels: &[(&str, &str)]) -> Identity {
        let labels = labels.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Identity { gateway: true, namespace: "istio-system".into(), labels }
    }

    fn takes(spec: Value, id: &Identity) -> bool {
        Target::of(&Object(json!({"metadata": {"namespace": "istio-system"}, "spec": spec}))).takes(id)
    }

    #[test]
    fn selectors_and_references() {
        let egress = id(&[("istio", "egressgateway")]);
        let api = id(&[(GATEWAY_NAME, "out")]);
        let reference =
            |name: &str| json!({"targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name}]});
        assert!(takes(json!({}), &egress) && takes(json!({}), &api));
        assert!(takes(json!({"selector": {"matchLabels": {"istio": "egressgateway"}}}), &egress));
        assert!(!takes(json!({"selector": {"matchLabels": {"istio": "ingressgateway"}}}), &egress));
        assert!(!takes(reference("out"), &egress), "references are for Gateway API gateways only");
        assert!(takes(reference("out"), &api) && !takes(reference("in"), &api));
    }
}
