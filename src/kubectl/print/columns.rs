//! `-o custom-columns=NAME:.metadata.name,..`

use super::scalar;
use super::table;
use crate::k8s::jsonpath::JsonPath;
use crate::kubectl::error::{Error, Result};
use serde_json::Value;

/// One column: its header and where its value is.
#[derive(Debug, Clone)]
pub struct Column {
    header: String,
    path: JsonPath,
}

/// Reads `HEADER:PATH,HEADER:PATH`.
///
/// # Errors
/// kubectl's sentences for a specification that is empty or lacks a colon.
pub fn parse(spec: &str) -> Result<Vec<Column>> {
    if spec.is_empty() {
        return Err(Error::plain("custom-columns format specified but no custom columns given"));
    }
    spec.split(',')
        .map(|part| {
            let (header, path) = part.split_once(':').ok_or_else(|| {
                Error::plain(format!("unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>"))
            })?;
            let path = JsonPath::parse_relaxed(path).map_err(Error::Plain)?;
            Ok(Column { header: header.to_string(), path })
        })
        .collect()
}

/// The columns of some objects.
///
/// # Errors
/// What a path finds wrong with an object.
pub fn print(columns: &[Column], objects: &[Value], headers: bool) -> Result<String> {
    let mut lines = Vec::new();
    if headers {
        lines.push(columns.iter().map(|c| c.header.clone()).collect());
    }
    for object in objects {
        let cells: Result<Vec<String>> = columns.iter().map(|c| cell(c, object)).collect();
        lines.push(cells?);
    }
    Ok(table::rows(&lines))
}

fn cell(column: &Column, object: &Value) -> Result<String> {
    let found = column.path.find(object).map_err(Error::Plain)?;
    let texts: Vec<String> = found.into_iter().map(|v| if v.is_null() { "<none>".into() } else { go_value(v) }).collect();
    Ok(if texts.is_empty() { "<none>".into() } else { texts.join(",") })
}

/// Custom columns print lists and maps as Go does: `[a b]`, `map[k:v]`.
fn go_value(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(go_value).collect::<Vec<_>>().join(" ")),
        Value::Object(members) => {
            format!("map[{}]", members.iter().map(|(k, v)| format!("{k}:{}", go_value(v))).collect::<Vec<_>>().join(" "))
        }
        Value::Null => "<nil>".into(),
        other => scalar(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns() {
        let objects = [json!({"metadata": {"name": "a"}, "spec": {"hosts": ["x", "y"]}}), json!({"metadata": {"name": "bb"}})];
        let columns = parse("N:.metadata.name,H:spec.hosts,F:.spec.hosts[*]").unwrap();
        assert_eq!(print(&columns, &objects, true).unwrap(), "N     H        F\na     [x y]    x,y\nbb    <none>   <none>\n");
        assert_eq!(
            parse("x").unwrap_err().text(),
            "error: unexpected custom-columns spec: x, expected <header>:<json-path-expr>"
        );
    }
}
