//! The model against the real Envoy: a row's configuration is written out as a bootstrap, run in a network namespace with the row's
//! addresses, origins and redirects, and the row's request is sent for real. What the client sees and what the proxies log has to be what
//! `Model::trace` says.

mod client;
mod compare;
mod envoy;
mod job;
mod keys;
mod origins;
mod room;

use crate::rows::file;
use std::path::Path;
use std::process::{Command, Output};

/// The rows that every run of the tests drives: the ways through a proxy, in four configurations.
const TEN: [&str; 10] = ["12", "13", "14", "15", "19", "20", "21", "22", "101", "153"];

/// Runs `inside` for some rows in a namespace of its own. `None` (said why): this machine has no Envoy, no curl or no namespaces.
fn enter(which: &str) -> Option<Output> {
    let program = match envoy::find() {
        Ok(program) => program,
        Err(why) => {
            println!("SKIPPED Envoy: {why}");
            return None;
        }
    };
    if Command::new("curl").arg("--version").output().is_err() {
        println!("SKIPPED Envoy: no curl on this machine");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/witness/netns.py");
    let mut command = Command::new("python3");
    command.arg(script).arg("run").arg(std::env::current_exe().expect("this program"));
    command.args(["witness::inside", "--exact", "--ignored", "--nocapture", "--test-threads", "1"]);
    let output = command.env("ENVOY", program).env("EGRESS_LAB_WITNESS", which).output().expect("python3 runs");
    if output.status.code() == Some(77) {
        println!("SKIPPED Envoy: {}", String::from_utf8_lossy(&output.stderr).trim());
        return None;
    }
    Some(output)
}

fn report(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn ten_rows_through_a_real_envoy() {
    if let Some(output) = enter(&TEN.join(",")) {
        report(&output);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("10 driven, 0 disagreements"), "{text}");
    }
}

/// All rows; minutes, so only on demand: `EGRESS_LAB_LONG=1`.
#[test]
fn every_row_through_a_real_envoy() {
    if std::env::var_os("EGRESS_LAB_LONG").is_none() {
        return;
    }
    for which in ["validate", "all"] {
        if let Some(output) = enter(which) {
            report(&output);
        }
    }
}

/// What runs in the namespace; it does nothing elsewhere.
#[test]
#[ignore = "run by the tests above in a namespace of its own"]
fn inside() {
    let Ok(which) = std::env::var("EGRESS_LAB_WITNESS") else { return };
    match which.as_str() {
        "validate" => job::validate(),
        rows => job::run(rows),
    }
}
