//! Kustomizations (`-k`, `kubectl kustomize`): resources, generators with content hashes, patches, and the transformers of names,
//! namespaces, labels, annotations, images and replicas. After sigs.k8s.io/kustomize as kubectl 1.37 has it built in.

mod generate;
mod names;
mod order;
mod patches;
mod read;
mod transform;

use super::error::{Error, Result};
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::session::Session;
use crate::base::files::Files;
use crate::base::yaml;
use read::Kustomization;
use serde_json::{Value, json};
use std::path::{Component, Path, PathBuf};

pub const FLAGS: &[Flag] = &[
    short("output", 'o', Takes::Text, "write to this file instead"),
    flag("load-restrictor", Takes::Text, "takes no effect: files are read from below the kustomization only"),
    flag("enable-helm", Takes::Bool, "charts (not simulated here)"),
    flag("enable-alpha-plugins", Takes::Bool, "plugins (not simulated here)"),
];

/// Kustomizations inside kustomizations.
const LAYERS: usize = 32;
/// The most objects of one build.
const OBJECTS: usize = 10_000;

/// An object on its way, with the names it had.
#[derive(Debug, Clone)]
pub struct Res {
    pub value: Value,
    /// Every (name, namespace) so far, the one in its file first.
    pub known: Vec<(String, String)>,
    /// Its name is to end in a hash of what it holds.
    pub hashed: bool,
}

impl Res {
    pub fn new(value: Value) -> Res {
        let known = vec![(text(&value["metadata"]["name"]), text(&value["metadata"]["namespace"]))];
        Res { value, known, hashed: false }
    }

    pub fn kind(&self) -> &str {
        self.value["kind"].as_str().unwrap_or("")
    }

    pub fn name(&self) -> &str {
        self.value["metadata"]["name"].as_str().unwrap_or("")
    }

    pub fn namespace(&self) -> &str {
        self.value["metadata"]["namespace"].as_str().unwrap_or("")
    }

    /// Group and version.
    pub fn group_version(&self) -> (&str, &str) {
        let text = self.value["apiVersion"].as_str().unwrap_or("");
        text.split_once('/').unwrap_or(("", text))
    }

    /// Remembers the present name and namespace before they change.
    pub fn remember(&mut self) {
        let now = (self.name().to_string(), self.namespace().to_string());
        if !self.known.contains(&now) {
            self.known.push(now);
        }
    }

    /// Whether it has, or ever had, this name and namespace; "" and `default` are one.
    pub fn was(&self, name: &str, namespace: &str) -> bool {
        let now = (self.name().to_string(), self.namespace().to_string());
        self.known.iter().chain([&now]).any(|(n, ns)| n == name && same_namespace(ns, namespace))
    }

    /// How messages name it: `ConfigMap.v1.[noGrp]/cfg.lab`.
    pub fn id(&self) -> String {
        let (group, version) = self.group_version();
        let or = |text: &str, none: &str| if text.is_empty() { none.to_string() } else { text.to_string() };
        format!(
            "{}.{}.{}/{}.{}",
            or(self.kind(), "[noKind]"),
            or(version, "[noVer]"),
            or(group, "[noGrp]"),
            or(self.name(), "[noName]"),
            or(self.namespace(), "[noNs]")
        )
    }
}

fn same_namespace(a: &str, b: &str) -> bool {
    let full = |ns: &str| if ns.is_empty() { "default".to_string() } else { ns.to_string() };
    full(a) == full(b)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("").to_string()
}

/// One build: where files come from, and what is said meanwhile.
pub struct Build<'f> {
    files: &'f dyn Files,
    warnings: Vec<String>,
    visited: Vec<String>,
}

/// Runs `kubectl kustomize`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    if p.on("enable-helm") || p.on("enable-alpha-plugins") {
        return Err(Error::not_simulated("kustomize charts and plugins"));
    }
    let folder = match p.operands.as_slice() {
        [] => ".".to_string(),
        [folder] => folder.clone(),
        _ => return Err(Error::plain("specify one path to kustomization.yaml")),
    };
    let objects = build(s, &folder)?;
    let text = objects.iter().map(yaml::write).collect::<Vec<_>>().join("---\n");
    match p.str("output") {
        "" => s.io.write(text.as_bytes()),
        name => s.io.files.write(name, text.as_bytes()).map_err(|e| Error::plain(format!("{name}: {e}")))?,
    }
    Ok(0)
}

/// The objects that a kustomization makes, in kubectl's order; warnings are printed.
///
/// # Errors
/// kustomize's sentences, and "not simulated here" for fields beyond the built ones.
pub fn build(s: &mut Session<'_>, folder: &str) -> Result<Vec<Value>> {
    let files = s.io.files.clone();
    let mut build = Build { files: files.as_ref(), warnings: Vec::new(), visited: Vec::new() };
    let outcome = build.top(folder);
    for warning in std::mem::take(&mut build.warnings) {
        s.warn(&warning);
    }
    outcome
}

impl Build<'_> {
    fn top(&mut self, folder: &str) -> Result<Vec<Value>> {
        if is_remote(folder) {
            return Err(Error::not_simulated("kustomizations that are fetched from elsewhere"));
        }
        let folder = tidy(folder);
        if self.files.list(&folder).is_err() {
            let place = self.absolute(&folder);
            return Err(Error::plain(match self.files.read(&folder) {
                Ok(_) => format!("must build at directory: '{place}': file is not directory"),
                Err(_) => {
                    let shown = if folder.is_empty() { "." } else { &folder };
                    format!(
                        "must build at directory: not a valid directory: evalsymlink failure on '{shown}' : lstat {place}: no such file or directory"
                    )
                }
            }));
        }
        let (mut all, sorted) = self.layer(&folder)?;
        generate::add_hashes(&mut all);
        names::update_references(&mut all);
        if sorted {
            order::sort(&mut all);
        }
        Ok(all.into_iter().map(|res| res.value).collect())
    }

    /// One kustomization with all that it takes in; whether its objects are to be sorted.
    fn layer(&mut self, folder: &str) -> Result<(Vec<Res>, bool)> {
        if self.visited.len() >= LAYERS {
            return Err(Error::plain(format!("kustomizations are nested deeper than {LAYERS}")));
        }
        let kustomization = self.read(folder)?;
        self.visited.push(folder.to_string());
        let mut all = Vec::new();
        for resource in &kustomization.resources {
            let more = self.resource(folder, resource)?;
            add(&mut all, more, resource, &self.absolute(&join(folder, resource)))?;
        }
        generate::run(self, folder, &kustomization, &mut all)?;
        patches::strategic(self, folder, &kustomization, &mut all)?;
        patches::patches(self, folder, &kustomization, &mut all)?;
        transform::run(&kustomization, &mut all)?;
        patches::json6902(self, folder, &kustomization, &mut all)?;
        transform::replicas(&kustomization, &mut all)?;
        transform::images(&kustomization, &mut all);
        names::update_references(&mut all);
        self.visited.pop();
        Ok((all, kustomization.sorted))
    }

    fn read(&mut self, folder: &str) -> Result<Kustomization> {
        for name in ["kustomization.yaml", "kustomization.yml", "Kustomization"] {
            let Ok(bytes) = self.files.read(&join(folder, name)) else { continue };
            let text = String::from_utf8_lossy(&bytes).into_owned();
            return read::read(&text, &mut self.warnings);
        }
        Err(Error::plain(format!(
            "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '{}'",
            self.absolute(folder)
        )))
    }

    /// What one line of `resources` brings in.
    fn resource(&mut self, folder: &str, name: &str) -> Result<Vec<Res>> {
        if is_remote(name) {
            return Err(Error::not_simulated("kustomization resources that are fetched from elsewhere"));
        }
        let path = join(folder, name);
        let place = self.absolute(&path);
        let accumulating = |why: String| {
            Error::plain(format!("accumulating resources: accumulation err='accumulating resources from '{name}': {why}"))
        };
        if self.files.list(&path).is_ok() {
            if self.visited.contains(&path) {
                return Err(Error::plain(format!(
                    "accumulating resources: accumulation err='accumulating resources from '{name}': '{place}' must resolve to a file': cycle detected: candidate root '{place}' contains visited root"
                )));
            }
            return self.layer(&path).map(|(all, _)| all);
        }
        if path.starts_with("..") || !Path::new(&path).starts_with(folder) && !folder.is_empty() {
            return Err(accumulating(format!(
                "security; file '{place}' is not in or below '{}'': must build at directory: '{place}': file is not directory",
                self.absolute(folder)
            )));
        }
        let bytes = self.files.read(&path).map_err(|_| {
            let missing = format!("evalsymlink failure on '{place}' : lstat {place}: no such file or directory");
            accumulating(format!("{missing}': must build at directory: not a valid directory: {missing}"))
        })?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let objects = objects(&text)
            .map_err(|why| accumulating(format!("{why}': must build at directory: '{place}': file is not directory")))?;
        Ok(objects.into_iter().map(Res::new).collect())
    }

    /// A file that the kustomization names, as text.
    fn file(&self, folder: &str, name: &str) -> Result<String> {
        self.bytes(folder, name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn bytes(&self, folder: &str, name: &str) -> Result<Vec<u8>> {
        let path = join(folder, name);
        self.files.read(&path).map_err(|_| {
            let place = self.absolute(&path);
            Error::plain(format!("loading KV pairs: file sources: [{name}]: evalsymlink failure on '{place}' : lstat {place}: no such file or directory"))
        })
    }

    fn absolute(&self, path: &str) -> String {
        let root = self.files.location().unwrap_or_else(|| PathBuf::from("/"));
        root.join(path).display().to_string().trim_end_matches('/').to_string()
    }
}

/// The objects of a file; lists are taken apart.
fn objects(text: &str) -> std::result::Result<Vec<Value>, String> {
    let mut found = Vec::new();
    for value in yaml::parse_documents(text).map_err(|e| format!("MalformedYAMLError: {e}"))? {
        match value["items"].as_array().filter(|_| value["kind"].as_str().is_some_and(|kind| kind.ends_with("List"))) {
            Some(items) => found.extend(items.clone()),
            None => found.push(value),
        }
    }
    for object in &found {
        if object["kind"].as_str().is_none_or(str::is_empty) {
            return Err(format!("missing Resource metadata: {object}"));
        }
        if object["metadata"]["name"].as_str().is_none_or(str::is_empty) {
            return Err(format!("missing metadata.name in object {object}"));
        }
    }
    Ok(found)
}

fn add(all: &mut Vec<Res>, more: Vec<Res>, name: &str, place: &str) -> Result<()> {
    for res in more {
        if all.len() >= OBJECTS {
            return Err(Error::plain(format!("more than {OBJECTS} objects in one kustomization")));
        }
        if all.iter().any(|known| known.id() == res.id()) {
            return Err(Error::plain(format!(
                "accumulating resources: accumulation err='merging resources from '{name}': may not add resource with an already registered id: {}': must build at directory: '{place}': file is not directory",
                res.id()
            )));
        }
        all.push(res);
    }
    Ok(())
}

fn is_remote(name: &str) -> bool {
    name.contains("://") || name.starts_with("git@") || name.starts_with("github.com/") || name.contains("?ref=")
}

/// A path below a folder, without `.` and `x/..`.
fn join(folder: &str, name: &str) -> String {
    tidy(&format!("{folder}/{name}")).trim_start_matches(if folder.is_empty() { "/" } else { "" }).to_string()
}

/// A path without `.` and `x/..`; "" is the folder itself.
fn tidy(path: &str) -> String {
    let mut kept = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => (),
            Component::ParentDir if kept.file_name().is_some_and(|last| last != "..") => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    kept.display().to_string()
}

/// Whether objects of a kind have no namespace; kinds that are not built in are taken to have one.
fn is_cluster_scoped(group: &str, kind: &str) -> bool {
    crate::k8s::kinds::find(group, kind).is_some_and(|info| !info.namespaced)
}

/// The same by the kind alone.
fn is_cluster_scoped_kind(kind: &str) -> bool {
    matches!(kind, "PersistentVolume" | "StorageClass" | "IngressClass" | "PriorityClass" | "ClusterRole")
}

/// Puts a value where a path leads, making what is missing.
fn set(value: &mut Value, path: &[&str], new: Value) {
    let mut place = value;
    for key in path {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[*key];
    }
    *place = new;
}

/// Prints with the object's own form, for tests.
#[cfg(test)]
fn printed(all: &[Value]) -> String {
    all.iter().map(yaml::write).collect::<Vec<_>>().join("---\n")
}

#[cfg(test)]
mod tests;
