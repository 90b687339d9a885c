//! Built-in kinds: create, read, list, change, delete.

use super::*;

#[test]
fn the_start_world_is_a_fresh_cluster() {
    let mut world = world();
    let namespaces = ok(get(&mut world, "/api/v1/namespaces"));
    assert_eq!(names(&namespaces), ["default", "kube-node-lease", "kube-public", "kube-system"]);
    assert_eq!(ok(get(&mut world, "/api/v1/namespaces/default/services/kubernetes"))["spec"]["clusterIP"], "10.96.0.1");
    assert_eq!(names(&ok(get(&mut world, "/api/v1/nodes"))), ["sandbox-node"]);
    assert_eq!(names(&ok(get(&mut world, "/api/v1/namespaces/default/serviceaccounts"))), ["default"]);
    assert_eq!(names(&ok(get(&mut world, "/api/v1/pods"))), [""; 0]);
    assert!(world.settled());
    assert_eq!(ok(get(&mut world, "/version"))["gitVersion"], "v1.36.2");
    assert_eq!(ok(get(&mut world, "/.well-known/egress-lab"))["name"], "egress-lab");
}

#[test]
fn a_pod_is_defaulted_scheduled_and_running_when_the_answer_is_there() {
    let mut world = world();
    let created = ok(post(&mut world, PODS, pod("a")));
    assert_eq!(created["status"]["phase"], "Pending");
    assert_eq!(created["spec"]["containers"][0]["imagePullPolicy"], "IfNotPresent");
    assert_eq!(created["spec"]["tolerations"].as_array().map(Vec::len), Some(2));
    assert_eq!(created["spec"]["volumes"][0]["projected"]["sources"].as_array().map(Vec::len), Some(3));
    let running = ok(get(&mut world, &format!("{PODS}/a")));
    assert_eq!(running["status"]["phase"], "Running", "{running:#}");
    assert_eq!(running["spec"]["nodeName"], "sandbox-node");
}

#[test]
fn a_deployment_makes_pods_and_its_deletion_takes_them_along() {
    let mut world = world();
    ok(post(&mut world, DEPLOYMENTS, deployment("web", 2)));
    let web = ok(get(&mut world, &format!("{DEPLOYMENTS}/web")));
    assert_eq!(web["status"]["readyReplicas"], 2, "{web:#}");
    assert_eq!(names(&ok(get(&mut world, PODS))).len(), 2);
    let scale = ok(patch(&mut world, &format!("{DEPLOYMENTS}/web/scale"), "merge-patch+json", json!({"spec": {"replicas": 3}})));
    assert_eq!((scale["kind"].as_str(), scale["spec"]["replicas"].as_i64()), (Some("Scale"), Some(3)));
    assert_eq!(names(&ok(get(&mut world, &format!("{PODS}?labelSelector=app%3Dweb")))).len(), 3);
    assert_eq!(ok(delete(&mut world, &format!("{DEPLOYMENTS}/web")))["status"], "Success");
    assert_eq!(names(&ok(get(&mut world, PODS))), [""; 0]);
}

#[test]
fn refusals_use_the_api_servers_words() {
    let mut world = world();
    ok(post(&mut world, MAPS, json!({"metadata": {"name": "cm"}, "data": {"a": "1"}})));
    let bad_name = json!({"metadata": {"name": "Bad_Name"}});
    let pod_without_image = json!({"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c"}]}});
    for (answer, code, message) in [
        (get(&mut world, &format!("{PODS}/nosuch")), 404, "pods \"nosuch\" not found"),
        (get(&mut world, &format!("{DEPLOYMENTS}/nosuch")), 404, "deployments.apps \"nosuch\" not found"),
        (get(&mut world, "/api/v1/nosuch"), 404, "the server could not find the requested resource"),
        (post(&mut world, MAPS, json!({"metadata": {"name": "cm"}})), 409, "configmaps \"cm\" already exists"),
        (
            post(&mut world, "/api/v1/namespaces/none/configmaps", json!({"metadata": {"name": "a"}})),
            404,
            "namespaces \"none\" not found",
        ),
        (
            post(&mut world, MAPS, json!({"metadata": {}})),
            422,
            "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required",
        ),
        (
            post(&mut world, MAPS, json!({"metadata": {"name": "a", "namespace": "other"}})),
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            post(&mut world, MAPS, json!({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}})),
            400,
            "Secret in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion",
        ),
        (
            post(&mut world, MAPS, json!({"metadata": {"name": "x", "resourceVersion": "5"}})),
            500,
            "resourceVersion should not be set on objects to be created",
        ),
        (post(&mut world, PODS, pod_without_image), 422, "Pod \"x\" is invalid: spec.containers[0].image: Required value"),
        (
            delete(&mut world, "/api/v1/namespaces/default"),
            403,
            "namespaces \"default\" is forbidden: this namespace may not be deleted",
        ),
        (get(&mut world, &format!("{PODS}?fieldSelector=spec.bogus%3Dx")), 400, "field label not supported: spec.bogus"),
        (
            get(&mut world, &format!("{MAPS}?labelSelector=a%20b")),
            400,
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
        ),
        (
            get(&mut world, &format!("{MAPS}?resourceVersionMatch=Exact")),
            422,
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        (
            patch(
                &mut world,
                &format!("{MAPS}/cm"),
                "merge-patch+json",
                json!({"metadata": {"resourceVersion": "1"}, "data": {"c": "5"}}),
            ),
            409,
            "Operation cannot be fulfilled on configmaps \"cm\": the object has been modified; please apply your changes to the latest version and try again",
        ),
        (
            patch(&mut world, &format!("{MAPS}/cm"), "apply-patch+yaml", json!({})),
            422,
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        ),
    ] {
        assert_eq!(refused(answer, code), message);
    }
    let answer = post(&mut world, "/api/v1/namespaces", bad_name);
    assert_eq!(answer.value()["details"]["kind"], "Namespace");
    assert!(refused(answer, 422).starts_with(
        "Namespace \"Bad_Name\" is invalid: metadata.name: Invalid value: \"Bad_Name\": a lowercase RFC 1123 label"
    ));
    assert_eq!(get(&mut world, "/nosuch").body, b"404 page not found\n");
}

#[test]
fn fields_are_validated_as_asked() {
    let mut world = world();
    let mut bad = deployment("fv", 1);
    bad["spec"]["replicaz"] = json!(1);
    let strict = post(&mut world, &format!("{DEPLOYMENTS}?fieldValidation=Strict"), bad.clone());
    let message =
        "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: unknown field \"spec.replicaz\"";
    assert_eq!(refused(strict, 400), message);
    let warned = post(&mut world, &format!("{DEPLOYMENTS}?dryRun=All"), bad.clone());
    assert_eq!(warned.header_value("warning"), Some("299 - \"unknown field \\\"spec.replicaz\\\"\""));
    assert!(ok(warned)["metadata"].get("resourceVersion").is_none());
    let ignored = post(&mut world, &format!("{DEPLOYMENTS}?fieldValidation=Ignore"), bad);
    assert_eq!(ignored.header_value("warning"), None);
    assert!(ok(ignored)["spec"].get("replicaz").is_none());
}

#[test]
fn a_write_without_change_keeps_version_and_generation() {
    let mut world = world();
    ok(post(&mut world, DEPLOYMENTS, deployment("web", 1)));
    let path = format!("{DEPLOYMENTS}/web");
    let before = ok(get(&mut world, &path));
    let same = ok(patch(&mut world, &path, "strategic-merge-patch+json", json!({"spec": {"replicas": 1}})));
    assert_eq!(before["metadata"]["resourceVersion"], same["metadata"]["resourceVersion"]);
    let labelled = ok(patch(&mut world, &path, "merge-patch+json", json!({"metadata": {"labels": {"x": "y"}}})));
    assert_eq!(labelled["metadata"]["generation"], before["metadata"]["generation"]);
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.28"}]}}}});
    let changed = ok(patch(&mut world, &path, "strategic-merge-patch+json", image));
    assert_eq!(changed["metadata"]["generation"], 2);
    assert_eq!(changed["spec"]["template"]["spec"]["containers"][0]["terminationMessagePath"], "/dev/termination-log");
}

#[test]
fn lists_come_in_pages_and_tables() {
    let mut world = world();
    for name in ["a", "b", "c"] {
        ok(post(&mut world, MAPS, json!({"metadata": {"name": name}, "data": {"k": "v"}})));
    }
    let first = ok(get(&mut world, &format!("{MAPS}?limit=2")));
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 2);
    let token = first["metadata"]["continue"].as_str().expect("token");
    let second = ok(get(&mut world, &format!("{MAPS}?limit=2&continue={token}")));
    assert_eq!(names(&second), ["c", "kube-root-ca.crt"]);
    assert!(second["metadata"].get("continue").is_none());
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let table = ok(world.handle(&Call::new("GET", MAPS).header("accept", accept)));
    assert_eq!(table["rows"][0]["cells"], json!(["a", 1, "3s"]));
    assert_eq!(table["columnDefinitions"][1]["name"], "Data");
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
}

#[test]
fn a_namespace_is_emptied_before_it_goes() {
    let mut world = world();
    ok(post(&mut world, "/api/v1/namespaces", json!({"metadata": {"name": "lab"}})));
    ok(post(&mut world, "/api/v1/namespaces/lab/pods", pod("a")));
    let going = ok(delete(&mut world, "/api/v1/namespaces/lab"));
    assert_eq!(going["status"]["phase"], "Terminating");
    assert_eq!(refused(get(&mut world, "/api/v1/namespaces/lab"), 404), "namespaces \"lab\" not found");
    assert_eq!(names(&ok(get(&mut world, "/api/v1/namespaces/lab/pods"))), [""; 0]);
}

#[test]
fn another_user_may_do_what_roles_give() {
    let mut world = world();
    let as_dev = |call: Call| call.header("impersonate-user", "dev");
    let refusal = world.handle(&as_dev(Call::new("GET", PODS)));
    let message = "pods is forbidden: User \"dev\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"";
    assert_eq!(refused(refusal, 403), message);
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    let rules = json!([{"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}]);
    ok(post(&mut world, &format!("{rbac}/roles"), json!({"metadata": {"name": "r"}, "rules": rules})));
    let binding = json!({"metadata": {"name": "b"}, "subjects": [{"kind": "User", "name": "dev"}], "roleRef": {"kind": "Role", "name": "r"}});
    ok(post(&mut world, &format!("{rbac}/rolebindings"), binding));
    ok(world.handle(&as_dev(Call::new("GET", PODS))));
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let mut world = world();
    let call = Call { body: vec![b' '; 3 * 1024 * 1024 + 1], ..Call::new("POST", MAPS) };
    assert_eq!(refused(world.handle(&call), 413), "Request entity too large: limit is 3145728");
}

#[test]
fn node_ports_are_given_out_kept_and_refused() {
    let mut world = world();
    let services = "/api/v1/namespaces/default/services";
    let service =
        |name: &str, kind: &str, port: Value| json!({"metadata": {"name": name}, "spec": {"type": kind, "ports": [port]}});
    let made = ok(post(&mut world, services, service("a", "NodePort", json!({"port": 80}))));
    let port = made["spec"]["ports"][0]["nodePort"].as_i64().expect("in the answer");
    assert!((30_000..=32_767).contains(&port));
    assert_eq!(made["spec"]["externalTrafficPolicy"], "Cluster");
    let given = |n: i64| service("b", "NodePort", json!({"port": 80, "nodePort": n}));
    assert_eq!(
        refused(post(&mut world, services, given(port)), 422),
        format!("Service \"b\" is invalid: spec.ports[0].nodePort: Invalid value: {port}: provided port is already allocated")
    );
    assert!(refused(post(&mut world, services, given(80)), 422).ends_with(
        "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767"
    ));
    let wrong = service("b", "ClusterIP", json!({"port": 80, "nodePort": 30_001}));
    assert!(refused(post(&mut world, services, wrong), 422).ends_with("Forbidden: may not be used when `type` is 'ClusterIP'"));
    let balanced = ok(post(&mut world, services, service("lb", "LoadBalancer", json!({"port": 443}))));
    assert!(balanced["spec"]["ports"][0]["nodePort"].is_i64() && balanced["spec"]["allocateLoadBalancerNodePorts"] == true);
    // Types change there and back; an address stays for as long as the type has one.
    let turn =
        |world: &mut World, spec: Value| ok(patch(world, &format!("{services}/a"), "merge-patch+json", json!({"spec": spec})));
    let plain = turn(&mut world, json!({"type": "ClusterIP"}));
    assert!(plain["spec"]["ports"][0]["nodePort"].is_null() && plain["spec"]["externalTrafficPolicy"].is_null());
    assert_eq!(plain["spec"]["clusterIP"], made["spec"]["clusterIP"]);
    let again = turn(&mut world, json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 31_234}]}));
    assert_eq!(again["spec"]["ports"][0]["nodePort"], 31_234);
    let outside = turn(&mut world, json!({"type": "ExternalName", "externalName": "example.com", "ports": null}));
    assert!(outside["spec"]["clusterIP"].is_null() && outside["spec"]["ipFamilies"].is_null(), "{outside}");
    let change = patch(&mut world, &format!("{services}/lb"), "merge-patch+json", json!({"spec": {"clusterIP": "10.96.7.7"}}));
    assert!(refused(change, 422).contains("may not change once set"));
}

#[test]
fn deletions_go_in_the_asked_order() {
    let mut world = world();
    let sets = "/apis/apps/v1/namespaces/default/replicasets";
    ok(post(&mut world, DEPLOYMENTS, deployment("web", 2)));
    let kept = names(&ok(get(&mut world, PODS)));
    ok(delete(&mut world, &format!("{DEPLOYMENTS}/web?propagationPolicy=Orphan")));
    refused(get(&mut world, &format!("{DEPLOYMENTS}/web")), 404);
    let set = ok(get(&mut world, sets))["items"][0].clone();
    assert!(set["metadata"]["ownerReferences"].is_null(), "{set}");
    assert_eq!(names(&ok(get(&mut world, PODS))), kept);
    // A dependent with a finalizer of its own holds an owner that goes in the foreground.
    let pod = format!("{PODS}/{}", kept[0]);
    ok(patch(&mut world, &pod, "merge-patch+json", json!({"metadata": {"finalizers": ["x.example/hold"]}})));
    let path = format!("{sets}/{}", set["metadata"]["name"].as_str().unwrap_or(""));
    ok(delete(&mut world, &format!("{path}?propagationPolicy=Foreground")));
    let held = ok(get(&mut world, &path));
    assert_eq!(held["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    ok(patch(&mut world, &pod, "merge-patch+json", json!({"metadata": {"finalizers": null}})));
    refused(get(&mut world, &path), 404);
    assert!(names(&ok(get(&mut world, PODS))).is_empty());
    // An owner of another uid is no owner: the object goes.
    let stray = json!({"metadata": {"name": "stray", "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "kube-root-ca.crt", "uid": "00000000-0000-0000-0000-000000000000"}]}});
    ok(post(&mut world, MAPS, stray));
    refused(get(&mut world, &format!("{MAPS}/stray")), 404);
}

#[test]
fn a_namespace_says_what_keeps_it() {
    let mut world = world();
    ok(post(&mut world, "/api/v1/namespaces", json!({"metadata": {"name": "lab"}})));
    let held = json!({"metadata": {"name": "m", "finalizers": ["x.example/hold"]}});
    ok(post(&mut world, "/api/v1/namespaces/lab/configmaps", held));
    ok(delete(&mut world, "/api/v1/namespaces/lab"));
    let lab = ok(get(&mut world, "/api/v1/namespaces/lab"));
    let conditions = lab["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let message = |kind: &str| conditions.iter().find(|c| c["type"] == kind).map(|c| c["message"].clone()).unwrap_or_default();
    assert_eq!(message("NamespaceContentRemaining"), "Some resources are remaining: configmaps. has 1 resource instances");
    assert_eq!(
        message("NamespaceFinalizersRemaining"),
        "Some content in the namespace has finalizers remaining: x.example/hold in 1 resource instances"
    );
    let free = json!({"metadata": {"finalizers": null}});
    ok(patch(&mut world, "/api/v1/namespaces/lab/configmaps/m", "merge-patch+json", free));
    refused(get(&mut world, "/api/v1/namespaces/lab"), 404);
}

#[test]
fn schedules_are_read_when_they_are_written_and_unknown_ways_to_end_a_job_are_named() {
    let mut world = world();
    let template = json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}});
    let cron = |name: &str, schedule: &str, zone: &str| json!({"metadata": {"name": name}, "spec": {"schedule": schedule, "timeZone": zone, "jobTemplate": {"spec": {"template": template}}}});
    const CRONS: &str = "/apis/batch/v1/namespaces/default/cronjobs";
    for (schedule, zone, code, text) in [
        ("*/5 * * * *", "Europe/Berlin", 201, ""),
        ("* * *", "UTC", 422, "spec.schedule: Invalid value: \"* * *\": expected exactly 5 fields"),
        ("", "UTC", 422, "spec.schedule: Required value"),
        ("@daily", "Mars/Olympus", 422, "spec.timeZone: Invalid value: \"Mars/Olympus\": unknown time zone Mars/Olympus"),
    ] {
        let answer = post(&mut world, CRONS, cron("c", schedule, zone));
        let body = String::from_utf8_lossy(&answer.body).replace("\\\"", "\"");
        assert!(answer.status == code && body.contains(text), "{schedule:?} {zone}: {} {body}", answer.status);
    }
    let job = json!({"metadata": {"name": "j"}, "spec": {"template": template, "backoffLimitPerIndex": 1, "completionMode": "Indexed"}});
    let answer = post(&mut world, "/apis/batch/v1/namespaces/default/jobs", job);
    let body = String::from_utf8_lossy(&answer.body);
    assert!(answer.status == 501 && body.contains("not simulated here: Job spec.backoffLimitPerIndex"), "{body}");
}

#[test]
fn replacing_a_namespace_keeps_what_holds_it_until_it_is_empty() {
    let mut world = world();
    ok(post(&mut world, "/api/v1/namespaces", json!({"metadata": {"name": "other"}})));
    let plain = json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "other", "labels": {"a": "b"}}});
    let replaced = ok(world.handle(&Call::new("PUT", "/api/v1/namespaces/other").json(&plain)));
    assert_eq!(replaced["spec"]["finalizers"], json!(["kubernetes"]));
    let emptied = json!({"spec": {"finalizers": null}});
    let patched = ok(patch(&mut world, "/api/v1/namespaces/other", "merge-patch+json", emptied));
    assert_eq!(patched["spec"]["finalizers"], json!(["kubernetes"]));
    ok(delete(&mut world, "/api/v1/namespaces/other"));
    refused(get(&mut world, "/api/v1/namespaces/other"), 404);
    let accounts = ok(get(&mut world, "/api/v1/serviceaccounts"));
    let left = accounts["items"].as_array().into_iter().flatten().filter(|a| a["metadata"]["namespace"] == "other");
    assert_eq!(left.count(), 0, "{accounts:#}");
}
