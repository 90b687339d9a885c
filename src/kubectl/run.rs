//! `kubectl run`: one pod from a few words.

use super::apply::{self, DryRun, manager};
use super::delete::wait_gone;
use super::discovery::Resource;
use super::error::{Error, Result};
use super::exec::{self, Call};
use super::fetch::{self, Filter, Seen};
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::print::output::Output;
use super::select;
use super::session::{Ask, JSON, Session};
use serde_json::{Map, Value, json};

pub const FLAGS: &[Flag] = &[
    flag("image", Takes::Text, "the container's image"),
    flag("restart", Takes::Text, "Always (default), OnFailure or Never"),
    flag("command", Takes::Bool, "what follows -- replaces the image's command, not its arguments"),
    short("labels", 'l', Takes::Text, "labels for the pod, e.g. app=web,tier=front"),
    flag("annotations", Takes::Array, "an annotation for the pod, KEY=VALUE"),
    flag("env", Takes::Array, "an environment variable, NAME=VALUE"),
    flag("port", Takes::Text, "the port the container exposes"),
    flag("image-pull-policy", Takes::Text, "Always, IfNotPresent or Never"),
    flag("overrides", Takes::Text, "JSON merged into the pod"),
    flag("override-type", Takes::Text, "how overrides are merged (merge only)"),
    flag("privileged", Takes::Bool, "a privileged container"),
    flag("rm", Takes::Bool, "delete the pod at the end"),
    short("stdin", 'i', Takes::Bool, "pass standard input on"),
    short("tty", 't', Takes::Bool, "with a terminal"),
    flag("attach", Takes::Bool, "join the pod's process"),
    short("quiet", 'q', Takes::Bool, "only what the pod prints"),
    flag("expose", Takes::Bool, "make a service for the port too"),
    flag("leave-stdin-open", Takes::Bool, "keep standard input open for others"),
    flag("grace-period", Takes::Int, "seconds the pod has to stop when it is deleted"),
    flag("pod-running-timeout", Takes::Text, "how long to wait for the pod to run"),
];

/// Runs `kubectl run`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let attached = p.on("attach") || p.on("stdin") || p.on("tty");
    check(p, attached)?;
    let dry_run = DryRun::of(p)?;
    let output = Output::parse(p)?;
    let mut pod = pod(p)?;
    if dry_run != DryRun::Client || s.namespace_given {
        pod["metadata"]["namespace"] = json!(s.namespace);
    }
    let service = p.on("expose").then(|| service(s, p, dry_run));
    if dry_run == DryRun::Client {
        let name = pod["metadata"]["name"].as_str().unwrap_or("").to_string();
        match output.is_human() {
            true => s.say(&format!("pod/{name} created (dry run)")),
            false => {
                let text = output.print_own(&pod)?;
                s.io.write(text.as_bytes());
            }
        }
        if let Some(service) = service {
            match output.is_human() {
                true => s.say(&format!("service/{name} created (dry run)")),
                false => {
                    let between = if matches!(output, Output::Yaml) { "---\n" } else { "" };
                    let text = format!("{between}{}", output.print_own(&service)?);
                    s.io.write(text.as_bytes());
                }
            }
        }
        return Ok(0);
    }
    if let Some(service) = &service {
        let ask = Ask::post(format!("/api/v1/namespaces/{}/services", s.namespace), service)
            .query("dryRun", dry_run.query())
            .query("fieldManager", manager(p, "kubectl-run"));
        let made = s.json(ask).await?;
        let name = made["metadata"]["name"].as_str().unwrap_or("").to_string();
        match output.is_human() {
            true => s.say(&format!("service/{name} created{}", dry_run.suffix())),
            false => apply::print_objects(s, p, &output, vec![made]).await?,
        }
    }
    let ask = Ask::post(format!("/api/v1/namespaces/{}/pods", s.namespace), &pod)
        .query("dryRun", dry_run.query())
        .query("fieldManager", manager(p, "kubectl-run"));
    let made = s.json(ask).await?;
    if attached && dry_run == DryRun::None {
        return follow(s, p, made).await;
    }
    let name = made["metadata"]["name"].as_str().unwrap_or("").to_string();
    match output.is_human() {
        true => s.say(&format!("pod/{name} created{}", dry_run.suffix())),
        false => apply::print_objects(s, p, &output, vec![made]).await?,
    }
    Ok(0)
}

fn check(p: &Parsed, attached: bool) -> Result<()> {
    if p.before_dash().is_empty() {
        return Err(Error::plain("NAME is required for run"));
    }
    if p.str("image").is_empty() {
        return Err(Error::plain("required flag(s) \"image\" not set"));
    }
    if !is_reference(p.str("image")) {
        return Err(Error::plain(format!("invalid image name {:?}: invalid reference format", p.str("image"))));
    }
    if p.on("rm") && !attached {
        return Err(Error::plain("--rm should only be used for attached containers"));
    }
    if p.on("tty") && !p.on("stdin") {
        return Err(Error::plain("-i/--stdin is required for containers with -t/--tty=true"));
    }
    if p.on("expose") && p.str("port").is_empty() {
        return Err(Error::plain("--port must be set when exposing a service"));
    }
    match p.text("restart") {
        None | Some("Always" | "OnFailure" | "Never") => Ok(()),
        Some(other) => Err(Error::plain(format!("invalid restart policy: {other}, valid values are: Always, OnFailure, Never"))),
    }
}

/// `--expose`: a service in front of the pod.
fn service(s: &Session<'_>, p: &Parsed, dry_run: DryRun) -> Value {
    let port = p.int("port").unwrap_or(0);
    let mut service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": p.before_dash()[0]},
        "spec": {"ports": [{"port": port, "protocol": "TCP", "targetPort": port}],
            "selector": labels(p, &p.before_dash()[0]).unwrap_or_default()},
        "status": {"loadBalancer": {}}});
    if dry_run != DryRun::Client || s.namespace_given {
        service["metadata"]["namespace"] = json!(s.namespace);
    }
    service
}

/// Whether a text is an image reference: `[HOST[:PORT]/]path[:tag][@digest]`, the path in lower case.
fn is_reference(text: &str) -> bool {
    let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
    let (path, tag) = match rest.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((path, tag)) => (path, Some(tag)),
        None => (rest, None),
    };
    let mut parts: Vec<&str> = path.split('/').collect();
    let is_host = |part: &str| part.contains(['.', ':']) || part == "localhost" || part.chars().any(|c| c.is_ascii_uppercase());
    if parts.len() > 1 && is_host(parts[0]) {
        parts.remove(0);
    }
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    parts.iter().all(|part| part.chars().all(inner) && edge(part.chars().next()) && edge(part.chars().last()))
        && tag.is_none_or(|tag| !tag.is_empty() && tag.len() <= 128 && tag.chars().all(word) && !tag.starts_with(['.', '-']))
        && digest.is_none_or(|digest| {
            digest
                .split_once(':')
                .is_some_and(|(kind, hex)| !kind.is_empty() && hex.len() >= 32 && hex.chars().all(|c| c.is_ascii_hexdigit()))
        })
}

fn pod(p: &Parsed) -> Result<Value> {
    let name = &p.before_dash()[0];
    let mut container = json!({"name": name, "image": p.str("image"), "resources": {}});
    let words: Vec<&String> = p.before_dash()[1..].iter().chain(p.after_dash()).collect();
    if !words.is_empty() {
        container[if p.on("command") { "command" } else { "args" }] = json!(words);
    }
    let mut env = Vec::new();
    for pair in p.list("env") {
        let (key, value) = pair.split_once('=').ok_or_else(|| Error::plain(format!("invalid env: {pair}")))?;
        env.push(json!({"name": key, "value": value}));
    }
    if !env.is_empty() {
        container["env"] = json!(env);
    }
    if let Some(port) = p.text("port") {
        let port: i64 = port.parse().map_err(|_| Error::plain(format!("strconv.Atoi: parsing {port:?}: invalid syntax")))?;
        container["ports"] = json!([{"containerPort": port}]);
    }
    if p.given("image-pull-policy") {
        container["imagePullPolicy"] = json!(p.str("image-pull-policy"));
    }
    if p.on("privileged") {
        container["securityContext"] = json!({"privileged": true});
    }
    for (flag, field) in [("stdin", "stdin"), ("tty", "tty")] {
        if p.on(flag) {
            container[field] = json!(true);
        }
    }
    if p.on("stdin") && !p.on("leave-stdin-open") {
        container["stdinOnce"] = json!(true);
    }
    let mut metadata = json!({"name": name, "labels": labels(p, name)?});
    let annotations = pairs(p.list("annotations"))?;
    if !annotations.is_empty() {
        metadata["annotations"] = Value::Object(annotations);
    }
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
        "spec": {"containers": [container], "dnsPolicy": "ClusterFirst", "restartPolicy": p.text("restart").unwrap_or("Always")}, "status": {}});
    if p.given("overrides") {
        let over: Value =
            serde_json::from_str(p.str("overrides")).map_err(|e| Error::plain(format!("invalid overrides: {e}")))?;
        overlay(&mut pod, over);
    }
    Ok(pod)
}

fn labels(p: &Parsed, name: &str) -> Result<Map<String, Value>> {
    match p.text("labels") {
        Some(text) => {
            let parts: Vec<String> = text.split(',').map(str::to_string).collect();
            pairs(&parts)
        }
        None => Ok(Map::from_iter([("run".to_string(), json!(name))])),
    }
}

fn pairs(texts: &[String]) -> Result<Map<String, Value>> {
    let pair = |text: &String| match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_string(), json!(value))),
        _ => Err(Error::plain(format!("unexpected label spec: {text}"))),
    };
    texts.iter().filter(|t| !t.is_empty()).map(pair).collect()
}

/// RFC 7386.
fn overlay(base: &mut Value, over: Value) {
    match over {
        Value::Object(over) => {
            if !base.is_object() {
                *base = json!({});
            }
            for (key, value) in over {
                match value.is_null() {
                    true => drop(base.as_object_mut().and_then(|b| b.remove(&key))),
                    false => overlay(&mut base[key.as_str()], value),
                }
            }
        }
        over => *base = over,
    }
}

/// Waits for the pod, joins it, and cleans up.
async fn follow(s: &mut Session<'_>, p: &Parsed, made: Value) -> Result<i32> {
    let pods = select::one_type(s, "pods").await?;
    let name = made["metadata"]["name"].as_str().unwrap_or("").to_string();
    let outcome = join(s, p, &pods, &name, &made).await;
    if p.on("rm") {
        let namespace = s.namespace.clone();
        let path = pods.object_path(&namespace, &name);
        match s.json(Ask::delete(path, &json!({"propagationPolicy": "Background"}))).await {
            Ok(_) if !p.on("quiet") => s.say(&format!("pod {name:?} deleted from {namespace} namespace")),
            Ok(_) => (),
            Err(error) => s.print_error(&error),
        }
        let uid = made["metadata"]["uid"].as_str().unwrap_or("").to_string();
        wait_gone(s, &pods, &namespace, &name, &uid, None).await?;
    }
    outcome
}

async fn join(s: &mut Session<'_>, p: &Parsed, pods: &Resource, name: &str, made: &Value) -> Result<i32> {
    let pod = until(s, pods, name, made.clone(), |pod| matches!(phase(pod), "Running" | "Succeeded" | "Failed")).await?;
    let container = pod["spec"]["containers"][0]["name"].as_str().unwrap_or("").to_string();
    if phase(&pod) == "Running" {
        let tty = p.on("tty") && s.io.tty.is_some();
        if p.on("tty") && !tty {
            s.warn("Unable to use a TTY - input is not a terminal or the right kind of file");
        }
        if !p.on("quiet") {
            exec::announce(s);
        }
        exec::call(s, &Call { pod: name, container: &container, command: None, stdin: p.on("stdin"), tty }).await?;
    } else {
        let path = format!("/api/v1/namespaces/{}/pods/{name}/log", s.namespace);
        let text = s.text(Ask::get(path).query("container", container.clone())).await?;
        s.io.write(text.as_bytes());
    }
    if p.text("restart").is_some_and(|r| r != "Always") {
        let done = until(s, pods, name, pod, |pod| matches!(phase(pod), "Succeeded" | "Failed")).await?;
        return Ok(ended(s, &done));
    }
    if !p.on("rm") && !p.on("quiet") {
        let flags = match (p.on("stdin"), p.on("tty")) {
            (true, true) => " -i -t",
            (true, false) => " -i",
            _ => "",
        };
        s.say(&format!(
            "Session ended, resume using 'kubectl attach {name} -c {container}{flags}' command when the pod is running"
        ));
    }
    Ok(0)
}

fn phase(pod: &Value) -> &str {
    pod["status"]["phase"].as_str().unwrap_or("")
}

/// The exit code of a pod that has ended.
fn ended(s: &mut Session<'_>, pod: &Value) -> i32 {
    let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    let code = ended["exitCode"].as_i64().unwrap_or(0) as i32;
    if phase(pod) == "Failed" {
        let reason = ended["reason"].as_str().unwrap_or("Error");
        s.warn(&format!("pod {}/{} terminated ({reason})", s.namespace, pod["metadata"]["name"].as_str().unwrap_or("")));
        return code.max(1);
    }
    0
}

/// Watches a pod until it is as wanted.
async fn until(
    s: &mut Session<'_>,
    pods: &Resource,
    name: &str,
    mut pod: Value,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let filter = Filter { namespace: s.namespace.clone(), fields: format!("metadata.name={name}"), ..Filter::default() };
    loop {
        if wanted(&pod) {
            return Ok(pod);
        }
        let version = pod["metadata"]["resourceVersion"].as_str().unwrap_or("").to_string();
        let mut watch = fetch::watch(s, pods, &filter, &version, JSON).await?;
        loop {
            match watch.next(s, None).await? {
                Seen::Event(kind, _) if kind == "DELETED" => {
                    return Err(Error::plain(format!("pods {name:?} was deleted while it was waited for")));
                }
                Seen::Event(_, object) if wanted(&object) => return Ok(object),
                Seen::Event(..) => (),
                Seen::Ended | Seen::Stale(_) | Seen::TimedOut => break,
            }
        }
        let namespace = s.namespace.clone();
        pod = fetch::object(s, pods, &namespace, name).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubectl::{restrict::Restrictions, verbs};

    fn made(line: &[&str]) -> Result<Value> {
        let argv: Vec<String> = line.iter().map(|w| w.to_string()).collect();
        let line = verbs::resolve(&argv, &Restrictions::none()).unwrap();
        check(&line.parsed, false)?;
        pod(&line.parsed)
    }

    #[test]
    fn pods_are_made_as_recorded() {
        let got = made(&["run", "test", "--image=curlimages/curl:8.1.2", "--restart=Never", "--command", "--", "sleep", "3600"])
            .unwrap();
        let want = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "test", "labels": {"run": "test"}},
            "spec": {"containers": [{"name": "test", "image": "curlimages/curl:8.1.2", "command": ["sleep", "3600"], "resources": {}}],
                     "restartPolicy": "Never", "dnsPolicy": "ClusterFirst"}, "status": {}});
        assert_eq!(got, want);
        let got = made(&["run", "x", "--image", "nginx", "-l", "app=dd,t=f", "--env=A=1", "--port=80", "--", "-c", "x"]).unwrap();
        assert_eq!(got["metadata"]["labels"], json!({"app": "dd", "t": "f"}));
        assert_eq!(got["spec"]["containers"][0]["args"], json!(["-c", "x"]));
        assert_eq!(got["spec"]["containers"][0]["env"], json!([{"name": "A", "value": "1"}]));
        assert_eq!(made(&["run", "x"]).unwrap_err().text(), "error: required flag(s) \"image\" not set");
    }
}
