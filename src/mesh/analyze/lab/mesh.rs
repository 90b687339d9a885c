//! The mesh's mode: what is in force, what was meant, what overrides it.

use super::{Check, Report, View};
use crate::base::yaml;
use crate::k8s::Object;
use crate::mesh::analyze::{Level, text};
use crate::mesh::config;
use serde_json::Value;

const MODE: &str = "data.mesh outboundTrafficPolicy.mode";
const SET: &str = "set meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY in the installation (or in this ConfigMap) if only registered hosts are to be reached";

pub const CHECKS: &[Check] = &[
    Check {
        id: "EGL101",
        level: Level::Info,
        about: "the mesh lets unregistered hosts out",
        mistakes: &["M01", "M04"],
        run: allow_any,
    },
    Check {
        id: "EGL102",
        level: Level::Warning,
        about: "an IstioOperator says another mode than the mesh configuration in force",
        mistakes: &["M02"],
        run: operator_differs,
    },
    Check {
        id: "EGL103",
        level: Level::Warning,
        about: "the mesh configurations of two revisions say different modes",
        mistakes: &["M02"],
        run: revisions_differ,
    },
    Check {
        id: "EGL104",
        level: Level::Error,
        about: "a mode that does not exist, so that istiod refuses the whole text",
        mistakes: &["M03"],
        run: unknown_mode,
    },
    Check {
        id: "EGL105",
        level: Level::Warning,
        about: "the outbound policy is written where nothing reads it",
        mistakes: &["M03"],
        run: misplaced,
    },
    Check {
        id: "EGL106",
        level: Level::Warning,
        about: "a Sidecar has another mode than the mesh",
        mistakes: &["M05"],
        run: sidecar_differs,
    },
];

fn name(registry_only: bool) -> &'static str {
    if registry_only { "REGISTRY_ONLY" } else { "ALLOW_ANY" }
}

fn allow_any(view: &View<'_>, report: &mut Report<'_>) {
    let map = view.mesh_map();
    if view.allows_any() && !map.at(&["data"]).is_null() {
        let why = if view.config.policy.object == "default" {
            "nothing is set, and ALLOW_ANY is the default"
        } else {
            "ALLOW_ANY is set"
        };
        let manager = last_manager(&map).map(|m| format!(" (last written by {m})")).unwrap_or_default();
        report.add(&map, MODE, &format!("Sidecars let unregistered hosts out: {why}{manager}."), SET);
    }
}

/// Who wrote an object last, as its managed fields say.
fn last_manager(object: &Object) -> Option<&str> {
    let all = object.at(&["metadata", "managedFields"]).as_array()?;
    let last = all.iter().max_by_key(|entry| text(&entry["time"]))?;
    last["manager"].as_str()
}

/// The mode in a mesh configuration under a value.
fn mode_of(value: &Value) -> Option<&str> {
    value["meshConfig"]["outboundTrafficPolicy"]["mode"].as_str()
}

fn operator_differs(view: &View<'_>, report: &mut Report<'_>) {
    for object in view.each("install.istio.io", "IstioOperator") {
        let spec = object.spec();
        let places = [("spec.meshConfig", mode_of(spec)), ("spec.values.meshConfig", mode_of(&spec["values"]))];
        for (path, mode) in places.into_iter().filter_map(|(path, mode)| Some((path, mode?))) {
            if matches!(mode, "REGISTRY_ONLY" | "ALLOW_ANY") && mode != name(view.config.registry_only) {
                let text =
                    format!("It says {mode}, but the mesh configuration in force says {}.", name(view.config.registry_only));
                report.add(
                    &object,
                    &format!("{path}.outboundTrafficPolicy.mode"),
                    &text,
                    "run istioctl install -f with this file again: a file or an installed-state object changes nothing by itself",
                );
            }
        }
    }
}

fn revisions_differ(view: &View<'_>, report: &mut Report<'_>) {
    for map in view.each("", "ConfigMap").iter().filter(|m| m.name().starts_with("istio-") && !m.at(&["data", "mesh"]).is_null())
    {
        let Ok(other) = config::read(map.str_at(&["data", "mesh"]), "") else { continue };
        if other.registry_only != view.config.registry_only {
            let (theirs, ours) = (name(other.registry_only), name(view.config.registry_only));
            let text = format!("It says {theirs}, while ConfigMap istio says {ours}; a pod obeys the one of its revision.");
            report.add(map, MODE, &text, "set the mode in the ConfigMap of the revision that injected the pods");
        }
    }
}

fn unknown_mode(view: &View<'_>, report: &mut Report<'_>) {
    let map = view.mesh_map();
    if let Err(why) = config::read(view.mesh_text(), "") {
        let field = if why.contains("outboundTrafficPolicy") { MODE } else { "data.mesh" };
        let text = format!("istiod refuses this mesh text and keeps the one before it: {why}.");
        report.add(&map, field, &text, "the modes are REGISTRY_ONLY, ALLOW_ANY and ALLOW_ANY_DYNAMIC_DNS, in capitals");
    }
    for object in view.each("install.istio.io", "IstioOperator") {
        let spec = object.spec();
        for (path, mode) in [("spec.meshConfig", mode_of(spec)), ("spec.values.meshConfig", mode_of(&spec["values"]))] {
            if let Some(mode) = mode.filter(|m| !matches!(*m, "REGISTRY_ONLY" | "ALLOW_ANY" | "ALLOW_ANY_DYNAMIC_DNS")) {
                let field = format!("{path}.outboundTrafficPolicy.mode");
                report.add(&object, &field, &format!("{mode:?} is no mode."), "write REGISTRY_ONLY or ALLOW_ANY, in capitals");
            }
        }
    }
}

const POLICY: &str = "outboundTrafficPolicy";

fn misplaced(view: &View<'_>, report: &mut Report<'_>) {
    let map = view.mesh_map();
    let raw = yaml::parse(view.mesh_text()).unwrap_or_default();
    for path in astray(&raw, "", 0) {
        let text = format!("{path} is not where Istio reads the policy, so it has no effect.");
        report.add(
            &map,
            &format!("data.mesh {path}"),
            &text,
            "write outboundTrafficPolicy at the top of the mesh text, spelt so",
        );
    }
    for object in view.each("install.istio.io", "IstioOperator") {
        for path in astray(object.spec(), "spec", 0) {
            if matches!(path.as_str(), "spec.meshConfig.outboundTrafficPolicy" | "spec.values.meshConfig.outboundTrafficPolicy") {
                continue;
            }
            let text = format!("{path} is not where Istio reads the policy, so it has no effect.");
            report.add(&object, &path, &text, "write spec.meshConfig.outboundTrafficPolicy.mode");
        }
    }
}

/// Paths at which the policy (or a word within two letters of it) stands, without the right one of a mesh text.
fn astray(value: &Value, path: &str, depth: usize) -> Vec<String> {
    let Some(members) = value.as_object().filter(|_| depth < 16) else { return Vec::new() };
    let mut found = Vec::new();
    for (key, inner) in members {
        let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let right = path.is_empty() && matches!(key.as_str(), POLICY | "outbound_traffic_policy");
        if !right && near(&key.to_lowercase(), &POLICY.to_lowercase()) {
            found.push(here);
        } else {
            found.extend(astray(inner, &here, depth + 1));
        }
    }
    found
}

/// Whether two words are the same but for two letters at most.
pub fn near(a: &str, b: &str) -> bool {
    a.len().abs_diff(b.len()) <= 2 && distance(a, b) <= 2
}

/// Levenshtein's distance of two words of at most 253 letters.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(253).collect(), b.chars().take(253).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let best = (corner + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            corner = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[b.len()]
}

fn sidecar_differs(view: &View<'_>, report: &mut Report<'_>) {
    for object in &view.sidecars {
        let policy = object.at(&["spec", POLICY]);
        if policy.is_null() {
            continue;
        }
        let registry_only = !matches!(text(&policy["mode"]), "ALLOW_ANY");
        if registry_only != view.config.registry_only {
            let whom = match object.at(&["spec", "workloadSelector"]).is_null() {
                true if object.namespace() == view.root() => "every namespace".to_string(),
                true => format!("namespace {}", object.namespace()),
                false => format!("the pods it selects in namespace {}", object.namespace()),
            };
            let (ours, theirs) = (name(registry_only), name(view.config.registry_only));
            let text = format!("It puts {ours} in force for {whom}, while the mesh says {theirs}.");
            report.add(object, "spec.outboundTrafficPolicy.mode", &text, "remove the field, or make it say what the mesh says");
        }
    }
}
