//! Patterns: `*`, `?`, `[..]`, with a backslash in front of what is meant as written.

use crate::shell::{Files, join};

/// Most paths that one pattern may expand to.
const MAX_PATHS: usize = 1000;

/// Whether the whole text fits the pattern.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, t));
            p += 1;
            continue;
        }
        if let Some(len) = one(&pattern[p..], text[t]) {
            p += len;
            t += 1;
            continue;
        }
        let Some((star_p, star_t)) = star else {
            return false;
        };
        star = Some((star_p, star_t + 1));
        p = star_p + 1;
        t = star_t + 1;
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Length of the pattern element that fits the character.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '\\' if pattern.len() > 1 => (pattern[1] == c).then_some(2),
        '[' => match set(pattern) {
            Some((len, negated, members)) => (members.iter().any(|(a, b)| (*a..=*b).contains(&c)) != negated).then_some(len),
            None => (c == '[').then_some(1),
        },
        p => (*p == c).then_some(1),
    }
}

/// `[..]`: its length, whether it is negated, its ranges; `None` when it is not closed.
fn set(pattern: &[char]) -> Option<(usize, bool, Vec<(char, char)>)> {
    let negated = matches!(pattern.get(1), Some('!' | '^'));
    let mut at = if negated { 2 } else { 1 };
    let start = at;
    let mut members = Vec::new();
    loop {
        let mut c = *pattern.get(at)?;
        if c == ']' && at > start {
            return Some((at + 1, negated, members));
        }
        if c == '['
            && pattern.get(at + 1) == Some(&':')
            && let Some(len) = class(&pattern[at..], &mut members)
        {
            at += len;
            continue;
        }
        if c == '\\' && pattern.len() > at + 1 {
            at += 1;
            c = pattern[at];
        }
        at += 1;
        match (pattern.get(at), pattern.get(at + 1)) {
            (Some('-'), Some(end)) if *end != ']' => {
                members.push((c, *end));
                at += 2;
            }
            _ => members.push((c, c)),
        }
    }
}

/// `[:alpha:]` and its kin.
fn class(pattern: &[char], members: &mut Vec<(char, char)>) -> Option<usize> {
    let end = pattern.iter().skip(2).position(|c| *c == ':')? + 2;
    if pattern.get(end + 1) != Some(&']') {
        return None;
    }
    let name: String = pattern[2..end].iter().collect();
    let ranges: &[(char, char)] = match name.as_str() {
        "alpha" => &[('a', 'z'), ('A', 'Z')],
        "digit" => &[('0', '9')],
        "alnum" => &[('a', 'z'), ('A', 'Z'), ('0', '9')],
        "upper" => &[('A', 'Z')],
        "lower" => &[('a', 'z')],
        "space" => &[(' ', ' '), ('\t', '\r')],
        _ => return None,
    };
    members.extend_from_slice(ranges);
    Some(end + 2)
}

/// The paths that fit the pattern, sorted; empty when none does.
pub fn expand(pattern: &str, cwd: &str, files: &dyn Files) -> Vec<String> {
    let absolute = pattern.starts_with('/');
    let mut found = vec![if absolute { "/".to_string() } else { String::new() }];
    let parts: Vec<&str> = pattern.split('/').filter(|p| !p.is_empty()).collect();
    for (at, part) in parts.iter().enumerate() {
        let last = at + 1 == parts.len();
        let mut next = Vec::new();
        for base in &found {
            step(part, base, last, cwd, files, &mut next);
            next.truncate(MAX_PATHS);
        }
        found = next;
    }
    found.sort();
    found
}

/// One path element below one folder.
fn step(part: &str, base: &str, last: bool, cwd: &str, files: &dyn Files, next: &mut Vec<String>) {
    let put =
        |name: &str| if base.is_empty() || base.ends_with('/') { format!("{base}{name}") } else { format!("{base}/{name}") };
    if !part.contains(['*', '?', '[']) {
        let path = put(&part.replace('\\', ""));
        if files.stat(&join(cwd, &path)).is_ok() {
            next.push(path);
        }
        return;
    }
    let folder = if base.is_empty() { cwd.to_string() } else { join(cwd, base) };
    for name in files.list(&folder).unwrap_or_default() {
        let name = name.trim_end_matches('/');
        if (name.starts_with('.') && !part.starts_with('.')) || !matches(part, name) {
            continue;
        }
        let path = put(name);
        if last || files.stat(&join(cwd, &path)).is_ok_and(|info| info.folder) {
            next.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_fit_as_in_a_shell() {
        let table = [
            ("*", "", true),
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "a.yml", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[[:digit:]]*", "7up", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("a*b*c", "aXbYbZc", true),
            ("[", "[", true),
            ("**a", "bba", true),
        ];
        for (pattern, text, want) in table {
            assert_eq!(matches(pattern, text), want, "{pattern} against {text}");
        }
    }
}
