//! Kubernetes as plain values: objects, keys, kinds, selectors, patches, quantities. No client, no server, no I/O.

pub mod base64;
pub mod digest;
pub mod fields;
pub mod encode;
pub mod kinds;
pub mod managed;
pub mod jsonpath;
pub mod object;
pub mod patch;
pub mod quantity;
pub mod selector;
pub mod shape;
pub mod snapshot;
pub mod strategic;
pub mod templates;
pub mod tree;
pub mod typed;
pub mod types;

pub use object::{Key, Kind, Object};
pub use snapshot::{Mark, Snapshot};
