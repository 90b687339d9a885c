//! `kubectl version`.

use super::error::{Error, Result};
use super::flags::{Flag, Parsed, Takes, flag};
use super::print::pretty_json;
use super::session::{Ask, Session};
use crate::base::yaml;
use serde_json::json;

pub const FLAGS: &[Flag] = &[flag("client", Takes::Bool, "only kubectl's own version, without asking the server")];

/// The dialect that is spoken: texts of kubectl 1.36 and 1.37. Build metadata marks that this is not kubectl itself.
const CLIENT: &str = "v1.37.1+egress-lab";

/// Runs `kubectl version`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let mut whole = json!({"clientVersion": {"major": "1", "minor": "37", "gitVersion": CLIENT}});
    let server = match p.on("client") {
        true => None,
        false => Some(s.json(Ask::get("/version").query("timeout", "32s")).await),
    };
    if let Some(Ok(server)) = &server {
        whole["serverVersion"] = server.clone();
    }
    match p.str("output") {
        "" => {
            s.say(&format!("Client Version: {CLIENT}"));
            s.say("Kustomize Version: v5.8.1+egress-lab");
            if let Some(version) = whole["serverVersion"]["gitVersion"].as_str() {
                s.say(&format!("Server Version: {version}"));
            }
        }
        "json" => {
            let text = pretty_json(&whole);
            s.io.write(text.as_bytes());
        }
        "yaml" => {
            let text = yaml::write(&whole);
            s.io.write(text.as_bytes());
        }
        _ => return Err(Error::plain("--output must be 'yaml' or 'json'")),
    }
    match server {
        Some(Err(error)) => Err(error),
        _ => Ok(0),
    }
}
