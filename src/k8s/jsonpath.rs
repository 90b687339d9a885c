//! kubectl's JSONPath: a template with text outside `{}` and paths inside. Not RFC 9535: measured on kubectl.
//!
//! Text outside braces is literal. `\.` escapes a dot, also inside `['..']`, where an unescaped dot splits the key. Filters are
//! `[?(@.a=="b")]` with one comparison. A missing key prints nothing, a bad index is an error, results of one `{}` are joined by a
//! blank, `{range ..}{end}` repeats.

mod eval;
mod parse;

use serde_json::Value;

/// A parsed template.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPath {
    nodes: Vec<Node>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Text(String),
    /// `{.a.b}`: one or more paths, or quoted text.
    Paths(Vec<Expr>),
    Range(Vec<Step>, Vec<Node>),
}

#[derive(Debug, Clone, PartialEq)]
enum Expr {
    Path(Vec<Step>),
    Literal(String),
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// `$` or `@`: stay (the root is where evaluation starts).
    Root,
    Field(String),
    /// `..`
    Descend,
    Wildcard,
    Slice(Option<i64>, Option<i64>, Option<i64>),
    Index(i64),
    /// `['a','b']`, `[0,1]`: each in turn.
    Union(Vec<Vec<Step>>),
    Filter(Operand, Compare, Operand),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Exists,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Path(Vec<Step>),
    Value(Value),
}

/// What is wrong with a template, or with the value for it.
pub type Error = String;

impl JsonPath {
    /// Reads a template (`{.items[*].metadata.name}`).
    ///
    /// # Errors
    /// A sentence about what cannot be read.
    pub fn parse(template: &str) -> Result<JsonPath, Error> {
        Ok(JsonPath { nodes: parse::template(template)? })
    }

    /// Reads the relaxed form of custom columns, `--sort-by` and `wait`: `.a.b`, `a.b` or `{.a.b}`.
    ///
    /// # Errors
    /// As [`JsonPath::parse`].
    pub fn parse_relaxed(text: &str) -> Result<JsonPath, Error> {
        let inner = match text.strip_prefix('{') {
            Some(rest) => rest.strip_suffix('}').ok_or_else(|| {
                "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'"
                    .to_string()
            })?,
            None => text,
        };
        let dot = if inner.starts_with('.') || inner.starts_with('[') || inner.starts_with('$') { "" } else { "." };
        JsonPath::parse(&format!("{{{dot}{inner}}}"))
    }

    /// The template's text for a value.
    ///
    /// # Errors
    /// A bad index, a wildcard on a scalar, a comparison of different types.
    pub fn print(&self, value: &Value) -> Result<String, Error> {
        let mut out = String::new();
        eval::print(&self.nodes, value, value, &mut out)?;
        Ok(out)
    }

    /// The values that the first path of the template finds.
    ///
    /// # Errors
    /// As [`JsonPath::print`].
    pub fn find<'v>(&self, value: &'v Value) -> Result<Vec<&'v Value>, Error> {
        for node in &self.nodes {
            if let Node::Paths(exprs) = node
                && let Some(Expr::Path(steps)) = exprs.first()
            {
                return eval::walk(steps, value, vec![value]);
            }
        }
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Value {
        json!({
            "kind": "List",
            "items": [
                {"metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "web", "x": "1"}},
                 "spec": {"ports": [{"name": "http2", "port": 80}, {"name": "https", "port": 443}]}, "status": {"podIP": "10.0.0.1"}},
                {"metadata": {"name": "b", "labels": {"x": "2"}}, "spec": {"replicas": 3, "on": true, "nothing": null}, "status": {"podIP": "10.0.0.2"}}
            ],
            "data": {"root-cert.pem": "PEM", "mesh": "a: b\n"},
            "hosts": ["one", "two", "three"]
        })
    }

    #[test]
    fn templates() {
        let rows = [
            ("{.items[0].metadata.name}", "a"),
            ("{.items[*].metadata.name}", "a b"),
            ("{.items..metadata.name}", "a b"),
            ("{.items..podIP}", "10.0.0.1 10.0.0.2"),
            ("{.items[-1].metadata.name}", "b"),
            ("{.items[-1:].metadata.name}", "b"),
            ("{.items[0].spec.ports[?(@.name==\"http2\")].port}", "80"),
            ("{.items[0].spec.ports[?(@.port>100)].name}", "https"),
            ("{.items[0].spec.ports[?(@.name!='http2')].name}", "https"),
            ("{.items[?(@.spec.replicas)].metadata.name}", "b"),
            ("{.data.root-cert\\.pem}", "PEM"),
            ("{.data['root-cert\\.pem']}", "PEM"),
            ("{.items[0].metadata.labels['app.kubernetes.io/name']}", ""),
            ("{.items[0].metadata.labels.app\\.kubernetes\\.io/name}", "web"),
            ("{.items[0].metadata.labels['app\\.kubernetes\\.io/name']}", "web"),
            ("{.hosts[0:2]}", "one two"),
            ("{.hosts[0,2]}", "one three"),
            ("{.hosts[::2]}", "one three"),
            ("{.hosts}", "[\"one\",\"two\",\"three\"]"),
            ("{.items[*]['metadata.name','status.podIP']}", "a b 10.0.0.1 10.0.0.2"),
            ("{.missing}", ""),
            ("{.missing.deeper}", ""),
            (".items[0]", ".items[0]"),
            ("{range .items[*]}{.metadata.name}{\"\\t\"}{.status.podIP}{\"\\n\"}{end}", "a\t10.0.0.1\nb\t10.0.0.2\n"),
            ("name: {.items[0].metadata.name}!", "name: a!"),
            ("{.kind} {.hosts[1]}", "List two"),
            ("{@.kind}", "List"),
            ("{$.kind}", "List"),
            ("{.items[1].spec.replicas}{.items[1].spec.on}", "3true"),
            ("{.items[0].spec.ports[0]}", "{\"name\":\"http2\",\"port\":80}"),
            ("{.items[*].metadata.labels.x}", "1 2"),
            ("{.items[0].metadata.labels.*}", "web 1"),
            ("{'literal'}", "literal"),
            ("{[0]}", ""),
        ];
        for (template, want) in rows {
            let path = JsonPath::parse(template).unwrap_or_else(|e| panic!("{template}: {e}"));
            match path.print(&sample()) {
                Ok(got) => assert_eq!(got, want, "{template}"),
                Err(e) => assert!(template == "{[0]}", "{template}: {e}"),
            }
        }
    }

    #[test]
    fn refusals() {
        let unreadable = [
            ("{.a", "unclosed action"),
            ("{.a}}", ""),
            ("{.items[}", "unterminated array"),
            ("{range .a}{.b}", "unclosed range"),
            ("{.a[?(@.b==\"x\" && @.c)]}", "unrecognized"),
        ];
        for (template, want) in unreadable {
            match JsonPath::parse(template) {
                Err(e) => assert!(e.contains(want), "{template}: {e}"),
                Ok(_) => assert!(want.is_empty(), "{template} was read"),
            }
        }
        let wrong = JsonPath::parse("{.hosts[7]}").unwrap().print(&sample()).unwrap_err();
        assert_eq!(wrong, "array index out of bounds: index 7, length 3");
    }

    #[test]
    fn relaxed() {
        for text in ["metadata.name", ".metadata.name", "{.metadata.name}", "{metadata.name}"] {
            let path = JsonPath::parse_relaxed(text).unwrap();
            assert_eq!(path.find(&sample()["items"][0]).unwrap(), [&json!("a")], "{text}");
        }
    }
}
