//! `kubectl debug`: a container more in a running pod, or a copy of a pod to look into.

use super::apply::manager;
use super::error::{Error, Result};
use super::exec::{self, Call};
use super::fetch::{self, Filter, Seen};
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::select;
use super::session::{Ask, JSON, STRATEGIC, Session};
use crate::base::seed::Seed;
use serde_json::{Value, json};

pub const FLAGS: &[Flag] = &[
    flag("image", Takes::Text, "the image of the container to look with"),
    short("container", 'c', Takes::Text, "the new container's name"),
    flag("target", Takes::Text, "the container whose processes are to be seen"),
    flag("copy-to", Takes::Text, "do not touch the pod: work on a copy of this name"),
    flag("same-node", Takes::Bool, "with --copy-to: on the pod's own node"),
    flag("replace", Takes::Bool, "with --copy-to: delete the pod that is copied"),
    flag("set-image", Takes::List, "with --copy-to: CONTAINER=IMAGE, * for every container"),
    flag("share-processes", Takes::Bool, "with --copy-to: containers see each other's processes (default true)"),
    flag("keep-labels", Takes::Bool, "with --copy-to: keep the labels"),
    flag("keep-annotations", Takes::Bool, "with --copy-to: keep the annotations"),
    flag("keep-liveness", Takes::Bool, "with --copy-to: keep liveness probes"),
    flag("keep-readiness", Takes::Bool, "with --copy-to: keep readiness probes"),
    flag("keep-startup", Takes::Bool, "with --copy-to: keep startup probes"),
    flag("keep-init-containers", Takes::Bool, "with --copy-to: keep init containers (default true)"),
    flag("env", Takes::List, "NAME=VALUE for the new container"),
    flag("image-pull-policy", Takes::Text, "Always, IfNotPresent or Never"),
    flag("profile", Takes::Text, "general (default), baseline, restricted, netadmin, sysadmin"),
    flag("custom", Takes::Text, "a file with more of the container (not simulated here)"),
    flag("attach", Takes::Bool, "join the new container"),
    short("stdin", 'i', Takes::Bool, "pass standard input on"),
    short("tty", 't', Takes::Bool, "with a terminal"),
    short("quiet", 'q', Takes::Bool, "say less"),
];

/// Runs `kubectl debug`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    check(p)?;
    let Some(operand) = p.before_dash().first() else {
        return Err(Error::plain("NAME or TYPE/NAME is required for debug"));
    };
    let target = select::pod_like(s, operand).await?;
    match target.resource.kind.as_str() {
        "Pod" => (),
        "Node" => return Err(Error::not_simulated("debugging a node")),
        other => {
            let version = match target.resource.group.as_str() {
                "" => format!("/{}", target.resource.version),
                _ => target.resource.api_version(),
            };
            return Err(Error::plain(format!("\"{version}, Kind={other}\" not supported by debug")));
        }
    }
    let namespace = s.namespace.clone();
    let pod = fetch::object(s, &target.resource, &namespace, &target.name).await?;
    match p.given("copy-to") {
        true => copy(s, p, pod).await,
        false => ephemeral(s, p, pod).await,
    }
}

fn check(p: &Parsed) -> Result<()> {
    if !p.given("copy-to") && p.str("image").is_empty() {
        return Err(Error::plain("you must specify --image when not using --copy-to."));
    }
    if p.given("copy-to") && p.str("image").is_empty() && p.list("set-image").is_empty() && p.after_dash().is_empty() {
        return Err(Error::plain("you must specify --image, --set-image or command arguments."));
    }
    if !p.list("set-image").is_empty() && !p.given("copy-to") {
        return Err(Error::plain("--set-image may only be used with --copy-to."));
    }
    if p.given("target") && p.given("copy-to") {
        return Err(Error::plain("--target is incompatible with --copy-to. Use --share-processes instead."));
    }
    if p.on("tty") && !p.on("stdin") {
        return Err(Error::plain("-i/--stdin is required for containers with -t/--tty=true"));
    }
    if p.given("custom") {
        return Err(Error::not_simulated("debug --custom"));
    }
    match p.str("profile") {
        "" | "general" | "baseline" | "restricted" | "netadmin" | "sysadmin" | "legacy" => Ok(()),
        other => Err(Error::plain(format!("unknown profile: {other}"))),
    }
}

fn names(pod: &Value) -> Vec<String> {
    super::pods::every(pod)
}

/// The new container's name: as asked, or `debugger-` and five letters that follow from the pod.
fn name(s: &mut Session<'_>, p: &Parsed, pod: &Value) -> String {
    if !p.str("container").is_empty() {
        return p.str("container").to_string();
    }
    let known = names(pod);
    let uid = pod["metadata"]["uid"].as_str().unwrap_or("").to_string();
    let made = |n: usize| format!("debugger-{}", Seed(known.len() as u64).suffix(&["debug", &uid, &n.to_string()], 5));
    let name = (0..100).map(made).find(|name| !known.contains(name)).unwrap_or_else(|| made(0));
    if !p.on("quiet") {
        s.say(&format!("Defaulting debug container name to {name}."));
    }
    name
}

/// What a profile lets the container do.
fn security(profile: &str, is_ephemeral: bool) -> Value {
    match profile {
        "" | "general" if is_ephemeral => json!({"capabilities": {"add": ["SYS_PTRACE"]}}),
        "" | "general" => json!({"capabilities": {"add": ["SYS_PTRACE"]}}),
        "restricted" => json!({"runAsNonRoot": true, "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"}}),
        "netadmin" => json!({"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}}),
        "sysadmin" => json!({"privileged": true}),
        _ => Value::Null,
    }
}

fn container(p: &Parsed, name: &str, is_ephemeral: bool) -> Result<Value> {
    let mut container = json!({"name": name, "image": p.str("image"), "resources": {}, "terminationMessagePolicy": "File"});
    if !p.after_dash().is_empty() {
        container["command"] = json!(p.after_dash());
    }
    let mut env = Vec::new();
    for pair in p.list("env") {
        let (key, value) = pair.split_once('=').ok_or_else(|| Error::plain(format!("invalid env: {pair}")))?;
        env.push(json!({"name": key, "value": value}));
    }
    if !env.is_empty() {
        container["env"] = json!(env);
    }
    if p.given("image-pull-policy") {
        container["imagePullPolicy"] = json!(p.str("image-pull-policy"));
    }
    for flag in ["stdin", "tty"] {
        if p.on(flag) {
            container[flag] = json!(true);
        }
    }
    let security = security(p.str("profile"), is_ephemeral);
    if !security.is_null() {
        container["securityContext"] = security;
    }
    Ok(container)
}

async fn ephemeral(s: &mut Session<'_>, p: &Parsed, pod: Value) -> Result<i32> {
    let pod_name = pod["metadata"]["name"].as_str().unwrap_or("").to_string();
    if p.given("target") && !p.on("quiet") {
        s.say(&format!(
            "Targeting container {:?}. If you don't see processes from this container it may be because the container runtime doesn't support this feature.",
            p.str("target")
        ));
    }
    let name = name(s, p, &pod);
    let mut new = container(p, &name, true)?;
    if p.given("target") {
        new["targetContainerName"] = json!(p.str("target"));
    }
    let mut order: Vec<Value> =
        pod["spec"]["ephemeralContainers"].as_array().into_iter().flatten().map(|c| json!({"name": c["name"]})).collect();
    order.push(json!({"name": name}));
    let body = json!({"spec": {"$setElementOrder/ephemeralContainers": order, "ephemeralContainers": [new]}});
    let path = format!("/api/v1/namespaces/{}/pods/{pod_name}/ephemeralcontainers", s.namespace);
    let made = s.json(Ask::patch(path, STRATEGIC, &body).query("fieldManager", manager(p, "kubectl-debug"))).await?;
    match joins(p) {
        true => join(s, p, made, &name).await,
        false => Ok(0),
    }
}

fn joins(p: &Parsed) -> bool {
    p.on_or("attach", p.on("stdin"))
}

async fn copy(s: &mut Session<'_>, p: &Parsed, pod: Value) -> Result<i32> {
    let mut metadata = json!({"name": p.str("copy-to"), "namespace": s.namespace});
    for (flag, field) in [("keep-labels", "labels"), ("keep-annotations", "annotations")] {
        if p.on(flag) && !pod["metadata"][field].is_null() {
            metadata[field] = pod["metadata"][field].clone();
        }
    }
    let mut spec = pod["spec"].clone();
    let Some(fields) = spec.as_object_mut() else { return Err(Error::plain("the pod has no spec")) };
    fields.remove("ephemeralContainers");
    if !p.on("same-node") {
        fields.remove("nodeName");
    }
    if !p.on_or("keep-init-containers", true) {
        fields.remove("initContainers");
    }
    if p.on_or("share-processes", true) {
        fields.insert("shareProcessNamespace".into(), json!(true));
    }
    for container in spec["containers"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        for (flag, probe) in
            [("keep-liveness", "livenessProbe"), ("keep-readiness", "readinessProbe"), ("keep-startup", "startupProbe")]
        {
            if !p.on(flag) {
                container.remove(probe);
            }
        }
    }
    set_images(p, &mut spec)?;
    let name = work_on(s, p, &pod, &mut spec)?;
    let body = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
    let path = format!("/api/v1/namespaces/{}/pods", s.namespace);
    let made = s.json(Ask::post(path.clone(), &body).query("fieldManager", manager(p, "kubectl-debug"))).await?;
    if p.on("replace") {
        let old = pod["metadata"]["name"].as_str().unwrap_or("");
        s.json(Ask::delete(format!("{path}/{old}"), &json!({}))).await?;
    }
    match joins(p) && !name.is_empty() {
        true => join(s, p, made, &name).await,
        false => Ok(0),
    }
}

fn set_images(p: &Parsed, spec: &mut Value) -> Result<()> {
    for pair in p.list("set-image") {
        let (name, image) =
            pair.split_once('=').ok_or_else(|| Error::plain(format!("invalid argument {pair:?} for --set-image")))?;
        for field in ["containers", "initContainers"] {
            for container in spec.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten() {
                if name == "*" || container["name"] == name {
                    container["image"] = json!(image);
                }
            }
        }
    }
    Ok(())
}

/// Changes the container that is named, or adds one; gives its name.
fn work_on(s: &mut Session<'_>, p: &Parsed, pod: &Value, spec: &mut Value) -> Result<String> {
    let wanted = match (p.str("container"), p.str("image")) {
        // Without a new image it is the first container that gets another command.
        ("", "") if !p.after_dash().is_empty() => spec["containers"][0]["name"].as_str().unwrap_or("").to_string(),
        (name, _) => name.to_string(),
    };
    let Some(containers) = spec["containers"].as_array_mut() else { return Err(Error::plain("the pod has no containers")) };
    if let Some(known) = containers.iter_mut().find(|c| !wanted.is_empty() && c["name"] == *wanted) {
        if !p.str("image").is_empty() {
            known["image"] = json!(p.str("image"));
        }
        if !p.after_dash().is_empty() {
            known["command"] = json!(p.after_dash());
            known.as_object_mut().and_then(|c| c.remove("args"));
        }
        for flag in ["stdin", "tty"] {
            if p.on(flag) {
                known[flag] = json!(true);
            }
        }
        return Ok(wanted);
    }
    if p.str("image").is_empty() {
        return match p.after_dash().is_empty() {
            true => Ok(String::new()),
            false => Err(Error::plain("you must specify an existing container or a new image when specifying args.")),
        };
    }
    let name = name(s, p, pod);
    containers.push(container(p, &name, false)?);
    Ok(name)
}

/// Waits until the container runs, and joins it; of one that has ended the output is printed.
async fn join(s: &mut Session<'_>, p: &Parsed, mut pod: Value, name: &str) -> Result<i32> {
    let pods = select::one_type(s, "pods").await?;
    let pod_name = pod["metadata"]["name"].as_str().unwrap_or("").to_string();
    let filter = Filter { namespace: s.namespace.clone(), fields: format!("metadata.name={pod_name}"), ..Filter::default() };
    let status = |pod: &Value| {
        let all = ["ephemeralContainerStatuses", "containerStatuses"];
        let mut found = all.iter().flat_map(|f| pod["status"][f].as_array().into_iter().flatten());
        found.find(|c| c["name"] == *name).cloned().unwrap_or(Value::Null)
    };
    let mut watch = None;
    loop {
        let state = &status(&pod)["state"];
        if state["terminated"].is_object() {
            let path = format!("/api/v1/namespaces/{}/pods/{pod_name}/log", s.namespace);
            let text = s.text(Ask::get(path).query("container", name)).await?;
            s.io.write(text.as_bytes());
            return Ok(0);
        }
        if state["running"].is_object() {
            break;
        }
        if watch.is_none() {
            let version = pod["metadata"]["resourceVersion"].as_str().unwrap_or("").to_string();
            watch = Some(fetch::watch(s, &pods, &filter, &version, JSON).await?);
        }
        let Some(changes) = watch.as_mut() else { continue };
        match changes.next(s, None).await? {
            Seen::Event(kind, _) if kind == "DELETED" => return Err(Error::plain(format!("pods {pod_name:?} was deleted"))),
            Seen::Event(_, object) => pod = object,
            Seen::Ended | Seen::Stale(_) | Seen::TimedOut => watch = None,
        }
    }
    let tty = p.on("tty") && s.io.tty.is_some();
    if p.on("tty") && !tty {
        s.warn("Unable to use a TTY - input is not a terminal or the right kind of file");
    }
    if !p.on("quiet") {
        exec::announce(s);
    }
    exec::call(s, &Call { pod: &pod_name, container: name, command: None, stdin: p.on("stdin"), tty }).await
}
