use super::{POD, WALL, handle, local, remote, server};
use egress_lab::sandbox::Pace;
use futures::{AsyncBufReadExt, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{Api, AttachParams, DeleteParams, LogParams, PostParams, WatchEvent, WatchParams};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Creates the test pod and waits until it is ready.
pub async fn ready_pod(client: &kube::Client) -> Api<Pod> {
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    pods.create(&PostParams::default(), &serde_json::from_str(POD).unwrap()).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while !is_ready(&pods.get("test").await.unwrap()) {
        assert!(Instant::now() < deadline, "not ready: {:?}", pods.get("test").await.unwrap().status);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    pods
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|s| s.conditions.clone()).unwrap_or_default();
    conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True")
}

/// Runs a command; gives output, errors and exit code; -1 and the reason among the errors when it could not be started.
pub async fn exec(pods: &Api<Pod>, argv: &[&str], stdin: Option<&[u8]>) -> (String, String, i32) {
    let params = AttachParams::default().stdin(stdin.is_some());
    let mut process = pods.exec("test", argv.to_vec(), &params).await.unwrap();
    if let Some(bytes) = stdin {
        let mut writer = process.stdin().unwrap();
        writer.write_all(bytes).await.unwrap();
        writer.shutdown().await.unwrap();
    }
    let (mut out, mut err) = (String::new(), String::new());
    let (mut stdout, mut stderr) = (process.stdout().unwrap(), process.stderr().unwrap());
    let status = process.take_status().unwrap();
    tokio::join!(async { stdout.read_to_string(&mut out).await.unwrap() }, async {
        stderr.read_to_string(&mut err).await.unwrap()
    });
    let status = status.await.unwrap();
    process.join().await.unwrap();
    let code = match status.status.as_deref() {
        Some("Success") => 0,
        _ => {
            let causes = status.details.and_then(|d| d.causes).unwrap_or_default();
            match causes.iter().find(|c| c.reason.as_deref() == Some("ExitCode")) {
                Some(cause) => cause.message.as_ref().unwrap().parse().unwrap(),
                None => {
                    err.push_str(status.message.as_deref().unwrap_or_default());
                    -1
                }
            }
        }
    };
    (out, err, code)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_runs_commands_over_both_doors() {
    let handle = handle(WALL);
    let begun = Instant::now();
    let pods = ready_pod(&local(&handle)).await;
    assert!(begun.elapsed() < Duration::from_millis(2_500), "a pod start took {:?}", begun.elapsed());
    let (server, _folder) = server(&handle).await;
    let secure: Api<Pod> = Api::default_namespaced(remote(&server).await);
    for pods in [&pods, &secure] {
        assert_eq!(exec(pods, &["echo", "hi"], None).await, ("hi\n".into(), String::new(), 0));
        assert_eq!(exec(pods, &["sh", "-c", "exit 7"], None).await.2, 7);
        assert_eq!(exec(pods, &["sh", "-c", "cat > /tmp/in; wc -c < /tmp/in"], Some(b"12345")).await.0.trim(), "5");
        let (_, err, code) = exec(pods, &["nosuch"], None).await;
        assert_eq!(code, -1);
        assert!(err.contains("executable file not found"), "{err}");
        let (out, _, code) = exec(pods, &["curl", "-s", "http://example.com"], None).await;
        assert_eq!((out.as_str(), code), ("hello from example.com\n", 0));
    }
    let logs = pods.logs("test", &LogParams::default()).await.unwrap();
    assert_eq!(logs, "request 1 to example.com\nrequest 2 to example.com\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn much_output_and_much_input_come_through_whole() {
    let handle = handle(Pace::Instant);
    let pods = ready_pod(&local(&handle)).await;
    let script = "n=0; while [ $n -lt 3000 ]; do echo 0123456789012345678901234567890123456789; n=$((n+1)); done";
    let (out, _, code) = exec(&pods, &["sh", "-c", script], None).await;
    assert_eq!((out.len(), code), (3000 * 41, 0));
    let input = vec![b'x'; 300_000];
    let (out, _, code) = exec(&pods, &["sh", "-c", "cat > /tmp/big; wc -c < /tmp/big"], Some(&input)).await;
    assert_eq!((out.trim(), code), ("300000", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_followed_log_ends_with_its_pod() {
    let handle = handle(WALL);
    let pods = ready_pod(&local(&handle)).await;
    exec(&pods, &["curl", "-s", "http://one.test"], None).await;
    let params = LogParams { follow: true, timestamps: true, ..LogParams::default() };
    let mut lines = pods.log_stream("test", &params).await.unwrap().lines();
    let first = lines.try_next().await.unwrap().unwrap();
    assert!(first.ends_with("Z request 1 to one.test"), "{first}");
    exec(&pods, &["curl", "-s", "http://two.test"], None).await;
    assert!(lines.try_next().await.unwrap().unwrap().ends_with("request 2 to two.test"));
    pods.delete("test", &DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() }).await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(3), lines.try_next()).await;
    assert_eq!(end.expect("the log ended").unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_sees_a_pods_whole_life() {
    let handle = handle(WALL);
    let client = local(&handle);
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let mut watch = pods.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    ready_pod(&client).await;
    let begun = Instant::now();
    pods.delete("test", &DeleteParams::default()).await.unwrap();
    let mut phases = Vec::new();
    let mut going = false;
    loop {
        match tokio::time::timeout(Duration::from_secs(5), watch.try_next()).await.expect("an event").unwrap() {
            Some(WatchEvent::Added(pod)) | Some(WatchEvent::Modified(pod)) => {
                going |= pod.metadata.deletion_timestamp.is_some();
                phases.push(pod.status.and_then(|s| s.phase).unwrap_or_default());
            }
            Some(WatchEvent::Deleted(_)) => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(going && begun.elapsed() < Duration::from_millis(1_500), "deleting took {:?}", begun.elapsed());
    phases.dedup();
    assert_eq!(phases, ["Pending", "Running"]);
    let events: Api<Event> = Api::default_namespaced(client);
    let reasons: Vec<String> =
        events.list(&Default::default()).await.unwrap().items.into_iter().filter_map(|e| e.reason).collect();
    for reason in ["Scheduled", "Pulled", "Created", "Started", "Killing"] {
        assert!(reasons.iter().any(|r| r == reason), "no {reason} in {reasons:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_leaves_the_served_world_alone() {
    let handle = handle(WALL);
    let pods = ready_pod(&local(&handle)).await;
    let before = handle.revision().await.unwrap();
    let fork = handle.fork(None, Pace::Frozen).await.unwrap().unwrap();
    let probes: Api<Pod> = Api::default_namespaced(local(&fork));
    let begun = Instant::now();
    assert_eq!(exec(&probes, &["sh", "-c", "sleep 100; curl -s http://x.test"], None).await.0, "hello from x.test\n");
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(probes.logs("test", &LogParams::default()).await.unwrap(), "request 1 to x.test\n");
    assert_eq!(pods.logs("test", &LogParams::default()).await.unwrap(), "");
    assert_eq!(handle.revision().await.unwrap(), before);
}
