//! Label selectors of webhook configurations and injection policies.

use serde_json::Value;
use std::collections::BTreeMap;

/// Whether labels satisfy a LabelSelector (an empty or missing one matches everything; an unknown operator nothing).
pub fn matches(selector: &Value, labels: &BTreeMap<&str, &str>) -> bool {
    let pairs = selector["matchLabels"].as_object().into_iter().flatten();
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    pairs.clone().all(|(key, value)| labels.get(key.as_str()).copied() == value.as_str())
        && expressions.clone().all(|expression| expression_holds(expression, labels))
}

fn expression_holds(expression: &Value, labels: &BTreeMap<&str, &str>) -> bool {
    let have = labels.get(expression["key"].as_str().unwrap_or(""));
    let listed = || expression["values"].as_array().into_iter().flatten().any(|v| v.as_str() == have.copied());
    match expression["operator"].as_str().unwrap_or("") {
        "In" => have.is_some() && listed(),
        "NotIn" => have.is_none() || !listed(),
        "Exists" => have.is_some(),
        "DoesNotExist" => have.is_none(),
        _ => false,
    }
}
