//! Where a connection goes: `--resolve`, `--connect-to`, proxies, address families.

use super::options::Config;
use super::url::Url;
use crate::outside::wire::DnsAnswer;
use crate::sandbox::node::tools::Tool;
use std::net::IpAddr;

/// The end of a connection as the command line has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dial {
    pub host: String,
    pub port: u16,
    pub address: Option<IpAddr>,
}

/// Applies `--connect-to`, then `--resolve`, then `-6`.
///
/// # Errors
/// curl's exit code and text.
pub fn dial(tool: &mut Tool<'_>, config: &Config, url: &Url) -> Result<Dial, (i32, String)> {
    let mut dial = Dial { host: url.host.clone(), port: url.port(), address: None };
    for rule in &config.connect_to {
        let parts = split(rule);
        let [host, port, to_host, to_port] = parts.as_slice() else {
            return Err((49, format!("Could not parse CURLOPT_CONNECT_TO entry '{rule}'")));
        };
        let fits =
            (host.is_empty() || host.eq_ignore_ascii_case(&dial.host)) && (port.is_empty() || *port == dial.port.to_string());
        if fits {
            if !to_host.is_empty() {
                dial.host = to_host.clone();
            }
            dial.port = if to_port.is_empty() { dial.port } else { to_port.parse().unwrap_or(dial.port) };
            break;
        }
    }
    for rule in &config.resolve {
        let parts = split(rule.trim_start_matches(['+', '-']));
        let [host, port, addresses] = parts.as_slice() else {
            return Err((49, format!("Couldn't parse CURLOPT_RESOLVE entry '{rule}'")));
        };
        if (host == "*" || host.eq_ignore_ascii_case(&dial.host)) && *port == dial.port.to_string() {
            let first = addresses.split(',').next().unwrap_or_default();
            let address = first.parse().map_err(|_| (49, format!("Couldn't parse CURLOPT_RESOLVE entry '{rule}'")))?;
            dial.address = Some(address);
        }
    }
    if config.ipv6 && dial.address.is_none() && dial.host.parse::<IpAddr>().is_err() {
        let v6 = match tool.env.resolve(&dial.host) {
            DnsAnswer::Addresses { addresses, .. } => addresses.into_iter().find(IpAddr::is_ipv6),
            _ => None,
        };
        dial.address = Some(v6.ok_or_else(|| (6, format!("Could not resolve host: {}", dial.host)))?);
    }
    Ok(dial)
}

/// Splits at colons outside brackets, which go.
fn split(rule: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut inside = false;
    for c in rule.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            ':' if !inside => parts.push(String::new()),
            c => parts.last_mut().into_iter().for_each(|part| part.push(c)),
        }
    }
    if parts.len() > 3 && parts[2..].join(":").parse::<IpAddr>().is_ok() {
        return vec![parts[0].clone(), parts[1].clone(), parts[2..].join(":")];
    }
    parts
}

/// The proxy that the command line or the environment asks for, if any.
pub fn proxy(tool: &Tool<'_>, config: &Config, url: &Url) -> Option<String> {
    let env = |name: &str| tool.call.env.get(name).cloned().filter(|v| !v.is_empty());
    let no = config.noproxy.clone().or_else(|| env("no_proxy")).or_else(|| env("NO_PROXY")).unwrap_or_default();
    let host = url.host.trim_end_matches('.').to_ascii_lowercase();
    let exempt = no
        .split([',', ' '])
        .map(|n| n.trim_start_matches('.').to_ascii_lowercase())
        .any(|name| name == "*" || (!name.is_empty() && (host == name || host.ends_with(&format!(".{name}")))));
    if exempt {
        return None;
    }
    let names: &[&str] = if url.scheme == "https" { &["https_proxy", "HTTPS_PROXY"] } else { &["http_proxy"] };
    match &config.proxy {
        Some(proxy) => Some(proxy.clone()).filter(|p| !p.is_empty()),
        None => names.iter().chain(&["all_proxy", "ALL_PROXY"]).find_map(|name| env(name)),
    }
}
