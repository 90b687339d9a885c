//! Does what a session asks for: runs lines and actions, judges, writes the journal. Answers with events on one bounded channel.

use crate::base::clock::Clock;
use crate::base::io::Input;
use crate::base::seed::Seed;
use crate::check;
use crate::finding::Ran;
use crate::lab::actions::{self, Applied, OnError};
use crate::lab::desk::Desk;
use crate::lab::desk::timeline::hands::Whose;
use crate::lab::env::Checkpoint;
use crate::lab::ground::EnvGround;
use crate::lab::own_shell::OwnShell;
use crate::lab::prompt::{Piece, Prompt, Terminal};
use crate::lab::retry::Tiding;
use crate::lab::share;
use crate::lesson::model::{Action, Lesson};
use crate::progress::{Entry, Journal};
use crate::session::desk::{AskId, Request};
use crate::session::own_shell::{ShellCall, ShellNews};
use crate::session::story::Story;
use crate::session::{Effect, Event, Reach, RecordId, Tag, Ticket};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

/// Pieces of output, keys and events that may wait.
const QUEUE: usize = 1024;

/// What a driver works with.
pub struct Parts {
    pub lesson: Arc<Lesson>,
    /// What the learner's lines run with, and the environment.
    pub prompt: Prompt,
    /// Tells this run's probes from others'.
    pub seed: Seed,
    /// `None`: nothing is saved.
    pub journal: Option<Journal>,
    pub clock: Arc<dyn Clock>,
    /// The output's size, `None` without a terminal.
    pub terminal: Option<(u16, u16)>,
}

/// The driver. Lives on the runtime's side; every method returns at once.
pub struct Driver {
    shared: Arc<Shared>,
    running: BTreeMap<Ticket, Running>,
    judging: BTreeMap<Tag, JoinHandle<()>>,
    /// Questions that are being looked up; given up with the driver.
    asking: Vec<JoinHandle<()>>,
    /// Where the lines that ran are kept.
    history: Option<std::path::PathBuf>,
    /// Ends with the driver.
    own_shell: Option<OwnShell>,
}

struct Shared {
    parts: Parts,
    journal: Mutex<Option<Journal>>,
    checkpoints: tokio::sync::Mutex<BTreeMap<usize, Checkpoint>>,
    events: mpsc::Sender<Event>,
    size: Mutex<Option<(u16, u16)>>,
}

struct Running {
    input: mpsc::Sender<Input>,
    task: JoinHandle<()>,
}

impl Driver {
    /// A driver and the channel of its events. To be made inside a runtime.
    pub fn new(mut parts: Parts) -> (Driver, mpsc::Receiver<Event>) {
        let (events, receiver) = mpsc::channel(QUEUE);
        let journal = Mutex::new(parts.journal.take());
        let size = Mutex::new(parts.terminal);
        let shared = Shared { parts, journal, checkpoints: tokio::sync::Mutex::default(), events, size };
        (
            Driver {
                shared: Arc::new(shared),
                running: BTreeMap::new(),
                judging: BTreeMap::new(),
                asking: Vec::new(),
                history: None,
                own_shell: None,
            },
            receiver,
        )
    }

    /// Does one effect. `Quit` is the caller's own to do.
    pub fn perform(&mut self, effect: Effect) {
        self.running.retain(|_, running| !running.task.is_finished());
        self.judging.retain(|_, task| !task.is_finished());
        match effect {
            Effect::Run { ticket, line } => self.run(ticket, line),
            Effect::Input { ticket, input } => self.input(ticket, input),
            Effect::Cancel { ticket } => self.input(ticket, Input::Interrupt),
            Effect::SetUp { ticket, step } => self.task(ticket, move |s| async move { s.set_up(step).await }),
            Effect::ApplySolution { ticket, step } => self.task(ticket, move |s| async move { s.solve(ticket, step).await }),
            Effect::Reset { ticket, step } => self.task(ticket, move |s| async move { s.reset(step).await }),
            Effect::Share { ticket, file, story } => self.task(ticket, move |s| async move { s.share(&file, &story).await }),
            Effect::Evaluate { tag, step, answer, ran } => self.evaluate(tag, step, answer, ran),
            Effect::Forget { tag } => self.judging.remove(&tag).into_iter().for_each(|task| task.abort()),
            Effect::Record { id, entry } => self.record(id, entry),
            Effect::Ask { id, request } => self.ask(id, request),
            Effect::Shell(call) => self.shell(call),
            Effect::StepDone { .. } | Effect::Shown { .. } | Effect::Quit => (),
        }
    }

    /// Passes on what the client of a cluster has to say, as long as anybody takes events.
    pub fn hear(&self, mut tidings: broadcast::Receiver<Tiding>) {
        use broadcast::error::RecvError;
        let events = self.shared.events.clone();
        tokio::spawn(async move {
            loop {
                let heard = tokio::select! {
                    heard = tidings.recv() => heard,
                    () = events.closed() => return,
                };
                match heard {
                    Ok(tiding) => drop(events.send(Event::Reach(reach(tiding))).await),
                    // The newest ones are there still, and how it stands is in the last.
                    Err(RecvError::Lagged(_)) => (),
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }

    /// Keeps the lines that run in this file.
    pub fn keep_history(&mut self, path: std::path::PathBuf) {
        self.history = Some(path);
    }

    fn run(&mut self, ticket: Ticket, line: String) {
        if let Some(path) = self.history.clone() {
            let line = line.clone();
            // Not being able to keep a line is no reason not to run it.
            tokio::task::spawn_blocking(move || drop(crate::lab::history::append(&path, &line)));
        }
        let (input, receiver) = mpsc::channel(QUEUE);
        let shared = self.shared.clone();
        let task = tokio::spawn(async move {
            let size = *shared.size.lock().unwrap_or_else(|p| p.into_inner());
            let (out, printer) = shared.printer(ticket);
            let end = shared.parts.prompt.run(&line, Terminal { input: receiver, out, size }).await;
            let _ = printer.await;
            let exit_code = end.exit_code;
            shared
                .tell(match end.wish {
                    None => Event::Ran { ticket, exit_code },
                    Some(wish) => Event::RanAsking { ticket, exit_code, wish },
                })
                .await;
        });
        self.running.insert(ticket, Running { input, task });
    }

    fn input(&mut self, ticket: Ticket, input: Input) {
        if let Input::Resize { cols, rows } = input {
            *self.shared.size.lock().unwrap_or_else(|p| p.into_inner()) = Some((cols, rows));
        }
        if let Some(running) = self.running.get(&ticket) {
            let _ = running.input.try_send(input);
        }
    }

    /// Starts something that ends with `Done`.
    fn task<F, R>(&mut self, ticket: Ticket, work: F)
    where
        F: FnOnce(Arc<Shared>) -> R + Send + 'static,
        R: Future<Output = anyhow::Result<Option<String>>> + Send + 'static,
    {
        let shared = self.shared.clone();
        let (input, mut interrupts) = mpsc::channel(QUEUE);
        let task = tokio::spawn(async move {
            let work = work(shared.clone());
            tokio::pin!(work);
            let end = loop {
                tokio::select! {
                    end = &mut work => break end,
                    Some(input) = interrupts.recv() => if input == Input::Interrupt {
                        break Err(anyhow::anyhow!("interrupted; `reset` puts the step back to its start"));
                    },
                }
            };
            let (result, answer) = match end {
                Ok(answer) => (Ok(()), answer),
                Err(error) => (Err(crate::lab::words::line(&error)), None),
            };
            shared.tell(Event::Done { ticket, result, answer }).await;
        });
        self.running.insert(ticket, Running { input, task });
    }

    fn evaluate(&mut self, tag: Tag, step: usize, answer: Option<String>, ran: Vec<Ran>) {
        let shared = self.shared.clone();
        let task = tokio::spawn(async move {
            let lesson = &shared.parts.lesson;
            let ground = EnvGround { env: shared.parts.prompt.env().clone(), seed: shared.parts.seed, mends: true };
            let event = match check::judge(&ground, lesson, &lesson.steps[step], answer.as_deref(), &ran).await {
                Ok(findings) => Event::Evaluated { tag, findings },
                Err(reason) => Event::EvaluationFailed { tag, reason },
            };
            shared.tell(event).await;
        });
        self.judging.insert(tag, task);
    }

    fn ask(&mut self, id: AskId, request: Request) {
        let shared = self.shared.clone();
        self.asking.retain(|task| !task.is_finished());
        self.asking.push(tokio::spawn(async move {
            let desk = Desk { prompt: &shared.parts.prompt, lesson: &shared.parts.lesson };
            let answer = desk.answer(request).await.map_err(|error| crate::lab::words::line(&error));
            shared.tell(Event::Answered { id, answer }).await;
        }));
    }

    fn shell(&mut self, call: ShellCall) {
        let open = |shared: &Arc<Shared>, cols, rows| {
            let events = shared.events.clone();
            let tell = Arc::new(move |news| events.blocking_send(Event::Shell(news)).is_ok());
            let place =
                shared.parts.prompt.own_shell.as_ref().ok_or("No shell can be opened here: the lab keeps its files in memory, or the lesson is on a cluster, which your own terminal reaches.")?;
            OwnShell::open(place, (cols, rows), tell)
        };
        match (call, &self.own_shell) {
            (ShellCall::Open { cols, rows }, Some(shell)) if !shell.has_ended() => shell.resize(cols, rows),
            (ShellCall::Open { cols, rows }, _) => {
                self.own_shell = None;
                match open(&self.shared, cols, rows) {
                    Ok(shell) => self.own_shell = Some(shell),
                    Err(sentence) => {
                        let events = self.shared.events.clone();
                        std::thread::spawn(move || events.blocking_send(Event::Shell(ShellNews::Ended(sentence))));
                    }
                }
            }
            (ShellCall::Input(bytes), Some(shell)) => shell.input(bytes),
            (ShellCall::Resize { cols, rows }, Some(shell)) => shell.resize(cols, rows),
            (ShellCall::Taken, Some(shell)) => shell.taken(),
            (ShellCall::Close, _) => self.own_shell = None,
            _ => (),
        }
    }

    fn record(&mut self, id: RecordId, entry: Entry) {
        let shared = self.shared.clone();
        tokio::task::spawn_blocking(move || {
            let now = shared.parts.clock.now();
            let event = match &mut *shared.journal.lock().unwrap_or_else(|p| p.into_inner()) {
                None => Event::Recorded(id),
                Some(journal) => match journal.append(now, &entry) {
                    Ok(()) => Event::Recorded(id),
                    Err(error) => Event::RecordFailed { id, reason: error.to_string() },
                },
            };
            let _ = shared.events.blocking_send(event);
        });
    }
}

/// What a tiding means for a session; its sentences begin in the middle, after a program's name.
fn reach(tiding: Tiding) -> Reach {
    let sentence = |text: String| {
        let mut chars = text.chars();
        let first = chars.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(chars).collect::<String>() + "."
    };
    match tiding {
        Tiding::Waiting(text) => Reach::Waiting(sentence(text)),
        Tiding::Over => Reach::Clear,
        Tiding::Remained(text) => Reach::Failed(sentence(text)),
    }
}

impl Shared {
    async fn tell(&self, event: Event) {
        let _ = self.events.send(event).await;
    }

    /// A channel whose pieces become `Output` events, and the task that forwards them until the channel closes.
    fn printer(self: &Arc<Self>, ticket: Ticket) -> (mpsc::Sender<(crate::base::io::Stream, Vec<u8>)>, JoinHandle<()>) {
        let (out, mut pieces) = mpsc::channel(QUEUE);
        let shared = self.clone();
        let task = tokio::spawn(async move {
            while let Some((stream, bytes)) = pieces.recv().await {
                shared.tell(Event::Output { ticket, stream, bytes }).await;
            }
        });
        (out, task)
    }

    /// Writes the file for somebody else; what was written, in a sentence.
    async fn share(&self, file: &str, story: &Story) -> anyhow::Result<Option<String>> {
        let prompt = &self.parts.prompt;
        let (world, now, istio) = (prompt.env().whole().await?, prompt.env().now().await, prompt.env().istio());
        let (story, files, name) = (story.clone(), prompt.files.clone(), file.to_string());
        let work = move || {
            let (bytes, taken) = share::write(share::Lab { story: &story, files: &*files, world, istio, now })?;
            files.write(&name, &bytes).map_err(|error| anyhow::anyhow!("{name} could not be written: {error}"))?;
            Ok::<_, anyhow::Error>((bytes.len(), taken))
        };
        let (size, taken) = tokio::task::spawn_blocking(work).await??;
        let place = prompt.files.location().map_or(String::new(), |folder| format!(" in {}", folder.display()));
        Ok(Some(format!(
            "Wrote {file} ({} kB){place}. Secrets and home folders were left out ({taken} places). `egress-lab open {file}` goes on from here.",
            size.div_ceil(1000)
        )))
    }

    /// Does actions of the lesson; what they change is not the learner's own doing.
    async fn apply(&self, list: &[Action], whose: Whose, out: &mpsc::Sender<Piece>) -> anyhow::Result<Applied> {
        let prompt = &self.parts.prompt;
        let before = prompt.env().revision().await;
        let end = actions::apply(prompt, list, OnError::Stop, out).await;
        if let (Some(before), Some(now)) = (before, prompt.env().revision().await) {
            prompt.hands.note(before, now, whose);
        }
        end
    }

    /// Makes the step's start: its set-up actions, then a mark to come back to.
    async fn set_up(&self, step: usize) -> anyhow::Result<Option<String>> {
        let mut checkpoints = self.checkpoints.lock().await;
        if checkpoints.contains_key(&step) {
            return Ok(None);
        }
        let (quiet, _) = mpsc::channel(1);
        self.apply(&self.parts.lesson.steps[step].setup, Whose::SetUp, &quiet).await?;
        checkpoints.insert(step, self.parts.prompt.env().checkpoint().await?);
        Ok(None)
    }

    async fn solve(self: &Arc<Self>, ticket: Ticket, step: usize) -> anyhow::Result<Option<String>> {
        let (out, printer) = self.printer(ticket);
        let end = self.apply(&self.parts.lesson.steps[step].solution, Whose::Solution, &out).await;
        drop(out);
        let _ = printer.await;
        Ok(end?.answers.remove(&self.parts.lesson.steps[step].id))
    }

    /// Back to the step's start: to its mark, or, when this run has none, built anew.
    async fn reset(&self, step: usize) -> anyhow::Result<Option<String>> {
        let checkpoints = self.checkpoints.lock().await;
        let env = self.parts.prompt.env();
        let kept = match checkpoints.get(&step) {
            Some(checkpoint) => env.reset(checkpoint).await.is_ok(),
            None => false,
        };
        if !kept {
            env.rebuild(&self.parts.lesson, step).await?;
        }
        Ok(None)
    }
}
