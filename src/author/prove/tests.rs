//! The prover on a toy world: a set of words. Lines are `add WORD` and `del WORD`; a check whose id is a word is met when the word is
//! there. Broken copies of a sound lesson must fail with the step and the proof named.

use super::*;
use crate::author::bench::{Applied, InTurn, Manner};
use crate::finding::{Evidence, Finding, Ran, Verdict};
use crate::k8s::Kind;
use crate::lesson::field::{FieldPath, Pattern};
use crate::lesson::model::{
    Action, Answer, Check, CheckKind, Mutant, ObjectRef, Question, Removal, StepKind, Take, Variant, World as Start,
};
use futures::future::BoxFuture;
use std::collections::BTreeSet;
use std::sync::Mutex;

type Words = BTreeSet<String>;

#[derive(Default)]
struct ToyBench {
    /// Resets leave this word behind.
    leaves: Option<&'static str>,
    /// Its worlds are never forked.
    how: Option<InTurn>,
}

struct Toy {
    lesson: Arc<Lesson>,
    seed: Seed,
    leaves: Option<&'static str>,
    words: Mutex<Words>,
    marks: Mutex<Vec<Words>>,
}

impl Toy {
    fn words(&self) -> Words {
        self.words.lock().unwrap().clone()
    }
}

impl Bench for ToyBench {
    fn start<'a>(&'a self, lesson: &'a Arc<Lesson>, seed: Seed) -> BoxFuture<'a, Result<Box<dyn World>, String>> {
        let (lesson, leaves) = (lesson.clone(), self.leaves);
        let toy = Toy { lesson, seed, leaves, words: Mutex::default(), marks: Mutex::default() };
        Box::pin(async move { Ok(Box::new(toy) as Box<dyn World>) })
    }

    fn spawn(&self, work: BoxFuture<'static, ()>) {
        tokio::spawn(work);
    }

    fn in_turn(&self) -> Option<InTurn> {
        self.how
    }
}

impl World for Toy {
    fn fork(&self) -> BoxFuture<'_, Result<Box<dyn World>, String>> {
        let toy = Toy {
            lesson: self.lesson.clone(),
            seed: self.seed,
            leaves: self.leaves,
            words: Mutex::new(self.words()),
            marks: Mutex::new(self.marks.lock().unwrap().clone()),
        };
        Box::pin(async move { Ok(Box::new(toy) as Box<dyn World>) })
    }

    fn apply<'a>(&'a self, actions: &'a [Action], _manner: Manner) -> BoxFuture<'a, Result<Applied, String>> {
        Box::pin(async move {
            let mut applied = Applied::default();
            for action in actions {
                match action {
                    Action::Line(line) => {
                        let (verb, word) = line.split_once(' ').ok_or("no such line")?;
                        match verb {
                            "add" => drop(self.words.lock().unwrap().insert(word.into())),
                            _ => drop(self.words.lock().unwrap().remove(word)),
                        }
                        applied.ran.push(Ran { line: line.clone(), exit_code: 0, output: String::new() });
                    }
                    Action::Answer { step, answer: Answer::Text(text) } => {
                        applied.answers.insert(step.clone(), text.replace("SEED", &self.seed.0.to_string()));
                    }
                    other => return Err(format!("{other:?}")),
                }
            }
            Ok(applied)
        })
    }

    fn remove<'a>(&'a self, part: &'a Removal) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            self.words.lock().unwrap().remove(&part.object.name);
            Ok(())
        })
    }

    fn evaluate<'a>(&'a self, step: &'a Step, answer: Option<&'a str>, _ran: &'a [Ran]) -> BoxFuture<'a, Vec<Finding>> {
        let judge = |check: &Check| {
            let met = match check.kind {
                CheckKind::Answer => answer == Some(&format!("id-{}", self.seed.0)),
                _ => check.id == "always" || self.words().contains(&check.id),
            };
            Finding {
                check: check.id.clone(),
                title: String::new(),
                verdict: if met { Verdict::Met } else { Verdict::NotYet },
                message: check.message.clone(),
                evidence: Evidence::default(),
                wrong_turn: None,
                revision: None,
            }
        };
        let findings = step.checks.iter().map(judge).collect();
        Box::pin(async move { findings })
    }

    fn mark(&self) -> BoxFuture<'_, Result<u64, String>> {
        let mut marks = self.marks.lock().unwrap();
        marks.push(self.words());
        let mark = marks.len() as u64 - 1;
        Box::pin(async move { Ok(mark) })
    }

    fn reset(&self, mark: u64) -> BoxFuture<'_, Result<(), String>> {
        let mut words = self.marks.lock().unwrap()[mark as usize].clone();
        words.extend(self.leaves.map(str::to_string));
        *self.words.lock().unwrap() = words;
        Box::pin(async { Ok(()) })
    }

    fn state(&self) -> BoxFuture<'_, Result<BTreeMap<String, String>, String>> {
        let state = self.words().into_iter().map(|word| (word, String::new())).collect();
        Box::pin(async move { Ok(state) })
    }
}

fn check(id: &str, kind: CheckKind) -> Check {
    Check { id: id.into(), title: id.into(), kind, message: format!("{id} is missing"), hints: Vec::new(), within: 20 }
}

fn word(id: &str) -> Check {
    check(id, CheckKind::Ran { pattern: Pattern::parse("x").unwrap(), exit_code: 0 })
}

fn lines(lines: &[&str]) -> Vec<Action> {
    lines.iter().map(|line| Action::Line((*line).into())).collect()
}

fn part(name: &str) -> Removal {
    let kind = Kind::new("", "Word");
    Removal { object: ObjectRef { kind, namespace: String::new(), name: name.into() }, field: None }
}

fn mutant(id: &str, actions: Vec<Action>, caught_by: &str) -> Mutant {
    let (id, caught_by) = (id.to_string(), caught_by.to_string());
    let message = Some(format!("{caught_by} is missing"));
    Mutant { title: id.clone(), id, actions, caught_by, message, wrong_turn: None }
}

fn blank(id: &str, kind: StepKind) -> Step {
    Step {
        id: id.into(),
        stage: "s".into(),
        title: id.into(),
        kind,
        task: Vec::new(),
        question: None,
        actions: Vec::new(),
        files: Vec::new(),
        setup: Vec::new(),
        checks: Vec::new(),
        hints: Vec::new(),
        wrong_turns: Vec::new(),
        solution: Vec::new(),
        accepts: Vec::new(),
        mutants: Vec::new(),
        removals: Vec::new(),
        docs: Vec::new(),
        points: 1,
        seconds: 1,
        say: String::new(),
    }
}

/// Read, do, fix and observe; every proof holds.
fn sound() -> Lesson {
    let mut make = blank("make", StepKind::Do);
    make.checks = vec![word("one"), word("two")];
    make.solution = lines(&["add one", "add two"]);
    make.accepts = vec![Variant { id: "other-order".into(), title: String::new(), actions: lines(&["add two", "add one"]) }];
    make.mutants = vec![mutant("half", lines(&["add one"]), "two"), mutant("typo", lines(&["add two", "add onne"]), "one")];
    make.removals = vec![part("one"), part("two")];
    let mut repair = blank("repair", StepKind::Fix);
    repair.setup = lines(&["del one"]);
    repair.checks = vec![word("one")];
    repair.solution = lines(&["add one"]);
    let mut look = blank("look", StepKind::Observe);
    let pattern = Pattern::parse("(.*)").unwrap();
    let take = Take::Output { line: "id".into(), pattern };
    let (right, wrong) = (String::new(), String::new());
    let answer = Expected::Entry { label: "Id".into(), take, prefix: None, right, wrong };
    look.question = Some(Question { prompt: Vec::new(), answer });
    look.checks = vec![check("said", CheckKind::Answer)];
    look.solution = vec![Action::Answer { step: "look".into(), answer: Answer::Text("id-SEED".into()) }];
    Lesson {
        id: "toy".into(),
        version: 1,
        title: String::new(),
        summary: Vec::new(),
        objectives: Vec::new(),
        minutes: 1,
        without_mesh_config: None,
        world: Start::default(),
        files: Vec::new(),
        stages: Vec::new(),
        steps: vec![blank("intro", StepKind::Read), make, repair, look],
        debrief: Vec::new(),
        further: Vec::new(),
        glossary: Vec::new(),
    }
}

async fn proven(lesson: Lesson) -> Report {
    prove(&ToyBench::default(), &[Arc::new(lesson)]).await
}

async fn proven_in_turn(lesson: Lesson, all: bool) -> Report {
    prove(&ToyBench { how: Some(InTurn { all }), ..ToyBench::default() }, &[Arc::new(lesson)]).await
}

fn failed(report: &Report) -> Vec<(&str, &str)> {
    report.failures.iter().map(|f| (f.step.as_str(), f.proof.as_str())).collect()
}

#[tokio::test]
async fn a_sound_lesson_is_proven_and_twice_the_same() {
    let mut first = proven(sound()).await;
    assert_eq!(first.failures, []);
    assert_eq!((first.steps_proven, first.exit_code()), (3, 0));
    let mut second = proven(sound()).await;
    (first.elapsed_ms, second.elapsed_ms) = (0, 0);
    assert_eq!(first, second);
    let json = serde_json::to_value(&first).unwrap();
    let make = &json["lessons"][0]["steps"][0];
    assert_eq!(make["id"], "make");
    assert_eq!(make["kind"], "do");
    assert_eq!((&make["untouched"], &make["solution"], &make["reset"]), (&"pass".into(), &"pass".into(), &"pass".into()));
    assert_eq!(make["accepted"], serde_json::json!([{"id": "other-order", "passed": true}]));
    let seen = serde_json::json!([
        {"check": "one", "verdict": "met", "outcome": null, "cause": null},
        {"check": "two", "verdict": "not-yet", "outcome": null, "cause": null}
    ]);
    assert_eq!(
        make["mutants"][0],
        serde_json::json!({"id": "half", "caught": true, "check": "two", "message": "two is missing", "seen": seen})
    );
    assert_eq!(make["removals"][0], serde_json::json!({"part": "Word one", "caught_by": "one"}));
}

#[tokio::test]
async fn proofs_in_turn_say_what_proofs_on_forks_say() {
    let (mut forks, mut turns) = (proven(sound()).await, proven_in_turn(sound(), true).await);
    (forks.elapsed_ms, turns.elapsed_ms) = (0, 0);
    assert_eq!(forks, turns);
    let few = proven_in_turn(sound(), false).await;
    assert_eq!(few.failures, []);
    let make = &few.lessons[0].steps[0];
    assert_eq!((make.mutants.len(), make.accepted.len(), make.removals.len()), (1, 0, 0));
    assert_eq!(make.reset, Held::Pass);
    assert_eq!(few.lessons[0].steps[2].mutants[0].id, "answer of another run");
}

#[tokio::test]
async fn an_environment_that_fails_is_not_the_lessons_fault() {
    let mut report = proven(sound()).await;
    let failure = |environment| Failure {
        lesson: "toy".into(),
        step: "make".into(),
        proof: "solution".into(),
        message: String::new(),
        environment,
    };
    report.failures = vec![failure(true)];
    assert_eq!(report.exit_code(), 4);
    report.failures.push(failure(false));
    assert_eq!(report.exit_code(), 1);
}

#[tokio::test]
async fn broken_copies_are_named_by_step_and_proof() {
    type Break = fn(&mut Lesson);
    let cases: [(&str, Break, &[(&str, &str)]); 11] = [
        (
            "a check is emptied",
            |l| l.steps[1].checks[0].id = "always".into(),
            &[("make", "mutant typo"), ("make", "removal Word one")],
        ),
        ("all checks are emptied", |l| l.steps[2].checks = vec![word("always")], &[("repair", "untouched")]),
        ("a mutant is the solution", |l| l.steps[1].mutants[0].actions = l.steps[1].solution.clone(), &[("make", "mutant half")]),
        ("the solution is misspelt", |l| l.steps[2].solution = lines(&["add onne"]), &[("repair", "solution")]),
        ("a removal changes nothing", |l| l.steps[1].removals.push(part("three")), &[("make", "removal Word three")]),
        ("a variant is wrong", |l| l.steps[1].accepts[0].actions.truncate(1), &[("make", "accepts other-order")]),
        ("the set-up breaks nothing", |l| l.steps[2].setup.clear(), &[("repair", "untouched")]),
        (
            "a mutant is caught with other words",
            |l| l.steps[1].mutants[0].message = Some("three is missing".into()),
            &[("make", "mutant half")],
        ),
        (
            "the answer does not depend on the run",
            |l| {
                l.steps[3].checks[0].kind = CheckKind::Ran { pattern: Pattern::parse("x").unwrap(), exit_code: 0 };
                l.steps[3].checks[0].id = "two".into();
            },
            &[("look", "untouched"), ("look", "answer no-such-value-0"), ("look", "answer of another run")],
        ),
        ("a step has no check", |l| l.steps[1].checks.clear(), &[("make", "untouched"), ("make", "solution")]),
        ("a solution cannot be applied", |l| l.steps[1].solution = vec![Action::Line("nonsense".into())], &[("make", "build")]),
    ];
    for (name, break_it, expected) in cases {
        let mut lesson = sound();
        break_it(&mut lesson);
        for report in [proven(lesson.clone()).await, proven_in_turn(lesson, true).await] {
            assert_eq!(report.exit_code(), 1, "{name}");
            let seen = failed(&report);
            assert!(expected.iter().all(|wanted| seen.contains(wanted)), "{name}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn a_reset_that_leaves_something_behind_is_told() {
    for how in [None, Some(InTurn { all: true })] {
        let report = prove(&ToyBench { leaves: Some("dirt"), how }, &[Arc::new(sound())]).await;
        assert!(failed(&report).contains(&("make", "reset")), "{how:?}");
        let reset = report.failures.iter().find(|failure| failure.proof == "reset").unwrap();
        assert!(reset.message.contains("dirt"), "{how:?} {:?}", report.failures);
    }
}

#[tokio::test]
async fn reports_for_people_and_for_ci_name_what_failed() {
    let mut lesson = sound();
    lesson.steps[1].accepts[0].id = "a<b".into();
    lesson.steps[1].accepts[0].actions.truncate(1);
    let report = proven(lesson).await;
    let text = report.text();
    assert!(text.contains("make    do       FAIL  accepts 0/1  mutants 2/2  removals 2/2"), "{text}");
    assert!(text.contains("FAIL toy/make: accepts a<b: one FAIL"), "{text}");
    assert!(text.contains("2 steps proven, 1 failure,"), "{text}");
    let junit = report.junit();
    assert!(junit.contains(r#"<testsuite name="toy" tests="3" failures="1">"#), "{junit}");
    assert!(junit.contains(r#"<failure type="accepts a&lt;b""#), "{junit}");
}

#[tokio::test]
async fn nothing_to_prove_is_not_a_proof() {
    assert_eq!(prove(&ToyBench::default(), &[]).await.exit_code(), 1);
}

#[test]
fn parts_have_names() {
    let mut removal = part("x");
    removal.field = Some(FieldPath::parse("spec.ports[1]").unwrap());
    removal.object.namespace = "default".into();
    assert_eq!(super::said::part_name(&removal), "Word default/x spec.ports[1]");
}
