//! `--set` texts: a path into an IstioOperator's spec and a value.

use super::Error;
use serde_json::{Map, Value};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
    /// `[name:x]`: the member of a list whose `name` is x.
    Named(String, String),
}

/// The longest list that a path may ask for.
const MAX_INDEX: usize = 64;

/// Sets `PATH=VALUE` in a spec.
///
/// # Errors
/// A text without `=` or with a path that cannot be read.
pub fn set(spec: &mut Value, text: &str) -> Result<(), Error> {
    let (path, value) = text.split_once('=').ok_or_else(|| Error::Invalid(format!("--set {text}: expected PATH=VALUE")))?;
    let steps = parse(path).ok_or_else(|| Error::Invalid(format!("--set {text}: path {path:?} is not valid")))?;
    let mut here = spec;
    for step in &steps {
        here = enter(here, step);
    }
    *here = parse_value(value);
    Ok(())
}

fn enter<'a>(here: &'a mut Value, step: &Step) -> &'a mut Value {
    match step {
        Step::Field(name) => {
            if !here.is_object() {
                *here = Value::Object(Map::new());
            }
            here.as_object_mut().expect("made above").entry(name.as_str()).or_insert(Value::Null)
        }
        Step::Index(index) => {
            let items = list(here);
            while items.len() <= *index {
                items.push(Value::Object(Map::new()));
            }
            &mut items[*index]
        }
        Step::Named(key, wanted) => {
            let items = list(here);
            let found = items.iter().position(|item| item[key.as_str()] == wanted.as_str()).unwrap_or_else(|| {
                items.push(Value::Object(Map::from_iter([(key.clone(), Value::String(wanted.clone()))])));
                items.len() - 1
            });
            &mut items[found]
        }
    }
}

fn list(here: &mut Value) -> &mut Vec<Value> {
    if !here.is_array() {
        *here = Value::Array(Vec::new());
    }
    here.as_array_mut().expect("made above")
}

/// `a.b[0].c`, `a.[name:x].b`, `a\.b` for a dot inside a name.
fn parse(path: &str) -> Option<Vec<Step>> {
    let (mut steps, mut name, mut chars) = (Vec::new(), String::new(), path.chars());
    let flush = |name: &mut String, steps: &mut Vec<Step>| {
        if !name.is_empty() {
            steps.push(Step::Field(std::mem::take(name)));
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '\\' => name.push(chars.next()?),
            '.' => flush(&mut name, &mut steps),
            '[' => {
                flush(&mut name, &mut steps);
                let inside: String = chars.by_ref().take_while(|c| *c != ']').collect();
                steps.push(match inside.split_once(':') {
                    Some((key, value)) => Step::Named(key.into(), value.into()),
                    None => Step::Index(inside.parse().ok().filter(|i| *i < MAX_INDEX)?),
                });
            }
            c => name.push(c),
        }
    }
    flush(&mut name, &mut steps);
    if steps.is_empty() { None } else { Some(steps) }
}

/// istioctl's reading of a value: whole numbers, decimals, true, false, null, quoted text, else text.
fn parse_value(text: &str) -> Value {
    let unquoted = |q: char| text.strip_prefix(q).and_then(|t| t.strip_suffix(q));
    if let Some(inner) = unquoted('"').or_else(|| unquoted('\'')) {
        return Value::String(inner.to_string());
    }
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        _ => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(n), _) => Value::from(n),
            (_, Ok(f)) if f.is_finite() && text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => Value::from(f),
            _ => Value::String(text.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_and_values_are_read_as_istioctl_reads_them() {
        let rows = [
            ("profile=demo", json!({"profile": "demo"})),
            (
                "meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY",
                json!({"meshConfig": {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}}),
            ),
            ("components.egressGateways[0].enabled=true", json!({"components": {"egressGateways": [{"enabled": true}]}})),
            (
                "components.egressGateways.[name:istio-egressgateway].enabled=true",
                json!({"components": {"egressGateways": [{"name": "istio-egressgateway", "enabled": true}]}}),
            ),
            ("values.pilot.env.A\\.B=\"true\"", json!({"values": {"pilot": {"env": {"A.B": "true"}}}})),
            ("tag=1.26.8", json!({"tag": "1.26.8"})),
            ("tag=1.26", json!({"tag": 1.26})),
            ("a=-3", json!({"a": -3})),
            ("a=b=c", json!({"a": "b=c"})),
            ("a=", json!({"a": ""})),
        ];
        for (text, expected) in rows {
            let mut spec = json!({});
            assert_eq!(set(&mut spec, text), Ok(()), "{text}");
            assert_eq!(spec, expected, "{text}");
        }
        for text in ["profile", "=x", "a[x]=1", "a[999]=1"] {
            assert!(set(&mut json!({}), text).is_err(), "{text}");
        }
    }
}
