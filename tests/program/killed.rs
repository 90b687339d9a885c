//! Killed at any moment, the lab goes on from the last command that it acknowledged.

use super::{Home, text};
use egress_lab::base::seed::Seed;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

const KILLS: u64 = 50;

/// Commands that may be given twice: what a learner does, with objects and with files in a pod.
fn command(n: u64) -> String {
    match n % 4 {
        0 => format!("kubectl create configmap made-{n} --from-literal=n={n}"),
        1 => format!("kubectl exec files -- sh -c 'echo {n} > /tmp/made-{n}'"),
        2 => format!("kubectl label configmap made-{} seen=yes --overwrite", n - 2),
        _ => format!("echo line-{n} > note-{n}.txt"),
    }
}

struct Lab {
    child: Child,
    stdin: ChildStdin,
    out: BufReader<ChildStdout>,
}

impl Lab {
    fn start(home: &Home) -> Lab {
        let mut child = home
            .command(&["learn", "control-external-egress", "--plain"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Lab { child, stdin, out: BufReader::new(stdout) }
    }

    fn send(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
        self.stdin.flush().unwrap();
    }

    /// What was printed until this line came; the command before it is acknowledged then.
    fn until(&mut self, mark: &str) -> String {
        let mut said = String::new();
        loop {
            let mut line = String::new();
            assert!(self.out.read_line(&mut line).unwrap() > 0, "the lab ended before {mark}:\n{said}");
            if line.trim() == mark {
                return said;
            }
            said.push_str(&line);
        }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What the commands up to `last` must have left behind.
fn verify(lab: &mut Lab, last: u64) {
    lab.send("kubectl get configmaps --show-labels --no-headers; echo objects-end");
    let objects = lab.until("objects-end");
    lab.send("kubectl exec files -- ls /tmp; echo files-end");
    let files = lab.until("files-end");
    lab.send("ls; echo notes-end");
    let notes = lab.until("notes-end");
    for n in 0..=last {
        let there = match n % 4 {
            0 => objects.lines().any(|l| l.starts_with(&format!("made-{n} "))),
            1 => files.split_whitespace().any(|f| f == format!("made-{n}")),
            2 => objects.lines().any(|l| l.starts_with(&format!("made-{} ", n - 2)) && l.contains("seen=yes")),
            _ => notes.split_whitespace().any(|f| f == format!("note-{n}.txt")),
        };
        assert!(there, "command {n} ({}) was acknowledged and is gone\n{objects}\n{files}\n{notes}", command(n));
    }
}

#[test]
fn killed_at_fifty_moments_nothing_acknowledged_is_lost() {
    let home = Home::new();
    let mut lab = begin(&home);
    let mut next = 0;
    for nth in 0..KILLS {
        // Two commands that are waited for, and one that the kill may cut short.
        let first = next;
        for n in first..first + 2 {
            lab.send(&format!("{}; echo done-{n}", command(n)));
            lab.until(&format!("done-{n}"));
        }
        lab.send(&command(first + 2));
        std::thread::sleep(Duration::from_micros(Seed(7).hash(&["kill", &nth.to_string()]) % 12_000));
        lab.kill();
        lab = Lab::start(&home);
        if nth % 10 == 9 {
            verify(&mut lab, first + 1);
        }
        // The cut command is given again: it may or may not have been done.
        let again = first + 2;
        lab.send(&format!("{}; echo again-{again}", command(again)));
        lab.until(&format!("again-{again}"));
        next = again + 1;
    }
    verify(&mut lab, next - 1);
    let killed = state(&mut lab);
    lab.kill();
    let steps = text(&home.run(&["progress", "show"], "", 20).stdout);
    assert!(steps.contains("(1 of "), "the step that was done is not: {steps}");

    let calm = Home::new();
    let mut lab = begin(&calm);
    for n in 0..next {
        lab.send(&format!("{}; echo done-{n}", command(n)));
        lab.until(&format!("done-{n}"));
    }
    let never_killed = state(&mut lab);
    lab.kill();
    assert_eq!(killed, never_killed);
    assert_eq!(steps, text(&calm.run(&["progress", "show"], "", 20).stdout));
}

/// A lab with its first step done and a pod to write files in.
fn begin(home: &Home) -> Lab {
    let mut lab = Lab::start(home);
    lab.send("next; echo begun");
    lab.send("kubectl run files --image=curlimages/curl:8.1.2 --restart=Never --command -- sleep 3600");
    lab.send("kubectl wait pod/files --for=condition=Ready --timeout=60s; echo ready");
    lab.until("ready");
    lab
}

/// Objects, pod files and the lab's own files, with what is in them.
fn state(lab: &mut Lab) -> String {
    let objects = "{range .items[*]}{.metadata.name} {.metadata.labels} {.data.n}{\"\\n\"}{end}";
    let asked = [
        format!("kubectl get configmaps -o jsonpath='{objects}' | grep made | sort"),
        "kubectl exec files -- sh -c 'cd /tmp; grep . made-*'".to_string(),
        "grep . note-*.txt".to_string(),
    ];
    let mut state = String::new();
    for (n, line) in asked.iter().enumerate() {
        lab.send(&format!("{line}; echo state-{n}"));
        let said = lab.until(&format!("state-{n}"));
        // After a restart the current step is printed first; what was asked for is told by its names.
        state.extend(said.lines().filter(|l| l.starts_with("made-") || l.starts_with("note-")).map(|l| format!("{l}\n")));
    }
    assert!(state.lines().count() > 100, "{state}");
    state
}
