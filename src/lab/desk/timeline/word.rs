//! `timeline ..` at the prompt.

use super::text;
use crate::base::io::Io;
use crate::lab::prompt::Prompt;
use crate::{istioctl, kubectl};

const USAGE: &str = "timeline [N]: the newest changes; timeline show REV: one change in full; timeline compare A [B] [--objects]: two \
                     points; timeline at REV COMMAND: a reading kubectl, istioctl or explain command as of then; timeline mark NAME \
                     [REV]: a bookmark; timeline return REV: go back. REV is a revision, `now`, `-N` (N changes back) or a bookmark.";
/// Changes that are listed when no number is given.
const LISTED: usize = 20;
/// Verbs that only look.
const READING: &[&str] = &[
    "get",
    "describe",
    "logs",
    "events",
    "exec",
    "explain",
    "api-resources",
    "api-versions",
    "version",
    "diff",
    "top",
    "auth",
    "cluster-info",
    "help",
];

/// Runs the word; the exit code.
pub async fn run(prompt: &Prompt, io: &mut Io, operands: &[String]) -> i32 {
    let words: Vec<&str> = operands.iter().map(String::as_str).collect();
    let (flags, plain): (Vec<&str>, Vec<&str>) = match words.first() {
        Some(&"at") => (Vec::new(), words),
        _ => words.into_iter().partition(|word| word.starts_with("--") || *word == "-y"),
    };
    let has = |names: &[&str]| flags.iter().any(|flag| names.contains(flag));
    if let Some(unknown) = flags.iter().find(|flag| !["--yes", "-y", "--objects"].contains(flag)) {
        io.warn(&format!("timeline knows --yes and --objects, not {unknown}. {USAGE}"));
        return 2;
    }
    if let ["at", point, line @ ..] = plain.as_slice() {
        return at(prompt, io, point, line).await;
    }
    match answer(prompt, &plain, has(&["--objects"]), has(&["--yes", "-y"])).await {
        Ok(Some(text)) => {
            io.write(text.as_bytes());
            0
        }
        Ok(None) => {
            io.warn(USAGE);
            2
        }
        Err(error) => {
            io.warn(&crate::lab::words::line(&error));
            1
        }
    }
}

async fn answer(prompt: &Prompt, words: &[&str], objects: bool, yes: bool) -> anyhow::Result<Option<String>> {
    Ok(Some(match words {
        [] => text::list(&super::time_line(prompt, LISTED, None).await?),
        ["show", point] => text::told(&super::change(prompt, point).await?, prompt.env().now().await),
        ["compare", from] => text::compared(&super::compared(prompt, from, "now").await?, objects),
        ["compare", from, to] => text::compared(&super::compared(prompt, from, to).await?, objects),
        ["mark", name] => format!("{}\n", super::mark(prompt, "now", name).await?),
        ["mark", name, point] => format!("{}\n", super::mark(prompt, point, name).await?),
        ["return", point] if !yes => {
            let undone = super::undone(prompt, point).await?;
            format!("{}`timeline return {} --yes` does it.\n", text::undone(&undone), undone.revision)
        }
        ["return", point] => {
            let (to, before, newest) = super::go_back(prompt, point).await?;
            format!(
                "The world is as it was at revision {to}, written forward as revision {newest}. `timeline return {before}` undoes this.\n"
            )
        }
        [n] => match n.parse::<usize>() {
            Ok(n) if n > 0 => text::list(&super::time_line(prompt, n, None).await?),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    }))
}

/// A line that only looks, on the world as it was.
async fn at(prompt: &Prompt, io: &mut Io, point: &str, line: &[&str]) -> i32 {
    let argv: Vec<String> = line.iter().map(|word| word.to_string()).collect();
    let Some((name, operands)) = argv.split_first() else {
        io.warn(USAGE);
        return 2;
    };
    let client = match super::looked(prompt, point).await {
        Ok(client) => client,
        Err(error) => {
            io.warn(&crate::lab::words::line(&error));
            return 1;
        }
    };
    let ctx = kubectl::Context { client: client.clone(), ..prompt.kubectl.clone() };
    match name.as_str() {
        "kubectl" | "k" if !reads(operands) => {
            io.warn("The past is read-only: get, describe, logs, events, exec and the like work there; `timeline return REV` goes back.");
            2
        }
        "kubectl" | "k" => kubectl::run(&ctx, io, operands).await,
        "istioctl" if operands.iter().any(|o| matches!(o.as_str(), "install" | "uninstall" | "apply" | "upgrade" | "tag")) => {
            io.warn("The past is read-only; `timeline return REV` goes back.");
            2
        }
        "istioctl" => istioctl::run(&istioctl::Context { client, ..prompt.istioctl.clone() }, io, operands).await,
        "explain" | "why" => crate::lab::explain::run(&ctx, io, operands).await,
        _ => {
            io.warn("timeline at REV COMMAND: a kubectl, istioctl or explain command.");
            2
        }
    }
}

/// Whether a kubectl command only looks. The first word that is a verb decides; flags before it are skipped.
fn reads(operands: &[String]) -> bool {
    let verb = operands.iter().find(|word| !word.starts_with('-'));
    verb.is_none_or(|verb| READING.contains(&verb.as_str()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_what_looks_is_let_into_the_past() {
        let reads = |line: &str| super::reads(&line.split(' ').map(str::to_string).collect::<Vec<_>>());
        assert!(reads("get pods") && reads("-A get pods") && reads("exec test -- curl x"));
        for line in ["apply -f x", "delete pod test", "label pod test a=b", "create ns x", "edit pod test", "scale deploy x"] {
            assert!(!reads(line), "{line}");
        }
    }
}
