//! A lesson of three steps, and the application on it with a driver that the test plays.

use super::*;
use crate::session::desk::{Answer, AskId, Request};
use ratatui::buffer::Buffer;

pub(super) fn step(id: &str, title: &str, kind: StepKind, task: &str, actions: &[&str]) -> Step {
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

pub(super) const TASK: &str = "A sidecar forwards only to hosts that are in **Istio's registry**. Look at the pods first:\n\n```run\nkubectl \
                    get pods\nkubectl get serviceentries -A\n```\n\n> [!NOTE]\n> Nothing is registered yet.\n";

pub(super) const DEBRIEF: &str = "**Why it worked:** no route led to a host that nobody registered.\n\n**Often goes wrong:**\n\n- A pod \
                       without a sidecar, where nothing stops a request.\n";

pub(super) fn lesson() -> Arc<Lesson> {
    Arc::new(Lesson {
        id: "leave".into(),
        version: 1,
        title: "Who may leave".into(),
        summary: blocks("First nothing leaves, then one host may be called."),
        objectives: vec!["Tell who stopped a request.".into()],
        minutes: 10,
        without_mesh_config: None,
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

pub(super) fn finding(verdict: Verdict) -> Finding {
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

pub(super) fn complete(line: &str) -> bool {
    !line.contains("<<EOF") && !line.contains("<<'EOF'") || line.ends_with("\nEOF")
}

pub(super) fn reads(line: &str) -> Reads {
    if line.contains("exec -ti") { Reads::Keys } else { Reads::Nothing }
}

pub(super) fn wish(line: &str) -> Option<Wish> {
    [("hint", Wish::Hint), ("next", Wish::Next), ("quit", Wish::Quit)].into_iter().find(|(word, _)| *word == line).map(|(_, w)| w)
}

/// An application with a driver that is played by the test.
pub(super) struct Play {
    pub(super) app: App,
    pub(super) effects: Arc<Mutex<Vec<Effect>>>,
    /// What the driver was asked for and has not answered.
    pub(super) open: Vec<Effect>,
    _messages: Receiver<Message>,
}

fn start() -> Start {
    Start {
        lessons: vec![lesson()],
        progress: Summary::default(),
        lesson: None,
        environment: "sandbox, Istio 1.30".into(),
        open: Box::new(|_, _, _| ()),
        rules: Rules { is_complete: complete, reads, wish, words: || vec!["kubectl", "hint", "goto"], own_editor: true },
        present: false,
        look: Theme::of(Palette::Dark),
        mouse: false,
        editor: super::editor::Chosen::Own,
    }
}

impl Play {
    pub(super) fn home(width: u16, height: u16) -> Play {
        let (inbox, messages) = inbox();
        let theme = Theme::of(Palette::Dark);
        let app = App::new(start(), inbox, theme, Size { width, height });
        Play { app, effects: Arc::default(), open: Vec::new(), _messages: messages }
    }

    /// In the first step of the lesson.
    pub(super) fn lesson(width: u16, height: u16) -> Play {
        Play::home(width, height).entered()
    }

    /// The first screen's lesson is opened.
    pub(super) fn entered(mut self) -> Play {
        self.keys("<Enter>");
        let effects = self.effects.clone();
        let link = Link {
            session: Session::new(lesson(), &Summary::default(), Options::default()),
            effects: Box::new(move |effect| effects.lock().expect("not poisoned").push(effect)),
            environment: None,
            folder: None,
        };
        self.app.handle(Message::Opened(1, Ok(Box::new(link))));
        self.serve();
        self
    }

    /// In the second step, which is to be done.
    pub(super) fn doing(width: u16, height: u16) -> Play {
        Play::lesson(width, height).passed()
    }

    /// The read step is passed.
    pub(super) fn passed(mut self) -> Play {
        self.keys("<Enter>");
        assert_eq!(self.session().shown(), 1, "Enter on an empty prompt passes a read step");
        self.serve();
        self
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.app.handle(Message::Session(1, event));
        self.serve();
    }

    /// Answers set-ups, records and quiet evaluations, as a driver would.
    pub(super) fn serve(&mut self) {
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

    pub(super) fn judge(&mut self, verdict: Verdict) {
        for _ in 0..2 {
            let Some(at) = self.open.iter().rposition(|e| matches!(e, Effect::Evaluate { .. })) else { return };
            let Effect::Evaluate { tag, .. } = self.open.remove(at) else { return };
            self.tell(Event::Evaluated { tag, findings: vec![finding(verdict)] });
        }
    }

    /// Ends the line that runs, with this output.
    pub(super) fn ran(&mut self, output: &str) -> String {
        let at = self.open.iter().position(|e| matches!(e, Effect::Run { .. })).expect("a line runs");
        let Effect::Run { ticket, line } = self.open.remove(at) else { unreachable!("found by its kind") };
        self.tell(Event::Output { ticket, stream: Stream::Out, bytes: output.as_bytes().to_vec() });
        self.tell(Event::Ran { ticket, exit_code: 0 });
        line
    }

    /// `ls<Enter>`, `<C-c>`, `<A-h>`, `<F2>`.
    pub(super) fn keys(&mut self, keys: &str) -> Option<Act> {
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

    pub(super) fn paste(&mut self, text: &str) {
        self.app.handle(Message::Terminal(Input::Paste(text.into())));
        self.serve();
    }

    pub(super) fn lesson_screen(&self) -> &crate::tui::lesson::LessonScreen {
        match &self.app.layer {
            Layer::Lesson(screen) => screen,
            _ => panic!("no lesson is open"),
        }
    }

    pub(super) fn session(&self) -> &Session {
        &self.lesson_screen().session
    }

    pub(super) fn prompt(&self) -> &str {
        self.lesson_screen().prompt.text()
    }

    pub(super) fn notice(&self) -> &str {
        self.lesson_screen().view.notice.as_deref().unwrap_or("")
    }

    /// What is drawn now.
    pub(super) fn buffer(&self) -> Buffer {
        let size = self.app.size;
        let mut terminal = Terminal::new(TestBackend::new(size.width, size.height)).expect("a screen in memory");
        terminal.draw(|frame| crate::tui::frame::draw(&self.app, frame)).expect("drawn");
        terminal.backend().buffer().clone()
    }

    pub(super) fn screen(&self) -> String {
        rows(&self.buffer())
    }

    /// The newest question of a sort that is not answered; it is taken.
    pub(super) fn question(&mut self, wanted: impl Fn(&Request) -> bool) -> Option<(AskId, Request)> {
        self.open.append(&mut self.effects.lock().expect("not poisoned"));
        let at = self.open.iter().rposition(|e| matches!(e, Effect::Ask { request, .. } if wanted(request)))?;
        match self.open.remove(at) {
            Effect::Ask { id, request } => Some((id, request)),
            _ => unreachable!("found by its kind"),
        }
    }

    /// Answers it.
    pub(super) fn reply(&mut self, wanted: impl Fn(&Request) -> bool, answer: Result<Answer, String>) -> Request {
        let (id, request) = self.question(wanted).expect("it is asked for");
        self.tell(Event::Answered { id, answer });
        request
    }
}

/// Rows without the blanks at their ends.
pub(super) fn rows(buffer: &Buffer) -> String {
    let row = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_string();
    (0..buffer.area.height).map(row).collect::<Vec<_>>().join("\n")
}

pub(super) fn event(name: &str) -> KeyEvent {
    let (modifiers, name) = match name.split_once('-').filter(|(head, _)| head.len() == 1) {
        Some(("C", rest)) => (KeyModifiers::CONTROL, rest),
        Some(("A", rest)) => (KeyModifiers::ALT, rest),
        Some(("S", rest)) => (KeyModifiers::SHIFT, rest),
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

pub(super) const PODS: &str = "NAME   READY   STATUS    RESTARTS   AGE\ntest   2/2     Running   0          9s\n";

/// The step's commands were run and the check found it not done.
pub(super) fn failed(width: u16, height: u16) -> Play {
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

/// A program in the pod has the keyboard.
pub(super) fn program(width: u16, height: u16) -> Play {
    let mut play = Play::doing(width, height);
    play.keys("kubectl exec -ti test -- sh<Enter>");
    let ticket = play.session().running().expect("it runs").ticket;
    play.tell(Event::Output { ticket, stream: Stream::Out, bytes: b"/ $ ".to_vec() });
    play
}
