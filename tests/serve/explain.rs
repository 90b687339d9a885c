//! `kubectl explain`: the real one on every kind there is, and ours beside it.

use super::kubectl::{Lab, lab};
use egress_lab::mesh::install::crds;
use egress_lab::mesh::versions;

/// Istio's kinds, and one of a learner's own.
fn definitions() -> String {
    let istio = crds::render(versions::default_release());
    let properties = serde_json::json!({
        "arms": {"type": "integer", "description": "How many arms it has.", "enum": [1, 2, 4, 8, 16]},
        "any": {"x-kubernetes-preserve-unknown-fields": true, "description": "Anything."},
        "bag": {"type": "object", "additionalProperties": true},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true},
        "legs": {"type": "array", "items": {"type": "array", "items": {"type": "object", "properties": {
            "toes": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "number"}}},
        }}}},
        "long": {"type": "string", "description": format!("A {} word, then caf\u{e9}\u{a0}au lait and more and more of the same.", "very".repeat(30))},
        "mode": {"type": "string", "enum": ["", "fast"], "description": ""},
    });
    let own = serde_json::json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "robots.lab.test"},
        "spec": {
            "group": "lab.test", "scope": "Namespaced", "names": {"kind": "Robot", "plural": "robots", "singular": "robot"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "description": "A machine that works.", "properties": {"spec": {
                    "type": "object", "description": "What it does.\n\n  - one  thing\n  - \tanother  ", "required": ["arms"],
                    "properties": properties,
                }},
            }}}],
        },
    });
    let texts = istio.iter().map(|crd| crd.0.to_string()).chain([own.to_string()]);
    texts.collect::<Vec<_>>().join("\n")
}

/// What our own kubectl says: exit code, standard output, standard error.
fn ours(lab: &Lab, args: &[&str]) -> (Option<i32>, String, String) {
    let args = [&["kubectl", "explain"], args].concat();
    let output = lab.program(env!("CARGO_BIN_EXE_egress-lab"), &args).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into(), String::from_utf8_lossy(&output.stderr).into())
}

fn real(lab: &Lab, args: &[&str]) -> (Option<i32>, String, String) {
    let output = lab.run(&[&["explain"], args].concat(), "");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into(), String::from_utf8_lossy(&output.stderr).into())
}

/// The kinds as `plural --api-version=GROUP/VERSION`.
fn kinds(lab: &Lab) -> Vec<(String, String)> {
    let table = lab.ok(&["api-resources", "--no-headers"], "");
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words[0].to_string(), words[words.len() - 3].to_string())
    };
    table.lines().map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_and_field_is_explained() {
    let Some(lab) = lab().await else { return };
    tokio::task::spawn_blocking(move || {
        lab.ok(&["create", "-f", "-"], &definitions());
        let kinds = kinds(&lab);
        assert!(kinds.len() > 55, "{kinds:?}");
        for (plural, version) in kinds.iter().filter(|(plural, _)| plural != "robots") {
            let version = format!("--api-version={version}");
            for part in ["", ".metadata", ".spec", ".status"] {
                let (operand, optional) = (format!("{plural}{part}"), matches!(part, ".spec" | ".status"));
                let (exit, page, error) = real(&lab, &[&operand, &version]);
                if optional && error.contains("does not exist") {
                    continue;
                }
                assert_eq!((exit, error.as_str()), (Some(0), ""), "{operand} {version}");
                assert!(!page.contains("<empty>") && !page.contains("<no description>"), "{operand} {version}: {page}");
            }
            let (exit, page, error) = real(&lab, &[plural, &version, "--recursive"]);
            assert_eq!((exit, error.as_str()), (Some(0), ""), "{plural} {version}");
            assert!(page.contains("\nFIELDS:\n") && page.contains("\n  apiVersion\t<string>\n"), "{plural} {version}: {page}");
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn our_pages_are_those_of_kubectl() {
    let Some(lab) = lab().await else { return };
    tokio::task::spawn_blocking(move || {
        lab.ok(&["create", "-f", "-"], &definitions());
        let rows: &[&[&str]] = &[
            &["pod.spec.containers"],
            &["deploy", "--recursive"],
            &["crd", "--recursive"],
            &["crd.spec.versions.schema.openAPIV3Schema"],
            &["pod.spec.containers.resources.limits"],
            &["pods.spec.volumes.hostPath.type"],
            &["svc.spec.ports.targetPort"],
            &["cm.metadata.creationTimestamp"],
            &["serviceentry.spec"],
            &["se.spec.ports", "--api-version=networking.istio.io/v1"],
            &["vs", "--recursive"],
            &["vs.spec.http.match.headers"],
            &["gateways.networking.istio.io.spec.servers.tls.mode"],
            &["dr.status"],
            &["robots"],
            &["robots", "--recursive"],
            &["robots.spec"],
            &["robots.spec.any"],
            &["robots.spec.any.thing"],
            &["robots.spec.arms"],
            &["robots.spec.bag.thing"],
            &["robots.spec.either"],
            &["robots.spec.legs"],
            &["robots.spec.legs.toes"],
            &["robots.spec.long"],
            &["robots.spec.mode"],
            &["hpa", "--api-version=autoscaling/v1"],
            &["events.events.k8s.io"],
            &["Pod."],
            &["nosuch"],
            &["nosuch.spec"],
            &["pod.spec.nosuch"],
            &["pod.spec.nosuch.name"],
            &["pods", "--api-version=apps/v1"],
            &["pods", "--api-version=nosuch/v1"],
            &["pods", "--output=nosuch"],
            &[],
            &["pods", "services"],
        ];
        for row in rows {
            assert_eq!(ours(&lab, row), real(&lab, row), "{row:?}");
        }
    })
    .await
    .unwrap();
}
