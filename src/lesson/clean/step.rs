//! One step, and the rules that belong to its kind.

use super::{Cleaner, action};
use crate::lesson::markdown;
use crate::lesson::model::{Check, CheckKind, Choice, Expected, Lesson, Question, Step, StepKind, Take, WrongTurn};
use crate::lesson::raw;
use std::collections::BTreeSet;

/// The id of the check that a question is.
const ANSWER: &str = "answer";

/// Near misses that a do or fix step must name.
const MUTANTS: usize = 3;

impl Cleaner<'_> {
    pub(super) fn step(&mut self, path: &str, stage: &str, raw: &raw::Step, text: &str, lesson: &Lesson) -> Step {
        let task = markdown::blocks(text);
        let actions = markdown::run_lines(&task);
        for line in &actions {
            self.line(&format!("{path}.id"), line);
        }
        for (n, name) in raw.files.iter().enumerate() {
            if !lesson.files.iter().any(|f| f.name == *name) {
                self.problem(&format!("{path}.files[{n}]"), &format!("`{name}` is not a starter file of the lesson"), "");
            }
        }
        let kind = kind_of(raw.kind);
        let mut known = BTreeSet::new();
        let mut checks = Vec::new();
        for (n, check) in raw.checks.iter().enumerate() {
            let path = format!("{path}.checks[{n}]");
            self.unique(&path, &check.id, &mut known);
            checks.push(self.check(&path, check, raw));
        }
        checks.extend(raw.question.as_ref().map(|question| self.answer_check(path, question, &known)));
        let step = Step {
            id: raw.id.clone(),
            stage: stage.into(),
            title: raw.title.clone(),
            kind,
            task,
            question: raw.question.as_ref().map(|q| self.question(&format!("{path}.question"), q)),
            actions,
            files: raw.files.clone(),
            setup: self.actions(&format!("{path}.setup"), &raw.id, &raw.setup),
            checks,
            hints: raw.hints.iter().map(|h| markdown::blocks(h)).collect(),
            wrong_turns: self.wrong_turns(path, raw),
            solution: self.actions(&format!("{path}.solution"), &raw.id, &raw.solution),
            accepts: self.variants(&format!("{path}.accepts"), &raw.id, &raw.accepts),
            mutants: self.mutants(path, raw),
            removals: self.removals(&format!("{path}.removals"), &raw.removals),
            docs: raw.docs.iter().enumerate().map(|(n, l)| self.link(&format!("{path}.docs[{n}]"), l)).collect(),
            points: raw.points,
            seconds: raw.seconds,
            say: raw.say.clone(),
        };
        self.rules(path, raw, &step);
        step
    }

    /// The check that a question is: its answer is right.
    fn answer_check(&mut self, path: &str, raw: &raw::Question, known: &BTreeSet<String>) -> Check {
        if known.contains(ANSWER) {
            self.problem(
                &format!("{path}.checks"),
                "the check id `answer` stands for the question's answer",
                "Choose another id.",
            );
        }
        let title = match &raw.entry {
            Some(entry) => format!("{} of this run", entry.label),
            None => "The question is answered".to_string(),
        };
        Check {
            id: ANSWER.into(),
            title,
            kind: CheckKind::Answer,
            message: "The question waits for the right answer.".into(),
            hints: Vec::new(),
            within: 0,
        }
    }

    fn wrong_turns(&mut self, path: &str, raw: &raw::Step) -> Vec<WrongTurn> {
        let mut out = Vec::new();
        for (n, turn) in raw.wrong_turns.iter().enumerate() {
            let path = format!("{path}.wrong_turns[{n}]");
            let digits = turn.id.strip_prefix('M').unwrap_or("");
            if digits.len() != 2 || !digits.chars().all(|c| c.is_ascii_digit()) {
                self.problem(
                    &format!("{path}.id"),
                    &format!("`{}` is not a number of the catalogue", turn.id),
                    "`M01` to `M99`.",
                );
            }
            let when = self.condition(&format!("{path}.when"), &turn.when, raw);
            out.push(WrongTurn { id: turn.id.clone(), when, hint: turn.hint.clone() });
        }
        out
    }

    fn question(&mut self, path: &str, raw: &raw::Question) -> Question {
        let prompt = markdown::blocks(&raw.prompt);
        let answer = match (&raw.options, &raw.entry) {
            (Some(options), None) => self.options(path, options),
            (None, Some(entry)) => Expected::Entry {
                label: entry.label.clone(),
                take: self.truth(&format!("{path}.entry.take"), &entry.take),
                prefix: entry.prefix,
                right: entry.right.clone(),
                wrong: entry.wrong.clone(),
            },
            _ => {
                self.problem(path, "a question has either `options` or `entry`", "");
                Expected::Options(Vec::new())
            }
        };
        Question { prompt, answer }
    }

    fn options(&mut self, path: &str, raw: &[raw::Choice]) -> Expected {
        if raw.len() < 2 || raw.iter().filter(|o| o.right).count() != 1 {
            self.problem(&format!("{path}.options"), "at least two options, of which exactly one is right", "");
        }
        let mut known = BTreeSet::new();
        let mut out = Vec::new();
        for (n, option) in raw.iter().enumerate() {
            let path = format!("{path}.options[{n}]");
            self.unique(&path, &option.id, &mut known);
            if option.feedback.trim().is_empty() {
                self.problem(&format!("{path}.feedback"), "every option says why it is right or wrong", "");
            }
            let feedback = markdown::blocks(&option.feedback);
            out.push(Choice { id: option.id.clone(), text: option.text.clone(), right: option.right, feedback });
        }
        Expected::Options(out)
    }

    /// What a typed answer is compared with: read from the world, not from a command's output.
    fn truth(&mut self, path: &str, raw: &raw::Take) -> Take {
        if matches!(raw, raw::Take::Output(_)) {
            let advice = "Use `object` or `log`; `output` is for solutions, so that two ways to the value are compared.";
            self.problem(path, "a question's own truth is not the output of a line", advice);
        }
        self.take(path, raw)
    }

    /// What every step of a kind must have.
    fn rules(&mut self, path: &str, raw: &raw::Step, step: &Step) {
        let id = format!("{path}.id");
        if step.hints.len() != 3 || raw.hints.iter().any(|h| h.trim().is_empty()) {
            let advice = "Where to look, what decides it, nearly the shape.";
            self.problem(&format!("{path}.hints"), "a step has exactly three hints", advice);
        }
        if step.seconds == 0 {
            self.problem(&format!("{path}.seconds"), "a step takes some time", "");
        }
        for (n, hint) in raw.hints.iter().enumerate() {
            if action::gives_away(hint, &step.solution) {
                let message = "the hint shares 120 characters or more with the solution";
                self.problem(&format!("{path}.hints[{n}]"), message, "Show the shape, not the answer.");
            }
        }
        match step.kind {
            StepKind::Do | StepKind::Fix => self.work_rules(path, step),
            StepKind::Predict if !matches!(&step.question, Some(q) if matches!(q.answer, Expected::Options(_))) => {
                self.problem(&id, "a predict step asks a question with options", "");
            }
            StepKind::Observe if !matches!(&step.question, Some(q) if matches!(q.answer, Expected::Entry { .. })) => {
                let advice = "Ask for something that only this run's output holds: a pod IP, a request id.";
                self.problem(&id, "an observe step is answered with a value of this run", advice);
            }
            StepKind::Read | StepKind::Explore if step.question.is_some() => {
                self.problem(&id, "only predict and observe steps ask questions", "");
            }
            _ => (),
        }
        if step.question.is_some() && step.solution.is_empty() {
            self.problem(&id, "the solution answers the question", "");
        }
    }

    fn work_rules(&mut self, path: &str, step: &Step) {
        let id = format!("{path}.id");
        let word = step.kind.word();
        if step.checks.iter().all(|c| matches!(c.kind, CheckKind::Ran { .. } | CheckKind::Answer)) {
            self.problem(
                &id,
                &format!("a {word} step has a check of what came out"),
                "A probe, or objects where traffic cannot tell.",
            );
        }
        if step.solution.is_empty() {
            self.problem(&id, &format!("a {word} step has a solution"), "");
        }
        if step.mutants.len() < MUTANTS {
            let message = format!("a {word} step names at least {MUTANTS} near misses, this one {}", step.mutants.len());
            self.problem(&id, &message, "Each is an answer that somebody gives, and the check that catches it.");
        }
        if step.kind == StepKind::Fix && step.setup.is_empty() {
            self.problem(&id, "a fix step breaks something first (`setup`)", "");
        }
        if step.kind == StepKind::Do && step.question.is_some() {
            self.problem(&id, "a do step has no question", "Make it an observe step of its own.");
        }
    }
}

fn kind_of(raw: raw::StepKind) -> StepKind {
    match raw {
        raw::StepKind::Read => StepKind::Read,
        raw::StepKind::Predict => StepKind::Predict,
        raw::StepKind::Observe => StepKind::Observe,
        raw::StepKind::Do => StepKind::Do,
        raw::StepKind::Fix => StepKind::Fix,
        raw::StepKind::Explore => StepKind::Explore,
    }
}
