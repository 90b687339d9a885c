//! Server-made tables: which columns are shown, and how.

use super::scalar;
use serde_json::Value;

/// What changes a table's look.
#[derive(Debug, Clone, Default)]
pub struct Style {
    pub wide: bool,
    pub no_headers: bool,
    pub show_labels: bool,
    /// `-L`.
    pub label_columns: Vec<String>,
    /// `-A`.
    pub with_namespace: bool,
    /// Put before names: `deployment.apps`, when several types are shown.
    pub kind: Option<String>,
    /// `--output-watch-events`.
    pub events: bool,
}

/// Rows to be aligned; remembers column widths between flushes, as watches need.
#[derive(Debug, Default)]
pub struct Printer {
    style: Style,
    widths: Vec<usize>,
    shown: Vec<usize>,
    headers: Vec<String>,
    headers_printed: bool,
}

impl Printer {
    pub fn new(style: Style) -> Printer {
        Printer { style, ..Printer::default() }
    }

    /// The text of a table; its header only the first time. `event` is the watch event's type.
    pub fn print(&mut self, table: &Value, event: &str) -> String {
        self.learn_columns(table);
        let mut lines = Vec::new();
        let rows = table["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !self.headers_printed && !self.style.no_headers && !self.headers.is_empty() {
            lines.push(self.header_line());
            self.headers_printed = true;
        }
        lines.extend(rows.iter().map(|row| self.row_line(row, event)));
        self.align(&lines)
    }

    /// The definitions come with the first table only.
    fn learn_columns(&mut self, table: &Value) {
        let Some(columns) = table["columnDefinitions"].as_array().filter(|c| !c.is_empty()) else { return };
        let visible = |c: &Value| self.style.wide || c["priority"].as_i64().unwrap_or(0) == 0;
        self.shown = (0..columns.len()).filter(|i| visible(&columns[*i])).collect();
        self.headers = self.shown.iter().map(|i| columns[*i]["name"].as_str().unwrap_or("").to_uppercase()).collect();
    }

    fn header_line(&self) -> Vec<String> {
        let mut cells = Vec::new();
        if self.style.events {
            cells.push("EVENT".to_string());
        }
        if self.style.with_namespace {
            cells.push("NAMESPACE".to_string());
        }
        cells.extend(self.headers.clone());
        for label in &self.style.label_columns {
            cells.push(label.rsplit('/').next().unwrap_or(label).to_uppercase());
        }
        if self.style.show_labels {
            cells.push("LABELS".to_string());
        }
        cells
    }

    fn row_line(&self, row: &Value, event: &str) -> Vec<String> {
        let metadata = &row["object"]["metadata"];
        let mut cells = Vec::new();
        if self.style.events {
            cells.push(event.to_string());
        }
        if self.style.with_namespace {
            cells.push(metadata["namespace"].as_str().unwrap_or("").to_string());
        }
        for (position, index) in self.shown.iter().enumerate() {
            let mut text = first_line(&scalar(&row["cells"][*index]));
            if let Some(kind) = self.style.kind.as_ref().filter(|_| position == 0) {
                text = format!("{kind}/{text}");
            }
            cells.push(text);
        }
        for label in &self.style.label_columns {
            cells.push(metadata["labels"][label].as_str().unwrap_or("").to_string());
        }
        if self.style.show_labels {
            cells.push(labels(&metadata["labels"]));
        }
        cells
    }

    fn align(&mut self, lines: &[Vec<String>]) -> String {
        for line in lines {
            let aligned = line.len().saturating_sub(1);
            self.widths.resize(self.widths.len().max(aligned), 6);
            for (width, cell) in self.widths.iter_mut().zip(&line[..aligned]) {
                *width = (*width).max(cell.chars().count() + 3);
            }
        }
        let mut out = String::new();
        for line in lines {
            for (index, cell) in line.iter().enumerate() {
                out.push_str(cell);
                if index + 1 < line.len() {
                    out.extend(std::iter::repeat_n(' ', self.widths[index].saturating_sub(cell.chars().count())));
                }
            }
            out.push('\n');
        }
        out
    }
}

/// Cells are one line; kubectl cuts the rest off.
fn first_line(text: &str) -> String {
    match text.split_once('\n') {
        Some((first, _)) => format!("{}...", first.trim_end()),
        None => text.to_string(),
    }
}

/// `a=b,c=d`, `<none>`.
pub fn labels(labels: &Value) -> String {
    let pairs: Vec<String> = labels.as_object().into_iter().flatten().map(|(k, v)| format!("{k}={}", scalar(v))).collect();
    match pairs.is_empty() {
        true => "<none>".into(),
        false => pairs.join(","),
    }
}

/// Prints rows of cells as kubectl's own (client-made) tables: six wide at least, three blanks between.
pub fn rows(lines: &[Vec<String>]) -> String {
    let mut printer = Printer::default();
    printer.align(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pods() -> Value {
        json!({"columnDefinitions": [
                {"name": "Name", "priority": 0}, {"name": "Ready", "priority": 0}, {"name": "IP", "priority": 1}],
            "rows": [{"cells": ["test", "1/1", "10.0.0.1"], "object": {"metadata": {"namespace": "lab", "labels": {"run": "test"}}}},
                     {"cells": ["long-name", null, ""], "object": {"metadata": {"namespace": "default"}}}]})
    }

    #[test]
    fn styles() {
        let rows = [
            (Style::default(), "NAME        READY\ntest        1/1\nlong-name   \n"),
            (Style { no_headers: true, ..Style::default() }, "test        1/1\nlong-name   \n"),
            (
                Style { wide: true, kind: Some("pod".into()), ..Style::default() },
                "NAME            READY   IP\npod/test        1/1     10.0.0.1\npod/long-name           \n",
            ),
            (
                Style { with_namespace: true, show_labels: true, ..Style::default() },
                "NAMESPACE   NAME        READY   LABELS\nlab         test        1/1     run=test\ndefault     long-name           <none>\n",
            ),
            (
                Style { label_columns: vec!["x/run".into(), "run".into()], no_headers: true, ..Style::default() },
                "test        1/1         test\nlong-name               \n",
            ),
        ];
        for (style, want) in rows {
            assert_eq!(Printer::new(style).print(&pods(), ""), want);
        }
    }

    #[test]
    fn a_watch_keeps_its_widths_and_prints_one_header() {
        let mut printer = Printer::new(Style::default());
        printer.print(&pods(), "ADDED");
        let row = json!({"columnDefinitions": null, "rows": [{"cells": ["t", "0/1", ""], "object": {}}]});
        assert_eq!(printer.print(&row, "MODIFIED"), "t           0/1\n");
    }
}
