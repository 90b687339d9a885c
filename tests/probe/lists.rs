//! Lists and watches: which state they show, in which parts, what they refuse.

use super::{Lab, lab};
use egress_lab::sandbox::Pace;
use serde_json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn maps(lab: &Lab, names: &[&str]) -> u64 {
    let mut version = String::new();
    for name in names {
        let made = lab.made(MAPS, json!({"metadata": {"name": name, "labels": {"n": name}}})).await;
        version = made["metadata"]["resourceVersion"].as_str().unwrap().to_string();
    }
    version.parse().unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exact_list_shows_the_old_state() {
    let lab = lab(Pace::Instant).await;
    let before = maps(&lab, &["a", "b"]).await;
    lab.ask("DELETE", &format!("{MAPS}/a"), &[], Value::Null).await;
    lab.ask("PATCH", &format!("{MAPS}/b"), &[], json!({"data": {"x": "1"}})).await;
    maps(&lab, &["c"]).await;
    let (_, old) = lab.ask("GET", &format!("{MAPS}?resourceVersion={before}&resourceVersionMatch=Exact"), &[], Value::Null).await;
    assert_eq!(
        (names(&old), old["metadata"]["resourceVersion"].as_str().unwrap()),
        (vec!["a", "b", "kube-root-ca.crt"], before.to_string().as_str())
    );
    assert!(old["items"][1]["data"].is_null());
    let (_, all) = lab
        .ask(
            "GET",
            &format!("/api/v1/configmaps?resourceVersion={before}&resourceVersionMatch=Exact&labelSelector=n"),
            &[],
            Value::Null,
        )
        .await;
    assert_eq!(names(&all), ["a", "b"]);
    // A part of a list at a version is of that version; without a limit it is only not older.
    let (_, part) = lab.ask("GET", &format!("{MAPS}?resourceVersion={before}&limit=1"), &[], Value::Null).await;
    assert_eq!(names(&part), ["a"]);
    for query in [
        format!("?resourceVersion={before}"),
        format!("?resourceVersion={before}&resourceVersionMatch=NotOlderThan"),
        "?resourceVersion=0&limit=1".into(),
    ] {
        let (_, new) = lab.ask("GET", &format!("{MAPS}{query}"), &[], Value::Null).await;
        assert_eq!(names(&new), ["b", "c", "kube-root-ca.crt"], "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_list_are_of_one_state() {
    let lab = lab(Pace::Instant).await;
    maps(&lab, &["a", "b", "c", "d"]).await;
    let (_, first) = lab.ask("GET", &format!("{MAPS}?limit=2"), &[], Value::Null).await;
    assert_eq!((names(&first), &first["metadata"]["remainingItemCount"]), (vec!["a", "b"], &json!(3)));
    let token = first["metadata"]["continue"].as_str().unwrap().to_string();
    lab.ask("DELETE", &format!("{MAPS}/c"), &[], Value::Null).await;
    maps(&lab, &["bb"]).await;
    let (_, rest) = lab.ask("GET", &format!("{MAPS}?limit=9&continue={token}"), &[], Value::Null).await;
    assert_eq!(names(&rest), ["c", "d", "kube-root-ca.crt"]);
    assert_eq!(rest["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    assert!(rest["metadata"]["continue"].is_null() && rest["metadata"]["remainingItemCount"].is_null());
    let (_, chosen) = lab.ask("GET", &format!("{MAPS}?limit=1&labelSelector=n"), &[], Value::Null).await;
    assert!(chosen["metadata"]["continue"].is_string() && chosen["metadata"]["remainingItemCount"].is_null());
    let (_, table) = lab
        .ask("GET", &format!("{MAPS}?limit=2"), &[("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")], Value::Null)
        .await;
    assert!(table["metadata"]["continue"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_is_expired() {
    let lab = lab(Pace::Instant).await;
    let old = maps(&lab, &["a", "b"]).await;
    let (_, first) = lab.ask("GET", &format!("{MAPS}?limit=1"), &[], Value::Null).await;
    let token = first["metadata"]["continue"].as_str().unwrap().to_string();
    maps(&lab, &["z"]).await;
    // A restored world knows nothing of what was before.
    let saved = lab.handle.with(|world| world.save()).await.unwrap();
    let parts = crate::serve::parts();
    let again = egress_lab::sandbox::world::World::restore(
        saved,
        Vec::new(),
        Pace::Instant,
        egress_lab::base::clock::Time::LOGICAL_START,
        parts,
    );
    let lab = super::serving(egress_lab::sandbox::serve::Handle::spawn(
        again,
        std::sync::Arc::new(egress_lab::base::clock::SystemClock),
        None,
    ))
    .await;
    let old = old - 1;
    let (status, got) =
        lab.ask("GET", &format!("{MAPS}?resourceVersion={old}&resourceVersionMatch=Exact"), &[], Value::Null).await;
    assert_eq!(
        (status, got["reason"].as_str(), got["message"].as_str()),
        (410, Some("Expired"), Some("The resourceVersion for the provided list is too old."))
    );
    maps(&lab, &["aa"]).await;
    let (status, got) = lab.ask("GET", &format!("{MAPS}?limit=9&continue={token}"), &[], Value::Null).await;
    assert_eq!((status, got["reason"].as_str()), (410, Some("Expired")), "{got}");
    let token = got["metadata"]["continue"].as_str().unwrap().to_string();
    let (_, rest) = lab.ask("GET", &format!("{MAPS}?limit=9&continue={token}"), &[], Value::Null).await;
    assert_eq!(names(&rest), ["aa", "b", "kube-root-ca.crt", "z"]);
    let watch = lab.client.send("GET", &format!("{MAPS}?watch=1&resourceVersion=1"), &[], b"").await;
    assert!(
        watch.body.starts_with(r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","#)
            && watch.body.contains(r#""code":410"#)
            && watch.body.contains("too old resource version: 1 ("),
        "{}",
        watch.body
    );
    assert!(watch.body.contains(r#""reason":"Expired""#) && watch.body.contains(r#""type":"ERROR""#), "{}", watch.body);
}

/// Query, code, reason, message.
const REFUSED: &[(&str, u16, &str, &str)] = &[
    (
        "resourceVersion=abc",
        400,
        "BadRequest",
        "invalid resource version: resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax",
    ),
    (
        "resourceVersion=-1",
        400,
        "BadRequest",
        "invalid resource version: resourceVersion: Invalid value: \"-1\": strconv.ParseUint: parsing \"-1\": invalid syntax",
    ),
    (
        "resourceVersion=99999999999999999999999",
        400,
        "BadRequest",
        "invalid resource version: resourceVersion: Invalid value: \"99999999999999999999999\": strconv.ParseUint: parsing \"99999999999999999999999\": value out of range",
    ),
    (
        "resourceVersionMatch=Exact",
        422,
        "Invalid",
        "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
    ),
    (
        "resourceVersion=0&resourceVersionMatch=Exact",
        422,
        "Invalid",
        "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
    ),
    (
        "resourceVersion=1&resourceVersionMatch=Newest",
        422,
        "Invalid",
        "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Unsupported value: \"Newest\": supported values: \"Exact\", \"NotOlderThan\", \"\"",
    ),
    (
        "sendInitialEvents=true",
        422,
        "Invalid",
        "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list",
    ),
    (
        "watch=1&sendInitialEvents=true",
        422,
        "Invalid",
        "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
    ),
    (
        "watch=1&resourceVersionMatch=NotOlderThan&resourceVersion=1",
        422,
        "Invalid",
        "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
    ),
    ("limit=many", 400, "BadRequest", "strconv.ParseInt: parsing \"many\": invalid syntax"),
    ("limit=99999999999999999999", 400, "BadRequest", "strconv.ParseInt: parsing \"99999999999999999999\": value out of range"),
    ("watch=1&timeoutSeconds=soon", 400, "BadRequest", "strconv.ParseInt: parsing \"soon\": invalid syntax"),
    (
        "continue=bogus",
        400,
        "BadRequest",
        "invalid continue token: continue key is not valid: illegal base64 data at input byte 4",
    ),
    (
        "fieldSelector=spec.x%3Dy",
        400,
        "BadRequest",
        "\"spec.x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
    ),
    ("fieldSelector=nonsense", 400, "BadRequest", "invalid selector: 'nonsense'; can't understand 'nonsense'"),
    ("labelSelector=a%20b", 400, "BadRequest", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
    ("labelSelector=a+in+b", 400, "BadRequest", "unable to parse requirement: found 'b' expected: '('"),
    ("labelSelector=a%3Db%2C", 400, "BadRequest", "found '', expected: identifier after ','"),
    ("labelSelector=%2Ca", 400, "BadRequest", "found ',', expected: !, identifier, or 'end of string'"),
];

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_make_no_sense_are_refused() {
    let lab = lab(Pace::Instant).await;
    for (query, code, reason, message) in REFUSED {
        let (status, got) = lab.ask("GET", &format!("{MAPS}?{query}"), &[], Value::Null).await;
        assert_eq!((status, got["reason"].as_str(), got["message"].as_str()), (*code, Some(*reason), Some(*message)), "{query}");
        assert_eq!(
            (got["kind"].as_str(), got["status"].as_str(), got["code"].as_u64()),
            (Some("Status"), Some("Failure"), Some(u64::from(*code)))
        );
    }
    let now = lab.handle.revision().await.unwrap();
    for (target, watch) in [
        (format!("{MAPS}?resourceVersion={}&resourceVersionMatch=NotOlderThan", now + 9), false),
        (format!("{MAPS}/kube-root-ca.crt?resourceVersion={}", now + 9), false),
    ] {
        let got = lab.client.send("GET", &target, &[], b"").await;
        assert_eq!((got.status, got.header("retry-after"), watch), (504, vec!["1"], false));
        assert_eq!(got.json()["message"], format!("Timeout: Too large resource version: {}, current: {now}", now + 9));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_selected_by_kind() {
    let lab = lab(Pace::Instant).await;
    lab.made("/api/v1/namespaces/default/secrets", json!({"metadata": {"name": "s"}, "type": "x/y"})).await;
    lab.made(
        "/api/v1/namespaces/default/services",
        json!({"metadata": {"name": "v"}, "spec": {"ports": [{"port": 80}], "type": "NodePort"}}),
    )
    .await;
    lab.made(
        "/api/v1/namespaces/default/pods",
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}),
    )
    .await;
    for (target, found) in [
        ("/api/v1/pods?fieldSelector=spec.nodeName%3Dsandbox-node,status.phase%3DRunning", 1),
        ("/api/v1/pods?fieldSelector=spec.host%3Dsandbox-node", 1),
        ("/api/v1/pods?fieldSelector=status.podIPs%3D10.244.0.2", 0),
        ("/api/v1/pods?fieldSelector=spec.hostNetwork%3Dfalse", 1),
        ("/api/v1/secrets?fieldSelector=type%3Dx/y", 1),
        ("/api/v1/services?fieldSelector=spec.type%3DNodePort", 1),
        ("/api/v1/nodes?fieldSelector=spec.unschedulable%3Dfalse", 1),
        ("/api/v1/namespaces?fieldSelector=status.phase!%3DActive", 0),
        ("/apis/events.k8s.io/v1/events?fieldSelector=regarding.name%3Dp,reason%3DScheduled", 1),
        ("/api/v1/events?fieldSelector=involvedObject.name%3Dp,reason%3D%3DScheduled", 1),
    ] {
        let (status, got) = lab.ask("GET", target, &[], Value::Null).await;
        assert_eq!((status, got["items"].as_array().map(Vec::len)), (200, Some(found)), "{target}");
    }
    for (target, message) in [
        ("/api/v1/pods?fieldSelector=spec.bogus%3Dx", "field label not supported: spec.bogus"),
        ("/apis/batch/v1/jobs?fieldSelector=spec.x%3Dy", "field label \"spec.x\" not supported for Job"),
        (
            "/apis/apps/v1/replicasets?fieldSelector=status.replicas%3D1",
            "\"status.replicas\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
        ),
        ("/api/v1/nodes?fieldSelector=metadata.namespace%3Dx", "field label not supported: metadata.namespace"),
        ("/apis/events.k8s.io/v1/events?fieldSelector=involvedObject.name%3Dp", "field label not supported: involvedObject.name"),
    ] {
        for verb in ["GET", "DELETE"] {
            if verb == "DELETE" && target.contains("/namespaces?") {
                continue;
            }
            let (status, got) = lab.ask(verb, target, &[], Value::Null).await;
            assert_eq!((status, got["message"].as_str()), (400, Some(message)), "{verb} {target}");
        }
    }
}

/// The events of a watch: type and name.
fn events(body: &str) -> Vec<(String, String)> {
    let read = |line: &str| -> (String, String) {
        let event: Value = serde_json::from_str(line).unwrap();
        let object = &event["object"];
        let name = object["metadata"]["name"].as_str().or(object["rows"][0]["object"]["metadata"]["name"].as_str()).unwrap_or("");
        (event["type"].as_str().unwrap().into(), name.into())
    };
    body.lines().map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_go_on_from_where_they_are_told() {
    let lab = lab(Pace::Instant).await;
    let from = maps(&lab, &["a", "b"]).await;
    lab.ask("PATCH", &format!("{MAPS}/a"), &[], json!({"metadata": {"labels": {"n": "z"}}})).await;
    lab.ask("PATCH", &format!("{MAPS}/b"), &[], json!({"metadata": {"labels": {"n": "a"}}})).await;
    lab.ask("DELETE", &format!("{MAPS}/b"), &[], Value::Null).await;
    let list =
        |list: &[(&str, &str)]| -> Vec<(String, String)> { list.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect() };
    for (query, expected) in [
        (format!("resourceVersion={from}"), list(&[("MODIFIED", "a"), ("MODIFIED", "b"), ("DELETED", "b")])),
        // Objects come into a selection and leave it.
        (format!("resourceVersion={from}&labelSelector=n%3Da"), list(&[("DELETED", "a"), ("ADDED", "b"), ("DELETED", "b")])),
        (format!("resourceVersion={from}&fieldSelector=metadata.name%3Da"), list(&[("MODIFIED", "a")])),
        ("labelSelector=n".into(), list(&[("ADDED", "a")])),
        ("resourceVersion=0&labelSelector=n".into(), list(&[("ADDED", "a")])),
        (
            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=n".into(),
            list(&[("ADDED", "a"), ("BOOKMARK", "")]),
        ),
        (
            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=none".into(),
            list(&[("BOOKMARK", "")]),
        ),
        ("sendInitialEvents=true&resourceVersionMatch=NotOlderThan&labelSelector=n".into(), list(&[("ADDED", "a")])),
        (format!("resourceVersion={from}&watch=false"), Vec::new()),
    ] {
        let target = if query.contains("watch=") { format!("{MAPS}?{query}") } else { format!("{MAPS}?watch=true&{query}") };
        let got = lab.client.send("GET", &target, &[], b"").await;
        assert_eq!(got.status, 200, "{query}");
        match query.contains("watch=false") {
            true => assert_eq!(got.json()["kind"], "ConfigMapList"),
            false => assert_eq!(events(&got.body), expected, "{query}"),
        }
    }
    let table = [("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    let got = lab.client.send("GET", &format!("{MAPS}?watch=1&resourceVersion={from}"), &table, b"").await;
    assert_eq!(events(&got.body), list(&[("MODIFIED", "a"), ("MODIFIED", "b"), ("DELETED", "b")]));
    let lines: Vec<Value> = got.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines[0]["object"]["columnDefinitions"].is_array() && lines[1]["object"]["columnDefinitions"].is_null());
    let deleted: u64 = lines[2]["object"]["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    assert_eq!(deleted, lab.handle.revision().await.unwrap(), "a deletion has a version of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_when_its_time_is_over() {
    let lab = lab(crate::serve::WALL).await;
    let begun = std::time::Instant::now();
    let target = format!("{MAPS}?watch=1&timeoutSeconds=1&labelSelector=none");
    let got = lab.client.wait("GET", &target).await;
    assert_eq!((got.status, got.body.as_str()), (200, ""));
    assert!((900..5_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
}

/// What a watch on a world without a server has to say now.
fn said(world: &mut egress_lab::sandbox::world::World, id: egress_lab::sandbox::call::StreamId) -> Option<String> {
    use egress_lab::sandbox::call::StreamOutput;
    let mut all = String::new();
    loop {
        match world.poll(id) {
            StreamOutput::Body(bytes) => all.push_str(&String::from_utf8(bytes).unwrap()),
            StreamOutput::End => return None,
            _ => return Some(all),
        }
    }
}

#[test]
fn bookmarks_come_once_a_minute_and_a_time_runs_out() {
    let mut world = crate::serve::world(Pace::Instant);
    let open = |world: &mut egress_lab::sandbox::world::World, query: &str| {
        world.open(&egress_lab::sandbox::call::Call::new("GET", &format!("{MAPS}?watch=1&labelSelector=none&{query}"))).unwrap()
    };
    let marked = open(&mut world, "allowWatchBookmarks=true");
    let plain = open(&mut world, "timeoutSeconds=90");
    assert_eq!((said(&mut world, marked).as_deref(), said(&mut world, plain).as_deref()), (Some(""), Some("")));
    world.advance(61_000);
    let text = said(&mut world, marked).unwrap();
    let event: Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!((&event["type"], &event["object"]["kind"]), (&json!("BOOKMARK"), &json!("ConfigMap")));
    assert_eq!(event["object"]["metadata"], json!({"resourceVersion": world.revision().to_string()}));
    assert_eq!((said(&mut world, marked).as_deref(), said(&mut world, plain).as_deref()), (Some(""), Some("")));
    world.advance(30_000);
    assert_eq!(said(&mut world, plain), None);
}
