//! The node's state as JSON, for worlds that are kept on disk. Main processes that are scripts begin anew after a restart; what they
//! wrote, and when a `sleep` ends, is kept.

use super::Node;
use super::files::{Entry, Overlay};
use super::life::{Ended, Main, PodLife, Run, State};
use super::logs::{Line, Log};
use super::process::Process;
use super::spec::Role;
use crate::base::clock::Time;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Lines of each log that are kept on disk.
const SAVED_LINES: usize = 1_000;

impl Node {
    /// Everything that a restart needs.
    pub fn save(&self) -> Value {
        let pods: Map<String, Value> = self.pods.iter().map(|(uid, life)| (uid.clone(), save_life(life))).collect();
        json!({"pods": pods})
    }

    /// Takes a saved state over. Clocks of processes stood still from `then` to `now`.
    pub fn restore(&mut self, saved: &Value, then: Time, now: Time) {
        let shift = now.since(then);
        let pods = saved["pods"].as_object().into_iter().flatten();
        self.pods = pods.map(|(uid, v)| (uid.clone(), Arc::new(load_life(uid, v, shift, now)))).collect();
    }
}

fn save_life(life: &PodLife) -> Value {
    let runs: Map<String, Value> = life.runs.iter().map(|(name, run)| (name.clone(), save_run(run))).collect();
    let volumes: Map<String, Value> = life.volumes.iter().map(|(name, files)| (name.clone(), save_files(files))).collect();
    json!({
        "namespace": life.namespace, "name": life.name, "seen": life.seen.0, "ip": life.ip,
        "network": life.sandbox_due.map(|t| t.0), "gone": life.gone_at.map(|t| t.0), "told": life.told,
        "finished": life.finished, "runs": runs, "volumes": volumes,
    })
}

fn load_life(uid: &str, v: &Value, shift: i64, now: Time) -> PodLife {
    let object = |key: &str| v[key].as_object().into_iter().flatten();
    PodLife {
        namespace: text(&v["namespace"]),
        name: text(&v["name"]),
        uid: uid.to_string(),
        seen: Time(v["seen"].as_i64().unwrap_or(now.0)),
        ip: v["ip"].as_str().map(str::to_string),
        sandbox_due: moment(&v["network"], shift),
        runs: object("runs").map(|(name, run)| (name.clone(), load_run(run, shift, now))).collect(),
        volumes: object("volumes").map(|(name, files)| (name.clone(), load_files(files))).collect(),
        gone_at: moment(&v["gone"], shift),
        told: v["told"].as_array().into_iter().flatten().map(text).collect(),
        version: String::new(),
        finished: v["finished"].as_bool(),
    }
}

fn save_run(run: &Run) -> Value {
    let state = match &run.state {
        State::Waiting { reason, message } => json!({"waiting": reason, "message": message}),
        State::Running { since } => json!({"running": since.0}),
        State::Ended(ended) => json!({"ended": save_ended(ended)}),
    };
    json!({
        "role": role_name(run.role), "state": state, "last": run.last.as_ref().map(save_ended), "restarts": run.restarts, "id": run.id,
        "due": run.due.map(|t| t.0), "retry": run.retry.map(|t| t.0), "pulled": run.pulled, "started": run.started, "ready": run.ready,
        "log": save_log(&run.log), "previous": run.previous.as_ref().map(save_log), "files": save_files(&run.files),
        "argv": run.argv, "tries": run.tries, "main": run.main.as_ref().map(save_main),
    })
}

/// A main process: whether it is a command, its start data, and when a plain sleep goes on.
fn save_main(main: &Main) -> Value {
    match &main.process {
        None => json!({}),
        Some(process) => json!({"wake": main.wake.map(|t| t.0), "process": process.save()}),
    }
}

fn load_run(v: &Value, shift: i64, now: Time) -> Run {
    let role = [Role::Init, Role::Sidecar, Role::App, Role::Ephemeral].into_iter().find(|r| v["role"] == role_name(*r));
    let state = &v["state"];
    let mut run = Run::new(role.unwrap_or(Role::App));
    run.state = match (state["running"].as_i64(), state["waiting"].as_str()) {
        (Some(since), _) => State::Running { since: Time(since) },
        (None, Some(reason)) => State::Waiting { reason: reason.into(), message: text(&state["message"]) },
        (None, None) => State::Ended(load_ended(&state["ended"])),
    };
    run.last = v["last"].is_object().then(|| load_ended(&v["last"]));
    run.restarts = v["restarts"].as_u64().unwrap_or(0) as u32;
    run.tries = v["tries"].as_u64().unwrap_or(0) as u32;
    run.id = text(&v["id"]);
    (run.due, run.retry) = (moment(&v["due"], shift), moment(&v["retry"], shift));
    let flag = |key: &str| v[key] == true;
    (run.pulled, run.started, run.ready) = (flag("pulled"), flag("started"), flag("ready"));
    run.log = load_log(&v["log"]);
    run.previous = v["previous"].is_array().then(|| load_log(&v["previous"]));
    run.files = load_files(&v["files"]);
    run.argv = v["argv"].as_array().into_iter().flatten().map(text).collect();
    run.main = v["main"].is_object().then(|| {
        let process = &v["main"]["process"];
        let left = v["main"]["wake"].as_i64().map(|t| t + shift - now.0);
        Main::new(process.is_object().then(|| Process::load(process, left)), now)
    });
    run
}

fn save_ended(e: &Ended) -> Value {
    json!({"code": e.code, "reason": e.reason, "message": e.message, "started": e.started.map(|t| t.0), "finished": e.finished.0, "id": e.id})
}

fn load_ended(v: &Value) -> Ended {
    Ended {
        code: v["code"].as_i64().unwrap_or(0) as i32,
        reason: text(&v["reason"]),
        message: text(&v["message"]),
        started: moment(&v["started"], 0),
        finished: Time(v["finished"].as_i64().unwrap_or(0)),
        id: text(&v["id"]),
    }
}

fn save_log(log: &Log) -> Value {
    let mut lines: Vec<Value> = log.lines().rev().take(SAVED_LINES).map(|l| json!([l.at.0, l.text])).collect();
    lines.reverse();
    Value::Array(lines)
}

fn load_log(v: &Value) -> Log {
    let mut log = Log::default();
    let lines = v.as_array().into_iter().flatten();
    lines.map(|l| Line { at: Time(l[0].as_i64().unwrap_or(0)), text: text(&l[1]) }).for_each(|l| log.push(l.at, &l.text));
    log
}

fn save_files(files: &Overlay) -> Value {
    let entry = |e: &Entry| {
        let bytes = e.bytes.as_ref().map(|b| match std::str::from_utf8(b) {
            Ok(text) => json!(text),
            Err(_) => json!({"hex": b.iter().map(|x| format!("{x:02x}")).collect::<String>()}),
        });
        json!({"bytes": bytes, "mode": e.mode, "uid": e.uid, "modified": e.modified.0})
    };
    files.entries().map(|(path, e)| (path.clone(), e.as_ref().map_or(Value::Null, entry))).collect::<Map<_, _>>().into()
}

fn load_files(v: &Value) -> Overlay {
    let entry = |e: &Value| {
        let bytes = match &e["bytes"] {
            Value::String(text) => Some(text.clone().into_bytes()),
            Value::Object(o) => o.get("hex").and_then(Value::as_str).map(unhex),
            _ => None,
        };
        let mode = e["mode"].as_u64().unwrap_or(0o644) as u32;
        let uid = e["uid"].as_u64().unwrap_or(0) as u32;
        Entry { bytes: bytes.map(Arc::new), mode, uid, modified: Time(e["modified"].as_i64().unwrap_or(0)) }
    };
    let all = v.as_object().into_iter().flatten();
    Overlay::load(all.map(|(path, e)| (path.clone(), (!e.is_null()).then(|| entry(e)))).collect::<BTreeMap<_, _>>())
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks_exact(2).map(|d| d[0] << 4 | d[1]).collect()
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Init => "init",
        Role::Sidecar => "sidecar",
        Role::App => "app",
        Role::Ephemeral => "ephemeral",
    }
}

fn text(v: &Value) -> String {
    v.as_str().unwrap_or("").to_string()
}

fn moment(v: &Value, shift: i64) -> Option<Time> {
    v.as_i64().map(|t| Time(t.saturating_add(shift)))
}
