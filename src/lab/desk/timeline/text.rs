//! The time-line as lines of text: for the prompt, plain mode and pipes.

use crate::base::clock::Time;
use crate::base::duration;
use crate::base::text::count;
use crate::k8s::Key;
use crate::session::desk::timeline::{Compared, Moment, Past, Sign, TimeLine, Told, Undone};
use std::fmt::Write as _;

/// Own changes that the question before a return lists.
const OWN: usize = 10;
/// Objects of a list.
const THINGS: usize = 40;

/// How long ago.
pub fn ago(now: Time, at: Time) -> String {
    format!("{} ago", duration::human(now.since(at).max(0)))
}

/// The list of changes, the newest last.
pub fn list(line: &TimeLine) -> String {
    let mut out = String::new();
    if let Past::MarksOnly(why) = &line.past {
        let _ = writeln!(out, "{why}");
    }
    let rows: Vec<[String; 4]> = line.moments.iter().map(|m| row(line.now, m)).collect();
    let width = |n: usize, least: usize| rows.iter().map(|row| row[n].chars().count()).chain([least]).max().unwrap_or(least);
    let (a, b, c) = (width(0, 3), width(1, 4), width(2, 3).min(34));
    let _ = writeln!(out, "{:<a$}  {:<b$}  {:<c$}  WHAT", "REV", "WHEN", "WHO");
    for [revision, when, who, what] in &rows {
        let _ = writeln!(out, "{revision:<a$}  {when:<b$}  {who:<c$}  {what}");
    }
    if rows.is_empty() {
        out.push_str("Nothing yet.\n");
    }
    out
}

fn row(now: Time, moment: &Moment) -> [String; 4] {
    [moment.revision.to_string(), ago(now, moment.at), moment.who.clone(), what(moment)]
}

/// What happened, how much more, and the bookmark.
pub fn what(moment: &Moment) -> String {
    let more = if moment.more > 0 { format!(" and {} more", moment.more) } else { String::new() };
    let mark = moment.mark.as_ref().map(|mark| format!("  [{mark}]")).unwrap_or_default();
    format!("{}{more}{mark}", moment.what)
}

/// One change.
pub fn told(told: &Told, now: Time) -> String {
    let m = &told.moment;
    let mut out = format!("revision {}, {}, by {}: {}\n", m.revision, ago(now, m.at), m.who, what(m));
    for part in told.parts.iter().take(THINGS) {
        let _ = writeln!(out, "  {} {}, by {}", part.verb.word(), part.thing, part.who);
    }
    let rest = told.parts.len().saturating_sub(THINGS) + told.unlisted;
    if rest > 0 {
        let _ = writeln!(out, "  and {rest} more");
    }
    out.push('\n');
    out + &signed(&told.lines)
}

/// Lines with the sign that says whether they went or came.
pub fn signed(lines: &[(Sign, String)]) -> String {
    let mut out = String::new();
    for (sign, line) in lines {
        let sign = match sign {
            Sign::Same => "  ",
            Sign::Added => "+ ",
            Sign::Removed => "- ",
            Sign::Title => "== ",
        };
        let _ = writeln!(out, "{}", format!("{sign}{line}").trim_end());
    }
    out
}

/// Two points compared.
pub fn compared(found: &Compared, with_lines: bool) -> String {
    let mut out = format!("{} -> {}\n\nobjects\n", found.from, found.to);
    let all = [("added", &found.added), ("removed", &found.removed), ("changed", &found.changed)];
    for (word, things) in all {
        out.push_str(&listed(word, things));
    }
    if all.iter().all(|(_, things)| things.is_empty()) {
        out.push_str("  no difference\n");
    }
    if with_lines && !found.lines.is_empty() {
        out.push('\n');
        out.push_str(&signed(&found.lines));
    }
    let (allowed, denied) = found.reach;
    let _ = writeln!(out, "\ntraffic: {} became allowed, {} became denied", requests(allowed), requests(denied));
    for line in &found.traffic {
        let _ = writeln!(out, "{line}");
    }
    out
}

fn requests(n: usize) -> String {
    count(n, "request")
}

fn listed(word: &str, things: &[Key]) -> String {
    let mut out = String::new();
    for thing in things.iter().take(THINGS) {
        let _ = writeln!(out, "  {word:<8} {thing}");
    }
    if things.len() > THINGS {
        let _ = writeln!(out, "  {word:<8} and {} more", things.len() - THINGS);
    }
    out
}

/// What going back would do.
pub fn undone(undone: &Undone) -> String {
    let changes = if undone.all == 1 { "1 change".to_string() } else { format!("{} changes", undone.all) };
    let mut out = format!("Returning to revision {} undoes {changes} made since:\n", undone.revision);
    for what in undone.own.iter().take(OWN) {
        let _ = writeln!(out, "  {what}");
    }
    if undone.own.len() > OWN {
        let _ = writeln!(out, "  and {} more of this kind", undone.own.len() - OWN);
    }
    out.push_str("It would:\n");
    for (word, things) in [("delete", &undone.deleted), ("put back", &undone.created), ("change", &undone.changed)] {
        out.push_str(&listed(word, things));
    }
    if undone.deleted.is_empty() && undone.created.is_empty() && undone.changed.is_empty() {
        out.push_str("  change no object; files, logs and processes in pods go back\n");
    }
    out.push_str("The return is written as a new revision: it can be undone in the same way.\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_a_table_that_a_pipe_can_read() {
        let moment = |revision, who: &str, more| Moment {
            revision,
            at: Time(0),
            who: who.into(),
            own: true,
            what: "created Pod default/test".into(),
            more,
            mark: (more > 0).then(|| "start".into()),
        };
        let line = TimeLine {
            past: Past::Kept,
            now: Time(65_000),
            moments: vec![moment(9, "you (kubectl)", 2), moment(10, "kubelet", 0)],
        };
        insta::assert_snapshot!(list(&line), @r"
        REV  WHEN     WHO            WHAT
        9    65s ago  you (kubectl)  created Pod default/test and 2 more  [start]
        10   65s ago  kubelet        created Pod default/test
        ");
    }
}
