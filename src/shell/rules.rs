//! What a line may use. The shell can do more than some places allow.

use crate::shell::ast::{Command, ParameterOp, Part, Redirect, Script, Simple, Target, Word};
use crate::shell::parse::{Error, ErrorKind};

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
    /// A sentence that names the first thing that is not taken here ([`ErrorKind::Refused`]).
    pub fn check(&self, script: &Script) -> Result<(), Error> {
        for item in &script.items {
            for pipeline in [&item.first].into_iter().chain(item.rest.iter().map(|(_, p)| p)) {
                for stage in &pipeline.stages {
                    self.command(stage)?;
                }
            }
        }
        Ok(())
    }

    fn command(&self, command: &Command) -> Result<(), Error> {
        match command {
            Command::Simple(simple) => self.simple(simple),
            Command::Compound { .. } if self.blocks => Ok(()),
            Command::Compound { .. } => {
                Err(refused("blocks (if, for, while, case, brackets) at this prompt; the test pod's shell has them"))
            }
        }
    }

    fn simple(&self, simple: &Simple) -> Result<(), Error> {
        if let Some((name, _)) = simple.assigns.first().filter(|_| !self.assignments) {
            return Err(refused(&format!("variable assignment ({name}=..) at this prompt")));
        }
        let targets = simple.redirects.iter().filter_map(target);
        let assigned = simple.assigns.iter().map(|(_, word)| word);
        simple.words.iter().chain(assigned).chain(targets).try_for_each(|word| self.word(word))
    }

    fn word(&self, word: &Word) -> Result<(), Error> {
        word.0.iter().try_for_each(|part| match part {
            Part::Command { .. } if !self.substitution => Err(refused("command substitution ($(..)) at this prompt")),
            Part::Arithmetic { .. } if !self.variables => Err(refused("arithmetic ($((..))) at this prompt")),
            Part::Parameter { name, .. } if !self.variables => {
                Err(refused(&format!("variables (${name}) at this prompt; put the text in single quotes to pass it on as it is")))
            }
            Part::Parameter { op: Some(op), .. } => match op.as_ref() {
                ParameterOp::Choose { word, .. } | ParameterOp::Trim { word, .. } => self.word(word),
                ParameterOp::Length => Ok(()),
            },
            _ => Ok(()),
        })
    }
}

fn target(redirect: &Redirect) -> Option<&Word> {
    match &redirect.to {
        Target::Read(w) | Target::Write(w) | Target::Append(w) | Target::Both(w) | Target::Here(w) => Some(w),
        Target::Duplicate(_) | Target::Close => None,
    }
}

fn refused(what: &str) -> Error {
    Error { kind: ErrorKind::Refused, line: 1, column: 1, message: crate::base::not_simulated(what) }
}

#[cfg(test)]
mod tests {
    use super::Rules;
    use crate::shell::parse::parse;

    #[test]
    fn the_lab_takes_commands_and_nothing_that_computes() {
        let table = [
            ("kubectl get po | grep test && echo ok > out", true),
            ("kubectl apply -f - <<'EOF'\na: $b\nEOF", true),
            ("kubectl exec test -- sh -c 'for i in 1 2; do echo $i; done'", true),
            ("A=1", false),
            ("A=1 kubectl get po", false),
            ("echo $HOME", false),
            ("echo \"${HOME:-x}\"", false),
            ("echo $(ls)", false),
            ("cat <<EOF\n$x\nEOF", false),
            ("for i in 1; do ls; done", false),
            ("(ls)", false),
        ];
        for (text, taken) in table {
            let script = parse(text).unwrap();
            assert_eq!(Rules::LAB.check(&script).is_ok(), taken, "{text}");
            assert!(Rules::POD.check(&script).is_ok(), "{text}");
        }
    }
}
