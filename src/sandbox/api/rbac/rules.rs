//! Rules: what they allow, whom they reach, which rule covers another (kubernetes/plugin/pkg/auth/authorizer/rbac,
//! component-helpers/auth/rbac/validation).

use crate::k8s::{Object, Snapshot};
use crate::sandbox::api::rbac::{Ask, GROUP, User};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One policy rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    pub verbs: Vec<String>,
    pub groups: Vec<String>,
    pub resources: Vec<String>,
    pub names: Vec<String>,
    pub urls: Vec<String>,
}

impl Rule {
    /// Reads a rule object; missing lists are empty.
    pub fn read(value: &Value) -> Rule {
        let list = |field: &str| {
            value[field].as_array().into_iter().flatten().filter_map(|v| v.as_str().map(String::from)).collect::<Vec<_>>()
        };
        Rule {
            verbs: list("verbs"),
            groups: list("apiGroups"),
            resources: list("resources"),
            names: list("resourceNames"),
            urls: list("nonResourceURLs"),
        }
    }

    /// The rules of a role.
    pub fn of(role: &Object) -> Vec<Rule> {
        role.at(&["rules"]).as_array().into_iter().flatten().map(Rule::read).collect()
    }

    /// As an object, without empty lists.
    pub fn value(&self) -> Value {
        let mut value = json!({"verbs": self.verbs});
        let parts = [
            ("apiGroups", &self.groups),
            ("resources", &self.resources),
            ("resourceNames", &self.names),
            ("nonResourceURLs", &self.urls),
        ];
        for (field, list) in parts.into_iter().filter(|(_, list)| !list.is_empty()) {
            value[field] = json!(list);
        }
        value
    }

    fn allows(&self, ask: &Ask<'_>) -> bool {
        has(&self.verbs, ask.verb)
            && has(&self.groups, ask.group)
            && covers_resource(&self.resources, ask.resource)
            && (self.names.is_empty() || self.names.iter().any(|name| name == ask.name))
    }

    fn allows_path(&self, verb: &str, path: &str) -> bool {
        has(&self.verbs, verb) && covers_url(&self.urls, path)
    }

    /// The rule in parts with one verb, one resource, one name each.
    fn parts(&self) -> Vec<Rule> {
        let mut parts = Vec::new();
        let names: Vec<Vec<String>> =
            if self.names.is_empty() { vec![Vec::new()] } else { self.names.iter().map(|n| vec![n.clone()]).collect() };
        for (group, resource) in self.groups.iter().flat_map(|g| self.resources.iter().map(move |r| (g, r))) {
            for (verb, name) in self.verbs.iter().flat_map(|v| names.iter().map(move |n| (v, n))) {
                parts.push(Rule {
                    verbs: vec![verb.clone()],
                    groups: vec![group.clone()],
                    resources: vec![resource.clone()],
                    names: name.clone(),
                    urls: Vec::new(),
                });
            }
        }
        for (url, verb) in self.urls.iter().flat_map(|u| self.verbs.iter().map(move |v| (u, v))) {
            parts.push(Rule { verbs: vec![verb.clone()], urls: vec![url.clone()], ..Rule::default() });
        }
        parts
    }

    /// Whether everything that `other`, a part, allows is allowed by this rule.
    fn covers(&self, other: &Rule) -> bool {
        let all = |wanted: &[String], test: &dyn Fn(&str) -> bool| wanted.iter().all(|w| test(w));
        all(&other.verbs, &|v| has(&self.verbs, v))
            && all(&other.groups, &|g| has(&self.groups, g))
            && all(&other.resources, &|r| covers_resource(&self.resources, r))
            && all(&other.urls, &|u| covers_url(&self.urls, u))
            && (self.names.is_empty() || !other.names.is_empty() && all(&other.names, &|n| self.names.iter().any(|m| m == n)))
    }

    /// `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`.
    pub fn compact(&self) -> String {
        let parts = [
            ("APIGroups", &self.groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.urls),
            ("ResourceNames", &self.names),
            ("Verbs", &self.verbs),
        ];
        let shown = parts.into_iter().filter(|(_, list)| !list.is_empty());
        let shown: Vec<String> = shown.map(|(name, list)| format!("{name}:{}", quoted(list))).collect();
        format!("{{{}}}", shown.join(", "))
    }
}

/// Go's `%q` of a list of strings: `["a" "b"]`.
pub fn quoted(list: &[String]) -> String {
    let quoted: Vec<String> = list.iter().map(|text| format!("{text:?}")).collect();
    format!("[{}]", quoted.join(" "))
}

fn has(list: &[String], wanted: &str) -> bool {
    list.iter().any(|v| v == "*" || v == wanted)
}

fn covers_resource(list: &[String], wanted: &str) -> bool {
    let sub = wanted.split_once('/').map(|(_, sub)| sub);
    has(list, wanted) || sub.is_some_and(|sub| list.iter().any(|r| r.strip_prefix("*/") == Some(sub)))
}

fn covers_url(list: &[String], wanted: &str) -> bool {
    let begins = |url: &String| url.strip_suffix('*').is_some_and(|begin| wanted.starts_with(begin));
    list.iter().any(|url| url == wanted || begins(url))
}

/// The parts of `wanted` that no rule of `held` covers, put together again by resource.
pub fn missing(held: &[Rule], wanted: &[Rule]) -> Vec<Rule> {
    let parts = wanted.iter().flat_map(Rule::parts);
    let left: Vec<Rule> = parts.filter(|part| !held.iter().any(|rule| rule.covers(part))).collect();
    let mut together: BTreeMap<(Vec<String>, Vec<String>, Vec<String>, Vec<String>), Rule> = BTreeMap::new();
    for part in left {
        let key = (part.groups.clone(), part.resources.clone(), part.names.clone(), part.urls.clone());
        let rule = together.entry(key).or_insert_with(|| Rule { verbs: Vec::new(), ..part.clone() });
        rule.verbs.extend(part.verbs.into_iter().filter(|verb| !rule.verbs.contains(verb)).collect::<Vec<_>>());
    }
    together.into_values().collect()
}

/// What the rules say about a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// By which binding: `RBAC: allowed by ...`, "" for masters.
    Allowed(String),
    /// Nothing allows it; a text when a role that a binding names is missing.
    NoOpinion(String),
}

/// Decides.
pub fn decide(snapshot: &Snapshot, user: &User, ask: &Ask<'_>) -> Decision {
    if user.is_master() {
        return Decision::Allowed(String::new());
    }
    let mut trouble = Vec::new();
    for grant in grants(snapshot, user, ask.namespace) {
        match &grant.role {
            Ok(role) if Rule::of(role).iter().any(|rule| rule.allows(ask)) => {
                return Decision::Allowed(format!("RBAC: allowed by {}", grant.by));
            }
            Ok(_) => (),
            Err(why) => trouble.push(why.clone()),
        }
    }
    Decision::NoOpinion(aggregated(trouble))
}

/// Errors as Go puts them together.
fn aggregated(mut trouble: Vec<String>) -> String {
    trouble.dedup();
    match trouble.as_slice() {
        [] => String::new(),
        [one] => format!("RBAC: {one}"),
        all => format!("RBAC: [{}]", all.join(", ")),
    }
}

/// Whether a path that is no resource is allowed.
pub fn granted_path(snapshot: &Snapshot, user: &User, verb: &str, path: &str) -> bool {
    let roles = grants(snapshot, user, "").into_iter().filter_map(|grant| grant.role.ok());
    user.is_master() || roles.into_iter().any(|role| Rule::of(&role).iter().any(|rule| rule.allows_path(verb, path)))
}

/// All rules of a user in a namespace ("": cluster-wide ones).
pub fn held(snapshot: &Snapshot, user: &User, namespace: &str) -> Vec<Rule> {
    let roles = grants(snapshot, user, namespace).into_iter().filter_map(|grant| grant.role.ok());
    roles.flat_map(|role| Rule::of(&role)).collect()
}

/// A role that a binding gives to a user.
struct Grant {
    /// `ClusterRoleBinding "a" of ClusterRole "b" to Group "c"`.
    by: String,
    /// The role, or why it is not there.
    role: Result<Arc<Object>, String>,
}

fn grants(snapshot: &Snapshot, user: &User, namespace: &str) -> Vec<Grant> {
    let cluster = snapshot.list(GROUP, "ClusterRoleBinding");
    let local = snapshot.list_in(GROUP, "RoleBinding", namespace).filter(|_| !namespace.is_empty());
    let grant = |binding: &Arc<Object>| {
        let subjects = binding.at(&["subjects"]).as_array().into_iter().flatten();
        let subject = subjects.into_iter().find(|subject| is_subject(subject, user, binding.namespace()))?;
        let name = match binding.namespace() {
            "" => format!("ClusterRoleBinding {:?}", binding.name()),
            ns => format!("RoleBinding {:?}", format!("{}/{ns}", binding.name())),
        };
        let (kind, role) = (binding.str_at(&["roleRef", "kind"]), binding.str_at(&["roleRef", "name"]));
        let by = format!("{name} of {kind} {role:?} to {}", describe(subject, binding.namespace()));
        Some(Grant { by, role: referenced(snapshot, binding) })
    };
    cluster.chain(local).filter_map(grant).collect()
}

/// The role that a binding names.
///
/// # Errors
/// `role.rbac.authorization.k8s.io "x" not found`.
pub fn referenced(snapshot: &Snapshot, binding: &Object) -> Result<Arc<Object>, String> {
    let (kind, name) = (binding.str_at(&["roleRef", "kind"]), binding.str_at(&["roleRef", "name"]));
    let namespace = if kind == "Role" { binding.namespace() } else { "" };
    let role = snapshot.find(GROUP, kind, namespace, name).cloned();
    role.ok_or_else(|| format!("{}.{GROUP} {name:?} not found", kind.to_lowercase()))
}

fn is_subject(subject: &Value, user: &User, binding_namespace: &str) -> bool {
    let name = subject["name"].as_str().unwrap_or("");
    match subject["kind"].as_str() {
        Some("User") => name == user.name,
        Some("Group") => user.groups.iter().any(|group| group == name),
        Some("ServiceAccount") => {
            let ns = subject["namespace"].as_str().filter(|ns| !ns.is_empty()).unwrap_or(binding_namespace);
            !ns.is_empty() && user.name == format!("system:serviceaccount:{ns}:{name}")
        }
        _ => false,
    }
}

fn describe(subject: &Value, binding_namespace: &str) -> String {
    let (kind, name) = (subject["kind"].as_str().unwrap_or(""), subject["name"].as_str().unwrap_or(""));
    let ns = subject["namespace"].as_str().filter(|ns| !ns.is_empty()).unwrap_or(binding_namespace);
    match kind {
        "ServiceAccount" => format!("ServiceAccount {:?}", format!("{name}/{ns}")),
        kind => format!("{kind} {name:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(value: Value) -> Rule {
        Rule::read(&value)
    }

    #[test]
    fn rules_match_as_the_authorizer_matches_them() {
        let pods = rule(json!({"apiGroups": [""], "resources": ["pods", "*/scale"], "resourceNames": ["a"], "verbs": ["get"]}));
        let ask = |verb, resource, name| Ask { verb, group: "", resource, name, namespace: "x" };
        for (ask, expected) in [
            (ask("get", "pods", "a"), true),
            (ask("get", "pods", "b"), false),
            (ask("get", "pods/log", "a"), false),
            (ask("get", "deployments/scale", "a"), true),
            (ask("list", "pods", ""), false),
            (Ask { group: "apps", ..ask("get", "pods", "a") }, false),
        ] {
            assert_eq!(pods.allows(&ask), expected, "{ask:?}");
        }
        let urls = rule(json!({"nonResourceURLs": ["/api/*", "/healthz"], "verbs": ["get"]}));
        assert!(urls.allows_path("get", "/api/v1") && urls.allows_path("get", "/healthz"));
        assert!(
            !urls.allows_path("get", "/api") && !urls.allows_path("post", "/healthz") && !urls.allows_path("get", "/healthz/x")
        );
    }

    #[test]
    fn what_is_missing_is_told_by_resource() {
        let held = [rule(json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}))];
        let wanted = [rule(json!({"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get", "list"]}))];
        let missing: Vec<String> = missing(&held, &wanted).iter().map(Rule::compact).collect();
        assert_eq!(
            missing,
            [
                r#"{APIGroups:[""], Resources:["pods"], Verbs:["list"]}"#,
                r#"{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}"#
            ]
        );
        let all = [rule(json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}))];
        assert!(super::missing(&all, &wanted).is_empty());
    }
}
