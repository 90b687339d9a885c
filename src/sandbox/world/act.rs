//! Carrying out what controllers ask for, under the API's own rules.

use crate::base::seed::Seed;
use crate::k8s::{Key, Object};
use crate::sandbox::api::{delete, owners, write};
use crate::sandbox::call::Refusal;
use crate::sandbox::world::World;
use crate::sandbox::{Action, controllers};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Events of one kind are kept up to this number; the oldest goes first.
const EVENT_OBJECTS: usize = 1_000;

/// Refused creations already reported since the controllers began to run.
#[derive(Debug, Default)]
pub(super) struct Failures(BTreeSet<(String, String)>);

impl World {
    pub(super) fn act(&mut self, action: Action, component: &str, failed: &mut Failures) -> Result<(), Refusal> {
        match action {
            Action::Create(object) => {
                let owner = owner_key(&object);
                let pod = object.kind() == "Pod" && object.group().is_empty();
                let result = write::create_internal(self, object, component);
                if let (Err(refusal), Some(owner)) = (&result, owner)
                    && refusal.reason != "AlreadyExists"
                {
                    if failed.0.insert((owner.to_string(), refusal.message.clone())) {
                        let message = format!("Error creating: {}", refusal.message);
                        self.record_event(&owner, true, "FailedCreate", &message, "", "");
                    }
                    if pod {
                        self.note_failure(&owner, &refusal.message, component);
                    }
                }
                result.map(drop)
            }
            // Only the controller lets a namespace go.
            Action::Update(object) if object.kind() == "Namespace" => {
                write::update_internal(self, object, "finalize", component).map(drop)
            }
            Action::Update(object) => write::update_internal(self, object, "", component).map(drop),
            Action::UpdateStatus(object) => write::update_internal(self, object, "status", component).map(drop),
            Action::Delete(key) => delete::delete_internal(self, &key),
            Action::Event { about, warning, reason, message, source, field } => {
                self.record_event(&about, warning, &reason, &message, &source, &field);
                Ok(())
            }
            Action::Wake(_) | Action::Alarm(_) => Ok(()),
        }
    }

    /// Records an event about an object; the same event again raises its count.
    fn record_event(&mut self, about: &Key, warning: bool, reason: &str, message: &str, source: &str, field: &str) {
        let Some(subject) = self.store.snapshot().get(about).cloned() else { return };
        let namespace = if about.namespace.is_empty() { "default" } else { &about.namespace };
        let source = if source.is_empty() { controller_of(&about.kind.kind) } else { source };
        let now = self.now.rfc3339();
        let mark = event_mark(subject.uid(), reason, message, field);
        let known = self.event_index().get(&mark).cloned().and_then(|key| self.store.snapshot().get(&key).cloned());
        if let Some(old) = known {
            let mut event = (*old).clone();
            let count = event.at(&["count"]).as_i64().unwrap_or(1) + 1;
            event.set(&["count"], json!(count));
            event.set(&["lastTimestamp"], json!(now));
            self.store.put(event);
            return;
        }
        self.make_room_for_event();
        // As on a cluster, the name ends in the moment: events of one second list in the order in which they happened.
        let moment = self.now.0.unsigned_abs() * 1_000_000 + self.store.version() % 1_000_000;
        let name = format!("{}.{moment:016x}", about.name);
        let mut event = Object(json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": name, "namespace": namespace, "creationTimestamp": now,
                         "uid": self.seed.uuid(&["Event", namespace, &name])},
            "involvedObject": involved(&subject, about, field),
            "reason": reason, "message": message, "type": if warning { "Warning" } else { "Normal" },
            "source": source_of(source), "firstTimestamp": now, "lastTimestamp": now, "count": 1,
            "eventTime": Value::Null, "reportingComponent": source,
            "reportingInstance": if source == "kubelet" { "sandbox-node" } else { "" },
        }));
        owners::note_event(&mut event, source, &now);
        self.event_index().insert(mark, event.key());
        self.store.put(event);
    }

    /// A ReplicaSet whose pods are refused says so in its status; the loop that owns it takes it back.
    fn note_failure(&mut self, owner: &Key, message: &str, component: &str) {
        let known = self.store.snapshot().get(owner).filter(|o| o.kind() == "ReplicaSet" && o.group() == "apps").cloned();
        let Some(mut set) = known.map(|set| (*set).clone()) else { return };
        let mut status = set.status().as_object().cloned().unwrap_or_default();
        let condition = json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message});
        let now = self.now().rfc3339();
        if controllers::set_condition(&mut status, condition, &now) {
            set.set(&["status"], Value::Object(status));
            // A set that is gone meanwhile has nothing to say.
            let _ = write::update_internal(self, set, "status", component);
        }
    }

    /// Where the event with a mark is; built from the store after a fork, a reset or a start.
    fn event_index(&mut self) -> &mut BTreeMap<u64, Key> {
        let store = &self.view.store;
        self.events.get_or_insert_with(|| {
            let mark = |e: &Object| {
                let about = e.at(&["involvedObject"]);
                let text = |key: &str| about[key].as_str().unwrap_or("");
                event_mark(text("uid"), e.str_at(&["reason"]), e.str_at(&["message"]), text("fieldPath"))
            };
            store.snapshot().list("", "Event").map(|e| (mark(e), e.key())).collect()
        })
    }

    /// At the limit the oldest tenth goes, so that a full store does not look for the oldest at every event.
    fn make_room_for_event(&mut self) {
        if self.event_index().len() < EVENT_OBJECTS {
            return;
        }
        let mut events: Vec<(String, Key)> = self
            .store
            .snapshot()
            .list("", "Event")
            .map(|event| (event.str_at(&["lastTimestamp"]).to_string(), event.key()))
            .collect();
        events.sort();
        let extra = (events.len() + EVENT_OBJECTS / 10).saturating_sub(EVENT_OBJECTS);
        for (_, key) in events.into_iter().take(extra) {
            self.store.remove(&key);
        }
        self.events = None;
    }
}

/// What makes two events the same.
fn event_mark(uid: &str, reason: &str, message: &str, field: &str) -> u64 {
    Seed(0).hash(&["event", uid, reason, message, field])
}

fn involved(subject: &Object, about: &Key, field: &str) -> Value {
    let mut reference = json!({
        "kind": about.kind.kind, "name": about.name, "apiVersion": subject.api_version(), "uid": subject.uid(),
        "resourceVersion": subject.str_at(&["metadata", "resourceVersion"]),
    });
    if !about.namespace.is_empty() {
        reference["namespace"] = json!(about.namespace);
    }
    if !field.is_empty() {
        reference["fieldPath"] = json!(field);
    }
    reference
}

fn source_of(component: &str) -> Value {
    match component {
        "kubelet" => json!({"component": component, "host": "sandbox-node"}),
        _ => json!({"component": component}),
    }
}

fn controller_of(kind: &str) -> &'static str {
    match kind {
        "ReplicaSet" => "replicaset-controller",
        "Deployment" => "deployment-controller",
        "StatefulSet" => "statefulset-controller",
        "DaemonSet" => "daemonset-controller",
        "Job" => "job-controller",
        _ => "sandbox",
    }
}

/// The controlling owner of an object that is about to be created.
fn owner_key(object: &Object) -> Option<Key> {
    let owners = object.at(&["metadata", "ownerReferences"]).as_array()?;
    let owner = owners.iter().find(|owner| owner["controller"] == json!(true))?;
    let group = owner["apiVersion"].as_str()?.split_once('/').map_or("", |(group, _)| group);
    let kind = crate::k8s::Kind::new(group, owner["kind"].as_str()?);
    Some(Key { kind, namespace: object.namespace().into(), name: owner["name"].as_str()?.into() })
}
