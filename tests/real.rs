//! The real kubectl of this machine, for the tests that want one.

use std::path::PathBuf;
use std::process::Command;

/// `$EGRESS_LAB_KUBECTL`, else the newest one in `$PATH` or beside it (a dispatcher keeps its versions there as `kubectl.1.N`). It has
/// to be of 1.30 or newer: older ones do not speak websockets.
///
/// # Errors
/// Why there is none.
pub fn kubectl() -> Result<PathBuf, String> {
    let named = std::env::var_os("EGRESS_LAB_KUBECTL").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let searched = std::env::split_paths(&path).map(|folder| folder.join("kubectl")).find(|path| path.is_file());
    let beside = searched.as_ref().and_then(|found| found.canonicalize().ok()).map(|found| found.with_file_name("kubectl.1.32"));
    let found = named.into_iter().chain(beside).chain(searched).find(|path| path.is_file());
    let kubectl = found.ok_or("there is none here; name one in EGRESS_LAB_KUBECTL")?;
    let said = Command::new(&kubectl).args(["version", "--client", "-ojson"]).output().map_err(|e| e.to_string())?;
    let version: serde_json::Value = serde_json::from_slice(&said.stdout).map_err(|e| e.to_string())?;
    let minor = version["clientVersion"]["minor"].as_str().unwrap_or("").trim_end_matches('+').parse().unwrap_or(0);
    if minor < 30 { Err(format!("1.{minor} is too old; 1.30 or newer speaks websockets")) } else { Ok(kubectl) }
}
