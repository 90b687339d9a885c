//! Judging: what a step expects against what is so, on a `kube::Client` and nothing else.

pub mod accesslog;
pub mod curl;
pub mod decode;
pub mod reader;
