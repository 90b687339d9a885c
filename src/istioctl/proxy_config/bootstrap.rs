//! `proxy-config bootstrap -o short`: the versions (S: configdump.go PrintBootstrapSummary).

use super::dump::{Dump, at, number, text};
use crate::istioctl::{Stop, table};

/// The lines as text.
///
/// # Errors
/// The dump has no bootstrap.
pub fn summary(dump: &Dump) -> Result<String, Stop> {
    let node = at(at(dump.section("BootstrapConfigDump")?, "bootstrap"), "node");
    let metadata = at(node, "metadata");
    let sha = metadata["ISTIO_PROXY_SHA"].as_str().unwrap_or("");
    let sha = sha.split(':').nth(1).unwrap_or(sha);
    let build = at(node, "user_agent_build_version");
    let version = at(build, "version");
    let mut envoy = ["major_number", "minor_number", "patch"].map(|part| number(version, part).to_string()).join(".");
    for (key, separator) in [("build.label", '-'), ("revision.status", '/'), ("build.type", '/'), ("ssl.version", '/')] {
        let value = &at(build, "metadata")[key];
        if !value.is_null() {
            envoy.push(separator);
            envoy.push_str(value.as_str().unwrap_or(""));
        }
    }
    let lines = [
        ("Istio Version:", text(metadata, "ISTIO_VERSION").to_string()),
        ("Istio Proxy Version:", sha.to_string()),
        ("Envoy Version:", envoy),
    ];
    let rows: Vec<Vec<String>> =
        lines.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| vec![name.to_string(), value]).collect();
    Ok(table::write(&rows, 1))
}
