use super::*;
use crate::base::yaml;
use crate::k8s::Snapshot;
use crate::mesh::{Inputs, Options};
use crate::outside::wire::{HttpVersion, Request, Scheme};
use serde_json::Value;

/// The rows' world with some of its parts.
fn model(parts: &[&str]) -> Model {
    let documents = |text: &str| yaml::parse_documents(text).expect("test data is YAML");
    let world = documents(include_str!("../../../tests/data/mesh/world.yaml"));
    let all = documents(include_str!("../../../tests/data/mesh/parts.yaml")).into_iter().map(Object);
    let chosen = all.filter(|o| o.label("part").is_some_and(|p| parts.contains(&p)));
    let snapshot: Snapshot = world.into_iter().map(Object).chain(chosen).collect();
    Model::compile(&snapshot, &Options::default())
}

/// A page of the test pod's proxy.
fn page(model: &Model, memory: &mut Memory, method: &str, target: &str) -> Page {
    let pod = model.snapshot().find("", "Pod", "default", "test").expect("the pod").clone();
    let outside = Outside::standard();
    let before = memory.clone();
    let push = Push { at: Time::LOGICAL_START, nth: 3 };
    let desk = Desk {
        model,
        outside: &outside,
        pod: &pod,
        memory: &before,
        push,
        now: Time::LOGICAL_START.plus_ms(90_000),
        seed: Seed(1),
    };
    answer(&desk, memory, method, target)
}

fn get(target: &str) -> Page {
    page(&model(&["se"]), &mut Memory::default(), "GET", target)
}

#[test]
fn the_dump_has_its_parts_in_envoys_order() {
    let types = |target: &str| -> Vec<String> {
        let value: Value = serde_json::from_str(&get(target).body).expect("JSON");
        let all = value["configs"].as_array().expect("parts").clone();
        all.iter().map(|c| c["@type"].as_str().expect("a type").rsplit('.').next().expect("a name").to_string()).collect()
    };
    let whole = [
        "BootstrapConfigDump",
        "ClustersConfigDump",
        "ListenersConfigDump",
        "ScopedRoutesConfigDump",
        "RoutesConfigDump",
        "SecretsConfigDump",
    ];
    assert_eq!(types("/config_dump"), whole);
    assert_eq!(types("/config_dump?include_eds")[2], "EndpointsConfigDump");
    assert_eq!(types("/config_dump?mask=dynamic_listeners,static_listeners"), ["ListenersConfigDump"]);
    assert_eq!(types("/config_dump?mask=last_updated"), ["BootstrapConfigDump"]);
    assert_eq!(types("/config_dump?resource=static_clusters").len(), 4);
    let none = get("/config_dump?mask=nope");
    assert_eq!((none.status, none.kind), (400, "text/plain"));
    assert_eq!(none.body, "FieldMask nope could not be successfully applied to any configs.");
    assert_eq!(get("/config_dump?resource=nope").body, "nope not found in config dump");
}

/// Fields of messages that the table does not know would not be shown: everything that is written is known.
#[test]
fn nothing_of_what_is_written_gets_lost() {
    let model = model(&["se", "gateway", "destinationrule", "virtualservice"]);
    for (namespace, name) in [("default", "test"), ("istio-system", "egw")] {
        let all = model.snapshot().list_in("", "Pod", namespace);
        let pod = all.into_iter().find(|p| p.name().starts_with(name)).expect("the pod").clone();
        let (outside, memory) = (Outside::standard(), Memory::default());
        let push = Push { at: Time::LOGICAL_START, nth: 1 };
        let desk = Desk { model: &model, outside: &outside, pod: &pod, memory: &memory, push, now: push.at, seed: Seed(1) };
        for part in dump::parts(&desk, true) {
            known(fields::of_url(part["@type"].as_str().expect("a type")), &part, "");
        }
    }
}

fn known(message: Option<&'static fields::Message>, value: &Value, path: &str) {
    let message = message.unwrap_or_else(|| panic!("{path}: no such message {}", value["@type"]));
    for (name, value) in value.as_object().into_iter().flatten().filter(|(name, _)| *name != "@type") {
        let field = message.places.iter().flatten().find(|f| f.name == name);
        let field = field.unwrap_or_else(|| panic!("{path}: {} has no {name}", message.name));
        let values: Vec<&Value> = match (field.times(), value) {
            (fields::Times::Repeated, Value::Array(all)) => all.iter().collect(),
            (fields::Times::Map, Value::Object(all)) => all.values().collect(),
            (fields::Times::Once, value) => vec![value],
            _ => panic!("{path}: {name} is no list or map"),
        };
        for value in values {
            match field.kind() {
                fields::Kind::Message(inner) => known(Some(inner), value, &format!("{path}/{name}")),
                fields::Kind::Any if !value["@type"].as_str().is_some_and(|t| t.contains("google.protobuf")) => {
                    known(value["@type"].as_str().and_then(fields::of_url), value, &format!("{path}/{name}"));
                }
                _ => (),
            }
        }
    }
}

#[test]
fn clusters_are_listed_with_their_addresses() {
    let text = get("/clusters").body;
    assert!(text.contains("outbound|80||www.wikipedia.org::default_priority::max_connections::4294967295\n"), "{text}");
    assert!(text.contains("::health_flags::healthy\n") && text.contains("prometheus_stats::added_via_api::false\n"));
    let json: Value = serde_json::from_str(&get("/clusters?format=json").body).expect("JSON");
    let all = json["cluster_statuses"].as_array().expect("clusters");
    let found = all.iter().find(|c| c["name"] == "outbound|443||www.wikipedia.org").expect("the cluster");
    assert_eq!(found["host_statuses"][0]["health_status"]["eds_health_status"], "HEALTHY");
    assert_eq!(found["host_statuses"][0]["address"]["socket_address"]["port_value"], 443);
}

#[test]
fn levels_of_loggers_are_kept() {
    let (model, mut memory) = (model(&[]), Memory::default());
    let first = page(&model, &mut memory, "POST", "/logging");
    assert!(first.body.starts_with("active loggers:\n  a2a: warning\n") && first.body.ends_with("ip_tagging: warning\n\n"));
    assert_eq!(page(&model, &mut memory, "POST", "/logging?http=debug").status, 200);
    assert!(page(&model, &mut memory, "POST", "/logging?paths=rbac:info").body.contains("  http: debug\n"));
    for (target, why) in [
        ("/logging?http=loud", "error: unknown logger level\n\nusage: /logging?<name>=<level> (change single level)\n"),
        ("/logging?nosuch=info", "error: unknown logger name\n"),
        ("/logging?a=b&c=d", "error: invalid number of parameters\n"),
        ("/logging?paths=http", "error: empty logger name or empty logger level\n"),
    ] {
        let page = page(&model, &mut memory, "POST", target);
        assert_eq!((page.status, page.body.starts_with(why)), (400, true), "{target}: {}", page.body);
    }
    let get = page(&model, &mut memory, "GET", "/logging");
    assert_eq!((get.status, get.body.as_str()), (405, "Method GET not allowed, POST required."));
    assert!(page(&model, &mut memory, "POST", "/logging").body.contains("  http: debug\n"), "what was refused changes nothing");
}

#[test]
fn requests_are_counted_where_istio_counts_them() {
    let model = model(&["se"]);
    let pod = model.snapshot().find("", "Pod", "default", "test").expect("the pod").clone();
    let outside = Outside::standard();
    let mut memories = Memories::default();
    for (nth, host) in ["www.wikipedia.org", "www.wikipedia.org", "example.com"].into_iter().enumerate() {
        let request = Request {
            scheme: Scheme::Http,
            version: HttpVersion::Http11,
            method: "GET".into(),
            host: host.into(),
            port: 80,
            path: "/".into(),
            headers: Vec::new(),
            sni: None,
            body_len: 0,
            address: None,
            from_proxy_user: false,
            max_time_ms: None,
            connect_timeout_ms: None,
            insecure: false,
        };
        let inputs = Inputs { outside: &outside, now: Time::LOGICAL_START, seed: Seed(1), nth: nth as u64 };
        memories.note(&model.trace(&pod, &request, &inputs));
    }
    let mut memory = memories.of("default/test");
    let total = memory.clusters["outbound|80||www.wikipedia.org"].requests;
    assert_eq!(total, 2);
    let text = page(&model, &mut memory, "GET", "/stats/prometheus").body;
    let line = text.lines().find(|l| l.starts_with("istio_requests_total{") && l.contains("www.wikipedia.org")).expect("a row");
    assert!(line.ends_with(" 2"), "{line}");
    assert!(text.contains("response_code=\"502\"") && !text.contains("upstream_rq_total"), "{text}");
    let plain = page(&model, &mut memory, "GET", "/stats?filter=server").body;
    assert_eq!(plain.lines().next(), Some("server.live: 1"));
    memories.keep(|_| false);
    assert!(memories.of("default/test").clusters.is_empty());
}

#[test]
fn other_pages_say_what_they_are() {
    assert!(get("/nosuch").body.starts_with("invalid path. admin commands are:\n  /: Admin home page\n"));
    assert_eq!(get("/nosuch").status, 404);
    assert!(get("/memory").not_simulated && get("/quitquitquit").status == 405);
    assert_eq!(get("/ready").body, "LIVE\n");
    assert!(get("/listeners").body.contains("\nvirtualInbound::0.0.0.0:15006\n"), "{}", get("/listeners").body);
    let info: Value = serde_json::from_str(&get("/server_info").body).expect("JSON");
    assert_eq!(info["node"]["id"].as_str().map(|id| id.starts_with("sidecar~")), Some(true));
    assert_eq!(get("/stats?filter=(").status, 400);
}

#[test]
fn istiod_tells_who_is_connected_and_what_they_have() {
    let model = model(&["se"]);
    let push = Push { at: Time::LOGICAL_START, nth: 3 };
    let page = |target: &str| istiod::page(&model, push, target).map(|page| page.body);
    let synced: Value = serde_json::from_str(&page("debug/syncz").expect("a page")).expect("JSON");
    let proxies: Vec<&str> = synced.as_array().expect("a list").iter().filter_map(|p| p["proxy"].as_str()).collect();
    assert!(proxies.windows(2).all(|pair| pair[0] <= pair[1]), "{proxies:?}");
    assert!(page("debug/list").expect("a page").contains("\"syncz\""));
    assert_eq!(page("debug/nosuch"), None);
    assert!(istiod::page(&model, push, "debug/pushcontext").is_some_and(|page| page.not_simulated));
    assert_eq!(istiod::page(&model, push, "debug/config_dump?proxyID=x.y").map(|page| page.status), Some(404));
}
