//! The flags that install and manifest generate share.

use super::args::{Flag, Parsed, switch, valued};
use super::{Context, Stop, read_stdin};
use crate::base::io::Io;
use crate::base::not_simulated;
use crate::mesh::install::InstallOptions;

/// The flags.
pub const FLAGS: &[Flag] = &[
    valued("filename", Some('f')),
    valued("set", Some('s')),
    valued("manifests", Some('d')),
    valued("charts", None),
    valued("revision", Some('r')),
    valued("readiness-timeout", None),
    switch("skip-confirmation", Some('y')),
    switch("dry-run", None),
    switch("force", None),
    switch("verify", None),
    switch("cluster-specific", None),
];

/// From flags to install options; reads the files.
///
/// # Errors
/// Operands, files that cannot be read, flags that are not simulated.
pub async fn read(context: &Context, io: &mut Io, parsed: &Parsed, verb: &str) -> Result<InstallOptions, Stop> {
    if let Some(operand) = parsed.operands.first() {
        return Err(Stop::usage(format!("unknown command {operand:?} for \"istioctl {verb}\"")));
    }
    for flag in ["manifests", "charts", "revision", "cluster-specific"] {
        if parsed.last(flag).is_some_and(|value| value != "false") {
            return Err(Stop::failed(not_simulated(&format!("istioctl {verb} --{flag}"))));
        }
    }
    if parsed.last("istioNamespace").is_some_and(|ns| ns != "istio-system") {
        return Err(Stop::failed(not_simulated("an istio namespace other than istio-system")));
    }
    let names = parsed.all("filename");
    let mut files = Vec::new();
    for (i, name) in names.iter().enumerate() {
        files.push(match name.as_str() {
            "-" if i + 1 != names.len() => return Err(Stop::failed("stdin is only allowed as the last filename")),
            "-" => read_stdin(io).await?,
            name => read_file(io, name)?,
        });
    }
    Ok(InstallOptions { profile: String::new(), files, settings: parsed.all("set"), version: context.version.clone() })
}

fn read_file(io: &Io, name: &str) -> Result<String, Stop> {
    let bytes = io.files.read(name).map_err(|e| {
        Stop::failed(match e.kind() {
            std::io::ErrorKind::NotFound => format!("open {name}: no such file or directory"),
            _ => format!("open {name}: {e}"),
        })
    })?;
    String::from_utf8(bytes).map_err(|_| Stop::failed(format!("{name} is not text")))
}
