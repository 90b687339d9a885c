//! The learner's own shell in its pane, in a real (pseudo) terminal: commands, full-screen programs, sizes, leaving and coming back.

use crate::screen::kit::Screen;
use std::time::Duration;

const F2: &str = "\u{1b}OQ";

fn path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".into())
}

/// Whether a program is on this machine; says so where it is not.
fn has(program: &str) -> bool {
    let found = std::env::split_paths(&path()).any(|folder| folder.join(program).is_file());
    if !found {
        println!("SKIPPED {program}: not on this machine");
    }
    found
}

/// In the first step of the lesson, with the shell open.
fn open(cols: u16, rows: u16) -> Screen {
    let path = path();
    let argv = ["learn", "control-external-egress"];
    let mut screen = Screen::start_with(&argv, cols, rows, &[("PATH", &path), ("SHELL", "/bin/sh"), ("PS1", "own$ ")]);
    screen.shows("step 1/");
    screen.press(F2);
    screen.shows("Your shell: sh");
    screen
}

/// Waits until the shell has asked so often; what is typed before would go to the program that is about to end.
fn asked(screen: &mut Screen, times: usize) {
    while screen.text().matches("own$ ").count() < times {
        assert!(screen.take(Duration::from_secs(60)), "the shell does not ask again:\n{}", screen.text());
    }
}

#[test]
fn a_shell_of_ones_own_reaches_the_lab_and_is_left_and_come_back_to() {
    let mut screen = open(80, 24);
    screen.press("kept=yes; kubectl get ns\r");
    screen.shows("kube-system");
    screen.press("echo \"$(basename $PWD)-$(basename $KUBECONFIG)\"\r");
    screen.shows("files-kubeconfig");
    screen.press("echo from-the-shell > note.txt; echo written-$((40+2))\r");
    screen.shows("written-42");
    screen.press(F2);
    screen.shows("step 1/");
    screen.press("cat note.txt\r");
    screen.shows("from-the-shell");
    screen.rests(&["Ctrl-C ends it"]);
    screen.press("shell\r");
    screen.shows("Your shell: sh");
    screen.press("echo still-$kept\r");
    screen.shows("still-yes");
    screen.resize(100, 30);
    // The new size reaches the shell's terminal a moment after the screen's.
    screen.press("until [ \"$(stty size)\" = '27 100' ]; do sleep 0.1; done; stty size\r");
    screen.shows("\n27 100");
    screen.press("exit\r");
    screen.shows("Your shell has ended.");
    screen.press("quit\r");
    assert_eq!(screen.end().0, 0);
}

#[test]
fn full_screen_programs_have_the_pane_to_themselves_and_give_it_back() {
    let mut screen = open(80, 24);
    // What every terminal program does: the other screen, the cursor at a place, reading a key, and back.
    screen
        .press("printf '\\033[?1049h\\033[2J\\033[10;20Hfull-%s' screen; read key; printf '\\033[?1049l'; echo back-$((40+2))\r");
    screen.shows("full-screen");
    assert!(!screen.text().contains("printf"), "the shell's own lines are hidden: {}", screen.text());
    screen.press("\r");
    screen.shows("back-42");
}

#[test]
fn vim_is_resized_in_the_pane_writes_and_gives_it_back() {
    if !has("vim") {
        return;
    }
    let mut screen = open(80, 24);
    screen.press("vim -u NONE made.txt\r");
    screen.shows("[New");
    // The new size comes together with keys.
    screen.resize(60, 20);
    screen.press("ihello from vim\u{1b}");
    screen.shows("hello from vim");
    screen.press(":wq\r");
    asked(&mut screen, 2);
    assert!(screen.text().starts_with(" Your shell"), "drawn at another size:\n{}", screen.text());
    screen.press("echo \"[$(cat made.txt)]\"\r");
    screen.shows("[hello from vim]");
}

#[test]
fn less_pages_in_the_pane_and_gives_it_back() {
    if !has("less") {
        return;
    }
    let mut screen = open(80, 24);
    screen.press("seq -f row-%g 1 5000 | less\r");
    screen.shows("row-15");
    screen.press("G");
    screen.shows("row-5000");
    screen.press("q");
    asked(&mut screen, 2);
    screen.press("echo less-is-$((40+2))\r");
    screen.shows("less-is-42");
}

#[test]
fn a_program_in_a_pod_runs_from_ones_own_shell() {
    let mut screen = open(100, 30);
    screen.press("kubectl run test --image=curlimages/curl:8.1.2 --restart=Never --command -- sleep 3600\r");
    screen.shows("pod/test created");
    screen.press("kubectl wait --for=condition=Ready pod/test\r");
    screen.shows("condition met");
    screen.press("kubectl exec -ti test -- sh\r");
    screen.press("echo in-$(hostname)-now\r");
    screen.shows("in-test-now");
    screen.press("exit\r");
    asked(&mut screen, 4);
    screen.press("echo out-of-$((40+2))\r");
    screen.shows("out-of-42");
}

#[test]
fn leaving_the_lesson_says_that_the_shell_ends_with_it_and_ends_it() {
    let mut screen = open(80, 24);
    screen.press("echo pid-$$-\r");
    asked(&mut screen, 2);
    let text = screen.text();
    let pid =
        text.rsplit("pid-").find_map(|rest| rest.split('-').next()?.parse::<u32>().ok()).unwrap_or_else(|| panic!("{text}"));
    screen.press(F2);
    screen.shows("step 1/");
    screen.press("quit\r");
    screen.shows("still runs and ends with the lesson");
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists(), "the shell runs while it is hidden");
    screen.press("quit\r");
    assert_eq!(screen.end().0, 0);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "and is gone with the lesson");
}
