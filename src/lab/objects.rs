//! Objects through a client by kind, for kinds that are only known when the program runs.

use crate::lesson::model::ObjectRef;
use anyhow::Context;
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::Value;

/// Creates an object, or replaces what has its name.
///
/// # Errors
/// What the server says.
pub async fn replace(client: &Client, object: &Value) -> anyhow::Result<()> {
    let wanted = crate::k8s::Object(object.clone());
    let resource = resource(client, wanted.group(), wanted.kind()).await?;
    let api = scoped(client, &resource, wanted.namespace());
    let mut body: DynamicObject = serde_json::from_value(object.clone())?;
    match api.get_opt(wanted.name()).await? {
        None => drop(api.create(&Default::default(), &body).await?),
        Some(there) => {
            body.metadata.resource_version = there.metadata.resource_version;
            api.replace(wanted.name(), &Default::default(), &body).await?;
        }
    }
    Ok(())
}

/// The API of the named object's kind and namespace.
///
/// # Errors
/// The server does not know the kind.
pub async fn api_of(client: &Client, object: &ObjectRef) -> anyhow::Result<Api<DynamicObject>> {
    let resource = resource(client, &object.kind.group, &object.kind.kind).await?;
    Ok(scoped(client, &resource, &object.namespace))
}

/// The API of a resource in a namespace, "" for cluster-scoped ones.
pub fn scoped(client: &Client, resource: &ApiResource, namespace: &str) -> Api<DynamicObject> {
    match namespace {
        "" => Api::all_with(client.clone(), resource),
        namespace => Api::namespaced_with(client.clone(), namespace, resource),
    }
}

/// The server's resource for a kind, in its preferred version.
///
/// # Errors
/// The server does not know it.
pub async fn resource(client: &Client, group: &str, kind: &str) -> anyhow::Result<ApiResource> {
    let version = match group {
        "" => "v1".to_string(),
        group => {
            let found = kube::discovery::group(client, group).await.with_context(|| format!("looking for {kind}.{group}"))?;
            found.preferred_version_or_latest().to_string()
        }
    };
    let (resource, _) = kube::discovery::pinned_kind(client, &GroupVersionKind::gvk(group, &version, kind)).await?;
    Ok(resource)
}

/// How many nodes the cluster has: a first question to see that it answers.
///
/// # Errors
/// What the server says.
pub async fn node_count(client: &Client) -> anyhow::Result<usize> {
    // Untyped: reading a whole node as what it is takes 100 kB of program.
    let nodes = scoped(client, &ApiResource::erase::<k8s_openapi::api::core::v1::Node>(&()), "");
    Ok(nodes.list(&Default::default()).await?.items.len())
}
