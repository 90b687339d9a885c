//! Reads a line as far as the cursor: which command, its words so far, and the word that is being typed.

/// Where the cursor is in a line.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct At {
    /// The words of the command before the one at the cursor.
    pub before: Vec<String>,
    /// The word at the cursor, as far as it is typed, without its quote.
    pub word: String,
    /// Where it begins in the line, in characters, behind its quote.
    pub from: usize,
    /// It names a file that is read or written (`> x`).
    pub redirects: bool,
}

/// Reads a line up to the cursor. `None` in a here-document, whose text is nobody's command.
pub fn read(line: &str, cursor: usize) -> Option<At> {
    let chars: Vec<char> = line.chars().take(cursor).collect();
    let mut at = At::default();
    let mut quote = None;
    // Whether a word is open, even an empty one behind a quote.
    let mut open = false;
    let mut here_document = false;
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some('"'), '\\') if i + 1 < chars.len() => {
                i += 1;
                at.word.push(chars[i]);
            }
            (Some(_), c) => at.word.push(c),
            (None, '\'' | '"') => {
                if !open {
                    at.from = i + 1;
                }
                (quote, open) = (Some(c), true);
            }
            (None, '\\') if i + 1 < chars.len() => {
                i += 1;
                if !open {
                    (at.from, open) = (i - 1, true);
                }
                at.word.push(chars[i]);
            }
            (None, ' ' | '\t') => close(&mut at, &mut open),
            (None, '\n') if here_document => return None,
            (None, '|' | ';' | '&' | '\n' | '(') => {
                at = At::default();
                open = false;
            }
            (None, '<' | '>') => {
                here_document |= c == '<' && chars.get(i + 1) == Some(&'<');
                close(&mut at, &mut open);
                at.redirects = true;
            }
            (None, c) => {
                if !open {
                    (at.from, open) = (i, true);
                }
                at.word.push(c);
            }
        }
        i += 1;
    }
    if !open {
        at.from = chars.len();
    }
    Some(at)
}

fn close(at: &mut At, open: &mut bool) {
    if !std::mem::take(open) {
        return;
    }
    let word = std::mem::take(&mut at.word);
    // The file of a redirection is no word of the command.
    match std::mem::take(&mut at.redirects) {
        true => (),
        false => at.before.push(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_at_the_cursor_and_those_before_it() {
        for (line, before, word, from, redirects) in [
            ("", "", "", 0, false),
            ("kub", "", "kub", 0, false),
            ("kubectl get ", "kubectl get", "", 12, false),
            ("kubectl get po", "kubectl get", "po", 12, false),
            ("kubectl get pods | gr", "", "gr", 19, false),
            ("ls && k get ", "k get", "", 12, false),
            ("cat > ", "cat", "", 6, true),
            ("cat >fi", "cat", "fi", 5, true),
            ("cat > x -n", "cat", "-n", 8, false),
            ("echo 'a b", "echo", "a b", 6, false),
            ("k exec test -- curl \"ht", "k exec test -- curl", "ht", 21, false),
            ("grep 'a|b' fi", "grep a|b", "fi", 11, false),
            ("ключ зн", "ключ", "зн", 5, false),
        ] {
            let at = read(line, usize::MAX).expect("no here-document");
            assert_eq!(
                (at.before.join(" ").as_str(), at.word.as_str(), at.from, at.redirects),
                (before, word, from, redirects),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_behind_the_cursor_does_not_matter_and_here_documents_are_no_commands() {
        assert_eq!(read("kubectl get pods", 9).map(|at| (at.word, at.from)), Some(("g".into(), 8)));
        assert_eq!(read("kubectl apply -f - <<EOF\nki", usize::MAX), None);
        assert_eq!(read("ls\nca", usize::MAX).map(|at| at.word), Some("ca".into()));
    }
}
