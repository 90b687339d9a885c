//! The words of a template. After text/template/parse/lex.go.

/// What a word is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Text,
    /// `{{`
    Open,
    /// `}}`
    Close,
    Space,
    /// `.name`
    Field,
    /// `$name`, `$`
    Variable,
    Identifier,
    /// `if`, `range`, `.`, `nil`, ...
    Keyword,
    Bool,
    Number,
    /// `'a'`
    Char,
    /// A string's value.
    Text2(String),
    Declare,
    Assign,
    Pipe,
    LeftParen,
    RightParen,
    /// Any other printable character.
    Other,
    End,
    Wrong,
}

/// A word with its place, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    pub kind: Kind,
    pub at: usize,
    pub line: usize,
    /// As written; of [`Kind::Wrong`] what is wrong.
    pub text: String,
}

impl Token {
    /// How messages name it.
    pub fn shown(&self) -> String {
        match self.kind {
            Kind::End => "EOF".into(),
            Kind::Wrong => self.text.clone(),
            Kind::Keyword => format!("<{}>", self.text),
            _ if self.text.len() > 10 => format!("{:?}...", self.text.chars().take(10).collect::<String>()),
            _ => format!("{:?}", self.text),
        }
    }
}

const KEYWORDS: &[&str] = &["block", "break", "continue", "define", "else", "end", "if", "range", "nil", "template", "with"];

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    depth: usize,
    found: Vec<Token>,
}

/// Cuts a template into words; ends with [`Kind::End`] or [`Kind::Wrong`].
pub fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, line: 1, depth: 0, found: Vec::new() };
    if let Err(what) = lexer.whole() {
        let token = Token { kind: Kind::Wrong, at: lexer.at, line: lexer.line, text: what };
        lexer.found.push(token);
    } else {
        lexer.push(Kind::End, 0);
    }
    lexer.found
}

type Step = Result<(), String>;

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Adds a word of `len` bytes and goes past it.
    fn push(&mut self, kind: Kind, len: usize) {
        let text = &self.text[self.at..self.at + len];
        self.found.push(Token { kind, at: self.at, line: self.line, text: text.to_string() });
        self.skip(len);
    }

    fn skip(&mut self, len: usize) {
        self.line += self.text[self.at..self.at + len].matches('\n').count();
        self.at += len;
    }

    fn whole(&mut self) -> Step {
        while !self.rest().is_empty() {
            let Some(start) = self.rest().find("{{") else {
                self.push(Kind::Text, self.rest().len());
                return Ok(());
            };
            let trims = trims_left(&self.rest()[start + 2..]);
            let before = &self.rest()[..start];
            let kept = if trims { before.trim_end_matches([' ', '\t', '\r', '\n']).len() } else { start };
            if kept > 0 {
                self.push(Kind::Text, kept);
            }
            self.skip(start - kept);
            let opening = if trims { 4 } else { 2 };
            match self.rest()[opening.min(self.rest().len())..].starts_with("/*") {
                true => self.comment(opening)?,
                false => {
                    self.push(Kind::Open, 2);
                    self.skip(opening - 2);
                    self.action()?;
                }
            }
        }
        Ok(())
    }

    fn comment(&mut self, opening: usize) -> Step {
        let body = &self.rest()[opening..];
        let end = body.find("*/").ok_or("unclosed comment")? + 2;
        let after = &body[end..];
        let trims = closes_with_trim(after);
        let closing = if trims { 4 } else { 2 };
        if !trims && !after.starts_with("}}") {
            return Err("comment ends before closing delimiter".into());
        }
        self.skip(opening + end + closing);
        if trims {
            self.trim();
        }
        Ok(())
    }

    fn trim(&mut self) {
        let rest = self.rest();
        self.skip(rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len());
    }

    fn action(&mut self) -> Step {
        self.depth = 0;
        loop {
            let rest = self.rest();
            let trims = closes_with_trim(rest);
            if trims || rest.starts_with("}}") {
                if self.depth > 0 {
                    return Err("unclosed left paren".into());
                }
                self.skip(if trims { 2 } else { 0 });
                self.push(Kind::Close, 2);
                if trims {
                    self.trim();
                }
                return Ok(());
            }
            let Some(first) = rest.chars().next() else { return Err("unclosed action".into()) };
            self.word(first)?;
        }
    }

    fn word(&mut self, first: char) -> Step {
        let rest = self.rest();
        let second = rest[first.len_utf8()..].chars().next().unwrap_or(' ');
        match first {
            ' ' | '\t' | '\r' | '\n' => {
                let mut len = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
                // The space before a trimming end belongs to it.
                if rest[len - 1..].starts_with(" -}}") {
                    len -= 1;
                }
                self.push(Kind::Space, len);
            }
            '=' => self.push(Kind::Assign, 1),
            ':' if second == '=' => self.push(Kind::Declare, 2),
            ':' => return Err("expected :=".into()),
            '|' => self.push(Kind::Pipe, 1),
            '(' => {
                self.depth += 1;
                self.push(Kind::LeftParen, 1);
            }
            ')' => {
                self.depth = self.depth.checked_sub(1).ok_or("unexpected right paren")?;
                self.push(Kind::RightParen, 1);
            }
            '"' => self.quoted()?,
            '`' => {
                let end = rest[1..].find('`').ok_or("unterminated raw quoted string")?;
                self.push(Kind::Text2(rest[1..=end].to_string()), end + 2);
            }
            '\'' => self.character()?,
            '.' if second.is_ascii_digit() => self.number()?,
            '+' | '-' | '0'..='9' => self.number()?,
            '.' => self.field(Kind::Field)?,
            '$' => self.field(Kind::Variable)?,
            c if is_name(c) => self.identifier()?,
            c if c.is_ascii_graphic() => self.push(Kind::Other, 1),
            c => return Err(format!("unrecognized character in action: U+{:04X} '{c}'", c as u32)),
        }
        Ok(())
    }

    /// A `.name` or `$name`, or one of the two characters alone.
    fn field(&mut self, kind: Kind) -> Step {
        let rest = self.rest();
        let len = 1 + rest[1..].find(|c: char| !is_name(c)).unwrap_or(rest.len() - 1);
        if kind == Kind::Field && len == 1 {
            self.push(Kind::Keyword, 1);
            return Ok(());
        }
        self.ends_word(len)?;
        self.push(kind, len);
        Ok(())
    }

    fn identifier(&mut self) -> Step {
        let rest = self.rest();
        let len = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
        self.ends_word(len)?;
        let kind = match &rest[..len] {
            "true" | "false" => Kind::Bool,
            word if KEYWORDS.contains(&word) => Kind::Keyword,
            _ => Kind::Identifier,
        };
        self.push(kind, len);
        Ok(())
    }

    /// What may stand behind a name.
    fn ends_word(&self, len: usize) -> Step {
        match self.rest()[len..].chars().next() {
            None | Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | ')' | '(') => Ok(()),
            Some('=') => Ok(()),
            Some('}') if self.rest()[len..].starts_with("}}") => Ok(()),
            Some(c) => Err(format!("bad character U+{:04X} '{c}'", c as u32)),
        }
    }

    fn number(&mut self) -> Step {
        let rest = self.rest();
        let mut previous = ' ';
        let inside = |c: char, before: char| {
            c.is_ascii_alphanumeric()
                || matches!(c, '_' | '.')
                || matches!(c, '+' | '-') && matches!(before, 'e' | 'E' | 'p' | 'P')
        };
        let mut len = 0;
        for (at, c) in rest.char_indices() {
            if at > 0 && !inside(c, previous) {
                break;
            }
            previous = c;
            len = at + c.len_utf8();
        }
        match number(&rest[..len]) {
            Some(_) => self.push(Kind::Number, len),
            None => return Err(format!("bad number syntax: {:?}", &rest[..len])),
        }
        Ok(())
    }

    fn character(&mut self) -> Step {
        let rest = self.rest();
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            match c {
                '\n' => break,
                '\'' if !escaped => {
                    self.push(Kind::Char, at + 1);
                    return Ok(());
                }
                c => escaped = c == '\\' && !escaped,
            }
        }
        Err("unterminated character constant".into())
    }

    fn quoted(&mut self) -> Step {
        let rest = self.rest();
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            match c {
                '\n' => break,
                '"' if !escaped => {
                    let value = unquote(&rest[1..at]).ok_or("invalid syntax")?;
                    self.push(Kind::Text2(value), at + 1);
                    return Ok(());
                }
                c => escaped = c == '\\' && !escaped,
            }
        }
        Err("unterminated quoted string".into())
    }
}

fn trims_left(rest: &str) -> bool {
    let mut chars = rest.chars();
    chars.next() == Some('-') && chars.next().is_some_and(|c| matches!(c, ' ' | '\t' | '\r' | '\n'))
}

fn closes_with_trim(rest: &str) -> bool {
    let mut chars = rest.chars();
    chars.next().is_some_and(|c| matches!(c, ' ' | '\t' | '\r' | '\n')) && chars.as_str().starts_with("-}}")
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// A number as Go reads one: whole, or with a fraction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    Whole(i64),
    Fraction(f64),
}

/// Reads a number literal.
pub fn number(text: &str) -> Option<Number> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let bare = digits.replace('_', "");
    let lower = bare.to_ascii_lowercase();
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find_map(|(mark, radix)| Some((lower.strip_prefix(mark)?, radix)));
    if let Some((digits, radix)) = radix {
        return i64::from_str_radix(digits, radix).ok().map(|n| Number::Whole(sign * n));
    }
    if bare.contains(['.', 'e', 'E']) {
        return bare.parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| Number::Fraction(n * sign as f64));
    }
    let octal = bare.len() > 1 && bare.starts_with('0');
    i64::from_str_radix(&bare, if octal { 8 } else { 10 })
        .ok()
        .filter(|_| !bare.starts_with(['+', '-']))
        .map(|n| Number::Whole(sign * n))
}

/// The value of what stands between quotes.
pub fn unquote(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.extend(c.to_string().into_bytes());
            continue;
        }
        let digits = |chars: &mut std::str::Chars<'_>, n: usize| -> Option<u32> {
            let text: String = chars.take(n).collect();
            (text.len() == n).then(|| u32::from_str_radix(&text, 16).ok())?
        };
        match chars.next()? {
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            'r' => out.push(b'\r'),
            'a' => out.push(7),
            'b' => out.push(8),
            'f' => out.push(12),
            'v' => out.push(11),
            c @ ('\\' | '"' | '\'') => out.push(c as u8),
            'x' => out.push(u8::try_from(digits(&mut chars, 2)?).ok()?),
            'u' => out.extend(char::from_u32(digits(&mut chars, 4)?)?.to_string().into_bytes()),
            'U' => out.extend(char::from_u32(digits(&mut chars, 8)?)?.to_string().into_bytes()),
            c @ '0'..='7' => {
                let text: String = std::iter::once(c).chain(chars.by_ref().take(2)).collect();
                out.push(u8::from_str_radix(&text, 8).ok().filter(|_| text.len() == 3)?);
            }
            _ => return None,
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}
