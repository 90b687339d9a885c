//! What runs: what it is, for how long, and how it is ended. And what moves on its own.

use super::LessonScreen;
use crate::base::clock::Time;
use crate::base::text::clip;
use crate::session::{Task, Ticket};
use crate::tui::Reads;
use std::time::Duration;

/// How often a frame is drawn while something moves, and while a time is shown.
const MOVING: Duration = Duration::from_millis(40);
const COUNTING: Duration = Duration::from_millis(1_000);
/// Milliseconds after which it is said how long something takes.
const LONG: i64 = 1_000;
/// Columns of a command line in a sentence.
const COMMAND: usize = 48;

/// What runs, or is judged (without a ticket), and when that was first seen.
#[derive(Debug, Default, Clone, Copy)]
pub struct Work {
    now: Option<Time>,
    since: Option<(Option<Ticket>, Time)>,
}

impl Work {
    /// ` for 7 s`, once it is worth saying.
    fn taking(&self) -> String {
        match (self.now, self.since) {
            (Some(now), Some((_, since))) if now.since(since) >= LONG => format!(" for {}", spoken(now.since(since))),
            _ => String::new(),
        }
    }
}

fn spoken(ms: i64) -> String {
    let seconds = ms / 1_000;
    match (seconds / 60, seconds % 60) {
        (0, s) => format!("{s} s"),
        (m, s) => format!("{m} min {s} s"),
    }
}

impl LessonScreen {
    /// Time has passed; `motion`: things may move on their own.
    pub fn tick(&mut self, now: Time, motion: bool) {
        let work = &mut self.view.work;
        work.now = Some(now);
        let current = match self.session.running() {
            Some(running) => Some(Some(running.ticket)),
            None => self.session.is_judging().then_some(None),
        };
        match current {
            None => work.since = None,
            Some(what) if work.since.is_none_or(|(seen, _)| seen != what) => work.since = Some((what, now)),
            Some(_) => (),
        }
        if let Some(top) = self.over.last_mut().filter(|top| motion && top.is_moving()) {
            top.tick(now);
        }
    }

    /// After how long the next frame is due though nothing happens; `None`: never.
    pub fn wakes(&self, motion: bool) -> Option<Duration> {
        if motion && self.over.last().is_some_and(|top| top.is_moving()) {
            return Some(MOVING);
        }
        self.view.work.since.map(|_| COUNTING)
    }

    /// What runs, in a sentence.
    pub(super) fn working(&self, what: &Task) -> String {
        let taking = self.view.work.taking();
        match what {
            Task::Line(ran) => match self.reads() {
                Some(Reads::Keys) => "A program in the pod has the keyboard. Ctrl-D or `exit` ends it.".into(),
                Some(Reads::Lines) => "The command reads what you type. Ctrl-D ends the input, Ctrl-C the command.".into(),
                _ => {
                    let line = clip(ran.line.lines().next().unwrap_or_default().trim(), COMMAND, true);
                    format!("Running{taking}: {line}. Ctrl-C ends it.")
                }
            },
            Task::SetUp(_) => format!("Preparing the step{taking} ... Ctrl-C ends it."),
            Task::Solution(..) => format!("Applying the solution{taking} ... Ctrl-C ends it."),
            Task::Share => format!("Writing the file{taking} ..."),
            Task::Reset(_) => format!("Putting the world back{taking} ... Ctrl-C ends it."),
        }
    }

    /// That the step is judged.
    pub(super) fn judging(&self) -> String {
        format!("Checking{} ...", self.view.work.taking())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spoken() {
        assert_eq!([999, 7_400, 61_000].map(spoken), ["0 s", "7 s", "1 min 1 s"]);
    }
}
