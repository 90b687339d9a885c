//! What helps a learner on: what is missing, the glossary, looking back, how sure one is.

use super::*;

pub(super) fn predicting(width: u16, height: u16) -> Play {
    let mut play = Play::doing(width, height);
    play.keys("kubectl get pods<Enter>");
    play.ran(PODS);
    play.judge(Verdict::Met);
    play.keys("<Enter>");
    assert_eq!(play.session().shown(), 2, "{}", play.screen());
    play
}

pub(super) fn glossary(width: u16, height: u16) -> Play {
    let mut play = Play::doing(width, height);
    play.keys("<A-W>");
    assert!(play.screen().contains("> sidecar"), "a word of the page is marked: {}", play.screen());
    play
}

#[test]
fn the_glossary_is_narrowed_by_typing() {
    let mut play = glossary(80, 24);
    play.keys("black");
    assert!(play.screen().contains("> BlackHoleCluster"), "{}", play.screen());
}

#[test]
fn related_words_are_followed_and_come_back() {
    let mut play = Play::doing(80, 24);
    play.keys("<A-W>registry_o<Tab>");
    assert!(play.screen().contains("> ALLOW_ANY"), "{}", play.screen());
    play.app.handle(Message::Terminal(Input::Key(KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT))));
    assert!(play.screen().contains("> REGISTRY_ONLY"), "{}", play.screen());
    play.keys("zzz");
    assert!(play.screen().contains("nothing with"), "{}", play.screen());
    play.keys("<Esc>");
    assert!(!play.screen().contains("nothing with") && play.screen().contains("Glossary"), "Esc empties the search first");
    play.keys("<Esc>");
    assert!(!play.screen().contains("What it means"), "{}", play.screen());
    assert_eq!(play.prompt(), "", "nothing was typed at the prompt");
}

/// An answer to the question of the last step, judged.
pub(super) fn answered(width: u16, height: u16, answer: &str, verdict: Verdict) -> Play {
    let mut play = predicting(width, height);
    play.keys(&format!("{answer}<Enter>"));
    play.judge(verdict);
    play
}

pub(super) fn finished(width: u16, height: u16) -> Play {
    let mut play = predicting(width, height);
    play.keys("<A-d>");
    assert!(play.notice().contains("No stage is done yet"), "{}", play.notice());
    play.keys("<A-u><A-u><A-u>");
    assert_eq!(play.session().notice(), Some("Noted: sure. Now the answer."));
    play.keys("b<Enter>");
    play.judge(Verdict::Met);
    assert!(play.session().is_finished());
    play
}

#[test]
fn looking_back_is_closed_with_enter() {
    let mut play = finished(80, 24);
    play.keys("<A-d>");
    assert!(play.screen().contains("Why it worked, and"), "{}", play.screen());
    play.keys("<Enter>");
    assert!(!play.screen().contains("Why it worked, and"), "{}", play.screen());
}

#[test]
fn what_is_missing_is_one_key_away() {
    let mut play = failed(80, 24);
    play.keys("<A-w>");
    let said = play.session().notice().unwrap_or("").to_string();
    assert!(said.starts_with("Missing: The pod cannot reach www.wikipedia.org; expected was blocked-registry-only"), "{said}");
    assert!(play.screen().contains("Missing: The pod cannot reach"), "{}", play.screen());
    let mut play = predicting(80, 24);
    play.keys("<A-w>");
    assert!(play.session().notice().unwrap_or("").contains("from a to b"));
}

#[test]
fn how_sure_one_was_is_told_at_the_end_and_on_the_first_screen() {
    let mut play = predicting(80, 24);
    play.keys("a 3<Enter>");
    assert!(play.open.iter().any(|e| matches!(e, Effect::Evaluate { answer: Some(answer), .. } if answer == "yes")));
    play.judge(Verdict::NotYet);
    play.keys("b<Enter>");
    play.judge(Verdict::Met);
    let sentences = play.session().calibration().sentences();
    assert_eq!(sentences[0], "Predictions: 0 of 1 right with the first answer.");
    play.keys("<F10>");
    assert!(play.screen().contains("Predictions: 0 of 1 right"), "{}", play.screen());
}

pub(super) fn presenting(width: u16, height: u16) -> Play {
    let mut play = Play::home(width, height);
    play.app.start.present = true;
    play.entered().passed()
}

#[test]
fn a_presenter_types_with_any_key() {
    let mut play = presenting(80, 24);
    assert!(play.open.contains(&Effect::Shown { step: 0 }) && play.open.contains(&Effect::Shown { step: 1 }), "{:?}", play.open);
    play.keys("q");
    assert_eq!(play.prompt(), "kubectl ");
    play.keys("jz ");
    assert_eq!(play.prompt(), "kubectl get pods", "a key too many types nothing");
    play.keys("<Enter>");
    play.keys("xyz<Enter>");
    assert_eq!(play.ran(PODS), "kubectl get pods");
    assert_eq!(play.prompt(), "", "keys while it runs are not kept");
    play.judge(Verdict::NotYet);
    play.keys("a<Enter>");
    assert_eq!(play.prompt(), "kubectl get serviceentries -A", "Enter completes what was begun");
    play.keys("<Esc>");
    assert!(play.notice().contains("keyboard is yours"));
    play.keys(" --x");
    assert_eq!(play.prompt(), "kubectl get serviceentries -A --x");
    play.keys("<C-c><Esc>k");
    assert_eq!(play.prompt(), "kubectl ");
}

#[test]
fn a_presenter_reads_and_answers_with_the_usual_keys() {
    let mut play = presenting(120, 40);
    play.keys("aaaaaa<Enter>");
    play.ran(PODS);
    play.judge(Verdict::Met);
    play.keys("<Enter>");
    assert_eq!(play.session().shown(), 2, "{}", play.screen());
    play.keys("b<Enter>");
    play.judge(Verdict::Met);
    assert!(play.session().is_finished(), "{}", play.screen());
}
