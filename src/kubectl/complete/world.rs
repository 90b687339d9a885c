//! Asks the server for what a [`Wanted`] names. Few requests, each read only as far as names go.

use super::{Found, Question, Wanted};
use crate::kubectl::Context;
use crate::kubectl::discovery::{self, Resource};
use serde_json::Value;

/// Objects that are listed.
const MOST: usize = 500;

/// The candidates for a question about a line, unsorted; those that do not begin as the word does may be among them.
///
/// # Errors
/// The server does not answer; for people.
pub async fn candidates(ctx: &Context, question: &Question) -> Result<Vec<Found>, String> {
    match &question.wanted {
        Wanted::Words(words) => Ok(words.clone()),
        Wanted::Kinds(only) => kinds(ctx, only, &question.start).await,
        Wanted::Names(kind) => names(ctx, kind, question.namespace.as_deref()).await,
        Wanted::Namespaces => names(ctx, "namespaces", None).await,
        Wanted::Containers(pod) => containers(ctx, pod, question.namespace.as_deref()).await,
        Wanted::Files | Wanted::Inner(_) | Wanted::Nothing => Ok(Vec::new()),
    }
}

async fn ask(ctx: &Context, path: &str, accept: &str) -> Result<Value, String> {
    let request = http::Request::get(path).header("Accept", accept).body(Vec::new()).map_err(|e| e.to_string())?;
    ctx.client.request(request).await.map_err(|e| e.to_string())
}

async fn served(ctx: &Context) -> Result<Vec<Resource>, String> {
    let (core, groups) = futures::future::join(ask(ctx, "/api", discovery::ACCEPT), ask(ctx, "/apis", discovery::ACCEPT)).await;
    discovery::read(&core?, &groups?).map_err(|error| error.text())
}

/// Kinds that can be listed: plurals, with the group where two groups have the same; a short name for those who type one.
async fn kinds(ctx: &Context, only: &[&str], start: &str) -> Result<Vec<Found>, String> {
    let all = served(ctx).await?;
    let fits = |r: &&Resource| r.preferred && r.can("list") && (only.is_empty() || only.contains(&r.plural.as_str()));
    let mut found = Vec::new();
    for r in all.iter().filter(fits) {
        let shared = all.iter().any(|other| other.plural == r.plural && other.group != r.group && other.can("list"));
        let word = if shared { r.plural_group() } else { r.plural.clone() };
        let group = if r.group.is_empty() { String::new() } else { format!(" of {}", r.group) };
        let shorts = if r.short_names.is_empty() { String::new() } else { format!(" ({})", r.short_names.join(", ")) };
        let plural_fits = word.starts_with(start);
        found.push((word.clone(), format!("{}{group}{shorts}", r.kind)));
        let short = r.short_names.iter().filter(|short| !start.is_empty() && !plural_fits && short.starts_with(start));
        found.extend(short.map(|short| (short.clone(), word.clone())));
    }
    Ok(found)
}

/// Names of the objects of a kind; of all namespaces when the line says so.
async fn names(ctx: &Context, kind: &str, namespace: Option<&str>) -> Result<Vec<Found>, String> {
    let path = match kind {
        // What is asked for most needs no discovery.
        "pods" | "pod" | "po" => core_path(ctx, "pods", namespace),
        "namespaces" | "namespace" | "ns" => "/api/v1/namespaces".to_string(),
        "nodes" | "node" | "no" => "/api/v1/nodes".to_string(),
        kind => {
            let all = served(ctx).await?;
            let Some(resource) = discovery::find(&all, kind) else { return Ok(Vec::new()) };
            resource.path(&here(ctx, namespace))
        }
    };
    let list = ask(ctx, &format!("{path}?limit={MOST}"), "application/json").await?;
    let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(items.iter().filter_map(|item| Some((item["metadata"]["name"].as_str()?.to_string(), about(item, namespace)))).collect())
}

fn core_path(ctx: &Context, plural: &str, namespace: Option<&str>) -> String {
    match here(ctx, namespace).as_str() {
        "" => format!("/api/v1/{plural}"),
        namespace => format!("/api/v1/namespaces/{namespace}/{plural}"),
    }
}

/// The namespace of a path, empty for all.
fn here(ctx: &Context, namespace: Option<&str>) -> String {
    match namespace {
        Some("*") => String::new(),
        Some(namespace) if !namespace.is_empty() => crate::kubectl::session::escape(namespace),
        _ => crate::kubectl::session::escape(&ctx.namespace()),
    }
}

/// What an object is: its phase, and its namespace where all are listed.
fn about(item: &Value, namespace: Option<&str>) -> String {
    let phase = item["status"]["phase"].as_str().unwrap_or("");
    let place = item["metadata"]["namespace"].as_str().filter(|_| namespace == Some("*")).map(|ns| format!("in {ns}"));
    [place.as_deref().unwrap_or(""), phase].join(" ").trim().to_string()
}

/// The containers of a pod, or of the first pod of a workload's kind and name.
async fn containers(ctx: &Context, pod: &str, namespace: Option<&str>) -> Result<Vec<Found>, String> {
    let path = core_path(ctx, "pods", namespace);
    let pod = pod.strip_prefix("pod/").or(pod.strip_prefix("pods/")).unwrap_or(pod);
    let found = match pod.split_once('/') {
        None => ask(ctx, &format!("{path}/{}", crate::kubectl::session::escape(pod)), "application/json").await?,
        Some((_, workload)) => {
            let list = ask(ctx, &path, "application/json").await?;
            let of =
                |item: &&Value| item["metadata"]["name"].as_str().is_some_and(|name| name.starts_with(&format!("{workload}-")));
            list["items"].as_array().and_then(|items| items.iter().find(of).cloned()).unwrap_or_default()
        }
    };
    let each = |field: &str, about: &'static str| {
        let list = found["spec"][field].as_array().cloned().unwrap_or_default();
        list.into_iter().filter_map(move |c| Some((c["name"].as_str()?.to_string(), about.to_string()))).collect::<Vec<_>>()
    };
    Ok([each("containers", ""), each("initContainers", "init container")].concat())
}
