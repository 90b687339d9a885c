//! The lab's own kind cluster: what is made of what, as plain values. Nothing here starts a program.

pub mod binary;
pub mod coredns;
pub mod outside;
pub mod pins;
