//! The whole course typed through a pipe: every action of the lesson, no escapes, no other cluster.

use super::alone::Recorder;
use super::{Home, finish, text};
use egress_lab::lesson::load::Pack;
use egress_lab::lesson::model::{Action, Answer, Istio, Lesson, Step, StepKind};

/// What a learner would type for a step, line by line. Answers that have to be looked up are taken by the solution key.
fn typed(step: &Step) -> String {
    let mut script = String::new();
    let looks_up = step.solution.iter().any(|a| matches!(a, Action::Answer { answer: Answer::Take(_), .. }));
    for action in &step.solution {
        match action {
            Action::Line(line) => script.push_str(&format!("{line}\n")),
            Action::File(file) => {
                let end = if file.content.ends_with('\n') { "" } else { "\n" };
                script.push_str(&format!("cat > {} <<'END-OF-FILE'\n{}{end}END-OF-FILE\n", file.name, file.content));
            }
            Action::InstallIstio(Istio { profile, options }) => {
                let sets: String = options.iter().map(|(k, v)| format!(" --set {k}={v}")).collect();
                script.push_str(&format!("istioctl install --set profile={profile}{sets} -y\n"));
            }
            Action::Answer { answer: Answer::Choice(text) | Answer::Text(text), .. } => {
                script.push_str(&format!("answer {text}\n"))
            }
            Action::Answer { .. } | Action::Fault(_) => (),
        }
    }
    if looks_up {
        script.push_str("solution\nyes\n");
    }
    script.push_str("next\n");
    script
}

fn lesson() -> Lesson {
    let tracks = Pack::embedded().tracks().unwrap();
    tracks.into_iter().flat_map(|track| track.lessons).find(|lesson| lesson.id == "control-external-egress").unwrap()
}

#[test]
fn every_action_typed_through_a_pipe_finishes_the_lesson() {
    let (home, recorder, lesson) = (Home::new(), Recorder::start(), lesson());
    let config = home.folder.path().join("config");
    std::fs::write(&config, recorder.kubeconfig()).unwrap();
    let script: String = lesson.steps.iter().map(typed).collect();
    let mut command = home.command(&["learn", "control-external-egress", "--plain"]);
    command.env("KUBECONFIG", &config);
    let output = finish(command, &script, 400);
    let said = text(&output.stdout);
    if let Some(at) = said.find("This step is not done").or(said.find("asks no question")) {
        let before: Vec<&str> = said[..at].lines().collect();
        panic!("a step did not pass:\n{}\n{}", before[before.len().saturating_sub(60)..].join("\n"), text(&output.stderr));
    }
    let tail: String = said.lines().rev().take(40).collect::<Vec<_>>().into_iter().rev().map(|l| format!("{l}\n")).collect();
    assert!(output.status.success(), "{tail}{}", text(&output.stderr));
    assert!(said.contains("The lesson is finished."), "{tail}");
    assert!(!said.contains('\u{1b}'), "an escape was printed");
    let done = said.lines().filter(|l| l.starts_with("PASS: step") || l.starts_with("DONE (assisted)")).count();
    assert_eq!(done, lesson.steps.len(), "{tail}");
    let own = lesson.steps.iter().filter(|s| matches!(s.kind, StepKind::Do | StepKind::Fix)).count();
    assert!(said.lines().filter(|l| l.starts_with("PASS: step")).count() >= own, "{tail}");

    for args in [&["check"][..], &["hint"], &["reset", "--yes", "--step", "2"]] {
        let mut command = home.command(args);
        command.env("KUBECONFIG", &config);
        let output = finish(command, "", 60);
        assert!(output.status.code().is_some_and(|c| c <= 1), "{args:?}: {}", text(&output.stderr));
    }
    assert_eq!(recorder.seen(), 0, "the other cluster was asked");
}
