//! Containers, volumes and tolerations: what pods and pod templates share.

use super::text::{Page, each, or_none};
use crate::base::order::Order;
use crate::kubectl::print::{scalar, time};
use serde_json::Value;
use std::fmt::Write as _;

/// Where containers stand: a pod's own, or a template's one step deeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Pod,
    Template,
}

impl Place {
    fn space(self) -> &'static str {
        if self == Place::Template { "  " } else { "" }
    }

    fn name_indent(self) -> &'static str {
        if self == Place::Template { " " } else { "" }
    }
}

/// `Containers:` and each container with its state.
pub fn containers(page: &mut Page, label: &str, list: &Value, statuses: &Value, pod: &Value, place: Place) {
    let list = each(list);
    let none = if list.is_empty() { " <none>" } else { "" };
    page.line(0, &format!("{}{label}:{none}", place.space()));
    for container in list {
        let status = each(statuses).iter().find(|s| s["name"] == container["name"]);
        page.line(1, &format!("{}{}:", place.name_indent(), scalar(&container["name"])));
        basics(page, container, status);
        words(page, "Command", &container["command"]);
        words(page, "Args", &container["args"]);
        if let Some(status) = status {
            state(page, "State", &status["state"]);
            if status["lastState"]["terminated"].is_object() {
                state(page, "Last State", &status["lastState"]);
            }
            page.line(2, &format!("Ready:\t{}", if status["ready"] == true { "True" } else { "False" }));
            page.line(2, &format!("Restart Count:\t{}", status["restartCount"].as_i64().unwrap_or(0)));
        }
        resources(page, &container["resources"]);
        for (title, field) in [("Liveness", "livenessProbe"), ("Readiness", "readinessProbe"), ("Startup", "startupProbe")] {
            if container[field].is_object() {
                page.line(2, &format!("{title}:\t{}", probe(&container[field])));
            }
        }
        env_from(page, container);
        env(page, container, pod);
        mounts(page, container);
    }
}

fn basics(page: &mut Page, container: &Value, status: Option<&Value>) {
    if let Some(status) = status {
        page.line(2, &format!("Container ID:\t{}", scalar(&status["containerID"])));
    }
    page.line(2, &format!("Image:\t{}", scalar(&container["image"])));
    if let Some(status) = status {
        page.line(2, &format!("Image ID:\t{}", scalar(&status["imageID"])));
    }
    for (title, field) in [("Port", "containerPort"), ("Host Port", "hostPort")] {
        let port = |p: &Value| {
            let name = p["name"].as_str().map(|n| format!(" ({n})")).unwrap_or_default();
            format!("{}/{}{name}", p[field].as_i64().unwrap_or(0), p["protocol"].as_str().unwrap_or("TCP"))
        };
        let ports = each(&container["ports"]).iter().map(port).collect::<Vec<_>>().join(", ");
        let plural = if ports.contains(',') { "s" } else { "" };
        page.line(2, &format!("{title}{plural}:\t{}", or_none(&ports)));
    }
}

fn words(page: &mut Page, title: &str, list: &Value) {
    if each(list).is_empty() {
        return;
    }
    page.line(2, &format!("{title}:"));
    for word in each(list) {
        for line in scalar(word).split('\n') {
            page.line(3, line);
        }
    }
}

fn state(page: &mut Page, title: &str, state: &Value) {
    if let Some(started) = state["running"].as_object() {
        page.line(2, &format!("{title}:\tRunning"));
        page.line(3, &format!("Started:\t{}", time::date(started.get("startedAt").and_then(Value::as_str).unwrap_or(""))));
    } else if state["terminated"].is_object() {
        let end = &state["terminated"];
        page.line(2, &format!("{title}:\tTerminated"));
        for (title, field) in [("Reason", "reason"), ("Message", "message")] {
            if let Some(text) = end[field].as_str().filter(|t| !t.is_empty()) {
                page.line(3, &format!("{title}:\t{text}"));
            }
        }
        page.line(3, &format!("Exit Code:\t{}", end["exitCode"].as_i64().unwrap_or(0)));
        if let Some(signal) = end["signal"].as_i64().filter(|n| *n > 0) {
            page.line(3, &format!("Signal:\t{signal}"));
        }
        page.line(3, &format!("Started:\t{}", time::date(end["startedAt"].as_str().unwrap_or(""))));
        page.line(3, &format!("Finished:\t{}", time::date(end["finishedAt"].as_str().unwrap_or(""))));
    } else {
        page.line(2, &format!("{title}:\tWaiting"));
        if let Some(reason) = state["waiting"]["reason"].as_str().filter(|r| !r.is_empty()) {
            page.line(3, &format!("Reason:\t{reason}"));
        }
    }
}

fn resources(page: &mut Page, resources: &Value) {
    for (title, field) in [("Limits", "limits"), ("Requests", "requests")] {
        let Some(members) = resources[field].as_object().filter(|m| !m.is_empty()) else { continue };
        page.line(2, &format!("{title}:"));
        for (name, amount) in members {
            page.line(3, &format!("{name}:\t{}", scalar(amount)));
        }
    }
}

/// `http-get http://:80/ delay=0s timeout=1s period=10s #success=1 #failure=3`.
fn probe(probe: &Value) -> String {
    let number = |field: &str| probe[field].as_i64().unwrap_or(0);
    let times = format!(
        "delay={}s timeout={}s period={}s #success={} #failure={}",
        number("initialDelaySeconds"),
        number("timeoutSeconds"),
        number("periodSeconds"),
        number("successThreshold"),
        number("failureThreshold")
    );
    let what = if probe["exec"].is_object() {
        let words: Vec<String> = each(&probe["exec"]["command"]).iter().map(scalar).collect();
        format!("exec [{}]", words.join(" "))
    } else if probe["httpGet"].is_object() {
        let get = &probe["httpGet"];
        let scheme = get["scheme"].as_str().unwrap_or("HTTP").to_lowercase();
        format!("http-get {scheme}://{}:{}{}", scalar(&get["host"]), scalar(&get["port"]), scalar(&get["path"]))
    } else if probe["tcpSocket"].is_object() {
        format!("tcp-socket {}:{}", scalar(&probe["tcpSocket"]["host"]), scalar(&probe["tcpSocket"]["port"]))
    } else if probe["grpc"].is_object() {
        format!("grpc <pod>:{} {}", scalar(&probe["grpc"]["port"]), scalar(&probe["grpc"]["service"]))
    } else {
        "unknown".to_string()
    };
    format!("{what} {times}")
}

fn env_from(page: &mut Page, container: &Value) {
    let sources = each(&container["envFrom"]);
    if sources.is_empty() {
        return;
    }
    page.line(2, "Environment Variables from:");
    for source in sources {
        let (kind, from) = match source["configMapRef"].is_object() {
            true => ("ConfigMap", &source["configMapRef"]),
            false => ("Secret", &source["secretRef"]),
        };
        let prefix = source["prefix"].as_str().map(|p| format!(" with prefix '{p}'")).unwrap_or_default();
        page.line(3, &format!("{}\t{kind}{prefix}\tOptional: {}", scalar(&from["name"]), from["optional"] == true));
    }
}

fn env(page: &mut Page, container: &Value, pod: &Value) {
    let list = each(&container["env"]);
    let none = if list.is_empty() { "\t<none>" } else { "" };
    page.line(2, &format!("Environment:{none}"));
    for entry in list {
        let (name, from) = (scalar(&entry["name"]), &entry["valueFrom"]);
        let optional = |v: &Value| format!("\tOptional: {}", v["optional"] == true);
        if from["fieldRef"].is_object() {
            let path = scalar(&from["fieldRef"]["fieldPath"]);
            let version = from["fieldRef"]["apiVersion"].as_str().unwrap_or("v1");
            page.line(3, &format!("{name}:\t{} ({version}:{path})", field(pod, &path)));
        } else if from["resourceFieldRef"].is_object() {
            page.line(3, &format!("{name}:\t{} ({})", "", scalar(&from["resourceFieldRef"]["resource"])));
        } else if from["secretKeyRef"].is_object() {
            let r = &from["secretKeyRef"];
            page.line(
                3,
                &format!("{name}:\t<set to the key '{}' in secret '{}'>{}", scalar(&r["key"]), scalar(&r["name"]), optional(r)),
            );
        } else if from["configMapKeyRef"].is_object() {
            let r = &from["configMapKeyRef"];
            page.line(
                3,
                &format!(
                    "{name}:\t<set to the key '{}' of config map '{}'>{}",
                    scalar(&r["key"]),
                    scalar(&r["name"]),
                    optional(r)
                ),
            );
        } else {
            for (at, line) in scalar(&entry["value"]).split('\n').enumerate() {
                page.line(3, &if at == 0 { format!("{name}:\t{line}") } else { format!("\t{line}") });
            }
        }
    }
}

/// What a `fieldRef` is worth in this pod.
fn field(pod: &Value, path: &str) -> String {
    if let Some((map, key)) = path.split_once("['") {
        let map = map.trim_start_matches("metadata.");
        return scalar(&pod["metadata"][map][key.trim_end_matches("']")]);
    }
    let found = path.split('.').try_fold(pod, |value, key| value.get(key));
    found.map(scalar).unwrap_or_default()
}

fn mounts(page: &mut Page, container: &Value) {
    let mut list: Vec<&Value> = each(&container["volumeMounts"]).iter().collect();
    list.order_by_key(|m| scalar(&m["mountPath"]));
    let none = if list.is_empty() { "\t<none>" } else { "" };
    page.line(2, &format!("Mounts:{none}"));
    for mount in list {
        let mut flags = String::from(if mount["readOnly"] == true { "ro" } else { "rw" });
        if let Some(path) = mount["subPath"].as_str().filter(|p| !p.is_empty()) {
            let _ = write!(flags, ",path={path:?}");
        }
        page.line(3, &format!("{} from {} ({flags})", scalar(&mount["mountPath"]), scalar(&mount["name"])));
    }
}

/// `Volumes:`.
pub fn volumes(page: &mut Page, list: &Value, place: Place) {
    if each(list).is_empty() {
        page.line(0, &format!("{}Volumes:\t<none>", place.space()));
        return;
    }
    page.line(0, &format!("{}Volumes:", place.space()));
    for volume in each(list) {
        page.line(1, &format!("{}{}:", place.name_indent(), scalar(&volume["name"])));
        for line in volume_lines(volume) {
            page.line(2, &line);
        }
    }
}

fn volume_lines(volume: &Value) -> Vec<String> {
    let optional = |v: &Value| format!("Optional:\t{}", v["optional"] == true);
    let one = |kind: &str, rest: Vec<String>| [vec![format!("Type:\t{kind}")], rest].concat();
    if volume["emptyDir"].is_object() {
        let dir = &volume["emptyDir"];
        let size = dir["sizeLimit"].as_str().unwrap_or("<unset>");
        let rest = vec![format!("Medium:\t{}", scalar(&dir["medium"])), format!("SizeLimit:\t{size}")];
        return one("EmptyDir (a temporary directory that shares a pod's lifetime)", rest);
    }
    if volume["secret"].is_object() {
        let secret = &volume["secret"];
        let rest = vec![format!("SecretName:\t{}", scalar(&secret["secretName"])), optional(secret)];
        return one("Secret (a volume populated by a Secret)", rest);
    }
    if volume["configMap"].is_object() {
        let map = &volume["configMap"];
        return one(
            "ConfigMap (a volume populated by a ConfigMap)",
            vec![format!("Name:\t{}", scalar(&map["name"])), optional(map)],
        );
    }
    if volume["hostPath"].is_object() {
        let path = &volume["hostPath"];
        let rest = vec![format!("Path:\t{}", scalar(&path["path"])), format!("HostPathType:\t{}", scalar(&path["type"]))];
        return one("HostPath (bare host directory volume)", rest);
    }
    if volume["downwardAPI"].is_object() {
        let item = |i: &Value| format!("  {} -> {}", scalar(&i["fieldRef"]["fieldPath"]), scalar(&i["path"]));
        let items: Vec<String> = each(&volume["downwardAPI"]["items"]).iter().map(item).collect();
        return one(
            "DownwardAPI (a volume populated by information about the pod)",
            [vec!["Items:".to_string()], items].concat(),
        );
    }
    if volume["projected"].is_object() {
        let sources = each(&volume["projected"]["sources"]).iter().flat_map(|source| {
            if source["secret"].is_object() {
                vec![format!("SecretName:\t{}", scalar(&source["secret"]["name"])), optional(&source["secret"])]
            } else if source["downwardAPI"].is_object() {
                vec!["DownwardAPI:\ttrue".to_string()]
            } else if source["configMap"].is_object() {
                vec![format!("ConfigMapName:\t{}", scalar(&source["configMap"]["name"])), optional(&source["configMap"])]
            } else if source["serviceAccountToken"].is_object() {
                vec![format!("TokenExpirationSeconds:\t{}", scalar(&source["serviceAccountToken"]["expirationSeconds"]))]
            } else {
                Vec::new()
            }
        });
        return one("Projected (a volume that contains injected data from multiple sources)", sources.collect());
    }
    if volume["persistentVolumeClaim"].is_object() {
        let claim = &volume["persistentVolumeClaim"];
        let rest =
            vec![format!("ClaimName:\t{}", scalar(&claim["claimName"])), format!("ReadOnly:\t{}", claim["readOnly"] == true)];
        return one("PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)", rest);
    }
    vec!["<unknown>".to_string()]
}

/// `Tolerations:`.
pub fn tolerations(page: &mut Page, title: &str, list: &Value) {
    let mut list: Vec<&Value> = each(list).iter().collect();
    list.order_by_key(|t| scalar(&t["key"]));
    let text = |t: &&Value| {
        let mut out = scalar(&t["key"]);
        for (sign, field) in [('=', "value"), (':', "effect")] {
            if let Some(value) = t[field].as_str().filter(|v| !v.is_empty()) {
                let _ = write!(out, "{sign}{value}");
            }
        }
        if t["operator"] == "Exists" && t["value"].as_str().unwrap_or("").is_empty() {
            out += if out.is_empty() { "op=Exists" } else { " op=Exists" };
        }
        if let Some(seconds) = t["tolerationSeconds"].as_i64() {
            let _ = write!(out, " for {seconds}s");
        }
        out
    };
    let texts: Vec<String> = list.iter().map(text).collect();
    page.column(title, &texts);
}
