//! A Kubernetes API server, its controllers and one node, inside this program. Knows nothing of kube, lessons, checks or Istio:
//! what Istio does comes in through the four traits below, which `lab::env::sandbox` implements.

pub mod api;
pub mod call;
pub mod controllers;
mod inflate;
pub mod node;
pub mod serve;
pub mod store;
pub mod world;

use crate::base::clock::Time;
use crate::k8s::{Key, Object, Snapshot};
use crate::outside::wire::{DnsAnswer, Exchange, Reply, Request};
use std::sync::Arc;

/// How a world's time passes (design 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Real time; `real_time`: transitions take as long as on a cluster, not the shortened times.
    Wall { real_time: bool },
    /// A logical clock: transitions fire in due order after each write, sleeps of commands end at once and move the clock.
    Instant,
    /// A check's fork: no transition fires, sleeps and delays end at once, the clock stands.
    Frozen,
}

/// What a commit changed, handed to the data plane and to controllers.
#[derive(Debug, Clone, Copy)]
pub struct Changes<'a> {
    /// The state after the commit.
    pub snapshot: &'a Snapshot,
    /// The keys that were written or deleted; empty means "look at everything" (first call, fork, reset).
    pub changed: &'a [Key],
}

/// The network of the world: every connection of every pod goes through it, sidecar or not.
pub trait Dataplane: Send {
    /// Takes over a new state. Called after each settled write, before the write is answered.
    fn update(&mut self, changes: &Changes<'_>);
    /// What the pod's resolver answers for a name.
    fn resolve(&self, pod: &Object, name: &str) -> DnsAnswer;
    /// One exchange. `nth` counts exchanges in this world (request ids and weighted choices derive from it).
    fn exchange(&mut self, pod: &Object, request: &Request, now: Time, nth: u64) -> Exchange;
    /// An independent copy.
    fn fork(&self) -> Box<dyn Dataplane>;
    /// Itself, for the lab that made it and knows its type.
    fn as_any(&mut self) -> &mut dyn std::any::Any;
}

/// An admission request as a webhook's server receives it.
#[derive(Debug, Clone)]
pub struct Review<'a> {
    /// `clientConfig.service.path` of the configuration, e.g. `/inject` or `/validate`.
    pub path: &'a str,
    /// CREATE, UPDATE or DELETE.
    pub operation: &'a str,
    /// The object as it would be stored; for DELETE the one that is going.
    pub object: &'a Object,
    pub old: Option<&'a Object>,
    /// The namespace of the request ("" for cluster-scoped kinds).
    pub namespace: &'a str,
    /// The state before the write.
    pub snapshot: &'a Snapshot,
}

/// A webhook server's answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// Let it pass, perhaps changed, with `Warning` header texts.
    Allow { object: Option<Object>, warnings: Vec<String> },
    /// Refuse it; `message` is the text after `admission webhook "NAME" denied the request: `.
    Deny { message: String, code: u16 },
}

/// A webhook server that runs in a pod. The API server finds it as a real one would: through the webhook configuration objects
/// in the store, their Service and that Service's ready endpoints; then asks the first handler whose image runs there.
pub trait Webhook: Send + Sync {
    /// Whether a pod of this image serves this handler.
    fn runs_in(&self, image: &str) -> bool;
    /// Whether webhooks that name this Service are meant for this handler, running or not. What no handler is meant for is stored,
    /// but never called.
    fn answers(&self, namespace: &str, service: &str) -> bool;
    /// Answers a review.
    fn review(&self, review: &Review<'_>) -> Admission;
}

/// What a controller wants written. Writes go through the API's own rules (uid, versions, admission).
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Create(Object),
    /// Replaces everything but status.
    Update(Object),
    /// Replaces status only.
    UpdateStatus(Object),
    /// Deletes in the background. A pod that is already terminating goes at once (the kubelet's last delete, grace 0); any other
    /// pod is deleted gracefully. Controllers never delete what is already terminating.
    Delete(Key),
    /// Records an event about an object.
    Event {
        about: Key,
        warning: bool,
        reason: String,
        message: String,
        source: String,
        /// The part of the object that it is about: `spec.containers{web}`, else empty.
        field: String,
    },
    /// Wants to be run again at this moment even if nothing changes: a *transition*, which instant worlds fire at once in due order.
    Wake(Time),
    /// Wants to be run again once the clock has passed this moment (a schedule, a deadline): instant worlds do not hurry to it.
    Alarm(Time),
}

/// A control loop as a pure step: from what is to what should be written next. Called again until no controller has an action.
pub trait Controller: Send + Sync {
    /// Named in the error when the loops do not come to rest.
    fn name(&self) -> &'static str;
    /// The component of a cluster that it is part of: the manager of the fields that it writes, "" when a cluster notes none.
    fn component(&self) -> &'static str {
        "kube-controller-manager"
    }
    /// The kinds whose objects it looks at, by their kind word; none: everything. Without a change among them, and before its own
    /// [`Action::Wake`], it is not asked again.
    fn watches(&self) -> &'static [&'static str] {
        &[]
    }
    /// Whether a change may give it something to do: any change of a kind that it watches, unless it knows better. Cheap; called for
    /// every change after its last rest.
    fn concerns(&self, change: &store::Change) -> bool {
        let watches = self.watches();
        watches.is_empty() || watches.contains(&change.key.kind.kind.as_str())
    }
    /// The next actions, given the state. Must return nothing once the state is as wanted.
    fn reconcile(&self, state: &Snapshot, now: Time) -> Vec<Action>;
}

/// What the processes of an image do. The first program that answers `runs` is used; the node asks its own catalogue last.
pub trait Program: Send + Sync {
    /// Whether this program knows the image (`docker.io/istio/proxyv2:1.30.0`), whatever its tag.
    fn runs(&self, image: &str) -> bool;
    /// Whether the container of the pod is ready now, or why not (an `Unhealthy` event's text).
    ///
    /// # Errors
    /// The reason, as a readiness probe would report it.
    fn ready(&self, pod: &Object, container: &str, state: &Snapshot) -> Result<(), String>;
    /// Lines that the container logs when it starts.
    fn start_logs(&self, pod: &Object, container: &str, state: &Snapshot, now: Time) -> Vec<String>;
    /// The request to a port of its own pod that a command consists of (`pilot-agent request GET stats`); [`Program::printed`] says
    /// what it prints of the answer.
    fn request(&self, _container: &str, _argv: &[String]) -> Option<Request> {
        None
    }
    /// What a command that consists of a request prints.
    fn printed(&self, _reply: &Reply) -> ExecAnswer {
        ExecAnswer { stdout: Vec::new(), stderr: Vec::new(), exit_code: 0 }
    }
    /// Answers a command run in the container by exec, `None` to let the node's own shell and tools answer.
    fn exec(&self, pod: &Object, container: &str, argv: &[String], state: &Snapshot) -> Option<ExecAnswer>;
}

/// What a program prints for an exec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecAnswer {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub exit_code: i32,
}

/// The four things that `lab` hands to a world.
pub struct Parts {
    pub dataplane: Box<dyn Dataplane>,
    pub webhooks: Vec<Arc<dyn Webhook>>,
    pub controllers: Vec<Arc<dyn Controller>>,
    pub programs: Vec<Arc<dyn Program>>,
}
