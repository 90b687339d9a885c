//! Pods whose traffic no sidecar sees.

use super::{Check, Report, View};
use crate::k8s::Object;
use crate::mesh::analyze::{Level, items, selector_fits};
use serde_json::Value;

pub const CHECKS: &[Check] = &[
    Check {
        id: "EGL201",
        level: Level::Warning,
        about: "a namespace's labels that no injection webhook looks for",
        mistakes: &["M11"],
        run: unmatched_labels,
    },
    Check {
        id: "EGL202",
        level: Level::Warning,
        about: "a pod that opted out of injection in a namespace that wants it",
        mistakes: &["M12"],
        run: opted_out,
    },
    Check {
        id: "EGL203",
        level: Level::Warning,
        about: "annotations or settings that keep traffic away from the sidecar",
        mistakes: &["M16"],
        run: excluded,
    },
    Check {
        id: "EGL204",
        level: Level::Info,
        about: "a sidecar that starts beside its application",
        mistakes: &["M13"],
        run: beside,
    },
    Check {
        id: "EGL205",
        level: Level::Warning,
        about: "an init container that runs before the sidecar",
        mistakes: &["M14"],
        run: before,
    },
];

const INJECT: &str = "sidecar.istio.io/inject";

fn unmatched_labels(view: &View<'_>, report: &mut Report<'_>) {
    let configurations = view.each("admissionregistration.k8s.io", "MutatingWebhookConfiguration");
    let hooks: Vec<&Value> = configurations.iter().flat_map(|c| items(&c.0["webhooks"])).collect();
    for namespace in view.namespaces.iter().filter(|_| !configurations.is_empty()) {
        let field = match (namespace.label("istio-injection"), namespace.label("istio.io/rev")) {
            (Some("enabled"), _) => "metadata.labels[istio-injection]",
            (None, Some(_)) => "metadata.labels[istio.io/rev]",
            _ => continue,
        };
        // A plain pod of the namespace.
        let labels = namespace.labels();
        let none = std::collections::BTreeMap::new();
        let fits = |w: &&&Value| selector_fits(&w["namespaceSelector"], &labels) && selector_fits(&w["objectSelector"], &none);
        if !hooks.iter().any(|w| fits(&w)) {
            let text = "No injection webhook selects this namespace, so its pods get no sidecar.";
            report.add(
                namespace,
                field,
                text,
                "use the label of an installed revision (istioctl tag list, kubectl get mutatingwebhookconfigurations)",
            );
        }
    }
}

/// Whether pods of a namespace are to be injected.
fn wanted(view: &View<'_>, namespace: &str) -> bool {
    let found = view.namespaces.iter().find(|ns| ns.name() == namespace);
    found.is_some_and(|ns| ns.label("istio-injection") == Some("enabled") || ns.label("istio.io/rev").is_some())
}

fn opted_out(view: &View<'_>, report: &mut Report<'_>) {
    let next = "remove it and create the pod anew if its traffic is to be controlled";
    for pod in view.pods.iter().filter(|pod| wanted(view, pod.namespace())) {
        let text = |what: &str| format!("{what} keeps the sidecar out of this pod, so nothing controls what it reaches.");
        if pod.label(INJECT).is_some_and(|v| v.eq_ignore_ascii_case("false")) {
            report.add(pod, "metadata.labels[sidecar.istio.io/inject]", &text("The label"), next);
        } else if pod.label(INJECT).is_none() && pod.annotation(INJECT).is_some_and(|v| v.eq_ignore_ascii_case("false")) {
            report.add(pod, "metadata.annotations[sidecar.istio.io/inject]", &text("The annotation"), next);
        } else if pod.at(&["spec", "hostNetwork"]) == true {
            report.add(pod, "spec.hostNetwork", &text("The host's network"), next);
        }
    }
}

/// Annotations, and the value that excludes nothing.
const EXCLUDING: [(&str, &str); 4] = [
    ("traffic.sidecar.istio.io/excludeOutboundPorts", ""),
    ("traffic.sidecar.istio.io/excludeOutboundIPRanges", ""),
    ("traffic.sidecar.istio.io/includeOutboundIPRanges", "*"),
    ("traffic.sidecar.istio.io/excludeInterfaces", ""),
];

fn excluded(view: &View<'_>, report: &mut Report<'_>) {
    let templates = view.each("apps", "Deployment").into_iter().map(|d| {
        let template = Object(d.at(&["spec", "template"]).clone());
        (d, template, "spec.template.")
    });
    let pods = view.pods.iter().map(|pod| (pod.clone(), Object::clone(pod), ""));
    for (object, template, prefix) in templates.chain(pods) {
        for (name, all) in EXCLUDING {
            let Some(value) = template.annotation(name).filter(|value| *value != all) else { continue };
            let text = format!("{name}: {value:?} lets connections pass the sidecar by: no rule, no log line.");
            let field = format!("{prefix}metadata.annotations[{name}]");
            report.add(&object, &field, &text, "remove the annotation and create the pod anew");
        }
    }
    for map in view.each("", "ConfigMap").iter().filter(|m| m.name().starts_with("istio-sidecar-injector")) {
        let values: Value = serde_json::from_str(map.str_at(&["data", "values"])).unwrap_or_default();
        let proxy = &values["global"]["proxy"];
        for (field, all) in [("includeIPRanges", "*"), ("excludeIPRanges", ""), ("excludeOutboundPorts", "")] {
            let Some(value) = proxy[field].as_str().filter(|value| *value != all && !(all == "*" && value.is_empty())) else {
                continue;
            };
            let text = format!("global.proxy.{field}: {value:?} lets connections of every injected pod pass its sidecar by.");
            report.add(
                map,
                &format!("data.values global.proxy.{field}"),
                &text,
                "reinstall without that value, then create the pods anew",
            );
        }
    }
}

/// Pods whose proxy is an ordinary container (no native sidecar).
fn classic<'v>(view: &'v View<'_>) -> impl Iterator<Item = &'v std::sync::Arc<Object>> {
    let has = |pod: &Object| items(pod.at(&["spec", "containers"])).iter().any(|c| c["name"] == PROXY);
    view.pods.iter().filter(move |pod| has(pod) && !view.is_gateway(pod))
}

const PROXY: &str = "istio-proxy";
const HOLD: &str = "holdApplicationUntilProxyStarts";

fn beside(view: &View<'_>, report: &mut Report<'_>) {
    if view.mesh()["defaultConfig"][HOLD] == true {
        return;
    }
    for pod in classic(view) {
        let own = pod.annotation("proxy.istio.io/config").unwrap_or("");
        let holds = crate::base::yaml::parse(own).is_ok_and(|config| config[HOLD] == true);
        let first = items(pod.at(&["spec", "containers"]))[0]["name"] == PROXY;
        if !holds && !first {
            let text =
                "The application starts beside its proxy: requests of its first seconds may find nobody who forwards them.";
            let next = "set holdApplicationUntilProxyStarts: true there, or let Istio use native sidecars";
            report.add(pod, "metadata.annotations[proxy.istio.io/config]", text, next);
        }
    }
}

fn before(view: &View<'_>, report: &mut Report<'_>) {
    for pod in classic(view) {
        let containers = items(pod.at(&["spec", "initContainers"]));
        let of_istio = |c: &Value| matches!(c["name"].as_str(), Some("istio-init" | "istio-validation"));
        for (i, _) in containers.iter().enumerate().filter(|(_, c)| !of_istio(c)) {
            let text = "This init container runs before the sidecar: what it sends passes the proxy by, or fails where the CNI plugin \
                        redirects already.";
            let next = "let Istio use native sidecars, run it as user 1337, or exclude the ports that it needs";
            report.add(pod, &format!("spec.initContainers[{i}]"), text, next);
        }
    }
}
