//! Istio's CustomResourceDefinitions, made from the short notation of `assets/crds` (see its README.md).

use crate::k8s::Object;
use crate::mesh::install::words::Words;
use crate::mesh::versions::{Absent, Release};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The files, in the order in which the CRDs are applied.
const FILES: &[&str] = &[
    include_str!("../../../assets/crds/authorizationpolicies.json"),
    include_str!("../../../assets/crds/destinationrules.json"),
    include_str!("../../../assets/crds/envoyfilters.json"),
    include_str!("../../../assets/crds/gateways.json"),
    include_str!("../../../assets/crds/peerauthentications.json"),
    include_str!("../../../assets/crds/proxyconfigs.json"),
    include_str!("../../../assets/crds/requestauthentications.json"),
    include_str!("../../../assets/crds/serviceentries.json"),
    include_str!("../../../assets/crds/sidecars.json"),
    include_str!("../../../assets/crds/telemetries.json"),
    include_str!("../../../assets/crds/trafficextensions.json"),
    include_str!("../../../assets/crds/virtualservices.json"),
    include_str!("../../../assets/crds/wasmplugins.json"),
    include_str!("../../../assets/crds/workloadentries.json"),
    include_str!("../../../assets/crds/workloadgroups.json"),
];
const PARTS: &str = include_str!("../../../assets/crds/parts.json");

/// How deep parts may nest; deeper is a cycle in the data.
const MAX_DEPTH: usize = 32;

/// The annotation that makes the API server refuse objects of a kind as not simulated.
pub const NOT_SIMULATED: &str = "egress-lab/not-simulated";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    group: String,
    kind: String,
    plural: String,
    singular: String,
    #[serde(default)]
    short: Vec<String>,
    versions: Vec<String>,
    /// The version that is stored, where it is not the first.
    #[serde(default)]
    storage: String,
    #[serde(default)]
    columns: Vec<Value>,
    #[serde(default)]
    spec_required: bool,
    #[serde(default)]
    not_simulated: bool,
    spec: Value,
}

/// The CRDs of a release.
pub fn render(release: &Release) -> Vec<Object> {
    let parts: Value = serde_json::from_str(PARTS).expect("embedded; read by a test");
    let files = FILES.iter().map(|text| serde_json::from_str::<File>(text).expect("embedded; read by a test"));
    let (words, there) = (Words::load(), files.filter(|file| !release.absent_kinds.contains(&file.kind)));
    there.map(|file| definition(&file, &parts, release, &words)).collect()
}

fn definition(file: &File, parts: &Value, release: &Release, words: &Words) -> Object {
    let mut schema = json!({
        "type": "object",
        "properties": {"spec": expand(&file.spec, parts, 0), "status": expand(&parts["Status"], parts, 0)},
    });
    if file.spec_required {
        schema["required"] = json!(["spec"]);
    }
    for absent in release.absent.iter().filter(|a| a.kind == file.kind) {
        take_out(&mut schema, absent);
    }
    words.describe(&file.kind, &mut schema);
    let stored = stored(file, release);
    let versions: Vec<Value> = file.versions.iter().map(|name| version(name, name == stored, file, &schema)).collect();
    let mut annotations = json!({"helm.sh/resource-policy": "keep"});
    if file.not_simulated {
        annotations[NOT_SIMULATED] = json!("true");
    }
    let first_word = file.group.split('.').next().unwrap_or("");
    let mut names = json!({
        "kind": file.kind, "listKind": format!("{}List", file.kind), "plural": file.plural, "singular": file.singular,
        "categories": ["istio-io", format!("{first_word}-istio-io")],
    });
    if !file.short.is_empty() {
        names["shortNames"] = json!(file.short);
    }
    Object(json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{}.{}", file.plural, file.group), "annotations": annotations,
            "labels": {"app": "istio-pilot", "chart": "istio", "heritage": "Tiller", "release": "istio"},
        },
        "spec": {"group": file.group, "names": names, "scope": "Namespaced", "versions": versions},
    }))
}

/// The stored version: the file's own word, else the release's where the kind has it, else the first.
fn stored<'a>(file: &'a File, release: &'a Release) -> &'a str {
    let first = file.versions.first().map_or("", String::as_str);
    match (file.storage.as_str(), release.stored_version.as_str()) {
        ("", wanted) if file.versions.iter().any(|v| v == wanted) => wanted,
        ("", _) => first,
        (own, _) => own,
    }
}

fn version(name: &str, storage: bool, file: &File, schema: &Value) -> Value {
    let mut version = json!({
        "name": name, "served": true, "storage": storage,
        "schema": {"openAPIV3Schema": schema}, "subresources": {"status": {}},
    });
    if !file.columns.is_empty() {
        version["additionalPrinterColumns"] = json!(file.columns);
    }
    version
}

/// The short notation as an OpenAPI schema.
fn expand(short: &Value, parts: &Value, depth: usize) -> Value {
    assert!(depth < MAX_DEPTH, "a cycle in assets/crds/parts.json");
    match short {
        Value::String(name) => match name.strip_prefix('@') {
            Some(part) => expand(&parts[part], parts, depth + 1),
            None => scalar(name),
        },
        Value::Array(items) => json!({"type": "array", "items": expand(&items[0], parts, depth + 1)}),
        Value::Object(members) => expand_object(members, parts, depth),
        other => panic!("assets/crds: not a schema: {other}"),
    }
}

fn scalar(name: &str) -> Value {
    match name {
        "uint32" => json!({"type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32}),
        "int32" => json!({"type": "integer", "format": "int32"}),
        "duration" => json!({"type": "string", "x-kubernetes-validations": [
            {"rule": "duration(self) >= duration('1ms')", "message": "must be a valid duration greater than 1ms"}]}),
        "port" => json!({"type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32, "x-kubernetes-validations": [
            {"rule": "0 < self && self <= 65535", "message": "port must be between 1-65535"}]}),
        "any" => json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
        "int-or-string" => json!({"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true}),
        "date-time" => json!({"type": "string", "format": "date-time"}),
        "double" => json!({"type": "number", "format": "double", "nullable": true}),
        plain @ ("string" | "boolean" | "number" | "integer" | "object") => json!({"type": plain}),
        other => panic!("assets/crds: unknown type {other}"),
    }
}

fn expand_object(members: &Map<String, Value>, parts: &Value, depth: usize) -> Value {
    let inner = |key: &str| members.get(key).map(|v| expand(v, parts, depth + 1));
    let mut schema = if let Some(items) = inner("$list") {
        json!({"type": "array", "items": items})
    } else if let Some(values) = inner("$map") {
        json!({"type": "object", "additionalProperties": values})
    } else if let Some(values) = members.get("$enum") {
        json!({"type": "string", "enum": values})
    } else if let Some(of) = inner("$of") {
        of
    } else {
        fields(members, parts, depth)
    };
    for (key, value) in members.get("$").and_then(Value::as_object).into_iter().flatten() {
        match (schema.get_mut(key).and_then(Value::as_array_mut), value.as_array()) {
            (Some(have), Some(more)) => have.extend(more.iter().cloned()),
            _ => schema[key] = value.clone(),
        }
    }
    schema
}

fn fields(members: &Map<String, Value>, parts: &Value, depth: usize) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (name, short) in members.iter().filter(|(name, _)| !name.starts_with('$')) {
        let bare = name.trim_end_matches('*');
        if bare != name {
            required.push(json!(bare));
        }
        properties.insert(bare.to_string(), expand(short, parts, depth + 1));
    }
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// Removes what a release does not have yet from a schema.
fn take_out(schema: &mut Value, absent: &Absent) {
    let mut here = schema;
    for part in absent.path.split('.') {
        let (name, inner) = match (part.strip_suffix("[]"), part.strip_suffix("{}")) {
            (Some(name), _) => (name, Some("items")),
            (_, Some(name)) => (name, Some("additionalProperties")),
            _ => (part, None),
        };
        here = &mut here["properties"][name];
        if let Some(inner) = inner {
            here = &mut here[inner];
        }
    }
    for (keyword, value) in &absent.keywords {
        match (value, here.as_object_mut()) {
            (Value::Null, Some(schema)) => drop(schema.remove(keyword)),
            _ => here[keyword] = value.clone(),
        }
    }
    if let Some(values) = here.get_mut("enum").and_then(Value::as_array_mut) {
        values.retain(|v| !absent.values.iter().any(|a| v == a));
    }
    if let Some(properties) = here.get_mut("properties").and_then(Value::as_object_mut) {
        properties.retain(|name, _| !absent.fields.contains(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::versions;

    fn schema(kind: &str) -> Value {
        let crds = render(versions::default_release());
        let crd = crds.iter().find(|c| c.str_at(&["spec", "names", "kind"]) == kind).expect("a CRD of that kind");
        crd.0["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
    }

    fn refusals(kind: &str, spec: Value) -> Vec<String> {
        let object = json!({"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec});
        match kube_cel::Validator::new().validate(&schema(kind), &object, None) {
            Ok(()) => Vec::new(),
            Err(errors) => errors.iter().map(|e| format!("{}: {}", e.field_path, e.message)).collect(),
        }
    }

    fn compiles(schema: &Value, at: &str) {
        let compiled = kube_cel::compile_schema(schema);
        assert!(compiled.compilation_errors().is_empty(), "{at}");
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            compiles(property, &format!("{at}.{name}"));
        }
        for key in ["items", "additionalProperties"] {
            if schema.get(key).is_some() {
                compiles(&schema[key], &format!("{at}.{key}"));
            }
        }
    }

    #[test]
    fn every_rule_of_every_kind_compiles() {
        let crds = render(versions::default_release());
        assert_eq!(crds.len(), FILES.len());
        for crd in crds {
            compiles(&crd.0["spec"]["versions"][0]["schema"]["openAPIV3Schema"], crd.name());
        }
    }

    #[test]
    fn the_rules_give_istios_messages() {
        let port = json!([{"number": 80, "name": "http"}]);
        let rows = [
            ("ServiceEntry", json!({"hosts": ["*"]}), "spec.hosts[0]: hostname cannot be wildcard"),
            (
                "ServiceEntry",
                json!({"hosts": ["a.b"], "ports": [{"number": 80, "name": "a"}, {"number": 80, "name": "b"}]}),
                "spec.ports: port number cannot be duplicated",
            ),
            (
                "ServiceEntry",
                json!({"hosts": ["a.b"], "ports": [{"number": 70000, "name": "a"}]}),
                "spec.ports[0].number: port must be between 1-65535",
            ),
            (
                "ServiceEntry",
                json!({"hosts": ["a.b"], "ports": port, "endpoints": [{"address": "1.2.3.4"}]}),
                "spec: NONE mode cannot set endpoints",
            ),
            (
                "ServiceEntry",
                json!({"hosts": ["a.b"], "resolution": "DNS", "addresses": ["10.0.0.0/8"]}),
                "spec: CIDR addresses are allowed only for NONE/STATIC resolution types",
            ),
            (
                "ServiceEntry",
                json!({"hosts": ["a.b"], "resolution": "DNS_ROUND_ROBIN", "endpoints": [{"address": "a.c"}, {"address": "a.d"}]}),
                "spec: DNS_ROUND_ROBIN mode cannot have multiple endpoints",
            ),
            (
                "ServiceEntry",
                json!({"hosts": ["a.b"], "resolution": "STATIC", "workloadSelector": {"labels": {"a": "b"}},
                    "endpoints": [{"address": "1.1.1.1"}]}),
                "spec: only one of WorkloadSelector or Endpoints can be set",
            ),
            (
                "ServiceEntry",
                json!({"hosts": ["a.b"], "resolution": "STATIC", "endpoints": [{"labels": {"a": "b"}}]}),
                "spec.endpoints[0]: Address is required",
            ),
            (
                "VirtualService",
                json!({"http": [{"timeout": "0s"}]}),
                "spec.http[0].timeout: must be a valid duration greater than 1ms",
            ),
            (
                "DestinationRule",
                json!({"host": "a", "trafficPolicy": {"connectionPool": {"tcp": {"connectTimeout": "0s"}}}}),
                "spec.trafficPolicy.connectionPool.tcp.connectTimeout: must be a valid duration greater than 1ms",
            ),
        ];
        for (kind, spec, expected) in rows {
            assert_eq!(refusals(kind, spec.clone()), [expected], "{spec}");
        }
    }

    #[test]
    fn what_the_lesson_applies_passes_the_rules() {
        let ports =
            json!([{"number": 80, "name": "http", "protocol": "HTTP"}, {"number": 443, "name": "https", "protocol": "TLS"}]);
        let rows = [
            ("ServiceEntry", json!({"hosts": ["www.wikipedia.org"], "resolution": "DNS", "ports": ports})),
            ("VirtualService", json!({"hosts": ["a.b"], "http": [{"timeout": "1.5s"}]})),
            ("ServiceEntry", json!({"hosts": ["a.b"], "resolution": "STATIC", "endpoints": [{"address": "unix:///var/run/x"}]})),
        ];
        for (kind, spec) in rows {
            assert_eq!(refusals(kind, spec.clone()), Vec::<String>::new(), "{spec}");
        }
    }

    #[test]
    fn names_versions_and_columns_are_istios() {
        let crds = render(versions::default_release());
        let find = |name: &str| crds.iter().find(|c| c.name() == name).expect("a CRD of that name");
        let entry = find("serviceentries.networking.istio.io");
        let served: Vec<&str> =
            entry.0["spec"]["versions"].as_array().expect("versions").iter().filter_map(|v| v["name"].as_str()).collect();
        assert_eq!(served, ["v1", "v1beta1", "v1alpha3"]);
        assert_eq!(entry.at(&["spec", "names", "shortNames"]), &json!(["se"]));
        assert_eq!(entry.at(&["spec", "names", "categories"]), &json!(["istio-io", "networking-istio-io"]));
        assert!(entry.annotation(NOT_SIMULATED).is_none());
        assert!(find("authorizationpolicies.security.istio.io").annotation(NOT_SIMULATED).is_none());
        assert_eq!(find("proxyconfigs.networking.istio.io").annotation(NOT_SIMULATED), Some("true"));
        assert!(find("gateways.networking.istio.io").0["spec"]["versions"][0].get("additionalPrinterColumns").is_none());
    }

    #[test]
    fn an_older_release_lacks_what_came_later() {
        let modes = |version: &str| {
            let release = versions::find(version).expect("a release");
            let crds = render(release);
            let crd = crds.into_iter().find(|c| c.name().starts_with("serviceentries")).expect("the kind");
            crd.0["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["resolution"]["enum"]
                .clone()
        };
        assert_eq!(modes("1.26"), json!(["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN"]));
        assert_eq!(modes("1.30"), json!(["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"]));
        for absent in &versions::find("1.26").expect("a release").absent {
            let mut schema = schema(&absent.kind);
            let before = schema.clone();
            take_out(&mut schema, absent);
            assert_ne!(before, schema, "{absent:?} takes nothing out");
        }
    }
}
