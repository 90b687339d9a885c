//! What screens and plain mode ask the lab for besides running lines: questions that change nothing in a session. A question goes
//! down as [`Effect::Ask`](super::Effect::Ask), its answer comes up as [`Event::Answered`](super::Event::Answered) with the same
//! number; a session passes both on and keeps nothing of them.

pub mod browse;
pub mod timeline;

/// Names one question. Never reused by the one who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AskId(pub u64);

/// What can be asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Where lines go: for the status bar.
    Place,
}

/// The answers, named as their questions.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Place(Place),
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The kubeconfig's current context.
    pub context: String,
    /// The namespace of commands that name none.
    pub namespace: String,
}
