//! Sidecar injection: whether a pod gets a proxy, and the pod with it.

use crate::k8s::{Object, Snapshot};

/// The pod with its sidecar as istiod's webhook would answer, `None` when it is admitted unchanged. Looks only at what istiod
/// looks at (the pod, the namespace of the request, its own configuration in the snapshot): whether the API server asks at all is
/// decided by the webhook configuration's selectors, see [`selected`].
pub fn inject(_pod: &Object, _namespace: &str, _snapshot: &Snapshot) -> Option<Object> {
    None
}

/// The names of the webhook entries in the snapshot whose selectors choose this pod (S: mutatingwebhook.yaml); empty = istiod is
/// never asked.
pub fn selected(_pod: &Object, _namespace: &str, _snapshot: &Snapshot) -> Vec<String> {
    Vec::new()
}
