//! The container engine of this machine: docker, else podman.

use crate::lab::tools::version::Version;
use crate::lab::tools::{Failure, Line, Tools, ask};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// An engine that is up answers in less.
const ANSWER: Duration = Duration::from_secs(10);

/// The oldest docker that kind's nodes run on: they are started with `--cgroupns=private` (S: kind v0.33.0,
/// providers/docker/provision.go), which came with docker's API 1.41.
const DOCKER_LEAST: Version = Version(20, 10, 0);
/// The oldest podman that kind works with (S: kind v0.33.0, providers/podman/util.go).
const PODMAN_LEAST: Version = Version(1, 8, 0);

/// An engine that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// `docker` or `podman`.
    pub program: &'static str,
    pub version: String,
    /// As images name it: amd64, arm64.
    pub arch: String,
    /// Bytes of memory of the machine (real or virtual) that containers run on.
    pub memory: u64,
    /// 1 or 2; 0 when it says none.
    pub cgroup: u8,
    pub rootless: bool,
    /// Where images are kept, on the machine that containers run on.
    pub root: PathBuf,
    /// The name of that machine's operating system (`Docker Desktop`, `Ubuntu 24.04`).
    pub system: String,
}

impl Engine {
    /// A line for it.
    pub fn line(&self, args: Vec<String>) -> Line {
        Line::of(self.program, args)
    }

    /// The oldest release of it that kind works with, where this one is older.
    pub fn too_old(&self) -> Option<Version> {
        let least = if self.program == "docker" { DOCKER_LEAST } else { PODMAN_LEAST };
        Version::find(&self.version).filter(|version| *version < least).map(|_| least)
    }

    /// A line for kind, which has to be told about podman.
    pub fn kind(&self, args: Vec<String>) -> Line {
        let line = Line::of("kind", args);
        if self.program == "podman" { line.env("KIND_EXPERIMENTAL_PROVIDER", "podman") } else { line }
    }
}

/// The engine to use: the one that an earlier run used, else docker if it answers, else podman.
///
/// # Errors
/// Why each of those that were asked does not answer.
pub async fn find(tools: &dyn Tools, earlier: Option<&str>) -> Result<Engine, Vec<Failure>> {
    let mut failures = Vec::new();
    for program in ["docker", "podman"].into_iter().filter(|program| earlier.is_none_or(|earlier| earlier == *program)) {
        match look(tools, program, ANSWER).await {
            Ok(engine) => return Ok(engine),
            Err(failure) => failures.push(failure),
        }
    }
    Err(failures)
}

/// The line that asks an engine about itself.
fn question(program: &str) -> Line {
    let format = if program == "docker" { "{{json .}}" } else { "json" };
    Line::new(program, &["info", "--format", format]).within(ANSWER)
}

/// Asks one engine, `docker` or `podman`, about itself.
///
/// # Errors
/// Why it does not answer; a docker client that answers for a daemon that does not counts as silent.
pub async fn look(tools: &dyn Tools, program: &'static str, within: Duration) -> Result<Engine, Failure> {
    let line = question(program).within(within);
    let shown = line.shown();
    let text = ask(tools, line).await?;
    let unread = |reason: String| Failure::NotStarted { program: program.into(), reason };
    let info: Value = serde_json::from_str(&text).map_err(|e| unread(format!("`{shown}` printed no JSON: {e}")))?;
    if let Some(error) = info["ServerErrors"].as_array().and_then(|errors| errors.first()).and_then(Value::as_str) {
        return Err(unread(error.to_string()));
    }
    Ok(if program == "docker" { docker(&info) } else { podman(&info) })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

/// `docker info` (api/types/system.Info).
fn docker(info: &Value) -> Engine {
    let security = info["SecurityOptions"].as_array().cloned().unwrap_or_default();
    Engine {
        program: "docker",
        version: text(&info["ServerVersion"]),
        arch: arch(&text(&info["Architecture"])),
        memory: info["MemTotal"].as_u64().unwrap_or_default(),
        cgroup: digit(&text(&info["CgroupVersion"])),
        rootless: security.iter().filter_map(Value::as_str).any(|option| option.contains("rootless")),
        root: text(&info["DockerRootDir"]).into(),
        system: text(&info["OperatingSystem"]),
    }
}

/// `podman info` (libpod/define.Info).
fn podman(info: &Value) -> Engine {
    let host = &info["host"];
    Engine {
        program: "podman",
        version: text(&info["version"]["Version"]),
        arch: arch(&text(&host["arch"])),
        memory: host["memTotal"].as_u64().unwrap_or_default(),
        cgroup: digit(&text(&host["cgroupVersion"])),
        rootless: host["security"]["rootless"].as_bool().unwrap_or_default(),
        root: text(&info["store"]["graphRoot"]).into(),
        system: text(&host["distribution"]["distribution"]),
    }
}

/// A processor's name as images write it.
pub fn arch(name: &str) -> String {
    match name {
        "x86_64" => "amd64".into(),
        "aarch64" => "arm64".into(),
        other => other.to_string(),
    }
}

fn digit(text: &str) -> u8 {
    text.trim_start_matches('v').parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::tools::replay::Replay;

    const DOCKER: &str = include_str!("../../../tests/data/kind/docker-info.json");
    const PODMAN: &str = include_str!("../../../tests/data/kind/podman-info.json");

    #[tokio::test]
    async fn docker_is_taken_when_it_answers_else_podman() {
        let both = Replay::new().prints("docker info", DOCKER).prints("podman info", PODMAN);
        let docker = find(&both, None).await.unwrap();
        assert_eq!((docker.program, docker.arch.as_str(), docker.cgroup, docker.rootless), ("docker", "amd64", 2, false));
        assert_eq!((docker.memory, docker.version.as_str()), (16_711_135_232, "28.2.2"));
        assert_eq!(find(&both, Some("podman")).await.unwrap().program, "podman");
        let alone = Replay::new().without("docker").prints("podman info", PODMAN);
        let podman = find(&alone, None).await.unwrap();
        assert_eq!((podman.program, podman.arch.as_str(), podman.cgroup, podman.rootless), ("podman", "arm64", 2, true));
        assert_eq!(podman.kind(vec!["version".into()]).shown(), "KIND_EXPERIMENTAL_PROVIDER=podman kind version");
    }

    #[tokio::test]
    async fn why_none_answers_is_said_for_each() {
        let down = Replay::new().fails("docker info", 1, "Cannot connect to the Docker daemon").without("podman");
        let failures = find(&down, None).await.unwrap_err();
        assert!(failures[0].to_string().contains("Cannot connect"), "{failures:?}");
        assert_eq!(failures[1], Failure::Missing("podman".into()));
        // Older clients end with 0 and say it in the answer.
        let old = Replay::new().prints("docker info", r#"{"ServerErrors":["Cannot connect"]}"#);
        assert!(find(&old, Some("docker")).await.unwrap_err()[0].to_string().contains("Cannot connect"));
        let odd = Replay::new().prints("docker info", "hello");
        assert!(find(&odd, Some("docker")).await.unwrap_err()[0].to_string().contains("no JSON"));
    }
}
