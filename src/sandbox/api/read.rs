//! GET: one object, lists in pages.

mod fields;
pub mod page;

use crate::k8s::selector::{FieldSelector, LabelSelector};
use crate::k8s::{Key, Object};
use crate::sandbox::api::negotiate::{self, Form};
use crate::sandbox::api::registry::Resource;
use crate::sandbox::api::route::Target;
use crate::sandbox::api::shown::Pieces;
use crate::sandbox::api::status::{self, Cause};
use crate::sandbox::api::{shown, table};
use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::world::View;
use page::Page;
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
    if let Some(asked) = page::resource_version(call)?.filter(|asked| *asked > world.revision()) {
        return Err(page::too_large(asked, world.revision()));
    }
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
        let fields = fields::read(call.param("fieldSelector").unwrap_or(""), &target.resource)?;
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

/// `GET` of a collection: the answer, and the pieces that follow it if it is long.
///
/// # Errors
/// What is wrong with the query.
pub fn list(world: &View, call: &Call, target: &Target) -> Result<(Answer, Option<Pieces>), Refusal> {
    let form = negotiate::form(call)?;
    check_options(call, false)?;
    let selection = Selection::read(call, target)?;
    let page = Page::read(world, call)?;
    if let (true, Some(after)) = (page.expired, &page.after) {
        return Ok((page::expired(after), None));
    }
    let (objects, meta) = part(world, target, &selection, &page);
    let (mut answer, pieces) = match form {
        Form::Json => shown::list(&target.resource, objects, meta),
        _ => (render(world, target, &objects, meta, form, call), None),
    };
    warn(&mut answer, &deprecations(&target.resource));
    Ok((answer, pieces))
}

/// The objects of a part of a list, and the list's metadata.
fn part(view: &View, target: &Target, selection: &Selection, page: &Page) -> (Vec<Arc<Object>>, Value) {
    let mut objects = match page.exact {
        Some(version) if version < view.revision() => {
            let mut past = page::past(view, &target.resource.stored_kind(), &selection.namespace, version);
            past.retain(|object| selection.takes(object));
            past
        }
        _ => select(view, &target.resource, selection),
    };
    if let Some((namespace, name)) = &page.after {
        objects.retain(|object| (object.namespace(), object.name()) > (namespace, name));
    }
    let version = page.exact.unwrap_or_else(|| view.revision());
    let mut meta = json!({"resourceVersion": version.to_string()});
    if page.limit > 0 && objects.len() > page.limit {
        let left = objects.len() - page.limit;
        objects.truncate(page.limit);
        let last = &objects[page.limit - 1];
        meta["continue"] = json!(page::token(version.cast_signed(), last.namespace(), last.name()));
        if !selection.narrows() {
            meta["remainingItemCount"] = json!(left);
        }
    }
    (objects, meta)
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

/// The rules about `resourceVersionMatch` and `sendInitialEvents` (apimachinery/pkg/apis/meta/internalversion/validation).
///
/// # Errors
/// 422 about ListOptions.
pub fn check_options(call: &Call, watch: bool) -> Result<(), Refusal> {
    let matching = call.param("resourceVersionMatch").unwrap_or("");
    let initial = call.param("sendInitialEvents").is_some();
    let causes = if watch { watch_options(call, matching, initial) } else { list_options(call, matching, initial) };
    if causes.is_empty() { Ok(()) } else { Err(status::invalid_options("ListOptions", causes)) }
}

const MATCH: &str = "resourceVersionMatch";

fn list_options(call: &Call, matching: &str, initial: bool) -> Vec<Cause> {
    let given = |name: &str| call.param(name).is_some_and(|value| !value.is_empty());
    let mut causes = Vec::new();
    if !matching.is_empty() {
        if !given("resourceVersion") {
            causes.push(Cause::forbidden(MATCH, "resourceVersionMatch is forbidden unless resourceVersion is provided"));
        }
        if given("continue") {
            causes.push(Cause::forbidden(MATCH, "resourceVersionMatch is forbidden when continue is provided"));
        }
        if !matches!(matching, "Exact" | "NotOlderThan") {
            causes.push(Cause::unsupported(MATCH, &json!(matching), &["Exact", "NotOlderThan", ""]));
        }
        if matching == "Exact" && call.param("resourceVersion") == Some("0") {
            causes.push(Cause::forbidden(MATCH, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
        }
    }
    if initial {
        causes.push(Cause::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    causes
}

fn watch_options(call: &Call, matching: &str, initial: bool) -> Vec<Cause> {
    let mut causes = Vec::new();
    if initial && matching != "NotOlderThan" {
        causes.push(Cause::forbidden(MATCH, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
    }
    if !matching.is_empty() {
        if !initial {
            let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            causes.push(Cause::forbidden(MATCH, why));
        }
        if matching != "NotOlderThan" {
            causes.push(Cause::unsupported(MATCH, &json!(matching), &["NotOlderThan"]));
        }
        if call.param("continue").is_some_and(|token| !token.is_empty()) {
            causes.push(Cause::forbidden(MATCH, "resourceVersionMatch is forbidden when continue is provided"));
        }
    }
    causes
}
