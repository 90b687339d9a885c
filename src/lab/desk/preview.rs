//! What applying a manifest would change, and what the last line changed: objects, requests that fare differently, openings that
//! were not there before.

use super::Manifests;
use super::check::Tried;
use crate::base::text::count;
use crate::base::yaml;
use crate::k8s::object::SERVERS_METADATA;
use crate::k8s::{Object, Snapshot};
use crate::lab::explain::diff;
use crate::lab::explain::openings::command;
use crate::lab::explain::world::World;
use crate::lab::target;
use crate::mesh::compare::{Change, Comparison, compare};
use crate::mesh::open::{Found, Witness, find_open};
use crate::mesh::reach::Client;
use crate::session::desk::manifest::{Moved, ObjectDiff, Opened, Preview, Shift, Turn};
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Requests that are told for each sort of change.
const SHOWN: usize = 50;
/// Openings that are told.
const OPENINGS: usize = 20;
/// Kinds that make pods.
const WORKLOADS: [&str; 6] = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"];
/// What labels of a namespace decide on injection.
const INJECTION: [&str; 2] = ["istio-injection", "istio.io/rev"];

impl Manifests<'_> {
    /// What applying a text would change. Nothing is applied.
    ///
    /// # Errors
    /// The environment cannot be read.
    pub async fn preview(&self, name: &str, text: &str) -> anyhow::Result<Preview> {
        let found = self.try_text(text).await;
        let mut preview = Preview { name: name.into(), problems: found.problems, ..Preview::default() };
        preview.objects = found.tried.iter().filter_map(object_diff).collect();
        let made: Vec<Object> =
            found.tried.iter().filter_map(|t| t.trial.made.as_ref().ok()).map(|v| Object(v.clone())).collect();
        if preview.objects.iter().all(|o| o.turn == Turn::Unchanged) {
            return Ok(preview);
        }
        preview.notes = found.tried.iter().filter_map(note).collect();
        let before = self.world("now", &self.prompt.kubectl.client).await?;
        let after = before.with(name, made.into_iter().map(running));
        Ok(tokio::task::spawn_blocking(move || traffic(preview, &before, &after)).await?)
    }

    /// What the last line that wrote something changed.
    ///
    /// # Errors
    /// Nothing was changed yet, or the revisions are no longer kept.
    pub async fn last_change(&self) -> anyhow::Result<Preview> {
        let Some(last) = self.prompt.last_change() else {
            match self.prompt.env().revision().await {
                None => bail!("This cluster keeps no earlier states: look at a change before it is made (`preview FILE`)."),
                Some(_) => bail!("No line has changed anything yet. `preview FILE` shows what a manifest would change."),
            }
        };
        let look = |revision| async move { self.prompt.env().look(Some(revision)).await };
        let gone = "The state before the last change is no longer kept";
        let (old, new) = (look(last.before).await.context(gone)?, look(last.after).await.context(gone)?);
        let before = self.world(&format!("revision {}", last.before), &old.client).await?;
        let after = self.world(&format!("revision {}", last.after), &new.client).await?;
        let mut preview = Preview { name: last.line, done: true, ..Preview::default() };
        preview.objects = between(before.model.snapshot(), after.model.snapshot());
        Ok(tokio::task::spawn_blocking(move || traffic(preview, &before, &after)).await?)
    }

    async fn world(&self, name: &str, client: &kube::Client) -> anyhow::Result<World> {
        let sandbox = target::is_sandbox(&self.prompt.kubectl.client).await;
        let asker = Client { namespace: self.namespace(), name: String::new() };
        World::of_client(name, client, &asker, sandbox, ("", self.prompt.kubectl.clock.now())).await
    }
}

fn object_diff(tried: &Tried) -> Option<ObjectDiff> {
    let made = tried.trial.made.as_ref().ok()?;
    let (before, after) = (shown(&tried.trial.live), shown(made));
    let turn = match () {
        () if tried.trial.live.is_null() => Turn::Created,
        () if before == after => Turn::Unchanged,
        () => Turn::Changed,
    };
    Some(ObjectDiff { name: Object(made.clone()).key().to_string(), turn, before, after })
}

/// An object as people compare it: without what the server keeps for itself.
fn shown(object: &Value) -> String {
    if object.is_null() {
        return String::new();
    }
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in SERVERS_METADATA {
            metadata.remove(field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
    yaml::write(&object)
}

/// What of an object's effect cannot be compared before it is applied.
fn note(tried: &Tried) -> Option<String> {
    let made = Object(tried.trial.made.as_ref().ok()?.clone());
    if WORKLOADS.contains(&made.kind()) {
        return Some(format!("{} makes pods only when it is applied; their requests are not compared.", made.key()));
    }
    let label = |object: &Value| INJECTION.map(|l| object["metadata"]["labels"][l].clone());
    if made.kind() == "Namespace" && label(&made.0) != label(&tried.trial.live) && !tried.trial.live.is_null() {
        let name = made.name();
        return Some(format!(
            "Pods that run in {name} already stay as they are; a new label counts for pods that are created afterwards \
             (`kubectl rollout restart deployment -n {name}`)."
        ));
    }
    (made.kind() == "Pod" && tried.trial.live.is_null()).then(|| format!("{} is compared as if it ran already.", made.key()))
}

/// A pod of a dry run has no state; it is taken as running.
fn running(mut object: Object) -> Object {
    if object.kind() == "Pod" && object.str_at(&["status", "podIP"]).is_empty() {
        object.set(&["status", "phase"], json!("Running"));
        object.set(&["status", "podIP"], json!("10.244.255.254"));
    }
    object
}

/// Objects that differ between two moments, leaving out what controllers make and what only states change.
fn between(old: &Snapshot, new: &Snapshot) -> Vec<ObjectDiff> {
    let keys: BTreeSet<_> = old.all().chain(new.all()).map(|object| object.key()).collect();
    let one = |key| {
        let (was, is) = (old.get(&key), new.get(&key));
        let owner = is.or(was)?.at(&["metadata", "ownerReferences"]);
        if owner.as_array().is_some_and(|o| !o.is_empty())
            || matches!(key.kind.kind.as_str(), "Endpoints" | "EndpointSlice" | "Node")
        {
            return None;
        }
        let text = |object: Option<&std::sync::Arc<Object>>| object.map(|o| shown(&o.0)).unwrap_or_default();
        let (before, after) = (text(was), text(is));
        let turn = match (was, is) {
            (None, Some(_)) => Turn::Created,
            (Some(_), None) => Turn::Deleted,
            _ => Turn::Changed,
        };
        (before != after).then(|| ObjectDiff { name: key.to_string(), turn, before, after })
    };
    keys.into_iter().filter_map(one).take(200).collect()
}

/// Adds what changes for requests, and what is open that was not.
fn traffic(mut preview: Preview, before: &World, after: &World) -> Preview {
    let found = compare((&before.model, &before.inputs()), (&after.model, &after.inputs()), &[]);
    preview.compared = format!("{} x {}", count(found.clients, "client"), count(found.requests, "request"));
    preview.moved = moved(&found);
    if found.unknown {
        preview.notes.push("Some requests meet something that is not modelled; what becomes of them is not told.".into());
    }
    if found.cut {
        preview.notes.push("There is more than was compared.".into());
    }
    let (was, is) = (find_open(&before.model, &before.inputs(), None), find_open(&after.model, &after.inputs(), None));
    openings(&mut preview, &was, &is);
    if found.clients == 0 {
        preview.notes.push("No workload runs yet whose requests could be compared.".into());
    }
    preview.notes.extend(after.assumptions.iter().map(|a| format!("Assumed: {a}.")));
    preview.notes.extend(after.denied.iter().map(|d| format!("This user may not {} {}; they may decide.", d.verb, d.resource)));
    preview
}

fn shift(change: Change) -> Shift {
    match change {
        Change::Allowed => Shift::Allowed,
        Change::Denied => Shift::Denied,
        Change::Way => Shift::Way,
        Change::Outcome => Shift::Outcome,
        Change::Cause => Shift::Cause,
    }
}

fn moved(found: &Comparison) -> Vec<Moved> {
    let mut all = Vec::new();
    for change in Change::ALL {
        let of: Vec<_> = found.differences.iter().filter(|d| d.change == change).collect();
        for (difference, clients) in diff::gather(&of).into_iter().take(SHOWN) {
            let decided = |cell: &crate::mesh::survey::Cell| format!("{}, {}", cell.cause.object, cell.cause.field);
            all.push(Moved {
                shift: shift(change),
                url: difference.probe.ask.url.clone(),
                from: clients.into_iter().map(str::to_string).collect(),
                was: diff::brief(difference.before.as_ref()),
                is: diff::brief(difference.after.as_ref()),
                decided: difference.after.as_ref().or(difference.before.as_ref()).map(decided).unwrap_or_default(),
            });
        }
    }
    all
}

fn openings(preview: &mut Preview, was: &Found, is: &Found) {
    let by = |w: &Witness| format!("{}, {}", w.cause.object, w.cause.field);
    let has = |found: &Found, w: &Witness, client: &String| {
        found.witnesses.iter().any(|o| (o.opening, by(o)) == (w.opening, by(w)) && o.clients.contains(client))
    };
    for witness in &is.witnesses {
        let from: Vec<String> = witness.clients.iter().filter(|client| !has(was, witness, client)).cloned().collect();
        if from.is_empty() || preview.opened.len() >= OPENINGS {
            continue;
        }
        let status = witness.cell.status.map(|s| format!(", HTTP {s}")).unwrap_or_default();
        preview.opened.push(Opened {
            opening: witness.opening.word().into(),
            by: by(witness),
            why: witness.cause.text.to_string(),
            from,
            witness: format!("in {}: {}", witness.client, command(&witness.ask)),
            result: format!("{}, {}{status}", witness.cell.outcome, witness.cell.path),
        });
    }
    let gone = was.witnesses.iter().filter(|w| w.clients.iter().all(|client| !has(is, w, client)));
    preview.closed = gone.map(|w| format!("{}: {}", w.opening.word(), by(w))).take(OPENINGS).collect();
}
