//! Who may do what. The learner may do everything; a user taken on with `--as` has what Roles and bindings in the store give.

use crate::k8s::Object;
use crate::sandbox::api::registry::Resource;
use crate::sandbox::api::route::Target;
use crate::sandbox::api::status;
use crate::sandbox::call::{Call, Refusal};
use crate::sandbox::world::View;
use serde_json::Value;

/// The user of a call and its groups.
pub fn identity(call: &Call) -> (String, Vec<String>) {
    match call.header_value("impersonate-user") {
        Some(user) => {
            let groups = call.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("impersonate-group"));
            let mut groups: Vec<String> = groups.map(|(_, value)| value.clone()).collect();
            groups.push("system:authenticated".into());
            (user.to_string(), groups)
        }
        None => (call.user.clone(), vec!["system:masters".into(), "system:authenticated".into()]),
    }
}

/// Lets a call pass or not.
///
/// # Errors
/// 403 in the API server's words.
pub fn authorize(world: &View, call: &Call, target: &Target) -> Result<(), Refusal> {
    if call.header_value("impersonate-user").is_none() {
        return Ok(());
    }
    let verb = verb(call, target);
    let (user, groups) = identity(call);
    let resource = match target.subresource.as_str() {
        "" => target.resource.plural.clone(),
        sub => format!("{}/{sub}", target.resource.plural),
    };
    let ask = Ask { verb, group: &target.resource.group, resource: &resource, name: &target.name, namespace: &target.namespace };
    if allowed(world, &user, &groups, &ask) {
        return Ok(());
    }
    let place = match target.namespace.as_str() {
        "" => "at the cluster scope".to_string(),
        ns => format!("in the namespace \"{ns}\""),
    };
    let group = &target.resource.group;
    let why = format!("User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{group}\" {place}");
    let subject = Resource { plural: resource.clone(), ..target.resource.clone() };
    let name = if verb == "create" { "" } else { &target.name };
    let mut refusal = status::forbidden(&subject, name, &why);
    refusal.details["kind"] = target.resource.plural.clone().into();
    Err(refusal)
}

fn verb(call: &Call, target: &Target) -> &'static str {
    match (call.method.as_str(), target.name.is_empty()) {
        ("GET" | "HEAD", _) if call.flag("watch") => "watch",
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

/// Whether the rules in the store allow it. Everybody may ask about themselves.
pub fn allowed(world: &View, user: &str, groups: &[String], ask: &Ask<'_>) -> bool {
    if groups.iter().any(|group| group == "system:masters") {
        return true;
    }
    if ask.verb == "create"
        && matches!(ask.resource, "selfsubjectaccessreviews" | "selfsubjectrulesreviews" | "selfsubjectreviews")
    {
        return true;
    }
    let snapshot = world.store.snapshot();
    let cluster = snapshot.list("rbac.authorization.k8s.io", "ClusterRoleBinding");
    let local = snapshot.list_in("rbac.authorization.k8s.io", "RoleBinding", ask.namespace);
    cluster.chain(local.filter(|_| !ask.namespace.is_empty())).any(|binding| {
        let subjects = binding.at(&["subjects"]).as_array();
        let bound = subjects.into_iter().flatten().any(|subject| is_subject(subject, user, groups));
        bound && role(world, binding).is_some_and(|role| permits(&role, ask))
    })
}

fn is_subject(subject: &Value, user: &str, groups: &[String]) -> bool {
    let name = subject["name"].as_str().unwrap_or("");
    match subject["kind"].as_str() {
        Some("User") => name == user,
        Some("Group") => groups.iter().any(|group| group == name),
        Some("ServiceAccount") => user == format!("system:serviceaccount:{}:{name}", subject["namespace"].as_str().unwrap_or("")),
        _ => false,
    }
}

fn role(world: &View, binding: &Object) -> Option<std::sync::Arc<Object>> {
    let (kind, name) = (binding.str_at(&["roleRef", "kind"]), binding.str_at(&["roleRef", "name"]));
    let namespace = if kind == "Role" { binding.namespace() } else { "" };
    world.store.snapshot().find("rbac.authorization.k8s.io", kind, namespace, name).cloned()
}

fn permits(role: &Object, ask: &Ask<'_>) -> bool {
    let has = |list: &Value, wanted: &str| list.as_array().into_iter().flatten().any(|v| v == "*" || v == wanted);
    role.at(&["rules"]).as_array().into_iter().flatten().any(|rule| {
        let names = &rule["resourceNames"];
        has(&rule["verbs"], ask.verb)
            && has(&rule["apiGroups"], ask.group)
            && has(&rule["resources"], ask.resource)
            && (names.as_array().is_none_or(Vec::is_empty) || has(names, ask.name))
    })
}
