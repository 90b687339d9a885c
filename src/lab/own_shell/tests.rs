use super::*;
use crate::base::clock::Stopwatch;
use std::sync::mpsc::channel;

const SOON: Duration = Duration::from_secs(20);

/// A shell in a folder of its own, and what it tells.
fn open() -> (tempfile::TempDir, OwnShell, std::sync::mpsc::Receiver<ShellNews>) {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("files");
    std::fs::create_dir(&folder).unwrap();
    let place = Place {
        folder: Some(folder),
        kubeconfig: home.path().join("kubeconfig"),
        cache: home.path().join("cache"),
        links: home.path().join("bin"),
    };
    let (send, news) = channel();
    let shell = OwnShell::open(&place, (80, 24), Arc::new(move |news| send.send(news).is_ok())).unwrap();
    (home, shell, news)
}

/// Takes output until it holds a text.
fn until(shell: &OwnShell, news: &std::sync::mpsc::Receiver<ShellNews>, text: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(text) {
        match news.recv_timeout(SOON) {
            Ok(ShellNews::Output(bytes)) => {
                seen.push_str(&String::from_utf8_lossy(&bytes));
                shell.taken();
            }
            Ok(ShellNews::Opened(_)) => (),
            other => panic!("{other:?} after {seen}"),
        }
    }
    seen
}

#[test]
fn it_runs_in_the_labs_folder_with_the_labs_kubeconfig_and_ends_by_itself() {
    let (home, shell, news) = open();
    shell.input(b"echo \"at $(basename $PWD) $(basename $KUBECONFIG) $(basename $KUBECACHEDIR)\"; stty size\n".to_vec());
    let seen = until(&shell, &news, "24 80");
    assert!(seen.contains("at files kubeconfig cache"), "{seen}");
    shell.resize(100, 30);
    shell.input(b"stty size\n".to_vec());
    until(&shell, &news, "30 100");
    shell.input(b"exit 3\n".to_vec());
    let end = news.iter().find_map(|news| if let ShellNews::Ended(sentence) = news { Some(sentence) } else { None });
    assert_eq!(end.as_deref(), Some("Your shell has ended with exit code 3."));
    drop(home);
}

#[test]
fn a_flood_waits_until_it_is_taken_and_a_hang_up_ends_it() {
    let (_home, shell, news) = open();
    shell.input(b"while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done\n".to_vec());
    until(&shell, &news, "xxxx");
    std::thread::sleep(Duration::from_millis(500));
    let waiting = std::iter::from_fn(|| news.try_recv().ok()).count();
    assert!(waiting <= UNDER_WAY + 1, "{waiting} pieces are under way though nobody took one");
    let begun = Stopwatch::start();
    drop(shell);
    assert!(begun.elapsed_ms() < 3_000, "a shell that is busy is ended with the lesson");
    let end = news.iter().find_map(|news| if let ShellNews::Ended(sentence) = news { Some(sentence) } else { None });
    assert_eq!(end.as_deref(), Some("Your shell was ended with the lesson."));
}

#[test]
fn links_are_made_only_for_what_is_missing() {
    let home = tempfile::tempdir().unwrap();
    let own = home.path().join("kubectl");
    std::fs::write(&own, "#!/bin/sh\n").unwrap();
    let path_of = home.path().display().to_string();
    assert!(path::find("kubectl", path_of.as_ref()).is_none(), "a file that cannot be run is no program");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(path::find("kubectl", path_of.as_ref()).is_some() && path::find("istioctl", path_of.as_ref()).is_none());
    let at = home.path().join("istioctl");
    link(&own, &at).unwrap();
    link(&own, &at).unwrap();
    assert_eq!(std::fs::read_link(&at).unwrap(), own);
}

#[test]
fn lines_for_a_terminal_of_ones_own_can_be_pasted() {
    let place = Place {
        folder: Some("/tmp/it's here".into()),
        kubeconfig: "/tmp/k".into(),
        cache: "/tmp/c".into(),
        links: "/nonexistent/never".into(),
    };
    let text = place.lines();
    assert!(text.contains("cd '/tmp/it'\\''s here'\nexport KUBECONFIG=/tmp/k\nexport KUBECACHEDIR=/tmp/c\n"), "{text}");
}
