//! Lines of a description, before their columns are aligned.

use crate::kubectl::print::scalar;
use serde_json::Value;

/// Annotation values longer than this get lines of their own.
const LONG: usize = 140;
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A description in the making.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// A line, two blanks deeper for each level.
    pub fn line(&mut self, level: usize, text: &str) {
        self.0.extend(std::iter::repeat_n("  ", level));
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// The text made so far.
    pub fn take(self) -> String {
        self.0
    }

    /// `Name:`, `Namespace:` and what else is plain text at the top.
    pub fn field(&mut self, title: &str, value: &Value) {
        self.line(0, &format!("{title}:\t{}", scalar(value)));
    }

    /// `k=v`, one a line.
    pub fn labels(&mut self, title: &str, labels: &Value) {
        let pairs: Vec<String> = labels.as_object().into_iter().flatten().map(|(k, v)| format!("{k}={}", scalar(v))).collect();
        self.column(title, &pairs);
    }

    /// Values one a line, the title before the first.
    pub fn column(&mut self, title: &str, values: &[String]) {
        let Some((first, rest)) = values.split_first() else {
            self.line(0, &format!("{title}:\t<none>"));
            return;
        };
        self.line(0, &format!("{title}:\t{first}"));
        for value in rest {
            self.line(0, &format!("\t{value}"));
        }
    }

    /// `k: v`, one a line; long values below their key.
    pub fn annotations(&mut self, title: &str, annotations: &Value) {
        let members = annotations.as_object().into_iter().flatten().filter(|(key, _)| *key != LAST_APPLIED);
        let mut values = Vec::new();
        for (key, value) in members {
            let value = scalar(value);
            let value = value.strip_suffix('\n').unwrap_or(&value).to_string();
            if value.len() + key.len() + 2 > LONG || value.contains('\n') {
                values.push(format!("{key}:"));
                values.extend(value.split('\n').map(|line| format!("  {}", shorten(line))));
            } else {
                values.push(format!("{key}: {value}"));
            }
        }
        self.column(title, &values);
    }
}

fn shorten(line: &str) -> String {
    match line.char_indices().nth(LONG - 2) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_string(),
    }
}

/// Text, or `<none>`.
pub fn or_none(text: &str) -> &str {
    if text.is_empty() { "<none>" } else { text }
}

/// The members of a list.
pub fn each(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// `Kind/name` of the controller that owns an object.
pub fn controller(object: &Value) -> Option<String> {
    let owner = each(&object["metadata"]["ownerReferences"]).iter().find(|o| o["controller"] == true)?;
    Some(format!("{}/{}", owner["kind"].as_str()?, owner["name"].as_str()?))
}
