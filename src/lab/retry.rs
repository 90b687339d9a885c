//! A client of a cluster that takes the faults of a real API server as they come: what may be asked again is asked again, a few times,
//! and told in words; what remains is named. Nobody who works on a cluster is to blame for its bad moments.
//!
//! Rules of asking again: `Retry-After` and 429 as the API server's priority and fairness means them (nothing was done), a webhook that
//! cannot be called (nothing was done), 502 to 504 and a connection that is cut (it may have been done: reads go again, writes only
//! after a look at what is there), 401 (the kubeconfig is read once more).

mod answer;
mod asked;
mod held;
mod tidings;
mod trouble;
#[cfg(test)]
mod tests;

pub use tidings::{Tiding, Tidings};
pub use trouble::{Trouble, is_lost};

use crate::base::clock::Stopwatch;
use crate::base::seed::Seed;
use answer::{Answer, Outcome, Reply};
use asked::{Asked, Repeat};
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use kube::client::Body;
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often and how long a request is asked again; times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The first one counts.
    pub tries: u32,
    /// Before the second try; doubled for each one that follows.
    pub first_ms: u64,
    /// The longest pause, also where the server asks for a longer one.
    pub longest_ms: u64,
    /// After this time no further try begins.
    pub total_ms: u64,
    /// The same, where a webhook is not ready: on a mesh whose control plane is broken for good that is what is to be seen.
    pub webhook_ms: u64,
    /// A request that has no answer for so long is spoken of.
    pub told_ms: u64,
    /// .. and is given up: an API server ends its requests after a minute itself (k8s.io/apiserver, `--request-timeout`), so that a
    /// longer silence is a lost connection that nobody has closed.
    pub answer_ms: u64,
}

impl Limits {
    /// For a cluster that people work on.
    pub const CLUSTER: Limits = Limits {
        tries: 8,
        first_ms: 250,
        longest_ms: 8_000,
        total_ms: 60_000,
        webhook_ms: 10_000,
        told_ms: 10_000,
        answer_ms: 65_000,
    };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::CLUSTER
    }
}

/// How to connect, as the kubeconfig says now; `None` when it cannot be read.
pub type Reread = Arc<dyn Fn() -> BoxFuture<'static, Option<kube::Config>> + Send + Sync>;

/// A client that asks again.
///
/// # Errors
/// The connection's certificates or keys cannot be used.
pub fn client(connection: kube::Config, reread: Reread, limits: Limits, tidings: Tidings) -> kube::Result<kube::Client> {
    let namespace = connection.default_namespace.clone();
    let caller = Arc::new(Caller {
        direct: Mutex::new(direct(connection)?),
        reread,
        limits,
        tidings,
        seed: Seed::fresh(),
        pauses: AtomicU64::new(0),
    });
    let service = tower::service_fn(move |request: Request<Body>| {
        let caller = caller.clone();
        async move { caller.call(request).await }
    });
    Ok(kube::Client::new(service, namespace))
}

/// A client that asks once. kube's own retries are silent, last up to a quarter of an hour and know no difference between a read and
/// a write.
///
/// # Errors
/// As [`client`].
pub fn direct(connection: kube::Config) -> kube::Result<kube::Client> {
    let mut connection = connection;
    connection.default_retry = false;
    kube::Client::try_from(connection)
}

struct Caller {
    direct: Mutex<kube::Client>,
    reread: Reread,
    limits: Limits,
    tidings: Tidings,
    seed: Seed,
    pauses: AtomicU64,
}

impl Caller {
    async fn call(&self, request: Request<Body>) -> kube::Result<Response<Reply>> {
        let (head, body) = request.into_parts();
        let asked = Asked::new(head, body.collect_bytes().await?);
        let before = self.before(&asked).await;
        let watch = Stopwatch::start();
        let (mut reread, mut unclear) = (false, false);
        let (mut tries, mut waits) = (1, None);
        loop {
            let outcome = self.once(&asked).await;
            let Some(trouble) = trouble::of(&outcome) else {
                let settled = match unclear {
                    true => self.settle(&asked, &before, outcome).await,
                    false => outcome,
                };
                return settled.map(Answer::into_response);
            };
            match &trouble {
                Trouble::Expired if !reread => {
                    reread = true;
                    if self.log_in_anew().await {
                        continue;
                    }
                }
                Trouble::Forbidden { .. } | Trouble::Expired => (),
                trouble if self.may_go_on(trouble, tries, &watch) => {
                    let done = match trouble.is_refusal(asked.is_upgrade()) {
                        true => Again::Yes,
                        false => self.look_back(&asked, &before).await,
                    };
                    unclear |= !trouble.is_refusal(asked.is_upgrade());
                    match done {
                        Again::Yes => {
                            tries += 1;
                            waits.get_or_insert_with(|| self.tidings.waits());
                            let sentence = format!("waiting for the API server: {trouble}, try {tries} of {}", self.limits.tries);
                            self.tidings.say(Tiding::Waiting(sentence));
                            tokio::time::sleep(self.pause(trouble, tries)).await;
                            continue;
                        }
                        Again::Done(answer) => return Ok(answer.into_response()),
                        Again::No => (),
                    }
                }
                _ => (),
            }
            self.tidings.remains(&asked.line(), &trouble, tries);
            return outcome.map(Answer::into_response);
        }
    }

    /// Asks once. An answer that ends by itself is read whole: a connection may be cut in the middle of it, too.
    async fn once(&self, asked: &Asked) -> Outcome {
        let direct = self.direct.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answer = self.patiently(asked, direct.send(asked.request())).await?;
        match answer.status() {
            StatusCode::SWITCHING_PROTOCOLS => Ok(Answer::Stream { response: answer, watch: false }),
            status if status.is_success() && asked.is_stream() => {
                Ok(Answer::Stream { response: answer, watch: asked.is_watch() })
            }
            _ => self.patiently(asked, Answer::whole(answer)).await,
        }
    }

    /// Waits for something of the server's: says so when it takes long, and not for ever.
    async fn patiently<T>(&self, asked: &Asked, something: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
        let Limits { told_ms, answer_ms, .. } = self.limits;
        tokio::pin!(something);
        if let Ok(outcome) = tokio::time::timeout(Duration::from_millis(told_ms), &mut something).await {
            return outcome;
        }
        let _waits = self.tidings.waits();
        let sentence = format!("no answer from the API server for {} s ({})", told_ms / 1_000, asked.line());
        self.tidings.say(Tiding::Waiting(sentence));
        let rest = Duration::from_millis(answer_ms.saturating_sub(told_ms));
        let lost = |_| Err(kube::Error::Service(Box::new(trouble::Silence { ms: answer_ms })));
        tokio::time::timeout(rest, something).await.unwrap_or_else(lost)
    }

    fn may_go_on(&self, trouble: &Trouble, tries: u32, watch: &Stopwatch) -> bool {
        let limit = match trouble {
            Trouble::Webhook { .. } => self.limits.webhook_ms,
            _ => self.limits.total_ms,
        };
        tries < self.limits.tries && watch.elapsed_ms() < limit && trouble.passes()
    }

    /// Twice as long each time, a quarter more or less so that many clients do not come back at once; as long as the server asks for.
    fn pause(&self, trouble: &Trouble, tries: u32) -> Duration {
        let doubled = self.limits.first_ms.saturating_mul(1 << tries.saturating_sub(2).min(16));
        let nth = self.pauses.fetch_add(1, Ordering::Relaxed);
        let spread = doubled.min(self.limits.longest_ms) / 2;
        let chance = self.seed.hash(&["pause", &nth.to_string()]) % spread.max(1);
        let own = doubled.min(self.limits.longest_ms) - spread / 2 + chance;
        Duration::from_millis(trouble.after_ms().unwrap_or(own).min(self.limits.longest_ms))
    }

    /// Reads the kubeconfig again; whether there is something new to try.
    async fn log_in_anew(&self) -> bool {
        let sentence = "the API server does not take the credential any more: reading the kubeconfig again";
        let _waits = self.tidings.waits();
        self.tidings.say(Tiding::Waiting(sentence.into()));
        let Some(client) = (self.reread)().await.and_then(|connection| direct(connection).ok()) else { return false };
        *self.direct.lock().unwrap_or_else(PoisonError::into_inner) = client;
        true
    }

    /// What is at the place of a creation or a deletion before it. Without that nobody could tell, after a cut connection, whether
    /// what is there then is ours: the lab's record of what it made rests on it.
    async fn before(&self, asked: &Asked) -> Before {
        let path = match asked.repeat() {
            Repeat::WhileThere => asked.path(),
            Repeat::Missing { path } => path,
            _ => return Before::Unknown,
        };
        match self.look(asked, &path).await {
            Some(answer) if answer.status() == StatusCode::NOT_FOUND => Before::Missing,
            Some(answer) if answer.status().is_success() => {
                let there = answer.json().unwrap_or_default();
                there["metadata"]["uid"].as_str().map_or(Before::Unknown, |uid| Before::There { uid: uid.to_string() })
            }
            _ => Before::Unknown,
        }
    }

    /// Reads a path; `None` when the server has no word on it for a while, or does not let us look.
    async fn look(&self, asked: &Asked, path: &str) -> Option<Answer> {
        for tried in 0..self.limits.tries {
            let outcome = self.once(&asked.look(path)).await;
            match trouble::of(&outcome) {
                None => return outcome.ok(),
                Some(trouble) if !trouble.passes() => return None,
                Some(trouble) => tokio::time::sleep(self.pause(&trouble, tried + 2)).await,
            }
        }
        None
    }

    /// The object at a path.
    async fn object(&self, asked: &Asked, path: &str) -> Option<Value> {
        self.look(asked, path).await.filter(|answer| answer.status().is_success())?.json()
    }

    /// After a trouble that leaves open whether the server did what was asked.
    async fn look_back(&self, asked: &Asked, before: &Before) -> Again {
        let path = match (asked.repeat(), before) {
            (Repeat::Freely, _) => return Again::Yes,
            (Repeat::WhenRefused, _) | (Repeat::WhileThere | Repeat::Missing { .. }, Before::Unknown) => return Again::No,
            // Something is there already, or nothing to delete: the server refuses, whatever became of the first try.
            (Repeat::Missing { .. }, Before::There { .. }) | (Repeat::WhileThere, Before::Missing) => return Again::Yes,
            (Repeat::WhileThere | Repeat::Unchanged, _) => asked.path(),
            (Repeat::Missing { path }, Before::Missing) => path,
        };
        match self.look(asked, &path).await {
            Some(answer) if answer.status() == StatusCode::NOT_FOUND => match asked.repeat() {
                Repeat::WhileThere => Again::Done(Answer::deleted(&asked.name())),
                _ => Again::Yes,
            },
            Some(answer) if answer.status().is_success() => {
                answer.json().map_or(Again::No, |there| already(asked, before, there))
            }
            _ => Again::No,
        }
    }

    /// An answer after a try whose end nobody saw: a refusal that only says that the earlier try had worked is none.
    async fn settle(&self, asked: &Asked, before: &Before, outcome: Outcome) -> Outcome {
        let Ok(answer) = &outcome else { return outcome };
        let (path, made) = match (asked.repeat(), answer.status()) {
            (Repeat::WhileThere, StatusCode::NOT_FOUND) if *before != Before::Missing => {
                return Ok(Answer::deleted(&asked.name()));
            }
            (Repeat::Freely, StatusCode::NOT_FOUND | StatusCode::CONFLICT) if asked.is_delete() => {
                return Ok(Answer::deleted(&asked.name()));
            }
            (Repeat::Missing { path }, StatusCode::CONFLICT) if *before == Before::Missing => (path, StatusCode::CREATED),
            (Repeat::Unchanged, StatusCode::CONFLICT) => (asked.path(), StatusCode::OK),
            _ => return outcome,
        };
        match self.object(asked, &path).await {
            Some(there) if held::holds(&asked.object(), &there) => Ok(Answer::of(made, &there)),
            _ => outcome,
        }
    }
}

/// What was at the place of a write before it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Before {
    Unknown,
    Missing,
    There { uid: String },
}

/// What a look back says.
enum Again {
    Yes,
    No,
    /// It had worked.
    Done(Answer),
}

/// What an object that is there says of a write whose end nobody saw.
fn already(asked: &Asked, before: &Before, there: Value) -> Again {
    let meta = &there["metadata"];
    let same = matches!(before, Before::There { uid } if meta["uid"] == uid.as_str());
    match asked.repeat() {
        Repeat::WhileThere if !same => Again::Done(Answer::deleted(&asked.name())),
        Repeat::WhileThere if !meta["deletionTimestamp"].is_null() => Again::Done(Answer::of(StatusCode::OK, &there)),
        Repeat::Missing { .. } if held::holds(&asked.object(), &there) => Again::Done(Answer::of(StatusCode::CREATED, &there)),
        Repeat::Unchanged => {
            let sent = asked.object();
            match sent["metadata"]["resourceVersion"] != meta["resourceVersion"] && held::holds(&sent, &there) {
                true => Again::Done(Answer::of(StatusCode::OK, &there)),
                // Unchanged, or changed by somebody else: the server then says so itself.
                false => Again::Yes,
            }
        }
        _ => Again::Yes,
    }
}
