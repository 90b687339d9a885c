//! The world as its users see it: calls in, answers out.

mod admission;
mod apply;
mod custom;
mod documents;
mod limits;
mod objects;
mod streams;
mod times;
mod workloads;

use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::Object;
use crate::outside::wire::{DnsAnswer, Exchange, Failure, Reply, Request};
use crate::sandbox::call::{Answer, Call};
use crate::sandbox::world::{Config, World};
use crate::sandbox::{Changes, Dataplane, Pace, Parts, Webhook};
use serde_json::{Value, json};
use std::sync::Arc;

/// A network in which nothing answers.
pub(in crate::sandbox) struct Silence;

impl Dataplane for Silence {
    fn update(&mut self, _: &Changes<'_>) {}
    fn resolve(&self, _: &Object, _: &str) -> DnsAnswer {
        DnsAnswer::NoSuchName
    }
    fn exchange(&mut self, _: &Object, _: &Request, _: Time, _: u64) -> Exchange {
        Exchange { reply: Reply::Failure(Failure::EmptyReply), delay_ms: 1, logs: Vec::new() }
    }
    fn fork(&self) -> Box<dyn Dataplane> {
        Box::new(Silence)
    }
    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

pub(in crate::sandbox) fn parts(webhooks: Vec<Arc<dyn Webhook>>) -> Parts {
    Parts { dataplane: Box::new(Silence), webhooks, controllers: Vec::new(), programs: Vec::new() }
}

pub(in crate::sandbox) fn world_with(webhooks: Vec<Arc<dyn Webhook>>) -> World {
    World::new(Config { seed: Seed(1), pace: Pace::Instant, start: Time::LOGICAL_START }, parts(webhooks))
}

pub(in crate::sandbox) fn world() -> World {
    world_with(Vec::new())
}

pub(super) fn get(world: &mut World, target: &str) -> Answer {
    world.handle(&Call::new("GET", target))
}

pub(super) fn post(world: &mut World, target: &str, body: Value) -> Answer {
    world.handle(&Call::new("POST", target).json(&body))
}

pub(super) fn patch(world: &mut World, target: &str, media: &str, body: Value) -> Answer {
    world.handle(&Call::new("PATCH", target).header("content-type", &format!("application/{media}")).json(&body))
}

pub(super) fn delete(world: &mut World, target: &str) -> Answer {
    world.handle(&Call::new("DELETE", target))
}

/// The message of a refusal with this code.
#[track_caller]
pub(super) fn refused(answer: Answer, code: u16) -> String {
    assert_eq!(answer.status, code, "{}", String::from_utf8_lossy(&answer.body));
    answer.value()["message"].as_str().unwrap_or("").to_string()
}

#[track_caller]
pub(super) fn ok(answer: Answer) -> Value {
    assert!(answer.is_success(), "{} {}", answer.status, String::from_utf8_lossy(&answer.body));
    answer.value()
}

pub(super) fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
           "spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]}})
}

pub(super) fn deployment(name: &str, replicas: i64) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
           "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                    "template": {"metadata": {"labels": {"app": name}},
                                 "spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]}}}})
}

pub(super) fn names(list: &Value) -> Vec<String> {
    list["items"].as_array().into_iter().flatten().map(|o| o["metadata"]["name"].as_str().unwrap_or("").to_string()).collect()
}

pub(super) const PODS: &str = "/api/v1/namespaces/default/pods";
pub(super) const MAPS: &str = "/api/v1/namespaces/default/configmaps";
pub(super) const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
