//! `kubectl autoscale`.

use super::apply::{self, DryRun, manager};
use super::error::{Error, Result};
use super::flags::{Flag, Parsed, Takes, flag};
use super::print::output::Output;
use super::session::{Ask, Session};
use super::subject::{self, Subject};
use serde_json::{Value, json};

pub const FLAGS: &[Flag] = &[
    flag("min", Takes::Int, "the fewest pods"),
    flag("max", Takes::Int, "the most pods"),
    flag("cpu", Takes::Text, "the CPU use to hold: a percentage (80%) or an amount (500m)"),
    flag("memory", Takes::Text, "the memory use to hold: a percentage or an amount"),
    flag("cpu-percent", Takes::Int, "the old way to say --cpu"),
    flag("name", Takes::Text, "the autoscaler's name, if not the workload's"),
    flag("generator", Takes::Text, "takes no effect"),
];

/// Runs `kubectl autoscale`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    if !p.given("max") {
        return Err(Error::plain("required flag(s) \"max\" not set"));
    }
    let (min, max) = (p.int("min").unwrap_or(-1), p.int("max").unwrap_or(-1));
    if p.given("cpu-percent") {
        s.warn("Flag --cpu-percent has been deprecated, Use --cpu with percentage or resource quantity format (e.g., '70%' for utilization or '500m' for milliCPU).");
        if p.given("cpu") {
            return Err(Error::plain("--cpu and --cpu-percent are mutually exclusive"));
        }
    }
    let metrics = metrics(p)?;
    if max < 1 {
        return Err(Error::plain(format!("--max=MAXPODS is required and must be at least 1, max: {max}")));
    }
    if max < min {
        return Err(Error::plain(format!("--max=MAXPODS must be larger or equal to --min=MINPODS, max: {max}, min: {min}")));
    }
    let dry_run = DryRun::of(p)?;
    let output = Output::parse(p)?;
    let mut printed = Vec::new();
    let operands = p.operands.clone();
    for subject in subject::subjects(s, p, &operands).await? {
        if !subject.resource.subresources.iter().any(|sub| sub == "scale") {
            return Err(Error::plain(format!(
                "cannot autoscale a {}: could not find scale subresource for {}/{}, Resource={} in discovery information",
                subject.resource.kind, subject.resource.group, subject.resource.version, subject.resource.plural
            )));
        }
        let mut body = autoscaler(p, &subject, (min, max), &metrics);
        if dry_run != DryRun::Client || s.namespace_given {
            body["metadata"]["namespace"] = json!(subject.namespace);
        }
        let made = match dry_run {
            DryRun::Client => body,
            _ => {
                let path = format!("/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers", subject.namespace);
                let ask = Ask::post(path, &body)
                    .query("dryRun", dry_run.query())
                    .query("fieldManager", manager(p, "kubectl-autoscale"));
                s.json(ask).await?
            }
        };
        let name = made["metadata"]["name"].as_str().unwrap_or("").to_string();
        match output.is_human() {
            true => s.say(&format!("horizontalpodautoscaler.autoscaling/{name} autoscaled{}", dry_run.suffix())),
            false => printed.push(made),
        }
    }
    apply::print_objects(s, p, &output, printed).await?;
    Ok(0)
}

fn invalid(name: &str, value: &str) -> Error {
    Error::plain(format!("invalid resource {name} value: {value}"))
}

/// `80%` is a share, `500m` an amount.
fn metrics(p: &Parsed) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    let old = p.int("cpu-percent").filter(|n| *n >= 0).map(|n| format!("{n}%"));
    for (name, value) in [("cpu", p.text("cpu").map(str::to_string).or(old)), ("memory", p.text("memory").map(str::to_string))] {
        let Some(value) = value else { continue };
        let target = match value.strip_suffix('%') {
            Some(share) => {
                let share = share.parse::<i64>().ok().filter(|n| *n > 0);
                let share = share.ok_or_else(|| invalid(name, &value))?;
                json!({"type": "Utilization", "averageUtilization": share})
            }
            None => {
                let amount = crate::k8s::quantity::Quantity::parse(&value).ok_or_else(|| invalid(name, &value))?;
                json!({"type": "AverageValue", "averageValue": amount.canonical()})
            }
        };
        found.push(json!({"type": "Resource", "resource": {"name": name, "target": target}}));
    }
    Ok(found)
}

fn autoscaler(p: &Parsed, subject: &Subject, (min, max): (i64, i64), metrics: &[Value]) -> Value {
    let name = p.text("name").unwrap_or(subject.name());
    let mut spec = json!({"maxReplicas": max, "scaleTargetRef": {
        "apiVersion": subject.resource.api_version(), "kind": subject.resource.kind, "name": subject.name()}});
    if min > 0 {
        spec["minReplicas"] = json!(min);
    }
    if !metrics.is_empty() {
        spec["metrics"] = json!(metrics);
    }
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name}, "spec": spec,
        "status": {"currentMetrics": null, "desiredReplicas": 0}})
}
