//! Probes that run a command in the container: startup and readiness. They are asked whenever the pod is looked at, and take no time.

use crate::k8s::Object;
use crate::sandbox::Pace;
use crate::sandbox::node::life::PodLife;
use crate::sandbox::node::life::step::{Out, Place, with_address};
use crate::sandbox::node::process::Process;
use crate::sandbox::node::spec::{self, Container};
use crate::sandbox::node::{Env, space};
use serde_json::Value;

/// Bytes of a command's output that are told (pkg/probe/exec: `maxReadLength`).
const OUTPUT: usize = 10 * 1024;
/// Turns of a command that does not end; it counts as timed out then.
const TURNS: usize = 20;

/// The command of the probe that decides, if it is one.
pub fn of(container: &Container<'_>) -> Option<Vec<String>> {
    let probe = ["startupProbe", "readinessProbe"].into_iter().find_map(|p| container.probe(p))?;
    let words = probe["exec"]["command"].as_array()?;
    Some(words.iter().filter_map(Value::as_str).map(String::from).collect())
}

/// Runs it.
///
/// # Errors
/// What it printed, as the kubelet tells it.
pub fn run(
    life: &mut PodLife,
    pod: &Object,
    container: &Container<'_>,
    argv: &[String],
    env: &mut Env<'_>,
    out: &mut Out<'_>,
) -> Result<(), String> {
    let Some(image) = container.known() else { return Ok(()) };
    let word = argv.first().map_or("", String::as_str);
    if space::command_path(image, word).is_none() {
        return Err(format!(
            "OCI runtime exec failed: exec failed: unable to start container process: exec: {word:?}: executable file not found in $PATH: unknown"
        ));
    }
    let with_ip = with_address(pod, life.ip.as_deref());
    let vars = spec::environment(&with_ip, container, image, env.state).unwrap_or_default();
    let Some(run) = life.runs.get_mut(container.name()) else { return Ok(()) };
    let cwd = container.spec["workingDir"].as_str().unwrap_or(if image.uid == 0 { "/" } else { image.home });
    let mut process = Process::new(argv, &vars, cwd, false, false, false);
    let main = (run.argv.join(" "), run.since().unwrap_or(*env.now));
    let place = Place { pod: &with_ip, container, image, main };
    let mut space = place.space(&mut run.files, &mut life.volumes, env, out.logs);
    let mut printed = Vec::new();
    for _ in 0..TURNS {
        let exit = process.advance(&mut space, Pace::Frozen, OUTPUT).exit;
        printed.append(&mut process.out);
        printed.append(&mut process.err);
        match exit {
            Some(0) => return Ok(()),
            Some(_) => {
                printed.truncate(OUTPUT);
                return Err(String::from_utf8_lossy(&printed).into_owned());
            }
            None if printed.len() > OUTPUT => break,
            None => (),
        }
    }
    Err(format!("command timed out: {argv:?} timed out after 1s"))
}
