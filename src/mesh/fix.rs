//! The smallest edit that makes requests end as wished: one or two fields of the objects that are there. It is the answer to "which
//! field is wrong" where no trace can say it, because the mistake is something that is missing or names something else.
//!
//! Candidates are made from a table of fields ([`table`]) and from the values that the mesh itself offers ([`pools`]): hosts that
//! are asked for, names of gateways, labels of gateway pods, declared subsets. Each is tried on a copy of the objects with the model;
//! nothing is guessed. An edit that lets anything else out is dropped ([`guard`]). The cheapest that is left wins.

pub mod candidates;
pub mod edit;
pub mod guard;
pub mod path;
pub mod pools;
pub mod search;
pub mod table;
#[cfg(test)]
mod tests;

pub use edit::{Change, Edit};

use super::{Inputs, Model, Record};
use crate::k8s::Object;
use crate::outside::wire::Request;
use std::sync::Arc;

/// One request, and what is wished of it.
pub struct Wish<'a> {
    pub pod: Arc<Object>,
    pub request: Request,
    /// Redirects that the client follows.
    pub follow: usize,
    /// Whether the exchanges are as wished.
    pub holds: &'a (dyn Fn(&[Record]) -> bool + Sync),
    /// Whether it is wished that the request leaves: its host may then be opened by an edit.
    pub opens: bool,
}

/// Where to look and how far.
pub struct Question<'a> {
    /// The mesh as it is.
    pub model: &'a Model,
    pub inputs: Inputs<'a>,
    pub wishes: &'a [Wish<'a>],
    /// How many edited meshes are tried at most.
    pub tries: usize,
}

/// Edits that together make every wish hold and open nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Repair {
    pub edits: Vec<Edit>,
    /// The objects as they are after the edits; an object that is deleted, renamed or moved is in `gone`.
    pub objects: Vec<Arc<Object>>,
    pub gone: Vec<crate::k8s::Key>,
    /// What the search pays for the edits; less is a smaller step.
    pub cost: u32,
}

/// How a search ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Everything is as wished already.
    Fine,
    /// Repairs, the smallest step first.
    Repairs(Vec<Repair>),
    /// No one or two fields make it so, among as many tries.
    Nothing { tried: usize },
}

/// Edits tried by default: a second's work on a small mesh.
pub const TRIES: usize = 6_000;

/// Searches for the smallest edit.
pub fn repair(question: &Question<'_>) -> Answer {
    search::Search::new(question).run()
}
