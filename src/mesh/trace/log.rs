//! Access-log lines: Istio's default format, a custom one, JSON.

use crate::base::clock::Time;
use crate::mesh::config::MeshConfig;
use serde_json::{Map, Value};

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

/// What a proxy knows about an exchange when it ends. Empty strings print as `-`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entry {
    pub start: Time,
    pub method: String,
    /// As the client sent it, before any rewrite.
    pub path: String,
    pub protocol: String,
    pub code: u16,
    pub flags: String,
    pub details: String,
    pub termination: String,
    pub transport_failure: String,
    pub received: u64,
    pub sent: u64,
    pub duration: u64,
    pub service_time: Option<u64>,
    pub forwarded_for: String,
    /// The request's headers as the proxy sent them on.
    pub headers: Vec<(String, String)>,
    pub request_id: String,
    pub authority: String,
    pub upstream_host: String,
    pub cluster: String,
    pub upstream_local: String,
    pub downstream_local: String,
    pub downstream_remote: String,
    pub sni: String,
    pub route: String,
}

/// A reason as Envoy logs it: blanks would end a field, so they are underscores.
pub fn spaceless(reason: &str) -> String {
    reason.replace(' ', "_")
}

impl Entry {
    /// The line, `None` when access logging is off or goes to a file that nobody reads.
    pub fn line(&self, config: &MeshConfig) -> Option<String> {
        if !config.logs_to_the_container() {
            return None;
        }
        let format = config.access_log_format.trim_end_matches('\n');
        if config.access_log_json {
            return Some(self.json(format));
        }
        Some(self.fill(if format.is_empty() { DEFAULT } else { format }))
    }

    fn json(&self, format: &str) -> String {
        let custom: Option<Map<String, Value>> = serde_json::from_str(format).ok();
        let pairs: Vec<(String, String)> = match custom {
            Some(map) => map.iter().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_string()))).collect(),
            None => JSON.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        };
        let value = |operator: &str| match self.fill(operator) {
            text if text == "-" && operator != "%RESPONSE_FLAGS%" => Value::Null,
            text => match text.parse::<u64>() {
                Ok(n) if !operator.starts_with("%REQ") => n.into(),
                _ => text.into(),
            },
        };
        Value::Object(pairs.into_iter().map(|(k, v)| (k, value(&v))).collect()).to_string()
    }

    /// Replaces `%OPERATOR%`s; an operator that this program does not know prints `-`.
    fn fill(&self, format: &str) -> String {
        let mut out = String::with_capacity(format.len() * 2);
        let mut rest = format;
        while let Some(start) = rest.find('%') {
            out.push_str(&rest[..start]);
            let Some(end) = rest[start + 1..].find('%') else { break };
            let value = self.operator(&rest[start + 1..start + 1 + end]);
            out.push_str(if value.is_empty() { "-" } else { &value });
            rest = &rest[start + end + 2..];
        }
        out.push_str(rest);
        out
    }

    fn operator(&self, operator: &str) -> String {
        let (name, argument) = match operator.split_once('(') {
            Some((name, rest)) => (name, rest.split(')').next().unwrap_or("")),
            None => (operator, ""),
        };
        let number = |n: u64| n.to_string();
        match name {
            "START_TIME" => self.start.envoy(),
            "REQ" => self.request(argument),
            "RESP" if argument.eq_ignore_ascii_case("X-ENVOY-UPSTREAM-SERVICE-TIME") => {
                self.service_time.map(number).unwrap_or_default()
            }
            "PROTOCOL" => self.protocol.clone(),
            "RESPONSE_CODE" => number(u64::from(self.code)),
            "RESPONSE_FLAGS" => self.flags.clone(),
            "RESPONSE_CODE_DETAILS" => self.details.clone(),
            "CONNECTION_TERMINATION_DETAILS" => self.termination.clone(),
            "UPSTREAM_TRANSPORT_FAILURE_REASON" => self.transport_failure.clone(),
            "BYTES_RECEIVED" => number(self.received),
            "BYTES_SENT" => number(self.sent),
            "DURATION" => number(self.duration),
            "UPSTREAM_HOST" => self.upstream_host.clone(),
            "UPSTREAM_CLUSTER" | "UPSTREAM_CLUSTER_RAW" => self.cluster.clone(),
            "UPSTREAM_LOCAL_ADDRESS" => self.upstream_local.clone(),
            "DOWNSTREAM_LOCAL_ADDRESS" => self.downstream_local.clone(),
            "DOWNSTREAM_REMOTE_ADDRESS" => self.downstream_remote.clone(),
            "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => {
                self.downstream_remote.rsplit_once(':').map_or("", |(ip, _)| ip).to_string()
            }
            "REQUESTED_SERVER_NAME" => self.sni.clone(),
            "ROUTE_NAME" => self.route.clone(),
            _ => String::new(),
        }
    }

    /// `%REQ(A?B)%`: the first of the two that is there.
    fn request(&self, argument: &str) -> String {
        let one = |name: &str| match name.to_ascii_uppercase().as_str() {
            ":METHOD" => self.method.clone(),
            ":AUTHORITY" | "HOST" => self.authority.clone(),
            ":PATH" | "X-ENVOY-ORIGINAL-PATH" => self.path.clone(),
            "X-FORWARDED-FOR" => self.forwarded_for.clone(),
            "X-REQUEST-ID" => self.request_id.clone(),
            _ => self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone()).unwrap_or_default(),
        };
        match argument.split_once('?') {
            Some((first, second)) => Some(one(first)).filter(|v| !v.is_empty()).unwrap_or_else(|| one(second)),
            None => one(argument),
        }
    }
}
