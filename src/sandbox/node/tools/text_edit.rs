//! sed and awk, as far as learners' one-liners go; the rest is refused by name.

use super::Tool;
use super::grep::translate;
use super::text::{print_lines, to_lines};
use regex::{Regex, RegexBuilder};

/// One sed command: which lines, and what to do.
struct Edit {
    from: Option<Place>,
    to: Option<Place>,
    act: Act,
}

enum Place {
    Line(usize),
    Last,
    Match(Regex),
}

enum Act {
    Print,
    Delete,
    Quit,
    Replace { pattern: Regex, with: String, all: bool, print: bool },
}

pub fn sed(tool: &mut Tool<'_>) -> i32 {
    let (mut quiet, mut extended, mut scripts, mut names) = (false, false, Vec::new(), Vec::new());
    let args = tool.args().to_vec();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-n" => quiet = true,
            "-E" | "-r" => extended = true,
            "-nE" | "-En" | "-nr" => (quiet, extended) = (true, true),
            "-e" => scripts.extend(args.next().cloned()),
            option if option.starts_with('-') && option.len() > 1 => return tool.refuse(&format!("sed {option}")),
            _ => names.push(arg.clone()),
        }
    }
    if scripts.is_empty() && !names.is_empty() {
        scripts.push(names.remove(0));
    }
    let text = scripts.join(";");
    let Some(edits) = edits(&text, extended) else {
        return tool.refuse(&format!("sed '{text}' (s/../../, p, d and q with line numbers or /patterns/ are)"));
    };
    let (inputs, code) = tool.inputs(&names);
    let lines: Vec<String> = inputs.iter().flat_map(|(_, bytes)| to_lines(bytes)).collect();
    let out = run_edits(&edits, &lines, quiet);
    print_lines(tool, &out);
    code
}

fn run_edits(edits: &[Edit], lines: &[String], quiet: bool) -> Vec<String> {
    let mut out = Vec::new();
    let mut open = vec![false; edits.len()];
    'lines: for (at, line) in lines.iter().enumerate() {
        let mut line = line.clone();
        let mut quit = false;
        for (edit, open) in edits.iter().zip(&mut open) {
            if !applies(edit, open, at, lines.len(), &line) {
                continue;
            }
            match &edit.act {
                Act::Print => out.push(line.clone()),
                Act::Delete => continue 'lines,
                Act::Quit => quit = true,
                Act::Replace { pattern, with, all, print } => {
                    let hit = pattern.is_match(&line);
                    let times = if *all { 0 } else { 1 };
                    line = pattern.replacen(&line, times, with.as_str()).into_owned();
                    if hit && *print {
                        out.push(line.clone());
                    }
                }
            }
        }
        if !quiet {
            out.push(line);
        }
        if quit {
            break;
        }
    }
    out
}

fn applies(edit: &Edit, open: &mut bool, at: usize, count: usize, line: &str) -> bool {
    let hits = |place: &Place| match place {
        Place::Line(n) => at + 1 == *n,
        Place::Last => at + 1 == count,
        Place::Match(regex) => regex.is_match(line),
    };
    match (&edit.from, &edit.to) {
        (None, _) => true,
        (Some(from), None) => hits(from),
        (Some(from), Some(to)) => {
            if !*open && hits(from) {
                *open = !matches!(to, Place::Line(n) if *n <= at + 1);
                return true;
            }
            let inside = *open;
            if inside && hits(to) {
                *open = false;
            }
            inside
        }
    }
}

fn edits(text: &str, extended: bool) -> Option<Vec<Edit>> {
    let mut rest = text.trim_start_matches([' ', ';', '\n']);
    let mut out = Vec::new();
    while !rest.is_empty() && out.len() < 100 {
        let (from, after) = place(rest, extended)?;
        let (to, after) = match after.strip_prefix(',').filter(|_| from.is_some()) {
            Some(after) => {
                let (to, after) = place(after, extended)?;
                (Some(to?), after)
            }
            None => (None, after),
        };
        let after = after.trim_start();
        let (act, after) = match after.chars().next()? {
            'p' => (Act::Print, &after[1..]),
            'd' => (Act::Delete, &after[1..]),
            'q' => (Act::Quit, &after[1..]),
            's' => replace(&after[1..], extended)?,
            _ => return None,
        };
        out.push(Edit { from, to, act });
        let trimmed = after.trim_start_matches([' ', '\n']);
        if !trimmed.is_empty() && !trimmed.starts_with(';') && !after.starts_with('\n') {
            return None;
        }
        rest = trimmed.trim_start_matches([' ', ';', '\n']);
    }
    (!out.is_empty()).then_some(out)
}

fn place(text: &str, extended: bool) -> Option<(Option<Place>, &str)> {
    if let Some(after) = text.strip_prefix('$') {
        return Some((Some(Place::Last), after));
    }
    if let Some(after) = text.strip_prefix('/') {
        let (pattern, after) = until(after, '/')?;
        let regex = compile(&pattern, extended, false)?;
        return Some((Some(Place::Match(regex)), after));
    }
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    match end {
        0 => Some((None, text)),
        _ => Some((Some(Place::Line(text[..end].parse().ok()?)), &text[end..])),
    }
}

/// Up to an unescaped mark; the escaped mark loses its backslash.
fn until(text: &str, mark: char) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == mark {
            return Some((out, &text[at + c.len_utf8()..]));
        }
        if c == '\\' {
            match chars.next()? {
                (_, c) if c == mark => out.push(c),
                (_, c) => out.extend(['\\', c]),
            }
            continue;
        }
        out.push(c);
    }
    None
}

fn compile(pattern: &str, extended: bool, any_case: bool) -> Option<Regex> {
    RegexBuilder::new(&translate(pattern, extended)).case_insensitive(any_case).size_limit(1 << 20).build().ok()
}

fn replace(text: &str, extended: bool) -> Option<(Act, &str)> {
    let mark = text.chars().next()?;
    let (pattern, after) = until(&text[mark.len_utf8()..], mark)?;
    let (with, after) = until(after, mark)?;
    let end = after.find(|c: char| !"gpIi".contains(c)).unwrap_or(after.len());
    let flags = &after[..end];
    let pattern = compile(&pattern, extended, flags.contains(['i', 'I']))?;
    let mut filled = String::new();
    let mut chars = with.chars();
    while let Some(c) = chars.next() {
        match c {
            '$' => filled.push_str("$$"),
            '&' => filled.push_str("${0}"),
            '\\' => match chars.next() {
                Some('n') => filled.push('\n'),
                Some('t') => filled.push('\t'),
                Some(d) if d.is_ascii_digit() => filled.push_str(&format!("${{{d}}}")),
                Some(other) => filled.push(other),
                None => (),
            },
            c => filled.push(c),
        }
    }
    Some((Act::Replace { pattern, with: filled, all: flags.contains('g'), print: flags.contains('p') }, &after[end..]))
}

/// `awk [-F SEP] '[/pattern/] {print $1, $NF, "text"}'`
pub fn awk(tool: &mut Tool<'_>) -> i32 {
    let (mut separator, mut program, mut names) = (None, None, Vec::new());
    let args = tool.args().to_vec();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.strip_prefix("-F") {
            Some("") => separator = args.next().cloned(),
            Some(sep) => separator = Some(sep.to_string()),
            None if arg.starts_with('-') && arg.len() > 1 => return tool.refuse(&format!("awk {arg}")),
            None if program.is_none() => program = Some(arg.clone()),
            None => names.push(arg.clone()),
        }
    }
    let program = program.unwrap_or_default();
    let Some(plan) = plan(&program) else {
        return tool.refuse(&format!("awk '{program}' (print with fields and texts after an optional /pattern/ or NR==N is)"));
    };
    let (inputs, code) = tool.inputs(&names);
    let mut out = Vec::new();
    for (at, line) in inputs.iter().flat_map(|(_, bytes)| to_lines(bytes)).enumerate() {
        let taken = match &plan.when {
            When::Always => true,
            When::Match(regex) => regex.is_match(&line),
            When::Line(n) => at + 1 == *n,
        };
        if !taken {
            continue;
        }
        let fields: Vec<&str> = match separator.as_deref() {
            None | Some(" ") => line.split_whitespace().collect(),
            Some("\\t") => line.split('\t').collect(),
            Some(sep) => line.split(sep).collect(),
        };
        out.push(plan.print.iter().map(|piece| piece.text(&line, &fields, at + 1)).collect());
    }
    print_lines(tool, &out);
    code
}

struct Plan {
    when: When,
    print: Vec<Piece>,
}

enum When {
    Always,
    Match(Regex),
    Line(usize),
}

enum Piece {
    Field(usize),
    FromLast(usize),
    Text(String),
    LineNumber,
    FieldCount,
}

impl Piece {
    fn text(&self, line: &str, fields: &[&str], number: usize) -> String {
        match self {
            Piece::Field(0) => line.to_string(),
            Piece::Field(n) => fields.get(n - 1).unwrap_or(&"").to_string(),
            Piece::FromLast(n) => fields.len().checked_sub(n + 1).map_or(String::new(), |at| fields[at].to_string()),
            Piece::Text(text) => text.clone(),
            Piece::LineNumber => number.to_string(),
            Piece::FieldCount => fields.len().to_string(),
        }
    }
}

fn plan(program: &str) -> Option<Plan> {
    let program = program.trim();
    let (when, body) = if let Some(after) = program.strip_prefix('/') {
        let (pattern, after) = until(after, '/')?;
        (When::Match(compile(&pattern, true, false)?), after.trim())
    } else if let Some(after) = program.strip_prefix("NR==") {
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        (When::Line(after[..end].parse().ok()?), after[end..].trim())
    } else {
        (When::Always, program)
    };
    if body.is_empty() && !matches!(when, When::Always) {
        return Some(Plan { when, print: vec![Piece::Field(0)] });
    }
    let inner = body.strip_prefix('{')?.strip_suffix('}')?.trim().trim_end_matches(';').trim();
    let args = inner.strip_prefix("print")?;
    if !args.is_empty() && !args.starts_with([' ', '$', '"']) {
        return None;
    }
    let print = pieces(args)?;
    Some(Plan { when, print: if print.is_empty() { vec![Piece::Field(0)] } else { print } })
}

/// `$1, $2 "text" NR`: a comma is a space, things side by side are joined.
fn pieces(text: &str) -> Option<Vec<Piece>> {
    let mut rest = text.trim();
    let mut out = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(',') {
            out.push(Piece::Text(" ".to_string()));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('"') {
            let (literal, after) = until(after, '"')?;
            out.push(Piece::Text(literal.replace("\\n", "\n").replace("\\t", "\t")));
            rest = after;
        } else if let Some(after) = rest.strip_prefix("$(NF-") {
            let (n, after) = after.split_once(')')?;
            out.push(Piece::FromLast(n.parse().ok()?));
            rest = after;
        } else if let Some(after) = rest.strip_prefix("$NF") {
            out.push(Piece::FromLast(0));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('$') {
            let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            out.push(Piece::Field(after[..end].parse().ok()?));
            rest = &after[end..];
        } else if let Some(after) = rest.strip_prefix("NR") {
            out.push(Piece::LineNumber);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("NF") {
            out.push(Piece::FieldCount);
            rest = after;
        } else {
            return None;
        }
        rest = rest.trim_start();
    }
    Some(out)
}
