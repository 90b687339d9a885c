//! Lint beyond the syntax that loading checks: does the lesson rely on anything that this program does not simulate, and is the text
//! in order? Each remark has a place only as far as the step; what has a place in a file is found by loading.

use crate::lesson::load::{Pack, Problem};
use crate::lesson::markdown::{Block, Inline};
use crate::lesson::model::{Action, CheckKind, Fault, Istio, Lesson, Step, StepKind, Track};
use std::collections::BTreeSet;

/// Something to look at in a lesson that loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    pub level: Level,
    /// `LESSON/STEP`, or `LESSON`.
    pub at: String,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Warning,
    Error,
}

impl Remark {
    /// `error: LESSON/STEP: message`.
    pub fn to_text(&self) -> String {
        let level = match self.level {
            Level::Warning => "warning",
            Level::Error => "error",
        };
        format!("{level}: {}: {}", self.at, self.message)
    }
}

/// Loads a pack and looks at every lesson.
///
/// # Errors
/// What loading refuses.
pub fn lint(pack: &Pack) -> Result<Vec<Remark>, Vec<Problem>> {
    let tracks = pack.tracks()?;
    Ok(tracks.iter().flat_map(track).collect())
}

fn track(track: &Track) -> Vec<Remark> {
    track.lessons.iter().flat_map(lesson).collect()
}

/// Looks at one lesson.
pub fn lesson(lesson: &Lesson) -> Vec<Remark> {
    let mut out = Vec::new();
    let mut say = |level, at: &str, message: String| {
        let at = if at.is_empty() { lesson.id.clone() } else { format!("{}/{at}", lesson.id) };
        out.push(Remark { level, at, message });
    };
    for object in &lesson.world.objects {
        if let Some(message) = kind_problem(object) {
            say(Level::Error, "", message);
        }
    }
    if let Some(message) = lesson.world.istio.as_ref().and_then(profile_problem) {
        say(Level::Error, "", message);
    }
    let planned: u32 = lesson.steps.iter().map(|s| s.seconds).sum();
    let (low, high) = (lesson.minutes * 60 / 2, lesson.minutes * 60 * 3 / 2);
    if !(low..=high).contains(&planned) {
        say(Level::Warning, "", format!("the steps take {} minutes together, the lesson says {}", planned / 60, lesson.minutes));
    }
    for step in &lesson.steps {
        for action in actions(step) {
            for message in action_problems(action) {
                say(Level::Error, &step.id, message);
            }
        }
        for message in step_remarks(step) {
            say(Level::Warning, &step.id, message);
        }
    }
    for stage in lesson.stages.iter().filter(|stage| stage.debrief.is_empty()) {
        say(Level::Warning, "", format!("the stage `{}` has no `# debrief`: why it worked, what often goes wrong", stage.id));
    }
    for name in unused_files(lesson) {
        say(Level::Warning, "", format!("the starter file `{name}` belongs to no step"));
    }
    out
}

fn actions(step: &Step) -> impl Iterator<Item = &Action> {
    let variants = step.accepts.iter().flat_map(|v| &v.actions);
    let mutants = step.mutants.iter().flat_map(|m| &m.actions);
    step.setup.iter().chain(&step.solution).chain(variants).chain(mutants)
}

/// Kinds that a manifest of a lesson may have: what the sandbox's API server serves after an installation of Istio.
const KINDS: &[&str] = &[
    "/Namespace",
    "/Pod",
    "/Service",
    "/ConfigMap",
    "/Secret",
    "/ServiceAccount",
    "apps/Deployment",
    "networking.istio.io/ServiceEntry",
    "networking.istio.io/Gateway",
    "networking.istio.io/VirtualService",
    "networking.istio.io/DestinationRule",
    "networking.istio.io/Sidecar",
    "networking.istio.io/WorkloadEntry",
    "security.istio.io/AuthorizationPolicy",
    "security.istio.io/PeerAuthentication",
    "telemetry.istio.io/Telemetry",
    "networking.k8s.io/NetworkPolicy",
    "install.istio.io/IstioOperator",
];

/// istioctl verbs that the stand-in has.
const ISTIOCTL: &[&str] =
    &["install", "uninstall", "manifest", "version", "proxy-config", "pc", "proxy-status", "ps", "verify-install", "help"];

fn kind_problem(object: &serde_json::Value) -> Option<String> {
    let version = object["apiVersion"].as_str().unwrap_or("");
    let kind = object["kind"].as_str().unwrap_or("");
    let group = version.split_once('/').map_or("", |(group, _)| group);
    (!KINDS.contains(&format!("{group}/{kind}").as_str())).then(|| crate::base::not_simulated(&format!("{kind} of {version}")))
}

fn action_problems(action: &Action) -> Vec<String> {
    match action {
        Action::Fault(Fault::Apply(object)) => kind_problem(object).into_iter().collect(),
        Action::File(file) if file.name.ends_with(".yaml") => match crate::base::yaml::parse_documents(&file.content) {
            Ok(objects) => objects.iter().filter_map(kind_problem).collect(),
            // A near miss may well be a file that cannot be read.
            Err(_) => Vec::new(),
        },
        Action::Line(line) => verb_problem(line).into_iter().collect(),
        Action::InstallIstio(istio) => profile_problem(istio).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn profile_problem(istio: &Istio) -> Option<String> {
    let known = matches!(istio.profile.as_str(), "default" | "demo" | "minimal" | "empty");
    (!known).then(|| crate::base::not_simulated(&format!("installation profile {}", istio.profile)))
}

fn verb_problem(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let verb = match words.next()? {
        "istioctl" => words.find(|w| !w.starts_with('-'))?,
        _ => return None,
    };
    (!ISTIOCTL.contains(&verb)).then(|| crate::base::not_simulated(&format!("istioctl {verb}")))
}

/// Longest line of a code block that an 80-column terminal shows whole, with the frame around it.
const CODE_WIDTH: usize = 140;

fn step_remarks(step: &Step) -> Vec<String> {
    let mut out = Vec::new();
    if step.task.is_empty() {
        out.push("the step has no text".to_string());
    }
    for block in &step.task {
        match block {
            Block::Code { text, .. } => {
                let long = text.lines().filter(|l| crate::base::text::width(l) > CODE_WIDTH).count();
                if long > 0 {
                    out.push(format!("{long} lines of a code block are longer than {CODE_WIDTH} columns"));
                }
            }
            Block::Paragraph(text) if width(text) > 600 => out.push("a paragraph is longer than 600 characters".into()),
            _ => (),
        }
    }
    let work = matches!(step.kind, StepKind::Do | StepKind::Fix);
    if work && step.accepts.is_empty() {
        out.push("no other right answer is named (`accepts`)".into());
    }
    if work && step.removals.is_empty() && step.checks.iter().any(|c| matches!(c.kind, CheckKind::Probe(_))) {
        out.push("no part of the finished state is named for removal".into());
    }
    let known: BTreeSet<&str> = step.wrong_turns.iter().map(|w| w.id.as_str()).collect();
    if work && known.is_empty() {
        out.push("no wrong turn is recognised".into());
    }
    out
}

fn width(text: &[Inline]) -> usize {
    crate::lesson::markdown::plain(text).chars().count()
}

fn unused_files(lesson: &Lesson) -> Vec<&str> {
    let used = |name: &str| lesson.steps.iter().any(|s| s.files.iter().any(|f| f == name));
    lesson.files.iter().map(|f| f.name.as_str()).filter(|name| !used(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_lessons_are_clean() {
        let remarks = lint(&Pack::embedded()).unwrap_or_else(|p| panic!("{}", p[0]));
        let texts: Vec<String> = remarks.iter().map(Remark::to_text).collect();
        assert!(texts.is_empty(), "{texts:#?}");
    }

    #[test]
    fn what_is_not_simulated_is_named() {
        let line = |text: &str| action_problems(&Action::Line(text.into()));
        assert_eq!(line("istioctl dashboard kiali"), ["not simulated here: istioctl dashboard"]);
        assert_eq!(line("istioctl install -y"), Vec::<String>::new());
        let object = serde_json::json!({"apiVersion": "batch/v1", "kind": "CronJob"});
        assert_eq!(action_problems(&Action::Fault(Fault::Apply(object))), ["not simulated here: CronJob of batch/v1"]);
        let install = Action::InstallIstio(Istio { profile: "ambient".into(), options: Default::default() });
        assert_eq!(action_problems(&install), ["not simulated here: installation profile ambient"]);
    }
}
