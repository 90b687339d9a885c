//! `kubectl expose`.

use super::apply::{self, DryRun, manager};
use super::error::{Error, Result};
use super::fetch;
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::print::output::Output;
use super::select;
use super::session::{Ask, Session};
use serde_json::{Map, Value, json};

pub const FLAGS: &[Flag] = &[
    flag("port", Takes::Int, "the service's port"),
    flag("target-port", Takes::Text, "the pods' port, if it is another"),
    flag("name", Takes::Text, "the service's name"),
    flag("type", Takes::Text, "ClusterIP (default), NodePort, LoadBalancer"),
    flag("protocol", Takes::Text, "TCP (default) or UDP"),
    flag("cluster-ip", Takes::Text, "the cluster IP, or None"),
    flag("selector", Takes::Text, "labels of the pods, if not the workload's own"),
    short("labels", 'l', Takes::Text, "labels for the service"),
];

/// Runs `kubectl expose`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let targets = select::targets(s, &p.operands).await?;
    let dry_run = DryRun::of(p)?;
    let output = Output::parse(p)?;
    let mut printed = Vec::new();
    for target in targets.items {
        let namespace = s.namespace.clone();
        let object = fetch::object(s, &target.resource, &namespace, &target.name).await?;
        let mut service = service(p, &target.name, &object)?;
        service["metadata"]["namespace"] = json!(namespace);
        let made = match dry_run {
            DryRun::Client => service,
            _ => {
                let ask = Ask::post(format!("/api/v1/namespaces/{namespace}/services"), &service)
                    .query("dryRun", dry_run.query())
                    .query("fieldManager", manager(p, "kubectl-expose"));
                s.json(ask).await?
            }
        };
        let name = made["metadata"]["name"].as_str().unwrap_or("").to_string();
        match output.is_human() {
            true => s.say(&format!("service/{name} exposed{}", dry_run.suffix())),
            false => printed.push(made),
        }
    }
    apply::print_objects(s, p, &output, printed).await?;
    Ok(0)
}

fn service(p: &Parsed, name: &str, object: &Value) -> Result<Value> {
    let selector = match p.text("selector") {
        Some(text) => labels(text)?,
        None => match object["kind"].as_str().unwrap_or("") {
            "Pod" => object["metadata"]["labels"].clone(),
            "Service" => object["spec"]["selector"].clone(),
            _ => object["spec"]["selector"]["matchLabels"].clone(),
        },
    };
    if selector.as_object().is_none_or(Map::is_empty) {
        return Err(Error::plain(
            "couldn't retrieve selectors via --selector flag or introspection: the object has no labels to select pods by",
        ));
    }
    let ports = match p.int("port") {
        Some(port) => vec![json!({"port": port, "protocol": p.text("protocol").unwrap_or("TCP"), "targetPort": target(p, port)})],
        None => container_ports(object),
    };
    if ports.is_empty() {
        return Err(Error::plain("couldn't find port via --port flag or introspection"));
    }
    let own = match p.text("labels") {
        Some(text) => labels(text)?,
        None => object["metadata"]["labels"].clone(),
    };
    let mut spec = json!({"selector": selector, "ports": ports});
    for (flag, field) in [("type", "type"), ("cluster-ip", "clusterIP")] {
        if p.given(flag) {
            spec[field] = json!(p.str(flag));
        }
    }
    let mut metadata = json!({"name": p.text("name").unwrap_or(name)});
    if own.is_object() {
        metadata["labels"] = own;
    }
    Ok(json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec, "status": {"loadBalancer": {}}}))
}

fn target(p: &Parsed, port: i64) -> Value {
    match p.text("target-port") {
        Some(text) => text.parse::<i64>().map_or_else(|_| json!(text), |n| json!(n)),
        None => json!(port),
    }
}

fn labels(text: &str) -> Result<Value> {
    let pair = |part: &str| match part.split_once('=') {
        Some((key, value)) => Ok((key.to_string(), json!(value))),
        None => Err(Error::plain(format!("unexpected label spec: {part}"))),
    };
    Ok(Value::Object(text.split(',').map(pair).collect::<Result<Map<String, Value>>>()?))
}

fn container_ports(object: &Value) -> Vec<Value> {
    let spec = if object["kind"] == "Pod" { &object["spec"] } else { &object["spec"]["template"]["spec"] };
    let containers = spec["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let all = containers.iter().flat_map(|c| c["ports"].as_array().cloned().unwrap_or_default());
    let mut ports: Vec<Value> = all
        .map(|port| json!({"port": port["containerPort"], "protocol": port["protocol"].as_str().unwrap_or("TCP"), "targetPort": port["containerPort"]}))
        .collect();
    if ports.len() > 1 {
        for (at, port) in ports.iter_mut().enumerate() {
            port["name"] = json!(format!("port-{}", at + 1));
        }
    }
    ports
}
