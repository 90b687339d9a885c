//! For those who write lessons: the proofs.

pub mod bench;
pub mod prove;
pub mod worlds;
