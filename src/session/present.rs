//! Presenting: which line of the shown step comes next, and how far one key types it.

use super::Session;
use crate::lesson::notes::script;

impl Session {
    /// The next line of the step's script: the first behind those that were run, in order, since the step was entered.
    pub fn next_scripted(&self) -> Option<String> {
        let mut lines = script(self.step()).into_iter().peekable();
        for ran in &self.ran {
            lines.next_if(|line| line.trim() == ran.line.trim());
        }
        lines.next()
    }
}

/// What the prompt holds after one more key: the next word, in a here-document the next line. `None` when the text does not begin like
/// the wanted one, or is whole.
pub fn typed_on(typed: &str, wanted: &str) -> Option<String> {
    let rest = wanted.strip_prefix(typed).filter(|rest| !rest.is_empty())?;
    let piece = match wanted.contains('\n') {
        true => rest.find('\n').map_or(rest.len(), |at| at + 1),
        false => {
            let word = rest.len() - rest.trim_start().len();
            rest[word..].find(' ').map_or(rest.len(), |at| word + at + 1)
        }
    };
    Some(wanted[..typed.len() + piece].to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_types_a_word_or_a_line_until_the_command_is_whole() {
        let keys = |wanted: &str| {
            let (mut text, mut keys) = (String::new(), Vec::new());
            while let Some(next) = typed_on(&text, wanted) {
                assert!(next.len() > text.len() && keys.len() < 50);
                keys.push(next[text.len()..].to_string());
                text = next;
            }
            assert_eq!(text, wanted);
            keys
        };
        assert_eq!(keys("kubectl get  pods"), ["kubectl ", "get ", " pods"]);
        assert_eq!(keys("cat > a <<E\nx: 1\ny z\nE"), ["cat > a <<E\n", "x: 1\n", "y z\n", "E"]);
        assert_eq!(keys("ü ö"), ["ü ", "ö"]);
        assert_eq!(typed_on("kubectl describe", "kubectl get pods"), None, "what was typed by hand is left alone");
        assert_eq!(typed_on("", ""), None);
    }
}
