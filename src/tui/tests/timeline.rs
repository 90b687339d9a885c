//! The time-line and the browser on answers that the test gives.

use super::*;
use crate::base::clock::Time;
use crate::k8s::{Key, Kind};
use crate::session::desk::browse::{KindRow, RowOf, Table, Text};
use crate::session::desk::timeline::{Compared, Moment, Part, Past, Sign, TimeLine, Told, Undone, Verb};
use crate::session::desk::{Answer, Place, Request};

const NOW: Time = Time(1_767_258_600_000);

impl Play {
    /// The newest question that was asked and not answered.
    fn last_asked(&mut self) -> Request {
        self.serve();
        let asked = self.open.iter().rev().find_map(|effect| match effect {
            Effect::Ask { request, .. } => Some(request.clone()),
            _ => None,
        });
        asked.expect("a question")
    }
}

fn thing(kind: &str, name: &str) -> Key {
    Key { kind: Kind::new("", kind), namespace: "default".into(), name: name.into() }
}

fn moment(revision: u64, ago: i64, who: &str, what: &str) -> Moment {
    let own = who.starts_with("you");
    Moment { revision, at: Time(NOW.0 - ago * 1000), who: who.into(), own, what: what.into(), more: 0, mark: None }
}

fn time_line(past: Past) -> Answer {
    let mut moments: Vec<Moment> =
        (0..30).map(|n| moment(700 + n, 400 - n as i64, "kubelet", &format!("status of Pod default/test-{n}"))).collect();
    moments.extend([
        Moment { more: 6, ..moment(800, 90, "you (kubectl-client-side-apply)", "created Pod default/test") },
        moment(806, 80, "kubelet, scheduler", "status of Pod default/test"),
        Moment {
            mark: Some("closed".into()),
            ..moment(811, 60, "you (kubectl)", "exec default/test: curl --head --silent --show-error http://www.wikipedia.org/")
        },
        moment(812, 9, "you (kubectl-client-side-apply)", "created ServiceEntry default/wikipedia"),
    ]);
    Answer::TimeLine(TimeLine { past, now: NOW, moments })
}

fn told() -> Answer {
    let part = |verb, kind: &str, who: &str| Part { verb, thing: thing(kind, "wikipedia"), who: who.into() };
    Answer::Change(Box::new(Told {
        moment: moment(812, 9, "you (kubectl-client-side-apply)", "created ServiceEntry default/wikipedia"),
        parts: vec![
            part(Verb::Created, "ServiceEntry", "you (kubectl-client-side-apply)"),
            part(Verb::Status, "ServiceEntry", "istiod"),
        ],
        unlisted: 0,
        lines: vec![
            (Sign::Title, "created ServiceEntry default/wikipedia, by you".into()),
            (Sign::Added, "kind: ServiceEntry".into()),
            (Sign::Same, "spec:".into()),
            (Sign::Removed, "  hosts: []".into()),
        ],
    }))
}

pub(super) fn opened(width: u16, height: u16) -> Play {
    let mut play = Play::lesson(width, height);
    play.keys("<F11>");
    play.reply(|r| matches!(r, Request::TimeLine { .. }), Ok(time_line(Past::Kept)));
    play
}

pub(super) fn change(width: u16, height: u16) -> Play {
    let mut play = opened(width, height);
    play.keys("jj<Enter>");
    play.reply(|r| matches!(r, Request::Change { revision: 806 }), Ok(told()));
    play
}

pub(super) fn returning(width: u16, height: u16) -> Play {
    let mut play = opened(width, height);
    play.keys("jjr");
    let undone = Undone {
        revision: 806,
        own: vec!["created ServiceEntry default/wikipedia".into(), "exec default/test: curl --head http://a".into()],
        all: 2,
        deleted: vec![thing("ServiceEntry", "wikipedia")],
        ..Undone::default()
    };
    play.reply(|r| matches!(r, Request::Undone { revision: 806 }), Ok(Answer::Undone(undone)));
    play
}

pub(super) fn compare(width: u16, height: u16) -> Play {
    let mut play = opened(width, height);
    play.keys("jjc<Up><Up>c");
    let is = |r: &Request| matches!(r, Request::Compare { from, to } if from == "806" && to == "812");
    let found = Compared {
        from: "revision 806".into(),
        to: "revision 812".into(),
        added: vec![thing("ServiceEntry", "wikipedia")],
        removed: vec![],
        changed: vec![thing("Service", "web")],
        lines: vec![(Sign::Title, "changed Service default/web".into()), (Sign::Added, "  port: 81".into())],
        traffic: ["1 client x 3 requests", "", "became allowed", "  http://www.wikipedia.org/", "    from   default/test"]
            .map(String::from)
            .to_vec(),
        reach: (1, 0),
    };
    play.reply(is, Ok(Answer::Compare(Box::new(found))));
    play
}

#[test]
fn a_change_and_a_question_are_left_before_the_next() {
    let mut play = change(80, 24);
    play.keys("<Esc>r");
    play.reply(|r| matches!(r, Request::Undone { revision: 806 }), Ok(Answer::Undone(Undone::default())));
    play.keys("nc<Up><Up>c");
    let Request::Compare { from, to } = play.last_asked() else { panic!("two points are compared") };
    assert_eq!((from.as_str(), to.as_str()), ("806", "812"));
}

#[test]
fn the_mark_stays_on_its_change_when_others_come() {
    let mut play = opened(80, 24);
    play.keys("j");
    assert!(play.screen().contains("> 811"), "{}", play.screen());
    let Request::TimeLine { after: Some(812), .. } = play.last_asked() else { panic!("it waits for the next change") };
    let Answer::TimeLine(mut line) = time_line(Past::Kept) else { unreachable!("made above") };
    line.moments.push(moment(813, 1, "you (kubectl)", "deleted Pod default/test"));
    play.reply(|r| matches!(r, Request::TimeLine { .. }), Ok(Answer::TimeLine(line)));
    assert!(play.screen().contains("> 811") && play.screen().contains("813"), "{}", play.screen());
}

#[test]
fn a_filter_owns_the_keyboard_and_esc_goes_back_one_level() {
    let mut play = opened(80, 24);
    play.keys("/curl");
    assert!(play.screen().contains("1 of 34 changes") && play.screen().contains("Filter: curl"), "{}", play.screen());
    play.keys("<Enter>");
    assert!(play.screen().contains("filter curl"), "r in the filter was no command: {}", play.screen());
    play.keys("<Esc>");
    assert!(play.screen().contains("34 changes"), "{}", play.screen());
    play.keys("o");
    assert!(play.screen().contains("3 of 34 changes, your own"), "{}", play.screen());
    play.keys("<Esc>");
    assert!(play.lesson_screen().over.is_empty());
}

#[test]
fn a_return_is_a_line_that_is_seen_and_only_after_a_yes() {
    let mut play = opened(80, 24);
    for no in ["n", "<Enter>", "<Esc>"] {
        play.keys("r");
        let undone = Undone { revision: 812, ..Undone::default() };
        play.reply(|r| matches!(r, Request::Undone { .. }), Ok(Answer::Undone(undone)));
        play.keys(no);
        assert!(!play.open.iter().any(|e| matches!(e, Effect::Run { .. })), "{no} did it");
        assert!(play.screen().contains("34 changes"), "{}", play.screen());
    }
    play.keys("r");
    play.reply(|r| matches!(r, Request::Undone { .. }), Ok(Answer::Undone(Undone { revision: 811, ..Undone::default() })));
    play.keys("y");
    assert_eq!(play.ran(""), "timeline return 811 --yes");
    assert!(play.lesson_screen().over.is_empty());
}

#[test]
fn a_bookmark_gets_its_name_and_an_error_is_told() {
    let mut play = opened(80, 24);
    play.keys("bstart<Enter>");
    play.reply(|r| *r == Request::Mark { revision: 812, name: "start".into() }, Err("There are too many.".into()));
    assert_eq!(play.notice(), "There are too many.");
}

const NO_PAST: &str = "A cluster keeps no past that can be looked at.";

pub(super) fn cluster(width: u16, height: u16) -> Play {
    let mut play = Play::lesson(width, height);
    play.keys("<F11>");
    play.reply(|r| matches!(r, Request::TimeLine { .. }), Ok(time_line(Past::MarksOnly(NO_PAST.into()))));
    play
}

#[test]
fn a_cluster_compares_only_and_says_why() {
    let mut play = cluster(80, 24);
    assert!(play.screen().contains(NO_PAST), "{}", play.screen());
    play.keys("v");
    assert!(play.notice().contains("Only comparing"), "{}", play.notice());
    assert!(!play.open.iter().any(|e| matches!(e, Effect::Ask { request: Request::TimeLine { .. }, .. })), "nothing to wait for");
}

fn kinds() -> Answer {
    let kind = |resource: &str, short: &str, kind: &str, namespaced, count| KindRow {
        resource: resource.into(),
        short: short.into(),
        kind: kind.into(),
        namespaced,
        count: Some(count),
    };
    Answer::Kinds(vec![
        kind("configmaps", "cm", "ConfigMap", true, 7),
        kind("nodes", "no", "Node", false, 1),
        kind("pods", "po", "Pod", true, 2),
        kind("serviceentries.networking.istio.io", "se", "ServiceEntry", true, 1),
    ])
}

fn table(with_namespace: bool) -> Answer {
    let (header, before) = if with_namespace { ("NAMESPACE   ", "default     ") } else { ("", "") };
    let row = |name: &str| RowOf {
        namespace: "default".into(),
        name: name.into(),
        text: format!("{before}{name:<6} 2/2     Running   0          90s"),
    };
    let header = format!("{header}NAME   READY   STATUS    RESTARTS   AGE");
    Answer::Table(Box::new(Table { header, rows: vec![row("other"), row("test")], said: String::new() }))
}

fn text(lines: usize) -> Answer {
    let lines = (1..=lines).map(|n| format!("[2026-01-01T09:10:{n:02}Z] line {n}")).collect();
    Answer::Read(Box::new(Text { lines, said: String::new(), containers: vec!["test".into(), "istio-proxy".into()] }))
}

fn is_table(request: &Request) -> bool {
    matches!(request, Request::Table { .. })
}

fn is_read(request: &Request) -> bool {
    matches!(request, Request::Read { .. })
}

pub(super) fn pods(width: u16, height: u16) -> Play {
    let mut play = Play::lesson(width, height);
    play.keys("<F12>");
    play.reply(|r| *r == Request::Place, Ok(Answer::Place(Place { context: "sandbox".into(), namespace: "default".into() })));
    play.reply(|r| *r == Request::Kinds { at: None }, Ok(kinds()));
    play.keys("jj<Enter>");
    play.reply(is_table, Ok(table(false)));
    play
}

pub(super) fn browser_kinds(width: u16, height: u16) -> Play {
    let mut play = Play::lesson(width, height);
    play.keys("<F12>");
    play.reply(|r| *r == Request::Kinds { at: None }, Ok(kinds()));
    play
}

pub(super) fn log(width: u16, height: u16) -> Play {
    let mut play = pods(width, height);
    play.keys("jl");
    play.reply(is_read, Ok(text(60)));
    play
}

pub(super) fn browser_past(width: u16, height: u16) -> Play {
    let mut play = opened(width, height);
    play.keys("jv");
    play.reply(|r| *r == Request::Kinds { at: Some(811) }, Ok(kinds()));
    play.keys("jj<Enter>");
    play.reply(is_table, Ok(table(true)));
    play
}

#[test]
fn what_changes_something_is_a_kubectl_line_after_a_yes() {
    for no in ["n", "<Enter>", "<Esc>"] {
        let mut play = pods(80, 24);
        play.keys(&format!("jD{no}"));
        assert_eq!(play.notice(), "Nothing was changed.");
        assert!(!play.open.iter().any(|e| matches!(e, Effect::Run { .. })), "{no} did it");
    }
    let mut play = pods(80, 24);
    play.keys("jDx");
    assert!(!play.open.iter().any(|e| matches!(e, Effect::Run { .. })), "x is no yes");
    play.keys("y");
    assert_eq!(play.ran(""), "kubectl delete pods test -n default");
    let mut play = pods(80, 24);
    play.keys("Ey");
    assert_eq!(play.ran(""), "kubectl edit pods other -n default");
}

#[test]
fn a_table_is_followed_and_the_mark_stays_on_its_object() {
    let mut play = pods(80, 24);
    play.keys("j");
    assert!(play.screen().contains("> test"), "{}", play.screen());
    let Answer::Table(mut grown) = table(false) else { unreachable!("made above") };
    grown.rows.insert(0, RowOf { namespace: "default".into(), name: "alpha".into(), text: "alpha  0/1".into() });
    play.reply(|r| matches!(r, Request::Table { seen: Some(_), .. }), Ok(Answer::Table(grown)));
    assert!(play.screen().contains("> test") && play.screen().contains("alpha"), "{}", play.screen());
    play.keys("a");
    play.reply(|r| matches!(r, Request::Table { which, seen: None } if which.namespace.is_none()), Ok(table(true)));
    assert!(play.screen().contains("in all namespaces") && play.screen().contains("> default     test"), "{}", play.screen());
}

#[test]
fn esc_goes_back_one_level_at_a_time_and_old_answers_change_nothing() {
    let mut play = pods(80, 24);
    play.keys("d");
    play.keys("<Esc>");
    play.reply(is_read, Ok(text(3)));
    assert!(!play.screen().contains("line 1"), "{}", play.screen());
    play.keys("<Esc>");
    assert!(play.screen().contains("4 kinds"), "{}", play.screen());
    play.keys("<Esc>");
    assert!(play.lesson_screen().over.is_empty());
}

#[test]
fn a_log_follows_its_end_until_it_is_scrolled_and_containers_change() {
    let mut play = pods(80, 24);
    play.keys("jl");
    play.reply(is_read, Ok(text(50)));
    assert!(play.screen().contains("line 50") && play.screen().contains("log of test, following"), "{}", play.screen());
    play.reply(is_read, Ok(text(55)));
    assert!(play.screen().contains("line 55"), "{}", play.screen());
    play.keys("g");
    play.reply(is_read, Ok(text(58)));
    assert!(play.screen().contains("line 1") && !play.screen().contains("line 58"), "{}", play.screen());
    play.keys("c");
    let Request::Read { view, .. } = play.last_asked() else { panic!("another log") };
    assert!(format!("{view:?}").contains("istio-proxy"), "{view:?}");
}

#[test]
fn a_refusal_and_a_missing_kind_are_told_in_words() {
    let mut play = pods(80, 24);
    play.keys("d");
    let said = "Error from server (NotFound): pods \"other\" not found".to_string();
    play.reply(is_read, Ok(Answer::Read(Box::new(Text { said, ..Text::default() }))));
    assert!(play.screen().contains("pods \"other\" not found"), "{}", play.screen());
    let mut play = Play::lesson(80, 24);
    play.keys("<F12>");
    play.reply(|r| *r == Request::Kinds { at: None }, Err("the sandbox has been shut down".into()));
    assert!(play.screen().contains("the sandbox has been shut down"), "{}", play.screen());
}

#[test]
fn the_past_is_browsed_but_never_changed() {
    let mut play = browser_past(80, 24);
    assert!(play.screen().contains("as of revision 811, read-only"), "{}", play.screen());
    play.keys("<Esc>/po<Enter>");
    assert!(play.screen().contains("> pods"), "an exact name comes first: {}", play.screen());
    play.keys("<Enter>");
    play.reply(is_table, Ok(table(true)));
    play.keys("D");
    assert_eq!(play.notice(), "The past is read-only.");
    play.keys("tdefault/test http://a/<Enter>");
    assert_eq!(play.ran(""), "timeline at 811 explain default/test http://a/");
}
