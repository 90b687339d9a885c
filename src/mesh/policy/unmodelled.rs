//! What decides about a proxy's traffic and is not modelled.

use crate::k8s::Object;
use crate::mesh::{Cause, Model, capture};
use std::sync::Arc;

impl Model {
    /// An object that could change what this pod's connections do and that this program does not model.
    pub fn unmodelled_for(&self, pod: &Object) -> Option<Cause> {
        let snapshot = self.snapshot();
        let found = |o: &Arc<Object>, field: &str| Some(Cause::new(o.key().to_string(), field, "This kind is not modelled."));
        let here = [pod.namespace(), &self.options().root_namespace];
        let kinds = [("networking.istio.io", "EnvoyFilter"), ("extensions.istio.io", "WasmPlugin")];
        let proxied = capture::proxy_container(pod).is_some();
        for (group, kind) in kinds.into_iter().filter(|_| proxied) {
            if let Some(object) = snapshot.list(group, kind).find(|o| here.contains(&o.namespace())) {
                return found(object, "spec");
            }
        }
        let labels = pod.labels();
        let ambient = |o: &Object| o.label("istio.io/dataplane-mode") == Some("ambient");
        let namespace = snapshot.find("", "Namespace", "", pod.namespace());
        let taken = labels.get("istio.io/dataplane-mode").is_none_or(|mode| *mode != "none");
        let ns = namespace.filter(|ns| !proxied && taken && (ambient(ns) || ambient(pod)))?;
        let field = "metadata.labels[istio.io/dataplane-mode]";
        Some(Cause::new(ns.key().to_string(), field, "Ambient mode is not modelled."))
    }
}
