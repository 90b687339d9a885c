//! NetworkPolicies applied to packets: connections between pods and to the world, and the question to the name server before them.

use super::Ctx;
use crate::k8s::{Object, Snapshot};
use crate::mesh::policy::network::{End, Flow, Protocol};
use crate::mesh::{Cause, Model};
use serde_json::json;
use std::borrow::Cow;
use std::net::IpAddr;

/// Where every cluster's name server is.
const DNS_NAMESPACE: &str = "kube-system";
const DNS_PORT: u16 = 53;

/// Who drops a connection from an address to a pod (or, without one, to an address of no pod).
pub fn blocks(ctx: &Ctx<'_>, from: Option<IpAddr>, to: (IpAddr, u16), protocol: Protocol) -> Option<Cause> {
    let network = &ctx.model.base().policies.network;
    if network.is_empty() {
        return None;
    }
    let snapshot = ctx.model.snapshot();
    let own = ctx.client.str_at(&["status", "podIP"]).parse().ok();
    let sender = match from {
        Some(ip) if own != Some(ip) => ctx.model.pod_at(ip).map(|p| &**p),
        _ => Some(ctx.client),
    };
    let receiver = ctx.model.pod_at(to.0).map(|p| &**p);
    let flow = Flow { from: End { ip: from, pod: sender }, to: End { ip: Some(to.0), pod: receiver }, protocol, port: to.1 };
    network.blocks(snapshot, &flow)
}

/// Who keeps the pod from asking the name server for a name; `None` for names that need no asking.
pub fn blocks_names(model: &Model, pod: &Object, name: &str) -> Option<Cause> {
    let network = &model.base().policies.network;
    if network.is_empty() || name.parse::<IpAddr>().is_ok() || name == "localhost" || name == pod.name() {
        return None;
    }
    let snapshot = model.snapshot();
    let server = name_server(snapshot);
    let ip = |p: &Object| p.str_at(&["status", "podIP"]).parse().ok();
    let flow = Flow {
        from: End { ip: ip(pod), pod: Some(pod) },
        to: End { ip: ip(&server), pod: Some(&server) },
        protocol: Protocol::Udp,
        port: DNS_PORT,
    };
    let cause = network.blocks(snapshot, &flow)?;
    let text = "The policy lets no question through to the name server (UDP 53), so the name stays unknown.";
    Some(Cause::new(cause.object.clone(), cause.field.clone(), text))
}

/// A pod of the cluster's name server; where none is known, what kubeadm, kind and the sandbox make of it.
fn name_server(snapshot: &Snapshot) -> Cow<'_, Object> {
    let known = snapshot.list_in("", "Pod", DNS_NAMESPACE).find(|p| p.label("k8s-app") == Some("kube-dns"));
    if let Some(pod) = known {
        return Cow::Borrowed(pod);
    }
    let service = snapshot.find("", "Service", DNS_NAMESPACE, "kube-dns");
    let ip = service.map_or("10.96.0.10", |s| s.str_at(&["spec", "clusterIP"])).to_string();
    let ports = json!([
        {"name": "dns", "containerPort": DNS_PORT, "protocol": "UDP"},
        {"name": "dns-tcp", "containerPort": DNS_PORT, "protocol": "TCP"},
    ]);
    Cow::Owned(Object(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "coredns", "namespace": DNS_NAMESPACE, "labels": {"k8s-app": "kube-dns"}},
        "spec": {"containers": [{"name": "coredns", "ports": ports}]},
        "status": {"podIP": ip},
    })))
}
