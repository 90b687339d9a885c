//! What the checks look at.

use crate::k8s::Object;
use crate::mesh::analyze::{Context, items, selects, text, texts};
use crate::mesh::compile::registry::service_selects;
use crate::mesh::config::{self, MeshConfig};
use serde_json::Value;
use std::sync::Arc;

/// The objects of the moment and what follows from several of them.
pub(crate) struct View<'a> {
    context: &'a Context<'a>,
    pub config: MeshConfig,
    pub entries: Vec<Arc<Object>>,
    pub virtual_services: Vec<Arc<Object>>,
    pub gateways: Vec<Arc<Object>>,
    pub rules: Vec<Arc<Object>>,
    pub sidecars: Vec<Arc<Object>>,
    pub pods: Vec<Arc<Object>>,
    pub services: Vec<Arc<Object>>,
    pub namespaces: Vec<Arc<Object>>,
}

/// The zone of the cluster's own names.
pub const ZONE: &str = ".svc.cluster.local";

impl<'a> View<'a> {
    pub fn new(context: &'a Context<'a>) -> View<'a> {
        View {
            config: config::read(context.input.mesh, "").unwrap_or_default(),
            entries: context.networking("ServiceEntry"),
            virtual_services: context.networking("VirtualService"),
            gateways: context.networking("Gateway"),
            rules: context.networking("DestinationRule"),
            sidecars: context.networking("Sidecar"),
            pods: context.core("Pod"),
            services: context.core("Service"),
            namespaces: context.core("Namespace"),
            context,
        }
    }

    /// The objects of a kind.
    pub fn each(&self, group: &str, kind: &'static str) -> Vec<Arc<Object>> {
        self.context.each(group, kind)
    }

    /// The mesh configuration as written.
    pub fn mesh(&self) -> &Value {
        &self.context.mesh
    }

    /// Its text.
    pub fn mesh_text(&self) -> &str {
        self.context.input.mesh
    }

    /// The control plane's namespace.
    pub fn root(&self) -> &str {
        self.context.input.root_namespace
    }

    /// ConfigMap `istio` of the control plane, or a stand-in by its name when there is none.
    pub fn mesh_map(&self) -> Arc<Object> {
        let found = self.context.input.snapshot.find("", "ConfigMap", self.root(), "istio").cloned();
        found.unwrap_or_else(|| {
            Arc::new(Object(serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "istio", "namespace": self.root()}})))
        })
    }

    /// Whether the mesh lets unregistered hosts out.
    pub fn allows_any(&self) -> bool {
        !self.config.registry_only
    }

    /// The pod behind a gateway: a proxy that serves others, by its labels or template.
    pub fn is_gateway(&self, pod: &Object) -> bool {
        crate::mesh::capture::is_gateway(pod)
    }

    /// Whether the pod has a sidecar.
    pub fn has_sidecar(&self, pod: &Object) -> bool {
        crate::mesh::capture::proxy_container(pod).is_some() && !self.is_gateway(pod)
    }

    /// The Service that a destination host names, as a rule of a namespace means it.
    pub fn service(&self, namespace: &str, host: &str) -> Option<&Arc<Object>> {
        let full = crate::mesh::analyze::hosts::full_host(namespace, host);
        let (ns, name) = crate::mesh::analyze::hosts::name_of(namespace, &full);
        self.services.iter().find(|s| s.namespace() == ns && s.name() == name && full.ends_with(ZONE))
    }

    /// The pods behind a Service.
    pub fn behind(&self, service: &Object) -> Vec<&Arc<Object>> {
        let here = self.pods.iter().filter(|pod| pod.namespace() == service.namespace());
        here.filter(|pod| service_selects(service, &pod.labels())).collect()
    }

    /// Whether a destination host is a gateway's Service.
    pub fn to_gateway(&self, namespace: &str, host: &str) -> bool {
        self.service(namespace, host).is_some_and(|s| self.behind(s).iter().any(|pod| self.is_gateway(pod)))
    }

    /// ServiceEntries with a host that fits a name, exact ones first.
    pub fn entries_of(&self, host: &str) -> Vec<&Arc<Object>> {
        let has = |e: &Object, test: &dyn Fn(&str) -> bool| texts(e.at(&["spec", "hosts"])).into_iter().any(test);
        let exact = self.entries.iter().filter(|e| has(e, &|h| h.eq_ignore_ascii_case(host)));
        let wild = self.entries.iter().filter(|e| {
            let covers = |h: &str| h.starts_with('*') && h != host && crate::mesh::validate::overlap(h, host);
            has(e, &covers) && !has(e, &|h| h.eq_ignore_ascii_case(host))
        });
        exact.chain(wild).collect()
    }

    /// Whether an object's exportTo (or the mesh's default for ServiceEntries) reaches a namespace.
    pub fn exported(&self, object: &Object, namespace: &str) -> bool {
        let own = texts(object.at(&["spec", "exportTo"]));
        let default: Vec<&str> = match object.kind() {
            "ServiceEntry" => &self.config.default_service_export,
            "VirtualService" => &self.config.default_virtual_service_export,
            _ => &self.config.default_destination_rule_export,
        }
        .iter()
        .map(String::as_str)
        .collect();
        let list = if own.is_empty() { default } else { own };
        list.iter().any(|e| *e == "*" || *e == namespace || *e == "." && object.namespace() == namespace)
    }

    /// Pods that a Gateway selects.
    pub fn pods_of(&self, gateway: &Object) -> Vec<&Arc<Object>> {
        self.pods.iter().filter(|pod| selects(gateway.at(&["spec", "selector"]), pod)).collect()
    }

    /// The Gateway that an entry of `gateways` names for an object of a namespace.
    pub fn gateway(&self, namespace: &str, name: &str) -> Option<&Arc<Object>> {
        let (ns, name) = name.split_once('/').unwrap_or((namespace, name));
        self.gateways.iter().find(|g| g.namespace() == ns && g.name() == name)
    }
}

/// Whether a VirtualService is one for sidecars.
pub fn on_mesh(object: &Object) -> bool {
    let gateways = texts(object.at(&["spec", "gateways"]));
    gateways.is_empty() || gateways.contains(&"mesh")
}

/// The gateways of a VirtualService that are none of `mesh`.
pub fn real_gateways(object: &Object) -> Vec<&str> {
    texts(object.at(&["spec", "gateways"])).into_iter().filter(|g| *g != "mesh").collect()
}

/// A rule of a VirtualService.
pub struct Rule<'a> {
    /// `http`, `tls` or `tcp`.
    pub kind: &'static str,
    pub value: &'a Value,
    /// `spec.http[0]`.
    pub field: String,
}

/// All rules in the order http, tls, tcp.
pub fn rules(object: &Object) -> Vec<Rule<'_>> {
    let of = |kind: &'static str| {
        let list = items(object.at(&["spec", kind])).iter().enumerate();
        list.map(move |(i, value)| Rule { kind, value, field: format!("spec.{kind}[{i}]") })
    };
    ["http", "tls", "tcp"].into_iter().flat_map(of).collect()
}

impl Rule<'_> {
    /// Destinations with the field of each.
    pub fn destinations(&self) -> Vec<(&Value, String)> {
        let field = |i: usize| format!("{}.route[{i}].destination", self.field);
        items(&self.value["route"]).iter().enumerate().map(|(i, r)| (&r["destination"], field(i))).collect()
    }

    /// Whether the rule can apply at a gateway (or `mesh`) that its VirtualService names.
    pub fn applies_to(&self, gateway: &str, all: &[&str]) -> bool {
        let listed = all.is_empty() && gateway == "mesh" || all.contains(&gateway);
        let matches = items(&self.value["match"]);
        let of_match = |m: &Value| {
            let own = texts(&m["gateways"]);
            own.is_empty() || own.contains(&gateway)
        };
        listed && (matches.is_empty() || matches.iter().any(of_match))
    }

    /// The host of its first destination.
    pub fn first_host(&self) -> &str {
        items(&self.value["route"]).first().map_or("", |r| text(&r["destination"]["host"]))
    }
}
