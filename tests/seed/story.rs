//! From an empty sandbox to traffic through the egress gateway, and what breaks it.

use super::kit::Sandbox;
use super::manifests::{DESTINATION_RULE, GATEWAY, SERVICE_ENTRY, VIRTUAL_SERVICE};
use serde_json::Value;

const SITE: &str = "http://www.wikipedia.org";
const RUN: [&str; 8] = ["run", "test", "--image=curlimages/curl:8.1.2", "--restart=Never", "--command", "--", "sleep", "3600"];
const INSTALL: [&str; 7] =
    ["istioctl", "install", "--set", "profile=demo", "--set", "meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY", "-y"];
const VS: &str = "virtualservice/wikipedia-egress-gateway";

/// A world in which a story is told.
struct Story {
    lab: Sandbox,
    /// Requests made, so that each has a user agent of its own.
    asked: u32,
}

#[test]
fn the_seed_at_wall_pace() {
    if let Some(lab) = Sandbox::start(&[]) {
        Story { lab, asked: 0 }.tell();
    }
}

#[test]
fn the_seed_at_instant_pace() {
    if let Some(lab) = Sandbox::start(&["--instant"]) {
        Story { lab, asked: 0 }.tell();
    }
}

impl Story {
    fn tell(mut self) {
        self.baseline();
        self.install();
        self.inject();
        self.blocked();
        self.explained_blocked();
        self.registered();
        self.explained_delivered();
        self.through_the_gateway();
        self.mesh_removed();
        self.unqualified();
        self.gateway_deleted();
        self.scaled_to_nothing();
    }

    /// One curl from the pod with a user agent of its own: that agent, standard output, exit code.
    fn curl(&mut self, url: &str) -> (String, String, i32) {
        self.asked += 1;
        let agent = format!("seed-{}", self.asked);
        let output = self.lab.kubectl(&["exec", "test", "--", "curl", "-sS", "--head", "-L", "-A", &agent, url], b"");
        (agent, String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().unwrap_or(-1))
    }

    /// The statuses that a curl of the site saw, and its user agent.
    fn statuses(&mut self) -> (String, Vec<u16>) {
        let (agent, out, code) = self.curl(SITE);
        assert_eq!(code, 0, "{out}");
        (agent, statuses(&out))
    }

    fn sidecar(&self, agent: &str) -> Vec<String> {
        lines(&self.lab.k(&["logs", "test", "-c", "istio-proxy"]), agent)
    }

    fn gateway(&self, agent: &str) -> Vec<String> {
        let logs = ["logs", "-n", "istio-system", "-l", "istio=egressgateway", "-c", "istio-proxy", "--tail=20"];
        lines(&self.lab.k(&logs), agent)
    }

    fn run_pod(&self, ready: &str) {
        assert_eq!(self.lab.k(&RUN), "pod/test created\n");
        self.lab.k(&["wait", "--for=condition=Ready", "pod/test", "--timeout=20s"]);
        let pods = self.lab.k(&["get", "pods"]);
        let cells: Vec<&str> = pods.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(cells[..4], ["test", ready, "Running", "0"], "{pods}");
    }

    /// The seed's curl, typed into the pod's shell.
    fn typed(&self, prompt: &str) -> String {
        let mut shell = self.lab.terminal(&["exec", "-ti", "test", "--", "/bin/sh"]);
        shell.see(prompt);
        let seen = shell.line("curl --head -L http://www.wikipedia.org", prompt);
        shell.keys("exit\r");
        let (rest, code) = shell.end();
        assert_eq!(code, 0, "{rest}");
        // curl writes the names of headers in bold on a terminal.
        seen.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "")
    }

    fn baseline(&mut self) {
        self.run_pod("1/1");
        let seen = self.typed("$ ");
        assert_eq!(statuses(&seen), [301, 200], "{seen}");
        assert!(!seen.contains("server: envoy"), "{seen}");
    }

    fn install(&mut self) {
        let said = self.lab.lab(&INSTALL);
        assert!(said.contains("Installation complete"), "{said}");
        let ready = self.lab.k(&[
            "get",
            "deployments",
            "-n",
            "istio-system",
            "-ojsonpath={range .items[*]}{.metadata.name}={.status.readyReplicas} {end}",
        ]);
        assert_eq!(ready, "istio-egressgateway=1 istio-ingressgateway=1 istiod=1 ");
        let mesh = self.lab.k(&["get", "configmap", "istio", "-n", "istio-system", "-ojsonpath={.data.mesh}"]);
        assert!(mesh.contains("accessLogFile: /dev/stdout") && mesh.contains("mode: REGISTRY_ONLY"), "{mesh}");
    }

    fn inject(&mut self) {
        assert_eq!(self.lab.k(&["label", "namespace", "default", "istio-injection=enabled"]), "namespace/default labeled\n");
        let old = self.lab.k(&["get", "pods"]);
        assert!(old.lines().nth(1).unwrap().starts_with("test   1/1     Running"), "{old}");
        assert_eq!(self.statuses().1, [301, 200]);
        let gone = self.lab.k(&["delete", "pod", "test"]);
        // From 1.34 on kubectl also says from where.
        assert_eq!(gone.replace(" from default namespace", ""), "pod \"test\" deleted\n");
        self.run_pod("2/2");
    }

    fn blocked(&mut self) {
        let seen = self.typed("$ ");
        assert!(seen.contains("HTTP/1.1 502 Bad Gateway\r") && seen.contains("server: envoy\r"), "{seen}");
        assert_eq!(statuses(&seen), [502], "{seen}");
        let (agent, out, code) = self.curl(SITE);
        assert_eq!((statuses(&out), code), (vec![502], 0));
        let log = self.sidecar(&agent);
        assert!(
            log.len() == 1 && log[0].contains("\"HEAD / HTTP/1.1\" 502 - direct_response") && log[0].ends_with(" block_all"),
            "{log:?}"
        );
        let (_, out, code) = self.curl("https://www.wikipedia.org");
        assert_eq!((out.as_str(), code), ("", 35));
        let log = self.lab.k(&["logs", "test", "-c", "istio-proxy", "--tail=1"]);
        assert!(log.contains(" UH ") && log.contains(" BlackHoleCluster "), "{log}");
    }

    fn explain(&self) -> Value {
        let said = self.lab.lab(&["explain", "default/test", "http://www.wikipedia.org/", "--env", "context:sandbox", "--json"]);
        let value: Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}"));
        assert_eq!(value["assumptions"], serde_json::json!([]), "{said}");
        // What was asked and of which world stands beside what the answer consists of.
        let beside = ["from", "ignored", "refused", "request", "unreadable", "world"];
        let own: Vec<String> =
            keys(&value).iter().map(ToString::to_string).filter(|key| !beside.contains(&key.as_str())).collect();
        assert_eq!(own, ["assumptions", "exchanges"]);
        for exchange in value["exchanges"].as_array().unwrap() {
            assert_eq!(keys(exchange), ["at", "cause", "exit_code", "hops", "outcome", "path", "status", "tls"]);
            assert_eq!(keys(&exchange["cause"]), ["field", "object", "text"]);
            for hop in exchange["hops"].as_array().unwrap() {
                let names = [
                    "cluster",
                    "endpoint",
                    "filter_chain",
                    "flags",
                    "listener",
                    "log",
                    "proxy",
                    "route",
                    "route_config",
                    "virtual_host",
                ];
                assert_eq!(keys(hop), names);
            }
        }
        value
    }

    fn explained_blocked(&self) {
        let value = self.explain();
        let exchange = &value["exchanges"][0];
        assert_eq!((exchange["status"].as_u64(), exchange["exit_code"].as_i64()), (Some(502), Some(0)), "{value}");
        let hop = &exchange["hops"][0];
        let names = ["listener", "route_config", "virtual_host", "route"].map(|name| hop[name].as_str());
        assert_eq!(names, [Some("0.0.0.0_80"), Some("80"), Some("block_all"), Some("block_all")], "{value}");
        assert!(exchange["cause"]["field"].as_str().unwrap().ends_with("outboundTrafficPolicy.mode"), "{value}");
    }

    fn registered(&mut self) {
        assert_eq!(self.lab.apply(SERVICE_ENTRY), "serviceentry.networking.istio.io/wikipedia-egress created\n");
        let table = self.lab.k(&["get", "serviceentries.networking.istio.io"]);
        let (header, row) = table.split_once('\n').unwrap();
        assert_eq!(header, "NAME               HOSTS                   LOCATION   RESOLUTION   AGE");
        assert!(row.starts_with("wikipedia-egress   [\"www.wikipedia.org\"]              DNS          "), "{table}");
        let seen = self.typed("$ ");
        assert_eq!(statuses(&seen), [301, 200], "{seen}");
        let (agent, out, _) = self.curl(SITE);
        assert_eq!(statuses(&out), [301, 200]);
        assert!(self.sidecar(&agent)[0].contains(" outbound|80||www.wikipedia.org "));
        assert!(self.gateway(&agent).is_empty());
        let (_, out, code) = self.curl("http://en.wikipedia.org");
        assert_eq!((statuses(&out), code), (vec![502], 0));
    }

    fn explained_delivered(&self) {
        let value = self.explain();
        let exchange = &value["exchanges"][0];
        let hop = &exchange["hops"][0];
        let names = ["listener", "route_config", "virtual_host", "route", "cluster"].map(|name| hop[name].as_str().unwrap_or(""));
        assert_eq!(names, ["0.0.0.0_80", "80", "www.wikipedia.org:80", "default", "outbound|80||www.wikipedia.org"], "{value}");
        assert_eq!((exchange["status"].as_u64(), exchange["exit_code"].as_i64()), (Some(301), Some(0)), "{value}");
        assert!(exchange["cause"]["object"].as_str().unwrap().contains("wikipedia-egress"), "{value}");
    }

    fn through_the_gateway(&mut self) {
        let pods = self.lab.k(&["get", "pods", "-n", "istio-system", "-l", "istio=egressgateway", "--show-labels"]);
        assert!(pods.lines().count() == 2 && pods.contains("istio=egressgateway"), "{pods}");
        self.lab.apply(GATEWAY);
        self.lab.apply(DESTINATION_RULE);
        assert_eq!(self.lab.apply(VIRTUAL_SERVICE), "virtualservice.networking.istio.io/wikipedia-egress-gateway created\n");
        let table = self.lab.k(&["get", "virtualservices.networking.istio.io"]);
        assert!(
            table.starts_with(
                "NAME                       GATEWAYS                                      HOSTS                   AGE\n"
            ),
            "{table}"
        );
        let row = "wikipedia-egress-gateway   [\"istio-system/istio-egressgateway\",\"mesh\"]   [\"www.wikipedia.org\"]   ";
        assert!(table.lines().nth(1).unwrap().starts_with(row), "{table}");
        let seen = self.typed("$ ");
        assert_eq!(statuses(&seen), [301, 200], "{seen}");
        self.is_through_the_gateway();
        self.explained_gateway();
        let all = self.lab.k(&["get", "virtualservices,destinationrules,gateways,serviceentries", "-A"]);
        for kind in ["virtualservice", "destinationrule", "gateway", "serviceentry"] {
            assert!(all.contains(&format!(" {kind}.networking.istio.io/")), "{kind} is missing:\n{all}");
        }
    }

    fn is_through_the_gateway(&mut self) {
        let (agent, seen) = self.statuses();
        assert_eq!(seen, [301, 200]);
        let log = self.gateway(&agent);
        assert!(log.len() == 1 && log[0].contains("\"HEAD / HTTP/2\" 301 - via_upstream"), "{log:?}");
        assert!(log[0].contains(" outbound|80||www.wikipedia.org "), "{log:?}");
        let egress = "outbound|80|wikipedia|istio-egressgateway.istio-system.svc.cluster.local";
        assert!(self.sidecar(&agent)[0].contains(egress));
    }

    fn explained_gateway(&self) {
        let value = self.explain();
        let exchange = &value["exchanges"][0];
        let text = |hop: usize, name: &str| exchange["hops"][hop][name].as_str().unwrap_or("").to_string();
        assert_eq!(text(0, "cluster"), "outbound|80|wikipedia|istio-egressgateway.istio-system.svc.cluster.local", "{value}");
        let names = ["listener", "route_config", "virtual_host", "cluster"].map(|name| text(1, name));
        assert_eq!(names, ["0.0.0.0_8080", "http.8080", "www.wikipedia.org:80", "outbound|80||www.wikipedia.org"], "{value}");
        assert_eq!(exchange["path"], "gateway istio-system/istio-egressgateway");
        assert_eq!(exchange["cause"]["object"], "VirtualService default/wikipedia-egress-gateway");
    }

    fn patch(&self, patch: &str) {
        self.lab.k(&["patch", VS, "--type=json", "-p", patch]);
    }

    fn mesh_removed(&mut self) {
        self.patch(r#"[{"op":"remove","path":"/spec/gateways/1"},{"op":"remove","path":"/spec/http/0"}]"#);
        let (agent, seen) = self.statuses();
        assert_eq!(seen, [301, 200]);
        assert!(self.gateway(&agent).is_empty());
        assert!(self.sidecar(&agent)[0].contains(" outbound|80||www.wikipedia.org "));
        self.lab.apply(VIRTUAL_SERVICE);
        self.is_through_the_gateway();
    }

    fn unqualified(&mut self) {
        self.patch(r#"[{"op":"replace","path":"/spec/gateways/0","value":"istio-egressgateway"}]"#);
        let (agent, seen) = self.statuses();
        assert_eq!(seen, [404]);
        let log = self.gateway(&agent);
        assert!(log.len() == 1 && log[0].contains("\"HEAD / HTTP/2\" 404 NR route_not_found"), "{log:?}");
        self.lab.apply(VIRTUAL_SERVICE);
        self.is_through_the_gateway();
    }

    fn gateway_deleted(&mut self) {
        let gone = self.lab.k(&["delete", "gateway", "istio-egressgateway", "-n", "istio-system"]);
        assert!(gone.starts_with("gateway.networking.istio.io \"istio-egressgateway\" deleted"), "{gone}");
        let (agent, seen) = self.statuses();
        assert_eq!(seen, [503]);
        assert!(self.gateway(&agent).is_empty());
        self.lab.apply(GATEWAY);
        self.is_through_the_gateway();
    }

    fn scale(&self, deployment: &str, replicas: usize) {
        self.lab.k(&["scale", "-n", "istio-system", &format!("deploy/{deployment}"), &format!("--replicas={replicas}")]);
        let ready = ["get", "deploy", deployment, "-n", "istio-system", "-ojsonpath={.status.readyReplicas}"];
        self.lab.until(&ready, |n| n.parse().unwrap_or(0) == replicas);
    }

    fn scaled_to_nothing(&mut self) {
        self.scale("istiod", 0);
        let (code, said) = self.lab.refused(&["run", "other", "--image=curlimages/curl:8.1.2", "--", "sleep", "60"], b"");
        assert_eq!(code, 1);
        let words = "Error from server (InternalError): Internal error occurred: failed calling webhook \"namespace.sidecar-injector.istio.io\": failed to call webhook: Post \"https://istiod.istio-system.svc:443/inject?timeout=10s\": no endpoints available for service \"istiod\"\n";
        assert_eq!(said, words);
        assert!(self.lab.refused(&["get", "pod", "other"], b"").1.contains("pods \"other\" not found"));
        self.is_through_the_gateway();
        self.scale("istiod", 1);
        self.lab.k(&["run", "other", "--image=curlimages/curl:8.1.2", "--", "sleep", "60"]);

        self.scale("istio-egressgateway", 0);
        let (agent, seen) = self.statuses();
        assert_eq!(seen, [503]);
        let log = self.sidecar(&agent);
        assert!(log.len() == 1 && log[0].contains("\"HEAD / HTTP/1.1\" 503 UH no_healthy_upstream"), "{log:?}");
        self.scale("istio-egressgateway", 1);
        self.is_through_the_gateway();
    }
}

fn statuses(out: &str) -> Vec<u16> {
    let lines = out.lines().filter(|line| line.starts_with("HTTP/"));
    lines.map(|line| line.split(' ').nth(1).unwrap().trim().parse().unwrap()).collect()
}

fn lines(log: &str, agent: &str) -> Vec<String> {
    log.lines().filter(|line| line.contains(&format!("\"{agent}\""))).map(str::to_string).collect()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
