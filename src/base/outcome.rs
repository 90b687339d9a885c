//! The closed vocabulary of what can become of a request (design 5). Serialised names are the kebab-case words that lessons,
//! `--json` and the journal use.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What became of one exchange. The earliest gate that ended the request names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Any answer of the intended origin, also 4xx and 5xx.
    Delivered,
    /// An answer of an origin that was not the intended one.
    DeliveredElsewhere,
    /// A proxy made the answer itself (a direct response or redirect that a route asked for).
    AnsweredByProxy,
    /// Refused because the mesh only lets registered hosts out (`block_all`, `BlackHoleCluster`).
    BlockedRegistryOnly,
    /// Refused by an AuthorizationPolicy.
    BlockedPolicy,
    /// Dropped by a NetworkPolicy.
    BlockedNetworkPolicy,
    /// The client's own resolver had no answer.
    DnsFailed,
    /// The gateway's address refused the connection: no listener on that port.
    GatewayNotListening,
    /// A gateway or sidecar listener had no filter chain for the connection.
    NoFilterChain,
    /// A proxy had no route for the request (NR).
    NoRoute,
    /// The route's cluster does not exist at that proxy (NC).
    NoCluster,
    /// The cluster has no endpoint (UH).
    NoHealthyUpstream,
    /// One side spoke TLS, HTTP or plain TCP where the other expected something else.
    ProtocolMismatch,
    /// The TLS handshake failed for another reason (certificate, name).
    TlsFailed,
    /// The upstream could not be connected (UF).
    UpstreamUnavailable,
    /// A circuit breaker was full (UO).
    Overflow,
    /// The answer did not come in time.
    TimedOut,
    /// A proxy sent the request to itself again.
    Loop,
    /// An object or field decided that this program does not model.
    NotModelled,
}

/// Which way the exchange took out of the workload: the cluster to which the first proxy opened a connection, also when that then
/// failed; `None` when there was nothing to connect to (no cluster, no endpoint, BlackHoleCluster).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Path {
    /// It went nowhere.
    None,
    /// No sidecar saw it.
    Uncaptured,
    /// Through the sidecar, straight to the destination's cluster.
    Direct,
    /// Through the sidecar's PassthroughCluster.
    Passthrough,
    /// Through this gateway workload, named `NAMESPACE/NAME` of its Deployment or Service.
    Gateway(String),
}

/// Who opened TLS towards the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TlsBy {
    None,
    Client,
    Sidecar,
    Gateway,
}

/// Where the exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum At {
    Client,
    Network,
    Sidecar,
    Gateway,
    Origin,
}

macro_rules! word {
    ($($t:ty),*) => {$(
        impl fmt::Display for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match serde_json::to_value(self) {
                    Ok(serde_json::Value::String(s)) => f.pad(&s),
                    _ => Err(fmt::Error),
                }
            }
        }
    )*};
}
word!(Outcome, TlsBy, At);

impl fmt::Display for Path {
    /// `none`, `uncaptured`, `direct`, `passthrough` or `gateway NAMESPACE/NAME`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::None => f.pad("none"),
            Path::Uncaptured => f.pad("uncaptured"),
            Path::Direct => f.pad("direct"),
            Path::Passthrough => f.pad("passthrough"),
            Path::Gateway(name) => write!(f, "gateway {name}"),
        }
    }
}
