//! The world beyond the mesh as values: names, addresses, origins and what they answer. Data comes from `assets/outside/`.

pub mod answer;
pub mod servers;
pub mod site;
pub mod wire;

use crate::base::seed::Seed;
use crate::outside::site::Site;
use crate::outside::wire::DnsAnswer;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

/// The sites of `assets/outside/`, read once.
static SITES: LazyLock<Arc<Vec<Site>>> = LazyLock::new(|| {
    let text = include_str!("../assets/outside/sites.yaml");
    Arc::new(site::read(text).expect("the embedded sites are read by a test"))
});

/// The outside world: data that never changes, and the faults that a lesson put into it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    sites: Arc<Vec<Site>>,
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
        Outside { sites: SITES.clone(), ..Outside::default() }
    }

    /// For clusters and folders, where DNS and origins cannot be known: every public name resolves, every origin answers 200.
    pub fn assumed() -> Outside {
        Outside { assumed: true, ..Outside::default() }
    }

    /// The front ends; none where the world is assumed.
    pub fn sites(&self) -> &[Site] {
        &self.sites
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
    pub fn resolve(&self, name: &str) -> DnsAnswer {
        let name = &*answer::lower(name.trim_end_matches('.'));
        if self.faults.dns_silent.contains(name) {
            return DnsAnswer::TimedOut;
        }
        if self.faults.dns_removed.contains(name) {
            return DnsAnswer::NoSuchName;
        }
        if self.assumed {
            return assumed_address(name);
        }
        match self.sites.iter().find(|site| site.serves(name)) {
            Some(site) => {
                let canonical = site.canonical.clone().unwrap_or_else(|| name.to_string());
                DnsAnswer::Addresses { canonical, addresses: site.addresses.clone() }
            }
            None => DnsAnswer::NoSuchName,
        }
    }

    /// Every name that resolves, with its addresses, sorted.
    pub fn names(&self) -> Vec<(String, Vec<IpAddr>)> {
        let of = |site: &Site| site.names.iter().map(|n| (n.clone(), site.addresses.clone())).collect::<Vec<_>>();
        let mut all: Vec<_> = self.sites.iter().flat_map(of).collect();
        all.retain(|(name, _)| !self.faults.dns_removed.contains(name));
        all.sort();
        all
    }

    /// The front end at an address.
    pub fn site_at(&self, address: IpAddr) -> Option<&Site> {
        self.sites.iter().find(|site| site.addresses.contains(&address))
    }

    /// The fault in force at an address and port.
    pub fn fault_at(&self, address: IpAddr, port: u16) -> Option<OriginFault> {
        let names = self.site_at(address).map(|site| site.names.clone()).unwrap_or_default();
        let keys = names.into_iter().chain([address.to_string()]);
        let mut found = keys.flat_map(|key| [format!("{key}:{port}"), key]);
        found.find_map(|key| self.faults.origins.get(&key).copied())
    }
}

/// An address in the range for tests (RFC 2544) that stands for a name nobody looked up.
fn assumed_address(name: &str) -> DnsAnswer {
    if !name.contains('.') || name.ends_with(".cluster.local") {
        return DnsAnswer::NoSuchName;
    }
    let h = Seed(0).hash(&["assumed", name]);
    let address = Ipv4Addr::new(198, 18 + (h & 1) as u8, (h >> 8) as u8, (h >> 16) as u8);
    DnsAnswer::Addresses { canonical: name.to_string(), addresses: vec![IpAddr::V4(address)] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_sites_read_and_no_two_share_an_address_or_a_name() {
        let outside = Outside::standard();
        let names = outside.names();
        assert!(names.iter().any(|(n, _)| n == "www.wikipedia.org"));
        let unique: BTreeSet<_> = names.iter().map(|(n, _)| n).collect();
        assert_eq!(unique.len(), names.len());
        let addresses: Vec<_> = outside.sites.iter().flat_map(|s| s.addresses.clone()).collect();
        assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), addresses.len());
        assert!(outside.sites.iter().all(|s| s.ports.keys().all(|p| p.parse::<u16>().is_ok())));
    }

    #[test]
    fn a_removed_name_does_not_resolve_and_a_fault_is_found_by_name_and_by_address() {
        let standard = Outside::standard();
        let mut faults = Faults::default();
        faults.dns_removed.insert("www.wikipedia.org".into());
        faults.origins.insert("example.com:80".into(), OriginFault::Refuse);
        let broken = standard.with_faults(faults);
        assert_eq!(broken.resolve("WWW.wikipedia.org."), DnsAnswer::NoSuchName);
        assert!(matches!(standard.resolve("WWW.wikipedia.org."), DnsAnswer::Addresses { .. }));
        let DnsAnswer::Addresses { addresses, .. } = broken.resolve("example.com") else { panic!("resolves") };
        assert_eq!(broken.fault_at(addresses[0], 80), Some(OriginFault::Refuse));
        assert_eq!(broken.fault_at(addresses[0], 443), None);
    }

    #[test]
    fn a_wildcard_in_a_certificate_covers_one_label() {
        assert!(site::name_fits("*.wikipedia.org", "en.wikipedia.org"));
        assert!(!site::name_fits("*.wikipedia.org", "a.b.wikipedia.org"));
        assert!(!site::name_fits("*.wikipedia.org", "wikipedia.org"));
    }
}
