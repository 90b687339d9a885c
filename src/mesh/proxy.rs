//! The configuration of one proxy as values, in Envoy's own terms and with Istio's names. Every part knows what decided it.

use super::Cause;
use super::compile::rules::{Fault, HeaderEdits, Redirect, Rewrite, UriMatch, ValueMatch};
use super::policy::Guard;
use super::policy::certificates::Own;
use crate::base::shared::Text;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Everything one proxy was told.
#[derive(Debug, Clone, PartialEq)]
pub struct Proxy {
    /// `true` for a gateway (`proxy router`), `false` for a sidecar.
    pub gateway: bool,
    pub namespace: String,
    pub listeners: Vec<Listener>,
    /// Route configurations by name (`80`, `http.8080`).
    pub routes: BTreeMap<Text, RouteConfig>,
    /// Clusters by name (`outbound|80||www.wikipedia.org`).
    pub clusters: BTreeMap<Text, Cluster>,
    /// Whether hosts outside the registry are refused (sidecars only), and what says so.
    pub registry_only: bool,
    pub policy: Cause,
    /// Objects that could change what this proxy does and that this program does not model.
    pub not_modelled: Vec<Cause>,
    /// What decides besides routing: authorization, tokens, mutual TLS.
    pub guard: Arc<Guard>,
}

/// A listening address.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// `0.0.0.0_80`, `10.96.0.1_443`, `virtualOutbound`.
    pub name: Text,
    /// `None`: the wildcard address.
    pub address: Option<IpAddr>,
    pub port: u16,
    pub chains: Vec<FilterChain>,
    pub default_chain: Option<FilterChain>,
    pub cause: Cause,
}

/// What a connection must be to be handled, and how it is handled.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterChain {
    pub name: Option<Text>,
    /// TLS server names; empty: any connection.
    pub sni: Arc<[String]>,
    /// Destination networks (address, prefix length); empty: any.
    pub networks: Vec<(IpAddr, u8)>,
    pub transport: Transport,
    /// Only plain HTTP/1.1 or h2c, as the HTTP inspector sees it.
    pub http_only: bool,
    /// TLS that the proxy itself terminates.
    pub terminates: Option<Terminate>,
    /// The certificate of a gateway's own, where the server names one.
    pub own: Option<Arc<Own>>,
    pub filter: Filter,
    /// What decides about its connections and is not modelled.
    pub not_modelled: Option<Cause>,
    pub cause: Cause,
}

/// The transport a chain is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Any,
    Raw,
    Tls,
}

/// How a gateway terminates TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminate {
    /// Workload certificate, client certificate of the mesh required.
    Mesh,
    /// Certificate from a Secret.
    Own,
}

/// The last filter of a chain.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// HTTP connection manager with this route configuration.
    Http(Text),
    /// TCP proxy to weighted clusters.
    Tcp(Vec<Weighted>),
}

/// A destination with its share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighted {
    pub cluster: Text,
    pub weight: u64,
    pub cause: Cause,
    pub headers: HeaderEdits,
}

/// RDS.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RouteConfig {
    pub virtual_hosts: Vec<VirtualHost>,
}

/// A set of domains and their routes.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualHost {
    /// `www.wikipedia.org:80`, `block_all`.
    pub name: Text,
    pub domains: Vec<String>,
    pub routes: Vec<Route>,
    pub cause: Cause,
}

/// One route.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// As logged; empty for unnamed rules.
    pub name: Text,
    pub matcher: Matcher,
    pub action: Action,
    pub timeout_ms: Option<u64>,
    pub retries: Retries,
    pub fault: Option<Fault>,
    pub rewrite: Rewrite,
    pub headers: HeaderEdits,
    /// Copies of the request, whose answers nobody sees.
    pub mirrors: Vec<Mirror>,
    pub cors: Option<Cors>,
    /// A cluster that is not there is answered with 500 rather than 503 (routes of the Gateway API).
    pub missing_is_500: bool,
    /// A field of the rule that this program does not model.
    pub not_modelled: Option<Cause>,
    /// Settings of the rule that stand elsewhere, by name.
    pub inherited: Vec<(&'static str, Cause)>,
    /// The rule as a whole; `cause` may be one of its matches.
    pub rule: Cause,
    pub cause: Cause,
}

impl Route {
    /// A route for every request, without anything else.
    pub fn plain(name: &str, action: Action, retries: Retries, cause: Cause) -> Route {
        Route {
            name: Text::new(name),
            matcher: Matcher::default(),
            action,
            timeout_ms: None,
            retries,
            fault: None,
            rewrite: Rewrite::default(),
            headers: HeaderEdits::default(),
            mirrors: Vec::new(),
            cors: None,
            missing_is_500: false,
            not_modelled: None,
            inherited: Vec::new(),
            rule: cause.clone(),
            cause,
        }
    }
}

/// Where a copy of the request goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Mirror {
    pub cluster: Text,
    /// Hundredths of a percent of the requests.
    pub share: u64,
    pub cause: Cause,
}

/// `corsPolicy`, as the CORS filter has it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cors {
    pub origins: Vec<ValueMatch>,
    /// Joined with commas, empty: not sent.
    pub methods: String,
    pub headers: String,
    pub expose: String,
    pub max_age: Option<u64>,
    pub credentials: Option<bool>,
    /// Preflights of other origins are answered too, without permission, rather than sent on.
    pub ignores_others: bool,
}

/// Run-time conditions of a route; all must hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matcher {
    pub uri: Option<UriMatch>,
    pub ignore_case: bool,
    pub scheme: Option<ValueMatch>,
    pub method: Option<ValueMatch>,
    pub authority: Option<ValueMatch>,
    pub headers: Vec<(String, ValueMatch)>,
    pub without_headers: Vec<(String, ValueMatch)>,
    pub query: Vec<(String, ValueMatch)>,
}

impl Matcher {
    /// Whether there is no condition at all.
    pub fn is_empty(&self) -> bool {
        self.uri.is_none() && self.asks_for_the_path_only()
    }

    fn asks_for_the_path_only(&self) -> bool {
        let unconditional = self.scheme.is_none() && self.method.is_none() && self.authority.is_none();
        unconditional && self.headers.is_empty() && self.without_headers.is_empty() && self.query.is_empty()
    }

    /// Whether every request fits.
    pub fn is_catch_all(&self) -> bool {
        let uri = match &self.uri {
            None => true,
            Some(UriMatch { kind: ValueMatch::Prefix(p), .. }) => p == "/",
            Some(UriMatch { kind: ValueMatch::Regex(r), .. }) => matches!(r.as_str(), ".*" | "*"),
            Some(_) => false,
        };
        uri && self.asks_for_the_path_only()
    }
}

/// What a route does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Forward(Vec<Weighted>),
    Redirect(Redirect),
    /// Status and body that the proxy answers itself.
    Direct(u16, Text),
}

/// How often a failed try is repeated, for failures to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retries {
    /// Further tries after the first.
    pub attempts: u32,
    pub per_try_timeout_ms: Option<u64>,
    /// Whether failures to connect are retried at all (`retryOn`).
    pub on_connect_failure: bool,
    /// Whether any 5xx answer is retried (`retryOn: 5xx`).
    pub on_5xx: bool,
    /// Whether a connection that ends without an answer is retried (`reset`, and what includes it).
    pub on_reset: bool,
    /// Further statuses that are retried.
    pub statuses: Vec<u16>,
    /// `retryOn` as Envoy has it; `None`: Istio's default list.
    pub words: Option<String>,
    /// Whether a retry may go to a host that failed before.
    pub same_host: bool,
    /// `backoff`; `None`: Envoy's 25 ms.
    pub backoff_ms: Option<u64>,
}

impl Retries {
    /// Istio's default: two retries of failures to connect.
    pub fn usual() -> Retries {
        Retries { attempts: 2, on_connect_failure: true, ..Retries::none() }
    }

    pub const fn none() -> Retries {
        Retries {
            attempts: 0,
            per_try_timeout_ms: None,
            on_connect_failure: false,
            on_5xx: false,
            on_reset: false,
            statuses: Vec::new(),
            words: None,
            same_host: false,
            backoff_ms: None,
        }
    }
}

/// How the endpoints of a cluster are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterKind {
    Eds,
    StrictDns,
    LogicalDns,
    /// A dynamic forward proxy: the host of the request, or the server name, is resolved when it comes.
    Dynamic,
    OriginalDst,
    Static,
}

/// An upstream.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    pub name: Text,
    pub kind: ClusterKind,
    pub host: Text,
    pub port: u16,
    pub endpoints: Vec<Endpoint>,
    /// A port that replaces the dialled one (ORIGINAL_DST with targetPort).
    pub override_port: Option<u16>,
    /// HTTP/2 upstream.
    pub http2: bool,
    /// mTLS with endpoints that take it, as long as no DestinationRule says otherwise.
    pub auto_mtls: bool,
    pub tls: Option<UpstreamTls>,
    pub connect_timeout_ms: u64,
    /// The protocol is the client's own (`useClientProtocol`).
    pub client_protocol: bool,
    /// Limits that requests at the same time can reach.
    pub pool: Option<Pool>,
    /// A tunnel for connections that are not HTTP, which this program does not model.
    pub tunnel: Option<Cause>,
    /// The service object, and the DestinationRule if one shaped it.
    pub cause: Cause,
    pub shaped_by: Option<Cause>,
    pub not_modelled: Option<Cause>,
}

/// `connectionPool` as circuit breakers have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    pub connections: u64,
    /// Requests that may wait for a connection.
    pub pending: u64,
    pub requests: u64,
    pub cause: Cause,
}

/// One address of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub host: EndpointHost,
    pub port: u16,
    /// The endpoint takes mesh mTLS (injected pod).
    pub mtls: bool,
    pub labels: BTreeMap<String, String>,
    /// Its share beside the others of the cluster, at least 1.
    pub weight: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointHost {
    Address(IpAddr),
    /// Resolved by the proxy itself.
    Name(String),
}

/// TLS that the proxy opens towards a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTls {
    pub mesh: bool,
    /// `None`: from the request's host.
    pub sni: Option<Text>,
    /// Names to accept; empty: the request's host.
    pub san: Vec<String>,
    pub insecure: bool,
    /// A CA file or Secret that is not the public bundle.
    pub private_ca: bool,
    pub client_certificate: bool,
    pub cause: Cause,
}
