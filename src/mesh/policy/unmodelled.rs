//! Ambient mode, which is not modelled: pods whose traffic ztunnel takes, and waypoints.

use crate::k8s::Object;
use crate::mesh::{Cause, Model, capture};

/// The label that puts pods or namespaces into ambient mode.
const MODE: &str = "istio.io/dataplane-mode";
/// The controller of waypoints.
const WAYPOINT: (&str, &str) = ("gateway.istio.io/managed", "istio.io-mesh-controller");

/// Whether the pod has a proxy that Istio's ordinary modes give it, so that nothing here concerns it.
pub fn is_ordinary(pod: &Object) -> bool {
    pod.label(WAYPOINT.0) != Some(WAYPOINT.1) && capture::proxy_container(pod).is_some()
}

impl Model {
    /// What could change this pod's connections and is not modelled: ambient mode, or that the pod is a waypoint.
    pub fn unmodelled_for(&self, pod: &Object) -> Option<Cause> {
        if pod.label(WAYPOINT.0) == Some(WAYPOINT.1) {
            let field = format!("metadata.labels[{}]", WAYPOINT.0);
            return Some(Cause::new(pod.key().to_string(), field, "Waypoints are not modelled."));
        }
        if capture::proxy_container(pod).is_some() {
            return None;
        }
        let own = pod.label(MODE);
        let namespace =
            || self.snapshot().find("", "Namespace", "", pod.namespace()).filter(|ns| ns.label(MODE) == Some("ambient"));
        let object = match own {
            Some("ambient") => pod.key(),
            Some(_) => return None,
            None => namespace()?.key(),
        };
        let text = "Ambient mode is not modelled: the node's ztunnel takes the pod's traffic.";
        Some(Cause::new(object.to_string(), format!("metadata.labels[{MODE}]"), text))
    }
}
