//! What goes at the cursor: where in the object it is, by indentation, and what the kind's schema and the world's names offer there.

use super::buffer::indent_of;
use crate::k8s::shape::{Shape, Step};
use crate::k8s::templates;
use crate::session::desk::manifest::Names;

/// Candidates that are offered.
const MOST: usize = 200;

/// Where the cursor is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spot {
    pub api_version: String,
    pub kind: String,
    /// The path of the mapping in which a key goes, or of the field whose value goes here.
    pub path: Vec<Step>,
    pub wants: Wants,
    /// What is typed of it before the cursor.
    pub typed: String,
    /// Spaces before the key.
    pub indent: usize,
    /// Keys that the mapping has already.
    pub taken: Vec<String>,
}

/// What goes at a spot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wants {
    #[default]
    Key,
    Value,
    /// Inside a comment, or in a text of several lines.
    Nothing,
}

/// Something that can be put at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What is listed.
    pub name: String,
    /// What takes the place of what is typed.
    pub insert: String,
    /// `[]string`, `required string`.
    pub kind: String,
    pub about: String,
}

#[derive(Debug)]
struct Frame {
    column: usize,
    step: Step,
}

/// The first row of the document that a row is in, and the row of what ends it.
fn document_at(lines: &[String], row: usize) -> (usize, usize) {
    let first = lines[..row.min(lines.len())].iter().rposition(|line| line.trim_end() == "---").map_or(0, |n| n + 1);
    let last = lines.iter().skip(row).position(|line| line.trim_end() == "---").map_or(lines.len(), |n| row + n);
    (first, last)
}

/// The `apiVersion` and `kind` of the document that a row (from 0) is in; empty where they are not written.
pub fn kind_at(lines: &[String], row: usize) -> (String, String) {
    let (first, last) = document_at(lines, row);
    let document = &lines[first..last];
    let top = |name: &str| {
        let value = document.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.map(|v| v.split(" #").next().unwrap_or(v).trim().trim_matches(['"', '\'']).to_string()).unwrap_or_default()
    };
    (top("apiVersion"), top("kind"))
}

/// Reads where a cursor is (row and column from 0, in characters).
pub fn spot(lines: &[String], row: usize, column: usize) -> Spot {
    let (first, last) = document_at(lines, row);
    let (api_version, kind) = kind_at(lines, row);
    let mut spot = Spot { api_version, kind, ..Spot::default() };
    let mut stack: Vec<Frame> = Vec::new();
    let mut text_below = None;
    for line in lines[first..row.min(lines.len())].iter() {
        if is_in_text(&mut text_below, line) || line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        text_below = take(&mut stack, line).filter(|_| opens_text(line));
    }
    let line = lines.get(row).map(String::as_str).unwrap_or("");
    let before: String = line.chars().take(column).collect();
    if is_in_text(&mut text_below, line) || before.trim_start().starts_with('#') || before.contains(" #") {
        spot.wants = Wants::Nothing;
        return spot;
    }
    at_cursor(&mut spot, stack, &before);
    spot.taken = siblings(lines, (first, last), row, spot.indent);
    spot
}

/// Whether a line belongs to a text of several lines (`|`) that began above.
fn is_in_text(below: &mut Option<usize>, line: &str) -> bool {
    match *below {
        Some(column) if line.trim().is_empty() || indent_of(line) > column => true,
        _ => {
            *below = None;
            false
        }
    }
}

fn opens_text(line: &str) -> bool {
    matches!(line.rsplit(": ").next().map(str::trim), Some("|" | "|-" | "|+" | ">" | ">-" | ">+"))
}

/// Takes a line into the stack; the column of its key.
fn take(stack: &mut Vec<Frame>, line: &str) -> Option<usize> {
    let (column, rest) = items(stack, line);
    let key = key_of(rest)?;
    stack.retain(|frame| frame.column < column);
    stack.push(Frame { column, step: Step::Key(key.to_string()) });
    Some(column)
}

/// Takes the dashes of a line; where its content begins, and that.
fn items<'a>(stack: &mut Vec<Frame>, line: &'a str) -> (usize, &'a str) {
    let mut column = indent_of(line);
    let mut rest = &line[column..];
    while let Some(after) = rest.strip_prefix('-').filter(|after| after.is_empty() || after.starts_with(' ')) {
        stack.retain(|frame| frame.column < column || (frame.column == column && matches!(frame.step, Step::Key(_))));
        stack.push(Frame { column, step: Step::Item });
        let spaces = indent_of(after);
        column += 1 + spaces;
        rest = &after[spaces..];
    }
    (column, rest)
}

/// `hosts` of `hosts: ..`.
fn key_of(content: &str) -> Option<&str> {
    let end = content.find(": ").or_else(|| content.ends_with(':').then(|| content.len() - 1))?;
    Some(content[..end].trim_matches(['"', '\''])).filter(|key| !key.is_empty() && !key.starts_with(['{', '[']))
}

fn at_cursor(spot: &mut Spot, mut stack: Vec<Frame>, before: &str) {
    let (column, rest) = items(&mut stack, before);
    spot.indent = column;
    // An item's frame is left of what stands behind its dash.
    stack.retain(|frame| frame.column < column);
    match rest.split_once(": ") {
        Some((key, value)) => {
            stack.push(Frame { column, step: Step::Key(key.trim().trim_matches(['"', '\'']).to_string()) });
            spot.wants = Wants::Value;
            spot.typed = value.trim_start().to_string();
        }
        None => {
            spot.wants = Wants::Key;
            spot.typed = rest.to_string();
        }
    }
    spot.path = stack.into_iter().map(|frame| frame.step).collect();
}

/// Keys in the same mapping as the cursor.
fn siblings(lines: &[String], (first, last): (usize, usize), row: usize, indent: usize) -> Vec<String> {
    let key_at = |line: &str| {
        let mut stack = Vec::new();
        let (column, rest) = items(&mut stack, line);
        (column, stack.first().map_or(column, |frame: &Frame| frame.column), key_of(rest).map(str::to_string))
    };
    let is_nothing = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let mut keys = Vec::new();
    let own = lines.get(row).map(|line| key_at(line).1 < indent && !is_nothing(line)).unwrap_or(false);
    for line in lines[first..row.min(lines.len())].iter().rev().filter(|line| !is_nothing(line)) {
        let (column, start, key) = key_at(line);
        if own || column < indent {
            break;
        }
        keys.extend(key.filter(|_| column == indent));
        if start < indent {
            break;
        }
    }
    for line in lines.iter().take(last).skip(row + 1).filter(|line| !is_nothing(line)) {
        let (column, start, key) = key_at(line);
        if start < indent {
            break;
        }
        keys.extend(key.filter(|_| column == indent));
    }
    keys
}

/// What can go at a spot.
pub fn candidates(spot: &Spot, shape: Option<&Shape>, names: &Names) -> Vec<Candidate> {
    let mut found = match spot.wants {
        Wants::Nothing => return Vec::new(),
        Wants::Value => values(spot, shape, names),
        Wants::Key => {
            let mut keys = keys(spot, shape);
            // Behind a dash the item itself may go.
            if spot.path.last() == Some(&Step::Item) {
                keys.extend(values(spot, shape, names));
            }
            keys
        }
    };
    let typed = spot.typed.to_lowercase();
    found.retain(|c| c.name.to_lowercase().starts_with(&typed) && c.name != spot.typed);
    found.truncate(MOST);
    found
}

fn plain(name: &str, kind: &str) -> Candidate {
    Candidate { name: name.into(), insert: name.into(), kind: kind.into(), about: String::new() }
}

fn keys(spot: &Spot, shape: Option<&Shape>) -> Vec<Candidate> {
    let Some(shape) = shape else {
        let top = ["apiVersion", "kind", "metadata", "spec"].iter().filter(|_| spot.path.is_empty());
        let open = |name: &&&str| !spot.taken.iter().any(|taken| taken == **name);
        return top.filter(open).map(|name| Candidate { insert: key_text(name, "", spot.indent), ..plain(name, "") }).collect();
    };
    let Some(parent) = shape.at(&spot.path) else { return Vec::new() };
    let free = parent.fields.iter().filter(|(name, _)| !spot.taken.contains(name));
    let mut found: Vec<Candidate> = free
        .map(|(name, field)| Candidate {
            name: name.clone(),
            insert: key_text(name, &field.kind, spot.indent),
            kind: if field.required { format!("{}, required", field.kind) } else { field.kind.clone() },
            about: field.about.clone(),
        })
        .collect();
    found.sort_by_key(|c| !c.kind.ends_with("required"));
    found
}

/// A key with what stands behind it: a value's space, a list's first dash, a mapping's deeper line.
fn key_text(name: &str, kind: &str, indent: usize) -> String {
    let scalar = matches!(kind, "string" | "integer" | "number" | "boolean" | "Duration" | "Time" | "Quantity" | "IntOrString");
    match () {
        () if kind.starts_with("[]") => format!("{name}:\n{}- ", " ".repeat(indent)),
        () if scalar || matches!(name, "apiVersion" | "kind") => format!("{name}: "),
        () => format!("{name}:\n{}", " ".repeat(indent + 2)),
    }
}

fn values(spot: &Spot, shape: Option<&Shape>, names: &Names) -> Vec<Candidate> {
    let key = spot.path.iter().rev().find_map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None });
    if spot.path.len() == 1 && spot.path.first().is_some_and(|s| matches!(s, Step::Key(_))) {
        match key {
            Some("kind") => return templates::kinds().iter().map(|kind| plain(kind, "")).collect(),
            Some("apiVersion") => return versions(&spot.kind),
            _ => (),
        }
    }
    let field = shape.and_then(|shape| shape.at(&spot.path));
    let mut found: Vec<Candidate> = field.into_iter().flat_map(|f| f.values.iter()).map(|v| plain(v, "")).collect();
    if field.is_some_and(|f| f.kind == "boolean") {
        found.extend(["true", "false"].map(|v| plain(v, "")));
    }
    let sort = match key {
        Some("namespace" | "namespaces") => "namespaces",
        Some("host" | "hosts") => "hosts",
        Some("gateways") => "gateways",
        Some("subset") => "subsets",
        _ => return found,
    };
    found.extend(names.of.get(sort).into_iter().flatten().map(|name| plain(name, sort)));
    if sort == "gateways" {
        found.push(Candidate { about: "All sidecars of the mesh.".into(), ..plain("mesh", sort) });
    }
    found
}

fn versions(kind: &str) -> Vec<Candidate> {
    let text = templates::find(kind).unwrap_or("");
    let own = text.lines().find_map(|line| line.strip_prefix("apiVersion: "));
    let all = ["networking.istio.io/v1", "security.istio.io/v1", "telemetry.istio.io/v1", "v1", "apps/v1"];
    own.into_iter().chain(all.into_iter().filter(|v| Some(*v) != own)).map(|v| plain(v, "")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Spot {
        let head = text.split('@').next().unwrap();
        let row = head.matches('\n').count();
        let column = head.rsplit('\n').next().unwrap().chars().count();
        let lines: Vec<String> = text.replace('@', "").split('\n').map(str::to_string).collect();
        spot(&lines, row, column)
    }

    fn path(spot: &Spot) -> String {
        let one = |step: &Step| if let Step::Key(key) = step { format!(".{key}") } else { "[]".into() };
        spot.path.iter().map(one).collect()
    }

    #[test]
    fn the_place_is_read_from_the_indentation() {
        for (text, want, wants, typed) in [
            ("@", "", Wants::Key, ""),
            ("kind: Pod\nspec:\n  ho@", ".spec", Wants::Key, "ho"),
            ("spec:\n  hosts:\n  - www@", ".spec.hosts[]", Wants::Key, "www"),
            ("spec:\n  ports:\n  - number: 80\n    pro@", ".spec.ports[]", Wants::Key, "pro"),
            ("spec:\n  ports:\n    - number: 80\n      protocol: H@", ".spec.ports[].protocol", Wants::Value, "H"),
            ("spec:\n  ports:\n  - number: 80\n  @", ".spec", Wants::Key, ""),
            ("spec:\n  ports:\n  - @", ".spec.ports[]", Wants::Key, ""),
            ("a:\n  b:\n    c: 1\nd@", "", Wants::Key, "d"),
            ("kind: A\nspec:\n  x: 1\n---\nkind: B\nsp@", "", Wants::Key, "sp"),
            ("a: |\n  text: @", "", Wants::Nothing, ""),
            ("# a@", "", Wants::Nothing, ""),
            (
                "http:\n- match:\n  - port: 80\n  route:\n  - destination:\n      ho@",
                ".http[].route[].destination",
                Wants::Key,
                "ho",
            ),
        ] {
            let found = at(text);
            assert_eq!((path(&found).as_str(), found.wants, found.typed.as_str()), (want, wants, typed), "{text}");
        }
        assert_eq!(at("kind: A\n---\napiVersion: v1\nkind: B # x\n@").kind, "B");
        assert_eq!(at("spec:\n  ports:\n  - number: 80\n    @\n    name: x\n  - name: y").taken, ["number", "name"]);
    }

    #[test]
    fn fields_values_and_names_are_offered_and_taken_ones_are_not() {
        let leaf = |kind: &str| Shape { kind: kind.into(), ..Shape::default() };
        let location = Shape { values: vec!["MESH_EXTERNAL".into(), "MESH_INTERNAL".into()], ..leaf("string") };
        let hosts = Shape { required: true, item: Some(Box::new(leaf("string"))), ..leaf("[]string") };
        let spec = Shape {
            fields: vec![("hosts".into(), hosts), ("location".into(), location), ("resolution".into(), leaf("string"))],
            ..leaf("Object")
        };
        let root = Shape { fields: vec![("kind".into(), leaf("string")), ("spec".into(), spec)], ..Shape::default() };
        let mut names = Names::default();
        names.of.insert("hosts".into(), vec!["www.wikipedia.org".into()]);
        let offered =
            |text: &str| -> Vec<String> { candidates(&at(text), Some(&root), &names).into_iter().map(|c| c.insert).collect() };
        assert_eq!(offered("spec:\n  @\n  location: x"), ["hosts:\n  - ", "resolution: "]);
        assert_eq!(offered("spec:\n  location: @"), ["MESH_EXTERNAL", "MESH_INTERNAL"]);
        assert_eq!(offered("spec:\n  location: mesh_i@"), ["MESH_INTERNAL"]);
        assert_eq!(offered("spec:\n  hosts:\n  - @"), ["www.wikipedia.org"]);
        assert_eq!(offered("kind: Side@"), ["Sidecar"]);
        assert_eq!(offered("kind: Gateway\napiVersion: @")[0], "networking.istio.io/v1");
        assert_eq!(offered("nosuch:\n  @"), Vec::<String>::new());
        let none: Vec<_> = candidates(&at("kind: X\n@"), None, &names).into_iter().map(|c| c.name).collect();
        assert_eq!(none, ["apiVersion", "metadata", "spec"]);
    }
}
