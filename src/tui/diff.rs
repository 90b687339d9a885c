//! What a change does: objects before and after, requests that fare differently, what is open that was not. A screen over the lesson's;
//! before a manifest is applied, and after the last line that changed something.

pub mod lines;

use super::frame::{self, Pane};
use super::keymap::{Command, Scope};
use super::over::{Over, Reach, Then};
use super::scroll::Scroll;
use super::theme::{Theme, Tone};
use crate::base::text::{count, wrap};
use crate::session::Session;
use crate::session::desk::manifest::{Grade, OpenFile, Preview, Shift, Turn};
use crate::session::desk::{Answer, AskId, Request};
use crossterm::event::{KeyCode, KeyEvent};
use lines::Part;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// What is looked at.
enum Of {
    /// A manifest that is saved under a name and not applied yet.
    Manifest {
        name: String,
        text: String,
    },
    /// A file of the lab's folder that is being read.
    File(String),
    LastChange,
}

/// A change on screen.
pub struct Diff {
    of: Of,
    asked: Option<AskId>,
    found: Option<Result<Box<Preview>, String>>,
    /// The texts of each of its objects, compared when the answer came.
    texts: Vec<Vec<Part>>,
    scroll: Scroll,
}

impl Diff {
    /// What applying a saved manifest would change; Enter applies it.
    pub fn preview(name: &str, text: &str) -> Diff {
        Diff::new(Of::Manifest { name: name.into(), text: text.into() })
    }

    /// What applying a file of the lab's folder would change; it is read when the screen opens.
    pub fn file(name: &str) -> Diff {
        Diff::new(Of::File(name.into()))
    }

    /// What the last line that changed something changed.
    pub fn last_change() -> Diff {
        Diff::new(Of::LastChange)
    }

    fn new(of: Of) -> Diff {
        Diff { of, asked: None, found: None, texts: Vec::new(), scroll: Scroll(0) }
    }

    /// Whether Enter would apply something.
    fn applies(&self) -> bool {
        let good = |p: &Preview| p.problems.iter().all(|p| p.grade == Grade::Unsure);
        let changes = |p: &Preview| p.objects.iter().any(|o| o.turn != Turn::Unchanged);
        matches!((&self.of, &self.found), (Of::Manifest { .. }, Some(Ok(p))) if good(p) && changes(p))
    }

    /// The sentence above everything: what it comes to.
    fn sum(&self) -> (String, Tone) {
        let preview = match &self.found {
            None => return ("Asking the server what would become of it ..".into(), Tone::Quiet),
            Some(Err(sentence)) => return (sentence.clone(), Tone::Bad),
            Some(Ok(preview)) => preview,
        };
        let errors = preview.problems.iter().filter(|p| p.grade != Grade::Unsure).count();
        if errors > 0 {
            let stand = if errors == 1 { "stands" } else { "stand" };
            return (format!("{} {stand} against it; nothing is applied. Esc goes back.", count(errors, "error")), Tone::Bad);
        }
        let turned = |turn: Turn| preview.objects.iter().filter(|o| o.turn == turn).count();
        let moved = |shift: Shift| preview.moved.iter().filter(|m| m.shift == shift).count();
        let mut parts = Vec::new();
        for (turn, word) in [(Turn::Created, "created"), (Turn::Changed, "changed"), (Turn::Deleted, "deleted")] {
            parts.extend((turned(turn) > 0).then(|| format!("{} {word}", count(turned(turn), "object"))));
        }
        for (shift, word) in [(Shift::Allowed, "allowed"), (Shift::Denied, "denied"), (Shift::Way, "sent another way")] {
            parts.extend((moved(shift) > 0).then(|| format!("{} {word}", count(moved(shift), "request"))));
        }
        parts.extend((!preview.opened.is_empty()).then(|| count(preview.opened.len(), "new opening")));
        let what = if parts.is_empty() { "Nothing changes".to_string() } else { parts.join(", ") };
        let end = match (self.applies(), preview.done) {
            (true, _) => "Nothing is applied yet; Enter applies it.",
            (_, true) => "",
            _ => "There is nothing to apply.",
        };
        let tone = if preview.opened.is_empty() { Tone::Strong } else { Tone::Unsure };
        (format!("{what}. {end}").trim_end().to_string(), tone)
    }

    fn rows(&self, columns: usize, theme: Theme) -> Vec<Line<'static>> {
        let (sum, tone) = self.sum();
        let mut out: Vec<Line<'static>> = wrap(&sum, columns.saturating_sub(1), 0)
            .into_iter()
            .map(|row| Line::styled(format!(" {row}"), theme.style(tone)))
            .collect();
        if let Some(Ok(preview)) = &self.found {
            out.extend(lines::lines(preview, &self.texts, columns, theme));
        }
        out
    }
}

impl Over for Diff {
    fn title(&self, _session: &Session) -> String {
        match (&self.of, &self.found) {
            (Of::Manifest { name, .. } | Of::File(name), _) => format!("before applying {name}"),
            (Of::LastChange, Some(Ok(preview))) => format!("what changed: {}", preview.name.lines().next().unwrap_or("")),
            (Of::LastChange, _) => "what the last change changed".into(),
        }
    }

    fn scope(&self) -> Scope {
        Scope::Diff
    }

    fn offers(&self) -> Vec<Command> {
        let mut offers = vec![Command::Help];
        offers.extend(self.applies().then_some(Command::ApplyChange));
        offers.extend([Command::Down, Command::PageDown, Command::CloseDiff]);
        offers
    }

    fn opened(&mut self, reach: &mut Reach<'_>) {
        let request = match &self.of {
            Of::Manifest { name, text } => Request::Preview { name: name.clone(), text: text.clone() },
            Of::File(name) => Request::OpenFile { name: name.clone() },
            Of::LastChange => Request::LastChange,
        };
        self.asked = Some(reach.ask(request));
    }

    fn key(&mut self, key: &KeyEvent, command: Option<Command>, reach: &mut Reach<'_>) -> Then {
        match command {
            Some(Command::ApplyChange) if self.applies() => match &self.of {
                Of::Manifest { name, .. } => Then::Run(format!("kubectl apply -f {}", quoted(name))),
                Of::File(_) | Of::LastChange => Then::Stay,
            },
            Some(Command::ApplyChange) if self.found.is_none() => Then::Say("The server has not answered yet.".into()),
            Some(Command::ApplyChange) => Then::Say("There is nothing that could be applied.".into()),
            Some(Command::CloseDiff | Command::Leave) => Then::Close,
            Some(command) => {
                let lines = self.rows(usize::from(reach.size.width), Theme::PLAIN).len();
                self.scroll.moved(command, lines, usize::from(reach.size.height.saturating_sub(4)));
                Then::Stay
            }
            None if key.code == KeyCode::Char('q') => Then::Close,
            None => Then::Stay,
        }
    }

    fn answered(&mut self, id: AskId, answer: &Result<Answer, String>, reach: &mut Reach<'_>) -> bool {
        if self.asked != Some(id) {
            return false;
        }
        self.asked = None;
        self.found = match answer {
            Ok(Answer::OpenFile(OpenFile { name, text: Some(text), .. })) => {
                self.of = Of::Manifest { name: name.clone(), text: text.clone() };
                self.opened(reach);
                None
            }
            Ok(Answer::OpenFile(OpenFile { name, .. })) => {
                Some(Err(format!("There is no file {name} in the lab's folder; `ls` lists them.")))
            }
            Ok(Answer::Preview(preview)) => {
                self.texts = preview.objects.iter().map(lines::compared).collect();
                Some(Ok(preview.clone()))
            }
            Ok(_) => None,
            Err(sentence) => Some(Err(sentence.clone())),
        };
        true
    }

    fn draw(&self, _session: &Session, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
        let lines = self.rows(usize::from(area.width), theme);
        let title = match &self.found {
            Some(Ok(preview)) if preview.done => "What this changed",
            _ => "What applying it would change",
        };
        let pane = Pane { title, focused: true, lines: &lines, scroll: self.scroll, keys: Some("PageDown") };
        frame::pane(frame, area, &pane, theme);
    }
}

/// A name as the prompt takes it.
fn quoted(name: &str) -> String {
    match name.chars().all(|c| c.is_alphanumeric() || "-_./".contains(c)) {
        true => name.to_string(),
        false => format!("'{}'", name.replace('\'', "'\\''")),
    }
}
