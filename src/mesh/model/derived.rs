//! What has been derived from a mesh so far: whole proxies, and in large meshes the parts of them that requests asked for.

use super::resident::Resident;
use crate::base::spread::Spread;
use crate::k8s::{Object, Snapshot};
use crate::mesh::capture;
use crate::mesh::compile::scope::{Base, Identity, Offer};
use crate::mesh::compile::slice::{self, Heads, Question};
use crate::mesh::compile::standing::{Standing, Viewer};
use crate::mesh::compile::touched::{Guards, Reads, Touched};
use crate::mesh::compile::{gateway, sidecar};
use crate::mesh::proxy::{Proxy, Route};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// Parts that are kept at most; then all are dropped.
const KEPT: usize = 65_536;
/// For how many changes a part is kept that nobody asks for.
const LINKS: usize = 8;
/// Changes in a row after which nobody asked for anything: more are too many to go through.
const IN_A_ROW: usize = 32;

/// How proxies are derived for a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parts {
    /// Whole in small meshes, in parts in large ones.
    #[default]
    Auto,
    Whole,
    Always,
}

/// A workload as far as what it is told depends on it, with a number to look it up by, and what it is told in any case.
#[derive(Debug)]
pub(super) struct Who {
    pub id: Identity,
    pub number: usize,
    standing: Standing,
}

impl Who {
    fn views<'a>(&'a self, base: &'a Base) -> Viewer<'a> {
        Viewer { base, id: &self.id, standing: &self.standing }
    }
}

/// A part, or the whole where only that is sure to be right.
#[derive(Debug)]
struct Part {
    proxy: Arc<Proxy>,
    who: Arc<Who>,
    /// What it was derived from, for parts.
    reads: Option<Reads>,
}

/// Who the pods' proxies are. Models share it as long as neither pods nor what they are told apart by changes, nor what stands for
/// each of them.
#[derive(Debug, Default)]
struct Pods {
    /// By the address of a pod's object, so that nobody's labels are read twice.
    known: Mutex<HashMap<usize, Arc<Resident>, Spread>>,
    numbers: Arc<Mutex<HashMap<Identity, Arc<Who>>>>,
    /// The next number. Models that come from one another share it: no number means two workloads.
    next: Arc<AtomicUsize>,
}

impl Pods {
    /// The same after a change. Notes whose guards are others.
    fn after(self: &Arc<Pods>, touched: &mut Touched, base: &Base) -> Arc<Pods> {
        let mut others: HashMap<usize, Arc<Who>> = HashMap::new();
        if touched.guards != Guards::None {
            let numbers = locked(&self.numbers);
            for who in numbers.values().filter(|who| touched.guards.may_be(&who.id.namespace)) {
                let standing = Standing::of(base, &who.id);
                if standing.guard != who.standing.guard {
                    others.insert(who.number, Arc::new(Who { id: who.id.clone(), number: who.number, standing }));
                }
            }
        }
        touched.guarded.extend(others.keys());
        if others.is_empty() && touched.pods.is_empty() {
            return self.clone();
        }
        let numbers = match others.is_empty() {
            true => self.numbers.clone(),
            false => {
                let now = |(id, who): (&Identity, &Arc<Who>)| (id.clone(), others.get(&who.number).unwrap_or(who).clone());
                Arc::new(Mutex::new(locked(&self.numbers).iter().map(now).collect()))
            }
        };
        let known = locked(&self.known);
        let stays = |who: &Resident| !touched.pods.iter().any(|key| *key.name == *who.name && *key.namespace == *who.namespace);
        let now = |known: &Arc<Resident>| match others.get(&known.who.number) {
            Some(who) => Arc::new(Resident { who: who.clone(), ..Resident::clone(known) }),
            None => known.clone(),
        };
        let known = known.iter().filter(|(_, who)| stays(who)).map(|(address, known)| (*address, now(known))).collect();
        Arc::new(Pods { known: Mutex::new(known), numbers, next: self.next.clone() })
    }

    /// Who a workload is; `standing` is asked for one that nobody asked for before.
    fn who(&self, id: Identity, standing: impl FnOnce(&Identity) -> Standing) -> Arc<Who> {
        let mut numbers = locked(&self.numbers);
        if let Some(who) = numbers.get(&id) {
            return who.clone();
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let who = Arc::new(Who { standing: standing(&id), id: id.clone(), number });
        numbers.insert(id, who.clone());
        who
    }
}

type Kept = Mutex<HashMap<(usize, Question), Arc<Part>, Spread>>;

/// The parts of an earlier moment, and what has changed since. Nothing is looked through at a change: whether a part is still right
/// is found out when it is asked for.
#[derive(Debug, Clone)]
struct Earlier {
    parts: Arc<Kept>,
    since: Vec<Arc<Touched>>,
}

impl Earlier {
    fn may_be_another(&self, part: &Part, question: &Question) -> bool {
        let Some(reads) = &part.reads else { return true };
        self.since.iter().any(|touched| touched.may_touch((&part.who.id, part.who.number), question, reads))
    }
}

#[derive(Debug, Default)]
pub struct Derived {
    proxies: Mutex<HashMap<usize, Arc<Proxy>, Spread>>,
    heads: Mutex<HashMap<(usize, u16), Option<Arc<Heads>>>>,
    parts: Arc<Kept>,
    /// The latest first.
    earlier: Vec<Earlier>,
    pods: Arc<Pods>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn kept<K: Hash + Eq, V: Clone, S: BuildHasher>(map: &Mutex<HashMap<K, V, S>>, key: K, value: V) -> V {
    let mut map = locked(map);
    if map.len() >= KEPT {
        map.clear();
    }
    map.insert(key, value.clone());
    value
}

impl Derived {
    /// What remains true after a change; `base` is what is there now.
    pub fn after(&self, mut touched: Touched, base: &Base) -> Derived {
        let pods = self.pods.after(&mut touched, base);
        let touched = Arc::new(touched);
        let mut earlier: Vec<Earlier> = Vec::with_capacity(LINKS);
        if !locked(&self.parts).is_empty() {
            earlier.push(Earlier { parts: self.parts.clone(), since: Vec::new() });
        }
        earlier.extend(self.earlier.iter().take(LINKS - earlier.len()).cloned());
        earlier.iter_mut().for_each(|link| link.since.push(touched.clone()));
        earlier.retain(|link| link.since.len() <= IN_A_ROW);
        let right = |((_, port), heads): &(&(usize, u16), &Option<Arc<Heads>>)| {
            heads.as_ref().is_some_and(|heads| !touched.may_touch_heads(*port, heads))
        };
        let heads = locked(&self.heads).iter().filter(right).map(|(key, heads)| (*key, heads.clone())).collect();
        Derived { proxies: Mutex::default(), heads: Mutex::new(heads), parts: Arc::default(), earlier, pods }
    }

    /// A part of an earlier moment that is still right.
    fn still_right(&self, key: &(usize, Question)) -> Option<Arc<Part>> {
        let (link, part) = self.earlier.iter().find_map(|link| Some((link, locked(&link.parts).get(key)?.clone())))?;
        (!link.may_be_another(&part, &key.1)).then_some(part)
    }

    /// Derives at once the parts of the moment before that are no longer right; how many. Otherwise each is derived when it is next
    /// asked for. `None` when nothing is known of the moment before.
    pub fn catch_up(&self, base: &Base, snapshot: &Snapshot) -> Option<usize> {
        let Some(link) = self.earlier.first() else { return (!locked(&self.parts).is_empty()).then_some(0) };
        let mut stale: Vec<((usize, Question), Arc<Who>)> = Vec::new();
        for (key, part) in locked(&link.parts).iter() {
            if link.may_be_another(part, &key.1) && !locked(&self.parts).contains_key(key) {
                stale.push((key.clone(), part.who.clone()));
            }
        }
        let count = stale.len();
        for (key, who) in stale {
            let who = self.pods.who(who.id.clone(), |id| Standing::of(base, id));
            drop(self.derived(base, snapshot, key, who));
        }
        Some(count)
    }

    /// How many parts need not be derived again.
    #[cfg(test)]
    pub fn parts(&self) -> usize {
        let own = locked(&self.parts).len();
        let link = self.earlier.first();
        let right = |link: &Earlier| locked(&link.parts).iter().filter(|(key, part)| !link.may_be_another(part, &key.1)).count();
        own + link.map_or(0, right)
    }

    /// All that a proxy was told.
    pub fn whole(&self, base: &Base, snapshot: &Snapshot, pod: &Object) -> Arc<Proxy> {
        self.of(base, snapshot, &self.resident(base, snapshot, pod).who)
    }

    fn of(&self, base: &Base, snapshot: &Snapshot, who: &Who) -> Arc<Proxy> {
        if let Some(known) = locked(&self.proxies).get(&who.number) {
            return known.clone();
        }
        kept(&self.proxies, who.number, Arc::new(derive(who.views(base), snapshot, &base.offer())))
    }

    /// What is known of a pod.
    pub fn resident(&self, base: &Base, snapshot: &Snapshot, pod: &Object) -> Arc<Resident> {
        let address = std::ptr::from_ref(pod).addr();
        if let Some(known) = locked(&self.pods.known).get(&address) {
            return known.clone();
        }
        let who = self.pods.who(base.selected.narrow(&capture::identity(pod)), |id| Standing::of(base, id));
        let there = snapshot.find("", "Pod", pod.namespace(), pod.name());
        let known = Arc::new(Resident::read(pod, there, who));
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
            return self.of(base, snapshot, &who.who);
        }
        question.ip = question.ip.filter(|ip| !who.id.gateway && slice::is_known_address(base, *ip));
        let key = (who.who.number, question);
        if let Some(part) = locked(&self.parts).get(&key) {
            return part.proxy.clone();
        }
        match self.still_right(&key) {
            Some(part) => kept(&self.parts, key, part).proxy.clone(),
            None => self.derived(base, snapshot, key, who.who.clone()),
        }
    }

    fn derived(&self, base: &Base, snapshot: &Snapshot, key: (usize, Question), who: Arc<Who>) -> Arc<Proxy> {
        let part = match who.id.gateway {
            true => gateway_part(who.views(base), snapshot, &key.1),
            false => self.sidecar_part(&who, base, snapshot, &key.1),
        };
        let part = match part {
            Some((proxy, reads)) => Part { proxy: Arc::new(proxy), who, reads: Some(reads) },
            None => Part { proxy: self.of(base, snapshot, &who), who, reads: None },
        };
        kept(&self.parts, key, Arc::new(part)).proxy.clone()
    }

    /// `None` when only the whole is sure to be right.
    fn sidecar_part(&self, who: &Who, base: &Base, snapshot: &Snapshot, question: &Question) -> Option<(Proxy, Reads)> {
        let (viewer, key) = (who.views(base), (who.number, question.port));
        let known = locked(&self.heads).get(&key).cloned();
        let heads = known.unwrap_or_else(|| kept(&self.heads, key, Heads::of(viewer, question.port).map(Arc::new)))?;
        let (offer, reads) = slice::for_sidecar(viewer, &heads, question)?;
        Some((derive(viewer, snapshot, &offer), reads))
    }
}

fn derive(viewer: Viewer<'_>, snapshot: &Snapshot, offer: &Offer<'_>) -> Proxy {
    match viewer.id.gateway {
        true => gateway::proxy(viewer, snapshot, offer),
        false => sidecar::proxy(viewer, offer),
    }
}

/// `None` when only the whole is sure to be right.
fn gateway_part(viewer: Viewer<'_>, snapshot: &Snapshot, question: &Question) -> Option<(Proxy, Reads)> {
    let (offer, reads) = slice::for_gateway(viewer, snapshot, question)?;
    let proxy = derive(viewer, snapshot, &offer);
    let listens = proxy.listeners.iter().any(|l| l.port == question.port);
    // A server without any rule listens or answers otherwise: it may have one that was left out.
    let answers = |routes: &[Route]| !routes.is_empty();
    let hollow = proxy.routes.values().any(|config| !config.virtual_hosts.iter().any(|host| answers(&host.routes)));
    (listens && !hollow).then_some((proxy, reads))
}
