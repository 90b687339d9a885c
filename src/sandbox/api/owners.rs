//! Who owns which fields: `metadata.managedFields` on the way of every write.

use crate::k8s::Object;
use crate::k8s::fields::Set;
use crate::k8s::managed::{Managed, Scope, Writer};
use crate::k8s::typed::Type;
use crate::sandbox::api::registry::Resource;
use crate::sandbox::api::status::{self, Cause};
use crate::sandbox::call::{Call, Refusal};
use crate::sandbox::world::World;
use serde_json::{Value, json};

/// How long a manager's name may be.
const NAME_LIMIT: usize = 128;
/// Where an object keeps its owners.
pub const FIELD: [&str; 2] = ["metadata", "managedFields"];

/// Who writes an object, and as what.
#[derive(Debug, Clone, Default)]
pub struct By {
    pub manager: String,
    /// The subresource that is noted, `scale` for instance; the object itself is written.
    pub subresource: String,
    /// The owners that an apply worked out: they are stored as they are.
    pub applied: Option<Managed>,
}

impl By {
    /// A component of the cluster.
    pub fn component(name: &str) -> By {
        By { manager: name.into(), ..By::default() }
    }

    /// Who makes a call: its `fieldManager`, else the first word of its user agent.
    pub fn call(call: &Call, subresource: &str) -> By {
        let named = call.param("fieldManager").filter(|name| !name.is_empty());
        let agent = || call.header_value("user-agent").unwrap_or("").split('/').next().unwrap_or("");
        let printed = |c: &char| !c.is_control();
        let manager = named.map_or_else(|| agent().chars().filter(printed).take(NAME_LIMIT).collect(), String::from);
        By { manager, subresource: subresource.into(), applied: None }
    }
}

/// What is wrong with the `fieldManager` of a call.
///
/// # Errors
/// 422 about the options.
pub fn check_manager(call: &Call, options: &str) -> Result<(), Refusal> {
    let name = call.param("fieldManager").unwrap_or("");
    let mut causes = Vec::new();
    if name.len() > NAME_LIMIT {
        let message = format!("Too long: may not be more than {NAME_LIMIT} bytes");
        causes.push(Cause { field: "fieldManager".into(), reason: "FieldValueTooLong", message });
    }
    if let Some((at, _)) = name.char_indices().find(|(_, c)| c.is_control()) {
        let why = format!("should only contain printable characters (at {at})");
        causes.push(Cause::invalid("fieldManager", &json!(name), &why));
    }
    if causes.is_empty() { Ok(()) } else { Err(status::invalid_options(options, causes)) }
}

/// The type under which a kind's stored objects are looked at.
pub fn type_of(resource: &Resource) -> Type<'_> {
    match (&resource.builtin, &resource.custom) {
        (Some(info), _) => Type::kind(&info.message(info.versions[0])).unwrap_or(Type::Free),
        (_, Some(custom)) => custom.version(&resource.version).map_or(Type::Free, |version| Type::Root(&version.schema)),
        _ => Type::Free,
    }
}

/// The part of an object that a write can change.
pub fn scope(resource: &Resource, subresource: &str) -> Scope {
    match (subresource, resource.has_status()) {
        ("status", _) => Scope::Status { metadata: resource.custom.is_none() },
        (_, true) => Scope::Main,
        _ => Scope::Whole,
    }
}

/// The version that a manager is noted with.
pub fn version_of(resource: &Resource) -> String {
    if resource.custom.is_some() { resource.api_version() } else { resource.stored_api_version() }
}

/// The owners that a client sends with an object. `None`: it sends none, those of the stored object stay.
pub fn sent(object: &mut Object) -> Option<Managed> {
    let sent = object.remove(&FIELD)?;
    if sent == json!([{}]) {
        return Some(Managed::default());
    }
    Managed::read(&sent).ok().filter(|managed| !managed.is_empty())
}

/// The owners of a stored object.
pub fn stored(object: &Object) -> Managed {
    Managed::read(object.at(&FIELD)).unwrap_or_default()
}

/// Puts owners into an object.
pub fn put(object: &mut Object, managed: &Managed) {
    match managed.value() {
        Value::Null => drop(object.remove(&FIELD)),
        value => object.set(&FIELD, value),
    }
}

/// Gives a new object its owners. `as_sent` is the object with its decoding defaults only: what the server adds by itself is
/// nobody's.
pub fn created(world: &World, resource: &Resource, by: &By, sent: Option<Managed>, as_sent: &Object, unowned: &Set) -> Managed {
    if let Some(applied) = &by.applied {
        return applied.clone();
    }
    let mut managed = sent.unwrap_or_default();
    let now = world.now().rfc3339();
    let api_version = version_of(resource);
    let writer = Writer { manager: &by.manager, api_version: &api_version, subresource: &by.subresource, now: &now };
    managed.create(&as_sent.0, type_of(resource), &writer, scope(resource, &by.subresource), unowned);
    managed
}

/// The owners after a change from `old` to `new`.
pub fn updated(world: &World, resource: &Resource, by: &By, sent: Option<Managed>, old: &Object, new: &Object) -> Managed {
    if let Some(applied) = &by.applied {
        return applied.clone();
    }
    let mut managed = sent.unwrap_or_else(|| stored(old));
    // Objects that nobody was noted for stay so until they are applied.
    if managed.is_empty() {
        return managed;
    }
    let now = world.now().rfc3339();
    let api_version = version_of(resource);
    let writer = Writer { manager: &by.manager, api_version: &api_version, subresource: &by.subresource, now: &now };
    managed.update(&old.0, &new.0, type_of(resource), &writer, scope(resource, &by.subresource));
    managed
}

/// Gives a new event of a component its owner.
pub fn note_event(event: &mut Object, source: &str, now: &str) {
    let manager = match source {
        "kubelet" => "kubelet",
        "default-scheduler" => "kube-scheduler",
        _ => "kube-controller-manager",
    };
    let Some(of) = Type::kind("core.v1.Event") else { return };
    let mut managed = Managed::default();
    let writer = Writer { manager, api_version: "v1", subresource: "", now };
    managed.create(&event.0, of, &writer, Scope::Whole, &Set::default());
    put(event, &managed);
}

/// The fields that the server will choose for a new object because its client did not: they have no owner.
pub fn unchosen(resource: &Resource, object: &Object) -> Set {
    let paths: &[&[&str]] = match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Service") => {
            &[&["spec", "clusterIP"], &["spec", "clusterIPs"], &["spec", "ipFamilies"], &["spec", "ipFamilyPolicy"]]
        }
        ("", "Namespace") => &[&["spec", "finalizers"]],
        ("batch", "Job") => &[
            &["spec", "selector"],
            &["metadata", "labels"],
            &["metadata", "labels", "batch.kubernetes.io/controller-uid"],
            &["metadata", "labels", "batch.kubernetes.io/job-name"],
            &["metadata", "labels", "controller-uid"],
            &["metadata", "labels", "job-name"],
            &["spec", "template", "metadata", "labels"],
            &["spec", "template", "metadata", "labels", "batch.kubernetes.io/controller-uid"],
            &["spec", "template", "metadata", "labels", "batch.kubernetes.io/job-name"],
            &["spec", "template", "metadata", "labels", "controller-uid"],
            &["spec", "template", "metadata", "labels", "job-name"],
        ],
        _ => return Set::default(),
    };
    let mut set = Set::default();
    for path in paths.iter().filter(|path| object.at(path).is_null()) {
        let elements: Vec<String> = path.iter().map(|name| format!("f:{name}")).collect();
        set.insert(&elements.iter().map(String::as_str).collect::<Vec<_>>());
    }
    set
}
