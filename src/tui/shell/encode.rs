//! What a terminal sends for keys and pastes (xterm's sequences).

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

const BEGIN: &str = "\u{1b}[200~";
const END: &str = "\u{1b}[201~";

/// The bytes of a key; `application`: programs asked for the other form of cursor keys. `None` for keys that a terminal does not send.
pub fn bytes(key: &KeyEvent, application: bool) -> Option<Vec<u8>> {
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let shift = key.modifiers.contains(KeyModifiers::SHIFT);
    let with = 1 + u8::from(shift) + 2 * u8::from(alt) + 4 * u8::from(control);
    let escaped = |bytes: Vec<u8>| if alt { [vec![0x1b], bytes].concat() } else { bytes };
    Some(match key.code {
        KeyCode::Char(c) if control => escaped(vec![controlled(c)?]),
        KeyCode::Char(c) => escaped(c.to_string().into_bytes()),
        KeyCode::Enter => escaped(vec![b'\r']),
        KeyCode::Tab => escaped(vec![b'\t']),
        KeyCode::Esc => escaped(vec![0x1b]),
        KeyCode::Backspace => escaped(vec![if control { 0x08 } else { 0x7f }]),
        KeyCode::BackTab => b"\x1b[Z".to_vec(),
        KeyCode::Up => cursor('A', with, application),
        KeyCode::Down => cursor('B', with, application),
        KeyCode::Right => cursor('C', with, application),
        KeyCode::Left => cursor('D', with, application),
        KeyCode::Home => cursor('H', with, application),
        KeyCode::End => cursor('F', with, application),
        KeyCode::Insert => numbered(2, with),
        KeyCode::Delete => numbered(3, with),
        KeyCode::PageUp => numbered(5, with),
        KeyCode::PageDown => numbered(6, with),
        KeyCode::F(n @ 1..=4) => cursor(char::from(b'O' + n), with, true),
        KeyCode::F(n @ 5..=12) => numbered([15, 17, 18, 19, 20, 21, 23, 24][usize::from(n - 5)], with),
        _ => return None,
    })
}

fn cursor(last: char, with: u8, application: bool) -> Vec<u8> {
    match (with, application) {
        (1, true) => format!("\u{1b}O{last}"),
        (1, false) => format!("\u{1b}[{last}"),
        _ => format!("\u{1b}[1;{with}{last}"),
    }
    .into_bytes()
}

fn numbered(n: u8, with: u8) -> Vec<u8> {
    if with == 1 { format!("\u{1b}[{n}~") } else { format!("\u{1b}[{n};{with}~") }.into_bytes()
}

/// The control character of a key with Ctrl.
fn controlled(c: char) -> Option<u8> {
    Some(match c.to_ascii_lowercase() {
        c @ 'a'..='z' => c as u8 - b'a' + 1,
        ' ' | '@' | '2' => 0,
        '[' | '3' => 0x1b,
        '\\' | '4' => 0x1c,
        ']' | '5' => 0x1d,
        '^' | '6' => 0x1e,
        '_' | '/' | '7' => 0x1f,
        '?' | '8' => 0x7f,
        _ => return None,
    })
}

/// A paste, marked as one where the program asked for that. What would end the mark is taken out.
pub fn paste(text: &str, bracketed: bool) -> Vec<u8> {
    let text = text.replace("\r\n", "\r").replace('\n', "\r");
    match bracketed {
        true => format!("{BEGIN}{}{END}", text.replace(END, "").replace('\u{1b}', "")),
        false => text,
    }
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sent_as_a_terminal_does() {
        let (none, ctrl, alt, shift) = (KeyModifiers::NONE, KeyModifiers::CONTROL, KeyModifiers::ALT, KeyModifiers::SHIFT);
        for (code, modifiers, application, sent) in [
            (KeyCode::Char('é'), none, false, "é"),
            (KeyCode::Char('c'), ctrl, false, "\u{3}"),
            (KeyCode::Char(']'), ctrl, false, "\u{1d}"),
            (KeyCode::Char('f'), alt, false, "\u{1b}f"),
            (KeyCode::Enter, none, false, "\r"),
            (KeyCode::Backspace, none, false, "\u{7f}"),
            (KeyCode::Up, none, false, "\u{1b}[A"),
            (KeyCode::Up, none, true, "\u{1b}OA"),
            (KeyCode::Left, ctrl, true, "\u{1b}[1;5D"),
            (KeyCode::PageDown, none, false, "\u{1b}[6~"),
            (KeyCode::F(1), none, false, "\u{1b}OP"),
            (KeyCode::F(4), shift, false, "\u{1b}[1;2S"),
            (KeyCode::F(5), none, false, "\u{1b}[15~"),
            (KeyCode::F(12), none, false, "\u{1b}[24~"),
            (KeyCode::BackTab, shift, false, "\u{1b}[Z"),
        ] {
            let key = KeyEvent::new(code, modifiers);
            assert_eq!(bytes(&key, application).as_deref(), Some(sent.as_bytes()), "{key:?}");
        }
        assert_eq!(bytes(&KeyEvent::new(KeyCode::CapsLock, none), false), None);
    }

    #[test]
    fn a_paste_cannot_end_its_own_mark() {
        assert_eq!(paste("a\r\nb\n", false), b"a\rb\r");
        let marked = paste("x\u{1b}[201~rm -rf\n", true);
        assert_eq!(String::from_utf8(marked).unwrap(), "\u{1b}[200~xrm -rf\r\u{1b}[201~");
    }
}
