use super::{WALL, parts, world};
use egress_lab::base::clock::{Clock, SystemClock};
use egress_lab::sandbox::call::Call;
use egress_lab::sandbox::serve::{Error, Folder, Handle, Identity};
use egress_lab::sandbox::world::World;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// Opens the world of a folder, a new one if there is none.
fn open(path: &Path) -> Handle {
    let (folder, saved) = Folder::open(path).unwrap();
    let world = match saved {
        Some((saved, records)) => World::restore(saved, records, WALL, SystemClock.now(), parts()),
        None => world(WALL),
    };
    Handle::spawn(world, Arc::new(SystemClock), Some(folder))
}

async fn put(handle: &Handle, name: &str) {
    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}});
    let answer = handle.handle(Call::new("POST", "/api/v1/namespaces/default/configmaps").json(&body)).await;
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
}

async fn has(handle: &Handle, name: &str) -> bool {
    handle.snapshot().await.unwrap().find("", "ConfigMap", "default", name).is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_a_crash() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("w");
    let copy = home.path().join("copy");
    let first = open(&path);
    for name in ["one", "two", "three"] {
        put(&first, name).await;
    }
    let revision = first.revision().await.unwrap();
    // As if the power had gone: the files as they are now.
    std::fs::create_dir(&copy).unwrap();
    for file in ["snapshot.json", "log"] {
        std::fs::copy(path.join(file), copy.join(file)).unwrap();
    }
    let again = open(&copy);
    assert!(has(&again, "three").await);
    assert!(again.revision().await.unwrap() >= revision);
    again.shutdown().await;
    drop(again);

    // A last record that is cut short was never answered.
    let log = std::fs::read(path.join("log")).unwrap();
    for cut in [1, 10, 100] {
        std::fs::write(copy.join("log"), &log[..log.len() - cut]).unwrap();
        std::fs::copy(path.join("snapshot.json"), copy.join("snapshot.json")).unwrap();
        let again = open(&copy);
        assert!(has(&again, "two").await && !has(&again, "three").await, "cut {cut}");
        again.shutdown().await;
    }
    first.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_belongs_to_one_process_at_a_time() {
    let home = tempfile::tempdir().unwrap();
    let first = open(home.path());
    match Folder::open(home.path()) {
        Err(Error::Locked { pid, .. }) => assert_eq!(pid, std::process::id()),
        other => panic!("{:?}", other.map(|_| ())),
    }
    first.shutdown().await;
    assert!(Folder::open(home.path()).unwrap().1.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_middle_is_said_and_not_skipped() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("w");
    let first = open(&path);
    for name in ["one", "two", "three"] {
        put(&first, name).await;
    }
    let copy = home.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(path.join("snapshot.json"), copy.join("snapshot.json")).unwrap();
    let mut log = std::fs::read(path.join("log")).unwrap();
    log[40] ^= 1;
    std::fs::write(copy.join("log"), &log).unwrap();
    assert!(matches!(Folder::open(&copy), Err(Error::Damaged { .. })));
    first.shutdown().await;
}

#[test]
fn the_identity_stays() {
    let home = tempfile::tempdir().unwrap();
    let now = SystemClock.now();
    let first = Identity::kept_in(home.path(), now).unwrap();
    let second = Identity::kept_in(home.path(), now).unwrap();
    assert_eq!((first.token(), first.ca_pem()), (second.token(), second.ca_pem()));
    assert!(first.token().len() >= 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_keep_their_files_and_logs_across_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let first = open(home.path());
    let pods = super::pods::ready_pod(&super::local(&first)).await;
    super::pods::exec(&pods, &["sh", "-c", "echo kept > /tmp/k; curl -s http://a.test"], None).await;
    first.shutdown().await;
    drop((first, pods));
    let again = open(home.path());
    let pods: kube::Api<k8s_openapi::api::core::v1::Pod> = kube::Api::default_namespaced(super::local(&again));
    assert_eq!(super::pods::exec(&pods, &["cat", "/tmp/k"], None).await.0, "kept\n");
    assert_eq!(pods.logs("test", &Default::default()).await.unwrap(), "request 1 to a.test\n");
    let status = pods.get("test").await.unwrap().status.unwrap();
    assert_eq!(status.container_statuses.unwrap()[0].restart_count, 0);
    again.shutdown().await;
}
