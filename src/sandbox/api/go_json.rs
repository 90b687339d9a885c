//! What Go's JSON reader says about broken text (encoding/json scanner.go), and how the API server shows a body that it cannot read.

/// How deep Go follows arrays and objects.
const DEPTH_LIMIT: usize = 10_000;
/// How much of a body is shown, in bytes.
const SHOWN: usize = 30;

/// Why a JSON text cannot be read: Go's words for its first syntax error, else the reader's own.
pub fn problem(text: &[u8], error: &serde_json::Error) -> String {
    syntax(text).unwrap_or_else(|| match error.to_string() {
        own if own.starts_with("recursion limit") => crate::base::not_simulated("JSON nested deeper than 128 levels"),
        own if own.starts_with("number out of range") => "json: cannot unmarshal number into Go value of type float64".into(),
        own => own,
    })
}

/// A body in an error message: what is no object is shown as hexadecimal digits.
pub fn summary(body: &[u8]) -> String {
    let shown = &body[..body.len().min(SHOWN)];
    let more = if body.len() > SHOWN { " ..." } else { "" };
    match body.first() {
        None => "<empty>".into(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(shown)),
        Some(_) => format!("{}{more}", shown.iter().map(|b| format!("{b:02x}")).collect::<String>()),
    }
}

/// The first syntax error in Go's words, `None` when there is none.
pub fn syntax(text: &[u8]) -> Option<String> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.whole().err()
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

/// What an open bracket waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Array,
    Object,
}

impl Scanner<'_> {
    fn whole(&mut self) -> Result<(), String> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            // A value, or the begin of one.
            if self.value(&mut open)? {
                continue;
            }
            // After a value: close what ends here, or go on inside.
            loop {
                let Some(inside) = open.last().copied() else {
                    return match self.peek() {
                        None => Ok(()),
                        Some(_) => Err(self.wrong("after top-level value")),
                    };
                };
                match (inside, self.peek()) {
                    (_, None) => return Err(END.into()),
                    (Open::Array, Some(b',')) => {
                        self.at += 1;
                        break;
                    }
                    (Open::Object, Some(b',')) => {
                        self.at += 1;
                        self.key()?;
                        break;
                    }
                    (Open::Array, Some(b']')) | (Open::Object, Some(b'}')) => {
                        self.at += 1;
                        open.pop();
                    }
                    (Open::Array, _) => return Err(self.wrong("after array element")),
                    (Open::Object, _) => return Err(self.wrong("after object key:value pair")),
                }
            }
        }
    }

    /// Reads a scalar or an opening bracket; true when a value has to follow inside.
    fn value(&mut self, open: &mut Vec<Open>) -> Result<bool, String> {
        match self.peek().ok_or(END)? {
            bracket @ (b'[' | b'{') => {
                self.at += 1;
                let (kind, close) = if bracket == b'[' { (Open::Array, b']') } else { (Open::Object, b'}') };
                if open.len() >= DEPTH_LIMIT {
                    return Err("exceeded max depth".into());
                }
                if self.peek() == Some(close) {
                    self.at += 1;
                    return Ok(false);
                }
                open.push(kind);
                if kind == Open::Object {
                    self.key()?;
                }
                Ok(true)
            }
            b'"' => self.string().map(|()| false),
            b't' => self.literal("true").map(|()| false),
            b'f' => self.literal("false").map(|()| false),
            b'n' => self.literal("null").map(|()| false),
            b'-' | b'0'..=b'9' => self.number().map(|()| false),
            _ => Err(self.wrong("looking for beginning of value")),
        }
    }

    fn key(&mut self) -> Result<(), String> {
        match self.peek().ok_or(END)? {
            b'"' => self.string()?,
            _ => return Err(self.wrong("looking for beginning of object key string")),
        }
        match self.peek().ok_or(END)? {
            b':' => self.at += 1,
            _ => return Err(self.wrong("after object key")),
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), String> {
        self.at += 1;
        loop {
            match self.here().ok_or(END)? {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => {
                    self.at += 1;
                    self.escape()?;
                }
                0..0x20 => return Err(self.wrong("in string literal")),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), String> {
        match self.here().ok_or(END)? {
            b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => self.at += 1,
            b'u' => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.here().ok_or(END)?.is_ascii_hexdigit() {
                        return Err(self.wrong("in \\u hexadecimal character escape"));
                    }
                    self.at += 1;
                }
            }
            _ => return Err(self.wrong("in string escape code")),
        }
        Ok(())
    }

    fn literal(&mut self, word: &str) -> Result<(), String> {
        for expected in word.bytes() {
            if self.here().ok_or(END)? != expected {
                return Err(self.wrong(&format!("in literal {word} (expecting '{}')", expected as char)));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), String> {
        if self.here() == Some(b'-') {
            self.at += 1;
            if !self.here().ok_or(END)?.is_ascii_digit() {
                return Err(self.wrong("in numeric literal"));
            }
        }
        if self.here() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits();
        }
        if self.here() == Some(b'.') {
            self.at += 1;
            self.some_digits("after decimal point in numeric literal")?;
        }
        if matches!(self.here(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.here(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits("in exponent of numeric literal")?;
        }
        Ok(())
    }

    fn some_digits(&mut self, place: &str) -> Result<(), String> {
        if !self.here().ok_or(END)?.is_ascii_digit() {
            return Err(self.wrong(place));
        }
        self.digits();
        Ok(())
    }

    fn digits(&mut self) {
        while self.here().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn here(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.here(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.here()
    }

    fn wrong(&self, place: &str) -> String {
        format!("invalid character {} {place}", shown(self.here().unwrap_or(0)))
    }
}

const END: &str = "unexpected end of JSON input";

/// A byte as Go quotes it.
fn shown(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".into(),
        b'"' => "'\"'".into(),
        b'\\' => r"'\\'".into(),
        7 => r"'\a'".into(),
        8 => r"'\b'".into(),
        9 => r"'\t'".into(),
        10 => r"'\n'".into(),
        11 => r"'\v'".into(),
        12 => r"'\f'".into(),
        13 => r"'\r'".into(),
        0x20..0x7f => format!("'{}'", byte as char),
        0..0x20 | 0x7f => format!("'\\x{byte:02x}'"),
        0x80..0xa1 | 0xad => format!("'\\u{:04x}'", u32::from(byte)),
        _ => format!("'{}'", byte as char),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_those_of_go() {
        for (text, expected) in [
            ("{bad", "invalid character 'b' looking for beginning of object key string"),
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 \"b\"}", "invalid character '\"' after object key:value pair"),
            ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("{} x", "invalid character 'x' after top-level value"),
            ("tru", "unexpected end of JSON input"),
            ("trx", "invalid character 'x' in literal true (expecting 'u')"),
            ("-x", "invalid character 'x' in numeric literal"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
            ("1ex", "invalid character 'x' in exponent of numeric literal"),
            ("\"\\q\"", "invalid character 'q' in string escape code"),
            ("\"\\u12g\"", "invalid character 'g' in \\u hexadecimal character escape"),
            ("\"a\nb\"", "invalid character '\\n' in string literal"),
            ("\"a\0b\"", "invalid character '\\x00' in string literal"),
            ("a: b", "invalid character 'a' looking for beginning of value"),
            ("'", "invalid character '\\'' looking for beginning of value"),
        ] {
            assert_eq!(syntax(text.as_bytes()).as_deref(), Some(expected), "{text}");
        }
        for good in ["{}", " [1, -0.5e3, \"\\u00e4\", {\"a\": [null, true, false]}] ", "0", "\"x\""] {
            assert_eq!(syntax(good.as_bytes()), None, "{good}");
        }
        assert_eq!(syntax("[".repeat(10_001).as_bytes()).as_deref(), Some("exceeded max depth"));
    }

    #[test]
    fn bodies_are_shown_in_short() {
        assert_eq!(summary(b""), "<empty>");
        assert_eq!(summary(b"[]"), "5b5d");
        assert_eq!(summary(b"{bad"), "{bad");
        assert_eq!(summary(&[b'{'; 40]), format!("{} ...", "{".repeat(30)));
    }
}
