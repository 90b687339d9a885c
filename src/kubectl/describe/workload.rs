//! Deployments and replica sets.

use super::container::{Place, containers, tolerations, volumes};
use super::text::{Page, controller, each};
use crate::kubectl::pods;
use crate::kubectl::print::{scalar, time};
use serde_json::Value;

const REVISION: &str = "deployment.kubernetes.io/revision";

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

/// `Pod Template:`.
pub fn template(page: &mut Page, template: &Value) {
    page.line(0, "Pod Template:");
    page.labels("  Labels", &template["metadata"]["labels"]);
    if template["metadata"]["annotations"].as_object().is_some_and(|a| !a.is_empty()) {
        page.annotations("  Annotations", &template["metadata"]["annotations"]);
    }
    let spec = &template["spec"];
    if let Some(account) = spec["serviceAccountName"].as_str().filter(|a| !a.is_empty()) {
        page.line(0, &format!("  Service Account:\t{account}"));
    }
    if !each(&spec["initContainers"]).is_empty() {
        containers(page, "Init Containers", &spec["initContainers"], &Value::Null, &Value::Null, Place::Template);
    }
    containers(page, "Containers", &spec["containers"], &Value::Null, &Value::Null, Place::Template);
    volumes(page, &spec["volumes"], Place::Template);
    page.labels("  Node-Selectors", &spec["nodeSelector"]);
    tolerations(page, "  Tolerations", &spec["tolerations"]);
}

fn conditions(page: &mut Page, list: &Value) {
    if each(list).is_empty() {
        return;
    }
    page.line(0, "Conditions:\n  Type\tStatus\tReason");
    page.line(0, "  ----\t------\t------");
    for c in each(list) {
        page.line(0, &format!("  {} \t{}\t{}", scalar(&c["type"]), scalar(&c["status"]), scalar(&c["reason"])));
    }
}

pub fn deployment(page: &mut Page, object: &Value, sets: &[Value]) {
    let (metadata, spec, status) = (&object["metadata"], &object["spec"], &object["status"]);
    page.field("Name", &metadata["name"]);
    page.field("Namespace", &metadata["namespace"]);
    page.line(0, &format!("CreationTimestamp:\t{}", time::date(metadata["creationTimestamp"].as_str().unwrap_or(""))));
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    page.line(0, &format!("Selector:\t{}", pods::selector(object).unwrap_or_default()));
    page.line(
        0,
        &format!(
            "Replicas:\t{} desired | {} updated | {} total | {} available | {} unavailable",
            spec["replicas"].as_i64().unwrap_or(1),
            number(&status["updatedReplicas"]),
            number(&status["replicas"]),
            number(&status["availableReplicas"]),
            number(&status["unavailableReplicas"])
        ),
    );
    page.line(0, &format!("StrategyType:\t{}", scalar(&spec["strategy"]["type"])));
    page.line(0, &format!("MinReadySeconds:\t{}", number(&spec["minReadySeconds"])));
    if spec["strategy"]["rollingUpdate"].is_object() {
        let rolling = &spec["strategy"]["rollingUpdate"];
        let (down, up) = (scalar(&rolling["maxUnavailable"]), scalar(&rolling["maxSurge"]));
        page.line(0, &format!("RollingUpdateStrategy:\t{down} max unavailable, {up} max surge"));
    }
    template(page, &spec["template"]);
    conditions(page, &status["conditions"]);
    let uid = &metadata["uid"];
    let owned = |set: &&Value| each(&set["metadata"]["ownerReferences"]).iter().any(|o| o["uid"] == *uid);
    let revision = &metadata["annotations"][REVISION];
    let (new, old): (Vec<&Value>, Vec<&Value>) =
        sets.iter().filter(owned).partition(|set| set["metadata"]["annotations"][REVISION] == *revision && !revision.is_null());
    page.line(0, &format!("OldReplicaSets:\t{}", set_names(&old)));
    page.line(0, &format!("NewReplicaSet:\t{}", set_names(&new)));
}

fn set_names(sets: &[&Value]) -> String {
    let name = |set: &&Value| {
        let (have, want) = (number(&set["status"]["replicas"]), number(&set["spec"]["replicas"]));
        format!("{} ({have}/{want} replicas created)", scalar(&set["metadata"]["name"]))
    };
    match sets.is_empty() {
        true => "<none>".into(),
        false => sets.iter().map(name).collect::<Vec<_>>().join(", "),
    }
}

pub fn replicaset(page: &mut Page, object: &Value, pods_found: &[Value]) {
    let (metadata, spec, status) = (&object["metadata"], &object["spec"], &object["status"]);
    page.field("Name", &metadata["name"]);
    page.field("Namespace", &metadata["namespace"]);
    page.line(0, &format!("Selector:\t{}", pods::selector(object).unwrap_or_default()));
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    if let Some(owner) = controller(object) {
        page.line(0, &format!("Controlled By:\t{owner}"));
    }
    page.line(0, &format!("Replicas:\t{} current / {} desired", number(&status["replicas"]), number(&spec["replicas"])));
    let uid = &metadata["uid"];
    let owned: Vec<&Value> =
        pods_found.iter().filter(|p| each(&p["metadata"]["ownerReferences"]).iter().any(|o| o["uid"] == *uid)).collect();
    let count = |phase: &str| owned.iter().filter(|p| p["status"]["phase"] == phase).count();
    page.line(
        0,
        &format!(
            "Pods Status:\t{} Running / {} Waiting / {} Succeeded / {} Failed",
            count("Running"),
            count("Pending"),
            count("Succeeded"),
            count("Failed")
        ),
    );
    template(page, &spec["template"]);
    conditions(page, &status["conditions"]);
}
