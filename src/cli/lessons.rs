//! `egress-lab list`, `lint`, `schema`, `new`, and how the other commands find lessons.

use super::{End, FAILED, GOOD, Trouble, args, print};
use crate::base::files::Folder;
use crate::base::text::{count, nearest};
use crate::lesson::load::{Pack, Problem};
use crate::lesson::model::{Lesson, Track};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// The tracks of a folder, or the built-in ones.
fn tracks(dir: Option<&Path>) -> Result<Vec<Track>, Trouble> {
    let pack = match dir {
        None => Pack::embedded(),
        Some(dir) => {
            if !dir.is_dir() {
                return Err(Trouble::usage(format!("{} is not a folder of lessons", dir.display())));
            }
            let folder = Folder::open(dir).map_err(|e| Trouble::unavailable(format!("{}: {e}", dir.display())))?;
            Pack::read(&folder).map_err(|e| Trouble::unavailable(format!("{}: {e}", dir.display())))?
        }
    };
    pack.tracks().map_err(|problems| Trouble { code: FAILED, sentence: told(&problems) })
}

fn told(problems: &[Problem]) -> String {
    let texts: Vec<String> = problems.iter().map(Problem::to_text).collect();
    format!("{} in the lessons\n\n{}", count(problems.len(), "problem"), texts.join("\n"))
}

/// Every lesson, in order.
pub(super) fn all(from: &args::From) -> Result<Vec<Arc<Lesson>>, Trouble> {
    Ok(tracks(from.lessons.as_deref())?.into_iter().flat_map(|track| track.lessons).map(Arc::new).collect())
}

/// One lesson by its id.
pub(super) fn find(from: &args::From, id: &str) -> Result<Arc<Lesson>, Trouble> {
    let all = all(from)?;
    let names: Vec<&str> = all.iter().map(|lesson| lesson.id.as_str()).collect();
    all.iter().find(|lesson| lesson.id == id).cloned().ok_or_else(|| {
        let near = nearest(id, names.iter().copied()).map(|n| format!("; did you mean {n}?")).unwrap_or_default();
        Trouble::usage(format!("there is no lesson {id}{near} `egress-lab list` shows what there is ({})", names.join(", ")))
    })
}

/// The saved world for a lesson: one that begins in a mesh has its own, so that it does not change another lesson's.
pub(super) fn world_of(lesson: &Lesson, named: &str) -> String {
    let own = named == args::WORLD && lesson.world.istio.is_some();
    if own { lesson.id.clone() } else { named.to_string() }
}

/// A step's index, by id or by number.
pub(super) fn step_index(lesson: &Lesson, step: &str) -> Result<usize, Trouble> {
    let by_number = step.parse::<usize>().ok().filter(|n| (1..=lesson.steps.len()).contains(n)).map(|n| n - 1);
    by_number.or_else(|| lesson.steps.iter().position(|s| s.id == step)).ok_or_else(|| {
        let near = nearest(step, lesson.steps.iter().map(|s| s.id.as_str()));
        let near = near.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
        Trouble::usage(format!("lesson {} has no step {step}{near} (1 to {}, or an id)", lesson.id, lesson.steps.len()))
    })
}

pub(super) fn list(a: &args::Lessons) -> End {
    let tracks = tracks(a.from_dir.lessons.as_deref())?;
    if a.json {
        let lessons = |track: &Track| -> Vec<serde_json::Value> {
            let step = |s: &crate::lesson::model::Step| json!({"id": s.id, "title": s.title, "kind": s.kind.word()});
            let lesson = |l: &Lesson| json!({"id": l.id, "title": l.title, "minutes": l.minutes, "steps": l.steps.iter().map(step).collect::<Vec<_>>()});
            track.lessons.iter().map(lesson).collect()
        };
        let value: Vec<_> = tracks.iter().map(|t| json!({"id": t.id, "title": t.title, "lessons": lessons(t)})).collect();
        print(&format!("{}\n", serde_json::to_string_pretty(&value).unwrap_or_default()));
        return Ok(GOOD);
    }
    for track in &tracks {
        print(&format!("{}\n", track.title));
        for lesson in &track.lessons {
            let size = format!("{}, about {} min", count(lesson.steps.len(), "step"), lesson.minutes);
            print(&format!("  {:<28} {} ({size})\n", lesson.id, lesson.title));
        }
    }
    print("\nStart one with `egress-lab learn LESSON`.\n");
    Ok(GOOD)
}

pub(super) fn lint(a: &args::Lint) -> End {
    let tracks = tracks(a.dir.as_deref())?;
    let lessons: usize = tracks.iter().map(|t| t.lessons.len()).sum();
    let steps: usize = tracks.iter().flat_map(|t| &t.lessons).map(|l| l.steps.len()).sum();
    print(&format!("{}, {}: no problems\n", count(lessons, "lesson"), count(steps, "step")));
    Ok(GOOD)
}
