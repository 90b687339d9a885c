//! Actions and the proofs made of them.

use super::Cleaner;
use crate::lesson::line;
use crate::lesson::model::{Action, Answer, Fault, File, LogRef, Mutant, Removal, Take, Variant};
use crate::lesson::raw;
use serde_json::Value;
use std::collections::BTreeSet;

impl Cleaner<'_> {
    pub(super) fn actions(&mut self, path: &str, step: &str, raw: &[raw::Action]) -> Vec<Action> {
        let each = raw.iter().enumerate();
        each.flat_map(|(n, action)| self.action(&format!("{path}[{n}]"), step, action)).collect()
    }

    /// One written action; a fault that applies a file of several objects is several.
    fn action(&mut self, path: &str, step: &str, raw: &raw::Action) -> Vec<Action> {
        match raw {
            raw::Action::Line(text) => {
                self.line(&format!("{path}.line"), text);
                vec![Action::Line(text.trim_end().to_string())]
            }
            raw::Action::File(file) => self.file_action(&format!("{path}.file"), file).map(Action::File).into_iter().collect(),
            raw::Action::Answer(answer) => vec![self.answer(&format!("{path}.answer"), step, answer)],
            raw::Action::Fault(fault) => self.fault(&format!("{path}.fault"), fault),
            raw::Action::InstallIstio(install) => vec![Action::InstallIstio(super::istio(install))],
        }
    }

    /// Refuses what a line of a lesson must not have.
    pub(super) fn line(&mut self, path: &str, text: &str) {
        for message in line::problems(text) {
            self.problem(path, &message, "");
        }
    }

    fn file_action(&mut self, path: &str, raw: &raw::FileAction) -> Option<File> {
        self.file_name(&format!("{path}.name"), &raw.name);
        let mut content = match (&raw.content, &raw.from) {
            (Some(content), None) => content.clone(),
            (None, Some(from)) => self.lesson_file(&format!("{path}.from"), from)?,
            _ => {
                self.problem(path, "a file has either `content` or `from`", "");
                return None;
            }
        };
        for (n, replace) in raw.replace.iter().enumerate() {
            let found = content.matches(&replace.old).count();
            if found != 1 {
                let message = format!("the text to replace is there {found} times, not once");
                self.problem(&format!("{path}.replace[{n}].old"), &message, "");
            }
            content = content.replacen(&replace.old, &replace.new, 1);
        }
        Some(File { name: raw.name.clone(), content })
    }

    fn answer(&mut self, path: &str, step: &str, raw: &raw::AnswerAction) -> Action {
        let answer = match (&raw.choice, &raw.text, &raw.take) {
            (Some(choice), None, None) => Answer::Choice(choice.clone()),
            (None, Some(text), None) => Answer::Text(text.clone()),
            (None, None, Some(take)) => Answer::Take(self.take(&format!("{path}.take"), take)),
            _ => {
                self.problem(path, "an answer has one of `choice`, `text` and `take`", "");
                Answer::Text(String::new())
            }
        };
        Action::Answer { step: raw.step.clone().unwrap_or_else(|| step.to_string()), answer }
    }

    pub(super) fn take(&mut self, path: &str, raw: &raw::Take) -> Take {
        match raw {
            raw::Take::Output(t) => {
                self.line(&format!("{path}.output.line"), &t.line);
                Take::Output { line: t.line.clone(), pattern: self.pattern(&format!("{path}.output.regex"), &t.regex) }
            }
            raw::Take::Object(t) => Take::Object {
                object: self.object_ref(&format!("{path}.object.object"), &t.object),
                path: self.field(&format!("{path}.object.path"), &t.path),
            },
            raw::Take::Labelled(t) => Take::Labelled {
                kind: self.kind(&format!("{path}.labelled.kind"), &t.kind),
                namespace: t.namespace.clone(),
                labels: t.labels.clone(),
                path: self.field(&format!("{path}.labelled.path"), &t.path),
            },
            raw::Take::Log(t) => {
                let path = format!("{path}.log");
                let log = LogRef { workload: self.workload(&format!("{path}.from"), &t.from), tail: t.tail };
                let fields = self.field_tests(&path, &t.fields);
                let pattern = t.regex.as_ref().map(|r| self.pattern(&format!("{path}.regex"), r));
                Take::Log { log, field: t.field, fields, pattern }
            }
        }
    }

    fn fault(&mut self, path: &str, raw: &raw::Fault) -> Vec<Action> {
        let fault = match raw {
            raw::Fault::Apply(name) => {
                return self
                    .manifests(&format!("{path}.apply"), name)
                    .into_iter()
                    .map(|o| Action::Fault(Fault::Apply(o)))
                    .collect();
            }
            raw::Fault::Patch(p) => {
                Fault::Patch { object: self.object_ref(&format!("{path}.patch.object"), &p.object), patch: p.patch.clone() }
            }
            raw::Fault::Delete(d) => {
                if d.name.is_none() == d.mentions.is_none() {
                    let advice = "So that a cluster's other objects are not touched.";
                    self.problem(&format!("{path}.delete"), "a delete has either `name` or `mentions`", advice);
                }
                Fault::Delete {
                    kind: self.kind(&format!("{path}.delete.kind"), &d.kind),
                    namespace: d.namespace.clone(),
                    name: d.name.clone(),
                    mentions: d.mentions.clone(),
                }
            }
            raw::Fault::Dns(d) => Fault::Dns { host: d.host.clone(), resolves: d.resolves },
            raw::Fault::Origin(o) => Fault::Origin { host: o.host.clone(), port: o.port, up: o.up },
        };
        vec![Action::Fault(fault)]
    }

    pub(super) fn variants(&mut self, path: &str, step: &str, raw: &[raw::Variant]) -> Vec<Variant> {
        let mut known = BTreeSet::new();
        let mut out = Vec::new();
        for (n, variant) in raw.iter().enumerate() {
            let path = format!("{path}[{n}]");
            self.unique(&path, &variant.id, &mut known);
            let actions = self.actions(&format!("{path}.actions"), step, &variant.actions);
            out.push(Variant { id: variant.id.clone(), title: variant.title.clone(), actions });
        }
        out
    }

    pub(super) fn mutants(&mut self, path: &str, raw: &raw::Step) -> Vec<Mutant> {
        let mut known = BTreeSet::new();
        let mut out = Vec::new();
        for (n, mutant) in raw.mutants.iter().enumerate() {
            let path = format!("{path}.mutants[{n}]");
            self.unique(&path, &mutant.id, &mut known);
            let by_answer = mutant.caught_by == "answer" && raw.question.is_some();
            if !by_answer && !raw.checks.iter().any(|c| c.id == mutant.caught_by) {
                let message = format!("this step has no check `{}`", mutant.caught_by);
                self.problem(&format!("{path}.caught_by"), &message, "");
            }
            if let Some(turn) = mutant.wrong_turn.as_ref().filter(|t| !raw.wrong_turns.iter().any(|w| w.id == **t)) {
                self.problem(&format!("{path}.wrong_turn"), &format!("this step has no wrong turn `{turn}`"), "");
            }
            out.push(Mutant {
                id: mutant.id.clone(),
                title: mutant.title.clone(),
                actions: self.actions(&format!("{path}.actions"), &raw.id, &mutant.actions),
                caught_by: mutant.caught_by.clone(),
                message: mutant.message.clone(),
                wrong_turn: mutant.wrong_turn.clone(),
            });
        }
        out
    }

    pub(super) fn removals(&mut self, path: &str, raw: &[raw::Removal]) -> Vec<Removal> {
        let each = raw.iter().enumerate();
        each.map(|(n, r)| Removal {
            object: self.object_ref(&format!("{path}[{n}].object"), &r.object),
            field: r.field.as_ref().map(|f| self.field(&format!("{path}[{n}].field"), f)),
        })
        .collect()
    }

    /// Notes an id that is not a slug or not new.
    pub(super) fn unique(&mut self, path: &str, id: &str, known: &mut BTreeSet<String>) {
        self.slug(&format!("{path}.id"), id);
        if !known.insert(id.to_string()) {
            self.problem(&format!("{path}.id"), &format!("the id `{id}` is used twice"), "");
        }
    }
}

/// The longest text that a hint shares with one of the solution's files or lines must stay under this many characters.
const SHARED_LIMIT: usize = 120;

/// Whether a hint gives away more than a shape.
pub(super) fn gives_away(hint: &str, solution: &[Action]) -> bool {
    let squeeze = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ").chars().collect::<Vec<char>>();
    let hint = squeeze(hint);
    let texts = solution.iter().filter_map(|action| match action {
        Action::Line(text) => Some(text.clone()),
        Action::File(file) => Some(file.content.clone()),
        Action::Fault(Fault::Apply(value)) => Some(Value::to_string(value)),
        _ => None,
    });
    texts.map(|t| squeeze(&t)).any(|text| hint.windows(SHARED_LIMIT).any(|part| text.windows(SHARED_LIMIT).any(|w| w == part)))
}
