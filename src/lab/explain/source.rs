//! Where a world comes from: manifests, the sandbox's saved world, a context of a kubeconfig.

use super::folder;
use super::world::World;
use crate::base::clock::{Clock, SystemClock};
use crate::base::paths::Paths;
use crate::lab::kind::pins::CONTEXT;
use crate::lab::{target, visit};
use crate::mesh::draft::Suppose;
use crate::mesh::reach::Client;
use std::path::PathBuf;

/// What to ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Files, folders, `-`.
    Manifests(Vec<PathBuf>),
    /// The lab's saved world of this name; a revision of it, or the newest.
    Sandbox { world: String, revision: Option<u64> },
    /// A context of the user's kubeconfigs.
    Context(String),
}

/// What is asked besides the source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// The namespace of `-n`.
    pub namespace: Option<String>,
    pub suppose: Suppose,
}

/// Why there is no world.
#[derive(Debug)]
pub enum Trouble {
    /// The input is wrong: a sentence, perhaps with a place.
    Input(String),
    /// The environment is not there.
    Environment(anyhow::Error),
}

impl Source {
    /// Reads `--env`.
    ///
    /// # Errors
    /// A sentence that says what there is.
    pub fn of_env(env: &str, world: &str) -> Result<Source, String> {
        match env.strip_prefix("context:") {
            Some(name) if !name.is_empty() => Ok(Source::Context(name.into())),
            None if env == "sandbox" => Ok(Source::Sandbox { world: world.into(), revision: None }),
            None if env == "kind" => Ok(Source::Context(CONTEXT.into())),
            _ => Err(format!("--env is sandbox, kind or context:NAME, not {env}")),
        }
    }

    /// Opens it; `from` is the client as it was named, and the world comes with it in full.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub async fn open(&self, from: &str, about: &About) -> Result<(World, Client), Trouble> {
        match self {
            Source::Manifests(paths) => manifests(paths, from, about),
            Source::Sandbox { world, revision } => sandbox(world, *revision, from, about).await.map_err(Trouble::Environment),
            Source::Context(name) => context(name, from, about).await.map_err(Trouble::Environment),
        }
    }
}

fn manifests(paths: &[PathBuf], from: &str, about: &About) -> Result<(World, Client), Trouble> {
    let written = folder::read(paths, &mut std::io::stdin()).map_err(|e| Trouble::Input(e.0))?;
    let names: Vec<String> =
        paths.iter().map(|p| if p.as_os_str() == "-" { "standard input".into() } else { p.display().to_string() }).collect();
    let client = Client::parse(from, about.namespace.as_deref().unwrap_or("default"));
    let world = World::of_manifests(&format!("manifests of {}", names.join(", ")), written, &about.suppose, SystemClock.now());
    Ok((world.map_err(Trouble::Input)?, client))
}

async fn sandbox(world: &str, revision: Option<u64>, from: &str, about: &About) -> anyhow::Result<(World, Client)> {
    let env = visit::open(&Paths::from_environment(), world).await?;
    let client = Client::parse(from, about.namespace.as_deref().unwrap_or("default"));
    let at = env.look(revision).await?;
    let name = match at.revision {
        Some(revision) => format!("sandbox {world}, revision {revision}"),
        None => format!("sandbox {world}"),
    };
    let now = env.now().await;
    let world = World::of_client(&name, &at.client, &client, true, (&about.suppose.version, now)).await?;
    Ok((world, client))
}

async fn context(name: &str, from: &str, about: &About) -> anyhow::Result<(World, Client)> {
    let target = target::named_context(name).await?;
    let own = target.config.namespace();
    let client = Client::parse(from, about.namespace.as_deref().unwrap_or(&own));
    let sandbox = target::is_sandbox(&target.client).await;
    let about = (about.suppose.version.as_str(), SystemClock.now());
    let world = World::of_client(&format!("context {name}"), &target.client, &client, sandbox, about).await?;
    Ok((world, client))
}
