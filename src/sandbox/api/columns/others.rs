//! Cells of volumes, revisions, policies and signing requests.

use super::{list, or, plain};
use crate::k8s::Object;
use serde_json::{Value, json};

/// Name, Capacity, Access Modes, Reclaim Policy, Status, Claim, StorageClass, VolumeAttributesClass, Reason, Age, VolumeMode.
pub fn volume(o: &Object, age: Value) -> Vec<Value> {
    let spec = |field: &str| json!(plain(o.at(&["spec", field])));
    let claim = match o.at(&["spec", "claimRef"]) {
        Value::Null => String::new(),
        claim => format!("{}/{}", plain(&claim["namespace"]), plain(&claim["name"])),
    };
    vec![
        json!(o.name()),
        json!(plain(o.at(&["spec", "capacity", "storage"]))),
        json!(access_modes(o)),
        spec("persistentVolumeReclaimPolicy"),
        json!(plain(o.at(&["status", "phase"]))),
        json!(claim),
        spec("storageClassName"),
        json!(or(&plain(o.at(&["spec", "volumeAttributesClassName"])), "<unset>")),
        json!(plain(o.at(&["status", "reason"]))),
        age,
        json!(or(&plain(o.at(&["spec", "volumeMode"])), "<unset>")),
    ]
}

/// `RWO,ROX`: access modes in their short form.
pub fn access_modes(o: &Object) -> String {
    let short = |mode: &str| match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        _ => "",
    };
    let modes = list(o.at(&["spec", "accessModes"]));
    modes.split(',').map(short).filter(|m| !m.is_empty()).collect::<Vec<_>>().join(",")
}

/// Name, Controller, Revision, Age.
pub fn revision(o: &Object, age: Value) -> Vec<Value> {
    let owners = o.at(&["metadata", "ownerReferences"]).as_array().into_iter().flatten();
    let controller = owners.into_iter().find(|r| r["controller"] == true).map(|r| {
        let group = r["apiVersion"].as_str().and_then(|v| v.split_once('/')).map_or(String::new(), |(g, _)| format!(".{g}"));
        format!("{}{group}/{}", plain(&r["kind"]).to_lowercase(), plain(&r["name"]))
    });
    let controller = controller.unwrap_or_else(|| "<none>".into());
    vec![json!(o.name()), json!(controller), json!(o.at(&["revision"]).as_i64().unwrap_or(0)), age]
}

/// Name, Validations, ParamKind, Age.
pub fn admission_policy(o: &Object, age: Value) -> Vec<Value> {
    let kind = match o.at(&["spec", "paramKind"]) {
        Value::Null => "<unset>".to_string(),
        kind => format!("{}/{}", plain(&kind["apiVersion"]), plain(&kind["kind"])),
    };
    vec![json!(o.name()), json!(o.at(&["spec", "validations"]).as_array().map_or(0, Vec::len)), json!(kind), age]
}

/// Name, Age, SignerName, Requestor, RequestedDuration, Condition.
pub fn signing_request(o: &Object, age: Value) -> Vec<Value> {
    let conditions = o.at(&["status", "conditions"]).as_array().into_iter().flatten();
    let mut words: Vec<String> = conditions.map(|c| plain(&c["type"])).collect();
    if words.is_empty() {
        words.push("Pending".into());
    }
    if !plain(o.at(&["status", "certificate"])).is_empty() {
        words.push("Issued".into());
    }
    let duration = o.at(&["spec", "expirationSeconds"]).as_i64().map(|s| crate::base::duration::human(s.saturating_mul(1000)));
    vec![
        json!(o.name()),
        age,
        json!(or(&plain(o.at(&["spec", "signerName"])), "<none>")),
        json!(plain(o.at(&["spec", "username"]))),
        json!(duration.unwrap_or_else(|| "<none>".into())),
        json!(words.join(",")),
    ]
}
