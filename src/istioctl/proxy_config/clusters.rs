//! `proxy-config clusters` (S: istioctl/pkg/writer/envoy/configdump/cluster.go).

use super::dump::{Subset, at, management, text};
use serde_json::Value;

/// Which clusters are wanted: texts that their names contain.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub fqdn: String,
    pub port: i64,
    pub subset: String,
    pub direction: String,
}

impl Filter {
    /// Whether this cluster is wanted.
    pub fn takes(&self, cluster: &Value) -> bool {
        let name = text(cluster, "name");
        let texts = [&self.fqdn, &self.direction, &self.subset].into_iter().all(|part| name.contains(part.as_str()));
        texts && (self.port == 0 || name.contains(&format!("|{}|", self.port)))
    }
}

/// The table's rows, its head first; `named`: with the column of `proxy-config all`.
pub fn rows(clusters: &[&Value], filter: &Filter, named: bool) -> Vec<Vec<String>> {
    let head = ["SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE"];
    let mut rows = vec![head.map(str::to_string).to_vec()];
    if named {
        rows[0].insert(0, "NAME".into());
    }
    for cluster in clusters.iter().filter(|cluster| filter.takes(cluster)) {
        let name = text(cluster, "name");
        let subset = Subset::of(name);
        let long = format!("cluster/{name}");
        let kind = at(cluster, "type").as_str().unwrap_or("STATIC");
        let first = if named && !name.is_empty() && !subset.parsed { &long } else { name };
        let mut row = match subset.parsed {
            true => {
                let of = if subset.subset.is_empty() { "-" } else { subset.subset };
                vec![subset.host.to_string(), subset.port.to_string(), of.to_string(), subset.direction.to_string()]
            }
            false => vec![first.to_string(), "-".into(), "-".into(), "-".into()],
        };
        row.extend([kind.to_string(), management(cluster)]);
        if named && (subset.parsed || !name.is_empty()) {
            row.insert(0, long);
        }
        rows.push(row);
    }
    rows
}
