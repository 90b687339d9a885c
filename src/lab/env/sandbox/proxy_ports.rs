//! The ports that a pod's proxy opens for itself, seen from inside the pod: readiness (15021 through Envoy, 15020 of the agent), and
//! the admin port 15000, whose pages come from [`Dataplane::admin`]. What is not imitated says so.

use super::dataplane::MeshNetwork;
use crate::k8s::Object;
use crate::mesh::capture;
use crate::outside::wire::{Failure, HttpVersion, Reply, Request, Response, Scheme};
use crate::sandbox::Dataplane;

/// An answer of the proxy's own ports; `None`: the request is for something else.
pub(super) fn reply(network: &MeshNetwork, pod: &Object, request: &Request) -> Option<Reply> {
    let own = request.address.is_some_and(|ip| ip.is_loopback()) || request.host == "localhost";
    if !own || !matches!(request.port, 15000 | 15004 | 15020 | 15021 | 15090) || capture::proxy_container(pod).is_none() {
        return None;
    }
    if request.scheme == Scheme::Tcp {
        // Somebody listens; what is said to it comes later.
        return Some(Reply::Failure(Failure::EmptyReply));
    }
    let path = request.path.split('?').next().unwrap_or("");
    let body = match (request.port, request.method.as_str(), path) {
        (15020 | 15021, "GET" | "HEAD", "/healthz/ready") if is_ready(pod) => Some(String::new()),
        (15020 | 15021, "GET" | "HEAD", "/healthz/ready") => return Some(Reply::Response(unready(request))),
        (15000, "GET", _) => network.admin(pod, &request.path),
        _ => None,
    };
    Some(match body {
        Some(body) => Reply::Response(ok(request, body)),
        None => {
            let object = format!("{} {}{} of the proxy", request.method, request.port, request.path);
            Reply::Failure(Failure::NotModelled { object, field: format!("in {}", pod.key()) })
        }
    })
}

/// Whether the proxy's container is ready.
fn is_ready(pod: &Object) -> bool {
    let lists = ["containerStatuses", "initContainerStatuses"].into_iter();
    let mut all = lists.flat_map(|list| pod.at(&["status", list]).as_array().into_iter().flatten());
    all.any(|status| status["name"] == "istio-proxy" && status["ready"] == true)
}

fn unready(request: &Request) -> Response {
    Response { status: 503, reason: "Service Unavailable".into(), ..ok(request, String::new()) }
}

fn ok(request: &Request, body: String) -> Response {
    let kind = if body.trim_start().starts_with('{') { "application/json" } else { "text/plain; charset=UTF-8" };
    let mut headers = vec![("content-length".to_string(), body.len().to_string())];
    if !body.is_empty() {
        headers.insert(0, ("content-type".into(), kind.into()));
    }
    Response {
        version: HttpVersion::Http11,
        status: 200,
        reason: "OK".into(),
        headers,
        body: if request.method == "HEAD" { Vec::new() } else { body.into_bytes() },
        peer: request.address.map(|ip| (ip, request.port)),
    }
}
