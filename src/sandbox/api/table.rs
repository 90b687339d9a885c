//! Tables: what `kubectl get` prints is made here.

use crate::base::clock::Time;
use crate::base::duration::human;
use crate::k8s::Object;
use crate::sandbox::api::columns;
use crate::sandbox::api::registry::Resource;
use crate::sandbox::world::View;
use serde_json::{Value, json};
use std::sync::LazyLock;

static COLUMNS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../assets/kubernetes/table-columns.json")).unwrap_or(Value::Null));

/// A `meta.k8s.io/v1` Table of objects. `include`: the query's includeObject. Without `with_columns` the definitions are null.
pub fn table(
    world: &View,
    resource: &Resource,
    objects: &[&Object],
    meta: Value,
    include: Option<&str>,
    with_columns: bool,
) -> Value {
    let definitions = definitions(resource);
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let shown = match include {
                Some("None") => Value::Null,
                Some("Object") => resource.shown(object).0,
                _ => super::negotiate::metadata_only(object),
            };
            json!({"cells": cells(world, resource, object), "object": shown})
        })
        .collect();
    let columns = if with_columns { definitions } else { Value::Null };
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "columnDefinitions": columns, "rows": rows})
}

fn definitions(resource: &Resource) -> Value {
    if let Some(version) = resource.custom.as_ref().and_then(|custom| custom.version(&resource.version)) {
        let name = json!({"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0});
        let own = version.columns.iter().map(|column| {
            json!({"name": column.name, "type": column.kind, "format": column.format, "description": column.description,
                   "priority": column.priority})
        });
        return std::iter::once(name).chain(own).collect();
    }
    let named = match (resource.group.as_str(), resource.plural.as_str()) {
        ("events.k8s.io", _) => "events",
        (_, "horizontalpodautoscalers") => "hpa",
        (_, "poddisruptionbudgets") => "pdb",
        (_, "certificatesigningrequests") => "csr",
        (_, plural) => plural,
    };
    let known = &COLUMNS[named];
    let age = || json!([{"name": "Name", "type": "string", "format": "name", "priority": 0}, {"name": "Age", "type": "string", "format": "", "priority": 0}]);
    let mut columns = if known.is_null() { age() } else { known.clone() };
    for column in columns.as_array_mut().into_iter().flatten() {
        column["description"] = json!("");
    }
    columns
}

fn cells(world: &View, resource: &Resource, object: &Object) -> Vec<Value> {
    let now = world.now();
    let mut cells = vec![json!(object.name())];
    match resource.custom.as_ref().and_then(|custom| custom.version(&resource.version)) {
        Some(version) => cells.extend(version.columns.iter().map(|column| column.cell(object, now))),
        None => return columns::cells(world, &resource.plural, object),
    }
    cells
}

/// The age of a moment as the API server writes it (k8s.io/apimachinery duration.HumanDuration).
pub fn age(text: &str, now: Time) -> String {
    let Some(time) = Time::parse(text) else { return "<unknown>".into() };
    if time > now.plus_ms(1_999) {
        return "<invalid>".into();
    }
    human(now.since(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recorded_table_gives_name_first() {
        for (kind, columns) in COLUMNS.as_object().expect("columns") {
            let first = columns[0]["name"].as_str();
            assert!(matches!(first, Some("Name" | "Last Seen")), "{kind}");
        }
    }
}
