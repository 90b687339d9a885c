//! `istioctl x describe pod|service`: the Istio configuration that affects a pod or the pods of a service (S: istioctl/pkg/describe).

mod ingress;
mod peer;
mod pod;
mod rules;
mod services;

use super::args::{self, Flag, Parsed, switch, valued};
use super::proxy_config::dump::Dump;
use super::{Context, Stop, api, forward, pods};
use crate::base::io::Io;
use crate::k8s::Object;
use crate::k8s::object::strings;
use serde_json::Value;
use std::collections::BTreeMap;

const FLAGS: &[Flag] = &[switch("ignoreUnmeshed", None), valued("proxy-admin-port", None)];
const LINE: &str = "--------------------";

/// What a description works with.
struct Desk<'a> {
    context: &'a Context,
    /// Objects of this namespace are named without it.
    namespace: String,
    admin_port: u16,
    ignore_unmeshed: bool,
}

/// Runs `x describe WORDS..`.
pub async fn run(context: &Context, io: &mut Io, words: &[&str]) -> Result<(), Stop> {
    let Some((what, rest)) = words.split_first().filter(|(what, _)| !what.starts_with('-')) else {
        return super::help::print(io, &["x", "describe"]);
    };
    let parsed = args::parse(rest, FLAGS)?;
    let desk = Desk::read(context, &parsed);
    match *what {
        "pod" | "po" => match parsed.operands.as_slice() {
            [name] => pod::run(&desk, io, name).await,
            _ => Err(Stop::failed("expecting pod name")),
        },
        "service" | "svc" => match parsed.operands.as_slice() {
            [name] => services::run(&desk, io, name).await,
            _ => Err(Stop::failed("expecting service name")),
        },
        other => Err(Stop::failed(format!("unknown resource type {other:?}"))),
    }
}

impl<'a> Desk<'a> {
    fn read(context: &'a Context, parsed: &Parsed) -> Desk<'a> {
        let port = parsed.last("proxy-admin-port").and_then(|p| p.parse().ok()).unwrap_or(15000);
        let namespace = parsed.last("namespace").filter(|n| !n.is_empty()).unwrap_or(&context.namespace).to_string();
        Desk { context, namespace, admin_port: port, ignore_unmeshed: parsed.on("ignoreUnmeshed") }
    }

    /// `NAME`, or `NAME.NAMESPACE` for what lies in another namespace.
    fn name_of(&self, object: &Object) -> String {
        match object.namespace() == self.namespace {
            true => object.name().to_string(),
            false => format!("{}.{}", object.name(), object.namespace()),
        }
    }

    /// An object by its path; `None` when there is none.
    async fn get(&self, path: &str) -> Result<Option<Object>, Stop> {
        Ok(api::read(&self.context.client, path).await?.map(Object))
    }

    async fn list(&self, path: &str) -> Result<Vec<Object>, Stop> {
        let found = api::read(&self.context.client, path).await?.unwrap_or(Value::Null);
        Ok(found["items"].as_array().into_iter().flatten().cloned().map(Object).collect())
    }

    /// A VirtualService, DestinationRule or Gateway.
    async fn networking(&self, plural: &str, namespace: &str, name: &str) -> Result<Option<Object>, Stop> {
        self.get(&format!("/apis/networking.istio.io/v1/namespaces/{namespace}/{plural}/{name}")).await
    }

    /// The configuration of a pod's proxy.
    async fn dump(&self, pod: &Object, whose: &str) -> Result<Dump, Stop> {
        let client = &self.context.client;
        let bytes = forward::fetch(client, pod.namespace(), pod.name(), self.admin_port, "GET", "config_dump").await;
        Dump::read(&bytes.map_err(|why| Stop::failed(format!("failed to execute command on {whose}: {why}")))?)
    }
}

/// Whether labels are among others.
fn selects(selector: &Value, labels: &BTreeMap<&str, &str>) -> bool {
    strings(selector).iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// Name and namespace of `NAME[.NAMESPACE]`.
fn named<'a>(text: &'a str, desk: &'a Desk<'_>) -> (&'a str, &'a str) {
    pods::split(text, &desk.namespace)
}
