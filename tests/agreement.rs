//! `explain -f` on what a sandbox stores tells of every request what the sandbox's own network decides about it. Generated objects are
//! applied to a world with Istio installed; requests of its pods are traced by the world and by the folder that was written from it.
//! `EGRESS_LAB_LONG=1` tries hundreds of worlds; `EGRESS_LAB_CASES=17` or `=300..400` tries these and no others.

mod objects;

use egress_lab::base::outcome::{At, Outcome};
use egress_lab::base::seed::Seed;
use egress_lab::base::yaml;
use egress_lab::istioctl::{self, Context, Readiness};
use egress_lab::k8s::{Object, Snapshot};
use egress_lab::lab::env::Environment;
use egress_lab::lab::env::sandbox::{Bend, Make, Sandbox};
use egress_lab::lab::explain::folder;
use egress_lab::lab::explain::world::World;
use egress_lab::mesh::draft::{Stand, Suppose, When};
use egress_lab::mesh::reach::{Ask, Client};
use egress_lab::mesh::{Inputs, Record, Trace};
use egress_lab::outside::Outside;
use egress_lab::outside::wire::DnsAnswer;
use objects::{CLIENTS, Case, Step};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

const SEED: Seed = Seed(3);
/// Cases of an ordinary run and of a long one.
const SHORT: u64 = 24;
const LONG: u64 = 400;

/// A world whose objects come and go.
struct Lab(Sandbox);

impl Lab {
    /// Istio that lets out what is registered, three clients and a server.
    async fn furnished() -> Lab {
        let lab = Lab(Sandbox::in_process(Make::instant(SEED), Bend::Honest));
        let readiness = Readiness { poll_ms: 10, limit_ms: 5_000 };
        let context = Context { client: lab.0.client(), namespace: "default".into(), version: String::new(), readiness };
        let mode = ["meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY".to_string()];
        istioctl::install_action(&context, "demo", &mode).await.expect("the installation succeeds");
        for (name, labels) in [
            ("default", json!({"istio-injection": "enabled"})),
            ("other", json!({"istio-injection": "enabled"})),
            ("plain", json!({})),
        ] {
            lab.put(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}))
                .await
                .expect(name);
        }
        for client in CLIENTS.iter().chain(&["other/web"]) {
            let (namespace, name) = client.split_once('/').expect("NAMESPACE/NAME");
            let image = if name == "web" { "docker.io/kennethreitz/httpbin" } else { "curlimages/curl:8.1.2" };
            let mut container = json!({"name": "app", "image": image});
            if name != "web" {
                container["command"] = json!(["sleep", "3600"]);
            }
            let metadata = json!({"name": name, "namespace": namespace, "labels": {"app": name}});
            let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}});
            lab.put(&pod).await.expect(client);
        }
        let ports = json!([{"name": "http", "port": 80}, {"name": "tcp", "port": 9000, "targetPort": 80}]);
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "other"},
            "spec": {"selector": {"app": "web"}, "ports": ports}});
        lab.put(&service).await.expect("a Service");
        lab
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = http::Request::builder().method(method).uri(path).header("Content-Type", "application/apply-patch+yaml");
        self.0.client().request(request.body(bytes).expect("a request")).await.map_err(|e| e.to_string())
    }

    /// Applies an object, as `kubectl apply --server-side`.
    async fn put(&self, object: &Value) -> Result<Value, String> {
        let (api, kind) = (object["apiVersion"].as_str().expect("a version"), object["kind"].as_str().expect("a kind"));
        let plural = match kind {
            "ServiceEntry" => "serviceentries".to_string(),
            "AuthorizationPolicy" => "authorizationpolicies".into(),
            kind => format!("{}s", kind.to_lowercase()),
        };
        let root = if api == "v1" { "/api".to_string() } else { "/apis".into() };
        let place = object["metadata"]["namespace"].as_str().map_or(String::new(), |name| format!("/namespaces/{name}"));
        let name = object["metadata"]["name"].as_str().expect("a name");
        let path = format!("{root}/{api}{place}/{plural}/{name}?fieldManager=agreement&force=true");
        self.ask("PATCH", &path, object).await
    }

    /// Does one write; false when the API refuses it.
    async fn take(&self, step: &Step) -> bool {
        match step {
            Step::Put(object) => self.put(object).await.is_ok(),
            Step::Delete(plural, namespace, name) => {
                let (api, plural) = plural.rsplit_once('/').expect("GROUP/VERSION/PLURAL");
                let path = format!("/apis/{api}/namespaces/{namespace}/{plural}/{name}");
                self.ask("DELETE", &path, &Value::Null).await.is_ok()
            }
            Step::Mesh(mode, logs) => {
                let log = if *logs { "accessLogFile: /dev/stdout\n" } else { "" };
                let mesh = format!("{log}outboundTrafficPolicy:\n  mode: {mode}\n");
                let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio", "namespace": "istio-system"},
                    "data": {"mesh": mesh}});
                self.put(&map).await.is_ok()
            }
        }
    }

    /// What `kubectl get -A -o yaml` prints of what matters to traffic, read as `explain -f` reads it.
    async fn written_out(&self, snapshot: &Snapshot) -> World {
        let matters = |kind: &str| !matches!(kind, "CustomResourceDefinition" | "Event" | "Lease" | "APIService");
        let plain = |object: &Object| {
            let mut object = object.clone();
            object.remove(&["metadata", "managedFields"]);
            object.0
        };
        let items: Vec<Value> = snapshot.all().filter(|o| matters(o.kind())).map(|o| plain(o)).collect();
        let text = yaml::write(&json!({"apiVersion": "v1", "kind": "List", "items": items}));
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("world.yaml"), text).expect("the file is written");
        let written = folder::read(&[folder.path().to_path_buf()], &mut std::io::empty()).expect("the folder is read");
        let client = Client::parse(CLIENTS[0], "default");
        let stand = Stand { client, labels: BTreeMap::new(), when: When::Uninhabited };
        let suppose = Suppose { clients: vec![stand], ..Suppose::default() };
        let now = self.0.now().await;
        let world = World::of_manifests("a folder", written, &suppose, now).expect("a world");
        assert_eq!(world.refused, Vec::<String>::new(), "what the API took, the folder takes");
        world
    }

    /// What the world decides, and what it then does.
    async fn own(&self, from: &str, url: &str, snapshot: &Snapshot, nth: u64) -> Trace {
        let pod = Client::parse(from, "default").find(snapshot).expect("the client");
        let request = Ask::get(url).request().expect("a request");
        let traced = self.0.trace((*pod).clone(), request.clone(), nth).await.expect("a trace");
        let exchange = self.0.handle().with(move |world| {
            let now = world.now();
            world.dataplane().exchange(&pod, &request, now, nth)
        });
        let exchange = exchange.await.expect("an exchange");
        assert_eq!((&exchange.reply, exchange.delay_ms, &exchange.logs), (&traced.reply, traced.delay_ms, &traced.logs));
        traced
    }
}

/// What of a record does not depend on what the world outside is like, where DNS and origins are only assumed to be good, nor on the
/// seed: whether the client reads an end or a reset first.
fn decided(record: &Record) -> Record {
    let mut record = record.clone();
    record.exit_code = if record.exit_code == 52 { 56 } else { record.exit_code };
    if record.at == At::Origin {
        record.status = None;
        record.hops.iter_mut().for_each(|hop| hop.flags = Default::default());
    }
    for hop in &mut record.hops {
        (hop.endpoint, hop.log) = (None, None);
    }
    record
}

/// Whether addresses outside decide: a ServiceEntry takes what goes to its own, and a folder does not know whether names lead there.
fn goes_by_address(snapshot: &Snapshot) -> bool {
    snapshot.list("networking.istio.io", "ServiceEntry").any(|entry| !entry.at(&["spec", "addresses"]).is_null())
}

/// Whether the world outside had a say in how it ended.
fn is_of_outside(record: &Record, outside: &Outside) -> bool {
    use Outcome as O;
    // A cluster of names that nobody knows has no endpoint.
    let cluster = record.hops.last().and_then(|hop| hop.cluster.as_deref()).unwrap_or("");
    let host = cluster.rsplit('|').next().unwrap_or("");
    let unknown = record.outcome == O::NoHealthyUpstream && outside.resolve(host) == DnsAnswer::NoSuchName;
    unknown
        || matches!(record.outcome, O::DnsFailed | O::UpstreamUnavailable | O::TlsFailed | O::TimedOut | O::DeliveredElsewhere)
}

#[derive(Default, Debug)]
struct Counts {
    taken: usize,
    refused: usize,
    assumed: usize,
    outcomes: BTreeMap<String, usize>,
}

/// One world, compared request by request.
async fn compare(ground: &Lab, case: &Case, counts: &RefCell<Counts>) -> Result<(), TestCaseError> {
    let lab = Lab(ground.0.fork_instant().await.expect("a fork"));
    let take = async |step: &Step| match lab.take(step).await {
        true => counts.borrow_mut().taken += 1,
        false => counts.borrow_mut().refused += 1,
    };
    for step in &case.steps {
        take(step).await;
    }
    let before = lab.0.handle().snapshot().await.expect("a snapshot");
    for (from, url) in &case.requests {
        lab.own(from, url, &before, 1).await;
    }
    for step in &case.later {
        take(step).await;
    }
    let snapshot = lab.0.handle().snapshot().await.expect("a snapshot");
    let world = lab.written_out(&snapshot).await;
    let (outside, now) = (Outside::standard(), lab.0.now().await);
    for (nth, (from, url)) in (1..).zip(&case.requests) {
        let here = lab.own(from, url, &snapshot, nth).await;
        let client = Client::parse(from, "default");
        let pod = client.find(world.model.snapshot()).expect("the client");
        let ask = Ask::get(url);
        let inputs = Inputs { outside: &outside, now, seed: SEED, nth };
        let there = world.model.trace(&pod, &ask.request().expect("a request"), &inputs);
        proptest::prop_assert_eq!(&here, &there, "{} {}: the sandbox, then the folder", from, url);
        let said = world.explain(&client, &ask).expect("an answer");
        let mut counts = counts.borrow_mut();
        *counts.outcomes.entry(here.record.outcome.to_string()).or_default() += 1;
        if !is_of_outside(&here.record, &outside) && !goes_by_address(&snapshot) {
            counts.assumed += 1;
            proptest::prop_assert_eq!(
                decided(&here.record),
                decided(&said.exchanges[0]),
                "{} {}: the sandbox, then explain",
                from,
                url
            );
        }
    }
    Ok(())
}

/// Which cases are tried.
fn cases() -> Range<u64> {
    let Ok(text) = std::env::var("EGRESS_LAB_CASES") else {
        return 0..if std::env::var_os("EGRESS_LAB_LONG").is_some() { LONG } else { SHORT };
    };
    let number = |text: &str| text.parse::<u64>().expect("EGRESS_LAB_CASES is a number or FROM..TO");
    let (from, to) = text.split_once("..").map_or_else(|| (number(&text), number(&text) + 1), |(a, b)| (number(a), number(b)));
    from..to
}

/// The generator of one case: the same for the same number.
fn runner(nth: u64) -> TestRunner {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&nth.to_le_bytes());
    let config = Config { failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

#[test]
fn a_folder_written_from_a_sandbox_is_explained_as_the_sandbox_decides() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let ground = runtime.block_on(Lab::furnished());
    let counts = RefCell::new(Counts::default());
    let (cases, mut failed) = (cases(), Vec::new());
    for nth in cases.clone() {
        let mut runner = runner(nth);
        let tree = objects::case().new_tree(&mut runner).expect("a case");
        match runner.run_one(tree, |case| runtime.block_on(compare(&ground, &case, &counts))) {
            Ok(_) => {}
            Err(TestError::Fail(why, case)) => {
                failed.push(format!("case {nth} (EGRESS_LAB_CASES={nth} repeats it): {why}\n{case:#?}"));
            }
            Err(other) => panic!("case {nth}: {other}"),
        }
        if failed.len() == 3 {
            break;
        }
    }
    println!("cases {cases:?}: {:?}", counts.borrow());
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    // It would hold for worlds in which nothing is taken or everything ends alike, too.
    let counts = counts.borrow();
    assert!(counts.taken > 3 * counts.refused, "{counts:?}");
    if cases.end - cases.start >= SHORT {
        let some = |outcome: &str| counts.outcomes.get(outcome).is_some_and(|n| *n > 0);
        assert!(["delivered", "blocked-registry-only"].iter().all(|o| some(o)) && counts.outcomes.len() > 4, "{counts:?}");
    }
}
