//! StatefulSets, DaemonSets, Jobs and CronJobs as a client sees them.

use super::*;

const STS: &str = "/apis/apps/v1/namespaces/default/statefulsets";
const DS: &str = "/apis/apps/v1/namespaces/default/daemonsets";
const JOBS: &str = "/apis/batch/v1/namespaces/default/jobs";
const CRONS: &str = "/apis/batch/v1/namespaces/default/cronjobs";

fn stateful(replicas: i64) -> Value {
    json!({"metadata": {"name": "web"}, "spec": {"serviceName": "web", "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
           "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]}}}})
}

fn job(name: &str, spec: Value, command: Value, policy: &str) -> Value {
    let mut job = json!({"metadata": {"name": name}, "spec": {"template": {"spec": {
        "restartPolicy": policy, "containers": [{"name": "c", "image": "busybox:1.36", "command": command}]}}}});
    for (key, value) in spec.as_object().into_iter().flatten() {
        job["spec"][key] = value.clone();
    }
    job
}

/// Reasons of the events about an object, in order.
fn reasons(world: &mut World, kind: &str, name: &str) -> Vec<String> {
    let events = ok(get(world, "/api/v1/namespaces/default/events"));
    let mine = |e: &&Value| e["involvedObject"]["kind"] == kind && e["involvedObject"]["name"] == name;
    events["items"].as_array().into_iter().flatten().filter(mine).map(|e| e["reason"].as_str().unwrap_or("").into()).collect()
}

fn condition(object: &Value, kind: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|c| c["type"] == kind).unwrap_or(Value::Null)
}

#[test]
fn a_stateful_set_starts_in_order_and_names_its_pods() {
    let mut world = world();
    ok(post(&mut world, STS, stateful(3)));
    let set = ok(get(&mut world, &format!("{STS}/web")));
    assert_eq!((&set["status"]["readyReplicas"], &set["status"]["updatedReplicas"]), (&json!(3), &json!(3)));
    assert_eq!(set["status"]["currentRevision"], set["status"]["updateRevision"]);
    assert_eq!(set["spec"]["podManagementPolicy"], "OrderedReady");
    assert_eq!(names(&ok(get(&mut world, PODS))), ["web-0", "web-1", "web-2"]);
    let pod = ok(get(&mut world, &format!("{PODS}/web-1")));
    let labels = &pod["metadata"]["labels"];
    assert_eq!(labels["apps.kubernetes.io/pod-index"], "1");
    assert_eq!(labels["statefulset.kubernetes.io/pod-name"], "web-1");
    assert_eq!(labels["controller-revision-hash"], set["status"]["updateRevision"]);
    assert_eq!((&pod["spec"]["hostname"], &pod["spec"]["subdomain"]), (&json!("web-1"), &json!("web")));
    // Each starts only when the one before it is ready.
    let ready = |n: usize, world: &mut World| {
        let pod = ok(get(world, &format!("{PODS}/web-{n}")));
        (pod["metadata"]["creationTimestamp"].clone(), condition(&pod, "Ready")["lastTransitionTime"].clone())
    };
    assert!(ready(1, &mut world).0.as_str() >= ready(0, &mut world).1.as_str());
    assert_eq!(reasons(&mut world, "StatefulSet", "web"), ["SuccessfulCreate"; 3]);
    let revisions = ok(get(&mut world, "/apis/apps/v1/namespaces/default/controllerrevisions"));
    assert_eq!(revisions["items"][0]["revision"], 1);
    assert_eq!(revisions["items"][0]["data"]["spec"]["template"]["$patch"], "replace");
}

#[test]
fn a_stateful_set_rolls_from_the_top_and_stops_at_its_partition() {
    let mut world = world();
    ok(post(&mut world, STS, stateful(3)));
    let old = ok(get(&mut world, &format!("{STS}/web")))["status"]["updateRevision"].clone();
    let update = json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 2}},
        "template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.28"}]}}}});
    ok(patch(&mut world, &format!("{STS}/web"), "strategic-merge-patch+json", update));
    let image =
        |n: usize, world: &mut World| ok(get(world, &format!("{PODS}/web-{n}")))["spec"]["containers"][0]["image"].clone();
    assert_eq!([0, 1, 2].map(|n| image(n, &mut world)), ["nginx:1.27", "nginx:1.27", "nginx:1.28"]);
    let set = ok(get(&mut world, &format!("{STS}/web")));
    assert_eq!((&set["status"]["currentRevision"], &set["status"]["updatedReplicas"]), (&old, &json!(1)));
    assert_eq!(set["status"]["currentReplicas"], 2);
    // A pod below the partition comes back with the old template.
    ok(delete(&mut world, &format!("{PODS}/web-0")));
    assert_eq!(image(0, &mut world), "nginx:1.27");
    let all = json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}});
    ok(patch(&mut world, &format!("{STS}/web"), "strategic-merge-patch+json", all));
    assert_eq!([0, 1, 2].map(|n| image(n, &mut world)), ["nginx:1.28"; 3]);
    let set = ok(get(&mut world, &format!("{STS}/web")));
    assert_eq!(set["status"]["currentRevision"], set["status"]["updateRevision"]);
    // Back to the old template: its revision counts as the newest again.
    let back = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]}}}});
    ok(patch(&mut world, &format!("{STS}/web"), "strategic-merge-patch+json", back));
    let set = ok(get(&mut world, &format!("{STS}/web")));
    assert_eq!((&set["status"]["updateRevision"], &set["status"]["currentRevision"]), (&old, &old));
}

#[test]
fn a_stateful_set_shrinks_from_the_top_waits_on_delete_and_keeps_going_when_parallel() {
    let mut world = world();
    let mut set = stateful(3);
    set["spec"]["podManagementPolicy"] = json!("Parallel");
    set["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    // None of them becomes ready: only parallel sets start the others.
    set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("nosuch/image");
    ok(post(&mut world, STS, set));
    assert_eq!(names(&ok(get(&mut world, PODS))).len(), 3);
    ok(patch(&mut world, &format!("{STS}/web/scale"), "merge-patch+json", json!({"spec": {"replicas": 1}})));
    assert_eq!(names(&ok(get(&mut world, PODS))), ["web-0"]);
    let fixed = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx"}]}}}});
    ok(patch(&mut world, &format!("{STS}/web"), "strategic-merge-patch+json", fixed));
    assert_eq!(ok(get(&mut world, &format!("{PODS}/web-0")))["spec"]["containers"][0]["image"], "nosuch/image");
    ok(delete(&mut world, &format!("{PODS}/web-0")));
    assert_eq!(ok(get(&mut world, &format!("{PODS}/web-0")))["spec"]["containers"][0]["image"], "nginx");
    ok(delete(&mut world, &format!("{STS}/web")));
    assert!(names(&ok(get(&mut world, PODS))).is_empty());
    assert!(names(&ok(get(&mut world, "/apis/apps/v1/namespaces/default/controllerrevisions"))).is_empty());
}

#[test]
fn claims_of_a_stateful_set_stay_and_pods_wait_for_them() {
    let mut world = world();
    let mut set = stateful(1);
    set["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]);
    ok(post(&mut world, STS, set));
    let claim = ok(get(&mut world, "/api/v1/namespaces/default/persistentvolumeclaims/data-web-0"));
    assert_eq!((&claim["status"]["phase"], &claim["metadata"]["labels"]["app"]), (&json!("Pending"), &json!("web")));
    let pod = ok(get(&mut world, &format!("{PODS}/web-0")));
    assert_eq!(
        condition(&pod, "PodScheduled")["message"],
        "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. no new claims to deallocate, preemption: 0/1 nodes are available: \
         1 Preemption is not helpful for scheduling."
    );
}

#[test]
fn a_daemon_set_has_one_pod_for_each_node_that_will_have_it() {
    let mut world = world();
    let set = json!({"metadata": {"name": "agent"}, "spec": {"selector": {"matchLabels": {"app": "agent"}},
        "template": {"metadata": {"labels": {"app": "agent"}}, "spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]}}}});
    ok(post(&mut world, DS, set));
    let status = |world: &mut World| ok(get(world, &format!("{DS}/agent")))["status"].clone();
    let first = status(&mut world);
    for (field, n) in [
        ("desiredNumberScheduled", 1),
        ("currentNumberScheduled", 1),
        ("numberReady", 1),
        ("updatedNumberScheduled", 1),
        ("numberAvailable", 1),
        ("numberMisscheduled", 0),
    ] {
        assert_eq!(first[field], n, "{field}");
    }
    let pods = ok(get(&mut world, PODS));
    let labels = &pods["items"][0]["metadata"]["labels"];
    assert_eq!(labels["pod-template-generation"], "1");
    assert!(labels["controller-revision-hash"].is_string());
    assert!(
        pods["items"][0]["spec"]["tolerations"]
            .as_array()
            .is_some_and(|t| t.iter().any(|t| t["key"] == "node.kubernetes.io/unschedulable"))
    );
    let update = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.28"}]}}}});
    ok(patch(&mut world, &format!("{DS}/agent"), "strategic-merge-patch+json", update));
    let pods = ok(get(&mut world, PODS));
    assert_eq!(pods["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(pods["items"][0]["spec"]["containers"][0]["image"], "nginx:1.28");
    assert_eq!(pods["items"][0]["metadata"]["labels"]["pod-template-generation"], "2");
    let elsewhere = json!({"spec": {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}}});
    ok(patch(&mut world, &format!("{DS}/agent"), "strategic-merge-patch+json", elsewhere));
    assert_eq!(status(&mut world)["desiredNumberScheduled"], 0);
    assert!(names(&ok(get(&mut world, PODS))).is_empty());
    ok(patch(&mut world, "/api/v1/nodes/sandbox-node", "merge-patch+json", json!({"metadata": {"labels": {"disk": "ssd"}}})));
    assert_eq!(status(&mut world)["numberReady"], 1);
    // A taint that it does not tolerate and that drives pods out.
    let taint = json!({"spec": {"taints": [{"key": "k", "value": "v", "effect": "NoExecute"}]}});
    ok(patch(&mut world, "/api/v1/nodes/sandbox-node", "merge-patch+json", taint));
    assert_eq!(status(&mut world)["desiredNumberScheduled"], 0);
}

#[test]
fn a_job_runs_to_its_end() {
    let mut world = world();
    ok(post(&mut world, JOBS, job("j", json!({"completions": 3, "parallelism": 2}), json!(["echo", "hi"]), "Never")));
    let done = ok(get(&mut world, &format!("{JOBS}/j")));
    assert_eq!(done["status"]["succeeded"], 3);
    assert_eq!(
        (&condition(&done, "Complete")["status"], &condition(&done, "Complete")["reason"]),
        (&json!("True"), &json!("CompletionsReached"))
    );
    assert_eq!(condition(&done, "SuccessCriteriaMet")["status"], "True");
    assert!(done["status"]["completionTime"].is_string() && done["status"]["active"].is_null());
    let pods = ok(get(&mut world, PODS));
    assert_eq!(pods["items"].as_array().map(Vec::len), Some(3));
    for pod in pods["items"].as_array().expect("pods") {
        assert_eq!(pod["status"]["phase"], "Succeeded");
        assert!(pod["metadata"]["finalizers"].is_null(), "let go once counted");
        assert_eq!(pod["metadata"]["labels"]["job-name"], "j");
    }
    let told = reasons(&mut world, "Job", "j");
    assert_eq!(told, ["SuccessfulCreate", "SuccessfulCreate", "SuccessfulCreate", "Completed"]);
    ok(delete(&mut world, &format!("{JOBS}/j?propagationPolicy=Background")));
    assert!(names(&ok(get(&mut world, PODS))).is_empty());
}

#[test]
fn a_failing_job_backs_off_and_gives_up() {
    let mut world = world();
    ok(post(&mut world, JOBS, job("bad", json!({"backoffLimit": 2}), json!(["sh", "-c", "exit 3"]), "Never")));
    let status = |world: &mut World| ok(get(world, &format!("{JOBS}/bad")))["status"].clone();
    assert_eq!(status(&mut world)["failed"], 1);
    world.advance(9_000);
    assert_eq!(status(&mut world)["failed"], 1);
    world.advance(2_000);
    assert_eq!(status(&mut world)["failed"], 2);
    world.advance(30_000);
    let end = ok(get(&mut world, &format!("{JOBS}/bad")));
    assert_eq!(end["status"]["failed"], 3);
    assert_eq!(condition(&end, "Failed")["reason"], "BackoffLimitExceeded");
    assert_eq!(condition(&end, "Failed")["message"], "Job has reached the specified backoff limit");
    assert_eq!(reasons(&mut world, "Job", "bad").last().map(String::as_str), Some("BackoffLimitExceeded"));
    // In place: the same pod restarts until its restarts reach the limit.
    ok(post(&mut world, JOBS, job("again", json!({"backoffLimit": 2}), json!(["false"]), "OnFailure")));
    world.advance(60_000);
    let end = ok(get(&mut world, &format!("{JOBS}/again")));
    assert_eq!(condition(&end, "Failed")["reason"], "BackoffLimitExceeded", "{end}");
}

#[test]
fn deadlines_suspension_and_time_to_live_of_jobs() {
    let mut world = world();
    ok(post(&mut world, JOBS, job("long", json!({"activeDeadlineSeconds": 30}), json!(["sleep", "3600"]), "Never")));
    world.advance(20_000);
    assert_eq!(ok(get(&mut world, &format!("{JOBS}/long")))["status"]["active"], 1);
    world.advance(20_000);
    let end = ok(get(&mut world, &format!("{JOBS}/long")));
    assert_eq!(condition(&end, "Failed")["reason"], "DeadlineExceeded");
    assert!(names(&ok(get(&mut world, PODS))).is_empty());

    ok(post(&mut world, JOBS, job("held", json!({"suspend": true, "ttlSecondsAfterFinished": 100}), json!(["true"]), "Never")));
    let held = ok(get(&mut world, &format!("{JOBS}/held")));
    assert_eq!((&condition(&held, "Suspended")["status"], &held["status"]["startTime"]), (&json!("True"), &Value::Null));
    ok(patch(&mut world, &format!("{JOBS}/held"), "merge-patch+json", json!({"spec": {"suspend": false}})));
    let done = ok(get(&mut world, &format!("{JOBS}/held")));
    assert_eq!(condition(&done, "Complete")["status"], "True", "{done}");
    assert_eq!(condition(&done, "Suspended")["reason"], "JobResumed");
    world.advance(99_000);
    ok(get(&mut world, &format!("{JOBS}/held")));
    world.advance(2_000);
    refused(get(&mut world, &format!("{JOBS}/held")), 404);
}

#[test]
fn an_indexed_job_has_one_success_for_each_index() {
    let mut world = world();
    let spec = json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed"});
    ok(post(&mut world, JOBS, job("ix", spec, json!(["sh", "-c", "echo $JOB_COMPLETION_INDEX"]), "Never")));
    let done = ok(get(&mut world, &format!("{JOBS}/ix")));
    assert_eq!(done["status"]["completedIndexes"], "0-2");
    let pods = ok(get(&mut world, PODS));
    for (n, pod) in pods["items"].as_array().expect("pods").iter().enumerate() {
        assert_eq!(pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"], n.to_string());
        assert_eq!(pod["spec"]["hostname"], format!("ix-{n}"));
        let name = pod["metadata"]["name"].as_str().unwrap_or("").to_string();
        let log = get(&mut world, &format!("{PODS}/{name}/log"));
        assert_eq!(String::from_utf8_lossy(&log.body), format!("{n}\n"));
    }
}

#[test]
fn cron_jobs_fire_only_when_the_clock_passes_them() {
    let mut world = world();
    let cron = json!({"metadata": {"name": "tick"}, "spec": {"schedule": "*/5 * * * *", "successfulJobsHistoryLimit": 2,
        "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox", "command": ["echo", "hi"]}]}}}}}});
    ok(post(&mut world, CRONS, cron));
    assert!(world.settled(), "a schedule is no transition");
    assert!(names(&ok(get(&mut world, JOBS))).is_empty());
    world.advance(300_000);
    let first = names(&ok(get(&mut world, JOBS)));
    assert_eq!(first.len(), 1);
    let minute = Time::parse("2026-01-01T09:05:00Z").expect("a moment").0 / 60_000;
    assert_eq!(first[0], format!("tick-{minute}"));
    let cron = ok(get(&mut world, &format!("{CRONS}/tick")));
    assert_eq!(cron["status"]["lastScheduleTime"], "2026-01-01T09:05:00Z");
    assert!(cron["status"]["lastSuccessfulTime"].is_string() && cron["status"]["active"].is_null());
    // An hour brings twelve more; two are kept.
    world.advance(3_600_000);
    let kept = names(&ok(get(&mut world, JOBS)));
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(reasons(&mut world, "CronJob", "tick").iter().filter(|r| *r == "SuccessfulCreate").count() == 13);
    assert!(reasons(&mut world, "CronJob", "tick").contains(&"SawCompletedJob".to_string()));
    ok(patch(&mut world, &format!("{CRONS}/tick"), "merge-patch+json", json!({"spec": {"suspend": true}})));
    world.advance(3_600_000);
    assert_eq!(names(&ok(get(&mut world, JOBS))), kept);
}

#[test]
fn concurrency_policies_of_cron_jobs() {
    let mut world = world();
    let cron = |name: &str, policy: &str| {
        json!({"metadata": {"name": name}, "spec": {"schedule": "* * * * *", "concurrencyPolicy": policy,
        "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox", "command": ["sleep", "3600"]}]}}}}}})
    };
    for (name, policy) in [("allow", "Allow"), ("forbid", "Forbid"), ("replace", "Replace")] {
        ok(post(&mut world, CRONS, cron(name, policy)));
    }
    world.advance(185_000);
    let jobs = names(&ok(get(&mut world, JOBS)));
    let of = |name: &str| jobs.iter().filter(|j| j.starts_with(name)).count();
    assert_eq!((of("allow"), of("forbid"), of("replace")), (3, 1, 1), "{jobs:?}");
    assert_eq!(ok(get(&mut world, &format!("{CRONS}/allow")))["status"]["active"].as_array().map(Vec::len), Some(3));
    let told = reasons(&mut world, "CronJob", "forbid");
    assert_eq!(told.iter().filter(|r| *r == "JobAlreadyActive").count(), 1, "{told:?}");
}

#[test]
fn a_rollout_that_stands_still_fails_at_its_deadline_and_recovers() {
    let mut world = world();
    let mut wish = deployment("web", 2);
    wish["spec"]["progressDeadlineSeconds"] = json!(60);
    wish["spec"]["template"]["spec"]["containers"][0]["image"] = json!("nosuch/image");
    ok(post(&mut world, DEPLOYMENTS, wish));
    let progressing = |world: &mut World| condition(&ok(get(world, &format!("{DEPLOYMENTS}/web"))), "Progressing");
    assert_eq!(progressing(&mut world)["reason"], "ReplicaSetUpdated");
    world.advance(55_000);
    assert_eq!(progressing(&mut world)["reason"], "ReplicaSetUpdated");
    world.advance(10_000);
    let failed = progressing(&mut world);
    assert_eq!((&failed["status"], &failed["reason"]), (&json!("False"), &json!("ProgressDeadlineExceeded")));
    world.advance(600_000);
    assert_eq!(progressing(&mut world), failed);
    let fixed = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]}}}});
    ok(patch(&mut world, &format!("{DEPLOYMENTS}/web"), "strategic-merge-patch+json", fixed));
    assert_eq!(progressing(&mut world)["reason"], "NewReplicaSetAvailable");
}
