//! Commands that are plain functions of their arguments: `echo`, `printf`, `test`, `seq`.

use crate::shell::{Files, join};

/// Most numbers that one `seq` prints.
const MAX_SEQ: usize = 100_000;

/// `echo [-n] [-e] ..` as busybox has it.
pub fn echo(args: &[String]) -> Vec<u8> {
    let mut newline = true;
    let mut escapes = false;
    let mut at = 0;
    while let Some(letters) = args.get(at).and_then(|a| a.strip_prefix('-')) {
        if letters.is_empty() || !letters.chars().all(|c| "neE".contains(c)) {
            break;
        }
        newline &= !letters.contains('n');
        for c in letters.chars().filter(|c| *c != 'n') {
            escapes = c == 'e';
        }
        at += 1;
    }
    let text = args[at..].join(" ");
    let mut out = Vec::new();
    if !escapes {
        out.extend_from_slice(text.as_bytes());
    } else if !unescape(&text, &mut out) {
        return out;
    }
    if newline {
        out.push(b'\n');
    }
    out
}

/// Writes a text with its backslash escapes resolved; false when `\c` stopped it.
fn unescape(text: &str, out: &mut Vec<u8>) -> bool {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match chars.next() {
            Some('c') => return false,
            Some('n') => out.push(b'\n'),
            Some('t') => out.push(b'\t'),
            Some('r') => out.push(b'\r'),
            Some('a') => out.push(7),
            Some('b') => out.push(8),
            Some('e') => out.push(27),
            Some('f') => out.push(12),
            Some('v') => out.push(11),
            Some('\\') => out.push(b'\\'),
            Some('"') => out.push(b'"'),
            Some('x') => out.push(digits(&mut chars, 16, 2)),
            Some(d @ '0'..='7') => {
                let first = if d == '0' { 0 } else { d as u8 - b'0' };
                let more = if d == '0' { 3 } else { 2 };
                let mut value = u32::from(first);
                for _ in 0..more {
                    let Some(n) = chars.peek().and_then(|c| c.to_digit(8)) else {
                        break;
                    };
                    value = value * 8 + n;
                    chars.next();
                }
                out.push(value as u8);
            }
            Some(other) => {
                out.push(b'\\');
                out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
            }
            None => out.push(b'\\'),
        }
    }
    true
}

fn digits(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, base: u32, most: usize) -> u8 {
    let mut value = 0;
    for _ in 0..most {
        let Some(n) = chars.peek().and_then(|c| c.to_digit(base)) else {
            break;
        };
        value = value * base + n;
        chars.next();
    }
    value as u8
}

/// `printf FORMAT ARG..`: the bytes, and a message when an argument did not fit.
pub fn printf(args: &[String]) -> (Vec<u8>, Option<String>) {
    let Some(format) = args.first() else {
        return (Vec::new(), Some("printf: usage: printf FORMAT [ARG]...".to_string()));
    };
    let mut rest = &args[1..];
    let mut out = Vec::new();
    let mut trouble = None;
    for _ in 0..10_000 {
        let before = rest.len();
        if !format_once(format, &mut rest, &mut out, &mut trouble) || rest.is_empty() || rest.len() == before {
            break;
        }
    }
    (out, trouble)
}

fn format_once(format: &str, rest: &mut &[String], out: &mut Vec<u8>, trouble: &mut Option<String>) -> bool {
    let mut plain = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\\' {
            plain.push(c);
            plain.extend(chars.next());
            continue;
        }
        if c != '%' {
            plain.push(c);
            continue;
        }
        if chars.peek() == Some(&'%') {
            chars.next();
            plain.push('%');
            continue;
        }
        if !unescape(&std::mem::take(&mut plain), out) {
            return false;
        }
        let mut flags = String::new();
        while let Some(f) = chars.next_if(|c| "-+ 0#.".contains(*c) || c.is_ascii_digit()) {
            flags.push(f);
        }
        let Some(kind) = chars.next() else {
            *trouble = Some("printf: %: invalid format".to_string());
            return false;
        };
        let arg = match rest.split_first() {
            Some((first, others)) => {
                *rest = others;
                first.as_str()
            }
            None => "",
        };
        match directive(kind, &flags, arg, out) {
            Ok(true) => (),
            Ok(false) => return false,
            Err(message) => *trouble = Some(message),
        }
    }
    unescape(&plain, out)
}

/// One `%..`; false when `%b` met `\c`.
fn directive(kind: char, flags: &str, arg: &str, out: &mut Vec<u8>) -> Result<bool, String> {
    let (width, precision) = match flags.split_once('.') {
        Some((width, precision)) => (width, precision.parse::<usize>().ok()),
        None => (flags, None),
    };
    let left = width.contains('-');
    let zero = width.trim_start_matches(['-', '+', ' ', '#']).starts_with('0');
    let width: usize = width.trim_start_matches(['-', '+', ' ', '#', '0']).parse().unwrap_or(0).min(1000);
    let mut problem = None;
    let mut number = || match integer(arg) {
        Some(n) => n,
        None => {
            problem = Some(format!("printf: {arg}: invalid number"));
            0
        }
    };
    let text = match kind {
        's' => match precision {
            Some(n) => arg.chars().take(n).collect(),
            None => arg.to_string(),
        },
        'c' => arg.chars().take(1).collect(),
        'd' | 'i' | 'u' => number().to_string(),
        'x' => format!("{:x}", number()),
        'X' => format!("{:X}", number()),
        'o' => format!("{:o}", number()),
        'f' => format!("{:.*}", precision.unwrap_or(6).min(30), arg.parse::<f64>().unwrap_or(0.0)),
        'b' => return Ok(unescape(arg, out)),
        _ => return Err(format!("printf: %{kind}: invalid format")),
    };
    let pad = width.saturating_sub(text.chars().count());
    let filler = if zero && !left && kind != 's' { "0" } else { " " };
    let padded = if left { format!("{text}{}", " ".repeat(pad)) } else { format!("{}{text}", filler.repeat(pad)) };
    out.extend_from_slice(padded.as_bytes());
    problem.map_or(Ok(true), Err)
}

fn integer(arg: &str) -> Option<i64> {
    let arg = arg.trim();
    if arg.is_empty() {
        return Some(0);
    }
    if let Some(c) = arg.strip_prefix(['\'', '"']) {
        return c.chars().next().map(|c| i64::from(u32::from(c)));
    }
    match arg.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None => arg.parse().ok(),
    }
}

/// `test`: true or false.
///
/// # Errors
/// busybox's words: `X: unknown operand`, `X: bad number`.
pub fn test(args: &[String], cwd: &str, files: &dyn Files) -> Result<bool, String> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    or(&words, cwd, files)
}

fn or(words: &[&str], cwd: &str, files: &dyn Files) -> Result<bool, String> {
    for (sign, all) in [(["-o", "||"], false), (["-a", "&&"], true)] {
        if let Some(at) = words.iter().position(|w| sign.contains(w)).filter(|at| *at > 0 && words.len() > 3) {
            let left = or(&words[..at], cwd, files)?;
            let right = or(&words[at + 1..], cwd, files)?;
            return Ok(if all { left && right } else { left || right });
        }
    }
    match words {
        [] => Ok(false),
        [one] => Ok(!one.is_empty()),
        ["!", rest @ ..] => or(rest, cwd, files).map(|yes| !yes),
        ["(", inner @ .., ")"] => or(inner, cwd, files),
        [op, value] => unary(op, value, cwd, files),
        [left, op, right] => binary(left, op, right),
        [_, second, ..] => Err(format!("{second}: unknown operand")),
    }
}

fn unary(op: &str, value: &str, cwd: &str, files: &dyn Files) -> Result<bool, String> {
    let stat = || files.stat(&join(cwd, value)).ok();
    Ok(match op {
        "-n" => !value.is_empty(),
        "-z" => value.is_empty(),
        "-e" => stat().is_some(),
        "-f" => stat().is_some_and(|info| !info.folder),
        "-d" => stat().is_some_and(|info| info.folder),
        "-s" => stat().is_some_and(|info| info.size > 0),
        "-r" => stat().is_some_and(|info| info.mode & 0o444 != 0),
        "-w" => stat().is_some_and(|info| info.mode & 0o222 != 0),
        "-x" => stat().is_some_and(|info| info.mode & 0o111 != 0),
        "-L" | "-h" => false,
        _ => return Err(format!("{op}: unknown operand")),
    })
}

fn binary(left: &str, op: &str, right: &str) -> Result<bool, String> {
    let number = |text: &str| text.trim().parse::<i64>().map_err(|_| format!("{text}: bad number"));
    Ok(match op {
        "=" | "==" => left == right,
        "!=" => left != right,
        "<" => left < right,
        ">" => left > right,
        "-eq" => number(left)? == number(right)?,
        "-ne" => number(left)? != number(right)?,
        "-lt" => number(left)? < number(right)?,
        "-le" => number(left)? <= number(right)?,
        "-gt" => number(left)? > number(right)?,
        "-ge" => number(left)? >= number(right)?,
        _ => return Err(format!("{op}: unknown operand")),
    })
}

/// `seq [FIRST [STEP]] LAST` over whole numbers.
///
/// # Errors
/// What is wrong with the arguments, as busybox prints it.
pub fn seq(args: &[String]) -> Result<String, String> {
    let mut numbers = Vec::new();
    for arg in args {
        numbers.push(arg.parse::<i64>().map_err(|_| format!("seq: invalid number '{arg}'"))?);
    }
    let (first, step, last) = match numbers[..] {
        [last] => (1, 1, last),
        [first, last] => (first, 1, last),
        [first, step, last] => (first, step, last),
        _ => return Err("seq: needs one to three numbers".to_string()),
    };
    if step == 0 {
        return Err(crate::base::not_simulated("seq with a step of 0"));
    }
    let mut out = String::new();
    let mut value = first;
    let mut count = 0;
    while (step > 0 && value <= last) || (step < 0 && value >= last) {
        count += 1;
        if count > MAX_SEQ {
            return Err(crate::base::not_simulated("seq of more than 100000 numbers"));
        }
        out.push_str(&format!("{value}\n"));
        match value.checked_add(step) {
            Some(next) => value = next,
            None => break,
        }
    }
    Ok(out)
}

/// `5`, `0.5`, `2m`, `1h`, `1d` in milliseconds.
pub fn duration_ms(text: &str) -> Option<u64> {
    let (number, unit) = match text.chars().last()? {
        's' => (&text[..text.len() - 1], 1.0),
        'm' => (&text[..text.len() - 1], 60.0),
        'h' => (&text[..text.len() - 1], 3600.0),
        'd' => (&text[..text.len() - 1], 86_400.0),
        _ => (text, 1.0),
    };
    if text == "infinity" || text == "inf" {
        return Some(u64::MAX / 4);
    }
    if number.is_empty() || !number.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return None;
    }
    number.parse::<f64>().ok().map(|n| (n * unit * 1000.0) as u64)
}
