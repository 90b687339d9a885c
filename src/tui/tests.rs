//! Screens and keys on sessions that are fed with events; no cluster, no terminal.

use super::app::{Act, App, Layer};
use super::theme::{Palette, Theme};
use super::*;
use crate::base::io::Stream;
use crate::base::outcome::{At, Outcome, Path, TlsBy};
use crate::finding::{Evidence, Exchanged, Finding, Verdict};
use crate::lesson::markdown::blocks;
use crate::lesson::model::{Action, Check, CheckKind, Choice, Expected, Question, Stage, Step, StepKind, World};
use crate::mesh::{Cause, Hop, Record};
use crate::session::Options;
use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Size;
use std::sync::Mutex;

mod guide;
mod timeline;
mod manifest;
mod picture;
mod themes;
mod typing;
mod pages;

fn step(id: &str, title: &str, kind: StepKind, task: &str, actions: &[&str]) -> Step {
    let check = Check {
        id: "blocked".into(),
        title: "The pod cannot reach www.wikipedia.org".into(),
        kind: CheckKind::Answer,
        message: "The request left the mesh although nobody registered the host.".into(),
        hints: Vec::new(),
        within: 20,
    };
    let choice = |id: &str, text: &str, right| Choice {
        id: id.into(),
        text: text.into(),
        right,
        feedback: blocks("Every sidecar has a route for hosts that nobody registered."),
    };
    let choices = vec![choice("yes", "It is forwarded as it is.", false), choice("no", "The sidecar answers 502.", true)];
    let asks = kind == StepKind::Predict;
    Step {
        id: id.into(),
        stage: "first".into(),
        title: title.into(),
        kind,
        task: blocks(task),
        question: asks.then(|| Question { prompt: blocks("What becomes of it?"), answer: Expected::Options(choices) }),
        actions: actions.iter().map(|a| a.to_string()).collect(),
        files: vec!["istio.yaml".into()],
        setup: Vec::new(),
        checks: if kind == StepKind::Read { Vec::new() } else { vec![check] },
        hints: ["Look at the **mode**.", "It is in ConfigMap `istio`.", "Set `REGISTRY_ONLY`."].map(blocks).to_vec(),
        wrong_turns: Vec::new(),
        solution: vec![Action::Line("kubectl get pods".into())],
        accepts: Vec::new(),
        mutants: Vec::new(),
        removals: Vec::new(),
        docs: Vec::new(),
        points: 1,
        seconds: 60,
        say: String::new(),
    }
}

const TASK: &str = "A sidecar forwards only to hosts that are in **Istio's registry**. Look at the pods first:\n\n```run\nkubectl \
                    get pods\nkubectl get serviceentries -A\n```\n\n> [!NOTE]\n> Nothing is registered yet.\n";

const DEBRIEF: &str = "**Why it worked:** no route led to a host that nobody registered.\n\n**Often goes wrong:**\n\n- A pod \
                       without a sidecar, where nothing stops a request.\n";

fn lesson() -> Arc<Lesson> {
    Arc::new(Lesson {
        id: "leave".into(),
        version: 1,
        title: "Who may leave".into(),
        summary: blocks("First nothing leaves, then one host may be called."),
        objectives: vec!["Tell who stopped a request.".into()],
        minutes: 10,
        world: World::default(),
        files: Vec::new(),
        stages: vec![Stage { id: "first".into(), title: "The first stage".into(), intro: Vec::new(), debrief: blocks(DEBRIEF) }],
        steps: vec![
            step("read", "What this is about", StepKind::Read, "Some text to read before anything is typed.", &[]),
            step("do", "Block everything", StepKind::Do, TASK, &["kubectl get pods", "kubectl get serviceentries -A"]),
            step("predict", "An unknown host", StepKind::Predict, "A pod with a sidecar calls `example.org`.", &[]),
        ],
        debrief: blocks("That was it."),
        further: Vec::new(),
        glossary: Vec::new(),
    })
}

fn finding(verdict: Verdict) -> Finding {
    let hop = Hop {
        proxy: "default/test".into(),
        listener: Some("0.0.0.0_80".into()),
        route_config: Some("80".into()),
        virtual_host: Some("allow_any".into()),
        cluster: Some("PassthroughCluster".into()),
        flags: "-".into(),
        ..Hop::default()
    };
    let record = Record {
        outcome: Outcome::Delivered,
        path: Path::Passthrough,
        tls: TlsBy::None,
        at: At::Origin,
        status: Some(301),
        exit_code: 0,
        hops: vec![hop],
        cause: Cause::new(
            "ConfigMap istio-system/istio",
            "data.mesh outboundTrafficPolicy.mode",
            "The mesh lets unknown hosts pass.",
        ),
    };
    Finding {
        check: "blocked".into(),
        title: "The pod cannot reach www.wikipedia.org".into(),
        verdict,
        message: "The request left the mesh although nobody registered the host.".into(),
        evidence: Evidence {
            expected: "blocked-registry-only".into(),
            observed: "delivered, path passthrough, at origin, status 301".into(),
            probe: "curl --head http://www.wikipedia.org/".into(),
            decided_by: Some(("ConfigMap istio-system/istio".into(), "data.mesh outboundTrafficPolicy.mode".into())),
            exchanges: vec![Exchanged { url: "http://www.wikipedia.org/".into(), observation: record, prediction: None }],
            ..Evidence::default()
        },
        wrong_turn: None,
        revision: None,
    }
}

fn complete(line: &str) -> bool {
    !line.contains("<<EOF") && !line.contains("<<'EOF'") || line.ends_with("\nEOF")
}

fn reads(line: &str) -> Reads {
    if line.contains("exec -ti") { Reads::Keys } else { Reads::Nothing }
}

fn wish(line: &str) -> Option<Wish> {
    [("hint", Wish::Hint), ("next", Wish::Next), ("quit", Wish::Quit)].into_iter().find(|(word, _)| *word == line).map(|(_, w)| w)
}

/// An application with a driver that is played by the test.
struct Play {
    app: App,
    effects: Arc<Mutex<Vec<Effect>>>,
    /// What the driver was asked for and has not answered.
    open: Vec<Effect>,
    _messages: Receiver<Message>,
}

fn start(lesson_index: Option<usize>) -> Start {
    Start {
        lessons: vec![lesson()],
        progress: Summary::default(),
        lesson: lesson_index,
        environment: "sandbox, Istio 1.30".into(),
        open: Box::new(|_, _, _| ()),
        rules: Rules { is_complete: complete, reads, wish, words: || vec!["kubectl", "hint", "goto"], own_editor: true },
        present: false,
        look: Theme::of(Palette::Dark),
    }
}

impl Play {
    fn home(width: u16, height: u16) -> Play {
        let (inbox, messages) = inbox();
        let theme = Theme::of(Palette::Dark);
        let app = App::new(start(None), inbox, theme, Size { width, height });
        Play { app, effects: Arc::default(), open: Vec::new(), _messages: messages }
    }

    /// In the first step of the lesson.
    fn lesson(width: u16, height: u16) -> Play {
        let mut play = Play::home(width, height);
        play.keys("<Enter>");
        let effects = play.effects.clone();
        let link = Link {
            session: Session::new(lesson(), &Summary::default(), Options::default()),
            effects: Box::new(move |effect| effects.lock().expect("not poisoned").push(effect)),
            environment: None,
            folder: None,
        };
        play.app.handle(Message::Opened(1, Ok(Box::new(link))));
        play.serve();
        play
    }

    /// In the second step, which is to be done.
    fn doing(width: u16, height: u16) -> Play {
        let mut play = Play::lesson(width, height);
        play.keys("<Enter>");
        assert_eq!(play.session().shown(), 1, "Enter on an empty prompt passes a read step");
        play.serve();
        play
    }

    fn tell(&mut self, event: Event) {
        self.app.handle(Message::Session(1, event));
        self.serve();
    }

    /// Answers set-ups, records and quiet evaluations, as a driver would.
    fn serve(&mut self) {
        for _ in 0..50 {
            self.open.append(&mut self.effects.lock().expect("not poisoned"));
            let easy = |e: &Effect| matches!(e, Effect::SetUp { .. } | Effect::Record { .. });
            let Some(at) = self.open.iter().position(easy) else { return };
            let event = match self.open.remove(at) {
                Effect::SetUp { ticket, .. } => Event::Done { ticket, result: Ok(()), answer: None },
                Effect::Record { id, .. } => Event::Recorded(id),
                other => panic!("{other:?}"),
            };
            self.app.handle(Message::Session(1, event));
        }
    }

    fn judge(&mut self, verdict: Verdict) {
        for _ in 0..2 {
            let Some(at) = self.open.iter().rposition(|e| matches!(e, Effect::Evaluate { .. })) else { return };
            let Effect::Evaluate { tag, .. } = self.open.remove(at) else { return };
            self.tell(Event::Evaluated { tag, findings: vec![finding(verdict)] });
        }
    }

    /// Ends the line that runs, with this output.
    fn ran(&mut self, output: &str) -> String {
        let at = self.open.iter().position(|e| matches!(e, Effect::Run { .. })).expect("a line runs");
        let Effect::Run { ticket, line } = self.open.remove(at) else { unreachable!("found by its kind") };
        self.tell(Event::Output { ticket, stream: Stream::Out, bytes: output.as_bytes().to_vec() });
        self.tell(Event::Ran { ticket, exit_code: 0 });
        line
    }

    /// `ls<Enter>`, `<C-c>`, `<A-h>`, `<F2>`.
    fn keys(&mut self, keys: &str) -> Option<Act> {
        let mut rest = keys;
        let mut act = None;
        while let Some(first) = rest.chars().next() {
            let (name, after) = match rest.strip_prefix('<').and_then(|r| r.split_once('>')) {
                Some((name, after)) => (name.to_string(), after),
                None => (first.to_string(), &rest[first.len_utf8()..]),
            };
            act = self.app.handle(Message::Terminal(Input::Key(event(&name))));
            self.serve();
            rest = after;
        }
        act
    }

    fn paste(&mut self, text: &str) {
        self.app.handle(Message::Terminal(Input::Paste(text.into())));
        self.serve();
    }

    fn lesson_screen(&self) -> &super::lesson::LessonScreen {
        match &self.app.layer {
            Layer::Lesson(screen) => screen,
            _ => panic!("no lesson is open"),
        }
    }

    fn session(&self) -> &Session {
        &self.lesson_screen().session
    }

    fn prompt(&self) -> &str {
        self.lesson_screen().prompt.text()
    }

    fn notice(&self) -> &str {
        self.lesson_screen().view.notice.as_deref().unwrap_or("")
    }

    fn screen(&self) -> String {
        let size = self.app.size;
        let mut terminal = Terminal::new(TestBackend::new(size.width, size.height)).expect("a screen in memory");
        terminal.draw(|frame| super::frame::draw(&self.app, frame)).expect("drawn");
        let buffer = terminal.backend().buffer();
        let row = |y| (0..size.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_string();
        (0..size.height).map(row).collect::<Vec<_>>().join("\n")
    }
}

fn event(name: &str) -> KeyEvent {
    let (modifiers, name) = match name.split_once('-').filter(|(head, _)| head.len() == 1) {
        Some(("C", rest)) => (KeyModifiers::CONTROL, rest),
        Some(("A", rest)) => (KeyModifiers::ALT, rest),
        _ => (KeyModifiers::NONE, name),
    };
    let code = match name {
        "lt" => KeyCode::Char('<'),
        "Enter" => KeyCode::Enter,
        "Esc" => KeyCode::Esc,
        "Tab" => KeyCode::Tab,
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "PageDown" => KeyCode::PageDown,
        "PageUp" => KeyCode::PageUp,
        "Left" => KeyCode::Left,
        "Right" => KeyCode::Right,
        "Home" => KeyCode::Home,
        "End" => KeyCode::End,
        "Backspace" => KeyCode::Backspace,
        "Delete" => KeyCode::Delete,
        "Space" => KeyCode::Char(' '),
        _ => match name.strip_prefix('F').and_then(|n| n.parse().ok()) {
            Some(n) => KeyCode::F(n),
            None => KeyCode::Char(name.chars().next().expect("a key")),
        },
    };
    KeyEvent::new(code, modifiers)
}

const PODS: &str = "NAME   READY   STATUS    RESTARTS   AGE\ntest   2/2     Running   0          9s\n";

/// The step's commands were run and the check found it not done.
fn failed(width: u16, height: u16) -> Play {
    let mut play = Play::doing(width, height);
    play.keys("<Tab><Enter>");
    assert_eq!(play.ran(PODS), "kubectl get pods");
    play.judge(Verdict::NotYet);
    if width >= 60 && height >= 16 {
        assert!(play.screen().contains("Not done yet"), "the step shows more commands: {}", play.screen());
    }
    play.keys("<Tab><Enter>");
    assert_eq!(play.ran("No resources found\n"), "kubectl get serviceentries -A");
    play.judge(Verdict::NotYet);
    play
}

#[test]
fn screens_at_the_three_sizes() {
    for (width, height) in [(80, 24), (60, 20), (120, 40)] {
        let name = |what: &str| format!("{what}-{width}x{height}");
        insta::assert_snapshot!(name("home"), Play::home(width, height).screen());
        insta::assert_snapshot!(name("read"), Play::lesson(width, height).screen());
        let mut play = failed(width, height);
        insta::assert_snapshot!(name("failed"), play.screen());
        play.keys("<F4>");
        insta::assert_snapshot!(name("evidence"), play.screen());
        play.keys("<F3>");
        insta::assert_snapshot!(name("steps"), play.screen());
        play.keys("<Esc>hint<Enter>");
        insta::assert_snapshot!(name("hint"), play.screen());
        play.keys("<A-s>");
        insta::assert_snapshot!(name("ask"), play.screen());
    }
}

#[test]
fn a_screen_that_is_too_small_says_so_and_nothing_breaks() {
    for (width, height) in [(20, 5), (1, 1), (59, 40), (200, 15), (60, 16)] {
        let mut play = failed(80, 24);
        play.app.handle(Message::Terminal(Input::Resize(width, height)));
        let screen = play.screen();
        let small = width < 60 || height < 16;
        assert_eq!(screen.replace('\n', " ").contains("needs at least"), small && width >= 20, "{width}x{height}: {screen}");
        play.keys("<F1><PageDown><Esc><F3><Down><Esc>");
        play.screen();
    }
}

#[test]
fn enter_enter_gets_going() {
    let mut play = Play::lesson(80, 24);
    assert_eq!(play.session().shown(), 0);
    play.keys("<Enter>");
    assert_eq!(play.session().shown(), 1);
    assert!(play.screen().contains("kubectl get pods   (Tab)"), "{}", play.screen());
}

#[test]
fn tab_puts_the_steps_commands_on_the_prompt_one_after_the_other() {
    let mut play = Play::doing(80, 24);
    let mut seen = Vec::new();
    for _ in 0..3 {
        play.keys("<Tab>");
        seen.push(play.prompt().to_string());
    }
    assert_eq!(seen, ["kubectl get pods", "kubectl get serviceentries -A", "kubectl get pods"]);
}

#[test]
fn a_pasted_manifest_is_one_edit_and_becomes_an_apply_that_is_looked_at_first() {
    let mut play = Play::doing(80, 24);
    play.paste("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: x\n");
    assert!(play.open.iter().all(|e| !matches!(e, Effect::Run { .. })) && play.notice().contains("nothing has run"));
    play.keys("<Enter>");
    assert!(play.open.iter().all(|e| !matches!(e, Effect::Run { .. })));
    assert!(play.prompt().starts_with("kubectl apply -f - <<'EOF'\napiVersion: v1") && play.prompt().ends_with("\nEOF"));
    play.keys("<Enter>");
    assert!(play.ran("namespace/x created\n").contains("name: x\nEOF"));
    play.keys("<Up>");
    assert!(play.prompt().ends_with("\nEOF"), "the whole entry comes back from history");
}

#[test]
fn a_pasted_line_loses_its_line_end_and_waits_for_enter() {
    let mut play = Play::doing(80, 24);
    play.paste("kubectl get nodes\n");
    assert_eq!(play.prompt(), "kubectl get nodes");
    assert!(play.session().running().is_none());
}

#[test]
fn an_open_here_document_goes_on_until_it_is_whole() {
    let mut play = Play::doing(80, 24);
    play.keys("cat <lt><lt>EOF<Enter>x<Enter>");
    assert_eq!(play.prompt(), "cat <<EOF\nx\n");
    assert!(play.screen().contains("> x"));
    play.keys("EOF<Enter>");
    assert_eq!(play.ran("x\n"), "cat <<EOF\nx\nEOF");
}

#[test]
fn esc_makes_single_keys_commands_and_alt_does_so_without_leaving_the_prompt() {
    let mut play = Play::doing(80, 24);
    play.keys("<A-h>");
    assert_eq!(play.session().step_run().hints, 1);
    play.keys("<Esc>h");
    assert_eq!(play.session().step_run().hints, 2);
    play.keys("xh");
    assert_eq!(play.prompt(), "kubectl get podsh", "x put the command on the prompt and went there");
    assert_eq!(play.session().step_run().hints, 2);
}

#[test]
fn the_solution_is_asked_for_and_anything_but_yes_is_no() {
    for (answer, solved) in [("y", true), ("n", false), ("<Esc>", false), ("<Enter>", false), ("<C-c>", false)] {
        let mut play = Play::doing(80, 24);
        play.keys("<A-s>");
        assert!(play.session().asking().is_some() && play.session().running().is_none());
        play.keys(answer);
        assert_eq!(play.open.iter().any(|e| matches!(e, Effect::ApplySolution { .. })), solved, "{answer}");
    }
}

#[test]
fn it_is_left_only_on_purpose() {
    let mut play = Play::doing(80, 24);
    for keys in ["<Esc><Esc>", "x", "<C-d>"] {
        assert!(play.keys(keys).is_none(), "{keys}");
    }
    assert_eq!(play.prompt(), "x", "Ctrl-D deletes nothing and leaves only from an empty prompt");
    assert!(play.keys("<C-c><C-c>").is_none(), "the first one empties the prompt");
    assert!(play.notice().contains("leaves"));
    assert!(play.keys("exit<Enter>").is_none() && play.notice().contains("`quit`"));
    assert!(matches!(play.keys("<C-d>"), Some(Act::End(Ended::Left))));
    assert!(matches!(Play::doing(80, 24).keys("quit<Enter>"), Some(Act::End(Ended::Left))));
    assert!(matches!(Play::doing(80, 24).keys("<C-c><C-c>"), Some(Act::End(Ended::Left))));
    assert!(!matches!(Play::doing(80, 24).keys("<C-z>"), Some(Act::End(_))), "Ctrl-Z stops, it does not end");
    assert!(matches!(Play::home(80, 24).keys("q"), Some(Act::End(Ended::Left))));
}

#[test]
fn a_program_gets_every_key_and_the_paste() {
    let mut play = Play::doing(80, 24);
    play.keys("kubectl exec -ti test -- sh<Enter>");
    let ticket = play.session().running().expect("it runs").ticket;
    play.tell(Event::Output { ticket, stream: Stream::Out, bytes: b"/ $ ".to_vec() });
    play.open.clear();
    play.keys("hq<Enter><Tab><Esc><Up><C-c><C-d>");
    play.paste("a\nb\n");
    let sent: Vec<u8> = play
        .open
        .drain(..)
        .flat_map(|effect| match effect {
            Effect::Input { input: crate::base::io::Input::Bytes(bytes), .. } => bytes,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sent, b"hq\r\t\x1b\x1b[A\x03\x04a\rb\r");
    play.serve();
    play.open.append(&mut play.effects.lock().unwrap());
    play.keys("<C-\\>");
    assert!(play.open.iter().any(|e| matches!(e, Effect::Cancel { .. })), "{:?}", play.open);
}

#[test]
fn what_is_typed_while_something_runs_waits() {
    let mut play = Play::doing(80, 24);
    play.keys("kubectl get pods -w<Enter>kubectl get nodes<Enter>");
    assert_eq!(play.prompt(), "kubectl get nodes");
    assert!(play.notice().contains("still running"));
    play.keys("<C-c>");
    assert!(play.open.iter().any(|e| matches!(e, Effect::Cancel { .. })));
    assert_eq!(play.prompt(), "kubectl get nodes");
}

#[test]
fn a_letter_answers_a_question() {
    let mut play = failed(80, 24);
    play.keys("<A-s>y");
    let at = play.open.iter().position(|e| matches!(e, Effect::ApplySolution { .. })).expect("applied");
    let Effect::ApplySolution { ticket, .. } = play.open.remove(at) else { unreachable!("found by its kind") };
    play.tell(Event::Done { ticket, result: Ok(()), answer: None });
    play.judge(Verdict::Met);
    assert!(play.screen().contains("ASSISTED"), "{}", play.screen());
    play.keys("<Enter>");
    assert_eq!(play.session().shown(), 2);
    play.keys("b<Enter>");
    assert_eq!(play.session().step_run().answer.as_deref(), Some("no"));
    play.judge(Verdict::Met);
    assert!(play.session().is_finished());
    assert!(play.screen().contains("The lesson is finished"), "{}", play.screen());
}

#[test]
fn events_of_a_lesson_that_was_left_are_dropped() {
    let mut play = Play::doing(80, 24);
    play.keys("<F10>");
    assert!(matches!(play.app.layer, Layer::Home));
    assert!(play.screen().contains("1 of 3 steps done"), "{}", play.screen());
    play.keys("<Enter>");
    play.app.handle(Message::Opened(1, Err("late".into())));
    assert!(matches!(play.app.layer, Layer::Opening(0)), "the answer to an old opening is not taken");
    play.app.handle(Message::Opened(3, Err("the world default is open in process 1".into())));
    assert!(play.screen().contains("open in process 1"), "{}", play.screen());
}

#[test]
fn without_colour_the_screen_says_the_same() {
    let mut play = failed(80, 24);
    let with = play.screen();
    play.app.theme.palette = Palette::None;
    assert_eq!(play.screen(), with);
    play.app.theme.ascii = true;
    assert!(play.screen().is_ascii(), "{}", play.screen());
    assert!(play.screen().contains("FAIL"));
}
