//! Kubernetes as plain values: objects, keys, kinds, selectors, patches, quantities. No client, no server, no I/O.

pub mod object;
pub mod snapshot;

pub use object::{Key, Kind, Object};
pub use snapshot::Snapshot;
