//! The seed's own commands with a real kubectl against the program `egress-lab sandbox` give the seed's own observations.

mod input;
pub mod kit;
mod manifests;
mod sizes;
mod story;
mod terminal;
