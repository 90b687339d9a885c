//! What lies over the text: completion, templates, the search line, a question.

use super::complete::Candidate;
use crate::k8s::templates;

/// What has the keys besides the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Menu {
    None,
    /// What fits at the cursor. `chosen`: the learner moved in it, so Enter takes it; else only Tab does.
    Complete {
        found: Vec<Candidate>,
        at: usize,
        chosen: bool,
    },
    /// Templates to put in.
    Templates {
        at: usize,
    },
    /// What is searched for.
    Find {
        text: String,
    },
    /// There are changes: save, drop, go on?
    Leaving,
    /// A draft was kept when the program ended: take it?
    Draft {
        text: String,
    },
}

impl Menu {
    /// Moves the mark of a list.
    pub fn step(&mut self, by: isize) {
        let (at, count) = match self {
            Menu::Complete { found, at, chosen } => {
                *chosen = true;
                (at, found.len())
            }
            Menu::Templates { at } => (at, templates::kinds().len()),
            _ => return,
        };
        *at = at.saturating_add_signed(by).min(count.saturating_sub(1));
    }
}
