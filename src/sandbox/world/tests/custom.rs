//! Custom kinds.

use super::*;

const ENTRIES: &str = "/apis/networking.istio.io/v1/namespaces/default/serviceentries";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

pub(super) fn definition() -> Value {
    let spec = json!({
        "type": "object", "required": ["hosts"],
        "x-kubernetes-validations": [{"rule": "!has(self.resolution) || self.resolution != 'NONE' || !has(self.endpoints)", "message": "NONE mode cannot set endpoints"}],
        "properties": {
            "hosts": {"type": "array", "minItems": 1, "maxItems": 256,
                      "items": {"type": "string", "x-kubernetes-validations": [{"rule": "self != '*'", "message": "hostname cannot be wildcard"}]}},
            "resolution": {"type": "string", "enum": ["NONE", "STATIC", "DNS"]},
            "location": {"type": "string", "default": "MESH_EXTERNAL"},
            "endpoints": {"type": "array", "maxItems": 10, "items": {"type": "object", "properties": {"address": {"type": "string"}}}},
        },
    });
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}});
    let columns = json!([{"name": "Hosts", "type": "string", "jsonPath": ".spec.hosts"}, {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]);
    let version = |name: &str, storage: bool| json!({"name": name, "served": true, "storage": storage, "subresources": {"status": {}}, "additionalPrinterColumns": columns, "schema": schema});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "serviceentries.networking.istio.io"},
           "spec": {"group": "networking.istio.io", "scope": "Namespaced",
                    "names": {"kind": "ServiceEntry", "plural": "serviceentries", "shortNames": ["se"], "categories": ["istio-io"]},
                    "versions": [version("v1", true), version("v1beta1", false)]}})
}

fn entry(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"name": name}, "spec": spec})
}

#[test]
fn a_definition_makes_a_kind_and_takes_it_away() {
    let mut world = world();
    assert_eq!(get(&mut world, ENTRIES).body, b"404 page not found\n");
    let created = ok(post(&mut world, DEFINITIONS, definition()));
    assert_eq!(created["spec"]["names"]["listKind"], "ServiceEntryList");
    let established = ok(get(&mut world, &format!("{DEFINITIONS}/serviceentries.networking.istio.io")));
    assert_eq!(established["status"]["conditions"][1]["type"], "Established");
    ok(post(&mut world, ENTRIES, entry("a", json!({"hosts": ["a.example"]}))));
    ok(delete(&mut world, &format!("{DEFINITIONS}/serviceentries.networking.istio.io")));
    assert_eq!(get(&mut world, ENTRIES).status, 404);
    assert!(!world.snapshot().all().any(|o| o.kind() == "ServiceEntry"));
}

#[test]
fn objects_are_pruned_defaulted_validated_and_shown_in_the_version_asked_for() {
    let mut world = world();
    ok(post(&mut world, DEFINITIONS, definition()));
    let beta = "/apis/networking.istio.io/v1beta1/namespaces/default/serviceentries";
    let mut old = entry("a", json!({"hosts": ["a.example"], "prots": 1}));
    old["apiVersion"] = json!("networking.istio.io/v1beta1");
    let created = ok(post(&mut world, beta, old));
    assert_eq!(
        (created["apiVersion"].as_str(), created["spec"]["location"].as_str()),
        (Some("networking.istio.io/v1beta1"), Some("MESH_EXTERNAL"))
    );
    assert!(created["spec"].get("prots").is_none());
    assert_eq!(ok(get(&mut world, &format!("{ENTRIES}/a")))["apiVersion"], "networking.istio.io/v1");
    assert_eq!(
        world
            .snapshot()
            .find("networking.istio.io", "ServiceEntry", "default", "a")
            .map(|o| o.api_version().to_string())
            .as_deref(),
        Some("networking.istio.io/v1")
    );
    for (spec, code, message) in [
        (json!({"hosts": []}), 422, "spec.hosts: Invalid value: 0: spec.hosts in body should have at least 1 items"),
        (
            json!({"hosts": ["*"]}),
            422,
            "ServiceEntry.networking.istio.io \"b\" is invalid: spec.hosts[0]: Invalid value: \"*\": hostname cannot be wildcard",
        ),
        (
            json!({"hosts": ["b"], "resolution": "NONE", "endpoints": [{"address": "x"}]}),
            422,
            "spec: Invalid value: NONE mode cannot set endpoints",
        ),
        (
            json!({"hosts": ["b"], "resolution": "Dns"}),
            422,
            "spec.resolution: Unsupported value: \"Dns\": supported values: \"NONE\", \"STATIC\", \"DNS\"",
        ),
        (
            json!({"hosts": ["b"], "prots": 1}),
            400,
            "ServiceEntry in version \"v1\" cannot be handled as a ServiceEntry: strict decoding error: unknown field \"spec.prots\"",
        ),
    ] {
        let text = refused(post(&mut world, &format!("{ENTRIES}?fieldValidation=Strict"), entry("b", spec)), code);
        assert!(text.contains(message), "{text}");
    }
    let strategic = patch(&mut world, &format!("{ENTRIES}/a"), "strategic-merge-patch+json", json!({}));
    assert!(
        refused(strategic, 415)
            .ends_with("application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml")
    );
    let changed = ok(patch(&mut world, &format!("{ENTRIES}/a"), "merge-patch+json", json!({"spec": {"resolution": "DNS"}})));
    assert_eq!(changed["metadata"]["generation"], 2);
}

#[test]
fn discovery_and_tables_know_custom_kinds() {
    let mut world = world();
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let first = world.handle(&Call::new("GET", "/apis").header("accept", accept));
    let tag = first.header_value("etag").expect("tag").to_string();
    let again = world.handle(&Call::new("GET", "/apis").header("accept", accept).header("if-none-match", &tag));
    assert_eq!(again.status, 304);
    ok(post(&mut world, DEFINITIONS, definition()));
    let after = world.handle(&Call::new("GET", "/apis").header("accept", accept).header("if-none-match", &tag));
    let groups = ok(after);
    let istio = groups["items"]
        .as_array()
        .expect("groups")
        .iter()
        .find(|g| g["metadata"]["name"] == "networking.istio.io")
        .expect("listed");
    assert_eq!(istio["versions"][0]["resources"][0]["shortNames"], json!(["se"]));
    ok(post(&mut world, ENTRIES, entry("a", json!({"hosts": ["a", "b"]}))));
    let table = ok(world.handle(&Call::new("GET", ENTRIES).header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")));
    assert_eq!(table["rows"][0]["cells"], json!(["a", "[\"a\",\"b\"]", "1s"]));
    let index = ok(get(&mut world, "/openapi/v3"));
    let url = index["paths"]["apis/networking.istio.io/v1"]["serverRelativeURL"].as_str().expect("document").to_string();
    let document = ok(get(&mut world, &url));
    let operation = &document["paths"]["/apis/networking.istio.io/v1/namespaces/{namespace}/serviceentries/{name}"]["patch"];
    assert!(operation["parameters"].as_array().expect("parameters").iter().any(|p| p["name"] == "fieldValidation"));
    assert!(document["components"]["schemas"]["io.istio.networking.v1.ServiceEntry"]["properties"]["spec"].is_object());
}

#[test]
fn a_kind_that_is_only_listed_says_so() {
    let mut world = world();
    let mut listed = definition();
    listed["metadata"]["annotations"] = json!({"egress-lab/not-simulated": "true"});
    ok(post(&mut world, DEFINITIONS, listed));
    let text = refused(post(&mut world, ENTRIES, entry("a", json!({"hosts": ["a"]}))), 501);
    assert_eq!(text, "not simulated here: ServiceEntry");
    assert_eq!(names(&ok(get(&mut world, ENTRIES))), [""; 0]);
}
