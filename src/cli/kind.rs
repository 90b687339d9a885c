//! `egress-lab kind up|down|status|prepull`: the lab's own kind cluster.

use super::sandbox::until_signal;
use super::{End, FAILED, GOOD, INTERRUPTED, Trouble, UNAVAILABLE, args, cluster_args, lessons, print, rows, runtime};
use crate::base::paths::Paths;
use crate::lab::kind::images::{self, Programs};
use crate::lab::kind::preflight::{self, Machine, Preflight, State, Wishes};
use crate::lab::kind::site::{self, Site, Told};
use crate::lab::kind::{down, engine, pins, status, up};
use crate::lab::tools::{Host, Tools};
use crate::lesson::model::Action;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Args)]
pub struct Kind {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make the cluster, or go on where an earlier run was cut off
    Up(Up),
    /// Remove what `up` made, and nothing else
    Down(Down),
    /// Show what was made and how it is now
    Status(Status),
    /// Pull and build everything that needs a network, ahead of time
    Prepull(Prepull),
}

#[derive(Debug, Args)]
struct Up {
    /// Install Istio too, with the lesson's file (in the lesson it is a step of its own)
    #[arg(long)]
    with_istio: bool,
    /// The real hosts of the Internet instead of the lab's own outside world
    #[arg(long, conflicts_with_all = ["archive", "origin_program"])]
    internet: bool,
    /// Take all images from this file of `kind prepull`, none from the network
    #[arg(long, value_name = "FILE")]
    archive: Option<PathBuf>,
    /// Also write the cluster into your own kubeconfig, as its current context
    #[arg(long)]
    merge_kubeconfig: bool,
    /// Only look whether everything needed is there
    #[arg(long)]
    check: bool,
    /// Go on although memory or disk is low
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    build: Build,
}

#[derive(Debug, Args)]
struct Build {
    /// This program's build for Linux, for the outside world's image (needed where this one is none)
    #[arg(long, value_name = "FILE")]
    origin_program: Option<PathBuf>,
    /// How long a single command that pulls, builds or installs may take
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = cluster_args::duration)]
    deadline: u64,
}

#[derive(Debug, Args)]
struct Down {
    /// Also remove the images that were pulled or loaded
    #[arg(long)]
    images: bool,
}

#[derive(Debug, Args)]
struct Status {
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Prepull {
    /// Save all images into this file, for `kind up --archive` where there is no network
    #[arg(long, value_name = "FILE")]
    archive: Option<PathBuf>,
    /// Go on although memory or disk is low
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    build: Build,
}

pub(super) fn run(a: &Kind) -> End {
    let cancel = CancellationToken::new();
    let paths = Paths::from_environment();
    let host = Host::new(Some(paths.tools_log()), cancel.clone());
    let runtime = runtime()?;
    let end = runtime.block_on(async {
        let interrupts = tokio::spawn(async move {
            until_signal().await;
            cancel.cancel();
        });
        let end = match &a.what {
            What::Up(a) => raise(&host, &paths, a).await,
            What::Down(a) => remove(&host, &paths, a).await,
            What::Status(a) => show(&host, &paths, a).await,
            What::Prepull(a) => pull(&host, &paths, a).await,
        };
        interrupts.abort();
        end
    });
    runtime.shutdown_background();
    end
}

/// Told as it happens, on standard output.
fn say(told: Told<'_>) {
    print(&match told {
        Told::Phase { nth, of, phase, finished: false } => format!("[{nth}/{of}] {}\n", phase.title()),
        Told::Phase { nth, of, phase, finished: true } => format!("[{nth}/{of}] {}: finished earlier\n", phase.title()),
        Told::Command(line) => format!("$ {line}\n"),
        Told::Output(line) => format!("  {line}\n"),
        Told::Note(text) => format!("{}\n", crate::base::text::wrap(text, 80, 0).join("\n")),
    });
}

async fn raise(tools: &dyn Tools, paths: &Paths, a: &Up) -> End {
    let wishes = wishes(
        &a.build,
        Wishes {
            internet: a.internet,
            with_istio: a.with_istio,
            archive: a.archive.clone(),
            merge: a.merge_kubeconfig,
            istio: istio_file()?,
            ..Wishes::default()
        },
    )?;
    let folder = paths.kind();
    let (journal, lock) = site::enter(&folder).map_err(trouble)?;
    let look = preflight::look(tools, &Machine::here(), &wishes, journal.engine()).await;
    print(&rows::table(&look.rows));
    if let Some(end) = stop(&look, a.force, a.check) {
        return end;
    }
    let Some(engine) = look.engine.clone() else { return Ok(UNAVAILABLE) };
    let mut say = say;
    let mut site = Site::new(tools, (&folder, engine, wishes.patience), (journal, lock), &mut say);
    if let Err(trouble) = up::up(&mut site, &wishes, &look).await {
        return stopped(trouble, "up", paths);
    }
    let config = folder.join("kubeconfig");
    let istio =
        if a.with_istio { "Istio is installed." } else { "Istio is not installed: the lesson's install stage does that." };
    print(&format!("\nThe cluster is up. {istio}\n"));
    print(&rows::table(&[
        preflight::Row::new("lessons", State::Good, "egress-lab learn --env kind"),
        preflight::Row::new("your kubectl", State::Good, "").next(format!("export KUBECONFIG={}", quoted(&config))),
        preflight::Row::new("remove it", State::Good, "egress-lab kind down"),
        preflight::Row::new("what was run", State::Good, paths.tools_log().display().to_string()),
    ]));
    Ok(GOOD)
}

fn quoted(path: &Path) -> String {
    crate::lab::tools::quoted(&path.display().to_string())
}

/// Whether the look at the machine is the end of it.
fn stop(look: &Preflight, force: bool, only: bool) -> Option<End> {
    let good = look.is_good(force);
    if only {
        return Some(Ok(if good { GOOD } else { UNAVAILABLE }));
    }
    if good {
        return None;
    }
    let low = look.is_good(true);
    let way = if low { "; --force goes on all the same" } else { "" };
    Some(Err(Trouble::unavailable(format!("nothing was made: see what is MISSING or LOW above{way}"))))
}

/// What every building command has in common.
fn wishes(build: &Build, wishes: Wishes) -> Result<Wishes, Trouble> {
    let own = std::env::current_exe().map_err(|e| Trouble::unavailable(format!("this program's own file is not known: {e}")))?;
    let program = build.origin_program.clone().unwrap_or_else(|| own.clone());
    Ok(Wishes { own, program, patience: Duration::from_millis(build.deadline), ..wishes })
}

/// The installation of the first lesson that has one: the IstioOperator file that it accepts.
fn istio_file() -> Result<String, Trouble> {
    let all = lessons::all(&args::From::default())?;
    let steps = all.iter().flat_map(|lesson| &lesson.steps);
    let actions = steps.flat_map(|step| step.solution.iter().chain(step.accepts.iter().flat_map(|variant| &variant.actions)));
    let mut files = actions.filter_map(|action| match action {
        Action::File(file) if file.content.contains("kind: IstioOperator") => Some(file.content.clone()),
        _ => None,
    });
    files.next().ok_or_else(|| Trouble::unavailable("no lesson holds an IstioOperator file"))
}

fn trouble(trouble: site::Trouble) -> Trouble {
    Trouble::unavailable(trouble.to_string())
}

/// What is said when a command stopped half-way.
fn stopped(trouble: site::Trouble, verb: &str, paths: &Paths) -> End {
    let on = match verb {
        "up" => "`egress-lab kind up` goes on from here; `egress-lab kind down` removes what is there",
        "down" => "`egress-lab kind down` goes on from here",
        _ => "the same command goes on from here",
    };
    let log = format!("All commands and their ends: {}", paths.tools_log().display());
    eprintln!("egress-lab: {trouble}\n{on}.\n{log}");
    Ok(if trouble.is_interrupt() { INTERRUPTED } else { UNAVAILABLE })
}

/// The engine that an earlier run used, or whichever answers.
async fn found(tools: &dyn Tools, earlier: Option<&str>) -> Result<engine::Engine, Trouble> {
    engine::find(tools, earlier).await.map_err(|failures| {
        let said: Vec<String> = failures.iter().map(ToString::to_string).collect();
        Trouble::unavailable(format!(
            "{}\nNothing was looked at or changed. `egress-lab doctor` says what to do",
            said.join("\n")
        ))
    })
}

async fn remove(tools: &dyn Tools, paths: &Paths, a: &Down) -> End {
    let folder = paths.kind();
    let (journal, lock) = site::enter(&folder).map_err(trouble)?;
    if journal.is_empty() {
        print("There is nothing to remove: `egress-lab kind up` made nothing, or it was removed.\n");
        return Ok(GOOD);
    }
    let engine = found(tools, journal.engine()).await?;
    let mut say = say;
    let mut site = Site::new(tools, (&folder, engine, Duration::from_secs(300)), (journal, lock), &mut say);
    let done = match down::down(&mut site, a.images).await {
        Ok(done) => done,
        Err(trouble) => return stopped(trouble, "down", paths),
    };
    let mut text = String::from("\n");
    done.removed.iter().for_each(|what| text.push_str(&format!("removed: {what}\n")));
    done.left.iter().for_each(|(what, why)| text.push_str(&format!("LEFT: {what}: {why}\n")));
    if !done.images.is_empty() {
        text.push_str("kept for the next time (`egress-lab kind down --images` removes them):\n");
        done.images.iter().for_each(|image| text.push_str(&format!("  image {image}\n")));
    }
    text.push_str("kind's network \"kind\" stays: kind makes it once for all its clusters.\n");
    print(&text);
    Ok(if done.left.is_empty() { GOOD } else { FAILED })
}

async fn show(tools: &dyn Tools, paths: &Paths, a: &Status) -> End {
    let folder = paths.kind();
    let (journal, lock) = site::enter(&folder).map_err(trouble)?;
    let found_rows = match status::unmade(&journal) {
        Some(row) => vec![row],
        None => {
            let engine = found(tools, journal.engine()).await?;
            let mut say = say;
            let mut site = Site::new(tools, (&folder, engine, Duration::from_secs(60)), (journal, lock), &mut say);
            status::status(&mut site).await.map_err(trouble)?
        }
    };
    rows::show(&found_rows, a.json)
}

async fn pull(tools: &dyn Tools, paths: &Paths, a: &Prepull) -> End {
    let wishes = wishes(&a.build, Wishes::default())?;
    let folder = paths.kind();
    let (journal, lock) = site::enter(&folder).map_err(trouble)?;
    let mut look = preflight::look(tools, &Machine::here(), &wishes, journal.engine()).await;
    // No cluster is made here: kind itself may come later.
    look.rows.retain(|row| !matches!(row.name, "kind" | "memory" | "ports" | "inotify limits"));
    print(&rows::table(&look.rows));
    if let Some(end) = stop(&look, a.force, false) {
        return end;
    }
    let Some(engine) = look.engine.clone() else { return Ok(UNAVAILABLE) };
    let mut say = say;
    let mut site = Site::new(tools, (&folder, engine, wishes.patience), (journal, lock), &mut say);
    let end =
        images::prepull(&mut site, &Programs::of(&wishes, &look), (look.node_image(), &look.istioctl), a.archive.as_deref())
            .await;
    if let Err(trouble) = end {
        return stopped(trouble, "prepull", paths);
    }
    match &a.archive {
        Some(file) => print(&format!(
            "\nAll images are in {}. On the other machine, with kind and an engine of the same processor:\n  egress-lab kind up --archive FILE\n",
            file.display()
        )),
        None => print(&format!("\nAll images are here. `egress-lab kind up` makes the cluster {}.\n", pins::CLUSTER)),
    }
    Ok(GOOD)
}
