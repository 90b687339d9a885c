//! `egress-lab learn`, and the commands that look at the lab's world from another terminal: `hint`, `check`, `reset`.

use super::cluster_args::{Rules, Where};
use super::settings::Settings;
use super::{End, FAILED, GOOD, INTERRUPTED, Trouble, USAGE, args, cluster, lessons, print, runtime, said_yes};
use crate::base::clock::{Clock, SystemClock};
use crate::base::io::{Editor, Stream};
use crate::base::paths::Paths;
use crate::finding::render;
use crate::lab::env::cluster::Cluster;
use crate::lab::open::{self, Opened, Wanted};
use crate::lab::plain::{self, Console};
use crate::lab::share::Shared;
use crate::lesson::layout::{layout, text_of};
use crate::lesson::model::Lesson;
use crate::progress::{Entry, StepKey, Summary};
use crate::session::guide::hint_title;
use crate::session::{Options, Session};
use crate::tui::editor::Chosen;
use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;
use tokio::sync::mpsc;

pub(super) fn run(a: &args::Learn) -> End {
    if cluster::named(&a.at.env)?.is_some() && a.open.is_some() {
        return Err(Trouble::usage("what somebody shared goes on in a sandbox: leave out --env"));
    }
    let settings = Settings::read(&a.look)?;
    let why = match settings.plain() {
        Some(Ok(source)) => source,
        // Said not to be plain: what stands in the way of a screen is told.
        Some(Err(())) => return super::screen::run(a, &settings),
        None => match no_screen() {
            Some(why) if !a.present => why.to_string(),
            _ => return super::screen::run(a, &settings),
        },
    };
    print(&format!("mode: plain ({why}). Line by line, without escapes.\n"));
    let shared = super::open::shared(a)?;
    let lesson = match &shared {
        Some((_, lesson, _)) => lesson.clone(),
        None => cluster::fitting(&a.at, &a.from_dir, a.from.as_deref(), choose(a)?)?,
    };
    let from = a.from.as_deref().map(|step| lessons::step_index(&lesson, step)).transpose()?;
    let runtime = runtime()?;
    let on = runtime.block_on(cluster::offered(&a.at, &lesson))?;
    let world = shared.as_ref().map_or_else(|| lessons::world_of(&lesson, &a.world), |(_, _, world)| world.clone());
    let shared = shared.map(|(shared, _, _)| shared);
    let end = runtime.block_on(take_plain((a, &settings), (lesson, from), (world, shared), on.clone()));
    let end = runtime.block_on(cluster::left(on, end));
    runtime.shutdown_timeout(std::time::Duration::from_millis(300));
    end
}

/// Why lessons cannot be on screen here.
fn no_screen() -> Option<&'static str> {
    let term = std::env::var("TERM").unwrap_or_default();
    match (std::io::stdin().is_terminal(), std::io::stdout().is_terminal(), term.as_str()) {
        (false, ..) => Some("standard input is no terminal"),
        (_, false, _) => Some("standard output is no terminal"),
        (.., "") => Some("TERM is not set"),
        (.., "dumb") => Some("TERM=dumb"),
        _ => None,
    }
}

/// The lesson that was asked for, the one that was begun, or the first.
pub(super) fn choose(a: &args::Learn) -> Result<Arc<Lesson>, Trouble> {
    if let Some(id) = &a.lesson {
        return lessons::find(&a.from_dir, id);
    }
    // A journal that cannot be read is told of when the lesson opens, and keeps nobody from it.
    let entries = journal().unwrap_or_default();
    current(&lessons::all(&a.from_dir)?, &entries, Done::Over)
}

fn journal() -> Result<Vec<Entry>, Trouble> {
    crate::progress::Journal::read(&Paths::from_environment().journal()).map_err(|e| Trouble::unavailable(e.to_string()))
}

/// Whether a lesson that is done can still be the one that somebody is at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    /// For going on: it is over.
    Over,
    /// For judging it, or going back in it: it is there.
    There,
}

/// The lesson that somebody is at: the one worked on last, else the first that is not done.
fn current(all: &[Arc<Lesson>], entries: &[Entry], done: Done) -> Result<Arc<Lesson>, Trouble> {
    let summary = Summary::of(entries);
    let is_open = |lesson: &&Arc<Lesson>| summary.done_in(&lesson.id, lesson.version) < lesson.steps.len();
    let last = entries.iter().rev().find_map(|entry| all.iter().find(|lesson| lesson.id == entry.key().lesson));
    let lesson =
        last.filter(|lesson| done == Done::There || is_open(lesson)).or_else(|| all.iter().find(is_open)).or(all.first());
    lesson.cloned().ok_or_else(|| Trouble::usage("there are no lessons in that folder"))
}

async fn take_plain(
    (a, settings): (&args::Learn, &Settings),
    (lesson, from): (Arc<Lesson>, Option<usize>),
    (world, shared): (String, Option<Arc<Shared>>),
    cluster: Option<Cluster>,
) -> End {
    let paths = Paths::from_environment();
    // Line by line there is no screen to edit on: `own` is as good as `auto`.
    let own = match settings.editor() {
        Chosen::Command(command) => Some(HostEditor(command)),
        Chosen::Auto | Chosen::Own => editor(),
    };
    let wanted = Wanted {
        lesson,
        world,
        from,
        real_time: a.real_time,
        shared,
        istio: settings.istio().into(),
        editor: own.map(|editor| Arc::new(editor) as Arc<dyn Editor>),
        terminal: None,
        cluster,
    };
    let Opened { session, driver, events, notes, .. } = open::open(&paths, wanted).await?;
    notes.iter().for_each(|note| eprintln!("egress-lab: {note}"));
    let console = Console {
        lines: lines(),
        print: Box::new(|stream, text| {
            let _ = match stream {
                Stream::Out => std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()),
                Stream::Err => std::io::stderr().write_all(text.as_bytes()),
            };
        }),
        prompt: std::io::stdin().is_terminal(),
        interrupts: interrupts(),
    };
    Ok(match plain::run(session, driver, events, console).await {
        plain::End::Left { .. } => GOOD,
        plain::End::Interrupted => INTERRUPTED,
    })
}

/// Standard input line by line, read by a thread of its own: one line ahead at most.
fn lines() -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            match std::io::stdin().lock().read_until(b'\n', &mut bytes) {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_string();
                    if send.blocking_send(line).is_err() {
                        return;
                    }
                }
            }
        }
    });
    receive
}

fn interrupts() -> mpsc::Receiver<()> {
    let (send, receive) = mpsc::channel(4);
    tokio::spawn(async move { while tokio::signal::ctrl_c().await.is_ok() && send.send(()).await.is_ok() {} });
    receive
}

/// The learner's own editor: $VISUAL, else $EDITOR. `None` when neither is set.
pub(super) fn editor() -> Option<HostEditor> {
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
    set("KUBE_EDITOR").or_else(|| set("VISUAL")).or_else(|| set("EDITOR")).map(HostEditor)
}

/// Runs the learner's editor on a temporary file.
#[derive(Debug, Clone)]
pub(super) struct HostEditor(pub String);

impl Editor for HostEditor {
    fn edit(&self, name: &str, text: &str) -> Result<String, String> {
        let base = name.rsplit('/').next().unwrap_or("file");
        let folder = std::env::temp_dir().join(format!("egress-lab-edit-{}", std::process::id()));
        crate::base::files::make_private(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let path = folder.join(base);
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut words = self.0.split_whitespace();
        let program = words.next().unwrap_or("vi");
        let status = std::process::Command::new(program).args(words).arg(&path).status();
        let edited = match status {
            Err(e) => Err(format!("the editor {program:?} could not be started: {e}; set $EDITOR to one that is installed")),
            Ok(status) if !status.success() => Err(format!("the editor {program:?} ended with {status}; nothing was changed")),
            Ok(_) => std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display())),
        };
        let _ = std::fs::remove_dir_all(&folder);
        edited
    }
}

/// The session as the journal has it, to know the current step.
fn resumed(a: &args::At) -> Result<(Arc<Lesson>, usize, Summary), Trouble> {
    let entries = journal()?;
    let summary = Summary::of(&entries);
    let all = lessons::all(&a.from_dir)?;
    let current = current(&all, &entries, Done::There)?;
    // A step that only another lesson has says which one is meant.
    let named = a.step.as_ref().filter(|step| lessons::step_index(&current, step).is_err());
    let meant = named.and_then(|step| all.iter().find(|lesson| lesson.step(step).is_some()));
    let lesson = meant.cloned().unwrap_or(current);
    let session = Session::new(lesson.clone(), &summary, Options::default());
    let step = match &a.step {
        Some(step) => lessons::step_index(&lesson, step)?,
        None => session.front(),
    };
    Ok((lesson, step, summary))
}

/// The next tier that was not shown yet, the last one again after that; shown at the prompt or here counts alike.
pub(super) fn hint(a: &args::At) -> End {
    let (lesson, nth, summary) = resumed(a)?;
    let Some(step) = lesson.steps.get(nth) else { return Ok(USAGE) };
    let key = StepKey { lesson: lesson.id.clone(), step: step.id.clone(), version: lesson.version };
    let tier = usize::from(summary.step(&key).hints).min(step.hints.len().saturating_sub(1));
    let Some(blocks) = step.hints.get(tier) else { return Ok(USAGE) };
    print(&format!("step {}: {}\n{}\n", nth + 1, step.title, hint_title(tier, step.hints.len())));
    text_of(&layout(blocks, 80)).iter().for_each(|line| print(&format!("{line}\n")));
    // Not being able to note it is no reason to keep a hint back.
    if let Ok(mut journal) = open::journal(&Paths::from_environment()) {
        let _ = journal.append(SystemClock.now(), &Entry::Hint { key, tier: tier as u8 + 1 });
    }
    Ok(GOOD)
}

pub(super) fn check(a: &args::Check) -> End {
    let (lesson, step, _) = resumed(&a.at)?;
    let runtime = runtime()?;
    let answer = a.answer.as_deref();
    let findings = match cluster::named(&a.elsewhere.env)? {
        Some(context) => runtime.block_on(cluster::judged(context, (&lesson, step), answer)),
        None => {
            let world = lessons::world_of(&lesson, &a.at.world);
            let findings = runtime.block_on(crate::lab::visit::check(&Paths::from_environment(), &world, &lesson, step, answer));
            findings.map_err(Trouble::from)
        }
    };
    runtime.shutdown_background();
    let findings = findings?;
    match a.json {
        true => print(&format!("{}\n", serde_json::to_string_pretty(&findings).unwrap_or_default())),
        false => {
            print(&format!("step {}: {}\n", step + 1, lesson.steps[step].title));
            findings.iter().for_each(|finding| print(&render::text(finding)));
        }
    }
    let met = findings.iter().all(|f| f.verdict == crate::finding::Verdict::Met);
    Ok(if met { GOOD } else { FAILED })
}

pub(super) fn reset(a: &args::Reset) -> End {
    let (lesson, step, _) = resumed(&a.at)?;
    if cluster::named(&a.elsewhere.env)?.is_some() {
        return reset_elsewhere(a, &lesson, step);
    }
    let world = lessons::world_of(&lesson, &a.at.world);
    if !a.yes
        && !confirmed(&format!("Put the world {world} back to the start of step {} ({})?", step + 1, lesson.steps[step].title))
    {
        print("Nothing was changed.\n");
        return Ok(FAILED);
    }
    let settings = Settings::read(&args::LookArgs::default())?;
    let runtime = runtime()?;
    let world = (world.as_str(), settings.istio());
    let end = runtime.block_on(crate::lab::visit::reset(&Paths::from_environment(), world, &lesson, step));
    runtime.shutdown_background();
    end.map_err(Trouble::from)?;
    print(&format!("The world is at the start of step {}: {}.\n", step + 1, lesson.steps[step].title));
    Ok(GOOD)
}

fn reset_elsewhere(a: &args::Reset, lesson: &Lesson, step: usize) -> End {
    let rules = Rules { allow_mesh_config: a.allow_mesh_config, yes: a.yes, within: None };
    let runtime = runtime()?;
    let end = runtime.block_on(cluster::reset(&Where { env: a.elsewhere.env.clone(), rules }, lesson, step));
    runtime.shutdown_background();
    end
}

fn confirmed(question: &str) -> bool {
    if !std::io::stdin().is_terminal() {
        eprintln!("egress-lab: {question} Say so with --yes.");
        return false;
    }
    print(&format!("{question} (y/N) "));
    said_yes()
}
