//! `kind down`: removes what the journal says was made, and nothing else. What carries the name of something of ours and is not it stays.

use super::journal::{Phase, Thing};
use super::merged;
use super::outside::{remove_container, remove_image};
use super::pins::{CLUSTER, NODE};
use super::site::{Site, Trouble, says_no_such, words};
use super::up::{delete, forget, own_kubeconfig, the_cluster};
use crate::lab::tools::Failure;

/// What became of what was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    pub removed: Vec<String>,
    /// What stays and why.
    pub left: Vec<(String, String)>,
    /// Images that were pulled or loaded, kept for the next time.
    pub images: Vec<String>,
}

/// Files that `kind up` writes into its folder beside the journal and the lock.
const FILES: &[&str] = &[
    "cluster.yaml",
    "kubeconfig",
    "kubeconfig.lock",
    "kubeconfig.internal",
    merged::BEFORE,
    merged::AFTER,
    "istio.yaml",
    "images.tar",
    "build",
    "ca",
    "ca.new",
];
const PHASES: &[Phase] = &[Phase::Archive, Phase::Cluster, Phase::Images, Phase::Origins, Phase::Dns, Phase::Istio, Phase::Merge];

/// Removes what was made; images that were pulled or loaded only if told to.
///
/// # Errors
/// [`Trouble`]; what was removed until then is noted, and a second call goes on.
pub async fn down(site: &mut Site<'_>, with_images: bool) -> Result<Removed, Trouble> {
    let mut said = Removed::default();
    // The context first: kind forgets which cluster it was about with the cluster.
    let mut things = site.journal.things();
    things.sort_by_key(|thing| !matches!(thing, Thing::Context(_)));
    for thing in things {
        if let Thing::Image(tag) = &thing
            && !with_images
            && !is_built(tag)
        {
            said.images.push(tag.clone());
            continue;
        }
        match remove(site, &thing).await? {
            None => said.removed.push(thing.to_string()),
            Some(why) => said.left.push((thing.to_string(), why)),
        }
        site.noted(|journal| journal.gone(&thing))?;
    }
    forget(site, PHASES)?;
    FILES.iter().try_for_each(|name| site.clear(name))?;
    if site.journal.is_empty() {
        site.clear("journal.jsonl")?;
    }
    Ok(said)
}

/// Whether an image was built here, and so is nobody else's.
fn is_built(tag: &str) -> bool {
    tag.starts_with("localhost/egress-lab/")
}

/// Removes one thing; why it stays otherwise.
async fn remove(site: &mut Site<'_>, thing: &Thing) -> Result<Option<String>, Trouble> {
    match thing {
        Thing::Container(name) => container(site, thing, name).await,
        Thing::Cluster(_) => cluster(site).await,
        Thing::Image(tag) => image(site, tag).await,
        Thing::Context(name) => {
            let kind = site.engine.kind(words(&["delete", "cluster", "--name", CLUSTER]));
            // Deleting is what takes kind's context out of a kubeconfig; the cluster must be the lab's for that.
            match cluster_is_ours(site).await? {
                true => {
                    let untouched = merged::is_untouched(site);
                    site.work(own_kubeconfig(kind)).await?;
                    merged::give_back(site, untouched).map(|()| None)
                }
                false => Ok(Some(format!("take it out yourself: kubectl config delete-context {name}"))),
            }
        }
    }
}

async fn container(site: &mut Site<'_>, thing: &Thing, name: &str) -> Result<Option<String>, Trouble> {
    let Some(there) = site.container(name).await? else { return Ok(None) };
    let same = site.journal.id(thing).is_none_or(|id| id == there.id);
    if !there.is_ours || !same {
        return Ok(Some("is another one than was made".into()));
    }
    site.engine(remove_container(name)).await.map(|_| None)
}

/// Whether the node that is there is the one that was made; without a node there is nothing that is somebody else's.
async fn cluster_is_ours(site: &Site<'_>) -> Result<bool, Trouble> {
    let (node, id) = (site.container(NODE).await?, site.journal.id(&the_cluster()));
    Ok(node.is_none_or(|node| id.is_none_or(|id| id == node.id)))
}

async fn cluster(site: &mut Site<'_>) -> Result<Option<String>, Trouble> {
    match cluster_is_ours(site).await? {
        true => delete(site).await.map(|()| None),
        false => Ok(Some("is another one than was made".into())),
    }
}

async fn image(site: &mut Site<'_>, tag: &str) -> Result<Option<String>, Trouble> {
    match site.engine(remove_image(tag)).await {
        Ok(_) => Ok(None),
        Err(Trouble::Tool(Failure::Ended { stderr, .. })) if says_no_such(&stderr) || says_unknown(&stderr) => Ok(None),
        Err(Trouble::Tool(Failure::Ended { stderr, .. })) => Ok(Some(stderr.last().cloned().unwrap_or_default())),
        Err(trouble) => Err(trouble),
    }
}

/// podman's word for an image that is not there.
fn says_unknown(stderr: &[String]) -> bool {
    stderr.iter().any(|line| line.contains("image not known"))
}
