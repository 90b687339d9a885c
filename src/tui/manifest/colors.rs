//! Colours of one line of YAML: keys, strings, numbers, comments, anchors. Looks at the line alone, so that drawing costs the window
//! and not the file.

use crate::tui::theme::Tone;

/// A run of characters with one meaning: how many, and which.
pub type Run = (usize, Tone);

/// The runs of a line, in order, covering it.
pub fn runs(line: &str) -> Vec<Run> {
    let chars: Vec<char> = line.chars().collect();
    let mut out = Vec::new();
    let mut at = chars.iter().take_while(|c| **c == ' ').count();
    push(&mut out, at, Tone::Plain);
    let rest: String = chars[at..].iter().collect();
    if rest.trim_end() == "---" || rest.trim_end() == "..." || rest.starts_with('#') {
        push(&mut out, chars.len() - at, Tone::Quiet);
        return out;
    }
    while at + 1 < chars.len() && chars[at] == '-' && chars[at + 1] == ' ' {
        let spaces = chars[at + 1..].iter().take_while(|c| **c == ' ').count();
        push(&mut out, 1 + spaces, Tone::Strong);
        at += 1 + spaces;
    }
    if let Some(key) = key_length(&chars[at..]) {
        push(&mut out, key, Tone::Command);
        push(&mut out, 1, Tone::Plain);
        at += key + 1;
    }
    value(&chars[at..], &mut out);
    out
}

fn push(out: &mut Vec<Run>, chars: usize, tone: Tone) {
    match out.last_mut() {
        Some((count, have)) if *have == tone => *count += chars,
        _ if chars > 0 => out.push((chars, tone)),
        _ => (),
    }
}

/// The characters of the key before `:`, when the line has one.
fn key_length(chars: &[char]) -> Option<usize> {
    let mut quote = None;
    for (nth, c) in chars.iter().enumerate() {
        match (quote, c) {
            (Some(open), c) if open == *c => quote = None,
            (Some(_), _) => (),
            (None, '"' | '\'') if nth == 0 => quote = Some(*c),
            (None, '{' | '[' | '#') if nth == 0 => return None,
            (None, ':') if chars.get(nth + 1).is_none_or(|next| *next == ' ') => return Some(nth).filter(|n| *n > 0),
            _ => (),
        }
    }
    None
}

/// Strings in quotes, anchors, comments, and words that YAML reads as something else than text.
fn value(chars: &[char], out: &mut Vec<Run>) {
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        let starts = at == 0 || " ,[{".contains(chars[at - 1]);
        let length = match c {
            '#' if starts => chars.len() - at,
            '"' | '\'' if starts => chars[at + 1..].iter().position(|d| *d == c).map_or(chars.len() - at, |n| n + 2),
            ' ' | ',' | '[' | ']' | '{' | '}' => 1,
            _ => chars[at..].iter().take_while(|d| !" ,]}".contains(**d)).count().max(1),
        };
        let word: String = chars[at..at + length].iter().collect();
        let tone = match c {
            '#' if starts => Tone::Quiet,
            '"' | '\'' if starts => Tone::Code,
            '&' | '*' if starts && length > 1 => Tone::Unsure,
            '|' | '>' if starts && length <= 2 => Tone::Unsure,
            '<' if word.ends_with('>') => Tone::Unsure,
            _ if starts && is_special(&word) => Tone::Strong,
            _ => Tone::Plain,
        };
        push(out, length, tone);
        at += length;
    }
}

fn is_special(word: &str) -> bool {
    matches!(word, "true" | "false" | "null" | "~" | "yes" | "no" | "on" | "off") || word.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> String {
        let mut chars = line.chars();
        let one = |(count, tone): &Run| format!("{tone:?}:{}", chars.by_ref().take(*count).collect::<String>());
        runs(line).iter().map(one).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn a_line_comes_apart_by_meaning() {
        for (line, want) in [
            ("kind: Pod # the kind", "Command:kind|Plain:: Pod |Quiet:# the kind"),
            ("  - name: \"a # b\"", "Plain:  |Strong:- |Command:name|Plain:: |Code:\"a # b\""),
            ("- http://x.example:80/", "Strong:- |Plain:http://x.example:80/"),
            ("port: 80", "Command:port|Plain:: |Strong:80"),
            ("base: &base {on: *other}", "Command:base|Plain:: |Unsure:&base|Plain: {on: |Unsure:*other|Plain:}"),
            ("text: |-", "Command:text|Plain:: |Unsure:|-"),
            ("host: <HOST>", "Command:host|Plain:: |Unsure:<HOST>"),
            ("---", "Quiet:---"),
            ("# key: value", "Quiet:# key: value"),
            ("", ""),
        ] {
            assert_eq!(told(line), want, "{line}");
        }
    }

    #[test]
    fn runs_cover_every_line() {
        for line in ["a: 'b", "日本: \"語", "- - x", "\tx: y", ":", "a:b", "{a: [1, true]}", "-", "- ", "'a': b", "&"] {
            assert_eq!(runs(line).iter().map(|(n, _)| n).sum::<usize>(), line.chars().count(), "{line}");
        }
    }
}
