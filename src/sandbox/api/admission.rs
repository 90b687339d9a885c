//! Admission webhooks: which configurations match, who answers, what happens when nobody does.

use crate::k8s::Object;
use crate::k8s::selector::LabelSelector;
use crate::sandbox::api::plugins;
use crate::sandbox::api::rbac::escalate;
use crate::sandbox::api::registry::Resource;
use crate::sandbox::api::status;
use crate::sandbox::call::Refusal;
use crate::sandbox::world::World;
use crate::sandbox::{Admission, Review};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Create,
    Update,
    Delete,
}

impl Operation {
    fn word(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
        }
    }
}

/// Lets the mutating webhooks change an object. Gives their warnings.
///
/// # Errors
/// The first refusal, or a failed call whose policy is Fail.
pub fn mutate(
    world: &mut World,
    resource: &Resource,
    object: &mut Object,
    old: Option<&Object>,
    operation: Operation,
    subresource: &str,
) -> Result<Vec<String>, Refusal> {
    plugins::mutate(world, resource, object, operation, subresource)?;
    let mut warnings = service_account(world, resource, object, operation)?;
    let write = Write { resource, old, operation, subresource };
    for hook in hooks(world, "MutatingWebhookConfiguration") {
        if !write.matches(world, &hook, object) {
            continue;
        }
        let Some((changed, said)) = write.call(world, &hook, object)? else { continue };
        warnings.extend(said);
        if let Some(changed) = changed {
            *object = changed;
        }
    }
    Ok(warnings)
}

/// Asks the validating webhooks. Gives their warnings.
///
/// # Errors
/// The first refusal, or a failed call whose policy is Fail.
pub fn validate(
    world: &mut World,
    resource: &Resource,
    object: &Object,
    old: Option<&Object>,
    operation: Operation,
    subresource: &str,
) -> Result<Vec<String>, Refusal> {
    let mut warnings = Vec::new();
    if let Some(user) = world.actor.clone().filter(|_| operation != Operation::Delete) {
        escalate::check(world, &user, resource, object, old)?;
        warnings.extend(without_effect(world, resource, object));
    }
    let write = Write { resource, old, operation, subresource };
    for hook in hooks(world, "ValidatingWebhookConfiguration") {
        if write.matches(world, &hook, object)
            && let Some((_, said)) = write.call(world, &hook, object)?
        {
            warnings.extend(said);
        }
    }
    plugins::validate(world, resource, object, old, operation, subresource)?;
    Ok(warnings)
}

/// A pod needs its service account to exist.
fn service_account(world: &World, resource: &Resource, object: &Object, operation: Operation) -> Result<Vec<String>, Refusal> {
    if operation != Operation::Create || resource.kind != "Pod" || !resource.group.is_empty() {
        return Ok(Vec::new());
    }
    let (ns, account) = (object.namespace(), object.str_at(&["spec", "serviceAccountName"]));
    if world.store.snapshot().find("", "ServiceAccount", ns, account).is_some() {
        return Ok(Vec::new());
    }
    let why = format!("error looking up service account {ns}/{account}: serviceaccount \"{account}\" not found");
    Err(status::forbidden(resource, object.name(), &why))
}

/// The webhooks of all configurations of a kind that somebody here answers: by name of the configuration, then in order.
fn hooks(world: &World, kind: &str) -> Vec<Value> {
    let all = world.store.snapshot().list("admissionregistration.k8s.io", kind);
    let all = all.flat_map(|config: &Arc<Object>| config.at(&["webhooks"]).as_array().cloned().unwrap_or_default());
    all.filter(|hook| is_answered(world, hook)).collect()
}

/// Whether a webhook is meant for a handler of this program.
fn is_answered(world: &World, hook: &Value) -> bool {
    let service = &hook["clientConfig"]["service"];
    let text = |field: &str| service[field].as_str().unwrap_or("");
    !service.is_null() && world.webhooks.iter().any(|handler| handler.answers(text("namespace"), text("name")))
}

/// What is stored without any effect here: said to whoever writes it.
fn without_effect(world: &World, resource: &Resource, object: &Object) -> Vec<String> {
    let said = |what: &str| crate::base::not_simulated(&format!("{what}; it is stored, but never called"));
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration") => {
            let hooks = object.at(&["webhooks"]).as_array().into_iter().flatten();
            let other = hooks.filter(|hook| !is_answered(world, hook));
            other.map(|hook| said(&format!("webhook {}", hook["name"].as_str().unwrap_or("")))).collect()
        }
        ("admissionregistration.k8s.io", kind) => {
            vec![crate::base::not_simulated(&format!("{kind}; it is stored, but never evaluated"))]
        }
        ("apiextensions.k8s.io", "CustomResourceDefinition")
            if object.str_at(&["spec", "conversion", "strategy"]) == "Webhook" =>
        {
            vec![said("conversion webhook")]
        }
        _ => Vec::new(),
    }
}

/// What an allowing webhook changed, and its warnings.
type Allowed = (Option<Object>, Vec<String>);

struct Write<'a> {
    resource: &'a Resource,
    old: Option<&'a Object>,
    operation: Operation,
    subresource: &'a str,
}

impl Write<'_> {
    fn matches(&self, world: &World, hook: &Value, object: &Object) -> bool {
        let rules = hook["rules"].as_array().into_iter().flatten();
        let equivalent = hook["matchPolicy"] != "Exact";
        // Webhook configurations themselves are never sent to webhooks.
        self.resource.group != "admissionregistration.k8s.io"
            && rules.into_iter().any(|rule| self.rule_matches(rule, equivalent))
            && self.in_namespace(world, &hook["namespaceSelector"], object)
            && self.has_labels(&hook["objectSelector"], object)
    }

    fn rule_matches(&self, rule: &Value, equivalent: bool) -> bool {
        let has = |field: &str, wanted: &str| rule[field].as_array().into_iter().flatten().any(|v| v == "*" || v == wanted);
        let scope = match rule["scope"].as_str() {
            Some("Namespaced") => self.resource.namespaced,
            Some("Cluster") => !self.resource.namespaced,
            _ => true,
        };
        let served = self.resource.custom.iter().flat_map(|custom| custom.versions.iter().filter(|v| v.served));
        let version = has("apiVersions", &self.resource.version)
            || equivalent && served.into_iter().any(|version| has("apiVersions", &version.name));
        let plural = &self.resource.plural;
        let resources = rule["resources"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let named = resources.into_iter().any(|r| match (r.split_once('/'), self.subresource) {
            (None, "") => r == "*" || r == plural,
            (Some((of, sub)), wanted) if !wanted.is_empty() => (of == "*" || of == plural) && (sub == "*" || sub == wanted),
            (Some(("*", "*")), _) => true,
            _ => false,
        });
        has("operations", self.operation.word()) && has("apiGroups", &self.resource.group) && version && named && scope
    }

    fn in_namespace(&self, world: &World, selector: &Value, object: &Object) -> bool {
        let selector = LabelSelector::from_object(selector);
        if self.resource.kind == "Namespace" && self.resource.group.is_empty() {
            return selector.matches(&object.labels());
        }
        if !self.resource.namespaced {
            return true;
        }
        let namespace = world.store.snapshot().find("", "Namespace", "", object.namespace());
        namespace.is_some_and(|namespace| selector.matches(&namespace.labels()))
    }

    fn has_labels(&self, selector: &Value, object: &Object) -> bool {
        let selector = LabelSelector::from_object(selector);
        selector.matches(&object.labels()) || self.old.is_some_and(|old| selector.matches(&old.labels()))
    }

    /// Calls a webhook. `None`: the call failed and the policy lets that pass.
    fn call(&self, world: &World, hook: &Value, object: &Object) -> Result<Option<Allowed>, Refusal> {
        let name = hook["name"].as_str().unwrap_or("");
        let answer = match self.ask(world, hook, object) {
            Ok(answer) => answer,
            Err(_) if hook["failurePolicy"] == "Ignore" => return Ok(None),
            Err(why) => {
                let failed = format!("failed calling webhook \"{name}\": failed to call webhook: {why}");
                let details = json!({"causes": [{"message": failed}]});
                let message = format!("Internal error occurred: {failed}");
                return Err(Refusal { code: 500, reason: "InternalError".into(), message, details });
            }
        };
        match answer {
            Admission::Allow { object, warnings } => Ok(Some((object, warnings))),
            Admission::Deny { message, code } => {
                let text = match message.as_str() {
                    "" => format!("admission webhook \"{name}\" denied the request without explanation"),
                    message => format!("admission webhook \"{name}\" denied the request: {message}"),
                };
                Err(Refusal::new(code.max(400), "", text))
            }
        }
    }

    /// The answer of the webhook's server, or why there is none in the words of Go's HTTP client.
    fn ask(&self, world: &World, hook: &Value, object: &Object) -> Result<Admission, String> {
        let service = &hook["clientConfig"]["service"];
        let text = |field: &str| service[field].as_str().unwrap_or("");
        if service.is_null() {
            return Err(crate::base::not_simulated("webhooks outside the cluster (clientConfig.url)"));
        }
        if hook["matchConditions"].as_array().is_some_and(|list| !list.is_empty()) {
            return Err(crate::base::not_simulated("matchConditions of webhooks"));
        }
        let (ns, name, port) = (text("namespace"), text("name"), service["port"].as_i64().unwrap_or(443));
        let path = if text("path").is_empty() { "/" } else { text("path") };
        let seconds = hook["timeoutSeconds"].as_i64().unwrap_or(10);
        let post = format!("Post \"https://{name}.{ns}.svc:{port}{path}?timeout={seconds}s\"");
        let found = self.handler(world, ns, name, port).map_err(|why| format!("{post}: {why}"))?;
        let review = Review {
            path,
            operation: self.operation.word(),
            object,
            old: self.old,
            namespace: object.namespace(),
            snapshot: world.store.snapshot(),
        };
        Ok(found.review(&review))
    }

    /// The handler that runs behind a Service's ready endpoints.
    fn handler(&self, world: &World, ns: &str, name: &str, port: i64) -> Result<Arc<dyn crate::sandbox::Webhook>, String> {
        let snapshot = world.store.snapshot();
        let Some(service) = snapshot.find("", "Service", ns, name) else { return Err(format!("service \"{name}\" not found")) };
        let ports = service.at(&["spec", "ports"]).as_array().into_iter().flatten();
        if !ports.into_iter().any(|p| p["port"].as_i64() == Some(port)) {
            return Err(format!("no service port {port} found for service \"{name}\""));
        }
        let slices = snapshot.list_in("discovery.k8s.io", "EndpointSlice", ns);
        let of_service = slices.filter(|slice| slice.label("kubernetes.io/service-name") == Some(name));
        let ready: Vec<Value> = of_service
            .flat_map(|slice| slice.at(&["endpoints"]).as_array().cloned().unwrap_or_default())
            .filter(|endpoint| endpoint["conditions"]["ready"] != false)
            .collect();
        if ready.is_empty() {
            return Err(format!("no endpoints available for service \"{name}\""));
        }
        for endpoint in &ready {
            let pod = snapshot.find("", "Pod", ns, endpoint["targetRef"]["name"].as_str().unwrap_or(""));
            let containers = pod.and_then(|pod| pod.at(&["spec", "containers"]).as_array().cloned()).unwrap_or_default();
            let images: Vec<&str> = containers.iter().filter_map(|c| c["image"].as_str()).collect();
            if let Some(handler) = world.webhooks.iter().find(|w| images.iter().any(|image| w.runs_in(image))) {
                return Ok(handler.clone());
            }
        }
        let address = ready[0]["addresses"][0].as_str().unwrap_or("");
        Err(format!("dial tcp {address}:{port}: connect: connection refused"))
    }
}
