//! A client that follows redirects, as `curl -L` does.

use super::compile::registry::contains;
use super::trace::server::{PLAIN_PORTS, TLS_PORTS};
use super::{Explanation, Inputs, Model};
use crate::base::shared::Text;
use crate::k8s::Object;
use crate::outside::wire::{DnsAnswer, HttpVersion, Reply, Request, Response, Scheme};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The statuses that curl follows.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

impl Model {
    /// Traces a request and, like `curl -L`, every redirect it is answered with (at most `limit` further requests).
    pub fn trace_follow(&self, pod: &Object, request: &Request, inputs: &Inputs<'_>, limit: usize) -> Explanation {
        let mut traces = Vec::new();
        let mut request = request.clone();
        let mut assumptions = BTreeSet::new();
        let mut inputs = *inputs;
        for _ in 0..=limit {
            let trace = self.trace(pod, &request, &inputs);
            assumptions.extend(self.assumed(pod, &request, &inputs));
            assumptions.extend(self.assumed_of_policies(&trace, &inputs));
            let next = match &trace.reply {
                Reply::Response(response) => next(&request, response),
                Reply::Failure(_) => None,
            };
            inputs.now = inputs.now.plus_ms(trace.delay_ms as i64);
            inputs.nth += 1;
            traces.push(trace);
            match next {
                Some(next) => request = next,
                None => break,
            }
        }
        Explanation {
            exchanges: traces.iter().map(|t| t.record.clone()).collect(),
            assumptions: assumptions.into_iter().collect(),
            traces,
        }
    }
}

impl Model {
    /// What a trace takes for granted about the world outside.
    fn assumed(&self, pod: &Object, request: &Request, inputs: &Inputs<'_>) -> Option<String> {
        let outside = inputs.outside.is_assumed().then_some(inputs.outside)?;
        let (host, port) = (&request.host, request.port);
        let speaks = match port {
            port if TLS_PORTS.contains(&port) => format!("speaks TLS on port {port}"),
            port if PLAIN_PORTS.contains(&port) => format!("speaks plain HTTP on port {port}"),
            port => format!("answers on port {port}"),
        };
        if let Some(ip) = request.address {
            let inside = self.service_at(ip).is_some() || self.pod_at(ip).is_some();
            return (!inside).then(|| format!("{ip} answers: an origin that {speaks}"));
        }
        match self.resolve(pod, host, outside) {
            DnsAnswer::Addresses { canonical, addresses, .. } if !canonical.ends_with(".cluster.local") => {
                let all = self.base().index.covering(&host.to_ascii_lowercase());
                let within = |net: &(IpAddr, u8)| addresses.iter().any(|ip| contains(*net, *ip));
                let beside = all.into_iter().find(|s| !s.vips.is_empty() && !s.vips.iter().any(within));
                let where_to =
                    beside.map_or_else(String::new, |s| format!(" to an address outside spec.addresses of {}", s.object));
                Some(format!("{host} resolves{where_to}, and its origin {speaks}"))
            }
            _ => None,
        }
    }
}

/// A request for a URL with nothing set but what curl sets itself; `None` when the text is no http or https URL.
pub fn request_for(url: &str, method: &str, user_agent: &str) -> Option<Request> {
    let (scheme, rest) = match url.split_once("://") {
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        Some(_) => return None,
        None => (Scheme::Http, url),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let tail = tail.split('#').next().unwrap_or("");
    let path = if tail.starts_with('/') { tail.to_string() } else { format!("/{tail}") };
    let authority = authority.rsplit('@').next().unwrap_or(authority);
    let default = if scheme == Scheme::Https { 443 } else { 80 };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (authority, default),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return None;
    }
    let shown = if port == default { host.to_string() } else { format!("{host}:{port}") };
    let address = host.parse().ok();
    let header = |name: &'static str, value: &str| (Text::fixed(name), Text::new(value));
    Some(Request {
        version: if scheme == Scheme::Https { HttpVersion::Http2 } else { HttpVersion::Http11 },
        method: Text::new(method),
        host: Text::new(host),
        port,
        path: path.into(),
        headers: vec![header("Host", &shown), header("User-Agent", user_agent), header("Accept", "*/*")],
        sni: (scheme == Scheme::Https && address.is_none()).then(|| Text::new(host)),
        body_len: 0,
        address,
        from_proxy_user: false,
        max_time_ms: None,
        connect_timeout_ms: None,
        insecure: false,
        scheme,
    })
}

/// The request that a redirect leads to.
fn next(request: &Request, response: &Response) -> Option<Request> {
    if !REDIRECTS.contains(&response.status) {
        return None;
    }
    let location = &response.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("location"))?.1;
    let scheme = if request.scheme == Scheme::Https { "https" } else { "http" };
    let url = match location {
        l if l.contains("://") => l.to_string(),
        l if l.starts_with("//") => format!("{scheme}:{l}"),
        l if l.starts_with('/') => format!("{scheme}://{}:{}{l}", request.host, request.port),
        l => format!("{scheme}://{}:{}/{l}", request.host, request.port),
    };
    let mut next = request_for(&url, &request.method, request.header("user-agent").unwrap_or("curl/8.1.2"))?;
    let own = ["host", "user-agent", "accept"];
    let kept = request.headers.iter().filter(|(n, _)| !own.iter().any(|o| n.eq_ignore_ascii_case(o)));
    next.headers.extend(kept.cloned());
    next.from_proxy_user = request.from_proxy_user;
    next.max_time_ms = request.max_time_ms;
    next.connect_timeout_ms = request.connect_timeout_ms;
    next.insecure = request.insecure;
    Some(next)
}
