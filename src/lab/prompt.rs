//! The lab prompt: one line in, its output and an exit code out. Words are looked up in [`words`]; pipes, redirections and
//! here-documents are the shell's. Nothing here starts a program of this machine but [`own_istioctl`](crate::lab::own_istioctl), which
//! installs Istio on a real cluster.

pub mod folder;
mod local;
pub mod words;

use self::folder::Folder;
use self::words::{Word, advice, find};
use crate::base::clock::{LogicalClock, Time};
use crate::base::files::Files;
use crate::base::io::{Editor, Input, Io, Stream};
use crate::kubectl;
use crate::lab::desk::complete::Looker;
use crate::lab::desk::timeline::{self, hands::Hands, marks::Marks};
use crate::lab::env::Environment;
use crate::lab::own_istioctl::OwnIstioctl;
use crate::lab::own_shell;
use crate::session::{ResetScope, Wish};
use crate::shell::machine::{self, Call, CallInput, Limits, Machine, Shell, Step};
use crate::shell::parse::{self, ErrorKind};
use crate::shell::rules::Rules;
use futures::StreamExt;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// Pieces of output that may wait between a command and the shell.
const PIECES: usize = 4096;

/// What the prompt works with. Cheap to clone; kept from line to line.
#[derive(Clone)]
pub struct Prompt {
    pub kubectl: kubectl::Context,
    pub istioctl: crate::istioctl::Context,
    pub files: Arc<dyn Files>,
    pub editor: Option<Arc<dyn Editor>>,
    /// Bookmarks of the time-line.
    pub marks: Marks,
    /// What the lab ran for the learner.
    pub hands: Hands,
    /// The past that was looked at last.
    pub(in crate::lab) looked: Arc<tokio::sync::Mutex<Option<(u64, kube::Client)>>>,
    /// Where a shell of the learner's own would run; `None` where there is none.
    pub own_shell: Option<own_shell::Place>,
    env: Arc<dyn Environment>,
    /// The last line that wrote something.
    last: Arc<Mutex<Option<LastChange>>>,
    /// Follows the environment's clock: set before each line.
    clock: Arc<LogicalClock>,
}

/// A line that changed the world, and the revisions around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastChange {
    pub line: String,
    pub before: u64,
    pub after: u64,
}

/// Words of lines that may change objects.
const WRITES: [&str; 20] = [
    "apply",
    "create",
    "delete",
    "edit",
    "patch",
    "replace",
    "label",
    "annotate",
    "scale",
    "set",
    "run",
    "expose",
    "rollout",
    "install",
    "uninstall",
    "autoscale",
    "taint",
    "cordon",
    "uncordon",
    "drain",
];

/// Waits in the environment's time.
struct EnvPause(Arc<dyn Environment>);

impl kubectl::Pause for EnvPause {
    fn pause(&self, ms: u64) -> BoxFuture<'static, ()> {
        let env = self.0.clone();
        Box::pin(async move { env.wait(ms).await })
    }
}

/// How a line ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineEnd {
    pub exit_code: i32,
    /// What the line asked of the session, if it did.
    pub wish: Option<Wish>,
}

/// A piece of output.
pub type Piece = (Stream, Vec<u8>);

/// Where a line's input comes from and its output goes.
pub struct Terminal {
    /// What the learner types while the line runs; a closed channel is an empty input.
    pub input: mpsc::Receiver<Input>,
    pub out: mpsc::Sender<Piece>,
    /// Columns and rows, `None` when there is no terminal.
    pub size: Option<(u16, u16)>,
}

/// Whether a line is whole, or an open quote or here-document asks for more.
pub fn is_complete(line: &str) -> bool {
    !matches!(parse::parse(line), Err(error) if error.kind == ErrorKind::Incomplete)
}

/// Whether a line reads what is typed while it runs: `kubectl exec -i`, `-f -`. Others get interrupts only, so that a script piped
/// into the prompt is not eaten by a command that never asked for it.
pub fn reads_input(line: &str) -> bool {
    let command = line.lines().next().unwrap_or_default();
    if command.contains("<<") {
        return false;
    }
    let before = command.split(" -- ").next().unwrap_or(command);
    before.split_whitespace().any(|word| match word.strip_prefix('-') {
        None => false,
        Some("" | "f-" | "-stdin" | "-stdin=true" | "-filename=-") => true,
        // The last of several may take a value: `-itc CONTAINER`.
        Some(flags) => {
            let flags = flags.strip_suffix("=true").or(flags.strip_suffix('c')).unwrap_or(flags);
            flags.len() <= 3 && flags.contains('i') && flags.chars().all(|c| "itq".contains(c))
        }
    })
}

impl Prompt {
    /// A prompt for a learner in an environment.
    pub fn new(env: Arc<dyn Environment>, files: Arc<dyn Files>, editor: Option<Arc<dyn Editor>>) -> Prompt {
        let clock = Arc::new(LogicalClock::new(Time::LOGICAL_START));
        let name = env.name();
        let config = kubectl::Config::single(&name, "learner", &env.url().unwrap_or_else(|| "https://127.0.0.1".into()));
        let kubectl = kubectl::Context {
            client: env.client(),
            config: Arc::new(Mutex::new(config)),
            clock: clock.clone(),
            pause: Arc::new(EnvPause(env.clone())),
            restrictions: kubectl::Restrictions::prompt(),
            color: false,
        };
        let istioctl = crate::istioctl::Context {
            client: env.client(),
            namespace: "default".into(),
            version: env.istio(),
            readiness: crate::istioctl::Readiness::default(),
        };
        let (marks, hands, looked) = (Marks::default(), Hands::default(), Arc::default());
        Prompt { kubectl, istioctl, files, editor, own_shell: None, marks, hands, looked, env, last: Arc::default(), clock }
    }

    /// The environment that lines act on.
    pub fn env(&self) -> &Arc<dyn Environment> {
        &self.env
    }

    /// Brings the clock of ages and time-outs to the environment's present moment.
    pub(in crate::lab) async fn set_clock(&self) {
        self.clock.set(self.env.now().await);
    }

    /// The last line that changed the world, where its revisions are known.
    pub fn last_change(&self) -> Option<LastChange> {
        self.last.lock().unwrap_or_else(|p| p.into_inner()).clone()
    }

    /// Runs one line to its end.
    pub async fn run(&self, line: &str, terminal: Terminal) -> LineEnd {
        if !line.split_whitespace().any(|word| WRITES.contains(&word)) {
            return self.run_line(line, terminal).await;
        }
        let before = self.env.revision().await;
        let end = self.run_line(line, terminal).await;
        if let (Some(before), Some(after)) = (before, self.env.revision().await)
            && after > before
        {
            let change = LastChange { line: line.to_string(), before, after };
            *self.last.lock().unwrap_or_else(|p| p.into_inner()) = Some(change);
        }
        end
    }

    async fn run_line(&self, line: &str, terminal: Terminal) -> LineEnd {
        self.set_clock().await;
        let mut run = Run {
            prompt: self,
            files: Folder { files: self.files.clone(), clock: self.clock.clone() },
            input: Arc::new(tokio::sync::Mutex::new(terminal.input)),
            out: terminal.out,
            size: terminal.size,
            line: line.to_string(),
            wish: Arc::default(),
        };
        let exit_code = run.line().await;
        let wish = run.wish.lock().unwrap_or_else(|p| p.into_inner()).take();
        LineEnd { exit_code, wish }
    }
}

struct Run<'a> {
    prompt: &'a Prompt,
    files: Folder,
    input: Arc<tokio::sync::Mutex<mpsc::Receiver<Input>>>,
    out: mpsc::Sender<Piece>,
    size: Option<(u16, u16)>,
    line: String,
    wish: Arc<Mutex<Option<Wish>>>,
}

impl Run<'_> {
    async fn line(&mut self) -> i32 {
        if looks_like_manifest(&self.line) {
            self.put(Stream::Err, sentence(&advice("apiVersion:", &self.line))).await;
            return 2;
        }
        let script = match parse::parse_whole(&self.line).and_then(|script| Rules::LAB.check(&script).map(|()| script)) {
            Ok(script) => script,
            Err(error) => {
                self.put(Stream::Err, sentence(&format!("{} (column {})", error.message, error.column))).await;
                return 2;
            }
        };
        let mut shell = Shell::new("lab", &BTreeMap::new(), "");
        shell.builtins = false;
        shell.limits = Limits::default();
        let mut machine = Machine::new(shell, script);
        let mut input = machine::Input::Next;
        loop {
            input = match machine.poll(&mut self.files, input) {
                Step::Output { stream, bytes } => {
                    self.put(stream, bytes).await;
                    machine::Input::Next
                }
                Step::Call(call) => self.call(&mut machine, call).await,
                Step::Sleep { ms } => {
                    self.prompt.kubectl.pause.pause(ms).await;
                    machine::Input::Next
                }
                Step::NeedLine => machine::Input::Line(None),
                Step::Waiting => machine::Input::Interrupt,
                Step::Done { exit_code } => return exit_code,
            };
        }
    }

    /// Runs one command, handing its output to the shell piece by piece.
    async fn call(&mut self, machine: &mut Machine, call: Call) -> machine::Input {
        let (tx, mut rx) = mpsc::channel::<(Stream, Vec<u8>)>(PIECES);
        let read_stdin = matches!(call.stdin, CallInput::Bytes(_));
        let mut io = Io {
            stdin: self.stdin(&call.stdin),
            out: Box::new(move |stream, bytes| drop(tx.try_send((stream, bytes.to_vec())))),
            files: self.prompt.files.clone(),
            tty: self.size.filter(|_| call.out_direct),
            editor: self.prompt.editor.clone(),
            raw: None,
        };
        let (prompt, wish, line) = (self.prompt.clone(), self.wish.clone(), self.line.clone());
        let command = async move { prompt.command(&call, &mut io, &wish, &line).await };
        tokio::pin!(command);
        let exit_code = loop {
            tokio::select! {
                biased;
                Some((stream, bytes)) = rx.recv() => self.feed(machine, stream, bytes).await,
                code = &mut command => break code,
            }
        };
        while let Ok((stream, bytes)) = rx.try_recv() {
            self.feed(machine, stream, bytes).await;
        }
        machine::Input::Returned { exit_code, read_stdin }
    }

    async fn feed(&mut self, machine: &mut Machine, stream: Stream, bytes: Vec<u8>) {
        let mut input = machine::Input::Output { stream, bytes };
        while let Step::Output { stream, bytes } = machine.poll(&mut self.files, input) {
            self.put(stream, bytes).await;
            input = machine::Input::Next;
        }
    }

    /// The command's input: the learner's, or bytes followed by whatever interrupt comes.
    fn stdin(&self, from: &CallInput) -> futures::stream::BoxStream<'static, Input> {
        let typed = futures::stream::unfold(self.input.clone(), |input| async move {
            let next = input.lock().await.recv().await;
            next.map(|next| (next, input))
        });
        let given = match from {
            CallInput::Host if reads_input(&self.line) => return typed.boxed(),
            CallInput::Host => vec![],
            CallInput::Bytes(bytes) => vec![Input::Bytes(bytes.clone()), Input::Eof],
        };
        let interrupts = typed.filter(|input| std::future::ready(matches!(input, Input::Interrupt)));
        futures::stream::iter(given).chain(interrupts).boxed()
    }

    /// Hands a piece on; nobody listening any more is not an error of the line.
    async fn put(&self, stream: Stream, bytes: Vec<u8>) {
        let _ = self.out.send((stream, bytes)).await;
    }
}

impl Prompt {
    async fn command(&self, call: &Call, io: &mut Io, wish: &Mutex<Option<Wish>>, line: &str) -> i32 {
        let Some((name, operands)) = call.argv.split_first() else { return 0 };
        let ask = |wanted: Wish| {
            *wish.lock().unwrap_or_else(|p| p.into_inner()) = Some(wanted);
            0
        };
        match find(name) {
            Some(Word::Kubectl) => kubectl::run(&self.kubectl, io, operands).await,
            Some(Word::Istioctl) => match self.env.own_istioctl() {
                Some(own) if OwnIstioctl::takes(operands) => own.run(io, operands).await,
                _ => crate::istioctl::run(&self.istioctl, io, operands).await,
            },
            Some(Word::Explain) => crate::lab::explain::run(&self.kubectl, io, operands).await,
            Some(Word::TimeLine) => timeline::word::run(self, io, operands).await,
            Some(Word::Picture) if operands.is_empty() => ask(Wish::Picture),
            Some(Word::Picture) => crate::lab::desk::way::run(&self.kubectl, io, operands).await,
            Some(Word::Local(word)) => local::run(word, call, io, self).await,
            Some(Word::Wish(Wish::Solution { .. })) => ask(Wish::Solution { confirmed: confirmed(operands) }),
            Some(Word::Wish(Wish::Skip { .. })) => ask(Wish::Skip { confirmed: confirmed(operands) }),
            Some(Word::Wish(Wish::Reset { .. })) => match reset_scope(operands) {
                Some(scope) => ask(Wish::Reset { scope, confirmed: confirmed(operands) }),
                None => usage(io, "reset [step|stage|lesson]: how far back; --yes to be asked no more."),
            },
            Some(Word::Share) => match operands {
                [file] => ask(Wish::Share(file.clone())),
                _ => usage(io, "share FILE: a name in the lab's folder; `egress-lab open FILE` goes on from there."),
            },
            Some(Word::Wish(wanted)) => ask(wanted),
            Some(Word::Answer) if !operands.is_empty() => ask(Wish::Answer(operands.join(" "))),
            Some(Word::Glossary) => ask(Wish::Glossary(operands.join(" "))),
            Some(Word::Debrief) => ask(Wish::Debrief(operands.join(" "))),
            Some(Word::Sure) => match crate::progress::Sure::parse(&operands.join(" ")) {
                Some(sure) => ask(Wish::Sure(sure)),
                None => usage(io, "sure 1, sure 2 or sure 3: unsure, fairly sure, sure; before the answer."),
            },
            Some(Word::Complete) => self.list_completions(operands, line, io).await,
            Some(Word::GoTo) => match operands.first().and_then(|n| n.parse::<usize>().ok()).filter(|n| *n > 0) {
                Some(n) => ask(Wish::GoTo(n - 1)),
                None => usage(io, "goto STEP: the step's number, as the step list shows it."),
            },
            Some(Word::Answer) => usage(io, "answer TEXT: what you found, or the letter of the option."),
            None => {
                io.warn(&advice(name, line));
                127
            }
        }
    }
}

impl Prompt {
    /// `complete LINE`: what Tab would list on screen, one per line. A space at the end asks for the next word.
    async fn list_completions(&self, operands: &[String], line: &str, io: &mut Io) -> i32 {
        let next = operands.len() > 1 && line.ends_with(' ');
        let text = format!("{}{}", operands.join(" "), if next { " " } else { "" });
        let found = Looker { prompt: self, lesson: None }.complete(&text, usize::MAX).await;
        for candidate in &found.candidates {
            let note = if candidate.note.is_empty() { String::new() } else { format!(": {}", candidate.note) };
            io.say(&format!("{}{note}", candidate.text));
        }
        match (found.missing, found.candidates.is_empty()) {
            (Some(missing), _) => io.warn(&missing),
            (None, true) => io.warn("Nothing completes this."),
            (None, false) => return 0,
        }
        1
    }
}

fn sentence(text: &str) -> Vec<u8> {
    format!("{text}\n").into_bytes()
}

fn confirmed(operands: &[String]) -> bool {
    operands.iter().any(|o| matches!(o.as_str(), "-y" | "--yes" | "yes"))
}

fn reset_scope(operands: &[String]) -> Option<ResetScope> {
    let mut scopes = operands.iter().map(String::as_str).filter(|o| !matches!(*o, "-y" | "--yes" | "yes"));
    match (scopes.next(), scopes.next()) {
        (None | Some("step"), None) => Some(ResetScope::Step),
        (Some("stage"), None) => Some(ResetScope::Stage),
        (Some("lesson" | "all"), None) => Some(ResetScope::Lesson),
        _ => None,
    }
}

fn usage(io: &mut Io, sentence: &str) -> i32 {
    io.warn(sentence);
    2
}

/// A pasted manifest: several lines of which one starts like an API object.
fn looks_like_manifest(line: &str) -> bool {
    let first = line.trim_start();
    first.starts_with("apiVersion:") || first.starts_with("kind:") || (first.starts_with("---\n") && line.contains("\nkind:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_ask_for_input_read_it() {
        for line in [
            "kubectl exec -ti test -- sh",
            "k exec -i test -- cat",
            "k exec -itc istio-proxy test -- sh",
            "k exec -i=true test -- cat",
            "kubectl apply -f -",
            "kubectl run x --stdin --image=y",
        ] {
            assert!(reads_input(line), "{line}");
        }
        for line in [
            "kubectl get pods -w",
            "kubectl exec test -- grep -i x",
            "kubectl exec -c istio-proxy test -- ls",
            "cat > x <<E\na:\n- b\nE",
            "kubectl apply -f - <<E\na: b\nE",
            "kubectl apply -f x.yaml",
            "kubectl logs -f test",
        ] {
            assert!(!reads_input(line), "{line}");
        }
    }

    #[test]
    fn manifests_are_recognised_and_commands_are_not() {
        assert!(looks_like_manifest("apiVersion: v1\nkind: Pod\n"));
        assert!(looks_like_manifest("---\napiVersion: v1\nkind: Pod\n"));
        assert!(!looks_like_manifest("kubectl apply -f - <<EOF\napiVersion: v1\nkind: Pod\nEOF"));
    }
}
