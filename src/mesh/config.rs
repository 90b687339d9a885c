//! MeshConfig: the text in ConfigMap `istio`, read as istiod reads it.

use super::{Cause, Options};
use crate::base::yaml;
use crate::k8s::Snapshot;
use crate::mesh::compile::rules::strings;
use serde_json::Value;

/// What the mesh configuration says, as far as requests show it.
#[derive(Debug, Clone, PartialEq)]
pub struct MeshConfig {
    /// The object that it is read from, `default` without one.
    pub object: String,
    pub registry_only: bool,
    /// ALLOW_ANY_DYNAMIC_DNS: sidecars resolve the hosts of plain HTTP to anywhere themselves.
    pub dynamic_dns: bool,
    pub policy: Cause,
    /// Where access logs go; empty: nowhere.
    pub access_log_file: String,
    /// A custom format; empty: Istio's default.
    pub access_log_format: String,
    pub access_log_json: bool,
    pub connect_timeout_ms: u64,
    pub auto_mtls: bool,
    pub default_service_export: Vec<String>,
    pub default_virtual_service_export: Vec<String>,
    pub default_destination_rule_export: Vec<String>,
    /// `defaultHttpRetryPolicy.attempts`.
    pub retry_attempts: Option<u32>,
    /// The trust domain, then its aliases.
    pub trust_domains: Vec<String>,
    /// `extensionProviders` as written; Istio's built-in ones are not among them.
    pub extension_providers: Vec<Value>,
    /// `defaultProviders.accessLogging`.
    pub default_log_providers: Vec<String>,
    /// `disableEnvoyListenerLog`: connections that no filter chain takes leave no line.
    pub listener_log_off: bool,
    /// `discoverySelectors`: label selectors of the namespaces that istiod looks at; empty: all.
    pub discovery_selectors: Vec<Value>,
    pub not_modelled: Option<Cause>,
    /// Why the text was refused, when it was; the values above are then those of the text before it, or Istio's defaults.
    pub refused: Option<String>,
}

impl Default for MeshConfig {
    fn default() -> MeshConfig {
        let everyone = || vec!["*".to_string()];
        MeshConfig {
            object: "default".into(),
            registry_only: false,
            dynamic_dns: false,
            policy: Cause::new(
                "default",
                "meshConfig.outboundTrafficPolicy.mode",
                "No outboundTrafficPolicy is set, and Istio's default is ALLOW_ANY.",
            ),
            access_log_file: String::new(),
            access_log_format: String::new(),
            access_log_json: false,
            connect_timeout_ms: 10_000,
            auto_mtls: true,
            default_service_export: everyone(),
            default_virtual_service_export: everyone(),
            default_destination_rule_export: everyone(),
            retry_attempts: None,
            trust_domains: vec!["cluster.local".into()],
            extension_providers: Vec::new(),
            default_log_providers: Vec::new(),
            listener_log_off: false,
            discovery_selectors: Vec::new(),
            not_modelled: None,
            refused: None,
        }
    }
}

impl MeshConfig {
    /// Whether access-log lines come out of the proxy's container, where `kubectl logs` shows them; any other file stays inside.
    pub fn logs_to_the_container(&self) -> bool {
        matches!(self.access_log_file.as_str(), "/dev/stdout" | "/dev/stderr")
    }

    /// The configuration in force: ConfigMap `istio` (of a revision: `istio-REVISION`) of the root namespace, key `mesh`. A text that istiod refuses changes nothing:
    /// `last_known` (or Istio's defaults) stays in force, and [`MeshConfig::refused`] says why.
    pub fn of(snapshot: &Snapshot, options: &Options) -> MeshConfig {
        let (root, last_known) = (&options.root_namespace, options.last_known_mesh.as_deref());
        let name = options.of_revision("istio");
        let object = format!("ConfigMap {root}/{name}");
        let Some(map) = snapshot.find("", "ConfigMap", root, &name) else { return MeshConfig::default() };
        let text = map.str_at(&["data", "mesh"]);
        read(text, &object).unwrap_or_else(|why| {
            let mut kept = last_known.and_then(|t| read(t, &object).ok()).unwrap_or_default();
            kept.policy =
                Cause::new(&object, "data.mesh", format!("istiod refuses this mesh text ({why}) and keeps the one before it."));
            kept.refused = Some(why);
            kept
        })
    }
}

/// Reads a mesh text.
///
/// # Errors
/// Why istiod would refuse the whole text.
pub fn read(text: &str, object: &str) -> Result<MeshConfig, String> {
    let documents = yaml::parse_documents(text).map_err(|e| e.to_string())?;
    let value = documents.into_iter().next().unwrap_or(Value::Null);
    if !value.is_object() && !value.is_null() {
        return Err("the text is not a mapping".into());
    }
    let mut config = MeshConfig { object: object.to_string(), ..MeshConfig::default() };
    read_policy(&value, object, &mut config)?;
    config.access_log_file = string(&value, "accessLogFile")?.unwrap_or_default();
    config.access_log_format = string(&value, "accessLogFormat")?.unwrap_or_default();
    config.access_log_json = match field(&value, "accessLogEncoding") {
        None => false,
        Some(Value::String(s)) if s == "TEXT" => false,
        Some(Value::String(s)) if s == "JSON" => true,
        Some(Value::Number(n)) => n.as_u64() == Some(1),
        Some(other) => return Err(format!("unknown value {other} for accessLogEncoding")),
    };
    if let Some(text) = string(&value, "connectTimeout")? {
        config.connect_timeout_ms = duration_ms(&text).ok_or(format!("bad duration {text:?} in connectTimeout"))?;
    }
    config.discovery_selectors = field(&value, "discoverySelectors").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(auto) = field(&value, "enableAutoMtls") {
        config.auto_mtls = auto.as_bool().ok_or("enableAutoMtls is not a boolean")?;
    }
    for (key, slot) in [
        ("defaultServiceExportTo", &mut config.default_service_export),
        ("defaultVirtualServiceExportTo", &mut config.default_virtual_service_export),
        ("defaultDestinationRuleExportTo", &mut config.default_destination_rule_export),
    ] {
        if let Some(list) = field(&value, key).and_then(Value::as_array) {
            *slot = list.iter().filter_map(|v| v.as_str().map(String::from)).collect();
        }
    }
    if let Some(domain) = string(&value, "trustDomain")?.filter(|d| !d.is_empty()) {
        config.trust_domains = vec![domain];
    }
    config.trust_domains.extend(field(&value, "trustDomainAliases").into_iter().flat_map(strings));
    config.extension_providers = field(&value, "extensionProviders").and_then(Value::as_array).cloned().unwrap_or_default();
    config.default_log_providers =
        field(&value, "defaultProviders").and_then(|p| p.get("accessLogging")).map(strings).unwrap_or_default();
    config.listener_log_off = field(&value, "disableEnvoyListenerLog").and_then(Value::as_bool).unwrap_or(false);
    config.retry_attempts = field(&value, "defaultHttpRetryPolicy").and_then(|p| p.get("attempts")?.as_u64()).map(|n| n as u32);
    Ok(config)
}

/// `outboundTrafficPolicy`: every present message starts from zero, so `{}` means REGISTRY_ONLY; `null` and absence do not touch it.
fn read_policy(value: &Value, object: &str, config: &mut MeshConfig) -> Result<(), String> {
    let name = "data.mesh outboundTrafficPolicy.mode";
    let Some(policy) = field(value, "outboundTrafficPolicy") else {
        config.policy.object = "default".into();
        return Ok(());
    };
    let Some(members) = policy.as_object() else { return Err("outboundTrafficPolicy is not a mapping".into()) };
    let mode = match members.get("mode") {
        None | Some(Value::Null) => {
            config.registry_only = true;
            let text = "outboundTrafficPolicy is present without a mode, and the enum's zero value is REGISTRY_ONLY.";
            config.policy = Cause::new(object, name, text);
            return Ok(());
        }
        Some(Value::String(s)) => s.clone(),
        Some(Value::Number(n)) => match n.as_u64() {
            Some(0) => "REGISTRY_ONLY".into(),
            Some(1) => "ALLOW_ANY".into(),
            _ => n.to_string(),
        },
        Some(other) => other.to_string(),
    };
    match mode.as_str() {
        "REGISTRY_ONLY" => {
            config.registry_only = true;
            config.policy = Cause::new(object, name, "The mesh lets only registered hosts out (REGISTRY_ONLY).");
        }
        "ALLOW_ANY" => config.policy = Cause::new(object, name, "The mesh lets unregistered hosts out (ALLOW_ANY)."),
        "ALLOW_ANY_DYNAMIC_DNS" => {
            config.policy = Cause::new(object, name, "Unregistered hosts go through a dynamic forward proxy.");
            config.dynamic_dns = true;
            if members.get("tls").is_some_and(|tls| !tls.is_null()) {
                let field = "data.mesh outboundTrafficPolicy.tls";
                config.not_modelled = Some(Cause::new(object, field, "TLS of the dynamic forward proxy is not modelled."));
            }
        }
        other => return Err(format!("unknown value {other:?} for enum outboundTrafficPolicy.mode")),
    }
    Ok(())
}

/// A field in its JSON name or its proto name (`outbound_traffic_policy`); `null` counts as absent.
fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    value.get(name).or_else(|| value.get(&snake)).filter(|v| !v.is_null())
}

fn string(value: &Value, name: &str) -> Result<Option<String>, String> {
    match field(value, name) {
        None => Ok(None),
        Some(Value::String(s)) => Ok(Some(s.clone())),
        Some(_) => Err(format!("{name} is not a string")),
    }
}

/// A Go duration in milliseconds; negative ones are none here.
pub fn duration_ms(text: &str) -> Option<u64> {
    crate::base::duration::go_duration_ms(text.trim())?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oddities_of_the_outbound_policy() {
        for (text, registry_only) in [
            ("", Some(false)),
            ("outboundTrafficPolicy:\n  mode: REGISTRY_ONLY\n", Some(true)),
            ("outboundTrafficPolicy:\n  mode: ALLOW_ANY\n", Some(false)),
            ("outboundTrafficPolicy: {}\n", Some(true)),
            ("outboundTrafficPolicy: {mod: ALLOW_ANY}\n", Some(true)),
            ("outboundTrafficPolicy: null\n", Some(false)),
            ("outboundTraficPolicy: {mode: REGISTRY_ONLY}\n", Some(false)),
            ("outbound_traffic_policy: {mode: REGISTRY_ONLY}\n", Some(true)),
            ("defaultConfig:\n  outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n", Some(false)),
            ("outboundTrafficPolicy: REGISTRY_ONLY\n", None),
            ("outboundTrafficPolicy: {mode: registry_only}\n", None),
            ("outboundTrafficPolicy: {mode: REGISTER_ONLY}\n", None),
            ("outboundTrafficPolicy: [\n", None),
        ] {
            let got = read(text, "ConfigMap istio-system/istio").ok().map(|c| c.registry_only);
            assert_eq!(got, registry_only, "{text:?}");
        }
    }

    #[test]
    fn durations_read_as_go_writes_them() {
        for (text, ms) in
            [("3s", Some(3000)), ("1m30s", Some(90_000)), ("2.5s", Some(2500)), ("5", None), ("", None), ("0s", Some(0))]
        {
            assert_eq!(duration_ms(text), ms, "{text}");
        }
    }
}
