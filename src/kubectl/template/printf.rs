//! Go's `fmt.Sprintf`, `Sprint` and `Sprintln` for the values of templates.

use super::value::{Val, View, float, go_quoted, go_syntax};
use std::iter::Peekable;
use std::str::Chars;

/// The widest a field is made.
const WIDEST: usize = 10_000;

/// The flags of one verb.
#[derive(Debug, Clone, Copy, Default)]
struct Form {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// `fmt.Sprintf`.
pub fn sprintf(format: &str, values: &[Val<'_>]) -> String {
    let mut out = String::new();
    let mut next = 0;
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut form = flags(&mut chars);
        form.width = star_or_number(&mut chars, values, &mut next, &mut form.minus);
        if chars.peek() == Some(&'.') {
            chars.next();
            let mut ignored = false;
            form.precision = Some(star_or_number(&mut chars, values, &mut next, &mut ignored).unwrap_or(0));
        }
        match chars.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(verb) => {
                match values.get(next) {
                    Some(value) => out.push_str(&one(verb, form, value)),
                    None => out.push_str(&format!("%!{verb}(MISSING)")),
                }
                next += 1;
            }
        }
    }
    if next < values.len() {
        let extra = |value: &Val<'_>| match value.is_nil() {
            true => "<nil>".to_string(),
            false => format!("{}={}", value.type_name(), value.shown()),
        };
        out.push_str(&format!("%!(EXTRA {})", values[next..].iter().map(extra).collect::<Vec<_>>().join(", ")));
    }
    out
}

fn flags(chars: &mut Peekable<Chars<'_>>) -> Form {
    let mut form = Form::default();
    while let Some(c) = chars.peek() {
        match c {
            '-' => form.minus = true,
            '+' => form.plus = true,
            '#' => form.sharp = true,
            ' ' => form.space = true,
            '0' => form.zero = true,
            _ => break,
        }
        chars.next();
    }
    form
}

fn star_or_number(chars: &mut Peekable<Chars<'_>>, values: &[Val<'_>], next: &mut usize, minus: &mut bool) -> Option<usize> {
    if chars.peek() == Some(&'*') {
        chars.next();
        let value = values.get(*next).map(Val::view);
        *next += 1;
        let View::Int(n) = value? else { return None };
        *minus |= n < 0;
        return Some((n.unsigned_abs() as usize).min(WIDEST));
    }
    let mut digits = String::new();
    while let Some(c) = chars.peek().filter(|c| c.is_ascii_digit()) {
        digits.push(*c);
        chars.next();
    }
    (!digits.is_empty()).then(|| digits.parse::<usize>().map_or(WIDEST, |n| n.min(WIDEST)))
}

fn padded(text: &str, form: Form, zeros: bool) -> String {
    let missing = form.width.unwrap_or(0).saturating_sub(text.chars().count());
    match (form.minus, form.zero && zeros) {
        _ if missing == 0 => text.to_string(),
        (true, _) => format!("{text}{}", " ".repeat(missing)),
        (false, true) => {
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-', ' '])));
            format!("{sign}{}{digits}", "0".repeat(missing))
        }
        (false, false) => format!("{}{text}", " ".repeat(missing)),
    }
}

fn one(verb: char, form: Form, value: &Val<'_>) -> String {
    let view = value.view();
    match (verb, view) {
        ('T', _) => padded(value.type_name(), form, false),
        ('v', View::Missing | View::Nil) => padded("<nil>", form, false),
        (_, View::Missing | View::Nil) => format!("%!{verb}(<nil>)"),
        ('v', View::Text(text)) if form.sharp => padded(&go_quoted(text), form, false),
        ('v' | 's', View::Text(text)) => padded(&cut(text, form), form, false),
        ('v', View::Int(n)) => padded(&signed(n, form), form, true),
        ('v', View::Float(n)) => padded(&(sign_of(n >= 0.0, form) + &float(n)), form, true),
        ('v' | 't', View::Bool(b)) => padded(&b.to_string(), form, false),
        ('v', View::List(_) | View::Map(_)) if form.sharp => match value {
            Val::Of(value) => go_syntax(value),
            other => other.shown(),
        },
        ('v', View::List(_) | View::Map(_)) => value.shown(),
        ('q', View::Text(text)) => padded(&go_quoted(&cut(text, form)), form, false),
        ('x' | 'X', View::Text(text)) => {
            let hex: String = cut(text, form).bytes().map(|b| format!("{b:02x}")).collect();
            padded(&if verb == 'X' { hex.to_uppercase() } else { hex }, form, false)
        }
        (_, View::Int(n)) => whole(verb, form, n, value),
        (_, View::Float(n)) => fraction(verb, form, n, value),
        (_, View::List(items)) => elements(verb, form, items),
        (_, View::Map(map)) => {
            let inner: Vec<String> = map
                .iter()
                .map(|(k, v)| format!("{}:{}", one(verb, form, &Val::Text(k.clone())), one(verb, form, &Val::Of(v))))
                .collect();
            format!("map[{}]", inner.join(" "))
        }
        _ => wrong(verb, value),
    }
}

fn elements(verb: char, form: Form, items: &[serde_json::Value]) -> String {
    let inner: Vec<String> = items.iter().map(|item| one(verb, form, &Val::Of(item))).collect();
    format!("[{}]", inner.join(" "))
}

fn wrong(verb: char, value: &Val<'_>) -> String {
    format!("%!{verb}({}={})", value.type_name(), value.shown())
}

fn cut(text: &str, form: Form) -> String {
    form.precision.map_or_else(|| text.to_string(), |n| text.chars().take(n).collect())
}

fn sign_of(positive: bool, form: Form) -> String {
    match positive {
        true if form.plus => "+".into(),
        true if form.space => " ".into(),
        _ => String::new(),
    }
}

fn signed(n: i64, form: Form) -> String {
    sign_of(n >= 0, form) + &n.to_string()
}

fn whole(verb: char, form: Form, n: i64, value: &Val<'_>) -> String {
    let minus = if n < 0 { "-".to_string() } else { sign_of(true, form) };
    let size = n.unsigned_abs();
    let based = |digits: String, mark: &str| format!("{minus}{}{digits}", if form.sharp { mark } else { "" });
    let text = match verb {
        'd' => signed(n, form),
        'x' => based(format!("{size:x}"), "0x"),
        'X' => based(format!("{size:X}"), "0X"),
        'o' => based(format!("{size:o}"), "0"),
        'O' => format!("{minus}0o{size:o}"),
        'b' => based(format!("{size:b}"), "0b"),
        'c' => u32::try_from(n).ok().and_then(char::from_u32).unwrap_or('\u{fffd}').to_string(),
        'q' => format!("'{}'", u32::try_from(n).ok().and_then(char::from_u32).unwrap_or('\u{fffd}')),
        'U' => format!("U+{size:04X}"),
        _ => return wrong(verb, value),
    };
    padded(&text, form, true)
}

fn fraction(verb: char, form: Form, n: f64, value: &Val<'_>) -> String {
    let digits = form.precision.unwrap_or(6).min(WIDEST);
    let text = match verb {
        'f' | 'F' => format!("{n:.digits$}"),
        'e' | 'E' => exponent(&format!("{n:.digits$e}")),
        'g' | 'G' => match form.precision {
            None => float(n),
            Some(digits) => general(n, digits.max(1)),
        },
        _ => return wrong(verb, value),
    };
    let text = if verb.is_ascii_uppercase() { text.to_uppercase() } else { text };
    padded(&(sign_of(n >= 0.0, form) + &text), form, true)
}

/// Rust writes `1.5e0`, Go `1.5e+00`.
fn exponent(text: &str) -> String {
    let (digits, power) = text.split_once('e').unwrap_or((text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    format!("{digits}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
}

/// `%.3g`: so many digits, without trailing zeros.
fn general(n: f64, digits: usize) -> String {
    let text = format!("{n:.*e}", digits - 1);
    let power: i32 = text.split_once('e').and_then(|(_, p)| p.parse().ok()).unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text.to_string(),
    };
    match power < -4 || power >= digits as i32 {
        true => {
            let (digits, _) = text.split_once('e').unwrap_or((&text, ""));
            exponent(&format!("{}e{power}", trim(digits)))
        }
        false => trim(&format!("{n:.*}", (digits as i32 - 1 - power).max(0) as usize)),
    }
}

/// `fmt.Sprint`: blanks only between values of which neither is a string.
pub fn sprint(values: &[Val<'_>]) -> String {
    let mut out = String::new();
    let mut was_text = true;
    for (n, value) in values.iter().enumerate() {
        let is_text = matches!(value.view(), View::Text(_));
        if n > 0 && !is_text && !was_text {
            out.push(' ');
        }
        out.push_str(&value.shown());
        was_text = is_text;
    }
    out
}

/// `fmt.Sprintln`: blanks between all values, and a newline.
pub fn sprintln(values: &[Val<'_>]) -> String {
    values.iter().map(Val::shown).collect::<Vec<_>>().join(" ") + "\n"
}
