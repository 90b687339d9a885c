//! Every field that the CRDs have is accounted for in `tests/data/mesh/fields.txt`.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const KINDS: [(&str, &str); 6] = [
    ("serviceentries", "ServiceEntry"),
    ("workloadentries", "WorkloadEntry"),
    ("virtualservices", "VirtualService"),
    ("gateways", "Gateway"),
    ("destinationrules", "DestinationRule"),
    ("sidecars", "Sidecar"),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The paths of all leaves of a schema in the notation of `assets/crds`.
fn leaves(schema: &Value, parts: &Value, path: String, found: &mut BTreeSet<String>) {
    let below = |inner: &Value, path: String, found: &mut BTreeSet<String>| leaves(inner, parts, path, found);
    match schema {
        Value::String(name) => match name.strip_prefix('@') {
            Some(part) => below(&parts[part], path, found),
            None => drop(found.insert(path)),
        },
        Value::Array(items) => below(&items[0], format!("{path}[]"), found),
        Value::Object(members) => {
            for (key, mark) in [("$of", ""), ("$list", "[]"), ("$map", "{}")] {
                if let Some(inner) = members.get(key) {
                    return below(inner, format!("{path}{mark}"), found);
                }
            }
            let fields: Vec<_> = members.iter().filter(|(k, _)| !k.starts_with('$')).collect();
            if fields.is_empty() {
                found.insert(path.clone());
            }
            for (key, inner) in fields {
                below(inner, format!("{path}.{}", key.trim_end_matches('*')), found);
            }
        }
        other => panic!("{path}: {other}"),
    }
}

/// The four places of a traffic policy as one word.
fn general(path: &str) -> String {
    let places = [
        "spec.subsets[].trafficPolicy.portLevelSettings[]",
        "spec.trafficPolicy.portLevelSettings[]",
        "spec.subsets[].trafficPolicy",
        "spec.trafficPolicy",
    ];
    let place = places.into_iter().find_map(|p| path.strip_prefix(p));
    place.map_or_else(|| path.to_string(), |rest| format!("POLICY{rest}"))
}

struct Line {
    kind: String,
    path: String,
    mark: String,
    row: String,
}

fn lines() -> Vec<Line> {
    let text = read("tests/data/mesh/fields.txt");
    let lines = text.lines().filter(|l| !l.starts_with('#') && !l.is_empty());
    lines
        .map(|l| {
            let mut words = l.split(' ').map(String::from);
            let mut next = || words.next().unwrap_or_default();
            Line { kind: next(), path: next(), mark: next(), row: next() }
        })
        .collect()
}

fn fits(line: &Line, kind: &str, path: &str) -> bool {
    line.kind == kind && line.path.strip_suffix("**").map_or(line.path == path, |start| path.starts_with(start))
}

#[test]
fn every_field_of_the_crds_is_accounted_for() {
    let parts: Value = serde_json::from_str(&read("assets/crds/parts.json")).expect("JSON");
    let lines = lines();
    let mut used = BTreeSet::new();
    let mut missing = Vec::new();
    for (file, kind) in KINDS {
        let crd: Value = serde_json::from_str(&read(&format!("assets/crds/{file}.json"))).expect("JSON");
        let mut paths = BTreeSet::new();
        leaves(&crd["spec"], &parts, "spec".into(), &mut paths);
        assert!(paths.len() > 5, "{kind} has fields");
        for path in paths {
            match lines.iter().position(|line| fits(line, kind, &general(&path))) {
                Some(at) => drop(used.insert(at)),
                None => missing.push(format!("{kind} {path}")),
            }
        }
    }
    assert!(missing.is_empty(), "fields.txt lacks:\n{}", missing.join("\n"));
    let stale = lines.iter().enumerate().filter(|(i, _)| !used.contains(i)).map(|(_, l)| format!("{} {}", l.kind, l.path));
    assert_eq!(stale.collect::<Vec<_>>(), Vec::<String>::new(), "lines for fields that are not there");
}

/// All source texts below a folder.
fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => sources(&path, text),
            false if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("fields.rs") => {
                text.push_str(&std::fs::read_to_string(&path).expect("text"));
            }
            false => {}
        }
    }
}

#[test]
fn what_is_called_modelled_is_read_and_what_is_not_says_so() {
    let mut text = String::new();
    ["src/mesh/compile", "src/mesh/policy"].iter().for_each(|f| sources(&root().join(f), &mut text));
    for line in lines() {
        let key = line.path.trim_end_matches("**").trim_end_matches('.').rsplit('.').next().unwrap_or("");
        let key = key.trim_end_matches("[]").trim_end_matches("{}");
        match line.mark.as_str() {
            "modelled" => {
                let read =
                    [format!("\"{key}\""), format!("/{key}\""), format!("/{key}/")].iter().any(|k| text.contains(k.as_str()));
                assert!(read, "{} {} is called modelled, but nothing reads {key}", line.kind, line.path);
            }
            "none" => assert!(line.row.is_empty(), "{}: none has no row", line.path),
            "unmodelled" => {
                let row = read(&format!("tests/data/mesh/more/{}.yaml", line.row));
                assert!(row.contains("outcome: not-modelled"), "{} does not end as not modelled", line.row);
            }
            other => panic!("{}: {other}", line.path),
        }
    }
}
