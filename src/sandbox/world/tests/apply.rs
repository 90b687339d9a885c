//! Server-side apply and the owners of fields, through requests.

use super::*;

const SSA: &str = "/api/v1/namespaces/default/configmaps/ssa";

/// An apply by a manager; `query` is more of it (`&force=true`).
fn apply(world: &mut World, target: &str, manager: &str, body: &Value) -> Answer {
    let joint = if target.contains('?') { '&' } else { '?' };
    patch(world, &format!("{target}{joint}fieldManager={manager}"), "apply-patch+yaml", body.clone())
}

fn map(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ssa"}, "data": data})
}

/// Manager, operation, subresource and fields of each entry.
fn owners(object: &Value) -> Vec<(String, String, String, Value)> {
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or("").to_string();
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    entries.map(|e| (text(e, "manager"), text(e, "operation"), text(e, "subresource"), e["fieldsV1"].clone())).collect()
}

#[test]
fn what_is_no_apply_is_refused_in_the_api_servers_words() {
    let mut world = world();
    let both = map(json!({"a": "1"}));
    let with = |path: &str, value: Value| {
        let mut body = map(json!({"a": "1"}));
        *body.pointer_mut(path).expect("there") = value;
        body
    };
    let mut managed = both.clone();
    managed["metadata"]["managedFields"] = json!([{}]);
    let mut bogus = both.clone();
    bogus["bogus"] = json!(1);
    let mut uid = both.clone();
    uid["metadata"]["uid"] = json!("u1");
    let mut version = both.clone();
    version["metadata"]["resourceVersion"] = json!("5");
    let mut elsewhere = both.clone();
    elsewhere["metadata"]["namespace"] = json!("other");
    let mut generated = both.clone();
    generated["metadata"] = json!({"generateName": "x-"});
    for (body, code, message) in [
        (managed, 400, "metadata.managedFields must be nil"),
        (json!({"kind": "ConfigMap", "metadata": {"name": "ssa"}}), 400, "invalid object type: /, Kind=ConfigMap"),
        (with("/kind", json!("Secret")), 400, "invalid object type: /v1, Kind=Secret"),
        (bogus, 500, "failed to create typed patch object (/ssa; /v1, Kind=ConfigMap): .bogus: field not declared in schema"),
        (
            with("/data", json!(["x"])),
            500,
            "failed to create typed patch object (/ssa; /v1, Kind=ConfigMap): .data: expected map, got &{[x]}",
        ),
        (with("/metadata/name", json!("zz")), 400, "the name of the object (zz) does not match the name on the URL (ssa)"),
        (generated, 400, "the name of the object (ssa based on URL) was undeterminable: name must be provided"),
        (elsewhere, 400, "the namespace of the object (other) does not match the namespace on the request (default)"),
        (
            uid,
            409,
            "Operation cannot be fulfilled on configmaps \"ssa\": uid mismatch: the provided object specified uid u1, and no existing \
             object was found",
        ),
        (
            version,
            409,
            "Operation cannot be fulfilled on configmaps \"ssa\": the object has been modified; please apply your changes to the latest \
             version and try again",
        ),
        (
            json!("text"),
            400,
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go value of type \
             map[string]interface {}",
        ),
    ] {
        let before = world.revision();
        assert_eq!(refused(apply(&mut world, SSA, "m", &body), code), message, "{body}");
        assert_eq!(world.revision(), before);
    }
    let forced = patch(&mut world, &format!("{SSA}?force=true"), "merge-patch+json", json!({}));
    assert_eq!(
        refused(forced, 422),
        "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch"
    );
    let broken = Call::new("PATCH", &format!("{SSA}?fieldManager=m")).header("content-type", "application/apply-patch+yaml");
    let broken = world.handle(&Call { body: b"a: [".to_vec(), ..broken });
    assert!(refused(broken, 400).starts_with("error decoding YAML: "));
}

#[test]
fn an_apply_creates_merges_and_changes_nothing_twice() {
    let mut world = world();
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ssa\ndata:\n  a: \"1\"\n";
    let call = Call::new("PATCH", &format!("{SSA}?fieldManager=mA")).header("content-type", "application/apply-patch+yaml");
    let call = Call { body: yaml.as_bytes().to_vec(), ..call };
    let dry = Call { query: vec![("fieldManager".into(), "mA".into()), ("dryRun".into(), "All".into())], ..call.clone() };
    assert_eq!(world.handle(&dry).status, 201);
    assert_eq!(get(&mut world, SSA).status, 404);
    let created = world.handle(&call);
    assert_eq!(created.status, 201);
    let object = ok(created);
    assert_eq!(owners(&object), [("mA".into(), "Apply".into(), String::new(), json!({"f:data": {"f:a": {}}}))]);
    let revision = world.revision();
    let again = world.handle(&call);
    assert_eq!((again.status, again.value()), (200, object));
    assert_eq!(world.revision(), revision);
    // Somebody else takes the field by a merge patch; forced back.
    ok(patch(&mut world, &format!("{SSA}?fieldManager=upd"), "merge-patch+json", json!({"data": {"a": "2"}})));
    assert_eq!(
        refused(apply(&mut world, SSA, "mA", &map(json!({"a": "1"}))), 409),
        "Apply failed with 1 conflict: conflict with \"upd\" using v1: .data.a"
    );
    let forced = ok(apply(&mut world, &format!("{SSA}?force=true"), "mA", &map(json!({"a": "1"}))));
    assert_eq!((forced["data"].clone(), owners(&forced).len()), (json!({"a": "1"}), 1));
}

#[test]
fn defaults_are_nobodys_and_the_status_has_its_own_owners() {
    let mut world = world();
    let body = deployment("web", 2);
    let object = ok(apply(&mut world, &format!("{DEPLOYMENTS}/web"), "A", &body));
    assert_eq!(object["spec"]["revisionHistoryLimit"], 10);
    let object = ok(get(&mut world, &format!("{DEPLOYMENTS}/web")));
    let entries = owners(&object);
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert_eq!((entries[0].0.as_str(), entries[1].0.as_str(), entries[1].2.as_str()), ("A", "kube-controller-manager", "status"));
    assert!(entries[0].3["f:spec"].get("f:revisionHistoryLimit").is_none());
    // Scaling takes the replicas; the next apply conflicts in the recorded words.
    let scale = format!("{DEPLOYMENTS}/web/scale");
    ok(patch(&mut world, &format!("{scale}?fieldManager=kubectl"), "merge-patch+json", json!({"spec": {"replicas": 3}})));
    let message =
        "Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" using apps/v1: .spec.replicas";
    assert_eq!(refused(apply(&mut world, &format!("{DEPLOYMENTS}/web"), "A", &body), 409), message);
    // Applied scale: owned as a subresource; a conflict there too.
    let wanted = json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 5}});
    assert_eq!(apply(&mut world, &scale, "hpa", &wanted).status, 409);
    assert_eq!(ok(apply(&mut world, &format!("{scale}?force=true"), "hpa", &wanted))["spec"]["replicas"], 5);
    let object = ok(get(&mut world, &format!("{DEPLOYMENTS}/web")));
    let own = ("hpa".to_string(), "Apply".to_string(), "scale".to_string(), json!({"f:spec": {"f:replicas": {}}}));
    assert!(owners(&object).contains(&own), "{:?}", owners(&object));
    // A field that is applied no more goes back to its default.
    let mut less = body.clone();
    less["spec"].as_object_mut().expect("spec").remove("replicas");
    less["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = json!(5);
    ok(apply(&mut world, &format!("{DEPLOYMENTS}/web"), "A", &less));
    less["spec"]["template"]["spec"].as_object_mut().expect("spec").remove("terminationGracePeriodSeconds");
    let object = ok(apply(&mut world, &format!("{DEPLOYMENTS}/web"), "A", &less));
    assert_eq!(object["spec"]["template"]["spec"]["terminationGracePeriodSeconds"], 30);
}

#[test]
fn managed_fields_can_be_rewritten_and_reset() {
    let mut world = world();
    ok(post(&mut world, &format!("{MAPS}?fieldManager=m1"), map(json!({"a": "1"}))));
    let mine = json!([{"manager": "kubectl", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
                       "fieldsV1": {"f:data": {"f:a": {}}}}]);
    let migrate = json!([{"op": "replace", "path": "/metadata/managedFields", "value": mine}]);
    let object = ok(patch(&mut world, SSA, "json-patch+json", migrate));
    assert_eq!(object["metadata"]["managedFields"], mine);
    // What cannot be read is not taken.
    let bad = json!({"metadata": {"managedFields": [{"operation": "Bogus"}]}});
    let object = ok(patch(&mut world, SSA, "merge-patch+json", bad));
    assert_eq!(object["metadata"]["managedFields"], mine);
    let reset = json!([{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]);
    let object = ok(patch(&mut world, SSA, "json-patch+json", reset));
    assert!(object["metadata"]["managedFields"].is_null());
    // An object without owners stays so until it is applied.
    let object = ok(patch(&mut world, SSA, "merge-patch+json", json!({"data": {"b": "2"}})));
    assert!(object["metadata"]["managedFields"].is_null());
    let object = ok(apply(&mut world, SSA, "x", &map(json!({"c": "3"}))));
    let managers: Vec<String> = owners(&object).into_iter().map(|entry| entry.0).collect();
    assert_eq!(managers, ["x", "before-first-apply"]);
}

#[test]
fn pods_are_owned_by_who_asked_for_them_not_by_what_admission_added() {
    let mut world = world();
    let object = ok(world.handle(&Call::new("POST", PODS).header("user-agent", "kubectl/v1.37.1 (linux)").json(&pod("p"))));
    let entry = owners(&object)[0].clone();
    assert_eq!(entry.0, "kubectl");
    let spec = entry.3["f:spec"].as_object().expect("owned").keys().cloned().collect::<Vec<_>>();
    let expected = [
        "f:containers",
        "f:dnsPolicy",
        "f:enableServiceLinks",
        "f:restartPolicy",
        "f:schedulerName",
        "f:securityContext",
        "f:terminationGracePeriodSeconds",
    ];
    assert_eq!(spec, expected);
    let container = &entry.3["f:spec"]["f:containers"]["k:{\"name\":\"c\"}"];
    assert!(container.get("f:volumeMounts").is_none(), "{container}");
    let stored = ok(get(&mut world, &format!("{PODS}/p")));
    let kubelet = owners(&stored).into_iter().find(|entry| entry.0 == "kubelet").expect("the kubelet wrote");
    assert_eq!((kubelet.1.as_str(), kubelet.2.as_str()), ("Update", "status"));
}
