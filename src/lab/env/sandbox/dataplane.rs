//! The sandbox's network: the mesh model over the world's objects, the outside world beyond it.

use super::{Bend, proxy_ports};
use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::{Key, Object, Snapshot};
use crate::mesh::{self, Inputs, Model, Options, Trace};
use crate::outside::wire::{DnsAnswer, Exchange, Failure, HttpVersion, Reply, Request, Response, Scheme};
use crate::outside::{Faults, Outside};
use crate::sandbox::{Changes, Dataplane};
use std::any::Any;

/// [`Dataplane`] by the mesh model.
pub(super) struct MeshNetwork {
    seed: Seed,
    model: Model,
    outside: Outside,
    bend: Bend,
}

impl MeshNetwork {
    pub(super) fn new(seed: Seed, bend: Bend) -> MeshNetwork {
        let model = Model::compile(&Default::default(), &Options::default());
        MeshNetwork { seed, model, outside: Outside::standard(), bend }
    }

    /// What a network that does not obey the mesh would answer (see [`Bend`]).
    fn bent(&self, trace: Trace, request: &Request) -> Trace {
        let reply = match self.bend {
            Bend::DeliverEverything => Reply::Response(Response {
                version: HttpVersion::Http11,
                status: 200,
                reason: "OK".into(),
                headers: vec![("server".into(), "bent".into()), ("content-length".into(), "0".into())],
                body: Vec::new(),
                peer: None,
            }),
            _ if request.scheme == Scheme::Https => Reply::Failure(Failure::TlsHandshakeClosed { reset: true }),
            _ => Reply::Failure(Failure::ReceiveReset),
        };
        Trace { reply, ..trace }
    }
}

impl Dataplane for MeshNetwork {
    fn update(&mut self, changes: &Changes<'_>) {
        let mut options = self.model.options().clone();
        let mesh = |key: &Key| key.kind.kind == "ConfigMap" && key.namespace == "istio-system";
        if changes.changed.is_empty() || changes.changed.iter().any(mesh) {
            options.last_known_mesh = accepted_mesh(changes.snapshot).or(options.last_known_mesh);
        }
        self.model = self.model.update(changes.snapshot, changes.changed, &options);
    }

    fn resolve(&self, pod: &Object, name: &str) -> DnsAnswer {
        self.model.resolve(pod, name, &self.outside)
    }

    fn exchange(&mut self, pod: &Object, request: &Request, now: Time, nth: u64) -> Exchange {
        if let Some(reply) = proxy_ports::reply(self, pod, request) {
            return Exchange { reply, delay_ms: 1, logs: Vec::new() };
        }
        let inputs = Inputs { outside: &self.outside, now, seed: self.seed, nth };
        let mut trace = self.model.trace(pod, request, &inputs);
        if self.bend.bends(trace.record.outcome) {
            trace = self.bent(trace, request);
        }
        Exchange { reply: trace.reply, delay_ms: trace.delay_ms, logs: trace.logs }
    }

    fn admin(&self, pod: &Object, path: &str) -> Option<String> {
        mesh::capture::proxy_container(pod).and_then(|_| proxy_ports::admin(path))
    }

    fn fork(&self) -> Box<dyn Dataplane> {
        Box::new(MeshNetwork { seed: self.seed, model: self.model.clone(), outside: self.outside.clone(), bend: self.bend })
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

/// The mesh text, if istiod takes it. One that it refuses changes nothing: the last one stays in force (istio-egress-semantics 1.3).
fn accepted_mesh(snapshot: &Snapshot) -> Option<String> {
    let text = snapshot.find("", "ConfigMap", "istio-system", "istio")?.str_at(&["data", "mesh"]).to_string();
    mesh::config::read(&text, "ConfigMap istio-system/istio").is_ok().then_some(text)
}

/// Changes what is broken in the outside world.
///
/// # Errors
/// When the world's network is not this one.
pub(super) fn change_faults(dataplane: &mut dyn Dataplane, change: impl FnOnce(&mut Faults)) -> anyhow::Result<()> {
    let network = dataplane.as_any().downcast_mut::<MeshNetwork>();
    let network = network.ok_or_else(|| anyhow::anyhow!("this world's network has no faults to set"))?;
    let mut faults = network.outside.faults().clone();
    change(&mut faults);
    network.outside = network.outside.with_faults(faults);
    Ok(())
}
