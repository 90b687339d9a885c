//! Label and field selectors.

mod fields;
mod labels;

use crate::k8s::Object;
use serde_json::Value;
use std::collections::BTreeMap;

/// One condition on labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
    GreaterThan(String, i64),
    LessThan(String, i64),
}

/// Conditions that must all hold. Empty: everything matches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelSelector(pub Vec<Requirement>);

impl LabelSelector {
    /// Reads `a=b,c!=d,e in (f,g),h,!i`.
    ///
    /// # Errors
    /// The API server's words for what is wrong (k8s.io/apimachinery/pkg/labels).
    pub fn parse(text: &str) -> Result<LabelSelector, String> {
        labels::parse(text).map(LabelSelector)
    }

    /// A `metav1.LabelSelector` object; `Null` or `{}` selects everything.
    pub fn from_object(value: &Value) -> LabelSelector {
        let labels = crate::k8s::object::strings(&value["matchLabels"]);
        let mut all: Vec<Requirement> = labels.into_iter().map(|(k, v)| Requirement::In(k.into(), vec![v.into()])).collect();
        for expression in value["matchExpressions"].as_array().into_iter().flatten() {
            let key = expression["key"].as_str().unwrap_or("").to_string();
            let values = || expression["values"].as_array().into_iter().flatten().filter_map(|v| v.as_str().map(String::from));
            all.push(match expression["operator"].as_str() {
                Some("In") => Requirement::In(key, values().collect()),
                Some("NotIn") => Requirement::NotIn(key, values().collect()),
                Some("DoesNotExist") => Requirement::Missing(key),
                _ => Requirement::Exists(key),
            });
        }
        LabelSelector(all)
    }

    /// Whether the labels fulfil every condition.
    pub fn matches(&self, labels: &BTreeMap<&str, &str>) -> bool {
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => labels.get(key.as_str()).is_some_and(|v| values.iter().any(|w| w == v)),
            Requirement::NotIn(key, values) => labels.get(key.as_str()).is_none_or(|v| !values.iter().any(|w| w == v)),
            Requirement::Exists(key) => labels.contains_key(key.as_str()),
            Requirement::Missing(key) => !labels.contains_key(key.as_str()),
            Requirement::GreaterThan(key, n) => number(labels, key).is_some_and(|v| v > *n),
            Requirement::LessThan(key, n) => number(labels, key).is_some_and(|v| v < *n),
        })
    }
}

fn number(labels: &BTreeMap<&str, &str>, key: &str) -> Option<i64> {
    labels.get(key)?.parse().ok()
}

/// One condition on a field: path, whether equal is wanted, value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRequirement {
    pub path: String,
    pub equal: bool,
    pub value: String,
}

/// Field conditions that must all hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldSelector(pub Vec<FieldRequirement>);

impl FieldSelector {
    /// Reads `metadata.name=a,status.phase!=Running`.
    ///
    /// # Errors
    /// The API server's words.
    pub fn parse(text: &str) -> Result<FieldSelector, String> {
        let parts = fields::terms(text).into_iter().map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| fields::requirement(text, part)).collect::<Result<_, _>>().map(FieldSelector)
    }

    /// Whether the object fulfils every condition; missing fields count as "".
    pub fn matches(&self, object: &Object) -> bool {
        self.0.iter().all(|requirement| (field(object, &requirement.path) == requirement.value) == requirement.equal)
    }
}

/// The value of a field label as the API server compares it. `source` and `reportingComponent` of events, `spec.unschedulable` of nodes.
fn field(object: &Object, path: &str) -> String {
    let parts: Vec<&str> = match path {
        "source" => vec!["source", "component"],
        "status.successful" => vec!["status", "succeeded"],
        // Taken, but never set: as the API server has it.
        "status.podIPs" => return String::new(),
        "reportingComponent" if object.at(&["reportingComponent"]).is_null() => vec!["source", "component"],
        _ => path.split('.').collect(),
    };
    match object.at(&parts) {
        Value::String(text) => text.clone(),
        Value::Null => match path {
            "spec.unschedulable" | "spec.hostNetwork" => "false".into(),
            "status.successful" | "status.replicas" => "0".into(),
            _ => String::new(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn label_selectors_select() {
        let labels: BTreeMap<&str, &str> = [("app", "web"), ("tier", "3")].into();
        for (text, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web", true),
            ("app!=web", false),
            ("app in (web,hello),app!=x", true),
            ("app notin (a, b)", true),
            ("app", true),
            ("!app", false),
            ("! none", true),
            ("none!=x", true),
            ("tier>2", true),
            ("tier<3", false),
            ("app in (),none", false),
            ("in=x", false),
            ("none in (,a)", false),
            ("app=", false),
        ] {
            assert_eq!(LabelSelector::parse(text).expect(text).matches(&labels), expected, "{text}");
        }
    }

    #[test]
    fn bad_label_selectors_say_what_the_api_server_says() {
        let error = LabelSelector::parse("a b").expect_err("bad");
        assert_eq!(error, "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt");
        assert!(LabelSelector::parse("a in b").is_err());
        assert!(LabelSelector::parse("a=b,").is_err());
    }

    #[test]
    fn selector_objects_and_field_selectors() {
        let object = Object(json!({"metadata": {"name": "x", "labels": {"a": "1"}}, "status": {"phase": "Running"}}));
        let selector =
            LabelSelector::from_object(&json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}));
        assert!(selector.matches(&object.labels()));
        assert!(FieldSelector::parse("metadata.name=x,status.phase!=Failed").expect("good").matches(&object));
        assert!(FieldSelector::parse("involvedObject.namespace=").expect("good").matches(&object));
        assert!(!FieldSelector::parse("metadata.name==y").expect("good").matches(&object));
        assert!(FieldSelector::parse("nonsense").is_err());
    }
}
