//! ControllerRevisions: the templates that a StatefulSet or DaemonSet has had, numbered.

use super::owners::{controller_ref, number};
use super::pods::{Children, template_hash};
use crate::base::order::Order;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::Action;
use serde_json::{Value, json};
use std::sync::Arc;

/// One look at every set of a kind that stays, with the pods and the revisions that sets control, gathered once for all.
pub fn each(state: &Snapshot, kind: &str, step: impl Fn(&Children<'_>, &Children<'_>, &Object) -> Vec<Action>) -> Vec<Action> {
    let mut sets = state.list("apps", kind).peekable();
    if sets.peek().is_none() {
        return Vec::new();
    }
    let (pods, kept) = (Children::of(state, "", "Pod"), Children::of(state, "apps", "ControllerRevision"));
    sets.filter(|set| !set.is_terminating()).flat_map(|set| step(&pods, &kept, set)).collect()
}

/// The revisions of one owner.
pub struct History<'a> {
    /// Oldest number first.
    pub all: Vec<&'a Arc<Object>>,
    /// The one with the owner's template.
    pub update: Option<&'a Arc<Object>>,
}

impl<'a> History<'a> {
    /// The revisions of `owner`.
    pub fn of(children: &Children<'a>, owner: &Object) -> History<'a> {
        let mut all = children.under(owner).to_vec();
        all.order_by_key(|r| revision(r));
        let wanted = data(owner);
        let update = all.iter().rev().copied().find(|r| *r.at(&["data"]) == wanted);
        History { all, update }
    }

    /// What brings the newest revision in line with the template: one more, or an old one that counts as newest again.
    pub fn advance(&self, owner: &Object, label: &str) -> Option<Action> {
        let newest = self.all.last().map_or(0, |r| revision(r));
        match self.update {
            Some(known) if revision(known) == newest => None,
            Some(known) => {
                let mut again = Object::clone(known);
                again.set(&["revision"], json!(newest + 1));
                Some(Action::Update(again))
            }
            None => Some(Action::Create(self.fresh(owner, label, newest + 1))),
        }
    }

    fn fresh(&self, owner: &Object, label: &str, revision: i64) -> Object {
        let template = owner.at(&["spec", "template"]);
        let name = |n: u32| format!("{}-{}", owner.name(), template_hash(template, n));
        let taken = |n: &u32| self.all.iter().any(|r| r.name() == name(*n));
        let nth = (0..1000).find(|n| !taken(n)).unwrap_or(1000);
        let mut labels = template["metadata"]["labels"].clone();
        labels[label] = json!(template_hash(template, nth));
        let mut object = Object(json!({
            "apiVersion": "apps/v1", "kind": "ControllerRevision",
            "metadata": {"name": name(nth), "namespace": owner.namespace(), "labels": labels,
                         "ownerReferences": [controller_ref(owner)]},
            "data": data(owner), "revision": revision,
        }));
        let annotations = owner.at(&["metadata", "annotations"]);
        if annotations.as_object().is_some_and(|map| !map.is_empty()) {
            object.set(&["metadata", "annotations"], annotations.clone());
        }
        object
    }

    /// Deletes revisions that no pod has, beyond `revisionHistoryLimit`, oldest first. `live`: names of revisions in use.
    pub fn forget(&self, owner: &Object, live: &dyn Fn(&Object) -> bool) -> Vec<Action> {
        let limit = number(owner, &["spec", "revisionHistoryLimit"], 10).max(0) as usize;
        let idle: Vec<_> = self.all.iter().filter(|r| self.update.is_none_or(|u| u.name() != r.name()) && !live(r)).collect();
        let extra = idle.len().saturating_sub(limit);
        idle.into_iter().take(extra).filter(|r| !r.is_terminating()).map(|r| Action::Delete(r.key())).collect()
    }

    /// The revision of this name.
    pub fn named(&self, name: &str) -> Option<&'a Arc<Object>> {
        self.all.iter().copied().find(|r| r.name() == name)
    }
}

/// The number of a revision.
pub fn revision(object: &Object) -> i64 {
    number(object, &["revision"], 0)
}

/// The pod template that a revision keeps.
pub fn template(revision: &Object) -> Value {
    let mut template = revision.at(&["data", "spec", "template"]).clone();
    if let Some(map) = template.as_object_mut() {
        map.remove("$patch");
    }
    template
}

fn data(owner: &Object) -> Value {
    let mut template = owner.at(&["spec", "template"]).clone();
    template["$patch"] = json!("replace");
    json!({"spec": {"template": template}})
}
