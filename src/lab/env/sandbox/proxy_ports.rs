//! The ports that Istio's own processes open, seen from inside their pod. A proxy's: readiness (15021 through Envoy, 15020 of the
//! agent), and the admin port 15000, whose pages come from [`MeshNetwork::page`]. istiod's: readiness (8080) and monitoring (15014).
//! What is not imitated says so.

use super::dataplane::MeshNetwork;
use super::istiod;
use crate::base::clock::Time;
use crate::k8s::Object;
use crate::mesh::admin::{self, Page};
use crate::mesh::capture;
use crate::outside::wire::{self, Failure, HttpVersion, Reply, Request, Response, Scheme};

/// An answer of the proxy's own ports; `None`: the request is for something else.
pub(super) fn reply(network: &mut MeshNetwork, pod: &Object, request: &Request, now: Time) -> Option<Reply> {
    let own = request.address.is_some_and(|ip| ip.is_loopback()) || request.host == "localhost";
    if !own {
        return None;
    }
    if let Some(tag) = istiod::runs_in(pod).filter(|_| matches!(request.port, 8080 | 15010 | 15012 | 15014 | 15017)) {
        return Some(control_plane(network, &tag, pod, request));
    }
    if !matches!(request.port, 15000 | 15004 | 15020 | 15021 | 15090) || capture::proxy_container(pod).is_none() {
        return None;
    }
    if request.scheme == Scheme::Tcp {
        // Somebody listens; what is said to it comes later.
        return Some(Reply::Failure(Failure::EmptyReply));
    }
    let path = request.path.split('?').next().unwrap_or("");
    match (request.port, request.method.as_str(), path) {
        (15020 | 15021, "GET" | "HEAD", "/healthz/ready") if is_ready(pod) => Some(Reply::Response(ok(request, String::new()))),
        (15020 | 15021, "GET" | "HEAD", "/healthz/ready") => Some(Reply::Response(unready(request))),
        (15000, "GET", "/ready") if !is_ready(pod) => Some(Reply::Response(unready(request))),
        (15020 | 15090, "GET", "/stats/prometheus") => {
            Some(paged(network.page(pod, "GET", "/stats/prometheus", now), pod, request))
        }
        (15000, method, _) => Some(paged(network.page(pod, method, &request.path, now), pod, request)),
        _ => Some(unknown("the proxy", pod, request)),
    }
}

/// A page of the admin port as Envoy sends it.
fn paged(page: Page, pod: &Object, request: &Request) -> Reply {
    if page.not_simulated {
        return unknown("the proxy", pod, request);
    }
    let reason = match page.status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "",
    };
    let body = if request.method == "HEAD" { Vec::new() } else { page.body.into_bytes() };
    let headers = [
        ("content-type", page.kind),
        ("cache-control", "no-cache, max-age=0"),
        ("x-content-type-options", "nosniff"),
        ("server", "envoy"),
        ("transfer-encoding", "chunked"),
    ];
    let headers = wire::headers(headers.map(|(name, value)| (name, value.to_string())));
    Reply::Response(Response { status: page.status, reason: reason.into(), headers, body, ..ok(request, String::new()) })
}

/// What istiod answers on its ports; `tag` is its image's.
fn control_plane(network: &MeshNetwork, tag: &str, pod: &Object, request: &Request) -> Reply {
    if request.scheme == Scheme::Tcp {
        return Reply::Failure(Failure::EmptyReply);
    }
    match (request.port, request.method.as_str(), request.path.trim_start_matches('/')) {
        (8080, "GET" | "HEAD", "ready") => Reply::Response(ok(request, String::new())),
        // Version, commit and state of the sources, as istiod joins them.
        (15014, "GET", "version") => Reply::Response(ok(request, format!("{tag}-sandbox-Clean"))),
        (8080 | 15014, "GET", path) if path.starts_with("debug/") => {
            match admin::istiod::page(network.model(), network.push(), path) {
                Some(page) if page.not_simulated => unknown("istiod", pod, request),
                Some(page) => Reply::Response(plain(page, request)),
                None => Reply::Response(plain(missing(), request)),
            }
        }
        _ => unknown("istiod", pod, request),
    }
}

/// What Go's server says about a path that it does not have.
fn missing() -> Page {
    Page { status: 404, kind: "text/plain; charset=utf-8", body: "404 page not found\n".into(), not_simulated: false }
}

/// A page of istiod as Go sends it.
fn plain(page: Page, request: &Request) -> Response {
    let reason = match page.status {
        200 => "OK",
        404 => "Not Found",
        _ => "Bad Request",
    };
    let headers = vec![("Content-Type".into(), page.kind.into()), ("Content-Length".into(), page.body.len().to_string().into())];
    let body = if request.method == "HEAD" { Vec::new() } else { page.body.into_bytes() };
    Response { status: page.status, reason: reason.into(), headers, body, ..ok(request, String::new()) }
}

fn unknown(whose: &str, pod: &Object, request: &Request) -> Reply {
    let object = format!("{} {}{} of {whose}", request.method, request.port, request.path);
    Reply::Failure(Failure::NotModelled { object, field: format!("in {}", pod.key()) })
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
    let mut headers = vec![("content-length".into(), body.len().to_string().into())];
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seed::Seed;
    use crate::lab::env::sandbox::Bend;
    use serde_json::json;

    fn pod(image: &str, name: &str, ready: bool) -> Object {
        Object(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "istio-system"},
            "spec": {"containers": [{"name": name, "image": image, "args": ["proxy", "sidecar"]}]},
            "status": {"containerStatuses": [{"name": name, "ready": ready}]},
        }))
    }

    fn asked(pod: &Object, port: u16, path: &str) -> String {
        let request = Request {
            scheme: Scheme::Http,
            version: HttpVersion::Http11,
            method: "GET".into(),
            host: "localhost".into(),
            port,
            path: path.to_string().into(),
            headers: Vec::new(),
            sni: None,
            body_len: 0,
            address: Some([127, 0, 0, 1].into()),
            from_proxy_user: false,
            max_time_ms: None,
            connect_timeout_ms: None,
            insecure: false,
        };
        match reply(&mut MeshNetwork::new(Seed(1), Bend::Honest), pod, &request, Time::LOGICAL_START) {
            Some(Reply::Response(response)) => format!("{} {}", response.status, String::from_utf8_lossy(&response.body)),
            Some(Reply::Failure(Failure::NotModelled { object, .. })) => format!("not simulated: {object}"),
            Some(Reply::Failure(failure)) => format!("{failure:?}"),
            None => "somebody else's".into(),
        }
    }

    #[test]
    fn istios_processes_answer_on_their_own_ports() {
        let proxy = |ready| pod("docker.io/istio/proxyv2:1.30.0", "istio-proxy", ready);
        let istiod = pod("my.hub:5000/x/pilot:1.30.0@sha256:ab", "discovery", true);
        for (pod, port, path, answer) in [
            (&proxy(true), 15000, "/ready", "200 LIVE\n"),
            (&proxy(false), 15000, "/ready", "503 "),
            (&proxy(true), 15021, "/healthz/ready", "200 "),
            (&proxy(true), 15000, "/memory", "not simulated: GET 15000/memory of the proxy"),
            (&proxy(true), 15000, "/logging", "405 Method GET not allowed, POST required."),
            (&proxy(true), 8080, "/ready", "somebody else's"),
            (&istiod, 15014, "//version", "200 1.30.0-sandbox-Clean"),
            (&istiod, 8080, "/ready", "200 "),
            (&istiod, 15014, "/metrics", "not simulated: GET 15014/metrics of istiod"),
            (&istiod, 15000, "/ready", "somebody else's"),
        ] {
            assert_eq!(asked(pod, port, path), answer, "{port}{path}");
        }
    }
}
