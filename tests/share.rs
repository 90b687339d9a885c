//! A stuck learner's lab goes to somebody else: one file, without secrets, and a world that goes on from there.

use egress_lab::base::clock::Time;
use egress_lab::base::files::{Files, MemoryFiles};
use egress_lab::base::seed::Seed;
use egress_lab::finding::Ran;
use egress_lab::lab::env::Environment;
use egress_lab::lab::env::sandbox::{Bend, Make, Sandbox};
use egress_lab::lab::prompt::{Prompt, Terminal};
use egress_lab::lab::share::{self, Lab};
use egress_lab::session::story::Story;
use std::sync::Arc;
use tokio::sync::mpsc;

async fn good(prompt: &Prompt, line: &str) -> String {
    let (_closed, input) = mpsc::channel(1);
    let (out, mut pieces) = mpsc::channel(4096);
    let end = prompt.run(line, Terminal { input, out, size: None }).await;
    let mut text = String::new();
    while let Ok((_, bytes)) = pieces.try_recv() {
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    assert_eq!(end.exit_code, 0, "{line}: {text}");
    text
}

#[tokio::test]
async fn a_lab_goes_on_elsewhere_without_its_secrets() {
    let env = Arc::new(Sandbox::in_process(Make::instant(Seed(7)), Bend::Honest));
    let files = Arc::new(MemoryFiles::default());
    let prompt = Prompt::new(env.clone(), files.clone(), None);
    let create = "kubectl create secret generic door --from-literal=key=planted-7f3a91";
    good(&prompt, create).await;
    good(&prompt, "kubectl run test --image=curlimages/curl --command -- sleep 1d").await;
    good(&prompt, "kubectl exec test -- sh -c 'echo planted-7f3a91 > /tmp/kept; echo hello > /tmp/greeting'").await;
    files.write("entry.yaml", b"kind: ServiceEntry\n").unwrap();
    let seen = good(&prompt, "kubectl get secret door -o yaml").await;
    let ran = |line: &str, output: String| Ran { line: line.into(), exit_code: 0, output };
    let story = Story {
        lesson: "l".into(),
        version: 1,
        step: "s".into(),
        steps: Vec::new(),
        lines: vec![ran(create, String::new()), ran("kubectl get secret door -o yaml", seen)],
        findings: Vec::new(),
    };
    let world = env.whole().await.unwrap();
    assert!(world.to_string().contains("planted-7f3a91"), "the test plants it");
    let lab = Lab { story: &story, files: &*files, world, istio: String::new(), now: Time::LOGICAL_START };
    let (bytes, taken) = share::write(lab).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(!text.contains("planted-7f3a91") && taken > 2, "{taken}");
    assert!(!text.contains(&egress_lab::k8s::base64::encode(b"planted-7f3a91")));

    let shared = share::read(&bytes).unwrap();
    assert_eq!(shared.files[0].content, "kind: ServiceEntry\n");
    let other = Arc::new(Sandbox::in_process(Make::instant(Seed(8)), Bend::Honest));
    other.take_over(shared.world.clone()).await.unwrap();
    let (mut before, mut after) = (env.state().await.unwrap(), other.state().await.unwrap());
    for state in [&mut before, &mut after] {
        state.retain(|key, _| !key.starts_with("Secret") && !key.starts_with("Event") && !key.starts_with("Lease"));
    }
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let there = Prompt::new(other.clone(), Arc::new(MemoryFiles::default()), None);
    assert_eq!(good(&there, "kubectl exec test -- cat /tmp/greeting").await, "hello\n");
    assert!(!good(&there, "kubectl exec test -- cat /tmp/kept").await.contains("planted"));
    assert_eq!(good(&there, "kubectl get secret door -o jsonpath='{.data.key}'").await.trim(), "");
    good(&there, "kubectl delete pod test --now").await;
}

#[tokio::test]
async fn what_is_no_state_of_a_world_is_refused() {
    let env = Sandbox::in_process(Make::instant(Seed(7)), Bend::Honest);
    let before = env.state().await.unwrap();
    for bad in [serde_json::json!({}), serde_json::json!({"seed": "x"}), serde_json::json!([1])] {
        assert!(env.take_over(bad).await.is_err());
    }
    assert_eq!(before, env.state().await.unwrap());
}
