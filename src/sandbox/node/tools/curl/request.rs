//! The request of one hop, as curl would put it on the wire.

use super::options::{Config, Http};
use super::url::Url;
use crate::outside::wire::{self, HttpVersion, Request, Scheme};
use crate::sandbox::node::tools::base64::encode;
use std::net::IpAddr;

/// What changes from hop to hop.
#[derive(Debug, Clone)]
pub struct Hop {
    pub url: Url,
    pub method: String,
    /// Whether the body still goes along.
    pub body: bool,
    /// The first hop's host: custom `Host` and credentials only go there.
    pub first_host: String,
    pub follows: bool,
}

/// The method of the first hop.
pub fn method(config: &Config) -> String {
    match &config.request {
        Some(method) => method.clone(),
        None if config.head => "HEAD".to_string(),
        None if config.data.is_some() && !config.get => "POST".to_string(),
        None => "GET".to_string(),
    }
}

/// Builds the request; `connect_host`, `port` and `address` are where the connection goes.
pub fn build(config: &Config, hop: &Hop, connect_host: &str, port: u16, address: Option<IpAddr>) -> Request {
    let https = hop.url.scheme == "https";
    let version = match config.http {
        Some(Http::V10) => HttpVersion::Http10,
        Some(Http::V2Prior) => HttpVersion::Http2,
        Some(Http::V11) => HttpVersion::Http11,
        _ if https => HttpVersion::Http2,
        _ => HttpVersion::Http11,
    };
    let body_len = if hop.body { config.data.as_ref().map_or(0, |d| d.len() as u64) } else { 0 };
    let literal = hop.url.host.parse::<IpAddr>().is_ok();
    Request {
        scheme: if https { Scheme::Https } else { Scheme::Http },
        version,
        method: hop.method.clone().into(),
        host: connect_host.to_string().into(),
        port,
        path: hop.url.path.clone().into(),
        headers: wire::headers(headers(config, hop, https)),
        sni: (https && !literal).then(|| hop.url.host.trim_end_matches('.').to_string().into()),
        body_len,
        address: address.or_else(|| connect_host.parse().ok()),
        from_proxy_user: false,
        max_time_ms: None,
        connect_timeout_ms: config.connect_timeout_ms,
        insecure: config.insecure,
    }
}

fn headers(config: &Config, hop: &Hop, https: bool) -> Vec<(String, String)> {
    let own_host = !hop.follows || hop.url.host.eq_ignore_ascii_case(&hop.first_host);
    let custom = Custom::read(&config.headers);
    let mut out: Vec<(String, String)> = Vec::new();
    match custom.value("Host").filter(|_| own_host) {
        Some(host) => out.push(("Host".to_string(), host)),
        None if own_host && custom.names("Host") => (),
        None => out.push(("Host".to_string(), hop.url.authority())),
    }
    let mut put_checked = |name: &str, value: Option<String>| put_into(&mut out, &custom, name, value);
    put_checked("Authorization", credentials(config, hop).filter(|_| own_host));
    put_checked(
        "User-Agent",
        Some(config.user_agent.clone().unwrap_or_else(|| "curl/8.1.2".to_string())).filter(|a| !a.is_empty()),
    );
    put_checked("Accept", Some(if config.json { "application/json".to_string() } else { "*/*".to_string() }));
    put_checked("Accept-Encoding", config.compressed.then(|| "deflate, gzip, br".to_string()));
    put_checked("Referer", config.referer.clone().map(|r| r.trim_end_matches(";auto").to_string()).filter(|r| !r.is_empty()));
    put_checked("Cookie", config.cookie.clone());
    if config.http == Some(Http::V2) && !https {
        out.push(("Connection".to_string(), "Upgrade, HTTP2-Settings".to_string()));
        out.push(("Upgrade".to_string(), "h2c".to_string()));
        out.push(("HTTP2-Settings".to_string(), "AAMAAABkAAQCAAAAAAIAAAAA".to_string()));
    }
    let keep = |name: &str| !name.eq_ignore_ascii_case("host") && (own_host || !secret(name));
    out.extend(custom.0.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).filter(|(n, _)| keep(n)));
    if let Some(data) = config.data.as_ref().filter(|_| hop.body) {
        put_into(&mut out, &custom, "Content-Length", Some(data.len().to_string()));
        let kind = if config.json { "application/json" } else { "application/x-www-form-urlencoded" };
        put_into(&mut out, &custom, "Content-Type", Some(kind.to_string()));
    }
    out
}

fn put_into(out: &mut Vec<(String, String)>, custom: &Custom, name: &str, value: Option<String>) {
    if let Some(value) = value.filter(|_| !custom.names(name)) {
        out.push((name.to_string(), value));
    }
}

fn secret(name: &str) -> bool {
    name.eq_ignore_ascii_case("authorization") || name.eq_ignore_ascii_case("cookie")
}

fn credentials(config: &Config, hop: &Hop) -> Option<String> {
    if let Some(token) = &config.bearer {
        return Some(format!("Bearer {token}"));
    }
    let user = config.user.as_ref().or(hop.url.userinfo.as_ref())?;
    Some(format!("Basic {}", encode(user.as_bytes())))
}

/// `-H` lines: a name with its value, or without one when it only removes a header.
struct Custom(Vec<(String, Option<String>)>);

impl Custom {
    fn read(lines: &[String]) -> Custom {
        Custom(lines.iter().filter_map(|line| one(line)).collect())
    }

    fn names(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
    }

    fn value(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).and_then(|(_, v)| v.clone())
    }
}

fn one(line: &str) -> Option<(String, Option<String>)> {
    if let Some((name, value)) = line.split_once(':') {
        let value = value.trim();
        return Some((name.trim().to_string(), (!value.is_empty()).then(|| value.to_string())));
    }
    line.strip_suffix(';').map(|name| (name.trim().to_string(), Some(String::new())))
}
