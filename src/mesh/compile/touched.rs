//! Which parts of proxies a change of a few objects can touch. A part is derived from what was found under hosts, ports and gateways
//! (see `slice`): where neither the old nor the new object can be found under any of them, the part would be derived just so again.

use super::destination::destination_rule;
use super::registry::Service;
use super::rules::{self, VirtualService, overlaps};
use super::scope::{Base, Identity};
use super::slice::{self, Heads, Question};
use super::update::{Change, Touches, touches};
use crate::k8s::{Key, Snapshot};
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
    /// A rule is, or was, bound to a gateway.
    bound: bool,
}

impl Touched {
    /// What a change touches; `None` when that may be anything.
    pub fn of(old: &Base, new: &Base, change: &Change<'_>) -> Option<Touched> {
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
        Some(touched)
    }

    fn object(&mut self, base: &Base, snapshot: &Snapshot, key: &Key, what: Touches) -> Option<()> {
        match what {
            Touches::Nothing => {}
            Touches::Entry => {
                // The providers of access logs may name a service's host.
                if !base.config.extension_providers.is_empty() {
                    return None;
                }
                for service in base.index.of_object(&key.to_string()) {
                    self.service(base, service)?;
                }
            }
            Touches::Rule => {
                if let Some(object) = snapshot.get(key) {
                    self.rule(&rules::virtual_service(object))?;
                }
            }
            Touches::Destination => self.hosts.extend(snapshot.get(key).map(|object| destination_rule(object).host)),
            _ => return None,
        }
        Some(())
    }

    fn service(&mut self, base: &Base, service: &Arc<Service>) -> Option<()> {
        let shared = base.index.of_host(&service.host).len() > 1;
        if shared || !service.vips.is_empty() {
            return None;
        }
        self.ports.extend(base.index.places(service, &base.config.default_service_export));
        self.hosts.push(service.host.clone());
        Some(())
    }

    fn rule(&mut self, rule: &VirtualService) -> Option<()> {
        // Without hosts it is a delegate of others.
        if rule.hosts.is_empty() {
            return None;
        }
        self.bound |= rule.gateways.iter().any(|g| g != "mesh");
        self.hosts.extend(rule.hosts.iter().cloned());
        Some(())
    }

    /// Whether a part of a proxy may be another one after the change.
    pub fn may_touch(&self, id: &Identity, question: &Question, reads: &Reads) -> bool {
        let head = |(port, place): &(u16, usize)| *port == question.port && *place <= reads.tried;
        let found = |host: &String| {
            reads.hosts.iter().any(|asked| overlaps(asked, host)) || slice::finds_by_name(&id.namespace, question, host)
        };
        id.gateway && self.bound || self.ports.iter().any(head) || self.hosts.iter().any(found)
    }

    /// Whether the first services of a port, or their rules, may be others after the change.
    pub fn may_touch_heads(&self, port: u16, heads: &Heads) -> bool {
        let found = |host: &String| heads.hosts().any(|head| overlaps(head, host));
        self.ports.iter().any(|(p, place)| *p == port && *place <= heads.tried) || self.hosts.iter().any(found)
    }
}
