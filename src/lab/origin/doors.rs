//! Which front end answers where: an address and a port are a door, behind which stand one front end or all of them.

use crate::outside::site::{Port, Site, Speaks};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::sync::Arc;

/// An address to listen at: for all front ends together, or for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    pub site: Option<String>,
    pub address: IpAddr,
}

impl Default for Listen {
    /// Every address of this machine, for all.
    fn default() -> Listen {
        Listen { site: None, address: IpAddr::V4(Ipv4Addr::UNSPECIFIED) }
    }
}

impl FromStr for Listen {
    type Err = String;

    /// `ADDRESS` or `SITE@ADDRESS`.
    fn from_str(text: &str) -> Result<Listen, String> {
        let (site, address) = match text.split_once('@') {
            Some((site, address)) => (Some(site.to_string()), address),
            None => (None, text),
        };
        let address = address.parse().map_err(|_| format!("{address:?} is not an address"))?;
        Ok(Listen { site, address })
    }
}

/// Where the ports of the outside world really are: `SITE'S PORT=PORT` (0: any free one). Ports that are not named stay themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping(BTreeMap<u16, u16>);

impl Mapping {
    /// The real port for a site's.
    pub fn real(&self, port: u16) -> u16 {
        self.0.get(&port).copied().unwrap_or(port)
    }
}

impl FromIterator<(u16, u16)> for Mapping {
    fn from_iter<T: IntoIterator<Item = (u16, u16)>>(pairs: T) -> Mapping {
        Mapping(pairs.into_iter().collect())
    }
}

/// An address, a port, and who stands behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Door {
    pub address: IpAddr,
    /// The port that the front ends think they have.
    pub port: u16,
    pub speaks: Speaks,
    /// The front ends, in the order of the data; at least one, each with this port open.
    sites: Vec<Arc<Site>>,
}

impl Door {
    /// The front end that is meant by a name (a TLS server name, a Host header without its port): the one that serves it, else one
    /// whose certificate is good for it.
    pub fn named(&self, name: &str) -> Option<&Arc<Site>> {
        let name = name.trim_end_matches('.');
        let served = self.sites.iter().find(|site| site.serves(name));
        served.or_else(|| self.sites.iter().find(|site| site.certified_for(name)))
    }

    /// Who answers when nobody here is meant: at an address of its own the front end that has it, as in the sandbox.
    pub fn first(&self) -> &Arc<Site> {
        &self.sites[0]
    }

    /// All of them.
    pub fn sites(&self) -> &[Arc<Site>] {
        &self.sites
    }

    /// What a front end has open here.
    pub fn open<'a>(&self, site: &'a Site) -> Option<&'a Port> {
        site.port(self.port)
    }

    /// The ids of the front ends, for people.
    pub fn ids(&self) -> Vec<&str> {
        self.sites.iter().map(|site| site.id.as_str()).collect()
    }
}

/// What to say of a name that is no front end's.
pub fn no_such(name: &str, sites: &[Site]) -> String {
    let all: Vec<&str> = sites.iter().map(|site| site.id.as_str()).collect();
    format!("there is no site {name:?}; there are {}", all.join(", "))
}

/// Every door of these front ends at these addresses, each address by its ports in ascending order.
///
/// # Errors
/// A sentence: a front end that does not exist, an address named twice, ports of one address that speak different things.
pub fn doors(sites: &[Site], listen: &[Listen]) -> Result<Vec<Door>, String> {
    let mut doors: Vec<Door> = Vec::new();
    for at in listen {
        let wanted = |site: &&Site| at.site.as_ref().is_none_or(|id| *id == site.id);
        let here: Vec<&Site> = sites.iter().filter(wanted).collect();
        if here.is_empty() {
            return Err(no_such(at.site.as_deref().unwrap_or_default(), sites));
        }
        let mut ports: Vec<u16> = here.iter().flat_map(|site| site.ports.keys()).filter_map(|port| port.parse().ok()).collect();
        ports.sort_unstable();
        ports.dedup();
        for port in ports {
            doors.push(door(at.address, port, &here)?);
        }
    }
    Ok(doors)
}

fn door(address: IpAddr, port: u16, sites: &[&Site]) -> Result<Door, String> {
    let open: Vec<(&Site, Speaks)> = sites.iter().filter_map(|site| Some((*site, site.port(port)?.speaks))).collect();
    let Some((first, speaks)) = open.first().copied() else { return Err(format!("nobody serves port {port}")) };
    if let Some((other, _)) = open.iter().find(|(_, other)| *other != speaks) {
        let (first, other) = (&first.id, &other.id);
        return Err(format!("{first} and {other} speak different things on port {port}; give each an address of its own"));
    }
    Ok(Door { address, port, speaks, sites: open.into_iter().map(|(site, _)| Arc::new(site.clone())).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::Outside;

    fn all(listen: &[&str]) -> Result<Vec<Door>, String> {
        let listen: Vec<Listen> = listen.iter().map(|text| text.parse().unwrap()).collect();
        doors(Outside::standard().sites(), &listen)
    }

    #[test]
    fn one_address_has_every_port_once_and_finds_the_front_end_by_name() {
        let doors = all(&["0.0.0.0"]).unwrap();
        let ports: Vec<u16> = doors.iter().map(|door| door.port).collect();
        assert!([80, 443, 9000].iter().all(|port| ports.iter().filter(|p| *p == port).count() == 1), "{ports:?}");
        let tls = doors.iter().find(|door| door.port == 443).unwrap();
        let id = |name: &str| tls.named(name).map(|site| site.id.as_str());
        assert_eq!(id("WWW.wikipedia.org."), Some("wikimedia"));
        assert_eq!(id("no-such-language.wikipedia.org"), Some("wikimedia"), "its certificate is good for it");
        assert_eq!(id("example.com"), Some("example"));
        assert_eq!(id("neverssl.com"), None, "it does not speak TLS");
        assert_eq!(id("stranger.test"), None);
        assert_eq!(tls.first().id, "wikimedia");
    }

    #[test]
    fn a_front_end_can_have_an_address_of_its_own() {
        let doors = all(&["example@127.0.0.2", "wikimedia@127.0.0.1"]).unwrap();
        let at = |address: &str, port| {
            let address: IpAddr = address.parse().unwrap();
            doors.iter().find(|door| door.address == address && door.port == port).map(|door| door.ids())
        };
        assert_eq!(at("127.0.0.2", 443), Some(vec!["example"]));
        assert_eq!(at("127.0.0.1", 443), Some(vec!["wikimedia"]));
        assert_eq!(at("127.0.0.1", 9000), None);
    }

    #[test]
    fn what_cannot_be_is_said() {
        assert!(all(&["nobody@127.0.0.1"]).unwrap_err().contains("wikimedia, example"));
        assert!("wikimedia@nowhere".parse::<Listen>().is_err() && "".parse::<Listen>().is_err());
        let mut sites = Outside::standard().sites().to_vec();
        let bytes = sites.iter().find(|site| site.id == "tcp-echo").unwrap().ports["9000"].clone();
        sites[1].ports.insert("443".into(), bytes);
        let error = doors(&sites, &[Listen::default()]).unwrap_err();
        assert!(error.contains("wikimedia and example speak different things on port 443"), "{error}");
    }

    #[test]
    fn ports_that_are_not_mapped_stay_themselves() {
        let mapping: Mapping = [(80, 8080), (443, 0)].into_iter().collect();
        assert_eq!([80, 443, 9000].map(|port| mapping.real(port)), [8080, 0, 9000]);
    }
}
