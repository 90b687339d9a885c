//! Commands about the terminal: stty and tty.

use super::Tool;

/// `stty size`; the settings themselves are not imitated.
pub fn stty(tool: &mut Tool<'_>) -> i32 {
    if !tool.streams.in_tty {
        return tool.fail("stty: standard input: Not a tty");
    }
    match tool.args() {
        [word] if word == "size" => {
            // A terminal whose size nobody told has none.
            let (cols, rows) = tool.streams.size.unwrap_or((0, 0));
            tool.say(&format!("{rows} {cols}\n"))
        }
        other => {
            let what = format!("stty {}", other.join(" "));
            tool.refuse(what.trim_end())
        }
    }
}

pub fn tty(tool: &mut Tool<'_>) -> i32 {
    let silent = tool.args().iter().any(|a| a == "-s");
    match (tool.streams.in_tty, silent) {
        (true, true) => 0,
        (true, false) => tool.say("/dev/pts/0\n"),
        (false, true) => 1,
        (false, false) => {
            tool.say("not a tty\n");
            1
        }
    }
}
