//! Keys as the table writes them and as terminals send them.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Whether a key puts a character where text is typed.
pub fn is_text(key: &KeyEvent) -> bool {
    matches!(key.code, KeyCode::Char(_)) && !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
}

/// Shift is part of a character, and of BackTab.
pub(super) fn normal(key: &KeyEvent) -> (KeyCode, KeyModifiers) {
    let mut modifiers = key.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT);
    match key.code {
        KeyCode::BackTab => (KeyCode::BackTab, KeyModifiers::NONE),
        KeyCode::Char('4') if modifiers == KeyModifiers::CONTROL => (KeyCode::Char('\\'), modifiers),
        KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => (KeyCode::Char(c.to_ascii_lowercase()), modifiers),
        KeyCode::Char(c) => (KeyCode::Char(c), modifiers),
        code => {
            modifiers |= key.modifiers & KeyModifiers::SHIFT;
            (code, modifiers)
        }
    }
}

/// A key as the table writes it.
pub(super) fn parse(name: &str) -> Option<(KeyCode, KeyModifiers)> {
    let (modifiers, rest) = match name.split_once('-').filter(|(head, _)| head.len() > 1) {
        Some(("Ctrl", rest)) => (KeyModifiers::CONTROL, rest),
        Some(("Alt", rest)) => (KeyModifiers::ALT, rest),
        Some(("Shift", rest @ ("PageUp" | "PageDown"))) => (KeyModifiers::SHIFT, rest),
        Some(("Shift", "Tab")) => return Some((KeyCode::BackTab, KeyModifiers::NONE)),
        _ => (KeyModifiers::NONE, name),
    };
    let code = match rest {
        "Tab" => KeyCode::Tab,
        "Esc" => KeyCode::Esc,
        "Enter" => KeyCode::Enter,
        "Space" => KeyCode::Char(' '),
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "Left" => KeyCode::Left,
        "Right" => KeyCode::Right,
        "Home" => KeyCode::Home,
        "End" => KeyCode::End,
        "PageUp" => KeyCode::PageUp,
        "PageDown" => KeyCode::PageDown,
        _ => match (rest.strip_prefix('F').and_then(|n| n.parse().ok()), rest.chars().next()) {
            (Some(n), _) => KeyCode::F(n),
            (None, Some(c)) if rest.chars().count() == 1 => {
                let c = if modifiers == KeyModifiers::CONTROL { c.to_ascii_lowercase() } else { c };
                KeyCode::Char(c)
            }
            _ => return None,
        },
    };
    Some((code, modifiers))
}
