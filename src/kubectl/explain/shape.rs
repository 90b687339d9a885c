//! A schema of the server's OpenAPI as a tree of fields: what an editor offers.

use super::page::{Page, some, values};
use crate::k8s::shape::Shape;
use serde_json::Value;

/// How deep a kind is followed; recursive schemas end here.
const DEPTH: usize = 16;
/// Fields of one kind.
const MOST: usize = 20_000;
/// Characters of a description's first sentence.
const SENTENCE: usize = 200;

/// Reads the schema of a kind.
pub fn shape(document: &Value, schema: &Value) -> Shape {
    let mut left = MOST;
    Reader { page: Page { document, recursive: false }, seen: Vec::new() }.read(schema, 0, &mut left)
}

struct Reader<'v> {
    page: Page<'v>,
    /// References on the way here: a type within itself is not followed again.
    seen: Vec<&'v str>,
}

impl<'v> Reader<'v> {
    fn read(&mut self, schema: &'v Value, depth: usize, left: &mut usize) -> Shape {
        let mut shape = Shape { kind: self.page.type_name(schema, 0), ..Shape::default() };
        shape.about = first_sentence(self.about(schema, 0).unwrap_or(""));
        if depth < DEPTH && *left > 0 {
            self.fill(schema, depth, left, &mut shape);
        }
        shape
    }

    fn about(&self, schema: &'v Value, depth: usize) -> Option<&'v str> {
        let (_, resolved) = self.page.resolve(schema);
        let own = schema["description"].as_str().or(resolved["description"].as_str()).filter(|text| !text.is_empty());
        let parts = || resolved["allOf"].as_array().into_iter().flatten();
        own.or_else(|| parts().filter(|_| depth < DEPTH).find_map(|part| self.about(part, depth + 1)))
    }

    fn fill(&mut self, schema: &'v Value, depth: usize, left: &mut usize, shape: &mut Shape) {
        let (reference, resolved) = self.page.resolve(schema);
        if self.seen.contains(&reference) {
            return;
        }
        let followed = !reference.is_empty();
        if followed {
            self.seen.push(reference);
        }
        self.fill_from(schema, resolved, depth, left, shape);
        if followed {
            self.seen.pop();
        }
    }

    fn fill_from(&mut self, schema: &'v Value, resolved: &'v Value, depth: usize, left: &mut usize, shape: &mut Shape) {
        shape.values = values(resolved).or_else(|| values(schema)).unwrap_or_default();
        let required = resolved["required"].as_array();
        for (name, field) in resolved["properties"].as_object().into_iter().flatten() {
            if *left == 0 {
                return;
            }
            *left -= 1;
            let mut below = self.read(field, depth + 1, left);
            below.required = required.is_some_and(|names| names.iter().any(|have| have == name));
            shape.fields.push((name.clone(), below));
        }
        if let Some(inner) = some(&resolved["items"]).or_else(|| some(&resolved["additionalProperties"])) {
            shape.item = Some(Box::new(self.read(inner, depth + 1, left)));
        }
        for part in resolved["allOf"].as_array().into_iter().flatten().filter(|_| depth < DEPTH) {
            self.fill(part, depth + 1, left, shape);
        }
    }
}

fn first_sentence(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = text.find(". ").map_or(text.len(), |at| at + 1);
    let cut: String = text[..end].chars().take(SENTENCE).collect();
    if cut.len() < end { format!("{cut}..") } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tree_of_fields_with_types_values_and_first_sentences() {
        let document = json!({"components": {"schemas": {"Node": {"type": "object", "description": "A node. It has a next one.",
        "required": ["mode"], "properties": {
            "mode": {"type": "string", "enum": ["A", "B"], "description": "How."},
            "next": {"allOf": [{"$ref": "#/components/schemas/Node"}]},
            "many": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}},
        }}}}});
        let root = shape(&document, &document["components"]["schemas"]["Node"]);
        assert_eq!(root.about, "A node.");
        let mode = root.field("mode").unwrap();
        assert_eq!((mode.required, mode.values.as_slice()), (true, ["A".to_string(), "B".into()].as_slice()));
        let next = root.field("next").unwrap();
        assert_eq!((next.kind.as_str(), next.about.as_str()), ("Node", "A node."));
        assert!(next.field("mode").is_some(), "references are followed");
        assert_eq!(root.field("many").unwrap().kind, "[]Node");
        assert!(root.field("many").unwrap().item.as_ref().unwrap().field("mode").is_some());
    }
}
