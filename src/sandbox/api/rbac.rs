//! Who may do what. The learner may do everything (group `system:masters`); everybody else, taken on with `--as` or known by a token,
//! has what Roles, ClusterRoles and their bindings in the store give.

pub mod aggregate;
pub mod bootstrap;
pub mod escalate;
mod review;
pub mod rules;
pub mod token;
mod user;

pub use review::answer as review;
pub use user::User;

use crate::sandbox::api::route::Target;
use crate::sandbox::api::status;
use crate::sandbox::call::{Call, Refusal};
use crate::sandbox::world::View;
use serde_json::{Map, Value, json};

/// The group of roles and bindings.
pub const GROUP: &str = "rbac.authorization.k8s.io";

/// Lets a call to a resource pass or not; gives who calls.
///
/// # Errors
/// 403 in the API server's words.
pub fn authorize(world: &View, call: &Call, target: &Target) -> Result<User, Refusal> {
    let user = user::of(world, call)?;
    if user.is_master() {
        return Ok(user);
    }
    let resource = match target.subresource.as_str() {
        "" => target.resource.plural.clone(),
        sub => format!("{}/{sub}", target.resource.plural),
    };
    // A namespace lies in itself: its Roles may let somebody read it.
    let itself = target.resource.plural == "namespaces" && target.resource.group.is_empty() && !target.name.is_empty();
    let namespace = if itself { &target.name } else { &target.namespace };
    let group = target.resource.group.as_str();
    let name = named(call, target);
    check(world, &user, &Ask { verb: verb(call, target), group, resource: &resource, name: &name, namespace }).map(|()| user)
}

/// Lets a call to a path that is no resource pass or not.
///
/// # Errors
/// 403: `forbidden: User "dev" cannot get path "/metrics"`.
pub fn authorize_path(world: &View, call: &Call) -> Result<(), Refusal> {
    let user = user::of(world, call)?;
    let verb = call.method.to_lowercase();
    if user.is_master() || rules::granted_path(world.snapshot(), &user, &verb, &call.path) {
        return Ok(());
    }
    let message = format!("forbidden: User \"{}\" cannot {verb} path \"{}\"", user.name, call.path);
    Err(Refusal { code: 403, reason: "Forbidden".into(), message, details: json!({}) })
}

/// Whether whoever calls may do everything.
pub fn is_master(world: &View, call: &Call) -> bool {
    user::of(world, call).is_ok_and(|user| user.is_master())
}

/// The name that a request is about: of its path, or the only one that its field selector takes.
fn named(call: &Call, target: &Target) -> String {
    let selector = call.param("fieldSelector").unwrap_or("");
    let exact = || {
        let part = selector.split(',').find_map(|part| part.trim().strip_prefix("metadata.name="))?;
        Some(part.trim_start_matches('=').to_string())
    };
    match target.name.as_str() {
        "" if call.method != "POST" => exact().unwrap_or_default(),
        name => name.to_string(),
    }
}

fn verb(call: &Call, target: &Target) -> &'static str {
    match (call.method.as_str(), target.name.is_empty()) {
        ("GET" | "HEAD", _) if call.flag("watch") => "watch",
        // A command in a pod is made, whatever the method that its protocol begins with.
        ("GET" | "HEAD", false) if matches!(target.subresource.as_str(), "exec" | "attach" | "portforward") => "create",
        ("GET" | "HEAD", false) => "get",
        ("GET" | "HEAD", true) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", false) => "delete",
        _ => "deletecollection",
    }
}

/// A question to the rules.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    pub verb: &'a str,
    pub group: &'a str,
    /// `pods`, `pods/exec`.
    pub resource: &'a str,
    pub name: &'a str,
    pub namespace: &'a str,
}

/// Whether the rules let a user.
///
/// # Errors
/// 403 in the API server's words (apiserver/pkg/endpoints/handlers/responsewriters).
fn check(world: &View, user: &User, ask: &Ask<'_>) -> Result<(), Refusal> {
    match rules::decide(world.snapshot(), user, ask) {
        rules::Decision::Allowed(_) => Ok(()),
        rules::Decision::NoOpinion(why) => Err(forbidden(user, ask, &why)),
    }
}

fn forbidden(user: &User, ask: &Ask<'_>, reason: &str) -> Refusal {
    let place = match ask.namespace {
        "" => "at the cluster scope".to_string(),
        ns => format!("in the namespace \"{ns}\""),
    };
    let (verb, group, resource) = (ask.verb, ask.group, ask.resource);
    let plural = resource.split('/').next().unwrap_or(resource);
    let subject = status::qualified(plural, group);
    let subject = if ask.name.is_empty() { subject } else { format!("{subject} \"{}\"", ask.name) };
    let mut message = format!(
        "{subject} is forbidden: User \"{}\" cannot {verb} resource \"{resource}\" in API group \"{group}\" {place}",
        user.name
    );
    if !reason.is_empty() {
        message.push_str(&format!(": {reason}"));
    }
    let mut details = Map::new();
    for (key, value) in [("name", ask.name), ("group", group), ("kind", plural)] {
        if !value.is_empty() {
            details.insert(key.into(), json!(value));
        }
    }
    Refusal { code: 403, reason: "Forbidden".into(), message, details: Value::Object(details) }
}
