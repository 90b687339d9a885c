//! Speaker notes: what an instructor says at each step, how long it takes, which command comes next. Text and values; no I/O.

use super::layout::{layout, text_of};
use super::markdown::blocks;
use super::model::{Action, Expected, File, Lesson, Step, StepKind};
use crate::base::text::wrap;
use serde_json::{Value, json};

/// `1:30`.
pub fn clock(seconds: u32) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// Seconds of a stage.
fn planned(lesson: &Lesson, stage: &str) -> u32 {
    lesson.steps_of(stage).map(|step| step.seconds).sum()
}

/// The notes of a whole lesson.
pub fn text(lesson: &Lesson, columns: usize) -> String {
    let total: u32 = lesson.steps.iter().map(|step| step.seconds).sum();
    let mut out = vec![format!("{}: speaker notes, {} planned for {} steps", lesson.title, clock(total), lesson.steps.len())];
    let mut begins = 0;
    for stage in &lesson.stages {
        let seconds = planned(lesson, &stage.id);
        out.push(String::new());
        out.push(format!("== {}  ({}, from {} on)", stage.title, clock(seconds), clock(begins)));
        begins += seconds;
        for (nth, step) in lesson.steps.iter().enumerate().filter(|(_, step)| step.stage == stage.id) {
            out.push(String::new());
            out.extend(step_lines(nth, step, columns));
        }
    }
    out.push(String::new());
    out.push(format!("Total {} in {} stages; the lesson says about {} min.", clock(total), lesson.stages.len(), lesson.minutes));
    out.join("\n") + "\n"
}

/// The notes of one step, with where it stands in the lesson.
pub fn page(lesson: &Lesson, nth: usize, columns: usize) -> String {
    let Some(step) = lesson.steps.get(nth) else { return String::new() };
    let before: u32 = lesson.steps[..nth].iter().map(|step| step.seconds).sum();
    let stage = lesson.stage(&step.stage).map_or("", |stage| stage.title.as_str());
    let mut out = vec![format!("{stage}  (planned: {} so far)", clock(before)), String::new()];
    out.extend(step_lines(nth, step, columns));
    out.push(String::new());
    out.push(match lesson.steps.get(nth + 1) {
        Some(next) => format!("Then step {}: {}", nth + 2, next.title),
        None => "Then: the end.".to_string(),
    });
    out.join("\n") + "\n"
}

fn step_lines(nth: usize, step: &Step, columns: usize) -> Vec<String> {
    let room = columns.saturating_sub(4).max(20);
    let mut out = vec![format!("{:>2}  {} ({}, {})", nth + 1, step.title, step.kind.word(), clock(step.seconds))];
    let indent = |text: String| if text.is_empty() { text } else { format!("    {text}") };
    if !step.say.trim().is_empty() {
        out.extend(text_of(&layout(&blocks(&step.say), room)).into_iter().map(indent));
    }
    if let Some(answer) = right_answer(step) {
        out.extend(wrap(&format!("Right answer: {answer}"), room, 2).into_iter().map(indent));
    }
    out.extend(step.actions.iter().filter_map(|action| action.lines().next()).map(|line| indent(format!("$ {line}"))));
    out
}

/// The letter and the text of the right choice, or what a typed answer is compared with.
fn right_answer(step: &Step) -> Option<String> {
    match &step.question.as_ref()?.answer {
        Expected::Options(choices) => {
            let nth = choices.iter().position(|choice| choice.right)?;
            Some(format!("{}) {}", char::from(b'a' + (nth as u8 % 26)), choices[nth].text))
        }
        Expected::Entry { label, .. } => Some(format!("the {label} of this run")),
    }
}

/// The same as one value.
pub fn json(lesson: &Lesson) -> Value {
    let step = |(nth, step): (usize, &Step)| {
        json!({
            "number": nth + 1, "id": step.id, "title": step.title, "kind": step.kind.word(), "seconds": step.seconds,
            "say": step.say.trim(), "answer": right_answer(step), "commands": step.actions,
        })
    };
    let stages: Vec<Value> = lesson
        .stages
        .iter()
        .map(|stage| {
            let steps: Vec<Value> = lesson.steps.iter().enumerate().filter(|(_, s)| s.stage == stage.id).map(step).collect();
            json!({"id": stage.id, "title": stage.title, "seconds": planned(lesson, &stage.id), "steps": steps})
        })
        .collect();
    let seconds: u32 = lesson.steps.iter().map(|step| step.seconds).sum();
    json!({"lesson": lesson.id, "title": lesson.title, "minutes": lesson.minutes, "seconds": seconds, "stages": stages})
}

/// What a presenter types in a step, line by line: the commands that it shows, each file of the solution written with a here-document
/// before the first command that needs it, and what else the solution does at the end.
pub fn script(step: &Step) -> Vec<String> {
    let mut lines: Vec<String> = step.actions.iter().map(|action| action.trim_end().to_string()).collect();
    if !matches!(step.kind, StepKind::Do | StepKind::Fix) {
        return lines;
    }
    for action in &step.solution {
        match action {
            Action::Line(line) if !lines.iter().any(|known| known.trim() == line.trim()) => {
                lines.push(line.trim_end().to_string())
            }
            _ => (),
        }
    }
    for action in &step.solution {
        if let Action::File(file) = action {
            let needs = |line: &String| line.split_whitespace().any(|word| word == file.name) && !line.starts_with("cat ");
            let at = lines.iter().position(needs).unwrap_or(lines.len());
            lines.insert(at, here_document(file));
        }
    }
    lines
}

fn here_document(file: &File) -> String {
    let end = if file.content.lines().any(|line| line == "EOF") { "MANIFEST" } else { "EOF" };
    format!("cat > {} <<'{end}'\n{}\n{end}", file.name, file.content.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lesson::load::Pack;

    fn seed() -> Lesson {
        Pack::embedded().tracks().unwrap()[0].lesson("control-external-egress").unwrap().clone()
    }

    #[test]
    fn every_step_has_its_time_and_its_notes() {
        let lesson = seed();
        let text = text(&lesson, 80);
        for (nth, step) in lesson.steps.iter().enumerate() {
            assert!(text.contains(&format!("{:>2}  {} (", nth + 1, step.title)), "{}", step.id);
            assert!(step.seconds > 0 && !step.say.trim().is_empty(), "{} has nothing to say", step.id);
        }
        let total: u32 = lesson.stages.iter().map(|stage| planned(&lesson, &stage.id)).sum();
        assert!(text.contains(&format!("Total {} in {} stages", clock(total), lesson.stages.len())), "{text}");
        assert!(text.contains("Right answer: "), "{text}");
        assert_eq!((clock(0), clock(65), clock(3600)), ("0:00".into(), "1:05".into(), "60:00".into()));
    }

    #[test]
    fn one_page_says_where_it_stands_and_what_comes() {
        let lesson = seed();
        let page = page(&lesson, 1, 60);
        assert!(page.starts_with("Ready") || page.contains("(planned: 1:30 so far)"), "{page}");
        assert!(page.contains("Then step 3: ") && page.lines().all(|line| line.len() <= 60 || line.contains('$')), "{page}");
        assert!(super::page(&lesson, lesson.steps.len() - 1, 60).contains("Then: the end."));
        assert_eq!(super::page(&lesson, 999, 60), "");
    }

    #[test]
    fn json_has_the_same_steps() {
        let value = json(&seed());
        let steps: usize = value["stages"].as_array().unwrap().iter().map(|s| s["steps"].as_array().unwrap().len()).sum();
        assert_eq!(steps, seed().steps.len());
        assert_eq!(value["seconds"], seed().steps.iter().map(|s| s.seconds).sum::<u32>());
    }

    #[test]
    fn a_script_writes_the_file_before_it_is_applied() {
        let lesson = seed();
        let script_of = |id: &str| script(lesson.step(id).unwrap());
        let lines = script_of("register-port-80");
        let written = lines.iter().position(|line| line.starts_with("cat > serviceentry-wikipedia.yaml <<'EOF'\n")).unwrap();
        let applied = lines.iter().position(|line| line.starts_with("kubectl apply")).unwrap();
        assert!(written < applied && lines[written].ends_with("\nEOF"), "{lines:#?}");
        assert_eq!(lines[0], "cat serviceentry-wikipedia.yaml", "the file is looked at before it is written");
        let looks = lesson.step("blocked-line").unwrap();
        assert_eq!(script(looks), looks.actions, "what only looks is typed as it is shown");
    }
}
