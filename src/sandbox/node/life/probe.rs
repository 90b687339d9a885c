//! Probes: when a container counts as started and as ready.

mod command;

use super::PodLife;
use super::step::{Out, with_address};
use crate::k8s::Object;
use crate::sandbox::node::Env;
use crate::sandbox::node::spec::{self, Container, Role};

/// How many different events of one pod are told.
const TOLD_LIMIT: usize = 500;

/// Why a container waits whose environment lacks something.
pub const CONFIG_ERROR: &str = "CreateContainerConfigError";

/// Whether the container would be found ready now, or why not.
fn look(pod: &Object, ip: &str, container: &Container<'_>, env: &Env<'_>) -> Result<(), String> {
    let probed = ["startupProbe", "readinessProbe"].into_iter().find_map(|p| container.probe(p));
    match env.programs.iter().find(|p| p.runs(container.image())) {
        Some(program) => program.ready(pod, container.name(), env.state),
        None => probed.map_or(Ok(()), |probe| own_probe(probe, container, ip)),
    }
}

/// Started and ready, as the probes say.
pub fn probe(life: &mut PodLife, pod: &Object, container: &Container<'_>, env: &mut Env<'_>, out: &mut Out<'_>) {
    let name = container.name().to_string();
    let ip = life.ip.clone().unwrap_or_default();
    let answer = match command::of(container).filter(|_| !env.programs.iter().any(|p| p.runs(container.image()))) {
        Some(argv) => command::run(life, pod, container, &argv, env, out),
        None => look(&with_address(pod, Some(&ip)), &ip, container, env),
    };
    let Some(run) = life.run_mut(&name) else { return };
    let ok = answer.is_ok();
    let started = run.started || ok || container.probe("startupProbe").is_none();
    let kind = if started { "Readiness" } else { "Startup" };
    (run.started, run.ready) = (started, ok);
    if let Err(text) = answer
        && life.told.len() < TOLD_LIMIT
        && life.told.insert(format!("{name} {text}"))
    {
        let text = if text.contains("probe failed") { text } else { format!("{kind} probe failed: {text}") };
        out.told(pod, container, true, "Unhealthy", text);
    }
}

/// Whether nothing can have happened to the pod since its status was last found right: no moment passed, the object is the same, and
/// probes would say the same. Saves looking at every pod in every round.
pub fn is_quiet(life: &PodLife, pod: &Object, env: &Env<'_>) -> bool {
    let now = *env.now;
    let due = life.next_transition().into_iter().chain(life.next_timer()).min().is_some_and(|t| t <= now);
    if due || life.version.is_empty() || life.version != pod.str_at(&["metadata", "resourceVersion"]) {
        return false;
    }
    if pod.is_terminating() || life.finished.is_some() {
        return true;
    }
    let Some(ip) = &life.ip else { return life.sandbox_due.is_some() };
    let containers = spec::containers(pod);
    containers.iter().all(|c| match life.run(c.name()) {
        // A command may find other files than before.
        Some(run) if run.is_running() && command::of(c).is_some() => false,
        Some(run) if run.is_running() && run.due.is_none() && run.role != Role::Init => {
            look(pod, ip, c, env).is_ok() == run.ready
        }
        Some(run) => run.waiting() != Some(CONFIG_ERROR),
        None => false,
    })
}

/// A probe of an image that only the catalogue knows: an open port is healthy.
fn own_probe(probe: &serde_json::Value, container: &Container<'_>, ip: &str) -> Result<(), String> {
    let action = ["httpGet", "tcpSocket", "grpc"].into_iter().find(|a| probe[a].is_object());
    let Some(action) = action else { return Ok(()) };
    let port = &probe[action]["port"];
    let named = |name: &str| {
        let ports = container.spec["ports"].as_array().into_iter().flatten();
        ports.into_iter().find(|p| p["name"] == name).and_then(|p| p["containerPort"].as_u64())
    };
    let port = port.as_u64().or_else(|| port.as_str().and_then(|n| n.parse().ok().or_else(|| named(n)))).unwrap_or(0);
    match container.known().and_then(|i| i.port).is_some_and(|p| u64::from(p) == port) {
        true => Ok(()),
        false if action == "httpGet" => {
            let path = probe[action]["path"].as_str().unwrap_or("/");
            Err(format!("Get \"http://{ip}:{port}{path}\": dial tcp {ip}:{port}: connect: connection refused"))
        }
        false => Err(format!("dial tcp {ip}:{port}: connect: connection refused")),
    }
}
