//! What a request did, told from what can be seen of it: the client's exit code and answer, and the access-log lines of the
//! proxies it met (signature table: curriculum 3.0). One decoder for sandbox and cluster; it knows no object and no model.
//!
//! The earliest gate that ended the request names the outcome. curl 52 and 56 are one answer.

use super::accesslog::Entry;
use crate::base::outcome::{At, Outcome, Path, TlsBy};
use crate::lesson::model::LogField;
use crate::outside::wire::Scheme;

/// Everything that was seen of one exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    pub scheme: Scheme,
    /// The name in the URL.
    pub host: String,
    pub exit_code: i32,
    pub stderr: String,
    /// Status of the answer, `None` when there was none.
    pub status: Option<u16>,
    /// The answer's headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The start of the answer's body; empty for HEAD.
    pub body: String,
    /// Whether the client's pod has a sidecar.
    pub has_sidecar: bool,
    /// The sidecar's lines about this exchange, oldest first.
    pub sidecar: Vec<Entry>,
    /// Gateways' lines about it.
    pub gateway: Vec<GatewayLine>,
    /// Names of the gateways there are (`NAMESPACE/NAME` of the Service).
    pub gateways: Vec<String>,
}

/// A line of a gateway's access log.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayLine {
    /// `NAMESPACE/NAME` of the gateway's Service.
    pub gateway: String,
    /// `NAMESPACE/POD`.
    pub proxy: String,
    pub entry: Entry,
}

/// What the sighting says.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    pub outcome: Outcome,
    pub path: Path,
    pub tls: TlsBy,
    pub at: At,
    /// False when a log line that would have told the way was not there.
    pub certain: bool,
    /// What was decisive, as a clause: `the sidecar's route block_all answered`.
    pub because: String,
}

/// Decodes a sighting.
pub fn decode(seen: &Sighting) -> Decoded {
    if seen.exit_code == 125 || seen.stderr.contains("not simulated here") {
        return seen.ended(Outcome::NotModelled, Path::None, At::Client, seen.stderr.trim());
    }
    if seen.exit_code == 6 {
        return seen.ended(Outcome::DnsFailed, Path::None, At::Client, "the pod's resolver had no answer");
    }
    match seen.sidecar.last() {
        Some(line) if seen.contradicts(line) => seen.contradicted(),
        Some(line) if line.is_http() => seen.http(line),
        Some(line) => seen.tcp(line),
        None => seen.unlogged(),
    }
}

impl Sighting {
    /// A header of the answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    fn ended(&self, outcome: Outcome, path: Path, at: At, because: &str) -> Decoded {
        Decoded { outcome, path, tls: self.client_tls(), at, certain: true, because: because.to_string() }
    }

    fn client_tls(&self) -> TlsBy {
        if self.scheme == Scheme::Https { TlsBy::Client } else { TlsBy::None }
    }

    fn stopped(&self, outcome: Outcome, because: &str) -> Decoded {
        self.ended(outcome, Path::None, At::Sidecar, because)
    }

    /// Whether the client's answer cannot be the one that the line is about. What the client saw is what happened.
    fn contradicts(&self, line: &Entry) -> bool {
        let code: u16 = line.get(LogField::ResponseCode).parse().unwrap_or(0);
        match (line.is_http(), self.status) {
            (true, Some(status)) => code != status,
            // TLS bytes at an HTTP listener: the proxy logs a 400 that no client can read.
            (true, None) => code != 0 && self.scheme != Scheme::Https,
            (false, Some(_)) => line.get(LogField::UpstreamCluster) == "BlackHoleCluster" || local_end(line).is_some(),
            (false, None) => false,
        }
    }

    fn contradicted(&self) -> Decoded {
        let mut decoded = self.by_client(Path::Direct);
        decoded.because = "the client did not get what the sidecar says it sent".into();
        decoded.certain = false;
        decoded
    }

    /// The sidecar saw an HTTP request.
    fn http(&self, line: &Entry) -> Decoded {
        let details = line.get(LogField::ResponseCodeDetails);
        if line.get(LogField::RouteName) == "block_all" {
            return self.stopped(Outcome::BlockedRegistryOnly, "the sidecar's route block_all answered");
        }
        if details.starts_with("rbac_access_denied") {
            return self.stopped(Outcome::BlockedPolicy, "the sidecar refused it by policy");
        }
        if details == "direct_response" {
            return self.stopped(Outcome::AnsweredByProxy, "the sidecar made the answer itself");
        }
        if let Some(outcome) = local_end(line) {
            return self.proxy_end(outcome, line, None);
        }
        self.forwarded(line)
    }

    /// The sidecar saw a connection.
    fn tcp(&self, line: &Entry) -> Decoded {
        if line.get(LogField::UpstreamCluster) == "BlackHoleCluster" {
            return self.stopped(Outcome::BlockedRegistryOnly, "the sidecar's BlackHoleCluster took the connection");
        }
        if let Some(outcome) = local_end(line) {
            return self.proxy_end(outcome, line, None);
        }
        self.forwarded(line)
    }

    /// The sidecar passed it on: where to, and what came of it there.
    fn forwarded(&self, line: &Entry) -> Decoded {
        if line.get(LogField::UpstreamCluster) == "PassthroughCluster" {
            return self.arrived(Path::Passthrough, line, "the sidecar's PassthroughCluster let it out");
        }
        match self.gateway_of(line) {
            Some(gateway) => self.at_gateway(gateway),
            None => self.arrived(Path::Direct, line, "the sidecar sent it straight to the host's cluster"),
        }
    }

    /// The gateway that the line's cluster belongs to.
    fn gateway_of(&self, line: &Entry) -> Option<&str> {
        let host = line.cluster_host()?;
        let of_host = |gateway: &&String| {
            let (namespace, name) = gateway.split_once('/').unwrap_or(("", gateway));
            host == format!("{name}.{namespace}.svc.cluster.local")
        };
        self.gateways.iter().find(of_host).map(String::as_str)
    }

    fn at_gateway(&self, gateway: &str) -> Decoded {
        let path = Path::Gateway(gateway.to_string());
        let at_gateway = |outcome, because: &str| self.ended(outcome, path.clone(), At::Gateway, because);
        let lines: Vec<&Entry> = self.gateway.iter().filter(|l| l.gateway == gateway).map(|l| &l.entry).collect();
        if lines.iter().any(|line| self.gateway_of(line) == Some(gateway)) {
            return at_gateway(Outcome::Loop, "the gateway sent it to itself again");
        }
        let Some(line) = lines.last() else {
            let mut decoded = self.by_client(path);
            decoded.because = "the sidecar sent it to the gateway, which wrote no line about it".into();
            return decoded;
        };
        let details = line.get(LogField::ResponseCodeDetails);
        let ends = line.get(LogField::ConnectionTerminationDetails);
        if details.starts_with("rbac_access_denied") || ends.starts_with("rbac_access_denied") {
            return at_gateway(Outcome::BlockedPolicy, "the gateway refused it by policy");
        }
        if details == "direct_response" {
            return at_gateway(Outcome::AnsweredByProxy, "the gateway made the answer itself");
        }
        match local_end(line) {
            Some(outcome) => self.proxy_end(outcome, line, Some(path)),
            None => self.arrived(path, line, "the gateway sent it to the host's cluster"),
        }
    }

    /// A proxy ended it with response flags. `gateway`: the path when the proxy is a gateway.
    fn proxy_end(&self, outcome: Outcome, line: &Entry, gateway: Option<Path>) -> Decoded {
        let flags = line.get(LogField::ResponseFlags);
        let to_gateway = if gateway.is_none() { self.gateway_of(line) } else { None };
        match (outcome, to_gateway) {
            (Outcome::UpstreamUnavailable, Some(name)) => self.gateway_refused(name, flags),
            (outcome, _) => {
                let place = if gateway.is_some() { At::Gateway } else { At::Sidecar };
                let upstream = matches!(
                    outcome,
                    Outcome::UpstreamUnavailable | Outcome::TlsFailed | Outcome::ProtocolMismatch | Outcome::TimedOut
                ) && line.get(LogField::UpstreamHost) != "-";
                let way =
                    if line.get(LogField::UpstreamCluster) == "PassthroughCluster" { Path::Passthrough } else { Path::Direct };
                let path = gateway.unwrap_or(if upstream { way } else { Path::None });
                let who = if place == At::Gateway { "gateway" } else { "sidecar" };
                self.ended(outcome, path, if upstream { At::Origin } else { place }, &format!("the {who} logged {flags}"))
            }
        }
    }

    /// The sidecar could not speak with the gateway: nothing listens there, or it has no chain for the connection.
    fn gateway_refused(&self, gateway: &str, flags: &str) -> Decoded {
        let path = Path::Gateway(gateway.to_string());
        let line = self.gateway.iter().rev().find(|l| l.gateway == gateway).map(|l| &l.entry);
        let (outcome, because) = match line {
            Some(line) if line.get(LogField::ResponseCodeDetails) == "filter_chain_not_found" => {
                (Outcome::NoFilterChain, "the gateway has no filter chain for it".to_string())
            }
            Some(_) => (Outcome::ProtocolMismatch, "the gateway did not understand the connection".to_string()),
            None => (Outcome::GatewayNotListening, format!("the gateway's port refused the sidecar ({flags})")),
        };
        self.ended(outcome, path, At::Gateway, &because)
    }

    /// A proxy sent it to an upstream outside; what the client got decides.
    fn arrived(&self, path: Path, line: &Entry, because: &str) -> Decoded {
        let mut decoded = self.by_client(path);
        decoded.because = because.to_string();
        let elsewhere = line.cluster_host().is_some_and(|cluster| !same_host(cluster, &self.host));
        let upstream_tls = line.get(LogField::UpstreamHost).ends_with(":443");
        if decoded.outcome == Outcome::Delivered && elsewhere {
            decoded.outcome = Outcome::DeliveredElsewhere;
        }
        if self.scheme == Scheme::Http && upstream_tls {
            match (self.status, &decoded.path) {
                (Some(400), _) => decoded.outcome = Outcome::ProtocolMismatch,
                (_, Path::Gateway(_)) => decoded.tls = TlsBy::Gateway,
                _ => decoded.tls = TlsBy::Sidecar,
            }
        }
        decoded
    }

    /// No proxy wrote about it.
    fn unlogged(&self) -> Decoded {
        let by_proxy = self.header("server") == Some("envoy");
        if !self.has_sidecar || (self.status.is_some() && self.scheme == Scheme::Http && !by_proxy) {
            let mut decoded = self.by_client(Path::Uncaptured);
            decoded.because = "no sidecar saw it".into();
            return decoded;
        }
        let local = self.header("x-envoy-upstream-service-time").is_none();
        let outcome = match self.status {
            Some(502) if by_proxy && local => Some(Outcome::BlockedRegistryOnly),
            Some(503) if by_proxy && local && self.body.contains("no healthy upstream") => Some(Outcome::NoHealthyUpstream),
            Some(503) if by_proxy && local && self.body.contains("upstream connect error") => Some(Outcome::UpstreamUnavailable),
            _ => None,
        };
        let mut decoded = match outcome {
            Some(outcome) => self.stopped(outcome, "the answer is one that the sidecar itself makes"),
            None => self.by_client(Path::Direct),
        };
        decoded.certain = false;
        decoded
    }

    /// What the client's own view says, given the way.
    fn by_client(&self, path: Path) -> Decoded {
        let wrong_version = self.stderr.contains("wrong version number");
        let (outcome, at) = match (self.status, self.exit_code) {
            (Some(_), _) => (Outcome::Delivered, At::Origin),
            (None, 0) => (Outcome::Delivered, At::Origin),
            (None, 7) => (Outcome::UpstreamUnavailable, At::Network),
            (None, 28) => (Outcome::TimedOut, At::Network),
            (None, 35) if wrong_version => (Outcome::ProtocolMismatch, At::Origin),
            (None, 35 | 60) => (Outcome::TlsFailed, At::Origin),
            (None, _) => (Outcome::UpstreamUnavailable, At::Origin),
        };
        self.ended(outcome, path, at, "")
    }
}

/// What a proxy's line says about an end that this proxy made, `None` when it passed the exchange on.
fn local_end(line: &Entry) -> Option<Outcome> {
    let reason = line.get(LogField::UpstreamTransportFailureReason);
    let details = line.get(LogField::ResponseCodeDetails);
    if details == "filter_chain_not_found" {
        return Some(Outcome::NoFilterChain);
    }
    if line.has_flag("UF") && (reason.contains("WRONG_VERSION_NUMBER") || details.contains("WRONG_VERSION_NUMBER")) {
        return Some(Outcome::ProtocolMismatch);
    }
    if line.has_flag("UF") && (reason.contains("TLS_error") || reason.contains("CERTIFICATE") || details.contains("TLS_error")) {
        return Some(Outcome::TlsFailed);
    }
    if line.has_flag("UF") && (reason.contains("timeout") || details.contains("connection_timeout")) {
        return Some(Outcome::UpstreamUnavailable);
    }
    let by_flag = [
        ("NR", Outcome::NoRoute),
        ("NC", Outcome::NoCluster),
        ("UH", Outcome::NoHealthyUpstream),
        ("UO", Outcome::Overflow),
        ("DPE", Outcome::ProtocolMismatch),
        ("UT", Outcome::TimedOut),
        ("DC", Outcome::TimedOut),
        ("UF", Outcome::UpstreamUnavailable),
        ("UC", Outcome::UpstreamUnavailable),
        ("UPE", Outcome::ProtocolMismatch),
        ("FI", Outcome::AnsweredByProxy),
    ];
    by_flag.into_iter().find(|(flag, _)| line.has_flag(flag)).map(|(_, outcome)| outcome)
}

/// Whether a cluster's host is the one that was asked: the same, a wildcard over it, or the full name of a mesh service.
fn same_host(cluster: &str, host: &str) -> bool {
    let (cluster, host) = (cluster.to_ascii_lowercase(), host.trim_end_matches('.').to_ascii_lowercase());
    let under_wildcard = cluster.strip_prefix('*').is_some_and(|suffix| host.ends_with(suffix));
    cluster == host || under_wildcard || cluster.starts_with(&format!("{host}.")) || host.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests;
