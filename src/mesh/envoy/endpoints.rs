//! Endpoints (Istio: xds/endpoints).

use super::{put, socket};
use crate::mesh::proxy::{Cluster, Endpoint, EndpointHost};
use serde_json::{Value, json};

/// The `ClusterLoadAssignment` of a cluster. A name among the endpoints stays a name.
pub fn assignment(of: &Cluster) -> Value {
    let all: Vec<Value> = of.endpoints.iter().map(endpoint).collect();
    let mut written = json!({ "cluster_name": of.name });
    let weight = all.len();
    let group = json!([{ "locality": {}, "lb_endpoints": all, "load_balancing_weight": weight }]);
    put(&mut written, "endpoints", (weight > 0).then_some(group));
    written
}

fn endpoint(of: &Endpoint) -> Value {
    let address = match &of.host {
        EndpointHost::Address(ip) => ip.to_string(),
        EndpointHost::Name(name) => name.clone(),
    };
    let mut written = json!({
        "endpoint": { "address": socket(&address, of.port) },
        "health_status": "HEALTHY",
        "load_balancing_weight": 1,
    });
    let takes_mtls = json!({ "filter_metadata": { "envoy.transport_socket_match": { "tlsMode": "istio" } } });
    put(&mut written, "metadata", of.mtls.then_some(takes_mtls));
    written
}
