//! The program in a real (pseudo) terminal: first frame, a lesson, a command, a resize, a signal.

pub mod kit;
mod complaints;
mod stall;
mod torture;
mod walk;

use kit::Screen;
use std::time::Duration;

#[test]
fn a_learner_gets_from_the_first_screen_to_a_command_and_a_signal_leaves_a_sane_terminal() {
    let mut screen = Screen::start(&[], 80, 24);
    screen.shows("Enter opens the marked lesson.");
    screen.press("\r");
    screen.shows("step 1/");
    screen.shows("Enter goes on.");
    screen.press("\r");
    screen.shows("step 2/");
    screen.press("kubectl get nodes\r");
    screen.shows("sandbox-node");
    screen.resize(120, 40);
    screen.shows("Steps: 1 of");
    screen.resize(20, 5);
    screen.shows("needs at");
    screen.signal("TERM");
    let (code, raw) = screen.end();
    assert_eq!(code, 128 + 15);
    kit::assert_given_back(&raw);
}

#[test]
fn the_screen_is_left_with_what_it_took_given_back() {
    let mut screen = Screen::start(&["learn"], 80, 24);
    screen.shows("Enter opens the marked lesson.");
    screen.press("q");
    let (code, raw) = screen.end();
    assert_eq!(code, 0);
    kit::assert_given_back(&raw);
}

#[test]
fn without_a_terminal_the_lesson_is_taken_line_by_line_and_says_why() {
    let home = tempfile::tempdir().unwrap();
    let run = |args: &[&str], env: &[(&str, &str)]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_egress-lab"));
        command
            .args(args)
            .env("HOME", home.path())
            .env("XDG_CONFIG_HOME", home.path().join("config"))
            .stdin(std::process::Stdio::null());
        command.envs(env.iter().copied());
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, said, _) = run(&[], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("mode: plain (standard input is no terminal)"), "{said}");
    let (_, said, _) = run(&["learn", "--plain"], &[]);
    assert!(said.starts_with("mode: plain (flag --plain)"), "{said}");
    let (code, said, err) = run(&["learn"], &[("EGRESS_LAB_PLAIN", "0")]);
    assert!(code == Some(4) && said.is_empty() && err.contains("--plain"), "{code:?} {said} {err}");
    std::fs::create_dir_all(home.path().join("config/egress-lab")).unwrap();
    std::fs::write(home.path().join("config/egress-lab/settings.toml"), "theme = \"drak\"\n").unwrap();
    let (code, said, err) = run(&["settings"], &[]);
    assert!(code == Some(2) && said.is_empty() && err.contains("settings.toml:1:9:") && err.contains("\"dark\""), "{err}");
}

#[test]
fn settings_choose_the_mouse_and_the_release_from_the_start() {
    let settings = [("EGRESS_LAB_MOUSE", "1"), ("EGRESS_LAB_ISTIO", "1.26"), ("EGRESS_LAB_EDITOR", "no-such-editor --x")];
    let mut screen = Screen::start_with(&["learn", "control-external-egress"], 100, 30, &settings);
    screen.shows("Enter goes on.");
    screen.shows("Istio 1.26");
    screen.press("\r");
    screen.shows("step 2/");
    screen.press("istioctl version --remote=false\r");
    screen.shows("client version: 1.26.");
    screen.rests(&["Running", "Checking ..."]);
    screen.press("edit serviceentry-wikipedia.yaml\r");
    screen.shows("no-such-editor could not be started");
    screen.press("\u{4}");
    let (code, raw) = screen.end();
    assert_eq!(code, 0);
    assert!(String::from_utf8_lossy(&raw).contains("\u{1b}[?1000h"), "the mouse was taken");
    kit::assert_given_back(&raw);
}

/// Likely wrong first inputs, and a part of the sentence that each is answered with.
const WRONG: [(&str, &str); 15] = [
    ("ls", "serviceentry-wikipedia.yaml"),
    ("help", "Commands talk to this lab's cluster only"),
    ("k get po", "No resources found in default namespace"),
    ("exit", "`quit` or Ctrl-D leaves the lab"),
    ("vim x.yaml", "edited with `edit FILE`"),
    ("helm list", "installed with `istioctl install`"),
    ("curl http://www.wikipedia.org", "kubectl exec test -- curl"),
    ("kubectl apply -f missing.yaml", "missing.yaml"),
    ("sudo kubectl get pods", "type the command without it"),
    ("istioctl profile dump", "manifest generate"),
    ("cd /etc", "stays in the lab's folder"),
    ("bash", "not a system shell"),
    ("kubetcl get pods", "did you mean `kubectl`"),
    ("docker ps", "no container engine"),
    ("get pods", "verb of kubectl"),
];

/// A newcomer from the first start: wrong inputs are answered, none ends the lab, and the first check passes within a minute.
#[test]
fn a_newcomer_is_answered_and_passes_the_first_check_within_a_minute() {
    let begun = std::time::Instant::now();
    let mut screen = Screen::start(&[], 120, 40);
    screen.shows("Enter opens the marked lesson.");
    screen.press("\r");
    screen.shows("Enter goes on.");
    screen.press("\r");
    screen.shows("step 2/");
    for (line, answer) in WRONG {
        screen.press("clear\r");
        screen.press(&format!("{line}\r"));
        screen.shows(answer);
        assert!(screen.pty.child.try_wait().unwrap().is_none(), "{line} ended the lab");
    }
    screen.press("\u{1b}[200~apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: pasted\n\u{1b}[201~");
    screen.shows("nothing has run");
    screen.press("\u{3}");
    screen.press("clear\r");
    screen.press("kubectl get namespace kube-system -o jsonpath='uid={.metadata.uid}'\r");
    let uid = loop {
        let text = screen.text();
        let found = text.split("uid=").skip(1).find(|rest| rest.starts_with(|c: char| c.is_ascii_hexdigit()));
        match found {
            Some(rest) => break rest.chars().take(8).collect::<String>(),
            None => assert!(screen.take(Duration::from_secs(20)), "the uid is not shown:\n{text}"),
        }
    };
    screen.press(&format!("answer {uid}\r"));
    screen.shows("Step 2 is done");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    screen.press("quit\r");
    assert_eq!(screen.end().0, 0);
}
