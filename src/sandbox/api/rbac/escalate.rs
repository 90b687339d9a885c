//! Nobody hands out what they do not have: writes of roles and bindings (kubernetes/pkg/registry/rbac/*/policybased).

use crate::k8s::Object;
use crate::sandbox::api::rbac::rules::{self, Decision, Rule};
use crate::sandbox::api::rbac::{Ask, GROUP, User};
use crate::sandbox::api::registry::Resource;
use crate::sandbox::api::status;
use crate::sandbox::call::Refusal;
use crate::sandbox::world::View;
use serde_json::json;

/// Checks a write of a role or binding by a user.
///
/// # Errors
/// 403 when it would give what the user does not hold, 404 when a binding names a role that is not there.
pub fn check(world: &View, user: &User, resource: &Resource, object: &Object, old: Option<&Object>) -> Result<(), Refusal> {
    if resource.group != GROUP || user.is_master() {
        return Ok(());
    }
    let same = |field: &str| old.is_some_and(|old| old.at(&[field]) == object.at(&[field]));
    match resource.kind.as_str() {
        "Role" | "ClusterRole" if same("rules") && same("aggregationRule") => Ok(()),
        "Role" | "ClusterRole" if may(world, user, "escalate", &resource.plural, object.name(), object.namespace()) => Ok(()),
        "Role" | "ClusterRole" => {
            let mut wanted = Rule::of(object);
            if !object.at(&["aggregationRule"]).is_null() {
                wanted.push(Rule::read(&json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})));
                wanted.push(Rule::read(&json!({"verbs": ["*"], "nonResourceURLs": ["*"]})));
            }
            confirm(world, user, resource, object, &wanted)
        }
        "RoleBinding" | "ClusterRoleBinding" if same("subjects") && same("roleRef") => Ok(()),
        _ => binding(world, user, resource, object),
    }
}

fn binding(world: &View, user: &User, resource: &Resource, object: &Object) -> Result<(), Refusal> {
    let (kind, name) = (object.str_at(&["roleRef", "kind"]), object.str_at(&["roleRef", "name"]));
    let plural = if kind == "Role" { "roles" } else { "clusterroles" };
    if may(world, user, "bind", plural, name, object.namespace()) {
        return Ok(());
    }
    let Ok(role) = rules::referenced(world.snapshot(), object) else {
        let message = format!("{plural}.{GROUP} \"{name}\" not found");
        let details = json!({"name": name, "group": GROUP, "kind": plural});
        return Err(Refusal { code: 404, reason: "NotFound".into(), message, details });
    };
    confirm(world, user, resource, object, &Rule::of(&role))
}

fn may(world: &View, user: &User, verb: &str, resource: &str, name: &str, namespace: &str) -> bool {
    let ask = Ask { verb, group: GROUP, resource, name, namespace };
    matches!(rules::decide(world.snapshot(), user, &ask), Decision::Allowed(_))
}

fn confirm(world: &View, user: &User, resource: &Resource, object: &Object, wanted: &[Rule]) -> Result<(), Refusal> {
    let held = rules::held(world.snapshot(), user, object.namespace());
    let mut missing: Vec<String> = rules::missing(&held, wanted).iter().map(Rule::compact).collect();
    if missing.is_empty() {
        return Ok(());
    }
    missing.sort();
    let why = format!(
        "user {:?} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        user.name,
        rules::quoted(&user.groups),
        missing.join("\n")
    );
    Err(status::forbidden(resource, object.name(), &why))
}
