//! What was typed at a world's prompt, kept with the world: one JSON string a line, so that here-documents stay whole.

use crate::session::history::MAX_ENTRIES;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Bytes of one line that is kept; longer ones (a pasted file) are not worth a search.
const MAX_LINE: usize = 16 << 10;

/// The lines of last time, oldest first. What cannot be read is left out: a history is no reason to stop.
pub fn load(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut lines: Vec<String> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let whole = lines.len() <= 2 * MAX_ENTRIES;
    lines.drain(..lines.len().saturating_sub(MAX_ENTRIES));
    if !whole {
        let kept: String = lines.iter().map(|line| row(line)).collect();
        let _ = file(path, false).and_then(|mut file| file.write_all(kept.as_bytes()));
    }
    lines
}

/// Adds a line.
///
/// # Errors
/// What the system says.
pub fn append(path: &Path, line: &str) -> io::Result<()> {
    if line.trim().is_empty() || line.len() > MAX_LINE {
        return Ok(());
    }
    file(path, true)?.write_all(row(line).as_bytes())
}

fn row(line: &str) -> String {
    format!("{}\n", serde_json::Value::from(line))
}

fn file(path: &Path, append: bool) -> io::Result<std::fs::File> {
    OpenOptions::new().create(true).write(true).append(append).truncate(!append).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_and_the_oldest_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history");
        assert_eq!(load(&path), Vec::<String>::new());
        append(&path, "cat <<EOF\nx\nEOF").expect("written");
        append(&path, "  ").expect("left out");
        append(&path, &"x".repeat(MAX_LINE + 1)).expect("left out");
        assert_eq!(load(&path), ["cat <<EOF\nx\nEOF"]);
        (0..2 * MAX_ENTRIES).for_each(|n| append(&path, &n.to_string()).expect("written"));
        let lines = load(&path);
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (MAX_ENTRIES, Some("1999")));
        assert_eq!(std::fs::read_to_string(&path).expect("there").lines().count(), MAX_ENTRIES, "it was shortened");
        std::fs::write(&path, "torn \"li\n\"good\"\n").expect("written");
        assert_eq!(load(&path), ["good"]);
    }
}
