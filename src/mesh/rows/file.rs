//! One decision row as a file of `tests/data/mesh`: how it is read, and what it makes of the world. The same file is part of the
//! unit tests and of the integration tests; the rooms it names come from the module above it.

use super::base::yaml;
use super::k8s::{Key, Kind, Object, Snapshot};
use super::mesh::{Model, Options, follow, versions};
use super::outside::wire::{HttpVersion, Request, Scheme};
use super::outside::{Faults, Outside};
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file of `rows/` or `more/`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The row's number in the fact tables (`126a`), or a name of its own outside `rows/`.
    pub row: String,
    pub title: String,
    /// How the fact is known: `envoy-run`, `source-read`, `inferred`; `own` where no table has it.
    pub evidence: String,
    /// The Istio releases in which it holds.
    #[serde(default = "versions::lines")]
    pub versions: Vec<String>,
    #[serde(default)]
    pub given: Given,
    /// Objects that are refused when they are written.
    #[serde(default)]
    pub refused: Vec<Refused>,
    #[serde(default)]
    pub requests: Vec<Step>,
}

/// What is different from `world.yaml`. Applied in the order of the fields.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Given {
    /// Names of `parts.yaml`.
    #[serde(rename = "use")]
    pub parts: Vec<String>,
    pub objects: Vec<Value>,
    /// ALLOW_ANY by default in place of REGISTRY_ONLY.
    pub allow_any: bool,
    /// `[key of an object, JSON pointer, value]`; `null` removes.
    pub set: Vec<(String, String, Value)>,
    /// Keys of objects to take away.
    pub delete: Vec<String>,
    pub faults: Faults,
}

/// An object that does not get in, with the words of the validation webhook.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    pub object: Value,
    pub errors: Vec<String>,
}

/// One request and what is expected of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// `http`, `https`, `tcp` or `udp`.
    pub url: String,
    /// `NAMESPACE/POD`.
    #[serde(default = "client")]
    pub from: String,
    /// Only for this request, on top of the file's own.
    #[serde(default)]
    pub given: Given,
    #[serde(default)]
    pub versions: Option<Vec<String>>,
    #[serde(default = "get")]
    pub method: String,
    /// Put in place of those that curl sends itself.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    #[serde(default)]
    pub body_len: u64,
    #[serde(default)]
    pub http10: bool,
    /// `curl -k`.
    #[serde(default)]
    pub insecure: bool,
    /// Sent from inside istio-proxy, as user 1337.
    #[serde(default)]
    pub proxy_user: bool,
    /// `--resolve`: dialled without asking DNS.
    #[serde(default)]
    pub address: Option<std::net::IpAddr>,
    /// `curl -m`.
    #[serde(default)]
    pub max_time_ms: Option<u64>,
    pub expect: Expect,
    /// What replaces parts of `expect` in one release.
    #[serde(default, rename = "in")]
    pub by_version: std::collections::BTreeMap<String, Expect>,
    /// `curl -L`: what is expected of each further exchange.
    #[serde(default)]
    pub then: Vec<Expect>,
    /// Sent so often, one after the other; `mix` says what becomes of them.
    #[serde(default)]
    pub repeat: Option<u64>,
    /// Sent so often at the same time.
    #[serde(default)]
    pub burst: Option<u64>,
    #[serde(default)]
    pub mix: Vec<Share>,
}

/// How many of several requests end so.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// At least, at most.
    pub of: (u64, u64),
    pub expect: Expect,
}

/// What a request comes to; what is left out is not looked at, except the log lines: none expected, none written.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    pub client: Option<Client>,
    /// Lines of the client's proxy: `CODE FLAGS DETAILS | CLUSTER | ROUTE | UPSTREAM`, as many parts as matter, then `field=value`.
    pub sidecar: Option<Vec<String>>,
    /// Lines of gateways.
    pub gateway: Option<Vec<String>>,
    pub outcome: Option<String>,
    pub path: Option<String>,
    pub at: Option<String>,
    pub tls: Option<String>,
    /// `OBJECT FIELD`.
    pub cause: Option<String>,
    /// Simulated time: `1000` or `30000..31000`.
    pub delay_ms: Option<Number>,
}

/// What the client sees.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Client {
    pub status: Option<u16>,
    pub reason: Option<String>,
    /// curl's exit code; several where any of them may come.
    pub exit: Vec<i32>,
    /// `NameNotResolved`, `TlsHandshakeClosed`, ..: the failure's name.
    pub failure: Option<String>,
    /// By name: the value, `PREFIX*`, or `null` for a header that must not be there.
    pub headers: std::collections::BTreeMap<String, Option<String>>,
    /// All names in the order in which they arrive.
    pub header_order: Vec<String>,
    pub body: Option<String>,
    pub body_len: Option<usize>,
    /// The body holds this.
    pub body_has: Vec<String>,
    /// Header lines and body hold this nowhere.
    pub lacks: Vec<String>,
}

/// A number or a range `A..B` (both included).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Number {
    One(u64),
    Range(String),
}

impl Number {
    pub fn holds(&self, value: u64) -> bool {
        match self {
            Number::One(n) => *n == value,
            Number::Range(text) => in_range(text, value),
        }
    }
}

/// Whether a value lies in `A..B`, or is the one number that the text is.
pub fn in_range(text: &str, value: u64) -> bool {
    match text.split_once("..") {
        Some((a, b)) => a.parse().is_ok_and(|a: u64| a <= value) && b.parse().is_ok_and(|b: u64| value <= b),
        None => text.parse() == Ok(value),
    }
}

fn client() -> String {
    "default/test".into()
}

fn get() -> String {
    "GET".into()
}

/// The folder of the data files.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mesh")
}

/// The files of a folder below [`folder`] by name.
pub fn files(name: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "yaml"));
    paths.sort();
    paths
}

/// The rows of a folder (`rows`, `more`).
pub fn rows(name: &str) -> Vec<Row> {
    files(name).iter().map(|path| row(&read(path), &path.display().to_string())).collect()
}

/// One row from its text.
pub fn row(text: &str, name: &str) -> Row {
    let value = documents(text, name).remove(0);
    serde_json::from_value(value).unwrap_or_else(|e| panic!("{name}: {e}"))
}

pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub fn documents(text: &str, name: &str) -> Vec<Value> {
    yaml::parse_documents(text).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Rows or numbers that are known not to hold, with the reason: `gaps.txt`, lines `NUMBER: REASON`.
pub fn gaps(section: &str) -> Vec<(String, String)> {
    let text = read(&folder().join("gaps.txt"));
    let lines = text.lines().filter(|l| !l.starts_with('#') && !l.is_empty());
    let parts = lines.map(|l| l.split_once(": ").unwrap_or_else(|| panic!("gaps.txt: {l}")));
    let of_section = parts.filter_map(|(key, why)| Some((key.strip_prefix(section)?.trim().to_string(), why.to_string())));
    of_section.collect()
}

/// What all rows of one Istio release share, read once.
pub struct Shared {
    pub world: Snapshot,
    pub parts: Vec<Value>,
    pub outside: Outside,
    pub release: &'static versions::Release,
}

impl Shared {
    /// The world as it is under an Istio release (`1.26`).
    pub fn read(version: &str) -> Shared {
        let release = versions::find(version).unwrap_or_else(|| panic!("no release {version}"));
        let proxy = format!("{}/proxyv2:{}", release.hub, release.tag);
        let world = read(&folder().join("world.yaml")).replace("PROXY_IMAGE", &proxy);
        Shared {
            world: documents(&world, "world.yaml").into_iter().map(Object).collect(),
            parts: documents(&read(&folder().join("parts.yaml")), "parts.yaml"),
            outside: Outside::standard(),
            release,
        }
    }

    /// A part by its name, its `part` label taken off.
    pub fn part(&self, name: &str) -> Object {
        let of_name = |o: &&Value| o["metadata"]["labels"]["part"] == name;
        let mut part = Object(self.parts.iter().find(of_name).unwrap_or_else(|| panic!("no part {name}")).clone());
        if let Some(labels) = part.0.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.remove("part");
        }
        part
    }

    /// What the model is compiled with.
    pub fn options(&self) -> Options {
        Options { facts: self.release.facts.clone(), ..Options::default() }
    }

    /// The objects that a step of a row meets.
    pub fn snapshot(&self, row: &Row, step: &Step) -> Snapshot {
        let mut snapshot = self.world.clone();
        for given in [&row.given, &step.given] {
            self.apply(&mut snapshot, given, &row.row);
        }
        snapshot
    }

    fn apply(&self, snapshot: &mut Snapshot, given: &Given, row: &str) {
        given.parts.iter().for_each(|name| snapshot.put(Arc::new(self.part(name))));
        given.objects.iter().for_each(|o| snapshot.put(Arc::new(Object(o.clone()))));
        if given.allow_any {
            set(snapshot, "ConfigMap istio-system/istio", "/data/mesh", "accessLogFile: /dev/stdout\n".into());
        }
        for (key, pointer, value) in &given.set {
            set(snapshot, key, pointer, value.clone());
        }
        for key in &given.delete {
            assert!(snapshot.remove(&key_of(key)).is_some(), "row {row}: no {key}");
        }
    }

    /// The model that a step meets.
    pub fn model(&self, row: &Row, step: &Step) -> Model {
        Model::compile(&self.snapshot(row, step), &self.options())
    }

    /// The outside world that a step meets.
    pub fn outside(&self, row: &Row, step: &Step) -> Outside {
        let mut faults = row.given.faults.clone();
        faults.dns_removed.extend(step.given.faults.dns_removed.iter().cloned());
        faults.dns_silent.extend(step.given.faults.dns_silent.iter().cloned());
        faults.origins.extend(step.given.faults.origins.iter().map(|(k, v)| (k.clone(), *v)));
        self.outside.with_faults(faults)
    }
}

impl Step {
    /// The request as curl sends it.
    pub fn request(&self) -> Request {
        let (url, scheme) = match self.url.split_once("://") {
            Some(("udp", rest)) => (format!("http://{rest}"), Some(Scheme::Udp)),
            Some(("tcp", rest)) => (format!("http://{rest}"), Some(Scheme::Tcp)),
            _ => (self.url.clone(), None),
        };
        let mut request = follow::request_for(&url, &self.method, "curl/8.1.2").expect("a URL");
        if let Some(scheme) = scheme {
            request = Request { scheme, headers: Vec::new(), ..request };
        }
        for (name, value) in &self.headers {
            request.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
            request.headers.push((name.clone().into(), value.clone().into()));
        }
        if self.http10 {
            request.version = HttpVersion::Http10;
        }
        request.body_len = self.body_len;
        request.insecure = self.insecure;
        request.from_proxy_user = self.proxy_user;
        request.address = self.address.or(request.address);
        request.max_time_ms = self.max_time_ms;
        request
    }

    /// The pod that asks.
    pub fn pod(&self, snapshot: &Snapshot) -> Object {
        let (namespace, name) = self.from.split_once('/').expect("NS/POD");
        (**snapshot.find("", "Pod", namespace, name).unwrap_or_else(|| panic!("no pod {}", self.from))).clone()
    }

    /// What is expected under a release.
    pub fn expected(&self, version: &str) -> Expect {
        let mut expect = self.expect.clone();
        if let Some(own) = self.by_version.get(version).cloned() {
            expect.client = own.client.or(expect.client);
            expect.sidecar = own.sidecar.or(expect.sidecar);
            expect.gateway = own.gateway.or(expect.gateway);
            expect.outcome = own.outcome.or(expect.outcome);
            expect.path = own.path.or(expect.path);
            expect.at = own.at.or(expect.at);
            expect.tls = own.tls.or(expect.tls);
            expect.cause = own.cause.or(expect.cause);
            expect.delay_ms = own.delay_ms.or(expect.delay_ms);
        }
        expect
    }

    /// Whether the step is made under a release.
    pub fn is_in(&self, version: &str) -> bool {
        self.versions.as_ref().is_none_or(|all| all.iter().any(|v| v == version))
    }
}

fn key_of(text: &str) -> Key {
    let (kind, name) = text.split_once(' ').expect("KIND NS/NAME");
    let (namespace, name) = name.split_once('/').unwrap_or(("", name));
    let group = match kind {
        "ConfigMap" | "Pod" | "Secret" | "Service" | "Namespace" | "Node" => "",
        "Deployment" => "apps",
        "AuthorizationPolicy" | "PeerAuthentication" | "RequestAuthentication" => "security.istio.io",
        "Telemetry" => "telemetry.istio.io",
        "NetworkPolicy" => "networking.k8s.io",
        _ => "networking.istio.io",
    };
    Key { kind: Kind::new(group, kind), namespace: namespace.into(), name: name.into() }
}

/// Sets (or with `null` removes) a value; `/metadata/namespace` moves the object.
pub fn set(snapshot: &mut Snapshot, key: &str, pointer: &str, value: Value) {
    let mut object = (*snapshot.remove(&key_of(key)).unwrap_or_else(|| panic!("no {key}"))).clone();
    let (parent, last) = pointer.rsplit_once('/').expect("a pointer");
    let last = last.replace("~1", "/");
    let parent = object.0.pointer_mut(parent).unwrap_or_else(|| panic!("no {pointer} in {key}"));
    match (parent, value) {
        (Value::Object(map), Value::Null) => drop(map.remove(&last)),
        (Value::Object(map), value) => drop(map.insert(last, value)),
        (Value::Array(list), Value::Null) => drop(list.remove(last.parse().expect("an index"))),
        (Value::Array(list), value) => list[last.parse::<usize>().expect("an index")] = value,
        _ => panic!("{pointer} in {key} is in a scalar"),
    }
    snapshot.put(Arc::new(object));
}
