//! `kubectl port-forward`: listens on this machine and hands each connection to a port of a pod. Only on a command line: a line of
//! the lab opens no port (see [`super::restrict`]).

use super::error::{Error, Result};
use super::fetch;
use super::flags::{Flag, Parsed, Takes, flag};
use super::pods;
use super::select;
use super::session::Session;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub const FLAGS: &[Flag] = &[
    flag("address", Takes::List, "the addresses of this machine to listen on (default localhost)"),
    flag("pod-running-timeout", Takes::Text, "how long to wait for the pod to run"),
];

/// Connections that are open at once.
const CONNECTIONS: usize = 256;

/// A port here and a port there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pair {
    /// 0: any that is free.
    local: u16,
    remote: u16,
}

/// What the tasks of a forward tell.
enum Told {
    Connected(TcpStream, Pair),
    Failed(Pair, String),
}

/// Runs `kubectl port-forward` until Ctrl-C.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let Some((operand, ports)) = p.operands.split_first().filter(|(_, ports)| !ports.is_empty()) else {
        return Err(Error::Said(
            "error: TYPE/NAME and list of ports are required for port-forward\nSee 'kubectl port-forward -h' for help and examples"
                .into(),
        ));
    };
    let target = select::pod_like(s, operand).await?;
    let namespace = s.namespace.clone();
    let object = fetch::object(s, &target.resource, &namespace, &target.name).await?;
    if target.resource.kind == "Service" && pods::selector(&object).is_none() {
        return Err(Error::plain(format!(
            "cannot attach to *v1.Service: invalid service '{}': Service is defined without a selector",
            target.name
        )));
    }
    let found = pods::behind(s, operand).await?;
    let pod = found.first().ok_or_else(|| Error::plain(format!("no pods found for {operand}")))?;
    let pairs = ports.iter().map(|text| pair(text, &object, pod)).collect::<Result<Vec<Pair>>>()?;
    let phase = pod["status"]["phase"].as_str().unwrap_or("");
    if phase != "Running" {
        return Err(Error::plain(format!("unable to forward port because pod is not running. Current status={phase}")));
    }
    let name = pod["metadata"]["name"].as_str().unwrap_or("").to_string();
    let mut tasks = JoinSet::new();
    let (tell, mut hear) = mpsc::channel(CONNECTIONS);
    listen(s, p, &pairs, &mut tasks, &tell).await?;
    let api: Api<Pod> = Api::namespaced(s.ctx.client.clone(), &namespace);
    loop {
        let told = tokio::select! {
            told = hear.recv() => told,
            () = s.interrupted() => return Ok(0),
        };
        match told {
            Some(Told::Connected(stream, pair)) => {
                s.say(&format!("Handling connection for {}", pair.local));
                // Listeners stay in the set, so that ended connections are taken out one by one.
                while tasks.try_join_next().is_some() {}
                if tasks.len() >= CONNECTIONS {
                    s.warn(&format!("too many connections: {} is refused", pair.local));
                    continue;
                }
                tasks.spawn(forward(api.clone(), name.clone(), stream, pair, tell.clone()));
            }
            Some(Told::Failed(pair, why)) => {
                s.warn(&format!("error: an error occurred forwarding {} -> {}: {why}", pair.local, pair.remote));
            }
            None => return Ok(0),
        }
    }
}

/// Opens every listener; one address of a port is enough.
async fn listen(
    s: &mut Session<'_>,
    p: &Parsed,
    pairs: &[Pair],
    tasks: &mut JoinSet<()>,
    tell: &mpsc::Sender<Told>,
) -> Result<()> {
    let mut given: Vec<&str> = p.list("address").iter().map(String::as_str).collect();
    if given.is_empty() {
        given.push("localhost");
    }
    let mut opened = 0;
    for pair in pairs {
        let mut pair = *pair;
        let mut failures = Vec::new();
        for address in &given {
            let hosts: &[&str] = if *address == "localhost" { &["127.0.0.1", "::1"] } else { std::slice::from_ref(address) };
            for host in hosts {
                let ip = host.parse().map_err(|_| Error::plain(format!("{host} is not a valid IP")))?;
                match TcpListener::bind(SocketAddr::new(ip, pair.local)).await {
                    Ok(listener) => {
                        pair.local = listener.local_addr().map_or(pair.local, |a| a.port());
                        let shown = SocketAddr::new(ip, pair.local);
                        s.say(&format!("Forwarding from {shown} -> {}", pair.remote));
                        tasks.spawn(accept(listener, pair, tell.clone()));
                        opened += 1;
                    }
                    Err(error) => {
                        let family = if ip.is_ipv4() { "tcp4" } else { "tcp6" };
                        failures.push(format!(
                            "unable to create listener: Error listen {family} {}: bind: {error}",
                            SocketAddr::new(ip, pair.local)
                        ));
                    }
                }
            }
        }
        // A machine without one of the two address families is none the worse.
        if failures.len() >= 2 || failures.len() == 1 && opened == 0 {
            s.warn(&format!(
                "Unable to listen on port {}: Listeners failed to create with the following errors: [{}]",
                pair.local,
                failures.join(" ")
            ));
        }
    }
    let wanted: Vec<String> = pairs.iter().map(|pair| format!("{{{} {}}}", pair.local, pair.remote)).collect();
    match opened {
        0 => Err(Error::plain(format!("unable to listen on any of the requested ports: [{}]", wanted.join(" ")))),
        _ => Ok(()),
    }
}

async fn accept(listener: TcpListener, pair: Pair, tell: mpsc::Sender<Told>) {
    while let Ok((stream, _)) = listener.accept().await {
        if tell.send(Told::Connected(stream, pair)).await.is_err() {
            return;
        }
    }
}

/// One connection, from its start to its end.
async fn forward(api: Api<Pod>, pod: String, mut here: TcpStream, pair: Pair, tell: mpsc::Sender<Told>) {
    let failed = async |why: String| drop(tell.send(Told::Failed(pair, why)).await);
    let mut forwarder = match api.portforward(&pod, &[pair.remote]).await {
        Ok(forwarder) => forwarder,
        Err(error) => return failed(error.to_string()).await,
    };
    let (error, Some(mut there)) = (forwarder.take_error(pair.remote), forwarder.take_stream(pair.remote)) else { return };
    let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
    drop(there);
    let said = match error {
        Some(error) => tokio::select! {
            said = error => said,
            _ = forwarder.join() => None,
        },
        None => None,
    };
    // Whoever connected and went away first is told nothing.
    if let Some(said) = said {
        failed(said).await;
    }
}

/// `8080`, `8080:80`, `:80`, `8080:http`.
fn pair(text: &str, object: &Value, pod: &Value) -> Result<Pair> {
    let (local, remote) = match text.split_once(':') {
        Some((local, remote)) => (Some(local), remote),
        None => (None, text),
    };
    let number = |text: &str, which: &str| {
        text.parse::<u16>().map_err(|_| {
            Error::plain(format!("error parsing {which} port '{text}': strconv.ParseUint: parsing {text:?}: invalid syntax"))
        })
    };
    let wanted = remote_port(remote, object, pod)?;
    let remote_number = match wanted {
        Some(port) => port,
        None => number(remote, "remote")?,
    };
    if remote_number == 0 {
        return Err(Error::plain("remote port must be > 0"));
    }
    let local = match local {
        None => number(remote, "local").or_else(|error| if wanted.is_some() { Ok(remote_number) } else { Err(error) })?,
        Some("") => 0,
        Some(text) => number(text, "local")?,
    };
    Ok(Pair { local, remote: remote_number })
}

/// The pod's port behind a service's port, or behind a name.
fn remote_port(text: &str, object: &Value, pod: &Value) -> Result<Option<u16>> {
    let name = |value: &Value| value.as_str().unwrap_or("").to_string();
    let named = |wanted: &str| {
        let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
        let mut ports = containers.flat_map(|c| c["ports"].as_array().into_iter().flatten());
        let found =
            ports.find(|port| port["name"] == wanted).and_then(|port| u16::try_from(port["containerPort"].as_i64()?).ok());
        let pod = name(&pod["metadata"]["name"]);
        found.ok_or_else(|| Error::plain(format!("Pod '{pod}' does not have a named port '{wanted}'")))
    };
    if object["kind"] != "Service" {
        return if text.parse::<i64>().is_ok() { Ok(None) } else { named(text).map(Some) };
    }
    let service = name(&object["metadata"]["name"]);
    let mut ports = object["spec"]["ports"].as_array().into_iter().flatten();
    let entry = match text.parse::<i64>() {
        Ok(number) => ports
            .find(|port| port["port"] == number)
            .ok_or_else(|| Error::plain(format!("Service {service} does not have a service port {number}")))?,
        Err(_) => ports
            .find(|port| port["name"] == text)
            .ok_or_else(|| Error::plain(format!("Service '{service}' does not have a named port '{text}'")))?,
    };
    if object["spec"]["clusterIP"] == "None" {
        return Ok(u16::try_from(entry["port"].as_i64().unwrap_or(0)).ok());
    }
    match (&entry["targetPort"], entry["port"].as_i64()) {
        (Value::String(target), _) => named(target).map(Some),
        (target, port) => Ok(target.as_i64().filter(|n| *n > 0).or(port).and_then(|n| u16::try_from(n).ok())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ports_are_read_as_kubectl_reads_them() {
        let pod = json!({"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [
            {"ports": [{"name": "http", "containerPort": 8080}]}]}});
        let service = json!({"kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [
            {"name": "web", "port": 80, "targetPort": "http"}, {"port": 443, "targetPort": 8443}, {"port": 9}]}});
        let read = |text: &str, object: &Value| match pair(text, object, &pod) {
            Ok(pair) => format!("{} -> {}", pair.local, pair.remote),
            Err(error) => error.text(),
        };
        let rows = [
            ("8080", &pod, "8080 -> 8080"),
            ("18080:8080", &pod, "18080 -> 8080"),
            (":8080", &pod, "0 -> 8080"),
            ("http", &pod, "8080 -> 8080"),
            ("1:http", &pod, "1 -> 8080"),
            ("x", &pod, "error: Pod 'p' does not have a named port 'x'"),
            ("0", &pod, "error: remote port must be > 0"),
            ("80", &service, "80 -> 8080"),
            ("8443:443", &service, "8443 -> 8443"),
            (":web", &service, "0 -> 8080"),
            ("9", &service, "9 -> 9"),
            ("81", &service, "error: Service s does not have a service port 81"),
            ("70000", &pod, "error: error parsing remote port '70000': strconv.ParseUint: parsing \"70000\": invalid syntax"),
        ];
        for (text, object, want) in rows {
            assert_eq!(read(text, object), want, "{text}");
        }
    }
}
