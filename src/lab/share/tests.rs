use super::*;
use crate::base::files::MemoryFiles;
use crate::k8s::base64;
use serde_json::json;

const PLANTED: &[&str] =
    &["hunter2hunter2", "s3cr", "kE4-correct-horse", "/home/mallory", "tok-0123456789abcdef", "MIIEvQIBADANBg", "pa55word"];

fn story() -> Story {
    let ran = |line: &str, output: &str| Ran { line: line.into(), exit_code: 0, output: output.into() };
    Story {
        lesson: "leave".into(),
        version: 1,
        step: "do".into(),
        steps: vec![StoryStep {
            id: "do".into(),
            started: true,
            done: None,
            attempts: 2,
            hints: 1,
            answer: Some("hunter2hunter2".into()),
        }],
        lines: vec![
            ran("kubectl create secret generic x --from-literal=a=kE4-correct-horse", "secret/x created\n"),
            ran("kubectl get secret s -o yaml", &format!("data:\n  a: {}\n", base64::encode(b"hunter2hunter2"))),
            ran("kubectl exec test -- curl -H 'Authorization: Bearer tok-0123456789abcdef' http://u:pa55word@a/", "s3cr\n"),
            ran("cat /home/mallory/.kube/config", "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n"),
        ],
        findings: vec!["seen: hunter2hunter2".into()],
    }
}

fn world() -> Value {
    let data = json!({"a": base64::encode(b"hunter2hunter2"), "b": base64::encode(b"s3cr")});
    let applied = json!({"stringData": {"a": "hunter2hunter2"}}).to_string();
    json!({"seed": 1, "objects": [
        {"kind": "Secret", "metadata": {"name": "s", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}}, "data": data},
        {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"v": "a hunter2hunter2 b", "home": "/home/mallory/x"}},
        {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"env": [{"value": "tokens s3cr"}]}]}},
    ], "node": {"pods": {"u": {"files": {"/f": {"bytes": {"hex": "ff68756e7465723268756e7465723200"}}, "/g": {"bytes": "x hunter2hunter2"}}}}}})
}

fn bytes() -> Vec<u8> {
    let files = MemoryFiles::default();
    files.write("secret.yaml", b"apiVersion: v1\nkind: Secret\nstringData:\n  a: kE4-correct-horse\ntype: Opaque\n").unwrap();
    files.write("sub/istio.yaml", b"kind: ServiceEntry\n").unwrap();
    files.write("binary", &[0xff, 0xfe]).unwrap();
    let mut redactor = Redactor::new(&world(), &[("/home/mallory".into(), "~")]);
    // As `write` does, with a home of the test's own.
    let mut world = world();
    redactor.world(&mut world);
    let story = story();
    let line = |ran: &Ran, r: &mut Redactor| SharedLine { line: r.text(&ran.line), exit_code: 0, output: r.text(&ran.output) };
    let lines = story.lines.iter().map(|ran| line(ran, &mut redactor)).collect();
    let answer = story.steps[0].answer.as_ref().map(|answer| redactor.text(answer));
    let step = SharedStep { id: "do".into(), started: true, done: None, attempts: 2, hints: 1, answer };
    encode(&Shared {
        made: "2026-01-01T00:00:00Z".into(),
        program: "0.1.0".into(),
        istio: String::new(),
        lesson: story.lesson.clone(),
        lesson_version: 1,
        step: "do".into(),
        steps: vec![step],
        lines,
        findings: story.findings.iter().map(|f| redactor.text(f)).collect(),
        files: super::files(&files, &mut redactor),
        world,
    })
}

#[test]
fn no_planted_secret_is_in_the_file() {
    let bytes = bytes();
    let text = String::from_utf8(bytes.clone()).unwrap();
    for planted in PLANTED {
        // A short secret may be an ordinary word of the world's objects; in what people typed and read it is taken out.
        let searched = if planted.len() < 8 { text.split("\"world\"").next().unwrap() } else { text.as_str() };
        assert!(!searched.contains(planted), "{planted} is in {searched}");
        assert!(!text.contains(&base64::encode(planted.as_bytes())), "{planted} in base64");
        let hex: String = planted.bytes().map(|b| format!("{b:02x}")).collect();
        assert!(planted.len() < 8 || !text.contains(&hex), "{planted} in hex");
    }
    let shared = read(&bytes).unwrap();
    assert!(shared.files.iter().any(|file| file.name == "sub/istio.yaml") && shared.files.len() == 2, "{:?}", shared.files);
    assert!(shared.files.iter().any(|file| file.content.contains("a: [taken out]\ntype: Opaque")), "{:?}", shared.files);
    assert!(shared.lines[3].line.contains("~/.kube/config"), "{:?}", shared.lines);
}

#[test]
fn a_secret_keeps_its_form() {
    let mut world = world();
    Redactor::new(&world, &[]).world(&mut world);
    assert_eq!(
        world["objects"][0],
        json!({"kind": "Secret", "metadata": {"name": "s", "annotations": {}}, "data": {"a": "", "b": ""}})
    );
    let mut plain = json!({"objects": [{"kind": "Secret", "metadata": {"name": "t"}, "type": "Opaque"}]});
    let before = plain.clone();
    Redactor::new(&plain, &[]).world(&mut plain);
    assert_eq!(plain, before);
}

#[test]
fn what_was_written_is_read_again() {
    let shared = read(&bytes()).unwrap();
    assert_eq!(encode(&shared), bytes());
    let summary = shared.summary();
    let step = summary.step(&StepKey { lesson: "leave".into(), step: "do".into(), version: 1 });
    assert_eq!((step.started, step.done, step.hints), (true, None, 1));
}

#[test]
fn damaged_and_foreign_files_are_refused_in_words() {
    let good = bytes();
    let text = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert_eq!(read(b"PK\x03\x04"), Err(Refusal::Foreign));
    assert_eq!(read(b""), Err(Refusal::Foreign));
    assert_eq!(read(b"egress-lab share 9 0 0\n{}"), Err(Refusal::Format("9".into())));
    assert!(text(&good[..good.len() - 40]).contains("damaged"));
    assert!(text(b"egress-lab share 1 zz 2\n{}").contains("checksum"));
    assert!(text(b"egress-lab share 1").contains("first line"));
    for at in (40..good.len()).step_by(good.len() / 200 + 1) {
        let mut bad = good.clone();
        bad[at] ^= 0x01;
        assert!(read(&bad).is_err(), "one bit at {at}");
    }
    let other = format!("egress-lab share 1 {:016x} 2\n{{}}", checksum(b"{}"));
    assert!(text(other.as_bytes()).contains("missing field"), "{}", text(other.as_bytes()));
    assert_eq!(read(&vec![0; MAX_BYTES + 1]), Err(Refusal::TooLarge(MAX_BYTES + 1)));
}

#[test]
fn an_ordinary_lab_stays_as_it_is() {
    let mut world = json!({"objects": [{"kind": "ConfigMap", "metadata": {"name": "istio"}, "data": {"mesh": "outboundTrafficPolicy:\n  mode: REGISTRY_ONLY"}}]});
    let before = world.clone();
    let mut redactor = Redactor::new(&world, &[("/".into(), "~")]);
    redactor.world(&mut world);
    assert_eq!((world, redactor.taken()), (before, 0));
    for line in ["kubectl get secrets -A", "kubectl exec test -- curl -sS http://www.wikipedia.org/", "istioctl install -y"] {
        assert_eq!(redactor.text(line), line);
    }
}
