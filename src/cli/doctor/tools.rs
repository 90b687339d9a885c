//! kubectl, istioctl, kind and the container engine: where they are, their versions, and how to get what is missing.

use crate::lab::kind::advice::Os;
use crate::lab::kind::engine::{self, Engine};
use crate::lab::kind::pins::KIND_LEAST;
use crate::lab::kind::preflight::{Row, State};
use crate::lab::tools::version::Version;
use crate::lab::tools::{Failure, Line, Tools, ask};
use crate::mesh::versions;
use std::time::Duration;

/// Each tool may take so long; all are asked at the same time.
const ANSWER: Duration = Duration::from_secs(3);

/// A row for each tool.
pub(super) async fn rows(tools: &dyn Tools) -> Vec<Row> {
    let os = Os::here(tools);
    let asked = |program: &str, args: &[&str]| ask(tools, Line::new(program, args).within(ANSWER));
    let (kubectl, istioctl, kind, docker, docker_up, podman, podman_up) = tokio::join!(
        asked("kubectl", &["version", "--client"]),
        asked("istioctl", &["version", "--remote=false"]),
        asked("kind", &["version"]),
        asked("docker", &["--version"]),
        engine::look(tools, "docker", ANSWER),
        asked("podman", &["--version"]),
        engine::look(tools, "podman", ANSWER),
    );
    let row_of = |program, version, up| engine_row((tools, &os), program, version, up);
    let (docker, podman) = (row_of("docker", docker, docker_up), row_of("podman", podman, podman_up));
    let mut rows = vec![
        row((tools, &os), "kubectl", kubectl, None),
        row((tools, &os), "istioctl", istioctl, Some(istio_fits)),
        row((tools, &os), "kind", kind, Some(kind_fits)),
    ];
    // One engine is enough: the second is named only where it is there.
    match (tools.find("docker"), tools.find("podman")) {
        (_, None) => rows.push(docker),
        (None, Some(_)) => rows.push(podman),
        (Some(_), Some(_)) => rows.extend([docker, podman]),
    }
    rows
}

/// Why a version is not what lessons on a cluster need.
type Fits = fn(Version) -> Option<String>;

fn kind_fits(version: Version) -> Option<String> {
    (version < KIND_LEAST).then(|| format!("{KIND_LEAST} or newer for `egress-lab kind up`"))
}

fn istio_fits(version: Version) -> Option<String> {
    let line = &versions::default_release().line;
    (version.line() != *line).then(|| format!("{line}, which the lessons are for"))
}

fn row((tools, os): (&dyn Tools, &Os), program: &'static str, said: Result<String, Failure>, fits: Option<Fits>) -> Row {
    let path = tools.find(program).map(|path| path.display().to_string()).unwrap_or_default();
    match said {
        Err(Failure::Missing(_)) => absent(os, program),
        Err(failure) => Row::new(program, State::Note, format!("{path}: {failure}")),
        Ok(text) => match (Version::find(&text), fits) {
            (Some(version), fits) => match fits.and_then(|fits| fits(version)) {
                None => Row::new(program, State::Good, format!("{version}, {path}")),
                Some(needed) => Row::new(program, State::Note, format!("{version}, {path}")).needs(needed).next(os.get(program)),
            },
            (None, _) => Row::new(program, State::Note, format!("{path}: it printed no version")),
        },
    }
}

fn absent(os: &Os, program: &'static str) -> Row {
    let built_in = if matches!(program, "kubectl" | "istioctl") { "; the built-in one is used" } else { "" };
    Row::new(program, State::Note, format!("not found; not needed for the sandbox{built_in}")).next(os.get(program))
}

fn engine_row(
    (tools, os): (&dyn Tools, &Os),
    program: &'static str,
    version: Result<String, Failure>,
    up: Result<Engine, Failure>,
) -> Row {
    let row = row((tools, os), program, version, None);
    let silent = match (&up, row.state) {
        (_, State::Note) => return row,
        (Ok(_), _) => return Row { found: format!("{}, answers", row.found), ..row },
        (Err(failure), _) => failure.to_string(),
    };
    Row::new(program, State::Note, format!("{}, but does not answer: {silent}", row.found)).next(os.wake(program, &silent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::tools::replay::Replay;

    fn all() -> Replay {
        Replay::new()
            .prints("kubectl", "Client Version: v1.36.2\nKustomize Version: v5.8.0\n")
            .prints("istioctl", &format!("client version: {}\n", versions::default_release().tag))
            .prints("kind", "kind v0.33.0 go1.26.0 linux/amd64\n")
            .prints("docker --version", "Docker version 28.2.2, build e6534b4\n")
            .prints("docker info", "{}")
            .without("podman")
    }

    async fn found(replay: Replay, name: &str) -> Row {
        let rows = rows(&replay).await;
        rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no {name} in {rows:?}")).clone()
    }

    #[tokio::test]
    async fn what_is_there_is_shown_with_version_and_place() {
        let rows = rows(&all()).await;
        assert!(rows.iter().all(|row| row.state == State::Good), "{rows:?}");
        assert_eq!(rows.iter().map(|row| row.name).collect::<Vec<_>>(), ["kubectl", "istioctl", "kind", "docker"]);
        assert_eq!(rows[0].found, "1.36.2, /played/kubectl");
        assert_eq!(rows[3].found, "28.2.2, /played/docker, answers");
    }

    #[tokio::test]
    async fn what_is_missing_old_late_or_silent_says_what_to_do() {
        let missing = found(all().without("kind"), "kind").await;
        assert!(missing.found.starts_with("not found") && missing.next.contains("kind"), "{missing:?}");
        let old = found(all().prints("kind", "kind v0.20.0"), "kind").await;
        assert!(old.needed.contains("0.32.0 or newer") && !old.next.is_empty(), "{old:?}");
        let late = Failure::Late { shown: "kubectl version".into(), within: ANSWER };
        assert!(found(all().breaks("kubectl", late), "kubectl").await.found.contains("gave no end within 3 s"));
        let down = found(all().fails("docker info", 1, "Cannot connect to the Docker daemon"), "docker").await;
        assert!(
            down.found.contains("28.2.2") && down.found.contains("Cannot connect") && !down.next.contains("install"),
            "{down:?}"
        );
        // Older clients end with 0 and tell of the daemon in their answer, with whatever spaces.
        let silent = found(all().prints("docker info", r#"{"ServerErrors": [ "Cannot connect" ]}"#), "docker").await;
        assert!(silent.state == State::Note && silent.found.contains("Cannot connect"), "{silent:?}");
        let other = found(all().prints("istioctl", "client version: 1.20.0"), "istioctl").await;
        assert!(other.needed.starts_with("1.30"), "{other:?}");
    }
}
