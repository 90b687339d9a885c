//! What resource types the server has, and how a word on the command line names one.

use super::error::{Error, Result};
use serde_json::Value;

/// Asks for aggregated discovery.
pub const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// A resource type of one group and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    pub group: String,
    pub version: String,
    pub plural: String,
    pub singular: String,
    pub kind: String,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    pub namespaced: bool,
    pub verbs: Vec<String>,
    pub subresources: Vec<String>,
    /// Whether this is the group's preferred version of the type.
    pub preferred: bool,
}

impl Resource {
    /// `apps/v1`, `v1`.
    pub fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// `deployment.apps`, `pod`: what stands before the slash in messages.
    pub fn printed(&self) -> String {
        qualified(&self.kind.to_lowercase(), &self.group)
    }

    /// `deployments.apps`, `pods`.
    pub fn plural_group(&self) -> String {
        qualified(&self.plural, &self.group)
    }

    /// The path of the type, all namespaces when `namespace` is empty.
    pub fn path(&self, namespace: &str) -> String {
        let root = match self.group.as_str() {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        };
        match self.namespaced && !namespace.is_empty() {
            true => format!("{root}/namespaces/{namespace}/{}", self.plural),
            false => format!("{root}/{}", self.plural),
        }
    }

    /// The path of one object.
    pub fn object_path(&self, namespace: &str, name: &str) -> String {
        format!("{}/{}", self.path(namespace), super::session::escape(name))
    }

    pub fn can(&self, verb: &str) -> bool {
        self.verbs.iter().any(|v| v == verb)
    }

    fn is_called(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        self.plural == word || self.singular == word || self.kind.to_lowercase() == word
    }
}

fn qualified(name: &str, group: &str) -> String {
    match group {
        "" => name.to_string(),
        group => format!("{name}.{group}"),
    }
}

/// Reads the two answers of aggregated discovery.
///
/// # Errors
/// When the server answers in the old form.
pub fn read(core: &Value, groups: &Value) -> Result<Vec<Resource>> {
    let mut found = Vec::new();
    for list in [core, groups] {
        if list["kind"] != "APIGroupDiscoveryList" {
            return Err(Error::not_simulated("a server without aggregated discovery (older than Kubernetes 1.27)"));
        }
        for group in each(&list["items"]) {
            read_group(group, &mut found);
        }
    }
    Ok(found)
}

fn read_group(group: &Value, found: &mut Vec<Resource>) {
    let name = group["metadata"]["name"].as_str().unwrap_or("");
    let first = found.len();
    for version in each(&group["versions"]) {
        for resource in each(&version["resources"]) {
            let mut resource = read_resource(name, version["version"].as_str().unwrap_or(""), resource);
            resource.preferred = !found[first..].iter().any(|r| r.plural == resource.plural);
            found.push(resource);
        }
    }
}

fn read_resource(group: &str, version: &str, value: &Value) -> Resource {
    let text = |v: &Value| v.as_str().unwrap_or("").to_string();
    let texts = |v: &Value| each(v).iter().map(text).collect();
    let kind = text(&value["responseKind"]["kind"]);
    let singular = text(&value["singularResource"]);
    Resource {
        group: group.to_string(),
        version: version.to_string(),
        plural: text(&value["resource"]),
        singular: if singular.is_empty() { kind.to_lowercase() } else { singular },
        kind,
        short_names: texts(&value["shortNames"]),
        categories: texts(&value["categories"]),
        namespaced: value["scope"] == "Namespaced",
        verbs: texts(&value["verbs"]),
        subresources: each(&value["subresources"]).iter().map(|s| text(&s["subresource"])).collect(),
        preferred: true,
    }
}

fn each(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The type that a word names: plural, singular, kind or short name, perhaps followed by `.group` or `.version.group`.
pub fn find<'a>(resources: &'a [Resource], word: &str) -> Option<&'a Resource> {
    let (name, rest) = match word.split_once('.') {
        Some((name, rest)) => (name, rest),
        None => (word, ""),
    };
    if let Some((version, group)) = rest.split_once('.')
        && let Some(found) = pick(resources, name, |r| r.version == version && r.group == group)
    {
        return Some(found);
    }
    let listed = |r: &Resource| r.preferred && !r.verbs.is_empty();
    if rest.is_empty() {
        return pick(resources, name, listed);
    }
    pick(resources, name, |r| r.preferred && r.group == rest)
        .or_else(|| pick(resources, name, |r| r.group.is_empty() && r.version == rest))
        .or_else(|| pick(resources, name, |r| r.preferred && r.group.starts_with(rest)))
}

fn pick<'a>(resources: &'a [Resource], name: &str, fits: impl Fn(&Resource) -> bool) -> Option<&'a Resource> {
    let full = resources.iter().find(|r| fits(r) && r.is_called(name));
    full.or_else(|| resources.iter().find(|r| fits(r) && r.short_names.iter().any(|s| *s == name.to_lowercase())))
}

/// The types of a category (`all`, `istio-io`).
pub fn category<'a>(resources: &'a [Resource], word: &str) -> Vec<&'a Resource> {
    resources.iter().filter(|r| r.preferred && r.categories.iter().any(|c| c == word)).collect()
}

/// The type of an object by its `apiVersion` and `kind`.
pub fn of_kind<'a>(resources: &'a [Resource], api_version: &str, kind: &str) -> Option<&'a Resource> {
    resources.iter().find(|r| r.kind == kind && r.api_version() == api_version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resource(group: &str, plural: &str, kind: &str, shorts: &[&str]) -> Value {
        json!({"resource": plural, "scope": "Namespaced", "verbs": ["get", "list"], "shortNames": shorts,
               "singularResource": kind.to_lowercase(), "categories": if group.is_empty() { json!(["all"]) } else { json!(["istio-io"]) },
               "responseKind": {"kind": kind}})
    }

    fn all() -> Vec<Resource> {
        let core = json!({"kind": "APIGroupDiscoveryList", "items": [{"metadata": {}, "versions": [
            {"version": "v1", "resources": [resource("", "pods", "Pod", &["po"]), resource("", "services", "Service", &["svc"])]}]}]});
        let group = |name: &str, versions: &[&str], r: Value| {
            let versions: Vec<Value> = versions.iter().map(|v| json!({"version": v, "resources": [r]})).collect();
            json!({"metadata": {"name": name}, "versions": versions})
        };
        let groups = json!({"kind": "APIGroupDiscoveryList", "items": [
            group("apps", &["v1"], resource("apps", "deployments", "Deployment", &["deploy"])),
            group("gateway.networking.k8s.io", &["v1"], resource("g", "gateways", "Gateway", &["gtw"])),
            group("networking.istio.io", &["v1", "v1beta1"], resource("n", "gateways", "Gateway", &["gw"])),
        ]});
        read(&core, &groups).unwrap()
    }

    #[test]
    fn words_name_types() {
        let all = all();
        let rows = [
            ("pods", "v1 pods"),
            ("po", "v1 pods"),
            ("Pod", "v1 pods"),
            ("pods.v1", "v1 pods"),
            ("deployments.apps", "apps/v1 deployments"),
            ("deploy.v1.apps", "apps/v1 deployments"),
            ("gateway", "gateway.networking.k8s.io/v1 gateways"),
            ("gtw", "gateway.networking.k8s.io/v1 gateways"),
            ("gw", "networking.istio.io/v1 gateways"),
            ("gateways.networking.istio.io", "networking.istio.io/v1 gateways"),
            ("gateways.v1beta1.networking.istio.io", "networking.istio.io/v1beta1 gateways"),
            ("foo", ""),
        ];
        for (word, want) in rows {
            let got = find(&all, word).map(|r| format!("{} {}", r.api_version(), r.plural)).unwrap_or_default();
            assert_eq!(got, want, "{word}");
        }
        assert_eq!(category(&all, "istio-io").len(), 3);
        assert_eq!(find(&all, "deploy").unwrap().printed(), "deployment.apps");
    }
}
