//! Namespaces, config maps, secrets, service accounts.

use super::text::{Page, each};
use crate::kubectl::print::scalar;
use serde_json::Value;

fn head(page: &mut Page, object: &Value, with_namespace: bool) {
    let metadata = &object["metadata"];
    page.field("Name", &metadata["name"]);
    if with_namespace {
        page.field("Namespace", &metadata["namespace"]);
    }
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
}

pub fn namespace(page: &mut Page, object: &Value, quotas: Option<&[Value]>, limits: Option<&[Value]>) {
    head(page, object, false);
    page.field("Status", &object["status"]["phase"]);
    if let Some(quotas) = quotas {
        page.line(0, "");
        match quotas {
            [] => page.line(0, "No resource quota."),
            quotas => {
                page.line(0, "Resource Quotas");
                quotas.iter().for_each(|quota| describe_quota(page, quota));
            }
        }
    }
    if let Some(limits) = limits {
        page.line(0, "");
        match limits {
            [] => page.line(0, "No LimitRange resource."),
            limits => {
                page.line(0, "Resource Limits");
                page.line(0, " Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio");
                page.line(0, " ----\t--------\t---\t---\t---------------\t-------------\t-----------------------");
                limits.iter().for_each(|limit| describe_limit(page, limit));
            }
        }
    }
}

fn describe_quota(page: &mut Page, quota: &Value) {
    page.line(0, &format!("  Name:\t{}", scalar(&quota["metadata"]["name"])));
    page.line(0, "  Resource\tUsed\tHard");
    page.line(0, "  --------\t---\t---");
    let hard = if quota["status"]["hard"].is_object() { &quota["status"]["hard"] } else { &quota["spec"]["hard"] };
    for (resource, amount) in hard.as_object().into_iter().flatten() {
        let used = quota["status"]["used"][resource].as_str().unwrap_or("0");
        page.line(0, &format!("  {resource}\t{used}\t{}", scalar(amount)));
    }
}

fn describe_limit(page: &mut Page, limit: &Value) {
    for item in each(&limit["spec"]["limits"]) {
        let fields = ["min", "max", "defaultRequest", "default", "maxLimitRequestRatio"];
        let mut names: Vec<&String> =
            fields.iter().flat_map(|f| item[f].as_object().into_iter().flatten().map(|(k, _)| k)).collect();
        names.sort();
        names.dedup();
        for name in names {
            let cells: Vec<String> = fields.iter().map(|f| item[f][name].as_str().unwrap_or("-").to_string()).collect();
            page.line(0, &format!(" {}\t{name}\t{}", scalar(&item["type"]), cells.join("\t")));
        }
    }
}

pub fn configmap(page: &mut Page, object: &Value) {
    head(page, object, true);
    page.line(0, "\nData\n====");
    for (key, value) in object["data"].as_object().into_iter().flatten() {
        // Tabs of the data must not become columns: kubectl's own writer has the same weakness, so they stay as they are.
        page.line(0, &format!("{key}:\n----\n{}\n", scalar(value)));
    }
    page.line(0, "\nBinaryData\n====");
    for (key, value) in object["binaryData"].as_object().into_iter().flatten() {
        page.line(0, &format!("{key}: {} bytes", decoded_length(value)));
    }
    page.line(0, "");
}

pub fn secret(page: &mut Page, object: &Value) {
    head(page, object, true);
    page.line(0, &format!("\nType:\t{}", scalar(&object["type"])));
    page.line(0, "\nData\n====");
    for (key, value) in object["data"].as_object().into_iter().flatten() {
        page.line(0, &format!("{key}:\t{} bytes", decoded_length(value)));
    }
}

/// How long base64 is when decoded.
fn decoded_length(value: &Value) -> usize {
    let text = value.as_str().unwrap_or("");
    let letters = text.trim_end_matches('=').len();
    letters * 3 / 4
}

pub fn serviceaccount(page: &mut Page, object: &Value) {
    head(page, object, true);
    let names: Vec<String> = each(&object["imagePullSecrets"]).iter().map(|r| scalar(&r["name"])).collect();
    page.column("Image pull secrets", &names);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::tabs;
    use serde_json::json;

    #[test]
    fn a_config_map_as_recorded() {
        let mut page = Page::default();
        configmap(&mut page, &json!({"metadata": {"name": "cfg", "namespace": "lab"}, "data": {"k": "v"}}));
        page.line(0, "Events:\t<none>");
        let want = "Name:         cfg\nNamespace:    lab\nLabels:       <none>\nAnnotations:  <none>\n\nData\n====\nk:\n----\nv\n\n\nBinaryData\n====\n\nEvents:  <none>\n";
        assert_eq!(tabs::describe(&page.take()), want);
    }

    #[test]
    fn a_secret_as_recorded() {
        let mut page = Page::default();
        secret(&mut page, &json!({"metadata": {"name": "s1", "namespace": "lab"}, "type": "Opaque", "data": {"pw": "eA=="}}));
        let want = "Name:         s1\nNamespace:    lab\nLabels:       <none>\nAnnotations:  <none>\n\nType:  Opaque\n\nData\n====\npw:  1 bytes\n";
        assert_eq!(tabs::describe(&page.take()), want);
    }
}
