//! What differs between the Istio releases that this program imitates: one table, `assets/istio/versions.json`.

use crate::k8s::Snapshot;
use crate::mesh::Options;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("../../assets/istio/versions.json")));

/// One Istio release line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// `1.30`; the key of the table.
    #[serde(skip)]
    pub line: String,
    /// The image tag, which is also what `istioctl version` prints: `1.30.0`.
    pub tag: String,
    /// The Envoy line that this release's proxies are built from: `1.38`.
    pub envoy: String,
    /// The default image registry path, without the image's name.
    pub hub: String,
    /// Default of istiod's ENABLE_NATIVE_SIDECARS: `true`, `false` or `auto` (every kubelet at least 1.33).
    pub native_sidecars: String,
    /// What this release's CRDs do not have yet.
    pub absent: Vec<Absent>,
    /// Kinds that this release does not have yet.
    pub absent_kinds: Vec<String>,
    /// The version in which CRDs store their objects, where they have it.
    pub stored_version: String,
    /// The values that `meshConfig.outboundTrafficPolicy.mode` may have.
    pub outbound_modes: Vec<String>,
    /// Volumes of the sidecar that this release does not have yet.
    pub absent_volumes: Vec<String>,
    /// What a trace shows of the release.
    pub facts: Facts,
    /// Which table `istioctl proxy-status` prints: `types` (one column per type) or `subscribed`.
    pub proxy_status_columns: String,
}

/// What differs between releases, as far as a trace shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Local replies leave out `, transport failure reason: ..` (Envoy since `hide_transport_failure_reason_in_response_body`).
    pub hides_transport_failure: bool,
    /// HTTP lines print `URX,UF` rather than `UF,URX`.
    pub retry_flag_first: bool,
    /// Gateways make a new request id at the edge.
    pub gateway_renews_request_id: bool,
    /// Mirrored requests carry `-shadow` after the host (before DISABLE_SHADOW_HOST_SUFFIX became the default).
    pub mirror_host_suffix: bool,
}

impl Default for Facts {
    fn default() -> Facts {
        default_release().facts.clone()
    }
}

/// Enum values or fields to take out of a CRD's schema.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Absent {
    pub kind: String,
    /// Path of fields, `[]` for the members of a list, `{}` for the values of a map: `spec.servers[].tls`.
    pub path: String,
    #[serde(default, rename = "enum")]
    pub values: Vec<String>,
    #[serde(default)]
    pub fields: Vec<String>,
    /// Keywords of the schema that say something else in this release.
    #[serde(default)]
    pub keywords: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Table {
    default: String,
    releases: BTreeMap<String, Release>,
}

impl Table {
    fn read(text: &str) -> Table {
        let mut table: Table = serde_json::from_str(text).expect("the embedded table is checked by a test");
        table.releases.iter_mut().for_each(|(line, release)| release.line.clone_from(line));
        table
    }
}

/// The release lines, oldest first.
pub fn lines() -> Vec<String> {
    TABLE.releases.keys().cloned().collect()
}

/// The release that is used when nobody chose one.
pub fn default_release() -> &'static Release {
    &TABLE.releases[&TABLE.default]
}

/// The release of a line or full version (`1.26`, `1.26.8`, "" for the default); `None` when it is not imitated.
pub fn find(version: &str) -> Option<&'static Release> {
    let wanted = if version.is_empty() { TABLE.default.as_str() } else { version };
    let is = |line: &str| wanted == line || wanted.strip_prefix(line).is_some_and(|rest| rest.starts_with('.'));
    TABLE.releases.values().find(|release| is(&release.line))
}

/// The tag of the image of the istiod that the objects hold, "" when there is none.
pub fn installed_tag<'s>(snapshot: &'s Snapshot, options: &Options) -> &'s str {
    let istiod = snapshot.find("apps", "Deployment", &options.root_namespace, &options.of_revision("istiod"));
    let image = istiod.and_then(|d| d.0.pointer("/spec/template/spec/containers/0/image")?.as_str());
    image.and_then(|image| Some(image.rsplit('/').next()?.rsplit_once(':')?.1)).unwrap_or("")
}

/// The release of the istiod that the objects hold; `None` without one, or when it is not imitated.
pub fn installed(snapshot: &Snapshot, options: &Options) -> Option<&'static Release> {
    Some(installed_tag(snapshot, options)).filter(|tag| !tag.is_empty()).and_then(find)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_reads_and_its_default_is_in_it() {
        assert_eq!(default_release().line, "1.30");
        assert_eq!(lines(), ["1.26", "1.30"]);
    }

    #[test]
    fn a_release_is_found_by_line_and_by_full_version() {
        assert_eq!(find("1.26").map(|r| r.line.as_str()), Some("1.26"));
        assert_eq!(find("1.26.3").map(|r| r.line.as_str()), Some("1.26"));
        assert_eq!(find("").map(|r| r.line.as_str()), Some("1.30"));
        assert_eq!(find("1.2"), None);
        assert_eq!(find("1.300"), None);
    }

    #[test]
    fn the_installed_release_is_that_of_istiods_image() {
        let with = |image: &str| -> Snapshot {
            let istiod = serde_json::json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "istiod", "namespace": "istio-system"},
                "spec": {"template": {"spec": {"containers": [{"name": "discovery", "image": image}]}}}});
            std::iter::once(crate::k8s::Object(istiod)).collect()
        };
        let line = |image: &str| installed(&with(image), &Options::default()).map(|r| r.line.as_str());
        assert_eq!(line("docker.io/istio/pilot:1.26.8"), Some("1.26"));
        assert_eq!(line("my.registry:5000/pilot:1.30.2-distroless"), Some("1.30"));
        assert_eq!(line("my.registry:5000/pilot"), None);
        assert_eq!(line("docker.io/istio/pilot:1.18.0"), None);
        assert!(!Options::of_objects(&with("docker.io/istio/pilot:1.26.8")).facts.hides_transport_failure);
        assert_eq!(Options::of_objects(&Snapshot::default()), Options::default());
    }
}
