//! `egress-lab open FILE` and `learn --open FILE`: going on from what somebody shared.

use super::{End, Trouble, args, lessons};
use crate::base::paths::Paths;
use crate::lab::share::{self, MAX_BYTES, Shared};
use crate::lesson::model::Lesson;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// Names of worlds that are tried.
const NAMES: usize = 100;

pub(super) fn run(a: &args::Open) -> End {
    let world = a.world.clone().unwrap_or_else(|| args::Learn::default().world);
    let learn = args::Learn {
        look: a.look.clone(),
        world,
        open: Some(a.file.clone()),
        from_dir: a.from_dir.clone(),
        ..args::Learn::default()
    };
    super::learn::run(&learn)
}

/// What `--open` names: what was shared, its lesson, and the name of a world that is not there yet.
pub(super) fn shared(a: &args::Learn) -> Result<Option<(Arc<Shared>, Arc<Lesson>, String)>, Trouble> {
    let Some(file) = &a.open else { return Ok(None) };
    let refused = |why: String| Trouble::usage(format!("{}: {why}", file.display()));
    let shared = share::read(&bytes(file)?).map_err(|refusal| refused(refusal.to_string()))?;
    let all = lessons::all(&a.from_dir)?;
    let lesson = shared.lesson(&all).map_err(|refusal| refused(refusal.to_string()))?.clone();
    let paths = Paths::from_environment();
    let world = match a.world == args::Learn::default().world {
        true => fresh(&paths, file)?,
        false if paths.world(&a.world).exists() => {
            return Err(Trouble::usage(format!("there is a world {} already; name another with --world", a.world)));
        }
        false => a.world.clone(),
    };
    Ok(Some((Arc::new(shared), lesson, world)))
}

fn bytes(file: &Path) -> Result<Vec<u8>, Trouble> {
    let fail = |error: std::io::Error| Trouble::usage(format!("{}: {error}", file.display()));
    let mut bytes = Vec::new();
    // One byte more than is read, so that a file that is too large is known as such.
    std::fs::File::open(file).map_err(fail)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// A name made from the file's, of a world that is not there.
fn fresh(paths: &Paths, file: &Path) -> Result<String, Trouble> {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    let plain: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    let names = (1..=NAMES).map(|n| if n == 1 { format!("open-{plain}") } else { format!("open-{plain}-{n}") });
    let free = names.into_iter().find(|name| !paths.world(name).exists());
    free.ok_or_else(|| Trouble::usage("there are many worlds of this name; name another with --world"))
}
