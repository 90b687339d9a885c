//! The state machine of a run: `Event` in, `Effect`s out. No I/O, no async, no clock.

pub mod event;
pub mod history;
pub mod judge;
pub mod transcript;

pub use event::{Effect, Event, RecordId, Tag, Ticket, Wish};
pub use history::History;
pub use transcript::Transcript;
