//! AuthorizationPolicy (S: ValidateAuthorizationPolicy, pkg/config/security).

use super::{Validation, filled, items, selector, text, texts};
use crate::k8s::Object;
use serde_json::Value;

const TCP: &str = "configured AuthorizationPolicy will deny all traffic to TCP ports under its scope due to the use of only HTTP attributes \
                   in a DENY rule; it is recommended to explicitly specify the port";

/// Checks one. Every error carries the policy's name.
pub fn validate(object: &Object, found: &mut Validation) {
    let mut inner = Validation::default();
    policy(object.spec(), &mut inner);
    let prefix = format!("invalid policy {}.{}:", object.name(), object.namespace());
    for error in &mut inner.errors {
        *error = format!("{prefix} {error}");
    }
    found.take(inner);
}

fn policy(spec: &Value, found: &mut Validation) {
    selector::one_of(spec, found);
    selector::matching(&spec["selector"], found);
    selector::targets(spec, found);
    let action = match text(&spec["action"]) {
        "" => "ALLOW",
        action => action,
    };
    let none = items(&spec["rules"]).is_empty();
    let idle = format!(
        "{action} action without `rules` is meaningless as it will never be triggered, add an empty rule `{{}}` if you want it be triggered \
         for every request"
    );
    if action == "CUSTOM" {
        custom(spec, none, &idle, found);
    }
    if !spec["provider"].is_null() && action != "CUSTOM" {
        found.error(format!("`provider` must not be with non CUSTOM action, found {action}"));
    }
    found.error_if(action == "DENY" && none, &idle);
    items(&spec["rules"]).iter().enumerate().for_each(|(i, r)| rule(r, i, action, found));
}

/// Fields of a source and the names that errors give them, in Istio's order.
const SOURCES: [(&str, &str); 10] = [
    ("namespaces", "From.Namespaces"),
    ("notNamespaces", "From.NotNamespaces"),
    ("serviceAccounts", "From.ServiceAccounts"),
    ("notServiceAccounts", "From.NotServiceAccounts"),
    ("trustDomains", "From.TrustDomains"),
    ("notTrustDomains", "From.NotTrustDomains"),
    ("principals", "From.Principals"),
    ("notPrincipals", "From.NotPrincipals"),
    ("requestPrincipals", "From.RequestPrincipals"),
    ("notRequestPrincipals", "From.NotRequestPrincipals"),
];

fn custom(spec: &Value, none: bool, idle: &str, found: &mut Validation) {
    if none {
        found.error(idle);
    } else if text(&spec["provider"]["name"]).is_empty() {
        found.error("`provider.name` must not be empty");
    }
    let unsupported = |name: &str| format!("{name} is currently not supported with CUSTOM action");
    for rule in items(&spec["rules"]) {
        for source in items(&rule["from"]).iter().map(|from| &from["source"]) {
            SOURCES.iter().filter(|(field, _)| filled(&source[*field])).for_each(|(_, name)| found.error(unsupported(name)));
        }
        for key in items(&rule["when"]).iter().map(|when| text(&when["key"])) {
            let known = ["source.namespace", "source.serviceAccount", "source.trustDomain", "source.principal"];
            if known.contains(&key) || key.starts_with("request.auth.") {
                found.error(unsupported(key));
            }
        }
    }
}

fn rule(rule: &Value, i: usize, action: &str, found: &mut Validation) {
    let (mut from_given, mut to_given, mut tcp_from, mut tcp_to) = (false, false, false, false);
    for from in items(&rule["from"]) {
        if from["source"].is_null() {
            found.error(format!("`from.source` must not be nil, found at rule {i}"));
            continue;
        }
        from_given = true;
        source(&from["source"], i, found);
        let kinds = ["principals", "ipBlocks", "namespaces", "remoteIpBlocks", "serviceAccounts"];
        let has = |field: &str| filled(&from["source"][field]) || filled(&from["source"][negated(field)]);
        tcp_from |= kinds.into_iter().any(has);
    }
    for to in items(&rule["to"]) {
        if to["operation"].is_null() {
            found.error(format!("`to.operation` must not be nil, found at rule {i}"));
            continue;
        }
        to_given = true;
        operation(&to["operation"], i, found);
        tcp_to |= filled(&to["operation"]["ports"]) || filled(&to["operation"]["notPorts"]);
    }
    items(&rule["when"]).iter().for_each(|when| condition(when, found));
    let http_only = from_given && !to_given && !tcp_from || to_given && !tcp_to;
    if http_only && action == "DENY" {
        found.warn(TCP);
    }
}

/// `notPrincipals` for `principals`.
fn negated(field: &str) -> String {
    format!("not{}{}", field[..1].to_uppercase(), &field[1..])
}

fn source(source: &Value, i: usize, found: &mut Validation) {
    let any = |fields: &[&str]| fields.iter().any(|f| filled(&source[*f]) || filled(&source[negated(f).as_str()]));
    if any(&["principals", "namespaces"]) && any(&["serviceAccounts"]) {
        found.error(format!("cannot set serviceAccounts with namespaces or principals, found at rule {i}"));
    }
    let all = ["principals", "requestPrincipals", "namespaces", "ipBlocks", "remoteIpBlocks", "serviceAccounts", "trustDomains"];
    if !any(&all) {
        found.error(format!("`from.source` must not be empty, found at rule {i}"));
    }
    ["ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"].iter().for_each(|f| found.take(addresses(&source[*f])));
    for not in [false, true] {
        for field in
            ["principals", "requestPrincipals", "namespaces", "serviceAccounts", "trustDomains", "ipBlocks", "remoteIpBlocks"]
        {
            let key = if not { negated(field) } else { field.to_string() };
            let name = format!("{}{}", key[..1].to_uppercase(), &key[1..]);
            let values = texts(&source[key.as_str()]);
            found.check(match field {
                "serviceAccounts" => service_accounts(&name, &values),
                "trustDomains" => trust_domains(&name, &values),
                _ => no_empty(&name, &values),
            });
        }
    }
}

fn operation(operation: &Value, i: usize, found: &mut Validation) {
    let fields = ["ports", "methods", "paths", "hosts", "notPorts", "notMethods", "notPaths", "notHosts"];
    if !fields.iter().any(|f| filled(&operation[*f])) {
        found.error(format!("`to.operation` must not be empty, found at rule {i}"));
    }
    ["ports", "notPorts"].iter().for_each(|f| found.take(ports(&operation[*f])));
    let name = |field: &str| format!("{}{}", field[..1].to_uppercase(), &field[1..]);
    fields.iter().for_each(|f| found.check(no_empty(&name(f), &texts(&operation[*f]))));
    ["paths", "notPaths"].iter().for_each(|f| found.check(path_templates(&name(f), &texts(&operation[*f]))));
}

fn condition(when: &Value, found: &mut Validation) {
    let key = text(&when["key"]);
    let (values, not) = (texts(&when["values"]), texts(&when["notValues"]));
    if key.is_empty() {
        found.error("`key` must not be empty");
    } else if values.is_empty() && not.is_empty() {
        found.error(format!("at least one of `values` or `notValues` must be set for key {key}"));
    } else {
        for (name, list, raw) in [("value", &values, &when["values"]), ("notValue", &not, &when["notValues"])] {
            let error = attribute(key, list, raw);
            if let Some(error) = error {
                found.error(format!("invalid `{name}` for `key` {key}: {error}"));
            }
        }
    }
}

/// What is wrong with the values of an attribute (S: ValidateAttribute).
fn attribute(key: &str, values: &[&str], raw: &Value) -> Option<String> {
    if let Err(error) = no_empty(key, values) {
        return Some(error);
    }
    let listed = |inner: Validation| (!inner.errors.is_empty()).then(|| inner.joined());
    match key {
        _ if key.starts_with("request.headers") || key.starts_with("request.auth.claims") => map_key(key).err(),
        _ if key.starts_with("experimental.envoy.filters.") => map_key(key).err(),
        "source.ip" | "remote.ip" | "destination.ip" => listed(addresses(raw)),
        "destination.port" => listed(ports(raw)),
        "source.serviceAccount" => service_accounts(key, values).err(),
        "source.trustDomain" => wildcards(key, values).err(),
        "source.namespace"
        | "source.principal"
        | "request.auth.principal"
        | "request.auth.audiences"
        | "request.auth.presenter"
        | "connection.sni" => None,
        "destination.namespace" => Some(format!("attribute {key} is replaced by the metadata.namespace")),
        _ if key.starts_with("destination.labels") => Some(format!("attribute {key} is replaced by the workload selector")),
        "destination.name" | "destination.user" => Some(format!("deprecated attribute {key}: only supported in v1alpha1")),
        _ => Some(format!("unknown attribute: {key}")),
    }
}

fn map_key(key: &str) -> Result<(), String> {
    let open = key.find('[').unwrap_or(0);
    match key.ends_with(']') && open > 0 && open + 2 < key.len() {
        true => Ok(()),
        false => Err(format!("bad key ({key}): should have format a[b]")),
    }
}

fn no_empty(key: &str, values: &[&str]) -> Result<(), String> {
    match values.contains(&"") {
        true => Err(format!("empty value not allowed, found in {key}")),
        false => Ok(()),
    }
}

fn wildcards(key: &str, values: &[&str]) -> Result<(), String> {
    no_empty(key, values)?;
    for value in values {
        match value.matches('*').count() {
            0 => (),
            1 if value.starts_with('*') || value.ends_with('*') => (),
            1 => return Err(format!("wildcard is only allowed at the start or end, found in {key}: {value:?}")),
            _ => return Err(format!("at most one wildcard is allowed, found in {key}: {value:?}")),
        }
    }
    Ok(())
}

fn trust_domains(key: &str, values: &[&str]) -> Result<(), String> {
    wildcards(key, values)?;
    match values.iter().find(|value| value.contains('/')) {
        Some(value) => Err(format!("trust domain must not contain '/', found in {key}: {value:?}")),
        None => Ok(()),
    }
}

fn service_accounts(key: &str, values: &[&str]) -> Result<(), String> {
    if values.len() > 16 {
        return Err("may not have more than 16 values".into());
    }
    let form = "expected format 'serviceAccount' or 'namespace/serviceAccount', found";
    for value in values {
        let parts: Vec<&str> = value.split('/').collect();
        let wrong = match parts.as_slice() {
            _ if value.is_empty() => format!("empty value not allowed, found in {key}"),
            _ if value.contains('*') => format!("wildcard not allowed, found in {key}"),
            [_, _, _, ..] => format!("{form} {value:?} in {key}"),
            _ if value.len() > 320 => format!("value cannot exceed 320 characters, found {value:?} in {key}"),
            ["", _] => format!("{form} empty namespace {value:?} in {key}"),
            [_, ""] => format!("{form} empty serviceAccount {value:?} in {key}"),
            _ => continue,
        };
        return Err(wrong);
    }
    Ok(())
}

fn path_templates(key: &str, paths: &[&str]) -> Result<(), String> {
    for path in paths {
        let template = path.contains("{*}") || path.contains("{**}");
        let path = path.trim_matches('/');
        let mut rest = false;
        for glob in path.split('/') {
            let wrong = match glob {
                "{*}" if !rest => continue,
                "{**}" if !rest => {
                    rest = true;
                    continue;
                }
                "{*}" | "{**}" => "{**} is not the last operator".to_string(),
                _ if glob.contains(['{', '}']) => "Contains '{' or '}' beyond a supported path template".to_string(),
                _ if template && !is_literal(glob) => format!("Contains segment {glob} with invalid string literal"),
                _ => continue,
            };
            return Err(format!("invalid or unsupported path {path}, found in {key}. {wrong}"));
        }
    }
    Ok(())
}

fn is_literal(glob: &str) -> bool {
    !glob.is_empty() && glob.chars().all(|c| c.is_ascii_alphanumeric() || "-._~%!$&'()+,;:@=".contains(c))
}

/// Addresses and networks.
fn addresses(list: &Value) -> Validation {
    let mut found = Validation::default();
    for value in texts(list) {
        let wrong = match value.rsplit_once('/') {
            None => value.parse::<std::net::IpAddr>().is_err().then(|| format!("bad IP address ({value})")),
            Some(_) => go_prefix(value).map(|e| format!("bad CIDR range ({value}): netip.ParsePrefix({value:?}): {e}")),
        };
        wrong.into_iter().for_each(|w| found.listed(w));
    }
    found
}

/// What Go's netip.ParsePrefix says of a network, `None` when it is one.
fn go_prefix(value: &str) -> Option<String> {
    let (address, bits) = value.rsplit_once('/')?;
    let most = match address.parse::<std::net::IpAddr>() {
        Ok(address) if address.is_ipv4() => 32,
        Ok(_) => 128,
        Err(_) => return Some(go_address(address)),
    };
    let digits = bits.chars().all(|c| c.is_ascii_digit())
        && !bits.is_empty()
        && bits.len() <= 3
        && !(bits.len() > 1 && bits.starts_with('0'));
    match bits.parse::<u32>() {
        Ok(bits) if digits && bits <= most => None,
        Ok(_) if digits => Some("prefix length out of range".into()),
        _ => Some(format!("bad bits after slash: {bits:?}")),
    }
}

/// What Go's netip.ParseAddr says of a text that is no address, for the commonest reasons.
fn go_address(text: &str) -> String {
    let why = match text {
        _ if !text.contains(['.', ':']) => "unable to parse IP".to_string(),
        _ if text.contains('.') && text.chars().all(|c| c.is_ascii_digit() || c == '.') => {
            let parts: Vec<&str> = text.split('.').collect();
            match () {
                () if parts.iter().any(|p| p.parse::<u32>().is_ok_and(|n| n > 255)) => "IPv4 field has value >255".into(),
                () if parts.len() < 4 => "IPv4 address too short".into(),
                () if parts.len() > 4 => "IPv4 address too long".into(),
                () => "IPv4 field must have at least one digit".into(),
            }
        }
        _ => {
            let at = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(0);
            return format!("ParseAddr({text:?}): unexpected character (at {:?})", &text[at..]);
        }
    };
    format!("ParseAddr({text:?}): {why}")
}

/// Port numbers.
fn ports(list: &Value) -> Validation {
    let mut found = Validation::default();
    for port in texts(list) {
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let go = |problem: &str| format!("strconv.ParseUint: parsing {port:?}: {problem}");
        let wrong = match port.parse::<u64>() {
            Ok(number) if digits && number <= 65_535 => continue,
            Ok(number) if digits && number <= u64::from(u32::MAX) => "<nil>".to_string(),
            _ if digits => go("value out of range"),
            _ => go("invalid syntax"),
        };
        found.listed(format!("bad port ({port}): {wrong}"));
    }
    found
}
