//! What every room needs and nobody should write twice: time, seeds, YAML, text, limits, paths, the closed outcome vocabulary.

pub mod clock;
pub mod diff;
pub mod duration;
pub mod files;
pub mod io;
pub mod order;
pub mod outcome;
pub mod paths;
pub mod percent;
pub mod seed;
pub mod shared;
pub mod spread;
pub mod tabs;
pub mod text;
pub mod yaml;

/// The one sentence for what this program does not imitate; `what` is a kind, field or feature, in the field's own words.
pub fn not_simulated(what: &str) -> String {
    format!("not simulated here: {what}")
}
