//! Paths.

use crate::sandbox::api::registry::{self, Resource};
use crate::sandbox::api::status;
use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::world::View;

/// Where a resource request points.
#[derive(Debug, Clone)]
pub struct Target {
    pub resource: Resource,
    /// "" for cluster-scoped kinds and for all namespaces.
    pub namespace: String,
    /// "" for collections.
    pub name: String,
    /// "" for the resource itself.
    pub subresource: String,
}

/// What a path means.
pub enum Route {
    /// A document that is no resource: discovery, version, health.
    Document(Vec<String>),
    Resource(Box<Target>),
}

/// Reads a path. The view has to know its custom kinds.
///
/// # Errors
/// The 404 of an unknown path: text below an unknown group version, a Status below a known one.
pub fn route(world: &View, call: &Call) -> Result<Route, Answer> {
    let parts: Vec<&str> = call.path.split('/').filter(|part| !part.is_empty()).collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
        _ => return Ok(Route::Document(parts.into_iter().map(String::from).collect())),
    };
    if rest.first() == Some(&"watch") {
        return Err(Refusal::not_simulated("paths with /watch/; ask for ?watch=true").answer());
    }
    if !registry::has_version(&world.crds, group, version) {
        return Err(page_not_found());
    }
    let (namespace, rest) = match rest {
        ["namespaces", ns, "status" | "finalize"] => ("", &["namespaces", ns, rest[2]][..]),
        ["namespaces", ns, tail @ ..] if !tail.is_empty() => (*ns, tail),
        _ => ("", rest),
    };
    let (plural, name, subresource) = match rest {
        [plural] => (*plural, "", ""),
        [plural, name] => (*plural, *name, ""),
        [plural, name, sub] => (*plural, *name, *sub),
        _ => return Err(page_not_found()),
    };
    let found = registry::by_plural(&world.crds, group, version, plural);
    let resource = found.ok_or_else(|| unknown(world, group))?;
    let misplaced =
        !resource.namespaced && !namespace.is_empty() || resource.namespaced && namespace.is_empty() && !name.is_empty();
    if misplaced || !subresource.is_empty() && !resource.subresources.iter().any(|s| s == subresource) {
        return Err(status::no_such_resource().answer());
    }
    let (namespace, name, subresource) = (namespace.to_string(), name.to_string(), subresource.to_string());
    Ok(Route::Resource(Box::new(Target { resource, namespace, name, subresource })))
}

/// A group that only custom kinds fill is served by another part of a real server, which answers in text.
fn unknown(world: &View, group: &str) -> Answer {
    let custom = world.crds.all().any(|kind| kind.group == group);
    if custom { page_not_found() } else { status::no_such_resource().answer() }
}

/// `404 page not found` as text.
pub fn page_not_found() -> Answer {
    let mut answer = Answer::text(404, "404 page not found\n");
    answer.headers.push(("x-content-type-options".into(), "nosniff".into()));
    answer
}

/// The refusal of a namespaced create without namespace in its path.
pub fn needs_namespace(target: &Target) -> Option<Refusal> {
    (target.resource.namespaced && target.namespace.is_empty()).then(status::method_not_allowed)
}
