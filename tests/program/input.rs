//! Bad input: a clear error each, and nothing lost.

use super::{Home, text};
use std::net::TcpListener;

#[test]
fn a_port_in_use_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let output = Home::new().run(&["sandbox", "--port", &port], "", 20);
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains(&port), "{}", text(&output.stderr));
}

#[test]
fn a_missing_kubeconfig_says_what_to_do() {
    let output = Home::new().run(&["kubectl", "get", "pods"], "", 20);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("kubeconfig") && said.contains("egress-lab sandbox"), "{said}");
    let named = Home::new().run(&["kubectl", "--kubeconfig", "nowhere", "get", "pods"], "", 20);
    assert_eq!(named.status.code(), Some(4), "{}", text(&named.stderr));
    // What asks no server works without one.
    let offline =
        Home::new().run(&["kubectl", "create", "deployment", "x", "--image=nginx", "--dry-run=client", "-oname"], "", 20);
    assert_eq!(text(&offline.stdout), "deployment.apps/x\n");
    let generated = Home::new().run(&["istioctl", "manifest", "generate"], "", 20);
    assert!(text(&generated.stdout).contains("kind: CustomResourceDefinition"), "{}", text(&generated.stderr));
}

#[test]
fn a_home_that_cannot_be_written_is_told_once_and_the_lesson_goes_on() {
    let home = Home::new();
    let blocked = home.folder.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    let mut command = home.command(&["learn", "--plain"]);
    command.env("EGRESS_LAB_HOME", blocked.join("state"));
    let output = super::finish(command, "next\nkubectl get nodes\nquit\n", 30);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("sandbox-node"), "{}", text(&output.stdout));
    assert!(!text(&output.stderr).is_empty(), "nothing was said about saving");
}

#[test]
fn no_terminal_at_all_is_told() {
    let output = Home::new().run(&["learn"], "", 20);
    assert_eq!(output.status.code(), Some(0), "the end of the input leaves the lesson");
    assert!(text(&output.stdout).starts_with("mode: plain"), "{}", text(&output.stdout));
}

#[test]
fn an_unknown_lesson_step_or_flag_is_a_usage_error() {
    let home = Home::new();
    for args in [&["run", "control-external-egres"][..], &["run", "control-external-egress", "--to", "nowhere"], &["frobnicate"]]
    {
        let output = home.run(args, "", 20);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(!text(&output.stderr).trim().is_empty());
    }
    assert!(text(&home.run(&["run", "control-external-egres"], "", 20).stderr).contains("did you mean control-external-egress"));
}

#[test]
fn a_lesson_with_an_unknown_field_is_shown_with_its_place() {
    let home = Home::new();
    let lessons = home.folder.path().join("lessons");
    copy("lessons", &lessons);
    let path = lessons.join("egress/control-external-egress/lesson.yaml");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, good.replacen("title:", "tilte: x\ntitle:", 1)).unwrap();
    let output = home.run(&["lint", lessons.to_str().unwrap()], "", 20);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("lesson.yaml:") && said.contains("tilte") && said.contains('^'), "{said}");
}

#[test]
fn likely_wrong_first_inputs_get_one_useful_sentence() {
    let home = Home::new();
    let lines = [
        "ls",
        "help",
        "k get po",
        "clear",
        "vim x.yaml",
        "helm install x",
        "curl http://www.wikipedia.org",
        "kubectl apply -f missing.yaml",
        "sudo kubectl get pods",
        "istioctl profile dump",
        "cd /etc",
        "bash",
        "kubetcl get pods",
        "docker ps",
        "get pods",
        "kubectl",
        "apiVersion: v1",
    ];
    let mut script = String::from("next\n");
    lines.iter().enumerate().for_each(|(n, line)| script.push_str(&format!("{line}\necho mark-{n}\n")));
    script.push_str("quit\n");
    let output = home.run(&["learn", "--plain"], &script, 60);
    assert!(output.status.success());
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    for (n, line) in lines.iter().enumerate() {
        assert!(said.contains(&format!("mark-{n}")), "{line} ended the lab");
    }
    assert!(!text(&output.stderr).contains("panicked"), "{}", text(&output.stderr));
    for word in [
        "edit FILE",
        "istioctl install",
        "kubectl exec test -- curl",
        "missing.yaml",
        "type the command without it",
        "did you mean `kubectl`",
    ] {
        assert!(said.contains(word), "{word} is missing in\n{said}");
    }
}

pub fn copy(from: impl AsRef<std::path::Path>, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
