//! Discovery and OpenAPI documents: what they hold and how clients may keep them.

use super::custom::definition;
use super::*;
use std::collections::BTreeSet;

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

fn url(world: &mut World, path: &str) -> String {
    let index = ok(get(world, "/openapi/v3?timeout=32s"));
    index["paths"][path]["serverRelativeURL"].as_str().unwrap_or("").to_string()
}

/// Every `$ref` in a value.
fn references(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            into.extend(map.get("$ref").and_then(Value::as_str).map(String::from));
            map.values().for_each(|value| references(value, into));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, into)),
        _ => (),
    }
}

#[test]
fn a_document_is_kept_for_ever_under_its_hash() {
    let mut world = world();
    let url = url(&mut world, "api/v1");
    let answer = get(&mut world, &url);
    assert_eq!(answer.header_value("cache-control"), Some("public, immutable"));
    assert_eq!((answer.header_value("vary"), answer.status), (Some("Accept"), 200));
    assert!(answer.header_value("expires").is_some_and(|when| when.ends_with(" 2027 09:00:00 GMT")), "{:?}", answer.headers);
    let tag = answer.header_value("etag").expect("a tag").to_string();
    assert!(url.ends_with(&format!("?hash={}", tag.trim_matches('"'))));
    let again = world.handle(&Call::new("GET", &url).header("if-none-match", &tag));
    assert_eq!((again.status, again.body.len(), again.header_value("etag")), (304, 0, Some(tag.as_str())));
    let plain = get(&mut world, "/openapi/v3/api/v1");
    assert_eq!((plain.body == answer.body, plain.header_value("cache-control")), (true, Some("no-cache, private")));
    let old = get(&mut world, "/openapi/v3/api/v1?hash=OLD");
    assert_eq!((old.status, old.header_value("location")), (301, Some(url.as_str())));
    for unknown in
        ["/openapi/v3/apis/nosuch/v1", "/openapi/v3/apis/apps/v9", "/openapi/v3/api/v2", "/openapi/v3/apis//v1", "/openapi/v3/x"]
    {
        assert_eq!((get(&mut world, unknown).status, unknown), (404, unknown));
    }
}

#[test]
fn a_definition_changes_its_documents_and_no_others() {
    let (mut world, mut other) = (world(), world());
    let apps = url(&mut world, "apis/apps/v1");
    assert_eq!(apps, url(&mut other, "apis/apps/v1"));
    assert_eq!(url(&mut world, "apis/networking.istio.io/v1"), "");
    ok(post(&mut world, DEFINITIONS, definition()));
    let first = url(&mut world, "apis/networking.istio.io/v1");
    let tag = |world: &mut World| {
        world.handle(&Call::new("GET", "/apis").header("accept", AGGREGATED)).header_value("etag").expect("a tag").to_string()
    };
    let before = tag(&mut world);
    let path = format!("{DEFINITIONS}/serviceentries.networking.istio.io");
    ok(patch(
        &mut world,
        &path,
        "json-patch+json",
        json!([{"op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/description", "value": "New."}]),
    ));
    let second = url(&mut world, "apis/networking.istio.io/v1");
    assert_ne!(first, second);
    assert_eq!((apps, before.clone()), (url(&mut world, "apis/apps/v1"), tag(&mut world)));
    assert_eq!(get(&mut world, &first).header_value("location"), Some(second.as_str()));
    let document = ok(get(&mut world, &second));
    assert_eq!(document["components"]["schemas"]["io.istio.networking.v1.ServiceEntry"]["description"], "New.");
    ok(patch(&mut world, &path, "merge-patch+json", json!({"spec": {"names": {"shortNames": ["se", "sen"]}}})));
    assert_ne!(before, tag(&mut world));
}

#[test]
fn every_kind_has_its_operations_and_schemas() {
    let mut world = world();
    ok(post(&mut world, DEFINITIONS, definition()));
    let index = ok(get(&mut world, "/openapi/v3"));
    let mut kinds = 0;
    for (path, entry) in index["paths"].as_object().expect("paths") {
        let document = ok(get(&mut world, entry["serverRelativeURL"].as_str().expect("a place")));
        let schemas = document["components"]["schemas"].as_object().expect("schemas");
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for reference in found {
            assert!(schemas.contains_key(reference.trim_start_matches("#/components/schemas/")), "{path}: {reference}");
        }
        for resource in ok(get(&mut world, &format!("/{path}")))["resources"].as_array().expect("resources") {
            let (name, kind) = (resource["name"].as_str().expect("a name"), &resource["kind"]);
            if name.contains('/') {
                continue;
            }
            kinds += 1;
            let known =
                |schema: &Value| schema["x-kubernetes-group-version-kind"].as_array().is_some_and(|k| k[0]["kind"] == *kind);
            assert!(schemas.values().any(known), "{path} {kind}");
            let ends = [format!("/{name}"), format!("/{name}/{{name}}")];
            let (mut verbs, mut checked) = (BTreeSet::new(), false);
            for (_, methods) in
                document["paths"].as_object().expect("paths").iter().filter(|(p, _)| ends.iter().any(|end| p.ends_with(end)))
            {
                for operation in methods.as_object().expect("methods").values().filter(|o| o.is_object()) {
                    assert_eq!(operation["x-kubernetes-group-version-kind"]["kind"], *kind);
                    verbs.insert(operation["x-kubernetes-action"].as_str().expect("an action").to_string());
                    let parameters = operation["parameters"].as_array().expect("parameters");
                    checked |=
                        operation["x-kubernetes-action"] == "patch" && parameters.iter().any(|p| p["name"] == "fieldValidation");
                }
            }
            let can_patch = resource["verbs"].as_array().is_some_and(|verbs| verbs.contains(&json!("patch")));
            assert_eq!((checked, !verbs.is_empty()), (can_patch, true), "{path} {name} {verbs:?}");
        }
    }
    assert!(kinds > 40, "{kinds}");
}

#[test]
fn subresources_speak_their_own_kinds() {
    let mut world = world();
    let core = ok(get(&mut world, "/openapi/v3/api/v1"));
    let pod = "/api/v1/namespaces/{namespace}/pods/{name}";
    let rows = [
        (format!("{pod}/eviction"), "post", "policy Eviction"),
        (format!("{pod}/binding"), "post", " Binding"),
        (format!("{pod}/ephemeralcontainers"), "patch", " Pod"),
        (format!("{pod}/status"), "put", " Pod"),
        ("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token".into(), "post", "authentication.k8s.io TokenRequest"),
        ("/api/v1/namespaces/{namespace}/replicationcontrollers/{name}/scale".into(), "patch", "autoscaling Scale"),
    ];
    for (path, method, spoken) in rows {
        let gvk = &core["paths"][&path][method]["x-kubernetes-group-version-kind"];
        let said = format!("{} {}", gvk["group"].as_str().unwrap_or("?"), gvk["kind"].as_str().unwrap_or("?"));
        assert_eq!(said, spoken, "{path}");
        let marked =
            |schema: &Value| schema["x-kubernetes-group-version-kind"].as_array().is_some_and(|kinds| kinds.contains(gvk));
        assert!(core["components"]["schemas"].as_object().expect("schemas").values().any(marked), "{path}");
    }
    let list = &core["components"]["schemas"]["io.k8s.api.core.v1.PodList"];
    assert_eq!(list["x-kubernetes-group-version-kind"], json!([{"group": "", "version": "v1", "kind": "PodList"}]));
}

#[test]
fn the_older_document_lists_every_kind_and_has_a_tag() {
    let mut world = world();
    let media = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    let ask = |world: &mut World, tag: &str| {
        world.handle(&Call::new("GET", "/openapi/v2").header("accept", media).header("if-none-match", tag))
    };
    let first = ask(&mut world, "");
    assert_eq!(first.header_value("content-type"), Some("application/com.github.proto-openapi.spec.v2.v1.0+protobuf"));
    let tag = first.header_value("etag").expect("a tag").to_string();
    assert_eq!((ask(&mut world, &tag).status, ask(&mut world, &tag).body.len()), (304, 0));
    ok(post(&mut world, DEFINITIONS, definition()));
    let second = ask(&mut world, &tag);
    let text = String::from_utf8_lossy(&second.body).into_owned();
    assert!(
        second.status == 200 && text.contains("- group: \"networking.istio.io\"\n  kind: ServiceEntry\n  version: v1beta1\n"),
        "{text}"
    );
    let json = ok(get(&mut world, "/openapi/v2"));
    let pod = &json["definitions"][".v1.Pod"];
    assert_eq!(pod["x-kubernetes-group-version-kind"][0]["kind"], "Pod");
    assert!(pod["description"].as_str().is_some_and(|text| text.ends_with('.')));
}
