//! Checks and previews as lines: what the words of the prompt print.

use crate::session::desk::manifest::{Grade, Preview, Problem, Turn};
use similar::{ChangeTag, TextDiff};

/// Lines of one object's difference that are printed.
const LINES: usize = 400;

/// A problem: place, what, what next.
pub fn problem(name: &str, problem: &Problem) -> String {
    let word = match problem.grade {
        Grade::Syntax | Grade::Refused => "error",
        Grade::Unsure => "note",
    };
    let mut out = format!("{name}:{}:{}: {word}: {}\n", problem.line, problem.column, problem.what);
    if !problem.next.is_empty() {
        out.push_str(&format!("  {}\n", problem.next));
    }
    out
}

/// A whole change.
pub fn preview(preview: &Preview) -> String {
    let mut out = match preview.done {
        true => format!("What this changed: {}\n", preview.name.lines().next().unwrap_or("")),
        false => format!("What applying {} would change; nothing is applied\n", preview.name),
    };
    preview.problems.iter().for_each(|p| out.push_str(&problem(&preview.name, p)));
    for object in &preview.objects {
        out.push_str(&format!("\n{} {}\n", object.turn.word(), object.name));
        if object.turn != Turn::Unchanged {
            out.push_str(&lines(&object.before, &object.after));
        }
    }
    if preview.objects.is_empty() {
        out.push_str("\nNo object changes.\n");
    }
    traffic(preview, &mut out);
    for note in &preview.notes {
        out.push_str(&format!("note: {note}\n"));
    }
    out
}

fn traffic(preview: &Preview, out: &mut String) {
    if preview.compared.is_empty() {
        return;
    }
    out.push_str(&format!("\nRequests ({})\n", preview.compared));
    for moved in &preview.moved {
        out.push_str(&format!("{}: {}\n", moved.shift.word(), moved.url));
        out.push_str(&format!("  from {}\n  was  {}\n  is   {}\n", moved.from.join(", "), moved.was, moved.is));
        out.push_str(&format!("  decided by {}\n", moved.decided));
    }
    if preview.moved.is_empty() {
        out.push_str("nothing changes for any of them\n");
    }
    for opened in &preview.opened {
        out.push_str(&format!("also opens: {} by {}\n", opened.opening, opened.by));
        out.push_str(&format!("  {}\n  lets out {}\n", opened.why, opened.from.join(", ")));
        out.push_str(&format!("  witness {}\n  {}\n", opened.witness, opened.result));
    }
    for closed in &preview.closed {
        out.push_str(&format!("closes: {closed}\n"));
    }
}

/// The difference of two texts with three lines around each change; a text that is new or gone is all `+` or `-`.
pub fn lines(before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let mut out = String::new();
    let mut told = 0;
    for (nth, group) in diff.grouped_ops(3).iter().enumerate() {
        if nth > 0 {
            out.push_str("  ..\n");
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Insert => '+',
                ChangeTag::Delete => '-',
            };
            told += 1;
            if told > LINES {
                return out + "  .. and more\n";
            }
            out.push_str(&format!("{sign} {}\n", change.value().trim_end_matches('\n')));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn signs_say_what_colours_would() {
        assert_eq!(super::lines("a\nb\n", "a\nc\n"), "  a\n- b\n+ c\n");
        assert_eq!(super::lines("", "a\n"), "+ a\n");
    }
}
