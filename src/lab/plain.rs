//! The whole course line by line: text in, text out, no escapes. For pipes, screen readers and terminals that can do nothing else.

use crate::base::io::{Input, Stream};
use crate::finding::{Verdict, render};
use crate::lab::driver::Driver;
use crate::lab::prompt::{is_complete, words};
use crate::lesson::layout::{layout, text_of};
use crate::lesson::markdown::Block;
use crate::lesson::model::{Expected, StepKind};
use crate::session::guide::{debrief_text, hint_title};
use crate::session::transcript::Sort;
use crate::session::{Effect, Event, Session, StepState, Wish};
use std::time::Duration;
use tokio::sync::mpsc;

/// Columns of the texts.
const WIDTH: usize = 80;
/// Whether a step is done already is looked at before the next line is read, but for no longer than this: on a cluster a check may wait a
/// minute for what the learner has yet to make.
const LOOKS_FOR: Duration = Duration::from_secs(2);

/// Where lines come from and text goes.
pub struct Console {
    /// Lines without their newline; a closed channel is the end of input.
    pub lines: mpsc::Receiver<String>,
    pub print: Box<dyn FnMut(Stream, &str) + Send>,
    /// Whether to show `> ` before a line is read.
    pub prompt: bool,
    /// Ctrl-C.
    pub interrupts: mpsc::Receiver<()>,
}

/// How a plain run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The lesson is finished, or the learner left.
    Left {
        finished: bool,
    },
    Interrupted,
}

/// Takes a session through to its end, or to the end of the input.
pub async fn run(session: Session, driver: Driver, events: mpsc::Receiver<Event>, console: Console) -> End {
    let mut plain = Plain {
        session,
        driver,
        events,
        console,
        told: 0,
        shown: None,
        findings: String::new(),
        hinted: (usize::MAX, 0),
        notice: String::new(),
        waits: false,
        asked: None,
        quit: false,
        interrupted: false,
        mid_line: false,
    };
    plain.start();
    plain.run().await
}

struct Plain {
    session: Session,
    driver: Driver,
    events: mpsc::Receiver<Event>,
    console: Console,
    /// Transcript lines that were printed or skipped so far, counted from the beginning.
    told: u64,
    shown: Option<usize>,
    findings: String,
    /// The step whose hints were printed last, and how many.
    hinted: (usize, u8),
    notice: String,
    /// Whether it was said that something waits for the API server.
    waits: bool,
    /// The question that was printed last.
    asked: Option<crate::session::Ask>,
    quit: bool,
    interrupted: bool,
    /// A command's output did not end its last line.
    mid_line: bool,
}

impl Plain {
    fn start(&mut self) {
        let lesson = self.session.lesson().clone();
        self.say(&format!("{}\n", lesson.title));
        self.blocks(&lesson.summary);
        self.say("\nType commands as you would in a shell; `help` lists what there is, `hint` helps, `quit` leaves.\n");
        let effects = self.session.start();
        self.perform(effects);
    }

    async fn run(&mut self) -> End {
        loop {
            self.settle().await;
            if self.quit {
                return End::Left { finished: self.session.is_finished() };
            }
            if self.console.prompt {
                self.say("> ");
            }
            match self.line().await {
                None if self.interrupted => return End::Interrupted,
                None => return End::Left { finished: self.session.is_finished() },
                Some(line) => self.enter(&line),
            }
        }
    }

    /// A whole line: here-documents and open quotes are read to their end. `None` at the end of input and on Ctrl-C.
    async fn line(&mut self) -> Option<String> {
        let mut text = self.one_line().await?;
        while !is_complete(&text) {
            let Some(more) = self.one_line().await else { break };
            text.push('\n');
            text.push_str(&more);
        }
        Some(text)
    }

    async fn one_line(&mut self) -> Option<String> {
        loop {
            tokio::select! {
                line = self.console.lines.recv() => return line,
                Some(()) = self.console.interrupts.recv() => {
                    self.interrupted = true;
                    return None;
                }
                Some(event) = self.events.recv() => {
                    self.handle(event);
                    self.show();
                }
            }
        }
    }

    fn enter(&mut self, line: &str) {
        // Asked twice, a sentence is said twice.
        self.notice.clear();
        let event = match self.wish(line.trim()) {
            Some(wish) => Event::Wish(wish),
            None => Event::Line(line.to_string()),
        };
        if let Event::Wish(Wish::Quit) = event {
            self.quit = true;
        }
        self.handle(event);
    }

    /// Words that are no commands: an answer by its letter, a yes or no to a question of the program.
    fn wish(&self, word: &str) -> Option<Wish> {
        use crate::session::Ask;
        if let Some(ask) = self.session.asking() {
            return Some(match (word, ask) {
                ("y" | "yes", Ask::Solution) => Wish::Solution { confirmed: true },
                ("y" | "yes", Ask::Skip) => Wish::Skip { confirmed: true },
                ("y" | "yes", Ask::Reset(scope)) => Wish::Reset { scope, confirmed: true },
                ("n" | "no", _) => Wish::Cancel,
                _ => return None,
            });
        }
        if self.session.as_choice(word).is_some() {
            return Some(Wish::Answer(word.strip_prefix("answer ").unwrap_or(word).trim().to_string()));
        }
        words::guidance(word)
    }

    /// Works until nothing runs, is judged or saved. A look whether the step is done already may go on behind the prompt.
    async fn settle(&mut self) {
        loop {
            self.show();
            if self.quit || (self.session.is_idle() && self.events.is_empty()) {
                return;
            }
            tokio::select! {
                Some(event) = self.events.recv() => self.handle(event),
                () = tokio::time::sleep(LOOKS_FOR), if self.only_looks() => return,
                Some(()) = self.console.interrupts.recv() => self.handle(Event::Wish(Wish::Cancel)),
                Some(line) = self.console.lines.recv(), if self.wants_input() => {
                    self.handle(Event::Input(Input::Bytes(format!("{line}\n").into_bytes())));
                }
            }
        }
    }

    /// Whether nothing is under way but a look that nobody asked for.
    fn only_looks(&self) -> bool {
        self.session.running().is_none() && !self.session.is_judging() && !self.session.is_saving()
    }

    /// Whether the line that runs reads what is typed.
    fn wants_input(&self) -> bool {
        use crate::session::Task;
        match self.session.running().map(|running| &running.what) {
            Some(Task::Line(ran)) => crate::lab::prompt::reads_input(&ran.line),
            _ => false,
        }
    }

    fn handle(&mut self, event: Event) {
        if let Event::Output { stream, bytes, .. } = &event {
            let text = String::from_utf8_lossy(bytes).into_owned();
            (self.console.print)(*stream, &text);
            self.mid_line = !text.ends_with('\n');
        }
        let effects = self.session.handle(event);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Quit => self.quit = true,
                Effect::StepDone { step } => self.step_done(step),
                effect => self.driver.perform(effect),
            }
        }
    }

    fn step_done(&mut self, step: usize) {
        let word = match self.session.steps()[step].state {
            StepState::Assisted => "DONE (assisted)",
            StepState::Skipped => "SKIPPED",
            _ => "PASS",
        };
        self.say(&format!("{word}: step {}, {}\n", step + 1, self.session.lesson().steps[step].title.clone()));
        self.look_back(step);
        match self.session.is_finished() {
            true => {
                let debrief = self.session.lesson().debrief.clone();
                self.say("\nThe lesson is finished.\n");
                self.blocks(&debrief);
                let judged = self.session.calibration().sentences();
                judged.iter().for_each(|sentence| self.say(&format!("{sentence}\n")));
            }
            false if step == self.session.shown() => self.say("`next` goes on.\n"),
            false => (),
        }
    }

    /// The stage that this step closed.
    fn look_back(&mut self, step: usize) {
        let stage = self.session.stage_done(step).filter(|stage| !stage.debrief.is_empty());
        if let Some(text) = stage.map(|stage| debrief_text(stage, WIDTH)) {
            self.say(&format!("\n{}\n\n", text.join("\n")));
        }
    }

    /// Prints what is new: notes of the program, findings, the step.
    fn show(&mut self) {
        self.notes();
        let findings =
            self.session.findings().iter().filter(|f| f.verdict != Verdict::Met).map(render::text).collect::<Vec<_>>().join("\n");
        if findings != self.findings {
            if !findings.is_empty() && !self.session.step_run().is_done() {
                self.say(&format!("{findings}\n"));
            }
            self.findings = findings;
        }
        self.hints();
        if self.asked != self.session.asking() {
            self.asked = self.session.asking();
            if let Some(ask) = self.asked {
                self.say(&format!("{} Answer yes or no.\n", ask.question()));
            }
        }
        let notice = self.session.notice().unwrap_or("").to_string();
        if notice != self.notice && !notice.is_empty() {
            self.say(&format!("{notice}\n"));
        }
        self.notice = notice;
        self.waiting();
        if self.shown != Some(self.session.shown()) {
            self.shown = Some(self.session.shown());
            self.step();
        }
    }

    /// One line when waiting for the API server begins; further tries are not told.
    fn waiting(&mut self) {
        let waiting = self.session.waiting().map(str::to_string);
        if let Some(sentence) = waiting.as_ref().filter(|_| !self.waits) {
            self.say(&format!("{sentence}\n"));
        }
        self.waits = waiting.is_some();
    }

    /// Hint tiers that were asked for and not printed yet.
    fn hints(&mut self) {
        let shown = (self.session.shown(), self.session.step_run().hints);
        if self.hinted.0 != shown.0 {
            self.hinted = (shown.0, if self.shown == Some(shown.0) { 0 } else { shown.1 });
        }
        for tier in self.hinted.1..shown.1 {
            let lesson = self.session.lesson().clone();
            let hints = &lesson.steps[shown.0].hints;
            self.say(&format!("{}\n", hint_title(usize::from(tier), hints.len())));
            if let Some(blocks) = hints.get(usize::from(tier)) {
                self.blocks(blocks);
            }
        }
        self.hinted.1 = shown.1;
    }

    fn notes(&mut self) {
        let transcript = self.session.transcript();
        let first = transcript.dropped();
        let all = first + transcript.lines().len() as u64;
        let skip = self.told.saturating_sub(first) as usize;
        let notes: Vec<String> = transcript.lines().skip(skip).filter(|l| l.sort == Sort::Note).map(|l| l.text.clone()).collect();
        self.told = all;
        notes.iter().for_each(|note| self.say(&format!("{note}\n")));
    }

    fn step(&mut self) {
        let lesson = self.session.lesson().clone();
        let nth = self.session.shown();
        let step = &lesson.steps[nth];
        let first_of_stage = nth == 0 || lesson.steps[nth - 1].stage != step.stage;
        if let Some(stage) = lesson.stage(&step.stage).filter(|_| first_of_stage) {
            self.say(&format!("\n==== {} ====\n", stage.title));
            self.blocks(&stage.intro);
        }
        self.say(&format!("\n-- Step {} of {}: {} ({})\n\n", nth + 1, lesson.steps.len(), step.title, step.kind.word()));
        self.blocks(&step.task);
        if let Some(question) = &step.question {
            self.say("\n");
            self.blocks(&question.prompt);
            match &question.answer {
                Expected::Options(choices) => {
                    for (i, choice) in choices.iter().enumerate() {
                        let letter = char::from(b'a' + (i as u8 % 26));
                        crate::base::text::wrap(&format!("  {letter}) {}", choice.text), WIDTH, 5)
                            .iter()
                            .for_each(|l| self.say(&format!("{l}\n")));
                    }
                    self.say("Answer with the letter; 1, 2 or 3 behind it says how sure you are (b 3).\n");
                }
                Expected::Entry { label, .. } => self.say(&format!("{label}? Answer with `answer TEXT`.\n")),
            }
        }
        for doc in &step.docs {
            self.say(&format!("Read more: {}, {}\n", doc.label, doc.url));
        }
        if step.kind == StepKind::Read {
            self.say("`next` goes on.\n");
        }
    }

    fn blocks(&mut self, blocks: &[Block]) {
        for line in text_of(&layout(blocks, WIDTH)) {
            self.say(&format!("{line}\n"));
        }
    }

    /// Prints a text of the program, on a line of its own.
    fn say(&mut self, text: &str) {
        if std::mem::take(&mut self.mid_line) {
            (self.console.print)(Stream::Out, "\n");
        }
        (self.console.print)(Stream::Out, text);
    }
}
