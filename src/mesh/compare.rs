//! Two worlds side by side: what became allowed or denied, what takes another way, what is decided by something else.

use super::survey::{Cell, Found, Group, MAX_CELLS, MAX_GROUPS, Probe, cell, groups, probes, unregistered};
use super::{Inputs, Model};
use crate::base::order::Order;
use crate::base::outcome::Outcome;
use std::collections::{BTreeMap, BTreeSet};

/// What changed for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// It reached its origin only afterwards.
    Allowed,
    /// It reached its origin only before.
    Denied,
    /// It reaches its origin in another way (direct, through a gateway).
    Way,
    /// It still does not reach its origin, and ends otherwise.
    Outcome,
    /// The same becomes of it, decided by another object or field.
    Cause,
}

impl Change {
    /// All, the graver ones first.
    pub const ALL: [Change; 5] = [Change::Allowed, Change::Denied, Change::Way, Change::Outcome, Change::Cause];

    /// What changed between two results; `None` when nothing did. No result: there was no such client.
    pub fn between(before: Option<&Cell>, after: Option<&Cell>) -> Option<Change> {
        let allowed = |cell: Option<&Cell>| cell.is_some_and(Cell::is_allowed);
        match (allowed(before), allowed(after)) {
            (false, true) => return Some(Change::Allowed),
            (true, false) => return Some(Change::Denied),
            _ => {}
        }
        let (before, after) = (before?, after?);
        let cause = |c: &Cell| (c.cause.object.to_string(), c.cause.field.to_string());
        match () {
            () if before.outcome != after.outcome => Some(Change::Outcome),
            () if before.path != after.path => Some(Change::Way),
            () if cause(before) != cause(after) => Some(Change::Cause),
            () => None,
        }
    }
}

/// A request that fares differently.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    pub change: Change,
    /// The workload.
    pub client: String,
    pub probe: Probe,
    /// `None`: there was no such client.
    pub before: Option<Cell>,
    pub after: Option<Cell>,
}

/// Two worlds compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// By change, then by request, then by client.
    pub differences: Vec<Difference>,
    pub clients: usize,
    pub requests: usize,
    /// Whether there was more than the limits allow.
    pub cut: bool,
    /// Whether something in either world is not modelled.
    pub unknown: bool,
}

impl Comparison {
    /// Whether something became allowed or denied.
    pub fn changes_reach(&self) -> bool {
        self.differences.iter().any(|d| matches!(d.change, Change::Allowed | Change::Denied))
    }
}

/// A model and what its traces depend on.
pub type Side<'a> = (&'a Model, &'a Inputs<'a>);

/// Compares every request that either world registers, and requests for a host that none does, for every workload of both. `more`:
/// requests to try besides.
pub fn compare(old: Side<'_>, new: Side<'_>, more: &[Probe]) -> Comparison {
    let by_name = |model: &Model| groups(model).into_iter().map(|g| (g.name.clone(), g)).collect::<BTreeMap<String, Group>>();
    let (before, after) = (by_name(old.0), by_name(new.0));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect::<BTreeSet<_>>().into_iter().collect();
    let mut asked = BTreeSet::new();
    let all = more.iter().cloned().chain(probes(old.0, old.1)).chain(probes(new.0, new.1)).chain(unregistered(new.0, new.1));
    let mut requests: Vec<Probe> = all.filter(|p| asked.insert(format!("{:?}", p.ask))).collect();
    let room = MAX_CELLS / names.len().clamp(1, MAX_GROUPS);
    let cut = names.len() > MAX_GROUPS || requests.len() > room;
    names.truncate(MAX_GROUPS);
    requests.truncate(room);
    let mut found = Comparison { differences: Vec::new(), clients: names.len(), requests: requests.len(), cut, unknown: false };
    let pods = |(model, _): Side<'_>, groups: &BTreeMap<String, Group>| -> Vec<Option<Found>> {
        names.iter().map(|name| groups.get(*name).map(|g| g.client.find(model.snapshot()))).collect()
    };
    let (pods_before, pods_after) = (pods(old, &before), pods(new, &after));
    for probe in &requests {
        let request = probe.ask.request();
        for (i, name) in names.iter().enumerate() {
            let side = |(model, inputs): Side<'_>, pods: &[Option<Found>]| {
                pods[i].as_ref().map(|pod| cell(model, inputs, pod, &request))
            };
            let (was, is) = (side(old, &pods_before), side(new, &pods_after));
            let unknown = |cell: &Option<Cell>| cell.as_ref().is_some_and(|c| c.outcome == Outcome::NotModelled);
            found.unknown |= unknown(&was) || unknown(&is);
            if let Some(change) = Change::between(was.as_ref(), is.as_ref()) {
                let (client, probe) = ((*name).clone(), probe.clone());
                found.differences.push(Difference { change, client, probe, before: was, after: is });
            }
        }
    }
    found.differences.order_by_key(|d| d.change);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::yaml;
    use crate::k8s::{Object, Snapshot};
    use crate::mesh::Options;
    use crate::mesh::draft::{Suppose, Written, draft};
    use crate::outside::Outside;

    const SHOP: &str = include_str!("../../tests/data/explain/shop/shop.yaml");

    fn world(text: &str) -> Snapshot {
        let written = yaml::documents(text).unwrap().into_iter();
        let written = written.map(|d| Written { object: Object(d.value), at: String::new() }).collect();
        let suppose = Suppose { demo: Some("REGISTRY_ONLY".into()), ..Suppose::default() };
        draft(written, &suppose).unwrap().snapshot
    }

    fn told(old: &str, new: &str) -> Vec<String> {
        let outside = Outside::assumed();
        let inputs = Inputs { outside: &outside, now: Default::default(), seed: crate::base::seed::Seed(0), nth: 1 };
        let model = |text: &str| Model::compile(&world(text), &Options::default());
        let (old, new) = (model(old), model(new));
        let found = compare((&old, &inputs), (&new, &inputs), &[]);
        found.differences.iter().map(|d| format!("{:?} {} {}", d.change, d.client, d.probe.ask.url)).collect()
    }

    #[test]
    fn nothing_changed_is_nothing_told() {
        assert_eq!(told(SHOP, SHOP), Vec::<String>::new());
    }

    #[test]
    fn a_narrower_entry_denies_and_its_reverse_allows() {
        let narrower = SHOP.replace(", {number: 443, name: tls, protocol: TLS}]\n---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: google", "]\n---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: google");
        assert_ne!(narrower, SHOP);
        assert_eq!(told(SHOP, &narrower), ["Denied shop/web https://www.wikipedia.org/"]);
        assert_eq!(told(&narrower, SHOP), ["Allowed shop/web https://www.wikipedia.org/"]);
    }

    #[test]
    fn a_sidecar_more_closes_the_world() {
        let injected = SHOP.replace("{name: legacy}", "{name: legacy, labels: {istio-injection: enabled}}");
        let all = told(SHOP, &injected);
        assert!(all.contains(&"Denied legacy/batch http://unregistered.example.com/".to_string()), "{all:?}");
        assert!(all.contains(&"Way legacy/batch http://www.wikipedia.org/".to_string()), "{all:?}");
    }

    #[test]
    fn another_object_is_another_cause_and_another_client_is_another_reach() {
        let renamed = SHOP.replace("{name: wikipedia,", "{name: encyclopedia,");
        assert_eq!(
            told(SHOP, &renamed),
            ["Cause shop/web http://www.wikipedia.org/", "Cause shop/web https://www.wikipedia.org/"]
        );
        let gone = SHOP.replace("kind: Deployment\nmetadata: {name: batch", "kind: Deployment\nmetadata: {name: nightly");
        let all = told(SHOP, &gone);
        assert!(
            all.iter().any(|t| t.starts_with("Denied legacy/batch "))
                && all.iter().any(|t| t.starts_with("Allowed legacy/nightly "))
        );
    }
}
