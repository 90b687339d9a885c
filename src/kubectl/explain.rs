//! `kubectl explain`, from the server's OpenAPI v3.

mod page;
mod shape;
mod wrap;

use super::discovery::{self, Resource};
use super::error::{Error, Result};
use super::flags::{Flag, Parsed, Takes, flag};
use super::session::{Ask, Session};
use crate::k8s::shape::Shape;
use page::Page;
use serde_json::Value;
use std::fmt::Write as _;

pub const FLAGS: &[Flag] = &[
    flag("recursive", Takes::Bool, "all fields below, without descriptions"),
    flag("api-version", Takes::Text, "GROUP/VERSION of the type"),
];

/// A type as the path of a document names it.
struct Named {
    group: String,
    version: String,
    plural: String,
}

impl Named {
    /// `api/v1`, `apis/apps/v1`.
    fn path(&self) -> String {
        match self.group.as_str() {
            "" => format!("api/{}", self.version),
            group => format!("apis/{group}/{}", self.version),
        }
    }

    /// As Go prints it: `apps/v1, Resource=deployments`.
    fn printed(&self) -> String {
        format!("{}/{}, Resource={}", self.group, self.version, self.plural)
    }
}

/// Runs `kubectl explain`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let operand = match p.operands.as_slice() {
        [] => {
            return Err(Error::plain(
                "You must specify the type of resource to explain. Use \"kubectl api-resources\" for a complete list of supported resources.",
            ));
        }
        [operand] => operand,
        _ => return Err(Error::plain("We accept only this format: explain RESOURCE")),
    };
    match p.text("output") {
        None | Some("plaintext" | "") => (),
        Some(old @ "plaintext-openapiv2") => return Err(Error::not_simulated(&format!("kubectl explain --output={old}"))),
        Some(other) => return Err(Error::plain(format!("unrecognized format: {other}"))),
    }
    let resources = s.resources().await?;
    let (named, fields) = named(&resources, operand, p.text("api-version"))?;
    let index = s.json(Ask::get("/openapi/v3".to_string())).await?;
    let missing = || Error::plain(format!("couldn't find resource for \"{}\"", named.printed()));
    let url = index["paths"][named.path()]["serverRelativeURL"].as_str().ok_or_else(missing)?;
    let document = s.json(Ask::get(url.to_string())).await?;
    let unknown = || Error::plain(format!("GVR ({}) not found in OpenAPI schema", named.printed()));
    let gvk = kind(&document, &named).ok_or_else(unknown)?;
    s.io.write(head(gvk).as_bytes());
    let root = schema(&document, gvk)
        .ok_or_else(|| Error::plain(format!("GVK {} not found in OpenAPI schema", gvk["kind"].as_str().unwrap_or(""))))?;
    let page = Page { document: &document, recursive: p.on("recursive") };
    let text = page.output(root, &[], &fields);
    if text.is_empty() {
        let last = fields.last().map(String::as_str).unwrap_or("");
        return Err(Error::plain(format!("field \"{last}\" does not exist")));
    }
    s.io.write(text.as_bytes());
    s.io.write(b"\n");
    Ok(0)
}

/// The type and the fields of `pods.spec.containers`. `gateways.networking.istio.io.spec` names its group too.
fn named(resources: &[Resource], operand: &str, version: Option<&str>) -> Result<(Named, Vec<String>)> {
    let (word, rest) = operand.split_once('.').unwrap_or((operand, ""));
    let fields = |rest: &str| -> Vec<String> {
        rest.trim_matches('.').split('.').filter(|field| !field.is_empty()).map(String::from).collect()
    };
    let missing = || Error::Said(format!("the server doesn't have a resource type \"{word}\""));
    let first = discovery::find(resources, word).ok_or_else(missing)?;
    let of = |r: &Resource| Named { group: r.group.clone(), version: r.version.clone(), plural: r.plural.clone() };
    if let Some(version) = version.filter(|version| !version.is_empty()) {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        return Ok((Named { group: group.into(), version: version.into(), ..of(first) }, fields(rest)));
    }
    let same = resources.iter().filter(|r| r.preferred && (r.plural == first.plural || r.plural == word));
    for resource in same {
        if let Some(rest) = operand.strip_prefix(&resource.plural_group()) {
            return Ok((of(resource), fields(rest)));
        }
    }
    Ok((of(first), fields(rest)))
}

/// The fields of a kind.
///
/// # Errors
/// The server has no such kind, or cannot be asked.
pub async fn shape(s: &mut Session<'_>, api_version: &str, kind: &str) -> Result<Shape> {
    let resources = s.resources().await?;
    let missing = || Error::plain(format!("no matches for kind {kind:?} in version {api_version:?}"));
    let found = discovery::of_kind(&resources, api_version, kind).ok_or_else(missing)?;
    let named = Named { group: found.group.clone(), version: found.version.clone(), plural: found.plural.clone() };
    let index = s.json(Ask::get("/openapi/v3".to_string())).await?;
    let url = index["paths"][named.path()]["serverRelativeURL"].as_str().ok_or_else(missing)?;
    let document = s.json(Ask::get(url.to_string())).await?;
    let gvk = self::kind(&document, &named).ok_or_else(missing)?;
    Ok(shape::shape(&document, schema(&document, gvk).ok_or_else(missing)?))
}

/// The group, version and kind that the operations of a type's paths speak.
fn kind<'v>(document: &'v Value, named: &Named) -> Option<&'v Value> {
    let root = format!("/{}", named.path());
    let namespaced = format!("{root}/namespaces/{{namespace}}/{}", named.plural);
    let whole = format!("{root}/{}", named.plural);
    let paths = [whole.clone(), format!("{whole}/{{name}}"), namespaced.clone(), format!("{namespaced}/{{name}}")];
    let methods = ["get", "post", "put", "patch", "delete"];
    let spoken =
        paths.iter().flat_map(|path| methods.map(|method| &document["paths"][path][method]["x-kubernetes-group-version-kind"]));
    spoken.into_iter().find(|gvk| gvk.is_object())
}

fn head(gvk: &Value) -> String {
    let text = |key: &str| gvk[key].as_str().unwrap_or("");
    let mut head = String::new();
    if !text("group").is_empty() {
        let _ = writeln!(head, "GROUP:      {}", text("group"));
    }
    let _ = writeln!(head, "KIND:       {}\nVERSION:    {}\n", text("kind"), text("version"));
    head
}

/// The schema that the document marks with the kind.
fn schema<'v>(document: &'v Value, gvk: &Value) -> Option<&'v Value> {
    let schemas = document["components"]["schemas"].as_object()?;
    schemas.values().find(|schema| schema["x-kubernetes-group-version-kind"].as_array().is_some_and(|kinds| kinds.contains(gvk)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(group: &str, version: &str, plural: &str, kind: &str, short: &str) -> Resource {
        Resource {
            group: group.into(),
            version: version.into(),
            plural: plural.into(),
            singular: kind.to_lowercase(),
            kind: kind.into(),
            short_names: vec![short.into()],
            categories: Vec::new(),
            namespaced: true,
            verbs: vec!["get".into()],
            subresources: Vec::new(),
            preferred: true,
        }
    }

    #[test]
    fn operands_name_a_type_and_fields() {
        let all = [
            resource("", "v1", "events", "Event", "ev"),
            resource("events.k8s.io", "v1", "events", "Event", "ev"),
            resource("gateway.networking.k8s.io", "v1", "gateways", "Gateway", "gtw"),
            resource("networking.istio.io", "v1", "gateways", "Gateway", "gw"),
        ];
        let rows = [
            ("ev.message", "", "/v1, Resource=events message"),
            // As kubectl reads it: the core group's name is a prefix of any.
            ("events.events.k8s.io", "", "/v1, Resource=events events,k8s,io"),
            ("gateways.spec.", "", "gateway.networking.k8s.io/v1, Resource=gateways spec"),
            ("gateways.networking.istio.io.spec.servers", "", "networking.istio.io/v1, Resource=gateways spec,servers"),
            ("gw.spec", "", "networking.istio.io/v1, Resource=gateways spec"),
            ("gw", "networking.istio.io/v1beta1", "networking.istio.io/v1beta1, Resource=gateways "),
            ("events", "v2", "/v2, Resource=events "),
        ];
        for (operand, version, want) in rows {
            let (named, fields) = named(&all, operand, Some(version)).expect("a type");
            assert_eq!(format!("{} {}", named.printed(), fields.join(",")), want, "{operand}");
        }
        assert!(named(&all, "nosuch.spec", None).is_err());
    }
}
