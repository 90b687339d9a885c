//! `kubectl create ingress`.

use super::{Made, name};
use crate::kubectl::error::{Error, Result};
use crate::kubectl::flags::Parsed;
use crate::kubectl::session::Session;
use serde_json::{Map, Value, json};

/// One `--rule`: `host/path=service:port[,tls[=secret]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    host: String,
    path: String,
    prefix: bool,
    service: String,
    port: String,
    /// The secret's name; empty for the controller's own certificate.
    tls: Option<String>,
}

pub async fn ingress(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let name = name(&p.operands, &s.verb)?;
    let rules = p.list("rule").iter().map(|text| rule(text)).collect::<Result<Vec<Rule>>>()?;
    if rules.is_empty() && p.str("default-backend").is_empty() {
        return Err(Error::plain(
            "not enough information provided: every ingress has to either specify a default-backend (which catches all traffic) or a list of rules (which catch specific paths)",
        ));
    }
    let mut metadata = json!({"name": name});
    let annotations = annotations(p)?;
    if !annotations.is_empty() {
        metadata["annotations"] = Value::Object(annotations);
    }
    let mut spec = json!({});
    if let Some(class) = p.text("class").filter(|c| !c.is_empty()) {
        spec["ingressClassName"] = json!(class);
    }
    if let Some(text) = p.text("default-backend").filter(|t| !t.is_empty()) {
        let (service, port) = text
            .split_once(':')
            .filter(|(_, port)| !port.contains(':'))
            .ok_or_else(|| Error::plain("default-backend should be in format servicename:serviceport"))?;
        spec["defaultBackend"] = json!({"service": {"name": service, "port": backend_port(port)}});
    }
    if !rules.is_empty() {
        spec["rules"] = json!(hosts(&rules));
    }
    let tls = certificates(&rules);
    if !tls.is_empty() {
        spec["tls"] = json!(tls);
    }
    let object = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec,
        "status": {"loadBalancer": {}}});
    let (root, printed) = ("/apis/networking.k8s.io/v1", "ingress.networking.k8s.io");
    Made { object, root, plural: "ingresses", printed, namespaced: true, failed: "failed to create ingress:" }.post(s, p).await
}

fn annotations(p: &Parsed) -> Result<Map<String, Value>> {
    let pair = |text: &String| match text.split_once('=') {
        Some((key, value)) => Ok((key.to_string(), json!(value))),
        None => Err(Error::plain(format!("annotation {text} is invalid and should be in format key=[value]"))),
    };
    p.list("annotation").iter().map(pair).collect()
}

fn rule(text: &str) -> Result<Rule> {
    let invalid =
        || Error::plain(format!("rule {text} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]"));
    let (place, rest) = text.split_once('=').ok_or_else(invalid)?;
    let (host, path) = place.split_once('/').ok_or_else(invalid)?;
    let (backend, tls) = match rest.split_once(',') {
        None => (rest, None),
        Some((backend, "tls")) => (backend, Some(String::new())),
        Some((backend, tls)) => (backend, Some(tls.strip_prefix("tls=").ok_or_else(invalid)?.to_string())),
    };
    let (service, port) = backend.split_once(':').ok_or_else(invalid)?;
    let good = |text: &str| !text.is_empty() && !text.contains([':', ',', '/', '=']);
    if !good(service) || !good(port) {
        return Err(invalid());
    }
    Ok(Rule {
        host: host.into(),
        path: format!("/{}", path.strip_suffix('*').unwrap_or(path)),
        prefix: path.ends_with('*'),
        service: service.into(),
        port: port.into(),
        tls,
    })
}

fn backend_port(port: &str) -> Value {
    port.parse::<i64>().map_or_else(|_| json!({"name": port}), |number| json!({"number": number}))
}

/// Rules of one host are one entry, in the order in which hosts first come.
fn hosts(rules: &[Rule]) -> Vec<Value> {
    let mut found: Vec<(&str, Vec<Value>)> = Vec::new();
    for rule in rules {
        let path = json!({"path": rule.path, "pathType": if rule.prefix { "Prefix" } else { "Exact" },
            "backend": {"service": {"name": rule.service, "port": backend_port(&rule.port)}}});
        match found.iter_mut().find(|(host, _)| *host == rule.host) {
            Some((_, paths)) => paths.push(path),
            None => found.push((&rule.host, vec![path])),
        }
    }
    let entry = |(host, paths): (&str, Vec<Value>)| match host {
        "" => json!({"http": {"paths": paths}}),
        host => json!({"host": host, "http": {"paths": paths}}),
    };
    found.into_iter().map(entry).collect()
}

/// One entry for each secret.
fn certificates(rules: &[Rule]) -> Vec<Value> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    for rule in rules {
        let Some(secret) = rule.tls.as_deref() else { continue };
        let hosts = match found.iter().position(|(known, _)| *known == secret) {
            Some(at) => &mut found[at].1,
            None => {
                found.push((secret, Vec::new()));
                let last = found.len() - 1;
                &mut found[last].1
            }
        };
        if !rule.host.is_empty() && !hosts.contains(&rule.host.as_str()) {
            hosts.push(&rule.host);
        }
    }
    let entry = |(secret, hosts): (&str, Vec<&str>)| {
        let mut entry = json!({});
        if !hosts.is_empty() {
            entry["hosts"] = json!(hosts);
        }
        if !secret.is_empty() {
            entry["secretName"] = json!(secret);
        }
        entry
    };
    found.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_kubectl_reads_them() {
        let read =
            |text: &str| rule(text).map(|r| format!("{} {} {} {}:{} {:?}", r.host, r.path, r.prefix, r.service, r.port, r.tls));
        assert_eq!(read("a.b/*=svc1:80").unwrap(), "a.b / true svc1:80 None");
        assert_eq!(read("foo.com/bar=s:http,tls=cert").unwrap(), "foo.com /bar false s:http Some(\"cert\")");
        assert_eq!(read("/=s:80,tls").unwrap(), " / false s:80 Some(\"\")");
        for bad in ["bad", "a=s:80", "a/b", "a/b=s", "a/b=s:80,x", "a/b=:80", "a/b=s:"] {
            assert!(rule(bad).unwrap_err().text().contains("is invalid and should be in format"), "{bad}");
        }
    }
}
