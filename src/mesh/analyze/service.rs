//! Port names of Services (S: analyzers/service, pkg/config/kube/conversion.go ConvertProtocol).

use super::{Context, items, text};
use serde_json::Value;

/// Protocols as Istio reads them in a port's name, in any case.
const PROTOCOLS: [&str; 11] = ["tcp", "udp", "grpc", "http", "http_proxy", "http2", "https", "tls", "mongo", "redis", "mysql"];

/// PortNameAnalyzer.
pub fn port_names(context: &mut Context<'_>) {
    for object in context.core("Service") {
        let control_plane = object.label("istio").is_some() || object.label("release") == Some("istio");
        let managed = object.label("gateway.istio.io/managed").is_some_and(|by| {
            matches!(by, "istio.io-gateway-controller" | "istio.io-mesh-controller" | "istio.io-eastwest-controller")
        });
        if control_plane || managed {
            continue;
        }
        let external = object.str_at(&["spec", "type"]) == "ExternalName";
        for (i, port) in items(object.at(&["spec", "ports"])).iter().enumerate() {
            let name = text(&port["name"]);
            if is_named_well(port) && !(name == "tcp" && external) {
                continue;
            }
            let field = format!("spec.ports[{i}].port");
            if external {
                let text = "Port name for ExternalName service is invalid. Proxy may prevent tcp named ports and unmatched traffic for ports \
                            serving TCP protocol from being forwarded correctly";
                context.report_at(&object, "IST0150", text.into(), &field);
                continue;
            }
            let target = match &port["targetPort"] {
                Value::Number(n) => n.to_string(),
                Value::String(s) => s.clone(),
                _ => "0".into(),
            };
            let number = port["port"].as_i64().unwrap_or(0);
            let text = format!(
                "Port name {name} (port: {number}, targetPort: {target}) doesn't follow the naming convention of Istio port."
            );
            context.report_at(&object, "IST0118", text, &field);
        }
    }
}

/// Whether the port's protocol can be read from its name or appProtocol, or is known by its number.
fn is_named_well(port: &Value) -> bool {
    if text(&port["protocol"]) == "UDP" {
        return true;
    }
    let name = match port["appProtocol"].as_str() {
        Some("kubernetes.io/h2c" | "kubernetes.io/ws" | "kubernetes.io/wss") => return true,
        Some(given) => given,
        None => text(&port["name"]),
    };
    let name = name.to_lowercase();
    let first = name.split('-').next().unwrap_or("");
    name.starts_with("grpc-web") || PROTOCOLS.contains(&first) || matches!(port["port"].as_i64(), Some(25 | 53 | 3306 | 27017))
}
