//! `$((..))`: whole numbers, the usual operators, variables, and plain assignment.

use crate::shell::machine::{Shell, Variable};
use crate::shell::parse::command::is_name;

/// Brackets inside each other and names that hold expressions.
const MAX_DEPTH: usize = 40;

/// The value of an expression. Assignments change the shell's variables.
///
/// # Errors
/// ash's words: `arithmetic syntax error`, `divide by zero`.
pub fn evaluate(text: &str, shell: &mut Shell) -> Result<i64, String> {
    let mut reader = Reader { tokens: tokens(text)?, at: 0, shell, depth: 0 };
    if reader.tokens.is_empty() {
        return Ok(0);
    }
    let value = reader.assignment()?;
    match reader.at == reader.tokens.len() {
        true => Ok(value),
        false => Err(wrong()),
    }
}

fn wrong() -> String {
    "arithmetic syntax error".to_string()
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Number(i64),
    Name(String),
    Sign(&'static str),
}

/// Longest first.
const SIGNS: [&str; 26] = [
    "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+=", "-=", "*=", "+", "-", "*", "/", "%", "<", ">", "!", "(", ")", "?", ":",
    "=", "&", "|",
];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut rest = text.trim_start();
    let mut out = Vec::new();
    while let Some(c) = rest.chars().next() {
        let len = if c.is_ascii_digit() {
            let len = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            out.push(Token::Number(number(&rest[..len])?));
            len
        } else if c.is_ascii_alphabetic() || c == '_' {
            let len = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            out.push(Token::Name(rest[..len].to_string()));
            len
        } else {
            if rest.starts_with("++") || rest.starts_with("--") {
                return Err(crate::base::not_simulated("++ and -- in arithmetic"));
            }
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign)).ok_or_else(wrong)?;
            out.push(Token::Sign(sign));
            sign.len()
        };
        rest = rest[len..].trim_start();
    }
    Ok(out)
}

fn number(text: &str) -> Result<i64, String> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => i64::from_str_radix(hex, 16),
        None if text.len() > 1 && text.starts_with('0') => i64::from_str_radix(text, 8),
        None => text.parse(),
    };
    parsed.map_err(|_| wrong())
}

struct Reader<'a> {
    tokens: Vec<Token>,
    at: usize,
    shell: &'a mut Shell,
    depth: usize,
}

impl Reader<'_> {
    fn sign(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        match self.tokens.get(self.at) {
            Some(Token::Sign(sign)) if signs.contains(sign) => {
                self.at += 1;
                Some(sign)
            }
            _ => None,
        }
    }

    fn assignment(&mut self) -> Result<i64, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(wrong());
        }
        let target = match (self.tokens.get(self.at), self.tokens.get(self.at + 1)) {
            (Some(Token::Name(name)), Some(Token::Sign(sign @ ("=" | "+=" | "-=" | "*=")))) => Some((name.clone(), *sign)),
            _ => None,
        };
        let value = match target {
            None => self.choice()?,
            Some((name, sign)) => {
                self.at += 2;
                let right = self.assignment()?;
                let old = if sign == "=" { 0 } else { self.variable(&name)? };
                let value = match sign {
                    "+=" => old.wrapping_add(right),
                    "-=" => old.wrapping_sub(right),
                    "*=" => old.wrapping_mul(right),
                    _ => right,
                };
                let exported = self.shell.variables.get(&name).is_some_and(|v| v.exported);
                self.shell.variables.insert(name, Variable { value: value.to_string(), exported });
                value
            }
        };
        self.depth -= 1;
        Ok(value)
    }

    fn choice(&mut self) -> Result<i64, String> {
        let condition = self.binary(0)?;
        if self.sign(&["?"]).is_none() {
            return Ok(condition);
        }
        let yes = self.assignment()?;
        self.sign(&[":"]).ok_or_else(wrong)?;
        let no = self.assignment()?;
        Ok(if condition != 0 { yes } else { no })
    }

    /// Binary operators by level, weakest first.
    fn binary(&mut self, level: usize) -> Result<i64, String> {
        const LEVELS: [&[&str]; 9] = [
            &["||"],
            &["&&"],
            &["|"],
            &["&"],
            &["==", "!="],
            &["<=", ">=", "<", ">"],
            &["<<", ">>"],
            &["+", "-"],
            &["*", "/", "%"],
        ];
        let Some(signs) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        while let Some(sign) = self.sign(signs) {
            let right = self.binary(level + 1)?;
            left = apply(sign, left, right)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<i64, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(wrong());
        }
        let value = match self.sign(&["-", "+", "!"]) {
            Some("-") => self.unary()?.wrapping_neg(),
            Some("!") => i64::from(self.unary()? == 0),
            Some(_) => self.unary()?,
            None => self.primary()?,
        };
        self.depth -= 1;
        Ok(value)
    }

    fn primary(&mut self) -> Result<i64, String> {
        let token = self.tokens.get(self.at).cloned().ok_or_else(wrong)?;
        self.at += 1;
        match token {
            Token::Number(value) => Ok(value),
            Token::Name(name) => self.variable(&name),
            Token::Sign("(") => {
                let value = self.assignment()?;
                self.sign(&[")"]).ok_or_else(wrong)?;
                Ok(value)
            }
            Token::Sign(_) => Err(wrong()),
        }
    }

    fn variable(&mut self, name: &str) -> Result<i64, String> {
        let text = self.shell.variables.get(name).map(|v| v.value.trim().to_string()).unwrap_or_default();
        match text.strip_prefix('-').unwrap_or(&text) {
            "" => Ok(0),
            other if is_name(other) => Err(wrong()),
            digits => number(digits).map(|n| if text.starts_with('-') { -n } else { n }),
        }
    }
}

fn apply(sign: &str, a: i64, b: i64) -> Result<i64, String> {
    let zero = || "divide by zero".to_string();
    Ok(match sign {
        "||" => i64::from(a != 0 || b != 0),
        "&&" => i64::from(a != 0 && b != 0),
        "|" => a | b,
        "&" => a & b,
        "==" => i64::from(a == b),
        "!=" => i64::from(a != b),
        "<=" => i64::from(a <= b),
        ">=" => i64::from(a >= b),
        "<" => i64::from(a < b),
        ">" => i64::from(a > b),
        "<<" => a.wrapping_shl(b as u32),
        ">>" => a.wrapping_shr(b as u32),
        "+" => a.wrapping_add(b),
        "-" => a.wrapping_sub(b),
        "*" => a.wrapping_mul(b),
        "/" if b == 0 => return Err(zero()),
        "%" if b == 0 => return Err(zero()),
        "/" => a.wrapping_div(b),
        _ => a.wrapping_rem(b),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn numbers_come_out_as_in_ash() {
        let env = BTreeMap::from([("i".to_string(), "4".to_string())]);
        let mut shell = Shell::new("sh", &env, "/");
        let table = [
            ("1+2*3", 7),
            ("(1+2)*3", 9),
            ("i+1", 5),
            ("-i", -4),
            ("i > 3 && i < 9", 1),
            ("10 % 4", 2),
            ("0x10", 16),
            ("", 0),
            ("x = 2 + 3", 5),
            ("1 ? 7 : 8", 7),
        ];
        for (text, want) in table {
            assert_eq!(evaluate(text, &mut shell), Ok(want), "{text}");
        }
        assert_eq!(shell.variables["x"].value, "5");
        assert_eq!(evaluate("1/0", &mut shell), Err("divide by zero".to_string()));
        assert_eq!(evaluate("1+", &mut shell), Err("arithmetic syntax error".to_string()));
    }
}
