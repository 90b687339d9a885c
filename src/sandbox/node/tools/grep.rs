//! grep, with the options that learners use.

use super::Tool;
use super::text::to_lines;
use regex::{Regex, RegexBuilder};

#[derive(Default)]
struct Options {
    letters: String,
    patterns: Vec<String>,
    names: Vec<String>,
    before: usize,
    after: usize,
    most: Option<usize>,
}

pub fn run(tool: &mut Tool<'_>) -> i32 {
    let options = match parse(tool.args()) {
        Ok(options) => options,
        Err(what) => return tool.refuse(&format!("grep {what}")),
    };
    if options.patterns.is_empty() {
        tool.err("Usage: grep [-HhnlLoqvsrRiwFE] [-m N] [-A|B|C N] { PATTERN | -e PATTERN... | -f FILE... } [FILE]...\n");
        return 2;
    }
    let has = |letter: char| options.letters.contains(letter);
    let Some(regex) = compile(&options, has('E'), has('F'), has('i'), has('w'), has('x')) else {
        tool.err(&format!("grep: bad regex '{}'\n", options.patterns[0]));
        return 2;
    };
    let named = options.names.len() > 1 && !has('h') || has('H');
    let (inputs, trouble) = tool.inputs(&options.names);
    let mut found = false;
    for (name, bytes) in inputs {
        found |= search(tool, &options, &regex, named.then_some(name.as_str()), &name, &to_lines(&bytes));
    }
    match (trouble, found) {
        (0, true) => 0,
        (0, false) => 1,
        _ => 2,
    }
}

fn parse(args: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut args = args.iter();
    let mut operands = Vec::new();
    while let Some(arg) = args.next() {
        let Some(rest) = arg.strip_prefix('-').filter(|r| !r.is_empty()) else {
            operands.push(arg.clone());
            continue;
        };
        if rest.starts_with('-') {
            match rest {
                "-color" | "-color=auto" | "-color=never" => continue,
                _ => return Err(arg.clone()),
            }
        }
        for (at, letter) in rest.char_indices() {
            match letter {
                'A' | 'B' | 'C' | 'e' | 'm' => {
                    let inline = &rest[at + 1..];
                    let value = if inline.is_empty() { args.next().cloned().unwrap_or_default() } else { inline.to_string() };
                    let number = value.parse::<usize>().map_err(|_| format!("-{letter} {value}"));
                    match letter {
                        'e' => options.patterns.push(value),
                        'A' => options.after = number?,
                        'B' => options.before = number?,
                        'm' => options.most = Some(number?),
                        _ => (options.after, options.before) = (number.clone()?, number?),
                    }
                    break;
                }
                'o' | 'i' | 'v' | 'c' | 'E' | 'q' | 'n' | 'F' | 'w' | 'x' | 'h' | 'H' | 'l' | 's' => options.letters.push(letter),
                other => return Err(format!("-{other}")),
            }
        }
    }
    let mut operands = operands.into_iter();
    if options.patterns.is_empty() {
        options.patterns.extend(operands.next());
    }
    options.names = operands.collect();
    Ok(options)
}

fn compile(options: &Options, extended: bool, fixed: bool, any_case: bool, words: bool, lines: bool) -> Option<Regex> {
    let all: Vec<String> = options.patterns.iter().flat_map(|p| p.split('\n').map(str::to_string).collect::<Vec<_>>()).collect();
    let each = all.iter().map(|p| if fixed { regex::escape(p) } else { translate(p, extended) });
    let mut whole = each.map(|p| format!("(?:{p})")).collect::<Vec<_>>().join("|");
    if words {
        whole = format!(r"\b(?:{whole})\b");
    }
    if lines {
        whole = format!("^(?:{whole})$");
    }
    RegexBuilder::new(&whole).case_insensitive(any_case).size_limit(1 << 20).build().ok()
}

/// A POSIX pattern in the words of the regex engine: in basic ones `\(`, `\|`, `\+` are the special forms.
pub fn translate(pattern: &str, extended: bool) -> String {
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    let mut in_set = false;
    while let Some(c) = chars.next() {
        if in_set {
            if c == '[' && chars.peek() != Some(&':') {
                out.push('\\');
            }
            if c == '\\' {
                out.push('\\');
            }
            out.push(c);
            if c == '[' && chars.peek() == Some(&':') {
                for c in chars.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            } else if c == ']' {
                in_set = false;
            }
            continue;
        }
        match c {
            '[' => {
                in_set = true;
                out.push('[');
                if chars.peek() == Some(&'^') {
                    out.extend(chars.next());
                }
                if chars.peek() == Some(&']') {
                    out.push('\\');
                    out.extend(chars.next());
                }
            }
            '\\' => match chars.next() {
                Some(c @ ('(' | ')' | '{' | '}' | '|' | '+' | '?')) if !extended => out.push(c),
                Some('<' | '>') => out.push_str(r"\b"),
                Some(c) if c.is_ascii_alphanumeric() && !"wWsSbBd".contains(c) => out.push(c),
                Some(c) => out.extend(['\\', c]),
                None => out.push_str(r"\\"),
            },
            '(' | ')' | '{' | '}' | '|' | '+' | '?' if !extended => out.extend(['\\', c]),
            '{' if !chars.peek().is_some_and(char::is_ascii_digit) => out.push_str(r"\{"),
            '*' if out.is_empty() => out.push_str(r"\*"),
            c => out.push(c),
        }
    }
    out
}

/// Prints what fits in one input; whether anything did.
fn search(tool: &mut Tool<'_>, options: &Options, regex: &Regex, label: Option<&str>, name: &str, lines: &[String]) -> bool {
    let has = |letter: char| options.letters.contains(letter);
    let mut hits: Vec<usize> = (0..lines.len()).filter(|at| regex.is_match(&lines[*at]) != has('v')).collect();
    hits.truncate(options.most.unwrap_or(usize::MAX));
    let found = !hits.is_empty();
    let prefix = |at: usize, sign: char| {
        let name = label.map(|l| format!("{l}{sign}")).unwrap_or_default();
        if has('n') { format!("{name}{}{sign}", at + 1) } else { name }
    };
    if has('q') {
        return found;
    }
    if has('l') {
        if found {
            tool.say(&format!("{name}\n"));
        }
        return found;
    }
    if has('c') {
        tool.say(&format!("{}{}\n", label.map(|l| format!("{l}:")).unwrap_or_default(), hits.len()));
        return found;
    }
    if has('o') {
        for at in &hits {
            for hit in regex.find_iter(&lines[*at]).filter(|m| !m.is_empty()) {
                tool.say(&format!("{}{}\n", prefix(*at, ':'), hit.as_str()));
            }
        }
        return found;
    }
    let mut last: Option<usize> = None;
    for at in &hits {
        let from = at.saturating_sub(options.before).max(last.map_or(0, |l| l + 1));
        if last.is_some_and(|l| from > l + 1) && (options.before > 0 || options.after > 0) {
            tool.say("--\n");
        }
        let to = (at + options.after).min(lines.len() - 1);
        for (shown, line) in lines.iter().enumerate().take(to + 1).skip(from) {
            let sign = if hits.contains(&shown) { ':' } else { '-' };
            tool.say(&format!("{}{line}\n", prefix(shown, sign)));
        }
        last = Some(to.max(last.unwrap_or(0)));
    }
    found
}
