//! Presenting: any plain key types the step's next command on, Enter runs it, Esc gives the keyboard back for a while.

use super::LessonScreen;
use crate::session::present::typed_on;
use crate::tui::keymap::is_text;
use crate::tui::layout::Focus;
use crossterm::event::{KeyCode, KeyEvent};

/// How a presentation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Presenting {
    /// The presenter types by hand.
    pub stands: bool,
}

impl LessonScreen {
    /// Takes a key of a presentation. False when it means what it always does.
    pub(super) fn present_key(&mut self, key: &KeyEvent) -> bool {
        let Some(presenting) = self.present else { return false };
        let at_prompt = self.view.focus == Focus::Prompt && self.session.asking().is_none() && !self.has_program();
        if key.code == KeyCode::Esc && key.modifiers.is_empty() && at_prompt {
            let stands = !presenting.stands;
            self.present = Some(Presenting { stands });
            self.view.notice = Some(if stands { "The keyboard is yours. Esc goes on presenting." } else { "Presenting." }.into());
            return true;
        }
        let enter = key.code == KeyCode::Enter && key.modifiers.is_empty();
        if presenting.stands || !at_prompt || !(is_text(key) || enter) {
            return false;
        }
        if self.session.running().is_some() {
            // A key too many is not to run anything.
            return true;
        }
        self.view.notice = None;
        self.type_on(enter)
    }

    /// One more word of the next command, or all of it on Enter; false when it is whole or none is left, or something else was typed.
    fn type_on(&mut self, all: bool) -> bool {
        let Some(wanted) = self.session.next_scripted().filter(|_| !self.session.step_run().is_done()) else { return false };
        let typed = self.prompt.text().to_string();
        let Some(next) = typed_on(&typed, &wanted) else {
            // Whole: a plain key too many is not typed behind it.
            return !all && typed == wanted;
        };
        let is_untouched = typed.is_empty() && all;
        self.prompt.set(if all && !is_untouched { &wanted } else { &next });
        true
    }
}
