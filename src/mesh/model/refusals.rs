//! Causes of refusals that were looked for before: clients ask for a refused host again and again, and the search goes through the
//! registry. A model never changes, so what was found in it stays right; the next model starts with nothing.

use crate::base::shared::Text;
use crate::base::spread::Spread;
use crate::mesh::Cause;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

type Known = HashMap<(usize, u16), HashMap<Text, Cause, Spread>, Spread>;

/// Refused hosts that are kept at most for a workload's port; then all of it are dropped.
const MOST: usize = 4_096;

/// By the number of a workload and the port, then by host.
#[derive(Debug, Default)]
pub struct Refusals {
    known: Mutex<Known>,
}

impl Refusals {
    /// Why a host is refused; `find` is asked when it was not asked before.
    pub fn cause(&self, at: (usize, u16), host: &str, find: impl FnOnce() -> Cause) -> Cause {
        if let Some(known) = self.locked().get(&at).and_then(|hosts| hosts.get(host)) {
            return known.clone();
        }
        let found = find();
        let mut known = self.locked();
        let hosts = known.entry(at).or_default();
        if hosts.len() >= MOST {
            hosts.clear();
        }
        hosts.insert(Text::new(host), found.clone());
        found
    }

    fn locked(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_looked_for_once_for_a_workload_a_port_and_a_host() {
        let refusals = Refusals::default();
        let ask =
            |at: (usize, u16), host: &str, found: &str| refusals.cause(at, host, || Cause::new(found, "spec", "")).object.clone();
        assert_eq!(ask((1, 80), "a.org", "first"), "first");
        assert_eq!(ask((1, 80), "a.org", "second"), "first");
        for (at, host) in [((2, 80), "a.org"), ((1, 443), "a.org"), ((1, 80), "b.org")] {
            assert_eq!(ask(at, host, "other"), "other");
        }
    }

    #[test]
    fn no_more_than_a_limit_is_kept() {
        let refusals = Refusals::default();
        for i in 0..=MOST {
            refusals.cause((0, 80), &format!("{i}.org"), || Cause::new("", "", ""));
        }
        assert_eq!(refusals.locked()[&(0, 80)].len(), 1);
    }
}
