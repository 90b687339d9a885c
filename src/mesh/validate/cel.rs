//! Whether a text is a CEL expression, as far as its grammar goes: what the parser says of one that is not (S: cel-go parser).

/// What may start an operand, as the parser lists it.
const OPERAND: &str =
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

/// The most levels of nesting that are followed.
const DEPTH: usize = 64;

/// Reads an expression.
///
/// # Errors
/// The parser's complaint with its place for the first mistake, for a missing operand and for what follows a whole expression;
/// others get the same form in our words.
pub fn parse(text: &str) -> Result<(), String> {
    let tokens = tokens(text);
    let mut reader = Reader { tokens: &tokens, at: 0, end: text.chars().count() };
    let complaint = match reader.expression(0) {
        Ok(()) => match reader.peek() {
            None => return Ok(()),
            Some(token) => (token.column, format!("extraneous input '{}' expecting <EOF>", token.text)),
        },
        Err(complaint) => complaint,
    };
    Err(format!("ERROR: <input>:{}", excerpt(text, complaint.0, &complaint.1)))
}

/// The place, the sentence and the line with a caret below it.
fn excerpt(text: &str, column: usize, sentence: &str) -> String {
    // Columns count from 1, but for an empty text.
    let head = format!("1:{}: Syntax error: {sentence}", if text.is_empty() { 0 } else { column + 1 });
    match text.is_empty() {
        true => head,
        false => format!("{head}\n | {text}\n | {}^", ".".repeat(column)),
    }
}

struct Token {
    text: String,
    column: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Value,
    Name,
    Sign,
}

const SIGNS: [&str; 24] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")", "[", "]", "{", "}",
];

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < chars.len() {
        let c = chars[at];
        let start = at;
        let kind = match c {
            _ if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '"' | '\'' => {
                at += 1;
                while at < chars.len() && chars[at] != c {
                    at += if chars[at] == '\\' { 2 } else { 1 };
                }
                at = (at + 1).min(chars.len());
                Kind::Value
            }
            _ if c.is_ascii_digit() => {
                while at < chars.len() && (chars[at].is_ascii_alphanumeric() || chars[at] == '.') {
                    at += 1;
                }
                Kind::Value
            }
            _ if c.is_alphabetic() || c == '_' => {
                while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                    at += 1;
                }
                match chars[start..at].iter().collect::<String>().as_str() {
                    "in" => Kind::Sign,
                    "true" | "false" | "null" => Kind::Value,
                    _ => Kind::Name,
                }
            }
            _ => {
                let rest: String = chars[at..(at + 2).min(chars.len())].iter().collect();
                at += SIGNS.iter().find(|sign| rest.starts_with(**sign)).map_or(1, |sign| sign.len());
                Kind::Sign
            }
        };
        found.push(Token { text: chars[start..at].iter().collect(), column: start, kind });
    }
    found
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    end: usize,
}

type Complaint = (usize, String);

impl Reader<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, signs: &[&str]) -> bool {
        let there = self.peek().is_some_and(|t| t.kind == Kind::Sign && signs.contains(&t.text.as_str()));
        self.at += usize::from(there);
        there
    }

    fn mismatch(&self, expected: &str) -> Complaint {
        // One token too many, when the next one would do.
        let next = self.tokens.get(self.at + 1);
        match self.peek() {
            Some(token) if next.is_some_and(|t| t.kind != Kind::Sign) => {
                (token.column, format!("extraneous input '{}' expecting {expected}", token.text))
            }
            None => (self.end, format!("mismatched input '<EOF>' expecting {expected}")),
            Some(token) => (token.column, format!("mismatched input '{}' expecting {expected}", token.text)),
        }
    }

    fn expression(&mut self, depth: usize) -> Result<(), Complaint> {
        if depth > DEPTH {
            return Err((0, "the expression is nested too deeply".into()));
        }
        loop {
            self.operand(depth)?;
            if self.take(&["?"]) {
                self.expression(depth + 1)?;
                if !self.take(&[":"]) {
                    return Err(self.mismatch("':'"));
                }
                return self.expression(depth + 1);
            }
            if !self.take(&["==", "!=", "<=", ">=", "<", ">", "&&", "||", "+", "-", "*", "/", "%", "in"]) {
                return Ok(());
            }
        }
    }

    fn operand(&mut self, depth: usize) -> Result<(), Complaint> {
        while self.take(&["!", "-"]) {}
        self.take(&["."]);
        let (kind, sign) = match self.peek() {
            None => return Err(self.mismatch(OPERAND)),
            Some(token) => (token.kind, token.text.clone()),
        };
        match (kind, sign.as_str()) {
            (Kind::Value | Kind::Name, _) => self.at += 1,
            (Kind::Sign, "(") => {
                self.at += 1;
                self.expression(depth + 1)?;
                self.closing(")")?;
            }
            (Kind::Sign, "[") => {
                self.at += 1;
                self.list("]", depth)?;
            }
            (Kind::Sign, "{") => {
                self.at += 1;
                self.list("}", depth)?;
            }
            _ => return Err(self.mismatch(OPERAND)),
        }
        self.members(depth)
    }

    fn members(&mut self, depth: usize) -> Result<(), Complaint> {
        loop {
            if self.take(&["."]) {
                if self.peek().is_none_or(|t| t.kind != Kind::Name) {
                    return Err(match self.peek() {
                        None => (self.end, "no viable alternative at input '.'".into()),
                        Some(token) => (token.column, format!("no viable alternative at input '.{}'", token.text)),
                    });
                }
                self.at += 1;
            } else if self.take(&["("]) {
                if self.peek().is_none() {
                    return Err(self.mismatch(&OPERAND.replace("'(', ", "'(', ')', ")));
                }
                self.list(")", depth)?;
            } else if self.take(&["["]) {
                if self.peek().is_none() {
                    return Err(self.mismatch(&OPERAND.replace("'!', ", "'!', '?', ")));
                }
                self.expression(depth + 1)?;
                self.closing("]")?;
            } else {
                return Ok(());
            }
        }
    }

    fn list(&mut self, end: &str, depth: usize) -> Result<(), Complaint> {
        while !self.take(&[end]) {
            self.expression(depth + 1)?;
            if self.take(&[":"]) {
                self.expression(depth + 1)?;
            }
            if !self.take(&[","]) {
                return self.closing(end);
            }
        }
        Ok(())
    }

    fn closing(&mut self, sign: &str) -> Result<(), Complaint> {
        match self.take(&[sign]) {
            true => Ok(()),
            false => Err(match self.peek() {
                None => (self.end, format!("missing '{sign}' at '<EOF>'")),
                Some(token) => (token.column, format!("missing '{sign}' at '{}'", token.text)),
            }),
        }
    }
}
