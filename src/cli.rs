//! The command line: the only place that knows all rooms; prints. One file per command under `cli/`.

mod args;
mod cluster;
mod cluster_args;
mod doctor;
mod learn;
mod progress;
mod explain;
mod kind;
mod rows;
mod explain_args;
mod lessons;
mod man;
mod notes;
mod open;
mod origin;
mod run;
mod sandbox;
mod screen;
mod settings;
mod tools;

use args::{Cli, Command};
use clap::Parser;
use std::process::ExitCode;

/// Good.
pub const GOOD: u8 = 0;
/// A check failed.
pub const FAILED: u8 = 1;
/// The command line was wrong.
pub const USAGE: u8 = 2;
/// Warnings only.
pub const WARNINGS: u8 = 3;
/// The environment is not available.
pub const UNAVAILABLE: u8 = 4;
/// Interrupted.
pub const INTERRUPTED: u8 = 130;

/// Why a command ended badly: the exit code and the sentence.
#[derive(Debug)]
pub struct Trouble {
    pub code: u8,
    pub sentence: String,
}

impl Trouble {
    /// The environment is not available (4).
    pub fn unavailable(sentence: impl Into<String>) -> Trouble {
        Trouble { code: UNAVAILABLE, sentence: sentence.into() }
    }

    /// The command line was wrong (2).
    pub fn usage(sentence: impl Into<String>) -> Trouble {
        Trouble { code: USAGE, sentence: sentence.into() }
    }
}

impl From<anyhow::Error> for Trouble {
    /// The chain of causes, each on its own line.
    fn from(error: anyhow::Error) -> Trouble {
        Trouble::unavailable(crate::lab::words::causes(&error).join("\n  because: "))
    }
}

/// What a command ends with: an exit code, or trouble.
pub type End = Result<u8, Trouble>;

/// Reads the command line, runs the command.
pub fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let argv: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let end = match tools::called_as(&argv) {
        Some((tool, operands)) => tools::run(tool, operands),
        None => dispatch(&argv),
    };
    match end {
        Ok(code) => ExitCode::from(code),
        Err(trouble) => {
            eprintln!("egress-lab: {}", trouble.sentence);
            ExitCode::from(trouble.code)
        }
    }
}

fn dispatch(argv: &[String]) -> End {
    let cli = match Cli::try_parse_from(argv) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { USAGE } else { GOOD };
            let _ = error.print();
            return Ok(code);
        }
    };
    let look = cli.look;
    match cli.command.unwrap_or_else(|| Command::Learn(args::Learn { look, ..args::Learn::default() })) {
        Command::Run(a) => run::run(&a),
        Command::Prove(a) => run::prove(&a),
        Command::List(a) => lessons::list(&a),
        Command::Lint(a) => lessons::lint(&a),
        Command::Learn(a) => learn::run(&a),
        Command::Notes(a) => notes::run(&a),
        Command::Open(a) => open::run(&a),
        Command::Hint(a) => learn::hint(&a),
        Command::Check(a) => learn::check(&a),
        Command::Cleanup(a) => cluster::cleanup(&a),
        Command::Reset(a) => learn::reset(&a),
        Command::Progress(a) => progress::run(&a),
        Command::Kind(a) => kind::run(&a),
        Command::Doctor(a) => doctor::run(&a),
        Command::Settings(a) => settings::run(&a),
        Command::Man => man::run(),
        Command::Explain(a) => explain::run(&a),
        Command::Kubectl { argv } => tools::run(tools::Tool::Kubectl, &argv),
        Command::Istioctl { argv } => tools::run(tools::Tool::Istioctl, &argv),
        Command::Sandbox(a) => sandbox::run(&a),
        Command::Origin(a) => origin::run(&a),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut <Cli as clap::CommandFactory>::command(), "egress-lab", &mut std::io::stdout());
            Ok(GOOD)
        }
        _ => Err(Trouble::usage("this command is not there yet")),
    }
}

/// A runtime for a command that talks to a world.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Trouble> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Trouble::unavailable(format!("no runtime could be started: {e}")))
}

/// Reads the answer to a question that was asked on the terminal.
fn said_yes() -> bool {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).is_ok() && matches!(line.trim(), "y" | "Y" | "yes")
}

/// Writes to standard output; a closed pipe is nobody's mistake.
pub(crate) fn print(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
