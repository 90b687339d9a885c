//! The sandbox's network: the mesh model over the world's objects, the outside world beyond it.

use super::{Bend, Sandbox, proxy_ports};
use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::{Key, Object, Snapshot};
use crate::mesh::admin::{self, Desk, Memories, Memory, Page, Push};
use crate::mesh::{self, Inputs, Model, Options, Trace};
use crate::outside::wire::{DnsAnswer, Exchange, Failure, HttpVersion, Reply, Request, Response, Scheme};
use crate::outside::{Faults, Outside};
use crate::sandbox::{Changes, Dataplane};
use std::any::Any;

/// Kinds about which istiod tells proxies nothing.
const IDLE_KINDS: &[&str] = &["Event", "Lease", "ReplicaSet", "Secret", "ServiceAccount", "ControllerRevision", "Job", "CronJob"];

/// [`Dataplane`] by the mesh model.
pub(super) struct MeshNetwork {
    seed: Seed,
    model: Model,
    outside: Outside,
    bend: Bend,
    memories: Memories,
    push: Push,
    /// The configuration changed since the network was used last: the proxies are told when it is used next.
    pushed: bool,
}

impl MeshNetwork {
    pub(super) fn new(seed: Seed, bend: Bend) -> MeshNetwork {
        let model = Model::compile(&Default::default(), &Options::default());
        let push = Push { at: Time::LOGICAL_START, nth: 0 };
        MeshNetwork { seed, model, outside: Outside::standard(), bend, memories: Memories::default(), push, pushed: true }
    }

    /// What the admin port of the pod's proxy answers.
    pub(super) fn page(&mut self, pod: &Object, method: &str, target: &str, now: Time) -> Page {
        let name = format!("{}/{}", pod.namespace(), pod.name());
        let memory = self.memories.of(&name);
        let mut after = memory.clone();
        let desk = self.desk(pod, &memory, now);
        let page = admin::answer(&desk, &mut after, method, target);
        if let Some(kept) = self.memories.change(&name).filter(|_| after.levels != memory.levels) {
            kept.levels = after.levels;
        }
        page
    }

    fn desk<'a>(&'a self, pod: &'a Object, memory: &'a Memory, now: Time) -> Desk<'a> {
        Desk { model: &self.model, outside: &self.outside, pod, memory, push: self.push, now, seed: self.seed }
    }

    /// The model of the moment.
    pub(super) fn model(&self) -> &Model {
        &self.model
    }

    /// When the proxies were told last.
    pub(super) fn push(&self) -> Push {
        self.push
    }

    /// Tells the proxies what changed.
    fn tell(&mut self, now: Time) {
        if std::mem::take(&mut self.pushed) {
            self.push = Push { at: now, nth: self.push.nth + 1 };
        }
    }

    /// What becomes of a request, and why.
    fn trace(&self, pod: &Object, request: &Request, now: Time, nth: u64) -> Trace {
        self.model.trace(pod, request, &Inputs { outside: &self.outside, now, seed: self.seed, nth })
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
        let istiod = |key: &Key| key.kind.kind == "Deployment" && key.namespace == "istio-system";
        if changes.changed.is_empty() || changes.changed.iter().any(istiod) {
            options = options.as_installed(changes.snapshot);
        }
        self.model = self.model.update(changes.snapshot, changes.changed, &options);
        let idle = |key: &Key| IDLE_KINDS.contains(&key.kind.kind.as_str());
        self.pushed |= !changes.changed.iter().all(idle) || changes.changed.is_empty();
        let lives =
            |name: &str| name.split_once('/').is_some_and(|(ns, pod)| changes.snapshot.find("", "Pod", ns, pod).is_some());
        self.memories.keep(lives);
    }

    fn resolve(&self, pod: &Object, name: &str) -> DnsAnswer {
        self.model.looks_up(pod, name, &self.outside)
    }

    fn exchange(&mut self, pod: &Object, request: &Request, now: Time, nth: u64) -> Exchange {
        self.tell(now);
        if let Some(reply) = proxy_ports::reply(self, pod, request, now) {
            return Exchange { reply, delay_ms: 1, logs: Vec::new() };
        }
        let mut trace = self.trace(pod, request, now, nth);
        if self.bend.bends(trace.record.outcome) {
            trace = self.bent(trace, request);
        }
        self.memories.note(&trace);
        Exchange { reply: trace.reply, delay_ms: trace.delay_ms, logs: trace.logs }
    }

    fn fork(&self) -> Box<dyn Dataplane> {
        Box::new(MeshNetwork {
            seed: self.seed,
            model: self.model.clone(),
            outside: self.outside.clone(),
            bend: self.bend,
            memories: self.memories.clone(),
            push: self.push,
            pushed: self.pushed,
        })
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

impl Sandbox {
    /// What the world's own network decides about a request of a pod at this moment; leaves nothing behind. `nth` as in [`Inputs`].
    ///
    /// # Errors
    /// The world is gone, or its network is not the mesh.
    pub async fn trace(&self, pod: Object, request: Request, nth: u64) -> anyhow::Result<Trace> {
        let traced = self.handle.with(move |world| {
            let now = world.now();
            let network = world.dataplane().as_any().downcast_ref::<MeshNetwork>()?;
            Some(network.trace(&pod, &request, now, nth))
        });
        traced.await?.ok_or_else(|| anyhow::anyhow!("this world's network is not the mesh"))
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
