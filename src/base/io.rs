//! What a command (kubectl, istioctl, a lab-prompt line) reads and writes, without naming a runtime.

use crate::base::files::Files;
use futures::StreamExt;
use futures::stream::BoxStream;
use std::sync::{Arc, Mutex};

/// Which of the two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    Out,
    Err,
}

/// What reaches a running command from its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Bytes(Vec<u8>),
    /// End of input: the pipe closed, or Ctrl-D on an empty line of a terminal that is not raw.
    Eof,
    /// The terminal's new size.
    Resize {
        cols: u16,
        rows: u16,
    },
    /// Ctrl-C: give up what you are doing. A command with a TTY stream sends byte 0x03 instead.
    Interrupt,
}

/// Everything a command may touch besides its client. Output is a callback: it must not block.
pub struct Io {
    /// Input as it comes; ends with [`Input::Eof`] or by ending.
    pub stdin: BoxStream<'static, Input>,
    /// Receives output in the order it is made.
    pub out: Box<dyn FnMut(Stream, &[u8]) + Send>,
    /// The lab's folder, or the caller's file system.
    pub files: Arc<dyn Files>,
    /// The terminal's size (columns, rows) when input is a terminal.
    pub tty: Option<(u16, u16)>,
    /// Runs an editor on the text and gives the edited text back; `None` where no editor can be had.
    pub editor: Option<Arc<dyn Editor>>,
    /// Makes the terminal raw while a stream with a TTY runs; `None` where something else keeps it so, or there is none.
    pub raw: Option<Arc<dyn RawMode>>,
}

/// Opens a person's editor on a text (kubectl edit, `edit FILE`).
pub trait Editor: Send + Sync {
    /// Blocks until the editor ends. `name` is a suggestion for the file's name (its extension picks the mode).
    ///
    /// # Errors
    /// A sentence for people when no editor could be started or it failed.
    fn edit(&self, name: &str, text: &str) -> Result<String, String>;
}

/// A terminal that can be told to pass every key on as it is.
pub trait RawMode: Send + Sync {
    /// Switches it; a terminal that cannot be switched stays as it is.
    fn set(&self, on: bool);
}

/// A terminal that is raw until this value ends, however it ends.
pub struct Raw(Arc<dyn RawMode>);

impl Raw {
    /// Switches a terminal to raw.
    pub fn on(mode: &Arc<dyn RawMode>) -> Raw {
        mode.set(true);
        Raw(mode.clone())
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// What a command wrote, kept instead of shown.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<[Vec<u8>; 2]>>);

impl Heard {
    /// Everything so far on one of the streams; bytes that are no text are replaced.
    pub fn text(&self, stream: Stream) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(|p| p.into_inner())[stream as usize]).into_owned()
    }
}

impl Io {
    /// For a command that runs unseen: without input, its output kept.
    pub fn collecting(files: Arc<dyn Files>) -> (Io, Heard) {
        let heard = Heard::default();
        let into = heard.clone();
        let out = move |stream: Stream, bytes: &[u8]| {
            into.0.lock().unwrap_or_else(|p| p.into_inner())[stream as usize].extend_from_slice(bytes);
        };
        let stdin = futures::stream::empty().boxed();
        (Io { stdin, out: Box::new(out), files, tty: None, editor: None, raw: None }, heard)
    }

    /// Writes a line to standard output.
    pub fn say(&mut self, line: &str) {
        (self.out)(Stream::Out, format!("{line}\n").as_bytes());
    }

    /// Writes a line to standard error.
    pub fn warn(&mut self, line: &str) {
        (self.out)(Stream::Err, format!("{line}\n").as_bytes());
    }

    /// Writes bytes to standard output as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        (self.out)(Stream::Out, bytes);
    }
}
