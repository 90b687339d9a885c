//! The session as a table of conversations.

use super::*;
use crate::finding::Evidence;
use crate::lesson::field::Pattern;
use crate::lesson::model::Question as Asked;
use crate::lesson::model::{Action, Check, CheckKind, Choice, Expected, World};

fn step(id: &str, kind: StepKind) -> Step {
    let asks = matches!(kind, StepKind::Predict | StepKind::Observe);
    let checked = !matches!(kind, StepKind::Read);
    let check = Check {
        id: "c".into(),
        title: "c".into(),
        kind: if asks { CheckKind::Answer } else { CheckKind::Ran { pattern: Pattern::parse("x").unwrap(), exit_code: 0 } },
        message: String::new(),
        hints: Vec::new(),
        within: 20,
    };
    let choice = Choice { id: "a".into(), text: String::new(), right: true, feedback: Vec::new() };
    Step {
        id: id.into(),
        stage: "s".into(),
        title: id.into(),
        kind,
        task: Vec::new(),
        question: asks.then(|| Asked { prompt: Vec::new(), answer: Expected::Options(vec![choice]) }),
        actions: vec!["kubectl get pods".into(), "kubectl get nodes".into()],
        files: Vec::new(),
        setup: Vec::new(),
        checks: if checked { vec![check] } else { Vec::new() },
        hints: vec![Vec::new(); 3],
        wrong_turns: Vec::new(),
        solution: vec![Action::Line("x".into())],
        accepts: Vec::new(),
        mutants: Vec::new(),
        removals: Vec::new(),
        docs: Vec::new(),
        points: 1,
        seconds: 60,
        say: String::new(),
    }
}

fn lesson(kinds: &[StepKind]) -> Arc<Lesson> {
    Arc::new(Lesson {
        id: "l".into(),
        version: 1,
        title: "L".into(),
        summary: Vec::new(),
        objectives: Vec::new(),
        minutes: 1,
        without_mesh_config: None,
        world: World::default(),
        files: Vec::new(),
        stages: Vec::new(),
        steps: kinds.iter().enumerate().map(|(nth, kind)| step(&format!("s{nth}"), *kind)).collect(),
        debrief: Vec::new(),
        further: Vec::new(),
        glossary: Vec::new(),
    })
}

/// A session and what it has asked for and was not given yet.
struct Talk {
    session: Session,
    open: Vec<Effect>,
    journal: Vec<Entry>,
}

impl Talk {
    fn new(kinds: &[StepKind]) -> Talk {
        Talk::with(kinds, &Summary::default(), Options::default())
    }

    fn with(kinds: &[StepKind], progress: &Summary, options: Options) -> Talk {
        let mut session = Session::new(lesson(kinds), progress, options);
        let open = session.start();
        let mut talk = Talk { session, open, journal: Vec::new() };
        talk.serve();
        talk
    }

    fn tell(&mut self, event: Event) {
        self.open.extend(self.session.handle(event));
    }

    /// Answers set-ups and records, as a driver would, until none is left.
    fn serve(&mut self) {
        for _ in 0..100 {
            let easy = |e: &Effect| matches!(e, Effect::SetUp { .. } | Effect::Record { .. } | Effect::StepDone { .. });
            let Some(at) = self.open.iter().position(easy) else { return };
            match self.open.remove(at) {
                Effect::SetUp { ticket, .. } => self.tell(Event::Done { ticket, result: Ok(()), answer: None }),
                Effect::Record { id, entry } => {
                    self.journal.push(entry);
                    self.tell(Event::Recorded(id));
                }
                _ => (),
            }
        }
        panic!("the session does not come to rest: {:?}", self.open);
    }

    fn tag(&mut self) -> Tag {
        let at = self.open.iter().rposition(|e| matches!(e, Effect::Evaluate { .. })).expect("an evaluation was asked for");
        match self.open.remove(at) {
            Effect::Evaluate { tag, .. } => tag,
            other => panic!("{other:?}"),
        }
    }

    fn judge(&mut self, verdict: Verdict) {
        let tag = self.tag();
        self.tell(Event::Evaluated { tag, findings: vec![finding(verdict)] });
        self.serve();
    }

    fn run(&mut self, line: &str, exit_code: i32) {
        self.tell(Event::Line(line.into()));
        let at = self.open.iter().position(|e| matches!(e, Effect::Run { .. })).expect("the line is run");
        let Effect::Run { ticket, .. } = self.open.remove(at) else { panic!() };
        self.tell(Event::Output { ticket, stream: Stream::Out, bytes: b"out\n".to_vec() });
        self.tell(Event::Ran { ticket, exit_code });
    }

    fn wish(&mut self, wish: Wish) {
        self.tell(Event::Wish(wish));
        self.serve();
    }

    fn states(&self) -> Vec<StepState> {
        self.session.steps().iter().map(|step| step.state).collect()
    }
}

fn finding(verdict: Verdict) -> Finding {
    Finding {
        check: "c".into(),
        title: "c".into(),
        verdict,
        message: String::new(),
        evidence: Evidence::default(),
        wrong_turn: None,
        revision: None,
    }
}

use StepKind::{Do, Fix, Observe, Predict, Read};
use StepState::{Active, Assisted, NotStarted, Passed, Skipped};

#[test]
fn a_step_shows_as_passed_only_once_it_is_on_disk() {
    let mut talk = Talk::new(&[Do, Do]);
    talk.judge(Verdict::NotYet); // the quiet look on entering
    assert!(talk.session.findings().is_empty(), "a quiet look tells only a pass");
    assert_eq!(talk.session.step_run().attempts, 0);
    talk.run("kubectl get pods", 0);
    let tag = talk.tag();
    talk.tell(Event::Evaluated { tag, findings: vec![finding(Verdict::Met)] });
    assert_eq!(talk.states(), [Active, NotStarted]);
    assert!(talk.session.is_saving());
    talk.serve();
    assert_eq!(talk.states(), [Passed, NotStarted]);
    assert_eq!(talk.session.shown(), 0, "going on is the learner's own wish");
    talk.wish(Wish::Next);
    assert_eq!((talk.session.shown(), talk.states()), (1, vec![Passed, Active]));
}

#[test]
fn a_line_typed_while_another_runs_is_input_and_output_of_others_is_ignored() {
    let mut talk = Talk::new(&[Do]);
    talk.tell(Event::Line("kubectl exec -ti test -- sh".into()));
    let Some(Effect::Run { ticket, .. }) = talk.open.iter().find(|e| matches!(e, Effect::Run { .. })).cloned() else { panic!() };
    let effects = talk.session.handle(Event::Line("ls".into()));
    assert_eq!(effects, [Effect::Input { ticket, input: Input::Bytes(b"ls\n".to_vec()) }]);
    talk.tell(Event::Output { ticket: Ticket(999), stream: Stream::Out, bytes: b"stray".to_vec() });
    assert!(talk.session.transcript().open_line().is_none());
    assert_eq!(talk.session.handle(Event::Wish(Wish::Cancel)), [Effect::Cancel { ticket }]);
    assert_eq!(talk.session.handle(Event::Ran { ticket: Ticket(999), exit_code: 0 }), []);
    assert!(talk.session.running().is_some());
}

#[test]
fn stale_answers_change_nothing() {
    let mut talk = Talk::new(&[Do]);
    let old = talk.tag();
    talk.run("a", 0);
    assert!(!talk.open.iter().any(|e| matches!(e, Effect::Evaluate { .. })), "one runs, the newest waits");
    talk.tell(Event::Evaluated { tag: old, findings: vec![finding(Verdict::Met)] });
    talk.serve();
    assert_eq!(talk.states(), [Active], "the answer belongs to the world before the line");
    talk.judge(Verdict::NotYet);
    talk.tell(Event::Evaluated { tag: old, findings: vec![finding(Verdict::Met)] });
    talk.serve();
    assert_eq!(talk.states(), [Active]);
    assert_eq!(talk.session.step_run().attempts, 1);
}

#[test]
fn steps_open_in_order() {
    let mut talk = Talk::new(&[Read, Predict, Do]);
    talk.wish(Wish::GoTo(2));
    assert_eq!(talk.session.shown(), 0);
    assert!(talk.session.notice().is_some());
    talk.wish(Wish::Next);
    assert_eq!((talk.session.shown(), talk.states()), (1, vec![Passed, Active, NotStarted]));
    talk.wish(Wish::Next);
    assert_eq!(talk.session.shown(), 1, "a question waits for its answer");
    talk.wish(Wish::Previous);
    assert_eq!(talk.session.shown(), 0);
    talk.wish(Wish::Next);
    talk.wish(Wish::Answer("b".into()));
    talk.judge(Verdict::NotYet);
    assert_eq!(talk.session.step_run().attempts, 1);
    talk.wish(Wish::Answer("a".into()));
    talk.judge(Verdict::Met);
    assert_eq!(talk.states(), [Passed, Passed, NotStarted]);
}

#[test]
fn a_question_step_is_judged_only_once_an_answer_is_there() {
    let mut talk = Talk::new(&[Observe]);
    talk.run("kubectl get pods", 0);
    assert!(!talk.open.iter().any(|e| matches!(e, Effect::Evaluate { .. })));
    talk.wish(Wish::Answer("10.0.0.1".into()));
    match talk.open.last() {
        Some(Effect::Evaluate { answer, ran, .. }) => {
            assert_eq!(answer.as_deref(), Some("10.0.0.1"));
            assert_eq!((ran[0].line.as_str(), ran[0].output.as_str()), ("kubectl get pods", "out\n"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_solution_asks_first_and_marks_the_step() {
    for (how, state) in [(How::Assisted, Assisted), (How::Skipped, Skipped)] {
        let wish = |confirmed| match how {
            How::Skipped => Wish::Skip { confirmed },
            _ => Wish::Solution { confirmed },
        };
        let mut talk = Talk::new(&[Fix]);
        talk.judge(Verdict::NotYet);
        talk.wish(wish(false));
        assert!(talk.session.asking().is_some());
        assert!(talk.open.is_empty());
        talk.wish(wish(true));
        let Some(Effect::ApplySolution { ticket, step: 0 }) = talk.open.pop() else { panic!() };
        talk.tell(Event::Done { ticket, result: Ok(()), answer: None });
        talk.judge(Verdict::Met);
        assert_eq!(talk.states(), [state]);
        assert!(matches!(talk.journal.last(), Some(Entry::Done { how: h, .. }) if *h == how));
        assert!(talk.session.is_finished());
    }
}

#[test]
fn a_reset_opens_the_step_and_all_after_it() {
    let mut talk = Talk::new(&[Do, Do]);
    talk.judge(Verdict::Met);
    talk.wish(Wish::Next);
    talk.judge(Verdict::Met);
    assert_eq!(talk.states(), [Passed, Passed]);
    talk.wish(Wish::GoTo(0));
    talk.wish(Wish::Reset { scope: ResetScope::Step, confirmed: true });
    let Some(Effect::Reset { ticket, step: 0 }) = talk.open.pop() else { panic!() };
    talk.tell(Event::Done { ticket, result: Ok(()), answer: None });
    talk.serve();
    assert_eq!(talk.states(), [Active, NotStarted]);
    let resumed = Session::new(lesson(&[Do, Do]), &Summary::of(&talk.journal), Options::default());
    assert_eq!(resumed.front(), 0, "the journal says the same");
}

#[test]
fn without_a_place_to_save_it_is_told_once_and_the_lesson_goes_on() {
    let mut session = Session::new(lesson(&[Read, Read]), &Summary::default(), Options::default());
    let effects = session.start();
    let Some(Effect::SetUp { ticket, .. }) = effects.first().cloned() else { panic!("{effects:?}") };
    let effects = session.handle(Event::Done { ticket, result: Ok(()), answer: None });
    let Some(Effect::Record { id, .. }) = effects.first().cloned() else { panic!("{effects:?}") };
    session.handle(Event::RecordFailed { id, reason: "read-only file system".into() });
    assert!(!session.is_saved());
    session.handle(Event::Wish(Wish::Next));
    assert_eq!(session.steps()[0].state, Passed);
    assert_eq!(session.shown(), 1);
    let notes = session.transcript().lines().filter(|line| line.sort == Sort::Note).count();
    assert_eq!(notes, 1);
}

#[test]
fn a_session_goes_on_where_the_journal_ends() {
    let mut talk = Talk::new(&[Do, Fix, Do]);
    talk.judge(Verdict::Met);
    talk.wish(Wish::Next);
    talk.wish(Wish::Hint);
    talk.wish(Wish::Hint);
    let again = Talk::with(&[Do, Fix, Do], &Summary::of(&talk.journal), Options::default());
    assert_eq!(again.session.shown(), 1);
    assert_eq!(again.session.step_run().hints, 2);
    assert!(!again.open.iter().any(|e| matches!(e, Effect::SetUp { .. })), "what was broken once is not broken again");
    let from = Talk::with(&[Do, Fix, Do], &Summary::default(), Options { from: Some(2), ..Options::default() });
    assert_eq!(from.states(), [Skipped, Skipped, Active]);
}

#[test]
fn hints_come_tier_by_tier_and_end() {
    let mut talk = Talk::new(&[Do]);
    (0..3).for_each(|_| talk.wish(Wish::Hint));
    assert_eq!(talk.session.step_run().hints, 3);
    assert_eq!(talk.session.notice(), None);
    talk.wish(Wish::Hint);
    assert_eq!(talk.session.step_run().hints, 3);
    assert!(talk.session.notice().is_some());
}

#[test]
fn nobody_is_blamed_for_a_broken_environment() {
    let mut talk = Talk::new(&[Do]);
    talk.judge(Verdict::NotYet);
    talk.run("a", 0);
    talk.judge(Verdict::EnvironmentFault);
    assert_eq!(talk.session.step_run().attempts, 0);
    assert_eq!(talk.session.findings().len(), 1);
}

#[test]
fn the_suggestion_is_the_first_line_not_yet_run() {
    let mut talk = Talk::new(&[Do]);
    assert_eq!(talk.session.suggestion(), Some("kubectl get pods"));
    talk.run("kubectl get pods", 0);
    assert_eq!(talk.session.suggestion(), Some("kubectl get nodes"));
}

#[test]
fn a_reset_goes_to_the_start_of_the_step_the_stage_or_the_lesson() {
    use StepKind::Read;
    for (scope, to) in [(ResetScope::Step, 3), (ResetScope::Stage, 2), (ResetScope::Lesson, 0)] {
        let mut lesson = (*lesson(&[Read, Read, Read, Read, Read])).clone();
        lesson.steps[2..].iter_mut().for_each(|step| step.stage = "second".into());
        let mut session = Session::new(Arc::new(lesson), &Summary::default(), Options::default());
        let open = session.start();
        let mut talk = Talk { session, open, journal: Vec::new() };
        talk.serve();
        for _ in 0..3 {
            talk.wish(Wish::Next);
            talk.serve();
        }
        assert_eq!(talk.session.shown(), 3);
        talk.wish(Wish::Reset { scope, confirmed: false });
        assert_eq!(talk.session.asking(), Some(Ask::Reset(scope)));
        assert!(!talk.open.iter().any(|e| matches!(e, Effect::Reset { .. })), "it asks first");
        talk.wish(Wish::Reset { scope, confirmed: true });
        let at = talk.open.iter().position(|e| matches!(e, Effect::Reset { .. })).expect("the driver is asked");
        let Effect::Reset { ticket, step } = talk.open.remove(at) else { unreachable!("found by its kind") };
        assert_eq!(step, to, "{scope:?}");
        talk.tell(Event::Done { ticket, result: Ok(()), answer: None });
        talk.serve();
        assert_eq!((talk.session.shown(), talk.session.front()), (to, to), "{scope:?}");
        let reset = talk.journal.iter().filter(|entry| matches!(entry, Entry::Reset { .. })).count();
        // The step itself, and every later one that was done.
        assert_eq!(reset, [3, 0, 1, 1][to], "{scope:?}: {:?}", talk.journal);
    }
}

#[test]
fn sharing_tells_where_the_learner_is() {
    let mut talk = Talk::new(&[StepKind::Read, StepKind::Do]);
    talk.wish(Wish::Next);
    talk.serve();
    talk.wish(Wish::Hint);
    talk.serve();
    talk.run("kubectl get pods", 3);
    talk.wish(Wish::Share("stuck.lab".into()));
    let at = talk.open.iter().position(|e| matches!(e, Effect::Share { .. })).expect("the driver is asked");
    let Effect::Share { ticket, file, story } = talk.open.remove(at) else { unreachable!("found by its kind") };
    assert_eq!((file.as_str(), story.step.as_str()), ("stuck.lab", talk.session.step().id.as_str()));
    assert_eq!((story.steps[0].done, story.steps[1].done, story.steps[1].hints), (Some(How::Own), None, 1));
    assert_eq!((story.lines[0].line.as_str(), story.lines[0].exit_code), ("kubectl get pods", 3));
    talk.tell(Event::Done { ticket, result: Ok(()), answer: Some("Wrote stuck.lab.".into()) });
    assert!(talk.session.transcript().lines().any(|line| line.text == "Wrote stuck.lab."));
}
