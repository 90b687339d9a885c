//! The sandbox as an environment.

pub mod istiod;
