//! The time-line: what each revision came from. Who asked, what the controllers made of it, and when.

use crate::base::clock::Time;
use crate::sandbox::call::Call;
use crate::sandbox::store::Change;
use crate::sandbox::world::World;
use std::sync::Arc;

/// Object changes that one moment lists; a return to an old state can change thousands.
const CHANGE_LIMIT: usize = 500;
/// Characters of a command that are kept.
const LINE_LIMIT: usize = 300;

/// Who changed something.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Hand {
    /// A client of the API: its user, and the manager of the fields that it writes (`kubectl-client-side-apply`).
    User { name: String, manager: String },
    /// A control loop or the kubelet, by its name.
    Component(String),
    /// This program: the start world, a step's start built anew.
    Lab,
}

/// What a revision came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occasion {
    /// A new world, a saved one that was opened, or a fork.
    Begun,
    /// A request to the API.
    Call,
    /// A command line in a container that came to its end.
    Exec { namespace: String, pod: String, container: String, line: String },
    /// Bytes went through a port-forward.
    Port,
    /// The state of an earlier revision was written forward.
    Return { to: u64 },
    /// A state that was built elsewhere was written forward.
    Adopted,
    /// A state that was kept when this world was open before; what led to it is not known any more.
    Kept,
    /// Nothing but time: a transition, a timer, a schedule.
    Time,
}

/// One revision and what it came from.
#[derive(Debug)]
pub struct Moment {
    pub revision: u64,
    pub at: Time,
    pub occasion: Occasion,
    /// Who made the request; for [`Occasion::Time`] nobody but the components of the changes.
    pub asked: Option<Hand>,
    /// What was changed, in order, each with who did it.
    pub changes: Vec<(Hand, Arc<Change>)>,
    /// Changes beyond the limit, which are not listed.
    pub unlisted: usize,
}

/// Who did what since the last seal.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    asked: Option<(Occasion, Option<Hand>)>,
    /// Up to which version each hand wrote, ascending.
    hands: Vec<(u64, Hand)>,
}

impl Signatures {
    /// What is going on: the first to say so is right until the seal.
    pub(super) fn ask(&mut self, occasion: Occasion, hand: Option<Hand>) {
        self.asked.get_or_insert((occasion, hand));
    }

    /// Everything up to this version that nobody signed yet was done by this hand.
    pub(super) fn sign(&mut self, version: u64, hand: Hand) {
        if self.hands.last().is_none_or(|(last, _)| *last < version) {
            self.hands.push((version, hand));
        }
    }

    fn of(&self, version: u64) -> Hand {
        let found = self.hands.partition_point(|(last, _)| *last < version);
        self.hands.get(found).map_or(Hand::Lab, |(_, hand)| hand.clone())
    }
}

impl Hand {
    /// Who makes a call.
    pub(super) fn of(call: &Call) -> Hand {
        let name = call.header_value("impersonate-user").unwrap_or(&call.user);
        let manager = crate::sandbox::api::owners::By::call(call, "").manager;
        Hand::User { name: name.into(), manager }
    }
}

impl World {
    /// The moment that ends now, with everything after the revision `since`.
    pub(super) fn moment(&mut self, since: u64) -> Arc<Moment> {
        let signatures = std::mem::take(&mut self.signatures);
        let all: Vec<Arc<Change>> = self.store.since(since).map(|all| all.cloned().collect()).unwrap_or_default();
        let unlisted = all.len().saturating_sub(CHANGE_LIMIT);
        let listed = all.into_iter().take(CHANGE_LIMIT);
        let changes = listed.map(|change| (signatures.of(change.version), change)).collect();
        let (occasion, asked) = signatures.asked.unwrap_or((Occasion::Time, None));
        Arc::new(Moment { revision: self.revision(), at: self.now(), occasion, asked, changes, unlisted })
    }

    /// The newest moments, oldest first. Every one can be forked and returned to.
    pub fn moments(&self, last: usize) -> Vec<Arc<Moment>> {
        let mut found: Vec<Arc<Moment>> = self.history.values().rev().take(last).map(|s| s.moment.clone()).collect();
        found.reverse();
        found
    }

    /// The moment that a revision belongs to, `None` when it is no longer kept.
    pub fn moment_at(&self, revision: u64) -> Option<Arc<Moment>> {
        Some(self.history.range(..=revision).next_back()?.1.moment.clone())
    }

    /// Objects as of a revision (or the newest one before it) and that one's number; `None` when it is no longer kept.
    pub fn as_of(&self, revision: u64) -> Option<(u64, crate::k8s::Snapshot)> {
        let (at, settled) = self.history.range(..=revision).next_back()?;
        Some((*at, settled.snapshot.clone()))
    }
}

/// A command as the time-line shows it.
pub(super) fn command_line(argv: &[String]) -> String {
    let plain = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_=/.:,@%+".contains(c));
    let quoted = |word: &String| if plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) };
    clipped(&argv.iter().map(quoted).collect::<Vec<_>>().join(" "))
}

/// At most [`LINE_LIMIT`] characters, nothing that a terminal would obey.
pub(super) fn clipped(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LINE_LIMIT).collect()
}

/// What is typed at a shell in a container, as far as it can be told from its keys: the newest whole line.
#[derive(Debug, Default)]
pub(super) struct Typed {
    open: String,
    line: Option<String>,
}

impl Typed {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\r' | b'\n' => self.line = Some(std::mem::take(&mut self.open)),
                0x08 | 0x7f => drop(self.open.pop()),
                0x03 | 0x15 => self.open.clear(),
                b' '..=b'~' if self.open.len() < LINE_LIMIT => self.open.push(char::from(*byte)),
                _ => (),
            }
        }
    }

    /// The line, once.
    pub(super) fn line(&mut self) -> Option<String> {
        self.line.take().map(|line| line.trim().to_string()).filter(|line| !line.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::world::tests::world;
    use serde_json::json;

    fn make(world: &mut World, name: &str) {
        let call = Call::new("POST", "/api/v1/namespaces/default/configmaps?fieldManager=kubectl-create");
        assert_eq!(world.handle(&call.json(&json!({"metadata": {"name": name}}))).status, 201);
    }

    #[test]
    fn each_revision_says_who_did_what() {
        let mut world = world();
        make(&mut world, "a");
        let moment = world.moments(1).remove(0);
        assert_eq!((moment.revision, &moment.occasion), (world.revision(), &Occasion::Call));
        let user = Hand::User { name: "learner".into(), manager: "kubectl-create".into() };
        assert_eq!(moment.asked.as_ref(), Some(&user));
        let (by, change) = &moment.changes[0];
        assert_eq!((by, change.key.name.as_str(), change.before.is_none()), (&user, "a", true));
    }

    #[test]
    fn what_controllers_make_of_it_is_signed_by_them() {
        let mut world = world();
        let call = Call::new("POST", "/api/v1/namespaces").json(&json!({"metadata": {"name": "n"}}));
        assert_eq!(world.handle(&call).status, 201);
        let moment = world.moments(1).remove(0);
        let others: Vec<&Hand> = moment.changes.iter().map(|(by, _)| by).filter(|by| matches!(by, Hand::Component(_))).collect();
        assert!(!others.is_empty(), "{moment:?}");
        assert!(matches!(moment.changes[0].0, Hand::User { .. }));
    }

    #[test]
    fn reading_and_refusals_leave_no_moment() {
        let mut world = world();
        make(&mut world, "a");
        let before = world.moments(9_999).len();
        world.handle(&Call::new("GET", "/api/v1/namespaces"));
        let again = Call::new("POST", "/api/v1/namespaces/default/configmaps").json(&json!({"metadata": {"name": "a"}}));
        assert_eq!(world.handle(&again).status, 409);
        assert_eq!(world.moments(9_999).len(), before);
        // The refused call is not the author of what comes next.
        make(&mut world, "b");
        assert!(matches!(world.moments(1)[0].asked, Some(Hand::User { ref manager, .. }) if manager == "kubectl-create"));
    }

    #[test]
    fn a_return_is_a_moment_of_its_own_and_lists_what_it_undid() {
        let mut world = world();
        make(&mut world, "a");
        let then = world.revision();
        make(&mut world, "b");
        assert!(world.reset_to(then));
        let moment = world.moments(1).remove(0);
        assert_eq!(moment.occasion, Occasion::Return { to: then });
        assert!(moment.changes.iter().any(|(_, c)| c.key.name == "b" && c.after.is_none()), "{moment:?}");
        assert!(moment.revision > then && world.as_of(then).is_some());
    }

    #[test]
    fn typed_lines_are_told_from_keys() {
        let mut typed = Typed::default();
        typed.take(b"curx\x7fl http://a");
        assert_eq!(typed.line(), None);
        typed.take(b"\r");
        assert_eq!(typed.line().as_deref(), Some("curl http://a"));
        assert_eq!(typed.line(), None);
        assert_eq!(command_line(&["sh".into(), "-c".into(), "it's".into()]), "sh -c 'it'\\''s'");
    }
}
