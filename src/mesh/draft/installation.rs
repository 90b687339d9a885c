//! Installation files (IstioOperator, Helm values of istiod) and the demo installation: what they would create, where nothing else
//! says it.

use super::{Draft, EARLIER, Suppose, Written};
use crate::base::yaml;
use crate::k8s::Object;
use crate::mesh::install::{self, InstallOptions};
use serde_json::{Value, json};

/// What a standard installation uses to inject: looked at where the objects have none of their own.
pub struct Workings {
    pub injection: Vec<Object>,
}

/// Whether a document says how Istio is installed.
pub fn is_settings(written: &Written) -> bool {
    is_operator(&written.object) || is_values(&written.object)
}

fn is_operator(object: &Object) -> bool {
    object.kind() == "IstioOperator" && object.group() == "install.istio.io"
}

/// Values of the istiod chart.
fn is_values(object: &Object) -> bool {
    object.kind().is_empty() && object.api_version().is_empty() && object.at(&["meshConfig"]).is_object()
}

/// The document as an IstioOperator.
fn operator_text(object: &Object) -> String {
    let own = |key: &str| object.at(&[key]).clone();
    let value = match is_operator(object) {
        true => json!({"apiVersion": object.api_version(), "kind": "IstioOperator", "spec": object.spec()}),
        false => {
            let env = object.at(&["pilot", "env"]).clone();
            let mut spec = json!({"profile": "minimal", "meshConfig": own("meshConfig")});
            if env.is_object() {
                spec["values"] = json!({"pilot": {"env": env}});
            }
            json!({"apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator", "spec": spec})
        }
    };
    yaml::write(&value)
}

/// Puts in what the installation would create and what is not there.
///
/// # Errors
/// A sentence: a release or setting that is not known.
pub fn settle(draft: &mut Draft, files: &[Written], suppose: &Suppose) -> Result<Workings, String> {
    let texts: Vec<String> = files.iter().map(|w| operator_text(&w.object)).collect();
    let places: Vec<String> = files.iter().map(|w| w.at.clone()).collect();
    let mode = suppose.demo.as_deref().filter(|mode| !mode.is_empty());
    let options = InstallOptions {
        profile: if suppose.demo.is_some() { "demo".into() } else { String::new() },
        files: texts,
        settings: mode.map(|m| format!("meshConfig.outboundTrafficPolicy.mode={m}")).into_iter().collect(),
        version: suppose.version.clone(),
    };
    let written_map = draft.snapshot.find("", "ConfigMap", "istio-system", "istio").is_some();
    if !files.is_empty() || suppose.demo.is_some() {
        let objects = install::workings(&options).map_err(|e| match places.as_slice() {
            [] => e.to_string(),
            places => format!("{}: istioctl would not install this: {e}", places.join(", ")),
        })?;
        let names = put_missing(draft, objects);
        let release = &install::release(&options).map_err(|e| e.to_string())?.line;
        let said = match suppose.demo.is_some() {
            true => format!("the demo installation of Istio {release}"),
            false => format!("what {} installs (Istio {release})", places.join(", ")),
        };
        if !names.is_empty() {
            draft.assume(format!("{said} stands in for what is not written: {}", names.join(", ")));
        }
    }
    match (mode, written_map) {
        (Some(mode), true) => draft.assume(format!("ConfigMap istio-system/istio is written: {mode} of --assume is not used")),
        (None, false) if files.is_empty() && suppose.demo.is_none() => {
            draft.assume("nothing written sets the mesh configuration: Istio's defaults hold, outboundTrafficPolicy ALLOW_ANY");
        }
        _ => {}
    }
    let standard = InstallOptions { profile: "minimal".into(), version: suppose.version.clone(), ..InstallOptions::default() };
    let injection = install::workings(&standard).map_err(|e| e.to_string())?;
    let of_injection = |o: &Object| o.kind() == "MutatingWebhookConfiguration" || o.name() == "istio-sidecar-injector";
    Ok(Workings { injection: injection.into_iter().filter(of_injection).collect() })
}

/// Adds the objects that are not there; the names of those that matter.
fn put_missing(draft: &mut Draft, objects: Vec<Object>) -> Vec<String> {
    let mut names = Vec::new();
    for mut object in objects {
        let key = object.key();
        if draft.snapshot.get(&key).is_some() {
            continue;
        }
        let name = match object.kind() {
            "ConfigMap" if object.name() == "istio" => Some(key.to_string()),
            "Deployment" => Some(object.name().to_string()),
            _ => None,
        };
        names.extend(name);
        object.set(&["metadata", "creationTimestamp"], Value::from(EARLIER));
        draft.put(object);
    }
    names.sort();
    names
}
