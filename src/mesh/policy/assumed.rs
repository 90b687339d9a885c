//! What a trace takes for granted about policies where nobody looked: on a cluster and on a folder.

use crate::mesh::{Inputs, Model, Trace};

impl Model {
    /// That NetworkPolicies are enforced, that Secrets are there.
    pub fn assumed_of_policies(&self, trace: &Trace, inputs: &Inputs<'_>) -> Vec<String> {
        let mut assumed = Vec::new();
        if !inputs.outside.is_assumed() {
            return assumed;
        }
        if !self.base().policies.network.is_empty() {
            assumed.push("the cluster's network plugin enforces NetworkPolicies".to_string());
        }
        let listeners = trace.record.hops.iter().filter_map(|hop| Some((&hop.proxy, hop.listener.as_deref()?)));
        for (name, listener) in listeners {
            let Some((namespace, pod)) = name.split_once('/') else { continue };
            let owned = self.base().gateways.iter().any(|g| g.servers.iter().any(|s| !s.own.credentials.is_empty()));
            let Some(pod) = self.snapshot().find("", "Pod", namespace, pod).filter(|_| owned) else { continue };
            let Some(proxy) = self.proxy(pod) else { continue };
            let chains = proxy.listeners.iter().filter(|l| l.name == listener).flat_map(|l| &l.chains);
            for own in chains.filter_map(|c| c.own.as_ref()).filter(|own| !own.is_there() && !own.secret.is_empty()) {
                assumed.push(format!("{} is there and holds a certificate", own.secret));
            }
        }
        assumed
    }
}
