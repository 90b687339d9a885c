//! Authorization as filters: DENY before ALLOW, one policy of Envoy's for each rule (Istio: security/authz/builder, security/authz/model).
//! What a rule says about tokens is written as never true, since no token filter is written; of CUSTOM only those without a
//! provider are, which deny; dry runs are not.

use super::{Told, extension, put};
use crate::mesh::policy::authorize::Action;
use crate::mesh::policy::rules::{Rule, Side, Term, Test};
use crate::mesh::policy::values::Text;
use serde_json::{Map, Value, json};

/// The filters of a chain; `http`: inside the HTTP connection manager, else before the TCP proxy.
pub fn filters(told: &Told<'_>, http: bool) -> Vec<Value> {
    let authorization = &told.proxy.guard.authorization;
    let one = |(action, word): (Action, &str)| {
        let rules = authorization.rules(action, http)?;
        let mut policies: Map<String, Value> = rules.iter().map(|r| (r.name.clone(), policy(r))).collect();
        if policies.is_empty() {
            // A policy without rules: ALLOW then allows nothing, and DENY denies nothing.
            let never =
                json!({ "permissions": [{ "not_rule": { "any": true } }], "principals": [{ "not_id": { "any": true } }] });
            policies.insert("none".into(), never);
        }
        Some(filter(json!({ "action": word, "policies": policies }), http))
    };
    let orphans: Map<String, Value> =
        authorization.without_provider(http).into_iter().map(|(name, rule)| (name, policy(rule))).collect();
    let custom = (!orphans.is_empty()).then(|| filter(json!({ "action": "DENY", "policies": orphans }), http));
    custom.into_iter().chain([(Action::Deny, "DENY"), (Action::Allow, "ALLOW")].into_iter().filter_map(one)).collect()
}

fn filter(rules: Value, http: bool) -> Value {
    let mut config = json!({ "rules": rules });
    if http {
        return extension("envoy.filters.http.rbac", "envoy.extensions.filters.http.rbac.v3.RBAC", config);
    }
    put(&mut config, "stat_prefix", Some(json!("tcp.")));
    extension("envoy.filters.network.rbac", "envoy.extensions.filters.network.rbac.v3.RBAC", config)
}

fn policy(rule: &Rule) -> Value {
    let all = |sides: &[Side], word: &str, one: &dyn Fn(&Test) -> Value, or: &str, not: &str| -> Vec<Value> {
        let side = |side: &Side| {
            let terms: Vec<Value> = side.iter().map(|t| term(t, one, or, not)).collect();
            let rules = if terms.is_empty() { vec![json!({ "any": true })] } else { terms };
            json!({ word: { if word == "and_ids" { "ids" } else { "rules" }: rules } })
        };
        sides.iter().map(side).collect()
    };
    json!({
        "permissions": all(&rule.what, "and_rules", &permission, "or_rules", "not_rule"),
        "principals": all(&rule.who, "and_ids", &principal, "or_ids", "not_id"),
    })
}

fn term(of: &Term, one: &dyn Fn(&Test) -> Value, or: &str, not: &str) -> Value {
    let key = if or == "or_ids" { "ids" } else { "rules" };
    let any = json!({ or: { key: one(&of.test) } });
    if of.negated { json!({ not: any }) } else { any }
}

/// What a request asks for: a list of which one has to hold.
fn permission(of: &Test) -> Value {
    match of {
        Test::DestinationIp(nets) => nets.iter().map(|n| json!({ "destination_ip": range(n) })).collect(),
        Test::DestinationPort(ports) => ports.iter().map(|p| json!({ "destination_port": p })).collect(),
        Test::ServerName(texts) => texts.iter().map(|t| json!({ "requested_server_name": string(t, false) })).collect(),
        Test::Host(texts) => texts.iter().map(|t| json!({ "header": header(":authority", t, true) })).collect(),
        Test::Method(texts) => texts.iter().map(|t| json!({ "header": header(":method", t, false) })).collect(),
        Test::Path(texts) => texts.iter().map(|t| json!({ "url_path": { "path": string(t, false) } })).collect(),
        Test::Header(name, texts) => texts.iter().map(|t| json!({ "header": header(name, t, false) })).collect(),
        _ => json!([{ "not_rule": { "any": true } }]),
    }
}

/// Who asks: a list of which one has to hold.
fn principal(of: &Test) -> Value {
    match of {
        Test::SourceIp(nets) => nets.iter().map(|n| json!({ "direct_remote_ip": range(n) })).collect(),
        Test::RemoteIp(nets) => nets.iter().map(|n| json!({ "remote_ip": range(n) })).collect(),
        Test::Identity(texts) => {
            texts.iter().map(|t| json!({ "authenticated": { "principal_name": string(t, false) } })).collect()
        }
        Test::Header(name, texts) => texts.iter().map(|t| json!({ "header": header(name, t, false) })).collect(),
        _ => json!([{ "not_id": { "any": true } }]),
    }
}

fn range(of: &(std::net::IpAddr, u8)) -> Value {
    json!({ "address_prefix": of.0.to_string(), "prefix_len": of.1 })
}

fn header(name: &str, of: &Text, ignore_case: bool) -> Value {
    match of {
        Text::Any => json!({ "name": name, "present_match": true }),
        text => json!({ "name": name, "string_match": string(text, ignore_case) }),
    }
}

fn string(of: &Text, ignore_case: bool) -> Value {
    let mut written = match of {
        Text::Exact(text) => json!({ "exact": text }),
        Text::Prefix(text) => json!({ "prefix": text }),
        Text::Suffix(text) => json!({ "suffix": text }),
        Text::Any => return json!({ "safe_regex": { "regex": ".+" } }),
        Text::Pattern(pattern) => return json!({ "safe_regex": { "regex": format!("^(?:{})$", pattern.as_str()) } }),
    };
    put(&mut written, "ignore_case", ignore_case.then_some(json!(true)));
    written
}
