//! One line of typed text: a filter, a name.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Characters that it takes.
const LIMIT: usize = 120;

/// The text; typed at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field(String);

impl Field {
    /// With a text in it.
    pub fn of(text: &str) -> Field {
        Field(text.into())
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    /// Puts a text at the end; line breaks and control characters are left out.
    pub fn insert(&mut self, text: &str) {
        let room = LIMIT.saturating_sub(self.0.chars().count());
        self.0.extend(text.chars().filter(|c| !c.is_control()).take(room));
    }

    /// Takes a key: a character, Backspace, Ctrl-U, Ctrl-W.
    pub fn key(&mut self, key: &KeyEvent) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('u') if control => self.0.clear(),
            KeyCode::Char('w') if control => {
                let kept = self.0.trim_end().rfind(' ').map_or(0, |at| at + 1);
                self.0.truncate(kept);
            }
            KeyCode::Char(c) if !control && !key.modifiers.contains(KeyModifiers::ALT) => self.insert(&c.to_string()),
            KeyCode::Backspace => drop(self.0.pop()),
            _ => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_pastes_edit_one_line() {
        let mut field = Field::default();
        field.insert("a b\nc\u{1b}[m");
        assert_eq!(field.text(), "a bc[m");
        field.key(&KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE));
        field.key(&KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL));
        assert_eq!(field.text(), "a ");
        field.insert(&"x".repeat(500));
        assert_eq!(field.text().chars().count(), LIMIT);
    }
}
