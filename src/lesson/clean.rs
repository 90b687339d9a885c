//! From what was written to what is meant. Collects every problem with its place instead of stopping at the first.

mod action;
mod check;
mod step;

use super::field::{FieldPath, Pattern};
use super::glossary::{self, Words};
use super::load::{Pack, Problem};
use super::markdown;
use super::model::{Controls, File, Istio, Lesson, Link, Namespace, ObjectRef, PodRef, Stage, Step, Term, Workload, World};
use super::raw;
use crate::base::yaml::{self, Places};
use crate::k8s::Kind;
use serde_json::Value;
use std::collections::BTreeSet;

/// The section of a stage's text that is said when its last step is done.
const DEBRIEF: &str = "debrief";

/// One file of the pack while it is being read.
struct Source {
    file: String,
    text: String,
    places: Places,
}

/// Reads one lesson folder.
pub(super) struct Cleaner<'a> {
    pack: &'a Pack,
    /// `TRACK/LESSON`.
    folder: String,
    source: Source,
    problems: Vec<Problem>,
}

/// Reads a lesson folder whole.
///
/// # Errors
/// Every problem found.
pub(super) fn lesson(pack: &Pack, folder: &str) -> Result<Lesson, Vec<Problem>> {
    let file = format!("{folder}/lesson.yaml");
    let Some(text) = pack.0.get(&file) else {
        return Err(vec![Problem::of_file(&file, "there is no such file", "Every lesson folder has a lesson.yaml.")]);
    };
    let raw: raw::Lesson = read(&file, text).map_err(|p| vec![p])?;
    let source = Source { file, text: text.clone(), places: yaml::places(text) };
    let mut cleaner = Cleaner { pack, folder: folder.to_string(), source, problems: Vec::new() };
    let lesson = cleaner.lesson(raw);
    match cleaner.problems.is_empty() {
        true => Ok(lesson),
        false => Err(cleaner.problems),
    }
}

/// Reads a YAML file of the format strictly.
///
/// # Errors
/// The first thing that does not fit, with its place.
pub(super) fn read<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, Problem> {
    yaml::from_str_strict(text).map_err(|e| {
        let advice = match e.message.contains("unknown field") {
            true => "Check the spelling; `egress-lab schema` prints every field of the format.",
            false => "",
        };
        Problem::at(file, text, (e.line, e.column), &e.message, advice)
    })
}

/// Whether a text is a slug: `allow-wikipedia`.
pub fn is_slug(text: &str) -> bool {
    let word = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.len() <= 48 && text.split('-').all(word)
}

fn istio(raw: &raw::Install) -> Istio {
    Istio { profile: raw.profile.clone(), options: raw.options.clone() }
}

impl Cleaner<'_> {
    fn lesson(&mut self, raw: raw::Lesson) -> Lesson {
        self.slug("id", &raw.id);
        if self.folder.rsplit('/').next() != Some(raw.id.as_str()) {
            self.problem("id", "the id is not the folder's name", "Rename the folder or the id.");
        }
        if raw.minutes == 0 || raw.minutes > 600 {
            self.problem("minutes", "a lesson takes between 1 and 600 minutes", "");
        }
        let world = self.world(&raw.world);
        let files = raw.files.iter().enumerate().filter_map(|(n, name)| self.starter(n, name)).collect();
        let debrief = self.text_file("debrief", &raw.debrief);
        let further = raw.further.iter().enumerate().map(|(n, l)| self.link(&format!("further[{n}]"), l)).collect();
        let term = |t: &raw::Term| Term { term: t.term.clone(), meaning: markdown::blocks(&t.meaning) };
        let mut lesson = Lesson {
            id: raw.id.clone(),
            version: raw.version,
            title: raw.title.clone(),
            summary: markdown::blocks(&raw.summary),
            objectives: raw.objectives.clone(),
            minutes: raw.minutes,
            without_mesh_config: raw.without_mesh_config.clone(),
            world,
            files,
            stages: Vec::new(),
            steps: Vec::new(),
            debrief,
            further,
            glossary: raw.glossary.iter().map(term).collect(),
        };
        for (n, id) in raw.stages.iter().enumerate() {
            self.slug(&format!("stages[{n}]"), id);
            if raw.stages[..n].contains(id) {
                self.problem(&format!("stages[{n}]"), &format!("the stage `{id}` is there twice"), "");
                continue;
            }
            let (stage, steps) = self.stage(&format!("stages[{n}]"), id, &lesson);
            lesson.stages.extend(stage);
            lesson.steps.extend(steps);
        }
        self.marks(&lesson);
        lesson
    }

    /// Words that are marked as the glossary's and are not in it.
    fn marks(&mut self, lesson: &Lesson) {
        let words = Words::of(lesson);
        let unknown: BTreeSet<String> =
            glossary::marked(&glossary::pages(lesson)).into_iter().filter(|id| words.by_id(id).is_none()).collect();
        let files = self.pack.0.iter().filter(|(file, _)| file.starts_with(&format!("{}/", self.folder)));
        for (file, text) in files {
            for id in &unknown {
                let mark = format!("](term:{id})");
                for (n, line) in text.lines().enumerate().filter(|(_, line)| line.contains(&mark)) {
                    let column = line.find(&mark).map_or(1, |at| line[..at].chars().count() + 1);
                    let message = format!("the glossary has no word `{id}`");
                    let advice =
                        "`egress-lab learn`, then `glossary`, lists what it has; a lesson can add its own under `glossary`.";
                    self.problems.push(Problem::at(file, text, (n + 1, column), &message, advice));
                }
            }
        }
    }

    /// Reads `STAGE.yaml` and `STAGE.md`.
    fn stage(&mut self, path: &str, id: &str, lesson: &Lesson) -> (Option<Stage>, Vec<Step>) {
        let file = format!("{}/{id}.yaml", self.folder);
        let prose = format!("{}/{id}.md", self.folder);
        let (Some(text), Some(markdown)) = (self.pack.0.get(&file), self.pack.0.get(&prose)) else {
            self.problem(path, &format!("`{id}.yaml` or `{id}.md` is missing beside this file"), "A stage has both.");
            return (None, Vec::new());
        };
        let raw: raw::Stage = match read(&file, text) {
            Ok(raw) => raw,
            Err(problem) => {
                self.problems.push(problem);
                return (None, Vec::new());
            }
        };
        let source = Source { file, text: text.clone(), places: yaml::places(text) };
        let outer = std::mem::replace(&mut self.source, source);
        let (intro, sections) = markdown::sections(markdown);
        let mut known: BTreeSet<String> = lesson.steps.iter().map(|s| s.id.clone()).collect();
        let mut steps = Vec::new();
        for (n, step) in raw.steps.iter().enumerate() {
            let path = format!("steps[{n}]");
            self.slug(&format!("{path}.id"), &step.id);
            if !known.insert(step.id.clone()) {
                self.problem(
                    &format!("{path}.id"),
                    &format!("the step id `{}` is used twice", step.id),
                    "Ids are unique in a lesson.",
                );
            }
            if step.id == DEBRIEF {
                self.problem(
                    &format!("{path}.id"),
                    "the section `# debrief` is what is said after the stage",
                    "Rename the step.",
                );
            }
            let text = sections.iter().find(|s| s.0 == step.id).map_or("", |s| s.2.as_str());
            if text.trim().is_empty() {
                let message = format!("`{prose}` has no section `# {}`", step.id);
                self.problem(&format!("{path}.id"), &message, "Every step has a text of its own.");
            }
            steps.push(self.step(&path, id, step, text, lesson));
        }
        let debrief = sections.iter().find(|s| s.0 == DEBRIEF).map_or(Vec::new(), |s| markdown::blocks(&s.2));
        for (heading, line, _) in &sections {
            if heading != DEBRIEF && !raw.steps.iter().any(|s| s.id == *heading) {
                let place = (*line, 3);
                let message = format!("no step of `{id}.yaml` is called `{heading}`");
                self.problems.push(Problem::at(&prose, markdown, place, &message, "A level-one heading is the id of a step."));
            }
        }
        self.source = outer;
        (Some(Stage { id: id.into(), title: raw.title, intro: markdown::blocks(&intro), debrief }), steps)
    }

    fn world(&mut self, raw: &raw::World) -> World {
        let namespaces = raw.namespaces.iter().map(|n| Namespace { name: n.name.clone(), labels: n.labels.clone() }).collect();
        let objects =
            raw.objects.iter().enumerate().flat_map(|(n, name)| self.manifests(&format!("world.objects[{n}]"), name)).collect();
        let controls = match &raw.controls {
            None => Controls::default(),
            Some(c) => Controls { mesh_url: c.mesh_url.clone(), outside: self.workload("world.controls.outside", &c.outside) },
        };
        World { istio: raw.istio.as_ref().map(istio), namespaces, objects, controls }
    }

    fn starter(&mut self, n: usize, name: &str) -> Option<File> {
        let path = format!("files[{n}]");
        self.file_name(&path, name);
        let content = self.pack.0.get(&format!("{}/files/{name}", self.folder)).cloned();
        if content.is_none() {
            self.problem(&path, &format!("there is no file `files/{name}`"), "");
        }
        content.map(|content| File { name: name.into(), content })
    }

    /// The blocks of a Markdown file of the lesson.
    fn text_file(&mut self, path: &str, name: &str) -> Vec<markdown::Block> {
        match self.lesson_file(path, name) {
            Some(text) => markdown::blocks(&text),
            None => Vec::new(),
        }
    }

    /// The text of a file of the lesson's folder.
    fn lesson_file(&mut self, path: &str, name: &str) -> Option<String> {
        let text = self.pack.0.get(&format!("{}/{name}", self.folder)).cloned();
        if text.is_none() {
            self.problem(path, &format!("there is no file `{name}` in the lesson's folder"), "");
        }
        text
    }

    /// The objects of a manifest file of the lesson.
    fn manifests(&mut self, path: &str, name: &str) -> Vec<Value> {
        let Some(text) = self.lesson_file(path, name) else { return Vec::new() };
        match yaml::parse_documents(&text) {
            Ok(objects) => objects,
            Err(e) => {
                let file = format!("{}/{name}", self.folder);
                self.problems.push(Problem::at(&file, &text, (e.line, e.column), &e.message, ""));
                Vec::new()
            }
        }
    }

    fn link(&mut self, path: &str, raw: &raw::Link) -> Link {
        if !raw.url.starts_with("https://") {
            self.problem(&format!("{path}.url"), "a link starts with https://", "");
        }
        Link { label: raw.label.clone(), url: raw.url.clone() }
    }

    fn workload(&mut self, path: &str, raw: &raw::Workload) -> Workload {
        let pod = match (&raw.pod, raw.labels.is_empty()) {
            (Some(name), true) => PodRef::Name(name.clone()),
            (None, false) => PodRef::Labels(raw.labels.clone()),
            _ => {
                self.problem(path, "a workload has either `pod` or `labels`", "");
                PodRef::Name(String::new())
            }
        };
        Workload { namespace: raw.namespace.clone(), pod, container: raw.container.clone() }
    }

    /// `ServiceEntry.networking.istio.io default/wikipedia-egress`, `Namespace default`.
    fn object_ref(&mut self, path: &str, text: &str) -> ObjectRef {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [kind, name] = parts[..] else {
            self.problem(path, &format!("`{text}` is not `KIND NAME` or `KIND NAMESPACE/NAME`"), "");
            return ObjectRef { kind: Kind::new("", ""), namespace: String::new(), name: String::new() };
        };
        let (namespace, name) = name.split_once('/').unwrap_or(("", name));
        ObjectRef { kind: self.kind(path, kind), namespace: namespace.into(), name: name.into() }
    }

    fn kind(&mut self, path: &str, text: &str) -> Kind {
        let (kind, group) = text.split_once('.').unwrap_or((text, ""));
        if !kind.starts_with(|c: char| c.is_ascii_uppercase()) {
            let advice = "Kinds are written as in manifests, with their group: `Deployment.apps`.";
            self.problem(path, &format!("`{text}` is not a kind"), advice);
        }
        Kind::new(group, kind)
    }

    fn field(&mut self, path: &str, text: &str) -> FieldPath {
        FieldPath::parse(text).unwrap_or_else(|message| {
            self.problem(path, &message, "Paths look like `spec.ports[number=80].protocol` or `spec.hosts[*]`.");
            FieldPath::parse("unreadable").expect("a plain name is a path")
        })
    }

    fn pattern(&mut self, path: &str, text: &str) -> Pattern {
        Pattern::parse(text).unwrap_or_else(|message| {
            let first = message.lines().last().unwrap_or("not an expression").to_string();
            self.problem(path, &format!("the expression cannot be read: {first}"), "");
            Pattern::parse("").expect("the empty expression is one")
        })
    }

    fn slug(&mut self, path: &str, text: &str) {
        if !is_slug(text) {
            let advice = "Small letters, digits and single hyphens, starting with a letter: `allow-wikipedia`.";
            self.problem(path, &format!("`{text}` is not a slug"), advice);
        }
    }

    fn file_name(&mut self, path: &str, name: &str) {
        if crate::base::files::inside(name).ok().as_deref() != Some(name) || name.is_empty() {
            self.problem(path, &format!("`{name}` is not a file of the lab's folder"), "Write a plain relative path.");
        }
    }

    /// Notes a problem at the value of `path`, or at the nearest value around it that has a place.
    fn problem(&mut self, path: &str, message: &str, advice: &str) {
        let mut here = path;
        let place = loop {
            if let Some(place) = self.source.places.get(here) {
                break *place;
            }
            match here.rfind(['.', '[']) {
                Some(at) => here = &here[..at],
                None => break (1, 1),
            }
        };
        self.problems.push(Problem::at(&self.source.file, &self.source.text, place, message, advice));
    }
}
