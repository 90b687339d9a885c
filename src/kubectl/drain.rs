//! `kubectl drain`.

use super::apply::DryRun;
use super::error::{Error, Result};
use super::fetch::{self, Filter};
use super::flags::{Flag, Parsed, Takes, flag};
use super::node;
use super::select;
use super::session::{Ask, Session};
use crate::base::duration::go_duration_ms;
use serde_json::{Value, json};

pub const FLAGS: &[Flag] = &[
    flag("ignore-daemonsets", Takes::Bool, "leave pods of daemon sets where they are"),
    flag("delete-emptydir-data", Takes::Bool, "also pods that keep data in an emptyDir"),
    flag("force", Takes::Bool, "also pods that nothing would make again"),
    flag("disable-eviction", Takes::Bool, "delete pods instead of evicting them: disruption budgets do not count"),
    flag("grace-period", Takes::Int, "seconds a pod has to stop (default: its own)"),
    flag("timeout", Takes::Text, "how long to wait, e.g. 30s (default: for ever)"),
    flag("pod-selector", Takes::Text, "only pods with these labels"),
    flag("skip-wait-for-delete-timeout", Takes::Int, "do not wait for pods that have been stopping for longer than this"),
    flag("chunk-size", Takes::Int, "objects a page (default 500)"),
];

/// A refused eviction is tried again this often.
const RETRIES: usize = 1000;
const RETRY_MS: u64 = 5_000;
/// How often it is looked whether a pod is gone.
const POLL_MS: u64 = 1_000;
const POLLS: usize = 100_000;

/// Runs `kubectl drain`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let nodes = node::named(s, p).await?;
    node::mark(s, p, &nodes, true).await?;
    let (mut errors, mut pending) = (Vec::new(), Vec::new());
    for name in nodes {
        match empty(s, p, &name).await {
            Ok(()) => s.say(&format!("node/{name} drained{}", DryRun::of(p)?.suffix())),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => {
                s.warn(&format!("error: unable to drain node {name:?} due to error: {}, continuing command...", shown(&error)));
                pending.push(name);
                s.warn("There are pending nodes to be drained:");
                for name in &pending {
                    s.warn(&format!(" {name}"));
                }
                errors.push(error);
            }
        }
    }
    // kubectl prints these as they are.
    let bare = |error| match error {
        Error::Plain(text) => Error::Said(text),
        other => other,
    };
    Error::all(flat(errors).into_iter().map(bare).collect()).map(|()| 0)
}

/// A set of errors the way Go prints one: `[a, b]`.
fn shown(error: &Error) -> String {
    match error {
        Error::Many(errors) => format!("[{}]", errors.iter().map(Error::message).collect::<Vec<_>>().join(", ")),
        other => other.message(),
    }
}

fn flat(errors: Vec<Error>) -> Vec<Error> {
    let inner = |error| match error {
        Error::Many(errors) => errors,
        other => vec![other],
    };
    errors.into_iter().flat_map(inner).collect()
}

async fn empty(s: &mut Session<'_>, p: &Parsed, node: &str) -> Result<()> {
    let (pods, warning) = victims(s, p, node).await?;
    if !warning.is_empty() {
        s.warn(&format!("Warning: {warning}"));
    }
    let dry_run = DryRun::of(p)?;
    let verb = if p.on("disable-eviction") { "deleting" } else { "evicting" };
    if dry_run == DryRun::Client {
        for pod in pods {
            s.say(&format!("evicting pod {} (dry run)", pod.slashed()));
        }
        return Ok(());
    }
    let mut deadline = p.text("timeout").and_then(go_duration_ms).filter(|ms| *ms > 0);
    let mut errors = Vec::new();
    let mut going = Vec::new();
    for pod in pods {
        s.say(&format!("{verb} pod {}{}", pod.slashed(), dry_run.suffix()));
        match remove(s, p, &pod, dry_run, &mut deadline).await {
            Ok(()) => going.push(pod),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => errors.push(error),
        }
    }
    if dry_run == DryRun::None {
        gone(s, p, going, &mut deadline, &mut errors).await?;
    }
    let Err(error) = Error::all(errors) else { return Ok(()) };
    if let Ok((left, _)) = victims(s, p, node).await
        && !left.is_empty()
    {
        s.warn(&format!("There are pending pods in node {node:?} when an error occurred: {}", shown(&error)));
        for pod in left {
            s.warn(&format!("pod/{}", pod.name));
        }
    }
    Err(error)
}

/// A pod that is to go.
#[derive(Debug, Clone)]
struct Pod {
    namespace: String,
    name: String,
    uid: String,
}

impl Pod {
    fn slashed(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// What is to become of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    Delete,
    /// Deleted, and said.
    Warned(&'static str),
    /// Left alone, and said.
    Left(&'static str),
    Skip,
    Refused(&'static str),
}

/// The pods that are to go, and what is said about some of them.
async fn victims(s: &mut Session<'_>, p: &Parsed, node: &str) -> Result<(Vec<Pod>, String)> {
    let resource = select::one_type(s, "pods").await?;
    let filter = Filter {
        labels: p.str("pod-selector").into(),
        fields: format!("spec.nodeName={node}"),
        limit: p.int("chunk-size").unwrap_or(500),
        ..Filter::default()
    };
    let (mut pods, mut warned, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for pod in fetch::objects(s, &resource, &filter).await? {
        let text = |path: &str| pod["metadata"][path].as_str().unwrap_or("").to_string();
        let found = Pod { namespace: text("namespace"), name: text("name"), uid: text("uid") };
        match fate(s, p, &pod).await? {
            Fate::Delete => pods.push(found),
            Fate::Warned(what) => {
                note(&mut warned, what, &found);
                pods.push(found);
            }
            Fate::Left(what) => note(&mut warned, what, &found),
            Fate::Skip => (),
            Fate::Refused(what) => note(&mut refused, what, &found),
        }
    }
    let line = |(what, names): (&str, Vec<String>)| format!("{what}: {}", names.join(", "));
    let refused = refused.into_iter().map(|entry| Error::plain(format!("cannot delete {}", line(entry)))).collect();
    Error::all(refused)?;
    Ok((pods, warned.into_iter().map(line).collect::<Vec<_>>().join("; ")))
}

fn note(said: &mut Vec<(&'static str, Vec<String>)>, what: &'static str, pod: &Pod) {
    match said.iter_mut().find(|(known, _)| *known == what) {
        Some((_, names)) => names.push(pod.slashed()),
        None => said.push((what, vec![pod.slashed()])),
    }
}

/// After kubectl's filters, in their order; the first that keeps a pod decides.
async fn fate(s: &mut Session<'_>, p: &Parsed, pod: &Value) -> Result<Fate> {
    if let Some(seconds) = p.int("skip-wait-for-delete-timeout").filter(|n| *n > 0)
        && let Some(since) = pod["metadata"]["deletionTimestamp"].as_str().and_then(crate::base::clock::Time::parse)
        && s.now().since(since) > seconds * 1000
    {
        return Ok(Fate::Skip);
    }
    let finished = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let owners = pod["metadata"]["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default();
    let controller = owners.iter().find(|owner| owner["controller"] == true);
    let mut said = Fate::Delete;
    if let Some(owner) = controller.filter(|owner| owner["kind"] == "DaemonSet" && !finished) {
        let path = format!(
            "/apis/apps/v1/namespaces/{}/daemonsets/{}",
            pod["metadata"]["namespace"].as_str().unwrap_or(""),
            owner["name"].as_str().unwrap_or("")
        );
        match s.json(Ask::get(path)).await {
            Err(error) if error.is_not_found() && p.on("force") => {
                said = Fate::Warned("deleting Pods that declare no controller")
            }
            Err(error) => return Err(error),
            Ok(_) if !p.on("ignore-daemonsets") => {
                return Ok(Fate::Refused("DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"));
            }
            Ok(_) => return Ok(Fate::Left("ignoring DaemonSet-managed Pods")),
        }
    }
    if pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string() {
        return Ok(Fate::Skip);
    }
    let local = pod["spec"]["volumes"].as_array().into_iter().flatten().any(|volume| !volume["emptyDir"].is_null());
    if local && !finished {
        if !p.on("delete-emptydir-data") {
            return Ok(Fate::Refused("Pods with local storage (use --delete-emptydir-data to override)"));
        }
        said = Fate::Warned("deleting Pods with local storage");
    }
    if !finished && controller.is_none() {
        if !p.on("force") {
            return Ok(Fate::Refused("Pods that declare no controller (use --force to override)"));
        }
        said = Fate::Warned("deleting Pods that declare no controller");
    }
    Ok(said)
}

/// Evicts or deletes a pod; while a disruption budget forbids it, again and again.
async fn remove(s: &mut Session<'_>, p: &Parsed, pod: &Pod, dry_run: DryRun, left: &mut Option<i64>) -> Result<()> {
    let mut options = json!({});
    if let Some(seconds) = p.int("grace-period").filter(|n| *n >= 0) {
        options["gracePeriodSeconds"] = json!(seconds);
    }
    if dry_run == DryRun::Server {
        options["dryRun"] = json!(["All"]);
    }
    let path = format!("/api/v1/namespaces/{}/pods/{}", pod.namespace, pod.name);
    let eviction = json!({"kind": "Eviction", "apiVersion": "policy/v1",
        "metadata": {"name": pod.name, "namespace": pod.namespace}, "deleteOptions": options});
    for _ in 0..RETRIES {
        let asked = match p.on("disable-eviction") {
            true => Ask::delete(path.clone(), &options),
            false => Ask::post(format!("{path}/eviction"), &eviction),
        };
        let error = match s.json(asked).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => error,
        };
        let what = format!("error when evicting pods/{:?} -n {:?}", pod.name, pod.namespace);
        if error.reason() != "TooManyRequests" {
            return Err(match error {
                Error::Status(_) => Error::plain(format!("{what}: {}", error.message())),
                other => other,
            });
        }
        s.warn(&format!("{what} (will retry after 5s): {}", error.message()));
        if left.is_some_and(|ms| ms < RETRY_MS as i64) {
            return Err(Error::plain(format!("{what}: global timeout reached: {}", p.str("timeout"))));
        }
        *left = left.map(|ms| ms - RETRY_MS as i64);
        wait(s, RETRY_MS).await?;
    }
    Err(Error::plain(format!("pod {} could not be evicted", pod.slashed())))
}

/// Waits until the pods are gone, saying so of each.
async fn gone(
    s: &mut Session<'_>,
    p: &Parsed,
    mut pods: Vec<Pod>,
    left: &mut Option<i64>,
    errors: &mut Vec<Error>,
) -> Result<()> {
    let word = if p.on("disable-eviction") { "deleted" } else { "evicted" };
    for _ in 0..POLLS {
        let mut still = Vec::new();
        for pod in pods {
            match s.json(Ask::get(format!("/api/v1/namespaces/{}/pods/{}", pod.namespace, pod.name))).await {
                Ok(live) if live["metadata"]["uid"] == *pod.uid => still.push(pod),
                Err(error) if !error.is_not_found() => return Err(error),
                _ => s.say(&format!("pod/{} {word}", pod.name)),
            }
        }
        pods = still;
        if pods.is_empty() {
            return Ok(());
        }
        let step = left.map_or(POLL_MS as i64, |ms| ms.min(POLL_MS as i64));
        if step <= 0 {
            break;
        }
        *left = left.map(|ms| ms - step);
        wait(s, step as u64).await?;
    }
    errors.extend(pods.iter().map(|pod| {
        Error::plain(format!(
            "error when waiting for pod {:?} in namespace {:?} to terminate: context deadline exceeded",
            pod.name, pod.namespace
        ))
    }));
    Ok(())
}

async fn wait(s: &mut Session<'_>, ms: u64) -> Result<()> {
    let pause = s.ctx.pause.pause(ms);
    tokio::select! {
        () = pause => Ok(()),
        () = s.interrupted() => Err(Error::Interrupted),
    }
}
