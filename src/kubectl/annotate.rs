//! `kubectl annotate`.

use super::error::Result;
use super::flags::Parsed;
use super::label::{Which, run_for};
use super::session::Session;

/// Runs `kubectl annotate`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    run_for(s, p, Which::Annotations).await
}
