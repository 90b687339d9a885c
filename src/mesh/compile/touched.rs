//! Which parts of proxies a change of a few objects can touch. A part is derived from what was found under hosts, ports and gateways
//! (see `slice`): where neither the old nor the new object can be found under any of them, the part would be derived just so again.

use super::destination::destination_rule;
use super::index::own_addresses;
use super::registry::{Service, contains};
use super::rules::{self, VirtualService, overlaps};
use super::scope::{Base, Identity, export_rank};
use super::slice::{self, Heads, Question};
use super::update::{Change, Replaced, Touches, touches};
use crate::base::spread::Spread;
use crate::k8s::object::strings;
use crate::k8s::{Key, Object, Snapshot};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Changes of more objects than this count as changes of everything.
const MOST: usize = 64;

/// Where a part was looked for, besides the names of its question.
#[derive(Debug, Clone, Default)]
pub struct Reads {
    /// Hosts, which may be wildcards.
    pub hosts: Vec<String>,
    /// How many services of a sort were tried at most, until one stood at the head of the port.
    pub tried: usize,
}

/// So many hosts are looked through before one more is noted.
const COMPARED: usize = 32;

impl Reads {
    /// Notes a host.
    pub fn host(&mut self, host: &str) {
        if self.hosts.len() > COMPARED || !self.hosts.iter().any(|h| h == host) {
            self.hosts.push(host.to_string());
        }
    }
}

/// Where changed objects can be found, before and after.
#[derive(Debug, Default)]
pub struct Touched {
    hosts: Vec<String>,
    /// Ports of services, with their places among those of their sort.
    ports: Vec<(u16, usize)>,
    /// Addresses and networks of services.
    addresses: Vec<(IpAddr, u8)>,
    /// Of Services their namespace and selector: they give the gateways that they select their ports.
    selectors: Vec<(String, BTreeMap<String, String>)>,
    /// A rule is, or was, bound to a gateway, and among the first there.
    bound: bool,
    /// Pods that are new, gone or not as they were.
    pub pods: Vec<Key>,
    /// Whose guards may be others.
    pub guards: Guards,
    /// The numbers of the workloads whose guards are others.
    pub guarded: HashSet<usize, Spread>,
}

/// Workloads, by what of their policies changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Guards {
    #[default]
    None,
    /// The workloads of a few namespaces.
    Of(BTreeSet<String>),
    All,
}

impl Guards {
    /// Whether it may be those of a namespace.
    pub fn may_be(&self, namespace: &str) -> bool {
        match self {
            Guards::None => false,
            Guards::Of(all) => all.contains(namespace),
            Guards::All => true,
        }
    }

    fn add(&mut self, namespace: &str) {
        match self {
            Guards::None => *self = Guards::Of([namespace.to_string()].into()),
            Guards::Of(all) => drop(all.insert(namespace.to_string())),
            Guards::All => {}
        }
    }
}

/// So many of a gateway's rules stand for it where nothing else does (see `slice::for_gateway`).
pub const LEADING: usize = 4;

impl Touched {
    /// What a change touches; `None` when that may be anything.
    pub fn of(old: &Base, new: &Base, change: &Change<'_>, replaced: &[Replaced]) -> Option<Touched> {
        let same = old.selected == new.selected && old.index.is_sure() && new.index.is_sure();
        if !same || change.keys.len() > MOST {
            return None;
        }
        let mut touched = Touched::default();
        for key in change.keys {
            for (base, snapshot) in [(old, change.old), (new, change.new)] {
                touched.object(base, snapshot, key, touches(key, change.options))?;
            }
        }
        // The providers of access logs may name a service's host.
        if !replaced.is_empty() && !new.config.extension_providers.is_empty() {
            return None;
        }
        for one in replaced {
            one.old.iter().try_for_each(|service| touched.service(old, service))?;
            one.new.iter().try_for_each(|service| touched.service(new, service))?;
        }
        Some(touched)
    }

    fn object(&mut self, base: &Base, snapshot: &Snapshot, key: &Key, what: Touches) -> Option<()> {
        match what {
            // The services of entries and namespaces are told apart by what was replaced.
            Touches::Nothing | Touches::Entry => {}
            Touches::Rule => {
                if let Some(object) = snapshot.get(key) {
                    self.rule(base, &rules::virtual_service(object))?;
                }
            }
            Touches::Destination => self.hosts.extend(snapshot.get(key).map(|object| destination_rule(object).host)),
            Touches::Endpoints => match key.kind.kind.as_str() {
                "Pod" => self.pods.push(key.clone()),
                "Service" => self.selectors.extend(snapshot.get(key).map(|object| selector(object))),
                _ => {}
            },
            Touches::Policy => self.policy(base, key)?,
            _ => return None,
        }
        Some(())
    }

    fn policy(&mut self, base: &Base, key: &Key) -> Option<()> {
        let (group, kind) = (key.kind.group.as_str(), key.kind.kind.as_str());
        if group != "security.istio.io" {
            self.guards = Guards::All;
            return Some(());
        }
        // Whether endpoints take mutual TLS stands in the clusters of all their clients.
        if kind == "PeerAuthentication" {
            if key.namespace == base.root {
                return None;
            }
            let takes = |s: &&Arc<Service>| s.ports.iter().flat_map(|p| &p.endpoints).any(|e| e.mtls);
            let theirs = base.services.iter().filter(|s| s.namespace == key.namespace).filter(takes);
            self.hosts.extend(theirs.map(|s| s.host.clone()));
        }
        match key.namespace == base.root {
            true => self.guards = Guards::All,
            false => self.guards.add(&key.namespace),
        }
        Some(())
    }

    fn service(&mut self, base: &Base, service: &Arc<Service>) -> Option<()> {
        if base.index.of_host(&service.host).len() > 1 {
            return None;
        }
        self.ports.extend(base.index.places(service, &base.config.default_service_export));
        self.hosts.push(service.host.clone());
        self.addresses.extend(own_addresses(service).into_iter().map(|ip| (ip, if ip.is_ipv4() { 32 } else { 128 })));
        self.addresses.extend(&service.vips);
        Some(())
    }

    fn rule(&mut self, base: &Base, rule: &VirtualService) -> Option<()> {
        // Without hosts it is a delegate of others.
        if rule.hosts.is_empty() {
            return None;
        }
        self.bound |= rule.gateways.iter().any(|gateway| gateway != "mesh" && leads(base, gateway, rule));
        self.hosts.extend(rule.hosts.iter().cloned());
        Some(())
    }

    /// Whether a part of a proxy may be another one after the change; `number` is the workload's.
    pub fn may_touch(&self, (id, number): (&Identity, usize), question: &Question, reads: &Reads) -> bool {
        let head = |(port, place): &(u16, usize)| *port == question.port && *place <= reads.tried;
        let found = |host: &String| {
            reads.hosts.iter().any(|asked| overlaps(asked, host)) || slice::finds_by_name(&id.namespace, question, host)
        };
        self.guarded.contains(&number)
            || id.gateway && (self.bound || self.selectors.iter().any(|by| selects(by, id)))
            || self.ports.iter().any(head)
            || self.is_at(question)
            || self.hosts.iter().any(found)
    }

    fn is_at(&self, question: &Question) -> bool {
        let literal = question.names.iter().filter_map(|name| name.parse().ok());
        let here = |ip: IpAddr| self.addresses.iter().any(|net| contains(*net, ip));
        !self.addresses.is_empty() && question.ip.into_iter().chain(literal).any(here)
    }

    /// Whether the first services of a port, or their rules, may be others after the change.
    pub fn may_touch_heads(&self, port: u16, heads: &Heads) -> bool {
        let found = |host: &String| heads.hosts().any(|head| overlaps(head, host));
        self.ports.iter().any(|(p, place)| *p == port && *place <= heads.tried) || self.hosts.iter().any(found)
    }
}

/// Whether a rule may be among those that stand for a gateway: that is not so when enough rules before it are visible everywhere.
fn leads(base: &Base, gateway: &str, rule: &VirtualService) -> bool {
    let sorts: [fn(&VirtualService) -> bool; 2] = [|vs| !vs.http.is_empty(), |vs| !vs.tls.is_empty()];
    let default = &base.config.default_virtual_service_export;
    let is_public = |vs: &VirtualService| export_rank(&vs.export, default, &vs.namespace, "") == Some(2);
    let bound = base.index.bound_to(gateway);
    let own = |vs: &VirtualService| (vs.name.as_str(), vs.namespace.as_str()) == (rule.name.as_str(), rule.namespace.as_str());
    let before = || bound.iter().take_while(|vs| !own(vs)).filter(|vs| is_public(vs));
    !rule.tcp.is_empty() || sorts.iter().any(|has| has(rule) && before().filter(|vs| has(vs)).take(LEADING).count() < LEADING)
}

fn selector(service: &Object) -> (String, BTreeMap<String, String>) {
    let all = strings(service.at(&["spec", "selector"])).into_iter();
    (service.namespace().to_string(), all.map(|(k, v)| (k.to_string(), v.to_string())).collect())
}

fn selects((namespace, selector): &(String, BTreeMap<String, String>), id: &Identity) -> bool {
    *namespace == id.namespace && !selector.is_empty() && selector.iter().all(|(k, v)| id.labels.get(k) == Some(v))
}
