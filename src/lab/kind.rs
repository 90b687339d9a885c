//! The lab's own kind cluster: what is made of what as plain values (images, containers, DNS), and `kind up`, `down`, `status` and
//! `prepull`, which run the tools of this machine through [`crate::lab::tools`].

pub mod advice;
pub mod binary;
pub mod coredns;
pub mod down;
pub mod engine;
pub mod images;
pub mod journal;
mod merged;
pub mod outside;
pub mod pins;
pub mod preflight;
pub mod site;
pub mod status;
pub mod up;
