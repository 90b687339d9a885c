//! What the editor asks the lab, and what it does with the answers. One check is under way at a time: the next one starts when its
//! answer is there and the text has changed since, so that typing never queues questions.

use super::menu::Menu;
use super::{After, Editor, Origin, complete};
use crate::session::desk::{Answer, AskId, Request};
use crate::tui::diff::Diff;
use crate::tui::manifest::buffer::{Buffer, MOST_BYTES, MOST_LINES};
use crate::tui::over::{Reach, Then};

impl Editor {
    /// Asks for the file.
    pub(super) fn open(&mut self, reach: &mut Reach<'_>) {
        if matches!(self.origin, Origin::File) {
            self.opening = Some(reach.ask(Request::OpenFile { name: self.name.clone() }));
        }
        self.naming = Some(reach.ask(Request::Names));
        self.settle(reach);
    }

    /// Asks for what the text as it is now needs: a check, the fields of the kind at the cursor.
    pub(super) fn settle(&mut self, reach: &mut Reach<'_>) {
        self.follow(reach.size);
        if self.opening.is_some() {
            return;
        }
        let revision = self.buffer.revision;
        let known = self.checked.as_ref().is_some_and(|(at, _)| *at == revision);
        if self.checking.is_none() && !known {
            let text = self.buffer.text();
            if self.drafted != revision {
                self.drafted = revision;
                let draft = Some(text.clone()).filter(|text| *text != self.saved);
                reach.ask(Request::KeepDraft { name: self.name.clone(), text: draft });
            }
            self.checking = Some((reach.ask(Request::Check { text }), revision));
        }
        let of = complete::kind_at(self.buffer.lines(), self.buffer.cursor().0);
        let asked = self.shapes.contains_key(&of) || self.shaping.iter().any(|(_, other)| *other == of);
        if !of.0.is_empty() && !of.1.is_empty() && !asked {
            let id = reach.ask(Request::Shape { api_version: of.0.clone(), kind: of.1.clone() });
            self.shaping.push((id, of));
        }
    }

    /// Writes the file.
    pub(super) fn write(&mut self, after: After, reach: &mut Reach<'_>) {
        let text = self.buffer.text();
        let request = Request::WriteFile { name: self.name.clone(), text: text.clone() };
        self.saving = Some((reach.ask(request), after, text));
    }

    /// Takes an answer; false when it is not for this screen.
    pub(super) fn take_answer(&mut self, id: AskId, answer: &Result<Answer, String>) -> bool {
        if self.opening == Some(id) {
            self.opening = None;
            self.take_file(answer);
        } else if self.checking.is_some_and(|(asked, _)| asked == id) {
            self.take_check(answer);
        } else if self.saving.as_ref().is_some_and(|(asked, ..)| *asked == id) {
            self.take_saved(answer);
        } else if self.naming == Some(id) {
            self.naming = None;
            if let Ok(Answer::Names(names)) = answer {
                self.names = names.clone();
            }
        } else if let Some(at) = self.shaping.iter().position(|(asked, _)| *asked == id) {
            let (_, of) = self.shaping.remove(at);
            let shape = match answer {
                Ok(Answer::Shape(shape)) => Some(shape.clone()),
                _ => None,
            };
            self.shapes.insert(of, shape);
        } else {
            return matches!(answer, Ok(Answer::KeepDraft));
        }
        true
    }

    fn take_file(&mut self, answer: &Result<Answer, String>) {
        match answer {
            Ok(Answer::OpenFile(file)) => {
                let text = file.text.clone().unwrap_or_default();
                if text.len() > MOST_BYTES || text.matches('\n').count() > MOST_LINES {
                    let sentence = format!("{} is too long for this editor; $EDITOR opens it.", self.name);
                    self.next = Some(Then::Leave(sentence));
                    return;
                }
                self.buffer = Buffer::of(&text);
                self.saved = text;
                self.menu = file.draft.clone().map_or(Menu::None, |text| Menu::Draft { text });
                let put_in = self.put_in.take().filter(|_| file.draft.is_none());
                self.next = put_in.map(|kind| self.template(kind));
            }
            Ok(_) => (),
            Err(sentence) => self.next = Some(Then::Leave(sentence.clone())),
        }
    }

    fn take_check(&mut self, answer: &Result<Answer, String>) {
        let Some((_, revision)) = self.checking.take() else { return };
        match answer {
            Ok(Answer::Check(checked)) => self.checked = Some((revision, checked.clone())),
            _ => self.checked = Some((revision, Default::default())),
        }
    }

    fn take_saved(&mut self, answer: &Result<Answer, String>) {
        let Some((_, after, text)) = self.saving.take() else { return };
        let lines = match answer {
            Ok(Answer::WriteFile(lines)) => *lines,
            Ok(_) => return,
            Err(sentence) => {
                self.next = Some(Then::Say(format!("Not saved: {sentence}. The text stays here.")));
                return;
            }
        };
        self.saved = text.clone();
        let blanks = self.checked.as_ref().map_or(0, |(_, checked)| checked.blanks.len());
        let open = match self.checked.as_ref().and_then(|(_, checked)| checked.blanks.first()) {
            Some((line, what)) => format!(" {blanks} blanks are open, the first is {what} in line {line}; Tab goes there."),
            None => String::new(),
        };
        self.next = Some(match after {
            After::Stay => Then::Say(format!("{} written, {lines} lines.{open}", self.name)),
            After::Close => Then::Leave(format!("{} written, {lines} lines.", self.name)),
            After::Preview => Then::Open(Box::new(Diff::preview(&self.name, &text))),
        });
    }
}
