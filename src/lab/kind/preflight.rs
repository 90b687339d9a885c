//! What has to be there before `kind up` makes anything: each thing with what was found, what is needed, and the exact next command.

mod machine;

pub use machine::Machine;

use super::advice::Os;
use super::binary::Binary;
use super::engine::{self, Engine};
use super::pins::{KIND_LEAST, NODE_IMAGE, NODE_IMAGE_CGROUP_V1};
use crate::lab::tools::version::Version;
use crate::lab::tools::{Failure, Line, Tools, ask};
use crate::mesh::versions;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Tools that only print their version answer in less.
const ANSWER: Duration = Duration::from_secs(10);
/// Bytes of memory and of disk below which a cluster with Istio does not come up (kind's and Istio's own advice is more).
pub const LEAST: u64 = 4 << 30;
/// Below these, kind's pods fail with "too many open files" (kind's known issues). One small node comes up with less.
const INOTIFY: [(&str, u64); 2] = [("max_user_watches", 524_288), ("max_user_instances", 512)];

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Good,
    /// Worth knowing; nothing is refused.
    Note,
    /// `--force` goes on all the same.
    Low,
    /// Nothing can be made without it.
    Missing,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            State::Good => "good",
            State::Note => "note",
            State::Low => "LOW",
            State::Missing => "MISSING",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub name: &'static str,
    pub state: State,
    pub found: String,
    /// "" where `found` says it all.
    pub needed: String,
    /// What to type next; "" when nothing is to be done.
    pub next: String,
}

impl Row {
    pub fn new(name: &'static str, state: State, found: impl Into<String>) -> Row {
        Row { name, state, found: found.into(), needed: String::new(), next: String::new() }
    }

    pub fn needs(mut self, needed: impl Into<String>) -> Row {
        self.needed = needed.into();
        self
    }

    pub fn next(mut self, next: impl Into<String>) -> Row {
        self.next = next.into();
        self
    }
}

/// What is to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The real hosts of the Internet instead of the lab's own origins.
    pub internet: bool,
    pub with_istio: bool,
    /// Images come from this file, none from the network.
    pub archive: Option<PathBuf>,
    /// The Linux program for the origins' image; this program by default.
    pub program: PathBuf,
    /// This program.
    pub own: PathBuf,
    /// The installation that `with_istio` brings: an IstioOperator file.
    pub istio: String,
    pub merge: bool,
    /// How long a command that pulls, builds or installs may take.
    pub patience: Duration,
}

/// How istioctl is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Istioctl {
    /// The one on the search path.
    Own,
    /// The pinned image, on kind's network.
    Image(String),
}

/// Everything that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    pub rows: Vec<Row>,
    pub engine: Option<Engine>,
    pub istioctl: Istioctl,
    /// What the origins' image is built of; `None` when there are to be no origins, or it cannot be.
    pub binary: Option<Binary>,
}

impl Preflight {
    /// Whether everything needed is there.
    pub fn is_good(&self, force: bool) -> bool {
        let worst = self.rows.iter().map(|row| row.state).max().unwrap_or(State::Good);
        worst < State::Low || (force && worst == State::Low)
    }

    /// The node image for this machine.
    pub fn node_image(&self) -> &'static str {
        if self.engine.as_ref().is_some_and(|engine| engine.cgroup == 1) { NODE_IMAGE_CGROUP_V1 } else { NODE_IMAGE }
    }
}

/// Looks at this machine. Starts nothing, changes nothing.
pub async fn look(tools: &dyn Tools, machine: &Machine, wishes: &Wishes, earlier: Option<&str>) -> Preflight {
    let os = Os::here(tools);
    let mut rows = Vec::new();
    let found = engine::find(tools, earlier).await;
    rows.push(engine_row(&found, &os));
    rows.push(kind_row(tools, &os).await);
    let engine = found.ok();
    if let Some(engine) = &engine {
        rows.push(machine.memory(engine));
        rows.push(machine.disk(tools, engine).await);
        rows.push(cgroup_row(engine));
    }
    rows.push(machine.inotify());
    rows.push(machine.port());
    let binary = match (&engine, wishes.internet) {
        (Some(engine), false) => Some(program(&wishes.program, engine)),
        _ => None,
    };
    rows.extend(binary.as_ref().map(|read| program_row(&wishes.program, read)));
    if let Some(engine) = engine.as_ref().filter(|engine| engine.program == "docker") {
        let builds = !wishes.internet && wishes.archive.is_none();
        rows.extend(if builds { builder_row(tools, engine, &os).await } else { None });
    }
    if let Some(engine) = &engine {
        rows.push(images_row(engine));
    }
    rows.extend(wishes.archive.as_deref().map(archive_row));
    let (row, istioctl) = istioctl_row(tools, &os).await;
    rows.push(row);
    Preflight { rows, engine, istioctl, binary: binary.and_then(Result::ok) }
}

fn engine_row(found: &Result<Engine, Vec<Failure>>, os: &Os) -> Row {
    const NEEDED: &str = "docker or podman that answers";
    let failures = match found {
        Ok(engine) => {
            if let Some(least) = engine.too_old() {
                let found = format!("{} {}, too old", engine.program, engine.version);
                let needed = format!("{} {least} or newer", engine.program);
                return Row::new("engine", State::Missing, found).needs(needed).next(os.get(engine.program));
            }
            let rootless = if engine.rootless { ", rootless" } else { "" };
            return Row::new(
                "engine",
                State::Good,
                format!("{} {} on {}{rootless}", engine.program, engine.version, engine.system),
            );
        }
        Err(failures) => failures,
    };
    let installed = failures.iter().find(|failure| !matches!(failure, Failure::Missing(_)));
    let said: Vec<String> = failures.iter().map(ToString::to_string).collect();
    let next = match installed {
        Some(failure) => {
            let text = failure.to_string();
            os.wake(if text.contains("podman") { "podman" } else { "docker" }, &text)
        }
        None => os.get("docker"),
    };
    Row::new("engine", State::Missing, said.join("; ")).needs(NEEDED).next(next)
}

async fn kind_row(tools: &dyn Tools, os: &Os) -> Row {
    let needed = format!("kind {KIND_LEAST} or newer");
    match ask(tools, Line::new("kind", &["version"]).within(ANSWER)).await {
        Err(failure) => Row::new("kind", State::Missing, failure.to_string()).needs(needed).next(os.get("kind")),
        Ok(text) => match Version::find(&text) {
            Some(version) if version >= KIND_LEAST => Row::new("kind", State::Good, version.to_string()),
            Some(version) => Row::new("kind", State::Missing, format!("{version}, too old")).needs(needed).next(os.get("kind")),
            None => Row::new("kind", State::Missing, format!("it printed no version: {}", excerpt(&text)))
                .needs(needed)
                .next(os.get("kind")),
        },
    }
}

fn cgroup_row(engine: &Engine) -> Row {
    const BOTH: &str = "add `systemd.unified_cgroup_hierarchy=1` to the kernel's command line and start the machine anew";
    match (engine.cgroup, engine.rootless) {
        (2, _) => Row::new("cgroups", State::Good, "version 2"),
        (1, true) => Row::new("cgroups", State::Missing, "version 1, and the engine is rootless")
            .needs("version 2 for rootless nodes")
            .next(BOTH),
        (1, false) => Row::new("cgroups", State::Note, format!("version 1: the node is {}", short(NODE_IMAGE_CGROUP_V1))),
        _ => Row::new("cgroups", State::Note, format!("{} does not say which version", engine.program)),
    }
}

/// The images' definitions use nothing that only BuildKit knows, so that docker builds them without its plugin too, with its older
/// builder (tried with docker 28.2 on an engine 20.10); a docker that has dropped that builder fails at the build and says so.
async fn builder_row(tools: &dyn Tools, engine: &Engine, os: &Os) -> Option<Row> {
    let failure = ask(tools, engine.line(vec!["buildx".into(), "version".into()]).within(ANSWER)).await.err()?;
    let said = match &failure {
        Failure::Ended { .. } => "docker has no plugin buildx; its older builder is used".to_string(),
        other => format!("{other}; its older builder is used"),
    };
    let row = Row::new("builder", State::Note, said);
    Some(row.needs("the plugin, if `docker build` refuses").next(os.get("docker-buildx")))
}

/// Every image that is used exists for both; nothing else is published.
fn images_row(engine: &Engine) -> Row {
    match engine.arch.as_str() {
        "amd64" | "arm64" => Row::new("images", State::Good, format!("linux/{}", engine.arch)),
        other => Row::new("images", State::Missing, format!("linux/{other}"))
            .needs("linux/amd64 or linux/arm64")
            .next(format!("use a machine for which {} is published", short(NODE_IMAGE))),
    }
}

/// Reads the program for the origins' image.
fn program(path: &Path, engine: &Engine) -> Result<Binary, String> {
    let mut start = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    std::io::Read::read_to_end(&mut std::io::Read::take(file, 65_536), &mut start).map_err(|e| e.to_string())?;
    let binary = Binary::read(&start).map_err(|e| e.to_string())?;
    match binary.arch.to_string() == engine.arch {
        true => Ok(binary),
        false => Err(format!("it is for {}, and {} runs {}", binary.arch, engine.program, engine.arch)),
    }
}

fn program_row(path: &Path, read: &Result<Binary, String>) -> Row {
    let name = path.display();
    match read {
        Ok(binary) => Row::new("origins", State::Good, format!("image of {name}, upon {}", binary.base_image())),
        Err(reason) => Row::new("origins", State::Missing, format!("{name}: {reason}"))
            .needs("this program for Linux and the engine's processor, for the outside world")
            .next("egress-lab kind up --origin-program FILE (its Linux build), or egress-lab kind up --internet"),
    }
}

fn archive_row(path: &Path) -> Row {
    let size = std::fs::metadata(path).map(|meta| meta.len());
    match size {
        Ok(size @ 1..) => Row::new("archive", State::Good, format!("{}, {}", path.display(), gigabytes(size))),
        Ok(_) => Row::new("archive", State::Missing, format!("{} is empty", path.display())).next(prepull(path)),
        Err(e) => Row::new("archive", State::Missing, format!("{}: {e}", path.display())).next(prepull(path)),
    }
}

fn prepull(path: &Path) -> String {
    format!("egress-lab kind prepull --archive {} (where there is a network)", path.display())
}

async fn istioctl_row(tools: &dyn Tools, os: &Os) -> (Row, Istioctl) {
    let release = versions::default_release();
    let image = Istioctl::Image(super::images::istioctl());
    let instead = |found: String| {
        let found = format!("{found}; the image istioctl:{} is run instead", release.tag);
        Row::new("istioctl", State::Note, found).next(os.get("istioctl"))
    };
    match ask(tools, Line::new("istioctl", &["version", "--remote=false"]).within(ANSWER)).await {
        Err(Failure::Missing(_)) => (instead("not found".into()), image),
        Err(failure) => (instead(failure.to_string()), image),
        Ok(text) => match Version::find(&text) {
            Some(version) if version.line() == release.line => {
                (Row::new("istioctl", State::Good, version.to_string()), Istioctl::Own)
            }
            Some(version) => (instead(format!("{version}, the lessons are for {}", release.line)), image),
            None => (instead(format!("it printed no version: {}", excerpt(&text))), image),
        },
    }
}

/// An image without its digest.
pub fn short(image: &str) -> &str {
    image.split('@').next().unwrap_or(image)
}

fn excerpt(text: &str) -> String {
    text.lines().next().unwrap_or("nothing").chars().take(60).collect()
}

/// `4.2 GB`.
pub fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests;
