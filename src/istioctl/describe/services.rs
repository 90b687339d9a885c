//! Services and what routes to them, as the proxy of a pod has it.

use super::{Desk, LINE, ingress, named, rules};
use crate::base::io::Io;
use crate::base::order::Order;
use crate::istioctl::Stop;
use crate::istioctl::proxy_config::dump::{Dump, at, list, text};
use crate::k8s::Object;
use regex::Regex;
use serde_json::Value;

/// `x describe service`.
pub async fn run(desk: &Desk<'_>, io: &mut Io, operand: &str) -> Result<(), Stop> {
    let (name, namespace) = named(operand, desk);
    let path = format!("/api/v1/namespaces/{namespace}/services/{name}");
    let service = desk.get(&path).await?.ok_or_else(|| Stop::failed(format!("services {name:?} not found")))?;
    let selector = crate::k8s::object::strings(service.at(&["spec", "selector"]));
    let labels: Vec<String> = selector.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let mut chosen = Vec::new();
    if !labels.is_empty() {
        let query = crate::istioctl::api::encode(&labels.join(","));
        chosen = desk.list(&format!("/api/v1/namespaces/{namespace}/pods?labelSelector={query}")).await?;
    }
    let count = chosen.len();
    let mut matching = Vec::new();
    for pod in chosen {
        let phase = pod.str_at(&["status", "phase"]);
        let name = desk.name_of(&pod);
        match proxy_ready(&pod) {
            _ if phase != "Running" => io.say(&format!("   Pod is not Running ({phase})")),
            None => io.say(&format!("Pod {name}: no container \"istio-proxy\" in pod")),
            Some(false) => io.say(&format!("WARNING: Pod {name} Container istio-proxy NOT READY")),
            Some(true) => matching.push(pod),
        }
    }
    let shown = desk.name_of(&service);
    let Some(first) = matching.first() else {
        if count == 0 {
            io.say(&format!("Service {shown:?} has no pods."));
        } else {
            io.say(&format!("Service {shown:?} has no Istio pods.  ({count} pods in service)."));
            io.say("Use `istioctl kube-inject` or redeploy with Istio automatic sidecar injection.");
        }
        return Ok(());
    };
    let services = [service];
    of_pod(desk, io, first, &services, &matching).await?;
    ingress::tell(desk, io, &services, &matching).await
}

fn proxy_ready(pod: &Object) -> Option<bool> {
    let lists = ["containerStatuses", "initContainerStatuses"].into_iter();
    let mut all = lists.flat_map(|list| pod.at(&["status", list]).as_array().into_iter().flatten());
    all.find(|s| s["name"] == "istio-proxy").map(|s| s["ready"] == true)
}

/// The services of a pod; `pods` are those whose labels subsets are held against.
pub async fn of_pod(desk: &Desk<'_>, io: &mut Io, pod: &Object, services: &[Object], pods: &[Object]) -> Result<(), Stop> {
    let dump = match desk.dump(pod, "sidecar").await {
        Ok(dump) => dump,
        Err(_) if desk.ignore_unmeshed => return Ok(()),
        Err(stop) => return Err(stop),
    };
    for (nth, service) in services.iter().enumerate() {
        if nth > 0 {
            io.say(LINE);
        }
        one(desk, io, pod, service, pods, &dump).await?;
    }
    Ok(())
}

/// The ports of a service.
pub fn ports(service: &Object) -> Vec<&Value> {
    service.at(&["spec", "ports"]).as_array().into_iter().flatten().collect()
}

async fn one(desk: &Desk<'_>, io: &mut Io, pod: &Object, service: &Object, pods: &[Object], dump: &Dump) -> Result<(), Stop> {
    io.say(&format!("Service: {}", desk.name_of(service)));
    let ports = ports(service);
    for port in ports.iter().filter(|port| port["protocol"].as_str().unwrap_or("TCP") == "TCP") {
        match target(pod, port) {
            Some(target) => {
                let name = port["name"].as_str().unwrap_or("");
                io.say(&format!("   Port: {name} {}/{} targets pod port {target}", port["port"], protocol(port)));
            }
            None => io.say(&format!("   no suitable port for manifest: {}", pod.uid())),
        }
    }
    let several = ports.len() > 1;
    let indent = if several { 3 } else { 0 };
    for port in ports {
        let number = port["port"].as_u64().unwrap_or(0);
        if several {
            io.say(&format!("{number}:"));
        }
        let mut rule = None;
        if let Some((name, namespace)) = destination_rule(dump, service, number) {
            rule = desk.networking("destinationrules", &namespace, &name).await?;
            match &rule {
                Some(rule) => rules::destination_rule(desk, io, indent, rule, pods),
                None => {
                    io.say(&format!("WARNING: Proxy is stale; it references to non-existent destination rule {name}.{namespace}"))
                }
            }
        }
        if let Some((name, namespace)) = virtual_service(dump, service, number) {
            match desk.networking("virtualservices", &namespace, &name).await? {
                Some(found) => rules::virtual_service(desk, io, indent, &found, service, rule.as_ref(), pods),
                None => {
                    io.say(&format!("WARNING: Proxy is stale; it references to non-existent virtual service {name}.{namespace}"))
                }
            }
        }
        let policies = policies(dump);
        if !policies.is_empty() {
            if several {
                io.write(format!("{number} ").as_bytes());
            }
            io.say(&format!("RBAC policies: {}", policies.join(", ")));
        }
    }
    Ok(())
}

/// The pod's port behind a service's port.
pub fn target(pod: &Object, port: &Value) -> Option<u64> {
    let wanted = match &port["targetPort"] {
        Value::String(name) => name,
        Value::Number(number) => return number.as_u64(),
        _ => return port["port"].as_u64(),
    };
    let protocol = port["protocol"].as_str().unwrap_or("TCP");
    let own = |c: &&Value| c["restartPolicy"] == "Always";
    let containers = pod.at(&["spec", "containers"]).as_array().into_iter().flatten();
    let native = pod.at(&["spec", "initContainers"]).as_array().into_iter().flatten().filter(own);
    let mut all = containers.chain(native).flat_map(|c| c["ports"].as_array().into_iter().flatten());
    let named = |p: &&Value| p["name"] == wanted.as_str() && p["protocol"].as_str().unwrap_or("TCP") == protocol;
    all.find(named).and_then(|p| p["containerPort"].as_u64())
}

/// What istiod takes a port to speak (S: pkg/config/kube/conversion.go).
pub fn protocol(port: &Value) -> &'static str {
    let (name, app) = (port["name"].as_str().unwrap_or(""), port["appProtocol"].as_str());
    if name.is_empty() && app.is_none() {
        return "auto-detect";
    }
    let name = match app {
        Some("kubernetes.io/h2c") => return "HTTP2",
        Some("kubernetes.io/ws") => return "HTTP",
        Some("kubernetes.io/wss") => return "HTTPS",
        Some(app) => app,
        None => name,
    };
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("grpc-web") {
        return "GRPC-Web";
    }
    match lower.split('-').next().unwrap_or("") {
        "tcp" => "TCP",
        "udp" => "UDP",
        "grpc" => "GRPC",
        "http" => "HTTP",
        "http2" => "HTTP2",
        "https" => "HTTPS",
        "tls" => "TLS",
        "mongo" => "Mongo",
        "redis" => "Redis",
        "mysql" => "MySQL",
        "hbone" => "HBONE",
        _ if matches!(port["port"].as_u64(), Some(25 | 53 | 3306 | 27017)) => "TCP",
        _ => "UnsupportedProtocol",
    }
}

fn made_by(value: &Value) -> &str {
    at(at(value, "metadata"), "filter_metadata")["istio"]["config"].as_str().unwrap_or("")
}

/// Name and namespace in `/apis/networking.istio.io/v1/namespaces/NS/KIND/NAME`.
fn object_of(path: &str, kind: &str) -> Option<(String, String)> {
    let pattern = format!("/apis/networking(?:\\.istio\\.io)?/v1(?:alpha3)?/namespaces/([^/]+)/{kind}/([^/]+)");
    let found = Regex::new(&pattern).ok()?.captures(path)?;
    Some((found[2].to_string(), found[1].to_string()))
}

/// The DestinationRule behind the outbound cluster of a service's port.
pub fn destination_rule(dump: &Dump, service: &Object, port: u64) -> Option<(String, String)> {
    let host = format!("{}.{}.svc.cluster.local", service.name(), service.namespace());
    let section = dump.section("ClustersConfigDump").ok()?;
    let fits = |c: &&Value| {
        let name = text(c, "name");
        name.contains(&host) && name.contains("outbound") && name.contains(&format!("|{port}|"))
    };
    let found =
        list(section, "dynamic_active_clusters").map(|c| at(c, "cluster")).filter(fits).find(|c| !at(c, "metadata").is_null())?;
    object_of(made_by(found), "destination-rule")
}

/// The VirtualService behind the first route that leads to a service's port.
pub fn virtual_service(dump: &Dump, service: &Object, port: u64) -> Option<(String, String)> {
    let section = dump.section("RoutesConfigDump").ok()?;
    let mut configs: Vec<&Value> = list(section, "dynamic_route_configs").map(|r| at(r, "route_config")).collect();
    configs.order_by_key(|config| text(config, "name").to_string());
    for config in configs {
        let name = text(config, "name");
        if name != port.to_string() && !name.starts_with("http.") && !name.starts_with("https.") {
            continue;
        }
        let mut hosts: Vec<&Value> = list(config, "virtual_hosts").collect();
        hosts.order_by_key(|host| text(host, "name").to_string());
        for host in hosts {
            if let Some(route) = list(host, "routes").find(|route| leads_to(route, host, service, port)) {
                return object_of(made_by(route), "virtual-service");
            }
        }
    }
    None
}

fn leads_to(route: &Value, host: &Value, service: &Object, port: u64) -> bool {
    let whole = format!("{}.{}.svc.cluster.local", service.name(), service.namespace());
    let named = |text: &str| text == whole || text.ends_with(&format!(".{whole}"));
    if list(host, "domains").filter_map(Value::as_str).any(named) {
        return true;
    }
    let action = at(route, "route");
    let cluster = match text(action, "cluster") {
        "" => list(at(action, "weighted_clusters"), "clusters").next().map_or("", |c| text(c, "name")),
        name => name,
    };
    let parts: Vec<&str> = cluster.split('|').collect();
    matches!(parts.as_slice(), ["outbound", p, _, h] if *p == port.to_string() && *h == whole)
}

/// Names of the policies in the first inbound chain that speaks HTTP.
fn policies(dump: &Dump) -> Vec<String> {
    let Ok(listeners) = dump.listeners() else { return Vec::new() };
    let Some(inbound) = listeners.into_iter().find(|l| text(l, "name") == "virtualInbound") else { return Vec::new() };
    let manager = list(inbound, "filter_chains")
        .flat_map(|chain| list(chain, "filters"))
        .find(|f| text(f, "name") == "envoy.filters.network.http_connection_manager");
    let Some(manager) = manager else { return Vec::new() };
    let rbac = list(at(manager, "typed_config"), "http_filters").find(|f| text(f, "name") == "envoy.filters.http.rbac");
    let policies = rbac.map(|f| at(at(at(f, "typed_config"), "rules"), "policies"));
    policies.and_then(Value::as_object).map(|p| p.keys().cloned().collect()).unwrap_or_default()
}
