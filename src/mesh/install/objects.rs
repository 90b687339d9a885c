//! From an IstioOperator's spec to the objects of each component.

use super::fill::fill;
use super::operator::Operator;
use super::{Component, Error};
use crate::base::yaml;
use crate::k8s::Object;
use serde_json::{Map, Value, json};

const BASE: &str = include_str!("../../../assets/istio/base.yaml");
const ISTIOD: &str = include_str!("../../../assets/istio/istiod.yaml");
const GATEWAY: &str = include_str!("../../../assets/istio/gateway.yaml");
const WEBHOOKS: &str = include_str!("../../../assets/istio/webhooks.yaml");
/// What injection adds to a pod, with placeholders: the standard template of the releases imitated.
pub(in crate::mesh) const SIDECAR: &str = include_str!("../../../assets/istio/sidecar.yaml");

static NULL: Value = Value::Null;

impl Operator {
    /// The value at a path of the merged spec (`values.pilot.env`), `Null` when it is missing.
    pub fn at(&self, path: &str) -> &Value {
        path.split('.').fold(&self.spec, |v, key| v.get(key).unwrap_or(&NULL))
    }

    fn text(&self, path: &str) -> String {
        match self.at(path) {
            Value::String(s) => s.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        }
    }

    fn on(&self, path: &str) -> bool {
        self.at(path) == &Value::Bool(true)
    }
}

/// The objects of a component; empty when it is off.
pub fn of(component: Component, operator: &Operator) -> Result<Vec<Object>, Error> {
    let objects = match component {
        Component::Base if operator.on("components.base.enabled") => from_text(BASE, &|_| None)?,
        Component::Pilot if operator.on("components.pilot.enabled") => istiod(operator)?,
        Component::IngressGateways => gateways(operator, "ingressGateways", "istio-ingressgateway", "ingressgateway")?,
        Component::EgressGateways => gateways(operator, "egressGateways", "istio-egressgateway", "egressgateway")?,
        _ => Vec::new(),
    };
    Ok(objects)
}

/// Labels every object as the installer does, so that a later install or uninstall finds what it owns.
pub fn own(mut object: Object, component: Component, operator: &Operator) -> Object {
    let labels = [
        ("install.operator.istio.io/owning-resource", "unknown".to_string()),
        ("operator.istio.io/component", component.label().to_string()),
        ("operator.istio.io/managed", "Reconcile".to_string()),
        ("operator.istio.io/version", operator.text("tag")),
    ];
    for (key, value) in labels {
        object.set(&["metadata", "labels", key], json!(value));
    }
    object
}

/// The documents of an asset, filled; one whose `when` is not true is left out.
fn from_text(text: &str, get: &dyn Fn(&str) -> Option<Value>) -> Result<Vec<Object>, Error> {
    let documents = yaml::parse_documents(text).map_err(|e| Error::Invalid(e.to_string()))?;
    let filled = documents.iter().map(|document| Object(fill(document, get)));
    Ok(filled
        .filter_map(|mut object| match object.remove(&["when"]) {
            Some(Value::Bool(false)) => None,
            _ => Some(object),
        })
        .collect())
}

fn istiod(operator: &Operator) -> Result<Vec<Object>, Error> {
    let (on, off) = webhooks(operator)?;
    let pilot = |name: &str| operator.at("values.pilot").get(name).cloned().unwrap_or(Value::Null);
    let get = |name: &str| -> Option<Value> {
        Some(match name {
            "hub" => json!(operator.text("hub")),
            "tag" => json!(operator.text("tag")),
            "mesh" => json!(mesh_text(operator)),
            "injector_config" => json!(injector_config(operator)),
            "injector_values" => json!(injector_values(operator)),
            "pilot_replicas" => {
                if pilot("autoscaleEnabled") == true {
                    Value::Null
                } else {
                    pilot("replicaCount")
                }
            }
            "pilot_env" => pilot_env(operator),
            "pilot_resources" => pilot("resources"),
            "pilot_autoscale" => json!(pilot("autoscaleEnabled") == true),
            "pilot_min" => pilot("autoscaleMin"),
            "pilot_max" => pilot("autoscaleMax"),
            "webhooks" => on.clone(),
            "webhooks_off" => off.clone(),
            _ => return None,
        })
    };
    from_text(ISTIOD, &get)
}

fn pilot_env(operator: &Operator) -> Value {
    let field =
        |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}});
    let mut env = vec![
        json!({"name": "REVISION", "value": "default"}),
        json!({"name": "PILOT_CERT_PROVIDER", "value": "istiod"}),
        field("POD_NAME", "metadata.name"),
        field("POD_NAMESPACE", "metadata.namespace"),
        field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
        json!({"name": "KUBECONFIG", "value": "/var/run/secrets/remote/config"}),
        json!({"name": "CA_TRUSTED_NODE_ACCOUNTS", "value": "istio-system/ztunnel"}),
    ];
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_string);
    let own = operator.at("values.pilot.env").as_object().into_iter().flatten();
    env.extend(own.map(|(name, value)| json!({"name": name, "value": text(value)})));
    env.extend([
        json!({"name": "PILOT_TRACE_SAMPLING", "value": operator.text("values.pilot.traceSampling")}),
        json!({"name": "PILOT_ENABLE_ANALYSIS", "value": "false"}),
        json!({"name": "CLUSTER_ID", "value": "Kubernetes"}),
    ]);
    Value::Array(env)
}

/// The webhook entries in force, and the same entries switched off.
fn webhooks(operator: &Operator) -> Result<(Value, Value), Error> {
    let documents = yaml::parse_documents(WEBHOOKS).map_err(|e| Error::Invalid(e.to_string()))?;
    let by_default = operator.on("values.sidecarInjectorWebhook.enableNamespacesByDefault");
    let entries = documents.first().and_then(Value::as_array).into_iter().flatten();
    let on: Vec<Value> = entries.filter(|e| e.get("only").is_none() || by_default).map(webhook).collect();
    let never = json!({"matchLabels": {"istio.io/deactivated": "never-match"}});
    let off = on.iter().cloned().map(|mut entry| {
        entry["namespaceSelector"] = never.clone();
        entry["objectSelector"] = never.clone();
        entry
    });
    Ok((json!(on), off.collect()))
}

fn webhook(entry: &Value) -> Value {
    json!({
        "name": entry["name"], "namespaceSelector": entry["namespaceSelector"], "objectSelector": entry["objectSelector"],
        "clientConfig": {"service": {"name": "istiod", "namespace": "istio-system", "path": "/inject", "port": 443}},
        "sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Fail", "matchPolicy": "Equivalent",
        "reinvocationPolicy": "Never", "timeoutSeconds": 10,
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "scope": "*"}],
    })
}

/// `data.mesh`: the chart's own settings with the user's meshConfig over them, sorted (S: istio-discovery/templates/configmap.yaml).
pub fn mesh_text(operator: &Operator) -> String {
    let mut mesh = json!({
        "defaultConfig": {"discoveryAddress": "istiod.istio-system.svc:15012"},
        "defaultProviders": {"metrics": ["prometheus"]},
        "enablePrometheusMerge": true, "rootNamespace": "istio-system", "trustDomain": "cluster.local",
    });
    super::operator::lay_over(&mut mesh, operator.at("meshConfig"));
    yaml::write(&mesh)
}

fn injector_config(operator: &Operator) -> String {
    let policy = operator.text("values.global.proxy.autoInject");
    yaml::write(&json!({
        "policy": policy, "alwaysInjectSelector": [], "neverInjectSelector": [], "injectedAnnotations": {},
        "defaultTemplates": ["sidecar"], "templates": {"sidecar": SIDECAR},
    }))
}

/// `data.values`: JSON, as istiod reads it.
fn injector_values(operator: &Operator) -> String {
    let mut global = operator.at("values.global").clone();
    global["hub"] = json!(operator.text("hub"));
    global["tag"] = json!(operator.text("tag"));
    global["istioNamespace"] = json!("istio-system");
    let values = json!({
        "gateways": {}, "global": global, "pilot": {"cni": {"enabled": false}, "env": operator.at("values.pilot.env")}, "revision": "",
        "sidecarInjectorWebhook": operator.at("values.sidecarInjectorWebhook"),
    });
    serde_json::to_string_pretty(&values).expect("a JSON value is always written")
}

fn gateways(operator: &Operator, list: &str, default_name: &str, istio: &str) -> Result<Vec<Object>, Error> {
    let mut objects = Vec::new();
    for gateway in operator.at("components").get(list).and_then(Value::as_array).into_iter().flatten() {
        if gateway["enabled"] == true {
            let name = gateway["name"].as_str().unwrap_or(default_name);
            objects.extend(one_gateway(operator, name, &gateway["label"], default_name, istio)?);
        }
    }
    Ok(objects)
}

fn one_gateway(operator: &Operator, name: &str, label: &Value, chart: &str, istio: &str) -> Result<Vec<Object>, Error> {
    let values = operator.at("values.gateways").get(chart).cloned().unwrap_or(Value::Null);
    let own = Map::from_iter([("app".to_string(), json!(chart)), ("istio".to_string(), json!(istio))]);
    let mut own = Value::Object(own);
    super::operator::lay_over(&mut own, label);
    let with = |more: Value| {
        let mut labels = own.clone();
        super::operator::lay_over(&mut labels, &more);
        labels
    };
    let labels = with(json!({"release": "istio", "istio.io/rev": "default"}));
    let pod_labels = with(json!({
        "chart": "gateways", "heritage": "Tiller", "release": "istio", "istio.io/rev": "default", "istio.io/dataplane-mode": "none",
        "operator.istio.io/component": match istio { "egressgateway" => "EgressGateways", _ => "IngressGateways" },
        "service.istio.io/canonical-name": own["app"], "service.istio.io/canonical-revision": "latest",
        "sidecar.istio.io/inject": "false",
    }));
    let get = |key: &str| -> Option<Value> {
        Some(match key {
            "name" => json!(name),
            "hub" => json!(operator.text("hub")),
            "tag" => json!(operator.text("tag")),
            "proxy_image" => json!(operator.text("values.global.proxy.image")),
            "labels" => labels.clone(),
            "match" => own.clone(),
            "pod_labels" => pod_labels.clone(),
            "replicas" => {
                if values["autoscaleEnabled"] == true {
                    Value::Null
                } else {
                    json!(1)
                }
            }
            "autoscale" => json!(values["autoscaleEnabled"] == true),
            "service_type" => values["serviceType"].clone(),
            "ports" => values["ports"].clone(),
            "container_ports" => container_ports(&values["ports"]),
            "resources" => values["resources"].clone(),
            _ => return None,
        })
    };
    from_text(GATEWAY, &get)
}

fn container_ports(ports: &Value) -> Value {
    let target = |port: &Value| if port["targetPort"].is_null() { port["port"].clone() } else { port["targetPort"].clone() };
    let listed = ports.as_array().into_iter().flatten();
    let mut all: Vec<Value> = listed.map(|port| json!({"containerPort": target(port), "protocol": "TCP"})).collect();
    all.push(json!({"name": "http-envoy-prom", "containerPort": 15090, "protocol": "TCP"}));
    Value::Array(all)
}
