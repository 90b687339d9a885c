//! egress-lab teaches people to control the traffic that leaves an Istio service mesh.
//!
//! # The house
//!
//! Rooms in reading order; each may name only rooms above it, as `tests/architecture.rs` has it.

pub mod base;
pub mod k8s;
pub mod outside;
pub mod lesson;
pub mod shell;
pub mod mesh;
pub mod sandbox;
pub mod kubectl;
pub mod istioctl;
pub mod finding;
pub mod check;
pub mod progress;
pub mod session;
pub mod lab;
pub mod tui;
pub mod author;
pub mod cli;
