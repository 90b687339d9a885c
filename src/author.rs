//! For those who write lessons: the proofs, the lint of what a lesson relies on, the schema, a scaffold.

pub mod bench;
pub mod lint;
pub mod new;
pub mod prove;
pub mod schema;
pub mod worlds;
