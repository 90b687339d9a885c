//! The start of a lesson: the Istio that it begins with, its namespaces, objects and starter files.

use crate::base::files::{Files, MemoryFiles};
use crate::lab::actions::{self, OnError};
use crate::lab::env::Environment;
use crate::lab::env::cluster::facts::facts;
use crate::lab::objects::{replace, scoped};
use crate::lab::prompt::Prompt;
use crate::lesson::model::{Action, Lesson};
use anyhow::{Context, bail};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Brings an environment to a lesson's start. What is there already is left as it is: a lesson that goes on is not set back.
///
/// # Errors
/// What the server or the folder says; a cluster without the Istio that the lesson begins with.
pub async fn prepare(env: &Arc<dyn Environment>, lesson: &Lesson, files: &dyn Files) -> anyhow::Result<()> {
    with_istio(env, lesson).await?;
    furnish(&env.client(), lesson, files).await
}

/// The same where its Istio has been seen to.
///
/// # Errors
/// What the server or the folder says.
pub async fn furnish(client: &kube::Client, lesson: &Lesson, files: &dyn Files) -> anyhow::Result<()> {
    for namespace in &lesson.world.namespaces {
        let object = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": namespace.name, "labels": namespace.labels}});
        if !exists(client, &namespace.name).await? {
            replace(client, &object).await.with_context(|| format!("making namespace {}", namespace.name))?;
        }
    }
    for object in &lesson.world.objects {
        replace(client, object).await.context("making the lesson's start")?;
    }
    starter_files(lesson, files)
}

/// Sees to the Istio that a lesson begins with: in a world of the lab's own it is installed unless it is there in the same mode, on a
/// cluster it has to be there.
///
/// # Errors
/// It is not there, or in another mode; what the server says.
pub async fn with_istio(env: &Arc<dyn Environment>, lesson: &Lesson) -> anyhow::Result<()> {
    let Some(wanted) = &lesson.world.istio else { return Ok(()) };
    let there = facts(&env.client()).await.context("looking for Istio")?;
    let Some(why) = there.lacks(wanted, &env.name()) else { return Ok(()) };
    if !env.is_the_labs_own() {
        bail!(why);
    }
    let prompt = Prompt::new(env.clone(), Arc::new(MemoryFiles::default()), None);
    let (quiet, _) = mpsc::channel(1);
    actions::apply(&prompt, &[Action::InstallIstio(wanted.clone())], OnError::Stop, &quiet).await.map(drop)
}

/// Writes the starter files that are not there yet.
///
/// # Errors
/// What the folder says.
pub fn starter_files(lesson: &Lesson, files: &dyn Files) -> anyhow::Result<()> {
    for file in &lesson.files {
        if files.read(&file.name).is_err() {
            files.write(&file.name, file.content.as_bytes()).with_context(|| format!("writing {}", file.name))?;
        }
    }
    Ok(())
}

async fn exists(client: &kube::Client, namespace: &str) -> anyhow::Result<bool> {
    let resource = kube::core::ApiResource::erase::<k8s_openapi::api::core::v1::Namespace>(&());
    let api = scoped(client, &resource, "");
    Ok(api.get_opt(namespace).await?.is_some())
}
