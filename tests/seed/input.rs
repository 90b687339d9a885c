//! What is not a manifest: each is refused in clear words and nothing is lost.

use super::kit::Sandbox;

const APPLY: [&str; 3] = ["apply", "-f", "-"];
const KEPT: &str = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kept"},"data":{"a":"1"}}"#;

/// What is sent, and texts that the refusal has to hold.
fn cases() -> Vec<(&'static str, Vec<u8>, &'static [&'static str])> {
    let big = format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"big"}},"data":{{"a":"{}"}}}}"#,
        "x".repeat(3 << 20)
    );
    let binary: Vec<u8> = (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    vec![
        (
            "broken YAML",
            b"apiVersion: v1\nkind: [ConfigMap\nmetadata: {name: x\n".to_vec(),
            &["error parsing STDIN", "yaml: line "],
        ),
        (
            "unknown kind",
            b"apiVersion: networking.istio.io/v1\nkind: ServiceEntri\nmetadata: {name: x}\n".to_vec(),
            &["no matches for kind \"ServiceEntri\" in version \"networking.istio.io/v1\"", "ensure CRDs are installed first"],
        ),
        (
            "an unknown field",
            b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndatta: {a: b}\n".to_vec(),
            &["Error from server (BadRequest)", "strict decoding error: unknown field \"datta\""],
        ),
        (
            "a wrong type",
            b"apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: eighty}]}\n".to_vec(),
            &[
                "Error from server (BadRequest)",
                "cannot be handled as a Service",
                "json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32",
            ],
        ),
        (
            "a value of the wrong kind",
            b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: 1}\n".to_vec(),
            &[
                "Error from server (BadRequest)",
                "cannot be handled as a ConfigMap",
                "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
            ],
        ),
        (
            "more than 3 MiB",
            big.into_bytes(),
            &["Error from server (RequestEntityTooLarge)", "Request entity too large: limit is 3145728"],
        ),
        ("bytes that are no text", binary, &["error parsing STDIN: error converting YAML to JSON: yaml: "]),
    ]
}

fn refused(name: &str, (code, said): &(i32, String), wanted: &[&str]) {
    assert_eq!(*code, 1, "{name}: {said}");
    for text in wanted {
        assert!(said.contains(text), "{name}: no {text:?} in {said}");
    }
    assert!(said.len() < 2000, "{name}: {} bytes", said.len());
}

#[test]
fn bad_input_is_refused_and_nothing_is_lost() {
    let Some(lab) = Sandbox::start(&["--instant"]) else { return };
    lab.apply(KEPT);
    let before = lab.k(&["get", "all,configmaps", "-A", "-oyaml"]);
    for (name, manifest, wanted) in cases() {
        refused(name, &lab.refused(&APPLY, &manifest), wanted);
        refused(name, &lab.lab_refused(&APPLY, &manifest), wanted);
    }
    assert_eq!(lab.k(&["get", "all,configmaps", "-A", "-oyaml"]), before);
    // What is good in a stream with something bad is done, and the bad is told.
    let kept = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept}\ndata: {a: '1'}\n";
    let mixed = format!("{kept}---\napiVersion: v1\nkind: Nothing\nmetadata: {{name: x}}\n");
    let output = lab.kubectl(&APPLY, mixed.as_bytes());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "configmap/kept unchanged\n");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no matches for kind \"Nothing\" in version \"v1\""), "{said}");
}

#[test]
fn bad_istio_objects_are_refused_with_their_field() {
    let Some(lab) = Sandbox::start(&["--instant"]) else { return };
    lab.lab(&["istioctl", "install", "--set", "profile=demo", "-y"]);
    let entry =
        |spec: &str| format!("apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: x}}\nspec: {spec}\n");
    let cases: [(&str, String, &[&str]); 4] = [
        (
            "hosts is a text",
            entry("{hosts: www.wikipedia.org, resolution: DNS}"),
            &[
                "The ServiceEntry \"x\" is invalid",
                "spec.hosts: Invalid value: \"string\": spec.hosts in body must be of type array: \"string\"",
            ],
        ),
        (
            "a port is a text",
            entry("{hosts: [a.test], resolution: DNS, ports: [{number: eighty, name: http, protocol: HTTP}]}"),
            &["is invalid", "spec.ports[0].number"],
        ),
        (
            "unknown field",
            entry("{hosts: [a.test], resolution: DNS, port: 80}"),
            &["BadRequest", "strict decoding error: unknown field \"spec.port\""],
        ),
        (
            "unknown resolution",
            entry("{hosts: [a.test], resolution: DSN}"),
            &["is invalid", "spec.resolution: Unsupported value: \"DSN\""],
        ),
    ];
    for (name, manifest, wanted) in cases {
        refused(name, &lab.refused(&APPLY, manifest.as_bytes()), wanted);
        refused(name, &lab.lab_refused(&APPLY, manifest.as_bytes()), wanted);
    }
    assert_eq!(lab.k(&["get", "serviceentries", "-A", "-oname"]), "");
}
