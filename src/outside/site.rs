//! The front ends of the outside world as data: raw as written under `assets/outside/`, and meant.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A front end: a machine, or many that behave as one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    pub id: String,
    /// The names that resolve to it.
    pub names: Vec<String>,
    /// The CNAME target that all names share, if there is one.
    #[serde(default)]
    pub canonical: Option<String>,
    pub addresses: Vec<IpAddr>,
    /// Names in its certificate, `*.` for one label.
    #[serde(default)]
    pub certificate: Vec<String>,
    /// Whether its TLS ports offer HTTP/2.
    #[serde(default)]
    pub http2: bool,
    /// From the cluster and back, connection included, in milliseconds.
    pub latency_ms: u64,
    pub ports: BTreeMap<String, Port>,
}

/// One open port.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    pub speaks: Speaks,
    /// What plain HTTP gets on a TLS port.
    #[serde(default)]
    pub plain: Plain,
    /// Whether TLS here asks for a certificate of the client, and takes none but those of the lab's own CA.
    #[serde(default)]
    pub client_certificate: bool,
    #[serde(default)]
    pub answers: Vec<Answer>,
    /// A program that computes its answers, in place of `answers`.
    #[serde(default)]
    pub program: Option<Program>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speaks {
    Http,
    /// HTTP inside TLS.
    Tls,
    /// Echoes bytes.
    Bytes,
}

/// What a TLS port does with plain HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plain {
    /// Closes the connection.
    #[default]
    Close,
    /// nginx's 400 page.
    BadRequest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    Httpbin,
    Echo,
}

/// A fixed answer for hosts and paths.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    #[serde(default)]
    pub host: Option<String>,
    #[serde(default)]
    pub path: Option<String>,
    pub status: u16,
    #[serde(default)]
    pub reason: Option<String>,
    pub headers: Vec<(String, String)>,
    #[serde(default)]
    pub body: Option<String>,
}

impl Site {
    /// The open port of this number.
    pub fn port(&self, number: u16) -> Option<&Port> {
        self.ports.get(&number.to_string())
    }

    /// Whether the site serves this name.
    pub fn serves(&self, name: &str) -> bool {
        self.names.iter().any(|n| n.eq_ignore_ascii_case(name))
    }

    /// Whether its certificate is good for this name.
    pub fn certified_for(&self, name: &str) -> bool {
        self.certificate.iter().any(|pattern| name_fits(pattern, name))
    }
}

impl Answer {
    /// Whether this answer is for the host and path.
    pub fn fits(&self, host: &str, path: &str) -> bool {
        let bare = path.split('?').next().unwrap_or(path);
        let path_fits = |wanted: &str| match wanted.strip_suffix('*') {
            Some(prefix) => bare.starts_with(prefix),
            None => bare == wanted,
        };
        self.host.as_deref().is_none_or(|h| h.eq_ignore_ascii_case(host)) && self.path.as_deref().is_none_or(path_fits)
    }
}

/// Whether a certificate's name (`*.` stands for exactly one label, RFC 6125) covers a host name.
pub fn name_fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(rest) => name.split_once('.').is_some_and(|(first, tail)| !first.is_empty() && tail.eq_ignore_ascii_case(rest)),
        None => pattern.eq_ignore_ascii_case(name),
    }
}

/// Reads sites from YAML.
///
/// # Errors
/// The first thing that is not as the types above say.
pub fn read(text: &str) -> Result<Vec<Site>, String> {
    let documents = crate::base::yaml::parse_documents(text).map_err(|e| e.to_string())?;
    let sites = Value::Array(documents.into_iter().flat_map(|d| d.as_array().cloned().unwrap_or_default()).collect());
    serde_json::from_value(sites).map_err(|e| e.to_string())
}
