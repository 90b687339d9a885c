//! Every client of a mesh against every host that it registers: who reaches what, and how.

pub mod names;

use super::compile::registry::{From, Protocol, Service, ServicePort};
use super::reach::{Ask, Client, client};
use super::{Cause, Inputs, Model, Record, capture};
use crate::base::outcome::{Outcome, Path};
use crate::k8s::Object;
use crate::mesh::trace::server::TLS_PORTS;
use crate::outside::wire::Request;
use names::{Names, dial};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Clients that are looked at.
pub const MAX_GROUPS: usize = 500;
/// Requests that are tried.
pub const MAX_PROBES: usize = 5_000;
/// Exchanges of one survey.
pub const MAX_CELLS: usize = 200_000;
/// What a wildcard's place is filled with.
pub const SAMPLE: &str = "sample";
/// A host that no mesh registers (RFC 2606).
pub const OUTSIDE: &str = "unregistered.example.com";
/// Namespaces whose own pods and Kubernetes Services are left out.
const SYSTEM: [&str; 4] = ["istio-system", "kube-system", "kube-public", "kube-node-lease"];

/// The pods of one workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `shop/web`, `shop/web (no sidecar)` where some of its pods have one and some not.
    pub name: String,
    /// One of its pods.
    pub client: Client,
    pub pods: usize,
    pub sidecar: bool,
}

/// One request of a survey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    pub ask: Ask,
    /// The object that registers the host; "" for a host that nothing registers.
    pub object: String,
    /// The wildcard that the host is a sample of.
    pub pattern: Option<String>,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    pub outcome: Outcome,
    pub path: Path,
    pub status: Option<u16>,
    pub cause: Cause,
}

impl Cell {
    /// The part of a record that surveys compare.
    pub fn of(record: &Record) -> Cell {
        Cell { outcome: record.outcome, path: record.path.clone(), status: record.status, cause: record.cause.clone() }
    }

    /// Whether the intended origin answered.
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Delivered
    }
}

/// All clients against all requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    pub groups: Vec<Group>,
    pub probes: Vec<Probe>,
    /// By probe, then by group.
    pub cells: Vec<Vec<Cell>>,
    /// Whether there was more than the limits allow.
    pub cut: bool,
}

impl Survey {
    /// Looks at a whole mesh. `outside` adds one host that nothing registers.
    pub fn of(model: &Model, inputs: &Inputs<'_>, outside: bool) -> Survey {
        let (mut groups, mut probes) = (groups(model), probes(model, inputs));
        if outside {
            probes.extend(unregistered(model, inputs));
        }
        let room = MAX_CELLS / groups.len().clamp(1, MAX_GROUPS);
        let cut = groups.len() > MAX_GROUPS || probes.len() > MAX_PROBES.min(room);
        groups.truncate(MAX_GROUPS);
        probes.truncate(MAX_PROBES.min(room));
        let pods: Vec<Found> = groups.iter().map(|g| g.client.find(model.snapshot())).collect();
        let row = |probe: &Probe| {
            let request = probe.ask.request();
            pods.iter().map(|pod| cell(model, inputs, pod, &request)).collect()
        };
        let cells = probes.iter().map(row).collect();
        Survey { groups, probes, cells, cut }
    }
}

/// A client's pod, or why there is none.
pub type Found = Result<Arc<Object>, String>;

/// What comes of one request of one client; a client that is not there and a request that cannot be made are not modelled.
pub fn cell(model: &Model, inputs: &Inputs<'_>, pod: &Found, request: &Result<Request, String>) -> Cell {
    match (pod, request) {
        (Ok(pod), Ok(request)) => Cell::of(&model.trace(pod, request, inputs).record),
        (Err(sentence), _) | (_, Err(sentence)) => Cell {
            outcome: Outcome::NotModelled,
            path: Path::None,
            status: None,
            cause: Cause::new("default", "request", sentence),
        },
    }
}

/// The workloads outside the system's namespaces, gateways left out.
pub fn groups(model: &Model) -> Vec<Group> {
    let snapshot = model.snapshot();
    let mut found: BTreeMap<(String, String, bool), Group> = BTreeMap::new();
    for pod in snapshot.list("", "Pod") {
        let over = matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed");
        if over || SYSTEM.contains(&pod.namespace()) || capture::is_gateway(pod) {
            continue;
        }
        let (namespace, name) = (pod.namespace().to_string(), client::workload(snapshot, pod).to_string());
        let sidecar = capture::has_sidecar(pod);
        let client = Client { namespace: namespace.clone(), name: pod.name().into() };
        let group = Group { name: format!("{namespace}/{name}"), client, pods: 0, sidecar };
        found.entry((namespace, name, sidecar)).or_insert(group).pods += 1;
    }
    let keys: Vec<(String, String, bool)> = found.keys().cloned().collect();
    for (namespace, name, sidecar) in keys {
        let other = (namespace.clone(), name.clone(), !sidecar);
        if !sidecar
            && found.contains_key(&other)
            && let Some(group) = found.get_mut(&(namespace, name, false))
        {
            group.name.push_str(" (no sidecar)");
        }
    }
    found.into_values().collect()
}

/// A request for each port of each registered host, those beyond the mesh first. Wildcards are tried with a host below them.
pub fn probes(model: &Model, inputs: &Inputs<'_>) -> Vec<Probe> {
    let names = Names::of(model, inputs.outside);
    let services = &model.base().services;
    let beyond = services.iter().filter(|s| s.from == From::Entry);
    let inside = services.iter().filter(|s| s.from == From::Kubernetes && !is_system(s));
    let mut seen = BTreeSet::new();
    let mut probes = Vec::new();
    for service in beyond.chain(inside) {
        for port in service.ports.iter().filter(|p| p.protocol != Protocol::Udp) {
            let (host, address) = match service.host.strip_prefix('*') {
                Some(suffix) => names.host(suffix),
                None => (service.host.clone(), None),
            };
            let ask = dial(&url(service, port, &host), &host, port.number, address);
            if seen.insert(ask.url.clone()) {
                let pattern = service.host.starts_with('*').then(|| service.host.clone());
                probes.push(Probe { ask, object: service.object.to_string(), pattern });
            }
        }
    }
    probes
}

fn is_system(service: &Service) -> bool {
    let kubernetes = service.namespace == "default" && service.host.starts_with("kubernetes.");
    kubernetes || SYSTEM.contains(&service.namespace.as_str())
}

fn url(service: &Service, port: &ServicePort, host: &str) -> String {
    let number = port.number;
    let tls = match port.protocol {
        Protocol::Tls => true,
        Protocol::Http | Protocol::Http2 => false,
        _ => TLS_PORTS.contains(&number),
    };
    // A TCP service is known by its addresses, where it has some: no proxy sees its name.
    let address = service.vips.first().filter(|_| port.protocol == Protocol::Tcp && service.from == From::Entry);
    match (port.protocol, address) {
        (Protocol::Tcp, Some((ip, _))) if ip.is_ipv6() => format!("tcp://[{ip}]:{number}"),
        (Protocol::Tcp, Some((ip, _))) => format!("tcp://{ip}:{number}"),
        (Protocol::Tcp, None) if !tls => format!("tcp://{host}:{number}"),
        _ => web_url(host, number, tls),
    }
}

/// `http://` or `https://` without the scheme's own port.
pub fn web_url(host: &str, port: u16, tls: bool) -> String {
    let (scheme, own) = if tls { ("https", 443) } else { ("http", 80) };
    match port == own {
        true => format!("{scheme}://{host}/"),
        false => format!("{scheme}://{host}:{port}/"),
    }
}

/// Requests for a host that nothing registers.
pub fn unregistered(model: &Model, inputs: &Inputs<'_>) -> Vec<Probe> {
    let asks = Names::of(model, inputs.outside).outside(&[(80, false), (443, true)]);
    asks.into_iter().map(|ask| Probe { ask, object: String::new(), pattern: None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::yaml;
    use crate::k8s::Object;
    use crate::mesh::Options;
    use crate::mesh::draft::{Suppose, Written, draft};
    use crate::outside::Outside;

    /// A model of manifests under REGISTRY_ONLY with the demo installation.
    pub fn model(text: &str) -> Model {
        let written = yaml::documents(text).unwrap().into_iter();
        let written = written.map(|d| Written { object: Object(d.value), at: String::new() }).collect();
        let suppose = Suppose { demo: Some("REGISTRY_ONLY".into()), ..Suppose::default() };
        Model::compile(&draft(written, &suppose).unwrap().snapshot, &Options::default())
    }

    const WORLD: &str = include_str!("../../tests/data/explain/shop/shop.yaml");

    #[test]
    fn every_client_meets_every_port_of_every_host() {
        let model = model(WORLD);
        let outside = Outside::assumed();
        let inputs = Inputs { outside: &outside, now: Default::default(), seed: crate::base::seed::Seed(0), nth: 1 };
        let survey = Survey::of(&model, &inputs, true);
        let names: Vec<&str> = survey.groups.iter().map(|g| g.name.as_str()).collect();
        assert_eq!(names, ["legacy/batch", "shop/web"]);
        let urls: Vec<&str> = survey.probes.iter().map(|p| p.ask.url.as_str()).collect();
        assert_eq!(
            urls,
            [
                "http://www.wikipedia.org/",
                "https://www.wikipedia.org/",
                "https://sample.googleapis.com/",
                "tcp://192.0.2.7:5432",
                "http://web.shop.svc.cluster.local/",
                "http://unregistered.example.com/",
                "https://unregistered.example.com/"
            ]
        );
        let outcomes = |probe: usize| survey.cells[probe].iter().map(|c| c.outcome.to_string()).collect::<Vec<_>>();
        assert_eq!(outcomes(0), ["delivered", "delivered"]);
        assert_eq!(outcomes(3), ["delivered", "delivered"]);
        assert_eq!(outcomes(5), ["delivered", "blocked-registry-only"], "batch has no sidecar");
        assert_eq!(survey.cells[0][0].path, Path::Uncaptured);
    }
}
