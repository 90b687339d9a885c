//! Load balancer settings of a DestinationRule (S: validateLoadBalancer, agent.ValidateLocalityLbSetting).

use super::{Validation, items, names, text, texts};
use serde_json::Value;
use std::collections::BTreeSet;

const RING: &str = "consistent hash MinimumRingSize is deprecated, use ConsistentHashLB's RingHash configuration instead";
const TOPOLOGY: [&str; 3] = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];

/// Checks it; `outlier`: there is outlier detection beside it.
pub fn validate(settings: &Value, outlier: bool, found: &mut Validation) {
    if settings.is_null() {
        return;
    }
    consistent_hash(&settings["consistentHash"], found);
    let (locality, zone) = (&settings["localityLbSetting"], &settings["zoneAwareLbSetting"]);
    found.error_if(!locality.is_null() && !zone.is_null(), "only one of localityLbSetting and zoneAwareLbSetting can be set");
    if !locality.is_null() {
        local(locality, outlier, found);
    }
    if !zone.is_null() {
        for label in texts(&zone["failoverPriority"]).into_iter().filter(|l| TOPOLOGY.contains(l)) {
            found.error(format!(
                "'failover_priority' for zone aware lb must not use topology label '{label}'; region- and zone-level routing are handled \
                 automatically"
            ));
        }
        failover(zone, outlier, true, found);
    }
    let warm = &settings["warmup"];
    if !warm.is_null() {
        match warm["duration"].as_str() {
            None => found.error("duration is required"),
            Some(text) => found.check(names::duration(text)),
        }
        let percent = warm["minimumPercent"].as_f64().unwrap_or(0.0);
        found.error_if(percent > 100.0, "minimumPercent value should be less than or equal to 100");
        let slow = warm["aggression"].as_f64().is_some_and(|a| a <= 0.0);
        found.error_if(slow, "aggression should be greater than 0");
    }
}

fn consistent_hash(hash: &Value, found: &mut Validation) {
    if hash.is_null() {
        return;
    }
    let cookie = &hash["httpCookie"];
    found.error_if(!cookie.is_null() && text(&cookie["name"]).is_empty(), "name required for HttpCookie");
    let mut seen = BTreeSet::new();
    for name in items(&cookie["attributes"]).iter().map(|a| text(&a["name"])) {
        if name.is_empty() {
            found.error("cookie attribute name cannot be empty");
        } else if !seen.insert(name) {
            found.error(format!("duplicate cookie attribute name: {name}"));
        }
    }
    let number = |value: &Value| value.as_u64().or_else(|| text(value).parse().ok()).unwrap_or(0);
    if number(&hash["minimumRingSize"]) != 0 {
        found.warn(RING);
        let other = !hash["maglev"].is_null() || !hash["ringHash"].is_null();
        found.error_if(other, "only one of MinimumRingSize or Maglev/Ringhash can be specified");
    }
    if !hash["maglev"].is_null() {
        let size = number(&hash["maglev"]["tableSize"]);
        found.error_if(size == 0, "tableSize must be set for maglev");
        found.error_if(size >= 5_000_011, "tableSize must be less than 5000011 for maglev");
        found.error_if(!is_prime(size), "tableSize must be a prime number for maglev");
    }
}

fn is_prime(x: u64) -> bool {
    match x {
        1..=3 => true,
        _ if x.is_multiple_of(2) => false,
        _ => (3..)
            .step_by(2)
            .take_while(|factor: &u64| factor.checked_mul(*factor).is_some_and(|f| f <= x))
            .take(100_000)
            .all(|f| !x.is_multiple_of(f)),
    }
}

fn local(locality: &Value, outlier: bool, found: &mut Validation) {
    let (distribute, over) = (items(&locality["distribute"]), items(&locality["failover"]));
    if !distribute.is_empty() && !over.is_empty() {
        return found.error("can not simultaneously specify 'distribute' and 'failover'");
    }
    let label = texts(&locality["failoverPriority"]).into_iter().find(|l| !over.is_empty() && TOPOLOGY.contains(l));
    if let Some(label) = label {
        return found.error(format!("can not simultaneously set 'failover' and topology label '{label}' in 'failover_priority'"));
    }
    for one in distribute {
        let weights: Vec<u64> =
            one["to"].as_object().into_iter().flatten().map(|(_, weight)| weight.as_u64().unwrap_or(0)).collect();
        if weights.iter().any(|w| !(1..=100).contains(w)) {
            return found.error("locality weight must be in range [1, 100]");
        }
        let total: u64 = weights.iter().sum();
        if total != 100 {
            return found.error(format!("total locality weight {total} != 100"));
        }
        let to: Vec<&str> = one["to"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        found.check(localities(&to));
    }
    found.check(localities(&distribute.iter().map(|d| text(&d["from"])).collect::<Vec<_>>()));
    failover(locality, outlier, false, found);
}

/// `region/zone/subzone`, a `*` at the end only, none within another.
fn localities(list: &[&str]) -> Result<(), String> {
    let mut seen: Vec<Vec<&str>> = Vec::new();
    for name in list {
        let stars = name.matches('*').count();
        if stars > 1 || stars == 1 && !name.ends_with('*') {
            return Err(format!("locality {name} wildcard '*' number can not exceed 1 and must be in the end"));
        }
        let parts: Vec<&str> = name.splitn(3, '/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(format!("locality {name} must not contain empty region/zone/subzone info"));
        }
        let parts: Vec<&str> = parts.into_iter().filter(|part| *part != "*").collect();
        if seen.iter().any(|other| parts.starts_with(other) || other.starts_with(&parts) && parts.len() < 3) {
            return Err(format!("locality {name} overlap with previous specified ones"));
        }
        seen.push(parts);
    }
    Ok(())
}

fn failover(settings: &Value, outlier: bool, zone: bool, found: &mut Validation) {
    let over = items(&settings["failover"]);
    let some = !over.is_empty() || !texts(&settings["failoverPriority"]).is_empty();
    if some && !outlier {
        found.warn("outlier detection policy must be provided for failover");
    }
    let what = if zone { "zone aware lb" } else { "locality lb" };
    for one in over {
        let (from, to) = (text(&one["from"]), text(&one["to"]));
        if from == to {
            found.error(format!("{what} failover settings must specify different regions"));
        }
        if from.contains('/') || to.contains('/') {
            found.error(match zone {
                true => "zone aware lb failover only specifies region; zone and subzone failover are handled automatically"
                    .to_string(),
                false => "locality lb failover only specify region".into(),
            });
        }
        if from.contains('*') || to.contains('*') {
            found.error(format!("{what} failover region should not contain '*' wildcard"));
        }
    }
}
