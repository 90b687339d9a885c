//! The files to analyze: operands, folders with all below them, `-`.

use crate::base::io::{Io, Stream};
use crate::base::order::Order;
use crate::istioctl::{Stop, read_stdin};
use std::io::ErrorKind;

/// A text and its name.
pub struct Source {
    pub name: String,
    pub text: String,
}

const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];

/// The most files and the deepest folder that are read, the largest text.
const MAX_FILES: usize = 10_000;
const MAX_DEPTH: usize = 64;
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Reads them in the order given; folders by name.
///
/// # Errors
/// What does not exist or cannot be read; more than the limits.
pub async fn gather(io: &mut Io, operands: &[String], log: bool) -> Result<Vec<Source>, Stop> {
    let mut found = Vec::new();
    for name in operands {
        if name == "-" {
            if io.tty.is_some() && log {
                io.write(b"Reading from stdin:\n");
            }
            found.push(Source { name: name.clone(), text: read_stdin(io).await? });
            continue;
        }
        match io.files.list(name.trim_end_matches('/')) {
            Ok(names) => folder(io, &clean(name), names, 0, &mut found)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if !exists(io, name) {
                    return Err(Stop::failed(format!("stat {name}: no such file or directory")));
                }
                file(io, name, &mut found)?;
            }
            Err(_) => file(io, name, &mut found)?,
        }
    }
    Ok(found)
}

/// In memory a name that is no folder is simply not found.
fn exists(io: &Io, name: &str) -> bool {
    io.files.read(name).is_ok_and(|_| true)
}

fn folder(io: &mut Io, name: &str, names: Vec<String>, depth: usize, found: &mut Vec<Source>) -> Result<(), Stop> {
    if depth > MAX_DEPTH {
        return Err(Stop::failed(format!("{name}: folders are nested deeper than {MAX_DEPTH}")));
    }
    let mut names = names;
    names.order_by(|a, b| a.trim_end_matches('/').cmp(b.trim_end_matches('/')));
    for child in names {
        let path = if name == "." { child.clone() } else { format!("{}/{child}", name.trim_end_matches('/')) };
        match path.strip_suffix('/') {
            Some(inner) => {
                let inside = io.files.list(inner).map_err(|e| Stop::failed(format!("open {inner}: {e}")))?;
                folder(io, inner, inside, depth + 1, found)?;
            }
            None => file(io, &path, found)?,
        }
    }
    Ok(())
}

/// A path as Go's filepath.Join leaves it, as far as folders are concerned.
fn clean(name: &str) -> String {
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    match (name.starts_with('/'), parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".into(),
        (false, false) => parts.join("/"),
    }
}

fn file(io: &mut Io, name: &str, found: &mut Vec<Source>) -> Result<(), Stop> {
    let known = name.rsplit('/').next().and_then(|last| last.rsplit_once('.')).is_some_and(|(_, e)| EXTENSIONS.contains(&e));
    if !known {
        let line = format!("Skipping file {name}, recognized file extensions are: [.json .yaml .yml]\n");
        (io.out)(Stream::Err, line.as_bytes());
        return Ok(());
    }
    let bytes = io.files.read(name).map_err(|e| match e.kind() {
        ErrorKind::NotFound => Stop::failed(format!("stat {name}: no such file or directory")),
        ErrorKind::PermissionDenied => Stop::failed(format!("open {name}: permission denied")),
        _ => Stop::failed(format!("open {name}: {e}")),
    })?;
    let so_far: usize = found.iter().map(|s| s.text.len()).sum();
    if found.len() >= MAX_FILES || so_far + bytes.len() > MAX_BYTES {
        return Err(Stop::failed(format!("more than {MAX_FILES} files or {} MiB to analyze", MAX_BYTES >> 20)));
    }
    found.push(Source { name: name.to_string(), text: String::from_utf8_lossy(&bytes).into_owned() });
    Ok(())
}
