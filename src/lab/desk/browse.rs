//! The resource browser: what the server has, as kubectl prints it.

use crate::base::io::{Io, Stream};
use crate::kubectl;
use crate::lab::prompt::Prompt;
use crate::session::desk::browse::{KindRow, RowOf, Subject, Table, Text, View, Which};
use anyhow::bail;
use serde_json::Value;
use std::collections::BTreeMap;

/// How often a question that waits for news looks, in milliseconds, and how many times.
const LOOK_MS: u64 = 1_000;
const LOOKS: usize = 30;
/// Lines of a log that are read.
const LOG_LINES: usize = 2_000;
/// Lines of any other text.
const LINES: usize = 20_000;
/// Rows of a table.
const ROWS: usize = 5_000;

/// What a command printed.
struct Printed {
    out: String,
    err: String,
}

/// The kinds that can be listed, with their numbers where those can be told without asking for each.
///
/// # Errors
/// The server does not answer.
pub async fn kinds(prompt: &Prompt, at: Option<u64>) -> anyhow::Result<Vec<KindRow>> {
    let ctx = context(prompt, at).await?;
    let printed = run(prompt, &ctx, &["api-resources", "--verbs=list", "--no-headers"]).await;
    let counts = match prompt.env().objects(at).await {
        Ok((_, snapshot)) => {
            let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
            snapshot.all().for_each(|o| *counts.entry((o.group().into(), o.kind().into())).or_default() += 1);
            Some(counts)
        }
        Err(_) => None,
    };
    let rows: Vec<KindRow> = printed.out.lines().filter_map(|line| kind_row(line, counts.as_ref())).collect();
    match rows.is_empty() {
        true => bail!("{}", or(printed.err.trim(), "the server names no kinds")),
        false => Ok(rows),
    }
}

/// `NAME [SHORT] APIVERSION NAMESPACED KIND`.
fn kind_row(line: &str, counts: Option<&BTreeMap<(String, String), usize>>) -> Option<KindRow> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (name, short, version, namespaced, kind) = match words.as_slice() {
        [name, version, namespaced, kind] => (*name, "", *version, *namespaced, *kind),
        [name, short, version, namespaced, kind] => (*name, *short, *version, *namespaced, *kind),
        _ => return None,
    };
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let resource = if group.is_empty() { name.to_string() } else { format!("{name}.{group}") };
    let count = counts.map(|counts| counts.get(&(group.to_string(), kind.to_string())).copied().unwrap_or(0));
    Some(KindRow { resource, short: short.into(), kind: kind.into(), namespaced: namespaced == "true", count })
}

/// The table of a kind's objects. With `seen` it waits a while until it would say something else.
///
/// # Errors
/// The past is not kept.
pub async fn table(prompt: &Prompt, which: &Which, seen: Option<&Table>) -> anyhow::Result<Table> {
    let ctx = context(prompt, which.at).await?;
    let mut argv = vec!["get", which.resource.as_str()];
    match &which.namespace {
        Some(namespace) => argv.extend(["-n", namespace]),
        None => argv.push("-A"),
    }
    let look = || async { read_table(&run(prompt, &ctx, &argv).await, which) };
    Ok(news(look, seen.filter(|_| which.at.is_none())).await)
}

/// What a look shows: at once, or when it is something else than was seen; after a while also that.
async fn news<T: PartialEq, F: Future<Output = T>>(look: impl Fn() -> F, seen: Option<&T>) -> T {
    let mut found = look().await;
    for _ in 0..LOOKS {
        if seen != Some(&found) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(LOOK_MS)).await;
        found = look().await;
    }
    found
}

fn read_table(printed: &Printed, which: &Which) -> Table {
    let mut lines = printed.out.lines();
    let header = lines.next().unwrap_or("").to_string();
    let with_namespace = header.starts_with("NAMESPACE ");
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let namespace = if with_namespace { words.next()?.to_string() } else { which.namespace.clone().unwrap_or_default() };
        Some(RowOf { namespace, name: words.next()?.to_string(), text: line.to_string() })
    };
    let rows = lines.take(ROWS).filter_map(row).collect();
    Table { header, rows, said: printed.err.trim().to_string() }
}

/// A text about an object. With `seen` (the number of lines, and the last) it waits a while until there is more.
///
/// # Errors
/// The past is not kept.
pub async fn read(prompt: &Prompt, subject: &Subject, view: &View, seen: Option<&Text>) -> anyhow::Result<Text> {
    let ctx = context(prompt, subject.at).await?;
    let argv = argv(subject, view);
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let containers = match view {
        View::Logs { .. } => containers(prompt, &ctx, subject).await,
        _ => Vec::new(),
    };
    let look = || async { as_text(run(prompt, &ctx, &argv).await, &containers, view) };
    Ok(news(look, seen.filter(|_| subject.at.is_none())).await)
}

fn argv(subject: &Subject, view: &View) -> Vec<String> {
    let mut argv: Vec<String> = match view {
        View::Describe => vec!["describe".into(), subject.resource.clone(), subject.name.clone()],
        View::Yaml => vec!["get".into(), subject.resource.clone(), subject.name.clone(), "-o".into(), "yaml".into()],
        View::Events => vec!["events".into(), "--for".into(), format!("{}/{}", subject.resource, subject.name)],
        View::Logs { container, previous } => {
            let mut argv = vec!["logs".into(), subject.name.clone(), format!("--tail={LOG_LINES}")];
            if !container.is_empty() {
                argv.extend(["-c".into(), container.clone()]);
            }
            argv.extend(previous.then(|| "--previous".to_string()));
            argv
        }
    };
    if !subject.namespace.is_empty() {
        argv.extend(["-n".into(), subject.namespace.clone()]);
    }
    argv
}

fn as_text(printed: Printed, containers: &[String], view: &View) -> Text {
    let limit = if matches!(view, View::Logs { .. }) { LOG_LINES } else { LINES };
    let clean = |line: &str| line.replace('\t', "        ").chars().filter(|c| !c.is_control()).collect::<String>();
    let lines = printed.out.lines().take(limit).map(clean).collect();
    Text { lines, said: printed.err.trim().to_string(), containers: containers.to_vec() }
}

async fn containers(prompt: &Prompt, ctx: &kubectl::Context, subject: &Subject) -> Vec<String> {
    let namespace = if subject.namespace.is_empty() { "default" } else { &subject.namespace };
    let printed = run(prompt, ctx, &["get", "pods", &subject.name, "-n", namespace, "-o", "json"]).await;
    let pod: Value = serde_json::from_str(&printed.out).unwrap_or_default();
    let names = |list: &str| -> Vec<String> {
        pod["spec"][list].as_array().into_iter().flatten().filter_map(|c| Some(c["name"].as_str()?.to_string())).collect()
    };
    names("containers").into_iter().chain(names("initContainers")).collect()
}

async fn context(prompt: &Prompt, at: Option<u64>) -> anyhow::Result<kubectl::Context> {
    Ok(match at {
        None => prompt.kubectl.clone(),
        Some(at) => {
            let client = super::timeline::looked(prompt, &at.to_string()).await?;
            kubectl::Context { client, ..prompt.kubectl.clone() }
        }
    })
}

async fn run(prompt: &Prompt, ctx: &kubectl::Context, argv: &[&str]) -> Printed {
    let argv: Vec<String> = argv.iter().map(|word| word.to_string()).collect();
    prompt.set_clock().await;
    let (mut io, heard) = Io::collecting(prompt.files.clone());
    kubectl::run(ctx, &mut io, &argv).await;
    Printed { out: heard.text(Stream::Out), err: heard.text(Stream::Err) }
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(out: &str) -> Printed {
        Printed { out: out.into(), err: String::new() }
    }

    #[test]
    fn rows_know_their_object() {
        let which = |namespace: Option<&str>| Which { resource: "pods".into(), namespace: namespace.map(Into::into), at: None };
        let all = read_table(&printed("NAMESPACE   NAME   READY\ndefault     test   2/2\n"), &which(None));
        assert_eq!((all.rows[0].namespace.as_str(), all.rows[0].name.as_str()), ("default", "test"));
        let one = read_table(&printed("NAME   READY\ntest   2/2\n"), &which(Some("shop")));
        assert_eq!((one.rows[0].namespace.as_str(), one.rows[0].name.as_str()), ("shop", "test"));
        let cluster = read_table(&printed("NAME   STATUS\nsandbox-node   Ready\n"), &which(None));
        assert_eq!((cluster.rows[0].namespace.as_str(), cluster.rows[0].name.as_str()), ("", "sandbox-node"));
    }

    #[test]
    fn kinds_are_told_with_and_without_short_names() {
        let row = kind_row("pods  po  v1  true  Pod", None).unwrap();
        assert_eq!((row.resource.as_str(), row.short.as_str(), row.namespaced, row.count), ("pods", "po", true, None));
        let row = kind_row("serviceentries  se  networking.istio.io/v1  true  ServiceEntry", Some(&BTreeMap::new())).unwrap();
        assert_eq!((row.resource.as_str(), row.count), ("serviceentries.networking.istio.io", Some(0)));
        assert!(kind_row("nonsense", None).is_none());
    }
}
