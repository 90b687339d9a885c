//! Istio's access-log lines, text and JSON (format: pilot/pkg/model/telemetry_logging.go).

use crate::lesson::model::LogField;
use serde_json::Value;

/// The fields in the order of the text format. The request in quotes is the first three after the time.
const ORDER: [LogField; 24] = [
    LogField::StartTime,
    LogField::Method,
    LogField::Path,
    LogField::Protocol,
    LogField::ResponseCode,
    LogField::ResponseFlags,
    LogField::ResponseCodeDetails,
    LogField::ConnectionTerminationDetails,
    LogField::UpstreamTransportFailureReason,
    LogField::BytesReceived,
    LogField::BytesSent,
    LogField::Duration,
    LogField::UpstreamServiceTime,
    LogField::XForwardedFor,
    LogField::UserAgent,
    LogField::RequestId,
    LogField::Authority,
    LogField::UpstreamHost,
    LogField::UpstreamCluster,
    LogField::UpstreamLocalAddress,
    LogField::DownstreamLocalAddress,
    LogField::DownstreamRemoteAddress,
    LogField::RequestedServerName,
    LogField::RouteName,
];

/// One access-log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    values: Vec<String>,
    /// The line as it was written.
    pub line: String,
}

impl Entry {
    /// Reads a line; `None` when it is not an access-log line (Envoy's and pilot-agent's own words share the stream).
    pub fn parse(line: &str) -> Option<Entry> {
        let line = line.trim_end();
        let values = if line.starts_with('{') { json_values(line)? } else { text_values(line)? };
        Some(Entry { values, line: line.to_string() })
    }

    /// A field as it was printed, `-` when absent.
    pub fn get(&self, field: LogField) -> &str {
        let at = ORDER.iter().position(|f| *f == field).unwrap_or(0);
        &self.values[at]
    }

    /// Whether it is about an HTTP exchange rather than a connection.
    pub fn is_http(&self) -> bool {
        self.get(LogField::Method) != "-" || self.get(LogField::ResponseCode) != "0"
    }

    /// Whether one of the response flags is this (`UF,URX` and `URX,UF` are the same set).
    pub fn has_flag(&self, flag: &str) -> bool {
        self.get(LogField::ResponseFlags).split(',').any(|f| f == flag)
    }

    /// The host of the cluster, `None` for BlackHoleCluster and its like.
    pub fn cluster_host(&self) -> Option<&str> {
        self.get(LogField::UpstreamCluster).strip_prefix("outbound|")?.splitn(3, '|').nth(2)
    }
}

fn text_values(line: &str) -> Option<Vec<String>> {
    let (start, rest) = line.strip_prefix('[')?.split_once("] \"")?;
    let (request, rest) = rest.split_once("\" ")?;
    let mut values = vec![start.to_string()];
    let mut words = request.rsplitn(2, ' ');
    let protocol = words.next()?;
    let (method, path) = words.next()?.split_once(' ')?;
    values.extend([method, path, protocol].map(str::to_string));
    let mut rest = rest;
    while !rest.is_empty() {
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_at(rest.find(' ').unwrap_or(rest.len())),
        };
        values.push(value.to_string());
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    (values.len() == ORDER.len()).then_some(values)
}

fn json_values(line: &str) -> Option<Vec<String>> {
    let members: serde_json::Map<String, Value> = serde_json::from_str(line).ok()?;
    members.get("response_code")?;
    let value = |field: &LogField| {
        let key = serde_json::to_value(field).ok()?;
        match members.get(key.as_str()?)? {
            Value::Null => None,
            Value::String(s) => Some(s.clone()),
            other => Some(other.to_string()),
        }
    };
    Some(ORDER.iter().map(|field| value(field).unwrap_or_else(|| "-".into())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTTP: &str = r#"[2026-11-23T04:17:31.030Z] "HEAD / HTTP/1.1" 301 - via_upstream - "-" 0 0 2 1 "-" "curl/7.88.1" "ee4cae4b-4fa4-4cd8-a44e-ce1cd233391e" "www.wikipedia.org" "127.0.66.10:80" outbound|80||www.wikipedia.org 127.0.0.1:52320 127.0.66.10:80 127.0.0.1:52310 - default"#;
    const TCP: &str = r#"[2026-11-23T04:17:31.030Z] "- - -" 0 UH - - "-" 0 0 0 - "-" "-" "-" "-" "-" BlackHoleCluster - 127.0.66.14:443 127.0.0.1:58276 other.example.com -"#;

    #[test]
    fn the_recorded_lines_are_read() {
        let http = Entry::parse(HTTP).unwrap();
        for (field, value) in [
            (LogField::StartTime, "2026-11-23T04:17:31.030Z"),
            (LogField::Method, "HEAD"),
            (LogField::Path, "/"),
            (LogField::ResponseCode, "301"),
            (LogField::ResponseCodeDetails, "via_upstream"),
            (LogField::UserAgent, "curl/7.88.1"),
            (LogField::Authority, "www.wikipedia.org"),
            (LogField::UpstreamCluster, "outbound|80||www.wikipedia.org"),
            (LogField::RequestedServerName, "-"),
            (LogField::RouteName, "default"),
        ] {
            assert_eq!(http.get(field), value, "{field:?}");
        }
        assert!(http.is_http());
        assert_eq!(http.cluster_host(), Some("www.wikipedia.org"));
        let tcp = Entry::parse(TCP).unwrap();
        assert!(!tcp.is_http() && tcp.has_flag("UH"));
        assert_eq!((tcp.get(LogField::RequestedServerName), tcp.cluster_host()), ("other.example.com", None));
    }

    #[test]
    fn json_lines_are_read_and_other_words_are_not() {
        let json = r#"{"start_time":"t","method":"GET","response_code":502,"route_name":"block_all","user_agent":null}"#;
        let entry = Entry::parse(json).unwrap();
        assert_eq!((entry.get(LogField::ResponseCode), entry.get(LogField::RouteName)), ("502", "block_all"));
        assert_eq!(entry.get(LogField::UserAgent), "-");
        for line in
            ["", "2026-11-23T04:17:31.030Z info Envoy proxy is ready", "{\"level\":\"info\"}", "[x] \"GET / HTTP/1.1\" 200"]
        {
            assert_eq!(Entry::parse(line), None, "{line}");
        }
    }
}
