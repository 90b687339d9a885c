//! Editing a text in the learner's own editor: asked for from any thread, done by the terminal thread with the screen left.

use crate::base::io::Editor;
use crate::tui::{Inbox, Message};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Names tried for the temporary file before giving up.
const TRIES: u32 = 100;

/// Something to edit.
#[derive(Debug)]
pub struct Job {
    /// A suggestion for the file's name.
    pub name: String,
    pub text: String,
    pub reply: Reply,
}

/// Who gets what was edited.
#[derive(Debug)]
pub enum Reply {
    /// A command that waits for it.
    Line(SyncSender<Result<String, String>>),
    /// The editor on the screen.
    Screen,
}

impl Reply {
    /// Hands the text to the command that waits.
    pub fn give(self, edited: Result<String, String>) {
        if let Reply::Line(answer) = self {
            let _ = answer.send(edited);
        }
    }
}

/// [`Editor`] for commands that run while the screen is up.
#[derive(Clone)]
pub struct ScreenEditor(pub Inbox);

impl Editor for ScreenEditor {
    fn edit(&self, name: &str, text: &str) -> Result<String, String> {
        let (answer, answers) = sync_channel(1);
        let job = Job { name: name.to_string(), text: text.to_string(), reply: Reply::Line(answer) };
        if !self.0.send(Message::Edit(job)) {
            return Err("The screen is gone; nothing was edited.".into());
        }
        answers.recv().unwrap_or_else(|_| Err("The screen is gone; nothing was edited.".into()))
    }
}

/// What the settings say about editing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Chosen {
    /// The learner's own editor where one is set, else the one on the screen.
    #[default]
    Auto,
    /// The one on the screen.
    Own,
    /// This command, with its arguments.
    Command(String),
}

impl Chosen {
    /// Reads the setting: `auto`, `own`, or a command.
    pub fn read(value: &str) -> Chosen {
        match value.trim() {
            "" | "auto" => Chosen::Auto,
            "own" => Chosen::Own,
            command => Chosen::Command(command.to_string()),
        }
    }

    /// Whether texts are edited on the screen.
    pub fn is_own(&self) -> bool {
        match self {
            Chosen::Auto => self.command().is_err(),
            Chosen::Own => true,
            Chosen::Command(_) => false,
        }
    }

    /// The learner's own editor with its arguments: the command of the settings, else `$VISUAL`, else `$EDITOR`.
    ///
    /// # Errors
    /// None is set; what to do instead.
    pub fn command(&self) -> Result<Vec<String>, String> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let chosen = if let Chosen::Command(command) = self { Some(command.clone()) } else { None };
        let value = chosen.or_else(|| set("VISUAL")).or_else(|| set("EDITOR")).ok_or(
            "No editor is set. Leave, run `export EDITOR=nano` (or vim) and come back, or write the file here: `cat > FILE <<EOF`, \
             the lines, `EOF`.",
        )?;
        Ok(value.split_whitespace().map(str::to_string).collect())
    }
}

/// Runs the editor on the text. The terminal must be as other programs expect it.
///
/// # Errors
/// A sentence for people.
pub fn edit(argv: &[String], name: &str, text: &str) -> Result<String, String> {
    let (program, arguments) = argv.split_first().ok_or("No editor is set.")?;
    let file = temporary(name, text).map_err(|e| format!("no temporary file could be made for the editor: {e}"))?;
    let status = Command::new(program).args(arguments).arg(&file).status();
    let edited = std::fs::read_to_string(&file);
    let _ = std::fs::remove_file(&file);
    match status {
        Err(e) => Err(format!("{program} could not be started: {e}. Set $VISUAL or $EDITOR to an editor that is installed.")),
        Ok(status) if !status.success() => Err(format!("{program} ended with {status}; nothing was changed.")),
        Ok(_) => edited.map_err(|e| format!("what {program} left could not be read: {e}")),
    }
}

/// A new file that only its owner can read.
fn temporary(name: &str, text: &str) -> std::io::Result<PathBuf> {
    let name = Path::new(name).file_name().map_or("text".into(), |n| n.to_string_lossy().into_owned());
    for n in 0..TRIES {
        let path = std::env::temp_dir().join(format!("egress-lab-{}-{n}-{name}", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(mut file) => return file.write_all(text.as_bytes()).map(|()| path),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => (),
            Err(e) => return Err(e),
        }
    }
    Err(std::io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| w.to_string()).collect()
    }

    #[test]
    fn a_setting_is_a_word_or_a_command() {
        assert_eq!([Chosen::read("auto"), Chosen::read(" "), Chosen::read("own")], [Chosen::Auto, Chosen::Auto, Chosen::Own]);
        let command = Chosen::read("code --wait");
        assert!(!command.is_own() && Chosen::Own.is_own());
        assert_eq!(command.command(), Ok(argv(&["code", "--wait"])));
    }

    #[test]
    fn an_editor_gets_the_text_and_gives_it_back() {
        assert_eq!(edit(&argv(&["true"]), "a/b.yaml", "x: 1\n"), Ok("x: 1\n".into()));
        assert_eq!(edit(&argv(&["sed", "-i", "s/1/2/"]), "b.yaml", "x: 1\n"), Ok("x: 2\n".into()));
    }

    #[test]
    fn an_editor_that_is_not_there_or_fails_changes_nothing() {
        assert!(edit(&argv(&["no-such-editor-here"]), "b.yaml", "x").unwrap_err().contains("$EDITOR"));
        assert!(edit(&argv(&["false"]), "b.yaml", "x").unwrap_err().contains("nothing was changed"));
    }
}
