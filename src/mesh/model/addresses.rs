//! Where the addresses inside the cluster lead: cluster addresses of Services, live pods.

use crate::base::spread::Spread;
use crate::k8s::{Object, Snapshot};
use serde_json::Value;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Who is at an address; of several the first by namespace and name.
#[derive(Debug, Default)]
pub struct Addresses {
    services: HashMap<IpAddr, Arc<Object>, Spread>,
    pods: HashMap<IpAddr, Arc<Object>, Spread>,
}

impl Addresses {
    /// Reads the addresses of a moment.
    pub fn read(snapshot: &Snapshot) -> Addresses {
        let mut all = Addresses::default();
        for service in snapshot.list("", "Service") {
            let more = service.at(&["spec", "clusterIPs"]).as_array().into_iter().flatten().filter_map(Value::as_str);
            let own = std::iter::once(service.str_at(&["spec", "clusterIP"])).chain(more);
            for ip in own.filter_map(|text| text.parse().ok()) {
                all.services.entry(ip).or_insert_with(|| service.clone());
            }
        }
        // Host-network pods have no address of their own.
        let own = |p: &&Arc<Object>| {
            let over = matches!(p.str_at(&["status", "phase"]), "Succeeded" | "Failed");
            !over && p.at(&["spec", "hostNetwork"]) != &Value::Bool(true)
        };
        for pod in snapshot.list("", "Pod").filter(own) {
            if let Ok(ip) = pod.str_at(&["status", "podIP"]).parse() {
                all.pods.entry(ip).or_insert_with(|| pod.clone());
            }
        }
        all
    }

    /// The Service whose cluster address this is.
    pub fn service(&self, ip: IpAddr) -> Option<&Arc<Object>> {
        self.services.get(&ip)
    }

    /// The live pod at an address.
    pub fn pod(&self, ip: IpAddr) -> Option<&Arc<Object>> {
        self.pods.get(&ip)
    }
}
