//! tar, as `kubectl cp` calls it and as people do: c, x, t with f, C, m, v, z, p. What it says depends on the image: GNU's words on
//! Debian and Ubuntu, busybox's elsewhere.

mod archive;

use super::Tool;
use crate::base::io::Stream;
use crate::sandbox::inflate;
use crate::shell::join;
use archive::{Kind, Member};

/// Folders inside folders.
const DEPTH: usize = 64;
/// Members of one archive.
const MEMBERS: usize = 10_000;
/// Bytes of one archive when unpacked.
const ARCHIVE_LIMIT: usize = 8 << 20;

/// A command line.
#[derive(Debug, Default)]
struct Options {
    /// `c`, `x` or `t`.
    action: Option<char>,
    file: Option<String>,
    folder: Option<String>,
    verbose: bool,
    zipped: bool,
    /// `m`: files are as new as the moment they are unpacked.
    touch: bool,
    names: Vec<String>,
}

pub fn run(tool: &mut Tool<'_>) -> i32 {
    let options = match read(tool.args()) {
        Ok(options) => options,
        Err(what) => return tool.refuse(&format!("tar {what}")),
    };
    let gnu = is_gnu(tool);
    let mut cwd = tool.call.cwd.clone();
    if let Some(folder) = &options.folder {
        let to = join(&cwd, folder);
        match tool.env.stat(&to) {
            Ok(info) if info.folder => cwd = to,
            other => {
                let why = other.err().map_or_else(|| "Not a directory".to_string(), |e| e.to_string());
                let text = match gnu {
                    true => format!("tar: {folder}: Cannot open: {why}\ntar: Error is not recoverable: exiting now\n"),
                    false => format!("tar: can't change directory to '{folder}': {why}\n"),
                };
                tool.err(&text);
                return if gnu { 2 } else { 1 };
            }
        }
    }
    match options.action {
        Some('c') => create(tool, &options, &cwd, gnu),
        Some(_) => unpack(tool, &options, &cwd, gnu),
        None if gnu => {
            tool.err("tar: You must specify one of the '-Acdtrux', '--delete' or '--test-label' options\nTry 'tar --help' or 'tar --usage' for more information.\n");
            2
        }
        None => tool.fail("tar: need at least one option from 'c', 'x' or 't'"),
    }
}

fn is_gnu(tool: &Tool<'_>) -> bool {
    let release = tool.env.read("/etc/os-release").unwrap_or_default();
    let release = String::from_utf8_lossy(&release).into_owned();
    release.lines().any(|line| matches!(line, "ID=debian" | "ID=ubuntu"))
}

/// Reads options: the first word may come without its dash, its values then follow in order.
fn read(args: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut rest = args.iter();
    let mut first = true;
    while let Some(word) = rest.next() {
        let old = std::mem::take(&mut first) && !word.starts_with('-');
        if word.starts_with("--") {
            match word.as_str() {
                "--" => {
                    options.names.extend(rest.cloned());
                    break;
                }
                // Owners and modes are those of the user who unpacks anyway.
                "--no-same-owner" | "--no-same-permissions" => continue,
                other => return Err(other.to_string()),
            }
        }
        let Some(letters) = word.strip_prefix('-').filter(|l| !l.is_empty()).or(old.then_some(word.as_str())) else {
            options.names.push(word.clone());
            continue;
        };
        for (at, letter) in letters.char_indices() {
            let inside = &letters[at + letter.len_utf8()..];
            let mut value = || match (old, inside) {
                (true, _) | (_, "") => rest.next().cloned().ok_or_else(|| format!("-{letter} without a value")),
                (false, inside) => Ok(inside.to_string()),
            };
            match letter {
                'c' | 'x' | 't' => options.action = Some(letter),
                'f' => options.file = Some(value()?),
                'C' => options.folder = Some(value()?),
                'v' => options.verbose = true,
                'z' => options.zipped = true,
                'm' => options.touch = true,
                'p' | 'o' => (),
                other => return Err(format!("-{other}")),
            }
            if matches!(letter, 'f' | 'C') && !old && !inside.is_empty() {
                break;
            }
        }
    }
    Ok(options)
}

/// Whether the archive is standard input, so that the host has to collect it.
pub fn reads_stdin(args: &[String]) -> bool {
    let read = read(args).ok().filter(|o| matches!(o.action, Some('x' | 't')));
    read.is_some_and(|o| o.file.as_deref().is_none_or(|f| f == "-"))
}

/// What one run of `c` has come to.
struct Writing {
    bytes: Vec<u8>,
    members: usize,
    failed: bool,
    told_slash: bool,
}

fn create(tool: &mut Tool<'_>, options: &Options, cwd: &str, gnu: bool) -> i32 {
    if options.names.is_empty() {
        let text = match gnu {
            true => {
                "tar: Cowardly refusing to create an empty archive\nTry 'tar --help' or 'tar --usage' for more information.\n"
            }
            false => "tar: empty archive\n",
        };
        tool.err(text);
        return if gnu { 2 } else { 1 };
    }
    let to_stdout = options.file.as_deref().is_none_or(|f| f == "-");
    let mut writing = Writing { bytes: Vec::new(), members: 0, failed: false, told_slash: false };
    for name in &options.names {
        let bare = name.trim_start_matches('/');
        if bare.len() < name.len() && !std::mem::replace(&mut writing.told_slash, true) {
            tool.err(match gnu {
                true => "tar: Removing leading `/' from member names\n",
                false => "tar: removing leading '/' from member names\n",
            });
        }
        let (path, shown) = (join(cwd, name), if bare.is_empty() { "./" } else { bare });
        add(tool, &mut writing, &path, name, shown.trim_end_matches('/'), (options.verbose, to_stdout, gnu), 0);
    }
    archive::end(&mut writing.bytes);
    let bytes = if options.zipped { inflate::gzip_stored(&writing.bytes) } else { writing.bytes };
    match options.file.as_deref().filter(|_| !to_stdout) {
        Some(file) => {
            if let Err(error) = tool.env.write(&join(&tool.call.cwd, file), &bytes, false) {
                let text = match gnu {
                    true => format!("tar: {file}: Cannot open: {error}\ntar: Error is not recoverable: exiting now\n"),
                    false => format!("tar: can't open '{file}': {error}\n"),
                };
                tool.err(&text);
                return if gnu { 2 } else { 1 };
            }
        }
        None => tool.out(&bytes),
    }
    ended(tool, writing.failed, gnu)
}

/// The last words and the exit code.
fn ended(tool: &mut Tool<'_>, failed: bool, gnu: bool) -> i32 {
    match (failed, gnu) {
        (false, _) => 0,
        (true, true) => {
            tool.err("tar: Exiting with failure status due to previous errors\n");
            2
        }
        (true, false) => {
            tool.err("tar: error exit delayed from previous errors\n");
            1
        }
    }
}

/// Adds a file or a folder and all that is in it. `how`: tells names, on standard error, in GNU's words.
fn add(tool: &mut Tool<'_>, to: &mut Writing, path: &str, given: &str, name: &str, how: (bool, bool, bool), depth: usize) {
    let (verbose, to_stdout, gnu) = how;
    let mut complain = |tool: &mut Tool<'_>, verb: &str, why: String| {
        to.failed = true;
        let text = if gnu { format!("tar: {given}: Cannot {verb}: {why}\n") } else { format!("tar: {given}: {why}\n") };
        tool.err(&text);
    };
    let info = match tool.env.stat(path) {
        Ok(info) => info,
        Err(error) => return complain(tool, "stat", error.to_string()),
    };
    let content = match info.folder {
        true => Vec::new(),
        false => match tool.env.read(path) {
            Ok(bytes) => bytes,
            Err(error) => return complain(tool, "open", error.to_string()),
        },
    };
    let full = to.members >= MEMBERS || to.bytes.len() + content.len() > ARCHIVE_LIMIT - (64 << 10) || depth > DEPTH;
    if full {
        to.failed = true;
        tool.err(&format!("{}\n", crate::base::not_simulated("tar of more than 8 MiB")));
        return;
    }
    to.members += 1;
    let facts = tool.env.facts();
    let member = Member {
        name: if info.folder { format!("{name}/") } else { name.to_string() },
        kind: if info.folder { Kind::Folder } else { Kind::File },
        mode: info.mode,
        uid: if info.owner == facts.user { facts.uid } else { 0 },
        owner: info.owner,
        modified: info.modified,
        bytes: content,
    };
    archive::write(&mut to.bytes, &member);
    if verbose {
        tool.put(if to_stdout { Stream::Err } else { Stream::Out }, format!("{}\n", member.name).as_bytes());
    }
    if info.folder {
        for inner in tool.env.list(path).unwrap_or_default() {
            let inner = inner.trim_end_matches('/').to_string();
            let given = format!("{}/{inner}", given.trim_end_matches('/'));
            add(tool, to, &join(path, &inner), &given, &format!("{name}/{inner}"), how, depth + 1);
        }
    }
}

fn unpack(tool: &mut Tool<'_>, options: &Options, cwd: &str, gnu: bool) -> i32 {
    let file = options.file.clone().unwrap_or_else(|| "-".into());
    let Some(bytes) = tool.read_argument(&file) else {
        let text = match gnu {
            true => format!("tar: {file}: Cannot open: No such file or directory\ntar: Error is not recoverable: exiting now\n"),
            false => format!("tar: can't open '{file}': No such file or directory\n"),
        };
        tool.err(&text);
        return if gnu { 2 } else { 1 };
    };
    // Both tars see by themselves that an archive is compressed, from a file; GNU's wants to be told on a pipe.
    let bytes = match bytes.starts_with(&[0x1f, 0x8b]) {
        true => match inflate::gunzip(&bytes, ARCHIVE_LIMIT) {
            Ok(bytes) => bytes,
            Err(inflate::Wrong::TooLong) => return tool.refuse("tar of more than 8 MiB"),
            Err(_) => return broken(tool, gnu),
        },
        false => bytes,
    };
    let members = match archive::read(&bytes, MEMBERS) {
        Ok(members) => members,
        Err(_) => return broken(tool, gnu),
    };
    let mut failed = false;
    let mut unsupported = false;
    let wanted = |name: &str| {
        let under = |n: &String| name.trim_end_matches('/') == n.trim_end_matches('/') || name.starts_with(&format!("{n}/"));
        options.names.is_empty() || options.names.iter().any(under)
    };
    for member in members.iter().filter(|m| wanted(&m.name)) {
        if options.verbose || options.action == Some('t') {
            let line = if options.verbose && options.action == Some('t') { archive::long(member) } else { member.name.clone() };
            tool.say(&format!("{line}\n"));
        }
        if options.action == Some('x') {
            match extract(tool, options, cwd, member, gnu) {
                Ok(()) => (),
                Err(None) => unsupported = true,
                Err(Some(text)) => {
                    tool.err(&text);
                    failed = true;
                }
            }
        }
    }
    if unsupported {
        return 125;
    }
    ended(tool, failed, gnu)
}

fn broken(tool: &mut Tool<'_>, gnu: bool) -> i32 {
    match gnu {
        true => {
            tool.err("tar: This does not look like a tar archive\ntar: Exiting with failure status due to previous errors\n");
            2
        }
        false => tool.fail("tar: invalid tar magic"),
    }
}

/// Makes a file or folder. `Err(None)`: not simulated, and said so.
fn extract(tool: &mut Tool<'_>, options: &Options, cwd: &str, member: &Member, gnu: bool) -> Result<(), Option<String>> {
    let name = member.name.trim_start_matches('/').trim_end_matches('/');
    if name.split('/').any(|part| part == "..") {
        return Err(Some(match gnu {
            true => format!("tar: {name}: Member name contains '..'\n"),
            false => format!("tar: name with '..' skipped: '{name}'\n"),
        }));
    }
    let say = |why: String| match gnu {
        true => Some(format!("tar: {name}: Cannot open: {why}\n")),
        false => Some(format!("tar: can't open '{name}': {why}\n")),
    };
    if name.is_empty() || name == "." {
        return Ok(());
    }
    let path = join(cwd, name);
    folders(tool, cwd, name.rsplit_once('/').map_or("", |(folder, _)| folder)).map_err(say)?;
    match &member.kind {
        Kind::Folder => match tool.env.stat(&path) {
            Ok(info) if info.folder => return Ok(()),
            Ok(_) => return Err(say("File exists".into())),
            Err(_) => tool.env.make_folder(&path).map_err(|e| say(e.to_string()))?,
        },
        Kind::File => {
            if tool.env.stat(&path).is_ok_and(|info| info.folder) {
                return Err(say("Is a directory".into()));
            }
            tool.env.write(&path, &member.bytes, false).map_err(|e| say(e.to_string()))?;
        }
        Kind::Other(what) => {
            tool.refuse(&format!("tar with {what} ({name})"));
            return Err(None);
        }
    }
    let modified = (!options.touch && member.kind == Kind::File).then_some(member.modified);
    tool.env.set_facts(&path, member.mode & 0o7777, modified).map_err(|e| say(e.to_string()))
}

/// Makes the folders on the way that are not there.
fn folders(tool: &mut Tool<'_>, cwd: &str, folder: &str) -> Result<(), String> {
    let mut path = cwd.to_string();
    for part in folder.split('/').filter(|p| !p.is_empty()) {
        path = join(&path, part);
        if tool.env.stat(&path).is_err() {
            tool.env.make_folder(&path).map_err(|e| e.to_string())?;
        }
    }
    Ok(())
}
