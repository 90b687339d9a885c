//! The images: built, pulled before they are needed, saved into an archive, loaded into the node.

use super::binary::Binary;
use super::journal::Thing;
use super::outside::{
    BuildContext, CURL_WITH_CA, ORIGIN_IMAGE, curl_image, load_images, name_curl_image, origin_image, save_images,
};
use super::pins::CURL_IMAGE;
use super::preflight::{Istioctl, Preflight, Wishes, short};
use super::site::{Site, Trouble, words};
use crate::check::controls::ECHO_IMAGE;
use crate::lab::tools::Line;
use crate::mesh::versions;
use std::path::{Path, PathBuf};

/// The programs that images are built of.
#[derive(Debug, Clone)]
pub struct Programs {
    /// This program, which makes the CA.
    pub own: PathBuf,
    /// The program in the origins' image; `None`: there are no origins.
    pub origin: Option<(PathBuf, Binary)>,
}

impl Programs {
    /// Those of a run, as far as they were found.
    pub fn of(wishes: &Wishes, look: &Preflight) -> Programs {
        Programs { own: wishes.own.clone(), origin: look.binary.map(|binary| (wishes.program.clone(), binary)) }
    }
}

/// The node image's name in an archive: a name of our own, since a saved image loses its digest.
pub fn node_in_archive(node: &str) -> String {
    let tag = short(node).rsplit(':').next().unwrap_or("latest");
    format!("localhost/egress-lab/node:{tag}")
}

/// Istio's images, which the node is given when the engine has them.
pub fn istio() -> Vec<String> {
    let release = versions::default_release();
    ["pilot", "proxyv2"].iter().map(|name| format!("{}/{name}:{}", release.hub, release.tag)).collect()
}

/// What the node is given when the engine has it: Istio's images, and that of the checks' own server, without which a lesson does not
/// begin.
pub fn for_node() -> Vec<String> {
    istio().into_iter().chain([format!("docker.io/{ECHO_IMAGE}")]).collect()
}

/// The image that stands in for an istioctl that is missing.
pub fn istioctl() -> String {
    let release = versions::default_release();
    format!("{}/istioctl:{}", release.hub, release.tag)
}

/// Everything that an archive holds.
pub fn archived(node: &str) -> Vec<String> {
    let own = [node_in_archive(node), CURL_WITH_CA.into(), ORIGIN_IMAGE.into(), istioctl()];
    own.into_iter().chain(for_node()).collect()
}

/// Builds the curl image and the origins' image, making the CA first.
pub async fn build(site: &mut Site<'_>, programs: &Programs) -> Result<(), Trouble> {
    let Some((program, binary)) = &programs.origin else { return Ok(()) };
    certificates(site, &programs.own).await?;
    let ca = site.folder.join("ca");
    let path = ca.join("ca.crt");
    let pem = std::fs::read_to_string(&path).map_err(|source| Trouble::File { path: path.display().to_string(), source })?;
    site.pull(&format!("docker.io/{CURL_IMAGE}")).await?;
    build_one(site, &curl_image(&pem)).await?;
    if binary.base_image() != "scratch" {
        site.pull(&format!("docker.io/library/{}", binary.base_image())).await?;
    }
    build_one(site, &origin_image(program, *binary, &ca)).await
}

/// The lab's CA, made once for a state folder: whole or not at all.
async fn certificates(site: &mut Site<'_>, own: &Path) -> Result<(), Trouble> {
    if site.folder.join("ca").join("ca.crt").exists() {
        return Ok(());
    }
    site.clear("ca.new")?;
    let out = site.path("ca.new");
    site.run(Line::new(&own.display().to_string(), &["origin", "ca", "--out", &out])).await?;
    let ca = site.folder.join("ca");
    std::fs::rename(site.folder.join("ca.new"), ca).map_err(|source| Trouble::File { path: out, source })
}

/// Builds from a folder that is removed afterwards: it holds keys.
async fn build_one(site: &mut Site<'_>, context: &BuildContext) -> Result<(), Trouble> {
    site.clear("build")?;
    let folder = site.folder.join("build");
    let path = || folder.display().to_string();
    context.lay(&folder).map_err(|source| Trouble::File { path: path(), source })?;
    let thing = Thing::Image(context.tag.into());
    site.noted(|journal| journal.making(&thing))?;
    let built = site.engine(context.build(&folder)).await;
    site.clear("build")?;
    built?;
    site.noted(|journal| journal.made(&thing, ""))
}

/// Loads the lab's curl image, and what the engine has of the lessons' other images, into the node.
pub async fn into_node(site: &mut Site<'_>, internet: bool) -> Result<(), Trouble> {
    let mut images: Vec<String> = Vec::new();
    for image in for_node() {
        if site.has_image(&image).await? {
            images.push(image);
        }
    }
    if !internet {
        images.push(CURL_WITH_CA.into());
    }
    if images.is_empty() {
        return Ok(());
    }
    site.clear("images.tar")?;
    let file = site.folder.join("images.tar");
    let names: Vec<&str> = images.iter().map(String::as_str).collect();
    let saved = site.engine(save_images(&names, &file)).await;
    let loaded = match saved {
        Ok(_) => {
            let line = site.engine.kind(load_images(&file));
            site.work(line).await
        }
        Err(trouble) => Err(trouble),
    };
    site.clear("images.tar")?;
    loaded?;
    if !internet {
        site.engine(name_curl_image()).await?;
        site.note(&format!(
            "In this cluster, and nowhere else, {CURL_IMAGE} is that image with the lab's CA added, so that the lesson's commands \
             work as they are typed."
        ));
    }
    Ok(())
}

/// Loads an archive into the engine and notes which of its images were not there.
pub async fn from_archive(site: &mut Site<'_>, file: &Path, node: &str) -> Result<(), Trouble> {
    let mut new = Vec::new();
    for image in archived(node) {
        if !site.has_image(&image).await? {
            new.push(Thing::Image(image));
        }
    }
    new.iter().try_for_each(|thing| site.noted(|journal| journal.making(thing)))?;
    site.engine(words(&["load", "--input", &file.display().to_string()])).await?;
    for image in archived(node) {
        if !site.has_image(&image).await? {
            return Err(Trouble::Unexpected(format!(
                "{} has no image {image}: it was made by another version of this program, or on another processor. Make it again: \
                 egress-lab kind prepull --archive FILE",
                file.display()
            )));
        }
    }
    new.iter().try_for_each(|thing| site.noted(|journal| journal.made(thing, "")))
}

/// `kind prepull`: everything that needs a network, ahead of time; with a file also saved into it.
///
/// # Errors
/// [`Trouble`]; what was pulled until then stays and is noted.
pub async fn prepull(
    site: &mut Site<'_>,
    programs: &Programs,
    (node, tool): (&str, &Istioctl),
    archive: Option<&Path>,
) -> Result<(), Trouble> {
    site.pull(node).await?;
    for image in for_node() {
        site.pull(&image).await?;
    }
    if archive.is_some() || matches!(tool, Istioctl::Image(_)) {
        site.pull(&istioctl()).await?;
    }
    build(site, programs).await?;
    let Some(file) = archive else { return Ok(()) };
    let (thing, named) = (Thing::Image(node_in_archive(node)), node_in_archive(node));
    site.noted(|journal| journal.making(&thing))?;
    site.engine(words(&["tag", &by_digest(node), &named])).await?;
    site.noted(|journal| journal.made(&thing, ""))?;
    let half = file.with_extension("half");
    let images = archived(node);
    let names: Vec<&str> = images.iter().map(String::as_str).collect();
    let saved = site.engine(save_images(&names, &half)).await;
    if let Err(trouble) = saved {
        let _ = std::fs::remove_file(&half);
        return Err(trouble);
    }
    std::fs::rename(&half, file).map_err(|source| Trouble::File { path: file.display().to_string(), source })
}

/// `kindest/node:v1@sha256:abc` without the tag, which is how an image that was pulled by its digest is found.
fn by_digest(image: &str) -> String {
    match image.split_once('@') {
        Some((named, digest)) => {
            format!("{}@{digest}", named.rsplit_once(':').map_or(named, |(name, _)| name))
        }
        None => image.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::kind::pins::NODE_IMAGE;

    #[test]
    fn an_image_is_named_without_digest_or_without_tag() {
        assert_eq!(by_digest("kindest/node:v1.36.4@sha256:0a"), "kindest/node@sha256:0a");
        assert_eq!(by_digest("host:5000/a:1"), "host:5000/a:1");
        assert_eq!(node_in_archive("kindest/node:v1.36.4@sha256:0a"), "localhost/egress-lab/node:v1.36.4");
        assert_eq!(archived(NODE_IMAGE).len(), 7);
    }
}
