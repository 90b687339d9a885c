//! With `/bin/sh` as the tool.

use super::*;
use std::sync::Arc;

fn sh(script: &str) -> Line {
    Line::new("/bin/sh", &["-c", script]).within(Duration::from_secs(20))
}

fn host() -> Host {
    Host::new(None, CancellationToken::new())
}

async fn hear(line: Line) -> (Result<Ran, Failure>, Vec<String>) {
    let mut heard = Vec::new();
    let ran = host().run(&line, &mut |news| heard.push(format!("{news:?}"))).await;
    (ran, heard)
}

#[tokio::test]
async fn lines_are_told_as_they_come_and_the_command_first() {
    let (ran, heard) = hear(sh("echo one; echo two >&2; cat; exit 3").stdin("given")).await;
    let ran = ran.expect("it ran");
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_slice()), (Some(3), "one\ngiven", &["two".to_string()][..]));
    assert_eq!(heard[0], r#"Command("/bin/sh -c 'echo one; echo two >&2; cat; exit 3'")"#);
    assert!(heard.contains(&r#"Out("one")"#.to_string()) && heard.contains(&r#"Err("two")"#.to_string()), "{heard:?}");
    assert_eq!(heard.last().map(String::as_str), Some(r#"Out("given")"#));
}

#[tokio::test]
async fn a_tool_sees_a_small_environment_and_what_its_line_names() {
    let (ran, _) = hear(sh("env").env("KUBECONFIG", "/x y")).await;
    let stdout = ran.expect("it ran").stdout;
    let names: Vec<&str> = stdout.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert!(names.contains(&"PATH") && stdout.contains("KUBECONFIG=/x y"), "{stdout}");
    assert!(!names.iter().any(|name| name.starts_with("CARGO")), "{names:?}");
}

#[tokio::test]
async fn a_late_tool_is_ended_with_its_whole_group() {
    let mark = tempfile::tempdir().expect("a folder");
    let alive = mark.path().join("alive");
    let script = format!("(trap '' INT; while :; do : > {}; sleep 0.05; done) & sleep 60", alive.display());
    let watch = Stopwatch::start();
    let (ran, _) = hear(sh(&script).within(Duration::from_millis(300))).await;
    assert!(matches!(ran, Err(Failure::Late { .. })), "{ran:?}");
    assert!(watch.elapsed_ms() < 10_000);
    std::fs::remove_file(&alive).expect("the grandchild ran");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!alive.exists(), "a grandchild is still alive");
}

#[tokio::test]
async fn an_interrupt_ends_the_group_and_nothing_starts_after_it() {
    let cancel = CancellationToken::new();
    let host = Arc::new(Host::new(None, cancel.clone()));
    let line = sh("trap 'echo tidied; exit 7' INT; echo up; sleep 60 & wait");
    let mut up = false;
    let ran = host
        .run(&line, &mut |news| {
            if news == News::Out("up") {
                up = true;
                cancel.cancel();
            }
        })
        .await;
    assert!(up && matches!(ran, Err(Failure::Interrupted { .. })), "{ran:?}");
    let again = host.run(&sh("echo never"), &mut |news| panic!("{news:?}")).await;
    assert!(matches!(again, Err(Failure::Interrupted { .. })), "{again:?}");
}

#[tokio::test]
async fn a_dropped_run_leaves_nothing_behind() {
    let mark = tempfile::tempdir().expect("a folder");
    let alive = mark.path().join("alive");
    let line = sh(&format!("while :; do : > {}; sleep 0.05; done", alive.display()));
    let _ = tokio::time::timeout(Duration::from_millis(400), host().run(&line, &mut |_| ())).await;
    std::fs::remove_file(&alive).expect("it ran");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!alive.exists(), "it is still alive");
}

#[tokio::test]
async fn floods_and_held_pipes_are_bounded() {
    let (ran, _) = hear(sh("yes | head -c 20000000; echo end >&2")).await;
    let ran = ran.expect("it ran");
    assert_eq!((ran.stdout.len(), ran.cut, ran.stderr.as_slice()), (lines::KEPT, true, &["end".to_string()][..]));
    let watch = Stopwatch::start();
    let (ran, _) = hear(sh("sleep 5 & echo done")).await;
    assert_eq!(ran.expect("it ran").stdout, "done\n");
    assert!(watch.elapsed_ms() < 4_000, "waited for a pipe that a child of the child holds");
}

#[tokio::test]
async fn what_is_missing_or_cannot_start_says_so() {
    let missing = hear(Line::new("no-such-tool", &[])).await.0.expect_err("missing");
    assert_eq!(missing.to_string(), "no-such-tool was not found on the search path");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("broken");
    std::fs::write(&file, "\x7fELF nothing").expect("a file");
    let text = file.display().to_string();
    assert_eq!(hear(Line::new(&text, &[])).await.0, Err(Failure::Missing(text.clone())), "not executable");
    #[cfg(unix)]
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("made executable");
    assert!(matches!(hear(Line::new(&text, &[])).await.0, Err(Failure::NotStarted { .. })));
}

#[tokio::test]
async fn every_command_is_recorded_with_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state").join("tools.log");
    let host = Host::new(Some(file.clone()), CancellationToken::new());
    let failed = must(&host, &sh("echo why >&2; exit 4"), &mut |_| ()).await.expect_err("exit code 4");
    assert_eq!(failed.to_string(), "`/bin/sh -c 'echo why >&2; exit 4'` ended with exit code 4\n  why");
    assert_eq!(ask(&host, sh("echo ' 1.2 '")).await.as_deref(), Ok("1.2"));
    let text = std::fs::read_to_string(&file).expect("the record");
    let marks = ["Z $ /bin/sh -c 'echo why", "ended with exit code 4", "Z $ /bin/sh -c 'echo '\\'' 1.2", "good after"];
    marks.iter().for_each(|mark| assert!(text.contains(mark), "{mark} is not in\n{text}"));
}

#[test]
fn a_line_is_shown_as_it_is_typed() {
    let line = Line::new("kind", &["create", "a b", "it's", "", "--x=$(y)"]).env("KUBECONFIG", "/p q");
    assert_eq!(line.shown(), r#"KUBECONFIG='/p q' kind create 'a b' 'it'\''s' '' '--x=$(y)'"#);
}
