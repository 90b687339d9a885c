//! exportTo of ServiceEntry, VirtualService and DestinationRule.

use super::{Validation, names, texts};
use serde_json::Value;
use std::collections::BTreeSet;

/// Whose exportTo it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    ServiceEntry,
    Rule,
    /// A DestinationRule with a workloadSelector.
    Selecting,
}

/// Checks the list for an object of a namespace.
pub fn validate(namespace: &str, list: &Value, owner: Owner, found: &mut Validation) {
    let entries = texts(list);
    let mut seen = BTreeSet::new();
    for entry in &entries {
        let key = if *entry == "." { namespace } else { entry };
        if seen.contains(key) {
            found.error(match key == *entry {
                true => format!("duplicate entries in exportTo for entry {entry}"),
                false => format!("duplicate entries in exportTo: . and current namespace {namespace}"),
            });
        } else if *entry == "~" && owner != Owner::ServiceEntry {
            found.error("exportTo ~ (none) is not allowed for Istio configuration objects");
        } else if matches!(key, "." | "*" | "~") || names::is_label(key) {
            seen.insert(key);
        } else {
            found.error("only .,*, or a valid DNS 1123 label is allowed as exportTo entry");
        }
    }
    if owner == Owner::Selecting && !seen.is_empty() {
        if !seen.contains(namespace) {
            found.error("destination rule with workload selector cannot have exportTo beyond current namespace");
        } else if seen.len() > 1 {
            found.error("destination rule with workload selector cannot have multiple entries in exportTo");
        }
    }
    let several = entries.len() > 1;
    found.error_if(several && seen.contains("*"), "cannot have both public (*) and non-public exportTo values for a resource");
    found.error_if(several && seen.contains("~"), "cannot export service entry to no one (~) and someone");
}
