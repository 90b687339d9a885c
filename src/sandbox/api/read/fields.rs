//! Which fields of a kind can be selected (the AddFieldLabelConversionFunc of each API group), and what refuses the others.

use crate::k8s::selector::FieldSelector;
use crate::sandbox::api::registry::Resource;
use crate::sandbox::call::Refusal;

const POD: &[&str] = &[
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.podIPs",
    "status.nominatedNodeName",
];
const EVENT: &[&str] = &[
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
];

/// The fields of a built-in kind beside name and namespace; `None` for kinds that have no more.
fn own(resource: &Resource) -> Option<&'static [&'static str]> {
    Some(match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Pod") => POD,
        ("", "Event") => EVENT,
        ("events.k8s.io", "Event") => &["reason", "type"],
        ("", "Namespace") => &["status.phase"],
        ("", "Secret") => &["type"],
        ("", "Service") => &["spec.clusterIP", "spec.type"],
        ("", "Node") => &["spec.unschedulable"],
        ("", "ReplicationController") => &["status.replicas"],
        ("batch", "Job") => &["status.successful"],
        ("certificates.k8s.io", "CertificateSigningRequest") => &["spec.signerName"],
        _ => return None,
    })
}

/// Other names of fields.
fn alias(resource: &Resource, path: &str) -> Option<String> {
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Pod") if path == "spec.host" => Some("spec.nodeName".into()),
        ("events.k8s.io", "Event") if path == "reportingController" => Some("reportingComponent".into()),
        ("events.k8s.io", "Event") => {
            let member = path.strip_prefix("regarding.")?;
            let path = format!("involvedObject.{member}");
            EVENT.contains(&path.as_str()).then_some(path)
        }
        _ => None,
    }
}

/// Reads a field selector for a kind.
///
/// # Errors
/// 400 in the API server's words.
pub fn read(text: &str, resource: &Resource) -> Result<FieldSelector, Refusal> {
    let mut fields = FieldSelector::parse(text).map_err(Refusal::bad_request)?;
    for requirement in &mut fields.0 {
        match alias(resource, &requirement.path) {
            Some(path) => requirement.path = path,
            None => known(resource, &requirement.path)?,
        }
    }
    Ok(fields)
}

fn known(resource: &Resource, path: &str) -> Result<(), Refusal> {
    let own = own(resource);
    let selectable = || {
        let version = resource.custom.as_ref().and_then(|custom| custom.version(&resource.version));
        version.is_some_and(|version| version.selectable.iter().any(|field| field == path))
    };
    let good = match path {
        "metadata.name" => true,
        // Kinds with rules of their own know that they are in no namespace.
        "metadata.namespace" => resource.namespaced || own.is_none() && resource.custom.is_none(),
        path => own.is_some_and(|own| own.contains(&path)) || selectable(),
    };
    if good {
        return Ok(());
    }
    Err(Refusal::bad_request(match (resource.kind.as_str(), own, &resource.custom) {
        ("Job", ..) => format!("field label {path:?} not supported for Job"),
        (_, Some(_), _) | (_, _, Some(_)) => format!("field label not supported: {path}"),
        _ => format!("{path:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""),
    }))
}
