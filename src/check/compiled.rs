//! Checks of what a proxy would be configured with, told by the mesh model from the objects. For steps whose effect no request can
//! show yet.

use super::objects::Holds;
use super::workload;
use crate::finding::Evidence;
use crate::k8s::{Object, Snapshot};
use crate::lesson::model::{CompiledCheck, PodRef, SubsetRef, Workload};
use crate::mesh::Cause;
use crate::mesh::model::Model;
use crate::mesh::proxy::Proxy;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Judges a compiled check.
pub fn judge(model: &Model, snapshot: &Snapshot, check: &CompiledCheck) -> Holds {
    let of = match check {
        CompiledCheck::Cluster { namespace, .. } => any_pod(namespace),
        CompiledCheck::Listener { workload, .. } | CompiledCheck::Route { workload, .. } => workload.clone(),
    };
    let (expected, exists) = wanted(check);
    let Some(proxy) = proxy_of(model, snapshot, &of) else {
        let observed = format!("there is no running proxy in namespace {}", of.namespace);
        return Holds { holds: false, evidence: Evidence { expected, observed, ..Evidence::default() }, detail: String::new() };
    };
    let (found, observed) = match check {
        CompiledCheck::Cluster { host, port, subset, .. } => cluster(&proxy, host, *port, subset),
        CompiledCheck::Listener { port, .. } => listener(&proxy, *port),
        CompiledCheck::Route { port, host, .. } => route(&proxy, *port, host),
    };
    let decided_by = found.as_ref().map(|cause| (cause.object.clone(), cause.field.clone()));
    let evidence = Evidence { expected, observed, decided_by, ..Evidence::default() };
    Holds { holds: found.is_some() == exists, evidence, detail: String::new() }
}

/// What is expected, and whether it is to be there.
fn wanted(check: &CompiledCheck) -> (String, bool) {
    let (what, exists) = match check {
        CompiledCheck::Cluster { namespace, host, port, subset, exists } => {
            let subset = match subset {
                SubsetRef::None => String::new(),
                SubsetRef::Named(name) => format!(" with subset {name}"),
                SubsetRef::Any => " with a subset".into(),
            };
            (format!("a cluster for {host}:{port}{subset} at the proxies of namespace {namespace}"), *exists)
        }
        CompiledCheck::Listener { workload, port, exists } => {
            (format!("a listener on port {port} in the proxy of {}", workload_name(workload)), *exists)
        }
        CompiledCheck::Route { workload, port, host, exists } => {
            (format!("a route for {host} on port {port} in the proxy of {}", workload_name(workload)), *exists)
        }
    };
    (if exists { what } else { format!("not {what}") }, exists)
}

fn workload_name(workload: &Workload) -> String {
    match &workload.pod {
        PodRef::Name(name) => format!("{}/{name}", workload.namespace),
        PodRef::Labels(labels) => {
            let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("{}/{}", workload.namespace, labels.join(","))
        }
    }
}

fn any_pod(namespace: &str) -> Workload {
    Workload { namespace: namespace.into(), pod: PodRef::Labels(BTreeMap::new()), container: None }
}

/// The configuration of the workload's first pod that has a proxy.
fn proxy_of(model: &Model, snapshot: &Snapshot, of: &Workload) -> Option<Arc<Proxy>> {
    let pods: Vec<Arc<Object>> = workload::pods(snapshot, of);
    let ready = pods.iter().filter(|pod| workload::is_ready(pod));
    ready.into_iter().find_map(|pod| model.proxy(pod))
}

fn cluster(proxy: &Proxy, host: &str, port: u16, subset: &SubsetRef) -> (Option<Cause>, String) {
    let fits = |name: &str| {
        let parts: Vec<&str> = name.splitn(4, '|').collect();
        let [_, of_port, of_subset, of_host] = parts[..] else { return false };
        of_port == port.to_string()
            && of_host == host
            && match subset {
                SubsetRef::None => of_subset.is_empty(),
                SubsetRef::Named(name) => of_subset == name,
                SubsetRef::Any => !of_subset.is_empty(),
            }
    };
    let found = proxy.clusters.values().find(|cluster| fits(&cluster.name));
    let near: Vec<&str> = proxy.clusters.values().filter(|c| c.host == host).map(|c| c.name.as_str()).collect();
    match found {
        Some(cluster) => {
            (Some(cluster.shaped_by.clone().unwrap_or_else(|| cluster.cause.clone())), format!("cluster {}", cluster.name))
        }
        None if near.is_empty() => (None, format!("no cluster for {host}")),
        None => (None, format!("for this host only {}", near.join(", "))),
    }
}

fn listener(proxy: &Proxy, port: u16) -> (Option<Cause>, String) {
    let ports: Vec<String> = proxy.listeners.iter().map(|listener| listener.port.to_string()).collect();
    match proxy.listeners.iter().find(|listener| listener.port == port) {
        Some(listener) => (Some(listener.cause.clone()), format!("listener {}", listener.name)),
        None if ports.is_empty() => (None, "no listener at all".into()),
        None => (None, format!("listeners on {} only", ports.join(", "))),
    }
}

/// A gateway's route configurations are named `http.PORT`, a sidecar's by the port alone.
fn route(proxy: &Proxy, port: u16, host: &str) -> (Option<Cause>, String) {
    let names = [port.to_string(), format!("http.{port}")];
    let configs: Vec<_> = names.iter().filter_map(|name| proxy.routes.get(name.as_str())).collect();
    let covers = |domain: &str| domain.eq_ignore_ascii_case(host) || domain.eq_ignore_ascii_case(&format!("{host}:{port}"));
    let hosts = configs.iter().flat_map(|config| &config.virtual_hosts);
    let found = hosts.clone().find(|vhost| vhost.domains.iter().any(|d| covers(d)) && !vhost.routes.is_empty());
    let known: Vec<&str> = hosts.map(|vhost| vhost.name.as_str()).collect();
    match found {
        Some(vhost) => (Some(vhost.routes[0].cause.clone()), format!("virtual host {}", vhost.name)),
        None if known.is_empty() => (None, format!("no route on port {port}")),
        None => (None, format!("virtual hosts {} only", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::model::Options;
    use serde_json::{Value, json};

    const EGW: &str = "istio-egressgateway.istio-system.svc.cluster.local";

    fn pod(namespace: &str, name: &str, labels: Value, args: &[&str]) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name, "labels": labels},
            "spec": {"containers": [{"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.30.0", "args": args}]},
            "status": {"phase": "Running", "podIP": "10.244.0.9", "conditions": [{"type": "Ready", "status": "True"}]}})
    }

    fn world(rule_in: Option<&str>, gateway: bool) -> Snapshot {
        let egw = json!({"istio": "egressgateway"});
        let mut objects = vec![
            pod("default", "test", json!({}), &["proxy", "sidecar"]),
            pod("istio-system", "egw", egw.clone(), &["proxy", "router"]),
            json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"namespace": "istio-system", "name": "istio-egressgateway"},
                "spec": {"clusterIP": "10.96.0.9", "selector": egw, "ports": [{"name": "http2", "port": 80, "targetPort": 8080}]}}),
        ];
        objects.extend(rule_in.map(|namespace| {
            json!({"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
                "metadata": {"namespace": namespace, "name": "egw"},
                "spec": {"host": EGW, "subsets": [{"name": "wikipedia"}]}})
        }));
        if gateway {
            objects.push(json!({"apiVersion": "networking.istio.io/v1", "kind": "Gateway",
                "metadata": {"namespace": "istio-system", "name": "gw"},
                "spec": {"selector": egw, "servers": [
                    {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["www.wikipedia.org"]}]}}));
        }
        objects.into_iter().map(Object).collect()
    }

    fn judged(snapshot: &Snapshot, check: &CompiledCheck) -> Holds {
        judge(&Model::compile(snapshot, &Options::of_objects(snapshot)), snapshot, check)
    }

    #[test]
    fn a_subset_is_there_where_the_lookup_finds_its_rule() {
        let subset = |namespace: &str| CompiledCheck::Cluster {
            namespace: namespace.into(),
            host: EGW.into(),
            port: 80,
            subset: SubsetRef::Named("wikipedia".into()),
            exists: true,
        };
        for (rule_in, holds) in [(Some("istio-system"), true), (Some("default"), true), (Some("other"), false), (None, false)] {
            let found = judged(&world(rule_in, false), &subset("default"));
            assert_eq!(found.holds, holds, "{rule_in:?}: {:?}", found.evidence);
        }
        let decided = judged(&world(Some("default"), false), &subset("default")).evidence.decided_by;
        assert!(decided.as_ref().is_some_and(|(object, _)| object == "DestinationRule default/egw"), "{decided:?}");
        assert!(!judged(&world(Some("default"), false), &subset("empty")).holds, "a namespace without a proxy");
    }

    #[test]
    fn a_gateway_opens_its_port_only_for_a_gateway_object() {
        let labels = BTreeMap::from([("istio".to_string(), "egressgateway".to_string())]);
        let workload = Workload { namespace: "istio-system".into(), pod: PodRef::Labels(labels), container: None };
        for (gateway, exists, holds) in [(true, true, true), (true, false, false), (false, true, false), (false, false, true)] {
            let check = CompiledCheck::Listener { workload: workload.clone(), port: 8080, exists };
            let found = judged(&world(None, gateway), &check);
            assert_eq!(found.holds, holds, "gateway {gateway}, wanted {exists}: {:?}", found.evidence);
        }
        let route = CompiledCheck::Route { workload, port: 8080, host: "www.wikipedia.org".into(), exists: true };
        assert!(!judged(&world(None, true), &route).holds, "no VirtualService: no route");
    }
}
