use super::*;
use crate::finding::{Evidence, Ran, WrongTurn};
use crate::lesson::load::Pack;
use crate::progress::{Entry, Guess, How, StepKey, Summary};
use crate::session::{Effect, Event, Options, Wish};
use std::sync::Arc;

fn lesson() -> Arc<crate::lesson::model::Lesson> {
    let tracks = Pack::embedded().tracks().unwrap();
    Arc::new(tracks[0].lesson("control-external-egress").unwrap().clone())
}

/// A session that stands at a step of the seed lesson, all before it done.
fn at(step: &str) -> Session {
    let lesson = lesson();
    let nth = lesson.steps.iter().position(|s| s.id == step).unwrap();
    let key = |step: &str| StepKey { lesson: lesson.id.clone(), step: step.into(), version: lesson.version };
    let done: Vec<Entry> =
        lesson.steps[..nth].iter().map(|step| Entry::Done { key: key(&step.id), how: How::Own, attempts: 0, hints: 0 }).collect();
    let mut session = Session::new(lesson, &Summary::of(&done), Options { unsaved: true, ..Options::default() });
    session.start();
    session.running = None;
    session.steps[nth].started = true;
    session
}

fn finding(verdict: Verdict) -> Finding {
    Finding {
        check: "first-hop".into(),
        title: "Plain http reaches www.wikipedia.org".into(),
        verdict,
        message: "The origin does not answer the lab's own request".into(),
        evidence: Evidence {
            expected: "delivered".into(),
            observed: "blocked-registry-only".into(),
            decided_by: Some(("ConfigMap istio-system/istio".into(), "outboundTrafficPolicy.mode".into())),
            ..Evidence::default()
        },
        wrong_turn: None,
        revision: None,
    }
}

#[test]
fn what_is_missing_is_said_in_one_sentence() {
    assert!(at("meet-the-target").what_now().contains("`next` goes on"));
    let mut session = at("register-port-80");
    let file =
        "The file serviceentry-wikipedia.yaml has to be right first: `edit serviceentry-wikipedia.yaml`, then `kubectl apply";
    session.ran.push(Ran { line: "cat serviceentry-wikipedia.yaml".into(), exit_code: 0, output: String::new() });
    assert!(session.what_now().starts_with(file), "{}", session.what_now());
    session.ran.clear();
    assert_eq!(session.what_now(), "Nothing was run in this step yet: begin with `cat serviceentry-wikipedia.yaml`.");
    let nth = session.shown;
    session.steps[nth].findings = vec![finding(Verdict::NotYet), finding(Verdict::Met)];
    assert_eq!(
        session.what_now(),
        "Missing: Plain http reaches www.wikipedia.org; expected was delivered, seen was blocked-registry-only; \
         ConfigMap istio-system/istio, outboundTrafficPolicy.mode decided."
    );
    session.steps[nth].findings[0].wrong_turn = Some(WrongTurn { id: "M17".into(), hint: "Two hosts".into() });
    assert!(session.what_now().ends_with("It looks like this: Two hosts."), "{}", session.what_now());
    session.steps[nth].findings = vec![finding(Verdict::NotYet), finding(Verdict::EnvironmentFault)];
    assert!(session.what_now().starts_with("Not you, the environment: The origin does not answer"), "{}", session.what_now());
    session.asking = Some(Ask::Skip);
    assert!(session.what_now().starts_with("The lab waits for a yes or no"));
}

#[test]
fn a_question_says_what_to_run_and_how_to_answer() {
    let mut session = at("blocked-line");
    let before = session.what_now();
    assert!(before.starts_with("Run `kubectl exec test") && before.contains("type `answer`"), "{before}");
    for action in session.step().actions.clone() {
        session.ran.push(Ran { line: action, exit_code: 0, output: String::new() });
    }
    // With nothing found and nothing answered the question is all that is left.
    assert!(session.what_now().contains("answer"), "{}", session.what_now());
    let mut session = at("exit-code");
    assert!(session.what_now().starts_with("A question waits: answer with a letter from a to"), "{}", session.what_now());
    let wrong = session.choices().unwrap().iter().find(|choice| !choice.right).unwrap().clone();
    let nth = session.shown;
    session.steps[nth].answer = Some(wrong.id);
    assert!(session.what_now().contains(wrong.text.trim_end_matches('.')), "{}", session.what_now());
}

#[test]
fn answers_are_read_as_people_type_them() {
    let session = at("exit-code");
    let ids: Vec<String> = session.choices().unwrap().iter().map(|choice| choice.id.clone()).collect();
    let read = |typed: &str| session.as_choice(typed);
    for typed in ["a", "A", "1", "answer a", " a "] {
        assert_eq!(read(typed), Some((ids[0].clone(), None)), "{typed}");
    }
    assert_eq!(read("b 3"), Some((ids[1].clone(), Some(Sure::High))));
    assert_eq!(read("answer b low"), Some((ids[1].clone(), Some(Sure::Low))));
    assert_eq!(read(&ids[1].to_uppercase()), Some((ids[1].clone(), None)));
    for typed in ["", "z", "9", "b because", "kubectl get pods", "answer"] {
        assert_eq!(read(typed), None, "{typed}");
    }
    assert!(at("blocked-line").as_choice("a").is_none(), "no question of choices");
}

#[test]
fn the_first_answer_and_how_sure_it_was_are_kept() {
    let mut session = at("exit-code");
    session.unsaved = false;
    let choices = session.choices().unwrap().to_vec();
    let right = choices.iter().position(|choice| choice.right).unwrap();
    let wrong = (0..choices.len()).find(|n| *n != right).unwrap();
    let letter = |n: usize| char::from(b'a' + n as u8).to_string();
    assert!(session.handle(Event::Wish(Wish::Sure(Sure::High))).is_empty());
    let effects = session.handle(Event::Wish(Wish::Answer(letter(wrong))));
    let recorded = effects.iter().find_map(|effect| match effect {
        Effect::Record { entry: Entry::Guessed { right, sure, .. }, .. } => Some((*right, *sure)),
        _ => None,
    });
    assert_eq!(recorded, Some((false, Some(Sure::High))));
    let again = session.handle(Event::Wish(Wish::Answer(format!("{} 1", letter(right)))));
    assert!(!again.iter().any(|effect| matches!(effect, Effect::Record { .. })), "only the first answer predicts: {again:?}");
    assert_eq!(session.step_run().guess, Some(Guess { right: false, sure: Some(Sure::High) }));
    assert_eq!(session.step_run().answer.as_deref(), Some(choices[right].id.as_str()));
    assert_eq!(session.calibration().total.all, 1);
    session.handle(Event::Wish(Wish::Sure(Sure::Low)));
    assert!(session.notice().unwrap().contains("first answer was given"));
}

#[test]
fn a_stage_is_looked_back_at_when_it_is_done_and_not_before() {
    let session = at("install-istio");
    assert!(session.debrief("install").unwrap_err().contains("not done yet"));
    assert!(session.debrief("nowhere").unwrap_err().contains("there are ready, install"));
    assert_eq!(session.debrief("").unwrap().id, "ready");
    assert_eq!(session.debrief("1").unwrap().id, "ready");
    assert!(session.looking_back().is_none());
    assert!(at("meet-the-target").debrief("").unwrap_err().contains("No stage is done yet"));
    let mut session = at("run-test-pod");
    session.handle(Event::Wish(Wish::Previous));
    assert_eq!(session.looking_back().unwrap().id, "install");
    session.handle(Event::Wish(Wish::Debrief(String::new())));
    let told: Vec<&str> = session.transcript().lines().map(|line| line.text.as_str()).collect();
    assert_eq!(told[0], "Looking back: Install Istio with REGISTRY_ONLY", "{told:?}");
    assert!(told.iter().any(|line| line.contains("Often goes wrong")) && told.iter().all(|line| line.len() <= 80));
}

#[test]
fn the_glossary_is_told_with_the_words_of_the_page_first() {
    let mut session = at("install-istio");
    session.handle(Event::Wish(Wish::Glossary(String::new())));
    session.handle(Event::Wish(Wish::Glossary("istoid".into())));
    let told: Vec<&str> = session.transcript().lines().map(|line| line.text.as_str()).collect();
    assert_eq!(told[0], "On this page:");
    assert!(told[1..4].join(" ").contains("profile"), "{told:?}");
    assert!(told.last().unwrap().contains("did you mean \"istiod\""), "{told:?}");
}

#[test]
fn every_stage_of_every_lesson_says_why_and_what_goes_wrong() {
    for track in Pack::embedded().tracks().unwrap() {
        for lesson in &track.lessons {
            for stage in &lesson.stages {
                let text = debrief_text(stage, 78).join("\n");
                assert!(text.len() > 200 && text.contains("goes wrong"), "{}/{}", lesson.id, stage.id);
            }
        }
    }
}
