//! Quotas, ranges, priorities, budgets, taints: what keeps pods out, and what drives them out.

use super::*;

const NODE: &str = "/api/v1/nodes/sandbox-node";
const QUOTAS: &str = "/api/v1/namespaces/default/resourcequotas";
const RANGES: &str = "/api/v1/namespaces/default/limitranges";
const BUDGETS: &str = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";

fn with_resources(name: &str, resources: Value) -> Value {
    let mut pod = pod(name);
    pod["spec"]["containers"][0]["resources"] = resources;
    pod
}

fn condition(object: &Value, kind: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|c| c["type"] == kind).unwrap_or(Value::Null)
}

#[test]
fn a_quota_counts_and_refuses_in_the_servers_words() {
    let mut world = world();
    ok(post(
        &mut world,
        QUOTAS,
        json!({"metadata": {"name": "q1"}, "spec": {"hard": {
        "pods": "2", "requests.cpu": "1", "limits.memory": "1Gi", "count/deployments.apps": "1", "configmaps": "10"}}}),
    ));
    let why = refused(post(&mut world, PODS, pod("a")), 403);
    assert_eq!(why, "pods \"a\" is forbidden: failed quota: q1: must specify limits.memory for: c; requests.cpu for: c");
    let small = json!({"requests": {"cpu": "400m"}, "limits": {"memory": "256Mi"}});
    ok(post(&mut world, PODS, with_resources("a", small.clone())));
    ok(post(&mut world, PODS, with_resources("b", small.clone())));
    let used = ok(get(&mut world, &format!("{QUOTAS}/q1")))["status"]["used"].clone();
    assert_eq!(
        used,
        json!({"pods": "2", "requests.cpu": "800m", "limits.memory": "512Mi", "count/deployments.apps": "0", "configmaps": "1"})
    );
    let why = refused(post(&mut world, PODS, with_resources("c", small)), 403);
    assert_eq!(
        why,
        "pods \"c\" is forbidden: exceeded quota: q1, requested: pods=1,requests.cpu=400m, used: pods=2,requests.cpu=800m, \
         limited: pods=2,requests.cpu=1"
    );
    // A Deployment is let in; its pods are not, and it says so.
    ok(post(&mut world, DEPLOYMENTS, deployment("d", 1)));
    let why = refused(post(&mut world, DEPLOYMENTS, deployment("e", 1)), 403);
    assert!(why.ends_with("exceeded quota: q1, requested: count/deployments.apps=1, used: count/deployments.apps=1, limited: count/deployments.apps=1"), "{why}");
    let d = ok(get(&mut world, &format!("{DEPLOYMENTS}/d")));
    assert_eq!(condition(&d, "ReplicaFailure")["reason"], "FailedCreate", "{d}");
    ok(delete(&mut world, &format!("{PODS}/a")));
    assert_eq!(ok(get(&mut world, &format!("{QUOTAS}/q1")))["status"]["used"]["pods"], "1");
}

#[test]
fn quotas_have_scopes_and_ended_pods_do_not_count() {
    let mut world = world();
    ok(post(
        &mut world,
        QUOTAS,
        json!({"metadata": {"name": "best"}, "spec": {"hard": {"pods": "1"}, "scopes": ["BestEffort"]}}),
    ));
    ok(post(&mut world, PODS, pod("a")));
    refused(post(&mut world, PODS, pod("b")), 403);
    ok(post(&mut world, PODS, with_resources("b", json!({"requests": {"cpu": "1m"}}))));
    ok(delete(&mut world, &format!("{PODS}/a")));
    let mut short = pod("short");
    short["spec"]["restartPolicy"] = json!("Never");
    short["spec"]["containers"][0] = json!({"name": "c", "image": "busybox", "command": ["true"]});
    ok(post(&mut world, PODS, short));
    ok(post(&mut world, PODS, pod("c")));
    let services = json!({"metadata": {"name": "s"}, "spec": {"hard": {"services.nodeports": "1", "services": "3"}}});
    ok(post(&mut world, QUOTAS, services));
    let service = |name: &str, kind: &str| json!({"metadata": {"name": name}, "spec": {"type": kind, "ports": [{"port": 80}]}});
    let services = "/api/v1/namespaces/default/services";
    ok(post(&mut world, services, service("np", "NodePort")));
    ok(post(&mut world, services, service("cl", "ClusterIP")));
    let change = patch(&mut world, &format!("{services}/cl"), "merge-patch+json", json!({"spec": {"type": "NodePort"}}));
    assert!(refused(change, 403).contains("requested: services.nodeports=1, used: services.nodeports=1"));
}

#[test]
fn limit_ranges_give_defaults_and_bounds() {
    let mut world = world();
    ok(post(
        &mut world,
        RANGES,
        json!({"metadata": {"name": "r"}, "spec": {"limits": [{"type": "Container",
        "default": {"cpu": "0.5"}, "defaultRequest": {"cpu": "100m"}, "max": {"memory": "1Gi", "cpu": "1"}, "min": {"cpu": "50m"}}]}}),
    ));
    let range = ok(get(&mut world, &format!("{RANGES}/r")));
    assert_eq!(range["spec"]["limits"][0]["default"], json!({"cpu": "500m", "memory": "1Gi"}));
    assert_eq!(range["spec"]["limits"][0]["defaultRequest"], json!({"cpu": "100m", "memory": "1Gi"}));
    let made = ok(post(&mut world, PODS, pod("a")));
    assert_eq!(
        made["spec"]["containers"][0]["resources"],
        json!({"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "1Gi"}})
    );
    assert_eq!(
        made["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c"
    );
    let why = refused(
        post(&mut world, PODS, with_resources("b", json!({"limits": {"memory": "2Gi"}, "requests": {"memory": "1Gi"}}))),
        403,
    );
    assert_eq!(why, "pods \"b\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi");
    let both = with_resources("c", json!({"limits": {"memory": "2Gi", "cpu": "40m"}, "requests": {"cpu": "40m"}}));
    let why = refused(post(&mut world, PODS, both), 403);
    assert_eq!(
        why,
        "pods \"c\" is forbidden: [minimum cpu usage per Container is 50m, but request is 40m, maximum memory usage per Container is \
         1Gi, but limit is 2Gi]"
    );
}

#[test]
fn priorities_come_from_classes() {
    let mut world = world();
    let classes = "/apis/scheduling.k8s.io/v1/priorityclasses";
    let mut wish = pod("a");
    wish["spec"]["priorityClassName"] = json!("high");
    assert_eq!(
        refused(post(&mut world, PODS, wish.clone()), 403),
        "pods \"a\" is forbidden: no PriorityClass with name high was found"
    );
    ok(post(&mut world, classes, json!({"metadata": {"name": "high"}, "value": 1000, "preemptionPolicy": "Never"})));
    let made = ok(post(&mut world, PODS, wish));
    assert_eq!((&made["spec"]["priority"], &made["spec"]["preemptionPolicy"]), (&json!(1000), &json!("Never")));
    ok(post(&mut world, classes, json!({"metadata": {"name": "usual"}, "value": 7, "globalDefault": true})));
    let made = ok(post(&mut world, PODS, pod("b")));
    assert_eq!((&made["spec"]["priority"], &made["spec"]["priorityClassName"]), (&json!(7), &json!("usual")));
    let mut own = pod("c");
    own["spec"]["priority"] = json!(9);
    assert!(
        refused(post(&mut world, PODS, own), 403).contains("the integer value of priority (9) must not be provided in pod spec")
    );
    let second = json!({"metadata": {"name": "other"}, "value": 8, "globalDefault": true});
    assert!(refused(post(&mut world, classes, second), 403).contains("PriorityClass usual is already marked as default"));
}

#[test]
fn a_crowded_node_says_so_and_higher_priorities_make_room() {
    let mut world = world();
    ok(post(&mut world, PODS, with_resources("big", json!({"requests": {"cpu": "3"}}))));
    ok(post(&mut world, PODS, with_resources("more", json!({"requests": {"cpu": "2", "memory": "9Gi"}}))));
    let more = ok(get(&mut world, &format!("{PODS}/more")));
    assert_eq!(
        condition(&more, "PodScheduled")["message"],
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. no new claims to deallocate, preemption: 0/1 nodes are \
         available: 1 No preemption victims found for incoming pod."
    );
    ok(post(&mut world, "/apis/scheduling.k8s.io/v1/priorityclasses", json!({"metadata": {"name": "high"}, "value": 1000})));
    let mut first = with_resources("first", json!({"requests": {"cpu": "2"}}));
    first["spec"]["priorityClassName"] = json!("high");
    ok(post(&mut world, PODS, first));
    assert_eq!(ok(get(&mut world, &format!("{PODS}/first")))["status"]["phase"], "Running");
    refused(get(&mut world, &format!("{PODS}/big")), 404);
}

#[test]
fn budgets_count_and_refuse_evictions() {
    let mut world = world();
    ok(post(&mut world, DEPLOYMENTS, deployment("web", 2)));
    ok(post(
        &mut world,
        BUDGETS,
        json!({"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}),
    ));
    let status = |world: &mut World| ok(get(world, &format!("{BUDGETS}/b")))["status"].clone();
    let first = status(&mut world);
    assert_eq!(
        [&first["disruptionsAllowed"], &first["currentHealthy"], &first["desiredHealthy"], &first["expectedPods"]],
        [1, 2, 1, 2]
    );
    assert_eq!(
        (&first["conditions"][0]["type"], &first["conditions"][0]["reason"]),
        (&json!("DisruptionAllowed"), &json!("SufficientPods"))
    );
    let victims = names(&ok(get(&mut world, PODS)));
    let evict = |world: &mut World, name: &str| {
        post(
            world,
            &format!("{PODS}/{name}/eviction"),
            json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}),
        )
    };
    assert_eq!(evict(&mut world, &victims[0]).status, 201);
    ok(patch(&mut world, &format!("{BUDGETS}/b"), "merge-patch+json", json!({"spec": {"minAvailable": "100%"}})));
    let name = names(&ok(get(&mut world, PODS)))[0].clone();
    let answer = evict(&mut world, &name);
    assert_eq!(answer.status, 429);
    let body = answer.value();
    assert_eq!(
        (&body["reason"], &body["message"]),
        (&json!("TooManyRequests"), &json!("Cannot evict pod as it would violate the pod's disruption budget."))
    );
    assert_eq!(
        body["details"]["causes"],
        json!([{"reason": "DisruptionBudget", "message": "The disruption budget b needs 2 healthy pods and has 2 currently"}])
    );
    ok(post(&mut world, BUDGETS, json!({"metadata": {"name": "c"}, "spec": {"maxUnavailable": 1, "selector": {}}})));
    assert!(refused(evict(&mut world, &name), 500).starts_with("This pod has more than one PodDisruptionBudget"));
    ok(delete(&mut world, &format!("{BUDGETS}/b")));
    let dry = json!({"metadata": {"name": name}, "deleteOptions": {"dryRun": ["All"]}});
    ok(post(&mut world, &format!("{PODS}/{name}/eviction"), dry));
    assert!(names(&ok(get(&mut world, PODS))).contains(&name));
    refused(evict(&mut world, "nosuch"), 404);
}

#[test]
fn cordons_and_taints_keep_pods_out_and_drive_them_out() {
    let mut world = world();
    ok(patch(&mut world, NODE, "strategic-merge-patch+json", json!({"spec": {"unschedulable": true}})));
    let taints = ok(get(&mut world, NODE))["spec"]["taints"].clone();
    assert_eq!((&taints[0]["key"], &taints[0]["effect"]), (&json!("node.kubernetes.io/unschedulable"), &json!("NoSchedule")));
    ok(post(&mut world, PODS, pod("a")));
    let why = |world: &mut World| condition(&ok(get(world, &format!("{PODS}/a"))), "PodScheduled")["message"].clone();
    let tail = " no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    assert_eq!(why(&mut world), format!("0/1 nodes are available: 1 node(s) were unschedulable.{tail}"));
    ok(patch(&mut world, NODE, "strategic-merge-patch+json", json!({"spec": {"unschedulable": null}})));
    assert!(ok(get(&mut world, NODE))["spec"]["taints"].is_null());
    assert_eq!(ok(get(&mut world, &format!("{PODS}/a")))["status"]["phase"], "Running");

    let mut patient = pod("patient");
    patient["spec"]["tolerations"] = json!([{"key": "k", "operator": "Exists", "tolerationSeconds": 60}]);
    ok(post(&mut world, PODS, patient));
    let mut calm = pod("calm");
    calm["spec"]["tolerations"] = json!([{"operator": "Exists"}]);
    ok(post(&mut world, PODS, calm));
    ok(patch(
        &mut world,
        NODE,
        "merge-patch+json",
        json!({"spec": {"taints": [{"key": "k", "value": "v", "effect": "NoExecute"}]}}),
    ));
    assert_eq!(names(&ok(get(&mut world, PODS))), ["calm", "patient"]);
    world.advance(70_000);
    assert_eq!(names(&ok(get(&mut world, PODS))), ["calm"]);
    ok(post(&mut world, PODS, pod("a")));
    assert_eq!(why(&mut world), format!("0/1 nodes are available: 1 node(s) had untolerated taint(s).{tail}"));
    let events = ok(get(&mut world, "/api/v1/namespaces/default/events"));
    assert!(events["items"].as_array().is_some_and(|all| all.iter().any(|e| e["reason"] == "TaintManagerEviction")));
}

#[test]
fn a_node_without_a_kubelet_is_not_ready_and_gets_no_pods() {
    let mut world = world();
    ok(post(&mut world, "/api/v1/nodes", json!({"metadata": {"name": "paper"}})));
    let taints = ok(get(&mut world, "/api/v1/nodes/paper"))["spec"]["taints"].clone();
    assert!(taints.as_array().is_some_and(|t| t.iter().any(|t| t["key"] == "node.kubernetes.io/not-ready")));
    ok(post(&mut world, PODS, pod("a")));
    assert_eq!(ok(get(&mut world, &format!("{PODS}/a")))["spec"]["nodeName"], "sandbox-node");
    let lease = ok(get(&mut world, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/sandbox-node"));
    assert_eq!(lease["spec"]["holderIdentity"], "sandbox-node");
}
