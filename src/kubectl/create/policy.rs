//! Quotas, disruption budgets, priority classes.

use super::{Made, name};
use crate::k8s::quantity::Quantity;
use crate::k8s::selector::{LabelSelector, Requirement};
use crate::kubectl::error::{Error, Result};
use crate::kubectl::flags::Parsed;
use crate::kubectl::session::Session;
use serde_json::{Map, Value, json};

pub async fn quota(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let mut hard = Map::new();
    for pair in p.str("hard").split(',').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Error::plain(format!("Invalid argument syntax {pair}, expected <resource>=<value>")))?;
        hard.insert(key.to_string(), json!(quantity(value)?));
    }
    let mut spec = json!({});
    if !hard.is_empty() {
        spec["hard"] = Value::Object(hard);
    }
    if !p.list("scopes").is_empty() {
        spec["scopes"] = json!(p.list("scopes"));
    }
    let name = name(&p.operands, &s.verb)?;
    let object = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": spec, "status": {}});
    let failed = "failed to create quota:";
    Made { object, root: "/api/v1", plural: "resourcequotas", printed: "resourcequota", namespaced: true, failed }
        .post(s, p)
        .await
}

/// An amount in the form in which it is stored.
///
/// # Errors
/// kubectl's sentence about what is none.
pub fn quantity(text: &str) -> Result<String> {
    Quantity::parse(text).map(Quantity::canonical).ok_or_else(|| {
        Error::plain("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    })
}

pub async fn disruption_budget(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let name = name(&p.operands, &s.verb)?;
    if p.str("selector").is_empty() {
        return Err(Error::plain("a selector must be specified"));
    }
    let mut spec = json!({"selector": label_selector(p.str("selector"))?});
    match (p.str("min-available"), p.str("max-unavailable")) {
        ("", "") => return Err(Error::plain("one of min-available or max-unavailable must be specified")),
        (least, "") => spec["minAvailable"] = share(least, "min-available")?,
        ("", most) => spec["maxUnavailable"] = share(most, "max-unavailable")?,
        _ => return Err(Error::plain("min-available and max-unavailable cannot be both specified")),
    }
    let object = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec,
        "status": {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0}});
    let (plural, printed) = ("poddisruptionbudgets", "poddisruptionbudget.policy");
    let failed = "failed to create poddisruptionbudgets:";
    Made { object, root: "/apis/policy/v1", plural, printed, namespaced: true, failed }.post(s, p).await
}

/// `2` or `50%`.
fn share(text: &str, flag: &str) -> Result<Value> {
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    match (text.parse::<i64>(), text.strip_suffix('%')) {
        (Ok(number), _) if digits(text) => Ok(json!(number)),
        (_, Some(number)) if digits(number) => Ok(json!(text)),
        _ => Err(Error::plain(format!("invalid format specified for {flag}"))),
    }
}

/// A selector written as words, as a LabelSelector object.
///
/// # Errors
/// What is no selector.
pub fn label_selector(text: &str) -> Result<Value> {
    let (mut labels, mut expressions) = (Map::new(), Vec::new());
    let mut expression = |key: &str, operator: &str, mut values: Vec<String>| {
        values.sort();
        let mut entry = json!({"key": key, "operator": operator});
        if !values.is_empty() {
            entry["values"] = json!(values);
        }
        expressions.push(entry);
    };
    for requirement in LabelSelector::parse(text).map_err(Error::Plain)?.0 {
        match requirement {
            Requirement::In(key, values) if values.len() == 1 => drop(labels.insert(key, json!(values[0]))),
            Requirement::In(key, values) => expression(&key, "In", values),
            Requirement::NotIn(key, values) => expression(&key, "NotIn", values),
            Requirement::Exists(key) => expression(&key, "Exists", Vec::new()),
            Requirement::Missing(key) => expression(&key, "DoesNotExist", Vec::new()),
            Requirement::GreaterThan(key, n) | Requirement::LessThan(key, n) => {
                return Err(Error::plain(format!("\"{key}\" compared with {n} is not a valid label selector operator")));
            }
        }
    }
    let mut selector = json!({});
    if !labels.is_empty() {
        selector["matchLabels"] = Value::Object(labels);
    }
    if !expressions.is_empty() {
        selector["matchExpressions"] = json!(expressions);
    }
    Ok(selector)
}

pub async fn priority_class(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let name = name(&p.operands, &s.verb)?;
    let policy = p.text("preemption-policy").unwrap_or("PreemptLowerPriority");
    let mut object = json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name},
        "value": p.int("value").unwrap_or(0), "preemptionPolicy": policy});
    if p.on("global-default") {
        object["globalDefault"] = json!(true);
    }
    if !p.str("description").is_empty() {
        object["description"] = json!(p.str("description"));
    }
    let (plural, printed) = ("priorityclasses", "priorityclass.scheduling.k8s.io");
    let failed = "failed to create priorityclass:";
    Made { object, root: "/apis/scheduling.k8s.io/v1", plural, printed, namespaced: false, failed }.post(s, p).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_become_objects() {
        let want = json!({"matchLabels": {"a": "b"}, "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["d", "e"]}, {"key": "f", "operator": "Exists"},
            {"key": "g", "operator": "NotIn", "values": ["h"]}]});
        assert_eq!(label_selector("a=b,c in (e, d),f,g!=h").unwrap(), want);
    }

    #[test]
    fn shares_are_numbers_or_percentages() {
        assert_eq!(share("2", "x").unwrap(), json!(2));
        assert_eq!(share("50%", "x").unwrap(), json!("50%"));
        for bad in ["a", "%", "-1", "1.5"] {
            assert_eq!(share(bad, "x").unwrap_err().text(), "error: invalid format specified for x");
        }
    }
}
