//! A machine that has everything, and the same with one thing wrong at a time.

use super::*;
use crate::lab::tools::replay::Replay;

const DOCKER: &str = include_str!("../../../../tests/data/kind/docker-info.json");
const DF: &str = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 263174212 47185920 49283072 49% /\n";

fn good() -> Replay {
    let istio = versions::default_release();
    Replay::new()
        .prints("docker info", DOCKER)
        .prints("docker buildx version", "github.com/docker/buildx v0.24.0")
        .prints("kind version", "kind v0.33.0 go1.26.0 linux/amd64")
        .prints("df -Pk /var/lib/docker", DF)
        .prints("istioctl version", &format!("client version: {}", istio.tag))
}

/// A folder like /proc.
fn proc(available_kb: u64, watches: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let limits = folder.path().join("sys/fs/inotify");
    std::fs::create_dir_all(&limits).unwrap();
    std::fs::write(folder.path().join("meminfo"), format!("MemTotal: 1 kB\nMemAvailable:   {available_kb} kB\n")).unwrap();
    std::fs::write(limits.join("max_user_watches"), format!("{watches}\n")).unwrap();
    std::fs::write(limits.join("max_user_instances"), "512\n").unwrap();
    folder
}

fn elf(machine: u8) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut bytes = vec![0; 120];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[18] = machine;
    std::fs::write(file.path(), bytes).unwrap();
    file
}

async fn row(replay: Replay, name: &str, change: impl FnOnce(&mut Wishes)) -> (Row, Preflight) {
    let (folder, program) = (proc(8 << 20, 524_288), elf(62));
    let mut wishes = Wishes { program: program.path().into(), ..Wishes::default() };
    change(&mut wishes);
    let preflight = look(&replay, &Machine::at(folder.path().into()), &wishes, None).await;
    let row = preflight.rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no row {name}")).clone();
    (row, preflight)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_machine_with_everything_is_good() {
    let (_, preflight) = row(good(), "kind", |_| ()).await;
    let bad: Vec<&Row> = preflight.rows.iter().filter(|row| row.state != State::Good).collect();
    assert!(bad.is_empty() && preflight.is_good(false), "{bad:?}");
    assert_eq!((preflight.istioctl, preflight.rows.len()), (Istioctl::Own, 10));
}

#[tokio::test]
async fn each_thing_that_is_wrong_says_what_was_found_what_is_needed_and_what_to_type() {
    let rows = [
        (good().without("kind"), "kind", "was not found", "kind-", State::Missing),
        (good().prints("kind version", "kind v0.20.0 go1.20 linux/amd64"), "kind", "0.20.0, too old", "kind", State::Missing),
        (good().prints("kind version", "hello"), "kind", "no version: hello", "kind", State::Missing),
        (good().without("docker").without("podman"), "engine", "docker was not found", "docker", State::Missing),
        (good().prints("docker info", &DOCKER.replace("x86_64", "riscv64")), "images", "riscv64", "machine", State::Missing),
        (good().prints("df", &DF.replace("49283072", "4194303")), "disk", "4.0 GB free", "docker system prune", State::Low),
    ];
    for (replay, name, found, next, state) in rows {
        let (row, preflight) = row(replay, name, |_| ()).await;
        assert_eq!(row.state, state, "{row:?}");
        assert!(row.found.contains(found) && row.next.contains(next), "{row:?}");
        assert!(!row.needed.is_empty() && !preflight.is_good(false), "{row:?}");
        assert_eq!(preflight.is_good(true), state == State::Low, "{row:?}");
    }
}

#[tokio::test]
async fn a_docker_without_its_build_plugin_builds_all_the_same() {
    let (row, preflight) =
        row(good().fails("docker buildx", 1, "docker: unknown command: docker buildx"), "builder", |_| ()).await;
    assert!(row.state == State::Note && row.found.contains("no plugin buildx") && row.next.contains("buildx"), "{row:?}");
    assert!(preflight.is_good(false), "{preflight:?}");
}

#[tokio::test]
async fn a_daemon_that_is_down_is_told_from_one_that_is_not_installed() {
    let down =
        good().fails("docker info", 1, "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.").without("podman");
    let (row, preflight) = row(down, "engine", |_| ()).await;
    assert!(row.found.contains("Cannot connect") && row.found.contains("podman was not found"), "{row:?}");
    assert!(!row.next.contains("install") && preflight.engine.is_none(), "{row:?}");
}

#[tokio::test]
async fn a_hanging_tool_is_late_and_not_waited_for() {
    let shown = "kind version".to_string();
    let (row, _) = row(good().breaks("kind version", Failure::Late { shown, within: ANSWER }), "kind", |_| ()).await;
    assert!(row.state == State::Missing && row.found.contains("gave no end within 10 s"), "{row:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_and_limits_come_from_the_kernel() {
    let program = elf(62);
    let wishes = Wishes { program: program.path().into(), ..Wishes::default() };
    let folder = proc((4 << 20) - 1, 8_192);
    let preflight = look(&good(), &Machine::at(folder.path().into()), &wishes, None).await;
    let row = |name: &str| preflight.rows.iter().find(|row| row.name == name).unwrap().clone();
    assert_eq!((row("memory").state, row("memory").needed.as_str()), (State::Low, "4.0 GB free"));
    assert_eq!(row("inotify limits").next, "sudo sysctl fs.inotify.max_user_watches=524288");
    assert!(!preflight.is_good(false) && preflight.is_good(true));
}

#[tokio::test]
async fn the_origins_program_must_run_where_containers_run() {
    let (arm, text) = (elf(183), tempfile::NamedTempFile::new().unwrap());
    for (program, why) in [(arm.path(), "for arm64"), (text.path(), "no 64-bit ELF"), (Path::new("/nowhere/x"), "No such file")] {
        let (row, preflight) = row(good(), "origins", |w| w.program = program.into()).await;
        assert!(row.state == State::Missing && row.found.contains(why), "{row:?}");
        assert!(row.next.contains("--origin-program") && row.next.contains("--internet"), "{row:?}");
        assert!(preflight.binary.is_none() && !preflight.is_good(true));
        let (_, preflight) = self::row(good(), "kind", |w| (w.program, w.internet) = (program.into(), true)).await;
        assert!(preflight.rows.iter().all(|row| row.name != "origins"), "not needed with the Internet");
    }
}

#[tokio::test]
async fn without_a_fitting_istioctl_the_pinned_image_is_run() {
    let tag = &versions::default_release().tag;
    for (replay, found) in [
        (good().without("istioctl"), "not found"),
        (good().prints("istioctl version", "client version: 1.20.0"), "1.20.0, the lessons are for 1.30"),
        (good().fails("istioctl version", 2, "broken"), "exit code 2"),
    ] {
        let (row, preflight) = row(replay, "istioctl", |_| ()).await;
        assert!(row.state == State::Note && row.found.contains(found), "{row:?}");
        assert!(matches!(preflight.istioctl, Istioctl::Image(image) if image.ends_with(&format!("/istioctl:{tag}"))));
    }
}

#[tokio::test]
async fn cgroup_version_1_gets_an_older_node_or_a_refusal() {
    let one = DOCKER.replace(r#""CgroupVersion":"2""#, r#""CgroupVersion":"1""#);
    let (row1, preflight) = row(good().prints("docker info", &one), "cgroups", |_| ()).await;
    assert_eq!((row1.state, preflight.node_image()), (State::Note, NODE_IMAGE_CGROUP_V1));
    let rootless = one.replace("name=cgroupns", "name=rootless");
    let (row2, preflight) = row(good().prints("docker info", &rootless), "cgroups", |_| ()).await;
    assert!(row2.state == State::Missing && !preflight.is_good(true), "{row2:?}");
}

#[tokio::test]
async fn an_archive_must_be_there() {
    let (row, preflight) = row(good(), "archive", |w| w.archive = Some("/nowhere/a.tar".into())).await;
    assert_eq!(row.state, State::Missing);
    assert!(row.next.contains("egress-lab kind prepull --archive /nowhere/a.tar") && !preflight.is_good(true), "{row:?}");
}
