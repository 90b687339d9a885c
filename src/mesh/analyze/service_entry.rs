//! ServiceEntries: addresses, protocols that contradict (S: analyzers/serviceentry).

use super::{Context, full_name, hosts, items, text, texts};
use crate::k8s::Object;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// ProtocolAddressesAnalyzer.
pub fn addresses(context: &mut Context<'_>) {
    let metadata = |key: &str| context.mesh_text(&["defaultConfig", "proxyMetadata", key]) == "true";
    let allocated = metadata("ISTIO_META_DNS_CAPTURE")
        && (metadata("ISTIO_META_DNS_AUTO_ALLOCATE") || metadata("PILOT_ENABLE_IP_AUTOALLOCATE"));
    for object in context.networking("ServiceEntry") {
        let given = !items(object.at(&["spec", "addresses"])).is_empty();
        if given || allocated || !items(object.at(&["status", "addresses"])).is_empty() {
            continue;
        }
        for (i, port) in items(object.at(&["spec", "ports"])).iter().enumerate() {
            let protocol = text(&port["protocol"]);
            if protocol.is_empty() || protocol.eq_ignore_ascii_case("TCP") {
                let text = "ServiceEntry addresses are required for this protocol.".to_string();
                context.report_at(&object, "IST0134", text, &format!("spec.ports[{i}].name"));
            }
        }
    }
}

type Place = (String, String, u64);

/// ConflictingServiceEntryProtocolAnalyzer.
pub fn protocols(context: &mut Context<'_>) {
    let mut index: BTreeMap<Place, Vec<(String, Arc<Object>)>> = BTreeMap::new();
    for object in context.networking("ServiceEntry") {
        for scope in hosts::scopes(object.at(&["spec", "exportTo"]), object.namespace()) {
            for host in texts(object.at(&["spec", "hosts"])) {
                for port in items(object.at(&["spec", "ports"])) {
                    let key = (scope.clone(), host.to_string(), port["number"].as_u64().unwrap_or(0));
                    index.entry(key).or_default().push((text(&port["protocol"]).to_uppercase(), object.clone()));
                }
            }
        }
    }
    let mut reported = BTreeSet::new();
    for ((scope, host, port), entries) in &index {
        let mut entries = entries.clone();
        if scope != "*" {
            entries.extend(index.get(&("*".to_string(), host.clone(), *port)).cloned().unwrap_or_default());
        }
        let protocols: BTreeSet<&str> = entries.iter().map(|(protocol, _)| protocol.as_str()).collect();
        if protocols.len() < 2 {
            continue;
        }
        let names: BTreeSet<String> = entries.iter().map(|(_, o)| full_name(o)).collect();
        let listed = |set: Vec<&str>| set.join(", ");
        for (_, object) in entries.iter().filter(|(_, o)| reported.insert(full_name(o))) {
            let text = format!(
                "Multiple ServiceEntries ({}) define the same host {host:?} and port {port} with conflicting protocols ({}).",
                listed(names.iter().map(String::as_str).collect()),
                listed(protocols.iter().copied().collect())
            );
            context.report_at(object, "IST0177", text, "metadata.name");
        }
    }
}
