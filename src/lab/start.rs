//! The start of a lesson: its namespaces, objects and starter files.

use crate::base::files::Files;
use crate::lab::objects::{replace, scoped};
use crate::lesson::model::Lesson;
use anyhow::Context;
use serde_json::json;

/// Brings an environment to a lesson's start. What is there already is left as it is: a lesson that goes on is not set back.
///
/// # Errors
/// What the server or the folder says.
pub async fn prepare(client: &kube::Client, lesson: &Lesson, files: &dyn Files) -> anyhow::Result<()> {
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
