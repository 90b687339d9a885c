//! Who calls: by name, or as whom they say they act (the `Impersonate-*` headers, which need the permission to).

use crate::sandbox::api::rbac::{Ask, check};
use crate::sandbox::call::{Call, Refusal};
use crate::sandbox::world::View;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The user who owns the world.
pub const OWNER: &str = "learner";
const MASTERS: &str = "system:masters";
const AUTHENTICATED: &str = "system:authenticated";

/// A user with what the rules look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    pub name: String,
    pub uid: String,
    pub groups: Vec<String>,
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// A user known by name; service accounts are in their groups.
    pub fn named(world: &View, name: &str) -> User {
        let mut user = User { name: name.into(), groups: groups(name), ..User::default() };
        if let Some((ns, account)) = service_account(name)
            && let Some(object) = world.snapshot().find("", "ServiceAccount", ns, account)
        {
            user.uid = object.uid().to_string();
        }
        user
    }

    /// Whether everything is allowed.
    pub fn is_master(&self) -> bool {
        self.groups.iter().any(|group| group == MASTERS)
    }

    /// As `userInfo` has it.
    pub fn info(&self) -> Value {
        let mut info = json!({"username": self.name});
        if !self.uid.is_empty() {
            info["uid"] = json!(self.uid);
        }
        if !self.groups.is_empty() {
            info["groups"] = json!(self.groups);
        }
        if !self.extra.is_empty() {
            info["extra"] = json!(self.extra);
        }
        info
    }
}

/// Namespace and name of a service account's user name.
pub fn service_account(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix("system:serviceaccount:")?.split_once(':')
}

fn groups(name: &str) -> Vec<String> {
    let mut groups = match (name, service_account(name)) {
        (OWNER, _) => vec![MASTERS.to_string()],
        (_, Some((ns, _))) => vec!["system:serviceaccounts".to_string(), format!("system:serviceaccounts:{ns}")],
        _ => Vec::new(),
    };
    groups.push(AUTHENTICATED.into());
    groups
}

/// The user of a call: who sent it, or whom they act as.
///
/// # Errors
/// 403 when they may not act as that user or one of the groups, 500 for groups without a user.
pub fn of(world: &View, call: &Call) -> Result<User, Refusal> {
    let sender = User::named(world, &call.user);
    let values = |name: &str| -> Vec<&str> {
        let named = call.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    };
    let asked_groups = values("impersonate-group");
    let uid = call.header_value("impersonate-uid").unwrap_or("");
    let extra = extra(call);
    let name = call.header_value("impersonate-user").unwrap_or("");
    if name.is_empty() {
        if asked_groups.is_empty() && uid.is_empty() && extra.is_empty() {
            return Ok(sender);
        }
        let message = format!("Internal Server Error: \"{}\": requested impersonation without impersonating a user", call.path);
        return Err(Refusal::new(500, "InternalError", message));
    }
    let ask = |group, resource: &str, name: &str, namespace: &str| {
        check(world, &sender, &Ask { verb: "impersonate", group, resource, name, namespace })
    };
    match service_account(name) {
        Some((ns, account)) => ask("", "serviceaccounts", account, ns)?,
        None => ask("", "users", name, "")?,
    }
    for group in &asked_groups {
        ask("", "groups", group, "")?;
    }
    for (key, value) in extra.iter().flat_map(|(key, values)| values.iter().map(move |value| (key, value))) {
        ask("authentication.k8s.io", &format!("userextras/{key}"), value, "")?;
    }
    if !uid.is_empty() {
        ask("authentication.k8s.io", "uids", uid, "")?;
    }
    let mut groups: Vec<String> = match asked_groups.as_slice() {
        // The owner's name alone does not make a master of whom it is lent to.
        [] => groups(name).into_iter().filter(|group| group != MASTERS || sender.is_master()).collect(),
        groups => groups.iter().map(|group| group.to_string()).collect(),
    };
    let known = [AUTHENTICATED, "system:unauthenticated"];
    if name == "system:anonymous" {
        groups.retain(|group| group != AUTHENTICATED);
        groups.push("system:unauthenticated".into());
    } else if !groups.iter().any(|group| known.contains(&group.as_str())) {
        groups.push(AUTHENTICATED.into());
    }
    Ok(User { name: name.into(), uid: uid.into(), groups, extra })
}

fn extra(call: &Call) -> BTreeMap<String, Vec<String>> {
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &call.headers {
        if let Some(key) = name.to_lowercase().strip_prefix("impersonate-extra-") {
            extra.entry(key.to_string()).or_default().push(value.clone());
        }
    }
    extra
}
