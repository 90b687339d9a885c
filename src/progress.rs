//! What a learner has done, kept as an append-only journal of JSON lines, and what it adds up to.

pub mod calibration;
pub mod entry;
pub mod journal;
pub mod summary;

pub use calibration::{Calibration, Guess, Sure};
pub use entry::{Entry, How, StepKey};
pub use journal::{Error, Journal};
pub use summary::{StepProgress, Summary};
