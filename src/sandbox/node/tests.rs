//! Pods' lives without an API server: a few lines that carry out what controllers and node ask for.

mod harness;

use super::exec::{Exit, Input, Start};
use super::logs::LogQuery;
use crate::sandbox::Pace;
use harness::{Small, deployment, pod};
use serde_json::json;

#[test]
fn a_pod_becomes_ready_and_says_how() {
    let mut world = Small::new(Pace::Instant);
    world.create(pod("test", "curlimages/curl:8.16.0", json!(["sleep", "3600"])));
    world.settle();
    let test = world.pod("test");
    assert_eq!(test.str_at(&["status", "phase"]), "Running");
    assert!(test.str_at(&["status", "podIP"]).starts_with("10.244."));
    let reasons: Vec<&str> = world.events.iter().map(|(reason, _)| reason.as_str()).collect();
    assert_eq!(reasons, ["Scheduled", "Pulled", "Created", "Started"]);
    let status = test.at(&["status", "containerStatuses"])[0].clone();
    assert_eq!((&status["ready"], &status["restartCount"]), (&json!(true), &json!(0)));
    assert_eq!(world.node.next_timer().map(|t| t.since(world.now)), Some(3_600_000));
}

#[test]
fn a_finished_sleep_is_completed_or_runs_again() {
    for (policy, phase, restarts) in [("Never", "Succeeded", 0), ("Always", "Running", 1)] {
        let mut world = Small::new(Pace::Instant);
        let mut object = pod("test", "busybox", json!(["sleep", "60"]));
        object.set(&["spec", "restartPolicy"], json!(policy));
        world.create(object);
        world.settle();
        world.now = world.now.plus_ms(60_000);
        world.settle();
        let test = world.pod("test");
        assert_eq!(test.str_at(&["status", "phase"]), phase);
        assert_eq!(test.at(&["status", "containerStatuses"])[0]["restartCount"], restarts);
    }
}

#[test]
fn what_cannot_run_says_why() {
    for (image, command, reason, words) in [
        (
            "postgres:17",
            json!(["x"]),
            "ImagePullBackOff",
            "not simulated here: image postgres:17; available here: curlimages/curl",
        ),
        ("busybox", json!(["nosuch"]), "CrashLoopBackOff", "exec: \"nosuch\": executable file not found in $PATH"),
        ("hashicorp/http-echo", json!(["sh", "-c", "x"]), "CrashLoopBackOff", "exec: \"sh\""),
        ("busybox", json!(["false"]), "CrashLoopBackOff", "Back-off restarting failed container test"),
    ] {
        let mut world = Small::new(Pace::Instant);
        world.create(pod("test", image, command));
        world.settle();
        let waiting = world.pod("test").at(&["status", "containerStatuses"])[0]["state"]["waiting"].clone();
        assert_eq!(waiting["reason"], reason, "{image}");
        assert!(world.events.iter().any(|(_, text)| text.contains(words)), "{image}: {:?}", world.events);
    }
}

#[test]
fn init_containers_and_sidecars_start_in_order() {
    let mut world = Small::new(Pace::Instant);
    let mut object = pod("test", "curlimages/curl", json!(["sleep", "infinity"]));
    object.set(
        &["spec", "initContainers"],
        json!([
            {"name": "first", "image": "busybox", "command": ["sh", "-c", "echo prepared > /work/x"],
             "volumeMounts": [{"name": "w", "mountPath": "/work"}]},
            {"name": "side", "image": "nginx", "restartPolicy": "Always"},
        ]),
    );
    object.set(&["spec", "volumes"], json!([{"name": "w", "emptyDir": {}}]));
    object.0["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "w", "mountPath": "/w"}]);
    world.create(object);
    world.settle();
    let started: Vec<&str> = world.events.iter().filter(|(r, _)| r == "Started").map(|(_, text)| text.as_str()).collect();
    assert_eq!(started, ["Started container first", "Started container side", "Started container test"]);
    assert_eq!(world.exec("test", &["cat", "/w/x"], false, b""), ("prepared\n".into(), String::new(), Some(Exit::Code(0))));
}

#[test]
fn commands_run_in_the_pods_own_files() {
    let mut world = Small::new(Pace::Instant);
    world.create(pod("test", "curlimages/curl", json!(["sleep", "infinity"])));
    world.settle();
    for (argv, out, code) in [
        (&["echo", "hi"][..], "hi\n", 0),
        (&["sh", "-c", "echo a > /tmp/f; cat /tmp/f; exit 7"], "a\n", 7),
        (&["cat", "/tmp/f"], "a\n", 0),
        (&["sh", "-c", "sh -c 'echo inner | cat'; echo $?"], "inner\n0\n", 0),
        (&["sh", "-c", "echo $HOSTNAME"], "test\n", 0),
        (&["cat", "/etc/hostname"], "test\n", 0),
    ] {
        let (stdout, stderr, exit) = world.exec("test", argv, false, b"");
        assert_eq!((stdout.as_str(), exit), (out, Some(Exit::Code(code))), "{argv:?}: {stderr}");
    }
    let (_, _, exit) = world.exec("test", &["bash"], false, b"");
    let Some(Exit::Failed(why)) = exit else { panic!("{exit:?}") };
    assert!(
        why.starts_with("error executing command in container: failed to exec in container: failed to start exec \""),
        "{why}"
    );
    assert!(why.ends_with("exec: \"bash\": executable file not found in $PATH: unknown"), "{why}");
    let (stdout, _, exit) = world.exec("test", &["sh"], false, b"echo from pipe\nexit 3\n");
    assert_eq!((stdout.as_str(), exit), ("from pipe\n", Some(Exit::Code(3))));
}

#[test]
fn a_sleep_moves_an_instant_clock_and_not_a_frozen_one() {
    for (pace, passed) in [(Pace::Instant, 5000), (Pace::Frozen, 0)] {
        let mut world = Small::new(Pace::Instant);
        world.create(pod("test", "busybox", json!(["sleep", "infinity"])));
        world.settle();
        world.node = world.node.fork(pace);
        let before = world.now;
        let (stdout, _, exit) = world.exec("test", &["sh", "-c", "sleep 5; echo done"], false, b"");
        assert_eq!((stdout.as_str(), exit), ("done\n", Some(Exit::Code(0))));
        assert_eq!(world.now.since(before), passed);
    }
}

#[test]
fn a_terminal_echoes_and_ctrl_c_ends_what_runs() {
    let mut world = Small::new(Pace::Wall { real_time: false });
    world.create(pod("test", "busybox", json!(["sleep", "infinity"])));
    world.settle_at_wall();
    let start = Start { command: vec!["sh".into()], stdin: true, stdout: true, stderr: true, tty: true, ..Small::start("test") };
    let id = world.open(&start);
    let mut screen = world.drain(id);
    for keys in ["echo one\r", "sleep 100\r", "\u{3}", "echo two\r"] {
        assert!(world.node.input(id, Input::Bytes(keys.as_bytes().to_vec())));
        screen.push_str(&world.drain(id));
    }
    assert!(screen.contains("one\r\n") && screen.contains("two\r\n"), "{screen:?}");
    world.node.input(id, Input::Bytes(vec![4]));
    let output = world.step(id);
    assert!(matches!(output.exit, Some(Exit::Code(_))), "{output:?}");
}

#[test]
fn logs_of_a_loop_grow_with_the_clock() {
    let mut world = Small::new(Pace::Instant);
    world.create(pod("test", "busybox", json!(["sh", "-c", "n=0; while true; do n=$((n+1)); echo tick $n; sleep 10; done"])));
    world.settle();
    world.now = world.now.plus_ms(20_000);
    world.settle();
    let query = LogQuery { namespace: "default".into(), pod: "test".into(), tail_lines: Some(2), ..LogQuery::default() };
    let (text, mut cursor) = world.node.log(&query, &world.state, world.now).unwrap();
    assert_eq!(String::from_utf8_lossy(&text), "tick 2\ntick 3\n");
    assert_eq!(world.node.log_more(&mut cursor), (Vec::new(), false));
    world.now = world.now.plus_ms(10_000);
    world.settle();
    assert_eq!(world.node.log_more(&mut cursor), (b"tick 4\n".to_vec(), false));
}

#[test]
fn deleted_pods_are_told_and_go() {
    let mut world = Small::new(Pace::Instant);
    world.create(pod("test", "busybox", json!(["sleep", "infinity"])));
    world.settle();
    world.delete("Pod", "test");
    world.settle();
    assert!(world.state.find("", "Pod", "default", "test").is_none());
    assert!(world.events.iter().any(|(r, text)| r == "Killing" && text == "Stopping container test"));
}

#[test]
fn deployments_roll_and_services_find_their_pods() {
    let mut world = Small::new(Pace::Instant);
    world.create(deployment("web", "nginx:1", 2));
    world.create(
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"},
               "spec": {"type": "ClusterIP", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 80}]}})
        .into(),
    );
    world.settle();
    let web = world.find("apps", "Deployment", "web");
    assert_eq!(web.at(&["status", "readyReplicas"]), 2);
    assert_eq!(web.annotation("deployment.kubernetes.io/revision"), Some("1"));
    assert!(world.find("", "Service", "web").str_at(&["spec", "clusterIP"]).starts_with("10.96."));
    let slices: Vec<_> = world.state.list("discovery.k8s.io", "EndpointSlice").collect();
    assert_eq!(slices[0].at(&["endpoints"]).as_array().map(Vec::len), Some(2));

    let mut web = world.find("apps", "Deployment", "web");
    web.0["spec"]["template"]["spec"]["containers"][0]["image"] = json!("nginx:2");
    web.set(&["metadata", "generation"], json!(2));
    world.put(web);
    world.settle();
    let web = world.find("apps", "Deployment", "web");
    assert_eq!(web.annotation("deployment.kubernetes.io/revision"), Some("2"));
    assert_eq!(web.at(&["status", "updatedReplicas"]), 2);
    let images: Vec<_> = world.state.list("", "Pod").map(|p| p.at(&["spec", "containers"])[0]["image"].clone()).collect();
    assert_eq!(images, [json!("nginx:2"), json!("nginx:2")]);

    world.delete("Deployment", "web");
    world.settle();
    assert_eq!(world.state.list("", "Pod").count() + world.state.list("apps", "ReplicaSet").count(), 0);
}

#[test]
fn a_saved_node_goes_on_where_it_was() {
    let mut world = Small::new(Pace::Instant);
    world.create(pod("test", "busybox", json!(["sleep", "100"])));
    world.settle();
    world.exec("test", &["sh", "-c", "echo kept > /tmp/k"], false, b"");
    world.now = world.now.plus_ms(40_000);
    world.settle();
    let saved = world.node.save();
    let (then, later) = (world.now, world.now.plus_ms(1_000_000));
    world.node = super::Node::new(crate::base::seed::Seed(1), Pace::Instant);
    world.node.restore(&saved, then, later);
    world.now = later;
    world.settle();
    assert_eq!(world.exec("test", &["cat", "/tmp/k"], false, b"").0, "kept\n");
    assert_eq!(world.node.next_timer().map(|t| t.since(later)), Some(60_000));
}

#[test]
fn no_two_live_pods_have_one_address() {
    let mut node = super::Node::new(crate::base::seed::Seed(3), Pace::Instant);
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..1_000 {
        let object = pod(&format!("p{n}"), "busybox", json!(["x"]));
        let mut life = super::life::PodLife::new(&object, crate::base::clock::Time(0));
        life.ip = Some(node.free_address(&object));
        assert!(seen.insert(life.ip.clone()), "{:?}", life.ip);
        node.pods.insert(n.to_string(), std::sync::Arc::new(life));
    }
}
