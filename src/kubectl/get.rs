//! `kubectl get`.

use super::discovery::Resource;
use super::error::{Error, Result};
use super::fetch::{self, Filter, Seen};
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::manifest;
use super::print::output::{Output, without_managed_fields};
use super::print::table::{Printer, Style};
use super::select::{self, Target, Targets};
use super::session::{Ask, JSON, Session, TABLE};
use crate::base::order::Order;
use crate::k8s::jsonpath::JsonPath;
use serde_json::{Value, json};

pub const FLAGS: &[Flag] = &[
    short("all-namespaces", 'A', Takes::Bool, "list the objects of every namespace"),
    short("watch", 'w', Takes::Bool, "after listing, print every change"),
    flag("watch-only", Takes::Bool, "print changes only, without listing first"),
    flag("output-watch-events", Takes::Bool, "with a watch, say what happened (ADDED, MODIFIED, DELETED)"),
    flag("show-labels", Takes::Bool, "add a column with all labels"),
    short("label-columns", 'L', Takes::List, "add a column for each of these labels"),
    flag("no-headers", Takes::Bool, "leave the header line out"),
    flag("sort-by", Takes::Text, "sort by a JSONPath, e.g. .metadata.creationTimestamp"),
    flag("ignore-not-found", Takes::Bool, "no error when an object does not exist"),
    flag("show-kind", Takes::Bool, "print names with their type"),
    flag("show-managed-fields", Takes::Bool, "keep metadata.managedFields in yaml and json"),
    flag("chunk-size", Takes::Int, "objects a page (default 500)"),
    flag("raw", Takes::Text, "print what the server answers for a path"),
    flag("subresource", Takes::Text, "read a subresource, e.g. status"),
    flag("server-print", Takes::Bool, "let the server make the table (always done here)"),
];

/// Runs `kubectl get`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    if p.given("raw") {
        let body = s.text(Ask::get(p.str("raw"))).await?;
        s.io.write(body.as_bytes());
        return Ok(0);
    }
    let output = Output::parse_with_tables(p)?;
    let targets = targets(s, p).await?;
    if p.on("watch") || p.on("watch-only") {
        return watch(s, p, &output, &targets).await;
    }
    match output.is_human() {
        true => tables(s, p, &targets, &output).await,
        false => objects(s, p, &targets, &output).await,
    }
}

async fn targets(s: &mut Session<'_>, p: &Parsed) -> Result<Targets> {
    if p.given("filename") {
        let (items, errors) = manifest::read(s, p).await?;
        Error::all(errors)?;
        let several = items.windows(2).any(|w| w[0].resource != w[1].resource);
        if let Some(first) = items.first() {
            s.namespace = first.namespace.clone();
        }
        let items = items.into_iter().map(|i| Target { name: i.name().to_string(), resource: i.resource }).collect();
        return Ok(Targets { items, several_types: several });
    }
    if p.operands.is_empty() {
        return Err(Error::Said(
            "You must specify the type of resource to get. Use \"kubectl api-resources\" for a complete list of supported resources.\n\nerror: Required resource not specified.\nUse \"kubectl explain <resource>\" for a detailed description of that resource (e.g. kubectl explain pods).\nSee 'kubectl get -h' for help and examples".into(),
        ));
    }
    let targets = select::targets(s, &p.operands).await?;
    select::no_name_with_selector(p, &targets)?;
    let named = targets.items.iter().any(|t| !t.name.is_empty() && t.resource.namespaced);
    match named && p.on("all-namespaces") {
        true => Err(Error::plain("a resource cannot be retrieved by name across all namespaces")),
        false => Ok(targets),
    }
}

fn style(p: &Parsed, output: &Output, target: &Target, several: bool) -> Style {
    Style {
        wide: matches!(output, Output::Human { wide: true }),
        no_headers: p.on("no-headers"),
        show_labels: p.on("show-labels"),
        label_columns: p.list("label-columns").to_vec(),
        with_namespace: p.on("all-namespaces") && target.resource.namespaced,
        kind: (several || p.on("show-kind")).then(|| target.resource.printed()),
        events: p.on("output-watch-events"),
    }
}

/// Targets of one type next to each other share a table.
async fn tables(s: &mut Session<'_>, p: &Parsed, targets: &Targets, output: &Output) -> Result<i32> {
    let mut errors = Vec::new();
    let mut printed = 0usize;
    let mut at = 0;
    while at < targets.items.len() {
        let resource = &targets.items[at].resource;
        let same = targets.items[at..].iter().take_while(|t| t.resource == *resource).count();
        let mut table = Value::Null;
        for target in &targets.items[at..at + same] {
            match one_table(s, p, target).await {
                Ok(more) => append(&mut table, more),
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) if error.is_not_found() && p.on("ignore-not-found") => (),
                Err(error) => errors.push(error),
            }
        }
        if let Some(key) = p.text("sort-by") {
            sort_rows(&mut table, key)?;
        }
        if table["rows"].as_array().is_some_and(|rows| !rows.is_empty()) {
            let text = Printer::new(style(p, output, &targets.items[at], targets.several_types)).print(&table, "ADDED");
            if printed > 0 {
                s.io.write(b"\n");
            }
            s.io.write(text.as_bytes());
            printed += 1;
        }
        at += same;
    }
    if printed == 0 && errors.is_empty() && !p.on("ignore-not-found") {
        nothing_found(s, p, targets);
    }
    Error::all(errors).map(|()| 0)
}

async fn one_table(s: &mut Session<'_>, p: &Parsed, target: &Target) -> Result<Value> {
    let mut filter = Filter::of(s, p);
    if !target.name.is_empty() {
        let namespace = filter.namespace.clone();
        return fetch::table_row(s, &target.resource, &namespace, &target.name).await;
    }
    let include = if p.given("sort-by") { "Object" } else { "" };
    if p.given("sort-by") {
        filter.limit = 0;
    }
    fetch::list(s, &target.resource, &filter, TABLE, ("includeObject", include)).await
}

fn append(table: &mut Value, mut more: Value) {
    match (table["rows"].as_array_mut(), more["rows"].as_array_mut()) {
        (Some(rows), Some(new)) => rows.append(new),
        _ => *table = more,
    }
}

fn nothing_found(s: &mut Session<'_>, p: &Parsed, targets: &Targets) {
    let namespaced = targets.items.iter().all(|t| t.resource.namespaced);
    match namespaced && !p.on("all-namespaces") {
        true => s.warn(&format!("No resources found in {} namespace.", s.namespace.clone())),
        false => s.warn("No resources found"),
    }
}

fn sort_rows(table: &mut Value, key: &str) -> Result<()> {
    let path = JsonPath::parse_relaxed(key).map_err(Error::Plain)?;
    if let Some(rows) = table["rows"].as_array_mut() {
        rows.order_by(|a, b| compare(&path, &a["object"], &b["object"]));
    }
    Ok(())
}

/// Numbers by size, times and texts by their letters, missing first.
fn compare(path: &JsonPath, a: &Value, b: &Value) -> std::cmp::Ordering {
    let value = |v: &Value| path.find(v).ok().and_then(|found| found.first().map(|v| (*v).clone())).unwrap_or(Value::Null);
    match (value(a), value(b)) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().unwrap_or(0.0).total_cmp(&b.as_f64().unwrap_or(0.0)),
        (a, b) => super::print::scalar(&a).cmp(&super::print::scalar(&b)),
    }
}

async fn objects(s: &mut Session<'_>, p: &Parsed, targets: &Targets, output: &Output) -> Result<i32> {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    let single = targets.items.len() == 1 && !targets.items[0].name.is_empty();
    for target in &targets.items {
        match read(s, p, target).await {
            Ok(objects) => found.extend(objects),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) if error.is_not_found() && p.on("ignore-not-found") => (),
            Err(error) => errors.push(error),
        }
    }
    if let Some(key) = p.text("sort-by") {
        let path = JsonPath::parse_relaxed(key).map_err(Error::Plain)?;
        found.order_by(|a, b| compare(&path, a, b));
    }
    let nothing = found.is_empty()
        && (single || !errors.is_empty() || p.on("ignore-not-found") && targets.items.iter().all(|t| !t.name.is_empty()));
    if !nothing {
        let resources = s.resources().await?;
        let whole = match single {
            true => found.remove(0),
            false => json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": found}),
        };
        let whole = if p.on("show-managed-fields") { whole } else { without_managed_fields(whole) };
        let text = output.print(&whole, &resources, !p.on("no-headers"))?;
        s.io.write(text.as_bytes());
    }
    Error::all(errors).map(|()| 0)
}

async fn read(s: &mut Session<'_>, p: &Parsed, target: &Target) -> Result<Vec<Value>> {
    let filter = Filter::of(s, p);
    if target.name.is_empty() {
        return fetch::objects(s, &target.resource, &filter).await;
    }
    if p.given("subresource") {
        let path = format!("{}/{}", target.resource.object_path(&filter.namespace, &target.name), p.str("subresource"));
        return Ok(vec![s.json(Ask::get(path)).await?]);
    }
    Ok(vec![fetch::object(s, &target.resource, &filter.namespace, &target.name).await?])
}

/// List, then changes, until the server ends the watch or Ctrl-C.
async fn watch(s: &mut Session<'_>, p: &Parsed, output: &Output, targets: &Targets) -> Result<i32> {
    let [target] = targets.items.as_slice() else {
        return Err(match targets.several_types {
            true => Error::plain("you may only specify a single resource type"),
            false => Error::plain("watch is only supported on individual resources and resource collections"),
        });
    };
    let mut filter = Filter::of(s, p);
    let accept = if output.is_human() { TABLE } else { JSON };
    let start = start_of_watch(s, &filter, target, accept).await?;
    let version = start["metadata"]["resourceVersion"].as_str().unwrap_or("").to_string();
    let mut printer = Printer::new(style(p, output, target, false));
    if !p.on("watch-only") {
        print_start(s, p, output, &mut printer, start, &target.resource).await?;
    }
    if !target.name.is_empty() {
        filter.fields = format!("metadata.name={}", target.name);
    }
    let mut watch = fetch::watch(s, &target.resource, &filter, &version, accept).await?;
    loop {
        match watch.next(s, None).await? {
            Seen::Event(kind, object) => print_event(s, p, output, &mut printer, &kind, object).await?,
            Seen::Stale(error) => return Err(error),
            Seen::Ended | Seen::TimedOut => return Ok(0),
        }
    }
}

async fn start_of_watch(s: &mut Session<'_>, filter: &Filter, target: &Target, accept: &'static str) -> Result<Value> {
    match target.name.is_empty() {
        true => fetch::list(s, &target.resource, filter, accept, ("", "")).await,
        false => {
            let got = s.json(Ask::get(target.resource.object_path(&filter.namespace, &target.name)).accept(accept)).await;
            fetch::named(s, &target.resource, &filter.namespace, got).await
        }
    }
}

async fn print_start(
    s: &mut Session<'_>,
    p: &Parsed,
    output: &Output,
    printer: &mut Printer,
    mut start: Value,
    resource: &Resource,
) -> Result<()> {
    if output.is_human() {
        if start["rows"].as_array().is_some_and(|rows| !rows.is_empty()) {
            let text = printer.print(&start, "ADDED");
            s.io.write(text.as_bytes());
        }
        return Ok(());
    }
    let items = match start["items"].is_array() {
        true => fetch::take_items(&mut start, resource),
        false => vec![start],
    };
    for item in items {
        print_event(s, p, output, printer, "ADDED", item).await?;
    }
    Ok(())
}

async fn print_event(
    s: &mut Session<'_>,
    p: &Parsed,
    output: &Output,
    printer: &mut Printer,
    kind: &str,
    object: Value,
) -> Result<()> {
    if output.is_human() {
        let text = printer.print(&object, kind);
        s.io.write(text.as_bytes());
        return Ok(());
    }
    let object = if p.on("show-managed-fields") { object } else { without_managed_fields(object) };
    let object = if p.on("output-watch-events") { json!({"type": kind, "object": object}) } else { object };
    let resources = s.resources().await?;
    let mut text = output.print(&object, &resources, !p.on("no-headers"))?;
    if matches!(output, Output::Yaml) {
        text = format!("---\n{text}");
    }
    s.io.write(text.as_bytes());
    Ok(())
}
