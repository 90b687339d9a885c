//! What the terminal is told besides frames: a text for its clipboard (OSC 52), and whether it reports the mouse wheel.

use crate::base::paths::Paths;
use crate::base::text::count;
use crate::k8s::base64;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Bytes of text that terminals take in one go: 74,994 of base64 in xterm.
const MOST: usize = 56_000;

/// Copies a text: into a file always, since a terminal does not say whether it took one, and to the terminal's clipboard unless it is
/// too long for that. What became of it, as a sentence.
pub fn copy(text: &str, terminal: &mut impl Write) -> String {
    let kept = keep(&Paths::from_environment().state(), text);
    let fits = text.len() <= MOST && sent(text, terminal).is_ok();
    let what = count(text.lines().count(), "line");
    match (fits, kept) {
        (true, Ok(file)) => format!("Copied {what} for the terminal's clipboard, and into {}.", file.display()),
        (true, Err(_)) => format!("Copied {what} for the terminal's clipboard."),
        (false, Ok(file)) => format!("Copied {what} into {}: too long for the terminal's clipboard.", file.display()),
        (false, Err(error)) => format!("Nothing was copied: too long for the clipboard, and no file can be written ({error})."),
    }
}

/// The escape that sets the clipboard.
pub fn osc52(text: &str) -> String {
    format!("\u{1b}]52;c;{}\u{7}", base64::encode(text.as_bytes()))
}

fn sent(text: &str, terminal: &mut impl Write) -> io::Result<()> {
    terminal.write_all(osc52(text).as_bytes())?;
    terminal.flush()
}

/// Keeps the text in a file that only its owner reads.
fn keep(folder: &Path, text: &str) -> io::Result<PathBuf> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::create_dir_all(folder)?;
    let file = folder.join("copied.txt");
    let mut open = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&file)?;
    open.write_all(text.as_bytes())?;
    Ok(file)
}

/// Asks for button reports only, the wheel among them; no motion.
///
/// # Errors
/// The terminal cannot be written to.
pub fn mouse(on: bool, terminal: &mut impl Write) -> io::Result<()> {
    let last = if on { 'h' } else { 'l' };
    terminal.write_all(format!("\u{1b}[?1000{last}\u{1b}[?1006{last}").as_bytes())?;
    terminal.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_escape_carries_the_text_and_nothing_that_ends_it_early() {
        assert_eq!(osc52("a\u{7}\u{1b}\\b\n"), "\u{1b}]52;c;YQcbXGIK\u{7}");
    }

    #[test]
    fn a_copied_text_is_in_a_file_of_its_owner() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        keep(folder.path(), "a longer text\n").unwrap();
        let file = keep(folder.path(), "short\n").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "short\n");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
