//! What an edit must not open: requests to hosts that nobody asked for.

use super::Question;
use crate::base::outcome::Outcome;
use crate::k8s::Object;
use crate::mesh::{Model, follow};
use crate::outside::wire::Request;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// A public address (of the block for documentation) that no object names: names in these requests need no DNS.
const SOMEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77));
/// A name that nobody registers.
const NOBODYS: &str = "unregistered.egress-lab.example";
/// Other registered hosts that are looked at.
const HOSTS: usize = 12;
/// Clients that are looked at.
const PODS: usize = 6;

/// Requests that must not become allowed by an edit.
pub struct Guard {
    probes: Vec<(Arc<Object>, Request)>,
    /// For each probe, whether it leaves before any edit.
    open: Vec<bool>,
}

impl Guard {
    /// The requests for a question, and what becomes of them now.
    pub fn new(question: &Question<'_>) -> Guard {
        let snapshot = question.model.snapshot();
        let wished: BTreeSet<&str> = question.wishes.iter().filter(|w| w.opens).map(|w| w.request.host.as_str()).collect();
        let mut hosts: BTreeSet<String> = BTreeSet::from([NOBODYS.to_string()]);
        hosts.extend(wished.iter().filter_map(|host| Some(format!("other-than-asked.{}", host.split_once('.')?.1))));
        let known = snapshot.list("networking.istio.io", "ServiceEntry").flat_map(|entry| {
            let all = entry.at(&["spec", "hosts"]).as_array().cloned().unwrap_or_default();
            all.into_iter().filter_map(|h| h.as_str().map(|h| h.replace('*', "any"))).collect::<Vec<_>>()
        });
        hosts.extend(known.filter(|host| !wished.contains(host.as_str())).take(HOSTS));
        let mut pods: Vec<Arc<Object>> = Vec::new();
        let all = question.wishes.iter().map(|w| &w.pod).chain(snapshot.list("", "Pod"));
        for pod in all.filter(|pod| crate::mesh::capture::proxy_container(pod).is_some()) {
            if pods.len() < PODS && !pods.iter().any(|have| have.key() == pod.key()) {
                pods.push(pod.clone());
            }
        }
        let probes: Vec<_> = pods.iter().flat_map(|pod| hosts.iter().map(move |host| (pod, host))).flat_map(probes_of).collect();
        let open = probes.iter().map(|probe| leaves(question, question.model, probe)).collect();
        Guard { probes, open }
    }

    /// Whether a mesh lets something out that the one before did not.
    pub fn opens(&self, question: &Question<'_>, model: &Model) -> bool {
        self.probes.iter().zip(&self.open).any(|(probe, before)| !before && leaves(question, model, probe))
    }
}

fn probes_of((pod, host): (&Arc<Object>, &String)) -> Vec<(Arc<Object>, Request)> {
    let urls = ["http://HOST/", "https://HOST/", "http://HOST:8080/"];
    let request = |url: &&str| {
        let mut request = follow::request_for(&url.replace("HOST", host), "GET", "egress-lab/guard")?;
        request.address = Some(SOMEWHERE);
        Some((pod.clone(), request))
    };
    urls.iter().filter_map(request).collect()
}

/// Whether the connection leaves the mesh: nobody on the way refused it.
fn leaves(question: &Question<'_>, model: &Model, (pod, request): &(Arc<Object>, Request)) -> bool {
    let record = model.trace(pod, request, &question.inputs).record;
    !matches!(
        record.outcome,
        Outcome::BlockedRegistryOnly
            | Outcome::BlockedPolicy
            | Outcome::BlockedNetworkPolicy
            | Outcome::NoRoute
            | Outcome::NoCluster
            | Outcome::NoFilterChain
            | Outcome::NoHealthyUpstream
            | Outcome::GatewayNotListening
            | Outcome::AnsweredByProxy
            | Outcome::Loop
            | Outcome::NotModelled
    )
}
