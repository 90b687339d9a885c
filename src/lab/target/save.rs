//! Writes what a command changed in the contexts back into the kubeconfig files that they came from.

use crate::base::yaml;
use crate::kubectl::Config;
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes the differences between two states of the contexts: the default namespace of each where it is described, the context
/// in use where one is named, else into the first file.
///
/// # Errors
/// A file that cannot be read or written.
pub fn save(files: &[PathBuf], before: &Config, after: &Config) -> anyhow::Result<()> {
    let mut read: Vec<(&PathBuf, Value, bool)> = Vec::new();
    for path in files.iter().filter(|path| path.exists()) {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let value = yaml::parse(&text).with_context(|| format!("reading {}", path.display()))?;
        read.push((path, value, false));
    }
    for context in after.contexts.iter().filter(|context| !before.contexts.contains(context)) {
        let found = read.iter_mut().find_map(|(_, value, touched)| Some((described(value, &context.name)?, touched)));
        let Some((place, touched)) = found else { continue };
        place["namespace"] = json!(context.namespace);
        *touched = true;
    }
    if before.current != after.current {
        let named = read.iter().position(|(_, value, _)| value["current-context"].as_str().is_some_and(|name| !name.is_empty()));
        let Some((_, value, touched)) = read.get_mut(named.unwrap_or(0)) else { bail!("there is no kubeconfig to write to") };
        value["current-context"] = json!(after.current);
        *touched = true;
    }
    for (path, value, _) in read.iter().filter(|(_, _, touched)| *touched) {
        replace(path, yaml::write(value).as_bytes()).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// A context's inner object.
fn described<'a>(file: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    let context = file.get_mut("contexts")?.as_array_mut()?.iter_mut().find(|context| context["name"] == name)?;
    context.get_mut("context").filter(|inner| inner.is_object())
}

/// Replaces a file whole or not at all, with the rights it had; a symbolic link stays one.
fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let path = path.canonicalize()?;
    let mut beside = path.clone().into_os_string();
    beside.push(format!(".{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.set_permissions(fs::metadata(&path)?.permissions()))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    Ok(written?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubectl::ContextEntry;

    const FIRST: &str = "apiVersion: v1\nkind: Config\ncontexts:\n- context:\n    cluster: a\n    user: u\n  name: a\n";
    const SECOND: &str =
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n- context: {cluster: b, user: u}\n  name: b\nmine: kept\n";

    fn config(current: &str, namespace: &str) -> Config {
        let entry = |name: &str, namespace: &str| ContextEntry {
            name: name.into(),
            cluster: name.into(),
            user: "u".into(),
            namespace: namespace.into(),
            server: String::new(),
        };
        Config { contexts: vec![entry("a", ""), entry("b", namespace)], current: current.into(), changed: true }
    }

    /// The two files after a change.
    fn saved(before: &Config, after: &Config) -> [String; 2] {
        let folder = tempfile::tempdir().unwrap();
        let files = ["first", "second", "missing"].map(|name| folder.path().join(name));
        fs::write(&files[0], FIRST).unwrap();
        fs::write(&files[1], SECOND).unwrap();
        save(&files, before, after).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        [0, 1].map(|n| fs::read_to_string(&files[n]).unwrap())
    }

    #[test]
    fn a_namespace_goes_where_its_context_is_described() {
        let [first, second] = saved(&config("a", ""), &config("a", "lab"));
        assert_eq!(first, FIRST);
        assert!(second.contains("namespace: lab") && second.contains("mine: kept"), "{second}");
    }

    #[test]
    fn the_context_in_use_goes_where_one_is_named() {
        let [first, second] = saved(&config("a", ""), &config("b", ""));
        assert_eq!(first, FIRST);
        assert!(second.contains("current-context: b"), "{second}");
    }

    #[test]
    fn nothing_changed_is_nothing_written() {
        assert_eq!(saved(&config("a", "x"), &config("a", "x")), [FIRST, SECOND]);
    }

    #[cfg(unix)]
    #[test]
    fn rights_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, SECOND).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        save(std::slice::from_ref(&link), &config("a", ""), &config("b", "")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::read_to_string(&file).unwrap().contains("current-context: b"));
    }
}
