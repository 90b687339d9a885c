//! Objects as they go out, written without copying them first where their version is the one that was asked for.

use crate::k8s::{Object, encode};
use crate::sandbox::api::registry::Resource;
use crate::sandbox::call::Answer;
use serde_json::{Value, json};
use std::sync::Arc;

/// An object as JSON, in the version that a request asked for.
pub fn object(resource: &Resource, object: &Object) -> Vec<u8> {
    match object.kind() == resource.kind && object.api_version() == resource.api_version() {
        true => encode::to_vec(&object.0),
        false => encode::to_vec(&resource.shown(object).0),
    }
}

/// An item of a list: those of built-in kinds come without kind and apiVersion, as from a real server.
fn item(resource: &Resource, stored: &Object, out: &mut Vec<u8>) {
    let bytes = object(resource, stored);
    let bytes = bytes.trim_ascii_end();
    let own = format!("{{\"kind\":\"{}\",\"apiVersion\":\"{}\",", resource.kind, resource.api_version());
    match bytes.strip_prefix(own.as_bytes()).filter(|_| resource.builtin.is_some()) {
        Some(rest) => {
            out.push(b'{');
            out.extend_from_slice(rest);
        }
        None if resource.builtin.is_some() => {
            let mut bare = stored.clone();
            bare.remove(&["kind"]);
            bare.remove(&["apiVersion"]);
            out.extend_from_slice(encode::to_vec(&bare.0).trim_ascii_end());
        }
        None => out.extend_from_slice(bytes),
    }
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
    /// What comes before the items, and after them.
    head: Vec<u8>,
    tail: Vec<u8>,
    objects: std::vec::IntoIter<Arc<Object>>,
    begun: bool,
    over: bool,
}

/// Bytes of a piece, more or less.
const PIECE: usize = 64 * 1024;

impl Pieces {
    /// A list of objects with its metadata.
    pub fn new(resource: &Resource, objects: Vec<Arc<Object>>, meta: Value) -> Pieces {
        const ITEMS: &[u8] = b"\"items\":[";
        let list = json!({"kind": resource.list_kind, "apiVersion": resource.api_version(), "metadata": meta, "items": []});
        let mut head = encode::to_vec(&list);
        let at = head.windows(ITEMS.len()).position(|here| here == ITEMS).map_or(head.len(), |at| at + ITEMS.len());
        let tail = head.split_off(at);
        Pieces { resource: resource.clone(), head, tail, objects: objects.into_iter(), begun: false, over: false }
    }
}

impl Iterator for Pieces {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.over {
            return None;
        }
        let mut bytes = std::mem::take(&mut self.head);
        while bytes.len() < PIECE {
            let Some(object) = self.objects.next() else {
                bytes.append(&mut self.tail);
                self.over = true;
                break;
            };
            if std::mem::replace(&mut self.begun, true) {
                bytes.push(b',');
            }
            item(&self.resource, &object, &mut bytes);
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
    line.extend_from_slice(object.trim_ascii_end());
    line.extend_from_slice(b"}\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::api::registry::{self, CrdCache};

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
