//! Commands on lines: head, tail, wc, sort, uniq, cut, tr.

use super::Tool;
use super::files::split;
use crate::base::order::Order;

/// The lines of all inputs; the exit code of reading them.
fn lines(tool: &mut Tool<'_>, names: &[String]) -> (Vec<String>, i32) {
    let (inputs, code) = tool.inputs(names);
    let all = inputs.iter().flat_map(|(_, bytes)| to_lines(bytes)).collect();
    (all, code)
}

/// Bytes as lines, without newlines.
pub fn to_lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().map(str::to_string).collect()
}

/// `-n N`, `-nN`, `-N`, and the operands; other letters come back too.
fn counted(tool: &Tool<'_>) -> (String, char, String, Vec<String>) {
    let mut count = "10".to_string();
    let mut kind = 'n';
    let mut letters = String::new();
    let mut names = Vec::new();
    let mut args = tool.args().iter();
    while let Some(arg) = args.next() {
        match arg.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            None => names.push(arg.clone()),
            Some(rest) if rest.starts_with(['n', 'c']) => {
                kind = if rest.starts_with('n') { 'n' } else { 'c' };
                count = if rest.len() > 1 { rest[1..].to_string() } else { args.next().cloned().unwrap_or_default() };
            }
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => count = rest.to_string(),
            Some(rest) => letters.push_str(rest),
        }
    }
    (count, kind, letters, names)
}

pub fn head(tool: &mut Tool<'_>) -> i32 {
    cut_out(tool, "head", |all, count| match count.strip_prefix('-') {
        Some(n) => n.parse::<usize>().ok().map(|n| (0, all.saturating_sub(n))),
        None => count.parse::<usize>().ok().map(|n| (0, n.min(all))),
    })
}

pub fn tail(tool: &mut Tool<'_>) -> i32 {
    if tool.args().iter().any(|a| a == "-f" || a == "-F" || a == "-fn") {
        return tool.refuse("tail -f in a pod");
    }
    cut_out(tool, "tail", |all, count| match count.strip_prefix('+') {
        Some(n) => n.parse::<usize>().ok().map(|n| (n.saturating_sub(1).min(all), all)),
        None => count.trim_start_matches('-').parse::<usize>().ok().map(|n| (all.saturating_sub(n), all)),
    })
}

fn cut_out(tool: &mut Tool<'_>, command: &str, range: impl Fn(usize, &str) -> Option<(usize, usize)>) -> i32 {
    let (count, kind, letters, names) = counted(tool);
    if letters.chars().any(|c| c != 'q') {
        return tool.refuse(&format!("{command} -{letters}"));
    }
    let many = names.len() > 1 && !letters.contains('q');
    let (inputs, code) = tool.inputs(&names);
    for (at, (name, bytes)) in inputs.iter().enumerate() {
        if many {
            tool.say(&format!("{}==> {name} <==\n", if at > 0 { "\n" } else { "" }));
        }
        let pieces: Vec<&[u8]> = match kind {
            'n' => bytes.split_inclusive(|b| *b == b'\n').collect(),
            _ => bytes.chunks(1).collect(),
        };
        match range(pieces.len(), &count) {
            Some((from, to)) => tool.out(&pieces[from..to].concat()),
            None => return tool.fail(&format!("{command}: invalid number '{count}'")),
        }
    }
    code
}

pub fn wc(tool: &mut Tool<'_>) -> i32 {
    let (letters, names) = split(tool.args());
    if letters.chars().any(|c| !"lwcm".contains(c)) {
        return tool.refuse(&format!("wc -{letters}"));
    }
    let (inputs, code) = tool.inputs(&names);
    let mut total = [0usize; 3];
    let single = letters.len() == 1;
    let show = |tool: &mut Tool<'_>, counts: [usize; 3], name: &str| {
        let chosen = |letter: char| letters.is_empty() || letters.contains(letter) || (letter == 'c' && letters.contains('m'));
        let picked: Vec<String> =
            ['l', 'w', 'c'].iter().zip(counts).filter(|(l, _)| chosen(**l)).map(|(_, n)| n.to_string()).collect();
        let text = match single {
            true => picked.concat(),
            false => picked.iter().map(|n| format!("{n:>9}")).collect::<Vec<_>>().join(" "),
        };
        let name = if name == "-" { String::new() } else { format!(" {name}") };
        tool.say(&format!("{text}{name}\n"));
    };
    for (name, bytes) in &inputs {
        let newlines = bytes.iter().filter(|b| **b == b'\n').count();
        let words = String::from_utf8_lossy(bytes).split_whitespace().count();
        let counts = [newlines, words, bytes.len()];
        (0..3).for_each(|at| total[at] += counts[at]);
        show(tool, counts, name);
    }
    if inputs.len() > 1 {
        show(tool, total, "total");
    }
    code
}

pub fn sort(tool: &mut Tool<'_>) -> i32 {
    let (letters, names) = split(tool.args());
    if letters.chars().any(|c| !"rnuf".contains(c)) {
        return tool.refuse(&format!("sort -{letters}"));
    }
    let (mut all, code) = lines(tool, &names);
    let number = |line: &str| {
        let line = line.trim_start();
        let end = line
            .char_indices()
            .find(|(at, c)| !(c.is_ascii_digit() || *c == '.' || (*at == 0 && *c == '-')))
            .map_or(line.len(), |(at, _)| at);
        line[..end].parse::<f64>().unwrap_or(0.0)
    };
    all.sort();
    if letters.contains('n') {
        all.order_by(|a, b| number(a).total_cmp(&number(b)));
    } else if letters.contains('f') {
        all.order_by_key(|line| line.to_lowercase());
    }
    if letters.contains('u') {
        all.dedup();
    }
    if letters.contains('r') {
        all.reverse();
    }
    print_lines(tool, &all);
    code
}

/// Prints lines, each with its newline.
pub fn print_lines(tool: &mut Tool<'_>, lines: &[String]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    tool.say(&text);
}

pub fn uniq(tool: &mut Tool<'_>) -> i32 {
    let (letters, names) = split(tool.args());
    if letters.chars().any(|c| !"cdu".contains(c)) {
        return tool.refuse(&format!("uniq -{letters}"));
    }
    let (all, code) = lines(tool, &names);
    let mut groups: Vec<(String, usize)> = Vec::new();
    for line in all {
        match groups.last_mut() {
            Some((last, count)) if *last == line => *count += 1,
            _ => groups.push((line, 1)),
        }
    }
    groups.retain(|(_, count)| (!letters.contains('d') || *count > 1) && (!letters.contains('u') || *count == 1));
    let shown: Vec<String> =
        groups.into_iter().map(|(line, count)| if letters.contains('c') { format!("{count:7} {line}") } else { line }).collect();
    print_lines(tool, &shown);
    code
}

pub fn cut(tool: &mut Tool<'_>) -> i32 {
    let (mut delimiter, mut list, mut by, mut names) = ("\t".to_string(), String::new(), 'f', Vec::new());
    let mut only = false;
    let args = tool.args().to_vec();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let Some(rest) = arg.strip_prefix('-').filter(|r| !r.is_empty()) else {
            names.push(arg.clone());
            continue;
        };
        let letter = rest.chars().next().unwrap_or('-');
        let inline = &rest[letter.len_utf8()..];
        match letter {
            's' => only = true,
            'd' | 'f' | 'c' | 'b' => {
                let value = if inline.is_empty() { args.next().cloned().unwrap_or_default() } else { inline.to_string() };
                if letter == 'd' {
                    delimiter = value;
                } else {
                    (by, list) = (letter, value);
                }
            }
            _ => return tool.refuse(&format!("cut -{rest}")),
        }
    }
    let Some(ranges) = ranges(&list) else {
        return tool.fail("cut: expected a list of bytes, characters, or fields");
    };
    let (all, code) = lines(tool, &names);
    let wanted = |at: usize| ranges.iter().any(|(from, to)| (*from..=*to).contains(&(at + 1)));
    let mut out = Vec::new();
    for line in all {
        if by != 'f' {
            out.push(line.chars().enumerate().filter(|(at, _)| wanted(*at)).map(|(_, c)| c).collect());
        } else if line.contains(&delimiter) {
            let parts: Vec<&str> = line.split(&delimiter).enumerate().filter(|(at, _)| wanted(*at)).map(|(_, p)| p).collect();
            out.push(parts.join(&delimiter));
        } else if !only {
            out.push(line);
        }
    }
    print_lines(tool, &out);
    code
}

fn ranges(list: &str) -> Option<Vec<(usize, usize)>> {
    list.split(',')
        .map(|part| match part.split_once('-') {
            Some((from, to)) => {
                let from = if from.is_empty() { 1 } else { from.parse().ok()? };
                Some((from, if to.is_empty() { usize::MAX } else { to.parse().ok()? }))
            }
            None => part.parse().ok().map(|n| (n, n)),
        })
        .collect()
}

pub fn tr(tool: &mut Tool<'_>) -> i32 {
    let (letters, sets) = split(tool.args());
    if letters.chars().any(|c| !"ds".contains(c)) || sets.is_empty() {
        return tool.refuse(&format!("tr -{letters}"));
    }
    let from = set(&sets[0]);
    let to = sets.get(1).map(|s| set(s)).unwrap_or_default();
    let bytes = tool.stdin();
    let text = String::from_utf8_lossy(&bytes);
    let mut out = String::new();
    for c in text.chars() {
        let place = from.iter().position(|f| *f == c);
        let mapped = match place {
            Some(_) if letters.contains('d') => continue,
            Some(at) if !to.is_empty() => to[at.min(to.len() - 1)],
            _ => c,
        };
        let squeezed = letters.contains('s') && place.is_some() && out.ends_with(mapped);
        if !squeezed {
            out.push(mapped);
        }
    }
    tool.say(&out)
}

/// `a-z`, `[:upper:]`, `\n`
fn set(text: &str) -> Vec<char> {
    let text = text.replace("[:lower:]", "a-z").replace("[:upper:]", "A-Z").replace("[:digit:]", "0-9");
    let text = text.replace("[:space:]", " \t\n\r").replace("[:blank:]", " \t");
    let mut chars = text.chars().peekable();
    let mut out: Vec<char> = Vec::new();
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            },
            '-' if !out.is_empty() && chars.peek().is_some() => {
                let (from, to) = (out[out.len() - 1], chars.next().unwrap_or('-'));
                out.extend((from..=to).skip(1).take(0x200));
                continue;
            }
            c => c,
        };
        out.push(c);
    }
    out
}
