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
use play::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Size;
use std::sync::Mutex;

mod guide;
mod manifest;
mod pages;
mod picture;
mod play;
mod shots;
mod themes;
mod timeline;
mod typing;

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
    let mut play = program(80, 24);
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
