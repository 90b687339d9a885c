//! What is said to a request: the front end that is meant, its answer, how long it takes. HTTP/1 and HTTP/2 share it.

use super::doors::Door;
use super::limits::Limits;
use super::log::{Entry, Log};
use crate::base::clock::{Clock, Stopwatch, SystemClock};
use crate::outside::answer::{self, Asked};
use crate::outside::site::{Plain, Site};
use crate::outside::wire::{Header, HttpVersion, Response};
use rustls::ServerConfig;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What all connections share.
pub struct House {
    pub limits: Limits,
    /// Milliseconds that a front end takes in place of those in the data, by id.
    pub delays: BTreeMap<String, u64>,
    pub log: Log,
    /// Front ends' TLS, by id and whether a client certificate is asked for.
    pub tls: BTreeMap<(String, bool), Arc<ServerConfig>>,
    /// Nothing new is to be begun.
    pub stop: CancellationToken,
    /// What is under way is to end.
    pub kill: CancellationToken,
    pub tasks: TaskTracker,
}

impl House {
    /// What a front end takes to answer, in milliseconds.
    pub fn latency_ms(&self, site: &Site) -> u64 {
        self.delays.get(&site.id).copied().unwrap_or(site.latency_ms)
    }
}

/// A connection's circumstances.
#[derive(Clone)]
pub struct Talk {
    pub house: Arc<House>,
    pub door: Arc<Door>,
    pub from: SocketAddr,
    /// Whether it is inside TLS.
    pub secure: bool,
    /// The front end that the server name of TLS chose.
    pub met: Option<Arc<Site>>,
}

/// A request as either version of HTTP hands it over.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub method: &'a str,
    pub authority: &'a str,
    pub path: &'a str,
    pub headers: &'a [Header],
    pub version: HttpVersion,
}

/// A front end's answer, and when it is due.
#[derive(Debug)]
pub struct Reply {
    pub site: Arc<Site>,
    pub response: Response,
    pub wait: Duration,
}

impl Talk {
    /// The front end that is meant, else the one that stands here.
    fn site(&self, authority: &str) -> Arc<Site> {
        let meant = || self.door.named(&answer::bare_host(authority));
        self.met.as_ref().or_else(meant).unwrap_or_else(|| self.door.first()).clone()
    }

    /// The front end of the TLS hello, else the one that stands here.
    pub fn here(&self) -> &Arc<Site> {
        self.met.as_ref().unwrap_or_else(|| self.door.first())
    }

    /// What the front end says. Does not wait.
    pub fn reply(&self, question: &Question<'_>) -> Reply {
        let site = self.site(question.authority);
        let from = self.from.ip().to_canonical().to_string();
        let asked = self.asked(question, &from);
        let (response, extra) = match self.door.open(&site) {
            Some(port) => {
                let said = answer::at_port(port, &asked);
                (said.response, said.extra_ms)
            }
            None => (answer::text(&asked, 404, "text/plain", "not found\n"), 0),
        };
        let wait = Duration::from_millis(self.house.latency_ms(&site) + extra);
        Reply { site, response, wait }
    }

    /// What plain HTTP gets where TLS is spoken; `None`: nothing, the connection is closed.
    pub fn misplaced(&self, question: &Question<'_>) -> Option<Response> {
        let site = self.site(question.authority);
        let plain = self.door.open(&site).map_or(Plain::Close, |port| port.plain);
        answer::plain_on_tls(plain, &self.asked(question, ""))
    }

    fn asked<'a>(&self, question: &Question<'a>, from: &'a str) -> Asked<'a> {
        let Question { method, authority, path, headers, version } = *question;
        Asked { method, authority, path, headers, version, secure: self.secure, from, now: SystemClock.now() }
    }

    /// Writes the line about a request that was answered, or about what happened instead.
    pub fn tell(&self, site: &str, protocol: &str, asked: &[&str], answered: Answered<'_>) {
        let protocol = if self.secure { format!("tls+{protocol}") } else { protocol.to_string() };
        let Answered { status, bytes, took, user_agent } = answered;
        let (now, ms) = (SystemClock.now(), took.elapsed_ms());
        let entry = Entry { now, site, from: self.from, protocol: &protocol, asked, status, bytes, ms, user_agent };
        self.house.log.tell(&entry);
    }

    /// A line about a connection without a request.
    pub fn note(&self, protocol: &str, what: &str, took: Stopwatch) {
        self.tell(&self.here().id, protocol, &[what], Answered { status: 0, bytes: 0, took, user_agent: "" });
    }
}

/// What a line of the log says of an answer.
#[derive(Clone, Copy)]
pub struct Answered<'a> {
    pub status: u16,
    pub bytes: u64,
    pub took: Stopwatch,
    pub user_agent: &'a str,
}
