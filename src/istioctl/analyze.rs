//! `istioctl analyze`: the cluster, files over it, or files alone (S: istioctl/pkg/analyze/analyze.go). `--lab` adds what Istio's
//! analyzers do not notice.

mod objects;
mod print;
mod sources;

use super::args::{Flag, Parsed, switch, valued};
use super::{Context, Stop, args};
use crate::base::io::Io;
use crate::base::not_simulated;
use crate::k8s::Snapshot;
use crate::mesh::analyze::{self, Input, Level, Message, Origins, Selection, codes, lab};
use print::Format;

const FLAGS: &[Flag] = &[
    switch("list-analyzers", Some('L')),
    switch("use-kube", Some('k')),
    switch("color", None),
    switch("verbose", Some('v')),
    valued("failure-threshold", None),
    valued("output-threshold", None),
    valued("output", Some('o')),
    valued("meshConfigFile", None),
    switch("all-namespaces", Some('A')),
    valued("suppress", Some('S')),
    valued("timeout", None),
    switch("recursive", Some('R')),
    switch("ignore-unknown", None),
    valued("revision", Some('r')),
    valued("remote-contexts", None),
    valued("analyzer", None),
    switch("lab", None),
];

/// Exit codes (S: istioctl/cmd exit codes).
const FOUND: i32 = 79;
const UNREADABLE: i32 = 65;

/// What was asked for.
struct Asked {
    cluster: bool,
    format: Format,
    fail_at: Level,
    show_from: Level,
    /// "" for all namespaces.
    namespace: String,
    all: bool,
    selection: Selection,
    lab: bool,
    mesh_file: Option<String>,
    ignore_unknown: bool,
    revision: String,
}

/// Runs it.
pub async fn run(context: &Context, io: &mut Io, words: &[&str]) -> Result<(), Stop> {
    let parsed = args::parse(words, FLAGS)?;
    let thresholds =
        (threshold(&parsed, "failure-threshold", Level::Error)?, threshold(&parsed, "output-threshold", Level::Info)?);
    let format = Format::read(&parsed, io)?;
    if parsed.on("list-analyzers") {
        print::list(io);
        return Ok(());
    }
    if parsed.on("recursive") {
        io.say("The recursive flag has been removed and is hardcoded to true without explicitly specifying it.");
        return Ok(());
    }
    if parsed.last("remote-contexts").is_some() {
        return Err(Stop::failed(not_simulated("istioctl analyze --remote-contexts")));
    }
    let files = sources::gather(io, &parsed.operands, format.is_log()).await?;
    let Some(asked) = asked(context, io, &parsed, format, thresholds).await? else { return Ok(()) };
    let world = World::read(context, io, &asked, &files).await?;
    report(io, context, &asked, &world, &files)
}

fn threshold(parsed: &Parsed, flag: &str, default: Level) -> Result<Level, Stop> {
    let Some(text) = parsed.last(flag) else { return Ok(default) };
    Level::parse(text)
        .ok_or_else(|| Stop::usage(format!("invalid argument {text:?} for \"--{flag}\" flag: invalid level option")))
}

/// Puts the flags together; `None` when the namespace does not exist, which is said and is no failure.
async fn asked(
    context: &Context,
    io: &mut Io,
    parsed: &Parsed,
    format: Format,
    thresholds: (Level, Level),
) -> Result<Option<Asked>, Stop> {
    let cluster = parsed.last("use-kube").is_none_or(|value| value != "false");
    let mut namespace = parsed.last("namespace").unwrap_or("").to_string();
    if cluster {
        if namespace.is_empty() {
            namespace = context.namespace.clone();
        }
        if !namespace.is_empty() && !objects::has_namespace(&context.client, &namespace).await? {
            io.warn(&format!("namespace {:?} not found", parsed.last("namespace").unwrap_or("")));
            return Ok(None);
        }
    }
    let all = parsed.on("all-namespaces");
    let namespace = match (all, namespace.is_empty()) {
        (true, _) => String::new(),
        (false, true) => "default".into(),
        (false, false) => namespace,
    };
    let suppressions = suppressions(io, parsed)?;
    let selection = Selection { namespace: namespace.clone(), analyzers: parsed.all("analyzer"), suppressions };
    Ok(Some(Asked {
        cluster,
        format,
        fail_at: thresholds.0,
        show_from: thresholds.1,
        namespace,
        all,
        selection,
        lab: parsed.on("lab"),
        mesh_file: parsed.last("meshConfigFile").map(String::from),
        ignore_unknown: parsed.on("ignore-unknown"),
        revision: parsed.last("revision").unwrap_or("default").to_string(),
    }))
}

fn suppressions(io: &mut Io, parsed: &Parsed) -> Result<Vec<(String, String)>, Stop> {
    let mut found = Vec::new();
    for text in parsed.all("suppress") {
        let parts: Vec<&str> = text.split('=').collect();
        let [code, pattern] = parts.as_slice() else {
            return Err(Stop::failed(format!("{text} is not a valid suppression value. See istioctl analyze --help")));
        };
        if !codes::CODES.iter().any(|(known, ..)| known == code) {
            io.warn(&format!("Warning: Supplied message code '{code}' is an unknown message code and will not have any effect."));
        }
        found.push((code.to_string(), pattern.to_string()));
    }
    Ok(found)
}

/// Everything that is analyzed.
struct World {
    snapshot: Snapshot,
    origins: Origins,
    mesh: String,
    /// What could not be read, as printed; empty when all was.
    unreadable: String,
}

impl World {
    async fn read(context: &Context, io: &mut Io, asked: &Asked, files: &[sources::Source]) -> Result<World, Stop> {
        let mut snapshot = Snapshot::default();
        if asked.cluster {
            objects::read(&context.client, &mut snapshot).await?;
        }
        let map = snapshot.find("", "ConfigMap", "istio-system", "istio");
        let mut mesh = map.map(|map| map.str_at(&["data", "mesh"]).to_string()).unwrap_or_default();
        if let Some(bytes) = asked.mesh_file.as_ref().and_then(|name| io.files.read(name).ok()) {
            mesh = String::from_utf8_lossy(&bytes).into_owned();
        }
        let mut origins = Origins::new();
        let mut problems = Vec::new();
        for source in files {
            if let Err(list) = analyze::files::add(&mut snapshot, &mut origins, &source.name, &source.text, &asked.namespace) {
                problems.push(format!("errors parsing content {:?}: {}", source.name, several(&list)));
            }
        }
        let unreadable = if problems.is_empty() { String::new() } else { several(&problems) };
        Ok(World { snapshot, origins, mesh, unreadable })
    }
}

/// Go's multierror text.
fn several(list: &[String]) -> String {
    let count = if list.len() == 1 { "1 error occurred:".into() } else { format!("{} errors occurred:", list.len()) };
    format!("{count}\n\t* {}\n\n", list.join("\n\t* "))
}

fn report(io: &mut Io, context: &Context, asked: &Asked, world: &World, files: &[sources::Source]) -> Result<(), Stop> {
    if !world.unreadable.is_empty() {
        print::error(io, &format!("Error(s) adding files: {}", world.unreadable));
    }
    let input = Input {
        snapshot: &world.snapshot,
        origins: &world.origins,
        cluster: asked.cluster,
        root_namespace: "istio-system",
        mesh: &world.mesh,
        revision: &asked.revision,
    };
    let messages = analyze::analyze(input, &asked.selection);
    let shown: Vec<&Message> = messages.iter().filter(|m| m.level <= asked.show_from).collect();
    let findings = if asked.lab { lab::findings(&input, &asked.selection.namespace) } else { Vec::new() };
    let own: Vec<&lab::Finding> = findings.iter().filter(|f| f.level <= asked.show_from).collect();
    print::messages(io, &asked.format, &context.version, &shown, &own);
    let target = if asked.all { "all namespaces".to_string() } else { format!("namespace: {}", asked.namespace) };
    if shown.is_empty() && own.is_empty() {
        nothing(io, &target, !world.unreadable.is_empty(), files);
    }
    if !asked.format.is_log() {
        return Ok(());
    }
    let bad = messages.iter().any(|m| m.level <= asked.fail_at) || findings.iter().any(|f| f.level <= asked.fail_at);
    if bad {
        let message = format!(
            "Analyzers found issues when analyzing {target}.\nSee {} for more information about causes and resolutions.",
            print::reference(&context.version)
        );
        return Err(Stop { message, code: FOUND });
    }
    match world.unreadable.is_empty() || asked.ignore_unknown {
        true => Ok(()),
        false => Err(Stop { message: "Some files couldn't be parsed.".into(), code: UNREADABLE }),
    }
}

fn nothing(io: &mut Io, target: &str, unreadable: bool, files: &[sources::Source]) {
    let names: Vec<&str> = files.iter().map(|f| f.name.as_str()).collect();
    io.warn(&match names.as_slice() {
        _ if unreadable => format!("No validation issues found when analyzing {target} (but 1 file could not be parsed)."),
        [] => format!("✔ No validation issues found when analyzing {target}."),
        [one] => format!("✔ No validation issues found when analyzing {one}."),
        many => format!("✔ No validation issues found when analyzing:\n  - {}", many.join("\n  - ")),
    });
}
