//! `--fix`: the smallest edit of the objects with which every expectation is met and nothing else gets out.

use super::expect::Named;
use super::text::{listed, row};
use super::world::World;
use crate::base::diff;
use crate::base::yaml;
use crate::k8s::Object;
use crate::mesh::Record;
use crate::mesh::fix::{self, Answer, Question, Repair, Wish};
use crate::mesh::reach::{REDIRECTS, Verdict, Want};
use serde_json::{Value, json};

/// What cannot be changed in a manifest, or is not a person's to write.
const SERVERS: [&[&str]; 6] = [
    &["status"],
    &["metadata", "managedFields"],
    &["metadata", "uid"],
    &["metadata", "resourceVersion"],
    &["metadata", "generation"],
    &["metadata", "creationTimestamp"],
];

/// What `--fix` found, and how the objects were before.
pub struct Mended<'w> {
    world: &'w World,
    pub answer: Answer,
}

/// Searches for the smallest edit.
///
/// # Errors
/// A sentence: a client that is not there.
pub fn mend<'w>(world: &'w World, all: &[Named]) -> Result<Mended<'w>, String> {
    let snapshot = world.model.snapshot();
    let mut holds: Vec<Box<dyn Fn(&[Record]) -> bool + Sync + '_>> = Vec::new();
    for Named { expectation, .. } in all {
        holds.push(Box::new(|records| expectation.want.judge(records) == Verdict::Met));
    }
    let mut wishes = Vec::new();
    for (Named { expectation, .. }, holds) in all.iter().zip(&holds) {
        wishes.push(Wish {
            pod: expectation.from.find(snapshot)?,
            request: expectation.ask.request()?,
            follow: if expectation.ask.follow { REDIRECTS } else { 0 },
            holds: &**holds,
            opens: matches!(expectation.want, Want::Allowed | Want::ViaGateway(_)),
        });
    }
    let question = Question { model: &world.model, inputs: world.inputs(), wishes: &wishes, tries: fix::TRIES };
    Ok(Mended { world, answer: fix::repair(&question) })
}

impl Mended<'_> {
    /// The first repair as a change of the manifests, the others in a line each.
    pub fn text(&self) -> String {
        match &self.answer {
            Answer::Fine => String::new(),
            Answer::Nothing { tried } => {
                let text = format!(
                    "no change of one or two fields of these objects does it ({tried} tried); something is missing altogether, or two \
                     expectations exclude each other"
                );
                format!("\nfix\n{}", row("", &text))
            }
            Answer::Repairs(all) => {
                let edits: Vec<String> = all[0].edits.iter().map(ToString::to_string).collect();
                let mut out = listed("fix", &edits, usize::MAX);
                out.push('\n');
                out.push_str(&self.change(&all[0]));
                let others: Vec<String> = all[1..].iter().map(words).collect();
                out.push_str(&listed("or", &others, usize::MAX));
                out
            }
        }
    }

    /// The objects before and after, as `diff -u` shows them.
    fn change(&self, repair: &Repair) -> String {
        let snapshot = self.world.model.snapshot();
        let mut out = String::new();
        for key in &repair.gone {
            let before = snapshot.get(key).map(|o| plain(o)).unwrap_or_default();
            let moved = repair.objects.iter().find(|o| o.kind() == key.kind.kind && snapshot.get(&o.key()).is_none());
            out.push_str(&unified(&before, &moved.map(|o| plain(o)).unwrap_or_default(), &key.to_string()));
        }
        for object in repair.objects.iter().filter(|o| snapshot.get(&o.key()).is_some()) {
            let before = snapshot.get(&object.key()).map(|o| plain(o)).unwrap_or_default();
            out.push_str(&unified(&before, &plain(object), &object.key().to_string()));
        }
        out
    }

    /// The same for programs: every repair with its edits and the objects after it.
    pub fn to_json(&self) -> Value {
        let edit = |edit: &fix::Edit| json!({"object": edit.object.to_string(), "field": edit.field(), "change": edit.words()});
        let one = |repair: &Repair| {
            json!({
                "edits": repair.edits.iter().map(edit).collect::<Vec<_>>(),
                "objects": repair.objects.iter().map(|o| without(o).0).collect::<Vec<_>>(),
                "gone": repair.gone.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        };
        match &self.answer {
            Answer::Repairs(all) => all.iter().map(one).collect(),
            Answer::Fine | Answer::Nothing { .. } => json!([]),
        }
    }
}

fn words(repair: &Repair) -> String {
    repair.edits.iter().map(ToString::to_string).collect::<Vec<_>>().join(", and ")
}

fn without(object: &Object) -> Object {
    let mut object = object.clone();
    SERVERS.iter().for_each(|path| drop(object.remove(path)));
    object
}

fn plain(object: &Object) -> String {
    yaml::write(&without(object).0)
}

fn unified(before: &str, after: &str, name: &str) -> String {
    diff::unified(before, after, diff::Shown { around: 3, names: Some((name, name)), tells_end: true })
}
