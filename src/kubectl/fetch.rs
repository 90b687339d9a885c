//! Reading objects: one, all of a type, and what changes.

use super::discovery::Resource;
use super::error::{Error, Result};
use super::flags::Parsed;
use super::session::{Ask, Bytes, Next, Session, TABLE};
use crate::base::order::Order;
use futures::future::BoxFuture;
use serde_json::{Value, json};

/// Pages of a list that are read at most.
const PAGES: usize = 1000;

/// What narrows a list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// "" is all namespaces.
    pub namespace: String,
    pub labels: String,
    pub fields: String,
    /// Objects a page, 0 for all at once.
    pub limit: i64,
}

impl Filter {
    /// From `-n`, `-A`, `-l`, `--field-selector`, `--chunk-size`.
    pub fn of(s: &Session<'_>, parsed: &Parsed) -> Filter {
        Filter {
            namespace: if parsed.on("all-namespaces") { String::new() } else { s.namespace.clone() },
            labels: parsed.str("selector").to_string(),
            fields: parsed.str("field-selector").to_string(),
            limit: parsed.int("chunk-size").unwrap_or(500),
        }
    }

    fn ask(&self, resource: &Resource) -> Ask {
        let limit = if self.limit > 0 { self.limit.to_string() } else { String::new() };
        Ask::get(resource.path(&self.namespace))
            .query("labelSelector", &self.labels)
            .query("fieldSelector", &self.fields)
            .query("limit", limit)
    }
}

/// One object.
///
/// # Errors
/// Not found (of the namespace, when that is what is missing) and what else the server says.
pub async fn object(s: &mut Session<'_>, resource: &Resource, namespace: &str, name: &str) -> Result<Value> {
    let got = s.json(Ask::get(resource.object_path(namespace, name))).await;
    named(s, resource, namespace, got).await
}

/// A 404 for an object in a namespace that does not exist is a 404 for the namespace.
///
/// # Errors
/// The answer's own error, or the namespace's.
pub async fn named(s: &mut Session<'_>, resource: &Resource, namespace: &str, got: Result<Value>) -> Result<Value> {
    match got {
        Err(error) if error.is_not_found() && resource.namespaced && !namespace.is_empty() => {
            match s.json(Ask::get(format!("/api/v1/namespaces/{namespace}"))).await {
                Err(missing) if missing.is_not_found() => Err(missing),
                Err(Error::Interrupted) => Err(Error::Interrupted),
                _ => Err(error),
            }
        }
        other => other,
    }
}

/// One object as a table.
///
/// # Errors
/// As [`object`].
pub async fn table_row(s: &mut Session<'_>, resource: &Resource, namespace: &str, name: &str) -> Result<Value> {
    let got = s.json(Ask::get(resource.object_path(namespace, name)).accept(TABLE)).await;
    named(s, resource, namespace, got).await
}

/// All pages of a list as one; `extra` adds a query parameter, `accept` chooses Table or objects.
///
/// # Errors
/// What the server says, in the words kubectl puts around selectors.
pub async fn list(
    s: &mut Session<'_>,
    resource: &Resource,
    filter: &Filter,
    accept: &'static str,
    extra: (&str, &str),
) -> Result<Value> {
    let base = filter.ask(resource).accept(accept).query(extra.0, extra.1);
    let mut whole = s.json(base.clone()).await.map_err(|e| list_error(resource, filter, e))?;
    let member = if whole["kind"] == "Table" { "rows" } else { "items" };
    for _ in 0..PAGES {
        let token = whole["metadata"]["continue"].as_str().unwrap_or("").to_string();
        if token.is_empty() {
            break;
        }
        let mut page = s.json(base.clone().query("continue", token)).await.map_err(|e| list_error(resource, filter, e))?;
        if let (Some(all), Some(more)) = (whole[member].as_array_mut(), page[member].as_array_mut()) {
            all.append(more);
        }
        whole["metadata"] = page["metadata"].take();
    }
    Ok(whole)
}

fn list_error(resource: &Resource, filter: &Filter, error: Error) -> Error {
    let place = format!("{}/{}, Resource={}", resource.group, resource.version, resource.plural);
    match error.reason() {
        "BadRequest" if !filter.labels.is_empty() || !filter.fields.is_empty() => error.prefixed(&format!(
            "Unable to find {place:?} that match label selector {:?}, field selector {:?}",
            filter.labels, filter.fields
        )),
        "NotFound" if error.message() == "the server could not find the requested resource" => {
            error.prefixed(&format!("Unable to list {place:?}"))
        }
        _ => error,
    }
}

/// The objects of a list, each with its `apiVersion` and `kind`.
///
/// # Errors
/// As [`list`].
pub async fn objects(s: &mut Session<'_>, resource: &Resource, filter: &Filter) -> Result<Vec<Value>> {
    let mut whole = list(s, resource, filter, super::session::JSON, ("", "")).await?;
    Ok(take_items(&mut whole, resource))
}

/// Takes the items out of a list and fills in what lists leave out.
pub fn take_items(list: &mut Value, resource: &Resource) -> Vec<Value> {
    let items = match list["items"].take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    items.into_iter().map(|item| typed(item, resource)).collect()
}

fn typed(mut item: Value, resource: &Resource) -> Value {
    if item["kind"].as_str().unwrap_or("").is_empty() {
        item["kind"] = json!(resource.kind);
        item["apiVersion"] = json!(resource.api_version());
    }
    item
}

/// A watch: events one by one.
pub struct Watch {
    stream: Bytes,
    buffer: Vec<u8>,
    /// It was refused as it was opened.
    stale: Option<Error>,
}

/// One step of a watch.
#[derive(Debug)]
pub enum Seen {
    /// `ADDED`, `MODIFIED`, `DELETED` and the object (or a Table of one row).
    Event(String, Value),
    Ended,
    /// The version it began from is no longer kept (410): who waits looks anew.
    Stale(Error),
    TimedOut,
}

/// Opens a watch from a version of a list or object.
///
/// # Errors
/// What the server says.
pub async fn watch(
    s: &mut Session<'_>,
    resource: &Resource,
    filter: &Filter,
    version: &str,
    accept: &'static str,
) -> Result<Watch> {
    let ask = Ask::get(resource.path(&filter.namespace))
        .accept(accept)
        .query("labelSelector", &filter.labels)
        .query("fieldSelector", &filter.fields)
        .query("resourceVersion", version)
        .query("watch", "true");
    match s.stream(ask).await {
        Ok(stream) => Ok(Watch { stream, buffer: Vec::new(), stale: None }),
        Err(error) if error.is_stale() => {
            Ok(Watch { stream: Box::pin(futures::stream::empty()), buffer: Vec::new(), stale: Some(error) })
        }
        Err(error) => Err(error),
    }
}

impl Watch {
    /// The next event; bookmarks are passed over.
    ///
    /// # Errors
    /// An error event, a broken connection, Ctrl-C.
    pub async fn next(&mut self, s: &mut Session<'_>, mut deadline: Option<&mut BoxFuture<'static, ()>>) -> Result<Seen> {
        if let Some(error) = self.stale.take() {
            return Ok(Seen::Stale(error));
        }
        loop {
            if let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let Ok(mut event) = serde_json::from_slice::<Value>(&line) else { continue };
                match event["type"].as_str().unwrap_or("").to_string() {
                    kind if kind == "BOOKMARK" => continue,
                    kind if kind == "ERROR" => {
                        let error = Error::Status(Box::new(event["object"].take()));
                        return if error.is_stale() { Ok(Seen::Stale(error)) } else { Err(error) };
                    }
                    kind => return Ok(Seen::Event(kind, event["object"].take())),
                }
            }
            match s.next(&mut self.stream, deadline.as_deref_mut()).await? {
                Next::Bytes(bytes) => self.buffer.extend_from_slice(&bytes),
                Next::Ended if self.buffer.is_empty() => return Ok(Seen::Ended),
                Next::Ended => self.buffer.push(b'\n'),
                Next::TimedOut => return Ok(Seen::TimedOut),
            }
        }
    }
}

/// Events about an object, oldest first.
///
/// # Errors
/// What the server says.
pub async fn events(s: &mut Session<'_>, object: &Value) -> Result<Vec<Value>> {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default").to_string();
    let text = |path: &str| object["metadata"][path].as_str().unwrap_or("").to_string();
    let mut fields = vec![format!("involvedObject.name={}", text("name"))];
    if !text("namespace").is_empty() {
        fields.push(format!("involvedObject.namespace={}", text("namespace")));
    }
    fields.push(format!("involvedObject.kind={}", object["kind"].as_str().unwrap_or("")));
    fields.push(format!("involvedObject.uid={}", text("uid")));
    let ask =
        Ask::get(format!("/api/v1/namespaces/{namespace}/events")).query("fieldSelector", fields.join(",")).query("limit", "500");
    let mut list = s.json(ask).await?;
    let mut items = match list["items"].take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    sort_events(&mut items);
    Ok(items)
}

/// Oldest first; events of the same second in the order in which they were written.
pub fn sort_events(events: &mut [Value]) {
    let written = |e: &Value| e["metadata"]["resourceVersion"].as_str().and_then(|v| v.parse::<u64>().ok()).unwrap_or(0);
    events.order_by_key(|e| (event_time(e).to_string(), written(e)));
}

/// When an event was last seen.
pub fn event_time(event: &Value) -> &str {
    let candidates =
        [&event["series"]["lastObservedTime"], &event["lastTimestamp"], &event["eventTime"], &event["firstTimestamp"]];
    candidates.into_iter().find_map(|t| t.as_str()).or_else(|| event["metadata"]["creationTimestamp"].as_str()).unwrap_or("")
}
