//! What stands in place of the list: one change, a comparison, the question before a return.

use super::Detail;
use crate::base::text::{clip, count, wrap};
use crate::k8s::Key;
use crate::session::desk::timeline::{Compared, Sign, Told, Undone};
use crate::tui::theme::{Theme, Tone};
use ratatui::text::Line;

/// Objects of a list.
const THINGS: usize = 40;
/// Own changes that the question before a return names.
const OWN: usize = 12;

/// A page's lines.
pub fn lines(detail: &Detail, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut sheet = Sheet { lines: Vec::new(), columns: columns.saturating_sub(1), theme };
    match detail {
        Detail::Change(told, _) => sheet.told(told),
        Detail::Compared(found, _) => sheet.compared(found),
        Detail::Return(undone, _) => sheet.undone(undone),
    }
    sheet.lines
}

/// Lines of a comparison, each with a sign of its own: colour is never alone.
pub fn signed(lines: &[(Sign, String)], columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut out = Vec::new();
    for (sign, text) in lines {
        let (mark, tone) = match sign {
            Sign::Same => ("  ", Tone::Quiet),
            Sign::Added => ("+ ", Tone::Good),
            Sign::Removed => ("- ", Tone::Bad),
            Sign::Title => ("", Tone::Strong),
        };
        if *sign == Sign::Title {
            out.push(Line::default());
        }
        let rows = wrap(&format!("{mark}{text}"), columns, 4);
        out.extend(rows.into_iter().map(|row| Line::styled(row, theme.style(tone))));
    }
    out
}

struct Sheet {
    lines: Vec<Line<'static>>,
    columns: usize,
    theme: Theme,
}

impl Sheet {
    fn say(&mut self, tone: Tone, text: &str, hang: usize) {
        let style = self.theme.style(tone);
        self.lines.extend(wrap(text, self.columns, hang).into_iter().map(|row| Line::styled(row, style)));
    }

    fn gap(&mut self) {
        self.lines.push(Line::default());
    }

    fn told(&mut self, told: &Told) {
        self.say(Tone::Strong, &told.moment.what, 2);
        let mark = told.moment.mark.as_ref().map(|mark| format!(", bookmark {mark}")).unwrap_or_default();
        self.say(Tone::Plain, &format!("by {}{mark}", told.moment.who), 2);
        self.gap();
        for part in told.parts.iter().take(THINGS) {
            self.say(Tone::Plain, &format!("  {} {}, by {}", part.verb.word(), part.thing, part.who), 4);
        }
        let rest = told.parts.len().saturating_sub(THINGS) + told.unlisted;
        if rest > 0 {
            self.say(Tone::Plain, &format!("  and {rest} more"), 4);
        }
        if told.parts.is_empty() {
            self.say(Tone::Plain, "  No object changed; files, logs or processes in a pod did.", 2);
        }
        self.lines.extend(signed(&told.lines, self.columns, self.theme));
    }

    fn compared(&mut self, found: &Compared) {
        self.say(Tone::Strong, &format!("{} -> {}", found.from, found.to), 2);
        let (allowed, denied) = found.reach;
        let reach = format!("{} became allowed, {} became denied", count(allowed, "request"), count(denied, "request"));
        self.say(if denied + allowed == 0 { Tone::Plain } else { Tone::Unsure }, &reach, 2);
        self.gap();
        self.say(Tone::Strong, "Objects", 0);
        self.things("added", Tone::Good, &found.added);
        self.things("removed", Tone::Bad, &found.removed);
        self.things("changed", Tone::Unsure, &found.changed);
        if found.added.is_empty() && found.removed.is_empty() && found.changed.is_empty() {
            self.say(Tone::Plain, "  no difference", 2);
        }
        self.gap();
        self.say(Tone::Strong, "Traffic", 0);
        for line in &found.traffic {
            let tone = match line.as_str() {
                "became allowed" => Tone::Good,
                "became denied" => Tone::Bad,
                _ => Tone::Plain,
            };
            self.say(tone, line, 18);
        }
        self.lines.extend(signed(&found.lines, self.columns, self.theme));
    }

    fn things(&mut self, word: &str, tone: Tone, things: &[Key]) {
        for thing in things.iter().take(THINGS) {
            self.say(tone, &format!("  {word:<9} {thing}"), 4);
        }
        if things.len() > THINGS {
            self.say(tone, &format!("  {word:<9} and {} more", things.len() - THINGS), 4);
        }
    }

    fn undone(&mut self, undone: &Undone) {
        let changes = count(undone.all, "change");
        let question = format!("Return to revision {}? It undoes {changes} made since.   y: yes   n: no", undone.revision);
        self.say(Tone::Focus, &question, 2);
        self.gap();
        if !undone.own.is_empty() {
            self.say(Tone::Strong, "Your own changes since, the newest first", 0);
            for what in undone.own.iter().take(OWN) {
                let text = clip(what, self.columns.saturating_sub(2), self.theme.ascii);
                self.say(Tone::Plain, &format!("  {text}"), 4);
            }
            if undone.own.len() > OWN {
                self.say(Tone::Plain, &format!("  and {} more", undone.own.len() - OWN), 4);
            }
            self.gap();
        }
        self.say(Tone::Strong, "It would", 0);
        self.things("delete", Tone::Bad, &undone.deleted);
        self.things("put back", Tone::Good, &undone.created);
        self.things("change", Tone::Unsure, &undone.changed);
        if undone.deleted.is_empty() && undone.created.is_empty() && undone.changed.is_empty() {
            self.say(Tone::Plain, "  change no object; files, logs and processes in pods go back", 2);
        }
        self.gap();
        self.say(Tone::Plain, "The return is written as a new revision: it can be undone in the same way.", 0);
    }
}
