//! What a real curl sees of the origins is what the curl of a sandbox's pod sees of the outside world: status, every header in its case
//! and order, body, exit code. For each site of `assets/outside`, each of its ports, its names and a few paths.

use super::kit::{Origin, Seen, run_curl};
use crate::program::{Home, Served, text};
use egress_lab::outside::Outside;
use egress_lab::outside::site::{Site, Speaks};
use std::fmt::Write;

/// One command line of curl, without what leads it to the origin.
struct Case {
    site: String,
    /// The name and port that the URL has, and where the sandbox finds them.
    name: String,
    port: u16,
    address: String,
    args: Vec<String>,
    /// Whether the site is meant by its name, so that it is found at a shared address too.
    named: bool,
}

impl Case {
    /// Known gap: the sandbox writes HTTP/1.1 over what is HTTP/2 without TLS (h2c); the rest of the answer is the same.
    fn in_the_clear_http2(&self) -> bool {
        self.args.contains(&"--http2-prior-knowledge".to_string()) && self.args.iter().any(|arg| arg.starts_with("http://"))
    }
}

/// Exit code that the sandbox's pods give for what is not simulated.
const NOT_SIMULATED: i32 = 125;

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for site in Outside::standard().sites() {
        for (port, open) in &site.ports {
            let port = port.parse().unwrap();
            match open.speaks {
                Speaks::Http => of_port(&mut all, site, port, "http", "https"),
                Speaks::Tls => of_port(&mut all, site, port, "https", "http"),
                Speaks::Bytes => {}
            }
        }
    }
    all
}

fn of_port(all: &mut Vec<Case>, site: &Site, port: u16, scheme: &str, other: &str) {
    let usual = (scheme, port) == ("http", 80) || (scheme, port) == ("https", 443);
    let shown = if usual { String::new() } else { format!(":{port}") };
    let address = site.addresses[0].to_string();
    let mut add = |name: &str, named: bool, url: String, args: &[&str]| {
        let args = args.iter().map(ToString::to_string).chain([url]).collect();
        all.push(Case { site: site.id.clone(), name: name.into(), port, address: address.clone(), args, named });
    };
    for name in &site.names {
        let url = |path: &str| format!("{scheme}://{name}{shown}{path}");
        add(name, true, url("/"), &["-i"]);
        add(name, true, url("/"), &["-I"]);
    }
    let name = &site.names[0];
    let url = |path: &str| format!("{scheme}://{name}{shown}{path}");
    for path in ["/wiki/Main_Page", "/no/such/page?x=%20y&z", "/headers", "/get?a=b", "/status/418", "/status/999", "/ip"] {
        add(name, true, url(path), &["-i"]);
    }
    add(name, true, url("/anything"), &["-i", "-X", "DELETE", "-H", "X-One-two: three"]);
    add(name, true, url("/"), &["-i", "-d", "some=body"]);
    add(name, true, url("/"), &["-i", "--http1.0"]);
    add(name, true, url("/"), &["-i", "--http1.1"]);
    add(name, true, url("/"), &["-i", "--http2"]);
    add(name, true, url("/"), &["-i", "--http2-prior-knowledge"]);
    // Another site's name, or nobody's, at this site's address.
    add(name, false, url("/"), &["-i", "-H", "Host: stranger.test"]);
    add(name, false, url("/"), &["-i", "-H", "Host: www.google.com"]);
    add("stranger.test", false, format!("{scheme}://stranger.test{shown}/"), &["-i"]);
    add("stranger.test", false, format!("{scheme}://stranger.test{shown}/"), &["-i", "-k"]);
    // The wrong scheme for the port.
    add(name, true, format!("{other}://{name}:{port}/"), &["-i"]);
}

/// All cases in one pod, one after the other.
fn in_a_pod(home: &Home, served: &Served, cases: &[Case]) -> Vec<Seen> {
    let kubectl = |args: &[&str]| {
        let kubeconfig = served.kubeconfig().display().to_string();
        let output = home.run(&[&["kubectl", "--kubeconfig", &kubeconfig], args].concat(), "", 120);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    kubectl(&["run", "test", "--image=curlimages/curl:8.1.2", "--restart=Never", "--command", "--", "sleep", "3600"]);
    kubectl(&["wait", "--for=condition=Ready", "pod/test"]);
    let mut seen = Vec::new();
    for some in cases.chunks(40) {
        let mut script = String::new();
        for Case { name, port, address, args, .. } in some {
            let args: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
            let resolve = format!("{name}:{port}:{address}");
            writeln!(script, "curl -sS -A tester --resolve '{resolve}' {}; echo \"<<exit $?>>\"", args.join(" ")).unwrap();
        }
        let out = kubectl(&["exec", "test", "--", "sh", "-c", &script]);
        let mut rest = out.as_str();
        for _ in some {
            let (before, after) = rest.split_once("<<exit ").unwrap_or_else(|| panic!("no exit code in {rest:?}"));
            let (code, after) = after.split_once(">>\n").unwrap();
            seen.push(Seen { code: code.parse().unwrap(), out: before.into(), err: String::new() });
            rest = after;
        }
    }
    seen
}

/// What may differ: the moment, and the address that the request came from.
fn masked(seen: &Seen) -> String {
    let line = |line: &str| {
        let lower = line.to_ascii_lowercase();
        match () {
            () if lower.starts_with("date: ") => format!("{}: MOMENT", &line[..4]),
            () if lower.trim_start().starts_with("\"origin\": ") => "\"origin\": WHERE".to_string(),
            // As long as the address is.
            () if lower.starts_with("content-length: ") && seen.out.contains("\"origin\"") => line[..14].to_string(),
            () => line.to_string(),
        }
    };
    let lines: Vec<String> = seen.out.split('\n').map(line).collect();
    format!("exit {}\n{}", seen.code, lines.join("\n"))
}

/// What an answer says in either version of HTTP: the status without its words, names in small letters, nothing about the connection.
fn without_version(seen: &Seen) -> String {
    let masked = masked(seen);
    let (head, body) = masked.split_once("\r\n\r\n").unwrap_or((&masked, ""));
    let status = head.lines().nth(1).and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let of_connection = |line: &&str| line.starts_with("connection:") || line.starts_with("upgrade:");
    let head = head.to_ascii_lowercase();
    let headers: Vec<&str> = head.lines().skip(2).filter(|line| !of_connection(line)).collect();
    format!("exit {} status {status}\n{}\n\n{body}", seen.code, headers.join("\n"))
}

#[test]
fn a_real_curl_sees_of_the_origins_what_a_pods_curl_sees_in_the_sandbox() {
    let home = Home::new();
    let served = Served::start(&home, &["--instant"], 2);
    let cases = cases();
    assert!(cases.len() > 250, "{}", cases.len());
    let sandbox = in_a_pod(&home, &served, &cases);
    // Each site at an address of its own, as in the sandbox and on a kind cluster.
    let sites: Vec<String> = Outside::standard().sites().iter().map(|site| format!("{}@127.0.0.1", site.id)).collect();
    let listen: Vec<&str> = sites.iter().flat_map(|site| ["--listen", site.as_str()]).collect();
    let apart = Origin::with(&listen);
    let shared = Origin::whole();
    let (mut wrong, mut compared, mut left_out) = (Vec::new(), 0, 0);
    for (case, pod) in cases.iter().zip(&sandbox) {
        if pod.code == NOT_SIMULATED {
            assert_eq!(case.site, "partner", "{:?}", case.args);
            left_out += 1;
            continue;
        }
        for (origin, kind) in [(&apart, "apart"), (&shared, "shared")] {
            if kind == "shared" && !case.named {
                continue;
            }
            let real = real(origin, case);
            compared += 1;
            let (real_text, pod_text) = match case.in_the_clear_http2() {
                true => (without_version(&real), without_version(pod)),
                false => (masked(&real), masked(pod)),
            };
            if case.in_the_clear_http2() {
                assert_ne!(masked(&real), masked(pod), "the gap is closed: compare {:?} like the others", case.args);
            }
            if real_text != pod_text {
                wrong.push(format!(
                    "{kind} {}: {:?}\n--- sandbox\n{pod_text}\n--- origin\n{real_text}\n{}",
                    case.site, case.args, real.err
                ));
            }
        }
    }
    println!("{compared} answers compared, {left_out} left out that the sandbox does not simulate");
    assert!(wrong.is_empty(), "{} of {compared} differ\n{}", wrong.len(), wrong.join("\n"));
    assert!((1..60).contains(&left_out), "{left_out}");
}

fn real(origin: &Origin, case: &Case) -> Seen {
    let door = origin.door(case.port, &case.site);
    let mut args: Vec<String> =
        ["-q", "--noproxy", "*", "-m", "30", "-sS", "-A", "tester", "--cacert"].map(str::to_string).to_vec();
    args.push(origin.of_ca("ca.crt"));
    args.extend(["--connect-to".into(), format!("{}:{}:{}:{}", case.name, case.port, door.ip(), door.port())]);
    args.extend(case.args.clone());
    run_curl(&args)
}
