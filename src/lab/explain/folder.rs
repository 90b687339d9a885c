//! Manifests from files, folders and standard input: every document with the place where it stands.

use crate::base::text::caret;
use crate::base::yaml;
use crate::k8s::Object;
use crate::mesh::draft::Written;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Files that are read at most.
pub const MAX_FILES: usize = 10_000;
/// Bytes of one file.
pub const MAX_FILE: u64 = 16 << 20;
/// Bytes of all files together.
pub const MAX_TOTAL: u64 = 256 << 20;
/// Folders in folders.
const MAX_DEPTH: usize = 64;
/// Lists in lists.
const MAX_LISTS: usize = 8;
/// What is read in a folder; a file that is named is read whatever it is called.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Why manifests cannot be read; a sentence, perhaps with the place and a caret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// Reads all that is named, folders with what is below them, in the order of the names.
///
/// # Errors
/// The first file that cannot be read or is no YAML; no file at all; too many or too large ones.
pub fn read(paths: &[PathBuf], stdin: &mut dyn Read) -> Result<Vec<Written>, Unreadable> {
    let mut files = Files::default();
    for path in paths.iter().filter(|p| p.as_os_str() != "-") {
        files.find(path, 0, true)?;
    }
    let from_stdin = paths.iter().any(|p| p.as_os_str() == "-");
    if files.found.is_empty() && !from_stdin {
        let names: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
        return Err(Unreadable(format!(
            "there is no .yaml, .yml or .json file in {}; name a folder or file that has manifests",
            names.join(", ")
        )));
    }
    let mut written = Vec::new();
    if from_stdin {
        let mut bytes = Vec::new();
        stdin.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|e| Unreadable(format!("standard input: {e}")))?;
        too_large("standard input", bytes.len() as u64)?;
        documents("standard input", bytes, &mut written)?;
    }
    let mut total = 0;
    for path in files.found {
        let name = path.display().to_string();
        let size = fs::metadata(&path).map_or(0, |m| m.len());
        too_large(&name, size)?;
        total += size;
        if total > MAX_TOTAL {
            return Err(Unreadable(format!("the files are larger than {} MiB together; name a smaller folder", MAX_TOTAL >> 20)));
        }
        // A file may grow while it is read, and a pipe has no size.
        let file = fs::File::open(&path).map_err(|e| Unreadable(format!("{name}: {e}")))?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|e| Unreadable(format!("{name}: {e}")))?;
        too_large(&name, bytes.len() as u64)?;
        documents(&name, bytes, &mut written)?;
    }
    Ok(written)
}

fn too_large(name: &str, size: u64) -> Result<(), Unreadable> {
    match size > MAX_FILE {
        true => Err(Unreadable(format!(
            "{name} is larger than {} MiB; manifests are smaller: split it or leave it out",
            MAX_FILE >> 20
        ))),
        false => Ok(()),
    }
}

#[derive(Default)]
struct Files {
    found: Vec<PathBuf>,
    /// Folders that were walked, so that links in a circle end.
    walked: BTreeSet<PathBuf>,
}

impl Files {
    fn find(&mut self, path: &Path, depth: usize, named: bool) -> Result<(), Unreadable> {
        let about = match fs::metadata(path) {
            Ok(about) => about,
            Err(e) if named => return Err(Unreadable(format!("{}: {e}", path.display()))),
            // A link that leads nowhere is nothing to read.
            Err(_) => return Ok(()),
        };
        if about.is_dir() {
            return self.walk(path, depth);
        }
        let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let is_manifest = about.is_file() && ENDINGS.contains(&ending.as_str());
        if !named && !is_manifest {
            return Ok(());
        }
        self.found.push(path.to_path_buf());
        match self.found.len() > MAX_FILES {
            true => Err(Unreadable(format!("more than {MAX_FILES} files; name a smaller folder"))),
            false => Ok(()),
        }
    }

    fn walk(&mut self, folder: &Path, depth: usize) -> Result<(), Unreadable> {
        let say = |e: std::io::Error| Unreadable(format!("{}: {e}", folder.display()));
        let real = folder.canonicalize().map_err(say)?;
        if depth > MAX_DEPTH || !self.walked.insert(real) {
            return Ok(());
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(say)? {
            entries.push(entry.map_err(say)?.path());
            if entries.len() > MAX_FILES * 10 {
                return Err(Unreadable(format!("{} holds too many entries; name a smaller folder", folder.display())));
            }
        }
        entries.sort();
        let hidden = |p: &PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        entries.iter().filter(|p| !hidden(p)).try_for_each(|path| self.find(path, depth + 1, false))
    }
}

/// The objects of one file.
fn documents(name: &str, bytes: Vec<u8>, written: &mut Vec<Written>) -> Result<(), Unreadable> {
    let text = text(name, bytes)?;
    let found = yaml::documents(&text).map_err(|e| {
        let next = match text.contains("{{") {
            true => "this looks like a template: render it first (`helm template .. | egress-lab explain -f - ..`)",
            false => "correct that line, or leave the file out",
        };
        Unreadable(format!("{}\n{next}", caret(name, &text, e.line, e.column, &e.message)))
    })?;
    for document in found {
        take(Object(document.value), &format!("{name}:{}", document.line), 0, written);
    }
    Ok(())
}

fn text(name: &str, bytes: Vec<u8>) -> Result<String, Unreadable> {
    let bytes = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => rest.to_vec(),
        None => bytes,
    };
    let text = String::from_utf8(bytes).map_err(|e| {
        let good = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = good.iter().filter(|b| **b == b'\n').count() + 1;
        Unreadable(format!("{name}:{line}: this is no text (UTF-8): manifests are YAML or JSON; leave the file out"))
    })?;
    Ok(text.replace("\r\n", "\n"))
}

/// An object, or the items of a list.
fn take(object: Object, at: &str, depth: usize, written: &mut Vec<Written>) {
    let list = object.kind().ends_with("List") && object.at(&["items"]).is_array();
    if !list || depth >= MAX_LISTS {
        written.push(Written { object, at: at.to_string() });
        return;
    }
    let (kind, version) = (object.kind().trim_end_matches("List").to_string(), object.api_version().to_string());
    let mut whole = object;
    let Some(serde_json::Value::Array(items)) = whole.remove(&["items"]) else { return };
    for (n, item) in items.into_iter().enumerate() {
        let mut item = Object(item);
        // Items of a typed list (`PodList`) need not name their kind.
        if item.kind().is_empty() && item.0.is_object() && !kind.is_empty() {
            item.set(&["kind"], kind.clone().into());
            item.set(&["apiVersion"], version.clone().into());
        }
        take(item, &format!("{at} items[{n}]"), depth + 1, written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn names(folder: &tempfile::TempDir) -> Result<Vec<String>, String> {
        let found = read(&[folder.path().to_path_buf()], &mut std::io::empty()).map_err(|e| e.0)?;
        Ok(found.iter().map(|w| w.object.str_at(&["metadata", "name"]).to_string()).collect())
    }

    #[test]
    fn files_are_read_in_order_with_what_is_below() {
        let folder = folder(&[
            ("b.yaml", b"kind: A\nmetadata: {name: b1}\n---\nkind: A\nmetadata: {name: b2}\n"),
            ("a.json", b"{\"kind\": \"A\", \"metadata\": {\"name\": \"a\"}}"),
            (
                "c/d.yml",
                b"\xef\xbb\xbfkind: PodList\r\napiVersion: v1\r\nitems:\r\n- metadata: {name: c1}\r\n- metadata: {name: c2}\r\n",
            ),
            (".git/x.yaml", b"{{{{"),
            ("notes.txt", b"\xff\xfe"),
            ("empty.yaml", b""),
        ]);
        assert_eq!(names(&folder).unwrap(), ["a", "b1", "b2", "c1", "c2"]);
        let found = read(&[folder.path().join("c")], &mut std::io::empty()).unwrap();
        assert_eq!((found[1].object.kind(), found[1].object.api_version()), ("Pod", "v1"));
        assert!(found[1].at.ends_with("d.yml:1 items[1]"), "{}", found[1].at);
    }

    #[test]
    fn standard_input_is_a_file() {
        let found = read(&["-".into()], &mut &b"kind: A\nmetadata: {name: x}\n"[..]).unwrap();
        assert_eq!(found[0].at, "standard input:1");
    }

    #[test]
    fn what_is_wrong_is_shown_with_its_place_and_what_to_do() {
        for (bytes, said) in [
            (&b"kind: A\nspec: [1\nb: 2\n"[..], "x.yaml:3:"),
            (b"kind: A\nspec:\n\tx: 1\n", "x.yaml:3:1"),
            (b"kind: {{ .Values.kind }}\nb: [", "helm template"),
            (b"kind: A\nb: \x80\n", "x.yaml:2: this is no text"),
        ] {
            let error = names(&folder(&[("x.yaml", bytes)])).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        let missing = read(&["/nowhere/at/all".into()], &mut std::io::empty()).unwrap_err();
        assert!(missing.0.starts_with("/nowhere/at/all: "), "{missing}");
        assert!(names(&folder(&[("x.txt", b"")])).unwrap_err().contains("no .yaml"));
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_circle_end_and_links_to_nowhere_are_nothing() {
        let folder = folder(&[("a/x.yaml", b"kind: A\nmetadata: {name: x}\n")]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/loop")).unwrap();
        std::os::unix::fs::symlink("/nowhere", folder.path().join("a/gone.yaml")).unwrap();
        assert_eq!(names(&folder).unwrap(), ["x"]);
    }

    #[test]
    fn limits_hold() {
        let folder = folder(&[]);
        let file = fs::File::create(folder.path().join("large.yaml")).unwrap();
        file.set_len(MAX_FILE + 1).unwrap();
        assert!(names(&folder).unwrap_err().contains("larger than 16 MiB"));
        fs::remove_file(folder.path().join("large.yaml")).unwrap();
        for n in 0..=MAX_FILES {
            fs::write(folder.path().join(format!("{n}.yaml")), b"").unwrap();
        }
        assert!(names(&folder).unwrap_err().contains("more than 10000 files"));
    }
}
