//! The client of a run on a cluster: passes requests on, notes in the record what they make and change, and refuses what the lab must
//! not do there. What is noted is exact: an object is ours when the server answered *our* request with 201 and its uid, so nothing
//! that somebody else makes at the same moment is taken for ours.

use super::path::{Place, Target};
use super::record::{Made, Record};
use crate::k8s::object::{items, text};
use anyhow::Context;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard};

/// The largest object that is sent or kept, in bytes. A server takes some 3 MiB.
const MAX_BODY: usize = 16 << 20;

/// Owners of owners that are looked at: a pod's ReplicaSet's Deployment.
const MAX_OWNERS: usize = 4;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a run may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Whether it may change what concerns everybody: kinds without a namespace, and the namespaces of the system and of Istio.
    pub mesh_wide: bool,
}

/// Namespaces that belong to the cluster or the mesh.
const SYSTEM: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "istio-system"];

/// Whether writing at a place concerns everybody on the cluster. A new namespace does not; a label on one that is there does.
pub fn is_mesh_wide(place: &Place) -> bool {
    match place.is_cluster_scoped() {
        true => place.plural != "namespaces" || !place.name.is_empty(),
        false => SYSTEM.contains(&place.namespace.as_str()),
    }
}

/// See the module's text.
pub struct Scribe {
    inner: kube::Client,
    record: Arc<Mutex<Record>>,
    rules: Rules,
}

impl Scribe {
    /// A client that notes in `record` what it does through `inner`.
    pub fn client(inner: kube::Client, record: Arc<Mutex<Record>>, rules: Rules) -> kube::Client {
        let namespace = inner.default_namespace().to_string();
        let scribe = Arc::new(Scribe { inner, record, rules });
        let service = tower::service_fn(move |request: Request<Body>| {
            let scribe = scribe.clone();
            async move { scribe.pass(request).await }
        });
        kube::Client::new(service, namespace)
    }

    async fn pass(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let (method, query) = (request.method().clone(), request.uri().query().map(str::to_string));
        let Some(target) = Target::parse(request.uri().path()) else {
            return match matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS") {
                true => Ok(self.inner.send(request).await?),
                false => Ok(refused(&format!("{method} {} is nothing that the lab does on a cluster", request.uri().path()))),
            };
        };
        if !target.writes(&method, query.as_deref()) {
            return Ok(self.inner.send(request).await?);
        }
        let (request, sent) = carried(request).await?;
        let answer = match (&method, target.place.name.is_empty()) {
            (&Method::POST, true) => self.create(target.place, sent, request).await,
            (&Method::DELETE, true) => self.delete_all(&target.place, request).await,
            (&Method::DELETE, false) => self.delete(&target.place, request).await,
            // An eviction is a delete by another way.
            (&Method::POST, false) if target.part == "eviction" => self.delete(&target.place, request).await,
            _ => self.change(target.place, sent, request).await,
        };
        answer.map_err(Into::into)
    }

    async fn create(&self, collection: Place, sent: Value, request: Request<Body>) -> anyhow::Result<Response<Body>> {
        if is_mesh_wide(&collection) && !self.rules.mesh_wide {
            return Ok(refused(&outside_rules(&collection)));
        }
        let intended = collection.named(meta(&sent, "name"));
        self.record().intends(&intended)?;
        let (response, value) = whole(self.inner.send(request).await?, MAX_BODY).await?;
        match response.status() {
            StatusCode::CREATED => self.made(&collection, sent, &value)?,
            _ => self.record().nothing(&intended)?,
        }
        Ok(response)
    }

    /// Notes what an answer with 201 tells.
    fn made(&self, collection: &Place, sent: Value, answer: &Value) -> anyhow::Result<()> {
        let own = |field: &str| answer["metadata"][field].as_str().context("the server made an object without name or uid");
        let place = collection.named(own("name")?);
        let (kind, uid) = (text(&answer["kind"]).to_string(), own("uid")?.to_string());
        self.record().makes(Made { place, kind, uid, body: sent })
    }

    /// A PUT or PATCH: of something of ours, of somebody else's, or one that makes the object.
    async fn change(&self, place: Place, sent: Value, request: Request<Body>) -> anyhow::Result<Response<Body>> {
        let before = self.read(&place).await?;
        let uid = before.as_ref().map_or("", |object| meta(object, "uid"));
        let ours = self.record().is_ours(uid);
        if !ours && is_mesh_wide(&place) && !self.rules.mesh_wide {
            return Ok(refused(&outside_rules(&place)));
        }
        match &before {
            None => self.record().intends(&place)?,
            Some(object) if !ours => {
                self.record().found(&place, text(&object["kind"]), uid, object.clone())?;
            }
            Some(_) => (),
        }
        let (response, value) = whole(self.inner.send(request).await?, MAX_BODY).await?;
        match (before.is_some(), response.status()) {
            (false, StatusCode::CREATED | StatusCode::OK) if value["metadata"]["uid"].is_string() => {
                self.made(&place.named(""), sent, &value)?;
            }
            (false, _) => self.record().nothing(&place)?,
            (true, StatusCode::OK | StatusCode::CREATED) if !ours => self.changed(&place, value).await?,
            (true, _) if !ours => self.unchanged(&place)?,
            (true, _) => (),
        }
        Ok(response)
    }

    /// Notes what a change of somebody else's object left; an answer about a part of it (`scale`) does not tell the whole.
    async fn changed(&self, place: &Place, answer: Value) -> anyhow::Result<()> {
        let kept = self.record().changed().get(place).map(|changed| changed.kind.clone()).unwrap_or_default();
        let whole = if answer["kind"] == kept.as_str() { Some(answer) } else { self.read(place).await? };
        match whole {
            Some(after) => self.record().changes(place, after),
            None => Ok(()),
        }
    }

    /// A change that was refused: nothing is to be put back unless an earlier one went through.
    fn unchanged(&self, place: &Place) -> anyhow::Result<()> {
        let mut record = self.record();
        match record.changed().get(place).is_some_and(|changed| changed.after.is_none()) {
            true => record.put_back(place),
            false => Ok(()),
        }
    }

    async fn delete(&self, place: &Place, request: Request<Body>) -> anyhow::Result<Response<Body>> {
        match self.read(place).await? {
            Some(object) if !self.is_ours_or_derived(object.clone()).await? => Ok(refused(&theirs(place))),
            _ => Ok(self.inner.send(request).await?),
        }
    }

    /// Whether an object is ours, or was made by a controller for one of ours (the pod of our Deployment): it comes again by itself.
    async fn is_ours_or_derived(&self, mut object: Value) -> anyhow::Result<bool> {
        for _ in 0..MAX_OWNERS {
            if self.record().is_ours(meta(&object, "uid")) {
                return Ok(true);
            }
            let Some(owner) = owner(&object) else { return Ok(false) };
            match self.read(&owner).await? {
                Some(found) => object = found,
                None => return Ok(false),
            }
        }
        Ok(false)
    }

    async fn delete_all(&self, collection: &Place, request: Request<Body>) -> anyhow::Result<Response<Body>> {
        let list = Request::get(request.uri().clone()).body(Vec::new())?;
        let found: Value = self.inner.request(list).await?;
        match items(&found["items"]).iter().find(|item| !self.record().is_ours(meta(item, "uid"))) {
            Some(item) => Ok(refused(&theirs(&collection.named(meta(item, "name"))))),
            None => Ok(self.inner.send(request).await?),
        }
    }

    async fn read(&self, place: &Place) -> anyhow::Result<Option<Value>> {
        read(&self.inner, place).await
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The controller of an object, where it is one of the built-in ones.
fn owner(object: &Value) -> Option<Place> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    let owner = owners.iter().find(|owner| owner["controller"] == true)?;
    let (group, plural) = match owner["kind"].as_str()? {
        "ReplicaSet" => ("apps", "replicasets"),
        "Deployment" => ("apps", "deployments"),
        "StatefulSet" => ("apps", "statefulsets"),
        "DaemonSet" => ("apps", "daemonsets"),
        "Job" => ("batch", "jobs"),
        _ => return None,
    };
    Some(Place::all(group, "v1", plural).within(meta(object, "namespace")).named(owner["name"].as_str()?))
}

/// A text of an object's metadata; "" where it has none of this name.
pub fn meta<'v>(object: &'v Value, field: &str) -> &'v str {
    text(&object["metadata"][field])
}

/// The object at a place; `None` when there is none, or the server has no such kind.
///
/// # Errors
/// What the server says else.
pub async fn read(client: &kube::Client, place: &Place) -> anyhow::Result<Option<Value>> {
    match client.request(Request::get(place.path()).body(Vec::new())?).await {
        Ok(value) => Ok(Some(value)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {place}")),
    }
}

/// Asks the server to delete the object at a place if it is still the one of this uid. Whether it is on its way out now; not, if it had
/// gone already or another one has its name.
///
/// # Errors
/// What the server says else.
pub async fn delete(client: &kube::Client, place: &Place, uid: &str) -> anyhow::Result<bool> {
    let mut options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background",
        "preconditions": {"uid": uid}});
    if place.plural == "pods" {
        options["gracePeriodSeconds"] = json!(1);
    }
    let request = Request::delete(place.path()).header("content-type", "application/json").body(serde_json::to_vec(&options)?)?;
    match client.request::<Value>(request).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A request with its body in memory, and the body as a value (`null` where it is no JSON).
///
/// # Errors
/// It is longer than [`MAX_BODY`].
pub async fn carried(request: Request<Body>) -> Result<(Request<Body>, Value), BoxError> {
    let (parts, body) = request.into_parts();
    let bytes = http_body_util::Limited::new(body, MAX_BODY).collect().await?.to_bytes();
    let value = serde_json::from_slice(&bytes).unwrap_or_default();
    Ok((Request::from_parts(parts, Body::from(bytes.to_vec())), value))
}

/// The answer with its body in memory, and the body as a value.
///
/// # Errors
/// It is longer than so many bytes, or breaks off.
pub async fn whole(response: Response<Body>, limit: usize) -> anyhow::Result<(Response<Body>, Value)> {
    let (parts, body) = response.into_parts();
    let body = http_body_util::Limited::new(body, limit).collect().await;
    let bytes = body.map_err(|error| anyhow::anyhow!("the server's answer broke off: {error}"))?.to_bytes();
    let value = serde_json::from_slice(&bytes).unwrap_or_default();
    Ok((Response::from_parts(parts, Body::from(bytes.to_vec())), value))
}

fn outside_rules(place: &Place) -> String {
    format!("{place} concerns everybody on this cluster; the lab changes it only with --allow-mesh-config")
}

fn theirs(place: &Place) -> String {
    format!("{place} was not made by this lab, and the lab deletes only what it made; your own kubectl can")
}

/// The answer for what the lab does not do, in the form of the server's own refusals.
fn refused(sentence: &str) -> Response<Body> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Forbidden",
        "message": format!("egress-lab: {sentence}"), "code": 403});
    let body = Body::from(status.to_string().into_bytes());
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::FORBIDDEN;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
