//! A request as it can be asked several times, and what its kind allows.

use crate::lab::env::cluster::path::Target;
use bytes::Bytes;
use http::{Method, Request, header};
use kube::client::Body;
use serde_json::Value;

/// A request that can be made again.
pub struct Asked {
    head: http::request::Parts,
    body: Bytes,
    repeat: Repeat,
}

/// When a request may be asked again of which nobody knows whether the server did it. One that the server refused may always.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repeat {
    /// Done twice is done once: reads, server-side apply, most patches, deletion of one uid.
    Freely,
    /// Creation of a named object: only when nothing is at this path.
    Missing { path: String },
    /// A change that names the version it starts from: only while the object has it.
    Unchanged,
    /// Deletion: only while the same object (by uid) is there.
    WhileThere,
    /// Never: a command in a pod, a generated name, an eviction.
    WhenRefused,
}

impl Asked {
    pub fn new(head: http::request::Parts, body: Bytes) -> Asked {
        let repeat = repeat(&head, &body);
        Asked { head, body, repeat }
    }

    pub fn repeat(&self) -> Repeat {
        self.repeat.clone()
    }

    /// The request once more.
    pub fn request(&self) -> Request<Body> {
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.method_mut() = self.head.method.clone();
        *request.uri_mut() = self.head.uri.clone();
        *request.headers_mut() = self.head.headers.clone();
        request
    }

    /// A read of the object at a path, with the same wishes for the answer's form.
    pub fn look(&self, path: &str) -> Asked {
        let mut request = Request::new(());
        *request.uri_mut() = path.parse().unwrap_or_else(|_| self.head.uri.clone());
        request.headers_mut().insert(header::ACCEPT, http::HeaderValue::from_static("application/json"));
        Asked { head: request.into_parts().0, body: Bytes::new(), repeat: Repeat::Freely }
    }

    pub fn path(&self) -> String {
        self.head.uri.path().to_string()
    }

    /// The last word of the path.
    pub fn name(&self) -> String {
        self.path().rsplit('/').next().unwrap_or("").to_string()
    }

    /// `GET /api/v1/pods`: for people.
    pub fn line(&self) -> String {
        format!("{} {}", self.head.method, self.head.uri.path())
    }

    /// The object that was sent.
    pub fn object(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn is_upgrade(&self) -> bool {
        self.head.headers.contains_key(header::UPGRADE)
    }

    pub fn is_watch(&self) -> bool {
        has(&self.head, "watch", &["true", "1"])
    }

    pub fn is_delete(&self) -> bool {
        self.head.method == Method::DELETE
    }

    /// Whether the answer goes on as long as somebody reads it.
    pub fn is_stream(&self) -> bool {
        self.is_watch() || has(&self.head, "follow", &["true", "1"])
    }
}

fn has(head: &http::request::Parts, name: &str, values: &[&str]) -> bool {
    let pairs = head.uri.query().unwrap_or("").split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().any(|(key, value)| key == name && values.contains(&value))
}

fn repeat(head: &http::request::Parts, body: &Bytes) -> Repeat {
    if head.headers.contains_key(header::UPGRADE) {
        return Repeat::WhenRefused;
    }
    if has(head, "dryRun", &["All"]) {
        return Repeat::Freely;
    }
    let sent: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    match head.method {
        Method::GET | Method::HEAD | Method::OPTIONS => Repeat::Freely,
        Method::POST => creation(head.uri.path(), &sent),
        Method::PUT if sent["metadata"]["resourceVersion"].is_string() => Repeat::Unchanged,
        Method::PUT => Repeat::Freely,
        Method::PATCH => patch(head, &sent),
        Method::DELETE if !names_object(head.uri.path()) => Repeat::WhenRefused,
        Method::DELETE if sent["preconditions"]["uid"].is_string() => Repeat::Freely,
        Method::DELETE => Repeat::WhileThere,
        _ => Repeat::WhenRefused,
    }
}

/// A review only asks; a named object can be looked for; anything else may have been made, and nobody would know.
fn creation(path: &str, sent: &Value) -> Repeat {
    let last = path.rsplit('/').next().unwrap_or("");
    let meta = &sent["metadata"];
    match meta["name"].as_str().filter(|name| !name.is_empty()) {
        _ if last.ends_with("reviews") => Repeat::Freely,
        Some(name) if !names_object(path) => Repeat::Missing { path: format!("{path}/{name}") },
        _ => Repeat::WhenRefused,
    }
}

fn patch(head: &http::request::Parts, sent: &Value) -> Repeat {
    let form = head.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    match form {
        "application/json-patch+json" => match sent.as_array().is_some_and(|ops| ops.iter().all(is_repeatable)) {
            true => Repeat::Freely,
            false => Repeat::WhenRefused,
        },
        _ if form.starts_with("application/apply-patch") => Repeat::Freely,
        _ if sent["metadata"]["resourceVersion"].is_string() => Repeat::Unchanged,
        _ => Repeat::Freely,
    }
}

/// Whether an operation of a JSON patch does nothing the second time: what is inserted into or taken from a list would move the rest.
fn is_repeatable(op: &Value) -> bool {
    let last = op["path"].as_str().and_then(|path| path.rsplit('/').next()).unwrap_or("");
    let in_list = last == "-" || last.parse::<u64>().is_ok();
    match op["op"].as_str().unwrap_or("") {
        "replace" => true,
        "add" => !in_list,
        _ => false,
    }
}

/// Whether a path names one object (or something below it) rather than a collection.
fn names_object(path: &str) -> bool {
    Target::parse(path).is_some_and(|target| !target.place.name.is_empty())
}
