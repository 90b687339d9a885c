//! Carrying out what controllers ask for, under the API's own rules.

use crate::k8s::{Key, Object};
use crate::sandbox::Action;
use crate::sandbox::api::{delete, write};
use crate::sandbox::call::Refusal;
use crate::sandbox::world::World;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Events of one kind are kept up to this number; the oldest goes first.
const EVENT_OBJECTS: usize = 1_000;

/// Refused creations already reported since the controllers began to run.
#[derive(Debug, Default)]
pub(super) struct Failures(BTreeSet<(String, String)>);

impl World {
    pub(super) fn act(&mut self, action: Action, failed: &mut Failures) -> Result<(), Refusal> {
        match action {
            Action::Create(object) => {
                let owner = owner_key(&object);
                let result = write::create_internal(self, object);
                if let (Err(refusal), Some(owner)) = (&result, owner)
                    && refusal.reason != "AlreadyExists"
                    && failed.0.insert((owner.to_string(), refusal.message.clone()))
                {
                    self.record_event(&owner, true, "FailedCreate", &format!("Error creating: {}", refusal.message), "");
                }
                result.map(drop)
            }
            Action::Update(object) => write::update_internal(self, object, None).map(drop),
            Action::UpdateStatus(object) => write::update_internal(self, object, Some("status")).map(drop),
            Action::Delete(key) => delete::delete_internal(self, &key),
            Action::Event { about, warning, reason, message, source } => {
                self.record_event(&about, warning, &reason, &message, &source);
                Ok(())
            }
            Action::Wake(_) | Action::Alarm(_) => Ok(()),
        }
    }

    /// Records an event about an object; the same event again raises its count.
    fn record_event(&mut self, about: &Key, warning: bool, reason: &str, message: &str, source: &str) {
        let Some(subject) = self.store.snapshot().get(about).cloned() else { return };
        let namespace = if about.namespace.is_empty() { "default" } else { &about.namespace };
        let source = if source.is_empty() { controller_of(&about.kind.kind) } else { source };
        let now = self.now.rfc3339();
        let same = |e: &&Arc<Object>| {
            e.str_at(&["involvedObject", "uid"]) == subject.uid()
                && e.str_at(&["reason"]) == reason
                && e.str_at(&["message"]) == message
        };
        let known = self.store.snapshot().list_in("", "Event", namespace).find(same).cloned();
        let event = match known {
            Some(old) => {
                let mut event = (*old).clone();
                let count = event.at(&["count"]).as_i64().unwrap_or(1) + 1;
                event.set(&["count"], json!(count));
                event.set(&["lastTimestamp"], json!(now));
                event
            }
            None => {
                self.make_room_for_event();
                // As on a cluster, the name ends in the moment: events of one second list in the order in which they happened.
                let moment = self.now.0.unsigned_abs() * 1_000_000 + self.store.version() % 1_000_000;
                let name = format!("{}.{moment:016x}", about.name);
                Object(json!({
                    "apiVersion": "v1", "kind": "Event",
                    "metadata": {"name": name, "namespace": namespace, "creationTimestamp": now,
                                 "uid": self.seed.uuid(&["Event", namespace, &name])},
                    "involvedObject": involved(&subject, about),
                    "reason": reason, "message": message, "type": if warning { "Warning" } else { "Normal" },
                    "source": source_of(source), "firstTimestamp": now, "lastTimestamp": now, "count": 1,
                    "eventTime": Value::Null, "reportingComponent": source,
                    "reportingInstance": if source == "kubelet" { "sandbox-node" } else { "" },
                }))
            }
        };
        self.store.put(event);
    }

    fn make_room_for_event(&mut self) {
        let events: Vec<&Arc<Object>> = self.store.snapshot().list("", "Event").collect();
        if events.len() < EVENT_OBJECTS {
            return;
        }
        let oldest = events.into_iter().min_by_key(|event| event.str_at(&["lastTimestamp"])).map(|event| event.key());
        if let Some(key) = oldest {
            self.store.remove(&key);
        }
    }
}

fn involved(subject: &Object, about: &Key) -> Value {
    let mut reference = json!({
        "kind": about.kind.kind, "name": about.name, "apiVersion": subject.api_version(), "uid": subject.uid(),
        "resourceVersion": subject.str_at(&["metadata", "resourceVersion"]),
    });
    if !about.namespace.is_empty() {
        reference["namespace"] = json!(about.namespace);
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
