//! Objects through watches: the lists that every evaluation of a check reads are held here and kept up by a watch each, so that
//! waiting for a cluster does not ask it for everything again and again.
//!
//! A held list is only given out where it is known to be what the server would say: its watch is open, and since the last write that
//! went through here, and since the watch was opened, the server was asked once more and said the same. In every other case the
//! request goes to the server, whose answer is what is held from then on. Watches ask once: one that ends is opened anew at its last
//! version; one that cannot be opened is given up until the next list (Kubernetes documentation, "API concepts", efficient detection of
//! changes).

use super::path::{Place, Target};
use super::scribe::{BoxError, meta, whole};
use crate::k8s::object::items;
use futures::TryStreamExt;
use http::{Method, Request, Response, StatusCode};
use kube::api::WatchEvent;
use kube::client::Body;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// Lists that are held; others go to the server.
const MAX_KINDS: usize = 64;
/// Objects in a list that is held.
const MAX_OBJECTS: usize = 20_000;
/// The longest list that is read, in bytes.
const LONGEST: usize = 512 << 20;
/// The server ends a watch after so many seconds.
const LIFE_S: u64 = 30;
/// A watch that was opened, or that says nothing, for longer than this has lost its server.
const OPENS_WITHIN: Duration = Duration::from_secs(10);
const SILENT_FOR: Duration = Duration::from_secs(LIFE_S + 10);

/// The lists of one cluster. Cheap to clone; with the last clone its watches end.
#[derive(Clone)]
pub struct Watched(Arc<Inner>);

struct Inner {
    /// For the watches: asks once.
    plain: kube::Client,
    kinds: Mutex<BTreeMap<Place, Arc<Kind>>>,
    watches: Mutex<JoinSet<()>>,
}

/// One list.
#[derive(Default)]
struct Kind {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the server said around the items.
    head: Value,
    /// By namespace and name, as the server orders them.
    objects: BTreeMap<(String, String), Value>,
    /// The version that the next watch begins at.
    version: String,
    /// Whether there is a task that keeps it up.
    held: bool,
    /// Whether its watch is open.
    open: bool,
    /// Whether the server has said the same since the last write and since the watch was opened.
    agreed: bool,
    /// Writes that were begun or ended.
    writes: u64,
    /// Whether anybody has asked since the watch was opened.
    asked: bool,
}

impl Kind {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    /// Nothing is held yet. `plain`: a client for the watches.
    pub fn new(plain: kube::Client) -> Watched {
        Watched(Arc::new(Inner { plain, kinds: Mutex::default(), watches: Mutex::default() }))
    }

    /// A client that notices writes and asks the server for everything.
    pub fn noticing(&self, inner: kube::Client) -> kube::Client {
        self.client(inner, false)
    }

    /// A client that gives out what is held.
    pub fn reading(&self, inner: kube::Client) -> kube::Client {
        self.client(inner, true)
    }

    fn client(&self, inner: kube::Client, reads: bool) -> kube::Client {
        let (watched, namespace) = (self.clone(), inner.default_namespace().to_string());
        let service = tower::service_fn(move |request: Request<Body>| {
            let (watched, inner) = (watched.clone(), inner.clone());
            async move { watched.pass(&inner, request, reads).await }
        });
        kube::Client::new(service, namespace)
    }

    async fn pass(&self, inner: &kube::Client, request: Request<Body>, reads: bool) -> Result<Response<Body>, BoxError> {
        let (method, query) = (request.method().clone(), request.uri().query());
        let Some(target) = Target::parse(request.uri().path()) else { return Ok(inner.send(request).await?) };
        let collection = target.place.within("").named("");
        if target.writes(&method, query) {
            self.wrote(&collection);
            let answer = inner.send(request).await;
            self.wrote(&collection);
            return Ok(answer?);
        }
        let lists = reads && method == Method::GET && query.is_none_or(str::is_empty) && target.place == collection;
        match lists && target.part.is_empty() {
            true => self.list(inner, collection, request).await,
            false => Ok(inner.send(request).await?),
        }
    }

    /// A write through here: what is held may be old until the server was asked.
    fn wrote(&self, collection: &Place) {
        // A namespace that goes takes with it what is in it; a definition that goes, its kind.
        let spreads = matches!(collection.plural.as_str(), "namespaces" | "customresourcedefinitions");
        for (_, kind) in self.kinds().iter().filter(|(place, _)| spreads || *place == collection) {
            let mut state = kind.state();
            state.writes += 1;
            state.agreed = false;
        }
    }

    async fn list(&self, inner: &kube::Client, place: Place, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let Some(kind) = self.kind(&place) else { return Ok(inner.send(request).await?) };
        let writes = {
            let mut state = kind.state();
            state.asked = true;
            if state.open && state.agreed {
                return Ok(state.answer());
            }
            state.writes
        };
        let (response, list) = whole(inner.send(request).await?, LONGEST).await?;
        if response.status() == StatusCode::OK {
            self.learn(place, &kind, &list, writes);
        }
        Ok(response)
    }

    /// What the server has said of a list: the beginning of a watch, or what a watch is held to.
    fn learn(&self, place: Place, kind: &Arc<Kind>, list: &Value, writes: u64) {
        let Some(version) = list["metadata"]["resourceVersion"].as_str() else { return };
        let mut state = kind.state();
        if state.held {
            state.agreed = state.open && state.writes == writes && state.is_like(list);
            return;
        }
        if items(&list["items"]).len() > MAX_OBJECTS {
            return;
        }
        state.head = json!({"kind": list["kind"], "apiVersion": list["apiVersion"]});
        state.objects = items(&list["items"]).iter().map(|item| (key(item), item.clone())).collect();
        state.version = version.to_string();
        state.held = true;
        drop(state);
        let mut watches = self.0.watches.lock().unwrap_or_else(PoisonError::into_inner);
        while watches.try_join_next().is_some() {}
        watches.spawn(keep_up(self.0.plain.clone(), place, kind.clone()));
    }

    fn kinds(&self) -> MutexGuard<'_, BTreeMap<Place, Arc<Kind>>> {
        self.0.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kind(&self, place: &Place) -> Option<Arc<Kind>> {
        let mut kinds = self.kinds();
        match kinds.contains_key(place) || kinds.len() < MAX_KINDS {
            true => Some(kinds.entry(place.clone()).or_default().clone()),
            false => None,
        }
    }
}

/// A list as the server writes it, of objects that stay where they are.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    kind: &'a Value,
    api_version: &'a Value,
    metadata: Value,
    items: Vec<&'a Value>,
}

fn key(object: &Value) -> (String, String) {
    (meta(object, "namespace").to_string(), meta(object, "name").to_string())
}

impl State {
    fn answer(&self) -> Response<Body> {
        let list = List {
            kind: &self.head["kind"],
            api_version: &self.head["apiVersion"],
            metadata: json!({"resourceVersion": self.version}),
            items: self.objects.values().collect(),
        };
        let mut response = Response::new(Body::from(serde_json::to_vec(&list).unwrap_or_default()));
        response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        response
    }

    /// Whether the same objects are held, in the same versions.
    fn is_like(&self, list: &Value) -> bool {
        let listed = items(&list["items"]);
        let same =
            |item: &Value, other: &Value| ["uid", "resourceVersion"].iter().all(|field| meta(item, field) == meta(other, field));
        listed.len() == self.objects.len()
            && listed.iter().all(|item| self.objects.get(&key(item)).is_some_and(|held| same(held, item)))
    }

    /// Takes up an event; whether the watch can go on.
    fn sees(&mut self, event: WatchEvent<Value>) -> bool {
        match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                self.version = meta(&object, "resourceVersion").to_string();
                self.objects.insert(key(&object), object);
            }
            WatchEvent::Deleted(object) => {
                self.version = meta(&object, "resourceVersion").to_string();
                self.objects.remove(&key(&object));
            }
            WatchEvent::Bookmark(mark) => self.version = mark.metadata.resource_version,
            WatchEvent::Error(_) => return false,
        }
        self.objects.len() <= MAX_OBJECTS
    }

    fn let_go(&mut self) {
        *self = State { writes: self.writes, ..State::default() };
    }
}

/// Keeps a list up for as long as somebody asks for it.
async fn keep_up(client: kube::Client, place: Place, kind: Arc<Kind>) {
    loop {
        let version = kind.state().version.clone();
        let goes_on = follow(&client, &place, &kind, &version).await.is_some();
        let mut state = kind.state();
        (state.open, state.agreed) = (false, false);
        if !goes_on || !std::mem::take(&mut state.asked) {
            return state.let_go();
        }
    }
}

/// One watch to its end; `None` when the next one has to begin with a list.
async fn follow(client: &kube::Client, place: &Place, kind: &Kind, version: &str) -> Option<()> {
    let query = format!("watch=true&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={LIFE_S}");
    let request = Request::get(format!("{}?{query}", place.path())).body(Vec::new()).ok()?;
    let opened = tokio::time::timeout(OPENS_WITHIN, client.request_events::<Value>(request)).await.ok()?.ok()?;
    let mut events = std::pin::pin!(opened);
    kind.state().open = true;
    loop {
        match tokio::time::timeout(SILENT_FOR, events.try_next()).await {
            Ok(Ok(Some(event))) => kind.state().sees(event).then_some(())?,
            // Ended by the server, or cut: nothing is lost, the next one begins where this one was.
            Ok(Ok(None) | Err(_)) => return Some(()),
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests;
