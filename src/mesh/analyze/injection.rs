//! Sidecar injection: labels of namespaces, pods without a proxy, images (S: analyzers/injection).

use super::{Context, bracketed, full_name, items, selector_fits, text};
use crate::k8s::Object;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const AMBIENT: &str = "istio.io/dataplane-mode";
const REVISION: &str = "istio.io/rev";

/// Analyzer.
pub fn labels(context: &mut Context<'_>) {
    let mut injected = BTreeSet::new();
    // Istio's variable outlives the namespace it was read for.
    let mut by_default = false;
    for namespace in context.core("Namespace").iter().filter(|ns| ns.name() != "istio-system") {
        let name = namespace.name();
        let injection = namespace.label("istio-injection");
        let mut labels: Vec<String> = injection.iter().map(|v| format!("istio-injection={v}")).collect();
        for label in [REVISION, AMBIENT] {
            if let Some(value) = namespace.label(label).filter(|_| injection.is_none_or(|v| v == "enabled")) {
                labels.push(format!("{label}={value}"));
            }
        }
        if labels.len() > 1 {
            let text = format!(
                "The namespace has more than one type of injection labels {}, which may lead to undefined behavior. Make sure only one \
                 injection label exists.",
                bracketed(&labels)
            );
            context.report(namespace, "IST0123", text);
        }
        if namespace.label(AMBIENT) == Some("ambient") {
            continue;
        }
        if let Some(values) = injector_values(context, namespace.label(REVISION).unwrap_or("")) {
            by_default = values["sidecarInjectorWebhook"]["enableNamespacesByDefault"] == true;
        }
        match injection.unwrap_or("") {
            "" if namespace.label(REVISION).is_none() => not_injected(context, namespace, by_default),
            "enabled" => drop(injected.insert(name.to_string())),
            _ => (),
        }
    }
    for pod in context.core("Pod") {
        if injected.contains(pod.namespace()) && wants_proxy(&pod) && proxy_image(&pod).is_empty() {
            let text = format!(
                "The pod {} is missing the Istio proxy. This can often be resolved by restarting or redeploying the workload.",
                full_name(&pod)
            );
            context.report(&pod, "IST0103", text);
        }
    }
}

fn not_injected(context: &mut Context<'_>, namespace: &Object, by_default: bool) {
    let name = namespace.name();
    if by_default {
        let text = "is enabled for Istio injection, as Istio is installed with enableNamespacesByDefault as true.";
        return context.report(namespace, "IST0148", text.into());
    }
    let text = format!(
        "The namespace is not enabled for Istio injection. Run 'kubectl label namespace {name} istio-injection=enabled' to enable it, or \
         'kubectl label namespace {name} istio-injection=disabled' to explicitly mark it as not needing injection."
    );
    context.report_at(namespace, "IST0102", text, "metadata.name");
}

/// The injector's values of a revision; `None` when there is no such ConfigMap.
fn injector_values(context: &Context<'_>, revision: &str) -> Option<Value> {
    let name = match revision {
        "" | "default" => "istio-sidecar-injector".to_string(),
        revision => format!("istio-sidecar-injector-{revision}"),
    };
    let map = context.core("ConfigMap").into_iter().find(|map| map.name() == name)?;
    Some(serde_json::from_str(map.str_at(&["data", "values"])).unwrap_or_default())
}

fn wants_proxy(pod: &Object) -> bool {
    let asked = pod.label("sidecar.istio.io/inject").or(pod.annotation("sidecar.istio.io/inject")).unwrap_or("");
    !asked.eq_ignore_ascii_case("false") && pod.at(&["spec", "hostNetwork"]) != true
}

/// Containers, then init containers.
fn containers(pod: &Object) -> impl Iterator<Item = &Value> {
    items(pod.at(&["spec", "containers"])).iter().chain(items(pod.at(&["spec", "initContainers"])))
}

/// The image of the proxy among them, "" when there is none.
pub fn proxy_image(pod: &Object) -> &str {
    containers(pod).find(|c| text(&c["name"]) == "istio-proxy").map_or("", |c| text(&c["image"]))
}

/// Whether a pod is in the mesh as the analyzers see it (S: analyzers/util in_mesh.go PodInMesh).
pub fn in_mesh(context: &Context<'_>, object: &Object, template: &Object) -> bool {
    if !proxy_image(template).is_empty() {
        return true;
    }
    if let Some(asked) = template.label("sidecar.istio.io/inject").or(template.annotation("sidecar.istio.io/inject")) {
        return asked == "true";
    }
    let namespace = context.core("Namespace").into_iter().find(|ns| ns.name() == object.namespace());
    namespace.is_some_and(|ns| ns.label("istio-injection") == Some("enabled"))
}

/// ImageAnalyzer.
pub fn images(context: &mut Context<'_>) {
    let mut injected = BTreeMap::new();
    for namespace in context.core("Namespace") {
        if let Some(revision) = namespace.label(REVISION) {
            injected.insert(namespace.name().to_string(), revision.to_string());
        } else if namespace.label("istio-injection") == Some("enabled") {
            injected.insert(namespace.name().to_string(), "default".into());
        }
    }
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pod in context.core("Pod") {
        let Some(revision) = injected.get(pod.namespace()) else { continue };
        let own = pod.annotation("sidecar.istio.io/proxyImage").is_some_and(|image| !image.is_empty());
        let Some(values) = injector_values(context, revision).filter(|_| !own) else { continue };
        let image = configured_image(&values);
        let variant = image_type(context, &pod);
        let fits = |have: &str| have == image || have == format!("{image}-{variant}");
        for _ in containers(&pod).filter(|c| text(&c["name"]) == "istio-proxy" && !fits(text(&c["image"]))) {
            wrong.entry(pod.namespace().to_string()).or_default().push(pod.name().to_string());
        }
    }
    for (name, mut pods) in wrong {
        pods.sort();
        let Some(namespace) = context.core("Namespace").into_iter().find(|ns| ns.name() == name) else { continue };
        let text = format!(
            "The Istio proxy images of the pods running in the namespace do not match the image defined in the injection configuration (pod \
             names: {}). This often happens after upgrading the Istio control-plane and can be fixed by redeploying the pods.",
            bracketed(&pods)
        );
        context.report(&namespace, "IST0158", text);
    }
}

fn configured_image(values: &Value) -> String {
    let global = &values["global"];
    let image = text(&global["proxy"]["image"]);
    if image.contains('/') { image.to_string() } else { format!("{}/{image}:{}", text(&global["hub"]), text(&global["tag"])) }
}

/// The image type in force for a pod: mesh, ProxyConfigs from wide to narrow, annotation.
fn image_type(context: &Context<'_>, pod: &Object) -> String {
    let mut found = context.mesh_text(&["defaultConfig", "image", "imageType"]).to_string();
    let mut take = |value: &str| {
        if !value.is_empty() {
            found = value.to_string();
        }
    };
    let configs = context.networking("ProxyConfig");
    let kind = |o: &Object| text(o.at(&["spec", "image", "imageType"])).to_string();
    let root = context.input.root_namespace;
    configs.iter().filter(|o| o.namespace() == root).for_each(|o| take(&kind(o)));
    let here = || configs.iter().filter(|o| o.namespace() != root && o.namespace() == pod.namespace());
    here().filter(|o| o.at(&["spec", "selector"]).is_null()).for_each(|o| take(&kind(o)));
    let fits = |o: &Object| super::selects(o.at(&["spec", "selector", "matchLabels"]), pod);
    here().filter(|o| !o.at(&["spec", "selector"]).is_null() && fits(o)).for_each(|o| take(&kind(o)));
    let own = pod.annotation("proxy.istio.io/config").and_then(|t| crate::base::yaml::parse(t).ok()).unwrap_or_default();
    take(text(&own["image"]["imageType"]));
    if found == "default" { String::new() } else { found }
}

/// ImageAutoAnalyzer.
pub fn auto_images(context: &mut Context<'_>) {
    let auto = |spec: &Value| {
        items(&spec["containers"]).iter().any(|c| text(&c["name"]) == "istio-proxy" && text(&c["image"]) == "auto")
    };
    let sentence = |kind: &str, name: &str| {
        format!("{kind} {name} contains `image: auto` but does not match any Istio injection webhook selectors.")
    };
    for pod in context.core("Pod").iter().filter(|pod| auto(pod.spec())) {
        context.report(pod, "IST0147", sentence("Pod", pod.name()));
    }
    let configurations = context.each("admissionregistration.k8s.io", "MutatingWebhookConfiguration");
    let webhooks: Vec<&Value> =
        configurations.iter().flat_map(|c| items(&c.0["webhooks"])).filter(|w| text(&w["name"]).ends_with("istio.io")).collect();
    for object in context.each("apps", "Deployment").iter().filter(|d| auto(d.at(&["spec", "template", "spec"]))) {
        let name = if object.namespace().is_empty() { "default" } else { object.namespace() };
        let namespace = context.core("Namespace").into_iter().find(|ns| ns.name() == name);
        let of_namespace = namespace.as_ref().map(|ns| ns.labels()).unwrap_or_default();
        let template = Object(object.at(&["spec", "template"]).clone());
        let fits = |w: &&&Value| {
            selector_fits(&w["namespaceSelector"], &of_namespace) && selector_fits(&w["objectSelector"], &template.labels())
        };
        if !webhooks.iter().any(|w| fits(&w)) {
            context.report(object, "IST0146", sentence("Deployment", object.name()));
        }
    }
}
