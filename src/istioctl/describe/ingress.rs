//! Whether services are reached through an ingress gateway.

use super::{Desk, rules, selects, services};
use crate::base::io::Io;
use crate::base::order::Order;
use crate::istioctl::Stop;
use crate::k8s::Object;
use std::collections::BTreeSet;

/// A service in front of ingress gateway pods.
struct Door {
    service: Object,
    pods: Vec<Object>,
}

impl Door {
    fn address(&self) -> String {
        let balancer = &self.service.at(&["status", "loadBalancer", "ingress"])[0]["ip"];
        let host = self.pods.first().map_or("", |pod| pod.str_at(&["status", "hostIP"]));
        match (balancer.as_str(), host) {
            (Some(ip), _) => ip.to_string(),
            (None, "") => "unknown".into(),
            (None, ip) => ip.to_string(),
        }
    }
}

/// Tells which ingress gateways expose the services, and by which VirtualService.
pub async fn tell(desk: &Desk<'_>, io: &mut Io, matching: &[Object], owners: &[Object]) -> Result<(), Stop> {
    let query = "labelSelector=istio%3Dingressgateway&fieldSelector=status.phase%3DRunning";
    let pods = desk.list(&format!("/api/v1/pods?{query}")).await?;
    if pods.is_empty() {
        io.say("Skipping Gateway information (no ingress gateway pods)");
        return Ok(());
    }
    let doors = doors(desk, &pods).await?;
    if doors.is_empty() {
        io.say("Skipping Gateway information (no ingress gateway service)");
    }
    let mut told = BTreeSet::new();
    for pod in &pods {
        let dump = desk.dump(pod, "ingress gateway sidecar").await?;
        for service in matching {
            for port in services::ports(service) {
                let number = port["port"].as_u64().unwrap_or(0);
                let rule = match services::destination_rule(&dump, service, number) {
                    Some((name, namespace)) => desk.networking("destinationrules", &namespace, &name).await?,
                    None => None,
                };
                let Some((name, namespace)) = services::virtual_service(&dump, service, number) else { continue };
                let Some(route) = desk.networking("virtualservices", &namespace, &name).await? else {
                    io.say(&format!("WARNING: Proxy is stale; it references to non-existent virtual service {name}.{namespace}"));
                    continue;
                };
                let subject = Subject { service, rule: rule.as_ref(), owners };
                gateways(desk, io, &route, &doors, &mut told, &subject).await?;
            }
        }
    }
    Ok(())
}

async fn doors(desk: &Desk<'_>, pods: &[Object]) -> Result<Vec<Door>, Stop> {
    let namespaces: BTreeSet<&str> = pods.iter().map(Object::namespace).collect();
    let mut doors = Vec::new();
    for namespace in namespaces {
        for service in desk.list(&format!("/api/v1/namespaces/{namespace}/services")).await? {
            let behind =
                |pod: &&Object| pod.namespace() == namespace && selects(service.at(&["spec", "selector"]), &pod.labels());
            let pods: Vec<Object> = pods.iter().filter(behind).cloned().collect();
            if !pods.is_empty() {
                doors.push(Door { service, pods });
            }
        }
    }
    Ok(doors)
}

/// What is told of: a service, its DestinationRule, the pods behind it.
struct Subject<'a> {
    service: &'a Object,
    rule: Option<&'a Object>,
    owners: &'a [Object],
}

async fn gateways(
    desk: &Desk<'_>,
    io: &mut Io,
    route: &Object,
    doors: &[Door],
    told: &mut BTreeSet<String>,
    subject: &Subject<'_>,
) -> Result<(), Stop> {
    let names = route.at(&["spec", "gateways"]).as_array().into_iter().flatten().filter_map(|g| g.as_str());
    for name in names.filter(|name| !name.is_empty() && *name != "mesh") {
        let (namespace, name) = name.split_once('/').unwrap_or((route.namespace(), name));
        let id = format!("{namespace}/{name}");
        if told.contains(&id) {
            continue;
        }
        let Some(gateway) = desk.networking("gateways", namespace, name).await? else {
            io.write(format!("WARNING: Proxy is stale; it references to non-existent gateway {id}\n").as_bytes());
            continue;
        };
        told.insert(id);
        let selector = gateway.at(&["spec", "selector"]);
        let fits = |door: &&Door| door.pods.iter().any(|pod| selects(selector, &pod.labels()));
        let mut found: Vec<&Door> = doors.iter().filter(fits).collect();
        if found.is_empty() {
            continue;
        }
        found.order_by_key(|door| door.address());
        io.say(super::LINE);
        found.iter().for_each(|door| exposed(io, door));
        rules::virtual_service(desk, io, 0, route, subject.service, subject.rule, subject.owners);
    }
    Ok(())
}

fn exposed(io: &mut Io, door: &Door) {
    for port in services::ports(&door.service) {
        let shown = matches!(port["name"].as_str(), Some("http" | "http2"));
        if !shown || services::target(&door.pods[0], port).is_none() {
            continue;
        }
        let scheme = if matches!(services::protocol(port), "HTTP" | "HTTP2") { "http" } else { "" };
        let number = port["port"].as_u64().unwrap_or(0);
        let suffix = if number == 80 { String::new() } else { format!(":{number}") };
        io.say(&format!("Exposed on Ingress Gateway {scheme}://{}{suffix}", door.address()));
    }
}
