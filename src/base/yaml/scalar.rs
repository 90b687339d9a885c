//! Which strings need quotes, and which kind: the rules of go-yaml v2's resolver and libyaml's scalar analysis.

/// How a string may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// The style that go-yaml v2 picks for a string (`key`: as a mapping key).
pub(super) fn style(text: &str, key: bool) -> Style {
    let look = analyse(text);
    if text.contains('\n') && !key {
        return if look.block { Style::Literal } else { Style::Double };
    }
    match (resolves_to_something_else(text), look.plain, look.single) {
        (true, ..) => Style::Double,
        (false, true, _) => Style::Plain,
        (false, false, true) => Style::Single,
        (false, false, false) => Style::Double,
    }
}

/// Whether a reader would take the bare text for null, a boolean, a number, a merge key or a timestamp.
fn resolves_to_something_else(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "", "~", "null", "Null", "NULL", "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", "n", "N", "no",
        "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf",
        "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", "<<",
    ];
    WORDS.contains(&text) || is_number(text) || is_base60(text) || is_timestamp(text)
}

fn is_number(text: &str) -> bool {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return false;
    }
    let bare = text.replace('_', "");
    let digits = bare.strip_prefix(['+', '-']).unwrap_or(&bare);
    let radix = |prefix: &str, radix: u32| {
        digits.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix)))
    };
    radix("0x", 16) || radix("0X", 16) || radix("0b", 2) || radix("0o", 8) || is_decimal(digits)
}

/// `^(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`, the sign already gone.
fn is_decimal(digits: &str) -> bool {
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((m, e)) => (m, Some(e.strip_prefix(['+', '-']).unwrap_or(e))),
        None => (digits, None),
    };
    let all_digits = |s: &str| s.chars().all(|c| c.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some(("", frac)) => !frac.is_empty() && all_digits(frac),
        Some((int, frac)) => all_digits(int) && all_digits(frac),
        None => !mantissa.is_empty() && all_digits(mantissa),
    };
    mantissa_ok && exponent.is_none_or(|e| !e.is_empty() && all_digits(e))
}

/// `^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$`: what YAML 1.1 calls a base 60 number.
fn is_base60(text: &str) -> bool {
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = bare.split(':');
    let first = parts.next().unwrap_or("");
    let first_ok = first.starts_with(|c: char| c.is_ascii_digit()) && first.chars().all(|c| c.is_ascii_digit() || c == '_');
    let rest: Vec<&str> = parts.collect();
    first_ok
        && !rest.is_empty()
        && rest.iter().enumerate().all(|(i, part)| {
            let part = if i + 1 == rest.len() { part.split_once('.').map_or(*part, |(whole, _)| whole) } else { part };
            matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9'])
        })
}

/// `2006-1-2`, alone or followed by a time.
fn is_timestamp(text: &str) -> bool {
    let date_end = text.find(['T', 't', ' ']).unwrap_or(text.len());
    let (date, time) = text.split_at(date_end);
    let parts: Vec<&str> = date.split('-').collect();
    let digits = |s: &str, max: usize| !s.is_empty() && s.len() <= max && s.chars().all(|c| c.is_ascii_digit());
    let date_ok = matches!(parts[..], [y, m, d] if y.len() == 4 && digits(y, 4) && digits(m, 2) && digits(d, 2));
    date_ok && (time.is_empty() || is_time(&time[1..], !time.starts_with(' ')))
}

/// `15:4:5`, with a fraction if there is one; a zone follows where one is `zoned`.
fn is_time(text: &str, zoned: bool) -> bool {
    let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.')).unwrap_or(text.len());
    let (clock, zone) = text.split_at(end);
    let digits = |s: &str, max: usize| !s.is_empty() && s.len() <= max && s.chars().all(|c| c.is_ascii_digit());
    let parts: Vec<&str> = clock.split(':').collect();
    let clock_ok = match parts[..] {
        [h, m, s] => {
            let (s, fraction) = s.split_once('.').unwrap_or((s, "0"));
            [h, m, s].iter().all(|part| digits(part, 2)) && digits(fraction, usize::MAX)
        }
        _ => false,
    };
    let offset = |z: &str| z.split_once(':').is_some_and(|(h, m)| h.len() == 2 && m.len() == 2 && digits(h, 2) && digits(m, 2));
    let zone_ok = match (zoned, zone) {
        (true, "Z") | (false, "") => true,
        (true, zone) => zone.strip_prefix(['+', '-']).is_some_and(offset),
        (false, _) => false,
    };
    clock_ok && zone_ok
}

struct Look {
    plain: bool,
    single: bool,
    block: bool,
}

/// libyaml's yaml_emitter_analyze_scalar, for block context.
fn analyse(text: &str) -> Look {
    if text.is_empty() {
        return Look { plain: true, single: true, block: false };
    }
    let chars: Vec<char> = text.chars().collect();
    let blank = |i: usize| chars.get(i).is_none_or(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
    let mut indicators = text.starts_with("---") || text.starts_with("...");
    let (mut special, mut space_break, mut break_space) = (false, false, false);
    for (i, &c) in chars.iter().enumerate() {
        indicators |= match c {
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' if i == 0 => true,
            '?' | ':' | '-' if i == 0 => blank(1),
            ':' => blank(i + 1),
            '#' => i > 0 && blank(i - 1),
            _ => false,
        };
        special |= c.is_control() && c != '\n' || c == '\u{feff}' || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
        space_break |= c == '\n' && i > 0 && chars[i - 1] == ' ';
        break_space |= c == ' ' && i > 0 && chars[i - 1] == '\n';
    }
    let (first, last) = (chars[0], chars[chars.len() - 1]);
    let edge = matches!(first, ' ' | '\n') || matches!(last, ' ' | '\n');
    Look {
        plain: !(indicators || special || space_break || break_space || edge || text.contains('\n')),
        single: !(special || space_break || break_space),
        block: !(special || space_break || last == ' '),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_are_those_of_go_yaml() {
        let cases = [
            ("plain", Style::Plain),
            ("yes", Style::Double),
            ("", Style::Double),
            ("80", Style::Double),
            ("1.0", Style::Double),
            ("1.30.0", Style::Plain),
            ("12:30", Style::Double),
            ("2026-01-01T09:00:00Z", Style::Double),
            ("2026-01-01", Style::Double),
            ("*", Style::Single),
            ("a: b", Style::Single),
            ("it's", Style::Plain),
            ("'x", Style::Single),
            ("{}", Style::Single),
            ("-", Style::Single),
            ("-v", Style::Plain),
            (" lead", Style::Single),
            ("a\nb\n", Style::Literal),
            ("a \nb", Style::Double),
            ("tab\there", Style::Double),
            ("http://x:80", Style::Plain),
            ("0x1f", Style::Double),
            ("1e3", Style::Double),
        ];
        for (text, want) in cases {
            assert_eq!(style(text, false), want, "{text:?}");
        }
    }
}
