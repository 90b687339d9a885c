//! Whether a pod's traffic passes its sidecar, read from the pod itself (semantics 2.6).

use super::Cause;
use super::compile::registry::{contains, network};
use super::compile::scope::Identity;
use crate::k8s::Object;
use serde_json::Value;
use std::net::IpAddr;

/// What happens to a new connection of a pod.
#[derive(Debug, Clone, PartialEq)]
pub enum Capture {
    /// The sidecar gets it.
    Taken,
    /// It leaves as it is; why.
    Not(Cause),
    /// This program cannot tell; what it does not model.
    Unknown(Cause),
}

/// The proxy container, native (an init container) or classic.
pub fn proxy_container(pod: &Object) -> Option<&Value> {
    let lists = [pod.at(&["spec", "containers"]), pod.at(&["spec", "initContainers"])];
    let all = lists.into_iter().filter_map(Value::as_array).flatten();
    let named = |c: &&Value| c.get("name").and_then(Value::as_str) == Some("istio-proxy");
    all.clone().find(named).or_else(|| all.clone().find(|c| is_router(c)))
}

fn is_router(container: &Value) -> bool {
    args(container).any(|a| a == "router")
}

fn args(container: &Value) -> impl Iterator<Item = &str> {
    container.get("args").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Whether the pod is a gateway (`proxy router`).
pub fn is_gateway(pod: &Object) -> bool {
    proxy_container(pod).is_some_and(is_router)
}

/// Whether the pod has a sidecar.
pub fn has_sidecar(pod: &Object) -> bool {
    proxy_container(pod).is_some_and(|c| !is_router(c))
}

/// Who the pod's proxy is.
pub fn identity(pod: &Object) -> Identity {
    let labels = pod.labels().into_iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Identity { gateway: is_gateway(pod), namespace: pod.namespace().to_string(), labels }
}

/// Whether a TCP connection of the pod's application to this destination is captured.
pub fn outbound(pod: &Object, ip: IpAddr, port: u16, from_proxy_user: bool) -> Capture {
    let not = |field: &str, text: &str| Capture::Not(Cause::new(pod.key().to_string(), field, text));
    let Some(proxy) = proxy_container(pod) else {
        return not("spec.containers", "The pod has no istio-proxy container, so nothing stands between it and the network.");
    };
    if pod.at(&["spec", "hostNetwork"]) == &Value::Bool(true) {
        return not("spec.hostNetwork", "The pod uses the node's network, which is never redirected.");
    }
    if is_router(proxy) {
        return not("spec.containers[istio-proxy].args", "A gateway's own traffic is not redirected.");
    }
    if from_proxy_user {
        return not("spec.containers[istio-proxy].securityContext.runAsUser", "User 1337, the proxy itself, is exempt.");
    }
    if let Some(field) = exempt_user(pod) {
        return not(&field, "The application runs as user 1337, which is the proxy's own: it is exempt.");
    }
    if ip.is_loopback() {
        return not("spec.containers", "Connections to the loopback address stay inside the pod.");
    }
    if pod.annotation("sidecar.istio.io/interceptionMode") == Some("NONE") {
        return not("metadata.annotations[sidecar.istio.io/interceptionMode]", "Interception is switched off.");
    }
    if let Some(captures) = dns_capture(proxy) {
        return Capture::Unknown(Cause::new(pod.key().to_string(), &captures, "DNS capture by the sidecar is not modelled."));
    }
    by_rules(pod, ip, port)
}

/// Whether every connection of the pod's application that leaves the pod is captured, wherever it leads: what [`outbound`] says then
/// need not be asked. That is how Istio injects pods that say nothing else.
pub fn takes_everything(pod: &Object) -> bool {
    let rule = |flag: &str, name: &str| redirection_text(pod, flag, &format!("{ANNOTATION}{name}"));
    let excepts = |flag: &str, name: &str| rule(flag, name).is_some_and(|text| !text.is_empty());
    let ordinary = IpAddr::from([198, 51, 100, 1]);
    matches!(rule("-i", "includeOutboundIPRanges"), None | Some("*"))
        && !excepts("-o", "excludeOutboundPorts")
        && !excepts("-x", "excludeOutboundIPRanges")
        && outbound(pod, ordinary, 80, false) == Capture::Taken
}

/// The user whose connections are never redirected (`istio-iptables -u`).
const PROXY_USER: u64 = 1337;

/// The field that makes the application's container run as the proxy's user.
fn exempt_user(pod: &Object) -> Option<String> {
    let containers = pod.at(&["spec", "containers"]).as_array()?;
    let at = containers.iter().position(|c| c.get("name").and_then(Value::as_str) != Some("istio-proxy"))?;
    let own = containers[at].pointer("/securityContext/runAsUser").and_then(Value::as_u64);
    match own.or_else(|| pod.at(&["spec", "securityContext", "runAsUser"]).as_u64()) {
        Some(PROXY_USER) if own.is_some() => Some(format!("spec.containers[{at}].securityContext.runAsUser")),
        Some(PROXY_USER) => Some("spec.securityContext.runAsUser".into()),
        _ => None,
    }
}

/// ISTIO_META_DNS_CAPTURE in the proxy's environment.
fn dns_capture(proxy: &Value) -> Option<String> {
    let env = proxy.get("env").and_then(Value::as_array)?;
    let on = env.iter().find(|e| {
        let value = e.get("value").and_then(Value::as_str).unwrap_or("");
        match e.get("name").and_then(Value::as_str) {
            Some("ISTIO_META_DNS_CAPTURE") => value == "true",
            Some("PROXY_CONFIG") => value.contains("\"ISTIO_META_DNS_CAPTURE\":\"true\""),
            _ => false,
        }
    })?;
    Some(format!("spec.containers[istio-proxy].env[{}]", on.get("name")?.as_str()?))
}

/// The redirection rules: the arguments of istio-init where it ran, else the annotations it is made from.
fn by_rules(pod: &Object, ip: IpAddr, port: u16) -> Capture {
    let rule = |flag: &str, name: &str| redirection_text(pod, flag, &format!("{ANNOTATION}{name}"));
    let field = |flag: &str, name: &str| redirection(pod, flag, name).map(|(_, field)| field).unwrap_or_default();
    let in_list =
        |text: &str| text.split(',').map(str::trim).any(|n| n == "*" || network(n).is_some_and(|net| contains(net, ip)));
    let has_port = |text: &str| text.split(',').any(|p| p.trim() == "*" || p.trim() == port.to_string());
    let not = |field: &str, text: &str| Capture::Not(Cause::new(pod.key().to_string(), field, text));
    if let Some(ports) = rule("-o", "excludeOutboundPorts").filter(|p| has_port(p)) {
        return not(&field("-o", "excludeOutboundPorts"), &format!("Port {port} is excluded from redirection ({ports})."));
    }
    if rule("-x", "excludeOutboundIPRanges").is_some_and(in_list) {
        return not(&field("-x", "excludeOutboundIPRanges"), &format!("{ip} is excluded from redirection."));
    }
    let ports_included = rule("-q", "includeOutboundPorts").is_some_and(has_port);
    match rule("-i", "includeOutboundIPRanges") {
        Some(ranges) if !in_list(ranges) && !ports_included => {
            not(&field("-i", "includeOutboundIPRanges"), &format!("Only {ranges:?} is redirected, and {ip} is not in it."))
        }
        _ => Capture::Taken,
    }
}

/// One of the redirection rules, and the field that holds it: an argument of istio-init by its flag, else the annotation
/// `traffic.sidecar.istio.io/NAME`.
pub fn redirection(pod: &Object, flag: &str, name: &str) -> Option<(String, String)> {
    let annotation = format!("{ANNOTATION}{name}");
    match pod.annotation(&annotation) {
        Some(text) => Some((text.to_string(), format!("metadata.annotations[{annotation}]"))),
        None => Some((init_argument(pod, flag)?.to_string(), format!("spec.initContainers[istio-init].args {flag}"))),
    }
}

const ANNOTATION: &str = "traffic.sidecar.istio.io/";

/// What one of the redirection rules says.
fn redirection_text<'p>(pod: &'p Object, flag: &str, annotation: &str) -> Option<&'p str> {
    pod.annotation(annotation).or_else(|| init_argument(pod, flag))
}

fn init_argument<'p>(pod: &'p Object, flag: &str) -> Option<&'p str> {
    let init = pod.at(&["spec", "initContainers"]).as_array()?;
    let init = init.iter().find(|c| matches!(c.get("name").and_then(Value::as_str), Some("istio-init" | "istio-validation")))?;
    args(init).skip_while(|a| *a != flag).nth(1)
}
