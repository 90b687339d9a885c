//! The lesson's own screen: its bar.

use super::*;
use crate::session::desk::{Answer, Place, Request};
use crate::tui::layout::Focus;

impl Play {
    /// Answers the question where lines go.
    pub(super) fn placed(&mut self, context: &str, namespace: &str) {
        let place = Place { context: context.into(), namespace: namespace.into() };
        self.reply(|request| *request == Request::Place, Ok(Answer::Place(place)));
    }
}

/// A command has run for a while.
pub(super) fn running(width: u16, height: u16) -> Play {
    use crate::base::clock::Time;
    let mut play = Play::doing(width, height);
    play.app.tick(Time(0));
    play.keys("istioctl install -y<Enter>");
    play.app.tick(Time(7_100));
    play
}

#[test]
fn the_bar_drops_what_is_missed_least_and_never_the_namespace() {
    for (context, width, bar) in [
        ("sandbox", 120, "sandbox, Istio 1.30  ctx sandbox  ns team-payments-production  saved"),
        ("sandbox", 80, "Who may leave  step 2/3  sandbox, Istio 1.30  ns team-payments-production"),
        ("sandbox", 60, "ns team-payments-production"),
        ("kind-lab", 80, "sandbox  ctx kind-lab  ns team-payments-production"),
        ("kind-lab", 60, "ns team-payments-production"),
        ("a-context-whose-name-is-far-too-long-for-any-bar-of-eighty-columns", 80, "ns team-payments-production"),
    ] {
        let mut play = Play::doing(width, 24);
        play.placed(context, "team-payments-production");
        let screen = play.screen();
        let first = screen.lines().next().unwrap_or_default();
        let squeezed = first.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(squeezed.contains(&bar.split_whitespace().collect::<Vec<_>>().join(" ")), "{context} {width}: {first}");
        assert!(first.contains("step 2/3"), "{first}");
    }
}

#[test]
fn a_search_owns_the_keyboard_and_its_matches_stand_out_without_colour() {
    let mut play = failed(80, 24);
    play.keys("<Esc>/");
    for c in "quit".chars() {
        assert!(play.keys(&c.to_string()).is_none());
    }
    assert!(play.screen().contains("/quit_  no line has it"), "{}", play.screen());
    play.keys("<Backspace><Backspace><Backspace><Backspace>kubectl");
    assert!(play.screen().contains("/kubectl_  line 4 of 4"), "{}", play.screen());
    play.keys("<Enter>,");
    assert!(play.screen().contains("/kubectl  line 3 of 4"), "{}", play.screen());
    play.app.theme = Theme::PLAIN;
    let reversed = |play: &Play| {
        let (size, buffer) = (play.app.size, play.buffer());
        let output = (0..size.height).skip_while(|y| buffer[(1, *y)].symbol() != "/" && buffer[(2, *y)].symbol() != "/");
        let cells = output.skip(1).flat_map(|y| (0..size.width).map(move |x| (x, y)));
        let is = |at: &(u16, u16)| buffer[*at].modifier.contains(ratatui::style::Modifier::REVERSED);
        cells.filter(is).map(|at| buffer[at].symbol().to_string()).collect::<String>()
    };
    assert_eq!(reversed(&play), "kubectlkubectl");
    play.keys(",");
    assert!(
        play.screen().contains("/kubectl  line 2 of 4") && play.lesson_screen().view.focus == Focus::Text,
        "{}",
        play.screen()
    );
    play.keys(".");
    assert!(play.lesson_screen().view.focus == Focus::Output);
    play.keys("<Esc>");
    assert_eq!(reversed(&play), "");
}

#[test]
fn the_lessons_text_is_searched_where_the_output_has_nothing() {
    for (width, height) in [(120, 40), (80, 24), (60, 20)] {
        let mut play = failed(width, height);
        play.keys("<Esc>/registered yet");
        let screen = play.screen();
        assert!(screen.contains("/registered yet_  line 1 of 1") && screen.contains("Nothing is registered yet"), "{screen}");
        play.keys("<Enter>.,");
        assert!(play.screen().contains("/registered yet  line 1 of 1"), "one is the next and the one before: {}", play.screen());
    }
}

#[test]
fn a_search_through_thousands_of_lines_shows_the_line_that_matches() {
    let mut play = Play::doing(80, 24);
    play.keys("kubectl logs test<Enter>");
    let text: String = (0..3000).map(|n| format!("line {n}{}\n", if n == 700 { " needle" } else { "" })).collect();
    play.ran(&text);
    play.keys("<Esc>/needle<Enter>");
    assert!(play.screen().contains("line 700 needle") && play.screen().contains("line 703"), "{}", play.screen());
}

#[test]
fn what_has_the_focus_is_copied_as_whole_lines() {
    let mut play = Play::doing(60, 20);
    play.keys("kubectl logs test<Enter>");
    let long = "x".repeat(300);
    play.ran(&format!("{long}\nend\n"));
    let copied = |play: &mut Play, keys: &str| match play.keys(keys) {
        Some(Act::Copy(text)) => text,
        other => panic!("{other:?}"),
    };
    assert_eq!(copied(&mut play, "<A-Y>"), format!("$ kubectl logs test\n{long}\nend\n"));
    let text = copied(&mut play, "<Esc>Y");
    assert!(text.contains("A sidecar forwards only to hosts that are in Istio's registry. Look at the pods first:\n"), "{text}");
}

#[test]
fn long_work_says_what_runs_for_how_long_and_how_it_ends() {
    use crate::base::clock::Time;
    let mut play = Play::doing(80, 24);
    play.app.tick(Time(0));
    play.keys("istioctl install -y<Enter>");
    for (ms, said) in [
        (10, "Running: istioctl install -y. Ctrl-C ends it."),
        (900, "Running: istioctl install -y. Ctrl-C ends it."),
        (7_100, "Running for 7 s: istioctl install -y. Ctrl-C ends it."),
        (70_500, "Running for 1 min 10 s: istioctl install -y. Ctrl-C ends it."),
    ] {
        play.app.tick(Time(ms));
        assert!(play.screen().contains(said), "{ms}: {}", play.screen());
        assert!(play.app.wakes().is_some());
    }
    play.ran("done\n");
    play.judge(Verdict::Met);
    play.app.tick(Time(80_000));
    assert_eq!(play.app.wakes(), None, "nothing runs: no frame is due");
}

#[test]
fn the_mouse_is_off_until_it_is_asked_for_and_the_wheel_scrolls_what_is_below_it() {
    use crossterm::event::{MouseEvent, MouseEventKind};
    let mut play = Play::doing(80, 24);
    play.keys("kubectl logs test<Enter>");
    play.ran(&(0..50).map(|n| format!("line {n}\n")).collect::<String>());
    assert!(matches!(play.keys("<A-m>"), Some(Act::Mouse(true))));
    assert!(play.screen().contains("The mouse wheel scrolls now"));
    let wheel = |kind, row| Message::Terminal(Input::Mouse(MouseEvent { kind, column: 5, row, modifiers: KeyModifiers::NONE }));
    assert!(play.screen().contains("line 49"));
    play.app.handle(wheel(MouseEventKind::ScrollUp, 18));
    assert!(!play.screen().contains("line 49") && play.screen().contains("line 46"), "{}", play.screen());
    play.app.handle(wheel(MouseEventKind::ScrollUp, 0));
    assert!(play.screen().contains("line 46"));
    assert!(matches!(play.keys("<A-m>"), Some(Act::Mouse(false))));
}
