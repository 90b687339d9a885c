//! Hosts that the ServiceEntries of a world name.

use serde_json::Value;

/// ServiceEntries that are looked at.
const MOST: usize = 500;
const PATH: &str = "/apis/networking.istio.io/v1/serviceentries";

/// Each host that an entry of any namespace names, without wildcards, and which entry that is. None where the cluster does not answer,
/// has no Istio, or does not let them be listed: a list to choose from is no place for that to be told.
pub async fn of_entries(client: &kube::Client) -> Vec<(String, String)> {
    let Ok(request) = http::Request::get(format!("{PATH}?limit={MOST}")).body(Vec::new()) else { return Vec::new() };
    let list: Value = client.request(request).await.unwrap_or_default();
    let entries = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().flat_map(hosts).collect()
}

fn hosts(entry: &Value) -> Vec<(String, String)> {
    let text = |field: &str| entry["metadata"][field].as_str().unwrap_or_default();
    let about = format!("ServiceEntry {}/{}", text("namespace"), text("name"));
    let all = entry["spec"]["hosts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named = all.iter().filter_map(Value::as_str).filter(|host| is_name(host));
    named.map(|host| (host.to_string(), about.clone())).collect()
}

/// A wildcard is no host that could be called.
fn is_name(host: &str) -> bool {
    !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
}
