//! `kubectl describe`.

mod container;
mod generic;
mod node;
mod plain;
mod pod;
mod service;
mod text;
mod workload;

use super::discovery::Resource;
use super::error::{Error, Result};
use super::events::seen;
use super::fetch::{self, Filter};
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::manifest;
use super::select::{self, Target};
use super::session::Session;
use crate::base::tabs;
use serde_json::Value;
use text::Page;

pub const FLAGS: &[Flag] = &[
    short("all-namespaces", 'A', Takes::Bool, "objects of every namespace"),
    flag("show-events", Takes::Bool, "with the events about the object (default true)"),
    flag("chunk-size", Takes::Int, "objects a page"),
];

/// Runs `kubectl describe`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let mut errors = Vec::new();
    let subjects = subjects(s, p, &mut errors).await?;
    let mut first = true;
    // Several objects are described without events, unless asked for.
    let with_events = p.on_or("show-events", subjects.len() < 2);
    let found_none = subjects.is_empty() && errors.is_empty();
    for (resource, object) in subjects {
        let page = page(s, with_events, &resource, &object).await?;
        let text = tabs::describe(&page);
        if !std::mem::take(&mut first) {
            s.io.write(b"\n\n");
        }
        s.io.write(text.as_bytes());
    }
    if found_none {
        match p.on("all-namespaces") {
            true => s.warn("No resources found"),
            false => s.warn(&format!("No resources found in {} namespace.", s.namespace.clone())),
        }
    }
    Error::all(errors).map(|()| 0)
}

async fn subjects(s: &mut Session<'_>, p: &Parsed, errors: &mut Vec<Error>) -> Result<Vec<(Resource, Value)>> {
    let mut found = Vec::new();
    if p.given("filename") {
        let (items, unplaced) = manifest::read(s, p).await?;
        errors.extend(unplaced);
        for item in items {
            match super::apply::live(s, &item).await {
                Ok(object) => found.push((item.resource, object)),
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => errors.push(error),
            }
        }
        return Ok(found);
    }
    if p.operands.is_empty() {
        return Err(Error::Said(
            "You must specify the type of resource to describe. Use \"kubectl api-resources\" for a complete list of supported resources."
                .into(),
        ));
    }
    let targets = select::targets(s, &p.operands).await?;
    select::no_name_with_selector(p, &targets)?;
    let filter = Filter::of(s, p);
    for target in targets.items {
        if target.name.is_empty() {
            let objects = fetch::objects(s, &target.resource, &filter).await?;
            found.extend(objects.into_iter().map(|object| (target.resource.clone(), object)));
            continue;
        }
        match named(s, &target, &filter).await {
            Ok(objects) => found.extend(objects.into_iter().map(|object| (target.resource.clone(), object))),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => errors.push(error),
        }
    }
    Ok(found)
}

/// An object, or those whose names begin so.
async fn named(s: &mut Session<'_>, target: &Target, filter: &Filter) -> Result<Vec<Value>> {
    match fetch::object(s, &target.resource, &filter.namespace, &target.name).await {
        Err(error) if error.is_not_found() => {
            let mut all = fetch::objects(s, &target.resource, filter).await.unwrap_or_default();
            all.retain(|o| o["metadata"]["name"].as_str().is_some_and(|n| n.starts_with(&target.name)));
            if all.is_empty() { Err(error) } else { Ok(all) }
        }
        other => other.map(|object| vec![object]),
    }
}

async fn page(s: &mut Session<'_>, mut with_events: bool, resource: &Resource, object: &Value) -> Result<String> {
    let mut page = Page::default();
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Pod") => pod::describe(&mut page, object),
        ("", "Service") => {
            let slices = related(s, "endpointslices.discovery.k8s.io", object, "kubernetes.io/service-name", "").await?;
            service::describe(&mut page, object, &slices);
        }
        ("", "Namespace") => {
            let name = object["metadata"]["name"].as_str().unwrap_or("");
            let quotas = in_namespace(s, "resourcequotas", name).await?;
            let limits = in_namespace(s, "limitranges", name).await?;
            plain::namespace(&mut page, object, quotas.as_deref(), limits.as_deref());
            with_events = false;
        }
        ("", "ConfigMap") => plain::configmap(&mut page, object),
        ("", "Secret") => {
            plain::secret(&mut page, object);
            with_events = false;
        }
        ("", "ServiceAccount") => plain::serviceaccount(&mut page, object),
        ("", "Node") => {
            let name = object["metadata"]["name"].as_str().unwrap_or("");
            let pods =
                related(s, "pods", object, "", &format!("spec.nodeName={name},status.phase!=Failed,status.phase!=Succeeded"))
                    .await?;
            let lease =
                super::session::Ask::get(format!("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}"));
            let lease = s.json(lease).await.map_err(|e| e.message());
            node::describe(&mut page, object, &pods, &lease, s.now());
        }
        ("apps", "Deployment") => {
            let sets = related(s, "replicasets.apps", object, "selector", "").await?;
            workload::deployment(&mut page, object, &sets);
        }
        ("apps", "ReplicaSet") => {
            let pods = related(s, "pods", object, "selector", "").await?;
            workload::replicaset(&mut page, object, &pods);
        }
        _ => generic::describe(&mut page, object),
    }
    if with_events {
        let events = fetch::events(s, object).await.unwrap_or_default();
        write_events(s, &mut page, &events);
    }
    Ok(page.take())
}

/// Objects that belong to another: by a label with its name, or by its selector. Types the server lacks are no objects.
async fn related(s: &mut Session<'_>, word: &str, object: &Value, label: &str, fields: &str) -> Result<Vec<Value>> {
    let resource = match select::one_type(s, word).await {
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        Err(_) => return Ok(Vec::new()),
        Ok(resource) => resource,
    };
    let name = object["metadata"]["name"].as_str().unwrap_or("");
    let labels = match label {
        "" => String::new(),
        "selector" => super::pods::selector(object).unwrap_or_default(),
        label => format!("{label}={name}"),
    };
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or("").to_string();
    fetch::objects(s, &resource, &Filter { namespace, labels, fields: fields.into(), limit: 500 }).await
}

/// The objects of a namespace, None when the server does not have the type.
async fn in_namespace(s: &mut Session<'_>, word: &str, namespace: &str) -> Result<Option<Vec<Value>>> {
    let Ok(resource) = select::one_type(s, word).await else { return Ok(None) };
    match fetch::objects(s, &resource, &Filter { namespace: namespace.into(), limit: 500, ..Filter::default() }).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

fn write_events(s: &Session<'_>, page: &mut Page, events: &[Value]) {
    if events.is_empty() {
        page.line(0, "Events:\t<none>");
        return;
    }
    page.line(0, "Events:\n  Type\tReason\tAge\tFrom\tMessage");
    page.line(0, "  ----\t------\t----\t----\t-------");
    for event in events {
        let text = |v: &Value| v.as_str().unwrap_or("").to_string();
        let from = match text(&event["source"]["component"]) {
            from if from.is_empty() => text(&event["reportingComponent"]),
            from => from,
        };
        let place = match text(&event["involvedObject"]["fieldPath"]) {
            path if path.is_empty() => path,
            path => format!("{path}: "),
        };
        let message = text(&event["message"]);
        page.line(
            0,
            &format!(
                "  {}\t{}\t{}\t{from}\t{place}{}",
                text(&event["type"]),
                text(&event["reason"]),
                seen(s, event),
                message.trim()
            ),
        );
    }
}
