//! Objects that appeared, while a lesson was open, where it works, and that the lab did not make: most likely the learner's own, made
//! with another kubectl. They are listed and asked about, never deleted unasked.
//!
//! What was there is listed before the first write, and again when somebody asks: what comes and goes in between needs no cleaning up.

use super::path::Place;
use super::record::{Made, Record};
use super::scribe::{meta, read};
use super::sweep::comes_by_itself;
use crate::k8s::object::{items, text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// Notes what is in these collections now, unless it was noted before.
///
/// # Errors
/// The server cannot be read, or the record not written.
pub async fn note(
    client: &kube::Client,
    record: &Arc<Mutex<Record>>,
    collections: impl Iterator<Item = Place>,
) -> anyhow::Result<()> {
    let known = record.lock().unwrap_or_else(|p| p.into_inner()).baseline().0.clone();
    let new: BTreeSet<Place> = collections.filter(|place| !known.contains(place)).collect();
    let mut uids = Vec::new();
    for collection in &new {
        uids.extend(listed(client, collection).await?.iter().map(|item| meta(item, "uid").to_string()));
    }
    match new.is_empty() {
        true => Ok(()),
        false => record.lock().unwrap_or_else(|p| p.into_inner()).sees(new.into_iter().collect(), uids),
    }
}

/// Those that came since, as if they had been made.
///
/// # Errors
/// The server cannot be read.
pub async fn found(client: &kube::Client, record: &Arc<Mutex<Record>>) -> anyhow::Result<Vec<Made>> {
    let (collections, before) = {
        let record = record.lock().unwrap_or_else(|p| p.into_inner());
        let (collections, uids) = record.baseline();
        let ours = record.made().iter().map(|made| made.uid.clone());
        (collections.clone(), uids.iter().cloned().chain(ours).collect::<BTreeSet<String>>())
    };
    let mut found = Vec::new();
    for collection in &collections {
        for item in listed(client, collection).await? {
            let uid = meta(&item, "uid");
            let going = !item["metadata"]["deletionTimestamp"].is_null();
            if !before.contains(uid) && !going && !comes_by_itself(collection, &item) {
                let kind = text(&item["kind"]).to_string();
                found.push(Made { place: collection.named(meta(&item, "name")), kind, uid: uid.into(), body: Value::Null });
            }
        }
    }
    Ok(found)
}

async fn listed(client: &kube::Client, collection: &Place) -> anyhow::Result<Vec<Value>> {
    Ok(read(client, collection).await?.map(|list| items(&list["items"]).to_vec()).unwrap_or_default())
}
