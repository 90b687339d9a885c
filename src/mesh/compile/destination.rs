//! DestinationRules: reading, which one applies (Istio looks in three namespaces only), and the policy for a port.

use super::registry::Service;
use super::rules::{expand, export_of};
use super::scope::{Base, Identity, export_rank};
use crate::base::shared::Text;
use crate::k8s::Object;
use crate::mesh::Cause;
use crate::mesh::config::duration_ms;
use crate::mesh::proxy::{Pool, UpstreamTls};
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
        cause: Cause::new(&name, format!("spec.subsets[{i}]"), "The subset is declared here."),
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
    pub connection_pool: Option<(Value, Cause)>,
    /// `loadBalancer.simple: PASSTHROUGH`: where the client wanted to go.
    pub passes_through: bool,
    /// A tunnel for what is not HTTP.
    pub tunnel: Option<Cause>,
    load_balancer: Option<(Value, Cause)>,
    /// A field that is not modelled for anything that goes through the cluster.
    unknown: Option<Cause>,
}

impl Applied {
    /// The policy for a port, of a subset or of the whole host.
    pub fn policy_for(&self, port: u16, subset: Option<&Subset>) -> Policy {
        let policy = level(&self.policy, port, &self.policy_object, "spec.trafficPolicy");
        let Some(subset) = subset else { return policy.settled() };
        let own = level(&subset.policy, port, &subset.cause.object, &format!("{}.trafficPolicy", subset.cause.field));
        let both = Policy {
            tls: own.tls.or(policy.tls),
            connection_pool: own.connection_pool.or(policy.connection_pool),
            load_balancer: own.load_balancer.or(policy.load_balancer),
            tunnel: own.tunnel.or(policy.tunnel),
            unknown: own.unknown.or(policy.unknown),
            passes_through: false,
        };
        both.settled()
    }
}

fn level(policy: &Value, port: u16, object: &str, path: &str) -> Policy {
    let settings = policy.get("portLevelSettings").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let own = settings.iter().position(|s| s.pointer("/port/number").and_then(Value::as_u64) == Some(u64::from(port)));
    let (source, below) = match own {
        Some(i) => (&settings[i], format!("{path}.portLevelSettings[{i}]")),
        None => (policy, path.to_string()),
    };
    let told = |path: &str, name: &str, text: &str| Cause::new(object, format!("{path}.{name}"), text);
    let of = |name: &str, text: &str| {
        let value = source.get(name).filter(|v| v.is_object()).cloned();
        value.map(|v| (v, told(&below, name, text)))
    };
    let whole = |name: &str| policy.get(name).filter(|v| v.is_object());
    let tls = of("tls", "The DestinationRule decides how the proxy speaks to this host.");
    let revoked = tls.as_ref().filter(|(t, _)| t.get("caCrl").and_then(Value::as_str).is_some_and(|c| !c.is_empty()));
    let revoked = revoked.map(|(_, cause)| cause.within("caCrl").saying("Lists of revoked certificates are not modelled."));
    let header = || whole("proxyProtocol").map(|_| told(path, "proxyProtocol", "The PROXY protocol is not modelled."));
    Policy {
        connection_pool: of("connectionPool", "The DestinationRule limits what may be open to this host at the same time."),
        load_balancer: of("loadBalancer", "This way of choosing among several endpoints is not modelled."),
        tunnel: whole("tunnel").map(|_| told(path, "tunnel", "Tunnels are not modelled.")),
        unknown: revoked.or_else(header),
        tls,
        passes_through: false,
    }
}

impl Policy {
    fn settled(mut self) -> Policy {
        let simple = self.load_balancer.as_ref().and_then(|(v, _)| v.get("simple")?.as_str());
        self.passes_through = simple == Some("PASSTHROUGH");
        self
    }

    /// A field that could decide and is not modelled. How endpoints are chosen only matters when there are several.
    pub fn not_modelled(&self, endpoints: usize) -> Option<Cause> {
        let choice = self.load_balancer.as_ref().filter(|_| endpoints > 1).and_then(|(value, cause)| {
            let names = ["consistentHash", "localityLbSetting", "warmup", "warmupDurationSecs"];
            let name = names.into_iter().find(|n| value.get(n).is_some_and(|v| !v.is_null()))?;
            Some(cause.within(name))
        });
        self.unknown.clone().or(choice)
    }

    fn pool_number(&self, pointer: &str) -> Option<u64> {
        let number = self.connection_pool.as_ref()?.0.pointer(pointer)?.as_u64();
        number.filter(|n| *n > 0)
    }

    /// What limits requests at the same time; `None` without limits.
    pub fn pool(&self) -> Option<Pool> {
        let (_, cause) = self.connection_pool.as_ref()?;
        let most = u64::from(u32::MAX);
        let pool = Pool {
            connections: self.pool_number("/tcp/maxConnections").unwrap_or(most),
            pending: self.pool_number("/http/http1MaxPendingRequests").unwrap_or(most),
            requests: self.pool_number("/http/http2MaxRequests").unwrap_or(most),
            cause: cause.clone(),
        };
        (!pool.is_endless()).then_some(pool)
    }

    /// `connectionPool.http.useClientProtocol`.
    pub fn uses_client_protocol(&self) -> bool {
        let pool = self.connection_pool.as_ref();
        pool.and_then(|(v, _)| v.pointer("/http/useClientProtocol")?.as_bool()).unwrap_or(false)
    }

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
            sni: text("sni").map(Text::new),
            san: super::rules::strings(tls.get("subjectAltNames").unwrap_or(&Value::Null)),
            insecure: tls.get("insecureSkipVerify").and_then(Value::as_bool).unwrap_or(false),
            private_ca: credential.is_some() || text("caCertificates").is_some_and(|ca| ca != "system"),
            client_certificate: mode == "MUTUAL" && (credential.is_some() || text("clientCertificate").is_some()),
            cause: Cause::new(&cause.object, format!("{}.mode", cause.field), format!("The proxy opens TLS ({mode}).")),
        })
    }

    /// `connectionPool.tcp.connectTimeout` in milliseconds.
    pub fn connect_timeout_ms(&self) -> Option<u64> {
        self.connection_pool.as_ref()?.0.pointer("/tcp/connectTimeout").and_then(Value::as_str).and_then(duration_ms)
    }

    /// `connectionPool.http.h2UpgradePolicy: UPGRADE`.
    pub fn upgrades_to_http2(&self) -> bool {
        let pool = self.connection_pool.as_ref();
        pool.and_then(|(v, _)| v.pointer("/http/h2UpgradePolicy")?.as_str()) == Some("UPGRADE")
    }
}
