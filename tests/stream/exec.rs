use super::{refused, sandbox, text};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The words of the runtime, without the name it gave to the attempt.
fn runtime(error: &str) -> String {
    let (before, rest) = error.split_once("failed to start exec \"").unwrap_or_else(|| panic!("{error}"));
    let (name, after) = rest.split_at(64);
    assert!(name.bytes().all(|b| b.is_ascii_hexdigit()), "{error}");
    format!("{before}failed to start exec \"{after}")
}

#[test]
fn what_cannot_be_run_is_refused_in_a_clusters_words() {
    let Some(sandbox) = sandbox() else { return };
    let wrong = match sandbox.is_new() {
        true => "error: container zz is not valid for pod two out of: c, d\n".to_string(),
        false => refused(&sandbox, "BadRequest", "container zz is not valid for pod two"),
    };
    let unhosted = refused(&sandbox, "BadRequest", "pod pp does not have a host assigned");
    let stopped = "error: unable to upgrade connection: container not found (\"c\")\n".to_string();
    let finished = "error: cannot exec into a container in a completed pod; current phase is Failed\n".to_string();
    let missing = "Error from server (NotFound): pods \"nosuch\" not found\n".to_string();
    for (pod, container, why) in
        [("two", "zz", wrong), ("pp", "c", unhosted), ("crash", "c", stopped), ("done", "c", finished), ("nosuch", "c", missing)]
    {
        assert_eq!(sandbox.refused(&["exec", pod, "-c", container, "--", "ls"], b""), (1, why.clone()), "{pod}");
        let mut terminal = sandbox.terminal(&["exec", "-it", pod, "-c", container, "--", "ls"]);
        assert_eq!(terminal.end(), (why.replace('\n', "\r\n"), 1), "{pod} on a terminal");
    }
    let (code, error) = sandbox.refused(&["exec", "bare", "--", "sh"], b"");
    let why = "error: Internal error occurred: error executing command in container: failed to exec in container: failed to start \
               exec \"\": OCI runtime exec failed: exec failed: unable to start container process: exec: \"sh\": executable file \
               not found in $PATH: unknown\n";
    assert_eq!((code, runtime(&error).as_str()), (1, why));
    let mut terminal = sandbox.terminal(&["exec", "-it", "bare", "--", "sh"]);
    let (shown, code) = terminal.end();
    assert!(shown.contains("executable file not found in $PATH: unknown"), "{shown}");
    assert_eq!(code, 1);
}

#[test]
fn input_and_output_of_any_size_come_through() {
    let Some(sandbox) = sandbox() else { return };
    let exec = |argv: &[&str], stdin: &[u8]| sandbox.kubectl(&[&["exec", "-i", "two", "-c", "c", "--"], argv].concat(), stdin);
    let large: Vec<u8> = (0..12_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let back = exec(&["cat"], &large);
    assert!(back.status.success() && back.stdout == large, "{} bytes came back: {}", back.stdout.len(), text(&back.stderr));
    let counted = exec(&["sh", "-c", "cat | wc -c; echo bad >&2; exit 5"], &large[..1_000_000]);
    assert_eq!((text(&counted.stdout).trim(), counted.status.code()), ("1000000", Some(5)));
    assert_eq!(text(&counted.stderr), "bad\ncommand terminated with exit code 5\n");
    let refused = exec(&["wc", "-c"], &large);
    assert_eq!(refused.status.code(), Some(125));
    assert!(text(&refused.stderr).contains("not simulated here: wc with more than 4 MiB of standard input"));
    // Without -i the command's input is empty.
    let closed = sandbox.kubectl(&["exec", "two", "-c", "c", "--", "wc", "-c"], b"never read");
    assert_eq!(text(&closed.stdout).trim(), "0");
}

#[test]
fn a_terminal_has_a_size_a_line_and_signals() {
    let Some(sandbox) = sandbox() else { return };
    let mut shell = sandbox.terminal(&["exec", "-it", "two", "-c", "c", "--", "sh"]);
    shell.see("/ # ");
    assert!(shell.line("stty size", "/ # ").contains("24 80"));
    shell.resize(120, 40);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !shell.line("stty size", "/ # ").contains("40 120") {
        assert!(Instant::now() < deadline, "the new size never came");
    }
    assert!(shell.line("tty", "/ # ").contains("/dev/pts/0"));
    // Rubbed out and typed anew; Ctrl-C ends what runs, not the shell; Ctrl-D ends cat, then the shell.
    assert!(shell.line("echo wrogn\u{7f}\u{7f}ng", "/ # ").contains("wrong"));
    shell.keys("sleep 500\r");
    shell.see("sleep 500");
    shell.keys("\u{3}");
    shell.see("/ # ");
    shell.keys("cat\r");
    shell.see("cat\r\n");
    shell.keys("echoed\r");
    shell.see("echoed\r\nechoed\r\n");
    shell.keys("\u{4}");
    shell.see("/ # ");
    shell.keys("exit 9\r");
    let (rest, code) = shell.end();
    assert!(rest.contains("command terminated with exit code 9"), "{rest}");
    assert_eq!(code, 9);
    let mut shell = sandbox.terminal(&["exec", "-it", "two", "-c", "d", "--", "bash"]);
    shell.see("# ");
    assert!(shell.line("echo $COLUMNS x $LINES", "# ").contains("80 x 24"));
    shell.keys("\u{4}");
    assert_eq!(shell.end().1, 0);
    let plain = sandbox.refused(&["exec", "two", "-c", "c", "--", "stty", "size"], b"");
    assert_eq!(plain, (1, "stty: standard input: Not a tty\ncommand terminated with exit code 1\n".into()));
}

#[test]
fn a_client_that_goes_away_leaves_the_world_in_order() {
    let Some(sandbox) = sandbox() else { return };
    let args =
        ["exec", "-i", "two", "-c", "c", "--", "sh", "-c", "while true; do echo 0123456789012345678901234567890123456789; done"];
    let deaf = (0..4).map(|_| {
        // Its output goes to a pipe that nobody reads.
        sandbox.command(&args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    });
    let mut deaf: Vec<_> = deaf.collect();
    std::thread::sleep(Duration::from_secs(1));
    let begun = Instant::now();
    assert_eq!(sandbox.k(&["exec", "two", "-c", "c", "--", "echo", "still", "here"]), "still here\n");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let memory = || {
        let said = Command::new("ps").args(["-o", "rss=", "-p", &sandbox.id().to_string()]).output();
        said.ok().and_then(|o| text(&o.stdout).trim().parse::<u64>().ok()).unwrap_or(0)
    };
    assert!(memory() < 400_000, "{} KiB", memory());
    for child in &mut deaf {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(sandbox.k(&["exec", "two", "-c", "c", "--", "echo", "and", "now"]), "and now\n");
}

const KEPT: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: kept}
spec: {containers: [{name: sh, image: busybox, stdin: true, tty: true}]}
"#;

#[test]
fn attach_joins_the_main_process_and_leaves_it_running() {
    let Some(sandbox) = sandbox() else { return };
    sandbox.apply(KEPT);
    sandbox.k(&["wait", "--for=condition=Ready", "pod/kept", "--timeout=20s"]);
    for n in ["1", "2"] {
        let mut terminal = sandbox.terminal(&["attach", "-it", "kept"]);
        terminal.see("If you don't see a command prompt, try pressing enter.");
        terminal.keys("\r");
        terminal.see("/ # ");
        terminal.keys(&format!("n=x$n; echo round{n} $n\r"));
        terminal.see(&format!("round{n} {}", "x".repeat(n.parse().unwrap())));
        terminal.terminate();
        terminal.end();
    }
    assert_eq!(
        sandbox.k(&["get", "pod", "kept", "-ojsonpath={.status.phase} {.status.containerStatuses[0].restartCount}"]),
        "Running 0"
    );
    assert!(sandbox.k(&["logs", "kept"]).contains("round2 xx"));
    // Ctrl-D ends the shell, so the container ends and starts again.
    let mut terminal = sandbox.terminal(&["attach", "-it", "kept"]);
    terminal.see("try pressing enter.");
    terminal.keys("\r");
    terminal.see("/ # ");
    terminal.keys("exit\r");
    terminal.end();
    sandbox.until(&["get", "pod", "kept", "-ojsonpath={.status.containerStatuses[0].restartCount}"], |n| n == "1");
    // Whoever attaches without a terminal sees what is printed from then on.
    let ticks = "apiVersion: v1\nkind: Pod\nmetadata: {name: ticks}\nspec: {containers: [{name: c, image: busybox, command: [sh, -c, 'echo first; sleep 6; echo second; sleep 100000']}]}\n";
    sandbox.apply(ticks);
    sandbox.k(&["wait", "--for=condition=Ready", "pod/ticks", "--timeout=20s"]);
    std::thread::sleep(Duration::from_millis(3_200));
    let mut attached = sandbox.command(&["attach", "ticks"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    sandbox.until(&["logs", "ticks"], |log| log == "first\nsecond\n");
    std::thread::sleep(Duration::from_millis(500));
    attached.kill().unwrap();
    assert_eq!(text(&attached.wait_with_output().unwrap().stdout), "second\n");
}

#[test]
fn run_shows_what_its_pod_prints_once() {
    let Some(sandbox) = sandbox() else { return };
    let run = |name: &str, stdin: &[u8], argv: &[&str]| {
        let args = ["run", name, "--image=busybox", "-i", "--rm", "--restart=Never", "-q", "--"];
        let output = sandbox.kubectl(&[&args[..], argv].concat(), stdin);
        let shown = text(&output.stdout);
        let lines: Vec<String> = shown.lines().filter(|l| !l.contains("deleted")).map(String::from).collect();
        (lines.join(" "), output.status.code())
    };
    assert_eq!(run("echo", b"hi\n", &["cat"]), ("hi".into(), Some(0)));
    assert_eq!(run("slow", b"", &["sh", "-c", "echo a; sleep 1; echo b; exit 3"]), ("a b".into(), Some(3)));
    assert_eq!(run("quick", b"", &["echo", "done"]), ("done".into(), Some(0)));
    assert_eq!(run("script", b"echo piped; exit 4\n", &["sh"]), ("piped".into(), Some(4)));
}

const PROBED: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: probed}
spec: {containers: [{name: c, image: busybox, command: [sleep, "100000"], readinessProbe: {exec: {command: [cat, /tmp/healthy]}}}]}
"#;

#[test]
fn a_probe_runs_its_command() {
    let Some(sandbox) = sandbox() else { return };
    sandbox.apply(PROBED);
    let ready = |wanted: &str| {
        let path = "-ojsonpath={.status.containerStatuses[0].ready} {.status.containerStatuses[0].started}";
        sandbox.until(&["get", "pod", "probed", path], |state| state == wanted);
    };
    ready("false true");
    let event =
        ["get", "events", "--field-selector=reason=Unhealthy,involvedObject.name=probed", "-ojsonpath={.items[0].message}"];
    sandbox.until(&event, |text| {
        text.starts_with("Readiness probe failed: cat: can't open '/tmp/healthy': No such file or directory")
    });
    sandbox.k(&["exec", "probed", "--", "touch", "/tmp/healthy"]);
    ready("true true");
    sandbox.k(&["exec", "probed", "--", "rm", "/tmp/healthy"]);
    ready("false true");
}
