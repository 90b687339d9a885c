//! Breaking and indenting text as kubectl's templates do.

/// Breaks lines between words so that they have at most `limit` characters; longer words stay whole. Blanks at a break are dropped.
pub fn wrap(limit: usize, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut column, mut word, mut blanks) = (0, String::new(), String::new());
    let length = |text: &str| text.chars().count();
    for c in text.chars() {
        if c == '\n' {
            if !word.is_empty() || column + length(&blanks) <= limit {
                out += &blanks;
            }
            out += &word;
            out.push('\n');
            column = 0;
            blanks.clear();
            word.clear();
        } else if c.is_whitespace() && c != '\u{a0}' {
            if blanks.is_empty() || !word.is_empty() {
                column += length(&blanks) + length(&word);
                out += &blanks;
                out += &word;
                blanks.clear();
                word.clear();
            }
            blanks.push(c);
        } else {
            word.push(c);
            if column + length(&blanks) + length(&word) > limit && length(&word) < limit {
                out.push('\n');
                column = 0;
                blanks.clear();
            }
        }
    }
    if !word.is_empty() || column + length(&blanks) <= limit {
        out += &blanks;
    }
    out + &word
}

/// Puts blanks before every line, also the empty ones.
pub fn indent(by: usize, text: &str) -> String {
    let pad = " ".repeat(by);
    format!("{pad}{}", text.replace('\n', &format!("\n{pad}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap(10, "one two three four"), "one two\nthree four");
        assert_eq!(wrap(5, "abcdefgh ij"), "abcdefgh\nij");
        assert_eq!(wrap(10, "a  b\nc \n"), "a  b\nc \n");
        assert_eq!(wrap(3, "abc   \nd"), "abc\nd");
        assert_eq!(indent(2, "a\n\nb"), "  a\n  \n  b");
    }
}
