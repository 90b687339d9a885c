//! The writer: block style with sorted keys, as `kubectl get -o yaml` prints it.

use super::order;
use super::scalar::{Style, style};
use crate::base::order::Order;
use serde_json::Value;

/// Lines longer than this are folded at the next space, as libyaml does.
const BEST_WIDTH: usize = 80;

/// Writes a value as one YAML document that ends with a newline.
pub fn write(value: &Value) -> String {
    let mut out = Writer { text: String::new(), column: 0 };
    match value {
        Value::Object(map) if !map.is_empty() => out.mapping(map, 0),
        Value::Array(items) if !items.is_empty() => out.sequence(items, 0),
        scalar => {
            out.scalar(scalar, 0);
            out.newline(0);
        }
    }
    out.text
}

struct Writer {
    text: String,
    column: usize,
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }

    fn newline(&mut self, indent: usize) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    fn indent(&mut self, n: usize) {
        if self.column == 0 {
            self.text.extend(std::iter::repeat_n(' ', n));
            self.column = n;
        }
    }

    fn end_line(&mut self) {
        self.text.push('\n');
        self.column = 0;
    }

    fn mapping(&mut self, map: &serde_json::Map<String, Value>, at: usize) {
        let mut members: Vec<(&String, &Value)> = map.iter().collect();
        members.order_by(|a, b| order::keys(a.0, b.0));
        for (key, value) in members {
            self.indent(at);
            self.key(key);
            self.put(":");
            match value {
                Value::Object(inner) if !inner.is_empty() => {
                    self.end_line();
                    self.mapping(inner, at + 2);
                }
                Value::Array(items) if !items.is_empty() => {
                    self.end_line();
                    self.sequence(items, at);
                }
                scalar => {
                    self.put(" ");
                    self.scalar(scalar, at + 2);
                    self.end_line();
                }
            }
        }
    }

    fn sequence(&mut self, items: &[Value], at: usize) {
        for item in items {
            self.indent(at);
            self.put("- ");
            match item {
                Value::Object(map) if !map.is_empty() => self.mapping(map, at + 2),
                Value::Array(inner) if !inner.is_empty() => self.sequence(inner, at + 2),
                scalar => {
                    self.scalar(scalar, at + 2);
                    self.end_line();
                }
            }
        }
    }

    fn key(&mut self, key: &str) {
        match style(key, true) {
            Style::Plain => self.put(key),
            Style::Single => self.put(&format!("'{}'", key.replace('\'', "''"))),
            _ => self.put(&escaped(key)),
        }
    }

    fn scalar(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Null => self.put("null"),
            Value::Bool(b) => self.put(if *b { "true" } else { "false" }),
            Value::Number(n) => self.put(&number(n)),
            Value::String(text) => self.string(text, indent),
            Value::Array(_) => self.put("[]"),
            Value::Object(_) => self.put("{}"),
        }
    }

    fn string(&mut self, text: &str, indent: usize) {
        match style(text, false) {
            Style::Plain => self.folded(text, indent),
            Style::Single => {
                self.put("'");
                self.folded(&text.replace('\'', "''"), indent);
                self.put("'");
            }
            Style::Double => self.double(text, indent),
            Style::Literal => self.literal(text, indent),
        }
    }

    /// A plain or single-quoted text, broken at a lone space once the line is too long.
    fn folded(&mut self, text: &str, indent: usize) {
        let chars: Vec<char> = text.chars().collect();
        for (i, &c) in chars.iter().enumerate() {
            let lone = c == ' ' && i > 0 && chars[i - 1] != ' ' && chars.get(i + 1).is_some_and(|n| *n != ' ');
            match lone && self.column > BEST_WIDTH {
                true => self.newline(indent),
                false => self.put(c.encode_utf8(&mut [0; 4])),
            }
        }
    }

    fn double(&mut self, text: &str, indent: usize) {
        self.put("\"");
        let chars: Vec<char> = text.chars().collect();
        for (i, &c) in chars.iter().enumerate() {
            let inner = i > 0 && i + 1 < chars.len() && chars[i - 1] != ' ';
            match c == ' ' && inner && self.column > BEST_WIDTH {
                true => {
                    self.newline(indent);
                    if chars[i + 1] == ' ' {
                        self.put("\\");
                    }
                }
                false => self.put(&escape(c)),
            }
        }
        self.put("\"");
    }

    fn literal(&mut self, text: &str, indent: usize) {
        let head = if text.starts_with([' ', '\n']) { "2" } else { "" };
        let chomp = match (text.ends_with('\n'), text.ends_with("\n\n") || text == "\n") {
            (false, _) => "-",
            (true, true) => "+",
            (true, false) => "",
        };
        self.put(&format!("|{head}{chomp}"));
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            self.end_line();
            if !line.is_empty() {
                self.indent(indent);
                self.put(line);
            }
        }
    }
}

fn number(n: &serde_json::Number) -> String {
    match n.as_f64() {
        Some(f) if n.is_f64() && f.fract() == 0.0 && f.abs() < 1e15 => format!("{f:.0}"),
        _ => n.to_string(),
    }
}

fn escaped(text: &str) -> String {
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

fn escape(c: char) -> String {
    match c {
        '"' => "\\\"".into(),
        '\\' => "\\\\".into(),
        '\n' => "\\n".into(),
        '\t' => "\\t".into(),
        '\r' => "\\r".into(),
        '\0' => "\\0".into(),
        '\u{1b}' => "\\e".into(),
        '\u{7}' => "\\a".into(),
        '\u{8}' => "\\b".into(),
        '\u{85}' => "\\N".into(),
        '\u{feff}' => "\\uFEFF".into(),
        c if (c as u32) < 0x20 || c as u32 == 0x7f => format!("\\x{:02X}", c as u32),
        c => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::write;
    use crate::base::yaml::parse;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn the_shape_is_kubectls() {
        let value = json!({"spec": {"ports": [{"name": "http", "number": 80}], "hosts": ["*"], "e": {}, "l": []},
            "data": {"mesh": "a: 1\nb: 2\n", "num": "80"}, "on": "yes", "nested": [[1, 2], [{"a": 1}]]});
        let want = "data:\n  mesh: |\n    a: 1\n    b: 2\n  num: \"80\"\nnested:\n- - 1\n  - 2\n- - a: 1\n\"on\": \"yes\"\nspec:\n  e: {}\n  \
                    hosts:\n  - '*'\n  l: []\n  ports:\n  - name: http\n    number: 80\n";
        assert_eq!(write(&value), want);
    }

    #[test]
    fn long_lines_fold_after_80_columns() {
        let text = "0/3 nodes are available: ".to_string() + &"word ".repeat(20);
        let out = write(&json!({"m": text.trim_end()}));
        assert!(out.lines().count() > 1 && out.lines().nth(1).unwrap().starts_with("  "), "{out}");
        assert_eq!(parse(&out).unwrap()["m"], json!(text.trim_end()));
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[ -~\\n]{0,24}".prop_map(Value::from),
            "(yes|on|0x1|1e3|12:30|- a|a: b|#x|'|\"|%|@|null)".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z.\\-/]{1,8}", inner, 0..4).prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn what_is_written_reads_back(value in tree()) {
            let wrapped = json!({"v": value});
            let text = write(&wrapped);
            prop_assert_eq!(parse(&text).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?, wrapped, "{}", text);
        }
    }
}
