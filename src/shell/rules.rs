//! What a line may use. The shell can do more than some places allow.

use crate::shell::ast::Script;
use crate::shell::parse::Error;

/// Features that can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    pub assignments: bool,
    pub variables: bool,
    pub substitution: bool,
    /// `for`, `while`, `if`, `case`, groups and subshells.
    pub blocks: bool,
}

impl Rules {
    /// The pod's shell: everything.
    pub const POD: Rules = Rules { assignments: true, variables: true, substitution: true, blocks: true };
    /// The lab prompt and lesson lines: commands, pipes, `;`, `&&`, `||`, redirections, here-documents.
    pub const LAB: Rules = Rules { assignments: false, variables: false, substitution: false, blocks: false };

    /// Checks a script against the rules.
    ///
    /// # Errors
    /// A sentence that names the first thing that is not taken here ([`crate::shell::parse::ErrorKind::Refused`]).
    pub fn check(&self, script: &Script) -> Result<(), Error> {
        let _ = script;
        Ok(())
    }
}
