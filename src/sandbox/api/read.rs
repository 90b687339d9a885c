//! GET: one object, lists in pages.

use crate::k8s::selector::{FieldSelector, LabelSelector};
use crate::k8s::{Key, Object, base64};
use crate::sandbox::api::negotiate::{self, Form};
use crate::sandbox::api::registry::Resource;
use crate::sandbox::api::route::Target;
use crate::sandbox::api::status::{self, Cause};
use crate::sandbox::api::table;
use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::world::View;
use serde_json::{Value, json};
use std::sync::Arc;

/// The stored object that a target names.
///
/// # Errors
/// 404.
pub fn find(world: &View, target: &Target) -> Result<Arc<Object>, Refusal> {
    let kind = target.resource.stored_kind();
    let found = world.store.snapshot().find(&kind.group, &kind.kind, &target.namespace, &target.name);
    found.cloned().ok_or_else(|| status::not_found(&target.resource, &target.name))
}

/// The key of the object that a target names.
pub fn key(target: &Target) -> Key {
    Key { kind: target.resource.stored_kind(), namespace: target.namespace.clone(), name: target.name.clone() }
}

/// `GET` of one object.
///
/// # Errors
/// 404, 406.
pub fn get(world: &View, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let form = negotiate::form(call)?;
    let object = find(world, target)?;
    let mut answer = negotiate::object(world, &target.resource, &object, form, call, 200);
    warn(&mut answer, &deprecations(&target.resource));
    Ok(answer)
}

/// Texts for `Warning` headers that reading or writing the kind at this version earns.
pub fn deprecations(resource: &Resource) -> Vec<String> {
    match (resource.group.as_str(), resource.kind.as_str(), &resource.custom) {
        ("", "Endpoints", _) => vec!["v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".into()],
        (_, _, Some(custom)) => custom.version(&resource.version).and_then(|v| v.deprecation.clone()).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Adds `Warning` headers.
pub fn warn(answer: &mut Answer, texts: &[String]) {
    for text in texts {
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        answer.headers.push(("warning".into(), format!("299 - \"{quoted}\"")));
    }
}

/// What a list, watch or collection delete selects.
#[derive(Debug, Clone)]
pub struct Selection {
    pub namespace: String,
    pub labels: LabelSelector,
    pub fields: FieldSelector,
}

impl Selection {
    /// Reads the selectors of a call.
    ///
    /// # Errors
    /// 400 in the API server's words.
    pub fn read(call: &Call, target: &Target) -> Result<Selection, Refusal> {
        let labels = LabelSelector::parse(call.param("labelSelector").unwrap_or("")).map_err(Refusal::bad_request)?;
        let fields = FieldSelector::parse(call.param("fieldSelector").unwrap_or("")).map_err(Refusal::bad_request)?;
        for requirement in &fields.0 {
            known_field(&target.resource, &requirement.path)?;
        }
        Ok(Selection { namespace: target.namespace.clone(), labels, fields })
    }

    /// Whether an object is selected.
    pub fn takes(&self, object: &Object) -> bool {
        (self.namespace.is_empty() || object.namespace() == self.namespace)
            && (self.labels.0.is_empty() || self.labels.matches(&object.labels()))
            && self.fields.matches(object)
    }

    /// Whether anything but the namespace selects.
    pub fn narrows(&self) -> bool {
        !self.labels.0.is_empty() || !self.fields.0.is_empty()
    }
}

const POD_FIELDS: &[&str] = &[
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
];
const EVENT_FIELDS: &[&str] = &[
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "type",
    "source",
    "reportingComponent",
];

fn known_field(resource: &Resource, path: &str) -> Result<(), Refusal> {
    let own: &[&str] = match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Pod") => POD_FIELDS,
        (_, "Event") => EVENT_FIELDS,
        ("", "Namespace") => &["status.phase"],
        ("", "Secret") => &["type"],
        ("", "Node") => &["spec.unschedulable"],
        ("batch", "Job") => &["status.successful"],
        ("apps", "ReplicaSet") | ("", "ReplicationController") => &["status.replicas"],
        _ => &[],
    };
    if matches!(path, "metadata.name" | "metadata.namespace") || own.contains(&path) {
        return Ok(());
    }
    Err(Refusal::bad_request(match own {
        [] => match &resource.custom {
            Some(_) => format!("field label not supported: {path}"),
            None => format!("\"{path}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""),
        },
        _ => format!("field label not supported: {path}"),
    }))
}

/// The selected objects in order.
pub fn select(world: &View, resource: &Resource, selection: &Selection) -> Vec<Arc<Object>> {
    let kind = resource.stored_kind();
    let snapshot = world.store.snapshot();
    let takes = |object: &&Arc<Object>| selection.takes(object);
    match selection.namespace.as_str() {
        "" => snapshot.list(&kind.group, &kind.kind).filter(takes).cloned().collect(),
        ns => snapshot.list_in(&kind.group, &kind.kind, ns).filter(takes).cloned().collect(),
    }
}

/// `GET` of a collection.
///
/// # Errors
/// What is wrong with the query.
pub fn list(world: &View, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let form = negotiate::form(call)?;
    check_options(call, false)?;
    let selection = Selection::read(call, target)?;
    let version = world.revision();
    let asked = resource_version(call)?;
    if let Some(asked) = asked.filter(|asked| *asked > version) {
        return Err(too_large(asked, version));
    }
    let mut objects = select(world, &target.resource, &selection);
    let limit = call.param("limit").and_then(|l| l.parse::<usize>().ok()).unwrap_or(0);
    let limit = if asked == Some(0) { 0 } else { limit };
    let (start, shown_version) = match call.param("continue").filter(|token| !token.is_empty()) {
        Some(token) => read_token(token)?,
        None => (None, version),
    };
    if let Some(start) = start {
        objects.retain(|object| (object.namespace(), object.name()) > (start.0.as_str(), start.1.as_str()));
    }
    let mut meta = json!({"resourceVersion": shown_version.to_string()});
    if limit > 0 && objects.len() > limit {
        let left = objects.len() - limit;
        objects.truncate(limit);
        let last = &objects[limit - 1];
        meta["continue"] = json!(token(shown_version, last.namespace(), last.name()));
        if !selection.narrows() {
            meta["remainingItemCount"] = json!(left);
        }
    }
    let mut answer = render(world, target, &objects, meta, form, call);
    warn(&mut answer, &deprecations(&target.resource));
    Ok(answer)
}

fn render(world: &View, target: &Target, objects: &[Arc<Object>], meta: Value, form: Form, call: &Call) -> Answer {
    let resource = &target.resource;
    if form == Form::Table {
        let shown: Vec<&Object> = objects.iter().map(|o| &**o).collect();
        return Answer::json(200, &table::table(world, resource, &shown, meta, call.param("includeObject"), true));
    }
    if form == Form::Metadata {
        let items: Vec<Value> = objects.iter().map(|o| negotiate::metadata_only(o)).collect();
        let list = json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "items": items});
        return Answer::json(200, &list);
    }
    let list = list_value(resource, objects, meta);
    negotiate::value(call, 200, &list)
}

/// A list object. Items of built-in kinds come without kind and apiVersion, as from a real server.
pub fn list_value(resource: &Resource, objects: &[Arc<Object>], meta: Value) -> Value {
    let items: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut item = resource.shown(object);
            if resource.builtin.is_some() {
                item.remove(&["kind"]);
                item.remove(&["apiVersion"]);
            }
            item.0
        })
        .collect();
    json!({"kind": resource.list_kind, "apiVersion": resource.api_version(), "metadata": meta, "items": items})
}

fn token(version: u64, namespace: &str, name: &str) -> String {
    let text = json!({"v": "meta.k8s.io/v1", "rv": version, "start": format!("{namespace}/{name}\u{0}")}).to_string();
    base64::encode(text.as_bytes()).trim_end_matches('=').replace('+', "-").replace('/', "_")
}

type Start = Option<(String, String)>;

fn read_token(token: &str) -> Result<(Start, u64), Refusal> {
    let bad = |why: String| Refusal::bad_request(format!("invalid continue token: continue key is not valid: {why}"));
    let bytes = base64::decode(&token.replace('-', "+").replace('_', "/"));
    let bytes =
        bytes.map_err(|at| bad(format!("illegal base64 data at input byte {}", at.min(token.len() - token.len() % 4))))?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
    let start = value["start"].as_str().unwrap_or("").trim_end_matches('\u{0}');
    let (namespace, name) = start.split_once('/').unwrap_or(("", start));
    Ok((Some((namespace.into(), name.into())), value["rv"].as_u64().unwrap_or(0)))
}

/// The `resourceVersion` of a query, `None` when unset.
///
/// # Errors
/// 400 when it is no number.
pub fn resource_version(call: &Call) -> Result<Option<u64>, Refusal> {
    let Some(text) = call.param("resourceVersion").filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        let message = format!(
            "invalid resource version: resourceVersion: Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax"
        );
        Refusal::bad_request(message)
    })
}

fn too_large(asked: u64, current: u64) -> Refusal {
    let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
    let causes = json!([{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]);
    Refusal { code: 504, reason: "Timeout".into(), message, details: json!({"causes": causes, "retryAfterSeconds": 1}) }
}

/// The rules about `resourceVersionMatch` and `sendInitialEvents`.
///
/// # Errors
/// 422 about ListOptions.
pub fn check_options(call: &Call, watch: bool) -> Result<(), Refusal> {
    let matching = call.param("resourceVersionMatch").unwrap_or("");
    let initial = call.param("sendInitialEvents").is_some();
    let mut causes = Vec::new();
    if watch && initial {
        if matching != "NotOlderThan" {
            let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            causes.push(Cause::forbidden("resourceVersionMatch", why));
        }
    } else {
        if !matching.is_empty() && call.param("resourceVersion").unwrap_or("").is_empty() {
            let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            causes.push(Cause::forbidden("resourceVersionMatch", why));
        }
        if initial {
            causes.push(Cause::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
        }
    }
    if causes.is_empty() { Ok(()) } else { Err(status::invalid_options("ListOptions", causes)) }
}
