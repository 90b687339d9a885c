//! `explain --matrix`, `--diff` and `--find-open`: the whole mesh.

use super::{Said, about, ask, open, pretty, trouble};
use crate::cli::explain_args::Explain;
use crate::cli::{FAILED, GOOD, Trouble, WARNINGS};
use crate::lab::explain::source::Source;
use crate::lab::explain::world::World;
use crate::lab::explain::{CLIENT, diff as diff_text, matrix as table, openings};
use crate::mesh::compare::compare;
use crate::mesh::draft::{Stand, When};
use crate::mesh::open;
use crate::mesh::reach::Client;
use crate::mesh::survey::{Group, Probe, Survey};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A test pod where manifests have no workload at all.
fn alone(a: &Explain) -> Vec<Stand> {
    let namespace = a.source.namespace.as_deref().unwrap_or("default");
    vec![Stand { client: Client::parse(CLIENT, namespace), labels: BTreeMap::new(), when: When::Alone }]
}

/// The client that an operand names, if one does.
fn only(a: &Explain) -> Result<Option<Client>, Trouble> {
    let namespace = a.source.namespace.as_deref().unwrap_or("default");
    match a.operands.as_slice() {
        [] => Ok(None),
        [from] if !from.contains("://") => Ok(Some(Client::parse(from, namespace))),
        _ => Err(Trouble::usage("a survey takes at most FROM, and no URL: it tries every registered host")),
    }
}

fn is_wanted(group: &Group, wanted: &Option<Client>) -> bool {
    wanted.as_ref().is_none_or(|c| group.client == *c || group.name == c.to_string())
}

/// `--matrix`.
pub(super) async fn matrix(a: &Explain) -> Result<Said, Trouble> {
    let wanted = only(a)?;
    let (world, _) = open(a, CLIENT, alone(a)).await?;
    let mut survey = Survey::of(&world.model, &world.inputs(), a.survey.outside);
    let keep: Vec<bool> = survey.groups.iter().map(|g| is_wanted(g, &wanted)).collect();
    if let Some(client) = wanted.filter(|_| !keep.contains(&true)) {
        let names: Vec<&str> = survey.groups.iter().map(|g| g.name.as_str()).take(8).collect();
        return Err(Trouble::usage(format!("there is no workload {client}; there is {}", names.join(", "))));
    }
    let mut kept = keep.iter();
    survey.groups.retain(|_| kept.next() == Some(&true));
    for cells in &mut survey.cells {
        let mut kept = keep.iter();
        cells.retain(|_| kept.next() == Some(&true));
    }
    let text = match a.json {
        true => pretty(&table::to_json(&world, &survey)),
        false => {
            table::text(&world, &survey)
                + &super::text::listed("assumed", &world.assumptions, usize::MAX)
                + &super::text::notes(&world)
        }
    };
    Ok(Said { text, code: if table::is_uncertain(&survey) { WARNINGS } else { GOOD } })
}

/// `--find-open`.
pub(super) async fn find_open(a: &Explain) -> Result<Said, Trouble> {
    let wanted = only(a)?;
    let (world, _) = open(a, CLIENT, alone(a)).await?;
    let found = open::find_open(&world.model, &world.inputs(), wanted.as_ref());
    if let Some(client) = wanted.filter(|_| found.clients == 0) {
        return Err(Trouble::usage(format!("there is no workload {client}; `--matrix` lists them")));
    }
    let text = if a.json { pretty(&openings::to_json(&world, &found)) } else { openings::text(&world, &found) };
    let code = match (a.survey.exit_code && !found.witnesses.is_empty(), found.unknown.is_empty()) {
        (true, _) => FAILED,
        (false, false) => WARNINGS,
        (false, true) => GOOD,
    };
    Ok(Said { text, code })
}

/// `--diff`.
pub(super) async fn diff(a: &Explain) -> Result<Said, Trouble> {
    let (old, new, rest) = sides(a)?;
    let about = about(a, alone(a))?;
    let (old, _) = old.open(CLIENT, &about).await.map_err(trouble)?;
    let (new, _) = new.open(CLIENT, &about).await.map_err(trouble)?;
    let more = rest.iter().map(|url| Ok(Probe { ask: ask(&a.request, url)?, object: String::new(), pattern: None }));
    let more: Vec<Probe> = more.collect::<Result<_, Trouble>>()?;
    let found = compare(side(&old, &old.inputs()), side(&new, &new.inputs()), &more);
    let text = if a.json { pretty(&diff_text::to_json(&old, &new, &found)) } else { diff_text::text(&old, &new, &found) };
    let code = match (a.survey.exit_code && found.changes_reach(), found.unknown) {
        (true, _) => FAILED,
        (false, true) => WARNINGS,
        (false, false) => GOOD,
    };
    Ok(Said { text, code })
}

fn side<'a>(world: &'a World, inputs: &'a crate::mesh::Inputs<'a>) -> crate::mesh::compare::Side<'a> {
    (&world.model, inputs)
}

/// The two worlds, and what else was named: URLs to try besides.
fn sides(a: &Explain) -> Result<(Source, Source, Vec<String>), Trouble> {
    let (mut names, mut urls): (Vec<String>, Vec<String>) = a.survey.diff.iter().cloned().partition(|word| !word.contains("://"));
    urls.extend(a.operands.iter().cloned());
    if let [one] = names.as_slice()
        && let Some((from, to)) = one.strip_prefix("rev:").and_then(|r| r.split_once(".."))
    {
        names =
            vec![format!("rev:{from}"), if to == "head" { to.into() } else { format!("rev:{}", to.trim_start_matches("rev:")) }];
    }
    let source = |name: &str| revision(name, &a.source.world);
    match names.as_slice() {
        [old, new] if a.source.filename.is_empty() => Ok((source(old)?, source(new)?, urls)),
        [old] if !a.source.filename.is_empty() => Ok((source(old)?, Source::Manifests(a.source.filename.clone()), urls)),
        [old] if old.starts_with("rev:") => Ok((source(old)?, source("head")?, urls)),
        _ => {
            Err(Trouble::usage("--diff takes OLD and NEW: two folders or files, or two revisions (rev:12 rev:15, rev:12..head)"))
        }
    }
}

/// `rev:N`, `head`, or a path.
fn revision(name: &str, world: &str) -> Result<Source, Trouble> {
    let at = |revision| Source::Sandbox { world: world.to_string(), revision };
    match name.strip_prefix("rev:") {
        Some("head") => Ok(at(None)),
        Some(number) => {
            number.parse().map(|n| at(Some(n))).map_err(|_| Trouble::usage(format!("{name}: a revision is a number, rev:12")))
        }
        None if name == "head" => Ok(at(None)),
        None => Ok(Source::Manifests(vec![PathBuf::from(name)])),
    }
}
