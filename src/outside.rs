//! The world beyond the mesh as values: names, addresses, origins and what they answer. Data comes from `assets/outside/`.

pub mod wire;

use crate::outside::wire::DnsAnswer;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The outside world: data that never changes, and the faults that a lesson put into it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    faults: Faults,
    assumed: bool,
}

/// What is broken out there at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Names whose DNS entry is gone (NXDOMAIN).
    pub dns_removed: BTreeSet<String>,
    /// Names whose DNS server does not answer.
    pub dns_silent: BTreeSet<String>,
    /// Origins that misbehave, by `NAME`, `NAME:PORT`, `ADDRESS` or `ADDRESS:PORT`.
    pub origins: BTreeMap<String, OriginFault>,
}

/// How an origin misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OriginFault {
    /// Connections are refused (RST).
    Refuse,
    /// SYNs are dropped.
    Drop,
    /// Connections are accepted and closed before any answer.
    Close,
    /// Every answer takes this many milliseconds more.
    Slow(u64),
    /// Requests are taken and never answered.
    Hang,
}

impl Outside {
    /// The world of the sandbox, from `assets/outside/`.
    pub fn standard() -> Outside {
        Outside::default()
    }

    /// For clusters and folders, where DNS and origins cannot be known: every public name resolves, every origin answers 200.
    pub fn assumed() -> Outside {
        Outside { assumed: true, ..Outside::default() }
    }

    /// Whether names and origins are assumed good rather than known.
    pub fn is_assumed(&self) -> bool {
        self.assumed
    }

    /// What is broken at the moment.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The same world with these faults in place of the present ones.
    pub fn with_faults(&self, faults: Faults) -> Outside {
        Outside { faults, ..self.clone() }
    }

    /// What the public DNS answers for an absolute name (case and a trailing dot do not matter).
    pub fn resolve(&self, _name: &str) -> DnsAnswer {
        DnsAnswer::NoSuchName
    }

    /// Every name that resolves, with its addresses, sorted.
    pub fn names(&self) -> Vec<(String, Vec<IpAddr>)> {
        Vec::new()
    }
}
