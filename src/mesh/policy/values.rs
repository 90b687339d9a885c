//! How an authorization rule writes values (Istio: security/authz/matcher): exact, `prefix*`, `*suffix`, `*`, networks, path templates.

use crate::mesh::compile::registry::{contains, network};
use crate::mesh::pattern::Pattern;
use std::net::IpAddr;

/// How a text must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Text {
    Exact(String),
    Prefix(String),
    Suffix(String),
    /// Not empty; for headers: present.
    Any,
    /// Fits as a whole.
    Pattern(Pattern),
}

impl Text {
    /// A value as rules write it.
    pub fn of(value: &str) -> Text {
        match (value, value.strip_prefix('*'), value.strip_suffix('*')) {
            ("*", ..) => Text::Any,
            (_, Some(suffix), _) => Text::Suffix(suffix.into()),
            (_, _, Some(prefix)) => Text::Prefix(prefix.into()),
            _ => Text::Exact(value.into()),
        }
    }

    /// A pattern that must fit as a whole.
    pub fn pattern(pattern: &str) -> Text {
        Text::Pattern(Pattern::new(pattern))
    }

    /// A principal: the value after `spiffe://`.
    pub fn principal(value: &str) -> Text {
        match (Text::of(value), value) {
            (Text::Suffix(suffix), _) => Text::pattern(&format!("spiffe://.*{}", regex::escape(&suffix))),
            (Text::Prefix(prefix), _) => Text::Prefix(format!("spiffe://{prefix}")),
            (Text::Exact(exact), _) => Text::Exact(format!("spiffe://{exact}")),
            (other, _) => other,
        }
    }

    /// `source.namespaces`: `*` stands for any text.
    pub fn namespace(value: &str) -> Text {
        let literal: Vec<String> = value.split('*').map(regex::escape).collect();
        Text::pattern(&format!(".*/ns/{}/.*", literal.join(".*")))
    }

    /// `source.serviceAccounts`: `NAME` in the policy's namespace, or `NAMESPACE/NAME`.
    pub fn service_account(value: &str, namespace: &str) -> Text {
        let (namespace, name) = value.split_once('/').unwrap_or((namespace, value));
        Text::pattern(&format!("spiffe://.+/ns/{}/(.+/|)sa/{}(/.+)?", regex::escape(namespace), regex::escape(name)))
    }

    /// `source.trustDomains`.
    pub fn trust_domain(value: &str) -> Text {
        match value.split_once('*') {
            _ if value == "*" => Text::Prefix("spiffe://".into()),
            None => Text::Prefix(format!("spiffe://{value}/")),
            Some((before, after)) => {
                Text::pattern(&format!("spiffe://{}[^/]*{}/.*", regex::escape(before), regex::escape(after)))
            }
        }
    }

    /// Whether a text is so.
    pub fn fits(&self, text: &str) -> bool {
        match self {
            Text::Exact(wanted) => wanted == text,
            Text::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Text::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Text::Any => !text.is_empty(),
            Text::Pattern(pattern) => pattern.is_match(text),
        }
    }

    /// Whether a header's value is so; `*` takes an empty value too.
    pub fn fits_header(&self, text: &str) -> bool {
        matches!(self, Text::Any) || self.fits(text)
    }

    /// The same in lower case: hosts are compared without regard to case.
    pub fn lower(self) -> Text {
        match self {
            Text::Exact(t) => Text::Exact(t.to_ascii_lowercase()),
            Text::Prefix(t) => Text::Prefix(t.to_ascii_lowercase()),
            Text::Suffix(t) => Text::Suffix(t.to_ascii_lowercase()),
            other => other,
        }
    }
}

/// An address or a network; `None` when the text is neither.
pub fn range(value: &str) -> Option<(IpAddr, u8)> {
    network(value).filter(|(ip, bits)| *bits <= if ip.is_ipv4() { 32 } else { 128 })
}

/// Whether one of the networks holds the address.
pub fn holds(networks: &[(IpAddr, u8)], ip: IpAddr) -> bool {
    networks.iter().any(|n| contains(*n, ip))
}

/// `paths`: a template when it has `{*}` or `{**}`, else a text.
pub fn path(value: &str) -> Text {
    if !value.contains("{*}") && !value.contains("{**}") {
        return Text::of(value);
    }
    let mut pattern = String::new();
    for (i, part) in value.split('/').enumerate() {
        if i > 0 {
            pattern.push('/');
        }
        match part {
            "{*}" | "*" => pattern.push_str("[^/]+"),
            "{**}" | "**" => pattern.push_str(".*"),
            literal => pattern.push_str(&regex::escape(literal)),
        }
    }
    Text::pattern(&pattern)
}

/// A path as Istio's listeners make it before anything reads it (`pathNormalization: BASE`): back slashes turned, needless
/// escapes undone, dot segments resolved, the query left alone. `None`: it is so
/// already.
pub fn normal(path: &str) -> Option<String> {
    let bytes = path.as_bytes();
    let dotted = || bytes.windows(2).any(|pair| pair == b"/.");
    if !bytes.iter().any(|b| matches!(b, b'\\' | b'%')) && !dotted() {
        return None;
    }
    let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    let slashed = unescape(&path.replace('\\', "/"));
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = slashed.split('/').skip(1).collect();
    for (i, segment) in segments.iter().enumerate() {
        let last = i + 1 == segments.len();
        match *segment {
            "." if last => kept.push(""),
            "." => {}
            ".." => {
                kept.pop();
                if last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    Some(format!("/{}{query}", kept.join("/")))
}

/// Escapes of letters, digits and `-._~` are undone, others stay as they are.
fn unescape(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code.map(char::from).filter(|c| c.is_ascii_alphanumeric() || "-._~".contains(*c)) {
            Some(c) => {
                out.push(c);
                rest = &rest[at + 3..];
            }
            None => {
                out.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_rules_write_them() {
        for (value, yes, no) in [
            ("GET", "GET", "GETX"),
            ("/a/*", "/a/b", "/b/a/"),
            ("*.wiki.org", "en.wiki.org", "wiki.org.x"),
            ("*", "x", ""),
            ("/a*b", "/a*b", "/axb"),
        ] {
            assert!(Text::of(value).fits(yes) && !Text::of(value).fits(no), "{value}");
        }
    }

    #[test]
    fn identities() {
        let id = "spiffe://cluster.local/ns/default/sa/test";
        for (text, fits) in [
            (Text::principal("cluster.local/ns/default/sa/test"), true),
            (Text::principal("cluster.local/ns/default/*"), true),
            (Text::principal("*/sa/test"), true),
            (Text::principal("*"), true),
            (Text::principal("ns/default/sa/test"), false),
            (Text::namespace("default"), true),
            (Text::namespace("def*"), true),
            (Text::namespace("defaul"), false),
            (Text::namespace("d.fault"), false),
            (Text::service_account("test", "default"), true),
            (Text::service_account("test", "foo"), false),
            (Text::service_account("default/test", "foo"), true),
            (Text::service_account("default/tes", "foo"), false),
            (Text::trust_domain("cluster.local"), true),
            (Text::trust_domain("cluster"), false),
            (Text::trust_domain("*.local"), true),
            (Text::trust_domain("clu*"), true),
            (Text::trust_domain("*"), true),
        ] {
            assert_eq!(text.fits(id), fits, "{text:?}");
        }
    }

    #[test]
    fn path_templates() {
        for (template, text, fits) in [
            ("/foo/{*}", "/foo/bar", true),
            ("/foo/{*}", "/foo/bar/buzz", false),
            ("/foo/{**}/", "/foo/bar/buzz/", true),
            ("/{*}/baz/{**}", "/x/baz/a/b", true),
            ("/{*}/baz/{**}", "/x/y/baz/a", false),
            ("/a.b/{*}", "/axb/c", false),
        ] {
            assert_eq!(path(template).fits(text), fits, "{template} {text}");
        }
    }

    #[test]
    fn paths_are_made_normal() {
        for (given, wanted) in [
            ("/a/../admin?x=../y", "/admin?x=../y"),
            ("/a/./b", "/a/b"),
            ("/a/b/..", "/a/"),
            ("/..", "/"),
            ("\\admin", "/admin"),
            ("/%2e%2E/admin", "/admin"),
            ("/a//b", "/a//b"),
            ("/tpl/%61%2f%zz%", "/tpl/a%2f%zz%"),
        ] {
            assert_eq!(normal(given).unwrap_or_else(|| given.into()), wanted, "{given}");
        }
    }
}
