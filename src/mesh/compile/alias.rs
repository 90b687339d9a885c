//! ExternalName services: other names for a host that is registered elsewhere (Istio: push_context.go resolveServiceAliases). They
//! have no listeners, routes and clusters; the host they lead to answers to their names too, and destinations follow one step.

use super::registry::{Resolution, Service};
use crate::k8s::Object;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many steps from alias to alias are followed.
const MAX_STEPS: usize = 16;

/// The host an ExternalName service leads to; `None` for other services.
pub fn target(object: &Object) -> Option<String> {
    let is_alias = object.str_at(&["spec", "type"]) == "ExternalName";
    let name = object.str_at(&["spec", "externalName"]).trim_end_matches('.').to_ascii_lowercase();
    (is_alias && !name.is_empty()).then_some(name)
}

/// Notes at every service of a proxy's view which aliases in that view lead to it, sorted. Circles lead nowhere.
pub fn link(services: &mut [Arc<Service>]) {
    let raw: BTreeMap<String, String> = services
        .iter()
        .filter(|s| s.resolution == Resolution::Alias)
        .filter_map(|s| Some((s.host.clone(), s.aliases.first()?.clone())))
        .collect();
    if raw.is_empty() {
        return;
    }
    let mut of: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (alias, first) in &raw {
        let mut at = first;
        let mut steps = 0;
        while let Some(next) = raw.get(at).filter(|_| steps < MAX_STEPS) {
            at = next;
            steps += 1;
        }
        if !raw.contains_key(at) {
            of.entry(at).or_default().push(alias.clone());
        }
    }
    for service in services.iter_mut().filter(|s| s.resolution != Resolution::Alias) {
        if let Some(aliases) = of.get(service.host.as_str()) {
            Arc::make_mut(service).aliases = aliases.clone();
        }
    }
}
