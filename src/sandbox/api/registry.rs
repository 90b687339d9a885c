//! Which kinds there are: the built-in ones and those that CustomResourceDefinitions make.

use crate::base::order::Order;
use crate::k8s::kinds::{self, KindInfo};
use crate::k8s::{Kind, Mark, Object, Snapshot};
use crate::sandbox::api::crd::CustomKind;
use crate::sandbox::api::validate::crd;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What was worked out from the CustomResourceDefinitions in the store, by their names; worked out again when one changes.
#[derive(Debug, Clone, Default)]
pub struct CrdCache {
    kinds: Arc<Definitions>,
    /// The definitions as they were last looked at: this is asked before every write.
    seen: Mark,
}

const GROUP: &str = "apiextensions.k8s.io";
const KIND: &str = "CustomResourceDefinition";

type Definitions = BTreeMap<String, (Arc<Object>, Arc<CustomKind>)>;

impl CrdCache {
    /// Takes over the definitions of a state.
    pub fn refresh(&mut self, snapshot: &Snapshot) {
        if snapshot.is_at(&self.seen, GROUP, KIND) {
            return;
        }
        self.seen = snapshot.mark(GROUP, KIND);
        let definitions = || snapshot.list(GROUP, KIND);
        let known = |object: &Arc<Object>| self.kinds.get(object.name()).is_some_and(|(old, _)| Arc::ptr_eq(old, object));
        if definitions().count() == self.kinds.len() && definitions().all(known) {
            return;
        }
        let fresh = definitions().map(|object| {
            let kind = match self.kinds.get(object.name()) {
                Some((old, kind)) if Arc::ptr_eq(old, object) || old.spec() == object.spec() => kind.clone(),
                _ => Arc::new(CustomKind::read(object)),
            };
            (object.name().to_string(), (object.clone(), kind))
        });
        self.kinds = Arc::new(fresh.collect());
    }

    /// The custom kinds that are served, by name of their definition.
    pub fn all(&self) -> impl Iterator<Item = &Arc<CustomKind>> {
        self.kinds.values().filter(|(definition, _)| crd::is_established(definition)).map(|(_, kind)| kind)
    }
}

/// A kind at a version, as a request names it.
#[derive(Debug, Clone)]
pub struct Resource {
    pub group: String,
    /// The version asked for.
    pub version: String,
    /// The version in which objects are stored.
    pub storage: String,
    pub kind: String,
    pub list_kind: String,
    pub plural: String,
    pub singular: String,
    pub namespaced: bool,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    pub verbs: Vec<&'static str>,
    pub subresources: Vec<String>,
    pub builtin: Option<&'static KindInfo>,
    pub custom: Option<Arc<CustomKind>>,
}

impl Resource {
    fn builtin(info: &'static KindInfo, version: &str) -> Resource {
        let strings = |list: &[&str]| list.iter().map(|s| s.to_string()).collect::<Vec<String>>();
        // Events of events.k8s.io are the core ones.
        let group = info.group.to_string();
        Resource {
            group,
            version: version.into(),
            storage: info.versions[0].into(),
            kind: info.kind.into(),
            list_kind: format!("{}List", info.kind),
            plural: info.plural.into(),
            singular: info.singular.into(),
            namespaced: info.namespaced,
            short_names: strings(info.short_names),
            categories: strings(info.categories),
            verbs: info.verbs.to_vec(),
            subresources: strings(info.subresources),
            builtin: Some(info),
            custom: None,
        }
    }

    fn custom(kind: &Arc<CustomKind>, version: &str) -> Resource {
        let of_version = kind.version(version);
        let mut subresources = Vec::new();
        if of_version.is_some_and(|v| v.status) {
            subresources.push("status".to_string());
        }
        if of_version.is_some_and(|v| v.scale.is_some()) {
            subresources.push("scale".to_string());
        }
        Resource {
            group: kind.group.clone(),
            version: version.into(),
            storage: kind.storage.clone(),
            kind: kind.kind.clone(),
            list_kind: kind.list_kind.clone(),
            plural: kind.plural.clone(),
            singular: kind.singular.clone(),
            namespaced: kind.namespaced,
            short_names: kind.short_names.clone(),
            categories: kind.categories.clone(),
            verbs: vec!["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"],
            subresources,
            builtin: None,
            custom: Some(kind.clone()),
        }
    }

    /// The kind without its version; events of both groups are stored as core ones.
    pub fn stored_kind(&self) -> Kind {
        match (self.group.as_str(), self.kind.as_str()) {
            ("events.k8s.io", "Event") => Kind::new("", "Event"),
            _ => Kind::new(&self.group, &self.kind),
        }
    }

    /// `v1`, `apps/v1` as asked for.
    pub fn api_version(&self) -> String {
        join(&self.group, &self.version)
    }

    /// `v1`, `apps/v1` as stored.
    pub fn stored_api_version(&self) -> String {
        match self.group.as_str() {
            "events.k8s.io" => "v1".into(),
            _ => join(&self.group, &self.storage),
        }
    }

    /// Whether the status is a subresource: writes of the main resource leave it alone.
    pub fn has_status(&self) -> bool {
        self.subresources.iter().any(|s| s == "status")
    }

    /// The message that describes the kind, for built-in ones.
    pub fn message(&self) -> Option<String> {
        self.builtin.map(|info| info.message(&self.version))
    }

    /// An object in the version that the request asked for.
    pub fn shown(&self, object: &Object) -> Object {
        let mut shown = object.clone();
        shown.set(&["apiVersion"], self.api_version().into());
        shown.set(&["kind"], self.kind.clone().into());
        shown
    }
}

fn join(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_string() } else { format!("{group}/{version}") }
}

/// A group: its name, its versions, their resources.
pub type Group = (String, Vec<(String, Vec<Resource>)>);

/// Every group with its versions in the order of discovery, each version with its resources.
pub fn groups(crds: &CrdCache) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut add = |group: &str, version: &str, resource: Resource| {
        let at = groups.iter().position(|(g, _)| g == group).unwrap_or_else(|| {
            groups.push((group.to_string(), Vec::new()));
            groups.len() - 1
        });
        let versions = &mut groups[at].1;
        match versions.iter_mut().find(|(v, _)| v == version) {
            Some((_, resources)) => resources.push(resource),
            None => versions.push((version.to_string(), vec![resource])),
        }
    };
    for info in kinds::KINDS {
        for version in info.versions {
            add(info.group, version, Resource::builtin(info, version));
        }
    }
    for kind in crds.all() {
        for version in kind.versions.iter().filter(|v| v.served) {
            add(&kind.group, &version.name, Resource::custom(kind, &version.name));
        }
    }
    for (_, versions) in &mut groups {
        versions.order_by_key(|(version, _)| std::cmp::Reverse(priority(version)));
    }
    groups
}

/// Kubernetes' order of versions: stable before beta before alpha, higher numbers first.
pub fn priority(version: &str) -> (u8, u32, u32) {
    let rest = version.strip_prefix('v').unwrap_or("");
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (major, tail) = rest.split_at(digits(rest));
    let number = |text: &str| text.parse().unwrap_or(0);
    match (major.is_empty(), tail) {
        (true, _) => (0, 0, 0),
        (_, "") => (3, number(major), 0),
        (_, tail) => match (tail.strip_prefix("beta"), tail.strip_prefix("alpha")) {
            (Some(n), _) => (2, number(major), number(n)),
            (_, Some(n)) => (1, number(major), number(n)),
            _ => (0, 0, 0),
        },
    }
}

/// The resource of a path: group, version, plural.
pub fn by_plural(crds: &CrdCache, group: &str, version: &str, plural: &str) -> Option<Resource> {
    if let Some(info) = kinds::find_plural(group, plural) {
        return info.versions.contains(&version).then(|| Resource::builtin(info, version));
    }
    let kind = crds.all().find(|kind| kind.group == group && kind.plural == plural)?;
    kind.version(version).filter(|v| v.served).map(|_| Resource::custom(kind, version))
}

/// The resource of a kind in its stored version.
pub fn by_kind(crds: &CrdCache, kind: &Kind) -> Option<Resource> {
    if let Some(info) = kinds::find(&kind.group, &kind.kind) {
        return Some(Resource::builtin(info, info.versions[0]));
    }
    let custom = crds.all().find(|custom| custom.group == kind.group && custom.kind == kind.kind)?;
    Some(Resource::custom(custom, &custom.storage))
}

/// Whether the group (and version) is served at all.
pub fn has_version(crds: &CrdCache, group: &str, version: &str) -> bool {
    kinds::KINDS.iter().any(|info| info.group == group && info.versions.contains(&version))
        || crds.all().any(|kind| kind.group == group && kind.version(version).is_some_and(|v| v.served))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_kubernetes_orders_them() {
        let mut versions = ["v1alpha3", "v1", "v1beta1", "v2", "v1alpha1", "foo"];
        versions.sort_by_key(|v| std::cmp::Reverse(priority(v)));
        assert_eq!(versions, ["v2", "v1", "v1beta1", "v1alpha3", "v1alpha1", "foo"]);
    }
}
