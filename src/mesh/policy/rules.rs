//! AuthorizationPolicy as a proxy is told it: each rule as what the request must be and who must ask (Istio: security/authz/model).

use super::values::{self, Text};
use crate::mesh::compile::rules::strings;
use serde_json::Value;
use std::net::IpAddr;

/// One rule on one kind of filter chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// `ns[NAMESPACE]-policy[NAME]-rule[N]`.
    pub name: String,
    /// `spec.rules[N]`.
    pub field: String,
    /// One of these must hold,
    pub what: Vec<Side>,
    /// and one of these.
    pub who: Vec<Side>,
    /// Fields that this kind of chain cannot read and that were left out, so that the rule takes more.
    pub ignored: Vec<String>,
}

/// Conditions that must all hold.
pub type Side = Vec<Term>;

/// One condition: one of the values fits, or with `negated` none.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// `spec.rules[0].to[0].operation.paths`.
    pub field: String,
    pub test: Test,
    pub negated: bool,
}

/// What is compared with what.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    SourceIp(Vec<(IpAddr, u8)>),
    RemoteIp(Vec<(IpAddr, u8)>),
    DestinationIp(Vec<(IpAddr, u8)>),
    DestinationPort(Vec<u16>),
    /// The peer's SPIFFE identity.
    Identity(Vec<Text>),
    ServerName(Vec<Text>),
    Header(String, Vec<Text>),
    Host(Vec<Text>),
    Method(Vec<Text>),
    Path(Vec<Text>),
    /// A claim of a validated token.
    Claim,
    /// Metadata of Envoy's own filters.
    Metadata,
}

/// Where the rules are for.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a> {
    /// A chain without HTTP.
    pub tcp: bool,
    /// ALLOW drops a rule that it cannot express; the other actions drop only the condition.
    pub strict: bool,
    pub namespace: &'a str,
    /// The mesh's trust domain and its aliases.
    pub trust: &'a [String],
}

/// Why a rule does not exist on a chain: the field.
pub type Dropped = String;

/// `from[].source` in the order in which they are looked at when a cause is wanted: field, key.
const SOURCE: [(&str, &str); 7] = [
    ("principals", "source.principal"),
    ("requestPrincipals", "request.auth.principal"),
    ("namespaces", "source.namespace"),
    ("serviceAccounts", "source.serviceAccount"),
    ("trustDomains", "source.trustDomain"),
    ("ipBlocks", "source.ip"),
    ("remoteIpBlocks", "remote.ip"),
];

const OPERATION: [(&str, &str); 4] = [("paths", "path"), ("methods", "method"), ("hosts", "host"), ("ports", "destination.port")];

/// Conditions under construction.
struct Draft<'a> {
    chain: Chain<'a>,
    ignored: Vec<String>,
}

/// Reads `spec.rules[i]`.
///
/// # Errors
/// The field for which the rule does not exist on this chain.
pub fn rule(name: String, i: usize, value: &Value, chain: Chain<'_>) -> Result<Rule, Dropped> {
    let field = format!("spec.rules[{i}]");
    let mut draft = Draft { chain, ignored: Vec::new() };
    let (mut what_base, mut who_base) = (Side::new(), Side::new());
    for (j, when) in list(value, "when").iter().enumerate() {
        let key = when.get("key").and_then(Value::as_str).unwrap_or("");
        let at = format!("{field}.when[{j}]");
        if !is_known(key) {
            return Err(format!("{at}.key"));
        }
        let base = if is_about_the_request(key) { &mut what_base } else { &mut who_base };
        draft.both(
            base,
            key,
            (&format!("{at}.values"), when.get("values")),
            (&format!("{at}.notValues"), when.get("notValues")),
        )?;
    }
    let who = draft.sides(value, "from", "source", &SOURCE, (&field, who_base))?;
    let what = draft.sides(value, "to", "operation", &OPERATION, (&field, what_base))?;
    Ok(Rule { name, field, what, who, ignored: draft.ignored })
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn is_about_the_request(key: &str) -> bool {
    matches!(key, "destination.ip" | "destination.port" | "connection.sni") || key.starts_with("experimental.envoy.filters.")
}

fn is_known(key: &str) -> bool {
    is_about_the_request(key)
        || SOURCE.iter().any(|(_, known)| *known == key)
        || matches!(key, "request.auth.audiences" | "request.auth.presenter")
        || key.starts_with("request.headers")
        || key.starts_with("request.auth.claims")
}

impl Draft<'_> {
    /// `from` or `to`: one side per entry, with the conditions of `when` on each; without entries those alone.
    fn sides(
        &mut self,
        value: &Value,
        name: &str,
        inner: &str,
        fields: &[(&str, &str)],
        base: (&str, Side),
    ) -> Result<Vec<Side>, Dropped> {
        let mut sides = Vec::new();
        for (j, entry) in list(value, name).iter().enumerate() {
            let mut side = Side::new();
            let written = entry.get(inner).unwrap_or(&Value::Null);
            for (plural, key) in fields {
                let not = format!("not{}{}", plural[..1].to_ascii_uppercase(), &plural[1..]);
                let at = |n: &str| format!("{}.{name}[{j}].{inner}.{n}", base.0);
                self.both(&mut side, key, (&at(plural), written.get(plural)), (&at(&not), written.get(&not)))?;
            }
            side.extend(base.1.iter().cloned());
            sides.push(side);
        }
        if sides.is_empty() {
            sides.push(base.1);
        }
        Ok(sides)
    }

    fn both(
        &mut self,
        side: &mut Side,
        key: &str,
        values: (&str, Option<&Value>),
        not: (&str, Option<&Value>),
    ) -> Result<(), Dropped> {
        for ((field, values), negated) in [(values, false), (not, true)] {
            let values = strings(values.unwrap_or(&Value::Null));
            if values.is_empty() {
                continue;
            }
            match self.test(key, &values, field)? {
                Some(test) => side.push(Term { field: field.to_string(), test, negated }),
                None => self.ignored.push(field.to_string()),
            }
        }
        Ok(())
    }

    /// The condition; `None` when this chain cannot have it and the action goes on without.
    fn test(&self, key: &str, values: &[String], field: &str) -> Result<Option<Test>, Dropped> {
        let unable = || if self.chain.strict { Err(field.to_string()) } else { Ok(None) };
        let http_only = matches!(key, "path" | "method" | "host") || key.starts_with("request.");
        if self.chain.tcp && http_only {
            return unable();
        }
        let texts = |read: &dyn Fn(&str) -> Text| values.iter().map(|v| read(v)).collect::<Vec<_>>();
        let made = match key {
            "path" => Some(Test::Path(texts(&values::path))),
            "method" => Some(Test::Method(texts(&Text::of))),
            "host" => Some(Test::Host(texts(&|v| Text::of(v).lower()))),
            "connection.sni" => Some(Test::ServerName(texts(&Text::of))),
            "destination.port" => self.parsed(values, |v| v.parse().ok()).map(Test::DestinationPort),
            "destination.ip" => self.parsed(values, values::range).map(Test::DestinationIp),
            "source.ip" => self.parsed(values, values::range).map(Test::SourceIp),
            "remote.ip" => self.parsed(values, values::range).map(Test::RemoteIp),
            "source.namespace" => Some(Test::Identity(texts(&Text::namespace))),
            "source.serviceAccount" => Some(Test::Identity(texts(&|v| Text::service_account(v, self.chain.namespace)))),
            "source.trustDomain" => Some(Test::Identity(self.trust_domains(values))),
            "source.principal" => Some(Test::Identity(self.principals(values))),
            _ if key.starts_with("request.headers") => {
                let name = key.strip_prefix("request.headers[").and_then(|n| n.strip_suffix(']'));
                name.map(|n| Test::Header(n.to_ascii_lowercase(), texts(&Text::of)))
            }
            _ if key.starts_with("request.auth.") => Some(Test::Claim),
            _ => Some(Test::Metadata),
        };
        made.map_or_else(unable, |test| Ok(Some(test)))
    }

    /// Values that must be read: strict rules need all of them, the others do with those that can be read.
    fn parsed<T>(&self, values: &[String], read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        let good: Vec<T> = values.iter().filter_map(|v| read(v)).collect();
        let enough = if self.chain.strict { good.len() == values.len() } else { !good.is_empty() };
        enough.then_some(good)
    }

    /// Principals of the mesh's trust domain (or of `cluster.local`, which points to it) stand for its aliases too.
    fn principals(&self, values: &[String]) -> Vec<Text> {
        let mut all = Vec::new();
        for value in values {
            let parts: Vec<&str> = value.split('/').collect();
            let ours = |domain: &str| domain == "cluster.local" || self.chain.trust.iter().any(|t| t == domain);
            if parts.len() == 5 && ours(parts[0]) {
                let rest = parts[1..].join("/");
                all.extend(self.chain.trust.iter().map(|domain| Text::principal(&format!("{domain}/{rest}"))));
            } else {
                all.push(Text::principal(value));
            }
        }
        all
    }

    fn trust_domains(&self, values: &[String]) -> Vec<Text> {
        let expand = |value: &String| match self.chain.trust.contains(value) {
            true => self.chain.trust.to_vec(),
            false => vec![value.clone()],
        };
        values.iter().flat_map(expand).map(|domain| Text::trust_domain(&domain)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value, tcp: bool, strict: bool) -> Result<Rule, Dropped> {
        let trust = ["cluster.local".to_string(), "old".to_string()];
        rule("n".into(), 2, &value, Chain { tcp, strict, namespace: "default", trust: &trust })
    }

    #[test]
    fn a_rule_has_a_side_per_entry_and_when_on_each() {
        let value = json!({
            "from": [{"source": {"principals": ["cluster.local/ns/a/sa/b"]}}, {"source": {"notIpBlocks": ["10.0.0.0/8"]}}],
            "to": [{"operation": {"hosts": ["A.org"], "paths": ["/x"]}}],
            "when": [{"key": "connection.sni", "values": ["a.org"]}, {"key": "request.headers[X-A]", "notValues": ["1"]}],
        });
        let rule = read(value, false, true).expect("a rule");
        let fields = |side: &Side| side.iter().map(|t| t.field.clone()).collect::<Vec<_>>();
        assert_eq!(
            fields(&rule.what[0]),
            ["spec.rules[2].to[0].operation.paths", "spec.rules[2].to[0].operation.hosts", "spec.rules[2].when[0].values"]
        );
        assert_eq!(fields(&rule.who[1]), ["spec.rules[2].from[1].source.notIpBlocks", "spec.rules[2].when[1].notValues"]);
        assert!(rule.who[1].iter().all(|t| t.negated));
        let Test::Identity(texts) = &rule.who[0][0].test else { panic!("an identity") };
        assert!(texts.iter().any(|t| t.fits("spiffe://old/ns/a/sa/b")), "aliases count");
    }

    #[test]
    fn what_tcp_cannot_read_drops_an_allow_rule_and_widens_a_deny_rule() {
        let value = json!({"to": [{"operation": {"paths": ["/x"], "ports": ["443"]}}]});
        assert_eq!(read(value.clone(), true, true), Err("spec.rules[2].to[0].operation.paths".into()));
        let wide = read(value.clone(), true, false).expect("a rule");
        assert_eq!((wide.what[0].len(), wide.ignored.as_slice()), (1, &["spec.rules[2].to[0].operation.paths".to_string()][..]));
        assert_eq!(read(value, false, true).expect("a rule").what[0].len(), 2);
        assert!(read(json!({"when": [{"key": "no.such", "values": ["x"]}]}), false, false).is_err());
    }
}
