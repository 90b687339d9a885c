//! The lessons on screen: the lab on a runtime of its own, the screen on this thread, one channel between them.

use super::notes::Presenting;
use super::settings::Settings;
use super::{End, GOOD, Trouble, args, cluster, lessons, runtime};
use crate::base::paths::Paths;
use crate::lab::driver::Driver;
use crate::lab::env::Environment;
use crate::lab::env::cluster::Cluster;
use crate::lab::open::{self, Opened, Wanted};
use crate::lab::prompt::words::{self, Word};
use crate::lab::prompt::{is_complete, reads_input};
use crate::lab::share::Shared;
use crate::lesson::model::Lesson;
use crate::mesh::versions;
use crate::progress::{Journal, Summary};
use crate::session::{Effect, Event, Wish};
use crate::tui::editor::ScreenEditor;
use crate::tui::theme::{Theme, Told};
use crate::tui::{self, Ended, Inbox, Link, Reads, Rules, Start};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// How often a world that this process itself has not let go of yet is tried again.
const OPEN_TRIES: usize = 20;
const OPEN_PAUSE: Duration = Duration::from_millis(100);
/// What still runs at the end gets so long.
const LAST: Duration = Duration::from_millis(300);

/// Shows the lessons; opens the one that was asked for.
pub(super) fn run(a: &args::Learn, settings: &Settings) -> End {
    tui::terminal::usable().map_err(Trouble::unavailable)?;
    let all = lessons::all(&a.from_dir)?;
    let shared = super::open::shared(a)?;
    let asked = match &a.lesson {
        _ if shared.is_some() => shared.as_ref().map(|(_, lesson, _)| lesson.id.clone()),
        Some(id) => Some(cluster::fitting(&a.at, &a.from_dir, a.from.as_deref(), lessons::find(&a.from_dir, id)?)?.id.clone()),
        None => a.from.as_ref().and(all.first()).map(|lesson| lesson.id.clone()),
    };
    let lesson = asked.and_then(|id| all.iter().position(|lesson| lesson.id == id));
    let from = match (&a.from, lesson) {
        (Some(step), Some(nth)) => Some(lessons::step_index(&all[nth], step)?),
        _ => None,
    };
    let progress = Summary::of(&Journal::read(&Paths::from_environment().journal()).unwrap_or_default());
    let runtime = runtime()?;
    // Asked on the plain terminal, before the screen is taken.
    let on = match (cluster::named(&a.at.env)?, lesson) {
        (None, _) => None,
        (Some(_), Some(nth)) => runtime.block_on(cluster::offered(&a.at, &all[nth]))?.map(|on| (nth, on)),
        (Some(_), None) => {
            return Err(Trouble::usage("on a cluster say which lesson: egress-lab learn LESSON --env context:NAME"));
        }
    };
    let (inbox, messages) = tui::inbox();
    signals(runtime.handle(), &inbox);
    let world = shared.as_ref().map_or_else(|| a.world.clone(), |(_, _, world)| world.clone());
    let lab = Lab {
        handle: runtime.handle().clone(),
        lessons: all.clone(),
        world,
        istio: settings.istio().into(),
        real_time: a.real_time,
        shared: shared.map(|(shared, ..)| shared),
        present: a.present,
        cluster: on.clone(),
    };
    let release = versions::find(settings.istio()).unwrap_or_else(versions::default_release);
    let editor = settings.editor();
    let mut first = from;
    let start = Start {
        lessons: all,
        progress,
        lesson,
        environment: match &on {
            Some((_, cluster)) => cluster.name(),
            None => format!("sandbox, Istio {}", release.line),
        },
        open: Box::new(move |nth, size, inbox| lab.open(nth, first.take(), size, inbox)),
        rules: Rules { is_complete, reads, wish, words: words::names, own_editor: editor.is_own() },
        present: a.present,
        look: Theme::choose(settings.look(), &Told::by_environment()),
        mouse: settings.mouse(),
        editor,
    };
    let ended = tui::run(inbox, &messages, start).map_err(Trouble::unavailable);
    let left = runtime.block_on(cluster::left(on.map(|(_, cluster)| cluster), Ok(GOOD)));
    runtime.shutdown_timeout(LAST);
    left?;
    Ok(match ended? {
        Ended::Left => GOOD,
        Ended::TerminalGone => 128 + 1,
        Ended::Signal(number) => 128 + number as u8,
    })
}

/// What opens lessons. Everything that waits runs on the runtime.
struct Lab {
    handle: Handle,
    lessons: Vec<Arc<Lesson>>,
    world: String,
    istio: String,
    real_time: bool,
    present: bool,
    /// What somebody shared; its lesson begins there.
    shared: Option<Arc<Shared>>,
    /// The cluster, and the lesson that its owner was asked about.
    cluster: Option<(usize, Cluster)>,
}

impl Lab {
    fn open(&self, nth: usize, from: Option<usize>, size: (u16, u16), inbox: Inbox) {
        let (handle, lesson) = (self.handle.clone(), self.lessons[nth].clone());
        let (world, istio) = (lessons::world_of(&lesson, &self.world), self.istio.clone());
        let (real_time, present) = (self.real_time, self.present);
        let shared = self.shared.clone().filter(|shared| shared.lesson == lesson.id);
        let cluster = match &self.cluster {
            Some((asked, _)) if *asked != nth => {
                return inbox.opened(Err("On a cluster one lesson is asked about at a time: leave, and name this one.".into()));
            }
            on => on.as_ref().map(|(_, cluster)| cluster.clone()),
        };
        let wanted = move |inbox: &Inbox| Wanted {
            lesson: lesson.clone(),
            world: world.clone(),
            from,
            istio: istio.clone(),
            real_time,
            shared: shared.clone(),
            editor: Some(Arc::new(ScreenEditor(inbox.clone()))),
            terminal: Some(size),
            cluster: cluster.clone(),
        };
        self.handle.spawn(async move {
            match patiently(|| wanted(&inbox)).await {
                Ok(opened) => hand_over(opened, handle, inbox, present),
                Err(error) => inbox.opened(Err(crate::lab::words::line(&error))),
            }
        });
    }
}

/// Opens a lesson; a world that this process holds still is about to be let go of.
async fn patiently(wanted: impl Fn() -> Wanted) -> anyhow::Result<Opened> {
    let own = format!("process {};", std::process::id());
    for _ in 1..OPEN_TRIES {
        match open::open(&Paths::from_environment(), wanted()).await {
            Err(error) if error.to_string().contains(&own) => tokio::time::sleep(OPEN_PAUSE).await,
            end => return end,
        }
    }
    open::open(&Paths::from_environment(), wanted()).await
}

fn hand_over(opened: Opened, handle: Handle, inbox: Inbox, present: bool) {
    let Opened { session, driver, mut events, notes, kubeconfig, files } = opened;
    let folder = files.location();
    let presenting = if present { Presenting::begin() } else { None };
    let lesson = session.lesson().id.clone();
    let mut held = Held { driver: Some(driver), handle, presenting, lesson };
    let link = Link { session, effects: Box::new(move |effect| held.perform(effect)), environment: None, folder: folder.clone() };
    inbox.opened(Ok(link));
    for note in notes {
        inbox.event(Event::Told(format!("{note}.")));
    }
    inbox.event(Event::Told(places(folder.as_deref(), &kubeconfig)));
    std::thread::spawn(move || while events.blocking_recv().is_some_and(|event| inbox.event(event)) {});
}

fn places(folder: Option<&std::path::Path>, kubeconfig: &std::path::Path) -> String {
    let files = folder.map(|path| format!("This lab's files: {}\n", path.display())).unwrap_or_default();
    format!("{files}For your own kubectl in another window: export KUBECONFIG={}", kubeconfig.display())
}

/// A driver on the screen's side of the channel: it needs the runtime for whatever it does, and to end.
struct Held {
    driver: Option<Driver>,
    handle: Handle,
    /// Where a second terminal looks for the step.
    presenting: Option<Presenting>,
    lesson: String,
}

impl Held {
    fn perform(&mut self, effect: Effect) {
        let _inside = self.handle.enter();
        if let (Effect::Shown { step }, Some(presenting)) = (&effect, &self.presenting) {
            presenting.at(&self.lesson, *step);
        }
        if let Some(driver) = &mut self.driver {
            driver.perform(effect);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _inside = self.handle.enter();
        self.driver = None;
    }
}

/// SIGTERM, SIGHUP and SIGINT end the screen as a key would; SIGTSTP stops it, SIGCONT has it drawn anew.
fn signals(handle: &Handle, inbox: &Inbox) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::SignalKind;
        let _inside = handle.enter();
        for number in [1, 2, 15] {
            on_signal(SignalKind::from_raw(number), inbox, move |inbox| inbox.signal(number));
        }
        on_signal(SignalKind::from_raw(SIGTSTP), inbox, Inbox::stop);
        on_signal(SignalKind::from_raw(SIGCONT), inbox, Inbox::continued);
    }
}

#[cfg(unix)]
const SIGTSTP: i32 = rustix::process::Signal::TSTP.as_raw();
#[cfg(unix)]
const SIGCONT: i32 = rustix::process::Signal::CONT.as_raw();

#[cfg(unix)]
fn on_signal(kind: tokio::signal::unix::SignalKind, inbox: &Inbox, tell: impl Fn(&Inbox) + Send + 'static) {
    let inbox = inbox.clone();
    if let Ok(mut arrivals) = tokio::signal::unix::signal(kind) {
        tokio::spawn(async move {
            while arrivals.recv().await.is_some() {
                tell(&inbox);
            }
        });
    }
}

/// What a line reads while it runs.
fn reads(line: &str) -> Reads {
    let before = line.split(" -- ").next().unwrap_or(line);
    let tty = |word: &str| match word.strip_prefix('-') {
        Some(flags) if !flags.starts_with('-') => {
            let flags = flags.strip_suffix('c').unwrap_or(flags);
            flags.len() <= 3 && flags.contains('t') && flags.chars().all(|c| "itq".contains(c))
        }
        Some(flags) => flags == "-tty" || flags == "-tty=true",
        None => false,
    };
    match (reads_input(line), before.split_whitespace().any(tty)) {
        (true, true) => Reads::Keys,
        (true, false) => Reads::Lines,
        (false, _) => Reads::Nothing,
    }
}

/// The wish of a line of one word, so that it needs no command to run.
fn wish(line: &str) -> Option<Wish> {
    if let Some(text) = line.strip_prefix("answer ").map(str::trim).filter(|text| !text.is_empty()) {
        return Some(Wish::Answer(text.to_string()));
    }
    if let Some(wish) = words::guidance(line) {
        return Some(wish);
    }
    match words::find(line.trim()) {
        Some(Word::Wish(wish)) => Some(wish),
        Some(Word::Picture) => Some(Wish::Picture),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_it_reads() {
        for (line, reads_as) in [
            ("kubectl get pods", Reads::Nothing),
            ("kubectl exec -ti test -- /bin/sh", Reads::Keys),
            ("kubectl exec -it test -- sh", Reads::Keys),
            ("kubectl exec -i -t test -- sh", Reads::Keys),
            ("kubectl exec -i test -- cat", Reads::Lines),
            ("kubectl exec test -- ls -ti", Reads::Nothing),
            ("kubectl apply -f -", Reads::Lines),
            ("kubectl logs test -c istio-proxy", Reads::Nothing),
        ] {
            assert_eq!(reads(line), reads_as, "{line}");
        }
    }

    #[test]
    fn words_of_the_prompt_are_wishes() {
        assert_eq!(wish("hint"), Some(Wish::Hint));
        assert_eq!((wish("picture"), wish("picture http://a.example")), (Some(Wish::Picture), None));
        assert_eq!(wish("quit"), Some(Wish::Quit));
        assert_eq!(wish("answer 1a2b"), Some(Wish::Answer("1a2b".into())));
        assert_eq!(wish("kubectl get pods"), None);
        assert_eq!(wish("what now?"), Some(Wish::WhatNow));
        assert_eq!(wish("answer "), None);
    }
}
