//! A proxy's `config_dump` as istioctl reads it (S: istioctl/pkg/util/configdump, pkg/writer/envoy/configdump).

use crate::istioctl::{Stop, go_sort};
use crate::mesh::admin::fields::{self, Message};
use serde_json::Value;

const ADMIN: &str = "type.googleapis.com/envoy.admin.v3.";

/// A member of a message by its name in the .proto file, however the JSON spells it.
pub fn at<'a>(value: &'a Value, name: &str) -> &'a Value {
    match value.get(name) {
        Some(found) => found,
        None => {
            let mut words = name.split('_');
            let first = words.next().unwrap_or("").to_string();
            let camel = words.fold(first, |camel, word| {
                let (initial, rest) = word.split_at(word.len().min(1));
                camel + &initial.to_uppercase() + rest
            });
            value.get(&camel).unwrap_or(&Value::Null)
        }
    }
}

/// The text of a member, empty when it has none.
pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    at(value, name).as_str().unwrap_or("")
}

/// The members of a list.
pub fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    at(value, name).as_array().into_iter().flatten()
}

/// A number, also where it is written as a text.
pub fn number(value: &Value, name: &str) -> u64 {
    let value = at(value, name);
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
}

/// What was read.
#[derive(Debug)]
pub struct Dump(Value);

impl Dump {
    /// Reads the page.
    ///
    /// # Errors
    /// It is no JSON object.
    pub fn read(bytes: &[u8]) -> Result<Dump, Stop> {
        let value: Result<Value, _> = serde_json::from_slice(bytes);
        let wrong = |at: (usize, usize), what: String| {
            let (line, column) = at;
            let text = format!("proto: syntax error (line {line}:{column}): {what}");
            Stop::failed(format!("error unmarshalling config dump response from Envoy: {text}"))
        };
        match value {
            Ok(value @ Value::Object(_)) => Ok(Dump(value)),
            Ok(other) => Err(wrong((1, 1), format!("unexpected token {}", clipped(&other.to_string())))),
            Err(error) => {
                let text = String::from_utf8_lossy(bytes);
                let rest = text.trim_start();
                let before = &text[..text.len() - rest.len()];
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().map_or(1, |last| last.chars().count() + 1);
                if rest.is_empty() {
                    return Err(wrong((line, column), "unexpected token ".into()));
                }
                if !rest.starts_with(['{', '[', '"']) {
                    let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '+' | '.')).collect();
                    let word = if word.is_empty() { rest.chars().take(1).collect() } else { word };
                    return Err(wrong((line, column), format!("invalid value {word}")));
                }
                Err(wrong((error.line(), error.column()), error.to_string()))
            }
        }
    }

    /// The part of this admin type (`ListenersConfigDump`); the last one when there are more.
    ///
    /// # Errors
    /// There is none.
    pub fn section(&self, name: &str) -> Result<&Value, Stop> {
        let url = format!("{ADMIN}{name}");
        let found = list(&self.0, "configs").filter(|config| config["@type"] == url.as_str()).last();
        found.ok_or_else(|| Stop::failed(format!("config dump has no configuration type {url}")))
    }

    /// The extensions of every part that has some.
    ///
    /// # Errors
    /// There is no such part.
    pub fn ecds(&self) -> Result<Value, Stop> {
        self.section("EcdsConfigDump")?;
        let url = format!("{ADMIN}EcdsConfigDump");
        let parts = list(&self.0, "configs").filter(|config| config["@type"] == url.as_str());
        let all: Vec<Value> = parts.flat_map(|part| list(part, "ecds_filters")).cloned().collect();
        Ok(serde_json::json!({ "ecds_filters": all }))
    }

    /// All listeners: dynamic ones that are active, then static ones.
    ///
    /// # Errors
    /// There are none.
    pub fn listeners(&self) -> Result<Vec<&Value>, Stop> {
        let section =
            self.section("ListenersConfigDump").map_err(|stop| Stop::failed(format!("listener dump: {}", stop.message)))?;
        let dynamic = list(section, "dynamic_listeners").map(|l| at(at(l, "active_state"), "listener"));
        let fixed = list(section, "static_listeners").map(|l| at(l, "listener"));
        non_empty(dynamic.chain(fixed), "listeners")
    }

    /// All route configurations in istioctl's order: those with a number for a name by it; the others are never less or greater.
    ///
    /// # Errors
    /// There are none.
    pub fn routes(&self) -> Result<Vec<&Value>, Stop> {
        let section = self.section("RoutesConfigDump")?;
        let all = ["dynamic_route_configs", "static_route_configs"].into_iter().flat_map(|name| list(section, name));
        let mut routes = non_empty(all.map(|r| at(r, "route_config")), "routes")?;
        let name = |route: &Value| text(route, "name").parse::<i64>().ok();
        go_sort::slice(&mut routes, |a, b| matches!((name(a), name(b)), (Some(a), Some(b)) if a < b));
        Ok(routes)
    }

    /// All clusters by host, subset, port, direction.
    ///
    /// # Errors
    /// There are none.
    pub fn clusters(&self) -> Result<Vec<&Value>, Stop> {
        let section = self.section("ClustersConfigDump")?;
        let all = ["dynamic_active_clusters", "static_clusters"].into_iter().flat_map(|name| list(section, name));
        let mut clusters = non_empty(all.map(|c| at(c, "cluster")), "clusters")?;
        go_sort::slice(&mut clusters, |a, b| Subset::of(text(a, "name")).key() < Subset::of(text(b, "name")).key());
        Ok(clusters)
    }

    /// The assignments of `include_eds`, by cluster.
    pub fn endpoints(&self) -> Vec<&Value> {
        let Ok(section) = self.section("EndpointsConfigDump") else { return Vec::new() };
        let all = ["dynamic_endpoint_configs", "static_endpoint_configs"].into_iter().flat_map(|name| list(section, name));
        let mut found: Vec<&Value> = all.map(|e| at(e, "endpoint_config")).filter(|e| !e.is_null()).collect();
        go_sort::slice(&mut found, |a, b| Subset::of(text(a, "cluster_name")).key() < Subset::of(text(b, "cluster_name")).key());
        found
    }
}

fn clipped(text: &str) -> String {
    text.chars().take(32).collect()
}

fn non_empty<'a>(all: impl Iterator<Item = &'a Value>, what: &str) -> Result<Vec<&'a Value>, Stop> {
    let found: Vec<&Value> = all.filter(|value| !value.is_null()).collect();
    if found.is_empty() { Err(Stop::failed(format!("no {what} found"))) } else { Ok(found) }
}

/// The message of a resource's JSON form.
pub fn message(name: &str) -> Option<&'static Message> {
    fields::message(name)
}

/// What a cluster's name says (S: model.ParseSubsetKey): `outbound|80|v1|host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subset<'a> {
    pub direction: &'a str,
    pub port: i64,
    pub subset: &'a str,
    pub host: &'a str,
    /// Whether the name is of this form.
    pub parsed: bool,
}

impl<'a> Subset<'a> {
    /// Reads a name; one that is not of this form is a host.
    pub fn of(name: &'a str) -> Subset<'a> {
        let plain = Subset { direction: "", port: 0, subset: "", host: name, parsed: false };
        if name.split('|').count() <= 3 {
            return plain;
        }
        let separator = if name.starts_with("outbound_") || name.starts_with("inbound_") { "_." } else { "|" };
        let mut parts = name.splitn(4, separator);
        let mut next = || parts.next();
        let mut subset = Subset { host: "", parsed: true, ..plain };
        match (next(), next(), next(), next()) {
            (Some(direction), port, name, host) if port.is_some() => {
                subset.direction = direction;
                subset.port = port.and_then(|port| port.parse().ok()).filter(|_| name.is_some()).unwrap_or(0);
                subset.subset = name.filter(|_| host.is_some()).unwrap_or("");
                subset.host = host.filter(|host| !host.contains(separator)).unwrap_or("");
            }
            _ => (),
        }
        subset
    }

    /// What tables are sorted by.
    pub fn key(&self) -> (&str, &str, i64, &str) {
        (self.host, self.subset, self.port, self.direction)
    }
}

/// `name.namespace` of the Istio object that a resource comes from, as its metadata says it.
pub fn management(value: &Value) -> String {
    let config = &at(at(value, "metadata"), "filter_metadata")["istio"]["config"];
    if config.is_null() {
        return String::new();
    }
    let config = config.as_str().unwrap_or("");
    if !config.starts_with("/apis/networking.istio.io/") {
        return "<unknown>".into();
    }
    match config.split('/').collect::<Vec<_>>().as_slice() {
        [_, _, _, _, _, namespace, _, name] => format!("{name}.{namespace}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_of_clusters_are_taken_apart() {
        let of = |name| {
            let s = Subset::of(name);
            format!("{}/{}/{}/{}", s.direction, s.port, s.subset, s.host)
        };
        assert_eq!(of("outbound|80|v1|a.b"), "outbound/80/v1/a.b");
        assert_eq!(of("inbound|8080||"), "inbound/8080//");
        assert_eq!(of("PassthroughCluster"), "/0//PassthroughCluster");
        assert_eq!(of("outbound|x||a|b"), "outbound/0//");
    }

    #[test]
    fn the_object_behind_a_resource_is_named() {
        let of = |config: &str| management(&json!({"metadata": {"filterMetadata": {"istio": {"config": config}}}}));
        assert_eq!(of("/apis/networking.istio.io/v1/namespaces/default/virtual-service/x"), "x.default");
        assert_eq!(of("/apis/networking.istio.io/v1/x"), "");
        assert_eq!(of("/x"), "<unknown>");
        assert_eq!(management(&json!({})), "");
    }

    #[test]
    fn a_broken_dump_is_refused() {
        let words = |text: &str| Dump::read(text.as_bytes()).err().map(|stop| stop.message).unwrap_or_default();
        assert!(words("root:x:0").ends_with("proto: syntax error (line 1:1): invalid value root"));
        assert!(words("\n []").contains("unexpected token"));
        assert!(words("{\"a\":").contains("syntax error"));
    }
}
