//! What a lesson will do on a cluster, known before the first write: its set-ups and solutions are rehearsed on a sandbox in memory,
//! and every request that they send is noted. So the rights that are asked for, the kinds that are changed and the names that must be
//! free are those of the very same code that will run on the cluster.

use super::path::{Place, Target};
use super::scribe::{BoxError, carried, is_mesh_wide, meta};
use crate::base::files::{Files, MemoryFiles};
use crate::base::seed::Seed;
use crate::check::{controls, reader};
use crate::lab::actions::{self, OnError};
use crate::lab::env::Environment;
use crate::lab::env::sandbox::{Bend, Make, Sandbox};
use crate::lab::prompt::Prompt;
use crate::lab::start;
use crate::lesson::model::{Action, CheckKind, Fault, Lesson, Step};
use anyhow::Context;
use http::Request;
use kube::client::Body;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// A right that the lesson needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    pub verb: String,
    pub group: String,
    /// `pods`, `pods/exec`.
    pub resource: String,
    /// "" is the whole cluster.
    pub namespace: String,
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        let place = match self.namespace.as_str() {
            "" => "in the whole cluster".to_string(),
            namespace => format!("in namespace {namespace}"),
        };
        write!(f, "{} {}{group} {place}", self.verb, self.resource)
    }
}

/// See the module's text.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// What is needed, and by which steps; `""` stands for the lab itself.
    pub rights: BTreeMap<Right, BTreeSet<String>>,
    /// Steps that change what concerns everybody, with what they change there, by kind.
    pub mesh_wide: Vec<(String, BTreeSet<String>)>,
    /// Objects that commands make which refuse a name that is taken (`run`, `create`), unless the lesson makes and deletes them
    /// itself before.
    pub fresh: BTreeSet<Place>,
    /// Objects that are made where there are none, and changed where somebody has one of that name.
    pub applied: BTreeSet<Place>,
    /// Objects that are there before the lesson and are changed by it.
    pub changed: BTreeSet<Place>,
    /// Steps that need what only the sandbox can do, and why.
    pub unfit: Vec<(String, String)>,
}

/// The field managers of commands that make and never change.
const FRESH: [&str; 2] = ["kubectl-run", "kubectl-create"];

/// A request that went out in a rehearsal.
struct Sent {
    verb: &'static str,
    target: Target,
    manager: String,
    status: u16,
}

/// Works out what the first `steps` steps of a lesson will do.
///
/// # Errors
/// A set-up or solution that does not work on the sandbox either.
pub async fn plan(lesson: &Lesson, steps: usize) -> anyhow::Result<Plan> {
    let sent: Arc<Mutex<Vec<Sent>>> = Arc::default();
    let seen = sent.clone();
    let sandbox = Sandbox::in_process(Make::instant(Seed(1)), Bend::Honest).reached_through(|client| noted(client, seen));
    let env: Arc<dyn Environment> = Arc::new(sandbox);
    let files: Arc<dyn Files> = Arc::new(MemoryFiles::default());
    let mut plan = Plan::default();
    let mut made = BTreeSet::new();
    // There already on a cluster: nothing of it is the lesson's.
    start::with_istio(&env, lesson).await?;
    drain(&sent);
    start::furnish(&env.client(), lesson, &*files).await?;
    plan.take("", drain(&sent), &mut made);
    let prompt = Prompt::new(env, files, None);
    let (quiet, _) = mpsc::channel(1);
    for step in lesson.steps.iter().take(steps) {
        let why = || format!("rehearsing step {}", step.id);
        actions::apply(&prompt, &step.setup, OnError::Stop, &quiet).await.with_context(why)?;
        actions::apply(&prompt, &step.solution, OnError::Stop, &quiet).await.with_context(why)?;
        plan.take(&step.id, drain(&sent), &mut made);
        plan.unfit.extend(outside_faults(step));
        plan.probes(step);
    }
    plan.own();
    Ok(plan)
}

fn drain(sent: &Mutex<Vec<Sent>>) -> Vec<Sent> {
    std::mem::take(&mut *sent.lock().unwrap_or_else(|p| p.into_inner()))
}

/// A client that notes what goes through it.
fn noted(inner: kube::Client, sent: Arc<Mutex<Vec<Sent>>>) -> kube::Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, sent) = (inner.clone(), sent.clone());
        async move {
            let query = request.uri().query().map(str::to_string);
            let target = Target::parse(request.uri().path());
            let verb = target.as_ref().map(|target| target.verb(request.method(), query.as_deref()));
            // Its path has no name, what it carries has.
            let (request, name) = match verb {
                Some("create") => carried(request).await.map(|(request, sent)| (request, meta(&sent, "name").to_string()))?,
                _ => (request, String::new()),
            };
            let response = inner.send(request).await?;
            if let (Some(mut target), Some(verb)) = (target, verb) {
                if target.place.name.is_empty() {
                    target.place.name = name;
                }
                let manager = query.iter().flat_map(|q| q.split('&')).find_map(|pair| pair.strip_prefix("fieldManager="));
                let (manager, status) = (manager.unwrap_or_default().to_string(), response.status().as_u16());
                sent.lock().unwrap_or_else(|p| p.into_inner()).push(Sent { verb, target, manager, status });
            }
            Ok::<_, BoxError>(response)
        }
    });
    kube::Client::new(service, "default")
}

/// Why a step cannot be had on a cluster.
fn outside_faults(step: &Step) -> Option<(String, String)> {
    let breaks = |action: &&Action| matches!(action, Action::Fault(Fault::Dns { .. } | Fault::Origin { .. }));
    let found = step.setup.iter().chain(&step.solution).find(breaks)?;
    let what = match found {
        Action::Fault(Fault::Dns { host, .. }) => format!("the name {host}"),
        Action::Fault(Fault::Origin { host, port, .. }) => format!("the site {host}:{port}"),
        _ => return None,
    };
    Some((step.id.clone(), format!("it breaks {what}, and the outside world of a cluster is as it is")))
}

impl Plan {
    fn need(&mut self, step: &str, verb: &str, place: &Place, part: &str) {
        let resource = if part.is_empty() { place.plural.clone() } else { format!("{}/{part}", place.plural) };
        let (group, namespace) = (place.group.clone(), place.namespace.clone());
        self.rights.entry(Right { verb: verb.into(), group, resource, namespace }).or_default().insert(step.into());
    }

    /// Takes in what a step sent.
    fn take(&mut self, step: &str, sent: Vec<Sent>, made: &mut BTreeSet<Place>) {
        let mut wide = BTreeSet::new();
        for Sent { verb, target, manager, status } in sent {
            let Target { place, part } = target;
            // What the server does not have yet cannot be asked for; the request that makes it is noted by itself.
            if matches!(verb, "get" | "list" | "watch") && status == 404 && part.is_empty() && place.group.contains("istio") {
                continue;
            }
            self.need(step, verb, &place, &part);
            if part == "exec" {
                self.need(step, "create", &place, &part);
            }
            let writes = matches!(verb, "create" | "update" | "patch" | "delete" | "deletecollection") && part != "exec";
            let new = verb == "create" && place.plural == "namespaces";
            let ours = place.plural == "namespaces" && made.contains(&unversioned(&place));
            if writes && is_mesh_wide(&place) && !new && !ours {
                wide.insert(what(&place));
            }
            if verb == "create" && part.is_empty() {
                self.need(step, "delete", &place, "");
                self.need(step, "get", &place, "");
            }
            if writes && part.is_empty() && status < 300 {
                self.note(verb, status, place, &manager, made);
            }
        }
        if !wide.is_empty() {
            self.mesh_wide.push((step.into(), wide));
        }
    }

    /// What a write that went through means for the objects of a cluster.
    fn note(&mut self, verb: &str, status: u16, place: Place, manager: &str, made: &mut BTreeSet<Place>) {
        let new = made.insert(unversioned(&place));
        match (verb, status) {
            _ if !new => (),
            ("create", _) if FRESH.contains(&manager) => drop(self.fresh.insert(place)),
            ("create", _) | ("patch" | "update", 201) => drop(self.applied.insert(place)),
            ("patch" | "update", _) => drop(self.changed.insert(place)),
            _ => (),
        }
    }

    /// What the checks of a step read and send.
    fn probes(&mut self, step: &Step) {
        for check in &step.checks {
            if let CheckKind::Probe(probe) = &check.kind {
                let at = Place::all("", "v1", "pods").within(&probe.from.namespace);
                self.need(&step.id, "get", &at, "exec");
                self.need(&step.id, "create", &at, "exec");
                self.need(&step.id, "get", &at, "log");
            }
        }
    }

    /// What the lab itself needs: the control workloads, and everything that decides about traffic read.
    fn own(&mut self) {
        for (group, version, plural) in reader::always() {
            self.need("", "list", &Place::all(group, version, plural), "");
        }
        for (group, plural, namespace) in [
            ("", "namespaces", ""),
            ("", "pods", controls::NAMESPACE),
            ("", "services", controls::NAMESPACE),
            ("apps", "deployments", controls::NAMESPACE),
        ] {
            let place = Place::all(group, "v1", plural).within(namespace);
            ["get", "create", "delete"].iter().for_each(|verb| self.need("", verb, &place, ""));
        }
        let pods = Place::all("", "v1", "pods").within(controls::NAMESPACE);
        ["get", "create"].iter().for_each(|verb| self.need("", verb, &pods, "exec"));
    }
}

/// A kind and a place without the version: the same object may be written in several.
fn unversioned(place: &Place) -> Place {
    Place { version: String::new(), ..place.clone() }
}

/// What a mesh-wide write changes, for people.
fn what(place: &Place) -> String {
    match (place.plural.as_str(), place.namespace.as_str()) {
        ("namespaces", _) => format!("namespace {}", place.name),
        (_, "") => place.resource(),
        (_, namespace) => format!("{} in {namespace}", place.resource()),
    }
}
