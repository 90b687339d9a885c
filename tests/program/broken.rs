//! Proofs that cannot fail prove nothing: broken copies of the real lesson, each found by step and proof.

use super::input::copy;
use super::{Home, text};

/// Proves one step of a copy in which `old` stands as `new`; what was said.
fn prove(file: &str, old: &str, new: &str, step: &str) -> String {
    let home = Home::new();
    let lessons = home.folder.path().join("lessons");
    copy("lessons", &lessons);
    let path = lessons.join("egress/control-external-egress").join(file);
    let good = std::fs::read_to_string(&path).unwrap();
    assert!(good.contains(old), "{file} does not hold {old:?}");
    std::fs::write(&path, good.replacen(old, new, 1)).unwrap();
    let args = ["prove", "control-external-egress", "--step", step, "--lessons", lessons.to_str().unwrap()];
    let output = home.run(&args, "", 120);
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(step), "the step is not named:\n{said}");
    said
}

#[test]
fn a_copy_that_is_not_broken_proves() {
    let home = Home::new();
    let lessons = home.folder.path().join("lessons");
    copy("lessons", &lessons);
    let args = ["prove", "--step", "register-port-80", "--lessons", lessons.to_str().unwrap()];
    let output = home.run(&args, "", 120);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn an_emptied_check_is_found() {
    let asserts = "      asserts:\n      - path: metadata.labels[\"istio-injection\"]\n        equals: enabled\n      - path: \
                   metadata.labels[\"istio.io/rev\"]\n        absent: true\n";
    let said = prove("sidecar.yaml", asserts, "", "label-the-namespace");
    assert!(said.contains("untouched"), "{said}");
}

#[test]
fn a_mutant_that_is_the_solution_is_found() {
    let said = prove("register.yaml", "new: \"- www.wikpedia.org\"", "new: \"- www.wikipedia.org\"", "register-port-80");
    assert!(said.contains("mutant misspelt-host"), "{said}");
}

#[test]
fn a_solution_that_misspells_the_host_is_found() {
    let old =
        "      from: solution/serviceentry-http-only.yaml\n  - line: kubectl apply -f serviceentry-wikipedia.yaml\n  accepts:";
    let typo = "      replace:\n      - old: \"- www.wikipedia.org\"\n        new: \"- www.wikpedia.org\"\n";
    let new = old.replacen("  - line:", &format!("{typo}  - line:"), 1);
    let said = prove("register.yaml", old, &new, "register-port-80");
    assert!(said.contains("solution"), "{said}");
}

#[test]
fn a_removal_that_changes_nothing_is_found() {
    let old = "  - object: ServiceEntry.networking.istio.io default/wikipedia-egress\n    field: spec.ports[number=80]\n  docs:";
    let new = "  - object: ConfigMap default/kube-root-ca.crt\n  docs:";
    let said = prove("register.yaml", old, new, "register-port-80");
    assert!(said.contains("removal"), "{said}");
}
