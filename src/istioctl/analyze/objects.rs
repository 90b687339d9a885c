//! The objects of a cluster that the analyzers look at.

use crate::istioctl::{Stop, api};
use crate::k8s::{Object, Snapshot};
use serde_json::Value;
use std::sync::Arc;

/// apiVersion, kind, plural. A kind that the server does not have has no objects.
const KINDS: &[(&str, &str, &str)] = &[
    ("v1", "ConfigMap", "configmaps"),
    ("v1", "Namespace", "namespaces"),
    ("v1", "Node", "nodes"),
    ("v1", "Pod", "pods"),
    ("v1", "Secret", "secrets"),
    ("v1", "Service", "services"),
    ("apps/v1", "Deployment", "deployments"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions"),
    ("networking.istio.io/v1", "DestinationRule", "destinationrules"),
    ("networking.istio.io/v1alpha3", "EnvoyFilter", "envoyfilters"),
    ("networking.istio.io/v1", "Gateway", "gateways"),
    ("networking.istio.io/v1beta1", "ProxyConfig", "proxyconfigs"),
    ("networking.istio.io/v1", "ServiceEntry", "serviceentries"),
    ("networking.istio.io/v1", "Sidecar", "sidecars"),
    ("networking.istio.io/v1", "VirtualService", "virtualservices"),
    ("networking.istio.io/v1", "WorkloadEntry", "workloadentries"),
    ("networking.istio.io/v1", "WorkloadGroup", "workloadgroups"),
    ("security.istio.io/v1", "AuthorizationPolicy", "authorizationpolicies"),
    ("security.istio.io/v1", "PeerAuthentication", "peerauthentications"),
    ("security.istio.io/v1", "RequestAuthentication", "requestauthentications"),
    ("telemetry.istio.io/v1", "Telemetry", "telemetries"),
    ("extensions.istio.io/v1alpha1", "WasmPlugin", "wasmplugins"),
    ("extensions.istio.io/v1alpha1", "TrafficExtension", "trafficextensions"),
    ("gateway.networking.k8s.io/v1", "Gateway", "gateways"),
    ("gateway.networking.k8s.io/v1", "GRPCRoute", "grpcroutes"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes"),
    ("gateway.networking.k8s.io/v1", "TLSRoute", "tlsroutes"),
    ("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "referencegrants"),
    ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
];

/// Whether the cluster has a namespace.
pub async fn has_namespace(client: &kube::Client, name: &str) -> Result<bool, Stop> {
    match api::request(client, "GET", &format!("/api/v1/namespaces/{name}"), None).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(api::stop(&error)),
    }
}

/// Reads them all.
///
/// # Errors
/// Whatever the server or the connection says, but for kinds that do not exist.
pub async fn read(client: &kube::Client, snapshot: &mut Snapshot) -> Result<(), Stop> {
    for (api_version, kind, plural) in KINDS {
        let root = if api_version.contains('/') { "apis" } else { "api" };
        let mut list = match api::request(client, "GET", &format!("/{root}/{api_version}/{plural}"), None).await {
            Ok(list) => list,
            Err(kube::Error::Api(status)) if status.code == 404 => continue,
            Err(error) => return Err(api::stop(&error)),
        };
        for mut item in list["items"].take().as_array_mut().into_iter().flatten().map(Value::take) {
            item["apiVersion"] = Value::from(*api_version);
            item["kind"] = Value::from(*kind);
            snapshot.put(Arc::new(Object(item)));
        }
    }
    Ok(())
}
