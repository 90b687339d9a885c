//! Watches: cursors over the store's changes.

use crate::base::clock::Time;
use crate::k8s::encode;
use crate::k8s::{Kind, Object};
use crate::sandbox::Pace;
use crate::sandbox::api::negotiate::{self, Form};
use crate::sandbox::api::read::{self, Selection};
use crate::sandbox::api::registry::{self, Resource};
use crate::sandbox::api::route::Target;
use crate::sandbox::api::{shown, table};
use crate::sandbox::call::{Call, Refusal, StreamOutput};
use crate::sandbox::store::Change;
use crate::sandbox::world::View;
use serde_json::{Value, json};
use std::sync::Arc;

/// The most bytes that one poll gives.
const CHUNK: usize = 64 * 1024;
/// How often a watch that allows bookmarks gets one, in milliseconds.
const BOOKMARK_EVERY_MS: i64 = 60_000;

/// An open watch.
pub struct Watch {
    resource: Resource,
    selection: Selection,
    form: Form,
    include: Option<String>,
    /// Changes up to this version were sent.
    version: u64,
    /// Objects to send before the changes.
    first: std::vec::IntoIter<Arc<Object>>,
    /// The bookmark that ends the first part, if it is still to be sent.
    opening: Option<u64>,
    bookmarks: bool,
    next_bookmark: Time,
    /// When the client asked it to end (wall and instant clocks alike).
    ends: Option<Time>,
    columns_sent: bool,
    expired: Option<u64>,
}

/// Which changes somebody wants to hear of: of a kind, in a namespace, of a name; "" is any, no kind is everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interest {
    pub kind: Option<Kind>,
    pub namespace: String,
    pub name: String,
}

/// Opens a watch.
///
/// # Errors
/// What is wrong with the query.
pub fn open(world: &View, call: &Call, target: &Target) -> Result<Watch, Refusal> {
    let form = negotiate::form(call)?;
    read::check_options(call, true)?;
    let mut selection = Selection::read(call, target)?;
    if !target.name.is_empty() {
        let text = format!("metadata.name={}", target.name);
        selection.fields.0.extend(crate::k8s::selector::FieldSelector::parse(&text).map_err(Refusal::bad_request)?.0);
    }
    let asked = read::page::resource_version(call)?.filter(|version| *version > 0);
    let initial = call.flag("sendInitialEvents");
    let seconds = read::page::number(call, "timeoutSeconds")?.filter(|s| *s > 0);
    let mut watch = Watch {
        resource: target.resource.clone(),
        selection,
        form,
        include: call.param("includeObject").map(String::from),
        version: asked.filter(|_| !initial).unwrap_or_else(|| world.revision()),
        first: Vec::new().into_iter(),
        opening: None,
        bookmarks: call.flag("allowWatchBookmarks"),
        next_bookmark: world.now().plus_ms(BOOKMARK_EVERY_MS),
        ends: seconds.map(|s| world.now().plus_ms(s.saturating_mul(1000))),
        columns_sent: false,
        expired: None,
    };
    if asked.is_none() || initial {
        watch.first = read::select(world, &watch.resource, &watch.selection).into_iter();
    }
    if initial && watch.bookmarks {
        watch.opening = Some(world.revision());
    }
    if watch.version < world.store.forgotten() {
        watch.expired = Some(watch.version);
    }
    Ok(watch)
}

impl Watch {
    /// The next bytes of the answer.
    pub fn poll(&mut self, world: &View) -> StreamOutput {
        if let Some(version) = self.expired {
            return self.end_expired(world, version);
        }
        if self.first.len() > 0 {
            return StreamOutput::Body(self.first_part(world));
        }
        if let Some(version) = self.opening.take() {
            return StreamOutput::Body(self.bookmark(version, true));
        }
        let kind = self.resource.stored_kind();
        let Some(changes) = world.store.since_of(&kind, self.version) else { return self.end_expired(world, self.version) };
        let mut out = Vec::new();
        for change in changes {
            if out.len() > CHUNK {
                return StreamOutput::Body(out);
            }
            self.version = change.version;
            out.extend(self.change(world, change));
        }
        self.version = self.version.max(world.revision());
        if out.is_empty() && self.is_gone(world) {
            return StreamOutput::End;
        }
        if out.is_empty() { self.idle(world) } else { StreamOutput::Body(out) }
    }

    /// Whether the kind is served no more.
    fn is_gone(&self, view: &View) -> bool {
        let (group, version, plural) = (&self.resource.group, &self.resource.version, &self.resource.plural);
        self.resource.custom.is_some() && registry::by_plural(&view.crds, group, version, plural).is_none()
    }

    /// Some of the objects that were there when the watch began: as many as fit.
    fn first_part(&mut self, world: &View) -> Vec<u8> {
        let mut out = Vec::new();
        while out.len() < CHUNK
            && let Some(object) = self.first.next()
        {
            out.extend(self.event(world, "ADDED", &object));
        }
        out
    }

    /// Whose changes it has to hear of.
    pub fn interest(&self, world: &View) -> Interest {
        // A logical clock moves with every commit, and the client's time may run out with it.
        if self.ends.is_some() && !matches!(world.pace(), Pace::Wall { .. }) {
            return Interest::default();
        }
        // Its kind may go, too.
        if self.resource.custom.is_some() {
            return Interest::default();
        }
        let fixed = |path: &str| self.selection.fields.0.iter().find(|field| field.equal && field.path == path);
        let namespace = match self.selection.namespace.as_str() {
            "" => fixed("metadata.namespace").map_or("", |field| &field.value),
            namespace => namespace,
        };
        let name = fixed("metadata.name").map_or("", |field| &field.value);
        Interest { kind: Some(self.resource.stored_kind()), namespace: namespace.into(), name: name.into() }
    }

    fn idle(&mut self, world: &View) -> StreamOutput {
        if self.ends.is_some_and(|end| end <= world.now()) {
            return StreamOutput::End;
        }
        if self.bookmarks && self.form == Form::Json && self.next_bookmark <= world.now() {
            self.next_bookmark = world.now().plus_ms(BOOKMARK_EVERY_MS);
            return StreamOutput::Body(self.bookmark(self.version, false));
        }
        let wall = matches!(world.pace(), Pace::Wall { .. });
        let bookmark = (self.bookmarks && self.form == Form::Json).then_some(self.next_bookmark);
        StreamOutput::Pending { until: self.ends.into_iter().chain(bookmark).min().filter(|_| wall) }
    }

    fn end_expired(&mut self, world: &View, version: u64) -> StreamOutput {
        if self.version == u64::MAX {
            return StreamOutput::End;
        }
        self.version = u64::MAX;
        self.expired = Some(version);
        let message = format!("too old resource version: {version} ({})", world.store.forgotten());
        let status = Refusal::new(410, "Expired", message).status();
        StreamOutput::Body(line(&json!({"type": "ERROR", "object": status})))
    }

    /// What a change means for those who see only what they select.
    fn change(&mut self, world: &View, change: &Change) -> Vec<u8> {
        let takes = |object: &Object| self.selection.takes(object);
        let before = change.before.as_deref().filter(|object| takes(object));
        let after = change.after.as_deref().filter(|object| takes(object));
        match (before, after) {
            (None, None) => Vec::new(),
            (before, Some(object)) => {
                let kind = if before.is_none() { "ADDED" } else { "MODIFIED" };
                match self.form == Form::Json && object.api_version() == self.resource.api_version() {
                    // The same bytes for everybody who watches.
                    true => shown::event(kind, change.encoded(|| shown::object(&self.resource, object))),
                    false => self.event(world, kind, object),
                }
            }
            (Some(object), None) => {
                let mut last = object.clone();
                last.set(&["metadata", "resourceVersion"], json!(change.version.to_string()));
                self.event(world, "DELETED", &last)
            }
        }
    }

    fn event(&mut self, world: &View, kind: &str, object: &Object) -> Vec<u8> {
        if self.form == Form::Json {
            return shown::event(kind, &shown::object(&self.resource, object));
        }
        let shown = self.resource.shown(object);
        let object = match self.form {
            Form::Json | Form::Yaml => shown.0,
            Form::Metadata => negotiate::metadata_only(&shown),
            Form::Table => {
                let meta = json!({"resourceVersion": shown.at(&["metadata", "resourceVersion"])});
                let columns = !std::mem::replace(&mut self.columns_sent, true);
                table::table(world, &self.resource, &[&shown], meta, self.include.as_deref(), columns)
            }
        };
        line(&json!({"type": kind, "object": object}))
    }

    fn bookmark(&self, version: u64, initial: bool) -> Vec<u8> {
        let mut meta = json!({"resourceVersion": version.to_string()});
        if initial {
            meta["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = json!({"kind": self.resource.kind, "apiVersion": self.resource.api_version(), "metadata": meta});
        line(&json!({"type": "BOOKMARK", "object": object}))
    }
}

fn line(event: &Value) -> Vec<u8> {
    let mut bytes = encode::to_vec(event);
    bytes.push(b'\n');
    bytes
}
