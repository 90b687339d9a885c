//! Priorities: the class of a pod becomes a number (plugin/pkg/admission/priority of Kubernetes).

use crate::k8s::{Object, Snapshot};
use crate::sandbox::api::registry::Resource;
use crate::sandbox::api::status;
use crate::sandbox::call::Refusal;
use crate::sandbox::world::World;
use std::sync::Arc;

/// The class of a pod: the one that it names, else the global default.
pub fn class_of<'a>(state: &'a Snapshot, name: &str) -> Option<&'a Arc<Object>> {
    match name {
        "" => state.list("scheduling.k8s.io", "PriorityClass").find(|class| class.at(&["globalDefault"]) == true),
        name => state.find("scheduling.k8s.io", "PriorityClass", "", name),
    }
}

/// Refuses pods of unknown classes or with a number of their own, and a second default class. The number itself is a default.
///
/// # Errors
/// 403.
pub fn resolve(world: &World, resource: &Resource, object: &Object) -> Result<(), Refusal> {
    let state = world.store.snapshot();
    let forbidden = |why: &str| Err(status::forbidden(resource, object.name(), why));
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Pod") => {
            let name = object.str_at(&["spec", "priorityClassName"]);
            let class = class_of(state, name);
            if class.is_none() && !name.is_empty() {
                return forbidden(&format!("no PriorityClass with name {name} was found"));
            }
            let computed = class.map_or(0, |class| class.at(&["value"]).as_i64().unwrap_or(0));
            let given = object.at(&["spec", "priority"]).as_i64().unwrap_or(computed);
            if given != computed {
                return forbidden(&format!(
                    "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed \
                     {computed} from the given PriorityClass name"
                ));
            }
            Ok(())
        }
        ("scheduling.k8s.io", "PriorityClass") if object.at(&["globalDefault"]) == true => match class_of(state, "") {
            Some(other) if other.name() != object.name() => {
                forbidden(&format!("PriorityClass {} is already marked as default. Only one default can exist", other.name()))
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}
