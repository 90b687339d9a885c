//! A learner who takes the whole lesson on the screen, key by key, and reads what it shows.

use super::kit::{self, Screen};
use egress_lab::lesson::load::Pack;
use egress_lab::lesson::model::{Action, Answer, Expected, Istio, Lesson, Step, Take};

/// What the line above the prompt says while something is under way.
const AT_WORK: [&str; 6] =
    ["Ctrl-C ends it", "Preparing the step", "Applying the solution", "Checking ...", "Saving ...", "Making the lab ready"];

#[test]
fn the_whole_lesson_is_taken_key_by_key() {
    walk(120, 40, &[]);
}

#[test]
fn without_colour_not_one_colour_is_sent() {
    let raw = walk(80, 24, &[("NO_COLOR", "1")]);
    assert_eq!(kit::colours(&raw), Vec::<String>::new());
}

fn lesson() -> Lesson {
    let tracks = Pack::embedded().tracks().unwrap();
    tracks.into_iter().flat_map(|track| track.lessons).find(|lesson| lesson.id == "control-external-egress").unwrap()
}

/// Takes the lesson; everything that the terminal got.
fn walk(cols: u16, rows: u16, environment: &[(&str, &str)]) -> Vec<u8> {
    let lesson = lesson();
    let mut walker = Walker { screen: Screen::start_with(&["learn", "control-external-egress"], cols, rows, environment) };
    let last = lesson.steps.len();
    for (nth, step) in lesson.steps.iter().enumerate() {
        walker.screen.shows(&format!("step {}/", nth + 1));
        walker.step(nth + 1, step, nth + 1 == last);
    }
    walker.screen.rests(&AT_WORK);
    walker.screen.press("\u{4}");
    let (code, raw) = walker.screen.end();
    assert_eq!(code, 0);
    kit::assert_given_back(&raw);
    raw
}

struct Walker {
    screen: Screen,
}

impl Walker {
    fn step(&mut self, number: usize, step: &Step, last: bool) {
        self.screen.rests(&AT_WORK);
        for action in &step.solution {
            self.action(step, action);
        }
        let passed = format!("Step {number} is done");
        if !step.checks.is_empty() || step.question.is_some() {
            self.screen.shows(&passed);
        }
        if last {
            return;
        }
        self.screen.press("\r");
        self.screen.shows(&format!("step {}/", number + 1));
    }

    fn action(&mut self, step: &Step, action: &Action) {
        match action {
            Action::Line(line) => self.line(line),
            Action::File(file) => {
                let end = if file.content.ends_with('\n') { "" } else { "\n" };
                self.line(&format!("cat > {} <<'END-OF-FILE'\n{}{end}END-OF-FILE", file.name, file.content));
            }
            Action::InstallIstio(Istio { profile, options }) => {
                let sets: String = options.iter().map(|(k, v)| format!(" --set {k}={v}")).collect();
                self.line(&format!("istioctl install --set profile={profile}{sets} -y"));
            }
            Action::Answer { answer, .. } => {
                let answer = self.answer(step, answer);
                self.line(&answer);
            }
            Action::Fault(_) => (),
        }
    }

    /// One line at the prompt, waited for until the lab is at rest again.
    fn line(&mut self, line: &str) {
        match line.contains('\n') {
            true => self.screen.paste(line),
            false => self.screen.press(line),
        }
        let shown: String = line.lines().last().unwrap_or("").chars().take(12).collect();
        self.screen.shows(shown.trim_end());
        self.screen.press("\r");
        self.screen.rests(&AT_WORK);
    }

    /// What a learner types: the letter of a choice, or what this run's output holds.
    fn answer(&mut self, step: &Step, answer: &Answer) -> String {
        match (answer, step.question.as_ref().map(|question| &question.answer)) {
            (Answer::Choice(id), Some(Expected::Options(choices))) => {
                let nth = choices.iter().position(|choice| choice.id == *id).expect("a choice of the question");
                char::from(b'a' + nth as u8).to_string()
            }
            (Answer::Choice(text) | Answer::Text(text), _) => format!("answer {text}"),
            (Answer::Take(Take::Output { line, pattern }), _) => {
                self.line(line);
                let output = self.elsewhere(line);
                let found = pattern.captures(&output).into_iter().next();
                format!("answer {}", found.unwrap_or_else(|| panic!("{line} has no {}:\n{output}", pattern.as_str())))
            }
            (Answer::Take(take), _) => panic!("a solution takes {take:?}"),
        }
    }

    /// The output of a line, from a second terminal: the screen may have cut it.
    fn elsewhere(&self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_egress-lab"))
            .args(&words)
            .env_clear()
            .env("EGRESS_LAB_HOME", self.screen.state())
            .env("HOME", self.screen.state())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
