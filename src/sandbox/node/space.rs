//! A container as its commands see it: files, network, user.

use super::files::{Entry, Mount, Source, Tree};
use super::images::Image;
use super::spec::{self, Container};
use super::tools::{Facts, Process, ToolEnv};
use super::{Env, tools};
use crate::base::clock::Time;
use crate::k8s::{Object, Snapshot};
use crate::outside::wire::{DnsAnswer, Exchange, LogLine, Request};
use crate::shell::{FileError, FileInfo, Files};
use serde_json::Value;
use std::collections::BTreeMap;

/// The address of the cluster's DNS Service.
pub const DNS_IP: &str = "10.96.0.10";

/// One container for one step.
pub struct Space<'a, 'e> {
    pub tree: Tree<'a>,
    pub pod: &'a Object,
    pub container: &'a str,
    pub image: &'static Image,
    pub env: &'a mut Env<'e>,
    /// Lines for other containers' logs, and when.
    pub logs: &'a mut Vec<(Time, LogLine)>,
    /// The main process's command line and start.
    pub main: (String, Time),
    /// Simulated time that exchanges took since the step began.
    pub passed_ms: u64,
}

impl Files for Space<'_, '_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        if path == "/dev/null" {
            return Ok(Vec::new());
        }
        self.tree.read(path)
    }

    fn write(&mut self, path: &str, bytes: &[u8], append: bool) -> Result<(), FileError> {
        self.tree.write(path, bytes, append)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, FileError> {
        self.tree.list(folder)
    }

    fn stat(&self, path: &str) -> Result<FileInfo, FileError> {
        self.tree.stat(path, |uid| self.user_of(uid))
    }

    fn command_path(&self, name: &str) -> Option<String> {
        command_path(self.image, name)
    }
}

/// Where a command lives in an image, by name or path.
pub fn command_path(image: &Image, name: &str) -> Option<String> {
    let base = name.rsplit('/').next().unwrap_or(name);
    let path = format!("{}/{base}", folder_of(base));
    let fits = !name.contains('/') || name == path || name == format!("/usr{path}") || format!("/usr{name}") == path;
    let own = image.entrypoint.iter().chain(image.cmd.first()).any(|e| *e == name);
    match fits && image.has(base, tools::names()) {
        true => Some(path),
        false => own.then(|| name.to_string()),
    }
}

fn folder_of(name: &str) -> &'static str {
    match name {
        "pilot-agent" | "envoy" | "pilot-discovery" => "/usr/local/bin",
        "sh" | "ash" | "bash" | "cat" | "ls" | "echo" | "sleep" | "date" | "ps" | "mkdir" | "rm" | "cp" | "mv" | "true"
        | "false" | "pwd" | "uname" | "hostname" | "grep" | "sed" | "touch" | "chmod" | "ln" | "ping" | "kill" | "watch"
        | "base64" | "tar" => "/bin",
        _ => "/usr/bin",
    }
}

impl Space<'_, '_> {
    fn user_of(&self, uid: u32) -> String {
        match uid {
            0 => "root".into(),
            uid if uid == self.image.uid => self.image.user.into(),
            uid => uid.to_string(),
        }
    }
}

impl ToolEnv for Space<'_, '_> {
    fn resolve(&mut self, name: &str) -> DnsAnswer {
        self.env.resolve(self.pod, name)
    }

    fn exchange(&mut self, request: &Request) -> Exchange {
        let mut request = request.clone();
        request.from_proxy_user = self.tree.uid == 1337;
        *self.env.exchanges += 1;
        let at = self.env.now.plus_ms(self.passed_ms as i64);
        let exchange = self.env.dataplane.exchange(self.pod, &request, at, *self.env.exchanges);
        self.passed_ms = self.passed_ms.saturating_add(exchange.delay_ms);
        self.logs.extend(exchange.logs.iter().map(|line| (at, line.clone())));
        exchange
    }

    fn facts(&self) -> Facts {
        let user = self.user_of(self.tree.uid);
        let ns = self.pod.namespace();
        Facts {
            hostname: hostname(self.pod),
            group: user.clone(),
            uid: self.tree.uid,
            gid: if self.tree.uid == self.image.uid { self.image.gid } else { self.tree.uid },
            address: self.pod.str_at(&["status", "podIP"]).to_string(),
            nameserver: DNS_IP.into(),
            search: vec![format!("{ns}.svc.cluster.local"), "svc.cluster.local".into(), "cluster.local".into()],
            ndots: 5,
            processes: vec![Process {
                pid: 1,
                user: user.clone(),
                seconds: self.env.now.since(self.main.1) as u64 / 1000,
                command: self.main.0.clone(),
            }],
            user,
            kernel: "6.8.0".into(),
            machine: "x86_64".into(),
        }
    }

    fn now(&self) -> Time {
        *self.env.now
    }

    fn make_folder(&mut self, path: &str) -> Result<(), FileError> {
        self.tree.make_folder(path)
    }

    fn remove(&mut self, path: &str) -> Result<(), FileError> {
        self.tree.remove(path)
    }

    fn set_facts(&mut self, path: &str, mode: u32, modified: Option<Time>) -> Result<(), FileError> {
        self.tree.set_facts(path, mode, modified)
    }
}

fn hostname(pod: &Object) -> String {
    let own = pod.str_at(&["spec", "hostname"]);
    if own.is_empty() { pod.name().to_string() } else { own.to_string() }
}

/// The user id of a container's processes.
pub fn user_id(pod: &Object, container: &Container<'_>, image: &Image) -> u32 {
    let own = container.spec["securityContext"]["runAsUser"].as_u64();
    let all = pod.at(&["spec", "securityContext", "runAsUser"]).as_u64();
    own.or(all).and_then(|n| u32::try_from(n).ok()).unwrap_or(image.uid)
}

/// The files that the image and the kubelet bring.
pub fn base_files(pod: &Object, image: &Image, at: Time) -> BTreeMap<String, Entry> {
    let mut files = BTreeMap::new();
    let mut text = |path: &str, text: String| drop(files.insert(path.to_string(), Entry::file(text, at)));
    let ip = pod.str_at(&["status", "podIP"]);
    let (user, uid, gid, home) = (image.user, image.uid, image.gid, image.home);
    let me = if uid == 0 { String::new() } else { format!("{user}:x:{uid}:{gid}::{home}:/bin/sh\n") };
    text("/etc/passwd", format!("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n{me}"));
    text(
        "/etc/group",
        format!("root:x:0:\nnogroup:x:65534:\n{}", if uid == 0 { String::new() } else { format!("{user}:x:{gid}:\n") }),
    );
    text("/etc/hostname", format!("{}\n", hostname(pod)));
    text(
        "/etc/hosts",
        format!(
            "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n{ip}\t{}\n",
            hostname(pod)
        ),
    );
    let ns = pod.namespace();
    let search = format!("search {ns}.svc.cluster.local svc.cluster.local cluster.local");
    text("/etc/resolv.conf", format!("{search}\nnameserver {DNS_IP}\noptions ndots:5\n"));
    text("/etc/os-release", format!("PRETTY_NAME=\"{}\"\nNAME=\"{}\"\nID={}\n", image.os.0, image.os.0, image.os.1));
    if image.entrypoint.first() == Some(&"/entrypoint.sh") {
        text(
            "/entrypoint.sh",
            "#!/usr/bin/env sh\nset -e\nif [ \"${1#-}\" != \"${1}\" ]; then\n  set -- curl \"$@\"\nfi\nexec \"$@\"\n".into(),
        );
    }
    let names = tools::names().iter().copied().chain(["sh", "bash", "curl"]);
    for name in names.filter(|n| image.has(n, tools::names())) {
        files.insert(format!("{}/{name}", folder_of(name)), Entry::program(at));
    }
    for folder in ["/bin", "/dev", "/etc", "/home", "/lib", "/proc", "/root", "/run", "/sbin", "/sys", "/usr", "/usr/bin", "/var"]
    {
        files.insert(folder.into(), Entry::folder(at));
    }
    files.insert("/dev/null".into(), Entry { mode: 0o666, ..Entry::file("", at) });
    files.insert("/tmp".into(), Entry { mode: 0o1777, ..Entry::folder(at) });
    files.insert("/var/tmp".into(), Entry { mode: 0o1777, ..Entry::folder(at) });
    files.insert(home.into(), Entry { uid, ..Entry::folder(at) });
    files
}

/// What is mounted into a container.
///
/// # Errors
/// The volume and what it lacks: `(volume, configmap "x" not found)`.
pub fn mounts(pod: &Object, container: &Container<'_>, state: &Snapshot) -> Result<Vec<Mount>, (String, String)> {
    let volumes = pod.at(&["spec", "volumes"]).as_array();
    let volume = |name: &str| volumes.into_iter().flatten().find(|v| v["name"] == name);
    let mut mounts = Vec::new();
    for wanted in container.spec["volumeMounts"].as_array().into_iter().flatten() {
        let name = wanted["name"].as_str().unwrap_or("");
        let at = wanted["mountPath"].as_str().unwrap_or("").trim_end_matches('/').to_string();
        let Some(volume) = volume(name).filter(|_| !at.is_empty()) else { continue };
        let source = source(pod, volume, state).map_err(|what| (name.to_string(), what))?;
        let mount = match (wanted["subPath"].as_str(), source) {
            (Some(sub), Source::Given(files)) => match files.get(sub) {
                // One file, mounted as such: its folder becomes the mount.
                Some(bytes) => {
                    let (folder, file) = at.rsplit_once('/').unwrap_or(("", &at));
                    let files = BTreeMap::from([(file.to_string(), bytes.clone())]);
                    Mount { at: folder.to_string(), source: Source::Given(files), read_only: true }
                }
                None => continue,
            },
            (_, source) => Mount { at, source, read_only: wanted["readOnly"] == true },
        };
        mounts.push(mount);
    }
    Ok(mounts)
}

/// A volume's content.
///
/// # Errors
/// What it lacks.
pub fn source(pod: &Object, volume: &Value, state: &Snapshot) -> Result<Source, String> {
    let mut files = BTreeMap::new();
    if volume["configMap"].is_object() || volume["secret"].is_object() {
        given(pod, volume, state, &mut files)?;
    } else if let Some(items) = volume["downwardAPI"]["items"].as_array() {
        downward(pod, items, &mut files);
    } else if let Some(sources) = volume["projected"]["sources"].as_array() {
        for source in sources {
            given(pod, source, state, &mut files)?;
            downward(pod, source["downwardAPI"]["items"].as_array().map_or(&[][..], Vec::as_slice), &mut files);
            if let Some(path) = source["serviceAccountToken"]["path"].as_str() {
                files.insert(path.into(), b"not simulated here: service account tokens".to_vec());
            }
        }
    } else {
        return Ok(Source::Volume(volume["name"].as_str().unwrap_or("").to_string()));
    }
    Ok(Source::Given(files))
}

fn given(pod: &Object, source: &Value, state: &Snapshot, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), String> {
    for (kind, field) in [("ConfigMap", "configMap"), ("Secret", "secret")] {
        let reference = &source[field];
        if !reference.is_object() {
            continue;
        }
        let name = reference["name"].as_str().or(reference["secretName"].as_str()).unwrap_or("");
        let Some(object) = state.find("", kind, pod.namespace(), name) else {
            if reference["optional"] == true {
                continue;
            }
            return Err(format!("{} \"{name}\" not found", kind.to_lowercase()));
        };
        let mut data = spec::data(object);
        match reference["items"].as_array() {
            None => files.append(&mut data),
            Some(items) => {
                for item in items {
                    let (key, path) = (item["key"].as_str().unwrap_or(""), item["path"].as_str().unwrap_or(""));
                    files.extend(data.remove(key).map(|bytes| (path.to_string(), bytes)));
                }
            }
        }
    }
    Ok(())
}

fn downward(pod: &Object, items: &[Value], files: &mut BTreeMap<String, Vec<u8>>) {
    for item in items {
        let path = item["path"].as_str().unwrap_or("");
        let value = match item["fieldRef"]["fieldPath"].as_str() {
            Some(field) => spec::field(pod, field),
            None => "2".to_string(),
        };
        files.insert(path.into(), value.into_bytes());
    }
}
