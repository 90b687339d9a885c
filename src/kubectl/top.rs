//! `kubectl top`.

use super::error::{Error, Result};
use super::flags::Parsed;
use super::session::Session;

/// Runs `kubectl top`: without the metrics API it says what kubectl says.
pub async fn run(s: &mut Session<'_>, _p: &Parsed) -> Result<i32> {
    let resources = s.resources().await?;
    match resources.iter().any(|r| r.group == "metrics.k8s.io") {
        true => Err(Error::not_simulated("kubectl top")),
        false => Err(Error::plain("Metrics API not available")),
    }
}
