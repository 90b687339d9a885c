//! Services: cluster addresses and node ports.

use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::{Action, Controller};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Fills in `clusterIP` and node ports where the API has not done so.
pub struct Services {
    pub seed: Seed,
}

impl Controller for Services {
    fn name(&self) -> &'static str {
        "service"
    }

    fn watches(&self) -> &'static [&'static str] {
        &["Service"]
    }

    fn reconcile(&self, state: &Snapshot, _now: Time) -> Vec<Action> {
        // One at a time: the next address depends on this one.
        state.list("", "Service").find_map(|s| self.filled(state, s)).map(Action::Update).into_iter().collect()
    }
}

impl Services {
    fn filled(&self, state: &Snapshot, service: &Object) -> Option<Object> {
        let mut new = service.clone();
        let kind = service.str_at(&["spec", "type"]);
        if kind != "ExternalName" && service.str_at(&["spec", "clusterIP"]).is_empty() {
            let ip = free_cluster_ip(self.seed, state, service.namespace(), service.name());
            new.set(&["spec", "clusterIPs"], json!([&ip]));
            new.set(&["spec", "clusterIP"], json!(ip));
        }
        if matches!(kind, "NodePort" | "LoadBalancer") {
            assign_node_ports(self.seed, state, &mut new);
        }
        (new != *service).then_some(new)
    }
}

/// Where node ports come from.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30_000..=32_767;

/// Gives each port of a NodePort or LoadBalancer Service that has none a node port: by hash, the next free one on a clash.
pub fn assign_node_ports(seed: Seed, state: &Snapshot, service: &mut Object) {
    let key = service.key();
    let others = || state.list("", "Service").filter(|s| s.key() != key);
    let mut taken: BTreeSet<i64> = others().flat_map(|s| ports(s).filter_map(node_port)).collect();
    taken.extend(ports(service).filter_map(node_port));
    let (ns, name) = (key.namespace.clone(), key.name.clone());
    let Some(list) = service.0.pointer_mut("/spec/ports").and_then(Value::as_array_mut) else { return };
    for port in list.iter_mut().filter(|p| node_port(p).is_none()) {
        let start = seed.hash(&["nodePort", &ns, &name, &port["port"].to_string()]) % 2768;
        let free = (0..2768).map(|i| 30_000 + ((start + i) % 2768) as i64).find(|p| !taken.contains(p));
        if let Some(free) = free {
            taken.insert(free);
            port["nodePort"] = json!(free);
        }
    }
}

/// What is wrong with a node port: the number of the port in its list, the node port, and the API server's words.
pub fn wrong_node_ports(state: &Snapshot, service: &Object) -> Vec<(usize, i64, &'static str)> {
    let key = service.key();
    let mut taken: BTreeSet<(i64, String)> = BTreeSet::new();
    let protocol = |p: &Value| p["protocol"].as_str().unwrap_or("TCP").to_string();
    for other in state.list("", "Service").filter(|s| s.key() != key) {
        taken.extend(ports(other).filter_map(|p| Some((node_port(p)?, protocol(p)))));
    }
    let mut wrong = Vec::new();
    for (i, port) in ports(service).enumerate() {
        let Some(number) = node_port(port) else { continue };
        if !NODE_PORTS.contains(&number) {
            wrong.push((i, number, "provided port is not in the valid range. The range of valid ports is 30000-32767"));
        } else if !taken.insert((number, protocol(port))) {
            wrong.push((i, number, "provided port is already allocated"));
        }
    }
    wrong
}

fn ports(service: &Object) -> impl Iterator<Item = &Value> {
    service.at(&["spec", "ports"]).as_array().into_iter().flatten()
}

fn node_port(port: &Value) -> Option<i64> {
    port["nodePort"].as_i64().filter(|p| *p > 0)
}

/// The cluster address of a new Service: 10.96.x.y by hash, the next free one on a clash. 10.96.0.0 to 10.96.0.255 are left to the
/// cluster's own Services.
pub fn free_cluster_ip(seed: Seed, state: &Snapshot, namespace: &str, name: &str) -> String {
    let taken: BTreeSet<&str> = state.list("", "Service").map(|s| s.str_at(&["spec", "clusterIP"])).collect();
    const ROOM: u64 = 65_536 - 256;
    let start = seed.hash(&["Service", namespace, name]) % ROOM;
    let address = |n: u64| format!("10.96.{}.{}", (n + 256) / 256, n % 256);
    (0..ROOM).map(|i| address((start + i) % ROOM)).find(|ip| !taken.contains(ip.as_str())).unwrap_or_else(|| address(start))
}
