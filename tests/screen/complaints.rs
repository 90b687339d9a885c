//! Every family of complaints that concerns a screen has tests here, or a reason why not: `tests/data/complaints.txt`.

use std::fs;
use std::path::Path;

/// The text of every Rust file below a folder.
fn sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            all.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_family_of_complaints_has_a_test_or_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    sources(&root.join("src"), &mut code);
    sources(&root.join("tests"), &mut code);
    let table = fs::read_to_string(root.join("tests/data/complaints.txt")).unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(rows.len() >= 30, "{} families", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [family, said, held] = cells[..] else { panic!("not three cells: {row}") };
        assert!(!family.is_empty() && !said.is_empty() && !held.is_empty(), "{row}");
        if let Some(reason) = held.strip_prefix("reason:") {
            assert!(reason.trim().len() > 20, "{row}");
            continue;
        }
        for name in held.split_whitespace() {
            let test = format!("#[test]\nfn {name}() ");
            let inner = format!("#[test]\n    fn {name}() ");
            let on_linux = format!("#[cfg(target_os = \"linux\")]\nfn {name}() ");
            assert!([test, inner, on_linux].iter().any(|text| code.contains(text)), "no test is called {name}: {family}");
        }
    }
}
