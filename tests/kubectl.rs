//! The built-in kubectl against the built-in sandbox, compared with what kubectl 1.37 printed against a real API server 1.36
//! (`tests/recordings/kubectl/golden-k137.txt`). What differs is listed in `known-differences.txt` beside it: the test fails when
//! another command differs, and names listed ones that no longer do.

use egress_lab::base::clock::{Clock, LogicalClock, Time};
use egress_lab::base::files::{Files, MemoryFiles};
use egress_lab::base::io::{Editor, Input, Io, Stream};
use egress_lab::base::seed::Seed;
use egress_lab::kubectl::{self, Config, Context, Pause, Restrictions};
use egress_lab::lab::env::Environment;
use egress_lab::lab::env::sandbox::{Make, Sandbox};
use futures::StreamExt;
use futures::future::BoxFuture;
use regex::Regex;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const FOLDER: &str = "tests/recordings/kubectl";

/// Not compared: what needed a kubelet (the reference had none), what names the reference server's own parts, and what differed
/// from run to run there.
const SKIP: &str = r"kubectl (logs|exec|cp|attach|port-forward|proxy|debug)\b|cluster-info dump|kubectl api-resources|kubectl api-versions|kubectl get crd$|kubectl get crd |kubectl get componentstatuses|kubectl version -o|kubectl describe node|kubectl auth can-i --list|kubectl auth whoami|kubectl config view|kubectl drain|wait --for=condition=Ready pod -l|label pods --all|get deploy,svc,sa,role|kubectl describe crd|kubectl get jobs|describe ns default|config get-contexts|^\(sleep|get --raw /api";

/// Volatile text, as in the recordings' own replay script.
const MASKS: &[(&str, &str)] = &[
    // kubectl hands two folders to a program, this one compares itself.
    (r"/tmp/(LIVE|MERGED)-\d+", "${1}"),
    (r"20\d\d-\d\d-\d\d [\d:.]+ \+0000", "TIME"),
    (r" *- configMap:\n *items:\n *- key: service-ca\.crt\n *path: service-ca\.crt\n *name: openshift-service-ca\.crt\n", ""),
    (
        r#",\s*\{\s*"configMap": \{\s*"items": \[\s*\{\s*"key": "service-ca\.crt",\s*"path": "service-ca\.crt"\s*\}\s*\],\s*"name": "openshift-service-ca\.crt"\s*\}\s*\}"#,
        "",
    ),
    (r" *ConfigMapName: +openshift-service-ca\.crt\n[^\n]*\n", ""),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
    (r"20\d\d-\d\d-\d\dT[\d:.]+Z?", "TIME"),
    (r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d+ \w+ 20\d\d [\d:]+ [+-]\d{4}", "TIME"),
    (r"\bx\d+ over \w+\b", "xN over AGE"),
    (r"\b\d+[dhms](\d+[hms])?\b|<invalid>|<unknown>", "AGE"),
    (r"https?://[\w.\[\]:-]+:\d+", "SERVER"),
    (r#""?resourceVersion"?: ?"?\d+"?"#, "RV"),
    (r"kube-api-access-[a-z0-9]+", "KAA"),
    (r"-[a-z0-9]{8,10}-[a-z0-9]{5}\b", "-RS-POD"),
    // The reference wrote hex, upstream and the sandbox write letters that make no words.
    (
        r#"(replicaset[^\n]*|NewReplicaSet: *|pod-template-hash[=:] ?"?|\b\w+)-([a-f0-9]{8,10}|[bcdfghjklmnpqrstvwxz2456789]{8,10})\b"#,
        "${1}-HASH",
    ),
    (r#"pod-template-hash(=|: ?"?)[a-z0-9]+"#, "pod-template-hash${1}HASH"),
    (r"-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "-POD"),
    (r"\b\d+\.\d+\.\d+\.\d+\b", "IP"),
    (r"eyJ[\w-]+\.[\w-]+\.[\w-]+", "TOKEN"),
    (r"Resource Version: +\d+", "RV"),
    (r"Waiting for deployment [^\n]*\n", ""),
    (r"terminatingReplicas: \d+", "terminatingReplicas: N"),
    (r"\n *Description:[^\n]*", ""),
    (r"[^\n]*openshift-service-ca\.crt[^\n]*\n?", ""),
    (r"Server Version: v[\d.]+", "Server Version: V"),
    (r"Client Version: v[\d.]+(\+egress-lab)?", "Client Version: V"),
    (r"Kustomize Version: v[^\n]*\n?", ""),
    (r"sha256:[0-9a-f]+|containerd://[0-9a-f]+", "DIGEST"),
    (r"docker\.io/[^ @]+@DIGEST", "IMAGE@DIGEST"),
    (r#"stored to "[^"]*""#, "stored to FILE"),
    (r"[ \t]+", " "),
    (r" +\n", "\n"),
];

struct Recorded {
    command: String,
    exit: i32,
    killed: bool,
    out: String,
    err: String,
}

struct Got {
    exit: i32,
    out: String,
    err: String,
}

fn recordings() -> Vec<Recorded> {
    let text = std::fs::read_to_string(format!("{FOLDER}/golden-k137.txt")).unwrap();
    let section = |block: &str, name: &str| -> String {
        let Some((_, rest)) = block.split_once(&format!("--{name}--\n")) else { return String::new() };
        let end = rest.find("\n--stderr--\n").unwrap_or(rest.len());
        rest[..end].replace("(no newline)", "")
    };
    let blocks = text.split("\n$ ").skip(1);
    blocks
        .map(|block| {
            let (command, rest) = block.split_once('\n').unwrap();
            let status = rest.strip_prefix("[exit ").unwrap();
            let digits: String = status.chars().take_while(|c| c.is_ascii_digit() || *c == '-').collect();
            let killed = status.lines().next().unwrap().contains("killed");
            Recorded {
                command: command.into(),
                exit: digits.parse().unwrap(),
                killed,
                out: section(rest, "stdout"),
                err: section(rest, "stderr"),
            }
        })
        .collect()
}

struct Masks(Vec<(Regex, &'static str)>);

impl Masks {
    fn new() -> Masks {
        Masks(MASKS.iter().map(|(pattern, with)| (Regex::new(pattern).unwrap(), *with)).collect())
    }

    fn apply(&self, text: &str) -> Vec<String> {
        let mut text = text.to_string();
        for (pattern, with) in &self.0 {
            text = pattern.replace_all(&text, *with).into_owned();
        }
        let mut lines: Vec<String> = text.trim().lines().map(|l| l.trim_end().to_string()).collect();
        // Causes of a refusal come in any order.
        let mut causes: Vec<String> = lines.iter().filter(|l| l.starts_with("* ")).cloned().collect();
        causes.sort();
        let mut causes = causes.into_iter();
        lines.iter_mut().filter(|l| l.starts_with("* ")).for_each(|l| *l = causes.next().unwrap());
        lines
    }
}

/// Words of a recorded line: single quotes only, as the recordings have them.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut any) = (Vec::new(), String::new(), false, false);
    for c in line.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                any = true;
            }
            c if c.is_whitespace() && !quoted => {
                if any {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            c => {
                word.push(c);
                any = true;
            }
        }
    }
    if any {
        words.push(word);
    }
    words
}

struct Bench {
    env: Arc<Sandbox>,
    files: Arc<MemoryFiles>,
    config: Arc<Mutex<Config>>,
}

struct EnvPause(Arc<Sandbox>);

impl Pause for EnvPause {
    fn pause(&self, ms: u64) -> BoxFuture<'static, ()> {
        let env = self.0.clone();
        Box::pin(async move { env.wait(ms).await })
    }
}

struct Script(String);

impl Editor for Script {
    fn edit(&self, _: &str, text: &str) -> Result<String, String> {
        Ok(match self.0.as_str() {
            "ed.sh" => text.replace("k: v2", "k: edited"),
            "edbad.sh" => Regex::new(r"replicas: [0-9]+").unwrap().replace_all(text, "replicas: bogus").into_owned(),
            _ => text.to_string(),
        })
    }
}

impl Bench {
    fn new() -> Bench {
        let files = MemoryFiles::default();
        let (root, kustomization) = (format!("{FOLDER}/fx"), format!("{FOLDER}/fx/kz"));
        for folder in [&root, &kustomization] {
            let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            for path in paths.filter(|path| path.is_file()) {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                files.write(name, &std::fs::read(&path).unwrap()).unwrap();
            }
        }
        let config = Config::single("sandbox", "learner", "https://127.0.0.1:6443");
        let env = Sandbox::in_process(Make::instant(Seed(7)), Default::default());
        Bench { env: Arc::new(env), files: Arc::new(files), config: Arc::new(Mutex::new(config)) }
    }

    /// A recorded line: perhaps an editor, a file piped in, two commands. Of `(sleep 1; A) & B` only A is run, for what it leaves.
    async fn line(&self, line: &str, killed: bool) -> Got {
        if let Some((inner, _)) = line.strip_prefix("(sleep 1; ").and_then(|l| l.split_once(" >/dev/null)")) {
            return self.run(&words(inner.trim_start_matches("kubectl ")), Vec::new(), "", false).await;
        }
        let mut whole = Got { exit: 0, out: String::new(), err: String::new() };
        for part in line.split(" && ") {
            let (editor, rest) = match part.strip_prefix("KUBE_EDITOR=$PWD/") {
                Some(rest) => rest.split_once(' ').unwrap(),
                None => ("", part),
            };
            let (stdin, rest) = match rest.strip_prefix("cat ").and_then(|r| r.split_once(" | ")) {
                Some((file, rest)) => (self.files.read(file).unwrap(), rest),
                None => (Vec::new(), rest),
            };
            let rest = rest.strip_prefix("kubectl ").unwrap_or(rest);
            let got = self.run(&words(rest), stdin, editor, killed).await;
            whole.exit = got.exit;
            whole.out += &got.out;
            whole.err += &got.err;
        }
        whole
    }

    async fn run(&self, argv: &[String], stdin: Vec<u8>, editor: &str, killed: bool) -> Got {
        let outputs = Arc::new(Mutex::new((Vec::new(), Vec::new())));
        let sink = outputs.clone();
        let clock = LogicalClock::new(Time(0));
        clock.advance(self.env.now().await.0);
        let ctx = Context {
            client: self.env.client(),
            config: self.config.clone(),
            clock: Arc::new(clock) as Arc<dyn Clock>,
            pause: Arc::new(EnvPause(self.env.clone())),
            restrictions: Restrictions::none(),
            color: false,
        };
        let typed = match killed {
            false => futures::stream::iter([Input::Bytes(stdin), Input::Eof]).boxed(),
            true => futures::stream::once(async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Input::Interrupt
            })
            .boxed(),
        };
        let mut io = Io {
            stdin: typed,
            out: Box::new(move |stream, bytes| {
                let mut outputs = sink.lock().unwrap();
                match stream {
                    Stream::Out => outputs.0.extend_from_slice(bytes),
                    Stream::Err => outputs.1.extend_from_slice(bytes),
                }
            }),
            files: self.files.clone(),
            tty: None,
            editor: (!editor.is_empty()).then(|| Arc::new(Script(editor.into())) as Arc<dyn Editor>),
            raw: None,
        };
        let limit = Duration::from_secs(20);
        let exit = tokio::time::timeout(limit, kubectl::run(&ctx, &mut io, argv)).await.unwrap_or(-1);
        let outputs = outputs.lock().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Got { exit, out: text(&outputs.0), err: text(&outputs.1) }
    }
}

fn differences(masks: &Masks, recorded: &Recorded, got: &Got) -> Vec<String> {
    let mut found = Vec::new();
    if !recorded.killed && got.exit != recorded.exit {
        found.push(format!("exit {}, recorded {}", got.exit, recorded.exit));
    }
    // How many lines a watch prints, and in which order events come, depends on time.
    let by_time = recorded.killed || recorded.command.contains("get events") || recorded.command.contains("kubectl events");
    for (name, want, got) in [("stdout", &recorded.out, &got.out), ("stderr", &recorded.err, &got.err)] {
        let (want, got) = (masks.apply(want), masks.apply(got));
        if want == got || by_time && name == "stdout" {
            continue;
        }
        let missing = want.iter().filter(|l| !got.contains(l)).map(|l| format!("    -{l}"));
        let extra = got.iter().filter(|l| !want.contains(l)).map(|l| format!("    +{l}"));
        found.push(format!("{name}:\n{}", missing.chain(extra).take(14).collect::<Vec<_>>().join("\n")));
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_print_what_kubectl_printed() {
    let (masks, skip) = (Masks::new(), Regex::new(SKIP).unwrap());
    let listed = std::fs::read_to_string(Path::new(FOLDER).join("known-differences.txt")).unwrap();
    let listed: BTreeSet<&str> = listed.lines().filter(|l| !l.starts_with('#') && !l.is_empty()).collect();
    let bench = Bench::new();
    let (mut passed, mut surprises, mut skipped) = (0, Vec::new(), 0);
    for recorded in recordings() {
        let got = bench.line(&recorded.command, recorded.killed).await;
        if skip.is_match(&recorded.command) {
            skipped += 1;
            continue;
        }
        let different = differences(&masks, &recorded, &got);
        match (different.is_empty(), listed.contains(recorded.command.as_str())) {
            (true, false) => passed += 1,
            (false, true) => println!("known: $ {}\n  {}", recorded.command, different.join("\n  ")),
            (true, true) => println!("listed, but the same by now: {}", recorded.command),
            (false, false) => surprises.push(format!("DIFFERS $ {}\n  {}", recorded.command, different.join("\n  "))),
        }
    }
    println!("replay: {passed} passed, {} listed as different, {skipped} not compared", listed.len());
    assert!(surprises.is_empty(), "{} surprises ({passed} passed)\n{}", surprises.len(), surprises.join("\n"));
    assert!(passed > 100, "only {passed} commands were compared");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_reach_into_pods() {
    let bench = Bench::new();
    let argv = |line: &str| words(line);
    let made = bench.line("kubectl run test --image=curlimages/curl:8.1.2 --restart=Never --command -- sleep 3600", false).await;
    assert_eq!((made.exit, made.out.as_str(), made.err.as_str()), (0, "pod/test created\n", ""));
    let rows: &[(&str, &str, i32, &str, &str)] = &[
        ("wait --for=condition=Ready pod/test --timeout=5s", "", 0, "pod/test condition met\n", ""),
        ("exec test -- echo hi", "", 0, "hi\n", ""),
        ("exec test -- sh -c 'echo out; echo err >&2; exit 7'", "", 7, "out\n", "err\ncommand terminated with exit code 7\n"),
        ("exec -i test -- cat", "typed\n", 0, "typed\n", ""),
        ("exec pod/test -c test -- echo -n x", "", 0, "x", ""),
        ("exec test -c nope -- ls", "", 1, "", "error: container nope is not valid for pod test out of: test\n"),
        ("exec test", "", 1, "", "error: you must specify at least one command for the container\n"),
        ("logs test", "", 0, "", ""),
        ("logs nosuch", "", 1, "", "error: error from server (NotFound): pods \"nosuch\" not found in namespace \"default\"\n"),
        ("config set-context --current --namespace=lab", "", 0, "Context \"sandbox\" modified.\n", ""),
        ("get pods", "", 0, "", "No resources found in lab namespace.\n"),
        ("get pods -n default -o name", "", 0, "pod/test\n", ""),
        ("delete pod test -n default --now", "", 0, "pod \"test\" deleted from default namespace\n", ""),
    ];
    for (line, stdin, exit, out, err) in rows {
        let got = bench.run(&argv(line), stdin.as_bytes().to_vec(), "", false).await;
        assert_eq!((got.exit, got.out.as_str(), got.err.as_str()), (*exit, *out, *err), "{line}");
    }
    let watched = bench.run(&argv("get namespaces -w"), Vec::new(), "", true).await;
    assert_eq!((watched.exit, watched.err.as_str()), (130, ""));
    assert!(watched.out.starts_with("NAME              STATUS   AGE\ndefault           Active   "), "{}", watched.out);
}

mod jsonpath {
    use egress_lab::k8s::jsonpath::JsonPath;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn object() -> Value {
        json!({"kind": "List", "items": [
            {"metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "x"}}, "spec": {"n": 1, "l": [1, 2.5, "x", null, true]}},
            {"metadata": {"name": "b"}, "spec": {"n": 2, "l": []}}]})
    }

    /// What once was a trouble, or could be one, is tried every time: it gives an answer, and soon.
    #[test]
    fn the_corpus_gives_answers() {
        let corpus = include_str!("data/kubectl/jsonpath-corpus.txt");
        assert!(corpus.lines().count() > 30);
        for template in corpus.lines() {
            let _ = JsonPath::parse(template).map(|path| path.print(&object()));
            let _ = JsonPath::parse_relaxed(template).map(|path| path.find(&object()).map(|found| found.len()));
        }
        for deep in ["{.a[".repeat(20_000), "{range .items[*]}".repeat(5_000), "{..".repeat(20_000), "[?(".repeat(20_000)] {
            let _ = JsonPath::parse(&deep).map(|path| path.print(&object()));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_makes_it_panic(template in ".{0,60}") {
            let _ = JsonPath::parse(&template).map(|path| path.print(&object()));
        }

        #[test]
        fn no_words_make_it_panic(words in proptest::collection::vec(prop_oneof![
            "\\{", "\\}", "\\.", "\\.\\.", "\\*", "\\[", "\\]", "\\[\\*\\]", "items", "metadata", "name", "spec", "l", "range ", "end",
            "\\?\\(", "\\)", "@", "\\$", "==", "<", ">=", "'a'", "\"b\"", "-?[0-9]{1,20}", ":", ",", " ", "\\\\", "\\[-?[0-9]:[0-9]\\]",
        ], 0..25)) {
            let text = words.concat();
            let _ = JsonPath::parse(&text).map(|path| path.print(&object()));
            let _ = JsonPath::parse_relaxed(&text).map(|path| path.find(&object()).map(|found| found.len()));
            let _ = JsonPath::parse(&format!("{{.items[{text}]}}")).map(|path| path.print(&object()));
        }
    }
}
