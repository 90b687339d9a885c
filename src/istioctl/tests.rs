mod analyze;

use super::*;
use crate::k8s::Object;
use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A minimal API server: objects by path, merge patch, lists by label, Deployments that are ready at once.
#[derive(Default)]
struct Server {
    objects: BTreeMap<String, Value>,
    writes: Vec<String>,
    marked: bool,
    /// Whether Deployments become ready.
    ready: bool,
}

type Shared = Arc<Mutex<Server>>;

fn server(marked: bool, ready: bool) -> Shared {
    Arc::new(Mutex::new(Server { marked, ready, ..Server::default() }))
}

impl Server {
    fn answer(&mut self, method: &str, path: &str, query: &str, body: Value) -> (u16, Value) {
        let missing =
            || (404, json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": "not found"}));
        if path == "/.well-known/egress-lab" {
            return if self.marked { (200, json!({"name": "egress-lab", "world": {"settled": true}})) } else { missing() };
        }
        if method != "GET" {
            self.writes.push(format!("{method} {path}"));
        }
        match method {
            "GET" if self.objects.contains_key(path) => (200, self.objects[path].clone()),
            "GET" if path.rsplit('/').next().is_some_and(|last| last.ends_with('s') && !last.contains(['.', '-'])) => {
                (200, json!({"kind": "List", "items": self.list(path, query)}))
            }
            "POST" => {
                let name = body["metadata"]["name"].as_str().unwrap_or("").to_string();
                let stored = self.with_status(body);
                self.objects.insert(format!("{path}/{name}"), stored.clone());
                (201, stored)
            }
            "PATCH" => {
                let Some(mut live) = self.objects.get(path).cloned() else { return missing() };
                crate::mesh::install::lay_over(&mut live, &body);
                self.objects.insert(path.to_string(), live.clone());
                (200, live)
            }
            "DELETE" => self.objects.remove(path).map_or_else(missing, |o| (200, o)),
            _ => missing(),
        }
    }

    fn with_status(&self, mut object: Value) -> Value {
        if object["kind"] == "Deployment" && self.ready {
            let replicas = object["spec"]["replicas"].as_i64().unwrap_or(1);
            object["status"] =
                json!({"observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas});
        }
        object
    }

    fn list(&self, path: &str, query: &str) -> Vec<Value> {
        let (root, plural) = path.rsplit_once('/').unwrap_or(("", ""));
        let managed = query.contains("managed%3DReconcile");
        let of = self.objects.iter().filter(|(key, _)| key.starts_with(root) && key.rsplit('/').nth(1) == Some(plural));
        of.map(|(_, object)| object.clone())
            .filter(|o| !managed || o["metadata"]["labels"]["operator.istio.io/managed"] == "Reconcile")
            .map(|mut o| {
                // Items of a list carry neither.
                let members = o.as_object_mut().expect("an object");
                members.retain(|key, _| key != "kind" && key != "apiVersion");
                o
            })
            .collect()
    }
}

fn client(server: &Shared) -> kube::Client {
    let server = server.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let server = server.clone();
        async move {
            let (parts, body) = request.into_parts();
            let bytes = body.collect_bytes().await.expect("a body in memory");
            let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
            let query = parts.uri.query().unwrap_or("");
            let (code, value) = server.lock().expect("the server").answer(parts.method.as_str(), parts.uri.path(), query, body);
            Ok::<_, std::convert::Infallible>(
                Response::builder().status(code).body(Body::from(value.to_string().into_bytes())).expect("a response"),
            )
        }
    });
    kube::Client::new(service, "default")
}

/// Runs a line; answers exit code and everything printed.
async fn istioctl_with(server: &Shared, line: &str, stdin: &str, files: &[(&str, &str)]) -> (i32, String) {
    use crate::base::files::Files;
    let printed = Arc::new(Mutex::new(Vec::new()));
    let (sink, memory) = (printed.clone(), MemoryFiles::default());
    for (name, text) in files {
        memory.write(name, text.as_bytes()).expect("a file in memory");
    }
    let mut io = Io {
        stdin: futures::stream::iter([Input::Bytes(stdin.as_bytes().to_vec()), Input::Eof]).boxed(),
        out: Box::new(move |_, bytes| sink.lock().expect("the sink").extend_from_slice(bytes)),
        files: Arc::new(memory),
        tty: None,
        editor: None,
        raw: None,
    };
    let readiness = Readiness { poll_ms: 1, limit_ms: 20 };
    let context = Context { client: client(server), namespace: "default".into(), version: String::new(), readiness };
    let argv: Vec<String> = line.split_whitespace().map(str::to_string).collect();
    let code = run(&context, &mut io, &argv).await;
    let bytes = printed.lock().expect("the sink").clone();
    (code, String::from_utf8(bytes).expect("text"))
}

async fn istioctl(server: &Shared, line: &str) -> (i32, String) {
    istioctl_with(server, line, "", &[]).await
}

const DEMO: &str = "install --set profile=demo --set meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY -y";

#[tokio::test]
async fn a_demo_install_says_what_istioctl_says() {
    let server = server(true, true);
    let (code, text) = istioctl(&server, DEMO).await;
    let expected = "- Processing resources for Istio core.\n✔ Istio core installed ⛵️\n- Processing resources for Istiod.\n\
                    ✔ Istiod installed 🧠\n- Processing resources for Egress gateways, Ingress gateways.\n\
                    ✔ Egress gateways installed 🛫\n✔ Ingress gateways installed 🛬\n- Pruning removed resources\n✔ Installation complete\n";
    assert_eq!((code, text.as_str()), (0, expected));
    let state = server.lock().expect("the server");
    assert!(
        state.objects["/api/v1/namespaces/istio-system/configmaps/istio"]["data"]["mesh"]
            .as_str()
            .is_some_and(|mesh| mesh.contains("outboundTrafficPolicy:\n  mode: REGISTRY_ONLY\n"))
    );
    let first = |what: &str| state.writes.iter().position(|w| w.contains(what)).expect("written");
    assert!(first("customresourcedefinitions") < first("deployments"), "CRDs first");
}

#[tokio::test]
async fn installing_twice_writes_once() {
    let server = server(true, true);
    istioctl(&server, DEMO).await;
    server.lock().expect("the server").writes.clear();
    assert_eq!(istioctl(&server, DEMO).await.0, 0);
    assert_eq!(server.lock().expect("the server").writes, Vec::<String>::new());
}

#[tokio::test]
async fn forgetting_the_profile_prunes_the_egress_gateway_and_a_hand_edit_is_overwritten() {
    let server = server(true, true);
    istioctl(&server, DEMO).await;
    let mesh = "/api/v1/namespaces/istio-system/configmaps/istio";
    server.lock().expect("the server").objects.get_mut(mesh).expect("the map")["data"]["mesh"] = json!("edited: by hand\n");
    let (code, text) = istioctl(&server, "install --set meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY -y").await;
    assert_eq!(code, 0);
    assert!(text.contains("  Removed apps/v1, Kind=Deployment/istio-egressgateway.istio-system.\n"), "{text}");
    let state = server.lock().expect("the server");
    assert!(!state.objects.keys().any(|key| key.contains("egressgateway")), "{:?}", state.objects.keys());
    assert!(state.objects[mesh]["data"]["mesh"].as_str().is_some_and(|m| !m.contains("accessLogFile") && !m.contains("edited")));
}

#[tokio::test]
async fn without_yes_it_asks() {
    for (answer, code) in [("y\n", 0), ("YES\n", 0), ("n\n", 1), ("\n", 1), ("", 1)] {
        let (got, text) = istioctl_with(&server(true, true), "install --set profile=demo", answer, &[]).await;
        assert_eq!(got, code, "{answer:?}");
        assert!(
            text.starts_with("This will install the Istio 1.30.0 profile \"demo\" into the cluster. Proceed? (y/N) "),
            "{text}"
        );
        assert_eq!(text.ends_with("Cancelled.\n"), code == 1, "{text}");
    }
}

#[tokio::test]
async fn a_file_is_read_from_the_lab_or_from_standard_input() {
    let file = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec:\n  profile: minimal\n";
    for (line, stdin) in [("install -f op.yaml -y", ""), ("install -f - -y", file)] {
        let server = server(true, true);
        let (code, text) = istioctl_with(&server, line, stdin, &[("op.yaml", file)]).await;
        assert_eq!(code, 0, "{text}");
        let deployments = server.lock().expect("the server").objects.keys().filter(|k| k.contains("/deployments/")).count();
        assert_eq!(deployments, 1, "{line}");
    }
    let (code, text) = istioctl(&server(true, true), "install -f none.yaml -y").await;
    assert_eq!((code, text.as_str()), (1, "Error: open none.yaml: no such file or directory\n"));
}

#[tokio::test]
async fn another_api_server_is_left_alone() {
    let server = server(false, true);
    for line in [DEMO, "uninstall --purge -y"] {
        let (code, text) = istioctl(&server, line).await;
        assert_eq!(code, 1, "{text}");
        assert!(text.contains(&format!("istioctl {line}")), "{text}");
    }
    assert_eq!(server.lock().expect("the server").writes, Vec::<String>::new());
}

#[tokio::test]
async fn what_never_becomes_ready_ends_with_an_error() {
    let (code, text) = istioctl(&server(true, false), DEMO).await;
    assert_eq!(code, 1);
    assert!(text.contains("✘ Istiod encountered an error: failed to wait for resource: resources not ready"), "{text}");
    assert!(text.contains("Error: failed to install manifests: failed to wait for resource"), "{text}");
}

#[tokio::test]
async fn uninstall_leaves_definitions_and_the_namespace() {
    let server = server(true, true);
    assert_eq!(istioctl(&server, DEMO).await.0, 0);
    let (code, text) = istioctl(&server, "uninstall --purge -y").await;
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("  Removed apps/v1, Kind=Deployment/istiod.istio-system.\n") && text.ends_with("✔ Uninstall complete\n"),
        "{text}"
    );
    let state = server.lock().expect("the server");
    let left: Vec<&String> = state.objects.keys().filter(|k| !k.contains("customresourcedefinitions")).collect();
    assert_eq!(left, ["/api/v1/namespaces/istio-system"]);
}

#[tokio::test]
async fn mistakes_and_other_verbs_get_one_useful_answer() {
    let rows = [
        ("install --set profile=dmeo -y", 1, "Error: generate config: merge inputs: profile \"dmeo\" not found"),
        ("install --sett profile=demo", 64, "Error: unknown flag: --sett"),
        ("install demo", 64, "Error: unknown command \"demo\" for \"istioctl install\""),
        ("install --revision canary -y", 1, "not simulated here: istioctl install --revision"),
        ("instal", 64, "Did you mean this?\n\tinstall"),
        ("frobnicate", 64, "Error: unknown command \"frobnicate\" for \"istioctl\"\nRun 'istioctl --help' for usage."),
        ("profile dump demo", 64, "istioctl manifest generate --set profile=demo"),
        ("profile list", 64, "Error: unknown command \"profile\" for \"istioctl\""),
        ("operator init", 64, "Use istioctl install"),
        ("x wait --for=distribution x", 64, "Error: unknown command \"wait\" for \"istioctl x\""),
        (
            "proxy-config routes deploy/x",
            1,
            "Error: failed retrieving: deployments.apps \"x\" not found in the \"default\" namespace",
        ),
        ("pc listeners", 1, "Error: listener requires pod name or --file parameter"),
        ("pc listners x", 64, "Error: unknown command \"listners\" for \"istioctl proxy-config\""),
        ("pc clusters --file none.json", 1, "Error: open none.json: no such file or directory"),
        ("proxy-status", 1, "Error: no running Istio pods in \"istio-system\""),
        ("ps -o wide", 1, "Error: output format \"wide\" not supported"),
        ("x describe pod none", 1, "Error: pods \"none\" not found"),
        ("x des nosuch y", 1, "Error: unknown resource type \"nosuch\""),
        ("x envoy-stats y", 1, "not simulated here: istioctl x envoy-stats"),
        ("ztunnel-config all", 1, "not simulated here: istioctl ztunnel-config"),
        ("uninstall -y", 1, "Error: at least one of the --revision (or -r), --filename (or -f) or --purge flags must be set"),
        ("version --remote=false", 0, "client version: 1.30.0\n"),
        (
            "version",
            0,
            "Istio is not present in the cluster: no running Istio pods in namespace \"istio-system\"\nclient version: 1.30.0\n",
        ),
        ("", 0, "Available Commands:"),
        ("install --help", 0, "istioctl install:"),
        ("x precheck", 0, "✔ No issues found when checking the cluster."),
    ];
    for (line, code, expected) in rows {
        let (got, text) = istioctl(&server(true, true), line).await;
        assert_eq!(got, code, "{line}: {text}");
        assert!(text.contains(expected), "{line}: {text}");
    }
}

#[tokio::test]
async fn versions_count_the_proxies_that_are_ready() {
    let server = server(true, true);
    let pod = |namespace: &str, name: &str, app: &str, container: &str, image: &str| {
        let object = json!({"metadata": {"name": name, "namespace": namespace, "labels": {"app": app}},
            "spec": {"containers": [{"name": container, "image": image}]},
            "status": {"phase": "Running", "containerStatuses": [{"name": container, "ready": true}]}});
        (format!("/api/v1/namespaces/{namespace}/pods/{name}"), object)
    };
    server.lock().expect("the server").objects.extend([
        pod("istio-system", "istiod-1", "istiod", "discovery", "docker.io/istio/pilot:1.30.0"),
        pod("istio-system", "gw", "gw", "istio-proxy", "registry.istio.io:443/release/proxyv2:1.30.0"),
        pod("default", "test", "test", "istio-proxy", "docker.io/istio/proxyv2:1.26.8"),
    ]);
    let (_, text) = istioctl(&server, "version").await;
    assert_eq!(
        text,
        "client version: 1.30.0\ncontrol plane version: 1.30.0\ndata plane version: 1.26.8 (1 proxies), 1.30.0 (1 proxies)\n"
    );
    let (_, text) = istioctl(&server, "version -o json").await;
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value["meshVersion"][0]["Info"]["version"], "1.30.0");
    assert_eq!(value["dataPlaneVersion"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn generated_manifests_can_be_read_back() {
    let (code, text) = istioctl(&server(false, true), "manifest generate --set profile=demo").await;
    assert_eq!(code, 0);
    let documents = crate::base::yaml::parse_documents(&text).expect("YAML");
    assert!(documents.len() > 30);
    let rendered =
        crate::mesh::install::render(&crate::mesh::install::InstallOptions { profile: "demo".into(), ..Default::default() });
    let rendered: Vec<Value> = rendered.expect("demo renders").into_iter().skip(1).map(|o: Object| o.0).collect();
    assert_eq!(documents, rendered);
}

#[tokio::test]
async fn the_closed_action_installs_without_asking() {
    let server = server(true, true);
    let context = Context {
        client: client(&server),
        namespace: "default".into(),
        version: "1.26".into(),
        readiness: Readiness { poll_ms: 1, limit_ms: 20 },
    };
    let printed = install_action(&context, "demo", &["meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY".into()]).await;
    assert!(printed.is_ok_and(|text| text.ends_with("✔ Installation complete\n")));
    let refused = install_action(&context, "nothing", &[]).await;
    assert!(refused.is_err_and(|text| text.contains("profile \"nothing\" not found")));
}

/// Dumps of the sandbox's proxies, and what Istio's own istioctl printed of them (tests/peers/views.sh keeps both equal): the first line
/// of each file is the command, the rest its output.
#[tokio::test]
async fn tables_of_kept_dumps_are_istioctls() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/istioctl");
    let mut names: Vec<_> = std::fs::read_dir(&folder).expect("the folder").map(|e| e.expect("an entry").path()).collect();
    names.sort();
    let read = |path: &std::path::Path| std::fs::read_to_string(path).expect("a text");
    let is = |path: &std::path::Path, end: &str| path.extension().is_some_and(|e| e == end);
    let dumps: Vec<(String, String)> = names
        .iter()
        .filter(|path| is(path, "json"))
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), read(path)))
        .collect();
    let files: Vec<(&str, &str)> = dumps.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let mut seen = 0;
    for path in names.iter().filter(|path| is(path, "txt")) {
        let text = read(path);
        let (line, expected) = text.split_once('\n').expect("a command and its output");
        let (_, printed) = istioctl_with(&server(true, true), line, "", &files).await;
        assert_eq!(printed, expected, "{line}");
        seen += 1;
    }
    assert!(seen >= 30, "{seen} commands");
}
