//! The fields of a kind as values: what an editor offers at a place.

/// One field, or a whole object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape {
    /// `string`, `[]Container`, `map[string]string`, as kubectl explain prints it.
    pub kind: String,
    /// The first sentence of its description.
    pub about: String,
    pub required: bool,
    /// Allowed values, where they are listed.
    pub values: Vec<String>,
    /// Fields by name.
    pub fields: Vec<(String, Shape)>,
    /// What each item of a list, or each value of a map, is.
    pub item: Option<Box<Shape>>,
}

/// One piece of a path into an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Key(String),
    Item,
}

impl Shape {
    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Shape> {
        self.fields.iter().find(|(have, _)| have == name).map(|(_, shape)| shape)
    }

    /// What is at a path; `None` when the schema has no such field.
    pub fn at(&self, path: &[Step]) -> Option<&Shape> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        let next = match first {
            Step::Item => self.item.as_deref(),
            Step::Key(name) => self.field(name).or_else(|| self.item.as_deref().filter(|_| self.kind.starts_with("map["))),
        };
        next?.at(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_through_lists_and_maps() {
        let leaf = |kind: &str| Shape { kind: kind.into(), ..Shape::default() };
        let map = Shape { kind: "map[string]string".into(), item: Some(Box::new(leaf("string"))), ..Shape::default() };
        let port = Shape { kind: "Port".into(), fields: vec![("number".into(), leaf("integer"))], ..Shape::default() };
        let ports = Shape { kind: "[]Port".into(), item: Some(Box::new(port)), ..Shape::default() };
        let root = Shape { fields: vec![("labels".into(), map), ("ports".into(), ports)], ..Shape::default() };
        let key = |name: &str| Step::Key(name.into());
        assert_eq!(root.at(&[key("labels"), key("app")]).unwrap().kind, "string");
        assert_eq!(root.at(&[key("ports"), Step::Item, key("number")]).unwrap().kind, "integer");
        assert_eq!(root.at(&[key("ports"), key("number")]), None, "a list has no fields");
        assert_eq!(root.at(&[key("nosuch")]), None);
    }
}
