//! Annotations of Istio's on Kubernetes objects (S: analyzers/annotations, api annotation.gen.go).

use super::{Context, text};
use crate::base::yaml;
use crate::k8s::Object;
use crate::k8s::quantity::Quantity;

/// Name, whether deprecated, the kinds it belongs on (`Any`: all).
const KNOWN: &[(&str, bool, &str)] = &[
    ("alpha.istio.io/canonical-serviceaccounts", true, "Service"),
    ("alpha.istio.io/kubernetes-serviceaccounts", true, "Service"),
    ("ambient.istio.io/bypass-inbound-capture", false, "Pod"),
    ("ambient.istio.io/dns-capture", false, "Pod"),
    ("ambient.istio.io/redirection", false, "Pod"),
    ("ambient.istio.io/waypoint-inbound-binding", false, "GatewayClass, Gateway"),
    ("galley.istio.io/analyze-suppress", false, "Any"),
    ("gateway.istio.io/controller-version", false, "Any"),
    ("gateway.istio.io/name-override", false, "Gateway"),
    ("gateway.istio.io/service-account", false, "Gateway"),
    ("inject.istio.io/templates", false, "Pod"),
    ("istio.io/autoRegistrationGroup", false, "WorkloadEntry"),
    ("istio.io/connectedAt", false, "WorkloadEntry"),
    ("istio.io/disconnectedAt", false, "WorkloadEntry"),
    ("istio.io/dry-run", false, "AuthorizationPolicy"),
    ("istio.io/reroute-virtual-interfaces", false, "Pod"),
    ("istio.io/rev", false, "Pod"),
    ("istio.io/use-waypoint-canary-weight", false, "Service, ServiceEntry, Namespace"),
    ("istio.io/workloadController", false, "WorkloadEntry"),
    ("kubernetes.io/ingress.class", false, "Ingress"),
    ("networking.istio.io/exportTo", false, "Service"),
    ("networking.istio.io/service-type", false, "Gateway"),
    ("networking.istio.io/traffic-distribution", false, "Namespace, Service, ServiceEntry"),
    ("prometheus.istio.io/merge-metrics", false, "Pod"),
    ("proxy.istio.io/config", false, "Pod"),
    ("proxy.istio.io/overrides", false, "Pod"),
    ("readiness.status.sidecar.istio.io/applicationPorts", false, "Pod"),
    ("readiness.status.sidecar.istio.io/failureThreshold", false, "Pod"),
    ("readiness.status.sidecar.istio.io/initialDelaySeconds", false, "Pod"),
    ("readiness.status.sidecar.istio.io/periodSeconds", false, "Pod"),
    ("sidecar.istio.io/agentLogLevel", false, "Pod"),
    ("sidecar.istio.io/bootstrapOverride", false, "Pod"),
    ("sidecar.istio.io/componentLogLevel", false, "Pod"),
    ("sidecar.istio.io/discoveryAddress", true, "Pod"),
    ("sidecar.istio.io/extraStatTags", true, "Pod"),
    ("sidecar.istio.io/inject", true, "Pod"),
    ("sidecar.istio.io/interceptionMode", false, "Pod"),
    ("sidecar.istio.io/logLevel", false, "Pod"),
    ("sidecar.istio.io/nativeSidecar", false, "Pod"),
    ("sidecar.istio.io/proxyCPU", false, "Pod"),
    ("sidecar.istio.io/proxyCPULimit", false, "Pod"),
    ("sidecar.istio.io/proxyImage", false, "Pod"),
    ("sidecar.istio.io/proxyImageType", false, "Pod"),
    ("sidecar.istio.io/proxyMemory", false, "Pod"),
    ("sidecar.istio.io/proxyMemoryLimit", false, "Pod"),
    ("sidecar.istio.io/rewriteAppHTTPProbers", false, "Pod"),
    ("sidecar.istio.io/statsCompression", true, "Pod"),
    ("sidecar.istio.io/statsEvictionInterval", false, "Pod"),
    ("sidecar.istio.io/statsFlushInterval", false, "Pod"),
    ("sidecar.istio.io/statsHistogramBins", false, "Pod"),
    ("sidecar.istio.io/statsHistogramBuckets", false, "Pod"),
    ("sidecar.istio.io/statsInclusionPrefixes", true, "Pod"),
    ("sidecar.istio.io/statsInclusionRegexps", true, "Pod"),
    ("sidecar.istio.io/statsInclusionSuffixes", true, "Pod"),
    ("sidecar.istio.io/status", false, "Pod"),
    ("sidecar.istio.io/userVolume", false, "Pod"),
    ("sidecar.istio.io/userVolumeMount", false, "Pod"),
    ("status.sidecar.istio.io/port", false, "Pod"),
    ("topology.istio.io/controlPlaneClusters", false, "Namespace"),
    ("traffic.istio.io/nodeSelector", false, "Service"),
    ("traffic.sidecar.istio.io/excludeInboundPorts", false, "Pod"),
    ("traffic.sidecar.istio.io/excludeInterfaces", false, "Pod"),
    ("traffic.sidecar.istio.io/excludeOutboundIPRanges", false, "Pod"),
    ("traffic.sidecar.istio.io/excludeOutboundPorts", false, "Pod"),
    ("traffic.sidecar.istio.io/includeInboundPorts", false, "Pod"),
    ("traffic.sidecar.istio.io/includeOutboundIPRanges", false, "Pod"),
    ("traffic.sidecar.istio.io/includeOutboundPorts", false, "Pod"),
    ("traffic.sidecar.istio.io/kubevirtInterfaces", true, "Pod"),
];

/// Written by Istio itself.
const IGNORED: [&str; 3] = ["sidecar.istio.io/status", "gateway.istio.io/controller-version", "istio.io/rev"];

/// K8sAnalyzer.
pub fn check(context: &mut Context<'_>) {
    let core = ["Namespace", "Service", "Pod"].into_iter().flat_map(|kind| context.core(kind)).collect::<Vec<_>>();
    for object in core.into_iter().chain(context.each("apps", "Deployment")) {
        let annotations = object.at(&["metadata", "annotations"]).as_object().cloned().unwrap_or_default();
        for (name, value) in annotations.iter().filter(|(name, _)| is_istio(name) && !IGNORED.contains(&name.as_str())) {
            one(context, &object, name, text(value));
        }
    }
}

fn is_istio(name: &str) -> bool {
    name == "kubernetes.io/ingress.class" || name.split('/').next().unwrap_or("").ends_with("istio.io")
}

fn one(context: &mut Context<'_>, object: &Object, name: &str, value: &str) {
    // Istio sets the line of a copy, so files give the object's own line.
    let Some((_, deprecated, kinds)) = KNOWN.iter().find(|(known, ..)| *known == name) else {
        return context.report(object, "IST0108", format!("Unknown annotation: {name}"));
    };
    if *deprecated && !(name == "sidecar.istio.io/inject" && object.label(name).is_some()) {
        let instead = if name == "sidecar.istio.io/inject" { " in favor of the \"sidecar.istio.io/inject\" label" } else { "" };
        let text = format!("Annotation {name:?} has been deprecated{instead} and may not work in future Istio versions.");
        context.report(object, "IST0135", text);
    }
    if *kinds == "Any" {
        return;
    }
    if !kinds.split(", ").any(|kind| kind == object.kind()) {
        return context.report(object, "IST0107", format!("Misplaced annotation: {name} can only be applied to {kinds}"));
    }
    if let Err(problem) = valid(name, value) {
        context.report(object, "IST0125", format!("Invalid annotation {name}: {problem}"));
    }
}

/// What injection refuses of a value (S: pkg/kube/inject/validate.go).
fn valid(name: &str, value: &str) -> Result<(), String> {
    let port_list = |what: &str| ports(value).map_err(|e| format!("{what} invalid: {e}"));
    match name {
        "sidecar.istio.io/interceptionMode" if !matches!(value, "REDIRECT" | "TPROXY" | "NONE") => {
            Err(format!("interceptionMode invalid, use REDIRECT,TPROXY,NONE: {value}"))
        }
        "status.sidecar.istio.io/port" => port(value).map_err(|e| format!("excludeInboundPorts invalid: {e}")),
        "readiness.status.sidecar.istio.io/initialDelaySeconds"
        | "readiness.status.sidecar.istio.io/periodSeconds"
        | "readiness.status.sidecar.istio.io/failureThreshold" => unsigned(value, u64::from(u32::MAX)),
        "traffic.sidecar.istio.io/includeOutboundIPRanges" if value != "*" => {
            networks(value).map_err(|e| format!("includeIPRanges invalid: {e}"))
        }
        "traffic.sidecar.istio.io/excludeOutboundIPRanges" => {
            networks(value).map_err(|e| format!("excludeIPRanges invalid: {e}"))
        }
        "traffic.sidecar.istio.io/includeInboundPorts" if value != "*" => port_list("includeInboundPorts"),
        "traffic.sidecar.istio.io/excludeInboundPorts" => port_list("excludeInboundPorts"),
        "traffic.sidecar.istio.io/excludeOutboundPorts" => port_list("excludeOutboundPorts"),
        "prometheus.istio.io/merge-metrics" if !TRUTHS.contains(&value) => {
            Err(format!("strconv.ParseBool: parsing {value:?}: invalid syntax"))
        }
        "sidecar.istio.io/proxyCPU"
        | "sidecar.istio.io/proxyMemory"
        | "sidecar.istio.io/proxyCPULimit"
        | "sidecar.istio.io/proxyMemoryLimit" => amount(value),
        "proxy.istio.io/config" => {
            yaml::parse(value).map(drop).map_err(|e| format!("failed to convert to apply proxy config: {e}"))
        }
        _ => Ok(()),
    }
}

/// What Go reads as a boolean.
const TRUTHS: [&str; 12] = ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"];

fn unsigned(text: &str, most: u64) -> Result<(), String> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let problem = match text.parse::<u64>() {
        Ok(number) if digits && number <= most => return Ok(()),
        _ if digits => "value out of range",
        _ => "invalid syntax",
    };
    Err(format!("strconv.ParseUint: parsing {text:?}: {problem}"))
}

fn port(text: &str) -> Result<(), String> {
    unsigned(text.trim(), u64::from(u16::MAX)).map_err(|e| format!("failed parsing port '{text}': {e}"))
}

fn ports(list: &str) -> Result<(), String> {
    let list = list.trim();
    let mut each = list.split(',').filter(|_| !list.is_empty());
    each.try_for_each(|one| port(one).map_err(|e| format!("failed parsing port '{one}': {e}")))
}

fn networks(list: &str) -> Result<(), String> {
    let mut each = list.split(',').filter(|_| !list.is_empty());
    each.try_for_each(|one| prefix(one).map_err(|e| format!("failed parsing cidr '{one}': netip.ParsePrefix({one:?}): {e}")))
}

/// Go's netip.ParsePrefix.
fn prefix(text: &str) -> Result<(), String> {
    let Some((address, bits)) = text.rsplit_once('/') else { return Err("no '/'".into()) };
    let most = match address.parse::<std::net::IpAddr>() {
        Ok(address) => {
            if address.is_ipv4() {
                32
            } else {
                128
            }
        }
        Err(_) => return Err(format!("ParseAddr({address:?}): unable to parse IP")),
    };
    match bits.parse::<u32>() {
        Ok(bits) if bits <= most => Ok(()),
        Ok(_) => Err("prefix length out of range".into()),
        Err(_) => Err(format!("bad bits after slash: {bits:?}")),
    }
}

fn amount(value: &str) -> Result<(), String> {
    if value.chars().any(char::is_control) {
        return Err("value contains control characters".into());
    }
    let problem = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    Quantity::parse(value).map(drop).ok_or_else(|| problem.to_string())
}
