//! `kubectl cp`: a tar archive through `exec`, as kubectl does it.

mod tar;

use super::error::{Error, Result};
use super::exec::{self, Call};
use super::fetch;
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::pods;
use super::select;
use super::session::Session;
use tar::{Entry, Kind};

pub const FLAGS: &[Flag] = &[
    short("container", 'c', Takes::Text, "which container of the pod"),
    flag("no-preserve", Takes::Bool, "do not keep owner and rights in the container"),
    flag("retries", Takes::Int, "takes no effect"),
];

/// Folders inside folders, and files of one copy.
const DEPTH: usize = 64;
const FILES: usize = 100_000;

/// One side of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    namespace: String,
    /// "" is this side.
    pod: String,
    path: String,
}

impl Place {
    fn parse(text: &str) -> Result<Place> {
        let wrong = || Error::plain("filespec must match the canonical format: [[namespace/]pod:]file/path");
        let Some((left, path)) = text.split_once(':') else {
            return Ok(Place { namespace: String::new(), pod: String::new(), path: text.to_string() });
        };
        let (namespace, pod) = match left.split('/').collect::<Vec<_>>().as_slice() {
            [pod] if !pod.is_empty() => (String::new(), pod.to_string()),
            [namespace, pod] if !namespace.is_empty() && !pod.is_empty() => (namespace.to_string(), pod.to_string()),
            _ => return Err(wrong()),
        };
        if path.is_empty() {
            return Err(Error::plain("filepath can not be empty"));
        }
        Ok(Place { namespace, pod, path: path.to_string() })
    }
}

/// Runs `kubectl cp`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let [from, to] = p.operands.as_slice() else {
        return Err(Error::plain("source and destination are required"));
    };
    let (from, to) = (Place::parse(from)?, Place::parse(to)?);
    if from.path.is_empty() || to.path.is_empty() {
        return Err(Error::plain("filepath can not be empty"));
    }
    match (from.pod.is_empty(), to.pod.is_empty()) {
        (false, false) => Err(Error::plain("one of src or dest must be a local file specification")),
        (true, true) => Err(Error::plain("one of src or dest must be a remote file specification")),
        (false, true) => download(s, p, &from, &to.path).await,
        (true, false) => upload(s, p, &from.path, &to).await,
    }
}

/// Finds the pod and the container, and lets the session work in its namespace.
async fn container(s: &mut Session<'_>, p: &Parsed, place: &Place) -> Result<String> {
    if !place.namespace.is_empty() {
        s.namespace = place.namespace.clone();
    }
    let resource = select::one_type(s, "pods").await?;
    let namespace = s.namespace.clone();
    let pod = fetch::object(s, &resource, &namespace, &place.pod).await?;
    if let phase @ ("Succeeded" | "Failed") = pod["status"]["phase"].as_str().unwrap_or("") {
        return Err(Error::plain(format!("cannot exec into a container in a completed pod; current phase is {phase}")));
    }
    let (container, said) = pods::container(&pod, p.str("container"))?;
    if let Some(said) = said {
        // kubectl says this one on standard output.
        s.say(&said);
    }
    Ok(container)
}

fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(|word| word.to_string()).collect()
}

async fn ask(s: &mut Session<'_>, pod: &str, container: &str, command: &[&str], input: Option<&[u8]>) -> Result<(i32, Vec<u8>)> {
    let command = words(command);
    let call = Call { pod, container, command: Some(&command), stdin: input.is_some(), tty: false };
    let (code, output, errors) = exec::piped(s, &call, input.unwrap_or_default()).await?;
    // What the container complains of is said on standard output too: that is where kubectl says it.
    s.io.write(&errors);
    Ok((code, output))
}

async fn upload(s: &mut Session<'_>, p: &Parsed, from: &str, to: &Place) -> Result<i32> {
    let here = from.trim_end_matches('/');
    let here = if here.is_empty() { "/" } else { here };
    let is_folder = match s.io.files.read(here) {
        Ok(_) => false,
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => return Err(Error::plain(e.to_string())),
        Err(e) if e.kind() == std::io::ErrorKind::FileTooLarge => return Err(Error::plain(format!("{here}: {e}"))),
        Err(_) if s.io.files.list(if here == "." { "" } else { here }).is_ok() => true,
        Err(_) => return Err(Error::plain(format!("{from} doesn't exist in local filesystem"))),
    };
    let container = container(s, p, to).await?;
    let mut path = to.path.clone();
    let (code, _) = ask(s, &to.pod, &container, &["test", "-d", &path], None).await?;
    if code == 0 {
        path = format!("{}/{}", path.trim_end_matches('/'), base(here));
    }
    let (folder, name) = match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", name)) => ("/".to_string(), name.to_string()),
        Some((folder, name)) => (folder.to_string(), name.to_string()),
        None => (".".to_string(), path.clone()),
    };
    let mut archive = tar::Writer::default();
    pack(s, here, &name, is_folder, &mut archive, 0)?;
    let mut command = vec!["tar", "-xmf", "-"];
    if p.on("no-preserve") {
        command = vec!["tar", "--no-same-permissions", "--no-same-owner", "-xmf", "-"];
    }
    if folder != "." {
        command.extend(["-C", &folder]);
    }
    let (code, said) = ask(s, &to.pod, &container, &command, Some(&archive.finish())).await?;
    s.io.write(&said);
    if code != 0 {
        s.warn(&format!("command terminated with exit code {code}"));
    }
    Ok(code)
}

fn base(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

/// Puts a file, or a folder with all that is in it, into an archive.
fn pack(s: &Session<'_>, here: &str, name: &str, is_folder: bool, archive: &mut tar::Writer, depth: usize) -> Result<()> {
    if depth > DEPTH || archive.entries() > FILES {
        return Err(Error::plain(format!("{here}: too many files to copy")));
    }
    let failed = |e: std::io::Error| Error::plain(format!("{here}: {e}"));
    if !is_folder {
        archive.file(name, &s.io.files.read(here).map_err(failed)?);
        return Ok(());
    }
    let entries = s.io.files.list(if here == "." { "" } else { here }).map_err(failed)?;
    if entries.is_empty() {
        archive.folder(name);
    }
    for entry in entries {
        let bare = entry.trim_end_matches('/');
        pack(s, &format!("{here}/{bare}"), &format!("{name}/{bare}"), entry.ends_with('/'), archive, depth + 1)?;
    }
    Ok(())
}

async fn download(s: &mut Session<'_>, p: &Parsed, from: &Place, to: &str) -> Result<i32> {
    let container = container(s, p, from).await?;
    // As with kubectl, a path that is not there is told by tar alone: the exit code stays 0.
    let (_, bytes) = ask(s, &from.pod, &container, &["tar", "cf", "-", &from.path], None).await?;
    let entries = tar::read(&bytes).map_err(Error::Plain)?;
    // The whole path stands before each name; a copy goes to the place that is named.
    let prefix = tidy(&from.path);
    let target = match s.io.files.list(to.trim_end_matches('/')).is_ok() || to == "." || to.ends_with('/') {
        true => format!("{}/{}", to.trim_end_matches('/'), base(&prefix)),
        false => to.to_string(),
    };
    for entry in entries.into_iter().take(FILES) {
        place(s, from, &prefix, &target, entry)?;
    }
    Ok(0)
}

/// A path without a leading slash, `.` and `..`.
fn tidy(path: &str) -> String {
    let kept: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
    kept.join("/")
}

fn place(s: &mut Session<'_>, from: &Place, prefix: &str, target: &str, entry: Entry) -> Result<()> {
    let name = entry.name.trim_start_matches("./").trim_start_matches('/').trim_end_matches('/').to_string();
    let Some(rest) = name.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/') || prefix.is_empty())
    else {
        return Err(Error::plain("tar contents corrupted"));
    };
    if rest.split('/').any(|part| part == "..") {
        s.warn(&format!("warning: file {:?} is outside target destination, skipping", entry.name));
        return Ok(());
    }
    let path = match rest.trim_start_matches('/') {
        "" => target.to_string(),
        rest => format!("{}/{rest}", target.trim_end_matches('/')),
    };
    match entry.kind {
        // A folder is made with the files in it.
        Kind::Folder => Ok(()),
        Kind::Link(to) => {
            s.warn(&format!(
                "warning: skipping symlink: {path:?} -> {to:?} (consider using \"kubectl exec -n {:?} {:?} -- tar cf - {:?} | tar xf -\")",
                s.namespace, from.pod, from.path
            ));
            Ok(())
        }
        Kind::File => s.io.files.write(&path, &entry.bytes).map_err(|e| Error::plain(format!("open {path}: {e}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_kubectl_reads_them() {
        let read = |text: &str| Place::parse(text).map(|p| format!("{}|{}|{}", p.namespace, p.pod, p.path)).map_err(|e| e.text());
        let wrong = Err("error: filespec must match the canonical format: [[namespace/]pod:]file/path".to_string());
        assert_eq!(read("a/b"), Ok("||a/b".into()));
        assert_eq!(read("p:/etc/hosts"), Ok("|p|/etc/hosts".into()));
        assert_eq!(read("ns/p:x"), Ok("ns|p|x".into()));
        for bad in [":x", "a/b/c:x", "/p:x", "ns/:x"] {
            assert_eq!(read(bad), wrong, "{bad}");
        }
    }
}
