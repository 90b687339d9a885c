//! Lessons on a named cluster: an `egress-lab sandbox` of another process, of which only the API is used.

use crate::program::{Home, Served, finish, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

const LESSON: &str = "control-external-egress";

/// A cluster, and the home of somebody who uses it.
struct Cluster {
    home: Home,
    served: Served,
}

impl Cluster {
    fn start() -> Cluster {
        let home = Home::new();
        let served = Served::start(&home, &["--instant"], 2);
        Cluster { home, served }
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.home.command(args);
        command.env("KUBECONFIG", self.served.kubeconfig());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        finish(self.command(args), "", 240)
    }

    /// The lesson to this step, with these flags.
    fn lesson(&self, flags: &[&str]) -> Output {
        self.run(&[&["run", LESSON, "--env", "context:sandbox", "--within", "2s"], flags].concat())
    }

    fn kubectl(&self, args: &[&str], input: &str) -> String {
        let ended = finish(self.command(&[&["kubectl"], args].concat()), input, 60);
        assert!(ended.status.success(), "{args:?}: {}{}", text(&ended.stdout), text(&ended.stderr));
        text(&ended.stdout)
    }

    /// Every object that people make, by kind, namespace and name: uid, version, and content without what servers write.
    fn objects(&self) -> BTreeMap<String, (String, String, Value)> {
        let kinds = "ns,pods,services,deployments,configmaps,secrets,serviceaccounts,clusterroles,clusterrolebindings,roles,\
                     rolebindings,crd,mutatingwebhookconfigurations,validatingwebhookconfigurations,hpa,pdb";
        let mut found = BTreeMap::new();
        let istio = self.kubectl(&["api-resources", "--api-group=networking.istio.io", "-o", "name"], "");
        let kinds = std::iter::once(kinds.to_string()).chain(istio.lines().map(str::to_string));
        for kind in kinds {
            let list: Value = serde_json::from_str(&self.kubectl(&["get", &kind, "-A", "-o", "json"], "")).unwrap();
            for mut item in list["items"].as_array().unwrap().clone() {
                let meta = item["metadata"].take();
                let of = |name: &str| meta[name].as_str().unwrap_or("").to_string();
                item["metadata"] = json!({"labels": meta["labels"]});
                item.as_object_mut().unwrap().remove("status");
                let key = format!("{} {}/{}", item["kind"].as_str().unwrap(), of("namespace"), of("name"));
                found.insert(key, (of("uid"), of("resourceVersion"), item));
            }
        }
        found
    }
}

fn said(ended: &Output) -> String {
    format!("{}{}", text(&ended.stdout), text(&ended.stderr))
}

/// Objects as a user can compare them: the same ones with the same content, whatever their versions.
fn alike(objects: &BTreeMap<String, (String, String, Value)>) -> BTreeMap<&String, (&String, &Value)> {
    objects.iter().map(|(key, (uid, _, content))| (key, (uid, content))).collect()
}

#[test]
fn the_lesson_passes_on_a_cluster_and_leaves_it_as_it_was() {
    let cluster = Cluster::start();
    let before = cluster.objects();
    let ended = cluster.lesson(&["--allow-mesh-config", "--yes"]);
    let told = said(&ended);
    assert_eq!(ended.status.code(), Some(0), "{told}");
    assert!(told.contains("environment  context:sandbox") && told.contains("Istio        none"), "{told}");
    assert!(told.contains("namespaces default (put back at the end)"), "{told}");
    assert!(!told.contains("FAIL") && !told.contains("left:"), "{told}");
    assert_eq!(text(&ended.stdout).lines().filter(|line| line.starts_with("PASS")).count(), 43, "{told}");
    assert_eq!(alike(&cluster.objects()), alike(&before));
    let nothing = cluster.run(&["cleanup", "--env", "context:sandbox"]);
    assert!(said(&nothing).contains("Nothing of the lab is left"), "{}", said(&nothing));
}

#[test]
fn what_concerns_everybody_is_refused_before_anything_is_written() {
    let cluster = Cluster::start();
    let before = cluster.objects();
    let ended = cluster.lesson(&["--yes", "--to", "clean-up"]);
    let told = said(&ended);
    assert_eq!(ended.status.code(), Some(4), "{told}");
    for part in ["install-istio: ", "customresourcedefinitions", "label-the-namespace: namespace default", "--allow-mesh-config"]
    {
        assert!(told.contains(part), "{part}:\n{told}");
    }
    // What comes before those steps may be had.
    let ended = cluster.lesson(&["--yes", "--to", "choose-a-profile"]);
    assert_eq!(ended.status.code(), Some(0), "{}", said(&ended));
    // Nobody says yes.
    let ended = cluster.lesson(&["--allow-mesh-config"]);
    assert_eq!(ended.status.code(), Some(4), "{}", said(&ended));
    let versions = |objects: BTreeMap<String, (String, String, Value)>| -> Vec<(String, String)> {
        objects.into_iter().map(|(key, (_, version, _))| (key, version)).collect()
    };
    assert_eq!(versions(cluster.objects()), versions(before));
}

/// What concerns everybody is left as it is; the lesson that says the same in its own namespace is taken.
#[test]
fn on_a_shared_mesh_the_lesson_that_stays_in_its_namespace_is_taken() {
    let cluster = Cluster::start();
    let bare = cluster.objects();
    let ended = cluster.lesson(&["--yes"]);
    assert!(
        said(&ended).contains("This lesson begins in a mesh, and context:sandbox has no Istio that is ready."),
        "{}",
        said(&ended)
    );
    assert_eq!((ended.status.code(), cluster.objects()), (Some(4), bare));
    let istioctl = |set: &[&str]| {
        let ended = cluster.run(&[&["istioctl", "install", "-y", "--set", "profile=demo"], set].concat());
        assert_eq!(ended.status.code(), Some(0), "{}", said(&ended));
    };
    istioctl(&["--set", "meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY"]);
    let closed = cluster.lesson(&["--yes"]);
    assert!(
        said(&closed).contains("begins in a mesh of mode ALLOW_ANY, and that of context:sandbox is REGISTRY_ONLY"),
        "{}",
        said(&closed)
    );
    assert_eq!(closed.status.code(), Some(4));
    istioctl(&[]);
    let before = cluster.objects();
    let ended = cluster.lesson(&["--yes"]);
    let told = said(&ended);
    assert_eq!(ended.status.code(), Some(0), "{told}");
    assert!(told.contains("lesson fence-a-namespace is taken") && told.contains("PASS   4  close-the-namespace"), "{told}");
    assert!(told.contains("changes      nothing that is there"), "{told}");
    assert_eq!(cluster.objects(), before, "nothing of the mesh was touched, and nothing is left");
    let flags = ["prove", LESSON, "--env", "context:sandbox", "--yes", "--within", "2s"];
    let proven = cluster.run(&flags);
    assert!(proven.status.success() && said(&proven).contains("close-the-namespace"), "{}", said(&proven));
    let lines = "check\nkubectl get sidecars.networking.istio.io\n";
    let learn = ["learn", LESSON, "--plain", "--env", "context:sandbox", "--yes", "--within", "2s"];
    let learnt = finish(cluster.command(&learn), lines, 120);
    assert!(learnt.status.success() && said(&learnt).contains("Somebody else's mesh"), "{}", said(&learnt));
}

#[test]
fn a_missing_right_and_a_name_that_is_taken_stop_it_before_anything_is_written() {
    let cluster = Cluster::start();
    // Somebody who may read and write almost everything.
    cluster.kubectl(&["create", "clusterrolebinding", "dev", "--clusterrole=edit", "--user=dev"], "");
    let kubeconfig = cluster.home.folder.path().join("dev");
    let mut config = std::fs::read_to_string(cluster.served.kubeconfig()).unwrap();
    assert!(config.contains("user:\n"), "{config}");
    config = config.replace("  user:\n", "  user:\n    as: dev\n");
    std::fs::write(&kubeconfig, config).unwrap();
    let before = cluster.objects();
    let mut command = cluster.command(&["run", LESSON, "--env", "context:sandbox", "--allow-mesh-config", "--yes"]);
    command.env("KUBECONFIG", &kubeconfig);
    let ended = finish(command, "", 120);
    let told = said(&ended);
    assert_eq!(ended.status.code(), Some(4), "{told}");
    assert!(told.contains("You may not create customresourcedefinitions.apiextensions.k8s.io in the whole cluster"), "{told}");
    assert!(told.contains("(needed by install-istio)"), "{told}");
    assert!(told.contains("Nothing was written.") && !told.contains("PASS"), "{told}");
    assert_eq!(cluster.objects(), before);

    cluster.kubectl(&["run", "test", "--image=nginx"], "");
    let before = cluster.objects();
    let ended = cluster.lesson(&["--allow-mesh-config", "--yes"]);
    let told = said(&ended);
    assert_eq!(ended.status.code(), Some(4), "{told}");
    assert!(told.contains("pods default/test is there and was not made by this lab"), "{told}");
    assert_eq!(cluster.objects(), before);
}

/// Others' objects: namespaces, workloads, ServiceEntries of a kind that they brought (one for `host`), a ConfigMap where the lesson
/// works.
fn inhabit(cluster: &Cluster, host: &str) -> Vec<String> {
    let manifests = text(&finish(cluster.command(&["istioctl", "manifest", "generate"]), "", 60).stdout);
    let theirs = ["serviceentries.networking.istio.io", "virtualservices.networking.istio.io"];
    let kinds: Vec<&str> =
        manifests.split("\n---").filter(|one| theirs.iter().any(|name| one.contains(&format!("\n  name: {name}\n")))).collect();
    assert_eq!(kinds.len(), theirs.len(), "the kinds of Istio were not found");
    cluster.kubectl(&["apply", "--server-side", "-f", "-"], &kinds.join("\n---\n"));
    let objects = r#"
apiVersion: v1
kind: Namespace
metadata: {name: team-a, labels: {team: a}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
data: {k: v}
---
apiVersion: v1
kind: Secret
metadata: {name: door, namespace: team-a}
stringData: {key: do-not-look}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: team-a}
spec: {selector: {app: web}, ports: [{port: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: partner, namespace: team-a}
spec: {hosts: [api.partner.example], ports: [{number: 8443, name: tls, protocol: TLS}], resolution: DNS}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: own-wikipedia, namespace: team-a}
spec:
  hosts: [HOST]
  exportTo: ["."]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: partner, namespace: default}
spec: {hosts: [api.partner.example], exportTo: ["."], tls: [{match: [{port: 8443, sniHosts: [api.partner.example]}], route: [{destination: {host: api.partner.example}}]}]}
"#;
    cluster.kubectl(&["apply", "-f", "-"], &objects.replace("HOST", host));
    let names = [
        "Namespace /team-a",
        "ConfigMap default/settings",
        "Secret team-a/door",
        "Service team-a/web",
        "ServiceEntry team-a/partner",
        "ServiceEntry team-a/own-wikipedia",
        "VirtualService default/partner",
    ];
    names.map(str::to_string).to_vec()
}

/// The long form: twenty runs of the whole lesson and its cleanup, and nothing of others has changed, neither uid nor version.
#[test]
fn others_objects_are_never_touched() {
    let cluster = Cluster::start();
    let long = std::env::var_os("EGRESS_LAB_LONG").is_some();
    // The lesson's last step asks for a mesh in which nobody speaks of its host any more.
    let host = if long { "de.wikipedia.org" } else { "www.wikipedia.org" };
    let theirs = inhabit(&cluster, host);
    let before = cluster.objects();
    theirs.iter().for_each(|name| assert!(before.contains_key(name), "{name} was not made"));
    let (runs, to) = if long { (20, &[][..]) } else { (2, &["--to", "complete-the-entry"][..]) };
    for run in 1..=runs {
        let ended = cluster.lesson(&[&["--allow-mesh-config", "--yes"][..], to].concat());
        assert_eq!(ended.status.code(), Some(0), "run {run}: {}", said(&ended));
        let after = cluster.objects();
        for name in &theirs {
            assert_eq!(after.get(name), before.get(name), "run {run}: {name}");
        }
        // The kinds that they brought are the lesson's, too: changed and put back.
        assert_eq!(alike(&after), alike(&before), "run {run}");
    }
}

#[test]
fn what_a_killed_run_left_is_known_and_cleaned_up_and_others_things_are_asked_about() {
    let cluster = Cluster::start();
    let before = cluster.objects();
    let args = ["run", LESSON, "--env", "context:sandbox", "--allow-mesh-config", "--yes", "--within", "2s"];
    let mut child = cluster.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // In the midst of the lesson: its pod is there.
    let end = Instant::now() + Duration::from_secs(60);
    while cluster.kubectl(&["get", "pods", "-o", "name"], "").is_empty() {
        assert!(Instant::now() < end && child.try_wait().unwrap().is_none(), "the lesson made no pod");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    cluster.kubectl(&["create", "configmap", "own", "-n", "istio-system", "--from-literal=a=b"], "");

    let dry = cluster.run(&["cleanup", "--env", "context:sandbox", "--dry-run"]);
    let told = said(&dry);
    assert!(told.contains("remove    namespaces istio-system"), "{told}");
    assert!(told.contains("ask       configmaps istio-system/own"), "{told}");
    let refused = cluster.run(&["cleanup", "--env", "context:sandbox"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(cluster.objects().contains_key("Namespace /istio-system"));

    let swept = cluster.run(&["cleanup", "--env", "context:sandbox", "--yes"]);
    let told = said(&swept);
    assert_eq!(swept.status.code(), Some(1), "{told}");
    assert!(told.contains("left: namespaces istio-system: holds configmaps istio-system/own"), "{told}");
    let left = cluster.objects();
    assert!(left.contains_key("ConfigMap istio-system/own") && !left.contains_key("Deployment istio-system/istiod"));

    cluster.kubectl(&["delete", "configmap", "own", "-n", "istio-system"], "");
    let swept = cluster.run(&["cleanup", "--env", "context:sandbox", "--yes"]);
    assert_eq!(swept.status.code(), Some(0), "{}", said(&swept));
    assert_eq!(alike(&cluster.objects()), alike(&before));
}

#[test]
fn a_learner_takes_it_line_by_line_and_goes_on_later() {
    let cluster = Cluster::start();
    let args = ["learn", LESSON, "--plain", "--env", "context:sandbox", "--allow-mesh-config", "--yes", "--within", "2s"];
    let from = [&args[..], &["--from", "complete-the-entry"]].concat();
    // A wrong turn, the way back, and a command that the lab does not do for anybody.
    let lines = "kubectl get serviceentries\ncheck\nkubectl delete serviceentry wikipedia-egress\nkubectl delete namespace kube-public\n\
                 reset step --yes\nkubectl get serviceentries\n";
    let ended = finish(cluster.command(&from), lines, 120);
    let told = said(&ended);
    assert_eq!(ended.status.code(), Some(0), "{told}");
    assert!(told.contains("was not made by this lab, and the lab deletes only what it made"), "{told}");
    assert_eq!(text(&ended.stdout).matches("\nwikipedia-egress ").count(), 2, "the reset brought the entry back:\n{told}");
    assert!(told.contains("`egress-lab cleanup --env context:sandbox` removes and puts back"), "{told}");
    let left = cluster.objects();
    assert!(!left.contains_key("Namespace /lab-control") && left.contains_key("Pod default/test"), "{:?}", left.keys());
    let swept = cluster.run(&["cleanup", "--env", "context:sandbox", "--yes"]);
    assert_eq!(swept.status.code(), Some(0), "{}", said(&swept));
    assert!(!cluster.objects().contains_key("Pod default/test"));
}

/// The lab's own cluster is found by the kubeconfig that `kind up` writes, and needs no word for installing Istio in it.
#[test]
fn the_labs_own_cluster_takes_the_lesson_as_it_is() {
    let cluster = Cluster::start();
    let none = cluster.run(&["run", LESSON, "--env", "kind", "--yes"]);
    assert!(none.status.code() == Some(4) && said(&none).contains("`egress-lab kind up` makes it"), "{}", said(&none));
    let folder = cluster.home.folder.path().join("state/kind");
    std::fs::create_dir_all(&folder).unwrap();
    let kubeconfig = std::fs::read_to_string(cluster.served.kubeconfig()).unwrap();
    std::fs::write(folder.join("kubeconfig"), kubeconfig.replace("sandbox", "kind-egress-lab")).unwrap();
    let before = cluster.objects();
    let kind = |args: &[&str], input: &str| {
        let mut command = cluster.command(&[args, &["--env", "kind"]].concat());
        command.env("KUBECONFIG", "/nonexistent");
        finish(command, input, 240)
    };
    let ran = kind(&["run", LESSON, "--yes", "--within", "2s", "--to", "register-port-80"], "");
    assert!(ran.status.success() && said(&ran).contains("environment  context:kind-egress-lab"), "{}", said(&ran));
    assert_eq!(alike(&cluster.objects()), alike(&before));
    let proven = kind(&["prove", LESSON, "--yes", "--within", "2s", "--step", "install-istio"], "");
    assert!(proven.status.success(), "{}", said(&proven));
    let learn = ["learn", LESSON, "--plain", "--yes", "--within", "2s", "--from", "register-port-80"];
    let learnt = kind(&learn, "kubectl get pods\nquit\n");
    assert!(learnt.status.success() && text(&learnt.stdout).contains("2/2"), "{}", said(&learnt));
    let checked = kind(&["check", "--step", "label-the-namespace"], "");
    assert!(checked.status.success() && said(&checked).contains("Namespace default asks for sidecars"), "{}", said(&checked));
    assert_eq!(kind(&["cleanup", "--yes"], "").status.code(), Some(0));
    assert_eq!(alike(&cluster.objects()), alike(&before));
}

#[test]
fn a_step_is_begun_anew_from_another_terminal() {
    let cluster = Cluster::start();
    let before = cluster.objects();
    let reset = |flags: &[&str]| cluster.run(&[&["reset", "--env", "context:sandbox"], flags].concat());
    let refused = reset(&["--step", "run-test-pod", "--yes"]);
    assert!(refused.status.code() == Some(4) && said(&refused).contains("--allow-mesh-config"), "{}", said(&refused));
    // Nobody there who could say yes.
    let asked = reset(&["--step", "run-test-pod", "--allow-mesh-config"]);
    assert!(said(&asked).contains("then      the start of step 7 (Run a test pod) is made anew"), "{}", said(&asked));
    assert_eq!((asked.status.code(), cluster.objects()), (Some(1), before.clone()));
    let done = reset(&["--step", "register-port-80", "--allow-mesh-config", "--yes"]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    let there = cluster.objects();
    assert!(there.contains_key("Pod default/test") && there.contains_key("Deployment istio-system/istiod"));
    assert!(!there.contains_key("ServiceEntry default/wikipedia-egress") && !there.contains_key("Namespace /lab-control"));
    let first = reset(&["--step", "meet-the-target", "--allow-mesh-config", "--yes"]);
    assert!(said(&first).contains("remove    pods default/test"), "{}", said(&first));
    assert_eq!(alike(&cluster.objects()), alike(&before));
}

#[tokio::test]
async fn where_seeing_and_model_differ_both_are_kept_and_can_be_asked_again_offline() {
    use egress_lab::base::outcome::{At, Outcome, Path, TlsBy};
    use egress_lab::base::seed::Seed;
    use egress_lab::finding::{Evidence, Exchanged, Finding, Verdict};
    use egress_lab::lab::env::Environment;
    use egress_lab::lab::env::cluster::report;
    use egress_lab::lab::env::sandbox::{Bend, Make, Sandbox};
    use egress_lab::lab::objects::replace;
    use egress_lab::mesh::{Cause, Record};

    let client = Sandbox::in_process(Make::instant(Seed(3)), Bend::Honest).client();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "test", "namespace": "default"},
        "spec": {"containers": [{"name": "test", "image": "curlimages/curl:8.1.2",
            "env": [{"name": "LOGIN", "value": "Authorization: Bearer abcdefgh12345678"}]}]}});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "door", "namespace": "default"},
        "stringData": {"key": "do-not-look"}});
    for object in [pod, secret] {
        replace(&client, &object).await.unwrap();
    }
    let record = |outcome, status| Record {
        outcome,
        path: Path::Uncaptured,
        tls: TlsBy::None,
        at: At::Origin,
        status,
        exit_code: 0,
        hops: Vec::new(),
        cause: Cause::new("", "", ""),
    };
    let finding = |predicted| {
        let exchange = Exchanged {
            url: "http://www.wikipedia.org/".into(),
            observation: record(Outcome::TimedOut, None),
            prediction: Some(predicted),
        };
        let evidence =
            Evidence { exchanges: vec![exchange], probe: "curl --head http://www.wikipedia.org/".into(), ..Evidence::default() };
        let (title, message) = Default::default();
        Finding { check: "open".into(), title, verdict: Verdict::NotYet, message, evidence, wrong_turn: None, revision: None }
    };
    let home = Home::new();
    let folder = home.folder.path().join("reports");
    let agreeing = report::write(&folder, &client, "context:x", &finding(record(Outcome::TimedOut, None))).await.unwrap();
    assert!(agreeing.is_none() && !folder.exists());
    let differing = finding(record(Outcome::Delivered, Some(301)));
    let path = report::write(&folder, &client, "context:x", &differing).await.unwrap().expect("a report");
    let kept = std::fs::read_to_string(&path).unwrap();
    for part in ["observed    timed-out", "predicted   delivered", "request     http://www.wikipedia.org/", "context:x"] {
        assert!(kept.contains(part), "{part}:\n{kept}");
    }
    assert!(!kept.contains("do-not-look") && !kept.contains("abcdefgh12345678") && !kept.contains("ZG8tbm90"), "{kept}");
    let asked = home.run(&["explain", "-f", path.to_str().unwrap(), "default/test", "http://www.wikipedia.org/"], "", 60);
    assert!(said(&asked).contains("delivered"), "{}", said(&asked));
    for _ in 0..60 {
        report::write(&folder, &client, "context:x", &differing).await.unwrap();
    }
    assert!(std::fs::read_dir(&folder).unwrap().count() <= 50);
}
