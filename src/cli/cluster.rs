//! Lessons on a cluster from the command line: which one, what is said and asked before the first write, and cleaning up.

use super::cluster_args::{Rules, Where};
use super::{Trouble, print};
use crate::base::paths::Paths;
use crate::lab::env::cluster::sweep::Swept;
use crate::lab::env::cluster::{Cluster, Options};

/// The cluster that `--env` names; `None` is the sandbox.
pub(super) fn named(env: &str) -> Result<Option<&str>, Trouble> {
    match env.strip_prefix("context:") {
        Some(name) if !name.is_empty() => Ok(Some(name)),
        None if env == "sandbox" => Ok(None),
        _ => Err(Trouble::usage(format!("--env is sandbox or context:NAME, not {env}"))),
    }
}

/// Opens the cluster that the flags name.
pub(super) async fn open(at: &Where) -> Result<Option<Cluster>, Trouble> {
    let Some(context) = named(&at.env)? else { return Ok(None) };
    let cluster = Cluster::open(&Paths::from_environment(), context, options(&at.rules)).await.map_err(Trouble::from)?;
    cluster.notes().iter().for_each(|note| eprintln!("egress-lab: {note}"));
    Ok(Some(cluster))
}

fn options(rules: &Rules) -> Options {
    Options { within: rules.within, allow_mesh_config: rules.allow_mesh_config }
}

/// What a cleanup did, for people.
pub(super) fn told(swept: &Swept) -> String {
    let mut text = String::new();
    let number = |n: usize| crate::base::text::count(n, "object");
    text.push_str(&format!("removed {}, put back {}\n", number(swept.removed.len()), number(swept.put_back.len())));
    swept.left.iter().for_each(|(what, why)| text.push_str(&format!("left: {what} {why}\n")));
    text
}

/// Cleans up after a run and says so on standard error, or on standard output where people read.
pub(super) async fn clean(cluster: &Cluster, quiet: bool) -> Result<Swept, Trouble> {
    let swept = cluster.cleanup().await.map_err(Trouble::from)?;
    match quiet {
        true => eprint!("{}", told(&swept)),
        false => print(&told(&swept)),
    }
    Ok(swept)
}
