//! `filter.expression` of Telemetry: CEL over Envoy's attributes. An expression that cannot be computed for a connection keeps its
//! line back, as in Envoy; one that asks for what is not modelled says so.

use crate::mesh::Cause;
use crate::mesh::trace::log::Entry;
use crate::mesh::trace::wire::Address;
use kube_cel::cel::{Context, Program, Value};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The attributes that are known here, as `ROOT.NAME`.
const KNOWN: [&str; 24] = [
    "request.path",
    "request.url_path",
    "request.query",
    "request.host",
    "request.method",
    "request.headers",
    "request.useragent",
    "request.referer",
    "request.id",
    "request.protocol",
    "request.size",
    "response.code",
    "response.code_details",
    "response.size",
    "connection.requested_server_name",
    "connection.termination_details",
    "source.address",
    "source.port",
    "destination.address",
    "destination.port",
    "upstream.address",
    "upstream.port",
    "upstream.transport_failure_reason",
    "xds.cluster_name",
];

/// A compiled expression.
#[derive(Clone)]
pub struct Filter {
    expression: String,
    program: Option<Arc<Program>>,
    cause: Cause,
}

impl PartialEq for Filter {
    fn eq(&self, other: &Filter) -> bool {
        self.expression == other.expression && self.cause == other.cause
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.expression).finish()
    }
}

impl Filter {
    /// Compiles an expression; `cause` says where it stands.
    pub fn new(expression: &str, cause: &Cause) -> Filter {
        let program = Program::compile(expression).ok().filter(|_| is_modelled(expression));
        Filter { expression: expression.into(), program: program.map(Arc::new), cause: cause.clone() }
    }

    /// Whether a line is written.
    ///
    /// # Errors
    /// The expression asks for what is not modelled.
    pub fn takes(&self, entry: &Entry) -> Result<bool, Cause> {
        let program = self.program.as_ref().ok_or_else(|| self.cause.clone())?;
        let mut context = Context::default();
        for (root, members) in attributes(entry) {
            context.add_variable_from_value(root, Value::from(members));
        }
        Ok(matches!(program.execute(&context), Ok(Value::Bool(true))))
    }
}

/// Whether all attributes that the text names are known. Texts in quotes are none.
fn is_modelled(expression: &str) -> bool {
    let mut plain = String::new();
    let mut quote = None;
    let mut before = ' ';
    for c in expression.chars() {
        match quote {
            Some(q) if c == q && before != '\\' => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None => plain.push(c),
        }
        before = c;
    }
    let words = plain.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'));
    let roots = ["request", "response", "connection", "source", "destination", "upstream", "xds"];
    let strange = ["metadata", "filter_state", "upstream_filter_state", "node", "listener_direction", "listener_metadata"];
    words.filter(|w| !w.is_empty()).all(|word| {
        let mut parts = word.split('.');
        let (root, member) = (parts.next().unwrap_or(""), parts.next());
        match member {
            _ if strange.contains(&root) => false,
            Some(member) if roots.contains(&root) => KNOWN.contains(&format!("{root}.{member}").as_str()),
            None if roots.contains(&root) => false,
            _ => true,
        }
    })
}

type Members = HashMap<String, Value>;

/// What Envoy gives an expression; what a connection does not have is not there.
fn attributes(entry: &Entry) -> Vec<(&'static str, Members)> {
    let http = entry.method != "-" && !entry.method.is_empty();
    let text = |members: &mut Members, name: &str, value: &str| {
        if !value.is_empty() {
            members.insert(name.into(), Value::from(value.to_string()));
        }
    };
    let (mut request, mut response) = (Members::new(), Members::new());
    if http {
        let (path, query) = entry.path.split_once('?').unwrap_or((&entry.path, ""));
        text(&mut request, "path", &entry.path);
        text(&mut request, "url_path", path);
        request.insert("query".into(), Value::from(query.to_string()));
        text(&mut request, "host", &entry.authority);
        text(&mut request, "method", &entry.method);
        text(&mut request, "protocol", entry.protocol);
        let header =
            |name: &str| entry.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or("", |(_, v)| v.as_str());
        text(&mut request, "id", header("x-request-id"));
        text(&mut request, "useragent", header("user-agent"));
        text(&mut request, "referer", header("referer"));
        request.insert("size".into(), Value::Int(entry.received as i64));
        let mut headers: Members = Members::new();
        for (name, value) in &*entry.headers {
            headers.insert(name.to_ascii_lowercase(), Value::from(value.to_string()));
        }
        for (name, value) in [(":method", &entry.method), (":path", &entry.path), (":authority", &entry.authority)] {
            text(&mut headers, name, value);
        }
        request.insert("headers".into(), Value::from(headers));
        if entry.code != 0 {
            response.insert("code".into(), Value::Int(i64::from(entry.code)));
        }
        response.insert("size".into(), Value::Int(entry.sent as i64));
    }
    text(&mut response, "code_details", &entry.details);
    let mut connection = Members::new();
    text(&mut connection, "requested_server_name", &entry.sni);
    text(&mut connection, "termination_details", &entry.termination);
    let mut upstream = end(entry.upstream_host);
    text(&mut upstream, "transport_failure_reason", &entry.transport_failure);
    let mut xds = Members::new();
    text(&mut xds, "cluster_name", &entry.cluster);
    vec![
        ("request", request),
        ("response", response),
        ("connection", connection),
        ("source", end(entry.downstream_remote)),
        ("destination", end(entry.downstream_local)),
        ("upstream", upstream),
        ("xds", xds),
    ]
}

fn end(address: Address) -> Members {
    let mut members = Members::new();
    if let Some((_, port)) = address.parts() {
        members.insert("address".into(), Value::from(address.to_string()));
        members.insert("port".into(), Value::Int(i64::from(port)));
    }
    members
}
