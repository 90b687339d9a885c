//! What the processes of Istio's two images do: readiness, first log lines, their own commands.

use super::{is_image, is_ready, istiod_ready};
use crate::base::clock::Time;
use crate::base::not_simulated;
use crate::k8s::{Object, Snapshot};
use crate::mesh::versions;
use crate::outside::wire::{Failure, HttpVersion, Reply, Request, Scheme};
use crate::sandbox::{ExecAnswer, Program};
use serde_json::Value;

/// Image pilot: istiod.
pub struct Pilot;

/// Image proxyv2: sidecars, gateways, and the init container that prepares the pod's network.
pub struct Proxy;

impl Program for Pilot {
    fn runs(&self, image: &str) -> bool {
        is_image(image, "pilot")
    }

    fn ready(&self, _pod: &Object, _container: &str, _state: &Snapshot) -> Result<(), String> {
        Ok(())
    }

    fn start_logs(&self, pod: &Object, container: &str, state: &Snapshot, now: Time) -> Vec<String> {
        let tag = tag_of(pod, container);
        let mut lines = [
            format!("initializing Istiod, version {tag}"),
            "mesh configuration read from ConfigMap istio-system/istio".to_string(),
            "serving XDS on 15010 and 15012, webhooks on 15017, monitoring on 15014".to_string(),
        ];
        if state.find("", "ConfigMap", "istio-system", "istio").is_none() {
            lines[1] = "ConfigMap istio-system/istio not found, using the default mesh configuration".to_string();
        }
        lines.iter().map(|line| agent_line(now, line)).collect()
    }

    fn request(&self, _container: &str, argv: &[String]) -> Option<Request> {
        asked(argv, "pilot-discovery", 8080)
    }

    fn printed(&self, reply: &Reply) -> ExecAnswer {
        answered(reply)
    }

    fn exec(&self, _pod: &Object, _container: &str, argv: &[String], _state: &Snapshot) -> Option<ExecAnswer> {
        (argv.first().map(String::as_str) == Some("pilot-discovery")).then(|| refuse(argv))
    }
}

impl Program for Proxy {
    fn runs(&self, image: &str) -> bool {
        is_image(image, "proxyv2")
    }

    fn ready(&self, pod: &Object, container: &str, state: &Snapshot) -> Result<(), String> {
        // A proxy that once had its configuration keeps it, also when istiod goes away.
        match prepares_network(pod, container) || was_ready(pod, container) || istiod_ready(state) {
            true => Ok(()),
            false => Err("HTTP probe failed with statuscode: 503".into()),
        }
    }

    fn start_logs(&self, pod: &Object, container: &str, state: &Snapshot, now: Time) -> Vec<String> {
        let lines = match prepares_network(pod, container) {
            true => init_lines(pod, container),
            false => proxy_lines(pod, container, state),
        };
        lines.iter().map(|line| agent_line(now, line)).collect()
    }

    fn request(&self, _container: &str, argv: &[String]) -> Option<Request> {
        asked(argv, "pilot-agent", 15000)
    }

    fn printed(&self, reply: &Reply) -> ExecAnswer {
        answered(reply)
    }

    fn exec(&self, _pod: &Object, _container: &str, argv: &[String], _state: &Snapshot) -> Option<ExecAnswer> {
        match argv.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["pilot-agent", "wait", ..] => Some(print(String::new())),
            ["pilot-agent", ..] | ["envoy", ..] => Some(refuse(argv)),
            _ => None,
        }
    }
}

/// `PROGRAM request METHOD PATH [BODY]`: a request to a port of the pod itself (S: pilot/pkg/request/command.go).
fn asked(argv: &[String], program: &str, port: u16) -> Option<Request> {
    let words: Vec<&str> = argv.iter().map(String::as_str).filter(|word| *word != "--").collect();
    let (method, path) = match words.as_slice() {
        [name, "request", method, path] | [name, "request", method, path, _] if *name == program => (*method, *path),
        _ => return None,
    };
    let path = format!("/{}", path.strip_prefix('/').unwrap_or(path));
    Some(Request {
        scheme: Scheme::Http,
        version: HttpVersion::Http11,
        method: method.to_uppercase().into(),
        host: "localhost".into(),
        port,
        path: path.into(),
        headers: vec![("User-Agent".into(), "Go-http-client/1.1".into())],
        sni: None,
        body_len: 0,
        address: Some([127, 0, 0, 1].into()),
        from_proxy_user: false,
        max_time_ms: None,
        connect_timeout_ms: None,
        insecure: false,
    })
}

/// The answer's body; a status of 400 and more, 404 excepted, is an error.
fn answered(reply: &Reply) -> ExecAnswer {
    match reply {
        Reply::Response(response) => {
            let body = String::from_utf8_lossy(&response.body);
            match response.status > 399 && response.status != 404 {
                true => fail(&format!("Error: received unsuccessful status code {}: {body}", response.status)),
                false => print(format!("{body}\n")),
            }
        }
        Reply::Failure(Failure::NotModelled { object, field }) => fail(&not_simulated(&format!("{object} {field}"))),
        Reply::Failure(Failure::ConnectionRefused { address, port }) => {
            fail(&format!("Error: dial tcp {address}:{port}: connect: connection refused"))
        }
        Reply::Failure(_) => fail("Error: EOF"),
    }
}

fn container<'a>(pod: &'a Object, name: &str) -> Option<&'a Value> {
    let lists = ["containers", "initContainers"].into_iter();
    let all = lists.flat_map(|list| pod.at(&["spec", list]).as_array().into_iter().flatten());
    all.into_iter().find(|c| c["name"] == name)
}

fn args<'a>(pod: &'a Object, name: &str) -> Vec<&'a str> {
    let args = container(pod, name).and_then(|c| c["args"].as_array());
    args.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Whether the container is istio-init (or istio-validation) rather than a proxy.
fn prepares_network(pod: &Object, name: &str) -> bool {
    args(pod, name).first() == Some(&"istio-iptables")
}

fn was_ready(pod: &Object, name: &str) -> bool {
    let lists = ["containerStatuses", "initContainerStatuses"].into_iter();
    let mut all = lists.flat_map(|list| pod.at(&["status", list]).as_array().into_iter().flatten());
    is_ready(pod) || all.any(|status| status["name"] == name && status["ready"] == true)
}

fn tag_of(pod: &Object, name: &str) -> String {
    let image = container(pod, name).and_then(|c| c["image"].as_str()).unwrap_or("");
    let tag = image.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag.to_string());
    tag.unwrap_or_else(|| versions::default_release().tag.clone())
}

fn init_lines(pod: &Object, name: &str) -> Vec<String> {
    let args = args(pod, name);
    let after = |flag: &str| args.iter().position(|a| *a == flag).and_then(|i| args.get(i + 1)).copied().unwrap_or("");
    vec![
        format!(
            "traffic redirection: outbound to port {}, inbound to port {}, proxy user {}",
            after("-p"),
            after("-z"),
            after("-u")
        ),
        format!("outbound addresses {:?} without {:?}, outbound ports not captured {:?}", after("-i"), after("-x"), after("-o")),
        "iptables rules are in place".to_string(),
    ]
}

fn proxy_lines(pod: &Object, name: &str, state: &Snapshot) -> Vec<String> {
    let role = args(pod, name).get(1).copied().unwrap_or("sidecar");
    let ip = pod.str_at(&["status", "podIP"]);
    let (namespace, tag) = (pod.namespace(), tag_of(pod, name));
    let mut lines = vec![
        format!("Version {tag}"),
        format!("Proxy role: {role}~{ip}~{}.{namespace}~{namespace}.svc.cluster.local", pod.name()),
        "Starting proxy agent".to_string(),
    ];
    lines.push(match istiod_ready(state) {
        true => "connected to istiod.istio-system.svc:15012".to_string(),
        false => {
            "Envoy proxy is NOT ready: config not received from XDS server (was Istiod available?): cds updates: 0 successful, \
                  0 rejected; lds updates: 0 successful, 0 rejected"
                .to_string()
        }
    });
    if istiod_ready(state) {
        lines.push("Readiness succeeded".to_string());
        lines.push("Envoy proxy is ready".to_string());
    }
    lines
}

/// A line as Istio's own programs write it: time, level, text, with tabs.
fn agent_line(now: Time, text: &str) -> String {
    let level = if text.contains("NOT ready") { "warn" } else { "info" };
    format!("{}\t{level}\t{text}", now.rfc3339_micro())
}

fn print(text: String) -> ExecAnswer {
    ExecAnswer { stdout: text.into_bytes(), stderr: Vec::new(), exit_code: 0 }
}

fn fail(text: &str) -> ExecAnswer {
    ExecAnswer { stdout: Vec::new(), stderr: format!("{text}\n").into_bytes(), exit_code: 1 }
}

fn refuse(argv: &[String]) -> ExecAnswer {
    fail(&not_simulated(&argv.iter().take(3).cloned().collect::<Vec<_>>().join(" ")))
}
