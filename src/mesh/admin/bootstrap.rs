//! What the agent starts a proxy with: node, admin port, clusters and listeners of its own (Istio: tools/packaging/common/
//! envoy_bootstrap.json, pkg/bootstrap).

use crate::k8s::Object;
use crate::mesh::capture;
use crate::mesh::envoy::{bootstrap::own_listeners, socket};
use crate::mesh::versions;
use serde_json::{Map, Value, json};

/// `sidecar~IP~POD.NAMESPACE~NAMESPACE.svc.cluster.local`.
pub fn node_id(pod: &Object) -> String {
    let (name, namespace) = (pod.name(), pod.namespace());
    let role = if capture::is_gateway(pod) { "router" } else { "sidecar" };
    format!("{role}~{}~{name}.{namespace}~{namespace}.svc.cluster.local", pod.str_at(&["status", "podIP"]))
}

/// The tag of the proxy's image: the Istio version that it says it is.
pub fn version(pod: &Object) -> String {
    let image = capture::proxy_container(pod).and_then(|c| c["image"].as_str()).unwrap_or("");
    let last = image.rsplit('/').next().unwrap_or("").split('@').next().unwrap_or("");
    last.split_once(':').map_or_else(|| versions::default_release().tag.clone(), |(_, tag)| tag.to_string())
}

/// Node metadata.
pub fn metadata(pod: &Object) -> Value {
    let labels: Map<String, Value> = pod.labels().into_iter().map(|(k, v)| (k.to_string(), json!(v))).collect();
    let containers = pod.at(&["spec", "containers"]).as_array().into_iter().flatten();
    let apps: Vec<&str> = containers.filter_map(|c| c["name"].as_str()).filter(|name| *name != "istio-proxy").collect();
    let workload = pod.label("service.istio.io/canonical-name").unwrap_or(pod.name());
    json!({
        "APP_CONTAINERS": apps.join(","),
        "CLUSTER_ID": "Kubernetes",
        "INTERCEPTION_MODE": pod.annotation("sidecar.istio.io/interceptionMode").unwrap_or("REDIRECT"),
        "ISTIO_VERSION": version(pod),
        "LABELS": labels,
        "MESH_ID": "cluster.local",
        "NAME": pod.name(),
        "NAMESPACE": pod.namespace(),
        "SERVICE_ACCOUNT": pod.str_at(&["spec", "serviceAccountName"]),
        "WORKLOAD_NAME": workload,
    })
}

/// The bootstrap.
pub fn bootstrap(pod: &Object) -> Value {
    let release = versions::find(&version(pod)).unwrap_or_else(versions::default_release);
    let (major, minor) = release.envoy.split_once('.').unwrap_or(("1", "0"));
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    let workload = pod.label("service.istio.io/canonical-name").unwrap_or(pod.name());
    json!({
        "node": {
            "id": node_id(pod),
            "cluster": format!("{workload}.{}", pod.namespace()),
            "metadata": metadata(pod),
            "locality": {},
            "user_agent_name": "envoy",
            "user_agent_build_version": {
                "version": { "major_number": number(major), "minor_number": number(minor) },
                "metadata": { "build.type": "RELEASE", "revision.status": "Clean", "ssl.version": "BoringSSL" },
            },
        },
        "static_resources": { "listeners": own_listeners(), "clusters": own_clusters() },
        "dynamic_resources": {
            "lds_config": { "ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3" },
            "cds_config": { "ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3" },
            "ads_config": {
                "api_type": "GRPC",
                "grpc_services": [{ "envoy_grpc": { "cluster_name": "xds-grpc" } }],
                "set_node_on_first_message_only": true,
                "transport_api_version": "V3",
            },
        },
        "admin": { "address": socket("127.0.0.1", 15000) },
    })
}

/// The clusters that need nobody: statistics, the agent, its two sockets.
pub fn own_clusters() -> Vec<Value> {
    let local = |name: &str, address: Value| {
        json!({
            "name": name,
            "type": "STATIC",
            "connect_timeout": "0.250s",
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address } }] }],
            },
        })
    };
    let pipe = |path: &str| json!({ "pipe": { "path": path } });
    vec![
        local("prometheus_stats", socket("127.0.0.1", 15000)),
        local("agent", socket("127.0.0.1", 15020)),
        local("sds-grpc", pipe("./var/run/secrets/workload-spiffe-uds/socket")),
        local("xds-grpc", pipe("./etc/istio/proxy/XDS")),
    ]
}
