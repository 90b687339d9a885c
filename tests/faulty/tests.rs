//! The client that asks again, before a server with a bad day.

use super::{Fault, Faults, Faulty, Planned};
use crate::serve::{POD, handle, local, server};
use egress_lab::check::reader::Reader;
use egress_lab::lab::retry::{Limits, Tiding, Trouble};
use egress_lab::lab::target::{Target, patient};
use egress_lab::sandbox::Pace;
use egress_lab::sandbox::serve::Server;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use std::collections::BTreeMap;

/// As on a cluster, with short pauses.
const QUICK: Limits = Limits { first_ms: 2, longest_ms: 20, ..Limits::CLUSTER };

/// A world, its server, a proxy before it, a client of the proxy, and one of the world itself.
struct Day {
    proxy: Faulty,
    target: Target,
    inside: kube::Client,
    _server: (Server, tempfile::TempDir),
}

async fn day(faults: Faults) -> Day {
    let world = handle(Pace::Instant);
    let server = server(&world).await;
    let proxy = Faulty::before(server.0.kubeconfig(), faults).await;
    let target = patient(&[proxy.kubeconfig()], "faulty", QUICK).await.unwrap();
    Day { proxy, target, inside: local(&world), _server: server }
}

fn once(verb: &'static str, resource: &'static str, fault: Fault) -> Planned {
    Planned { verb, resource, fault, times: 1 }
}

fn map(name: &str, value: &str) -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.name = Some(name.into());
    map.data = Some(BTreeMap::from([("key".into(), value.into())]));
    map
}

fn maps(client: &kube::Client) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), "default")
}

async fn value(client: &kube::Client, name: &str) -> Option<String> {
    maps(client).get_opt(name).await.unwrap()?.data?.remove("key")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_is_done_once_on_a_very_bad_day() {
    let day = day(Faults { seed: 3, resets: 20, refusals: 20, ..Faults::default() }).await;
    let api = maps(&day.target.client);
    for n in 0..20 {
        let name = format!("map-{n}");
        let made = api.create(&PostParams::default(), &map(&name, "one")).await.unwrap();
        assert_eq!(value(&day.inside, &name).await.as_deref(), Some("one"));
        let mut next = map(&name, "two");
        next.metadata.resource_version = made.metadata.resource_version;
        api.replace(&name, &PostParams::default(), &next).await.unwrap();
        assert_eq!(value(&day.inside, &name).await.as_deref(), Some("two"));
        let patch = Patch::Merge(serde_json::json!({"data": {"key": "three"}}));
        api.patch(&name, &PatchParams::default(), &patch).await.unwrap();
        assert_eq!(value(&day.inside, &name).await.as_deref(), Some("three"));
        assert!(api.list(&ListParams::default()).await.unwrap().items.iter().any(|m| m.metadata.name.as_ref() == Some(&name)));
        api.delete(&name, &DeleteParams::default()).await.unwrap();
        assert_eq!(value(&day.inside, &name).await, None);
    }
    let seen = day.proxy.seen();
    assert!(seen.cut.0 > 5 && seen.cut.1 > 5 && seen.cut.2 > 5 && seen.refused > 10, "nothing to survive: {seen:?}");
    assert_eq!(day.target.tidings.remained(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_somebody_else_is_never_taken_for_what_was_made() {
    let day = day(Faults { planned: vec![once("create", "configmaps", Fault::CutBefore)], ..Faults::default() }).await;
    maps(&day.inside).create(&PostParams::default(), &map("taken", "theirs")).await.unwrap();
    let error = maps(&day.target.client).create(&PostParams::default(), &map("taken", "ours")).await.unwrap_err();
    assert!(matches!(&error, kube::Error::Api(status) if status.code == 409), "{error}");
    assert_eq!(value(&day.inside, "taken").await.as_deref(), Some("theirs"));
    assert_eq!(day.proxy.seen().cut.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_somebody_else_stays_a_conflict() {
    let day = day(Faults { planned: vec![once("update", "configmaps", Fault::CutBefore)], ..Faults::default() }).await;
    let made = maps(&day.inside).create(&PostParams::default(), &map("shared", "one")).await.unwrap();
    maps(&day.inside)
        .patch("shared", &PatchParams::default(), &Patch::Merge(serde_json::json!({"data": {"key": "theirs"}})))
        .await
        .unwrap();
    let mut ours = map("shared", "ours");
    ours.metadata.resource_version = made.metadata.resource_version;
    let error = maps(&day.target.client).replace("shared", &PostParams::default(), &ours).await.unwrap_err();
    assert!(matches!(&error, kube::Error::Api(status) if status.code == 409), "{error}");
    assert_eq!(value(&day.inside, "shared").await.as_deref(), Some("theirs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_waited_for_is_told_and_what_remains_is_named() {
    let planned = vec![
        once("get", "configmaps", Fault::TooMany(0)),
        once("get", "configmaps", Fault::Unavailable),
        Planned { verb: "list", resource: "configmaps", fault: Fault::TooMany(1), times: 99 },
        Planned { verb: "create", resource: "configmaps", fault: Fault::Webhook, times: 2 },
    ];
    let day = day(Faults { planned, ..Faults::default() }).await;
    maps(&day.inside).create(&PostParams::default(), &map("there", "one")).await.unwrap();
    let mut words = day.target.tidings.listen();
    assert_eq!(value(&day.target.client, "there").await.as_deref(), Some("one"));
    let first = Tiding::Waiting("waiting for the API server: too many requests, try 2 of 8".into());
    assert_eq!(words.recv().await.unwrap(), first);
    let second = words.recv().await.unwrap().to_string();
    assert!(second.starts_with("waiting for the API server: not available (503: the server is currently unable"), "{second}");
    assert!(second.ends_with(", try 3 of 8"), "{second}");
    assert_eq!(words.recv().await.unwrap(), Tiding::Over);
    maps(&day.target.client).create(&PostParams::default(), &map("hooked", "one")).await.unwrap();
    let hook = words.recv().await.unwrap().to_string();
    assert_eq!(hook, "waiting for the API server: webhook namespace.sidecar-injector.istio.io is not ready, try 2 of 8");
    assert_eq!(day.target.tidings.remained(), 0);
    let error = maps(&day.target.client).list(&ListParams::default()).await.unwrap_err();
    assert!(matches!(&error, kube::Error::Api(status) if status.code == 429), "{error}");
    assert_eq!(day.target.tidings.remained(), 1);
    let newest = day.target.tidings.newest().unwrap();
    assert_eq!(newest, "the API server: too many requests (GET /api/v1/namespaces/default/configmaps, tried 8 times)");
    let mut last = Vec::new();
    while let Ok(tiding) = words.try_recv() {
        last.push(tiding);
    }
    let waited = last.iter().filter(|tiding| matches!(tiding, Tiding::Waiting(_))).count();
    // The webhook's second try, and seven of the list's eight.
    assert_eq!((waited, &last[last.len() - 2..]), (8, &[Tiding::Remained(newest), Tiding::Over][..]), "{last:?}");
    assert_eq!(day.proxy.seen().refused, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_a_pod_is_never_run_twice_unseen() {
    for (fault, works) in
        [(Fault::TooMany(0), true), (Fault::Unavailable, true), (Fault::CutAfter, false), (Fault::CutAmid, false)]
    {
        let day = day(Faults { planned: vec![once("create", "pods/exec", fault)], ..Faults::default() }).await;
        let pod: Pod = serde_json::from_str(POD).unwrap();
        Api::<Pod>::namespaced(day.inside.clone(), "default").create(&PostParams::default(), &pod).await.unwrap();
        let argv = ["curl", "-s", "http://example.com/"].map(String::from);
        let ran = Reader::new(day.target.client.clone()).exec("default", "test", "test", &argv).await;
        let ran = ran.is_ok_and(|ran| ran.stdout.contains("hello from example.com"));
        assert_eq!(ran, works, "{fault:?}");
        let log = Api::<Pod>::namespaced(day.inside.clone(), "default").logs("test", &Default::default()).await.unwrap();
        // Whose connection is cut as it begins may not run at all.
        assert!(log.lines().count() <= 1 && (!works || log.lines().count() == 1), "{fault:?}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_credential_is_read_once_more_and_then_named() {
    let day = day(Faults::default()).await;
    maps(&day.inside).create(&PostParams::default(), &map("there", "one")).await.unwrap();
    day.proxy.change_token("second", true);
    assert_eq!(value(&day.target.client, "there").await.as_deref(), Some("one"));
    assert_eq!((day.proxy.seen().expired, day.target.tidings.remained()), (1, 0));
    day.proxy.change_token("third", false);
    let error = maps(&day.target.client).get("there").await.unwrap_err();
    assert!(matches!(&error, kube::Error::Api(status) if status.code == 401), "{error}");
    assert_eq!(day.proxy.seen().expired, 3, "the kubeconfig is read again once");
    assert!(day.target.tidings.newest().unwrap().contains("the credential of the kubeconfig is not valid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_is_named_and_asked_once() {
    let forbidden = vec![("list", "serviceentries.networking.istio.io"), ("delete", "configmaps")];
    let day = day(Faults { forbidden, ..Faults::default() }).await;
    maps(&day.inside).create(&PostParams::default(), &map("there", "one")).await.unwrap();
    let before = day.proxy.seen();
    let request = http::Request::get("/apis/networking.istio.io/v1/serviceentries").body(Vec::new()).unwrap();
    day.target.client.request::<serde_json::Value>(request).await.unwrap_err();
    assert_eq!(day.proxy.seen().requests - before.requests, 1);
    let newest = day.target.tidings.newest().unwrap();
    let wanted = Trouble::Forbidden {
        verb: "list".into(),
        resource: "serviceentries.networking.istio.io".into(),
        place: " in the whole cluster".into(),
    };
    assert_eq!(newest, format!("the API server: {wanted} (GET /apis/networking.istio.io/v1/serviceentries)"));
    maps(&day.target.client).delete("there", &DeleteParams::default()).await.unwrap_err();
    assert!(day.target.tidings.newest().unwrap().contains("not allowed to delete configmaps in namespace default"));
    assert_eq!(value(&day.inside, "there").await.as_deref(), Some("one"));
    assert_eq!(day.proxy.seen().writes, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_or_not_the_right_one_is_named() {
    let day = day(Faults::default()).await;
    let file = day.proxy.kubeconfig();
    let text = std::fs::read_to_string(&file).unwrap();
    // Another proxy's certificate is not the one that the kubeconfig trusts.
    let other = self::day(Faults::default()).await;
    let theirs = std::fs::read_to_string(other.proxy.kubeconfig()).unwrap();
    let server = |text: &str| text.lines().find(|line| line.contains("server:")).unwrap().to_string();
    std::fs::write(&file, text.replace(&server(&text), &server(&theirs))).unwrap();
    let target = patient(std::slice::from_ref(&file), "faulty", QUICK).await.unwrap();
    maps(&target.client).get("there").await.unwrap_err();
    let newest = target.tidings.newest().unwrap();
    assert!(newest.contains("cannot be trusted") && !newest.contains("tried"), "{newest}");
    std::fs::write(&file, text.replace(&server(&text), "    server: https://127.0.0.1:1")).unwrap();
    let target = patient(&[file], "faulty", QUICK).await.unwrap();
    maps(&target.client).get("there").await.unwrap_err();
    let newest = target.tidings.newest().unwrap();
    assert!(newest.contains("cannot be reached") && newest.contains("refused") && newest.contains("tried 8 times"), "{newest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_cuts_watches_and_answers_reviews_as_its_rules_say() {
    use futures::StreamExt;
    let forbidden = vec![("create", "pods")];
    let planned = vec![once("watch", "configmaps", Fault::Gone), once("watch", "configmaps", Fault::GoneLater)];
    let day = day(Faults { watches_ms: Some(50), forbidden, planned, ..Faults::default() }).await;
    let api = maps(&day.target.client);
    let first = api.watch(&Default::default(), "0").await.map(|_| ()).unwrap_err();
    assert!(matches!(&first, kube::Error::Api(status) if status.code == 410), "{first}");
    let events: Vec<_> = api.watch(&Default::default(), "0").await.unwrap().boxed().collect().await;
    assert!(matches!(&events[..], [Ok(kube::api::WatchEvent::Error(status))] if status.code == 410), "{events:?}");
    let events: Vec<_> = api.watch(&Default::default(), "0").await.unwrap().boxed().collect().await;
    assert!(events.iter().all(Result::is_ok), "a watch that is cut ends like one that is closed: {events:?}");
    assert_eq!((day.proxy.seen().watches_cut, day.proxy.seen().gone), (1, 2));
    for (verb, allowed) in [("create", false), ("get", true)] {
        let spec =
            serde_json::json!({"spec": {"resourceAttributes": {"verb": verb, "resource": "pods", "namespace": "default"}}});
        let request = http::Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
            .header("content-type", "application/json");
        let request = request.body(spec.to_string().into_bytes()).unwrap();
        let review: serde_json::Value = day.target.client.request(request).await.unwrap();
        assert_eq!(review["status"]["allowed"], allowed, "{verb}");
    }
}
