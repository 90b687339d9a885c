//! Every feature of kube that this project uses, over HTTPS against a served world.

use crate::serve::{WALL, handle, remote, server};
use egress_lab::sandbox::serve::{Handle, Server};
use futures::{AsyncBufReadExt, StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::api::{
    Api, AttachParams, DeleteParams, EvictParams, ListParams, LogParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::runtime::wait::{Condition, await_condition, conditions};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct World {
    client: Client,
    _server: Server,
    _folder: tempfile::TempDir,
    _handle: Handle,
}

async fn world() -> World {
    let handle = handle(WALL);
    let (server, folder) = server(&handle).await;
    World { client: remote(&server).await, _server: server, _folder: folder, _handle: handle }
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap_or_else(|_| panic!("{what} took too long"))
}

fn pod(name: &str, command: &[&str], tty: bool) -> Pod {
    serde_json::from_value(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "busybox", "command": command, "stdin": tty, "tty": tty}]}}))
    .unwrap()
}

async fn run(client: &Client, pod: &Pod) -> Api<Pod> {
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    pods.create(&PostParams::default(), pod).await.unwrap();
    let name = pod.name_any();
    soon("a start", await_condition(pods.clone(), &name, conditions::is_pod_running())).await.unwrap();
    pods
}

fn config(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}}))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_watches_and_watchers() {
    let world = world().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(world.client.clone());
    for n in 0..7 {
        maps.create(&PostParams::default(), &config(&format!("m{n}"))).await.unwrap();
    }
    let (mut names, mut token) = (Vec::new(), None::<String>);
    for _ in 0..10 {
        let mut params = ListParams::default().limit(3);
        params.continue_token = token.clone();
        let page = maps.list(&params).await.unwrap();
        assert!(page.items.len() <= 3);
        names.extend(page.items.iter().map(ResourceExt::name_any));
        token = page.metadata.continue_.filter(|t| !t.is_empty());
        if token.is_none() {
            break;
        }
    }
    names.retain(|n| n.starts_with('m'));
    assert_eq!(names, ["m0", "m1", "m2", "m3", "m4", "m5", "m6"]);
    let selected = maps.list(&ListParams::default().fields("metadata.name=m3")).await.unwrap();
    assert_eq!(selected.items.len(), 1);
    let version = maps.list_metadata(&ListParams::default()).await.unwrap();
    assert!(version.items.iter().any(|m| m.name_any() == "m1"));
    assert_eq!(maps.get_metadata("m2").await.unwrap().name_any(), "m2");
    let from = version.metadata.resource_version.unwrap();
    let mut watch = maps.watch(&WatchParams::default(), &from).await.unwrap().boxed();
    let mut meta = maps.watch_metadata(&WatchParams::default(), &from).await.unwrap().boxed();
    maps.delete("m0", &DeleteParams::default()).await.unwrap();
    let event = soon("an event", watch.try_next()).await.unwrap();
    assert!(matches!(event, Some(WatchEvent::Deleted(m)) if m.name_any() == "m0"));
    let event = soon("an event", meta.try_next()).await.unwrap();
    assert!(matches!(event, Some(WatchEvent::Deleted(m)) if m.name_any() == "m0"));
    for settings in [watcher::Config::default().any_semantic(), watcher::Config::default().streaming_lists()] {
        let mut events = watcher(maps.clone(), settings).boxed();
        let (mut seen, mut done) = (0, false);
        while !done {
            match soon("the first list", events.try_next()).await.unwrap().unwrap() {
                watcher::Event::InitApply(_) => seen += 1,
                watcher::Event::InitDone => done = true,
                _ => (),
            }
        }
        assert_eq!(seen, maps.list(&ListParams::default()).await.unwrap().items.len());
        let mut changes = events.applied_objects();
        let patch = json!({"data": {"seen": format!("{seen}{done}{:?}", std::time::Instant::now())}});
        maps.patch("m1", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
        assert_eq!(soon("a change", changes.try_next()).await.unwrap().unwrap().name_any(), "m1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_patch() {
    let world = world().await;
    let deployments: Api<Deployment> = Api::default_namespaced(world.client.clone());
    let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
                 "spec": {"containers": [{"name": "a", "image": "nginx"}, {"name": "b", "image": "busybox", "command": ["sleep", "9999"]}]}}}});
    deployments.create(&PostParams::default(), &serde_json::from_value(web).unwrap()).await.unwrap();
    let params = PatchParams::default();
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "curlimages/curl"}]}}}});
    let patched = deployments.patch("web", &params, &Patch::Strategic(&image)).await.unwrap();
    let images = |d: &Deployment| -> Vec<String> {
        let spec = d.spec.clone().template.spec.unwrap();
        spec.containers.into_iter().filter_map(|c| c.image).collect()
    };
    assert_eq!(images(&patched), ["nginx", "curlimages/curl"]);
    let merged = deployments.patch("web", &params, &Patch::Merge(&json!({"metadata": {"labels": {"x": "y"}}}))).await.unwrap();
    assert_eq!(merged.labels()["x"], "y");
    let operations =
        json!([{"op": "test", "path": "/spec/replicas", "value": 1}, {"op": "replace", "path": "/spec/replicas", "value": 2}]);
    let operations = Patch::Json::<()>(serde_json::from_value(operations).unwrap());
    let patched = deployments.patch("web", &params, &operations).await.unwrap();
    assert_eq!(patched.spec.replicas, Some(2));
    let scale = deployments.get_scale("web").await.unwrap();
    assert_eq!(scale.spec.unwrap().replicas, Some(2));
    deployments.patch_scale("web", &params, &Patch::Merge(&json!({"spec": {"replicas": 3}}))).await.unwrap();
    let ready = await_condition(deployments.clone(), "web", |d: Option<&Deployment>| {
        d.and_then(|d| d.status.as_ref()).and_then(|s| s.ready_replicas) == Some(3)
    });
    soon("three replicas", ready).await.unwrap();
    let status = json!({"status": {"observedGeneration": 99}});
    deployments.patch_status("web", &params, &Patch::Merge(&status)).await.unwrap();
    let mut map =
        Api::<ConfigMap>::default_namespaced(world.client.clone()).create(&PostParams::default(), &config("m")).await.unwrap();
    let maps: Api<ConfigMap> = Api::default_namespaced(world.client.clone());
    map.data.get_or_insert_default().insert("b".into(), "2".into());
    let replaced = maps.replace("m", &PostParams::default(), &map).await.unwrap();
    assert_eq!(replaced.data.unwrap()["b"], "2");
    let stale = maps.replace("m", &PostParams::default(), &map).await.unwrap_err();
    assert!(matches!(&stale, kube::Error::Api(status) if status.code == 409), "{stale}");
}

#[tokio::test(flavor = "multi_thread")]
async fn server_side_apply() {
    let world = world().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(world.client.clone());
    let mine = |value: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}, "data": {"a": value}});
    let apply = |manager: &str| PatchParams::apply(manager);
    let made = match maps.patch("s", &apply("one"), &Patch::Apply(&mine("1"))).await {
        Err(kube::Error::Api(status)) if status.message == "not simulated here: server-side apply" => {
            println!("SKIPPED server-side apply: {}", status.message);
            return;
        }
        made => made.unwrap(),
    };
    assert_eq!(made.data.unwrap()["a"], "1");
    let conflict = maps.patch("s", &apply("two"), &Patch::Apply(&mine("2"))).await.unwrap_err();
    let kube::Error::Api(status) = &conflict else { panic!("{conflict}") };
    assert_eq!((status.code, status.message.as_str()), (409, "Apply failed with 1 conflict: conflict with \"one\": .data.a"));
    let forced = maps.patch("s", &apply("two").force(), &Patch::Apply(&mine("2"))).await.unwrap();
    assert_eq!(forced.data.clone().unwrap()["a"], "2");
    let managers: Vec<&str> = forced.managed_fields().iter().filter_map(|f| f.manager.as_deref()).collect();
    assert!(managers.contains(&"two"), "{managers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exec_and_attach() {
    let world = world().await;
    let pods = run(&world.client, &pod("plain", &["sleep", "100000"], false)).await;
    let mut process =
        pods.exec("plain", ["sh", "-c", "cat; echo bad >&2; exit 3"], &AttachParams::default().stdin(true)).await.unwrap();
    let mut stdin = process.stdin().unwrap();
    stdin.write_all(b"piped").await.unwrap();
    stdin.shutdown().await.unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    process.stdout().unwrap().read_to_string(&mut out).await.unwrap();
    process.stderr().unwrap().read_to_string(&mut err).await.unwrap();
    let status = process.take_status().unwrap().await.unwrap();
    assert_eq!((out.as_str(), err.as_str(), status.reason.as_deref()), ("piped", "bad\n", Some("NonZeroExitCode")));
    // A terminal: its size, and the shell of a container that is attached to.
    run(&world.client, &pod("shell", &["sh"], true)).await;
    let tty = AttachParams::interactive_tty();
    let mut process = pods.attach("shell", &tty).await.unwrap();
    let mut size = process.terminal_size().unwrap();
    for (width, height) in [(81, 25), (80, 24)] {
        futures::SinkExt::send(&mut size, kube::api::TerminalSize { width, height }).await.unwrap();
    }
    let (mut stdin, mut stdout, mut shown) = (process.stdin().unwrap(), process.stdout().unwrap(), String::new());
    // Sizes and keys go different ways in the client: asked until the last size has come.
    while !shown.contains("24 80") {
        stdin.write_all(b"stty size\n").await.unwrap();
        let mut piece = [0; 1024];
        let n = soon("the size", stdout.read(&mut piece)).await.unwrap();
        assert!(n > 0, "{shown}");
        shown.push_str(&String::from_utf8_lossy(&piece[..n]));
    }
    process.abort();
    let refused = pods.exec("nosuch", ["ls"], &AttachParams::default()).await.err().unwrap();
    assert!(refused.to_string().contains("404") || refused.to_string().contains("not found"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_forwarded_in_pairs_of_channels() {
    let world = world().await;
    let web: Pod = serde_json::from_value(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "c", "image": "nginx"}]}}))
    .unwrap();
    let pods = run(&world.client, &web).await;
    let mut forwarder = pods.portforward("web", &[80, 81]).await.unwrap();
    for port in [80, 81] {
        let mut stream = forwarder.take_stream(port).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let mut piece = [0; 1024];
        while !String::from_utf8_lossy(&answer).contains("hello from localhost") {
            let n = soon("an answer", stream.read(&mut piece)).await.unwrap();
            assert!(n > 0);
            answer.extend_from_slice(&piece[..n]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
    // Both ends close: whichever was first, it is over.
    let _ = soon("the end", forwarder.join()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn followed_logs_end_with_the_pod() {
    let world = world().await;
    let pods = run(&world.client, &pod("talk", &["sh", "-c", "echo one; sleep 1; echo two; sleep 100000"], false)).await;
    let params = LogParams { follow: true, ..LogParams::default() };
    let mut lines = pods.log_stream("talk", &params).await.unwrap().lines();
    assert_eq!(soon("a line", lines.try_next()).await.unwrap().as_deref(), Some("one"));
    assert_eq!(soon("a line", lines.try_next()).await.unwrap().as_deref(), Some("two"));
    assert_eq!(pods.logs("talk", &LogParams { tail_lines: Some(1), ..LogParams::default() }).await.unwrap(), "two\n");
    pods.delete("talk", &DeleteParams::default()).await.unwrap();
    assert_eq!(soon("the end", lines.try_next()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_conditions_and_eviction() {
    let world = world().await;
    for mode in ["legacy", "aggregated"] {
        let discovery = kube::discovery::Discovery::new(world.client.clone());
        let found = match mode {
            "legacy" => discovery.run().await.unwrap(),
            _ => discovery.run_aggregated().await.unwrap(),
        };
        let apps = found.get("apps").unwrap_or_else(|| panic!("no apps in {mode} discovery"));
        assert!(apps.recommended_resources().iter().any(|(r, _)| r.kind == "Deployment" && r.plural == "deployments"), "{mode}");
    }
    let version = world.client.apiserver_version().await.unwrap();
    assert_eq!(version.git_version, "v1.36.2");
    let pods = run(&world.client, &pod("gone", &["sleep", "100000"], false)).await;
    let uid = pods.get("gone").await.unwrap().uid().unwrap();
    pods.evict("gone", &EvictParams::default()).await.unwrap();
    soon("a deletion", await_condition(pods.clone(), "gone", conditions::is_deleted(&uid))).await.unwrap();
    assert!(conditions::is_deleted(&uid).matches_object(pods.get_opt("gone").await.unwrap().as_ref()));
    let spaces: Api<Namespace> = Api::all(world.client.clone());
    let made = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}});
    spaces.create(&PostParams::default(), &serde_json::from_value(made).unwrap()).await.unwrap();
    let uid = spaces.get("n").await.unwrap().uid().unwrap();
    spaces.delete("n", &DeleteParams::default()).await.unwrap();
    soon("the namespace's end", await_condition(spaces, "n", conditions::is_deleted(&uid))).await.unwrap();
}
