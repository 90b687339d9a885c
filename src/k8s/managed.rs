//! Who owns which fields of an object: `metadata.managedFields`, kept by every write, and the merge of server-side apply.
//!
//! The rules are those of a real API server (structured-merge-diff's `merge.Updater` inside of `managedfields`): a write takes the
//! fields that it adds or changes, fields that vanish leave every set, an apply owns what it lists and gives up what it no longer does.

use crate::base::order::Order;
use crate::k8s::fields::Set;
use crate::k8s::typed::{self, Comparison, Type};
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// So many managers of updates are kept apart; the oldest share one entry.
const UPDATE_MANAGERS: usize = 10;
const ANCIENT: &str = "ancient-changes";
/// The manager of what was there before the first apply.
const BEFORE_APPLY: &str = "before-first-apply";

/// How a manager came by its fields. `Apply` sorts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    Apply,
    Update,
}

/// One manager and its fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub manager: String,
    pub operation: Operation,
    pub api_version: String,
    /// When it last took a field; an apply that changed nothing has none.
    pub time: Option<String>,
    /// `status`, `scale`; "" for the object itself.
    pub subresource: String,
    pub fields: Set,
}

/// Who writes.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    pub manager: &'a str,
    pub api_version: &'a str,
    pub subresource: &'a str,
    /// RFC 3339.
    pub now: &'a str,
}

/// Which part of an object a write can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Whole,
    /// Everything but the status, which is a subresource.
    Main,
    /// The status, with `metadata` also that.
    Status {
        metadata: bool,
    },
}

impl Scope {
    fn narrow(self, set: &mut Set) {
        match self {
            Scope::Whole => (),
            Scope::Main => set.remove_tree("f:status"),
            Scope::Status { metadata: true } => set.keep_trees(&["f:metadata", "f:status"]),
            Scope::Status { metadata: false } => set.keep_trees(&["f:status"]),
        }
    }
}

/// A field that another manager owns with another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// As messages name it: `"kubectl" with subresource "scale" using apps/v1`.
    pub manager: String,
    /// `.spec.replicas`.
    pub path: String,
}

/// The message of an apply that conflicts.
pub fn conflict_message(conflicts: &[Conflict]) -> String {
    if let [one] = conflicts {
        return format!("Apply failed with 1 conflict: conflict with {}: {}", one.manager, one.path);
    }
    let mut by_manager: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for conflict in conflicts {
        by_manager.entry(&conflict.manager).or_default().push(&conflict.path);
    }
    let lines = by_manager.iter().flat_map(|(manager, paths)| {
        std::iter::once(format!("conflicts with {manager}:")).chain(paths.iter().map(|path| format!("- {path}")))
    });
    format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.collect::<Vec<_>>().join("\n"))
}

/// Everybody's fields of one object, in the order in which they are stored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Managed(Vec<Entry>);

impl Managed {
    /// Reads `metadata.managedFields`.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn read(value: &Value) -> Result<Managed, String> {
        let list = match value {
            Value::Null => return Ok(Managed::default()),
            Value::Array(list) => list,
            _ => return Err("managedFields is no list".into()),
        };
        let mut managed = Managed::default();
        for entry in list {
            managed.absorb(Entry::read(entry)?);
        }
        managed.0.retain(|entry| !entry.fields.is_empty());
        Ok(managed)
    }

    /// As `metadata.managedFields`; `Null` when nobody owns anything.
    pub fn value(&self) -> Value {
        match self.0.is_empty() {
            true => Value::Null,
            false => self.0.iter().map(Entry::value).collect(),
        }
    }

    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether two states differ in their times at most.
    pub fn same_but_times(&self, other: &Managed) -> bool {
        let timeless = |managed: &Managed| -> Vec<Entry> {
            let mut entries: Vec<Entry> = managed.0.iter().map(|e| Entry { time: None, ..e.clone() }).collect();
            entries.order_by(order);
            entries
        };
        timeless(self) == timeless(other)
    }

    /// Adds an entry; the same manager's sets are united.
    fn absorb(&mut self, entry: Entry) {
        match self.0.iter_mut().find(|known| known.is_same(&entry)) {
            Some(known) => {
                known.fields.union(&entry.fields);
                known.time = entry.time.or_else(|| known.time.take());
            }
            None => self.0.push(entry),
        }
    }

    /// Takes note of a create, update or patch from `old` to `new`.
    pub fn update(&mut self, old: &Value, new: &Value, of: Type<'_>, by: &Writer<'_>, scope: Scope) {
        let changes = narrowed(old, new, of, scope);
        let mut taken = changes.added;
        taken.union(&changes.modified);
        for entry in &mut self.0 {
            entry.fields = entry.fields.difference(&taken).difference(&changes.removed);
        }
        self.0.retain(|entry| !entry.fields.is_empty());
        strip_server_fields(&mut taken);
        self.give(taken, by);
    }

    /// Takes note of a create. What `unowned` has is nobody's.
    pub fn create(&mut self, new: &Value, of: Type<'_>, by: &Writer<'_>, scope: Scope, unowned: &Set) {
        let taken = narrowed(&json!({}), new, of, scope).added;
        let mut taken = if unowned.is_empty() { taken } else { taken.difference(unowned) };
        for entry in &mut self.0 {
            entry.fields = entry.fields.difference(&taken);
        }
        self.0.retain(|entry| !entry.fields.is_empty());
        strip_server_fields(&mut taken);
        self.give(taken, by);
    }

    /// Notes that a writer took fields. Nothing taken: nothing changes.
    pub fn give(&mut self, fields: Set, by: &Writer<'_>) {
        if !fields.is_empty() {
            self.absorb(Entry { time: Some(by.now.into()), ..by.entry(Operation::Update, fields) });
            self.cap();
        }
        self.0.order_by(order);
    }

    /// Takes fields from everybody, e.g. those that another representation of the object changed.
    pub fn take(&mut self, fields: &Set) {
        for entry in &mut self.0 {
            entry.fields = entry.fields.difference(fields);
        }
        self.0.retain(|entry| !entry.fields.is_empty());
    }

    /// Merges the oldest managers of updates until there are few enough.
    fn cap(&mut self) {
        let mut updaters: Vec<Entry> = self.0.iter().filter(|e| e.operation == Operation::Update).cloned().collect();
        if updaters.len() <= UPDATE_MANAGERS {
            return;
        }
        updaters.order_by(order);
        let version = updaters[0].api_version.clone();
        let surplus = updaters.len() - UPDATE_MANAGERS;
        let oldest: Vec<Entry> = updaters.into_iter().filter(|e| e.api_version == version).take(surplus + 1).collect();
        self.0.retain(|entry| !oldest.iter().any(|old| old.is_same(entry)));
        for entry in oldest {
            self.absorb(Entry { manager: ANCIENT.into(), subresource: String::new(), ..entry });
        }
    }

    /// Applies a configuration to a live object (without `managedFields`). Gives the merged object, `None` when the object stays as
    /// it is.
    ///
    /// # Errors
    /// The fields that others own with other values, unless forced.
    pub fn apply(
        &mut self,
        live: &Value,
        config: &Value,
        of: Type<'_>,
        by: &Writer<'_>,
        scope: Scope,
        force: bool,
    ) -> Result<Option<Value>, Vec<Conflict>> {
        if self.is_empty() && !live.is_null() {
            self.update(&json!({}), live, of, &Writer { manager: BEFORE_APPLY, subresource: "", ..*by }, scope);
        }
        let mut others = self.clone();
        others.0.iter_mut().for_each(|entry| entry.fields = typed::settled(&entry.fields, of));
        let mut fields = typed::field_set(config, of);
        scope.narrow(&mut fields);
        let mut own = by.entry(Operation::Apply, fields);
        let last = others.0.iter().position(|entry| entry.is_same(&own)).map(|at| others.0.remove(at));
        let merged = typed::merge(live, config, of);
        let merged = match &last {
            Some(last) => pruned(&merged, &last.fields, &own.fields, &others, of),
            None => merged,
        };
        let changes = narrowed(live, &merged, of, scope);
        let mut taken = changes.added;
        taken.union(&changes.modified);
        let conflicts = others.conflicts(&taken);
        if !force && !conflicts.is_empty() {
            return Err(conflicts);
        }
        others.take(&taken);
        others.take(&changes.removed);
        let changed = merged != *live;
        own.time = if changed { Some(by.now.into()) } else { last.and_then(|last| last.time) };
        strip_server_fields(&mut own.fields);
        if !own.fields.is_empty() {
            others.0.push(own);
        }
        others.0.order_by(order);
        *self = others;
        Ok(changed.then_some(merged))
    }

    fn conflicts(&self, taken: &Set) -> Vec<Conflict> {
        let of = |entry: &Entry| {
            let manager = entry.shown();
            let paths = entry.fields.intersection(taken).paths();
            paths.into_iter().map(|path| Conflict { manager: manager.clone(), path }).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of).collect()
    }
}

/// What changed in the part of an object that a write can change.
fn narrowed(old: &Value, new: &Value, of: Type<'_>, scope: Scope) -> Comparison {
    let mut changes = typed::compare(old, new, of);
    for set in [&mut changes.added, &mut changes.removed, &mut changes.modified] {
        scope.narrow(set);
    }
    changes
}

/// The merged object without what its applier listed last time and lists no more, unless somebody else owns it too.
fn pruned(merged: &Value, last: &Set, own: &Set, others: &Managed, of: Type<'_>) -> Value {
    let named = |set: &Set| typed::named_members(set, of);
    let last = named(last);
    let all = named(&typed::field_set(merged, of));
    let mut kept = own.clone();
    others.0.iter().for_each(|entry| kept.union(&entry.fields));
    let mut kept = named(&kept);
    let cut = typed::without(merged, &last, of);
    kept.union(&named(&typed::field_set(&cut, of)));
    let restored = typed::without(merged, &all.difference(&kept), of);
    let gone = all.difference(&named(&typed::field_set(&restored, of))).intersection(&last);
    typed::without(merged, &gone, of)
}

/// Fields that nobody owns: the object's identity and what only the server sets.
fn strip_server_fields(set: &mut Set) {
    let top = set.top();
    if ["f:apiVersion", "f:kind", "f:metadata"].iter().all(|element| !top.contains_key(*element)) {
        return;
    }
    let mut server = Set::default();
    for top in ["f:apiVersion", "f:kind", "f:metadata"] {
        server.insert(&[top]);
    }
    for field in [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ] {
        server.insert(&["f:metadata", &format!("f:{field}")]);
    }
    *set = set.difference(&server);
}

/// The order of `managedFields`: applies first, then by time, then by name.
fn order(a: &Entry, b: &Entry) -> Ordering {
    let key = |e: &Entry| (e.operation, e.time.clone().unwrap_or_default());
    let name = |e: &Entry| (e.manager.clone(), e.api_version.clone(), e.subresource.clone());
    key(a).cmp(&key(b)).then_with(|| name(a).cmp(&name(b)))
}

impl Writer<'_> {
    fn entry(&self, operation: Operation, fields: Set) -> Entry {
        let manager = if self.manager.is_empty() { "unknown" } else { self.manager };
        Entry {
            manager: manager.into(),
            operation,
            api_version: self.api_version.into(),
            time: None,
            subresource: self.subresource.into(),
            fields,
        }
    }
}

impl Entry {
    fn read(value: &Value) -> Result<Entry, String> {
        let text = |field: &str| value[field].as_str().unwrap_or("").to_string();
        let operation = match value["operation"].as_str() {
            Some("Apply") => Operation::Apply,
            Some("Update") => Operation::Update,
            _ => return Err("operation is neither Apply nor Update".into()),
        };
        let fields = match &value["fieldsV1"] {
            Value::Null => Set::default(),
            fields => Set::read(fields)?,
        };
        let time = value["time"].as_str().map(String::from);
        let api_version = text("apiVersion");
        Ok(Entry { manager: text("manager"), operation, api_version, time, subresource: text("subresource"), fields })
    }

    fn value(&self) -> Value {
        let operation = if self.operation == Operation::Apply { "Apply" } else { "Update" };
        let mut entry = json!({"manager": self.manager, "operation": operation, "apiVersion": self.api_version,
                               "fieldsType": "FieldsV1", "fieldsV1": self.fields.value()});
        if let Some(time) = &self.time {
            entry["time"] = json!(time);
        }
        if !self.subresource.is_empty() {
            entry["subresource"] = json!(self.subresource);
        }
        entry
    }

    /// Appliers are told apart by name, updaters also by the version they write.
    fn is_same(&self, other: &Entry) -> bool {
        let version = self.operation == Operation::Apply || self.api_version == other.api_version;
        version && (&self.manager, self.operation, &self.subresource) == (&other.manager, other.operation, &other.subresource)
    }

    /// As conflicts name it.
    fn shown(&self) -> String {
        let mut text = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if self.operation == Operation::Update {
            text.push_str(&format!(" using {}", self.api_version));
        }
        text
    }
}

#[cfg(test)]
mod tests;
