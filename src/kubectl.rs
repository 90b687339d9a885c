//! kubectl, built in: the verbs that lessons and learners use, on a [`kube::Client`]. Speaks kubectl's own flags and sentences
//! (the dialect of 1.36 and 1.37), asks the server what kubectl asks it, and prints what kubectl prints.
//!
//! One verb is one file. A verb is a row of [`verbs::VERBS`]: name, flags, and the function that runs it.

mod annotate;
mod api_resources;
mod apply;
mod auth;
mod autoscale;
mod cluster_info;
pub mod complete;
mod config;
mod copy;
mod create;
mod debug;
mod delete;
mod describe;
mod diff;
mod discovery;
mod drain;
mod edit;
mod error;
mod events;
mod exec;
mod explain;
mod expose;
mod fetch;
mod flags;
mod get;
mod help;
mod kustomize;
mod label;
mod logs;
mod manifest;
mod node;
mod patch;
mod pods;
mod port_forward;
mod print;
mod proxy;
mod replace;
mod restrict;
mod rollout;
mod run;
mod scale;
mod select;
mod session;
mod set;
mod subject;
mod taint;
mod template;
mod top;
pub mod trial;
mod verbs;
mod version;
mod wait;

pub use config::{Config, ContextEntry};
pub use restrict::{Restrictions, Rule};

use crate::base::clock::Clock;
use crate::base::io::Io;
use futures::future::BoxFuture;
use std::sync::{Arc, Mutex};

/// Waits for time to pass: real time at wall pace, the world's own at instant pace.
pub trait Pause: Send + Sync {
    /// Completes after `ms` milliseconds of the environment's time.
    fn pause(&self, ms: u64) -> BoxFuture<'static, ()>;
}

/// Waits on the machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealPause;

impl Pause for RealPause {
    fn pause(&self, ms: u64) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(std::time::Duration::from_millis(ms)))
    }
}

/// Whom a command talks to and what it may do. Kept between commands of one prompt: `config set-context` changes `config`.
#[derive(Clone)]
pub struct Context {
    /// The server.
    pub client: kube::Client,
    /// The kubeconfig as kubectl shows it: contexts and the default namespace.
    pub config: Arc<Mutex<Config>>,
    /// The environment's clock: ages, `--since`, generated timestamps.
    pub clock: Arc<dyn Clock>,
    /// How time-outs and polls wait.
    pub pause: Arc<dyn Pause>,
    /// What this caller must not do.
    pub restrictions: Restrictions,
    /// Whether output may be coloured (only `cluster-info` ever is).
    pub color: bool,
}

impl Context {
    /// The namespace that commands without `-n` use.
    pub fn namespace(&self) -> String {
        self.config.lock().unwrap_or_else(|p| p.into_inner()).namespace()
    }
}

/// Runs one kubectl command; `argv` is without the program's name. Returns the exit code: 0 good, 130 interrupted, otherwise what
/// kubectl would return. Every message has been written to `io`.
pub async fn run(ctx: &Context, io: &mut Io, argv: &[String]) -> i32 {
    let line = match verbs::resolve(argv, &ctx.restrictions) {
        Ok(line) => line,
        Err(error) => {
            let text = error.text();
            if !text.is_empty() {
                io.warn(&text);
            }
            return error.code();
        }
    };
    let Some(command) = line.command else {
        io.write(line.help.as_bytes());
        return 0;
    };
    let mut parsed = line.parsed;
    let mut session = session::Session::new(ctx, io, &command.full_name(), &parsed);
    if parsed.text("dry-run") == Some("unchanged") {
        session.warn("Warning: --dry-run is deprecated and can be replaced with --dry-run=client.");
    }
    let outcome = match read_template(&mut session, &mut parsed) {
        Ok(()) => (command.verb.run)(&mut session, &parsed).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            session.print_error(&error);
            error.code()
        }
    }
}

/// `-o jsonpath-file=FILE` becomes `-o jsonpath=TEXT`.
fn read_template(session: &mut session::Session<'_>, parsed: &mut flags::Parsed) -> error::Result<()> {
    let text = parsed.str("output").to_string();
    let (form, name) = text.split_once('=').unwrap_or((&text, parsed.str("template")));
    let Some(inline) = print::output::inline_form(form) else { return Ok(()) };
    if name.is_empty() {
        return Err(error::Error::plain(format!("{form} format specified but no {form} file given")));
    }
    let bytes = session.io.files.read(name).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            error::Error::plain(format!("error reading --template {name}, open {name}: no such file or directory"))
        }
        _ => error::Error::plain(format!("error reading --template {name}, {e}")),
    })?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    parsed.replace("output", format!("{inline}={}", if form == "custom-columns-file" { columns_line(&text) } else { text }));
    Ok(())
}

/// The two lines of a columns file, names over paths, as one specification.
fn columns_line(text: &str) -> String {
    let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let (names, paths) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    names.iter().zip(paths).map(|(name, path)| format!("{name}:{path}")).collect::<Vec<_>>().join(",")
}

/// Whether a line could run: known verb, known flags, nothing that `restrictions` refuse. For lint; touches nothing.
///
/// # Errors
/// The sentence that [`run`] would print.
pub fn lint(argv: &[String], restrictions: &Restrictions) -> Result<(), String> {
    verbs::resolve(argv, restrictions).map(drop).map_err(|e| e.text())
}

/// The verbs and one line on each, for completion and help.
pub fn verbs() -> Vec<(&'static str, &'static str)> {
    verbs::VERBS.iter().map(|verb| (verb.name, verb.about)).collect()
}

/// The long names of a verb's flags, for completion.
pub fn flags_of(verb: &str) -> Vec<&'static str> {
    let found = verbs::VERBS.iter().find(|v| v.name == verb);
    found.map(|v| v.tables.iter().flat_map(|t| t.iter()).map(|f| f.name).collect()).unwrap_or_default()
}
