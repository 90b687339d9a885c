//! The user's own kubeconfig around kind's work on it. kind writes the whole file anew: comments and order are lost, and when the lab's
//! cluster goes, so does the current context (seen with kind v0.33.0). So the file is kept as it was, and comes back to the byte when
//! nobody else has changed it meanwhile.

use super::pins::CONTEXT;
use super::site::{Site, Trouble};
use crate::base::paths::user_kubeconfigs;
use std::io;
use std::path::{Path, PathBuf};

/// The user's file before and after kind wrote into it, in the state folder's part.
pub(super) const BEFORE: &str = "kubeconfig.user-before";
pub(super) const AFTER: &str = "kubeconfig.user-after";
/// A kubeconfig longer than this is not kept.
const LONGEST: u64 = 4 << 20;

/// The file that kind merges into: the first that is there, else the last of the list (kind's pathForMerge).
fn file() -> Option<PathBuf> {
    let all = user_kubeconfigs();
    all.iter().find(|path| path.exists()).or(all.last()).cloned()
}

fn read(path: &Path) -> Option<String> {
    std::fs::metadata(path).ok().filter(|meta| meta.len() <= LONGEST)?;
    std::fs::read_to_string(path).ok()
}

/// To be called before kind merges. A file that knows the lab's context already is none to come back to.
pub(super) fn keep(site: &Site<'_>) -> Result<(), Trouble> {
    [BEFORE, AFTER].iter().try_for_each(|name| site.clear(name))?;
    match file().and_then(|path| read(&path)) {
        Some(text) if !text.contains(CONTEXT) => site.write(BEFORE, &text),
        _ => Ok(()),
    }
}

/// To be called when kind has merged.
pub(super) fn kept(site: &Site<'_>) -> Result<(), Trouble> {
    match file().and_then(|path| read(&path)) {
        Some(text) => site.write(AFTER, &text),
        None => Ok(()),
    }
}

/// Whether the user's file is still what kind made of it; to be asked before kind takes the context out.
pub(super) fn is_untouched(site: &Site<'_>) -> bool {
    let now = file().and_then(|path| read(&path));
    now.is_some() && now == read(&site.folder.join(AFTER))
}

/// After kind took the context out: the file as it was, or a word about the current context that it has no more.
pub(super) fn give_back(site: &mut Site<'_>, untouched: bool) -> Result<(), Trouble> {
    let Some((path, before)) = file().zip(read(&site.folder.join(BEFORE))) else { return Ok(()) };
    if untouched {
        let failed = |source: io::Error| Trouble::File { path: path.display().to_string(), source };
        std::fs::write(&path, before).map_err(failed)?;
        site.note(&format!("{} is again what it was before.", path.display()));
    } else if let Some(name) = current(&before)
        && read(&path).is_some_and(|text| current(&text).is_none())
    {
        site.note(&format!("Your kubeconfig has no current context now; before it was: kubectl config use-context {name}"));
    }
    Ok(())
}

/// The current context that a kubeconfig names.
fn current(text: &str) -> Option<&str> {
    let named = text.lines().find_map(|line| line.strip_prefix("current-context:"))?;
    Some(named.trim().trim_matches(['"', '\''])).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_context_is_read_as_kubectl_and_kind_write_it() {
        assert_eq!(current("a: b\ncurrent-context: prod\n"), Some("prod"));
        assert_eq!(current("current-context: \"prod\"\n"), Some("prod"));
        for none in ["", "current-context: \"\"\n", "contexts: []\n", "# current-context: prod\n"] {
            assert_eq!(current(none), None, "{none}");
        }
    }
}
