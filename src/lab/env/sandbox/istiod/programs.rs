//! What the processes of Istio's two images do: readiness, first log lines, their own commands.

use super::{is_image, is_ready, istiod_ready};
use crate::base::clock::Time;
use crate::base::not_simulated;
use crate::k8s::{Object, Snapshot};
use crate::mesh::versions;
use crate::sandbox::{ExecAnswer, Program};
use serde_json::Value;
use std::sync::Arc;

/// Answers a path of a proxy's admin port; `None` where the pod has no proxy or the path is not known.
pub type Admin = Arc<dyn Fn(&Object, &str, &Snapshot) -> Option<String> + Send + Sync>;

/// Image pilot: istiod.
pub struct Pilot;

/// Image proxyv2: sidecars, gateways, and the init container that prepares the pod's network.
pub struct Proxy {
    pub admin: Admin,
}

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

    fn exec(&self, pod: &Object, _container: &str, argv: &[String], state: &Snapshot) -> Option<ExecAnswer> {
        match argv.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["pilot-agent", "request", method, path] => Some(self.request(pod, method, path, state)),
            ["pilot-agent", "wait", ..] => Some(print(String::new())),
            ["pilot-agent", ..] | ["envoy", ..] => Some(refuse(argv)),
            ["curl", rest @ ..] => self.curl(pod, rest, state),
            _ => None,
        }
    }
}

impl Proxy {
    /// `pilot-agent request GET config_dump`: the path goes to the admin port 15000.
    fn request(&self, pod: &Object, method: &str, path: &str, state: &Snapshot) -> ExecAnswer {
        let path = format!("/{}", path.trim_start_matches('/'));
        match (self.admin)(pod, &path, state) {
            Some(body) if method.eq_ignore_ascii_case("GET") => print(body),
            _ => fail(&not_simulated(&format!("pilot-agent request {method} {path}"))),
        }
    }

    /// curl to the proxy's own admin or readiness port; `None` for everything else, which the pod's curl does.
    fn curl(&self, pod: &Object, args: &[&str], state: &Snapshot) -> Option<ExecAnswer> {
        let quiet = |arg: &&&str| matches!(**arg, "-s" | "-sS" | "-S" | "--silent" | "--show-error");
        let rest: Vec<&str> = args.iter().filter(|arg| !quiet(arg)).copied().collect();
        let [url] = rest.as_slice() else { return None };
        let address = url.strip_prefix("http://").unwrap_or(url);
        let (host, path) = address.split_once('/').unwrap_or((address, ""));
        match host.split_once(':')? {
            ("localhost" | "127.0.0.1", "15000") => Some(self.request(pod, "GET", path, state)),
            ("localhost" | "127.0.0.1", "15021") if path == "healthz/ready" => Some(print(String::new())),
            _ => None,
        }
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
    tag.unwrap_or_else(|| versions::default_release().tag)
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
