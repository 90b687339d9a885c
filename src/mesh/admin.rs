//! What a proxy's admin port (15000) shows: pages over the model and what the proxy remembers. Values in, text out.

pub mod bootstrap;
mod dump;
pub mod fields;
mod inbound;
pub mod istiod;
pub mod json;
mod logging;
mod memory;
mod pages;
mod stats;
#[cfg(test)]
mod tests;

pub use memory::{Memories, Memory, Push};

use super::Model;
use crate::base::clock::Time;
use crate::base::percent::decoded;
use crate::base::seed::Seed;
use crate::k8s::Object;
use crate::outside::Outside;

/// An answer of the admin port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub status: u16,
    /// `text/plain; charset=UTF-8`, `application/json`.
    pub kind: &'static str,
    pub body: String,
    /// Envoy has such a page, this program does not imitate it.
    pub not_simulated: bool,
}

impl Page {
    fn text(status: u16, body: String) -> Page {
        Page { status, kind: "text/plain; charset=UTF-8", body, not_simulated: false }
    }

    fn json(body: String) -> Page {
        Page { kind: "application/json", ..Page::text(200, body) }
    }
}

/// What the pages are made from.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    pub model: &'a Model,
    pub outside: &'a Outside,
    /// With its address.
    pub pod: &'a Object,
    pub memory: &'a Memory,
    pub push: Push,
    pub now: Time,
    pub seed: Seed,
}

impl Desk<'_> {
    /// When the proxy began, as Envoy prints moments.
    fn started(&self) -> String {
        self.since().envoy()
    }

    fn since(&self) -> Time {
        let lists = ["containerStatuses", "initContainerStatuses"].into_iter();
        let mut all = lists.flat_map(|list| self.pod.at(&["status", list]).as_array().into_iter().flatten());
        let status = all.find(|s| s["name"] == "istio-proxy");
        let text = status.and_then(|s| s["state"]["running"]["startedAt"].as_str());
        text.or(Some(self.pod.str_at(&["status", "startTime"]))).and_then(Time::parse).unwrap_or(self.now)
    }

    fn uptime_seconds(&self) -> u64 {
        u64::try_from(self.now.since(self.since()) / 1000).unwrap_or(0)
    }

    fn uptime(&self) -> String {
        format!("{}s", self.uptime_seconds())
    }

    /// The name that Envoy invents for something without one.
    fn name(&self, what: &str) -> String {
        self.seed.uuid(&["envoy", self.pod.uid(), what])
    }
}

/// Answers a request to the admin port; changes of loggers go into `memory`, which `desk` shows as it was before.
pub fn answer(desk: &Desk<'_>, memory: &mut Memory, method: &str, target: &str) -> Page {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = pairs(query);
    let as_json = query.iter().any(|(name, value)| name == "format" && value == "json");
    if pages::changes(path) && method != "POST" {
        return Page::text(405, format!("Method {method} not allowed, POST required."));
    }
    match path {
        "/config_dump" => match dump::page(desk, &query) {
            Ok(body) => Page::json(body),
            Err(why) => {
                let status = if why.starts_with("FieldMask") { 400 } else { 404 };
                Page { kind: "text/plain", ..Page::text(status, why) }
            }
        },
        "/clusters" => pages::clusters(desk, as_json),
        "/listeners" => pages::listeners(desk, as_json),
        "/server_info" => pages::server_info(desk),
        "/stats" => stats::page(desk, &query, false),
        "/stats/prometheus" => stats::page(desk, &query, true),
        "/logging" => logging::page(memory, &query),
        "/ready" => Page::text(200, "LIVE\n".into()),
        "/help" => Page::text(200, pages::HELP.into()),
        path => match pages::is_page(path) {
            true => Page { not_simulated: true, ..Page::text(501, String::new()) },
            false => Page::text(404, format!("invalid path. {}", pages::HELP)),
        },
    }
}

/// Name and value of each parameter, decoded.
fn pairs(query: &str) -> Vec<(String, String)> {
    let one = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decoded(name, true), decoded(value, true))
    };
    query.split('&').filter(|part| !part.is_empty()).take(64).map(one).collect()
}
