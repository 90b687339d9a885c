//! Conditions that a controller wrote into an object's status (S: analyzers/conditions).

use super::{Context, items, text};
use crate::k8s::Object;
use serde_json::Value;

/// Group, kind, the condition types whose status False is told of.
const CONDITIONS: [(&str, &str, &[&str]); 7] = [
    ("", "Service", &["istio.io/WaypointBound"]),
    ("networking.istio.io", "ServiceEntry", &["istio.io/WaypointBound"]),
    ("networking.istio.io", "WorkloadEntry", &["istio.io/WaypointBound"]),
    ("security.istio.io", "AuthorizationPolicy", &["ZtunnelAccepted", "WaypointAccepted"]),
    ("gateway.networking.k8s.io", "Gateway", &["Accepted", "Programmed", "ResolvedRefs"]),
    ("gateway.networking.k8s.io", "HTTPRoute", &["Accepted", "Programmed", "ResolvedRefs"]),
    ("gateway.networking.k8s.io", "GRPCRoute", &["Accepted", "Programmed", "ResolvedRefs"]),
];

/// ConditionAnalyzer.
pub fn conditions(context: &mut Context<'_>) {
    for (group, kind, types) in CONDITIONS {
        for object in context.each(group, kind) {
            for condition in of(&object) {
                let name = text(&condition["type"]);
                let negative = types.contains(&name) && text(&condition["status"]) == "False";
                let partly = kind == "AuthorizationPolicy"
                    && name == "WaypointAccepted"
                    && text(&condition["reason"]) == "PartiallyInvalid";
                if negative || partly {
                    let text = format!(
                        "A condition with a negative status is present: type={name}, reason={}, message={}.",
                        text(&condition["reason"]),
                        text(&condition["message"])
                    );
                    context.report(&object, "IST0171", text);
                }
            }
        }
    }
}

/// The object's conditions, those of a route's parents included.
fn of(object: &Object) -> impl Iterator<Item = &Value> {
    let parents = items(object.at(&["status", "parents"])).iter().flat_map(|p| items(&p["conditions"]));
    items(object.at(&["status", "conditions"])).iter().chain(parents)
}
