//! Access-log settings of several levels put together as Istio does it (`mergeLogs`).

use super::{Merged, Side};
use crate::k8s::Object;
use crate::mesh::Cause;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What became of a provider.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spec {
    pub disabled: bool,
    /// `filter.expression` and where it stands.
    pub filter: Option<(String, Cause)>,
}

struct Entry<'a> {
    providers: Vec<String>,
    disabled: bool,
    filter: Option<(String, Cause)>,
    mode: &'a str,
}

impl Entry<'_> {
    fn is_for(&self, side: Side) -> bool {
        match self.mode {
            "" | "CLIENT_AND_SERVER" => true,
            mode => mode == if side == Side::Client { "CLIENT" } else { "SERVER" },
        }
    }
}

fn entries(level: &Object) -> Vec<Entry<'_>> {
    let all = level.at(&["spec", "accessLogging"]).as_array().into_iter().flatten().enumerate();
    let read = |(i, value): (usize, &'_ Value)| {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let field = format!("spec.accessLogging[{i}].filter.expression");
        let cause = || Cause::new(level.key().to_string(), field.as_str(), "This filter is not modelled.");
        let named = value.get("providers").and_then(Value::as_array).into_iter().flatten();
        (
            named.filter_map(|p| p.get("name")?.as_str().map(String::from)).collect::<Vec<_>>(),
            value.get("disabled").and_then(Value::as_bool).unwrap_or(false),
            text("/filter/expression").filter(|e| !e.is_empty()).map(|e| (e.to_string(), cause())),
            i,
        )
    };
    let mode = |i: usize| level.at(&["spec", "accessLogging"])[i].pointer("/match/mode").and_then(Value::as_str).unwrap_or("");
    all.map(read).map(|(providers, disabled, filter, i)| Entry { providers, disabled, filter, mode: mode(i) }).collect()
}

/// The providers of one side. Levels are the widest first.
pub fn merge(levels: &[&Object], defaults: &[String], side: Side) -> Merged {
    if levels.is_empty() {
        return defaults.iter().map(|name| (name.clone(), Spec::default())).collect();
    }
    let levels: Vec<Vec<Entry<'_>>> = levels.iter().map(|level| entries(level)).collect();
    let mut in_scope: BTreeSet<&str> = defaults.iter().map(String::as_str).collect();
    let mut filters: BTreeMap<&str, Option<(String, Cause)>> = BTreeMap::new();
    for level in &levels {
        let own = level.iter().filter(|e| e.is_for(side)).flat_map(|e| e.providers.iter().map(move |p| (p.as_str(), &e.filter)));
        let names: BTreeSet<&str> = own.clone().map(|(name, _)| name).collect();
        filters.extend(own.map(|(name, filter)| (name, filter.clone())));
        if !names.is_empty() {
            in_scope = names;
        }
    }
    let mut merged = Merged::new();
    let mut parent: &[String] = defaults;
    for entry in levels.iter().flatten() {
        if !entry.providers.is_empty() {
            parent = &entry.providers;
        }
        for name in parent.iter().filter(|name| in_scope.contains(name.as_str()) && entry.is_for(side)) {
            let spec = match entry.disabled {
                true => Spec { disabled: true, filter: None },
                false => Spec { disabled: false, filter: filters.get(name.as_str()).cloned().flatten() },
            };
            merged.insert(name.clone(), spec);
        }
    }
    merged
}
