//! What goes at a place of a manifest: the fields of its kind, and the names of the world that they want.

use super::Manifests;
use crate::k8s::shape::Shape;
use crate::kubectl::trial;
use crate::lab::explain::cluster;
use crate::session::desk::manifest::Names;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Names of one sort that are offered.
const MOST: usize = 500;

impl Manifests<'_> {
    /// The fields of a kind.
    pub async fn shape(&self, api_version: &str, kind: &str) -> anyhow::Result<Box<Shape>> {
        let shape = trial::shape(&self.prompt.kubectl, &self.prompt.files, api_version, kind).await;
        shape.map(Box::new).map_err(anyhow::Error::msg)
    }

    /// Names that fields want: of namespaces, hosts, gateways, services, subsets.
    pub async fn names(&self) -> anyhow::Result<Names> {
        let namespace = self.namespace();
        let seen = cluster::read(&self.prompt.kubectl.client, &namespace).await?;
        let mut of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut add = |sort: &str, name: String| {
            let names = of.entry(sort.to_string()).or_default();
            if !name.is_empty() && names.len() < MOST {
                names.insert(name);
            }
        };
        for object in seen.snapshot.all() {
            let (name, own) = (object.name(), object.namespace());
            match (object.group(), object.kind()) {
                ("", "Namespace") => add("namespaces", name.into()),
                ("", "Service") => add("hosts", format!("{name}.{own}.svc.cluster.local")),
                ("networking.istio.io", "ServiceEntry") => {
                    texts(object.at(&["spec", "hosts"])).for_each(|host| add("hosts", host));
                }
                ("networking.istio.io", "Gateway") => {
                    add("gateways", if own == namespace { name.into() } else { format!("{own}/{name}") });
                }
                ("networking.istio.io", "DestinationRule") => {
                    let subsets = object.at(&["spec", "subsets"]).as_array().into_iter().flatten();
                    subsets.for_each(|subset| add("subsets", subset["name"].as_str().unwrap_or("").into()));
                }
                _ => {}
            }
        }
        Ok(Names { of: of.into_iter().map(|(sort, names)| (sort, names.into_iter().collect())).collect() })
    }
}

fn texts(value: &Value) -> impl Iterator<Item = String> {
    value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_string))
}
