//! Things by the hosts they are for, wildcards included: which cover a name, which overlap a host, without going through all.

use crate::k8s::tree::Tree;
use std::sync::Arc;

/// An index. Copies share what they have in common. Case does not count, so that what is found may be more than what fits: callers
/// compare again where it matters.
#[derive(Debug)]
pub struct Hosts<T> {
    entries: Tree<Spot, Arc<T>>,
    /// How many wildcards there are of each length: only these lengths are looked up.
    lengths: Tree<usize, usize>,
}

/// A host from its end, without its `*` (hosts under one suffix are neighbours), whether it had one, and which item it is.
type Spot = (Arc<[u8]>, bool, usize);

impl<T> Default for Hosts<T> {
    fn default() -> Hosts<T> {
        Hosts { entries: Tree::default(), lengths: Tree::default() }
    }
}

impl<T> Clone for Hosts<T> {
    fn clone(&self) -> Hosts<T> {
        Hosts { entries: self.entries.clone(), lengths: self.lengths.clone() }
    }
}

/// Names up to this length are turned round without memory of their own.
const SHORT: usize = 80;

/// A host from its end, in lower case, without its `*`.
struct Turned {
    short: [u8; SHORT],
    long: Vec<u8>,
    length: usize,
    wild: bool,
}

impl Turned {
    fn of(host: &str) -> Turned {
        match host.strip_prefix('*') {
            Some(suffix) => Turned { wild: true, ..Turned::whole(suffix) },
            None => Turned::whole(host),
        }
    }

    /// A `*` counts like any other letter.
    fn whole(text: &str) -> Turned {
        let mut turned = Turned { short: [0; SHORT], long: Vec::new(), length: text.len(), wild: false };
        if text.len() > SHORT {
            turned.long = vec![0; text.len()];
        }
        let room = if text.len() > SHORT { &mut turned.long[..] } else { &mut turned.short[..text.len()] };
        room.iter_mut().zip(text.bytes().rev()).for_each(|(at, byte)| *at = byte.to_ascii_lowercase());
        turned
    }

    fn text(&self) -> &[u8] {
        if self.length > SHORT { &self.long } else { &self.short[..self.length] }
    }
}

fn number<T>(item: &Arc<T>) -> usize {
    Arc::as_ptr(item).addr()
}

impl<T> Hosts<T> {
    /// Adds an item under a host.
    pub fn add(&mut self, host: &str, item: &Arc<T>) {
        let turned = Turned::of(host);
        let length = turned.length;
        let old = self.entries.insert((turned.text().into(), turned.wild, number(item)), item.clone());
        if turned.wild && old.is_none() {
            let known = self.lengths.get(&length).copied().unwrap_or(0);
            self.lengths.insert(length, known + 1);
        }
    }

    /// Removes an item from under a host.
    pub fn remove(&mut self, host: &str, item: &Arc<T>) {
        let turned = Turned::of(host);
        let gone = self.entries.remove(|key| (&*key.0, key.1, key.2).cmp(&(turned.text(), turned.wild, number(item))));
        if gone.is_none() || !turned.wild {
            return;
        }
        let length = turned.length;
        match self.lengths.get(&length).copied().unwrap_or(0) {
            0 | 1 => drop(self.lengths.remove(|key| key.cmp(&length))),
            more => drop(self.lengths.insert(length, more - 1)),
        }
    }

    /// The items under exactly this host.
    pub fn exactly(&self, host: &str) -> Vec<&Arc<T>> {
        let mut found = Vec::new();
        let turned = Turned::of(host);
        self.at_into(turned.text(), turned.wild, &mut found);
        found
    }

    fn at_into<'a>(&'a self, text: &[u8], wild: bool, found: &mut Vec<&'a Arc<T>>) {
        let from = self.entries.starting(|key| (&*key.0, key.1, key.2).cmp(&(text, wild, 0)));
        found.extend(from.take_while(|(key, _)| &*key.0 == text && key.1 == wild).map(|(_, item)| item));
    }

    /// Adds to `found` the items whose host covers a name (or another wildcard), as [`super::rules::covers`] has it.
    pub fn covering<'a>(&'a self, name: &str, found: &mut Vec<&'a Arc<T>>) {
        let turned = Turned::whole(name);
        let text = turned.text();
        self.at_into(text, false, found);
        self.wild(text, text.len().saturating_sub(1), found);
    }

    /// Wildcards that are a prefix (in reading from the end) of the text, up to a length.
    fn wild<'a>(&'a self, text: &[u8], longest: usize, found: &mut Vec<&'a Arc<T>>) {
        for (&length, _) in self.lengths.iter().take_while(|(length, _)| **length <= longest) {
            if let Some(part) = text.get(..length) {
                self.at_into(part, true, found);
            }
        }
    }

    /// Adds to `found` the items whose host has a name in common with this one, as [`super::rules::overlaps`] has it. Gives up, with
    /// `false`, when there are more than `limit`.
    pub fn overlapping<'a>(&'a self, host: &str, limit: usize, found: &mut Vec<&'a Arc<T>>) -> bool {
        let turned = Turned::of(host);
        let text = turned.text();
        if !turned.wild {
            self.covering(host, found);
            return found.len() <= limit;
        }
        if !text.is_empty() {
            self.wild(text, text.len() - 1, found);
        }
        let from = self.entries.starting(|key| (&*key.0, key.1, key.2).cmp(&(text, false, 0)));
        let under = from.take_while(|(key, _)| key.0.starts_with(text));
        found.extend(under.take(limit.saturating_add(1)).map(|(_, item)| item));
        found.len() <= limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::compile::rules::{covers, overlaps};
    use proptest::prelude::*;

    fn host() -> impl Strategy<Value = String> {
        let name = proptest::collection::vec("[ab]{1,2}", 1..4).prop_map(|parts| parts.join("."));
        prop_oneof![
            4 => name.clone(),
            3 => name.clone().prop_map(|n| format!("*.{n}")),
            1 => name.prop_map(|n| format!("*{n}")),
            1 => Just("*".to_string()),
            1 => Just(String::new()),
        ]
    }

    proptest! {
        #[test]
        fn it_finds_what_going_through_all_finds(hosts in proptest::collection::vec((host(), any::<bool>()), 0..60), asked in host()) {
            let mut index = Hosts::default();
            let mut all: Vec<(Arc<usize>, String)> = Vec::new();
            for (n, (host, remove)) in hosts.into_iter().enumerate() {
                if let Some(at) = all.iter().position(|(_, there)| remove && *there == host) {
                    let (item, host) = all.remove(at);
                    index.remove(&host, &item);
                } else {
                    let item = Arc::new(n);
                    index.add(&host, &item);
                    all.push((item, host));
                }
            }
            let sorted = |mut found: Vec<&Arc<usize>>| { found.sort(); found.into_iter().map(|n| **n).collect::<Vec<_>>() };
            let (mut covering, mut overlapping) = (Vec::new(), Vec::new());
            index.covering(&asked, &mut covering);
            prop_assert!(index.overlapping(&asked, usize::MAX, &mut overlapping));
            let by = |fits: &dyn Fn(&str) -> bool| all.iter().filter(|(_, h)| fits(h)).map(|(n, _)| **n).collect::<Vec<_>>();
            // `*` covers the empty host as well; nobody asks for that one.
            if !asked.is_empty() {
                prop_assert_eq!(sorted(covering), by(&|h| covers(h, &asked)));
                let mut found = sorted(overlapping);
                found.dedup();
                let wanted = by(&|h| overlaps(h, &asked));
                prop_assert!(wanted.iter().all(|n| found.contains(n)), "{:?} {:?}", wanted, found);
            }
            prop_assert_eq!(sorted(index.exactly(&asked)), by(&|h| h == asked));
        }
    }
}
