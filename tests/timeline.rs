//! The time-line of a sandbox: stepping back and forward, looking without leaving a trace, comparing, going back.

use egress_lab::base::files::MemoryFiles;
use egress_lab::base::paths::Paths;
use egress_lab::base::seed::Seed;
use egress_lab::lab::desk::timeline::{hands::Whose, marks::Marks};
use egress_lab::lab::desk::{browse, timeline};
use egress_lab::lab::env::Environment;
use egress_lab::lab::env::sandbox::{Bend, Make, Sandbox, Serve, serve_saved};
use egress_lab::lab::prompt::{Prompt, Terminal};
use egress_lab::session::desk::browse::{Subject, View, Which};
use egress_lab::session::desk::timeline::{Sign, Verb};
use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::runtime::watcher;
use std::sync::Arc;
use tokio::sync::mpsc;

fn lab() -> (Arc<Sandbox>, Prompt) {
    let env = Arc::new(Sandbox::in_process(Make::instant(Seed(7)), Bend::Honest));
    let prompt = Prompt::new(env.clone(), Arc::new(MemoryFiles::default()), None);
    (env, prompt)
}

/// A line's exit code and everything that it printed.
async fn run(prompt: &Prompt, line: &str) -> (i32, String) {
    let (_closed, input) = mpsc::channel(1);
    let (out, mut pieces) = mpsc::channel(4096);
    let end = prompt.run(line, Terminal { input, out, size: None }).await;
    let mut text = String::new();
    while let Ok((_, bytes)) = pieces.try_recv() {
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    (end.exit_code, text)
}

async fn good(prompt: &Prompt, line: &str) -> String {
    let (code, text) = run(prompt, line).await;
    assert_eq!(code, 0, "{line}: {text}");
    text
}

#[tokio::test]
async fn twenty_changes_back_and_forward_and_the_served_world_is_untouched() {
    let (env, prompt) = lab();
    good(&prompt, "kubectl create configmap n --from-literal=v=0").await;
    let mut revisions = Vec::new();
    for n in 1..=25 {
        good(&prompt, &format!("kubectl patch configmap n --type=merge -p '{{\"data\":{{\"v\":\"{n}\"}}}}'")).await;
        revisions.push((n, timeline::revision(&prompt, "now").await.unwrap()));
    }
    let before = (env.state().await.unwrap(), env.moments(9_999).await.unwrap().len());
    let value = |n: i32, r: u64| {
        let prompt = prompt.clone();
        async move {
            let text = good(&prompt, &format!("timeline at {r} kubectl get configmap n -o jsonpath='{{.data.v}}'")).await;
            assert_eq!(text.trim(), n.to_string(), "as of {r}");
        }
    };
    for (n, r) in revisions.iter().rev() {
        value(*n, *r).await;
    }
    for (n, r) in &revisions {
        value(*n, *r).await;
    }
    // The same by steps from now.
    for back in 0..25usize {
        assert_eq!(timeline::revision(&prompt, &format!("-{back}")).await.unwrap(), revisions[24 - back].1);
    }
    let told = timeline::change(&prompt, &revisions[3].1.to_string()).await.unwrap();
    assert_eq!((told.parts[0].verb, told.moment.own), (Verb::Changed, true));
    assert!(told.lines.contains(&(Sign::Removed, "  v: \"3\"".into())), "{:?}", told.lines);
    assert!(told.lines.contains(&(Sign::Added, "  v: \"4\"".into())), "{:?}", told.lines);
    timeline::compared(&prompt, &revisions[0].1.to_string(), "now").await.unwrap();
    timeline::undone(&prompt, &revisions[0].1.to_string()).await.unwrap();
    assert_eq!(before, (env.state().await.unwrap(), env.moments(9_999).await.unwrap().len()), "looking left a trace");
}

#[tokio::test]
async fn the_return_is_new_versions_that_watches_see_and_can_be_undone() {
    let (env, prompt) = lab();
    good(&prompt, "kubectl create configmap a --from-literal=v=1").await;
    let then = timeline::revision(&prompt, "now").await.unwrap();
    good(&prompt, &format!("timeline mark start {then}")).await;
    let api: Api<ConfigMap> = Api::namespaced(env.client(), "default");
    let seen = api.get("a").await.unwrap().metadata.resource_version.unwrap().parse::<u64>().unwrap();
    let mut events = std::pin::pin!(watcher::watcher(api.clone(), watcher::Config::default()));
    while !matches!(events.next().await, Some(Ok(watcher::Event::InitDone))) {}
    good(&prompt, "kubectl patch configmap a --type=merge -p '{\"data\":{\"v\":\"2\"}}'").await;
    good(&prompt, "kubectl create configmap b").await;
    let asked = good(&prompt, "timeline return start").await;
    assert!(asked.contains("delete   ConfigMap default/b") && asked.contains("change   ConfigMap default/a"), "{asked}");
    assert!(api.get("b").await.is_ok(), "asking changed something");
    good(&prompt, "timeline return start --yes").await;
    let mut versions = vec![seen];
    let mut told = Vec::new();
    while told.len() < 4 {
        match events.next().await.unwrap().unwrap() {
            watcher::Event::Apply(map) => {
                versions.push(map.metadata.resource_version.unwrap().parse().unwrap());
                told.push(format!("{} {:?}", map.metadata.name.unwrap(), map.data.and_then(|d| d.get("v").cloned())));
            }
            watcher::Event::Delete(map) => told.push(format!("{} gone", map.metadata.name.unwrap())),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, ["a Some(\"2\")", "b None", "b gone", "a Some(\"1\")"]);
    assert!(versions.windows(2).all(|pair| pair[0] < pair[1]), "{versions:?}");
    let last = env.moments(1).await.unwrap().remove(0);
    assert_eq!(last.what, format!("returned to revision {then}"));
    good(&prompt, "timeline return -1 --yes").await;
    assert!(api.get("b").await.is_ok(), "the return can be undone");
}

#[tokio::test]
async fn the_past_is_read_only_and_says_why_it_cannot() {
    let (_env, prompt) = lab();
    good(&prompt, "kubectl create configmap a").await;
    for (line, code, words) in [
        ("timeline at -1 kubectl get configmap a", 1, "not found"),
        ("timeline at -1 kubectl delete configmap a", 2, "read-only"),
        ("timeline at now kubectl get configmap a", 0, "a  "),
        ("timeline show 99999", 1, "still to come"),
        ("timeline show nothing", 1, "no point of the time-line"),
        ("timeline mark 12", 1, "begins with a letter"),
        ("timeline compare", 2, "timeline compare A [B]"),
        ("timeline 0", 2, "timeline"),
    ] {
        let (got, text) = run(&prompt, line).await;
        assert!(got == code && text.contains(words), "{line}: {got} {text}");
    }
}

#[tokio::test]
async fn the_list_names_people_controllers_and_commands() {
    let (_env, prompt) = lab();
    good(&prompt, "kubectl run test --image=curlimages/curl --command -- sleep 1d").await;
    good(&prompt, "kubectl exec test -- touch /tmp/a").await;
    let list = good(&prompt, "timeline 3").await;
    assert!(list.contains("you (kubectl-run)") && list.contains("created Pod default/test and "), "{list}");
    assert!(list.contains("exec default/test") && list.contains("touch /tmp/a"), "{list}");
    let shown = good(&prompt, "timeline show -1").await;
    assert!(shown.contains("by scheduler") && shown.contains("by kubelet"), "{shown}");
}

#[tokio::test]
async fn comparing_tells_objects_and_traffic() {
    let (_env, prompt) = lab();
    good(&prompt, "istioctl install -y --set meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY").await;
    good(&prompt, "kubectl label namespace default istio-injection=enabled").await;
    good(&prompt, "kubectl run test --image=curlimages/curl --command -- sleep 1d").await;
    good(&prompt, "timeline mark closed").await;
    let entry = "kubectl apply -f - <<EOF\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: wikipedia\nspec:\n  \
                 hosts: [www.wikipedia.org]\n  location: MESH_EXTERNAL\n  resolution: DNS\n  ports:\n  - number: 80\n    name: http\n    \
                 protocol: HTTP\nEOF";
    good(&prompt, entry).await;
    let text = good(&prompt, "timeline compare closed now").await;
    assert!(text.contains("added    ServiceEntry default/wikipedia"), "{text}");
    assert!(text.contains("traffic: 1 request became allowed") && text.contains("www.wikipedia.org"), "{text}");
    let back = good(&prompt, "timeline compare now closed").await;
    assert!(back.contains("removed  ServiceEntry default/wikipedia") && back.contains("1 request became denied"), "{back}");
    let then = good(&prompt, "timeline at closed explain test http://www.wikipedia.org/").await;
    assert!(then.contains("blocked-registry-only"), "{then}");
}

#[tokio::test]
async fn the_browser_reads_what_kubectl_reads_now_and_then() {
    let (_env, prompt) = lab();
    good(&prompt, "kubectl run test --image=curlimages/curl --command -- sleep 1d").await;
    let then = timeline::revision(&prompt, "now").await.unwrap();
    let kinds = browse::kinds(&prompt, None).await.unwrap();
    let pods = kinds.iter().find(|kind| kind.resource == "pods").expect("pods");
    assert_eq!((pods.short.as_str(), pods.count, pods.namespaced), ("po", Some(1), true));
    let which = |at| Which { resource: "pods".into(), namespace: None, at };
    let table = browse::table(&prompt, &which(None), None).await.unwrap();
    assert_eq!((table.rows.len(), table.rows[0].namespace.as_str(), table.rows[0].name.as_str()), (1, "default", "test"));
    good(&prompt, "kubectl delete pod test --now").await;
    let gone = browse::table(&prompt, &which(None), None).await.unwrap();
    assert!(gone.rows.is_empty() && gone.said.contains("No resources found"), "{gone:?}");
    assert_eq!(browse::table(&prompt, &which(Some(then)), None).await.unwrap().rows.len(), 1, "the past has it still");
    let subject = |at| Subject { resource: "pods".into(), namespace: "default".into(), name: "test".into(), at };
    let missing = browse::read(&prompt, &subject(None), &View::Yaml, None).await.unwrap();
    assert!(missing.lines.is_empty() && missing.said.contains("not found"), "{missing:?}");
    for view in [View::Describe, View::Yaml, View::Events, View::Logs { container: "test".into(), previous: false }] {
        let text = browse::read(&prompt, &subject(Some(then)), &view, None).await.unwrap();
        assert!(!text.lines.is_empty() || matches!(view, View::Logs { .. }), "{view:?}: {text:?}");
        assert_eq!(text.containers, if matches!(view, View::Logs { .. }) { vec!["test"] } else { vec![] });
    }
}

/// What was bookmarked when a world was open is there when it is opened again: compared with, looked at, returned to.
#[tokio::test]
async fn bookmarks_outlive_the_session() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let home = tempfile::tempdir().unwrap();
    let paths = Paths::under(home.path().join("state"));
    let serve = || Serve { port: 0, seed: Seed(7), instant: true, real_time: false };
    let open = || async {
        // The world of before is let go of by its own thread.
        let mut served = serve_saved(&paths, "w", serve()).await;
        for _ in 0..200 {
            if served.is_ok() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            served = serve_saved(&paths, "w", serve()).await;
        }
        let env: Arc<dyn Environment> = Arc::new(served.unwrap().sandbox);
        let (marks, notes) = Marks::kept_in(&paths.bookmarks("w"), &*env).await;
        let mut prompt = Prompt::new(env, Arc::new(MemoryFiles::default()), None);
        prompt.marks = marks;
        (prompt, notes)
    };
    let value = "kubectl get configmap n -o jsonpath='{.data.v}'";
    let (prompt, notes) = open().await;
    assert_eq!(notes, Vec::<String>::new());
    good(&prompt, "kubectl create configmap n --from-literal=v=0").await;
    assert!(good(&prompt, "timeline mark start").await.starts_with("Bookmark start: revision"));
    let marked = timeline::revision(&prompt, "start").await.unwrap();
    good(&prompt, "kubectl patch configmap n --type=merge -p '{\"data\":{\"v\":\"1\"}}'").await;
    let between = timeline::revision(&prompt, "now").await.unwrap();
    good(&prompt, "kubectl patch configmap n --type=merge -p '{\"data\":{\"v\":\"2\"}}'").await;
    drop(prompt);

    std::fs::write(paths.bookmarks("w").join("broken.json"), b"{").unwrap();
    let (prompt, notes) = open().await;
    assert!(notes.len() == 1 && notes[0].contains("broken.json cannot be used"), "{notes:?}");
    assert_eq!(timeline::revision(&prompt, "start").await.unwrap(), marked);
    let listed = good(&prompt, "timeline").await;
    assert!(listed.contains("start") && listed.contains("as it was when it got its bookmark"), "{listed}");
    let told = good(&prompt, "timeline compare start now --objects").await;
    assert!(told.contains("changed ConfigMap default/n") && told.contains("2"), "{told}");
    assert_eq!(good(&prompt, &format!("timeline at start {value}")).await.trim(), "0");
    let (code, said) = run(&prompt, &format!("timeline at {between} {value}")).await;
    assert!(code == 1 && said.contains("no longer kept"), "what was not bookmarked is gone: {code} {said}");
    good(&prompt, "timeline return start --yes").await;
    assert_eq!(good(&prompt, value).await.trim(), "0");
    good(&prompt, "kubectl patch configmap n --type=merge -p '{\"data\":{\"v\":\"3\"}}'").await;
    good(&prompt, "timeline mark start").await;
    drop(prompt);

    let (prompt, notes) = open().await;
    assert_eq!(notes.len(), 1, "the broken one: {notes:?}");
    let start = timeline::revision(&prompt, "start").await.unwrap();
    assert!(start > marked, "the name moved");
    assert_eq!(timeline::revision(&prompt, "now").await.unwrap(), start, "nothing has happened since");
    assert_eq!(good(&prompt, &format!("timeline at start {value}")).await.trim(), "3");
}

#[tokio::test]
async fn what_the_lesson_sets_up_is_not_the_learners_doing() {
    let (env, prompt) = lab();
    let now = || async { env.revision().await.unwrap() };
    good(&prompt, "kubectl create configmap mine --from-literal=v=0").await;
    let before = now().await;
    good(&prompt, "kubectl create configmap theirs --from-literal=v=0").await;
    prompt.hands.note(before, now().await, Whose::SetUp);
    good(&prompt, "kubectl create configmap again --from-literal=v=0").await;
    let line = timeline::time_line(&prompt, 3, None).await.unwrap();
    let told: Vec<(&str, bool)> = line.moments.iter().map(|m| (m.who.as_str(), m.own)).collect();
    assert_eq!(told, [("you (kubectl-create)", true), ("the lesson (kubectl-create)", false), ("you (kubectl-create)", true)]);
    let change = timeline::change(&prompt, "-1").await.unwrap();
    assert!(change.lines[0].1.ends_with("by the lesson (kubectl-create)"), "{:?}", change.lines);
    let undone = timeline::undone(&prompt, "-2").await.unwrap();
    assert_eq!(undone.own, ["created ConfigMap default/again"]);
}
