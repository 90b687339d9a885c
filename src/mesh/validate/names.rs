//! Names, hosts, addresses, ports and durations (S: pkg/config/validation/agent).

use serde_json::Value;
use std::net::IpAddr;

/// A DNS-1123 label, at most 63 characters; Istio takes upper case too.
pub fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63 && text.chars().all(inner) && edge(text.chars().next()) && edge(text.chars().last())
}

/// `*`, `*x`, `*-x` or a label.
fn is_wildcard_label(text: &str) -> bool {
    match text.strip_prefix('*') {
        Some("") => true,
        Some(rest) => text.len() <= 63 && is_label(rest.strip_prefix('-').unwrap_or(rest)),
        None => is_label(text),
    }
}

fn length(domain: &str) -> Result<(), String> {
    match domain.len() {
        0 => Err("empty domain name not allowed".into()),
        256.. => Err(format!("domain name {domain:?} too long (max 255)")),
        _ => Ok(()),
    }
}

/// A fully qualified domain name without wildcard.
pub fn fqdn(domain: &str) -> Result<(), String> {
    length(domain)?;
    domain_labels(domain)
}

fn domain_labels(domain: &str) -> Result<(), String> {
    let parts: Vec<&str> = domain.split('.').collect();
    let last = parts.last().copied().unwrap_or("");
    if !last.is_empty() && last.parse::<i64>().is_ok() {
        return Err(format!("domain name {domain:?} invalid (top level domain {last:?} cannot be all-numeric)"));
    }
    for (i, label) in parts.iter().enumerate() {
        // The last one may be empty: `istio.io.`
        if !(is_label(label) || label.is_empty() && i + 1 == parts.len()) {
            return Err(format!("domain name {domain:?} invalid (label {label:?} invalid)"));
        }
    }
    Ok(())
}

/// A domain name whose first label may be a wildcard.
pub fn wildcard_domain(domain: &str) -> Result<(), String> {
    length(domain)?;
    let (first, rest) = domain.split_once('.').map_or((domain, None), |(first, rest)| (first, Some(rest)));
    if !is_wildcard_label(first) {
        return Err(format!("domain name {domain:?} invalid (label {first:?} invalid)"));
    }
    rest.map_or(Ok(()), domain_labels)
}

/// `*foo.com` and the like.
pub fn partial_wildcard(host: &str) -> Result<(), String> {
    match host.contains('*') && host != "*" && !host.starts_with("*.") {
        true => Err(format!("partial wildcard {host:?} not allowed")),
        false => Ok(()),
    }
}

pub fn is_ip(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// An address or a CIDR block.
pub fn subnet(text: &str) -> Result<(), String> {
    match text.split_once('/').filter(|(_, bits)| !bits.contains('/')) {
        None if is_ip(text) => Ok(()),
        None => Err(format!("{text} is not a valid IP")),
        Some((address, bits)) => {
            let limit = address.parse::<IpAddr>().map(|a| if a.is_ipv4() { 32 } else { 128 });
            match (limit, bits.parse::<u8>()) {
                (Ok(limit), Ok(bits)) if bits <= limit => Ok(()),
                _ => Err(format!("{text} is not a valid CIDR block")),
            }
        }
    }
}

pub fn port(number: i64) -> Result<(), String> {
    match number {
        1..=65535 => Ok(()),
        _ => Err(format!("port number {number} must be in the range 1..65535")),
    }
}

pub fn port_name(name: &str) -> Result<(), String> {
    if is_label(name) { Ok(()) } else { Err(format!("invalid port name: {name}")) }
}

/// How a proxy reads a port's traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Http,
    Tls,
    Other,
}

/// The class of a protocol's name, in any case; `None` when it is not supported.
pub fn protocol(name: &str) -> Option<Class> {
    Some(match name.to_ascii_uppercase().as_str() {
        "HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB" | "HTTP_PROXY" => Class::Http,
        "HTTPS" | "TLS" => Class::Tls,
        "TCP" | "UDP" | "MONGO" | "REDIS" | "MYSQL" => Class::Other,
        _ => return None,
    })
}

/// A duration of at least 1 ms in whole milliseconds.
pub fn duration(text: &str) -> Result<(), String> {
    let Some(micros) = microseconds(text) else { return Err(format!("invalid duration: {text}")) };
    match micros {
        ..1000 => Err("duration must be greater than 1ms".into()),
        _ if micros % 1000 != 0 => Err("only durations to ms precision are supported".into()),
        _ => Ok(()),
    }
}

/// A duration in whole milliseconds.
pub fn milliseconds(text: &str) -> Option<i64> {
    microseconds(text).map(|micros| micros / 1000)
}

/// Whether a duration has parts of a second.
pub fn has_fraction(text: &str) -> bool {
    microseconds(text).is_some_and(|micros| micros % 1_000_000 != 0)
}

/// Go's duration syntax: `1h2m3.5s`, `10ms`.
fn microseconds(text: &str) -> Option<i64> {
    const UNITS: [(&str, f64); 7] =
        [("ns", 0.001), ("us", 1.0), ("µs", 1.0), ("ms", 1000.0), ("s", 1e6), ("m", 60e6), ("h", 3600e6)];
    let (mut total, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        total += number * UNITS.iter().find(|(unit, _)| *unit == &rest[..unit_end])?.1;
        rest = &rest[unit_end..];
    }
    (!text.is_empty()).then_some(total.round() as i64)
}

/// Whether two host names overlap, wildcards included (S: pkg/config/host Name.Matches).
pub fn overlap(a: &str, b: &str) -> bool {
    match (a.strip_prefix('*'), b.strip_prefix('*')) {
        (Some(x), Some(y)) => x.ends_with(y) || y.ends_with(x),
        (Some(x), None) => b.ends_with(x),
        (None, Some(y)) => a.ends_with(y),
        (None, None) => a == b,
    }
}

/// Whether every name of `a` is one of `b` (S: Name.SubsetOf).
pub fn subset_of(a: &str, b: &str) -> bool {
    match (a.strip_prefix('*'), b.strip_prefix('*')) {
        (Some(x), Some(y)) => x.ends_with(y),
        (Some(_), None) => false,
        (None, Some(y)) => a.ends_with(y),
        (None, None) => a == b,
    }
}

/// `NAMESPACE/HOST` of Gateways (where the namespace may be missing) and Sidecars.
pub fn namespaced_host(host: &str, gateway: bool) -> Vec<String> {
    let Some((namespace, name)) = host.split_once('/') else {
        return if gateway { host_part(host, gateway) } else { vec!["host must be of form namespace/dnsName".into()] };
    };
    let mut errors = Vec::new();
    if namespace.is_empty() || name.is_empty() {
        errors.push("config namespace and dnsName in host entry cannot be empty".to_string());
    }
    let bare = if gateway { namespace } else { namespace.strip_prefix('~').unwrap_or(namespace) };
    let special = matches!(bare, "*" | ".") || bare.is_empty() && !gateway;
    if !special && !is_label(bare) {
        errors.push(format!("invalid namespace value {namespace:?} in {}", if gateway { "gateway" } else { "sidecar" }));
    }
    errors.extend(host_part(name, gateway));
    errors
}

fn host_part(host: &str, gateway: bool) -> Vec<String> {
    let mut errors = Vec::new();
    if host != "*" && !host.contains('.') {
        errors.push("short names (non FQDN) are not allowed".to_string());
    }
    if let Err(error) = wildcard_domain(host) {
        // Istio says it twice for a Sidecar's host that is no address either.
        if !gateway {
            errors.push(error.clone());
        }
        if !is_ip(host) {
            errors.push(error);
        }
    }
    errors.extend(partial_wildcard(host).err());
    errors
}

/// Labels as Kubernetes would take them (S: pkg/config/labels Instance.Validate).
pub fn labels(value: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    for (key, value) in value.as_object().into_iter().flatten() {
        errors.extend(label_key(key).err());
        let value = value.as_str().unwrap_or("");
        if !value.is_empty() && !is_qualified(value) {
            errors.push(format!("invalid tag value: {value:?}"));
        }
    }
    errors
}

fn label_key(key: &str) -> Result<(), String> {
    let (prefix, name) = key.rsplit_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    // Each label of the prefix, without a limit of its own.
    let domain = |p: &str| p.split('.').all(|label| !label.is_empty() && is_label(&label[..label.len().min(63)]));
    if !is_qualified(name) || !prefix.is_none_or(domain) {
        return Err(format!("invalid tag key: {key:?}"));
    }
    if prefix.is_some_and(|p| p.len() > 253) {
        return Err(format!("invalid tag key: {key:?} (DNS prefix is too long)"));
    }
    if name.len() > 63 {
        return Err(format!("invalid tag key: {key:?} (name is too long)"));
    }
    Ok(())
}

/// Letters, digits, `-`, `_`, `.`, the first and last of them a letter or digit.
fn is_qualified(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    edge(text.chars().next()) && edge(text.chars().last()) && text.chars().all(inner)
}

/// A host of a VirtualService that is for gateways only: with SNI hosts, `outbound_.80_._.host` of automatic pass-through too.
pub fn gateway_host(sni: bool, host: &str) -> Result<(), String> {
    length(host)?;
    if !(sni && host.starts_with("outbound_")) {
        return wildcard_domain(host);
    }
    const FORM: &str = "outbound_.<PORT>_._.<HOSTNAME>";
    let parts: Vec<&str> = host.split('_').collect();
    if parts.len() < 4 {
        return Err(format!("domain name {host} invalid, should follow '{FORM}' format"));
    }
    let (port, name) = (parts[1].trim_matches('.'), parts[3].trim_matches('.'));
    for (part, good) in
        [(port, port.contains(|c: char| c.is_ascii_digit())), (name, name.contains(|c: char| c.is_ascii_alphabetic()))]
    {
        if !good {
            return Err(format!("domain name {host:?} invalid (label {part:?} invalid). should follow {FORM} format"));
        }
    }
    Ok(())
}

/// The path of a Unix socket after `unix://`.
pub fn unix_path(path: &str) -> Result<(), String> {
    match path {
        "" => Err("unix address must not be empty".into()),
        path if path.starts_with('@') => Ok(()),
        path if !path.starts_with('/') || path.ends_with('/') => Err(format!("{path} is not an absolute path to a file")),
        _ => Ok(()),
    }
}

/// An address.
pub fn address(text: &str) -> Result<(), String> {
    if is_ip(text) { Ok(()) } else { Err(format!("{text} is not a valid IP")) }
}

/// A protocol's name, or none.
pub fn protocol_name(name: &str) -> Result<(), String> {
    match name.is_empty() || protocol(name).is_some() {
        true => Ok(()),
        false => Err(format!("unsupported protocol: {name}")),
    }
}
