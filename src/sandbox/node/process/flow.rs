//! How commands get their standard input: passed on piece by piece (`cat`), or collected up to its end.

use super::{COLLECT_LIMIT, Next, Process};
use crate::base::io::Stream;
use crate::base::not_simulated;
use crate::sandbox::node::space::Space;
use crate::shell::machine::{Call, Input, Shell};

/// Bytes that go through in one step.
const PIECE: usize = 32 * 1024;

/// Whether the command prints its input as it comes, so that nothing has to be kept.
pub(super) fn passes_on(call: &Call) -> bool {
    let name = call.argv.first().map_or("", |n| n.rsplit('/').next().unwrap_or(n));
    name == "cat" && call.argv[1..].iter().all(|a| a == "-" || a == "-u") && call.argv.iter().filter(|a| *a == "-").count() < 2
}

impl Process {
    /// A command that waits for its input.
    pub(super) fn collect(&mut self, space: &mut Space<'_, '_>, call: Call) -> Next {
        if passes_on(&call) {
            return self.pass_on(call);
        }
        if self.stdin_open && !self.line_end {
            if self.stdin.len() <= COLLECT_LIMIT {
                self.collecting = Some(call);
                return Next::Wait(None);
            }
            return self.too_much(&call.argv[0]);
        }
        self.line_end = false;
        let bytes = self.stdin.drain(..).collect();
        self.run(space, &call, Some(bytes));
        Next::Again
    }

    /// A terminal hands over whole lines only, everything else what there is.
    fn pass_on(&mut self, call: Call) -> Next {
        let ended = !self.stdin_open || self.line_end;
        let ready = match self.tty && !ended {
            true => self.stdin.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1),
            false => self.stdin.len(),
        };
        if ready > 0 {
            let bytes = self.stdin.drain(..ready.min(PIECE)).collect();
            self.collecting = Some(call);
            return Next::Feed(Input::Output { stream: Stream::Out, bytes });
        }
        if !ended {
            self.collecting = Some(call);
            return Next::Wait(None);
        }
        self.line_end = false;
        Next::Feed(Input::Returned { exit_code: 0, read_stdin: true })
    }

    fn too_much(&mut self, name: &str) -> Next {
        self.stdin.clear();
        match name.rsplit('/').next() {
            Some("tar") => self.fail("tar: write error: No space left on device\n", 1),
            _ => {
                let what = format!("{name} with more than {} MiB of standard input", COLLECT_LIMIT >> 20);
                self.fail(&format!("{}\n", not_simulated(&what)), 125);
            }
        }
        Next::Again
    }

    /// A shell that reads its script from standard input.
    pub(super) fn collect_script(&mut self, shell: Shell) -> Next {
        if self.stdin_open {
            if self.stdin.len() <= COLLECT_LIMIT {
                self.collecting_script = Some(shell);
                return Next::Wait(None);
            }
            return self.too_much(&shell.name);
        }
        let bytes: Vec<u8> = self.stdin.drain(..).collect();
        self.script(shell, &String::from_utf8_lossy(&bytes));
        Next::Again
    }
}
