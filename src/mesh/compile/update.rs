//! A change of a few objects: what it touches is read again, everything else is kept.

use super::destination::destination_rule;
use super::gateway::gateway;
use super::gateway_api;
use super::registry::{self, Service};
use super::rules;
use super::scope::Base;
use crate::k8s::{Key, Object, Snapshot};
use crate::mesh::Options;
use crate::mesh::policy::Policies;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a change of one object touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touches {
    /// Nothing that a trace depends on.
    Nothing,
    /// Nothing that is read beforehand; proxies may still depend on it.
    Proxies,
    /// The hosts of one ServiceEntry.
    Entry,
    /// The services of a namespace: their endpoints come from these objects.
    Endpoints,
    Rule,
    Destination,
    Gateway,
    Sidecar,
    /// What decides besides routing.
    Policy,
    /// Anything: all objects are read again.
    Everything,
}

/// Kinds that never decide where a request goes.
const IDLE: [&str; 5] = ["Event", "Lease", "ReplicaSet", "ServiceAccount", "ControllerRevision"];

/// What a change of the object with this key touches. A kind that is not named here touches everything.
pub fn touches(key: &Key, options: &Options) -> Touches {
    let root = key.namespace == options.root_namespace;
    match (key.kind.group.as_str(), key.kind.kind.as_str()) {
        ("networking.istio.io", "ServiceEntry") => Touches::Entry,
        ("networking.istio.io", "VirtualService") => Touches::Rule,
        ("networking.istio.io", "DestinationRule") => Touches::Destination,
        ("networking.istio.io", "Gateway") => Touches::Gateway,
        ("networking.istio.io", "Sidecar") => Touches::Sidecar,
        ("security.istio.io" | "telemetry.istio.io" | "extensions.istio.io", _)
        | ("networking.istio.io", "EnvoyFilter")
        | ("networking.k8s.io", "NetworkPolicy") => Touches::Policy,
        ("networking.istio.io", "WorkloadEntry")
        | ("", "Service" | "Pod" | "Endpoints")
        | ("discovery.k8s.io", "EndpointSlice") => Touches::Endpoints,
        ("" | "apps" | "coordination.k8s.io" | "events.k8s.io", kind) if IDLE.contains(&kind) => Touches::Nothing,
        ("", "ConfigMap") | ("apps", "Deployment") if !root => Touches::Proxies,
        ("", "Secret") | ("apps", "DaemonSet" | "StatefulSet") | ("batch", _) => Touches::Proxies,
        _ => Touches::Everything,
    }
}

/// The services that one object gave before and gives now, where they are not the same.
#[derive(Debug)]
pub struct Replaced {
    pub old: Vec<Arc<Service>>,
    pub new: Vec<Arc<Service>>,
}

/// From one moment to the next.
pub struct Change<'a> {
    pub old: &'a Snapshot,
    pub new: &'a Snapshot,
    pub keys: &'a [Key],
    pub options: &'a Options,
}

impl Base {
    /// The mesh's objects after a change, and the services that it replaced; `None` when all objects are to be read again.
    pub fn changed(&self, change: &Change<'_>) -> Option<(Base, Vec<Replaced>)> {
        // Routes of the Gateway API depend on Services, ServiceEntries and namespaces; discovery selectors on namespaces.
        let apart = !self.config.discovery_selectors.is_empty();
        if apart || gateway_api::any(change.old) || gateway_api::any(change.new) {
            return None;
        }
        let mut base = self.clone();
        let mut replaced = Vec::new();
        let mut namespaces = BTreeSet::new();
        for key in change.keys.iter().collect::<BTreeSet<_>>() {
            match touches(key, change.options) {
                Touches::Nothing | Touches::Proxies => {}
                Touches::Everything => return None,
                Touches::Endpoints => drop(namespaces.insert(key.namespace.as_str())),
                Touches::Entry => replaced.extend(base.replace_services(change.old.get(key), change.new.get(key), change.new)),
                Touches::Rule => base.replace_rule(change.old.get(key), change.new.get(key)),
                Touches::Destination => base.replace_destination(change.old.get(key), change.new.get(key)),
                Touches::Gateway => base.replace_gateway(change.old.get(key), change.new.get(key)),
                Touches::Policy => {
                    base.policies = Arc::new(Policies::read(change.new, &base.root, &base.config));
                    let selects = key.kind.group.ends_with("istio.io");
                    change.new.get(key).filter(|_| selects).into_iter().for_each(|o| base.selected.object(o));
                }
                Touches::Sidecar => {
                    base.sidecars = change.new.list("networking.istio.io", "Sidecar").cloned().collect();
                    change.new.get(key).into_iter().for_each(|o| base.selected.object(o));
                }
            }
        }
        namespaces.into_iter().for_each(|namespace| base.read_namespace(change, namespace, &mut replaced));
        Some((base, replaced))
    }

    /// The services of a namespace whose endpoints come from other objects.
    fn read_namespace(&mut self, change: &Change<'_>, namespace: &str, replaced: &mut Vec<Replaced>) {
        let (old, new) = (change.old, change.new);
        let keys = |snapshot: &Snapshot| {
            let services = snapshot.list_in("", "Service", namespace).map(|o| o.key());
            let entries = snapshot.list_in("networking.istio.io", "ServiceEntry", namespace);
            let selecting = entries.filter(|o| !o.at(&["spec", "workloadSelector"]).is_null()).map(|o| o.key());
            services.chain(selecting).collect::<Vec<_>>()
        };
        let all: BTreeSet<Key> = keys(old).into_iter().chain(keys(new)).collect();
        for key in all {
            replaced.extend(self.replace_services(old.get(&key), new.get(&key), new));
        }
    }

    /// `None` where the services are what they were.
    fn replace_services(
        &mut self,
        old: Option<&Arc<Object>>,
        new: Option<&Arc<Object>>,
        snapshot: &Snapshot,
    ) -> Option<Replaced> {
        // By what is held already: an entry that is new may have been taken in before its namespace is read.
        let had: Vec<Arc<Service>> = match old.or(new) {
            Some(object) => self.index.of_object(&object.key().to_string()).into_iter().cloned().collect(),
            None => Vec::new(),
        };
        let has: Vec<Service> = new.map(|o| registry::of(o, snapshot)).unwrap_or_default();
        if had.len() == has.len() && had.iter().zip(&has).all(|(a, b)| **a == *b) {
            return None;
        }
        let default = self.config.default_service_export.clone();
        for service in &had {
            self.services.remove(service);
            self.index.remove_service(service, &default);
        }
        let has: Vec<Arc<Service>> = has.into_iter().map(Arc::new).collect();
        for service in &has {
            self.services.add(service.clone());
            self.index.add_service(service, &default);
        }
        Some(Replaced { old: had, new: has })
    }

    fn replace_rule(&mut self, old: Option<&Arc<Object>>, new: Option<&Arc<Object>>) {
        let there = old.and_then(|o| self.virtual_services.find(&rules::virtual_service(o)).cloned());
        if let Some(rule) = there {
            self.virtual_services.remove(&rule);
            self.index.remove_rule(&rule);
        }
        if let Some(object) = new {
            let rule = Arc::new(rules::virtual_service(object));
            self.virtual_services.add(rule.clone());
            self.index.add_rule(&rule);
            self.selected.rule(&rule);
        }
    }

    fn replace_destination(&mut self, old: Option<&Arc<Object>>, new: Option<&Arc<Object>>) {
        let there = old.and_then(|o| self.destination_rules.find(&destination_rule(o)).cloned());
        if let Some(rule) = there {
            self.destination_rules.remove(&rule);
            self.index.destination_rules.remove(&rule.host, &rule);
        }
        if let Some(object) = new {
            let rule = Arc::new(destination_rule(object));
            self.destination_rules.add(rule.clone());
            self.index.destination_rules.add(&rule.host, &rule);
            self.selected.destination_rule(&rule);
        }
    }

    fn replace_gateway(&mut self, old: Option<&Arc<Object>>, new: Option<&Arc<Object>>) {
        let there = old.and_then(|o| self.gateways.find(&gateway(o)).cloned());
        if let Some(gateway) = there {
            self.gateways.remove(&gateway);
        }
        if let Some(object) = new {
            self.gateways.add(Arc::new(gateway(object)));
        }
    }
}
