//! `proxy-config endpoints` and `eds` (S: istioctl/pkg/writer/envoy/{clusters/clusters.go,configdump/endpoint.go}).

use super::dump::{at, list, number, text};
use crate::istioctl::go_sort;
use serde_json::Value;

/// Which endpoints are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub address: String,
    pub port: u64,
    pub cluster: String,
    pub status: String,
}

impl Filter {
    fn takes(&self, addresses: &[String], port: u64, status: &str, cluster: &str) -> bool {
        let same = |wanted: &str, is: &str| wanted.is_empty() || wanted.eq_ignore_ascii_case(is);
        let addressed = self.address.is_empty() || addresses.iter().any(|is| is.eq_ignore_ascii_case(&self.address));
        addressed && (self.port == 0 || self.port == port) && same(&self.cluster, cluster) && same(&self.status, status)
    }
}

/// Rows of the page `clusters?format=json`, the head first.
pub fn rows(page: &Value, filter: &Filter) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for cluster in list(page, "cluster_statuses") {
        let name = text(cluster, "name");
        for host in list(cluster, "host_statuses").filter(|host| takes(filter, host, name)) {
            found.push((address(host), port(host), name.to_string(), status(host), failed(host)));
        }
    }
    go_sort::slice(&mut found, |a, b| (&a.0, a.1, &a.2) < (&b.0, b.1, &b.2));
    let mut rows = vec![["ENDPOINT", "STATUS", "OUTLIER CHECK", "CLUSTER"].map(str::to_string).to_vec()];
    rows.extend(found.into_iter().map(|(address, port, cluster, status, failed)| {
        let endpoint = if port == 0 { address } else { format!("{address}:{port}") };
        vec![endpoint, status, if failed { "FAILED" } else { "OK" }.to_string(), cluster]
    }));
    rows
}

/// The clusters that have a wanted endpoint, whole.
pub fn wanted<'a>(page: &'a Value, filter: &Filter) -> Vec<&'a Value> {
    let has = |c: &&Value| list(c, "host_statuses").any(|host| takes(filter, host, text(c, "name")));
    list(page, "cluster_statuses").filter(has).collect()
}

fn takes(filter: &Filter, host: &Value, cluster: &str) -> bool {
    filter.takes(&[address(host)], port(host), &status(host), cluster)
}

fn address(host: &Value) -> String {
    let address = at(host, "address");
    let internal = at(address, "envoy_internal_address");
    match (at(address, "socket_address"), text(at(address, "pipe"), "path"), text(internal, "server_listener_name")) {
        (socket @ Value::Object(_), ..) => text(socket, "address").to_string(),
        (_, path @ "", "") | (_, path, _) if !path.is_empty() => format!("unix://{path}"),
        (_, _, name) if !name.is_empty() => format!("envoy://{name}/{}", text(internal, "endpoint_id")),
        _ => "unknown".into(),
    }
}

fn port(host: &Value) -> u64 {
    number(at(at(host, "address"), "socket_address"), "port_value")
}

fn status(host: &Value) -> String {
    match text(at(host, "health_status"), "eds_health_status") {
        "" => "UNKNOWN".into(),
        status => status.to_string(),
    }
}

fn failed(host: &Value) -> bool {
    at(at(host, "health_status"), "failed_outlier_check") == true
}

/// Rows of `proxy-config eds`, the head first; `named`: with the prefix of `proxy-config all`.
pub fn assignment_rows(assignments: &[&Value], filter: &Filter, named: bool) -> Vec<Vec<String>> {
    let mut rows = vec![["NAME", "STATUS", "LOCALITY", "CLUSTER"].map(str::to_string).to_vec()];
    for assignment in assignments {
        let cluster = text(assignment, "cluster_name");
        for group in list(assignment, "endpoints") {
            for endpoint in list(group, "lb_endpoints").filter(|e| takes_lb(filter, e, cluster)) {
                let prefix = if named { "endpoint/" } else { "" };
                let name = format!("{prefix}{}", lb_addresses(endpoint).join(","));
                rows.push(vec![name, lb_status(endpoint), locality(at(group, "locality")), cluster.to_string()]);
            }
        }
    }
    rows
}

/// The assignments with their wanted endpoints only; those without any are left out.
pub fn wanted_assignments(assignments: &[&Value], filter: &Filter) -> Vec<Value> {
    let mut kept = Vec::new();
    for assignment in assignments {
        let mut assignment = (*assignment).clone();
        let cluster = text(&assignment, "cluster_name").to_string();
        let mut count = 0;
        for group in assignment["endpoints"].as_array_mut().into_iter().flatten() {
            let name = if group.get("lbEndpoints").is_some() { "lbEndpoints" } else { "lb_endpoints" };
            if let Some(all) = group.get_mut(name).and_then(Value::as_array_mut) {
                all.retain(|e| takes_lb(filter, e, &cluster));
                count += all.len();
            }
        }
        if count > 0 {
            kept.push(assignment);
        }
    }
    kept
}

fn takes_lb(filter: &Filter, endpoint: &Value, cluster: &str) -> bool {
    let socket = at(at(at(endpoint, "endpoint"), "address"), "socket_address");
    filter.takes(&lb_addresses(endpoint), number(socket, "port_value"), &lb_status(endpoint), cluster)
}

fn lb_addresses(endpoint: &Value) -> Vec<String> {
    let endpoint = at(endpoint, "endpoint");
    let more = list(endpoint, "additional_addresses").map(|a| at(a, "address"));
    let one = |address: &Value| {
        let internal = at(address, "envoy_internal_address");
        match (at(address, "socket_address"), at(address, "pipe"), text(internal, "server_listener_name")) {
            (socket @ Value::Object(_), ..) => format!("{}:{}", text(socket, "address"), number(socket, "port_value")),
            (_, pipe @ Value::Object(_), _) => text(pipe, "path").to_string(),
            (_, _, "") => "unknown".into(),
            (_, _, name) => format!("envoy://{name}/{}", text(internal, "endpoint_id")),
        }
    };
    std::iter::once(at(endpoint, "address")).chain(more).map(one).collect()
}

fn lb_status(endpoint: &Value) -> String {
    match text(endpoint, "health_status") {
        "" => "UNKNOWN".into(),
        status => status.to_string(),
    }
}

/// `region/zone/subzone`, as far as it is known.
fn locality(value: &Value) -> String {
    let mut all = text(value, "region").to_string();
    for part in ["zone", "sub_zone"].map(|name| text(value, name)) {
        if part.is_empty() {
            break;
        }
        all.push('/');
        all.push_str(part);
    }
    all
}
