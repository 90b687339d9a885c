//! The kinds that a server has.

use super::path::Place;
use serde_json::Value;

/// API groups that are looked at.
const MAX_GROUPS: usize = 300;

/// Every namespaced kind that can be listed, in its group's preferred version.
///
/// # Errors
/// What the server says; a group whose own server is down is passed over (its objects cannot be seen by anybody).
pub async fn namespaced(client: &kube::Client) -> anyhow::Result<Vec<Place>> {
    let mut kinds = of_version(client, "", "v1").await?;
    let groups = client.list_api_groups().await?.groups;
    for group in groups.into_iter().take(MAX_GROUPS) {
        let version = group.preferred_version.or_else(|| group.versions.into_iter().next());
        if let Some(version) = version {
            kinds.extend(of_version(client, &group.name, &version.version).await.unwrap_or_default());
        }
    }
    Ok(kinds)
}

async fn of_version(client: &kube::Client, group: &str, version: &str) -> anyhow::Result<Vec<Place>> {
    let path = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    let list: Value = client.request(http::Request::get(path).body(Vec::new())?).await?;
    let resources = list["resources"].as_array().cloned().unwrap_or_default();
    let listed = resources.iter().filter(|r| {
        let verbs = r["verbs"].as_array().is_some_and(|verbs| verbs.iter().any(|verb| verb == "list"));
        r["namespaced"] == true && verbs
    });
    let place = |r: &Value| Place::all(group, version, r["name"].as_str().unwrap_or_default());
    Ok(listed.map(place).filter(|kind| !kind.plural.contains('/')).collect())
}
