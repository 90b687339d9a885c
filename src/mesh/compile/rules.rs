//! VirtualServices as meant: typed rules read from objects. What cannot be read was refused by validation; here it is left out.

use super::http_parts;
use crate::k8s::Object;
use crate::mesh::Cause;
use crate::mesh::config::duration_ms;
use crate::mesh::pattern::Pattern;
use crate::mesh::proxy::{Action, Cors, Matcher, Retries};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a string must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueMatch {
    Exact(String),
    Prefix(String),
    Regex(Pattern),
    Present,
}

/// How a path must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriMatch {
    pub kind: ValueMatch,
    /// A prefix of whole path elements (Gateway API): `/a` covers `/a` and `/a/b`, not `/ab`.
    pub elements: bool,
}

/// `headers.request` and `headers.response`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderEdits {
    pub request: Edits,
    pub response: Edits,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edits {
    pub set: Vec<(String, String)>,
    pub add: Vec<(String, String)>,
    pub remove: Vec<String>,
}

impl Edits {
    /// Whether they change nothing.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }
}

/// `redirect`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    pub code: u16,
    pub uri: Option<String>,
    pub prefix: Option<String>,
    pub authority: Option<String>,
    pub scheme: Option<String>,
    pub port: Option<u16>,
    /// `derivePort: FROM_REQUEST_PORT`: the port that the routes are for.
    pub from_request_port: bool,
}

/// `rewrite`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rewrite {
    pub uri: Option<String>,
    pub authority: Option<String>,
    /// RE2 pattern and replacement.
    pub regex: Option<(Pattern, String)>,
}

/// `fault`: percentages in hundredths of a percent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub delay: Option<(u64, u64)>,
    pub abort: Option<(u16, u64)>,
}

/// A VirtualService.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualService {
    pub object: String,
    pub namespace: String,
    pub name: String,
    /// Fully expanded.
    pub hosts: Vec<String>,
    /// `mesh` or `NAMESPACE/NAME`.
    pub gateways: Vec<String>,
    /// `None`: the mesh default.
    pub export: Option<Vec<String>>,
    pub created: String,
    pub http: Vec<HttpRule>,
    pub tls: Vec<L4Rule>,
    pub tcp: Vec<L4Rule>,
    /// From a route of the Gateway API: for sidecars it counts only in its own namespace or in the destination's.
    pub of_gateway_api: bool,
}

/// One `http` entry.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpRule {
    pub name: String,
    pub matches: Vec<Match>,
    pub action: Action,
    pub destinations: Vec<Destination>,
    pub timeout_ms: Option<u64>,
    pub retries: Option<Retries>,
    pub fault: Option<Fault>,
    pub rewrite: Rewrite,
    pub headers: HeaderEdits,
    /// Copies, with their share in hundredths of a percent.
    pub mirrors: Vec<(Destination, u64)>,
    pub cors: Option<Cors>,
    /// Namespace and name of the VirtualService that has the rules in place of this one.
    pub delegate: Option<(String, String)>,
    pub missing_is_500: bool,
    pub not_modelled: Option<Cause>,
    /// Settings that stand elsewhere: in the rule that delegates to this one.
    pub inherited: Vec<(&'static str, Cause)>,
    /// Where the rule stands: `spec.http[0]`.
    pub rule: Cause,
}

/// One `match` entry: the static filters and the run-time conditions.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    pub name: String,
    /// Where it stands: `spec.http[0].match[0]`.
    pub cause: Cause,
    pub port: Option<u16>,
    pub gateways: Vec<String>,
    pub source_labels: BTreeMap<String, String>,
    pub source_namespace: Option<String>,
    pub run_time: Matcher,
    /// `sniHosts`, which may be many and stand in many chains.
    pub sni_hosts: Arc<[String]>,
    pub destination_subnets: Vec<String>,
}

impl Match {
    /// No condition.
    pub fn anything(cause: Cause) -> Match {
        Match {
            name: String::new(),
            cause,
            port: None,
            gateways: Vec::new(),
            source_labels: BTreeMap::new(),
            source_namespace: None,
            run_time: Matcher::default(),
            sni_hosts: Arc::default(),
            destination_subnets: Vec::new(),
        }
    }
}

/// One `tls` or `tcp` entry.
#[derive(Debug, Clone, PartialEq)]
pub struct L4Rule {
    pub matches: Vec<Match>,
    pub destinations: Vec<Destination>,
}

/// `destination` with its weight; the host is fully expanded.
#[derive(Debug, Clone, PartialEq)]
pub struct Destination {
    pub host: String,
    pub subset: String,
    pub port: Option<u16>,
    pub weight: Option<u64>,
    pub headers: HeaderEdits,
    /// `spec.http[0].route[0].destination`.
    pub field: String,
}

/// `name` -> `name.NAMESPACE.svc.cluster.local`; anything with a dot, a wildcard included, stays.
pub fn expand(host: &str, namespace: &str) -> String {
    match host.contains('.') || host == "*" || host.is_empty() {
        true => host.to_ascii_lowercase(),
        false => format!("{}.{namespace}.svc.cluster.local", host.to_ascii_lowercase()),
    }
}

/// A gateway reference as Istio resolves it: `mesh`, `NAMESPACE/NAME`.
fn gateway_name(name: &str, namespace: &str) -> String {
    if name == "mesh" {
        return name.into();
    }
    if let Some(rest) = name.strip_prefix("./") {
        return format!("{namespace}/{rest}");
    }
    if name.contains('/') {
        return name.into();
    }
    match name.split_once('.') {
        Some((short, rest)) => format!("{}/{short}", rest.split('.').next().unwrap_or(namespace)),
        None => format!("{namespace}/{name}"),
    }
}

pub fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(String::from)).collect()
}

pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or("").to_string()
}

pub fn some_text(value: &Value, key: &str) -> Option<String> {
    Some(text(value, key)).filter(|t| !t.is_empty())
}

/// `exportTo` of any kind that has it.
pub fn export_of(object: &Object) -> Option<Vec<String>> {
    Some(strings(object.at(&["spec", "exportTo"]))).filter(|l| !l.is_empty())
}

/// Reads a VirtualService.
pub fn virtual_service(object: &Object) -> VirtualService {
    let namespace = object.namespace().to_string();
    let reader = Reader { object: object.key().to_string(), namespace: &namespace };
    let gateways: Vec<String> = strings(object.at(&["spec", "gateways"])).iter().map(|g| gateway_name(g, &namespace)).collect();
    let rules = |kind: &str| list(object.spec(), kind).iter().enumerate().map(|(i, r)| reader.l4(r, kind, i)).collect();
    VirtualService {
        hosts: strings(object.at(&["spec", "hosts"])).iter().map(|h| expand(h, &namespace)).collect(),
        gateways: if gateways.is_empty() { vec!["mesh".into()] } else { gateways },
        export: export_of(object),
        created: object.str_at(&["metadata", "creationTimestamp"]).into(),
        name: object.name().into(),
        http: list(object.spec(), "http").iter().enumerate().map(|(i, r)| reader.http(r, i)).collect(),
        tls: rules("tls"),
        tcp: rules("tcp"),
        of_gateway_api: false,
        object: reader.object.clone(),
        namespace,
    }
}

struct Reader<'a> {
    object: String,
    namespace: &'a str,
}

impl Reader<'_> {
    fn http(&self, rule: &Value, i: usize) -> HttpRule {
        let field = format!("spec.http[{i}]");
        let own = Cause::new(&*self.object, &*field, "This rule of the VirtualService takes the request.");
        HttpRule {
            name: text(rule, "name"),
            matches: self.matches(rule, &own),
            action: action(rule),
            destinations: self.destinations(rule, &field),
            timeout_ms: rule.get("timeout").and_then(Value::as_str).and_then(duration_ms).filter(|ms| *ms > 0),
            retries: rule.get("retries").filter(|r| r.is_object()).map(http_parts::retries),
            fault: rule.get("fault").filter(|f| f.is_object()).map(http_parts::fault),
            rewrite: rule.get("rewrite").map(rewrite).unwrap_or_default(),
            headers: edits(rule),
            mirrors: self.mirrors(rule, &field),
            cors: rule.get("corsPolicy").filter(|c| c.is_object()).map(http_parts::cors),
            delegate: rule
                .get("delegate")
                .filter(|d| d.is_object())
                .map(|d| (some_text(d, "namespace").unwrap_or_else(|| self.namespace.to_string()), text(d, "name"))),
            missing_is_500: false,
            not_modelled: http_parts::unmodelled(rule, &own),
            inherited: Vec::new(),
            rule: own,
        }
    }

    fn matches(&self, rule: &Value, own: &Cause) -> Vec<Match> {
        let one = |(j, entry): (usize, &Value)| self.matching(entry, own.within(&format!("match[{j}]")));
        list(rule, "match").iter().enumerate().map(one).collect()
    }

    fn mirrors(&self, rule: &Value, field: &str) -> Vec<(Destination, u64)> {
        let mut all = Vec::new();
        if let Some(mirror) = rule.get("mirror").filter(|m| m.is_object()) {
            let whole = rule.get("mirrorPercentage").filter(|p| p.is_object()).map(http_parts::percent);
            let old =
                || rule.get("mirrorPercent").or_else(|| rule.get("mirror_percent")).and_then(Value::as_u64).map(|n| n * 100);
            let share = whole.or_else(old).unwrap_or(10_000);
            all.push((self.destination(mirror, &Value::Null, format!("{field}.mirror")), share));
        }
        for (i, mirror) in list(rule, "mirrors").iter().enumerate() {
            let share = mirror.get("percentage").filter(|p| p.is_object()).map_or(10_000, http_parts::percent);
            let to = mirror.get("destination").unwrap_or(&Value::Null);
            all.push((self.destination(to, &Value::Null, format!("{field}.mirrors[{i}].destination")), share));
        }
        all.retain(|(_, share)| *share > 0);
        all
    }

    fn l4(&self, rule: &Value, kind: &str, i: usize) -> L4Rule {
        let field = format!("spec.{kind}[{i}]");
        L4Rule {
            matches: self.matches(rule, &Cause::new(&*self.object, &*field, "This rule of the VirtualService takes it.")),
            destinations: self.destinations(rule, &field),
        }
    }

    fn destinations(&self, rule: &Value, field: &str) -> Vec<Destination> {
        let one = |(i, route): (usize, &Value)| {
            let to = route.get("destination").unwrap_or(&Value::Null);
            self.destination(to, route, format!("{field}.route[{i}].destination"))
        };
        list(rule, "route").iter().enumerate().map(one).collect()
    }

    /// `route`: what stands around the destination.
    fn destination(&self, to: &Value, route: &Value, field: String) -> Destination {
        Destination {
            host: expand(&text(to, "host"), self.namespace),
            subset: text(to, "subset"),
            port: to.get("port").and_then(|p| p.get("number")?.as_u64()).map(|n| n as u16),
            weight: route.get("weight").and_then(Value::as_u64),
            headers: edits(route),
            field,
        }
    }

    fn matching(&self, entry: &Value, cause: Cause) -> Match {
        let labels = crate::k8s::object::strings(entry.get("sourceLabels").unwrap_or(&Value::Null));
        Match {
            name: text(entry, "name"),
            cause,
            port: entry.get("port").and_then(Value::as_u64).map(|n| n as u16),
            gateways: list(entry, "gateways").iter().filter_map(Value::as_str).map(|g| gateway_name(g, self.namespace)).collect(),
            source_labels: labels.into_iter().map(|(k, v)| (k.into(), v.into())).collect(),
            source_namespace: some_text(entry, "sourceNamespace"),
            run_time: matcher(entry),
            sni_hosts: strings(entry.get("sniHosts").unwrap_or(&Value::Null)).into(),
            destination_subnets: strings(entry.get("destinationSubnets").unwrap_or(&Value::Null)),
        }
    }
}

/// A StringMatch; without any of its members, or as the regular expression `*`, it asks for presence.
pub fn value_match(value: &Value) -> Option<ValueMatch> {
    let object = value.as_object()?;
    let get = |key: &str| object.get(key).and_then(Value::as_str).map(String::from);
    get("exact")
        .map(ValueMatch::Exact)
        .or_else(|| get("prefix").map(ValueMatch::Prefix))
        .or_else(|| get("regex").map(|r| if r == "*" { ValueMatch::Present } else { ValueMatch::Regex(Pattern::new(r)) }))
        .or_else(|| object.is_empty().then_some(ValueMatch::Present))
}

/// Conditions on claims of a token (`@request.auth.claims.x`) are none on headers: see `http_parts::unmodelled`.
fn named_matches(entry: &Value, key: &str) -> Vec<(String, ValueMatch)> {
    let members = entry.get(key).and_then(Value::as_object);
    let real = members.into_iter().flatten().filter(|(k, _)| !k.starts_with("@request.auth.claims"));
    real.map(|(k, v)| (k.clone(), value_match(v).unwrap_or(ValueMatch::Present))).collect()
}

fn matcher(entry: &Value) -> Matcher {
    let one = |key: &str| entry.get(key).and_then(value_match).filter(|m| *m != ValueMatch::Present);
    Matcher {
        uri: one("uri").map(|kind| UriMatch { kind, elements: false }),
        ignore_case: entry.get("ignoreUriCase").and_then(Value::as_bool).unwrap_or(false),
        scheme: one("scheme"),
        method: one("method"),
        authority: one("authority"),
        headers: named_matches(entry, "headers"),
        without_headers: named_matches(entry, "withoutHeaders"),
        query: named_matches(entry, "queryParams"),
    }
}

fn action(rule: &Value) -> Action {
    if let Some(redirect) = rule.get("redirect").filter(|v| v.is_object()) {
        let code = redirect.get("redirectCode").and_then(Value::as_u64).unwrap_or(301) as u16;
        return Action::Redirect(Redirect {
            code: if code == 0 { 301 } else { code },
            uri: some_text(redirect, "uri"),
            prefix: some_text(redirect, "prefixRewrite"),
            authority: some_text(redirect, "authority"),
            scheme: some_text(redirect, "scheme"),
            port: redirect.get("port").and_then(Value::as_u64).map(|n| n as u16),
            from_request_port: redirect.get("derivePort").and_then(Value::as_str) == Some("FROM_REQUEST_PORT"),
        });
    }
    match rule.get("directResponse").filter(|v| v.is_object()) {
        Some(direct) => {
            let status = direct.get("status").and_then(Value::as_u64).unwrap_or(200) as u16;
            Action::Direct(status, direct.get("body").map(http_parts::body).unwrap_or_default().into())
        }
        None => Action::Forward(Vec::new()),
    }
}

fn rewrite(value: &Value) -> Rewrite {
    let regex = value.get("uriRegexRewrite").filter(|v| v.is_object());
    Rewrite {
        uri: some_text(value, "uri"),
        authority: some_text(value, "authority"),
        regex: regex.map(|r| (Pattern::new(text(r, "match")), text(r, "rewrite"))),
    }
}

fn edits(value: &Value) -> HeaderEdits {
    let headers = value.get("headers").unwrap_or(&Value::Null);
    let pairs = |side: &Value, key: &str| {
        let all = crate::k8s::object::strings(side.get(key).unwrap_or(&Value::Null));
        all.into_iter().map(|(k, v)| (k.to_ascii_lowercase(), v.to_string())).collect()
    };
    let side = |name: &str| {
        let side = headers.get(name).unwrap_or(&Value::Null);
        Edits { set: pairs(side, "set"), add: pairs(side, "add"), remove: strings(side.get("remove").unwrap_or(&Value::Null)) }
    };
    HeaderEdits { request: side("request"), response: side("response") }
}

/// Whether `pattern` (exact, `*`, `*.suffix`) covers `host`.
pub fn covers(pattern: &str, host: &str) -> bool {
    match pattern.as_bytes() {
        [b'*'] => true,
        [b'*', suffix @ ..] => host.len() > suffix.len() && host.as_bytes().ends_with(suffix),
        all => all == host.as_bytes(),
    }
}

/// Whether two hosts, either of which may be a wildcard, have a name in common (`*.a` and `b.a`, `*.b.a` and `*.a`).
pub fn overlaps(a: &str, b: &str) -> bool {
    match (a.as_bytes(), b.as_bytes()) {
        ([b'*', x @ ..], [b'*', y @ ..]) => x.ends_with(y) || y.ends_with(x),
        ([b'*', ..], _) => covers(a, b),
        (_, [b'*', ..]) => covers(b, a),
        _ => a == b,
    }
}

/// The narrower of two overlapping hosts.
pub fn narrower<'a>(a: &'a str, b: &'a str) -> &'a str {
    if covers(a, b) && a != b { b } else { a }
}
