//! Manifests against a sandbox: what is told of them and where, that looking applies nothing, and what a change lets through.

use super::Manifests;
use crate::base::files::MemoryFiles;
use crate::base::seed::Seed;
use crate::k8s::shape::Step;
use crate::lab::actions;
use crate::lab::env::sandbox::{ThrowAway, throw_away};
use crate::lab::prompt::Prompt;
use crate::session::desk::manifest::{Grade, Shift, Turn};
use std::sync::Arc;
use tokio::sync::mpsc;

async fn world() -> (ThrowAway, Prompt) {
    let served = throw_away(Seed(7), "").await.unwrap();
    let prompt = Prompt::new(served.env.clone(), Arc::new(MemoryFiles::default()), None);
    for line in [
        "istioctl install -y --set profile=demo --set meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY",
        "kubectl label namespace default istio-injection=enabled",
        "kubectl run test --image=curlimages/curl -- sleep infinity",
        "kubectl wait --for=condition=Ready pod/test",
    ] {
        run(&prompt, line).await;
    }
    (served, prompt)
}

async fn run(prompt: &Prompt, line: &str) {
    let (out, _pieces) = mpsc::channel(4096);
    let ran = actions::line(prompt, line, &out).await;
    assert_eq!(ran.exit_code, 0, "{line}: {}", ran.output);
}

const WIDE: &str = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: wiki\nspec:\n  hosts:\n  - \"*.wikipedia.org\"\n  \
                    ports:\n  - {number: 443, name: tls, protocol: TLS}\n  resolution: NONE\n";
const WRONG: &str = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: x\nspec:\n  hostz:\n  - a.b\n---\n\
                     apiVersion: v1\nkind: Namespace\nmetadata:\n  name: fresh\n---\napiVersion: networking.istio.io/v1\nkind: \
                     ServiceEntry\nmetadata:\n  name: second\n  namespace: fresh\nspec:\n  hosts: [a.b]\n  location: NOWHERE\n---\na: b: c\n---\n\
                     kind: Pod\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: <NAME>\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn manifests_are_checked_previewed_and_looked_back_at() {
    let (_served, prompt) = world().await;
    let manifests = Manifests { prompt: &prompt };
    let told: Vec<(usize, Grade, String)> =
        manifests.check(WRONG).await.problems.into_iter().map(|p| (p.line, p.grade, p.what)).collect();
    assert_eq!(told[0], (6, Grade::Refused, "unknown field \"spec.hostz\"".into()));
    assert!(told.iter().any(|t| t.0 == 23 && t.1 == Grade::Syntax), "{told:?}");
    assert!(told.iter().any(|t| t.0 == 25 && t.2.contains("apiVersion is not set")), "{told:?}");
    assert!(told.iter().any(|t| t.0 == 30 && t.2.contains("<NAME>")), "{told:?}");
    assert!(told.iter().filter(|t| (14..=22).contains(&t.0)).count() >= 1, "{told:?}");

    let before = prompt.env().revision().await;
    let preview = manifests.preview("wide.yaml", WIDE).await.unwrap();
    assert_eq!(prompt.env().revision().await, before, "a preview changes nothing");
    assert_eq!((preview.objects.len(), preview.objects[0].turn, preview.done), (1, Turn::Created, false));
    assert!(preview.moved.iter().any(|m| m.shift == Shift::Allowed && m.from == ["default/test"]), "{preview:?}");
    assert!(preview.opened.iter().any(|o| o.opening == "wildcard-server-name" && o.witness.contains("curl")), "{preview:?}");

    assert!(manifests.last_change().await.unwrap().objects.iter().all(|o| !o.name.contains("wiki")));
    prompt.files.write("wide.yaml", WIDE.as_bytes()).unwrap();
    run(&prompt, "kubectl apply -f wide.yaml").await;
    let last = manifests.last_change().await.unwrap();
    assert_eq!((last.name.as_str(), last.done), ("kubectl apply -f wide.yaml", true));
    assert_eq!(last.objects.iter().map(|o| o.name.as_str()).collect::<Vec<_>>(), ["ServiceEntry default/wiki"]);
    assert_eq!(last.moved, preview.moved, "what was foretold is what happened");
    run(&prompt, "kubectl get pods").await;
    assert_eq!(manifests.last_change().await.unwrap().name, "kubectl apply -f wide.yaml", "looking is no change");

    let again = manifests.preview("wide.yaml", WIDE).await.unwrap();
    assert_eq!((again.objects[0].turn, again.compared.as_str()), (Turn::Unchanged, ""));
    run(&prompt, "kubectl delete -f wide.yaml").await;
    let gone = manifests.last_change().await.unwrap();
    assert_eq!(gone.objects[0].turn, Turn::Deleted);
    assert!(gone.moved.iter().any(|m| m.shift == Shift::Denied) && !gone.closed.is_empty(), "{gone:?}");
    shapes_and_files(&manifests).await;
}

async fn shapes_and_files(manifests: &Manifests<'_>) {
    let shape = manifests.shape("networking.istio.io/v1", "ServiceEntry").await.unwrap();
    let key = |name: &str| Step::Key(name.into());
    assert!(shape.at(&[key("spec"), key("location")]).unwrap().values.contains(&"MESH_EXTERNAL".to_string()));
    assert!(shape.at(&[key("spec"), key("ports"), Step::Item, key("protocol")]).is_some());
    assert!(shape.at(&[key("metadata"), key("labels")]).is_some());
    let pod = manifests.shape("v1", "Pod").await.unwrap();
    assert!(pod.at(&[key("spec"), key("containers"), Step::Item, key("image")]).is_some());
    assert!(manifests.shape("v1", "Nosuch").await.is_err());
    assert!(manifests.names().await.unwrap().of["namespaces"].contains(&"istio-system".to_string()));

    manifests.keep_draft("a.yaml", Some("draft"));
    let open = manifests.open_file("a.yaml").unwrap();
    assert_eq!((open.text, open.draft.as_deref()), (None, Some("draft")));
    assert_eq!(manifests.write_file("a.yaml", "a: 1\n").unwrap(), 1);
    assert_eq!(manifests.open_file("a.yaml").unwrap().draft, None);
    assert!(manifests.open_file("../outside").is_err() || manifests.open_file("../outside").unwrap().text.is_none());
}
