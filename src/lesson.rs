//! Lessons: content as written (`raw`) and as meant (`model`), Markdown to blocks, errors with line and caret, syntax lint.
//!
//! This room never executes anything. What a lesson may ask for is the closed set [`model::Action`]; no line of lesson content is
//! ever run on the host.

pub mod clean;
pub mod field;
pub mod glossary;
pub mod line;
pub mod load;
pub mod layout;
pub mod markdown;
pub mod model;
pub mod notes;
pub mod raw;
