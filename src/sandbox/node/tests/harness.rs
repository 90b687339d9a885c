//! A store that believes everything it is told.

use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::{Object, Snapshot};
use crate::outside::wire::{DnsAnswer, Exchange, Failure, Reply, Request};
use crate::sandbox::node::exec::{Exit, Input, Output, ProcessId, Start};
use crate::sandbox::node::{Env, Node};
use crate::sandbox::{Action, Changes, Dataplane, Pace, controllers};
use serde_json::{Value, json};
use std::sync::Arc;

pub struct Small {
    pub state: Snapshot,
    pub node: Node,
    pub now: Time,
    pub events: Vec<(String, String)>,
    pace: Pace,
    made: u64,
    exchanges: u64,
}

struct Nowhere;

impl Dataplane for Nowhere {
    fn update(&mut self, _: &Changes<'_>) {}
    fn resolve(&self, _: &Object, _: &str) -> DnsAnswer {
        DnsAnswer::NoSuchName
    }
    fn exchange(&mut self, _: &Object, _: &Request, _: Time, _: u64) -> Exchange {
        Exchange { reply: Reply::Failure(Failure::EmptyReply), delay_ms: 1, logs: Vec::new() }
    }
    fn fork(&self) -> Box<dyn Dataplane> {
        Box::new(Nowhere)
    }
    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

impl Small {
    pub fn new(pace: Pace) -> Small {
        let seed = Seed(1);
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "uid": "n"},
                          "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        let ns = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default", "uid": "ns"}});
        let state = [node, ns].into_iter().map(Object).collect();
        Small { state, node: Node::new(seed, pace), now: Time::LOGICAL_START, events: Vec::new(), pace, made: 0, exchanges: 0 }
    }

    pub fn create(&mut self, mut object: Object) {
        self.made += 1;
        object.set(&["metadata", "uid"], json!(format!("uid-{}", self.made)));
        object.set(&["metadata", "creationTimestamp"], json!(self.now.rfc3339()));
        object.set(&["metadata", "generation"], json!(1));
        self.put(object);
    }

    pub fn put(&mut self, mut object: Object) {
        self.made += 1;
        object.set(&["metadata", "resourceVersion"], json!(self.made.to_string()));
        self.state.put(Arc::new(object));
    }

    pub fn find(&self, group: &str, kind: &str, name: &str) -> Object {
        Object::clone(self.state.find(group, kind, "default", name).unwrap_or_else(|| panic!("no {kind} {name}")))
    }

    pub fn pod(&self, name: &str) -> Object {
        self.find("", "Pod", name)
    }

    pub fn delete(&mut self, kind: &str, name: &str) {
        let key = self.state.all().find(|o| o.kind() == kind && o.name() == name).unwrap().key();
        self.act(Action::Delete(key));
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Create(object) => self.create(object),
            Action::Update(object) => {
                let mut new = object.clone();
                if let Some(old) = self.state.get(&object.key()) {
                    new.set(&["status"], old.status().clone());
                }
                self.put(new);
            }
            Action::UpdateStatus(object) => {
                let mut new = Object::clone(self.state.get(&object.key()).unwrap());
                new.set(&["status"], object.status().clone());
                if object.kind() == "Deployment" {
                    new.set(&["metadata", "annotations"], object.at(&["metadata", "annotations"]).clone());
                }
                self.put(new);
            }
            Action::Delete(key) => {
                let old = self.state.get(&key).unwrap();
                if key.kind.kind == "Pod" && !old.is_terminating() {
                    let mut new = Object::clone(old);
                    new.set(&["metadata", "deletionTimestamp"], json!(self.now.rfc3339()));
                    new.set(&["metadata", "deletionGracePeriodSeconds"], json!(30));
                    self.put(new);
                } else {
                    self.state.remove(&key);
                }
            }
            Action::Event { reason, message, .. } => self.events.push((reason, message)),
            Action::Wake(_) | Action::Alarm(_) => (),
        }
    }

    fn with<T>(&mut self, f: impl FnOnce(&mut Node, &mut Env<'_>) -> T) -> T {
        let state = self.state.clone();
        let mut env =
            Env { state: &state, now: &mut self.now, dataplane: &mut Nowhere, programs: &[], exchanges: &mut self.exchanges };
        f(&mut self.node, &mut env)
    }

    fn round(&mut self) -> bool {
        let mut acted = false;
        for controller in controllers::all(Seed(1)) {
            let actions = controller.reconcile(&self.state, self.now);
            acted |= actions.iter().any(|a| !matches!(a, Action::Event { .. } | Action::Wake(_) | Action::Alarm(_)));
            actions.into_iter().for_each(|a| self.act(a));
        }
        let actions = self.with(|node, env| node.reconcile(env));
        acted |= actions.iter().any(|a| !matches!(a, Action::Event { .. } | Action::Wake(_) | Action::Alarm(_)));
        actions.into_iter().for_each(|a| self.act(a));
        acted
    }

    /// Until nothing moves; transitions fire in due order.
    pub fn settle(&mut self) {
        for _ in 0..1000 {
            if self.round() {
                continue;
            }
            match self.node.next_transition() {
                Some(due) => self.now = self.now.max(due),
                None => return,
            }
        }
        panic!("no rest: {:?}", self.events);
    }

    pub fn settle_at_wall(&mut self) {
        assert!(matches!(self.pace, Pace::Wall { .. }));
        self.settle();
    }

    pub fn start(pod: &str) -> Start {
        Start { namespace: "default".into(), pod: pod.into(), ..Start::default() }
    }

    pub fn open(&mut self, start: &Start) -> ProcessId {
        self.with(|node, env| node.exec(start, env)).unwrap()
    }

    pub fn step(&mut self, id: ProcessId) -> Output {
        self.with(|node, env| node.run(id, env, 1 << 16))
    }

    /// Output until the process waits.
    pub fn drain(&mut self, id: ProcessId) -> String {
        let mut all = Vec::new();
        for _ in 0..20 {
            let output = self.step(id);
            if output.stdout.is_empty() {
                break;
            }
            all.extend(output.stdout);
        }
        String::from_utf8(all).unwrap()
    }

    pub fn exec(&mut self, pod: &str, argv: &[&str], tty: bool, stdin: &[u8]) -> (String, String, Option<Exit>) {
        let command = argv.iter().map(|s| s.to_string()).collect();
        let start = Start { command, stdin: !stdin.is_empty(), stdout: true, stderr: true, tty, ..Small::start(pod) };
        let id = self.open(&start);
        if !stdin.is_empty() {
            self.node.input(id, Input::Bytes(stdin.to_vec()));
            self.node.input(id, Input::Eof);
        }
        let (mut out, mut err, mut exit) = (Vec::new(), Vec::new(), None);
        for _ in 0..100 {
            let output = self.step(id);
            out.extend(output.stdout);
            err.extend(output.stderr);
            exit = output.exit;
            if exit.is_some() {
                break;
            }
        }
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), exit)
    }
}

pub fn pod(name: &str, image: &str, command: Value) -> Object {
    Object(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {"restartPolicy": "Always", "containers": [{"name": name, "image": image, "command": command}]},
        "status": {"phase": "Pending"},
    }))
}

pub fn deployment(name: &str, image: &str, replicas: u32) -> Object {
    Object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": name, "image": image}]}},
        },
    }))
}
