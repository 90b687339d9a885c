//! `explain` over folders, over a served world with all rights and with few, and between revisions of the saved world.

use super::worlds::Served;
use super::{Home, finish, text};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/explain");
/// What `explain` reads of a cluster.
const KINDS: &str = "namespaces,nodes,pods,services,configmaps,endpointslices,deployments,replicasets,serviceentries,\
                     gateways.networking.istio.io,virtualservices,destinationrules,sidecars,mutatingwebhookconfigurations";

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    args: Vec<String>,
    #[serde(default)]
    stdin: String,
    #[serde(default)]
    exit: i32,
    #[serde(default)]
    out: Vec<String>,
    #[serde(default)]
    not: Vec<String>,
    #[serde(default)]
    err: Vec<String>,
}

#[test]
fn folders_are_explained_as_listed() {
    let cases = std::fs::read_to_string(Path::new(DATA).join("cases.yaml")).unwrap();
    let cases: Vec<Case> = serde_yaml::from_str(&cases).unwrap();
    assert!(cases.len() > 30, "{}", cases.len());
    let home = Home::new();
    let mut wrong = Vec::new();
    for case in cases {
        let args: Vec<String> = case.args.iter().map(|a| a.replace("DATA", DATA)).collect();
        let args: Vec<&str> = ["explain"].into_iter().chain(args.iter().map(String::as_str)).collect();
        let output = home.run(&args, &case.stdin, 60);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let flat = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
        let (flat_out, flat_err) = (flat(&out), flat(&err));
        let missing = case.out.iter().filter(|t| !flat_out.contains(&flat(t)));
        let missing = missing.chain(case.err.iter().filter(|t| !flat_err.contains(&flat(t))));
        let missing: Vec<&String> = missing.chain(case.not.iter().filter(|t| out.contains(*t))).collect();
        if !missing.is_empty() || output.status.code() != Some(case.exit) {
            wrong.push(format!(
                "{args:?}\nexit {:?}, wanted {}; not as wanted: {missing:?}\n{out}{err}",
                output.status.code(),
                case.exit
            ));
        }
        let wide = out.lines().find(|l| l.chars().count() > 80 && !l.contains(DATA) && !l.starts_with("kubectl "));
        assert_eq!(wide, None, "80 columns: {args:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_answer_is_also_json() {
    let home = Home::new();
    let shop = format!("{DATA}/shop");
    let hole = format!("{DATA}/hole");
    let wanted = format!("{DATA}/egress-wanted.yaml");
    for (more, member) in [
        (&["-f", shop.as_str(), "shop/web", "http://example.com/"][..], "/exchanges/0/outcome"),
        (&["-f", &shop, "--matrix"], "/requests/0/results/0/outcome"),
        (&["-f", &hole, "--find-open"], "/witnesses/0/cause/object"),
        (&["--diff", &shop, &hole], "/differences/0/change"),
        (&["-f", &shop, "--expect-file", &wanted], "/expectations/0/verdict"),
    ] {
        let args: Vec<&str> = ["explain", "--json", "--assume", "demo,REGISTRY_ONLY"].iter().chain(more).copied().collect();
        let output = home.run(&args, "", 60);
        let value: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {}", text(&output.stderr)));
        assert!(value.pointer(member).is_some_and(Value::is_string), "{args:?} has no {member}: {value:#}");
    }
}

#[cfg(unix)]
#[test]
fn hostile_folders_end_soon_and_say_what_is_wrong() {
    let home = Home::new();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let ask = |path: &Path| home.run(&["explain", "-f", path.to_str().unwrap(), "http://example.com/"], "", 60);
    std::fs::create_dir(at("loop")).unwrap();
    std::os::unix::fs::symlink(folder.path(), at("loop/again")).unwrap();
    std::fs::write(at("loop/empty.yaml"), "").unwrap();
    assert_eq!(ask(&at("loop")).status.code(), Some(0));
    for (name, bytes, said) in [
        ("binary.yaml", &b"\x7fELF\x02\x01\x00\x80"[..], "no text (UTF-8)"),
        ("deep.yaml", "[".repeat(100_000).as_bytes(), "deep.yaml:1"),
        ("anchors.yaml", b"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n", "anchors.yaml"),
    ] {
        std::fs::write(at(name), bytes).unwrap();
        let output = ask(&at(name));
        let err = text(&output.stderr);
        assert!(output.status.code() == Some(2) && err.contains(said), "{name}: {:?} {err}", output.status.code());
    }
    // Any JSON is an object of some sort or none; nothing may make the program fall over.
    for bytes in [
        "null",
        "[]",
        "{}",
        "3",
        "{\"kind\": 3, \"apiVersion\": []}",
        "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":[]}",
        "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"},\"spec\":3}",
        "{\"kind\":\"Deployment\",\"apiVersion\":\"apps/v1\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"template\":{\"spec\":[]}}}",
        "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"test\",\"labels\":3},\"spec\":{\"containers\":{}}}",
        "{\"kind\":\"IstioOperator\",\"apiVersion\":\"install.istio.io/v1alpha1\",\"spec\":{\"profile\":\"demo\"}}",
    ] {
        std::fs::write(at("any.json"), bytes).unwrap();
        let output = ask(&at("any.json"));
        assert_eq!(output.status.code(), Some(0), "{bytes}: {}", text(&output.stderr));
    }
}

/// A world, and this program's tools on it.
struct Lab<'a> {
    home: &'a Home,
    kubeconfig: String,
}

impl Lab<'_> {
    fn try_run(&self, args: &[&str], input: &str) -> Output {
        let mut command = self.home.command(args);
        command.env("KUBECONFIG", &self.kubeconfig);
        finish(command, input, 120)
    }

    fn run(&self, args: &[&str], input: &str) -> String {
        let output = self.try_run(args, input);
        assert!(output.status.success(), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Istio with REGISTRY_ONLY, a test pod with a sidecar and one without, one host through the gateway.
    fn furnish(&self) {
        self.run(
            &[
                "istioctl",
                "install",
                "-y",
                "--set",
                "profile=demo",
                "--set",
                "meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY",
            ],
            "",
        );
        self.run(&["kubectl", "label", "namespace", "default", "istio-injection=enabled"], "");
        let sleep = ["--image=curlimages/curl:8.1.2", "--restart=Never", "--command", "--", "sleep", "3600"];
        self.run(&[&["kubectl", "run", "test"], &sleep[..]].concat(), "");
        self.run(&["kubectl", "create", "namespace", "plain"], "");
        self.run(&[&["kubectl", "run", "test", "-n", "plain"], &sleep[..]].concat(), "");
        self.run(&["kubectl", "apply", "-f", &format!("{DATA}/egress")], "");
    }
}

/// What does not depend on how names resolve: of each exchange the decisions, hop by hop.
fn decisions(json: &str) -> Value {
    let mut value: Value = serde_json::from_str(json).unwrap();
    let mut exchanges = value["exchanges"].take();
    for exchange in exchanges.as_array_mut().unwrap() {
        exchange.as_object_mut().unwrap().remove("status");
        for hop in exchange["hops"].as_array_mut().unwrap() {
            ["endpoint", "log"].iter().for_each(|key| drop(hop.as_object_mut().unwrap().remove(*key)));
        }
    }
    exchanges
}

#[test]
fn a_world_written_out_is_explained_like_the_world() {
    let home = Home::new();
    let served = Served::start(&home, &["--instant"], 2);
    let lab = Lab { home: &home, kubeconfig: served.kubeconfig().display().to_string() };
    lab.furnish();
    let dump = lab.run(&["kubectl", "get", KINDS, "-A", "-o", "yaml"], "");
    let mut outcomes = Vec::new();
    for from in ["default/test", "plain/test"] {
        for url in [
            "http://www.wikipedia.org/",
            "https://www.wikipedia.org/",
            "http://example.com/",
            "http://www.wikipedia.org:8080/",
            "http://nowhere",
        ] {
            let here = lab.run(&["explain", "--env", "context:sandbox", "--json", from, url], "");
            let there = lab.run(&["explain", "-f", "-", "--json", from, url], &dump);
            let (here, there) = (decisions(&here), decisions(&there));
            if url.ends_with(":8080/") && from == "plain/test" {
                continue; // Only the sandbox knows that nothing listens there.
            }
            assert_eq!(here, there, "{from} {url}");
            outcomes.push(here[0]["outcome"].as_str().unwrap().to_string());
        }
    }
    outcomes.sort();
    outcomes.dedup();
    assert_eq!(outcomes, ["blocked-registry-only", "delivered", "dns-failed"]);
    let all = lab.run(&["explain", "--env", "context:sandbox", "default/test", "http://www.wikipedia.org/"], "");
    for piece in ["gateway istio-system/istio-egressgateway", "revision default", "ConfigMap istio-system/istio, REGISTRY_ONLY"] {
        assert!(all.contains(piece), "{piece}: {all}");
    }
}

#[test]
fn what_may_not_be_read_is_named_with_what_to_grant() {
    let home = Home::new();
    let served = Served::start(&home, &["--instant"], 2);
    let lab = Lab { home: &home, kubeconfig: served.kubeconfig().display().to_string() };
    lab.furnish();
    lab.run(&["kubectl", "create", "serviceaccount", "robot"], "");
    let few = "--resource=pods,services,namespaces,endpointslices.discovery.k8s.io,deployments.apps";
    lab.run(&["kubectl", "create", "clusterrole", "few", "--verb=get,list", few], "");
    lab.run(&["kubectl", "create", "clusterrolebinding", "few", "--clusterrole=few", "--serviceaccount=default:robot"], "");
    let token = lab.run(&["kubectl", "create", "token", "robot"], "");
    let original = std::fs::read_to_string(&lab.kubeconfig).unwrap();
    let mut config: Value = serde_yaml::from_str(&original).unwrap();
    config["users"][0]["user"] = serde_json::json!({"token": token.trim()});
    let limited = home.folder.path().join("limited");
    std::fs::write(&limited, config.to_string()).unwrap();
    let robot = Lab { home: &home, kubeconfig: limited.display().to_string() };
    let ask = ["explain", "--env", "context:sandbox", "default/test", "http://www.wikipedia.org/"];
    let output = robot.try_run(&ask, "");
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{out}{}", text(&output.stderr));
    for piece in [
        "not-modelled",
        "not readable",
        "list serviceentries.networking.istio.io",
        "get configmaps",
        "kubectl create clusterrole egress-lab-explain",
    ] {
        let flat = out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(piece), "{piece}: {out}");
    }
    // What it says to run is what helps.
    let grants: Vec<&str> = out.lines().filter(|l| l.starts_with("kubectl create ")).collect();
    assert_eq!(grants.len(), 4, "{out}");
    for grant in grants {
        let words: Vec<&str> = grant.split(' ').collect();
        let words: Vec<String> = words.iter().map(|w| w.replace("--user=USER", "--serviceaccount=default:robot")).collect();
        lab.run(&words.iter().map(String::as_str).collect::<Vec<_>>(), "");
    }
    let output = robot.try_run(&ask, "");
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("gateway istio-system/istio-egressgateway"));
}

#[test]
fn two_revisions_of_the_saved_world_are_compared() {
    let home = Home::new();
    let served = Served::start(&home, &["--lab", "--instant"], 2);
    let lab = Lab { home: &home, kubeconfig: served.kubeconfig().display().to_string() };
    lab.furnish();
    let before: Value = serde_json::from_str(&lab.run(&["explain", "--json", "http://example.com/"], "")).unwrap();
    let name = before["world"]["name"].as_str().unwrap();
    let revision: u64 = name.rsplit_once("revision ").expect(name).1.parse().unwrap();
    let entry = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: example}\nspec:\n  hosts: [example.com]\n  resolution: \
                 DNS\n  ports: [{number: 80, name: http, protocol: HTTP}]\n";
    lab.run(&["kubectl", "apply", "-f", "-"], entry);
    let range = format!("rev:{revision}..head");
    let output = lab.try_run(&["explain", "--diff", &range, "--exit-code"], "");
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{out}{}", text(&output.stderr));
    assert!(out.contains("became allowed\n  http://example.com/\n  from        default/test"), "{out}");
    let same = lab.try_run(&["explain", "--diff", &format!("rev:{revision}"), &format!("rev:{revision}"), "--exit-code"], "");
    assert!(same.status.code() == Some(0) && text(&same.stdout).contains("Nothing changed"), "{}", text(&same.stdout));
    let future = lab.try_run(&["explain", "--diff", "rev:99999999..head"], "");
    assert!(future.status.code() == Some(4) && text(&future.stderr).contains("no such revision yet"), "{}", text(&future.stderr));
}
