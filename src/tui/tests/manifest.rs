//! The manifest editor and the screen of a change, with a desk that is played by the test.

use super::*;
use crate::k8s::shape::Shape;
use crate::session::desk::manifest::*;
use crate::session::desk::{Answer, Request};
use crate::tui::editor::{Job, Reply};
use crate::tui::theme::Theme;
use std::sync::mpsc::sync_channel;

const ENTRY: &str = "# One host.\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: wikipedia\nspec:\n  hostz:\n  - \
                     www.wikipedia.org\n  location: MESH_EXTERNAL\n  resolution: DNS\n  ports:\n  - number: 80\n    name: \"http\"\n    \
                     protocol: HTTP\n";

impl Play {
    /// An open file; nothing is known of what the server says.
    fn editing(width: u16, height: u16, text: Option<&str>) -> Play {
        let mut play = Play::doing(width, height);
        play.keys("edit se.yaml<Enter>");
        let file = OpenFile { name: "se.yaml".into(), text: text.map(str::to_string), draft: None };
        play.reply(is_open, Ok(Answer::OpenFile(file)));
        play
    }

    fn check(&mut self, problems: Vec<Problem>, good: usize) -> String {
        let checked = Checked { problems, good, blanks: Vec::new() };
        match self.reply(is_check, Ok(Answer::Check(checked))) {
            Request::Check { text } => text,
            other => panic!("{other:?}"),
        }
    }
}

fn is_open(request: &Request) -> bool {
    matches!(request, Request::OpenFile { .. })
}

fn is_check(request: &Request) -> bool {
    matches!(request, Request::Check { .. })
}

fn is_write(request: &Request) -> bool {
    matches!(request, Request::WriteFile { .. })
}

fn is_draft(request: &Request) -> bool {
    matches!(request, Request::KeepDraft { .. })
}

fn unknown_field() -> Problem {
    Problem {
        line: 7,
        column: 3,
        grade: Grade::Refused,
        field: "spec.hostz".into(),
        what: "unknown field \"spec.hostz\"".into(),
        next: "Did you mean `hosts`?".into(),
    }
}

fn shape() -> Shape {
    let leaf = |kind: &str, about: &str| Shape { kind: kind.into(), about: about.into(), ..Shape::default() };
    let location = Shape {
        values: vec!["MESH_EXTERNAL".into(), "MESH_INTERNAL".into()],
        ..leaf("string", "Specify whether the service should be considered external to the mesh or part of the mesh.")
    };
    let hosts = Shape {
        required: true,
        item: Some(Box::new(leaf("string", ""))),
        ..leaf("[]string", "The hosts associated with the ServiceEntry.")
    };
    let fields = vec![
        ("addresses".into(), leaf("[]string", "The virtual IP addresses.")),
        ("hosts".into(), hosts),
        ("location".into(), location),
    ];
    let spec = Shape { fields, ..leaf("Object", "Configuration affecting service registry.") };
    Shape { fields: vec![("spec".into(), spec)], ..Shape::default() }
}

fn change(done: bool) -> Preview {
    let before = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: wikipedia\n  namespace: default\nspec:\n  hosts:\n  - www.wikipedia.org\n  resolution: DNS\n";
    Preview {
        name: if done { "kubectl apply -f se.yaml".into() } else { "se.yaml".into() },
        done,
        problems: Vec::new(),
        objects: vec![ObjectDiff {
            name: "ServiceEntry default/wikipedia".into(),
            turn: Turn::Changed,
            before: before.into(),
            after: before.replace("www.wikipedia.org", "'*.wikipedia.org'").replace("DNS", "NONE"),
        }],
        moved: vec![Moved {
            shift: Shift::Allowed,
            url: "https://de.wikipedia.org/".into(),
            from: vec!["default/test".into(), "default/web".into()],
            was: "blocked-registry-only".into(),
            is: "delivered, direct, HTTP 200".into(),
            decided: "ServiceEntry default/wikipedia, spec.ports[1]".into(),
        }],
        opened: vec![Opened {
            opening: "wildcard-server-name".into(),
            by: "ServiceEntry default/wikipedia, spec.hosts[0]".into(),
            why: "*.wikipedia.org is a wildcard: every server name below it gets through.".into(),
            from: vec!["default/test".into(), "default/web".into()],
            witness: "in default/test: curl -sS https://de.wikipedia.org/".into(),
            result: "delivered, direct, HTTP 200".into(),
        }],
        closed: Vec::new(),
        compared: "2 clients x 4 requests".into(),
        notes: vec!["Pod default/web is compared as if it ran already.".into()],
    }
}

pub(super) fn error(width: u16, height: u16) -> Play {
    let mut play = Play::editing(width, height, Some(ENTRY));
    play.check(vec![unknown_field()], 0);
    play.keys("<F4>");
    play
}

pub(super) fn completion(width: u16, height: u16) -> Play {
    let text = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nspec:\n  ";
    let mut play = Play::editing(width, height, Some(text));
    play.reply(|r| matches!(r, Request::Shape { .. }), Ok(Answer::Shape(Box::new(shape()))));
    play.keys("<Down><Down><Down><End><C-Space>");
    play
}

pub(super) fn draft(width: u16, height: u16) -> Play {
    let mut play = Play::doing(width, height);
    play.keys("edit se.yaml<Enter>");
    let file = OpenFile { name: "se.yaml".into(), text: Some("a: 1\n".into()), draft: Some("draft: 2\n".into()) };
    play.reply(is_open, Ok(Answer::OpenFile(file)));
    play
}

/// The screen of a change, before it is made.
fn previewed(width: u16, height: u16, preview: Preview) -> Play {
    let mut play = Play::editing(width, height, Some(ENTRY));
    play.keys("<F8>");
    play.reply(is_write, Ok(Answer::WriteFile(14)));
    play.reply(|r| matches!(r, Request::Preview { .. }), Ok(Answer::Preview(Box::new(preview))));
    play
}

pub(super) fn refused(width: u16, height: u16) -> Play {
    previewed(width, height, Preview { problems: vec![unknown_field()], name: "se.yaml".into(), ..Preview::default() })
}

pub(super) fn before(width: u16, height: u16) -> Play {
    previewed(width, height, change(false))
}

pub(super) fn after(width: u16, height: u16) -> Play {
    let mut play = before(width, height);
    play.keys("<Enter>");
    play.ran("serviceentry.networking.istio.io/wikipedia configured\n");
    play.keys("<Esc>D");
    play.reply(|r| matches!(r, Request::LastChange), Ok(Answer::Preview(Box::new(change(true)))));
    play.keys("G");
    play
}

#[test]
fn an_error_stands_at_its_line_and_says_what_next_without_colour_too() {
    for theme in [Theme::PLAIN, Theme::of(Palette::Dark)] {
        let mut play = Play::editing(80, 24, Some(ENTRY));
        play.app.theme = theme;
        play.check(vec![unknown_field()], 0);
        let screen = play.screen();
        assert!(screen.contains(" 7 !   hostz:"), "{screen}");
        assert!(screen.contains("line 7: unknown field") && screen.contains("Did you mean `hosts`?"), "{screen}");
        assert!(screen.contains("1 error"), "{screen}");
    }
}

#[test]
fn one_check_is_under_way_at_a_time_and_the_last_text_is_checked() {
    let mut play = Play::editing(80, 24, Some(""));
    assert_eq!(play.check(Vec::new(), 0), "");
    play.keys("kind: Pod");
    assert_eq!(play.check(Vec::new(), 0), "k\n", "the first change is asked about at once");
    assert_eq!(play.check(Vec::new(), 1), "kind: Pod\n", "then what it has become meanwhile");
    assert!(play.question(is_check).is_none(), "nothing changed since");
    assert!(play.screen().contains("the server would take it"));
}

#[test]
fn completion_offers_what_the_schema_has_and_tab_takes_it() {
    let mut play = completion(80, 24);
    let screen = play.screen();
    assert!(
        screen.contains(">hosts") && screen.contains("<[]string, required>") && screen.contains("The hosts associated"),
        "{screen}"
    );
    play.keys("<Down><Up><Enter>a.example<Enter>loc<Tab>");
    play.keys("<C-Space><Down><Tab>");
    play.keys("<C-s>");
    let (_, request) = play.question(is_write).expect("it is written");
    let Request::WriteFile { text, .. } = request else { panic!("{request:?}") };
    assert!(text.ends_with("spec:\n  hosts:\n  - a.example\n  location: MESH_INTERNAL\n"), "{text}");
}

#[test]
fn nothing_is_lost_when_it_is_left() {
    let mut play = Play::editing(80, 24, Some("a: 1\n"));
    play.check(Vec::new(), 0);
    play.keys("b<Esc>");
    assert!(play.screen().contains("edit se.yaml  changed") && play.screen().contains("not saved"));
    let (_, draft) = play.question(is_draft).expect("a draft is kept");
    assert_eq!(draft, Request::KeepDraft { name: "se.yaml".into(), text: Some("ba: 1\n".into()) });
    play.keys("<Esc>x<Esc>s");
    let (id, request) = play.question(is_write).expect("it is written");
    assert_eq!(request, Request::WriteFile { name: "se.yaml".into(), text: "bxa: 1\n".into() });
    play.tell(Event::Answered { id, answer: Err("the disk is full".into()) });
    assert!(play.notice().contains("the disk is full") && !play.lesson_screen().over.is_empty(), "{}", play.notice());
    play.keys("<Esc>s");
    play.reply(is_write, Ok(Answer::WriteFile(1)));
    assert!(play.lesson_screen().over.is_empty() && play.notice().contains("se.yaml written"), "{}", play.notice());
    assert!(play.session().history().back(1) == Some("edit se.yaml"), "the line counts as typed");
}

#[test]
fn a_draft_is_offered_and_taken_only_when_wanted() {
    for (key, text) in [("y", "draft: 2\n"), ("n", "a: 1\n")] {
        let mut play = draft(80, 24);
        assert!(play.screen().contains("A draft of 1 lines was kept"), "{}", play.screen());
        play.keys(key);
        play.keys("<C-s>");
        let (_, request) = play.question(is_write).expect("it is written");
        assert_eq!(request, Request::WriteFile { name: "se.yaml".into(), text: text.into() });
    }
}

#[test]
fn a_command_that_waits_gets_the_text_or_its_own_back() {
    for (keys, want) in [("x<C-s>", "xa: 1\n"), ("x<Esc>d", "a: 1\n"), ("<Esc>", "a: 1\n")] {
        let mut play = Play::doing(80, 24);
        let (answer, answers) = sync_channel(1);
        let job = Job { name: "kubectl-edit.yaml".into(), text: "a: 1\n".into(), reply: Reply::Line(answer) };
        assert!(play.app.handle(Message::Edit(job)).is_none(), "no other editor is wanted");
        play.keys(keys);
        assert_eq!(answers.try_recv().expect("answered").as_deref(), Ok(want), "{keys}");
        assert!(play.lesson_screen().over.is_empty());
    }
}

#[test]
fn the_own_editor_of_the_learner_takes_the_text_and_gives_it_back() {
    let mut play = Play::editing(80, 24, Some("a: 1\n"));
    let Some(Act::Edit(job)) = play.keys("<F9>") else { panic!("F9 opens it") };
    assert_eq!((job.name.as_str(), job.text.as_str()), ("se.yaml", "a: 1\n"));
    play.app.handle(Message::Edited(Ok("b: 2\r\n".into())));
    assert!(play.screen().contains("b: 2") && play.notice().contains("not saved"), "{}", play.screen());
    play.keys("<C-u>");
    assert!(matches!(play.keys("<C-x><C-e>"), Some(Act::Edit(_))));
}

#[test]
fn what_is_hostile_neither_breaks_nor_slows_the_editor() {
    let mut play = Play::editing(80, 24, Some("x\n"));
    play.paste(&"key: value # 日本語\t\u{1b}[31m\r\n".repeat(40_000));
    assert!(play.notice().contains("lines were pasted as one edit"), "{}", play.notice());
    play.keys("<C-u>");
    let screen = play.screen();
    assert!(screen.contains(" 1   x\n") && !screen.contains("key: value"), "{screen}");
    play.paste(&"a".repeat(5 << 20));
    assert!(play.notice().contains("4 MiB"), "{}", play.notice());
    let mut long = Play::editing(60, 20, Some(&"kind: Pod\n---\n".repeat(5_000)));
    long.keys("<PageDown><PageDown><End>y<Up><Enter><Tab><Backspace><Delete>");
    let wide = format!("{}: '{}'\n\t- tab\n", "界".repeat(200), "é".repeat(300));
    for (width, height) in [(60, 16), (80, 24), (250, 60)] {
        let mut play = Play::editing(width, height, Some(&wide));
        for keys in ["<End>", "界", "<Down><End>", "<Home><Left><Left>", "<C-Space>", "<C-k><C-y>", "<C-f>é<Enter>", "<F3><F4>"]
        {
            play.keys(keys);
            assert_eq!(play.screen().lines().count(), usize::from(height));
        }
    }
    for (width, height) in [(20, 5), (60, 16), (300, 100)] {
        long.app.handle(Message::Terminal(Input::Resize(width, height)));
        long.keys("<PageUp>z");
        long.screen();
    }
}

#[test]
fn templates_are_filled_blank_by_blank() {
    let mut play = Play::editing(80, 24, None);
    play.keys("<C-t><Enter>wiki<Tab>default<Tab>www.wikipedia.org<C-s>");
    let (_, request) = play.question(is_write).expect("it is written");
    let Request::WriteFile { text, .. } = request else { panic!("{request:?}") };
    assert!(text.contains("name: wiki\n  namespace: default\n") && text.contains("  - www.wikipedia.org\n"), "{text}");
    play.keys("<C-t><Down><Enter>");
    play.keys("<C-s>");
    let (_, request) = play.question(is_write).expect("it is written");
    let Request::WriteFile { text, .. } = request else { panic!("{request:?}") };
    assert!(text.contains("\n---\n# Opens a port of a gateway"), "{text}");
}

#[test]
fn nothing_is_applied_before_enter_nor_against_errors() {
    let mut play = Play::editing(80, 24, Some(ENTRY));
    play.keys("<F8>");
    play.reply(is_write, Ok(Answer::WriteFile(14)));
    play.keys("<Enter>");
    assert!(play.notice().contains("not answered yet"), "{}", play.notice());
    let bad = Preview { problems: vec![unknown_field()], name: "se.yaml".into(), ..Preview::default() };
    play.reply(|r| matches!(r, Request::Preview { .. }), Ok(Answer::Preview(Box::new(bad))));
    play.keys("<Enter>");
    assert!(play.session().running().is_none() && play.screen().contains("1 error"), "{}", play.screen());
    play.keys("<Esc><F8>");
    play.reply(is_write, Ok(Answer::WriteFile(14)));
    play.reply(|r| matches!(r, Request::Preview { .. }), Ok(Answer::Preview(Box::new(change(false)))));
    play.keys("<Enter>");
    assert_eq!(play.ran(""), "kubectl apply -f se.yaml");
    assert!(play.lesson_screen().over.is_empty());
}

#[test]
fn what_is_not_saved_is_not_lost_to_a_word_that_runs_a_line() {
    let mut play = Play::editing(80, 24, Some("a: 1\n"));
    play.keys("b<F1>:kubectl get pods<Enter>");
    assert!(play.notice().contains("se.yaml has changes that are not saved"), "{}", play.notice());
    assert!(play.session().running().is_none() && play.screen().contains("ba: 1"), "{}", play.screen());
    play.keys("<C-s>");
    play.reply(is_write, Ok(Answer::WriteFile(1)));
    play.keys("<F1>:kubectl get pods<Enter>");
    assert_eq!(play.ran(""), "kubectl get pods");
    assert!(play.lesson_screen().over.is_empty());
}

#[test]
fn a_command_whose_editor_goes_without_an_answer_gets_its_text_back() {
    let mut play = Play::doing(80, 24);
    let (answer, answers) = sync_channel(1);
    let job = Job { name: "kubectl-edit.yaml".into(), text: "a: 1\n".into(), reply: Reply::Line(answer) };
    assert!(play.app.handle(Message::Edit(job)).is_none());
    play.keys("<F1>:glossary sidecar<Enter>");
    assert_eq!(answers.try_recv().expect("answered").as_deref(), Ok("a: 1\n"));
}

#[test]
fn a_template_is_opened_by_its_word() {
    let mut play = Play::doing(80, 24);
    play.keys(":template serviceentry<Enter>");
    let file = OpenFile { name: "serviceentry.yaml".into(), text: None, draft: None };
    let asked = play.reply(is_open, Ok(Answer::OpenFile(file)));
    assert_eq!(asked, Request::OpenFile { name: "serviceentry.yaml".into() });
    play.keys("wiki<C-s>");
    let (_, request) = play.question(is_write).expect("it is written");
    let Request::WriteFile { text, .. } = request else { panic!("{request:?}") };
    assert!(text.contains("kind: ServiceEntry") && text.contains("name: wiki\n"), "{text}");
    let mut play = Play::doing(80, 24);
    play.keys(":template Pots<Enter>");
    assert!(play.notice().contains("the kinds are") && play.notice().contains("ServiceEntry"), "{}", play.notice());
    play.keys(":template Gateway > g.yaml<Enter>");
    assert_eq!(play.ran(""), "template Gateway > g.yaml", "what goes on behind the kind is a line of the prompt");
}

#[test]
fn a_file_is_previewed_by_its_word_and_then_applied() {
    let mut play = Play::doing(80, 24);
    play.keys(":preview se.yaml<Enter>");
    let file = OpenFile { name: "se.yaml".into(), text: Some(ENTRY.into()), draft: None };
    play.reply(is_open, Ok(Answer::OpenFile(file)));
    let asked = play.reply(|r| matches!(r, Request::Preview { .. }), Ok(Answer::Preview(Box::new(change(false)))));
    assert_eq!(asked, Request::Preview { name: "se.yaml".into(), text: ENTRY.into() });
    play.keys("<Enter>");
    assert_eq!(play.ran(""), "kubectl apply -f se.yaml");
    play.keys(":preview<Enter>");
    let none = OpenFile { name: "istio.yaml".into(), text: None, draft: None };
    assert_eq!(play.reply(is_open, Ok(Answer::OpenFile(none))), Request::OpenFile { name: "istio.yaml".into() });
    assert!(play.screen().contains("There is no file istio.yaml"), "{}", play.screen());
    play.keys("<Enter>");
    assert!(play.notice().contains("nothing that could be applied"), "{}", play.notice());
}
