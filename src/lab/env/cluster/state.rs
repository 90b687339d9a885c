//! The start of a step on a cluster: what the lab made and changed so far, kept as values, and brought back through the API.
//! "As it was" means: the same objects with equal content and labels (uids, addresses and what servers write are new).

use super::path::Place;
use super::record::Made;
use super::scribe::{meta, read};
use super::sweep::{Brought, Sweeper, Swept, rank};
use crate::k8s::object::SERVERS_METADATA;
use anyhow::{Context, bail};
use http::Request;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Pods and Deployments are waited for at most so long.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// What was there.
pub struct Mark {
    ours: Vec<(Made, Value)>,
    /// Somebody else's objects that the lab has changed, as they were then.
    theirs: Vec<(Place, Value)>,
}

/// Keeps and brings back.
pub struct Keeper<'a> {
    /// Notes what it makes.
    pub client: &'a kube::Client,
    pub sweeper: Sweeper<'a>,
}

impl Keeper<'_> {
    /// The present state.
    ///
    /// # Errors
    /// The server cannot be read.
    pub async fn mark(&self) -> anyhow::Result<Mark> {
        let (made, changed) = {
            let record = self.sweeper.record();
            (record.made().to_vec(), record.changed().keys().cloned().collect::<Vec<_>>())
        };
        let mut mark = Mark { ours: Vec::new(), theirs: Vec::new() };
        for made in made {
            let now = read(self.sweeper.client, &made.place).await?;
            if let Some(now) = now.filter(|now| meta(now, "uid") == made.uid) {
                mark.ours.push((made, now));
            }
        }
        for place in changed {
            if let Some(now) = read(self.sweeper.client, &place).await? {
                mark.theirs.push((place, now));
            }
        }
        Ok(mark)
    }

    /// Brings a state back.
    ///
    /// # Errors
    /// The server refuses, or what came of it is not as it was; then building the state anew helps.
    pub async fn reset(&self, mark: &Mark) -> anyhow::Result<()> {
        self.bring_theirs(mark).await?;
        self.delete_newer(mark).await?;
        let mut ours: Vec<&(Made, Value)> = mark.ours.iter().collect();
        ours.sort_by_key(|(made, _)| order(&made.place));
        for (made, was) in ours {
            self.bring_ours(made, was).await.with_context(|| format!("bringing back {}", made.place))?;
        }
        self.wait_ready(mark).await?;
        self.compare(mark).await
    }

    async fn bring_theirs(&self, mark: &Mark) -> anyhow::Result<()> {
        let changed = self.sweeper.record().changed().clone();
        for (place, changed) in changed {
            let Some((_, was)) = mark.theirs.iter().find(|(kept, _)| *kept == place) else {
                self.sweeper.put_back(&place, &changed, &mut Swept::default()).await?;
                continue;
            };
            match self.sweeper.bring(&place, &changed, was).await? {
                Brought::Done { .. } => {
                    let after = read(self.sweeper.client, &place).await?.unwrap_or_default();
                    self.sweeper.record().changes(&place, after)?;
                }
                Brought::Missing => bail!("{place} is no longer there"),
                Brought::Refused(why) => bail!("{place} could not be put back: {why}"),
            }
        }
        Ok(())
    }

    /// Deletes what was made since, but for what was only made anew and is as it was.
    async fn delete_newer(&self, mark: &Mark) -> anyhow::Result<()> {
        let made = self.sweeper.record().made().to_vec();
        let mut newer = Vec::new();
        for made in made.into_iter().filter(|made| !mark.ours.iter().any(|(kept, _)| kept.uid == made.uid)) {
            let was = mark.ours.iter().find(|(kept, _)| kept.place == made.place).map(|(_, was)| was);
            let now = read(self.sweeper.client, &made.place).await?;
            match (was, now) {
                (Some(was), Some(now)) if same(was, &now) => (),
                _ => newer.push(made),
            }
        }
        let mut swept = Swept::default();
        self.sweeper.delete_all(newer, &mut swept).await?;
        match swept.left.first() {
            Some((what, why)) => bail!("{what} {why}"),
            None => Ok(()),
        }
    }

    async fn bring_ours(&self, made: &Made, was: &Value) -> anyhow::Result<()> {
        let now = read(self.sweeper.client, &made.place).await?.filter(|now| now["metadata"]["deletionTimestamp"].is_null());
        match now {
            Some(now) if same(was, &now) => Ok(()),
            Some(now) if made.place.plural != "pods" => {
                let mut body = stripped(was);
                body["metadata"]["resourceVersion"] = now["metadata"]["resourceVersion"].clone();
                let request = Request::put(made.place.path()).header("content-type", "application/json");
                self.client.request::<Value>(request.body(serde_json::to_vec(&body)?)?).await?;
                Ok(())
            }
            Some(now) => {
                let there = Made { uid: meta(&now, "uid").into(), ..made.clone() };
                self.sweeper.delete_all(vec![there], &mut Swept::default()).await?;
                self.create(made, was).await
            }
            None => self.create(made, was).await,
        }
    }

    async fn create(&self, made: &Made, was: &Value) -> anyhow::Result<()> {
        let sent = made.body["kind"].is_string() && made.place.plural == "pods";
        let body = if sent { made.body.clone() } else { stripped(was) };
        let path = made.place.named("").path();
        let post = |body: &Value| -> anyhow::Result<_> {
            Ok(Request::post(&path).header("content-type", "application/json").body(serde_json::to_vec(body)?)?)
        };
        match self.client.request::<Value>(post(&body)?).await {
            Ok(_) => Ok(()),
            // Its address has gone to somebody else meanwhile.
            Err(kube::Error::Api(status)) if status.code == 422 && made.place.plural == "services" => {
                let mut body = body;
                ["clusterIP", "clusterIPs"].iter().for_each(|field| drop(remove(&mut body["spec"], field)));
                self.client.request::<Value>(post(&body)?).await?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn wait_ready(&self, mark: &Mark) -> anyhow::Result<()> {
        let (mut waited, pause) = (Duration::ZERO, Duration::from_millis(250));
        for (made, _) in mark.ours.iter().filter(|(_, was)| is_ready(was)) {
            while !read(self.sweeper.client, &made.place).await?.is_some_and(|now| is_ready(&now)) {
                if waited >= READY_WITHIN {
                    bail!("{} was ready and is not again after {} s", made.place, READY_WITHIN.as_secs());
                }
                tokio::time::sleep(pause).await;
                waited += pause;
            }
        }
        Ok(())
    }

    async fn compare(&self, mark: &Mark) -> anyhow::Result<()> {
        for (made, was) in &mark.ours {
            match read(self.sweeper.client, &made.place).await? {
                Some(now) if same(was, &now) => (),
                Some(_) => bail!("{} did not come back as it was", made.place),
                None => bail!("{} did not come back", made.place),
            }
        }
        Ok(())
    }
}

/// The order of making again: kinds before their objects, what injects sidecars before the pods.
fn order(place: &Place) -> usize {
    if place.plural == "pods" { 9 } else { 5 - rank(place) }
}

fn is_ready(object: &Value) -> bool {
    let condition = |name: &str| {
        let conditions = object["status"]["conditions"].as_array();
        conditions.is_some_and(|all| all.iter().any(|c| c["type"] == name && c["status"] == "True"))
    };
    match object["kind"].as_str() {
        Some("Pod") => condition("Ready"),
        Some("Deployment") => condition("Available"),
        Some("CustomResourceDefinition") => condition("Established"),
        _ => false,
    }
}

/// An object as it can be made again.
pub fn stripped(object: &Value) -> Value {
    let mut object = object.clone();
    remove(&mut object, "status");
    for field in SERVERS_METADATA.into_iter().chain(["ownerReferences"]) {
        remove(&mut object["metadata"], field);
    }
    object
}

fn remove(value: &mut Value, field: &str) -> Option<Value> {
    value.as_object_mut()?.remove(field)
}

/// Whether two states of an object are the same to a lesson: content and labels.
pub fn same(a: &Value, b: &Value) -> bool {
    content(a) == content(b)
}

/// What a lesson knows of an object: content and labels, without what a cluster chooses or writes itself.
pub fn content(object: &Value) -> Value {
    let mut object = object.clone();
    let labels = object["metadata"]["labels"].take();
    remove(&mut object, "metadata");
    remove(&mut object, "status");
    match object["kind"].as_str() {
        Some("Pod") => object["spec"] = containers(&object["spec"]),
        Some("Service") => {
            for field in ["clusterIP", "clusterIPs"] {
                remove(&mut object["spec"], field);
            }
            nodeless(&mut object["spec"]);
        }
        // The control plane writes its certificate into them.
        Some("MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration") => {
            let hooks = object["webhooks"].as_array_mut().into_iter().flatten();
            hooks.for_each(|hook| drop(remove(&mut hook["clientConfig"], "caBundle")));
        }
        _ => (),
    }
    object["labels"] = if labels.as_object().is_none_or(Map::is_empty) { Value::Null } else { labels };
    object
}

/// What runs in a pod, without what the cluster chose.
fn containers(spec: &Value) -> Value {
    let of = |list: &Value| -> Vec<Value> {
        let all = list.as_array().cloned().unwrap_or_default();
        all.iter().map(|c| json!({"name": c["name"], "image": c["image"], "command": c["command"], "args": c["args"]})).collect()
    };
    json!({"containers": of(&spec["containers"]), "initContainers": of(&spec["initContainers"]),
        "restartPolicy": spec["restartPolicy"], "serviceAccountName": spec["serviceAccountName"]})
}

/// Ports without the node's.
fn nodeless(spec: &mut Value) {
    let ports = spec["ports"].as_array_mut().into_iter().flatten();
    ports.for_each(|port| drop(remove(port, "nodePort")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_chooses_does_not_tell_two_states_apart() {
        let pod = |ip: &str, node: &str, image: &str, labels: Value| {
            json!({"kind": "Pod", "metadata": {"uid": ip, "labels": labels}, "status": {"podIP": ip},
                "spec": {"nodeName": node, "containers": [{"name": "a", "image": image}]}})
        };
        let a = pod("10.0.0.1", "n1", "curl", json!({"run": "test"}));
        assert!(same(&a, &pod("10.0.0.2", "n2", "curl", json!({"run": "test"}))));
        assert!(!same(&a, &pod("10.0.0.1", "n1", "curl:2", json!({"run": "test"}))));
        assert!(!same(&a, &pod("10.0.0.1", "n1", "curl", json!({"run": "test", "x": "y"}))));
        let with_sidecar = json!({"kind": "Pod", "metadata": {"labels": {"run": "test"}},
            "spec": {"containers": [{"name": "a", "image": "curl"}], "initContainers": [{"name": "istio-proxy"}]}});
        assert!(!same(&a, &with_sidecar));
        let service = |ip: &str, port: u16| json!({"kind": "Service", "spec": {"clusterIP": ip, "ports": [{"port": port, "nodePort": 30000 + port}]}});
        assert!(same(&service("1.1.1.1", 80), &service("1.1.1.2", 80)));
        assert!(!same(&service("1.1.1.1", 80), &service("1.1.1.1", 81)));
        let namespace = |labels: Value| json!({"kind": "Namespace", "metadata": {"labels": labels}});
        assert!(!same(&namespace(json!({"a": "b"})), &namespace(json!({"a": "b", "istio-injection": "enabled"}))));
        assert!(same(&namespace(json!({})), &json!({"kind": "Namespace", "metadata": {}})));
    }
}
