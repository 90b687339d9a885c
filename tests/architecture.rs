//! The house's rules as things that are absent: which room may name which, which crate may be named where, what may not be
//! written at all. Fails for a file without a row.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const BELOW_LAB: &[&str] = &[
    "base", "k8s", "outside", "lesson", "shell", "mesh", "kubectl", "istioctl", "finding", "check", "progress", "session",
    "drill", "workshop",
];

/// Which rooms a file may name: the longest matching prefix of its path decides.
const ROOMS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("k8s", &["base"]),
    ("outside", &["base"]),
    ("lesson", &["base", "k8s"]),
    ("shell", &["base"]),
    ("mesh", &["base", "k8s", "outside"]),
    ("sandbox", &["base", "k8s", "outside", "shell"]),
    ("kubectl", &["base", "k8s"]),
    ("istioctl", &["base", "k8s", "mesh"]),
    ("finding", &["base", "k8s", "mesh"]),
    ("check", &["base", "k8s", "outside", "lesson", "mesh", "finding"]),
    ("progress", &["base", "lesson"]),
    ("session", &["base", "k8s", "lesson", "finding", "progress"]),
    ("lab", BELOW_LAB),
    (
        "lab/env/sandbox",
        &[
            "base", "k8s", "outside", "lesson", "shell", "mesh", "kubectl", "istioctl", "finding", "check", "progress",
            "session", "sandbox",
        ],
    ),
    ("tui", &["base", "k8s", "lesson", "session", "finding", "mesh", "drill", "workshop", "progress"]),
    (
        "author",
        &[
            "base", "k8s", "outside", "lesson", "shell", "mesh", "kubectl", "istioctl", "finding", "check", "progress",
            "session", "lab",
        ],
    ),
    (
        "cli",
        &[
            "base", "k8s", "outside", "lesson", "shell", "mesh", "kubectl", "istioctl", "finding", "check", "progress",
            "session", "lab", "tui", "author",
        ],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// Crates that only some rooms may name.
const CRATES: &[(&str, &[&str])] = &[
    ("ratatui", &["tui"]),
    ("crossterm", &["tui"]),
    ("tui_input", &["tui"]),
    ("ratatui_textarea", &["tui"]),
    ("vt100", &["tui/shell"]),
    ("portable_pty", &["lab/own_shell"]),
    ("kube", &["kubectl", "istioctl", "check", "lab", "author"]),
    ("axum", &["sandbox/serve", "lab"]),
    ("hyper", &["sandbox/serve", "lab"]),
    ("rustls", &["sandbox/serve", "lab", "main", "cli"]),
    ("tokio_rustls", &["sandbox/serve", "lab"]),
    // The lab's outside world on a cluster has a CA of its own.
    ("rcgen", &["sandbox/serve", "lab/origin"]),
    ("h2", &["lab/origin"]),
    ("httparse", &["lab/origin"]),
    ("tokio", &["sandbox/serve", "kubectl", "istioctl", "check", "lab", "author", "cli"]),
    ("clap", &["cli"]),
    ("anyhow", &["cli", "lab", "author", "main"]),
    ("pulldown_cmark", &["lesson"]),
    ("serde_yaml", &["base/yaml", "lesson"]),
    ("jiff", &["base"]),
    ("etcetera", &["base/paths"]),
];

/// Text that must not stand in these places. (text, where it is allowed, why)
const WORDS: &[(&str, &[&str], &str)] = &[
    ("super::super", &[], "name the room from the top instead"),
    ("pub use crate::", &[], "one name for one thing"),
    ("SystemTime::now", &["base/clock"], "only base::clock reads time"),
    ("Instant::now", &["base/clock"], "only base::clock reads time"),
    ("Timestamp::now", &["base/clock"], "only base::clock reads time"),
    ("RandomState", &["base/seed"], "only base::seed makes randomness"),
    ("home_dir", &["base/paths"], "only base::paths knows the home folder"),
    ("std::process::Command", &["cli", "tui"], "nothing of a lesson or a pod starts a host process"),
    ("tokio::process", &["cli", "tui", "lab/tools"], "nothing of a lesson or a pod starts a host process"),
    ("static mut", &[], "no globals"),
];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("readable folder") {
        let path = entry.expect("readable entry").path();
        match path.is_dir() {
            true => rust_files(&path, found),
            false if path.extension().is_some_and(|ext| ext == "rs") => found.push(path),
            false => (),
        }
    }
}

/// Every source file: its path below `src` without `.rs`, and its code without comments, strings and unit tests.
fn sources() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    rust_files(&src(), &mut paths);
    assert!(paths.len() > 20, "the sources were not found");
    let relative = |path: &Path| {
        let path = path.strip_prefix(src()).expect("under src").with_extension("");
        path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
    };
    paths.iter().map(|path| (relative(path), code(&fs::read_to_string(path).expect("UTF-8 source")))).collect()
}

/// The text without line comments, block comments, string contents and everything from `#[cfg(test)]` at the start of a line on.
fn code(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]").next().unwrap_or("");
    let chars: Vec<char> = text.chars().collect();
    let (mut out, mut i) = (String::new(), 0);
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    while i < chars.len() {
        match (at(i), at(i + 1)) {
            ('/', '/') => i = skip(&chars, i, |c, k| c[k] == '\n'),
            ('/', '*') => i = skip(&chars, i + 2, |c, k| c[k] == '*' && c.get(k + 1) == Some(&'/')) + 2,
            ('r', '#') if at(i + 2) == '"' => i = skip(&chars, i + 3, |c, k| c[k] == '"' && c.get(k + 1) == Some(&'#')) + 2,
            ('\'', '"') | ('\'', '\\') => {
                i = skip(&chars, i + 3, |c, k| c[k] == '\'') + 1;
            }
            ('"', _) => {
                i += 1;
                while i < chars.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                i += 1;
                out.push_str("\"\"");
            }
            (c, _) => {
                out.push(c);
                i += 1;
            }
        }
    }
    out
}

fn skip(chars: &[char], from: usize, end: impl Fn(&[char], usize) -> bool) -> usize {
    (from..chars.len()).find(|&k| end(chars, k)).unwrap_or(chars.len())
}

/// The first name after each `crate::`, including every top-level name of a `crate::{…}` group.
fn used_rooms(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, prefix) in text.match_indices("crate::") {
        if text[..at].ends_with('$') {
            continue;
        }
        let rest = &text[at + prefix.len()..];
        let (mut depth, mut want) = (0, true);
        for (i, c) in rest.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => want = true,
                _ if want && (c.is_alphabetic() || c == '_') => {
                    let end = rest[i..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len() - i);
                    used.insert(rest[i..i + end].to_string());
                    want = false;
                }
                _ => (),
            }
            if depth == 0 && !want {
                break;
            }
        }
    }
    used
}

fn under(path: &str, prefix: &str) -> bool {
    path == prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'))
}

#[test]
fn rooms_name_only_what_the_table_allows() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let row = ROOMS.iter().filter(|(room, _)| under(&path, room)).max_by_key(|(room, _)| room.len());
        let Some((room, allowed)) = row else {
            wrong.push(format!("{path}: no row in the table of rooms"));
            continue;
        };
        let own = room.split('/').next().unwrap_or(room);
        for used in used_rooms(&text) {
            if used != own && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{path}: may not name {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_are_named_only_in_their_rooms() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (name, rooms) in CRATES {
            let named = text
                .match_indices(&format!("{name}::"))
                .any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
            if named && !rooms.iter().any(|room| under(&path, room)) {
                wrong.push(format!("{path}: may not name the crate {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_forbidden_is_absent() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (word, rooms, why) in WORDS {
            if text.contains(word) && !rooms.iter().any(|room| under(&path, room)) {
                wrong.push(format!("{path}: {word} ({why})"));
            }
        }
        if path.ends_with("/mod") {
            wrong.push(format!("{path}: foo.rs beside foo/, no mod.rs"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every test file is in the one integration binary.
#[test]
fn no_test_file_is_forgotten() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let main = fs::read_to_string(dir.join("main.rs")).expect("tests/main.rs");
    for entry in fs::read_dir(&dir).expect("tests/") {
        let path = entry.expect("entry").path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|ext| ext == "rs") && stem != "main" {
            assert!(main.contains(&format!("mod {stem};")), "tests/{stem}.rs is not a module of tests/main.rs");
        }
    }
}

#[test]
fn the_scanner_sees_names_and_not_comments() {
    let text = "use crate::{base::x, k8s};\n// crate::tui\nlet s = \"crate::cli\"; /* crate::lab */ crate::mesh::y()";
    assert_eq!(used_rooms(&code(text)).into_iter().collect::<Vec<_>>(), ["base", "k8s", "mesh"]);
}
