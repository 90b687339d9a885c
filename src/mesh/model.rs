//! A compiled mesh: the objects of a moment, and the configuration of each proxy derived from them on demand.

use super::{Cause, Record, Trace};
use crate::base::clock::Time;
use crate::base::outcome::{At, Outcome, Path, TlsBy};
use crate::base::seed::Seed;
use crate::k8s::{Object, Snapshot};
use crate::outside::Outside;
use crate::outside::wire::{DnsAnswer, Failure, Reply, Request};
use std::sync::Arc;

/// What compiling needs to know besides the objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The namespace of the control plane: mesh-wide Sidecar, DestinationRule and Telemetry live there.
    pub root_namespace: String,
    /// The last mesh text that istiod accepted, used when the present one is refused. `None`: Istio's defaults.
    pub last_known_mesh: Option<String>,
    pub facts: Facts,
}

/// What differs between Istio versions, as far as a trace shows it. The version table under `assets/` fills it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Local replies leave out `, transport failure reason: ..` (Envoy since `hide_transport_failure_reason_in_response_body`).
    pub hides_transport_failure: bool,
    /// HTTP lines print `URX,UF` rather than `UF,URX`.
    pub retry_flag_first: bool,
    /// Gateways make a new request id at the edge.
    pub gateway_renews_request_id: bool,
}

impl Default for Facts {
    fn default() -> Facts {
        Facts { hides_transport_failure: true, retry_flag_first: true, gateway_renews_request_id: true }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options { root_namespace: "istio-system".into(), last_known_mesh: None, facts: Facts::default() }
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

/// The mesh at one moment. Cheap to clone; proxies are derived when first asked for and kept.
#[derive(Debug, Clone)]
pub struct Model {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    snapshot: Snapshot,
    options: Options,
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
        Model { inner: Arc::new(Inner { snapshot: snapshot.clone(), options: options.clone() }) }
    }

    /// The objects this was compiled from.
    pub fn snapshot(&self) -> &Snapshot {
        &self.inner.snapshot
    }

    /// The options this was compiled with.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// What the pod's resolver answers for a name: search domains, cluster zone, then the public DNS.
    pub fn resolve(&self, _pod: &Object, _name: &str, _outside: &Outside) -> DnsAnswer {
        DnsAnswer::NoSuchName
    }

    /// What becomes of one request of a client in this pod, and why.
    pub fn trace(&self, pod: &Object, _request: &Request, _inputs: &Inputs<'_>) -> Trace {
        let (object, field) = (pod.key().to_string(), "spec".to_string());
        let failure = Failure::NotModelled { object: object.clone(), field: field.clone() };
        let cause = Cause { object, field, text: "This part is not built yet.".into() };
        let record = Record {
            outcome: Outcome::NotModelled,
            path: Path::None,
            tls: TlsBy::None,
            at: At::Client,
            status: None,
            exit_code: failure.exit_code(),
            hops: Vec::new(),
            cause,
        };
        Trace { record, reply: Reply::Failure(failure), delay_ms: 0, logs: Vec::new() }
    }

    /// Traces a request and, like `curl -L`, every redirect it is answered with (at most `limit` further requests).
    pub fn trace_follow(&self, pod: &Object, request: &Request, inputs: &Inputs<'_>, limit: usize) -> Explanation {
        let _ = limit;
        let trace = self.trace(pod, request, inputs);
        Explanation { exchanges: vec![trace.record.clone()], assumptions: Vec::new(), traces: vec![trace] }
    }
}
