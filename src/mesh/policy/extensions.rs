//! EnvoyFilter, WasmPlugin and TrafficExtension: what they do is not modelled, but which requests they could touch is
//! (Istio: networking/core/envoyfilter, model/extensions.go).

use super::attach::Target;
use crate::k8s::{Object, Snapshot};
use crate::mesh::Cause;
use crate::mesh::compile::scope::Identity;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// All such objects by namespace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extensions {
    objects: BTreeMap<String, Vec<Arc<Object>>>,
}

/// What could touch one proxy's traffic.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Patches {
    patches: Vec<Patch>,
}

/// One change to a proxy's configuration.
#[derive(Debug, Clone, PartialEq)]
struct Patch {
    cause: Cause,
    applies: Applies,
    /// `SIDECAR_OUTBOUND` and so on, `ANY`.
    context: String,
    /// `configPatches[].match`, or `match[]` of a plugin.
    wanted: Value,
}

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Applies {
    /// Listeners and what is in them.
    Listener,
    /// The HTTP connection manager's filters.
    Http,
    Routes,
    Cluster,
    /// The proxy as a whole.
    All,
}

/// A proxy on a request's way, as far as patches ask.
#[derive(Debug, Clone, Copy)]
pub struct Passed<'a> {
    /// `SIDECAR_OUTBOUND`, `SIDECAR_INBOUND`, `GATEWAY`.
    pub context: &'a str,
    pub listener: Option<&'a str>,
    pub port: Option<u16>,
    pub sni: &'a [String],
    pub route_config: Option<&'a str>,
    pub virtual_host: Option<&'a str>,
    pub route: Option<&'a str>,
    pub cluster: Option<&'a str>,
    /// The proxy's release, `1.30.0`.
    pub version: Option<&'a str>,
}

impl Extensions {
    /// Reads the objects of a moment.
    pub fn read(snapshot: &Snapshot) -> Extensions {
        let kinds = [
            ("networking.istio.io", "EnvoyFilter"),
            ("extensions.istio.io", "WasmPlugin"),
            ("extensions.istio.io", "TrafficExtension"),
        ];
        let mut objects: BTreeMap<String, Vec<Arc<Object>>> = BTreeMap::new();
        for object in kinds.iter().flat_map(|(group, kind)| snapshot.list(group, kind)) {
            objects.entry(object.namespace().to_string()).or_default().push(object.clone());
        }
        Extensions { objects }
    }

    /// Those for one proxy: of the root namespace and of its own.
    pub fn patches(&self, id: &Identity, root: &str) -> Patches {
        let mut namespaces = vec![root, id.namespace.as_str()];
        namespaces.dedup();
        let all = namespaces.iter().filter_map(|ns| self.objects.get(*ns)).flatten();
        Patches { patches: all.filter(|o| takes(o, id)).flat_map(|o| patches(o)).collect() }
    }
}

fn takes(object: &Object, id: &Identity) -> bool {
    match object.kind() {
        "EnvoyFilter" => {
            let labels = object.at(&["spec", "workloadSelector", "labels"]).as_object().into_iter().flatten();
            labels.into_iter().all(|(k, v)| id.labels.get(k).map(String::as_str) == v.as_str()) && Target::of(object).takes(id)
        }
        _ => Target::of(object).takes(id),
    }
}

fn patches(object: &Object) -> Vec<Patch> {
    let name = object.key().to_string();
    let text = "What this does to the proxy is not modelled.";
    let list = |key: &str| object.at(&["spec", key]).as_array().map_or(&[][..], Vec::as_slice);
    if object.kind() == "EnvoyFilter" {
        let read = |(i, patch): (usize, &Value)| {
            let applies = match patch.get("applyTo").and_then(Value::as_str)? {
                "LISTENER" | "FILTER_CHAIN" | "NETWORK_FILTER" | "LISTENER_FILTER" => Applies::Listener,
                "HTTP_FILTER" => Applies::Http,
                "ROUTE_CONFIGURATION" | "VIRTUAL_HOST" | "HTTP_ROUTE" => Applies::Routes,
                "CLUSTER" => Applies::Cluster,
                // Only what a filter names by name is looked up there.
                "EXTENSION_CONFIG" => return None,
                _ => Applies::All,
            };
            let wanted = patch.get("match").cloned().unwrap_or(Value::Null);
            let context = wanted.get("context").and_then(Value::as_str).unwrap_or("ANY").to_string();
            Some(Patch { cause: Cause::new(name.as_str(), format!("spec.configPatches[{i}]"), text), applies, context, wanted })
        };
        return list("configPatches").iter().enumerate().filter_map(read).collect();
    }
    let network = object.str_at(&["spec", "type"]) == "NETWORK";
    let applies = if network { Applies::Listener } else { Applies::Http };
    let one = |wanted: &Value| {
        let context = match wanted.get("mode").and_then(Value::as_str) {
            Some("CLIENT") => "CLIENT",
            Some("SERVER") => "SIDECAR_INBOUND",
            _ => "ANY",
        };
        Patch { cause: Cause::new(name.as_str(), "spec", text), applies, context: context.into(), wanted: wanted.clone() }
    };
    match list("match") {
        [] => vec![one(&Value::Null)],
        several => several.iter().map(one).collect(),
    }
}

impl Patches {
    pub fn is_empty(&self) -> bool {
        self.patches.is_empty()
    }

    /// The first that could touch what passed here.
    pub fn touch(&self, passed: &Passed<'_>) -> Option<&Cause> {
        self.patches.iter().find(|p| p.touches(passed)).map(|p| &p.cause)
    }

    /// The first that could open a listener which is not there.
    pub fn open(&self, context: &str) -> Option<&Cause> {
        let opens = |p: &&Patch| matches!(p.applies, Applies::Listener | Applies::All) && p.is_for(context);
        self.patches.iter().find(opens).map(|p| &p.cause)
    }
}

impl Patch {
    fn is_for(&self, context: &str) -> bool {
        match self.context.as_str() {
            "ANY" => true,
            "CLIENT" => context != "SIDECAR_INBOUND",
            own => own == context,
        }
    }

    fn touches(&self, passed: &Passed<'_>) -> bool {
        self.is_for(passed.context)
            && self.is_for_version(passed.version)
            && match self.applies {
                Applies::All => true,
                Applies::Listener => self.in_listener(passed) && self.in_filter(passed),
                Applies::Http => passed.route_config.is_some() && self.in_listener(passed),
                Applies::Routes => self.in_routes(passed),
                Applies::Cluster => self.in_cluster(passed),
            }
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.wanted.pointer(pointer).and_then(Value::as_str).filter(|t| !t.is_empty())
    }

    fn number(&self, pointer: &str) -> Option<u64> {
        self.wanted.pointer(pointer).and_then(Value::as_u64).filter(|n| *n != 0)
    }

    /// `match.proxy.proxyVersion`; metadata could be anything.
    fn is_for_version(&self, version: Option<&str>) -> bool {
        let pattern = self.text("/proxy/proxyVersion").map(Regex::new);
        match (pattern, version) {
            (Some(Ok(pattern)), Some(version)) => pattern.is_match(version),
            (Some(Err(_)), _) => false,
            _ => true,
        }
    }

    fn in_listener(&self, passed: &Passed<'_>) -> bool {
        let special = passed.listener.is_none_or(|l| l == "virtualOutbound" || l == "virtualInbound");
        let name = self.text("/listener/name").is_none_or(|name| passed.listener == Some(name));
        let port = self.number("/listener/portNumber").is_none_or(|p| special || passed.port.map(u64::from) == Some(p));
        let sni = self.text("/listener/filterChain/sni").is_none_or(|sni| passed.sni.iter().any(|s| s == sni));
        // Plugins name ports in a list of their own.
        let own = self.wanted.get("ports").and_then(Value::as_array).filter(|all| !all.is_empty()).is_none_or(|all| {
            let numbers: Vec<u64> = all.iter().filter_map(|p| p.get("number")?.as_u64()).collect();
            special || passed.port.is_some_and(|p| numbers.contains(&u64::from(p)))
        });
        name && port && sni && own
    }

    /// A patch for the HTTP connection manager or for the TCP proxy is not for chains without it.
    fn in_filter(&self, passed: &Passed<'_>) -> bool {
        match self.text("/listener/filterChain/filter/name") {
            Some("envoy.filters.network.http_connection_manager") => passed.route_config.is_some(),
            Some("envoy.filters.network.tcp_proxy") => passed.route_config.is_none(),
            _ => true,
        }
    }

    fn in_routes(&self, passed: &Passed<'_>) -> bool {
        let Some(config) = passed.route_config else { return false };
        let name = self.text("/routeConfiguration/name").is_none_or(|n| n == config);
        let gateway = passed.context == "GATEWAY";
        // The number of a gateway's server is the Service's port, which the pod's port does not tell.
        let port = self.number("/routeConfiguration/portNumber").is_none_or(|p| gateway || config.parse() == Ok(p));
        let host = self.text("/routeConfiguration/vhost/name").is_none_or(|n| passed.virtual_host == Some(n));
        let route = self.text("/routeConfiguration/vhost/route/name").is_none_or(|n| passed.route.unwrap_or("") == n);
        name && port && host && route
    }

    fn in_cluster(&self, passed: &Passed<'_>) -> bool {
        // Without a cluster a patch may be what would have added it.
        let Some(cluster) = passed.cluster else { return true };
        let parts: Vec<&str> = cluster.split('|').collect();
        let part = |i: usize| parts.get(i).copied().unwrap_or("");
        let name = self.text("/cluster/name").is_none_or(|n| n == cluster);
        let service = self.text("/cluster/service").is_none_or(|s| s == part(3));
        let subset = self.text("/cluster/subset").is_none_or(|s| s == part(2));
        let port = self.number("/cluster/portNumber").is_none_or(|p| part(1).parse() == Ok(p));
        name && service && subset && port
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HTTP: Passed<'static> = Passed {
        context: "SIDECAR_OUTBOUND",
        listener: Some("0.0.0.0_80"),
        port: Some(80),
        sni: &[],
        route_config: Some("80"),
        virtual_host: Some("a.org:80"),
        route: None,
        cluster: Some("outbound|80|v1|a.org"),
        version: Some("1.30.0"),
    };

    fn touches(apply: &str, wanted: Value) -> bool {
        let object = Object(json!({
            "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
            "metadata": {"name": "f", "namespace": "default"},
            "spec": {"configPatches": [{"applyTo": apply, "match": wanted}]},
        }));
        let all: Snapshot = [object].into_iter().collect();
        let id = Identity { gateway: false, namespace: "default".into(), labels: Default::default() };
        Extensions::read(&all).patches(&id, "istio-system").touch(&HTTP).is_some()
    }

    #[test]
    fn a_patch_touches_what_it_matches_only() {
        for (apply, wanted, touched) in [
            ("HTTP_FILTER", json!({}), true),
            ("HTTP_FILTER", json!({"context": "SIDECAR_OUTBOUND"}), true),
            ("HTTP_FILTER", json!({"context": "SIDECAR_INBOUND"}), false),
            ("HTTP_FILTER", json!({"context": "GATEWAY"}), false),
            ("HTTP_FILTER", json!({"listener": {"portNumber": 80}}), true),
            ("HTTP_FILTER", json!({"listener": {"portNumber": 443}}), false),
            ("LISTENER", json!({"listener": {"name": "virtualInbound"}}), false),
            (
                "NETWORK_FILTER",
                json!({"listener": {"filterChain": {"filter": {"name": "envoy.filters.network.tcp_proxy"}}}}),
                false,
            ),
            ("FILTER_CHAIN", json!({"listener": {"filterChain": {"sni": "b.org"}}}), false),
            ("VIRTUAL_HOST", json!({"routeConfiguration": {"vhost": {"name": "b.org:80"}}}), false),
            ("VIRTUAL_HOST", json!({"routeConfiguration": {"vhost": {"name": "a.org:80"}}}), true),
            ("HTTP_ROUTE", json!({"routeConfiguration": {"name": "http.8080"}}), false),
            ("ROUTE_CONFIGURATION", json!({"routeConfiguration": {"portNumber": 8080}}), false),
            ("CLUSTER", json!({"cluster": {"service": "b.org"}}), false),
            ("CLUSTER", json!({"cluster": {"service": "a.org", "subset": "v1", "portNumber": 80}}), true),
            ("CLUSTER", json!({"proxy": {"proxyVersion": "^1\\.26.*"}}), false),
            ("EXTENSION_CONFIG", json!({}), false),
            ("BOOTSTRAP", json!({}), true),
        ] {
            assert_eq!(touches(apply, wanted.clone()), touched, "{apply} {wanted}");
        }
    }
}
