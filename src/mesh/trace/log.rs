//! Access-log lines: Istio's default format, a custom one, JSON.

use super::wire::Address;
use crate::base::clock::Time;
use crate::base::shared::Text;
use crate::outside::wire::Header;
use serde_json::{Map, Value};
use std::net::IpAddr;
use std::sync::Arc;

/// Istio's default text format (pilot/pkg/model/telemetry_logging.go), without the trailing newline.
const DEFAULT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% \
    %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% \
    %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \
    \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% \
    %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%";

/// The keys of the default JSON encoding with their operators.
const JSON: [(&str, &str); 24] = [
    ("authority", "%REQ(:AUTHORITY)%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%"),
    ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("duration", "%DURATION%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("requested_server_name", "%REQUESTED_SERVER_NAME%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("route_name", "%ROUTE_NAME%"),
    ("start_time", "%START_TIME%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"),
    ("upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"),
    ("upstream_transport_failure_reason", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
    ("x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"),
];

/// The text format in force, with its trailing newline; an empty one is Istio's default.
pub fn text_format(custom: &str) -> String {
    let format = custom.trim_end_matches('\n');
    format!("{}\n", if format.is_empty() { DEFAULT } else { format })
}

/// The JSON format in force: keys with their operators.
pub fn json_format(custom: &str) -> Value {
    let own: Option<Map<String, Value>> = serde_json::from_str(custom.trim_end_matches('\n')).ok();
    Value::Object(own.unwrap_or_else(|| JSON.iter().map(|(k, v)| (k.to_string(), (*v).into())).collect()))
}

/// What a proxy knows about an exchange when it ends. Empty texts print as `-`. Most entries are never printed, so it holds what the
/// line is made of rather than texts made for it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entry {
    pub start: Time,
    pub method: Text,
    /// As the client sent it, before any rewrite.
    pub path: Text,
    pub protocol: &'static str,
    pub code: u16,
    pub flags: Text,
    pub details: Text,
    pub termination: Text,
    pub transport_failure: Text,
    pub received: u64,
    pub sent: u64,
    pub duration: u64,
    pub service_time: Option<u64>,
    pub forwarded_for: Text,
    /// The request's headers as the proxy sent them on.
    pub headers: Arc<Vec<Header>>,
    pub authority: Text,
    pub upstream_host: Address,
    pub cluster: Text,
    pub upstream_local: Address,
    pub downstream_local: Address,
    pub downstream_remote: Address,
    pub sni: Text,
    pub route: Text,
}

/// A reason as Envoy logs it: blanks would end a field, so they are underscores.
pub fn spaceless(reason: &str) -> String {
    reason.replace(' ', "_")
}

impl Entry {
    /// Whether [`Entry::put`] knows an operator. What only Envoy could fill in is not known.
    pub fn knows(name: &str, argument: &str) -> bool {
        match name {
            "START_TIME" => argument.is_empty(),
            "RESP" => argument.eq_ignore_ascii_case("X-ENVOY-UPSTREAM-SERVICE-TIME"),
            "REQ" | "REQ_WITHOUT_QUERY" => true,
            "PROTOCOL" | "RESPONSE_CODE" | "RESPONSE_FLAGS" | "RESPONSE_CODE_DETAILS" | "CONNECTION_TERMINATION_DETAILS" => true,
            "UPSTREAM_TRANSPORT_FAILURE_REASON" | "BYTES_RECEIVED" | "BYTES_SENT" | "DURATION" => true,
            "UPSTREAM_CLUSTER" | "UPSTREAM_CLUSTER_RAW" | "REQUESTED_SERVER_NAME" | "ROUTE_NAME" => true,
            _ => address_of(name).is_some(),
        }
    }

    /// Writes an operator's value; nothing when there is none.
    pub fn put(&self, name: &str, argument: &str, out: &mut String) {
        use std::fmt::Write;
        let mut number = |n: u64| {
            let _ = write!(out, "{n}");
        };
        match name {
            "START_TIME" => out.push_str(&self.start.envoy()),
            "REQ" => out.push_str(self.request(argument)),
            "REQ_WITHOUT_QUERY" => out.push_str(self.request(argument).split('?').next().unwrap_or("")),
            "RESP" => {
                if let Some(ms) = self.service_time {
                    number(ms);
                }
            }
            "PROTOCOL" => out.push_str(self.protocol),
            "RESPONSE_CODE" => number(u64::from(self.code)),
            "RESPONSE_FLAGS" => out.push_str(&self.flags),
            "RESPONSE_CODE_DETAILS" => out.push_str(&self.details),
            "CONNECTION_TERMINATION_DETAILS" => out.push_str(&self.termination),
            "UPSTREAM_TRANSPORT_FAILURE_REASON" => out.push_str(&self.transport_failure),
            "BYTES_RECEIVED" => number(self.received),
            "BYTES_SENT" => number(self.sent),
            "DURATION" => number(self.duration),
            "UPSTREAM_CLUSTER" | "UPSTREAM_CLUSTER_RAW" => out.push_str(&self.cluster),
            "REQUESTED_SERVER_NAME" => out.push_str(&self.sni),
            "ROUTE_NAME" => out.push_str(&self.route),
            _ => self.address(name, out),
        }
    }

    /// `DOWNSTREAM_REMOTE_ADDRESS`, the same with `_WITHOUT_PORT`, `DOWNSTREAM_REMOTE_PORT`, and so on for the other ends.
    fn address(&self, name: &str, out: &mut String) {
        use std::fmt::Write;
        let Some((end, part)) = address_of(name) else { return };
        let whole = match end {
            "UPSTREAM_HOST" | "UPSTREAM_REMOTE" => self.upstream_host,
            "UPSTREAM_LOCAL" => self.upstream_local,
            "DOWNSTREAM_LOCAL" => self.downstream_local,
            _ => self.downstream_remote,
        };
        let _ = match (part, whole.parts()) {
            ("_ADDRESS_WITHOUT_PORT", Some((IpAddr::V6(ip), _))) => write!(out, "[{ip}]"),
            ("_ADDRESS_WITHOUT_PORT", Some((ip, _))) => write!(out, "{ip}"),
            ("_PORT", Some((_, port))) => write!(out, "{port}"),
            _ => write!(out, "{whole}"),
        };
    }

    /// `%REQ(A?B)%`: the first of the two that is there.
    fn request(&self, argument: &str) -> &str {
        match argument.split_once('?') {
            Some((first, second)) => Some(self.header(first)).filter(|v| !v.is_empty()).unwrap_or_else(|| self.header(second)),
            None => self.header(argument),
        }
    }

    fn header(&self, name: &str) -> &str {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match () {
            () if is(":METHOD") => self.method.trim_start_matches('-'),
            () if is(":AUTHORITY") || is("HOST") => &self.authority,
            () if is(":PATH") || is("X-ENVOY-ORIGINAL-PATH") => &self.path,
            () if is("X-FORWARDED-FOR") => &self.forwarded_for,
            () => self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or("", |(_, v)| v),
        }
    }
}

/// The end and the part of an address that an operator asks for.
fn address_of(name: &str) -> Option<(&str, &str)> {
    if name == "UPSTREAM_HOST" {
        return Some((name, ""));
    }
    let parts = ["_ADDRESS_WITHOUT_PORT", "_ADDRESS", "_PORT"];
    let (end, part) = parts.into_iter().find_map(|part| Some((name.strip_suffix(part)?, part)))?;
    matches!(end, "UPSTREAM_REMOTE" | "UPSTREAM_LOCAL" | "DOWNSTREAM_LOCAL" | "DOWNSTREAM_REMOTE").then_some((end, part))
}
