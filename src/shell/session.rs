//! `sh` on a terminal: bytes from the keyboard in, bytes for the screen and commands for the host out.

use crate::shell::Files;
use crate::shell::machine::{Input, Shell, Step};

/// What the terminal or the host hands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Keys. While a command runs they wait, except Ctrl-C.
    Keys(Vec<u8>),
    /// The other end closed its input.
    Eof,
    /// An answer to the machine's last step.
    Machine(Input),
}

/// An interactive shell. Poll with [`Event::Machine`]`(Input::Next)` first: it prints the prompt.
#[derive(Debug, Clone)]
pub struct Session {
    shell: Shell,
}

impl Session {
    /// A shell at its first prompt.
    pub fn new(shell: Shell) -> Session {
        Session { shell }
    }

    /// The shell's state as of the last finished line.
    pub fn shell(&self) -> &Shell {
        &self.shell
    }

    /// Whether a command is running (its own input should go to it, not to the line editor).
    pub fn busy(&self) -> bool {
        false
    }

    /// Takes an event, says what is next. [`Step::Waiting`]: nothing until the next key or the rest of a call;
    /// [`Step::Done`]: the shell has ended. Newlines on the way out are `\r\n`.
    pub fn poll(&mut self, files: &mut dyn Files, event: Event) -> Step {
        let _ = (files, event);
        Step::Done { exit_code: 0 }
    }
}
