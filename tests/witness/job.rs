//! Rows to jobs, jobs in groups that share a configuration, and the table of what came out.

use super::client::{self, Seen};
use super::envoy::Envoy;
use super::file::{self, Row, Shared, Step};
use super::keys::Keys;
use super::{compare, origins, room};
use egress_lab::base::clock::Time;
use egress_lab::base::outcome::Outcome;
use egress_lab::base::seed::Seed;
use egress_lab::k8s::Object;
use egress_lab::mesh::capture::{self, Capture};
use egress_lab::mesh::envoy::Told;
use egress_lab::mesh::envoy::bootstrap::{self, Room};
use egress_lab::mesh::proxy::FilterChain;
use egress_lab::mesh::{Inputs, Model, Trace};
use egress_lab::outside::Outside;
use egress_lab::outside::wire::{DnsAnswer, Failure, Reply, Request, Scheme};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A proxy that a job needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Needed {
    /// `NAMESPACE/POD`.
    pub name: String,
    pub admin: u16,
    pub bootstrap: String,
}

/// One request, ready to be sent.
pub struct Job {
    pub row: String,
    pub model: Model,
    pub outside: Outside,
    pub request: Request,
    pub from: IpAddr,
    pub to: IpAddr,
    /// The client's connections are redirected to its sidecar.
    pub captured: bool,
    pub proxies: Vec<Needed>,
    pub trace: Trace,
    /// Requests sent at the same time, when there are several.
    pub burst: Vec<Trace>,
}

/// Where a run keeps its files, and what its proxies are given.
struct Base {
    folder: PathBuf,
    keys: Keys,
}

impl Base {
    fn log(&self, pod: &str) -> PathBuf {
        self.folder.join(format!("{}.access", pod.replace('/', "_")))
    }

    /// The bootstrap of a pod's proxy; `None` without one, or when it listens nowhere. `Err`: why it cannot be written.
    fn bootstrap(&self, model: &Model, pod: &Object, admin: u16) -> Option<Result<Needed, String>> {
        let proxy = model.proxy(pod)?;
        let ip: IpAddr = pod.str_at(&["status", "podIP"]).parse().ok()?;
        let name = format!("{}/{}", pod.namespace(), pod.name());
        if proxy.gateway && proxy.listeners.is_empty() {
            return None;
        }
        let lacks = |c: &FilterChain| c.own.as_ref().is_some_and(|own| !own.is_there());
        if proxy.listeners.iter().flat_map(|l| &l.chains).any(lacks) {
            return Some(Err("a certificate is missing: a fixed bootstrap cannot wait for it".into()));
        }
        let role = if proxy.gateway { "router" } else { "sidecar" };
        let node = format!("{role}~{ip}~{1}.{0}~{0}.svc.cluster.local", pod.namespace(), pod.name());
        let log = self.log(&name);
        let domain = model.mesh_config().trust_domains.first().map_or("cluster.local", |d| d.as_str());
        let room = Room {
            node: &node,
            ip,
            admin_port: admin,
            log: &log.display().to_string(),
            resolver: ([127, 0, 0, 1].into(), 53),
            mark: room::MARK,
            connect_timeout_ms: Some(1000),
            secrets: &self.keys.of(pod, domain),
        };
        let text = bootstrap::fixed(&Told { proxy: &proxy, mesh: model.mesh_config() }, &room).to_string();
        Some(Ok(Needed { name, admin, bootstrap: text }))
    }

    /// What a step needs; `Err`: why it is not driven.
    fn job(&self, shared: &Shared, row: &Row, step: &Step, name: &str) -> Result<Job, String> {
        let model = Model::compile(&shared.snapshot(row, step), &egress_lab::mesh::Options::default());
        let outside = shared.outside(row, step);
        let pod = step.pod(model.snapshot());
        let request = step.request();
        if !matches!(request.scheme, Scheme::Http | Scheme::Https) {
            return Err("no HTTP".into());
        }
        if step.repeat.is_some() {
            return Err("a share of many requests, which chance decides".into());
        }
        let inputs = Inputs { outside: &outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 7 };
        let trace = model.trace(&pod, &request, &inputs);
        let burst = step.burst.map_or(Vec::new(), |n| model.trace_burst(&pod, &request, &inputs, n as usize));
        if let Reply::Failure(Failure::NotModelled { object, field }) = &trace.reply {
            return Err(format!("not modelled: {object} {field}"));
        }
        if model.snapshot().list("networking.k8s.io", "NetworkPolicy").next().is_some() {
            return Err("the room has no NetworkPolicies".into());
        }
        let own_logs = model.snapshot().list("telemetry.istio.io", "Telemetry").next().is_some();
        if own_logs || !model.mesh_config().default_log_providers.is_empty() {
            return Err("the logs of Telemetry are not written out".into());
        }
        let resolved = model.resolve(&pod, &request.host, &outside);
        let to = match (request.address, request.host.parse(), resolved) {
            (Some(address), ..) | (None, Ok(address), _) => address,
            (.., DnsAnswer::Addresses { addresses, .. }) => addresses[0],
            _ => return Err("the name does not resolve: no connection".into()),
        };
        if model
            .snapshot()
            .find("", "Service", "default", "kubernetes")
            .is_some_and(|s| s.str_at(&["spec", "clusterIP"]) == to.to_string())
        {
            return Err("the API server does not stand in the room".into());
        }
        let from = pod.str_at(&["status", "podIP"]).parse().map_err(|_| "the client has no address")?;
        let captured = capture::outbound(&pod, to, request.port, request.from_proxy_user) == Capture::Taken;
        let mut proxies = Vec::new();
        if captured {
            proxies.extend(self.bootstrap(&model, &pod, 15000).transpose()?);
        }
        for (n, gateway) in room::gateways(model.snapshot()).iter().enumerate() {
            proxies.extend(self.bootstrap(&model, gateway, 15100 + n as u16).transpose()?);
        }
        let proxied = |pod: &str| proxies.iter().any(|p| p.name == pod);
        if let Some(other) = trace.record.hops.iter().find(|h| !proxied(&h.proxy)) {
            return Err(format!("passes {}, whose inbound side is not written out", other.proxy));
        }
        Ok(Job { row: name.to_string(), model, outside, request, from, to, captured, proxies, trace, burst })
    }
}

/// Every bootstrap of every row, whatever becomes of its request, is put to `envoy --mode validate`. Prints how many; fails when one is
/// refused.
pub fn validate() {
    let program = super::envoy::find().expect("the caller found it");
    let folder = tempfile::tempdir().expect("a folder");
    let base = Base { folder: folder.path().into(), keys: Keys::new() };
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let mut rows = 0;
    for version in egress_lab::mesh::versions::lines() {
        let shared = Shared::read(&version);
        for row in file::rows("rows").into_iter().chain(file::rows("more")) {
            rows += 1;
            for step in row.requests.iter().filter(|s| s.is_in(&version)) {
                let model = Model::compile(&shared.snapshot(&row, step), &shared.options());
                for pod in model.snapshot().list("", "Pod") {
                    let needed = base.bootstrap(&model, pod, 15000).and_then(Result::ok);
                    all.extend(needed.map(|n| (n.bootstrap, format!("row {} in {version}, {}", row.row, n.name))));
                }
            }
        }
    }
    let config = folder.path().join("bootstrap.json");
    let mut refused = 0;
    for (text, name) in &all {
        std::fs::write(&config, text).expect("the bootstrap");
        let output = std::process::Command::new(&program).args(["--mode", "validate", "-l", "error", "-c"]).arg(&config).output();
        let output = output.expect("Envoy runs");
        if !output.status.success() {
            refused += 1;
            println!("REFUSED {name}: {}", String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or(""));
        }
    }
    println!("witness: {} bootstraps of {rows} rows validated, {refused} refused", all.len());
    assert_eq!(refused, 0, "Envoy refuses a bootstrap");
}

/// What became of a row.
struct Verdict {
    row: String,
    said: String,
    wrong: Vec<String>,
    driven: bool,
    proxied: bool,
}

/// Runs the rows named (`all`, or numbers with commas), prints the table, fails on a disagreement.
pub fn run(which: &str) {
    let program = super::envoy::find().expect("the caller found it");
    let folder = tempfile::tempdir().expect("a folder");
    let base = Base { folder: folder.path().into(), keys: Keys::new() };
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, &base.keys.public.pem).expect("the roots");
    let (jobs, mut verdicts) = jobs(&base, which);
    let world: origins::World = Arc::new(Mutex::new(Outside::standard()));
    origins::start(&world, &base.keys.public);
    origins::name_server(&world);
    let mut groups: BTreeMap<String, Vec<Job>> = BTreeMap::new();
    for job in jobs {
        let texts: Vec<&str> = job.proxies.iter().map(|p| p.bootstrap.as_str()).collect();
        let key = format!("{:?}{}", job.outside.faults(), texts.concat());
        groups.entry(key).or_default().push(job);
    }
    let starts: usize = groups.values().map(|g| g[0].proxies.len()).sum();
    for group in groups.into_values() {
        verdicts.extend(drive(&base, &program, group, &world, &roots));
    }
    print(&verdicts, starts);
}

fn jobs(base: &Base, which: &str) -> (Vec<Job>, Vec<Verdict>) {
    let shared = Shared::read("1.30");
    let (mut jobs, mut verdicts) = (Vec::new(), Vec::new());
    let chosen: Vec<&str> = which.split(',').collect();
    for row in file::rows("rows").into_iter().chain(file::rows("more")) {
        if which != "all" && !chosen.contains(&row.row.as_str()) {
            continue;
        }
        let steps: Vec<&Step> = row.requests.iter().filter(|s| s.is_in("1.30")).collect();
        for (n, step) in steps.iter().enumerate() {
            let name = if steps.len() == 1 { row.row.clone() } else { format!("{} [{n}]", row.row) };
            match base.job(&shared, &row, step, &name) {
                Ok(job) => jobs.push(job),
                Err(why) => verdicts.push(Verdict { row: name, said: why, wrong: Vec::new(), driven: false, proxied: false }),
            }
        }
    }
    (jobs, verdicts)
}

/// Starts the group's proxies and sends its requests one after the other.
fn drive(base: &Base, program: &Path, group: Vec<Job>, world: &origins::World, roots: &Path) -> Vec<Verdict> {
    *world.lock().expect("the world") = group[0].outside.clone();
    room::apply(&room::rules(&group[0]));
    let mut proxies: Vec<(String, Envoy)> = Vec::new();
    for needed in &group[0].proxies {
        let config = base.folder.join(format!("{}.json", needed.name.replace('/', "_")));
        std::fs::write(&config, &needed.bootstrap).expect("the bootstrap");
        if let Ok(kept) = std::env::var("EGRESS_LAB_WITNESS_KEEP") {
            let name = format!("{kept}/{}-{}.json", group[0].row, needed.name.replace('/', "_"));
            std::fs::write(name, &needed.bootstrap).expect("kept");
        }
        proxies.push((needed.name.clone(), Envoy::start(program, &config, &base.log(&needed.name), needed.admin)));
    }
    let mut verdicts = Vec::new();
    for job in &group {
        room::apply(&room::rules(job));
        let (seen, mut wrong) = if job.burst.is_empty() {
            let seen = client::send(&job.request, job.from, job.to, roots, &base.folder);
            let wrong = compare::differences(&job.trace, &seen);
            (seen, wrong)
        } else {
            at_the_same_time(base, job, roots)
        };
        for (name, envoy) in &mut proxies {
            let of = |l: &&egress_lab::outside::wire::LogLine| format!("{}/{}", l.namespace, l.pod) == *name;
            let traces = if job.burst.is_empty() { std::slice::from_ref(&job.trace) } else { &job.burst };
            let model: Vec<String> = traces.iter().flat_map(|t| &t.logs).filter(of).map(|l| l.text.to_string()).collect();
            let is_loop = job.trace.record.outcome == Outcome::Loop;
            // A mirrored copy says where it comes from by the proxy's own address, which in this namespace is the loopback.
            let own = format!("\"{},", job.from);
            let real: Vec<String> = envoy.lines(model.len()).iter().map(|l| l.replace("\"127.0.0.1,", &own)).collect();
            let (model, real) = if job.burst.is_empty() { (model, real) } else { (sorted(model), sorted(real)) };
            wrong.extend(compare::line_differences(name, &model, &real, (is_loop, compare::repeats_certificate(&seen))));
        }
        let proxied = !proxies.is_empty() && !job.trace.record.hops.is_empty();
        verdicts.push(Verdict { row: job.row.clone(), said: words(&seen), wrong, driven: true, proxied });
    }
    verdicts
}

fn sorted(lines: Vec<String>) -> Vec<String> {
    let mut masked: Vec<String> = lines.iter().map(|l| compare::masked(l)).collect();
    masked.sort();
    masked
}

/// Sends a burst; which of its requests gets which answer is chance, so each kind of answer has to come as often as the model says.
fn at_the_same_time(base: &Base, job: &Job, roots: &Path) -> (Seen, Vec<String>) {
    let one = |n: usize| {
        let folder = base.folder.join(n.to_string());
        std::fs::create_dir_all(&folder).expect("a folder");
        client::send(&job.request, job.from, job.to, roots, &folder)
    };
    let mut all: Vec<Seen> = std::thread::scope(|s| {
        let threads: Vec<_> = (0..job.burst.len()).map(|n| s.spawn(move || one(n))).collect();
        threads.into_iter().map(|t| t.join().expect("a client")).collect()
    });
    let mut wrong = Vec::new();
    for trace in &job.burst {
        match all.iter().position(|seen| compare::differences(trace, seen).is_empty()) {
            Some(at) => drop(all.swap_remove(at)),
            None => wrong.push(format!("no client saw {:?}", trace.record.status)),
        }
    }
    (all.pop().unwrap_or_default(), wrong)
}

fn words(seen: &Seen) -> String {
    match seen.status {
        Some(status) if seen.exit == 0 => status.to_string(),
        _ => format!("exit {}", seen.exit),
    }
}

fn print(verdicts: &[Verdict], starts: usize) {
    for verdict in verdicts {
        let word = match (verdict.driven, verdict.wrong.is_empty()) {
            (false, _) => "NOT DRIVEN",
            (true, true) if verdict.proxied => "AGREES",
            (true, true) => "AGREES (no proxy)",
            (true, false) => "DISAGREES",
        };
        println!("{:<44} {word:<18} {}", verdict.row, verdict.said);
        verdict.wrong.iter().for_each(|w| println!("    {w}"));
    }
    let driven = verdicts.iter().filter(|v| v.driven && v.proxied).count();
    let wrong = verdicts.iter().filter(|v| !v.wrong.is_empty()).count();
    println!("witness: {driven} driven, {wrong} disagreements; {starts} starts of Envoy");
    assert_eq!(wrong, 0, "the model and Envoy disagree");
}
