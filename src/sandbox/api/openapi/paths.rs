//! The operations of a resource: paths, parameters, what comes back. kubectl looks for `fieldValidation` in the PATCH ones.

use crate::sandbox::api::discovery;
use crate::sandbox::api::openapi::builtin;
use crate::sandbox::api::registry::Resource;
use serde_json::{Map, Value, json};

/// A query parameter: name, type, what it does.
type Parameter = (&'static str, &'static str, &'static str);

const PRETTY: Parameter = ("pretty", "string", "If 'true', then the answer is indented.");
const WRITE: &[Parameter] = &[
    PRETTY,
    ("dryRun", "string", "All: do everything but store the result."),
    ("fieldManager", "string", "The name under which ownership of the fields is noted."),
    (
        "fieldValidation",
        "string",
        "What unknown and repeated fields lead to: Ignore, Warn (the default) or Strict, which refuses them.",
    ),
];
const FORCE: Parameter = ("force", "boolean", "With an apply patch: take fields over that others own.");
const DELETE: &[Parameter] = &[
    PRETTY,
    ("dryRun", "string", "All: do everything but delete."),
    ("gracePeriodSeconds", "integer", "Seconds to end in; 0 deletes at once."),
    ("propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."),
];
const LIST: &[Parameter] = &[
    PRETTY,
    ("continue", "string", "The token of the part of the list that came before."),
    ("fieldSelector", "string", "Only objects with these fields."),
    ("labelSelector", "string", "Only objects with these labels."),
    ("limit", "integer", "The most objects to list at a time."),
    ("resourceVersion", "string", "The state to list, or to watch from."),
    ("resourceVersionMatch", "string", "How resourceVersion is meant: Exact or NotOlderThan."),
    ("sendInitialEvents", "boolean", "Begin a watch with the objects there are, and a bookmark after them."),
    ("timeoutSeconds", "integer", "Seconds until the watch ends."),
    ("watch", "boolean", "Send changes as they happen instead of a list."),
];

/// What a path's operations act on.
struct Target<'a> {
    /// Group, version and kind that they speak.
    gvk: Value,
    /// The schema of that kind.
    schema: &'a Value,
    /// The names in the path, such as `namespace`.
    in_path: Vec<&'static str>,
    /// Defined by a CustomResourceDefinition.
    custom: bool,
}

/// All paths of a resource. `schema` and `list` refer to its kind's schema and its list's.
pub fn of(resource: &Resource, schema: &Value, list: &Value) -> Vec<(String, Value)> {
    let root = match resource.group.as_str() {
        "" => format!("/api/{}", resource.version),
        group => format!("/apis/{group}/{}", resource.version),
    };
    let (scope, namespace) = if resource.namespaced { ("/namespaces/{namespace}", Some("namespace")) } else { ("", None) };
    let collection = format!("{root}{scope}/{}", resource.plural);
    let gvk = gvk(&resource.group, &resource.version, &resource.kind);
    let verbs = |wanted: &[&'static str]| -> Vec<&'static str> {
        wanted.iter().copied().filter(|verb| resource.verbs.contains(verb)).collect()
    };
    let target = |schema, name: bool| Target {
        gvk: gvk.clone(),
        schema,
        custom: resource.custom.is_some(),
        in_path: namespace.into_iter().chain(name.then_some("name")).collect(),
    };
    let mut paths = Vec::new();
    let mut whole = operations(&verbs(&["list"]), &target(list, false));
    whole.extend(operations(&verbs(&["create", "deletecollection"]), &target(schema, false)));
    paths.push((collection.clone(), with_parameters(whole, &target(schema, false))));
    let one = operations(&verbs(&["get", "update", "patch", "delete"]), &target(schema, true));
    if !one.is_empty() {
        paths.push((format!("{collection}/{{name}}"), with_parameters(one, &target(schema, true))));
    }
    if resource.namespaced && resource.verbs.contains(&"list") {
        let everywhere = Target { schema: list, in_path: Vec::new(), ..target(list, false) };
        paths.push((format!("{root}/{}", resource.plural), with_parameters(operations(&["list"], &everywhere), &everywhere)));
    }
    for sub in &resource.subresources {
        let (group, version, kind) = discovery::sub_kind(resource, sub);
        let spoken = sub_schema(resource, sub, schema);
        let target = Target { gvk: self::gvk(group, version, kind), schema: &spoken, ..target(schema, true) };
        let methods = operations(discovery::sub_verbs(sub), &target);
        paths.push((format!("{collection}/{{name}}/{sub}"), with_parameters(methods, &target)));
    }
    paths
}

fn gvk(group: &str, version: &str, kind: &str) -> Value {
    json!({"group": group, "version": version, "kind": kind})
}

/// The message of another kind that a subresource speaks; `None` when it speaks its resource's or none that is described.
pub fn sub_message(sub: &str) -> Option<&'static str> {
    match sub {
        "scale" => Some("autoscaling.v1.Scale"),
        "token" => Some("authentication.v1.TokenRequest"),
        "eviction" => Some("policy.v1.Eviction"),
        "binding" => Some("core.v1.Binding"),
        _ => None,
    }
}

fn sub_schema(resource: &Resource, sub: &str, own: &Value) -> Value {
    match sub_message(sub) {
        Some(message) => builtin::reference(message),
        None if matches!(sub, "exec" | "attach" | "portforward" | "log") && resource.kind == "Pod" => json!({"type": "string"}),
        None => own.clone(),
    }
}

/// The operations of these verbs by their HTTP method.
fn operations(verbs: &[&str], target: &Target<'_>) -> Map<String, Value> {
    verbs.iter().map(|verb| operation(verb, target)).collect()
}

fn operation(verb: &str, target: &Target<'_>) -> (String, Value) {
    let (method, action, parameters): (&str, &str, Vec<Parameter>) = match verb {
        "list" => ("get", "list", LIST.to_vec()),
        "create" => ("post", "post", WRITE.to_vec()),
        "update" => ("put", "put", WRITE.to_vec()),
        "patch" => ("patch", "patch", [WRITE, &[FORCE]].concat()),
        "delete" => ("delete", "delete", DELETE.to_vec()),
        "deletecollection" => ("delete", "deletecollection", [DELETE, &LIST[1..5]].concat()),
        _ => ("get", "get", vec![PRETTY]),
    };
    let parameters: Vec<Value> = parameters.into_iter().map(query).collect();
    let content = |schema: Value| json!({"application/json": {"schema": schema}});
    let answer = if method == "delete" { builtin::reference("meta.v1.Status") } else { target.schema.clone() };
    let mut operation = json!({
        "x-kubernetes-action": action, "x-kubernetes-group-version-kind": target.gvk, "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": content(answer)}},
    });
    let body = match method {
        "post" | "put" => Some(content(target.schema.clone())),
        "delete" => Some(content(builtin::reference("meta.v1.DeleteOptions"))),
        "patch" => Some(patches(target.custom)),
        _ => None,
    };
    if let Some(content) = body {
        operation["requestBody"] = json!({"content": content});
    }
    (method.to_string(), operation)
}

/// The patch types of a kind: kubectl sends a strategic merge patch to whoever says that he takes it, and custom kinds do not.
fn patches(custom: bool) -> Value {
    let kinds = ["apply-patch+yaml", "json-patch+json", "merge-patch+json", "strategic-merge-patch+json"];
    let patch = json!({"schema": builtin::reference("meta.v1.Patch")});
    kinds[..if custom { 3 } else { 4 }]
        .iter()
        .map(|kind| (format!("application/{kind}"), patch.clone()))
        .collect::<Map<_, _>>()
        .into()
}

fn query((name, kind, text): Parameter) -> Value {
    json!({"name": name, "in": "query", "description": text, "schema": {"type": kind, "uniqueItems": true}})
}

/// The methods of a path beside the parameters in the path.
fn with_parameters(mut methods: Map<String, Value>, target: &Target<'_>) -> Value {
    let in_path = |name: &&str| {
        let text = if *name == "name" { "The object's name." } else { "The object's namespace." };
        json!({"name": name, "in": "path", "required": true, "description": text, "schema": {"type": "string", "uniqueItems": true}})
    };
    if !target.in_path.is_empty() {
        methods.insert("parameters".into(), target.in_path.iter().map(in_path).collect());
    }
    Value::Object(methods)
}
