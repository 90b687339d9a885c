use super::{sandbox, text};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

#[test]
fn files_and_folders_are_copied_both_ways() {
    let Some(sandbox) = sandbox() else { return };
    let here = tempfile::tempdir().unwrap();
    let folder = here.path().join("d");
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    std::fs::write(folder.join("run.sh"), "echo hi\n").unwrap();
    std::fs::set_permissions(folder.join("run.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let bytes: Vec<u8> = (0..500_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
    std::fs::write(folder.join("sub").join("b.bin"), &bytes).unwrap();
    let long = format!("{}.txt", "n".repeat(140));
    std::fs::write(folder.join(&long), "long").unwrap();
    let path = |p: &std::path::Path| p.to_str().unwrap().to_string();
    for container in ["c", "d"] {
        sandbox.k(&["cp", &path(&folder), "two:/tmp/", "-c", container]);
        assert_eq!(sandbox.k(&["exec", "two", "-c", container, "--", "sh", "/tmp/d/run.sh"]), "hi\n");
        let listed = sandbox.k(&["exec", "two", "-c", container, "--", "ls", "-l", "/tmp/d"]);
        assert!(listed.lines().any(|l| l.starts_with("-rwxr-xr-x") && l.ends_with("run.sh")), "{listed}");
        let back = here.path().join(format!("back-{container}"));
        sandbox.k(&["cp", "two:/tmp/d", &path(&back), "-c", container]);
        assert_eq!(std::fs::read(back.join("sub").join("b.bin")).unwrap(), bytes);
        assert_eq!(std::fs::read_to_string(back.join(&long)).unwrap(), "long");
        // A file under another name, and a file into a folder that is there.
        sandbox.k(&["cp", &path(&folder.join("run.sh")), "two:/tmp/other", "-c", container]);
        assert_eq!(sandbox.k(&["exec", "two", "-c", container, "--", "cat", "/tmp/other"]), "echo hi\n");
        sandbox.k(&["exec", "two", "-c", container, "--", "mkdir", "/tmp/into"]);
        sandbox.k(&["cp", &path(&folder.join("run.sh")), "two:/tmp/into", "-c", container]);
        assert_eq!(sandbox.k(&["exec", "two", "-c", container, "--", "cat", "/tmp/into/run.sh"]), "echo hi\n");
    }
    sandbox.k(&["cp", "two:/etc/hostname", &path(&here.path().join("h")), "-c", "d"]);
    assert_eq!(std::fs::read_to_string(here.path().join("h")).unwrap(), "two\n");
}

#[test]
fn what_cannot_be_copied_says_why() {
    let Some(sandbox) = sandbox() else { return };
    let here = tempfile::tempdir().unwrap();
    let (file, to) = (here.path().join("f"), here.path().join("to"));
    std::fs::write(&file, "f").unwrap();
    let (file, to) = (file.to_str().unwrap(), to.to_str().unwrap());
    let (code, error) = sandbox.refused(&["cp", file, "two:/nodir/x", "-c", "c"], b"");
    assert_eq!(
        error,
        "tar: can't change directory to '/nodir': No such file or directory\ncommand terminated with exit code 1\n"
    );
    assert_eq!(code, 1);
    let (_, error) = sandbox.refused(&["cp", file, "two:/nodir/x", "-c", "d"], b"");
    assert!(
        error.starts_with("tar: /nodir: Cannot open: No such file or directory\ntar: Error is not recoverable: exiting now\n"),
        "{error}"
    );
    let (_, error) = sandbox.refused(&["cp", file, "bare:/tmp/x"], b"");
    assert!(error.contains("exec: \"tar\": executable file not found in $PATH: unknown"), "{error}");
    // What GNU's tar says about a leading slash; kubectl itself may end before it has printed it.
    let said = sandbox.kubectl(&["exec", "two", "-c", "d", "--", "tar", "cf", "-", "/etc/hostname"], b"");
    assert_eq!(text(&said.stderr), "tar: Removing leading `/' from member names\n");
    // kubectl may end before it has printed what tar said, so tar is asked without it too.
    sandbox.kubectl(&["cp", "two:/tmp/nosuch", to, "-c", "c"], b"");
    let (code, error) = sandbox.refused(&["exec", "two", "-c", "c", "--", "tar", "cf", "-", "/tmp/nosuch"], b"");
    let said = "tar: removing leading '/' from member names\ntar: /tmp/nosuch: No such file or directory\ntar: error exit delayed from previous errors\ncommand terminated with exit code 1\n";
    assert_eq!((code, error.as_str()), (1, said));
    let (code, error) = sandbox.refused(&["exec", "two", "-c", "d", "--", "tar", "cf", "-", "nosuch"], b"");
    let said = "tar: nosuch: Cannot stat: No such file or directory\ntar: Exiting with failure status due to previous errors\ncommand terminated with exit code 2\n";
    assert_eq!((code, error.as_str()), (2, said));
    assert!(!std::path::Path::new(to).exists());
    std::fs::write(here.path().join("big"), vec![1; 6 << 20]).unwrap();
    let (_, error) = sandbox.refused(&["cp", here.path().join("big").to_str().unwrap(), "two:/tmp/big", "-c", "c"], b"");
    assert!(error.contains("tar: write error: No space left on device"), "{error}");
}

#[test]
fn archives_are_those_of_the_machines_own_tar() {
    let Some(sandbox) = sandbox() else { return };
    let exec = ["exec", "-i", "two", "-c", "c", "--"];
    let list = |mut tar: Command, archive: &[u8]| -> Option<String> {
        let mut child = tar.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        std::io::Write::write_all(&mut child.stdin.take()?, archive).ok()?;
        Some(text(&child.wait_with_output().ok()?.stdout))
    };
    for (flags, option) in [("cf", "-tf"), ("czf", "-tzf")] {
        let archive = sandbox.kubectl(&[&exec[..], &["tar", flags, "-", "etc/hostname", "etc/hosts"]].concat(), b"");
        assert!(archive.status.success());
        let mut tar = Command::new("tar");
        tar.args([option, "-"]);
        let Some(names) = list(tar, &archive.stdout) else {
            println!("SKIPPED tar: there is none here");
            return;
        };
        assert_eq!(names, "etc/hostname\netc/hosts\n");
        let option = option.trim_start_matches('-');
        let own = sandbox.kubectl(&[&exec[..], &["tar", option, "-"]].concat(), &archive.stdout);
        assert_eq!(text(&own.stdout), names);
    }
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("x"), "from outside").unwrap();
    let packed = Command::new("tar").args(["czf", "-", "-C", here.path().to_str().unwrap(), "x"]).output().unwrap();
    let unpacked = sandbox.kubectl(&[&exec[..], &["tar", "xzvf", "-", "-C", "/tmp"]].concat(), &packed.stdout);
    assert_eq!(text(&unpacked.stdout), "x\n");
    assert_eq!(sandbox.k(&["exec", "two", "-c", "c", "--", "cat", "/tmp/x"]), "from outside");
    let broken = sandbox.kubectl(&[&exec[..], &["tar", "xf", "-"]].concat(), b"this is no archive");
    assert_eq!(text(&broken.stderr), "tar: invalid tar magic\ncommand terminated with exit code 1\n");
}
