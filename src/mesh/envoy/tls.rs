//! Transport sockets (Istio: core/cluster_tls.go, core/gateway.go, security/model). Certificates come by name from the agent (SDS).

use super::{extension, put};
use crate::mesh::policy::certificates::{Client, Own};
use crate::mesh::proxy::{Cluster, Filter, Terminate, UpstreamTls};
use serde_json::{Value, json};

const SOCKET: &str = "envoy.transport_sockets.tls";

/// A certificate or a set of roots by name, from the agent beside the proxy.
fn secret(name: &str) -> Value {
    json!({
        "name": name,
        "sds_config": {
            "api_config_source": {
                "api_type": "GRPC",
                "grpc_services": [{ "envoy_grpc": { "cluster_name": "sds-grpc" } }],
                "set_node_on_first_message_only": true,
                "transport_api_version": "V3",
            },
            "initial_fetch_timeout": "0s",
            "resource_api_version": "V3",
        },
    })
}

/// Roots to trust, and names to accept besides.
fn validation(roots: &str, names: &[String]) -> Value {
    let mut context = json!({});
    let exact: Vec<Value> = names.iter().map(|n| json!({ "exact": n })).collect();
    put(&mut context, "match_subject_alt_names", super::some(exact));
    json!({ "default_validation_context": context, "validation_context_sds_secret_config": secret(roots) })
}

fn versions() -> Value {
    json!({ "tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3" })
}

/// The name that mesh TLS asks for when a DestinationRule says ISTIO_MUTUAL and no name.
pub fn mesh_name(cluster: &str) -> String {
    let parts: Vec<&str> = cluster.split('|').collect();
    match parts.as_slice() {
        [direction, port, subset, host] => format!("{direction}_.{port}_.{subset}_.{host}"),
        _ => cluster.to_string(),
    }
}

/// TLS that a cluster opens because a DestinationRule says so.
pub fn upstream(of: &Cluster, how: &UpstreamTls) -> Value {
    let mut context = if how.mesh { mesh_context(of, &how.san) } else { plain_context(of, how) };
    let sni = how.sni.clone().or_else(|| how.mesh.then(|| mesh_name(&of.name).into()));
    put(&mut context, "sni", sni.map(|s| json!(s)));
    extension(SOCKET, "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", context)
}

/// The workload's certificate, the mesh's roots.
fn mesh_context(of: &Cluster, names: &[String]) -> Value {
    let protocols =
        if of.http2 { json!(["istio-peer-exchange", "istio", "h2"]) } else { json!(["istio-peer-exchange", "istio"]) };
    json!({
        "common_tls_context": {
            "tls_params": versions(),
            "alpn_protocols": protocols,
            "tls_certificate_sds_secret_configs": [secret("default")],
            "combined_validation_context": validation("ROOTCA", names),
        },
    })
}

fn plain_context(of: &Cluster, how: &UpstreamTls) -> Value {
    let mut common = json!({ "tls_params": versions() });
    match how.insecure {
        true => put(&mut common, "validation_context", Some(json!({}))),
        false => {
            let roots = if how.private_ca { "file-root:private" } else { "file-root:system" };
            put(&mut common, "combined_validation_context", Some(validation(roots, &how.san)));
        }
    }
    if how.client_certificate {
        put(&mut common, "tls_certificate_sds_secret_configs", Some(json!([secret("file-cert:client")])));
    }
    put(&mut common, "alpn_protocols", of.http2.then(|| json!(["h2"])));
    json!({ "common_tls_context": common })
}

/// Mesh TLS with those endpoints that take it, plain text with the others.
pub fn auto_mtls(of: &Cluster) -> Value {
    let mut context = mesh_context(of, &[]);
    put(&mut context, "sni", Some(json!(mesh_name(&of.name))));
    let socket = extension(SOCKET, "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", context);
    let plain =
        extension("envoy.transport_sockets.raw_buffer", "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer", json!({}));
    json!([
        { "name": "tlsMode-istio", "match": { "tlsMode": "istio" }, "transport_socket": socket },
        { "name": "tlsMode-disabled", "match": {}, "transport_socket": plain },
    ])
}

/// TLS that ends at a gateway's chain: with the workload's certificate, or with the one in the Secret that the server names.
pub fn downstream(how: Terminate, own: Option<&Own>, filter: &Filter) -> Value {
    let mesh = how == Terminate::Mesh;
    let protocols = match (mesh, filter) {
        (true, Filter::Tcp(_)) => json!(["istio-peer-exchange", "h2", "http/1.1"]),
        _ => json!(["h2", "http/1.1"]),
    };
    let credential = own.and_then(|o| o.secret.rsplit('/').next()).filter(|n| !n.is_empty()).unwrap_or("gateway");
    let credential = format!("kubernetes://{credential}");
    let asks = own.is_some_and(|o| o.client == Client::Certificate);
    let mut common = json!({
        "alpn_protocols": protocols,
        "tls_certificate_sds_secret_configs": [secret(if mesh { "default" } else { &credential })],
    });
    let roots = match (mesh, asks) {
        (true, _) => Some("ROOTCA".to_string()),
        (false, true) => Some(format!("{credential}-cacert")),
        (false, false) => None,
    };
    put(&mut common, "combined_validation_context", roots.map(|r| validation(&r, &[])));
    let context = json!({ "common_tls_context": common, "require_client_certificate": mesh || asks });
    extension(SOCKET, "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", context)
}
