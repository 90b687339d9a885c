//! Objects as they go out, written without copying them first.

use crate::k8s::Object;
use crate::sandbox::api::registry::Resource;
use crate::sandbox::call::Answer;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::sync::Arc;

/// An object in the version that a request asked for.
pub struct Shown<'a> {
    object: &'a Object,
    api_version: &'a str,
    kind: &'a str,
    /// An item of a list of built-in kinds has neither kind nor version of its own.
    bare: bool,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let members = self.object.0.as_object();
        let mut map = to.serialize_map(None)?;
        let own = |key: &str| matches!(key, "apiVersion" | "kind");
        if !self.bare {
            map.serialize_entry("apiVersion", self.api_version)?;
            map.serialize_entry("kind", self.kind)?;
        }
        for (key, value) in members.into_iter().flatten().filter(|(key, _)| !own(key)) {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// A list of objects as JSON. Items of built-in kinds come without kind and apiVersion, as from a real server.
struct List<'a> {
    resource: &'a Resource,
    api_version: &'a str,
    objects: &'a [Arc<Object>],
    meta: &'a Value,
}

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(4))?;
        map.serialize_entry("kind", &self.resource.list_kind)?;
        map.serialize_entry("apiVersion", self.api_version)?;
        map.serialize_entry("metadata", self.meta)?;
        map.serialize_entry("items", &Items(self))?;
        map.end()
    }
}

struct Items<'a>(&'a List<'a>);

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let List { resource, api_version, objects, .. } = self.0;
        let bare = resource.builtin.is_some();
        to.collect_seq(objects.iter().map(|object| Shown { object, api_version, kind: &resource.kind, bare }))
    }
}

/// An object as JSON.
pub fn object(resource: &Resource, object: &Object) -> Vec<u8> {
    let shown = Shown { object, api_version: &resource.api_version(), kind: &resource.kind, bare: false };
    serde_json::to_vec(&shown).unwrap_or_default()
}

/// The answer with a list of objects as JSON: the whole, or the first piece of a long one and those that follow.
pub fn list(resource: &Resource, objects: Vec<Arc<Object>>, meta: Value) -> (Answer, Option<Pieces>) {
    let mut pieces = Pieces::new(resource, objects, meta);
    let first = json(200, pieces.next().unwrap_or_default());
    let more = (!pieces.over).then_some(pieces);
    (first, more)
}

/// A long list as JSON, written piece by piece as fast as the client reads: a list of everything is never in memory as a whole.
pub struct Pieces {
    resource: Resource,
    api_version: String,
    head: Option<Value>,
    objects: std::vec::IntoIter<Arc<Object>>,
    begun: bool,
    over: bool,
}

/// Bytes of a piece, more or less.
const PIECE: usize = 64 * 1024;

impl Pieces {
    /// A list of objects with its metadata.
    pub fn new(resource: &Resource, objects: Vec<Arc<Object>>, meta: Value) -> Pieces {
        let api_version = resource.api_version();
        let (objects, head) = (objects.into_iter(), Some(meta));
        Pieces { resource: resource.clone(), api_version, head, objects, begun: false, over: false }
    }

    fn begin(&self, meta: &Value) -> Vec<u8> {
        let list = List { resource: &self.resource, api_version: &self.api_version, objects: &[], meta };
        let mut bytes = serde_json::to_vec(&list).unwrap_or_default();
        // Without the end of the items and of the list.
        bytes.truncate(bytes.len().saturating_sub(2));
        bytes
    }
}

impl Iterator for Pieces {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.over {
            return None;
        }
        let mut bytes = self.head.take().map(|meta| self.begin(&meta)).unwrap_or_default();
        let bare = self.resource.builtin.is_some();
        while bytes.len() < PIECE {
            let Some(object) = self.objects.next() else {
                bytes.extend_from_slice(b"]}");
                self.over = true;
                break;
            };
            if std::mem::replace(&mut self.begun, true) {
                bytes.push(b',');
            }
            let shown = Shown { object: &object, api_version: &self.api_version, kind: &self.resource.kind, bare };
            bytes.extend(serde_json::to_vec(&shown).unwrap_or_default());
        }
        Some(bytes)
    }
}

/// A JSON answer of bytes.
pub fn json(status: u16, body: Vec<u8>) -> Answer {
    let headers = vec![("content-type".to_string(), "application/json".to_string())];
    Answer { status, headers, body }
}

/// One line of a watch: the type of the event, and an object as JSON.
pub fn event(kind: &str, object: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(object.len() + 40);
    line.extend_from_slice(b"{\"type\":\"");
    line.extend_from_slice(kind.as_bytes());
    line.extend_from_slice(b"\",\"object\":");
    line.extend_from_slice(object);
    line.extend_from_slice(b"}\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::api::registry::{self, CrdCache};
    use serde_json::json;

    #[test]
    fn what_is_written_is_what_a_copy_would_be() {
        let resource =
            registry::by_plural(&CrdCache::default(), "autoscaling", "v1", "horizontalpodautoscalers").expect("built in");
        let stored = Object(
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}, "spec": {}}),
        );
        let read = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).expect("JSON") };
        assert_eq!(read(&object(&resource, &stored)), resource.shown(&stored).0);
        let (listed, more) = list(&resource, vec![Arc::new(stored)], json!({"resourceVersion": "5"}));
        assert!(more.is_none());
        assert_eq!(
            read(&listed.body),
            json!({"kind": "HorizontalPodAutoscalerList", "apiVersion": "autoscaling/v1", "metadata": {"resourceVersion": "5"},
                   "items": [{"metadata": {"name": "a"}, "spec": {}}]})
        );
        let many: Vec<Arc<Object>> = (0..3_000)
            .map(|n| {
                Arc::new(Object(json!({"kind": "X", "metadata": {"name": n.to_string()}, "spec": {"text": "x".repeat(100)}})))
            })
            .collect();
        for objects in [&many[..], &many[..1], &[]] {
            let (first, more) = list(&resource, objects.to_vec(), json!({"resourceVersion": "5"}));
            let pieces: Vec<Vec<u8>> = std::iter::once(first.body).chain(more.into_iter().flatten()).collect();
            assert_eq!(pieces.len() > 1, objects.len() > 1);
            assert!(pieces.iter().all(|piece| piece.len() < PIECE + 1_000));
            let items: Vec<Value> = objects.iter().map(|o| json!({"metadata": o.0["metadata"], "spec": o.0["spec"]})).collect();
            assert_eq!(read(&pieces.concat())["items"], json!(items));
        }
        assert_eq!(event("ADDED", b"{}"), b"{\"type\":\"ADDED\",\"object\":{}}\n");
    }
}
