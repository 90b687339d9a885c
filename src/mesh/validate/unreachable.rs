//! Rules that can never be reached: warnings only (S: validation.go analyzeUnreachableHTTPRules and its sisters).

use super::{Validation, items, text};
use serde_json::Value;
use std::collections::BTreeMap;

/// Looks at the rules of one protocol.
pub fn warn(rules: &[Value], http: bool, found: &mut Validation) {
    let mut seen: Vec<(Value, usize)> = Vec::new();
    let mut prefixes = Vec::new();
    let mut catch_all = false;
    for (at, rule) in rules.iter().enumerate() {
        let matches = items(&rule["match"]);
        let name = if http { name(rule, at) } else { format!("#{at}") };
        let unused = |reason: &str| format!("virtualService rule {name} not used ({reason})");
        if matches.is_empty() {
            if catch_all {
                found.warn(unused("only the last rule can have no matches"));
            }
            catch_all = true;
            continue;
        }
        let mut repeated = 0;
        for (i, one) in matches.iter().enumerate() {
            if catch_all {
                found.warn(unused("route without matches defined before"));
                continue;
            }
            let bare = bare(one);
            let label = if http { self::name(one, i) } else { format!("#{i}") };
            if let Some((_, by)) = seen.iter().find(|(earlier, _)| *earlier == bare) {
                let by = if http { self::name(&rules[*by], *by) } else { format!("#{by}") };
                found.warn(ineffective(&name, &label, &by));
                repeated += 1;
                continue;
            }
            seen.push((bare, at));
            prefixes.extend(Prefix::of(one, &name, &label).filter(|_| http));
        }
        if repeated == matches.len() {
            found.warn(unused("all matches used by prior rules"));
        }
    }
    for (i, a) in prefixes.iter().enumerate() {
        for b in prefixes[i + 1..].iter().filter(|b| a.prefix != b.prefix && a.covers(b)) {
            let later = format!("{} of prefix {}", b.label, b.prefix);
            found.warn(ineffective(&b.rule, &later, &format!("{} of prefix {} on {}", a.label, a.prefix, a.rule)));
        }
    }
}

fn ineffective(rule: &str, one: &str, by: &str) -> String {
    format!("virtualService rule {rule} match {one} is not used (duplicate/overlapping match in rule {by})")
}

fn name(value: &Value, at: usize) -> String {
    match text(&value["name"]) {
        "" => format!("#{at}"),
        name => format!("{name:?}"),
    }
}

/// A match without its name.
fn bare(one: &Value) -> Value {
    let mut value = one.clone();
    if let Some(members) = value.as_object_mut() {
        members.remove("name");
    }
    value
}

/// A match by a URI's prefix.
struct Prefix {
    rule: String,
    label: String,
    prefix: String,
    port: u64,
    method: String,
    authority: String,
    maps: [BTreeMap<String, String>; 3],
}

impl Prefix {
    fn of(one: &Value, rule: &str, label: &str) -> Option<Prefix> {
        let prefix = one["uri"]["prefix"].as_str().filter(|p| !p.is_empty())?;
        let method = exact_or_prefix(&one["method"]);
        let map = |field: &str| {
            let members = one[field].as_object().into_iter().flatten();
            members.map(|(key, value)| (key.clone(), exact_or_prefix(value))).collect()
        };
        Some(Prefix {
            rule: rule.into(),
            label: label.into(),
            prefix: prefix.into(),
            port: one["port"].as_u64().unwrap_or(0),
            method: if method.is_empty() { "exact:GET".into() } else { method },
            authority: exact_or_prefix(&one["authority"]),
            maps: ["headers", "queryParams", "withoutHeaders"].map(map),
        })
    }

    /// Whether Istio thinks that whatever the other matches is matched by this one.
    fn covers(&self, other: &Prefix) -> bool {
        let within = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|v| value.starts_with(v.as_str())))
        };
        other.prefix.starts_with(&self.prefix)
            && self.port == other.port
            && self.method.starts_with(&other.method)
            && self.authority.starts_with(&other.authority)
            && self.maps.iter().zip(&other.maps).all(|(a, b)| within(a, b))
    }
}

fn exact_or_prefix(matcher: &Value) -> String {
    match (text(&matcher["exact"]), text(&matcher["prefix"])) {
        ("", "") => String::new(),
        ("", prefix) => format!("prefix:{prefix}"),
        (exact, _) => format!("exact:{exact}"),
    }
}
