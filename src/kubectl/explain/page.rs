//! The page about a type or field: kubectl's own template (`explain/v2/templates/plaintext.tmpl`), step by step.

use super::wrap::{indent, wrap};
use crate::kubectl::print::scalar;
use serde_json::Value;
use std::fmt::Write as _;

/// How deep schemas are followed; real ones are far less deep.
const DEPTH: usize = 64;

/// How many allowed values a field's line lists.
const VALUES: usize = 4;

/// What a page is made from.
pub struct Page<'v> {
    pub document: &'v Value,
    pub recursive: bool,
}

impl<'v> Page<'v> {
    /// Follows the fields; then the description and the fields below. "" when a field does not exist. `seen` are the references followed
    /// since the last field.
    pub fn output(&self, schema: &'v Value, seen: &[&str], fields: &[String]) -> String {
        let (reference, resolved) = self.resolve(schema);
        let Some((first, rest)) = fields.split_first() else { return self.end(resolved) };
        if seen.contains(&reference) || seen.len() > DEPTH {
            return String::new();
        }
        if let Some(field) = resolved["properties"].get(first) {
            let inner = self.output(field, &[], rest);
            return if rest.is_empty() { self.field_head(first, field) + &inner } else { inner };
        }
        let mut seen = seen.to_vec();
        seen.extend((!reference.is_empty()).then_some(reference));
        if let Some(inner) = some(&resolved["items"]).or_else(|| some(&resolved["additionalProperties"])) {
            return self.output(inner, &seen, fields);
        }
        let parts = resolved["allOf"].as_array().into_iter().flatten();
        parts.map(|part| self.output(part, &seen, fields)).find(|text| !text.is_empty()).unwrap_or_default()
    }

    fn field_head(&self, name: &str, field: &Value) -> String {
        let mut out = format!("FIELD: {name} <{}>\n", self.type_name(field, 0));
        if let Some(values) = values(field) {
            out += "ENUM:";
            for value in values {
                let _ = write!(out, "\n    {value}");
            }
        }
        out + "\n\n"
    }

    fn end(&self, resolved: &Value) -> String {
        let mut text = String::new();
        self.description(resolved, &mut text, 0);
        let text = if text.is_empty() { "<empty>" } else { &text };
        let mut out = format!("DESCRIPTION:\n{}\n", indent(4, &wrap(76, text)));
        let mut list = String::new();
        self.field_list(resolved, &mut Vec::new(), 1, &mut list);
        if !list.is_empty() {
            out += "FIELDS:\n";
            out += &list;
        }
        out
    }

    /// The reference of a schema ("" for none) and what it leads to, else the schema itself.
    pub fn resolve<'a>(&self, schema: &'a Value) -> (&'a str, &'a Value)
    where
        'v: 'a,
    {
        let reference = schema["$ref"].as_str().unwrap_or("");
        let found = reference.strip_prefix('#').and_then(|pointer| self.document.pointer(pointer));
        (reference, found.unwrap_or(schema))
    }

    /// The descriptions of a schema and of what it consists of.
    fn description(&self, schema: &Value, out: &mut String, depth: usize) {
        if depth > DEPTH {
            return;
        }
        let (_, resolved) = self.resolve(schema);
        if let Some(text) = resolved["description"].as_str().filter(|text| !text.is_empty()) {
            out.push_str(text);
            out.push('\n');
        }
        let parts = resolved["allOf"].as_array().into_iter().flatten();
        let inner = [&resolved["items"], &resolved["additionalProperties"]].into_iter().filter_map(some);
        parts.chain(inner).for_each(|part| self.description(part, out, depth + 1));
    }

    /// The fields of a schema and of what it consists of. `seen` are the references on the way, so that a cycle ends.
    fn field_list<'a>(&self, schema: &'a Value, seen: &mut Vec<&'a str>, level: usize, out: &mut String)
    where
        'v: 'a,
    {
        let (reference, resolved) = self.resolve(schema);
        if seen.contains(&reference) || seen.len() + level > DEPTH {
            return;
        }
        if !reference.is_empty() {
            seen.push(reference);
        }
        for (name, field) in resolved["properties"].as_object().into_iter().flatten() {
            self.field_line(resolved, name, level, out);
            if self.recursive {
                self.field_list(field, seen, level + 1, out);
            }
        }
        for part in resolved["allOf"].as_array().into_iter().flatten() {
            self.field_list(part, seen, level, out);
        }
        for inner in [&resolved["items"], &resolved["additionalProperties"]].into_iter().filter_map(some) {
            self.field_list(inner, seen, level, out);
        }
        if !reference.is_empty() {
            seen.pop();
        }
    }

    fn field_line(&self, parent: &Value, name: &str, level: usize, out: &mut String) {
        let field = &parent["properties"][name];
        let by = level * 2;
        let _ = write!(out, "{}\t<{}>", indent(by, name), self.type_name(field, 0));
        if parent["required"].as_array().is_some_and(|required| required.iter().any(|r| r == name)) {
            *out += " -required-";
        }
        if let Some(values) = values(field) {
            let more = if values.len() > VALUES { ", ...." } else { "" };
            let _ = write!(out, "\n{}enum: {}{more}", indent(by, ""), values[..values.len().min(VALUES)].join(", "));
        }
        out.push('\n');
        if !self.recursive {
            let text = field["description"].as_str().filter(|text| !text.is_empty()).unwrap_or("<no description>");
            *out += &indent(by + 2, &wrap(78 - by, text));
            *out += "\n\n";
        }
    }

    /// `string`, `[]Container`, `map[string]string`.
    pub fn type_name(&self, schema: &Value, depth: usize) -> String {
        if depth > DEPTH {
            return "Object".into();
        }
        if let Some(items) = some(&schema["items"]) {
            return format!("[]{}", self.type_name(items, depth + 1));
        }
        if let Some(values) = some(&schema["additionalProperties"]) {
            return format!("map[string]{}", self.type_name(values, depth + 1));
        }
        let parts = schema["allOf"].as_array().map(Vec::as_slice).unwrap_or_default();
        if let ([part], None) = (parts, some(&schema["properties"])) {
            return self.type_name(part, depth + 1);
        }
        let kind = |schema: &Value| schema["type"].as_str().unwrap_or("").to_string();
        let (reference, resolved) = self.resolve(schema);
        match (reference, kind(resolved).as_str()) {
            ("", "" | "object") => "Object".into(),
            ("", kind) => kind.into(),
            (reference, "" | "object") => reference.rsplit(['.', '/']).next().unwrap_or("Object").into(),
            (_, kind) => kind.into(),
        }
    }
}

/// What Go's templates take for true: an object with members.
pub fn some(value: &Value) -> Option<&Value> {
    value.as_object().filter(|map| !map.is_empty()).map(|_| value)
}

/// The allowed values of a schema; the empty text as `""`.
pub fn values(schema: &Value) -> Option<Vec<String>> {
    let values = schema["enum"].as_array().filter(|values| !values.is_empty())?;
    Some(values.iter().map(scalar).map(|value| if value.is_empty() { "\"\"".into() } else { value }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn page(schema: Value, field: &str, recursive: bool) -> String {
        let document = json!({"components": {"schemas": {
            "x.Node": {"type": "object", "description": "A node.", "properties": {
                "name": {"type": "string", "description": "Its name."},
                "next": {"allOf": [{"$ref": "#/components/schemas/x.Node"}], "description": "The next one."},
            }, "required": ["name"]},
            "x.Amount": {"oneOf": [{"type": "string"}]},
            "x.Time": {"type": "string"},
        }}});
        let fields: Vec<String> = field.split('.').filter(|f| !f.is_empty()).map(String::from).collect();
        Page { document: &document, recursive }.output(&schema, &[], &fields)
    }

    #[test]
    fn pages_follow_references_lists_and_maps() {
        let schema = json!({"type": "object", "properties": {
            "many": {"type": "array", "items": {"$ref": "#/components/schemas/x.Node"}},
            "mode": {"type": "string", "enum": ["", "A", "B", "C", "D"], "description": "How."},
            "sizes": {"type": "object", "additionalProperties": {"allOf": [{"$ref": "#/components/schemas/x.Amount"}]}},
            "when": {"allOf": [{"$ref": "#/components/schemas/x.Time"}]},
        }});
        let all = "DESCRIPTION:\n    <empty>\nFIELDS:\n  many\t<[]Node>\n    name\t<string> -required-\n    next\t<Node>\n  mode\t<string>\n  \
                   enum: \"\", A, B, C, ....\n  sizes\t<map[string]Amount>\n  when\t<string>\n";
        assert_eq!(page(schema.clone(), "", true), all);
        let one = "FIELD: many <[]Node>\n\n\nDESCRIPTION:\n    A node.\n    \nFIELDS:\n  name\t<string> -required-\n    Its name.\n\n  \
                   next\t<Node>\n    The next one.\n\n";
        assert_eq!(page(schema.clone(), "many", false), one);
        assert!(page(schema.clone(), "mode", false).starts_with("FIELD: mode <string>\nENUM:\n    \"\"\n    A\n"));
        assert!(page(schema.clone(), "many.next.next.name", false).starts_with("FIELD: name <string>\n\n\n"));
        assert_eq!(page(schema.clone(), "many.nosuch", false), "");
        assert_eq!(page(schema, "nosuch.name", false), "");
    }
}
