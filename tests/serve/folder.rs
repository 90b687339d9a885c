use super::{WALL, parts, world};
use egress_lab::base::clock::{Clock, SystemClock};
use egress_lab::sandbox::call::Call;
use egress_lab::sandbox::serve::{Disk, Error, Folder, Handle, Identity, System, private_place};
use egress_lab::sandbox::world::World;
use serde_json::json;
use std::fs::{File, TryLockError};
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

/// A file system that lacks what mounted Windows disks and network disks lack.
struct Poor {
    locks: bool,
    modes: bool,
    syncs: bool,
}

impl Disk for Poor {
    fn lock(&self, file: &File) -> Result<(), TryLockError> {
        match self.locks {
            true => System.lock(file),
            // ENOLCK
            false => Err(TryLockError::Error(std::io::Error::from_raw_os_error(37))),
        }
    }

    fn sync(&self, file: &File) -> std::io::Result<()> {
        if self.syncs { System.sync(file) } else { Err(std::io::ErrorKind::Unsupported.into()) }
    }

    fn is_private(&self, path: &Path) -> bool {
        self.modes && System.is_private(path)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_lacks_something_is_used_with_a_warning() {
    let poor = |locks, modes, syncs| Poor { locks, modes, syncs };
    for (disk, words, private) in [
        (poor(true, true, true), "", true),
        (poor(false, true, true), "has no file locks", true),
        (poor(true, false, true), "", false),
        (poor(true, true, false), "cannot be synced", true),
    ] {
        let home = tempfile::tempdir().unwrap();
        let (folder, kept) = Folder::open_on(Box::new(disk), home.path()).unwrap();
        assert!(kept.is_none());
        let said = folder.warnings().join("; ");
        assert!(if words.is_empty() { said.is_empty() } else { said.contains(words) }, "{said}");
        assert_eq!(folder.is_private(), private);
        let handle = Handle::spawn(world(WALL), Arc::new(SystemClock), Some(folder));
        put(&handle, "one").await;
        handle.shutdown().await;
        let again = open(home.path());
        assert!(has(&again, "one").await);
        again.shutdown().await;
    }
}

#[test]
fn without_locks_a_note_keeps_others_out_and_one_left_behind_does_not() {
    let home = tempfile::tempdir().unwrap();
    let open = || Folder::open_on(Box::new(Poor { locks: false, modes: true, syncs: true }), home.path());
    let first = open().unwrap();
    match open() {
        Err(Error::Locked { pid, .. }) => assert_eq!(pid, std::process::id()),
        other => panic!("{:?}", other.map(|_| ())),
    }
    drop(first);
    assert!(!home.path().join("owner").exists());
    // Whoever wrote this is gone: no process has this number.
    let note = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    std::fs::write(home.path().join("owner"), format!("4194999\n{}\n", note.trim())).unwrap();
    if cfg!(target_os = "linux") {
        assert!(open().is_ok());
    }
    // On another machine it may still run.
    std::fs::write(home.path().join("owner"), "4194999\nelsewhere.example\n").unwrap();
    assert!(matches!(open(), Err(Error::Locked { pid: 4_194_999, .. })));
}

#[test]
fn credentials_go_where_they_can_be_kept_from_others() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("file"), "").unwrap();
    let places = [home.path().join("file/below"), home.path().join("run")];
    let (place, scratch) = private_place(&places, "worlds/default").unwrap();
    assert_eq!((place, scratch.is_none()), (home.path().join("run/worlds/default"), true));
    assert!(private_place(&places[..1], "worlds/default").is_err());
}
