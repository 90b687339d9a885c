//! NetworkPolicy as Kubernetes defines it (networking.k8s.io/v1): who may open connections to whom. Whether a cluster enforces it is the
//! business of its network plugin; the sandbox does.

use super::values::range;
use crate::k8s::selector::LabelSelector;
use crate::k8s::{Object, Snapshot};
use crate::mesh::Cause;
use crate::mesh::compile::registry::contains;
use crate::mesh::compile::rules::strings;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// The label that every Namespace carries.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// All NetworkPolicies, by namespace, in the order of their names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Network {
    policies: BTreeMap<String, Vec<Policy>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Policy {
    object: Arc<Object>,
    pods: LabelSelector,
    /// What is let out; `None`: the policy does not isolate for egress.
    egress: Option<Vec<Rule>>,
    ingress: Option<Vec<Rule>>,
}

/// One entry of `egress` or `ingress`.
#[derive(Debug, Clone, PartialEq)]
struct Rule {
    /// `None`: everybody.
    peers: Option<Vec<Peer>>,
    /// `None`: every port.
    ports: Option<Vec<Port>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Peer {
    Block {
        net: (IpAddr, u8),
        except: Vec<(IpAddr, u8)>,
    },
    /// Without a namespace selector: pods of the policy's own namespace.
    Pods {
        pods: LabelSelector,
        namespaces: Option<LabelSelector>,
    },
    /// A peer that nothing is.
    Nobody,
}

#[derive(Debug, Clone, PartialEq)]
struct Port {
    protocol: Protocol,
    port: Wanted,
}

#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    Any,
    Between(u16, u16),
    /// A container port of the receiving pod.
    Name(String),
}

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
}

/// One end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    pub ip: Option<IpAddr>,
    /// The pod at that end, unless it uses the node's network.
    pub pod: Option<&'a Object>,
}

/// A connection before it is made.
#[derive(Debug, Clone, Copy)]
pub struct Flow<'a> {
    pub from: End<'a>,
    pub to: End<'a>,
    pub protocol: Protocol,
    /// The port at the receiving pod, after kube-proxy.
    pub port: u16,
}

/// Which of the two lists of a policy is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Egress,
    Ingress,
}

impl Way {
    fn name(self) -> &'static str {
        if self == Way::Egress { "egress" } else { "ingress" }
    }

    fn peers(self) -> &'static str {
        if self == Way::Egress { "to" } else { "from" }
    }
}

impl Network {
    /// Reads the policies of a moment.
    pub fn read(snapshot: &Snapshot) -> Network {
        let mut policies: BTreeMap<String, Vec<Policy>> = BTreeMap::new();
        for object in snapshot.list("networking.k8s.io", "NetworkPolicy") {
            policies.entry(object.namespace().to_string()).or_default().push(policy(object));
        }
        Network { policies }
    }

    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// Who drops the connection, and for want of what.
    pub fn blocks(&self, snapshot: &Snapshot, flow: &Flow<'_>) -> Option<Cause> {
        let same = flow.from.ip.is_some() && flow.from.ip == flow.to.ip;
        if self.is_empty() || same {
            return None;
        }
        let out = flow.from.pod.and_then(|pod| self.closed(snapshot, flow, pod, Way::Egress));
        out.or_else(|| flow.to.pod.and_then(|pod| self.closed(snapshot, flow, pod, Way::Ingress)))
    }

    fn closed(&self, snapshot: &Snapshot, flow: &Flow<'_>, pod: &Object, way: Way) -> Option<Cause> {
        if pod.at(&["spec", "hostNetwork"]) == &Value::Bool(true) {
            return None;
        }
        let of_pod = self.policies.get(pod.namespace()).into_iter().flatten().filter(|p| p.pods.matches(&pod.labels()));
        let rules = |p: &'_ Policy| if way == Way::Egress { p.egress.clone() } else { p.ingress.clone() };
        let isolating: Vec<(&Policy, Vec<Rule>)> = of_pod.filter_map(|p| Some((p, rules(p)?))).collect();
        let takes = |rule: &Rule| rule.takes_peer(snapshot, flow, pod, way) && rule.takes_port(flow);
        if isolating.is_empty() || isolating.iter().flat_map(|(_, rules)| rules).any(takes) {
            return None;
        }
        let near = isolating.iter().find_map(|(policy, rules)| Some((policy, near_miss(snapshot, flow, pod, rules, way)?)));
        let (policy, field) = near.unwrap_or_else(|| {
            let (policy, rules) = &isolating[0];
            let none = rules.is_empty() && policy.object.at(&["spec", way.name()]).is_null();
            (policy, if none { "spec.policyTypes".into() } else { format!("spec.{}", way.name()) })
        });
        let text =
            format!("The policy isolates {}/{} for {}, and nothing lets this through.", pod.namespace(), pod.name(), way.name());
        Some(Cause::new(policy.object.key().to_string(), field, text))
    }
}

/// The field that alone keeps a rule from letting a connection through: a rule for other ports that names nobody is none such,
/// unless it is the only one.
fn near_miss(snapshot: &Snapshot, flow: &Flow<'_>, pod: &Object, rules: &[Rule], way: Way) -> Option<String> {
    rules.iter().enumerate().find_map(|(i, rule)| {
        let field = match (rule.takes_peer(snapshot, flow, pod, way), rule.takes_port(flow)) {
            (true, false) if rule.peers.is_some() || rules.len() == 1 => "ports",
            (false, true) => way.peers(),
            _ => return None,
        };
        Some(format!("spec.{}[{i}].{field}", way.name()))
    })
}

impl Rule {
    fn takes_peer(&self, snapshot: &Snapshot, flow: &Flow<'_>, own: &Object, way: Way) -> bool {
        let end = if way == Way::Egress { flow.to } else { flow.from };
        self.peers.as_ref().is_none_or(|peers| peers.iter().any(|p| p.is(snapshot, end, own.namespace())))
    }

    fn takes_port(&self, flow: &Flow<'_>) -> bool {
        let fits = |wanted: &Wanted| match wanted {
            Wanted::Any => true,
            Wanted::Between(first, last) => (*first..=*last).contains(&flow.port),
            Wanted::Name(name) => flow.to.pod.is_some_and(|pod| named_port(pod, name, flow.protocol) == Some(flow.port)),
        };
        self.ports.as_ref().is_none_or(|ports| ports.iter().any(|p| p.protocol == flow.protocol && fits(&p.port)))
    }
}

impl Peer {
    fn is(&self, snapshot: &Snapshot, end: End<'_>, own_namespace: &str) -> bool {
        match (self, end.pod) {
            (Peer::Block { net, except }, _) => {
                end.ip.is_some_and(|ip| contains(*net, ip) && !except.iter().any(|e| contains(*e, ip)))
            }
            (Peer::Pods { pods, namespaces }, Some(pod)) => {
                let there = match namespaces {
                    None => pod.namespace() == own_namespace,
                    Some(selector) => selector.matches(&namespace_labels(snapshot, pod.namespace())),
                };
                there && pods.matches(&pod.labels())
            }
            _ => false,
        }
    }
}

fn namespace_labels<'s>(snapshot: &'s Snapshot, name: &'s str) -> BTreeMap<&'s str, &'s str> {
    let mut labels = snapshot.find("", "Namespace", "", name).map(|ns| ns.labels()).unwrap_or_default();
    labels.insert(NAMESPACE_NAME, name);
    labels
}

fn named_port(pod: &Object, name: &str, protocol: Protocol) -> Option<u16> {
    let containers = pod.at(&["spec", "containers"]).as_array().into_iter().flatten();
    let mut ports = containers.flat_map(|c| c.get("ports").and_then(Value::as_array).into_iter().flatten());
    let found = ports.find(|p| p.get("name").and_then(Value::as_str) == Some(name) && protocol_of(p) == Some(protocol))?;
    found.get("containerPort")?.as_u64()?.try_into().ok()
}

/// `protocol`, TCP when absent; `None` for what no request here uses.
fn protocol_of(port: &Value) -> Option<Protocol> {
    match port.get("protocol").and_then(Value::as_str).unwrap_or("TCP") {
        "TCP" => Some(Protocol::Tcp),
        "UDP" => Some(Protocol::Udp),
        _ => None,
    }
}

fn policy(object: &Arc<Object>) -> Policy {
    let list = |key: &str| object.at(&["spec", key]).as_array().map_or(&[][..], Vec::as_slice);
    let types = strings(object.at(&["spec", "policyTypes"]));
    let isolates = |name: &str, default: bool| if types.is_empty() { default } else { types.iter().any(|t| t == name) };
    let rules = |key: &str, peers: &str| list(key).iter().map(|r| rule(r, peers)).collect::<Vec<_>>();
    Policy {
        pods: selector(object.at(&["spec", "podSelector"])),
        egress: isolates("Egress", !list("egress").is_empty()).then(|| rules("egress", "to")),
        ingress: isolates("Ingress", true).then(|| rules("ingress", "from")),
        object: object.clone(),
    }
}

fn selector(value: &Value) -> LabelSelector {
    LabelSelector::from_object(value)
}

fn rule(value: &Value, peers: &str) -> Rule {
    let list = |key: &str| value.get(key).and_then(Value::as_array).filter(|all| !all.is_empty());
    Rule {
        peers: list(peers).map(|all| all.iter().map(peer).collect()),
        ports: list("ports").map(|all| all.iter().filter_map(port).collect()),
    }
}

fn peer(value: &Value) -> Peer {
    let text = |v: &Value| v.as_str().and_then(range);
    if let Some(block) = value.get("ipBlock").filter(|b| b.is_object()) {
        let except = block.get("except").and_then(Value::as_array).into_iter().flatten().filter_map(text).collect();
        return block.get("cidr").and_then(text).map_or(Peer::Nobody, |net| Peer::Block { net, except });
    }
    let chosen = |key: &str| value.get(key).filter(|s| s.is_object()).map(selector);
    match (chosen("podSelector"), chosen("namespaceSelector")) {
        (None, None) => Peer::Nobody,
        (pods, namespaces) => Peer::Pods { pods: pods.unwrap_or_else(|| selector(&json!({}))), namespaces },
    }
}

fn port(value: &Value) -> Option<Port> {
    let number = |key: &str| value.get(key).and_then(Value::as_u64).and_then(|n| u16::try_from(n).ok());
    let wanted = match (value.get("port"), number("port")) {
        (_, Some(first)) => Wanted::Between(first, number("endPort").unwrap_or(first)),
        (Some(Value::String(name)), None) => match name.parse() {
            Ok(n) => Wanted::Between(n, n),
            Err(_) => Wanted::Name(name.clone()),
        },
        _ => Wanted::Any,
    };
    Some(Port { protocol: protocol_of(value)?, port: wanted })
}
