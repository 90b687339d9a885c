//! Rules that can never be reached: warnings only.

use super::{Validation, items, text};
use serde_json::Value;

/// Looks at the rules of one protocol (http, tls or tcp).
pub fn warn(rules: &[Value], found: &mut Validation) {
    let mut seen: Vec<(&Value, usize)> = Vec::new();
    let mut catch_all = false;
    for (at, rule) in rules.iter().enumerate() {
        let matches = items(&rule["match"]);
        let unused = |reason: &str| format!("virtualService rule {} not used ({reason})", name(rule, at));
        if matches.is_empty() {
            if catch_all {
                found.warn(unused("only the last rule can have no matches"));
            }
            catch_all = true;
            continue;
        }
        let mut covered = 0;
        for (i, one) in matches.iter().enumerate() {
            match seen.iter().find(|(earlier, _)| covers(earlier, one)) {
                Some((_, by)) => {
                    covered += 1;
                    found.warn(format!(
                        "virtualService rule {} match {} is not used (duplicate/overlapping match in rule {})",
                        name(rule, at),
                        name(one, i),
                        name(&rules[*by], *by)
                    ));
                }
                None => seen.push((one, at)),
            }
        }
        if covered == matches.len() {
            found.warn(unused("all matches used by prior rules"));
        } else if catch_all {
            found.warn(unused("route without matches defined before"));
        }
    }
}

fn name(value: &Value, at: usize) -> String {
    match text(&value["name"]) {
        "" => format!("#{at}"),
        name => format!("{name:?}"),
    }
}

/// Whether whatever `later` matches was matched by `earlier`: the same but for the name, or a shorter URI prefix.
fn covers(earlier: &Value, later: &Value) -> bool {
    let without = |value: &Value, uri: bool| {
        let mut value = value.clone();
        if let Some(members) = value.as_object_mut() {
            members.remove("name");
            if uri {
                members.remove("uri");
            }
        }
        value
    };
    if without(earlier, false) == without(later, false) {
        return true;
    }
    let Some(prefix) = earlier["uri"]["prefix"].as_str() else { return false };
    let uri = later["uri"]["prefix"].as_str().or(later["uri"]["exact"].as_str());
    uri.is_some_and(|uri| uri.starts_with(prefix)) && without(earlier, true) == without(later, true)
}
