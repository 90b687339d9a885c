//! `egress-lab doctor`: this machine as the program sees it, and a self-test of the sandbox.

use super::{End, GOOD, UNAVAILABLE, args, print, runtime};
use crate::base::clock::Stopwatch;
use crate::base::paths::{Paths, user_kubeconfigs};
use crate::base::seed::Seed;
use crate::lab::env::Environment;
use crate::lab::env::sandbox::throw_away;
use serde_json::json;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

struct Row {
    name: &'static str,
    good: bool,
    found: String,
    next: &'static str,
}

pub(super) fn run(a: &args::Doctor) -> End {
    let rows = rows();
    let good = rows.iter().all(|row| row.good);
    if a.json {
        let row = |r: &Row| json!({"name": r.name, "good": r.good, "found": r.found, "next": r.next});
        print(&format!("{}\n", serde_json::to_string_pretty(&rows.iter().map(row).collect::<Vec<_>>()).unwrap_or_default()));
    } else {
        for row in &rows {
            let word = if row.good { "good" } else { "MISSING" };
            print(&format!("{:<16} {word:<8} {}\n", row.name, row.found));
            if !row.good {
                print(&format!("{:<16} {:<8} {}\n", "", "next", row.next));
            }
        }
    }
    Ok(if good { GOOD } else { UNAVAILABLE })
}

fn rows() -> Vec<Row> {
    let paths = Paths::from_environment();
    let term = std::env::var("TERM").unwrap_or_default();
    let here = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    let mut rows = vec![
        Row {
            name: "terminal",
            good: true,
            found: if here { format!("yes, TERM={term}") } else { "none; `learn --plain` works through pipes".into() },
            next: "",
        },
        Row {
            name: "state folder",
            good: crate::base::files::make_private(&paths.state()).is_ok(),
            found: paths.state().display().to_string(),
            next: "set EGRESS_LAB_HOME to a folder that can be written; lessons run unsaved until then",
        },
        self_test(),
    ];
    for name in ["kubectl", "istioctl", "kind", "docker"] {
        let found = on_path(name).map_or("not found; not needed for the sandbox".to_string(), |p| p.display().to_string());
        rows.push(Row { name, good: true, found, next: "" });
    }
    let configs: Vec<String> = user_kubeconfigs().into_iter().filter(|p| p.exists()).map(|p| p.display().to_string()).collect();
    let found = if configs.is_empty() { "none; not needed for the sandbox".to_string() } else { configs.join(", ") };
    rows.push(Row { name: "kubeconfig", good: true, found, next: "" });
    rows
}

/// Makes a world, serves it, asks it over HTTPS.
fn self_test() -> Row {
    let watch = Stopwatch::start();
    let asked = runtime().map_err(|t| t.sentence).and_then(|runtime| {
        runtime.block_on(async {
            let world = throw_away(Seed(1), "").await.map_err(|e| e.to_string())?;
            crate::lab::objects::node_count(&world.env.client()).await.map_err(|e| e.to_string())
        })
    });
    let (good, found) = match asked {
        Ok(n) => (n > 0, format!("served and answered with {n} node in {} ms", watch.elapsed_ms())),
        Err(reason) => (false, reason),
    };
    Row { name: "sandbox", good, found, next: "allow this program to listen on 127.0.0.1" }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|p: &PathBuf| Path::is_file(p))
}
