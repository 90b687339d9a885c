//! `discoverySelectors`: objects of other namespaces do not exist for istiod (Istio: pkg/kube/namespace/filter.go).

use super::gateway_api::selects;
use crate::k8s::Snapshot;
use crate::mesh::config::MeshConfig;
use std::collections::BTreeSet;

/// The objects that istiod looks at: cluster-wide ones, and those of namespaces that a selector takes. `None` without selectors:
/// everything.
pub fn narrowed(snapshot: &Snapshot, config: &MeshConfig) -> Option<Snapshot> {
    if config.discovery_selectors.is_empty() {
        return None;
    }
    let chosen = |ns: &str| {
        snapshot.find("", "Namespace", "", ns).is_some_and(|o| config.discovery_selectors.iter().any(|s| selects(s, o)))
    };
    let names: BTreeSet<&str> = snapshot.all().map(|o| o.namespace()).filter(|ns| chosen(ns)).collect();
    let mut seen = Snapshot::default();
    snapshot.all().filter(|o| o.namespace().is_empty() || names.contains(o.namespace())).for_each(|o| seen.put(o.clone()));
    Some(seen)
}
