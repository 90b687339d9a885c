//! Which fields can be edited, and with what: one row each. A field without a row can still be taken away.

use super::pools::Pool;

/// A leaf that can hold another value.
pub struct Leaf {
    pub kind: &'static str,
    /// As [`super::path::Path::pattern`] writes it; `{}` stands for one key of a map.
    pub pattern: &'static str,
    pub pool: Pool,
}

/// A kind's field and what can stand there.
const fn leaf(kind: &'static str, pattern: &'static str, pool: Pool) -> Leaf {
    Leaf { kind, pattern, pool }
}

/// Leaves by kind. `ConfigMap` rows are places in the text of `data.mesh`.
pub const LEAVES: &[Leaf] = &[
    leaf("ServiceEntry", "spec.hosts[]", Pool::Hosts),
    leaf("ServiceEntry", "spec.ports[].number", Pool::Ports),
    leaf("ServiceEntry", "spec.ports[].targetPort", Pool::Ports),
    leaf("ServiceEntry", "spec.ports[].protocol", Pool::Protocols),
    leaf("ServiceEntry", "spec.resolution", Pool::Resolutions),
    leaf("ServiceEntry", "spec.exportTo[]", Pool::Exports),
    leaf("ServiceEntry", "metadata.namespace", Pool::Namespaces),
    leaf("VirtualService", "spec.hosts[]", Pool::Hosts),
    leaf("VirtualService", "spec.gateways[]", Pool::Gateways),
    leaf("VirtualService", "spec.exportTo[]", Pool::Exports),
    leaf("VirtualService", "metadata.namespace", Pool::Namespaces),
    leaf("VirtualService", "spec.http[].match[].port", Pool::Ports),
    leaf("VirtualService", "spec.http[].match[].gateways[]", Pool::Gateways),
    leaf("VirtualService", "spec.http[].route[].destination.host", Pool::Destinations),
    leaf("VirtualService", "spec.http[].route[].destination.subset", Pool::Subsets),
    leaf("VirtualService", "spec.http[].route[].destination.port.number", Pool::Ports),
    leaf("VirtualService", "spec.tls[].match[].port", Pool::Ports),
    leaf("VirtualService", "spec.tls[].match[].sniHosts[]", Pool::Hosts),
    leaf("VirtualService", "spec.tls[].match[].gateways[]", Pool::Gateways),
    leaf("VirtualService", "spec.tls[].route[].destination.host", Pool::Destinations),
    leaf("VirtualService", "spec.tls[].route[].destination.subset", Pool::Subsets),
    leaf("VirtualService", "spec.tls[].route[].destination.port.number", Pool::Ports),
    leaf("VirtualService", "spec.tcp[].match[].port", Pool::Ports),
    leaf("VirtualService", "spec.tcp[].match[].gateways[]", Pool::Gateways),
    leaf("VirtualService", "spec.tcp[].route[].destination.host", Pool::Destinations),
    leaf("VirtualService", "spec.tcp[].route[].destination.port.number", Pool::Ports),
    leaf("DestinationRule", "spec.host", Pool::Destinations),
    leaf("DestinationRule", "spec.subsets[].name", Pool::Subsets),
    leaf("DestinationRule", "spec.exportTo[]", Pool::Exports),
    leaf("DestinationRule", "metadata.namespace", Pool::Namespaces),
    leaf("DestinationRule", "spec.trafficPolicy.tls.mode", Pool::TlsModes),
    leaf("DestinationRule", "spec.trafficPolicy.tls.sni", Pool::Hosts),
    leaf("DestinationRule", "spec.trafficPolicy.portLevelSettings[].port.number", Pool::Ports),
    leaf("DestinationRule", "spec.trafficPolicy.portLevelSettings[].tls.mode", Pool::TlsModes),
    leaf("DestinationRule", "spec.trafficPolicy.portLevelSettings[].tls.sni", Pool::Hosts),
    leaf("DestinationRule", "spec.subsets[].trafficPolicy.tls.mode", Pool::TlsModes),
    leaf("DestinationRule", "spec.subsets[].trafficPolicy.tls.sni", Pool::Hosts),
    leaf("DestinationRule", "spec.subsets[].trafficPolicy.portLevelSettings[].port.number", Pool::Ports),
    leaf("DestinationRule", "spec.subsets[].trafficPolicy.portLevelSettings[].tls.mode", Pool::TlsModes),
    leaf("DestinationRule", "spec.subsets[].trafficPolicy.portLevelSettings[].tls.sni", Pool::Hosts),
    leaf("Gateway", "metadata.name", Pool::GatewayNames),
    leaf("Gateway", "metadata.namespace", Pool::Namespaces),
    leaf("Gateway", "spec.selector.{}", Pool::LabelValues),
    leaf("Gateway", "spec.servers[].port.number", Pool::Ports),
    leaf("Gateway", "spec.servers[].port.protocol", Pool::Protocols),
    leaf("Gateway", "spec.servers[].hosts[]", Pool::Hosts),
    leaf("Gateway", "spec.servers[].tls.mode", Pool::ServerModes),
    leaf("Sidecar", "spec.egress[].hosts[]", Pool::Imports),
    leaf("Sidecar", "spec.outboundTrafficPolicy.mode", Pool::Policies),
    leaf("ConfigMap", "outboundTrafficPolicy.mode", Pool::Policies),
    leaf("ConfigMap", "accessLogFile", Pool::LogFiles),
];

/// Kinds of which only parts are taken away, or the whole.
pub const LESSENED: &[(&str, &str)] = &[
    ("security.istio.io", "AuthorizationPolicy"),
    ("security.istio.io", "PeerAuthentication"),
    ("networking.k8s.io", "NetworkPolicy"),
];

/// Kinds of the group `networking.istio.io` that are edited.
pub const EDITED: &[&str] = &["ServiceEntry", "VirtualService", "DestinationRule", "Gateway", "Sidecar"];

/// Lists whose elements can be taken away one by one, though they are no leaves.
pub const ELEMENTS: &[(&str, &str)] = &[
    ("ServiceEntry", "spec.ports[]"),
    ("ServiceEntry", "spec.endpoints[]"),
    ("VirtualService", "spec.http[]"),
    ("VirtualService", "spec.http[].match[]"),
    ("VirtualService", "spec.tls[]"),
    ("VirtualService", "spec.tls[].match[]"),
    ("VirtualService", "spec.tcp[]"),
    ("DestinationRule", "spec.trafficPolicy.portLevelSettings[]"),
    ("Gateway", "spec.servers[]"),
    ("AuthorizationPolicy", "spec.rules[]"),
    ("NetworkPolicy", "spec.egress[]"),
    ("NetworkPolicy", "spec.ingress[]"),
];

/// Fields that can be taken away as a whole, though they are no leaves.
pub const FIELDS: &[(&str, &str)] = &[
    ("ServiceEntry", "spec.exportTo"),
    ("ServiceEntry", "spec.addresses"),
    ("VirtualService", "spec.exportTo"),
    ("VirtualService", "spec.http[].match"),
    ("VirtualService", "spec.http[].match[].gateways"),
    ("VirtualService", "spec.http[].fault"),
    ("VirtualService", "spec.http[].retries"),
    ("DestinationRule", "spec.exportTo"),
    ("DestinationRule", "spec.trafficPolicy"),
    ("DestinationRule", "spec.trafficPolicy.tls"),
    ("DestinationRule", "spec.subsets[].trafficPolicy"),
    ("DestinationRule", "spec.subsets[].labels"),
    ("Gateway", "spec.servers[].tls"),
    ("Sidecar", "spec.outboundTrafficPolicy"),
    ("ConfigMap", "outboundTrafficPolicy"),
];

/// Whether a pattern of the table fits a place; `{}` takes any one key.
pub fn fits(pattern: &str, place: &str) -> bool {
    match pattern.strip_suffix("{}") {
        Some(before) => place.strip_prefix(before).is_some_and(|key| !key.is_empty() && !key.ends_with("[]")),
        None => pattern == place,
    }
}
