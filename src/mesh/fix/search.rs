//! Tries edits, cheapest first: each alone, then pairs that begin with one that changes what becomes of an unmet wish.

use super::candidates::{self, Candidate};
use super::edit::{Change, Edit};
use super::guard::Guard;
use super::pools::Pools;
use super::{Answer, Question, Repair, Wish};
use crate::base::order::Order;
use crate::k8s::{Key, Object, Snapshot};
use crate::mesh::{Cause, Model, Record, validate};
use std::sync::Arc;

/// Repairs that are told.
const SHOWN: usize = 3;
/// Edits that are tried as the first of two.
const FIRSTS: usize = 24;
/// What an edit costs less when a cause already names its object, and its field.
const NAMED: (u32, u32) = (3, 6);

/// A mesh after some edits.
struct Tried {
    cost: u32,
    edits: Vec<Edit>,
    snapshot: Snapshot,
    /// Wishes that hold.
    held: usize,
    /// What the first exchanges of the unmet wishes come to now: how far they get.
    reach: u32,
}

/// A search in work.
pub struct Search<'q> {
    question: &'q Question<'q>,
    /// Wishes that hold before any edit, and how far the others get.
    held: usize,
    reach: u32,
    /// Causes of the wishes that do not hold.
    causes: Vec<Cause>,
    /// The objects that any cause names.
    named: Vec<String>,
    left: usize,
}

impl<'q> Search<'q> {
    pub fn new(question: &'q Question<'q>) -> Search<'q> {
        let mut search = Search { question, held: 0, reach: 0, causes: Vec::new(), named: Vec::new(), left: question.tries };
        for wish in question.wishes {
            let records = records(question, question.model, wish);
            search.named.extend(records.iter().map(|record| record.cause.object.to_string()));
            if (wish.holds)(&records) {
                search.held += 1;
            } else {
                search.reach += records.iter().map(reach).sum::<u32>();
                search.causes.extend(records.into_iter().map(|record| record.cause));
            }
        }
        search
    }

    pub fn run(mut self) -> Answer {
        if self.held == self.question.wishes.len() {
            return Answer::Fine;
        }
        let guard = Guard::new(self.question);
        let singles = self.candidates(self.question.model.snapshot());
        let (mut found, promising) = self.alone(&singles, &guard);
        if found.is_empty() {
            found = self.in_pairs(promising, &guard);
        }
        if found.is_empty() {
            return Answer::Nothing { tried: self.question.tries - self.left };
        }
        found.order_by_key(|repair| repair.cost);
        found.truncate(SHOWN);
        Answer::Repairs(found)
    }

    fn candidates(&self, snapshot: &Snapshot) -> Vec<Candidate> {
        let options = self.question.model.options();
        let pools = Pools::of(snapshot, options, self.question.wishes);
        let mut all = candidates::all(snapshot, options, &pools, &self.named);
        for candidate in &mut all {
            candidate.cost -= self.hinted(&candidate.edit).min(candidate.cost);
        }
        all.order_by_key(|candidate| candidate.cost);
        all
    }

    /// The rebate for an edit where a cause of an unmet wish points.
    fn hinted(&self, edit: &Edit) -> u32 {
        let (object, field) = (edit.object.to_string(), edit.field());
        let rebate = |cause: &Cause| match cause.object == object {
            true if field.starts_with(&cause.field) || cause.field.starts_with(&field) => NAMED.1,
            true => NAMED.0,
            false => 0,
        };
        self.causes.iter().map(rebate).max().unwrap_or(0)
    }

    /// Each edit alone. Those that meet every wish, and those that at least change something, best first.
    fn alone(&mut self, singles: &[Candidate], guard: &Guard) -> (Vec<Repair>, Vec<Tried>) {
        let (mut found, mut promising) = (Vec::new(), Vec::new());
        for candidate in singles {
            if found.len() >= SHOWN || self.left == 0 {
                break;
            }
            let Some(tried) = self.try_edit(self.question.model.snapshot(), &[], candidate) else { continue };
            match self.repair_of(&tried, guard) {
                Some(repair) => found.push(repair),
                None if self.moves(&tried) => promising.push(tried),
                None => (),
            }
        }
        promising.order_by_key(|tried| (usize::MAX - tried.held, u32::MAX - tried.reach, tried.cost));
        promising.truncate(FIRSTS);
        (found, promising)
    }

    fn in_pairs(&mut self, firsts: Vec<Tried>, guard: &Guard) -> Vec<Repair> {
        let mut found: Vec<Repair> = Vec::new();
        for first in &firsts {
            let seconds = self.candidates(&first.snapshot);
            for second in &seconds {
                let best = found.iter().map(|repair| repair.cost).min().unwrap_or(u32::MAX);
                if self.left == 0 || first.cost + second.cost >= best {
                    break;
                }
                let Some(tried) = self.try_edit(&first.snapshot, &first.edits, second) else { continue };
                let tried = Tried { cost: first.cost + tried.cost, ..tried };
                found.extend(self.repair_of(&tried, guard));
            }
        }
        found
    }

    fn try_edit(&mut self, on: &Snapshot, before: &[Edit], candidate: &Candidate) -> Option<Tried> {
        let snapshot = candidate.edit.apply(on)?;
        if !accepted(&candidate.edit, on) {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        let mut tried = Tried { cost: candidate.cost, edits: before.to_vec(), snapshot, held: 0, reach: 0 };
        tried.edits.push(candidate.edit.clone());
        let model = self.model(&tried);
        for wish in self.question.wishes {
            let records = records(self.question, &model, wish);
            if (wish.holds)(&records) {
                tried.held += 1;
            } else {
                tried.reach += records.iter().map(reach).sum::<u32>();
            }
        }
        Some(tried)
    }

    /// The mesh after the edits: only what they touch is compiled anew.
    fn model(&self, tried: &Tried) -> Model {
        let mut keys: Vec<Key> = Vec::new();
        for edit in &tried.edits {
            keys.push(edit.object.clone());
            keys.extend(edit.moved_to());
        }
        self.question.model.update(&tried.snapshot, &keys, self.question.model.options())
    }

    fn repair_of(&self, tried: &Tried, guard: &Guard) -> Option<Repair> {
        if tried.held < self.question.wishes.len() {
            return None;
        }
        let model = self.model(tried);
        if guard.opens(self.question, &model) {
            return None;
        }
        let mut objects: Vec<Arc<Object>> = Vec::new();
        let mut gone = Vec::new();
        for edit in &tried.edits {
            match tried.snapshot.get(&edit.object) {
                Some(object) if !objects.contains(object) => objects.push(object.clone()),
                Some(_) => (),
                None => gone.push(edit.object.clone()),
            }
        }
        let moved = candidates::subjects(&tried.snapshot, self.question.model.options());
        objects.extend(moved.filter(|o| self.question.model.snapshot().get(&o.key()).is_none()).cloned());
        Some(Repair { edits: tried.edits.clone(), objects, gone, cost: tried.cost })
    }

    /// Whether the edit changed anything for the better, or at all.
    fn moves(&self, tried: &Tried) -> bool {
        tried.held > self.held || (tried.held == self.held && tried.reach != self.reach)
    }
}

/// Whether Istio would take the edited object.
fn accepted(edit: &Edit, on: &Snapshot) -> bool {
    if edit.change == Change::Delete {
        return true;
    }
    let Some(object) = on.get(&edit.object).and_then(|object| edit.edited(object)) else { return false };
    validate::validate(&object, on).errors.is_empty()
}

fn records(question: &Question<'_>, model: &Model, wish: &Wish<'_>) -> Vec<Record> {
    model.trace_follow(&wish.pod, &wish.request, &question.inputs, wish.follow).exchanges
}

/// How far an exchange got: the more proxies it passed and the later the gate, the more.
fn reach(record: &Record) -> u32 {
    use crate::base::outcome::Outcome::*;
    let gate = match record.outcome {
        NotModelled => 0,
        DnsFailed | BlockedRegistryOnly | BlockedPolicy | BlockedNetworkPolicy => 1,
        NoFilterChain | GatewayNotListening => 2,
        NoRoute => 3,
        NoCluster | Loop => 4,
        NoHealthyUpstream => 5,
        ProtocolMismatch | TlsFailed | UpstreamUnavailable | Overflow | TimedOut => 6,
        AnsweredByProxy | DeliveredElsewhere => 7,
        Delivered => 8,
    };
    gate + 4 * record.hops.len() as u32
}
