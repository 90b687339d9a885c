//! `egress-lab doctor`: this machine as the program sees it, what is missing, and what to type next.

mod cluster;
mod tools;

use super::{End, args, rows, runtime};
use crate::base::clock::Stopwatch;
use crate::base::paths::Paths;
use crate::base::seed::Seed;
use crate::lab::env::Environment;
use crate::lab::env::sandbox::throw_away;
use crate::lab::kind::preflight::{Row, State};
use crate::lab::tools::Host;
use crate::tui::terminal::Keyboard;
use crate::tui::theme::{Look, Theme, Told};
use std::io::IsTerminal;
use tokio_util::sync::CancellationToken;

/// Columns and rows below which the screen shows one pane at a time, and below which it asks for `--plain`.
const ROOMY: (u16, u16) = (80, 24);

pub(super) fn run(a: &args::Doctor) -> End {
    rows::show(&rows()?, a.json)
}

fn rows() -> Result<Vec<Row>, super::Trouble> {
    let paths = Paths::from_environment();
    let mut rows = vec![terminal(), colours(), size(), state_folder(&paths)];
    let runtime = runtime()?;
    let host = Host::new(Some(paths.tools_log()), CancellationToken::new());
    rows.extend(runtime.block_on(async {
        let (sandbox, tools, cluster) = tokio::join!(self_test(), tools::rows(&host), cluster::rows());
        let mut rows = vec![sandbox];
        rows.extend(tools);
        rows.push(cluster::own_kind(&paths));
        rows.extend(cluster);
        rows
    }));
    runtime.shutdown_background();
    Ok(rows)
}

fn has_terminal() -> bool {
    std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
}

fn terminal() -> Row {
    let term = std::env::var("TERM").unwrap_or_default();
    match (has_terminal(), term.as_str()) {
        (true, "" | "dumb") => Row::new("terminal", State::Note, format!("yes, TERM={term}: lessons are line by line"))
            .next("export TERM=xterm-256color (if your terminal can do that)"),
        (true, _) => Row::new("terminal", State::Good, format!("yes, TERM={term}")),
        (false, _) => Row::new("terminal", State::Good, "none; `learn --plain` works through pipes"),
    }
}

fn colours() -> Row {
    let told = Told::by_environment();
    let theme = Theme::choose(Look::default(), &told);
    let why = match (told.no_color, theme.deep) {
        (true, _) => "NO_COLOR or CLICOLOR=0 is set",
        (false, true) => "256 colours",
        (false, false) => "16 colours or fewer",
    };
    Row::new("colours", State::Good, format!("theme {}, {why}", theme.palette.name()))
}

fn size() -> Row {
    if !has_terminal() {
        return Row::new("size", State::Good, "not asked: no terminal");
    }
    let (cols, lines) = Keyboard::size();
    let found = format!("{cols} columns, {lines} lines");
    match cols >= ROOMY.0 && lines >= ROOMY.1 {
        true => Row::new("size", State::Good, found),
        false => Row::new("size", State::Note, format!("{found}: one pane at a time"))
            .needs(format!("{} columns and {} lines to see text and lab at once", ROOMY.0, ROOMY.1)),
    }
}

fn state_folder(paths: &Paths) -> Row {
    let shown = paths.state().display().to_string();
    match crate::base::files::make_private(&paths.state()) {
        Ok(()) => Row::new("state folder", State::Good, shown),
        Err(e) => Row::new("state folder", State::Missing, format!("{shown}: {e}"))
            .needs("a folder that can be written; lessons run unsaved until then")
            .next("export EGRESS_LAB_HOME=FOLDER"),
    }
}

/// Makes a world, serves it, asks it over HTTPS.
async fn self_test() -> Row {
    let watch = Stopwatch::start();
    let asked = async {
        let world = throw_away(Seed(1), "").await.map_err(|e| e.to_string())?;
        crate::lab::objects::node_count(&world.env.client()).await.map_err(|e| e.to_string())
    };
    match asked.await {
        Ok(0) => Row::new("sandbox", State::Missing, "served and answered without a node"),
        Ok(n) => Row::new("sandbox", State::Good, format!("served and answered with {n} node in {} ms", watch.elapsed_ms())),
        Err(reason) => Row::new("sandbox", State::Missing, reason).next("allow this program to listen on 127.0.0.1"),
    }
}
