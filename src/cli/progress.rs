//! `egress-lab progress`: what is done; export and import.

use super::{End, GOOD, Trouble, args, lessons, print};
use crate::base::clock::{Clock, SystemClock};
use crate::base::paths::Paths;
use crate::base::text::count;
use crate::progress::{How, Journal, StepKey, Summary};

pub(super) fn run(a: &args::Progress) -> End {
    let path = Paths::from_environment().journal();
    match &a.what {
        None | Some(args::ProgressWhat::Show) => show(&path),
        Some(args::ProgressWhat::Export) => {
            let journal = Journal::open(&path).map_err(trouble)?;
            print(&journal.export(SystemClock.now()));
            Ok(GOOD)
        }
        Some(args::ProgressWhat::Import { file }) => {
            let text = std::fs::read_to_string(file).map_err(|e| Trouble::usage(format!("{}: {e}", file.display())))?;
            let mut journal = Journal::open(&path).map_err(trouble)?;
            let n = journal.import(SystemClock.now(), &text).map_err(trouble)?;
            print(&format!("{} taken over.\n", count(n, "entry").replace("entrys", "entries")));
            Ok(GOOD)
        }
    }
}

fn trouble(error: crate::progress::Error) -> Trouble {
    Trouble::unavailable(error.to_string())
}

fn show(path: &std::path::Path) -> End {
    let entries = Journal::read(path).map_err(trouble)?;
    let summary = Summary::of(&entries);
    for lesson in lessons::all(&args::From::default())? {
        print(&format!("{} ({} of {} done)\n", lesson.title, summary.done_in(&lesson.id, lesson.version), lesson.steps.len()));
        for (nth, step) in lesson.steps.iter().enumerate() {
            let key = StepKey { lesson: lesson.id.clone(), step: step.id.clone(), version: lesson.version };
            let word = match summary.step(&key).done {
                Some(How::Own) => "passed",
                Some(How::Assisted) => "assisted",
                Some(How::Skipped) => "skipped",
                None if summary.step(&key).started => "open",
                None => "",
            };
            print(&format!("  {:>2}  {word:<9} {}\n", nth + 1, step.title));
        }
        summary.calibration(&lesson.id, lesson.version).sentences().iter().for_each(|sentence| print(&format!("{sentence}\n")));
    }
    Ok(GOOD)
}
