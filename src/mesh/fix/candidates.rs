//! Every edit of one mesh that could help, each with its price.

use super::edit::{Change, Edit};
use super::path::{Path, Seg, leaves, places};
use super::pools::{Pool, Pools};
use super::table;
use crate::base::diff;
use crate::k8s::{Object, Snapshot};
use crate::mesh::Options;
use serde_json::{Value, json};
use std::sync::Arc;

/// An edit with its price: the less a person would have to change, the cheaper.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub edit: Edit,
    pub cost: u32,
}

/// The objects that edits may touch.
pub fn subjects<'s>(snapshot: &'s Snapshot, options: &'s Options) -> impl Iterator<Item = &'s Arc<Object>> {
    let edited = table::EDITED.iter().flat_map(|kind| snapshot.list("networking.istio.io", kind));
    let lessened = table::LESSENED.iter().flat_map(|(group, kind)| snapshot.list(group, kind));
    edited.chain(lessened).chain(snapshot.find("", "ConfigMap", &options.root_namespace, "istio"))
}

/// Objects that a search looks at in a large mesh.
const SUBJECTS: usize = 200;

/// The objects that have most to do with what is asked: those that causes name, then those with a host that is asked for or nearly
/// so, then the others in their order.
fn nearest<'s>(snapshot: &'s Snapshot, options: &'s Options, pools: &Pools, named: &[String]) -> Vec<&'s Arc<Object>> {
    let mut all: Vec<&Arc<Object>> = subjects(snapshot, options).collect();
    if all.len() > SUBJECTS {
        all.sort_by_cached_key(|object| match named.contains(&object.key().to_string()) {
            true => 0,
            false if pools.is_near(object) => 1,
            false => 2,
        });
        all.truncate(SUBJECTS);
    }
    all
}

/// Every edit of the objects nearest to what is asked, in a fixed order. `named`: the objects that causes name.
pub fn all(snapshot: &Snapshot, options: &Options, pools: &Pools, named: &[String]) -> Vec<Candidate> {
    let mut found = Vec::new();
    for object in nearest(snapshot, options, pools, named) {
        let mut of = Of { object, pools, within: None, found: &mut found, made: 0 };
        if object.kind() == "ConfigMap" {
            of.mesh_text();
            continue;
        }
        of.leaves(&object.0);
        of.parts(&object.0);
        of.additions(&object.0);
        of.push(Path::default(), Change::Delete, 90);
    }
    found
}

/// What moving or renaming an object costs besides.
const MOVE: u32 = 10;

struct Of<'a> {
    object: &'a Object,
    pools: &'a Pools,
    within: Option<Path>,
    found: &'a mut Vec<Candidate>,
    made: usize,
}

/// Edits of one object that are tried: an object of ten thousand hosts is not looked through to its end.
const EACH: usize = 2_000;

impl Of<'_> {
    fn push(&mut self, path: Path, change: Change, cost: u32) {
        if self.made >= EACH {
            return;
        }
        self.made += 1;
        let edit = Edit { within: self.within.clone(), ..Edit::new(&self.object.key(), path, change) };
        self.found.push(Candidate { edit, cost });
    }

    fn mesh_text(&mut self) {
        let place = Path::of(&["data", "mesh"]);
        let text = place.get(&self.object.0).and_then(Value::as_str).unwrap_or("");
        let Ok(inner) = crate::base::yaml::parse(text) else { return };
        self.within = Some(place);
        self.leaves(&inner);
        self.parts(&inner);
        let policy = Path::of(&["outboundTrafficPolicy"]);
        if policy.get(&inner).is_none() {
            for mode in self.pools.values(Pool::Policies, "") {
                self.push(policy.clone(), Change::Add(json!({"mode": mode})), 30);
            }
        }
        let logs = Path::of(&["accessLogFile"]);
        if logs.get(&inner).is_none() {
            self.push(logs, Change::Add("/dev/stdout".into()), 30);
        }
    }

    /// Other values for the leaves that are there, and leaves taken away.
    fn leaves(&mut self, value: &Value) {
        let kind = self.object.kind().to_string();
        for (path, from) in leaves(value, &Path::default()) {
            let pattern = path.pattern();
            let key = match path.0.last() {
                Some(Seg::Key(key)) => key.as_str(),
                _ => "",
            };
            for row in table::LEAVES.iter().filter(|row| row.kind == kind && table::fits(row.pattern, &pattern)) {
                for to in self.pools.values(row.pool, key).into_iter().filter(|to| *to != from) {
                    let moved = if pattern.starts_with("metadata") { MOVE } else { 0 };
                    let cost = distance(&from, &to) + moved + self.pools.against_the_many(&from, &to);
                    self.push(path.clone(), Change::Set { from: from.clone(), to }, cost);
                }
            }
            let fixed = pattern.starts_with("metadata") || matches!(pattern.as_str(), "apiVersion" | "kind" | "spec");
            if !fixed && !pattern.starts_with("status") && self.within.is_none() {
                self.push(path, Change::Remove(from), 32);
            }
        }
    }

    /// Entries and fields taken away, entries put first.
    fn parts(&mut self, value: &Value) {
        let kind = self.object.kind().to_string();
        for path in places(value, &Path::default()) {
            let pattern = path.pattern();
            let Some(there) = path.get(value).cloned() else { continue };
            if table::ELEMENTS.contains(&(&kind, &pattern)) {
                self.push(path.clone(), Change::Remove(there.clone()), 45);
                if matches!(pattern.as_str(), "spec.http[]" | "spec.tls[]") && path.0.last() != Some(&Seg::Index(0)) {
                    self.push(path.clone(), Change::ToFront, 35);
                }
            }
            if table::FIELDS.contains(&(&kind, &pattern)) && (there.is_object() || there.is_array()) {
                self.push(path, Change::Remove(there), 30);
            }
        }
    }

    /// Fields and entries that are not there.
    fn additions(&mut self, value: &Value) {
        match self.object.kind() {
            "ServiceEntry" => self.add_to_entry(value),
            "VirtualService" => self.add_to_rules(value),
            "DestinationRule" => {
                let subsets = Path::of(&["spec", "subsets"]);
                self.each_missing(value, &subsets, self.pools.subsets.iter().map(|s| json!({"name": s})).collect(), 28);
            }
            "Gateway" => self.add_to_gateway(value),
            "NetworkPolicy" => self.add_to_policy(value),
            "Sidecar" => {
                let egress = Path::of(&["spec", "egress"]);
                for i in 0..length(value, &egress) {
                    let imports = self.pools.values(Pool::Imports, "");
                    self.each_missing(value, &egress.index(i).key("hosts"), imports, 24);
                }
            }
            _ => (),
        }
    }

    /// Appends each value that a list lacks; makes the list where there is none.
    fn each_missing(&mut self, value: &Value, list: &Path, wanted: Vec<Value>, cost: u32) {
        let have = list.get(value).and_then(Value::as_array);
        for new in wanted {
            match have {
                Some(have) if have.contains(&new) => (),
                Some(have) => self.push(list.index(have.len()), Change::Add(new), cost),
                None => self.push(list.clone(), Change::Add(Value::Array(vec![new])), cost),
            }
        }
    }

    fn add_to_entry(&mut self, value: &Value) {
        let spec = Path::of(&["spec"]);
        self.each_missing(value, &spec.key("hosts"), self.pools.values(Pool::Hosts, ""), 24);
        if value.pointer("/spec/resolution").is_none() {
            self.push(spec.key("resolution"), Change::Add("DNS".into()), 20);
        }
        let ports = spec.key("ports");
        let have = |number: u16| {
            let all = ports.get(value).and_then(Value::as_array).into_iter().flatten();
            all.into_iter().any(|p| p.get("number").and_then(Value::as_u64) == Some(u64::from(number)))
        };
        for &(number, tls) in self.pools.asked.iter().filter(|(n, _)| !have(*n)) {
            let (name, protocol) = if tls { ("tls", "TLS") } else { ("http", "HTTP") };
            let port = json!({"number": number, "name": format!("{name}-{number}"), "protocol": protocol});
            self.each_missing(value, &ports, vec![port], 24);
        }
        for i in 0..length(value, &ports) {
            for (key, new) in [("protocol", json!("HTTP")), ("protocol", json!("TLS")), ("targetPort", json!(443))] {
                self.if_absent(value, &ports.index(i).key(key), new, 22);
            }
        }
    }

    fn if_absent(&mut self, value: &Value, path: &Path, new: Value, cost: u32) {
        if path.get(value).is_none() && path.parent().get(value).is_some() {
            self.push(path.clone(), Change::Add(new), cost);
        }
    }

    fn add_to_rules(&mut self, value: &Value) {
        let spec = Path::of(&["spec"]);
        self.each_missing(value, &spec.key("hosts"), self.pools.values(Pool::Hosts, ""), 26);
        let gateways = self.pools.values(Pool::Gateways, "");
        self.each_missing(value, &spec.key("gateways"), gateways.clone(), 20);
        for (list, plain) in [("http", true), ("tls", false)] {
            let rules = spec.key(list);
            for i in 0..length(value, &rules) {
                let rule = rules.index(i);
                let matches = rule.key("match");
                if plain && matches.get(value).is_none() {
                    for gateway in &gateways {
                        self.push(matches.clone(), Change::Add(json!([{"gateways": [gateway]}])), 24);
                    }
                }
                for j in 0..length(value, &matches) {
                    self.each_missing(value, &matches.index(j).key("gateways"), gateways.clone(), 20);
                }
                self.add_to_destinations(value, &rule.key("route"));
            }
        }
        if spec.key("http").get(value).is_some_and(Value::is_array) {
            self.add_rules(value, &spec.key("http"));
        }
    }

    fn add_to_destinations(&mut self, value: &Value, route: &Path) {
        for k in 0..length(value, route) {
            let destination = route.index(k).key("destination");
            for subset in self.pools.values(Pool::Subsets, "") {
                self.if_absent(value, &destination.key("subset"), subset, 22);
            }
            for port in self.pools.values(Pool::Ports, "") {
                self.if_absent(value, &destination.key("port"), json!({"number": port}), 20);
            }
        }
    }

    /// A rule for sidecars in front, a rule for a gateway at the end.
    fn add_rules(&mut self, value: &Value, rules: &Path) {
        let end = length(value, rules);
        for &(port, _) in self.pools.asked.iter().filter(|(_, tls)| !tls) {
            for host in &self.pools.gateway_services {
                let to = json!({"destination": {"host": host, "port": {"number": port}}});
                let rule = json!({"match": [{"gateways": ["mesh"], "port": port}], "route": [to]});
                self.push(rules.index(0), Change::Insert(rule), 50);
            }
            for (gateway, host) in self.pools.gateways.iter().skip(1).flat_map(|g| self.pools.hosts.iter().map(move |h| (g, h))) {
                let to = json!({"destination": {"host": host, "port": {"number": port}}});
                let rule = json!({"match": [{"gateways": [gateway], "port": port}], "route": [to]});
                self.push(rules.index(end), Change::Add(rule), 50);
            }
        }
    }

    /// Rules that policies forget: the name server, the ports that are asked for, the control plane's and gateways' namespaces.
    fn add_to_policy(&mut self, value: &Value) {
        let port = |number: u16, protocol: &str| json!({"port": number, "protocol": protocol});
        let mut rules = vec![json!({"ports": [port(53, "UDP"), port(53, "TCP")]})];
        rules.extend(self.pools.asked.iter().map(|(number, _)| json!({"ports": [port(*number, "TCP")]})));
        for namespace in &self.pools.namespaces {
            let there = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}});
            rules.push(json!({"to": [there]}));
        }
        if value.pointer("/spec/egress").is_some() {
            self.each_missing(value, &Path::of(&["spec", "egress"]), rules, 30);
        }
    }

    fn add_to_gateway(&mut self, value: &Value) {
        let servers = Path::of(&["spec", "servers"]);
        let hosts = self.pools.values(Pool::Hosts, "");
        for i in 0..length(value, &servers) {
            self.each_missing(value, &servers.index(i).key("hosts"), hosts.clone(), 24);
        }
        for &(port, tls) in &self.pools.asked {
            let mut server =
                json!({"port": {"number": port, "name": format!("port-{port}"), "protocol": "HTTP"}, "hosts": hosts});
            if tls {
                server["port"]["protocol"] = "TLS".into();
                server["tls"] = json!({"mode": "PASSTHROUGH"});
            }
            self.each_missing(value, &servers, vec![server], 50);
        }
        let selector = Path::of(&["spec", "selector"]);
        if selector.get(value).is_some_and(Value::is_object) {
            for (key, all) in &self.pools.labels {
                for label in all {
                    self.if_absent(value, &selector.key(key), label.as_str().into(), 40);
                }
            }
        }
    }
}

fn length(value: &Value, list: &Path) -> usize {
    list.get(value).and_then(Value::as_array).map_or(0, Vec::len)
}

/// Bytes of a text that is compared letter by letter.
const COMPARED: usize = 300;

/// What changing a value costs: little for a slip of the pen, more for another word.
fn distance(from: &Value, to: &Value) -> u32 {
    let text = |value: &Value| match value {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    let (a, b) = (text(from), text(to));
    if a.eq_ignore_ascii_case(&b) {
        return 5;
    }
    if a.len().max(b.len()) > COMPARED {
        return 25;
    }
    5 + (20.0 * (1.0 - diff::likeness(&a, &b))) as u32
}
