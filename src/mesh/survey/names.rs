//! Hosts to try with where a mesh names none: below a wildcard, or beyond everything that it registers.

use super::{OUTSIDE, SAMPLE, web_url};
use crate::mesh::Model;
use crate::mesh::reach::Ask;
use crate::outside::Outside;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// An address of documentation (RFC 5737) that no host has.
pub const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 66));

/// Host names to try with: those that resolve, and none that is registered.
pub struct Names {
    pub registered: BTreeSet<String>,
    /// Names of the world outside with one address each, where it is known.
    known: Vec<(String, IpAddr)>,
    assumed: bool,
}

impl Names {
    /// Those of a mesh and the world around it.
    pub fn of(model: &Model, outside: &Outside) -> Names {
        let registered = model.base().services.iter().map(|s| s.host.clone()).filter(|h| !h.starts_with('*')).collect();
        let known = outside.names().into_iter().filter_map(|(name, addresses)| Some((name, *addresses.first()?))).collect();
        Names { registered, known, assumed: outside.is_assumed() }
    }

    /// A host below a suffix (`.wikipedia.org`, "" for any) that nothing registers, with an address to dial where DNS would not do.
    pub fn host(&self, suffix: &str) -> (String, Option<IpAddr>) {
        let free = |name: &str| !self.registered.contains(name);
        let found = self.known.iter().find(|(name, _)| name.ends_with(suffix) && name.len() > suffix.len() && free(name));
        if let Some((name, _)) = found.filter(|_| !self.assumed) {
            return (name.clone(), None);
        }
        let made = if suffix.is_empty() { OUTSIDE.to_string() } else { format!("{SAMPLE}{suffix}") };
        let address = self.known.first().filter(|_| !self.assumed).map(|(_, ip)| *ip);
        (made, address)
    }

    /// An address that is not the one of a registered host.
    pub fn elsewhere(&self) -> IpAddr {
        let free = self.known.iter().find(|(name, _)| !self.registered.contains(name));
        free.filter(|_| !self.assumed).map_or(ELSEWHERE, |(_, ip)| *ip)
    }

    /// Requests for a host that nothing registers, by port and whether it is TLS.
    pub fn outside(&self, ports: &[(u16, bool)]) -> Vec<Ask> {
        let (host, address) = self.host("");
        ports.iter().map(|(port, tls)| dial(&web_url(&host, *port, *tls), &host, *port, address)).collect()
    }
}

/// A request that dials this address instead of asking DNS.
pub fn dial(url: &str, host: &str, port: u16, address: Option<IpAddr>) -> Ask {
    Ask { resolve: address.map(|ip| format!("{host}:{port}:{}", bracketed(ip))).into_iter().collect(), ..Ask::get(url) }
}

/// An address as URLs and `--resolve` have it.
pub fn bracketed(ip: IpAddr) -> String {
    if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() }
}
