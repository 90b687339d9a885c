//! DestinationRules: reading, which one applies (Istio looks in three namespaces only), and the policy for a port.

use super::registry::Service;
use super::rules::{expand, export_of};
use super::scope::{Base, Identity, export_rank};
use crate::k8s::Object;
use crate::mesh::Cause;
use crate::mesh::config::duration_ms;
use crate::mesh::proxy::UpstreamTls;
use serde_json::Value;
use std::collections::BTreeMap;

/// A DestinationRule.
#[derive(Debug, Clone, PartialEq)]
pub struct DestinationRule {
    pub object: String,
    pub namespace: String,
    pub created: String,
    pub host: String,
    pub export: Option<Vec<String>>,
    /// `workloadSelector.matchLabels`.
    pub selector: BTreeMap<String, String>,
    pub policy: Value,
    pub subsets: Vec<Subset>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Subset {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub policy: Value,
    /// `spec.subsets[0]`, and the object it stands in.
    pub cause: Cause,
}

/// What applies to a service for one client: merged from the rules of one namespace for one host string.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    pub object: String,
    /// The object whose top-level policy counts.
    pub policy_object: String,
    pub policy: Value,
    pub subsets: Vec<Subset>,
}

fn labels(value: &Value) -> BTreeMap<String, String> {
    crate::k8s::object::strings(value).into_iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
}

/// Reads a DestinationRule.
pub fn destination_rule(object: &Object) -> DestinationRule {
    let name = object.key().to_string();
    let subset = |(i, value): (usize, &Value)| Subset {
        name: value.get("name").and_then(Value::as_str).unwrap_or("").into(),
        labels: labels(value.get("labels").unwrap_or(&Value::Null)),
        policy: value.get("trafficPolicy").cloned().unwrap_or(Value::Null),
        cause: Cause::new(&name, &format!("spec.subsets[{i}]"), "The subset is declared here."),
    };
    DestinationRule {
        namespace: object.namespace().into(),
        created: object.str_at(&["metadata", "creationTimestamp"]).into(),
        host: expand(object.str_at(&["spec", "host"]), object.namespace()),
        export: export_of(object),
        selector: labels(object.at(&["spec", "workloadSelector", "matchLabels"])),
        policy: object.at(&["spec", "trafficPolicy"]).clone(),
        subsets: object.at(&["spec", "subsets"]).as_array().into_iter().flatten().enumerate().map(subset).collect(),
        object: name,
    }
}

/// The rule that applies to a service for a client: the client's namespace, the service's, the root namespace; the first that has
/// any wins, nothing is inherited between them.
pub fn applied(base: &Base, id: &Identity, service: &Service) -> Option<Applied> {
    let visible = |rule: &DestinationRule| {
        export_rank(&rule.export, &base.config.default_destination_rule_export, &rule.namespace, &id.namespace)
    };
    let fitting = base.index.destination_rules_for(&service.host);
    if fitting.is_empty() {
        return None;
    }
    let in_namespace = |namespace: &str, private: bool| {
        let rules = fitting.iter().map(|r| &***r).filter(|r| r.namespace == namespace);
        let rules = rules.filter(|r| match visible(r) {
            Some(rank) => !private || rank == 0,
            None => false,
        });
        best(&rules.collect::<Vec<_>>(), id)
    };
    let own_is_root = id.namespace == base.root;
    in_namespace(&id.namespace, own_is_root)
        .or_else(|| in_namespace(&service.namespace, false))
        .or_else(|| in_namespace(&base.root, false))
}

fn best(rules: &[&DestinationRule], id: &Identity) -> Option<Applied> {
    let selects = |r: &DestinationRule| {
        !r.selector.is_empty() && r.namespace == id.namespace && r.selector.iter().all(|(k, v)| id.labels.get(k) == Some(v))
    };
    let selecting: Vec<_> = rules.iter().copied().filter(|r| selects(r)).collect();
    let general: Vec<_> = rules.iter().copied().filter(|r| r.selector.is_empty()).collect();
    let pool = if selecting.is_empty() { general } else { selecting };
    let host = &pool.iter().max_by_key(|r| (!r.host.starts_with('*'), r.host.len()))?.host;
    let first = pool.iter().find(|r| r.host == *host)?;
    let mut applied = Applied {
        object: first.object.clone(),
        policy_object: first.object.clone(),
        policy: first.policy.clone(),
        subsets: Vec::new(),
    };
    for rule in pool.iter().filter(|r| r.host == *host && r.export == first.export) {
        if applied.policy.is_null() && !rule.policy.is_null() {
            applied.policy = rule.policy.clone();
            applied.policy_object = rule.object.clone();
        }
        for subset in &rule.subsets {
            if !applied.subsets.iter().any(|have| have.name == subset.name) {
                applied.subsets.push(subset.clone());
            }
        }
    }
    Some(applied)
}

/// The settings for one port: the subset's over the rule's, field by field; `portLevelSettings` replaces the fields it can hold as a
/// whole within its level.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Policy {
    pub tls: Option<(Value, Cause)>,
    pub connection_pool: Value,
    pub not_modelled: Option<Cause>,
}

impl Applied {
    /// The policy for a port, of a subset or of the whole host.
    pub fn policy_for(&self, port: u16, subset: Option<&Subset>) -> Policy {
        let mut policy = level(&self.policy, port, &self.policy_object, "spec.trafficPolicy");
        if let Some(subset) = subset {
            let own = level(&subset.policy, port, &subset.cause.object, &format!("{}.trafficPolicy", subset.cause.field));
            policy.tls = own.tls.or(policy.tls);
            policy.not_modelled = own.not_modelled.or(policy.not_modelled);
            if !own.connection_pool.is_null() {
                policy.connection_pool = own.connection_pool;
            }
        }
        policy
    }
}

fn level(policy: &Value, port: u16, object: &str, path: &str) -> Policy {
    let settings = policy.get("portLevelSettings").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let own = settings.iter().position(|s| s.pointer("/port/number").and_then(Value::as_u64) == Some(u64::from(port)));
    let (source, path) = match own {
        Some(i) => (&settings[i], format!("{path}.portLevelSettings[{i}]")),
        None => (policy, path.to_string()),
    };
    let tls = source.get("tls").filter(|t| t.is_object()).cloned();
    let cause = |name: &str, text: &str| Cause::new(object, &format!("{path}.{name}"), text);
    let unknown = ["tunnel", "proxyProtocol"].into_iter().find(|k| policy.get(k).is_some_and(|v| !v.is_null()));
    Policy {
        tls: tls.map(|t| (t, cause("tls", "The DestinationRule decides how the proxy speaks to this host."))),
        connection_pool: source.get("connectionPool").cloned().unwrap_or(Value::Null),
        not_modelled: unknown.map(|k| cause(k, "This field is not modelled.")),
    }
}

impl Policy {
    /// TLS that the proxy opens, `None` for plain text. `gateway`: credentialName counts there; on sidecars it does not.
    pub fn upstream_tls(&self, gateway: bool) -> Option<UpstreamTls> {
        let (tls, cause) = self.tls.as_ref()?;
        let text = |key: &str| tls.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
        let mode = text("mode").unwrap_or("DISABLE");
        if mode == "DISABLE" {
            return None;
        }
        let credential = text("credentialName").filter(|_| gateway);
        Some(UpstreamTls {
            mesh: mode == "ISTIO_MUTUAL",
            sni: text("sni").map(String::from),
            san: super::rules::strings(tls.get("subjectAltNames").unwrap_or(&Value::Null)),
            insecure: tls.get("insecureSkipVerify").and_then(Value::as_bool).unwrap_or(false),
            private_ca: credential.is_some() || text("caCertificates").is_some_and(|ca| ca != "system"),
            client_certificate: mode == "MUTUAL" && (credential.is_some() || text("clientCertificate").is_some()),
            cause: Cause::new(&cause.object, &format!("{}.mode", cause.field), &format!("The proxy opens TLS ({mode}).")),
        })
    }

    /// `connectionPool.tcp.connectTimeout` in milliseconds.
    pub fn connect_timeout_ms(&self) -> Option<u64> {
        self.connection_pool.pointer("/tcp/connectTimeout").and_then(Value::as_str).and_then(duration_ms)
    }

    /// `connectionPool.http.h2UpgradePolicy: UPGRADE`.
    pub fn upgrades_to_http2(&self) -> bool {
        self.connection_pool.pointer("/http/h2UpgradePolicy").and_then(Value::as_str) == Some("UPGRADE")
    }
}
