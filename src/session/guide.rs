//! What helps a learner on: what is missing now, answers as people type them, looking back at a stage, how well predictions fit. Pure
//! functions of a session, used by the screen and by plain mode alike.

use super::{Ask, Session, Task};
use crate::finding::{Finding, Verdict};
use crate::lesson::glossary::{Words, page_of};
use crate::lesson::layout::{layout, text_of};
use crate::lesson::markdown::Block;
use crate::lesson::model::{Choice, Expected, Stage, StepKind};
use crate::progress::{Calibration, Sure};

impl Session {
    /// One sentence or two: what is missing for this step now.
    pub fn what_now(&self) -> String {
        if let Some(ask) = self.asking_before() {
            return ask;
        }
        if let Some(running) = &self.running {
            return match running.what {
                Task::Line(_) => "A command is still running. Wait for its end, or end it with Ctrl-C.".into(),
                Task::SetUp(_) => "The lab is preparing the step; it takes a moment.".into(),
                Task::Solution(..) => "The lab is applying the solution; it takes a moment.".into(),
                Task::Reset(_) => "The lab is putting the world back; it takes a moment.".into(),
                Task::Share => "The lab is writing the file; it takes a moment.".into(),
            };
        }
        if self.is_judging() {
            return "The lab is judging the step right now.".into();
        }
        if self.step_run().is_done() {
            return self.after_done();
        }
        match self.missing() {
            Some(missing) => missing,
            None => self.not_begun(),
        }
    }

    fn asking_before(&self) -> Option<String> {
        let what = match self.asking? {
            Ask::Solution => "applies the solution",
            Ask::Skip => "applies the solution and goes on",
            Ask::Reset(_) => "puts the world back",
        };
        Some(format!("The lab waits for a yes or no: y {what}, n leaves everything as it is."))
    }

    fn after_done(&self) -> String {
        if self.is_finished() {
            return "Nothing is missing: the lesson is finished.".into();
        }
        match self.steps.iter().position(|step| !step.is_done()) {
            Some(open) if open != self.shown + 1 => {
                format!("This step is done. Open is step {}: `goto {}` leads there.", open + 1, open + 1)
            }
            _ => "This step is done: `next` goes on.".into(),
        }
    }

    /// From the newest findings: the environment's fault, a question's wrong answer, the first unmet check.
    fn missing(&self) -> Option<String> {
        let findings = self.findings();
        if let Some(fault) = findings.iter().find(|finding| finding.verdict == Verdict::EnvironmentFault) {
            return Some(format!(
                "Not you, the environment: {} `reset` puts the step back to its start, `check` looks again.",
                sentence(&fault.message)
            ));
        }
        if self.step().question.is_some() {
            return self.answer_missing();
        }
        let unmet = |finding: &&Finding| finding.verdict != Verdict::Met;
        let first = findings.iter().find(unmet)?;
        let count = findings.iter().filter(unmet).count();
        let more = if count > 1 { format!(" ({} of {} checks are open.)", count, findings.len()) } else { String::new() };
        Some(format!("{}{more}", unmet_check(first)))
    }

    fn answer_missing(&self) -> Option<String> {
        let question = self.step().question.as_ref()?;
        let given = self.step_run().answer.as_deref();
        Some(match (&question.answer, given) {
            (Expected::Options(choices), Some(given)) => {
                let text = choices.iter().find(|choice| choice.id == given).map_or(given, |choice| choice.text.as_str());
                format!(
                    "The answer \"{}\" is not right; read what was said about it and choose another letter.",
                    text.trim_end_matches('.')
                )
            }
            (Expected::Options(choices), None) => {
                let last = char::from(b'a' + (choices.len().clamp(1, 26) - 1) as u8);
                format!("A question waits: answer with a letter from a to {last}.")
            }
            (Expected::Entry { label, .. }, Some(given)) => {
                format!("\"{given}\" is not the {label} of this run; look at the output again and answer with `answer TEXT`.")
            }
            (Expected::Entry { label, .. }, None) => match self.open_action() {
                Some(action) => {
                    format!("Run `{action}`, find the {label} in what it prints, then type `answer` and what you found.")
                }
                None => format!("The step waits for the {label}: type `answer` and what you found."),
            },
        })
    }

    /// Nothing was found yet: what the step's kind says.
    fn not_begun(&self) -> String {
        let step = self.step();
        match (step.kind, self.open_action()) {
            (StepKind::Read, _) => "There is only something to read here: `next` goes on.".into(),
            (StepKind::Explore, _) => "Try what you like; `next` goes on.".into(),
            (StepKind::Fix, Some(action)) => format!("Something is broken and nothing was looked at yet: begin with `{action}`."),
            (_, Some(action)) => match step.files.first().filter(|file| applies(action, file)) {
                Some(file) => format!("The file {file} has to be right first: `edit {file}`, then `{action}`."),
                None if self.ran.is_empty() => format!("Nothing was run in this step yet: begin with `{action}`."),
                None => format!("The step's next command was not run yet: `{action}`."),
            },
            (_, None) if step.checks.is_empty() => "Nothing is checked here: `next` goes on.".into(),
            (_, None) => "Nothing was checked yet: `check` judges the step.".into(),
        }
    }

    /// The first of the step's commands that was not run since it was entered.
    fn open_action(&self) -> Option<&str> {
        let was_run = |action: &&String| self.ran.iter().any(|ran| ran.line.trim() == action.trim());
        let action = self.step().actions.iter().find(|action| !was_run(action))?;
        // A here-document is named by its first line.
        action.lines().next()
    }

    /// The choices of the step's question, if it is one of choices.
    pub fn choices(&self) -> Option<&[Choice]> {
        match &self.step().question.as_ref()?.answer {
            Expected::Options(choices) => Some(choices),
            Expected::Entry { .. } => None,
        }
    }

    /// Reads what people type for an answer to a question of choices: a letter, a number or an id, and perhaps how sure they are
    /// behind it: `b`, `2`, `answer b`, `b 3`, `b sure`. The choice's id; `None` when it is no such answer.
    pub fn as_choice(&self, typed: &str) -> Option<(String, Option<Sure>)> {
        let typed = typed.trim();
        let typed = typed.strip_prefix("answer ").unwrap_or(typed).trim();
        let (word, sure) = match typed.split_once(char::is_whitespace) {
            Some((word, rest)) => (word, Some(Sure::parse(rest)?)),
            None => (typed, None),
        };
        let choices = self.choices()?;
        let nth = match word.as_bytes() {
            [c @ (b'a'..=b'z' | b'A'..=b'Z')] => Some(usize::from(c.to_ascii_lowercase() - b'a')),
            [c @ b'1'..=b'9'] => Some(usize::from(c - b'1')),
            _ => None,
        };
        let by_id = choices.iter().find(|choice| choice.id.eq_ignore_ascii_case(word));
        let choice = by_id.or_else(|| choices.get(nth?))?;
        Some((choice.id.clone(), sure))
    }

    /// How well the first answers of this lesson's questions fit, and what was said about them.
    pub fn calibration(&self) -> Calibration {
        Calibration::of(self.steps.iter().filter_map(|step| step.guess))
    }

    /// The stage that is whole because this step is done, if it is.
    pub fn stage_done(&self, step: usize) -> Option<&Stage> {
        let stage = self.lesson.stage(&self.lesson.steps.get(step)?.stage)?;
        let mut of_stage = self.lesson.steps.iter().zip(&self.steps).filter(|(step, _)| step.stage == stage.id);
        of_stage.all(|(_, run)| run.is_done()).then_some(stage)
    }

    /// What is said at the end of the shown step's stage: there when the step is the stage's last and the stage is done.
    pub fn looking_back(&self) -> Option<&Stage> {
        let last = self.lesson.steps.iter().rposition(|step| step.stage == self.step().stage)?;
        self.stage_done(self.shown).filter(|stage| last == self.shown && !stage.debrief.is_empty())
    }

    /// The debrief that a word asks for: of the stage that is named by its id, title or number, else of the newest stage that is done.
    ///
    /// # Errors
    /// There is none to show yet; a sentence for people.
    pub fn debrief(&self, word: &str) -> Result<&Stage, String> {
        let stages = &self.lesson.stages;
        let last_of = |stage: &Stage| self.lesson.steps.iter().rposition(|step| step.stage == stage.id);
        let is_done = |stage: &&Stage| last_of(stage).is_some_and(|last| self.stage_done(last).is_some());
        let word = word.trim().to_lowercase();
        if word.is_empty() {
            let newest = stages.iter().rev().filter(|stage| !stage.debrief.is_empty()).find(is_done);
            return newest.ok_or_else(|| "No stage is done yet; what worked and why is told at the end of each.".into());
        }
        let nth = word.parse::<usize>().ok().and_then(|n| stages.get(n.checked_sub(1)?));
        let named = stages.iter().find(|stage| stage.id == word || stage.title.to_lowercase() == word);
        let Some(stage) = named.or(nth) else {
            let ids: Vec<&str> = stages.iter().map(|stage| stage.id.as_str()).collect();
            return Err(format!("There is no stage {word}; there are {}.", ids.join(", ")));
        };
        match (is_done(&stage), stage.debrief.is_empty()) {
            (false, _) => {
                Err(format!("The stage \"{}\" is not done yet; looking back would give its answers away.", stage.title))
            }
            (_, true) => Err(format!("The stage \"{}\" has nothing to look back at.", stage.title)),
            _ => Ok(stage),
        }
    }

    /// The words of this lesson, and the texts of the shown step in which they are looked for first.
    pub fn glossary(&self) -> (Words, Vec<&[Block]>) {
        (Words::of(&self.lesson), page_of(&self.lesson, self.shown, self.step_run().hints))
    }
}

/// Whether a line hands a file to the cluster: it has to be right by then.
fn applies(line: &str, file: &str) -> bool {
    let mut words = line.split_whitespace();
    words.any(|word| matches!(word, "apply" | "create" | "replace" | "install")) && words.any(|word| word == file)
}

/// The words of hint tiers.
const TIERS: &[&str] = &["where to look", "what decides it", "nearly the answer"];

/// The line above a hint; `nth` counts from 0.
pub fn hint_title(nth: usize, all: usize) -> String {
    format!("Hint {} of {all}: {}", nth + 1, TIERS.get(nth).copied().unwrap_or("more"))
}

/// What stands above the hint that fits a recognised mistake.
pub const LOOKS_LIKE: &str = "What it looks like";

/// A debrief as plain lines.
pub fn debrief_text(stage: &Stage, columns: usize) -> Vec<String> {
    let mut lines = vec![format!("Looking back: {}", stage.title), String::new()];
    lines.extend(text_of(&layout(&stage.debrief, columns)));
    lines
}

/// A check that is not met: what it is, what it looks like, what was expected and seen, and what decided.
fn unmet_check(finding: &Finding) -> String {
    if let Some(turn) = &finding.wrong_turn {
        return format!("Missing: {}. It looks like this: {}", finding.title.trim_end_matches('.'), sentence(&turn.hint));
    }
    let evidence = &finding.evidence;
    let mut text = format!("Missing: {}", finding.title.trim_end_matches('.'));
    if !evidence.expected.is_empty() && !evidence.observed.is_empty() {
        text.push_str(&format!("; expected was {}, seen was {}", clause(&evidence.expected), clause(&evidence.observed)));
    }
    if let Some((object, field)) = &evidence.decided_by {
        text.push_str(&format!("; {object}, {field} decided"));
    }
    format!("{text}.")
}

/// One line, without a full stop at its end.
fn clause(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_string()
}

fn sentence(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() || text.ends_with(['.', '?', ':']) { text } else { format!("{text}.") }
}

#[cfg(test)]
mod tests;
