//! The object that decided a line of the picture: its YAML around the field, whose lines are marked.

use crate::base::text::wrap;
use crate::base::yaml::places;
use crate::finding::picture::{Decided, look_at};
use crate::session::Session;
use crate::session::desk::{Answer, AskId, Request};
use crate::tui::frame::{self, Pane};
use crate::tui::keymap::{Command, Scope};
use crate::tui::over::{Over, Reach, Then};
use crate::tui::scroll::Scroll;
use crate::tui::theme::{Theme, Tone};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// The screen.
pub struct ObjectScreen {
    decided: Decided,
    asked: Option<AskId>,
    yaml: Option<Result<String, String>>,
    /// `None` until the learner scrolls: the marked lines are in the middle.
    scroll: Option<Scroll>,
}

/// The lines of a field, from 0, without the one after the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    pub from: usize,
    pub to: usize,
    /// The part of the field's path that is there.
    pub found: String,
}

impl ObjectScreen {
    pub fn new(decided: Decided) -> ObjectScreen {
        ObjectScreen { decided, asked: None, yaml: None, scroll: None }
    }

    /// The page, and where on it the marked lines begin.
    fn page(&self, columns: usize, theme: Theme) -> (Vec<Line<'static>>, usize) {
        let columns = columns.max(20);
        let said = wrap(&self.decided.text, columns, 0).into_iter();
        let mut lines: Vec<Line<'static>> = said.map(|text| Line::styled(text, theme.style(Tone::Strong))).collect();
        let yaml = match &self.yaml {
            None => {
                lines.push(Line::from("Reading it ..."));
                return (lines, 0);
            }
            Some(Err(sentence)) => {
                let text = format!("It cannot be read now: {sentence}");
                lines.extend(wrap(&text, columns, 0).into_iter().map(Line::from));
                return (lines, 0);
            }
            Some(Ok(yaml)) => yaml,
        };
        let marked = marked(yaml, &self.decided.field);
        let told = match &marked {
            Some(marked) if marked.found == self.decided.field => format!("decided by {}", self.decided.field),
            Some(marked) => format!("decided by {}, which is not set; {} is marked", self.decided.field, marked.found),
            None => format!("decided by {}, which is not set", self.decided.field),
        };
        lines.extend(wrap(&told, columns, 0).into_iter().map(Line::from));
        lines.push(Line::default());
        let mut at = lines.len();
        for (nth, text) in yaml.lines().enumerate() {
            let is_marked = marked.as_ref().is_some_and(|marked| (marked.from..marked.to).contains(&nth));
            if is_marked && marked.as_ref().is_some_and(|marked| marked.from == nth) {
                at = lines.len();
            }
            let (mark, tone) = if is_marked { ("> ", Tone::Strong) } else { ("  ", Tone::Plain) };
            for row in wrap(text, columns - 2, 2) {
                lines.push(Line::from(vec![Span::styled(mark, theme.style(Tone::Good)), Span::styled(row, theme.style(tone))]));
            }
        }
        (lines, at)
    }

    fn top(&self, at: usize, height: usize) -> Scroll {
        self.scroll.unwrap_or(Scroll(if at + 4 < height { 0 } else { at.saturating_sub(height / 3) }))
    }
}

/// The lines of a field, or of what of its path is there: `spec.ports[0].protocol`; behind a space the path within a text
/// (`data.mesh outboundTrafficPolicy.mode`).
pub fn marked(yaml: &str, field: &str) -> Option<Marked> {
    let (outer, inner) = field.split_once(' ').unwrap_or((field, ""));
    let places = places(yaml);
    let lines: Vec<&str> = yaml.lines().collect();
    let (line, found) = heads(outer).find_map(|path| {
        let place = places.get(&format!("{path}!")).or_else(|| places.get(path))?;
        Some((place.0 - 1, path.to_string()))
    })?;
    let mut at = line;
    let mut known = found.clone();
    if found == outer {
        let mut within = Vec::new();
        for key in inner.split('.').filter(|key| !key.is_empty()) {
            let end = at + extent(&lines, at);
            let Some(next) = (at + 1..end).find(|nth| lines[*nth].trim_start().starts_with(&format!("{key}:"))) else { break };
            at = next;
            within.push(key);
        }
        if !within.is_empty() {
            known = format!("{outer} {}", within.join("."));
        }
    }
    Some(Marked { from: at, to: at + extent(&lines, at), found: known })
}

/// A path and every beginning of it, the longest first.
fn heads(path: &str) -> impl Iterator<Item = &str> {
    let cuts = path.rmatch_indices(['.', '[']).map(|(at, _)| at);
    std::iter::once(path.len()).chain(cuts).map(|at| &path[..at]).filter(|head| !head.is_empty())
}

/// How many lines belong to the entry that begins at one.
fn extent(lines: &[&str], at: usize) -> usize {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let Some(first) = lines.get(at) else { return 0 };
    let own = indent(first);
    let item = |line: &str| line.trim_start().starts_with("- ");
    let belongs =
        |line: &&&str| line.trim().is_empty() || indent(line) > own || (indent(line) == own && item(line) && !item(first));
    1 + lines[at + 1..].iter().take_while(belongs).count()
}

impl Over for ObjectScreen {
    fn title(&self, _session: &Session) -> String {
        self.decided.object.clone()
    }

    fn scope(&self) -> Scope {
        Scope::Picture
    }

    fn offers(&self) -> Vec<Command> {
        vec![Command::Leave, Command::Up, Command::Down, Command::PageDown, Command::Copy, Command::Help]
    }

    fn opened(&mut self, reach: &mut Reach<'_>) {
        if let Some((kind, namespace, name)) = self.decided.reference() {
            let (kind, namespace, name) = (kind.to_string(), namespace.to_string(), name.to_string());
            self.asked = Some(reach.ask(Request::Object { kind, namespace, name }));
        }
    }

    fn key(&mut self, key: &KeyEvent, command: Option<Command>, reach: &mut Reach<'_>) -> Then {
        let height = usize::from(reach.size.height.saturating_sub(4));
        let (lines, at) = self.page(usize::from(reach.size.width), Theme::PLAIN);
        let mut scroll = self.top(at, height);
        match command {
            Some(Command::Leave | Command::HopBack) => return Then::Close,
            Some(Command::Copy) => {
                return match &self.yaml {
                    Some(Ok(yaml)) => Then::Copy(yaml.clone()),
                    _ => Then::Say("There is nothing to copy yet.".into()),
                };
            }
            Some(command) if scroll.moved(command, lines.len(), height) => self.scroll = Some(scroll),
            _ if key.code == KeyCode::Char('q') => return Then::Close,
            _ => (),
        }
        Then::Stay
    }

    fn answered(&mut self, id: AskId, answer: &Result<Answer, String>, _reach: &mut Reach<'_>) -> bool {
        if self.asked != Some(id) {
            return false;
        }
        self.yaml = match answer {
            Ok(Answer::Object(yaml)) => Some(Ok(yaml.clone())),
            Ok(_) => None,
            Err(sentence) => Some(Err(sentence.clone())),
        };
        true
    }

    fn draw(&self, _session: &Session, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
        let (lines, at) = self.page(usize::from(area.width), theme);
        let scroll = self.top(at, usize::from(area.height.saturating_sub(1)));
        let title = look_at(&self.decided).unwrap_or_else(|| self.decided.object.clone());
        frame::pane(frame, area, &Pane { title: &title, focused: true, lines: &lines, scroll, keys: Some("PageDown") }, theme);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "kind: ServiceEntry\nmetadata:\n  name: x\nspec:\n  hosts:\n  - a.example\n  - b.example\n  ports:\n  - name: http\n    number: 80\n    protocol: HTTP\n  - name: tls\n    number: 443\n    protocol: TLS\n  resolution: DNS\n";
    const MAP: &str = "data:\n  mesh: |-\n    accessLogFile: /dev/stdout\n    outboundTrafficPolicy:\n      mode: REGISTRY_ONLY\n    trustDomain: cluster.local\n  meshNetworks: 'networks: {}'\n";

    #[test]
    fn the_lines_of_a_field_are_found() {
        for (yaml, field, lines, found) in [
            (ENTRY, "spec.ports[1].protocol", 13..14, "spec.ports[1].protocol"),
            (ENTRY, "spec.hosts", 4..7, "spec.hosts"),
            (ENTRY, "spec.hosts[1]", 6..7, "spec.hosts[1]"),
            (ENTRY, "spec.ports[0]", 8..11, "spec.ports[0]"),
            (ENTRY, "spec.location", 3..15, "spec"),
            (ENTRY, "spec.ports[1].targetPort", 11..14, "spec.ports[1]"),
            (MAP, "data.mesh outboundTrafficPolicy.mode", 4..5, "data.mesh outboundTrafficPolicy.mode"),
            (MAP, "data.mesh outboundTrafficPolicy.other", 3..5, "data.mesh outboundTrafficPolicy"),
            (MAP, "data.mesh enableTracing", 1..6, "data.mesh"),
        ] {
            let marked = marked(yaml, field).unwrap_or_else(|| panic!("{field}"));
            assert_eq!((marked.from..marked.to, marked.found.as_str()), (lines, found), "{field}");
        }
        assert_eq!(marked(ENTRY, "status.conditions"), None);
    }
}
