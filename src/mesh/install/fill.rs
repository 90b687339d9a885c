//! Filling `${name}` in data: the small template language of `assets/istio`.

use serde_json::Value;

/// The value with every `${name}` replaced. A text that is nothing but one placeholder takes the setting's own type; inside longer
/// texts a setting is written as text (null as nothing). Members and items that become null are left out. Names that `get` does
/// not know stay as they are.
pub fn fill(value: &Value, get: &dyn Fn(&str) -> Option<Value>) -> Value {
    match value {
        Value::String(text) => fill_text(text, get),
        Value::Array(items) => items.iter().map(|v| (v, fill(v, get))).filter(kept).map(|(_, v)| v).collect(),
        Value::Object(members) => {
            let filled = members.iter().map(|(k, v)| (k, (v, fill(v, get))));
            filled.filter(|(_, pair)| kept(pair)).map(|(k, (_, v))| (k.clone(), v)).collect()
        }
        other => other.clone(),
    }
}

/// Whether a filled value stays: what was null in the data stays null, what became null goes.
fn kept((before, after): &(&Value, Value)) -> bool {
    before.is_null() || !after.is_null()
}

fn fill_text(text: &str, get: &dyn Fn(&str) -> Option<Value>) -> Value {
    if let Some(value) = text.strip_prefix("${").and_then(|t| t.strip_suffix('}')).filter(|n| !n.contains('}')).and_then(get) {
        return value;
    }
    let (mut out, mut rest) = (String::new(), text);
    while let Some(start) = rest.find("${") {
        let Some(len) = rest[start..].find('}') else { break };
        let name = &rest[start + 2..start + len];
        out.push_str(&rest[..start]);
        match get(name) {
            Some(Value::String(s)) => out.push_str(&s),
            Some(Value::Null) => (),
            Some(other) => out.push_str(&other.to_string()),
            None => out.push_str(&rest[start..=start + len]),
        }
        rest = &rest[start + len + 1..];
    }
    out.push_str(rest);
    Value::String(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn placeholders_take_type_text_or_go() {
        let get = |name: &str| match name {
            "n" => Some(json!(3)),
            "t" => Some(json!("x")),
            "gone" => Some(Value::Null),
            _ => None,
        };
        let data = json!({"a": "${n}", "b": "v${n}/${t}${gone}", "c": "${gone}", "d": ["${gone}", "${t}"], "e": "${other} $(POD)", "f": null});
        let expected = json!({"a": 3, "b": "v3/x", "d": ["x"], "e": "${other} $(POD)", "f": null});
        assert_eq!(fill(&data, &get), expected);
    }
}
