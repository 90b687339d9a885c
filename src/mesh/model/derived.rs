//! What has been derived from a mesh so far: whole proxies, and in large meshes the parts of them that requests asked for.

use super::resident::Resident;
use crate::k8s::{Object, Snapshot};
use crate::mesh::capture;
use crate::mesh::compile::scope::{Base, Identity, Offer};
use crate::mesh::compile::slice::{self, Question};
use crate::mesh::compile::touched::{Reads, Touched};
use crate::mesh::compile::{gateway, sidecar};
use crate::mesh::proxy::{Proxy, Route};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard};

/// Parts that are kept at most; then all are dropped.
const KEPT: usize = 65_536;
/// Parts that are looked through at most when a few objects change; others are derived again.
const CARRIED: usize = 4_096;

/// How proxies are derived for a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parts {
    /// Whole in small meshes, in parts in large ones.
    #[default]
    Auto,
    Whole,
    Always,
}

/// A part, or the whole where only that is sure to be right.
#[derive(Debug)]
struct Part {
    proxy: Arc<Proxy>,
    id: Arc<Identity>,
    /// What it was derived from, for parts.
    reads: Option<Reads>,
}

/// Who the pods' proxies are. Models share it as long as neither pods nor what they are told apart by changes.
#[derive(Debug, Default)]
struct Pods {
    /// By the address of a pod's object, so that nobody's labels are read twice.
    known: Mutex<HashMap<usize, Arc<Resident>>>,
    numbers: Mutex<HashMap<Arc<Identity>, usize>>,
}

#[derive(Debug, Default)]
pub struct Derived {
    /// By the number of the proxies that are told the same.
    proxies: Mutex<HashMap<usize, Arc<Proxy>>>,
    parts: Mutex<HashMap<(usize, Question), Arc<Part>>>,
    pods: Arc<Pods>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn kept<K: Hash + Eq, V: Clone>(map: &Mutex<HashMap<K, V>>, key: K, value: V) -> V {
    let mut map = locked(map);
    if map.len() >= KEPT {
        map.clear();
    }
    map.insert(key, value.clone());
    value
}

impl Derived {
    /// What remains true after a change.
    pub fn after(&self, touched: &Touched) -> Derived {
        let fresh = |((_, question), part): &(&(usize, Question), &Arc<Part>)| {
            part.reads.as_ref().is_some_and(|reads| !touched.may_touch(&part.id, question, reads))
        };
        let parts = locked(&self.parts);
        let kept = parts.iter().take(CARRIED).filter(fresh).map(|(key, part)| (key.clone(), part.clone())).collect();
        Derived { proxies: Mutex::default(), parts: Mutex::new(kept), pods: self.pods.clone() }
    }

    /// How many parts are kept.
    #[cfg(test)]
    pub fn parts(&self) -> usize {
        locked(&self.parts).len()
    }

    /// All that a proxy was told.
    pub fn whole(&self, base: &Base, snapshot: &Snapshot, pod: &Object) -> Arc<Proxy> {
        self.of(base, snapshot, &self.resident(base, snapshot, pod))
    }

    fn of(&self, base: &Base, snapshot: &Snapshot, who: &Resident) -> Arc<Proxy> {
        if let Some(known) = locked(&self.proxies).get(&who.number) {
            return known.clone();
        }
        kept(&self.proxies, who.number, Arc::new(derive(base, snapshot, &who.narrow, &base.offer())))
    }

    /// What is known of a pod.
    pub fn resident(&self, base: &Base, snapshot: &Snapshot, pod: &Object) -> Arc<Resident> {
        let address = std::ptr::from_ref(pod).addr();
        if let Some(known) = locked(&self.pods.known).get(&address) {
            return known.clone();
        }
        let id = Arc::new(base.selected.narrow(&capture::identity(pod)));
        let mut numbers = locked(&self.pods.numbers);
        let next = numbers.len();
        let number = *numbers.entry(id.clone()).or_insert(next);
        drop(numbers);
        let there = snapshot.find("", "Pod", pod.namespace(), pod.name());
        let known = Arc::new(Resident::read(pod, there, id, number));
        // What is known holds the mesh's own pod, and with it the address that it is found by.
        match there.is_some_and(|there| std::ptr::eq(&**there, pod)) {
            true => kept(&self.pods.known, address, known),
            false => known,
        }
    }

    /// What a proxy was told, as far as it matters to a question.
    pub fn part(&self, base: &Base, snapshot: &Snapshot, who: &Resident, mut question: Question, parts: Parts) -> Arc<Proxy> {
        let small = base.services.len() + base.virtual_services.len() < slice::SMALL;
        if parts == Parts::Whole || parts == Parts::Auto && small {
            return self.of(base, snapshot, who);
        }
        question.ip = question.ip.filter(|ip| !who.id.gateway && slice::is_known_address(base, *ip));
        let key = (who.number, question);
        if let Some(part) = locked(&self.parts).get(&key) {
            return part.proxy.clone();
        }
        let id = who.narrow.clone();
        let part = match part(base, snapshot, &id, &key.1) {
            Some((proxy, reads)) => Part { proxy: Arc::new(proxy), id, reads: Some(reads) },
            None => Part { proxy: self.of(base, snapshot, who), id, reads: None },
        };
        kept(&self.parts, key, Arc::new(part)).proxy.clone()
    }
}

fn derive(base: &Base, snapshot: &Snapshot, id: &Identity, offer: &Offer<'_>) -> Proxy {
    match id.gateway {
        true => gateway::proxy(base, id, snapshot, offer),
        false => sidecar::proxy(base, id, offer),
    }
}

/// `None` when only the whole is sure to be right.
fn part(base: &Base, snapshot: &Snapshot, id: &Identity, question: &Question) -> Option<(Proxy, Reads)> {
    if !id.gateway {
        let (offer, reads) = slice::for_sidecar(base, id, question)?;
        return Some((derive(base, snapshot, id, &offer), reads));
    }
    let (offer, reads) = slice::for_gateway(base, id, snapshot, question)?;
    let proxy = derive(base, snapshot, id, &offer);
    let listens = proxy.listeners.iter().any(|l| l.port == question.port);
    // A server without any rule listens or answers otherwise: it may have one that was left out.
    let answers = |routes: &[Route]| !routes.is_empty();
    let hollow = proxy.routes.values().any(|config| !config.virtual_hosts.iter().any(|host| answers(&host.routes)));
    (listens && !hollow).then_some((proxy, reads))
}
