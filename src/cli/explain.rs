//! `egress-lab explain`: why a request would leave the mesh or be stopped.

mod survey;

use super::explain_args::{Explain, Request, Source as SourceArgs};
use super::{End, FAILED, GOOD, Trouble, WARNINGS, print, runtime};
use crate::base::outcome::Outcome;
use crate::lab::explain::source::{self, About, Source};
use crate::lab::explain::world::World;
use crate::lab::explain::{CLIENT, expect, mend, operands, text};
use crate::mesh::draft::{Stand, Suppose, When};
use crate::mesh::reach::{Ask, Client, Expectation, Want};
use crate::mesh::versions;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a file of expectations.
const MAX_EXPECT_FILE: u64 = 4 << 20;

/// What is printed, and the exit code.
pub(super) struct Said {
    pub text: String,
    pub code: u8,
}

pub(super) fn run(a: &Explain) -> End {
    let runtime = runtime()?;
    let said = runtime.block_on(answer(a));
    runtime.shutdown_background();
    let said = said?;
    print(&said.text);
    Ok(said.code)
}

async fn answer(a: &Explain) -> Result<Said, Trouble> {
    if a.judge.fix && a.judge.expect.is_none() && a.judge.expect_file.is_none() {
        return Err(Trouble::usage("--fix needs to know what is wished: add --expect or --expect-file"));
    }
    match &a.judge.expect_file {
        Some(_) => expectations(a).await,
        None if a.survey.matrix => survey::matrix(a).await,
        None if !a.survey.diff.is_empty() => survey::diff(a).await,
        None if a.survey.find_open => survey::find_open(a).await,
        None => one(a).await,
    }
}

/// One request: what becomes of it, perhaps judged.
async fn one(a: &Explain) -> Result<Said, Trouble> {
    let want = a.judge.expect.as_deref().map(Want::parse).transpose().map_err(|e| Trouble::usage(format!("--expect: {e}")))?;
    let (named, url) = operands(&a.operands, "").map_err(Trouble::usage)?;
    let ask = ask(&a.request, &url)?;
    let name = spoken(&named);
    let stands = stands(&a.source, &[(name.clone(), a.operands.len() == 2)])?;
    let (world, from) = open(a, &name, stands).await?;
    if let Some(want) = want {
        let expectation = Expectation { from, ask, want };
        return report(a, &world, vec![expect::Named { name: None, expectation }]);
    }
    let pod = from.find(world.model.snapshot()).map_err(Trouble::usage)?;
    let explanation = world.explain(&from, &ask).map_err(Trouble::usage)?;
    let unknown = explanation.exchanges.iter().any(|r| r.outcome == Outcome::NotModelled);
    let text = match a.json {
        true => pretty(&text::to_json(&world, &from, &ask, &pod, &explanation)),
        false => text::text(&world, &from, &ask, &pod, &explanation),
    };
    Ok(Said { text, code: if unknown { WARNINGS } else { GOOD } })
}

/// A file of expectations.
async fn expectations(a: &Explain) -> Result<Said, Trouble> {
    let path = a.judge.expect_file.clone().unwrap_or_default();
    if !a.operands.is_empty() {
        return Err(Trouble::usage("--expect-file names clients and URLs itself; leave the operands out"));
    }
    let name = path.display().to_string();
    let size = std::fs::metadata(&path).map_or(0, |m| m.len());
    if size > MAX_EXPECT_FILE {
        return Err(Trouble::usage(format!("{name} is larger than {} MiB", MAX_EXPECT_FILE >> 20)));
    }
    let source = std::fs::read_to_string(&path).map_err(|e| Trouble::usage(format!("{name}: {e}")))?;
    let namespace = a.source.namespace.clone().unwrap_or_else(|| "default".into());
    let all = expect::read(&name, &source, &namespace).map_err(|e| Trouble::usage(e.0))?;
    let clients: BTreeSet<String> = all.iter().map(|named| named.expectation.from.to_string()).collect();
    let clients: Vec<(String, bool)> =
        clients.into_iter().map(|name| (name.clone(), !name.ends_with(&format!("/{CLIENT}")))).collect();
    let first = clients.first().map_or(CLIENT, |(name, _)| name).to_string();
    let (world, _) = open(a, &first, stands(&a.source, &clients)?).await?;
    report(a, &world, all)
}

fn report(a: &Explain, world: &World, all: Vec<expect::Named>) -> Result<Said, Trouble> {
    let report = expect::judge(world, all.clone()).map_err(Trouble::usage)?;
    let code = report.exit_code();
    let mended = (a.judge.fix && code == FAILED).then(|| mend::mend(world, &all)).transpose().map_err(Trouble::usage)?;
    let text = match a.json {
        true => {
            let mut value = report.to_json(world);
            value["repairs"] = mended.map_or(serde_json::Value::Null, |m| m.to_json());
            pretty(&value)
        }
        false => {
            let fix = mended.map(|m| m.text()).unwrap_or_default();
            report.text() + &fix + &text::listed("assumed", &world.assumptions, usize::MAX) + &text::notes(world)
        }
    };
    debug_assert!([GOOD, FAILED, WARNINGS].contains(&code));
    Ok(Said { text, code })
}

pub(super) fn pretty(value: &serde_json::Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).unwrap_or_default())
}

/// The client as it was named: without a namespace it is that of the source.
fn spoken(client: &Client) -> String {
    if client.namespace.is_empty() { client.name.clone() } else { client.to_string() }
}

/// Opens the world that the flags name, `from` being the client as it was named.
pub(super) async fn open(a: &Explain, from: &str, clients: Vec<Stand>) -> Result<(World, Client), Trouble> {
    let flags = &a.source;
    let source = match flags.filename.is_empty() {
        true => Source::of_env(&flags.env, &flags.world).map_err(Trouble::usage)?,
        false => Source::Manifests(flags.filename.clone()),
    };
    source.open(from, &about(a, clients)?).await.map_err(trouble)
}

/// What is asked besides the source.
pub(super) fn about(a: &Explain, clients: Vec<Stand>) -> Result<About, Trouble> {
    let flags = &a.source;
    if flags.filename.is_empty() && a.survey.diff.is_empty() && (flags.assume.is_some() || flags.from_labels.is_some()) {
        return Err(Trouble::usage("--assume and --from-labels are for manifests (-f): a cluster is what it is"));
    }
    Ok(About { namespace: flags.namespace.clone(), suppose: suppose(flags, clients)? })
}

pub(super) fn trouble(trouble: source::Trouble) -> Trouble {
    match trouble {
        source::Trouble::Input(sentence) => Trouble::usage(sentence),
        source::Trouble::Environment(error) => Trouble::from(error),
    }
}

/// The pods that stand for clients which manifests lack. Each with whether somebody named it, so that it should be there.
fn stands(flags: &SourceArgs, clients: &[(String, bool)]) -> Result<Vec<Stand>, Trouble> {
    let given = flags.from_labels.as_deref().map(labels).transpose()?;
    let namespace = flags.namespace.as_deref().unwrap_or("default");
    let one = |(name, named): &(String, bool)| {
        let when = if given.is_some() || !named { When::Always } else { When::Uninhabited };
        Stand { client: Client::parse(name, namespace), labels: given.clone().unwrap_or_default(), when }
    };
    Ok(clients.iter().map(one).collect())
}

fn suppose(flags: &SourceArgs, clients: Vec<Stand>) -> Result<Suppose, Trouble> {
    if versions::find(&flags.istio).is_none() {
        return Err(Trouble::usage(format!("--istio is {}, not {}", versions::lines().join(" or "), flags.istio)));
    }
    Ok(Suppose {
        namespace: flags.namespace.clone().unwrap_or_default(),
        version: flags.istio.clone(),
        demo: flags.assume.as_deref().map(demo).transpose()?,
        clients,
    })
}

/// `demo`, `demo,REGISTRY_ONLY`: the outbound mode, "" for the profile's own.
fn demo(text: &str) -> Result<String, Trouble> {
    let modes = ["REGISTRY_ONLY", "ALLOW_ANY"];
    match text.split_once(',').unwrap_or((text, "")) {
        ("demo", mode) if mode.is_empty() || modes.contains(&mode) => Ok(mode.to_string()),
        _ => Err(Trouble::usage(format!("--assume is demo, demo,REGISTRY_ONLY or demo,ALLOW_ANY, not {text}"))),
    }
}

fn labels(text: &str) -> Result<BTreeMap<String, String>, Trouble> {
    let pair = |part: &str| {
        part.split_once('=').map(|(k, v)| (k.trim().to_string(), v.trim().to_string())).filter(|(k, _)| !k.is_empty())
    };
    let read = text
        .split(',')
        .map(|part| pair(part).ok_or_else(|| Trouble::usage(format!("--from-labels takes KEY=VALUE,.., not {text}"))));
    read.collect()
}

/// The request of the flags.
pub(super) fn ask(flags: &Request, url: &str) -> Result<Ask, Trouble> {
    let header = |text: &String| {
        let (name, value) = text.split_once(':').ok_or_else(|| Trouble::usage(format!("-H takes `Name: value`, not {text}")))?;
        Ok((name.trim().to_string(), value.trim().to_string()))
    };
    let headers: Result<Vec<_>, Trouble> = flags.header.iter().map(header).collect();
    let method = flags.method.clone().unwrap_or_else(|| if flags.head { "HEAD".into() } else { "GET".into() });
    let ask = Ask {
        method,
        headers: headers?,
        follow: flags.location,
        insecure: flags.insecure,
        http10: flags.http10,
        sni: flags.sni.clone(),
        resolve: flags.resolve.clone(),
        connect_to: flags.connect_to.clone(),
        ..Ask::get(url)
    };
    ask.request().map_err(Trouble::usage)?;
    Ok(ask)
}
