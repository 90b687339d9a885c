//! A compiled mesh: the objects of a moment, and the configuration of each proxy derived from them on demand.

use super::capture;
use super::compile::registry::{Service, service_selects};
use super::compile::scope::Base;
use super::compile::slice::Question;
use super::compile::touched::Touched;
use super::compile::update::{Change, Touches, touches};
use super::config::MeshConfig;
use super::proxy::{EndpointHost, Proxy};
use super::resolve::Asker;
use super::trace::{self, Place, burst};
use super::versions;
use super::{Cause, Facts, Record, Trace, resolve};
use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::base::spread::Spread;
use crate::k8s::{Key, Object, Snapshot};
use crate::outside::Outside;
use crate::outside::wire::{DnsAnswer, Request};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock};

mod addresses;
mod derived;
mod refusals;
pub mod resident;

use addresses::Addresses;
use derived::Derived;
pub use derived::Parts;
use refusals::Refusals;
use resident::{Resident, Role};

/// What compiling needs to know besides the objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The namespace of the control plane: mesh-wide Sidecar, DestinationRule and Telemetry live there.
    pub root_namespace: String,
    /// The revision of the control plane whose objects are read, "" for the one without a name.
    pub revision: String,
    /// The last mesh text that istiod accepted, used when the present one is refused. `None`: Istio's defaults.
    pub last_known_mesh: Option<String>,
    /// What could not be read: nothing can be said for certain then, and every trace answers with the first of them.
    pub unknown: Vec<Cause>,
    /// The objects hold no Secrets because nobody read them: one that is not there may be all the same.
    pub secrets_unread: bool,
    pub facts: Facts,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            root_namespace: "istio-system".into(),
            revision: String::new(),
            last_known_mesh: None,
            unknown: Vec::new(),
            secrets_unread: false,
            facts: Facts::default(),
        }
    }
}

impl Options {
    /// The default, as the release that is installed in these objects has it.
    pub fn of_objects(snapshot: &Snapshot) -> Options {
        Options::default().as_installed(snapshot)
    }

    /// The same with the facts of the release that is installed in these objects; the default release's where none is.
    pub fn as_installed(self, snapshot: &Snapshot) -> Options {
        let facts = versions::installed(snapshot, &self).unwrap_or_else(versions::default_release).facts.clone();
        Options { facts, ..self }
    }

    /// An object of the control plane by its plain name (`istio`, `istiod`): that of the revision.
    pub fn of_revision(&self, name: &str) -> String {
        match self.revision.as_str() {
            "" | "default" => name.to_string(),
            revision => format!("{name}-{revision}"),
        }
    }
}

/// What a trace depends on besides the model.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    pub outside: &'a Outside,
    pub now: Time,
    pub seed: Seed,
    /// Counts the exchanges of this world: request ids, ports and weighted choices derive from (seed, nth).
    pub nth: u64,
}

/// Hosts for which is kept whether a gateway is behind them.
const MOST_HOSTS: usize = 10_000;

/// The mesh at one moment. Cheap to clone; proxies are derived when first asked for and kept.
#[derive(Debug, Clone)]
pub struct Model {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    snapshot: Snapshot,
    options: Options,
    base: OnceLock<Base>,
    derived: Derived,
    addresses: OnceLock<Arc<Addresses>>,
    refusals: Refusals,
    /// Shared by models of the same Services, pods and Deployments.
    behind: Arc<Mutex<HashMap<String, Option<String>, Spread>>>,
    parts: Parts,
}

impl Inner {
    fn of(snapshot: &Snapshot, options: &Options, parts: Parts) -> Inner {
        Inner {
            snapshot: snapshot.clone(),
            options: options.clone(),
            base: OnceLock::new(),
            derived: Derived::default(),
            addresses: OnceLock::new(),
            refusals: Refusals::default(),
            behind: Arc::default(),
            parts,
        }
    }
}

/// A chain of traces as a client that follows redirects makes them, and what was assumed: the JSON of `explain`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Explanation {
    pub exchanges: Vec<Record>,
    pub assumptions: Vec<String>,
    #[serde(skip)]
    pub traces: Vec<Trace>,
}

impl Model {
    /// Takes over the objects of a moment. Cheap: the work is done per proxy when a trace first needs it.
    pub fn compile(snapshot: &Snapshot, options: &Options) -> Model {
        Model { inner: Arc::new(Inner::of(snapshot, options, Parts::Auto)) }
    }

    /// The same mesh with another way to derive proxies for traces: for comparing them.
    pub fn with_parts(&self, parts: Parts) -> Model {
        let inner = &self.inner;
        let (derived, addresses) = (Derived::default(), inner.addresses.clone());
        Model {
            inner: Arc::new(Inner {
                base: inner.base.clone(),
                derived,
                addresses,
                ..Inner::of(&inner.snapshot, &inner.options, parts)
            }),
        }
    }

    /// The mesh after a change: what it touches is read again, everything else is kept. The result equals a full compile. `changed`
    /// names every object that is new, gone or not as it was; when it is empty, everything is read again.
    pub fn update(&self, snapshot: &Snapshot, changed: &[Key], options: &Options) -> Model {
        if !changed.is_empty()
            && changed.iter().all(|key| touches(key, options) == Touches::Nothing)
            && *options == self.inner.options
        {
            return self.clone();
        }
        let known = self.inner.base.get().filter(|_| !changed.is_empty() && *options == self.inner.options);
        let change = Change { old: &self.inner.snapshot, new: snapshot, keys: changed, options };
        let mut next = Inner::of(snapshot, options, self.inner.parts);
        if let Some((old, (base, replaced))) = known.and_then(|old| Some((old, old.changed(&change)?))) {
            let moved = changed.iter().any(|key| matches!(key.kind.kind.as_str(), "Pod" | "Service"));
            if let Some(touched) = Touched::of(old, &base, &change, &replaced) {
                next.derived = self.inner.derived.after(touched, &base);
                if !moved {
                    next.behind = self.inner.behind.clone();
                }
            }
            next.base = OnceLock::from(base);
            if !moved {
                next.addresses = self.inner.addresses.clone();
            }
        }
        Model { inner: Arc::new(next) }
    }

    /// Derives at once every part of a proxy that was asked for before the last change and that this change may touch; how many.
    /// Without it each is derived when a request next needs it. `None` when the change left nothing of what was asked for before.
    pub fn catch_up(&self) -> Option<usize> {
        self.inner.derived.catch_up(self.base(), &self.inner.snapshot)
    }

    /// The objects this was compiled from.
    pub fn snapshot(&self) -> &Snapshot {
        &self.inner.snapshot
    }

    /// The options this was compiled with.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// The mesh's objects as read, before any proxy's view of them.
    pub fn base(&self) -> &Base {
        self.inner.base.get_or_init(|| Base::read(&self.inner.snapshot, &self.inner.options))
    }

    /// The mesh configuration in force.
    pub fn mesh_config(&self) -> &MeshConfig {
        &self.base().config
    }

    /// What the pod's proxy was told; `None` for a pod without one.
    pub fn proxy(&self, pod: &Object) -> Option<Arc<Proxy>> {
        capture::proxy_container(pod)?;
        Some(self.inner.derived.whole(self.base(), &self.inner.snapshot, pod))
    }

    /// What is known of a pod.
    pub fn resident(&self, pod: &Object) -> Arc<Resident> {
        self.inner.derived.resident(self.base(), &self.inner.snapshot, pod)
    }

    /// The pod with its proxy, which in large meshes holds only what matters to the question; `None` for a pod without one.
    pub fn place(&self, who: &Arc<Resident>, question: Question) -> Option<Place> {
        let proxied = who.role != Role::Plain;
        proxied.then(|| {
            let proxy = self.inner.derived.part(self.base(), &self.inner.snapshot, who, question, self.inner.parts);
            Place { proxy, who: who.clone() }
        })
    }

    /// Why this workload is refused a host on a port; `find` is asked when nobody asked before. The answer must depend on nothing but
    /// these and on what tells the workload's proxy apart from others.
    pub fn refusal(&self, who: &Resident, host: &str, port: u16, find: impl FnOnce() -> Cause) -> Cause {
        self.inner.refusals.cause((who.who.number, port), host, find)
    }

    /// The registry's services that come from one object.
    pub fn services_of<'a>(&'a self, object: &str) -> impl Iterator<Item = &'a Service> + use<'a> {
        self.base().index.of_object(object).into_iter().map(|s| &**s)
    }

    /// Whether any service of this host has an endpoint on the port.
    pub fn has_endpoints(&self, host: &str, port: u16) -> bool {
        let of_host = self.base().index.of_host(host).into_iter();
        of_host.filter_map(|s| s.port(port)).any(|p| !p.endpoints.is_empty())
    }

    /// What a program in the pod gets when it asks for a name: [`Model::resolve`], unless a NetworkPolicy drops the question.
    pub fn looks_up(&self, pod: &Object, name: &str, outside: &Outside) -> DnsAnswer {
        match trace::firewall::blocks_names(self, pod, name) {
            Some(_) => DnsAnswer::TimedOut,
            None => self.resolve(pod, name, outside),
        }
    }

    fn addresses(&self) -> &Addresses {
        self.inner.addresses.get_or_init(|| Arc::new(Addresses::read(&self.inner.snapshot)))
    }

    /// The Service whose cluster address this is.
    pub fn service_at(&self, ip: IpAddr) -> Option<&Arc<Object>> {
        self.addresses().service(ip)
    }

    /// The live pod at an address.
    pub fn pod_at(&self, ip: IpAddr) -> Option<&Arc<Object>> {
        self.addresses().pod(ip)
    }

    /// What the pod's resolver answers for a name: search domains, cluster zone, then the public DNS.
    pub fn resolve(&self, pod: &Object, name: &str, outside: &Outside) -> DnsAnswer {
        resolve::resolve(&self.inner.snapshot, Asker::pod(pod), name, outside)
    }

    /// The same for a pod that was read before.
    pub fn resolve_for(&self, who: &Resident, name: &str, outside: &Outside) -> DnsAnswer {
        resolve::resolve(&self.inner.snapshot, Asker::resident(who), name, outside)
    }

    /// Whether a name, as this pod resolves it, leads to the pod at an address.
    pub fn leads_to(&self, pod: &Object, name: &str, ip: IpAddr, outside: &Outside) -> bool {
        let DnsAnswer::Addresses { addresses, .. } = self.resolve(pod, name, outside) else { return false };
        let behind = |address: &IpAddr| match self.service_at(*address) {
            Some(service) => {
                let object = service.key().to_string();
                self.services_of(&object)
                    .flat_map(|s| &s.ports)
                    .flat_map(|p| &p.endpoints)
                    .any(|e| e.host == EndpointHost::Address(ip))
            }
            None => false,
        };
        addresses.iter().any(|address| *address == ip || behind(address))
    }

    /// `NAMESPACE/NAME` of the gateway behind a service host; `None` when the host is no gateway's.
    pub fn gateway_behind(&self, host: &str) -> Option<String> {
        let inside = host.strip_suffix(".svc.cluster.local")?;
        let mut known = self.inner.behind.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(known) = known.get(inside) {
            return known.clone();
        }
        let found = self.find_gateway(inside);
        if known.len() < MOST_HOSTS {
            known.insert(inside.to_string(), found.clone());
        }
        found
    }

    fn find_gateway(&self, inside: &str) -> Option<String> {
        let mut parts = inside.split('.');
        let (name, namespace) = (parts.next()?, parts.next()?);
        let service = self.inner.snapshot.find("", "Service", namespace, name)?;
        let mut pods = self.inner.snapshot.list_in("", "Pod", namespace);
        let pod = pods.any(|p| capture::is_gateway(p) && service_selects(service, &p.labels()));
        let deployment = || {
            self.inner.snapshot.list_in("apps", "Deployment", namespace).any(|d| {
                let template = Object(d.at(&["spec", "template"]).clone());
                let injected = template.annotation("inject.istio.io/templates").is_some_and(|t| t.contains("gateway"));
                (injected || capture::is_gateway(&template)) && service_selects(service, &template.labels())
            })
        };
        (pod || deployment()).then(|| format!("{namespace}/{name}"))
    }

    /// `NAMESPACE/NAME` of the Service in front of a gateway's pod, else of the pod.
    pub fn gateway_name(&self, pod: &Object) -> String {
        let labels = pod.labels();
        let mut services = self.inner.snapshot.list_in("", "Service", pod.namespace());
        let service = services.find(|service| service_selects(service, &labels));
        format!("{}/{}", pod.namespace(), service.map_or(pod.name(), |s| s.name()))
    }

    /// What becomes of `n` equal requests that a client sends at the same time: they share the connection pools on their way. At most
    /// [`burst::MAX_BURST`].
    pub fn trace_burst(&self, pod: &Object, request: &Request, inputs: &Inputs<'_>, n: usize) -> Vec<Trace> {
        let mut burst = burst::Burst::default();
        let one = |i: u64| {
            let inputs = Inputs { nth: inputs.nth + i, ..*inputs };
            trace::among(self, pod, request, &inputs, Some(&mut burst))
        };
        (0..n.min(burst::MAX_BURST) as u64).map(one).collect()
    }

    /// What becomes of one request of a client in this pod, and why.
    pub fn trace(&self, pod: &Object, request: &Request, inputs: &Inputs<'_>) -> Trace {
        trace::trace(self, pod, request, inputs)
    }
}

#[cfg(test)]
mod tests;
