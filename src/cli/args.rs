//! The command line as clap reads it. Doc comments are the help texts.

use super::explain_args::Explain;
use super::origin::Origin;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// The saved world, unless another one is named or a lesson has its own.
pub const WORLD: &str = "default";

/// Learn to control the traffic that leaves an Istio service mesh.
///
/// Without a command: the lessons on screen, on the built-in sandbox. No Docker, no network, no account.
#[derive(Debug, Parser)]
#[command(name = "egress-lab", version, propagate_version = true, max_term_width = 100, args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Exit codes: 0 good, 1 a check failed, 2 usage, 3 warnings only, 4 environment unavailable, 130 interrupted."
)]
pub struct Cli {
    #[command(flatten)]
    pub look: LookArgs,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take a lesson: on screen, or line by line with --plain
    Learn(Learn),
    /// Go on from a file that `share` wrote, in a world of its own
    Open(Open),
    /// Run a lesson by itself, applying each step's solution
    Run(Run),
    /// Prove lessons: every check fails untouched, passes with the solution, catches each mistake
    Prove(Prove),
    /// List the lessons
    List(Lessons),
    /// Check lesson files for mistakes
    Lint(Lint),
    /// Print the JSON Schema of lesson files
    Schema,
    /// Print a lesson's speaker notes and minutes
    Notes(Notes),
    /// Make a new lesson folder to start from
    New(New),
    /// Print the next hint of the current step
    Hint(At),
    /// Judge the current step of the lab's world
    Check(Check),
    /// Put the lab's world back to the start of the current step
    Reset(Reset),
    /// Remove what lessons made on a cluster, and put back what they changed there
    Cleanup(super::cluster_args::Cleanup),
    /// Show, export or import progress
    Progress(Progress),
    /// Say why a request would leave the mesh or be stopped
    Explain(Explain),
    /// The built-in kubectl
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Kubectl {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        argv: Vec<String>,
    },
    /// The built-in istioctl
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Istioctl {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        argv: Vec<String>,
    },
    /// Serve a sandbox cluster for your own kubectl, in the foreground
    Sandbox(Sandbox),
    /// Serve the lab's outside world for a cluster, in the foreground
    Origin(Origin),
    /// The lab's own cluster on kind: make it, remove it, look at it
    Kind(super::kind::Kind),
    /// Look at this machine: terminal, folders, tools, a self-test of the sandbox
    Doctor(Doctor),
    /// Print the settings in force, where each comes from, and the settings file's name
    Settings(SettingsArgs),
    /// Print the manual page (`egress-lab man | man -l -`)
    Man,
    /// Print a completion script for a shell
    Completions { shell: clap_complete::Shell },
}

/// Where lessons come from.
#[derive(Debug, Args, Default, Clone)]
pub struct From {
    /// Read lessons from this folder instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    pub lessons: Option<PathBuf>,
}

/// How lessons are shown. What is not said is looked up in the environment and the settings file.
#[derive(Debug, Args, Default, Clone)]
pub struct LookArgs {
    /// Line by line on standard input and output, without escapes
    #[arg(long)]
    pub plain: bool,
    /// Colours: auto, dark, light, high-contrast, colour-blind or none
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
    /// Draw with ASCII only
    #[arg(long)]
    pub ascii: bool,
    /// Nothing moves on the screen
    #[arg(long)]
    pub no_motion: bool,
    /// The mouse wheel scrolls from the start
    #[arg(long)]
    pub mouse: bool,
    /// What opens files: auto, own (the one on the screen) or a command
    #[arg(long, value_name = "COMMAND")]
    pub editor: Option<String>,
    /// The Istio release that the sandbox brings: auto, 1.26 or 1.30
    #[arg(long, value_name = "VERSION")]
    pub istio: Option<String>,
}

impl LookArgs {
    /// What was said of a setting.
    pub fn value(&self, name: &str) -> Option<String> {
        match name {
            "theme" => self.theme.clone(),
            "ascii" => self.ascii.then(|| "true".into()),
            "motion" => self.no_motion.then(|| "false".into()),
            "plain" => self.plain.then(|| "true".into()),
            "mouse" => self.mouse.then(|| "true".into()),
            "editor" => self.editor.clone(),
            "istio" => self.istio.clone(),
            _ => None,
        }
    }
}

#[derive(Debug, Args)]
pub struct SettingsArgs {
    #[command(flatten)]
    pub look: LookArgs,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Learn {
    /// The lesson; the one you are in, or the first
    pub lesson: Option<String>,
    #[command(flatten)]
    pub look: LookArgs,
    /// For an audience: any key types the step's next command; `notes --follow` in a second terminal has the speaker notes
    #[arg(long, conflicts_with = "plain")]
    pub present: bool,
    #[command(flatten)]
    pub at: super::cluster_args::Where,
    /// Build the state before this step first
    #[arg(long, value_name = "STEP")]
    pub from: Option<String>,
    /// The saved world to use
    #[arg(long, default_value = WORLD, value_name = "NAME")]
    pub world: String,
    /// Take as long as a real cluster would (image pulls, rollouts, deletion)
    #[arg(long)]
    pub real_time: bool,
    /// Go on from a file that `share` wrote, in a world of its own
    #[arg(long, value_name = "FILE", conflicts_with_all = ["lesson", "from"])]
    pub open: Option<PathBuf>,
    #[command(flatten)]
    pub from_dir: From,
}

impl Default for Learn {
    /// What `learn` without any flag means.
    fn default() -> Learn {
        let (at, world) = (super::cluster_args::Where::default(), WORLD.into());
        let from_dir = From::default();
        Learn {
            lesson: None,
            look: LookArgs::default(),
            present: false,
            at,
            from: None,
            world,
            real_time: false,
            open: None,
            from_dir,
        }
    }
}

#[derive(Debug, Args)]
pub struct Notes {
    /// The lesson; the first, or with --follow the one that is presented
    pub lesson: Option<String>,
    /// As JSON
    #[arg(long, conflicts_with = "follow")]
    pub json: bool,
    /// Show the notes of the step that `learn --present` is at, in another terminal
    #[arg(long)]
    pub follow: bool,
    #[command(flatten)]
    pub from_dir: From,
}

#[derive(Debug, Args)]
pub struct Open {
    /// The file
    pub file: PathBuf,
    #[command(flatten)]
    pub look: LookArgs,
    /// The name of the new world; made from the file's name by default
    #[arg(long, value_name = "NAME")]
    pub world: Option<String>,
    #[command(flatten)]
    pub from_dir: From,
}

#[derive(Debug, Args)]
pub struct Run {
    /// The lesson
    pub lesson: String,
    /// Stop after this step
    #[arg(long, value_name = "STEP")]
    pub to: Option<String>,
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
    /// The world's seed
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The Istio release to imitate: 1.26 or 1.30
    #[arg(long, value_name = "VERSION", default_value = "", hide_default_value = true)]
    pub istio: String,
    #[command(flatten)]
    pub at: super::cluster_args::Where,
    #[command(flatten)]
    pub from_dir: From,
}

#[derive(Debug, Args)]
pub struct Prove {
    /// The lessons; all of them by default
    pub lesson: Vec<String>,
    /// Only these steps
    #[arg(long, value_name = "STEP")]
    pub step: Vec<String>,
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
    /// A JUnit report on standard output
    #[arg(long, conflicts_with = "json")]
    pub junit: bool,
    /// The Istio release to imitate: 1.26 or 1.30
    #[arg(long, value_name = "VERSION", default_value = "", hide_default_value = true)]
    pub istio: String,
    #[command(flatten)]
    pub at: super::cluster_args::Where,
    /// On a cluster: every mutant, accepted answer and removal, where one mutant for each step is the rule
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub from_dir: From,
}

#[derive(Debug, Args)]
pub struct Lessons {
    /// As JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub from_dir: From,
}

#[derive(Debug, Args)]
pub struct Lint {
    /// A folder of lessons; the built-in ones by default
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct New {
    /// The folder to make; its name becomes the lesson's id
    pub dir: PathBuf,
}

/// Which world, lesson and step a command is about.
#[derive(Debug, Args)]
pub struct At {
    /// The saved world
    #[arg(long, default_value = WORLD, value_name = "NAME")]
    pub world: String,
    /// The step, if not the current one
    #[arg(long, value_name = "STEP")]
    pub step: Option<String>,
    #[command(flatten)]
    pub from_dir: From,
}

/// A cluster instead of the saved world.
#[derive(Debug, Args)]
pub struct Elsewhere {
    /// Where the lesson is open: sandbox, kind or context:NAME
    #[arg(long, default_value = "sandbox", value_name = "ENV")]
    pub env: String,
}

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub at: At,
    #[command(flatten)]
    pub elsewhere: Elsewhere,
    /// The answer to the step's question
    #[arg(long, value_name = "TEXT")]
    pub answer: Option<String>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Reset {
    #[command(flatten)]
    pub at: At,
    #[command(flatten)]
    pub elsewhere: Elsewhere,
    /// On a cluster: let the lesson install Istio and change what concerns everybody
    #[arg(long)]
    pub allow_mesh_config: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct Progress {
    #[command(subcommand)]
    pub what: Option<ProgressWhat>,
}

#[derive(Debug, Subcommand)]
pub enum ProgressWhat {
    /// What is done, lesson by lesson
    Show,
    /// Write everything that is known as JSON lines to standard output
    Export,
    /// Add what a file of `export` holds
    Import { file: PathBuf },
}

#[derive(Debug, Args)]
pub struct Sandbox {
    /// The port; a free one by default
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
    /// Serve the lab's saved world instead of a new one
    #[arg(long)]
    pub lab: bool,
    /// Serve so many separate worlds, each with its own port, credential and kubeconfig
    #[arg(long, value_name = "N", conflicts_with = "lab", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub worlds: Option<u16>,
    /// How the worlds of --worlds are named: PREFIX-1, PREFIX-2, ..
    #[arg(long, value_name = "PREFIX", default_value = "world", requires = "worlds", value_parser = prefix)]
    pub name: String,
    /// The saved world to serve with --lab
    #[arg(long, default_value = WORLD, value_name = "NAME")]
    pub world: String,
    /// A logical clock: everything that takes time has happened when a command returns
    #[arg(long)]
    pub instant: bool,
    /// Take as long as a real cluster would
    #[arg(long, conflicts_with = "instant")]
    pub real_time: bool,
    /// The world's seed (same seed, same names)
    #[arg(long)]
    pub seed: Option<u64>,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Reads a prefix of names, which become folders.
fn prefix(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match !text.is_empty() && text.len() <= 40 && !text.starts_with('-') && text.chars().all(plain) {
        true => Ok(text.to_string()),
        false => Err("letters a to z, digits and dashes, at most 40".into()),
    }
}
