//! Commands on files: cat, ls, touch, mkdir, rm, cp, mv, tee.

use super::Tool;
use crate::base::clock::Time;
use crate::shell::{FileInfo, join};

/// Letters of the options and the operands.
pub fn split(args: &[String]) -> (String, Vec<String>) {
    let mut letters = String::new();
    let mut operands = Vec::new();
    let mut only = false;
    for arg in args {
        match arg.strip_prefix('-').filter(|rest| !only && !rest.is_empty()) {
            Some("-") => only = true,
            Some(rest) => letters.push_str(rest),
            None => operands.push(arg.clone()),
        }
    }
    (letters, operands)
}

pub fn cat(tool: &mut Tool<'_>) -> i32 {
    let (letters, names) = split(tool.args());
    if letters.chars().any(|c| c != 'u') {
        return tool.refuse(&format!("cat -{letters}"));
    }
    let (inputs, code) = tool.inputs(&names);
    inputs.iter().for_each(|(_, bytes)| tool.out(bytes));
    code
}

pub fn tee(tool: &mut Tool<'_>) -> i32 {
    let (letters, names) = split(tool.args());
    let bytes = tool.stdin();
    tool.out(&bytes);
    let mut code = 0;
    for name in names {
        let path = join(&tool.call.cwd, &name);
        if let Err(error) = tool.env.write(&path, &bytes, letters.contains('a')) {
            code = tool.fail(&format!("tee: {name}: {error}"));
        }
    }
    code
}

pub fn touch(tool: &mut Tool<'_>) -> i32 {
    each(tool, |tool, name, path| tool.env.write(path, b"", true).err().map(|e| format!("touch: {name}: {e}")))
}

pub fn make_folder(tool: &mut Tool<'_>) -> i32 {
    let parents = split(tool.args()).0.contains('p');
    each(tool, |tool, name, path| {
        if parents {
            let mut whole = String::new();
            for part in path.split('/').filter(|p| !p.is_empty()) {
                whole = format!("{whole}/{part}");
                if tool.env.stat(&whole).is_err()
                    && let Err(error) = tool.env.make_folder(&whole)
                {
                    return Some(format!("mkdir: can't create directory '{name}': {error}"));
                }
            }
            return None;
        }
        tool.env.make_folder(path).err().map(|e| format!("mkdir: can't create directory '{name}': {e}"))
    })
}

pub fn remove(tool: &mut Tool<'_>) -> i32 {
    let letters = split(tool.args()).0;
    let (force, deep) = (letters.contains('f'), letters.contains(['r', 'R']));
    each(tool, |tool, name, path| match tool.env.stat(path) {
        Err(_) if force => None,
        Err(error) => Some(format!("rm: can't remove '{name}': {error}")),
        Ok(info) if info.folder && !deep => Some(format!("rm: '{name}' is a directory")),
        Ok(_) => remove_all(tool, path, 0).map(|error| format!("rm: can't remove '{name}': {error}")),
    })
}

/// `chmod [-R] MODE FILE..`, octal or as letters.
pub fn chmod(tool: &mut Tool<'_>) -> i32 {
    let mut words = tool.args().to_vec();
    let deep = words.first().is_some_and(|w| w == "-R");
    if deep {
        words.remove(0);
    }
    let [mode, names @ ..] = words.as_slice() else {
        return tool.refuse("chmod without a mode");
    };
    let mut code = 0;
    for name in names {
        let path = join(&tool.call.cwd, name);
        if let Some(message) = change_mode(tool, mode, &path, deep, 0) {
            code = tool.fail(&format!("chmod: {name}: {message}"));
        }
    }
    code
}

fn change_mode(tool: &mut Tool<'_>, mode: &str, path: &str, deep: bool, depth: usize) -> Option<String> {
    let info = match tool.env.stat(path) {
        Ok(info) => info,
        Err(error) => return Some(error.to_string()),
    };
    let Some(bits) = new_mode(mode, info.mode, info.folder) else { return Some(format!("invalid mode '{mode}'")) };
    if deep && info.folder && depth < 30 {
        for name in tool.env.list(path).unwrap_or_default() {
            change_mode(tool, mode, &join(path, name.trim_end_matches('/')), deep, depth + 1);
        }
    }
    tool.env.set_facts(path, bits, None).err().map(|e| e.to_string())
}

/// `644`, `u+x`, `go-w,a=r`.
fn new_mode(text: &str, old: u32, folder: bool) -> Option<u32> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o7777);
    }
    text.split(',').try_fold(old, |mode, clause| {
        let at = clause.find(['+', '-', '='])?;
        let (who, what) = (&clause[..at], &clause[at + 1..]);
        let shifts = who.chars().map(|c| match c {
            'u' => Some(0o700),
            'g' => Some(0o070),
            'o' => Some(0o007),
            'a' => Some(0o777),
            _ => None,
        });
        let people = shifts.collect::<Option<Vec<u32>>>()?.into_iter().reduce(|a, b| a | b).unwrap_or(0o777);
        let rights = what.chars().map(|c| match c {
            'r' => Some(0o444),
            'w' => Some(0o222),
            'x' => Some(0o111),
            'X' => Some(if folder || mode & 0o111 != 0 { 0o111 } else { 0 }),
            _ => None,
        });
        let bits = rights.collect::<Option<Vec<u32>>>()?.into_iter().fold(0, |a, b| a | b) & people;
        Some(match clause.as_bytes()[at] {
            b'+' => mode | bits,
            b'-' => mode & !bits,
            _ => (mode & !people) | bits,
        })
    })
}

fn remove_all(tool: &mut Tool<'_>, path: &str, depth: usize) -> Option<String> {
    let folder = tool.env.stat(path).is_ok_and(|info| info.folder);
    if folder && depth < 30 {
        for name in tool.env.list(path).unwrap_or_default() {
            remove_all(tool, &join(path, &name), depth + 1);
        }
    }
    tool.env.remove(path).err().map(|e| e.to_string())
}

pub fn copy(tool: &mut Tool<'_>) -> i32 {
    transfer(tool, "cp", false)
}

pub fn rename(tool: &mut Tool<'_>) -> i32 {
    transfer(tool, "mv", true)
}

fn transfer(tool: &mut Tool<'_>, command: &str, moves: bool) -> i32 {
    let (_, names) = split(tool.args());
    let Some((target, sources)) = names.split_last().filter(|(_, sources)| !sources.is_empty()) else {
        return tool.refuse(&format!("{command} with fewer than two names"));
    };
    let to = join(&tool.call.cwd, target);
    let into = tool.env.stat(&to).is_ok_and(|info| info.folder);
    let mut code = 0;
    for source in sources {
        let from = join(&tool.call.cwd, source);
        let bytes = match (tool.env.stat(&from), tool.env.read(&from)) {
            (Ok(info), _) if info.folder => {
                code = tool.refuse(&format!("{command} of folders"));
                continue;
            }
            (_, Ok(bytes)) => bytes,
            (_, Err(error)) => {
                let what = if moves { "can't rename" } else { "can't stat" };
                code = tool.fail(&format!("{command}: {what} '{source}': {error}"));
                continue;
            }
        };
        let target = if into { join(&to, source.rsplit('/').next().unwrap_or(source)) } else { to.clone() };
        if let Err(error) = tool.env.write(&target, &bytes, false) {
            code = tool.fail(&format!("{command}: can't create '{target}': {error}"));
        } else if moves && let Err(error) = tool.env.remove(&from) {
            code = tool.fail(&format!("mv: can't remove '{source}': {error}"));
        }
    }
    code
}

/// Does something with each operand; a message makes the exit code 1.
fn each(tool: &mut Tool<'_>, mut act: impl FnMut(&mut Tool<'_>, &str, &str) -> Option<String>) -> i32 {
    let (_, names) = split(tool.args());
    let mut code = 0;
    for name in names {
        let path = join(&tool.call.cwd, &name);
        if let Some(message) = act(tool, &name, &path) {
            code = tool.fail(&message);
        }
    }
    code
}

pub fn list(tool: &mut Tool<'_>) -> i32 {
    let (letters, mut names) = split(tool.args());
    if letters.chars().any(|c| !"laA1dhF".contains(c)) {
        return tool.refuse(&format!("ls -{letters}"));
    }
    if names.is_empty() {
        names.push(".".to_string());
    }
    let mut code = 0;
    let mut files = Vec::new();
    let mut folders = Vec::new();
    for name in names {
        let path = join(&tool.call.cwd, &name);
        match tool.env.stat(&path) {
            Err(error) => code = tool.fail(&format!("ls: {name}: {error}")),
            Ok(info) if info.folder && !letters.contains('d') => folders.push((name, path)),
            Ok(info) => files.push((name, info)),
        }
    }
    print_entries(tool, &letters, &files);
    let many = !files.is_empty() || folders.len() > 1;
    for (at, (name, path)) in folders.iter().enumerate() {
        if many {
            let gap = if at > 0 || !files.is_empty() { "\n" } else { "" };
            tool.say(&format!("{gap}{name}:\n"));
        }
        let entries = entries(tool, &letters, path);
        if letters.contains('l') {
            tool.say("total 0\n");
        }
        print_entries(tool, &letters, &entries);
    }
    code
}

fn entries(tool: &Tool<'_>, letters: &str, path: &str) -> Vec<(String, FileInfo)> {
    let hidden = letters.contains(['a', 'A']);
    let mut names: Vec<String> = Vec::new();
    if letters.contains('a') {
        names.extend([".".to_string(), "..".to_string()]);
    }
    let listed = tool.env.list(path).unwrap_or_default();
    names.extend(listed.into_iter().map(|n| n.trim_end_matches('/').to_string()).filter(|n| hidden || !n.starts_with('.')));
    names.into_iter().filter_map(|name| Some((name.clone(), tool.env.stat(&join(path, &name)).ok()?))).collect()
}

fn print_entries(tool: &mut Tool<'_>, letters: &str, entries: &[(String, FileInfo)]) {
    let wide = tool.streams.out_tty && !letters.contains('1') && !letters.contains('l');
    if wide && !entries.is_empty() {
        let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
        tool.say(&format!("{}\n", names.join("  ")));
        return;
    }
    for (name, info) in entries {
        let line = if letters.contains('l') { long(name, info) } else { name.clone() };
        tool.say(&format!("{line}\n"));
    }
}

fn long(name: &str, info: &FileInfo) -> String {
    let bits: String = (0..9).rev().map(|bit| if info.mode >> bit & 1 == 1 { ['x', 'w', 'r'][bit % 3] } else { '-' }).collect();
    let kind = if info.folder { 'd' } else { '-' };
    let links = if info.folder { 2 } else { 1 };
    format!("{kind}{bits} {links:4} {:8} {:8} {:9} {} {name}", info.owner, info.group, info.size, stamp(info.modified))
}

/// `Jan  1 09:00`
fn stamp(time: Time) -> String {
    let date = time.http_date();
    let parts: Vec<&str> = date.split(' ').collect();
    match parts.as_slice() {
        [_, day, month, _, clock, _] => format!("{month} {:>2} {}", day.trim_start_matches('0'), &clock[..5]),
        _ => date.clone(),
    }
}
