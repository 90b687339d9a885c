//! How quick the mesh model is: one table. `cargo bench --bench mesh`, with `-- WORD` only the groups whose name holds the word
//! (compile, change, trace, memory).
//!
//! The mesh: 10,000 ServiceEntries (80 HTTP and 443 TLS each), 1,000 VirtualServices (every fifth through the egress gateway), 100
//! DestinationRules, 200 workloads with sidecars in 20 namespaces, each with a Service, one egress gateway. REGISTRY_ONLY, access
//! logs on. What is measured is one thread's work.

#[path = "mesh/world.rs"]
mod world;

use egress_lab::base::clock::Time;
use egress_lab::base::seed::Seed;
use egress_lab::k8s::{Key, Object, Snapshot};
use egress_lab::mesh::model::Parts;
use egress_lab::mesh::{Inputs, Model, Options, Trace};
use egress_lab::outside::Outside;
use egress_lab::outside::wire::Request;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a compile or a change is repeated.
const ROUNDS: usize = 15;
/// How long traces are counted.
const MEASURE: Duration = Duration::from_millis(2_000);

struct Scene {
    snapshot: Snapshot,
    pods: Vec<Arc<Object>>,
    outside: Outside,
}

impl Scene {
    fn new() -> Scene {
        let snapshot = world::snapshot();
        let pods = snapshot.list("", "Pod").filter(|p| p.namespace().starts_with("team-")).cloned().collect();
        Scene { snapshot, pods, outside: Outside::assumed() }
    }

    fn trace(&self, model: &Model, pod: &Object, request: &Request, nth: u64) -> Trace {
        let inputs = Inputs { outside: &self.outside, now: Time::LOGICAL_START, seed: Seed(7), nth };
        model.trace(pod, request, &inputs)
    }

    /// One request from each workload, another for each.
    fn each(&self, model: &Model) {
        for (i, pod) in self.pods.iter().enumerate() {
            black_box(self.trace(model, pod, &world::request(i), i as u64));
        }
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn row(name: &str, mut all: Vec<Duration>, goal: &str) {
    all.sort_unstable();
    let (least, middle, most) = (all[0], all[all.len() / 2], all[all.len() - 1]);
    println!("{name:<64} {:>9.3} {:>9.3} {:>9.3}  {goal}", ms(least), ms(middle), ms(most));
}

fn repeated(rounds: usize, mut once: impl FnMut(usize) -> Duration) -> Vec<Duration> {
    (0..rounds).map(&mut once).collect()
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    let result = work();
    let took = start.elapsed();
    drop(black_box(result));
    took
}

fn compile(scene: &Scene) {
    let options = Options::default();
    let fresh = || Model::compile(&scene.snapshot, &options);
    row("objects read", repeated(ROUNDS, |_| timed(|| fresh().base().services.len())), "");
    let first = |_| {
        timed(|| {
            let model = fresh();
            scene.each(&model);
            model
        })
    };
    row("compiled: 200 proxies, a first trace from each", repeated(ROUNDS, first), "goal 200 ms");
    let model = fresh();
    model.base();
    let pod = &scene.pods[0];
    let whole = |_| timed(|| model.with_parts(Parts::Whole).proxy(pod));
    row("one proxy in full (as a dump of it needs)", repeated(3, whole), "");
}

/// What a change costs: the objects read again; then also every part of the 200 proxies that the change may touch derived again,
/// which is what the mesh owes to a change; then also a request from each workload, most of which need no part again.
fn change(scene: &Scene) {
    let options = Options::default();
    let model = Model::compile(&scene.snapshot, &options);
    scene.each(&model);
    for (name, object) in world::changed() {
        let (key, object) = (object.key(), Arc::new(object));
        let mut after = scene.snapshot.clone();
        after.put(object);
        let keys: [Key; 1] = [key];
        let updated = || model.update(&after, &keys, &options);
        row(&format!("{name} changed: objects read again"), repeated(ROUNDS, |_| timed(updated)), "");
        let caught_up = || {
            let next = updated();
            next.catch_up();
            next
        };
        // Where nothing is kept the requests below pay for all of it: there is no set of touched parts to measure alone.
        if let Some(parts) = updated().catch_up() {
            let title = format!("{name} changed: and {parts} parts that it touches");
            row(&title, repeated(ROUNDS, |_| timed(caught_up)), "goal 2 ms");
        }
        let traced = || {
            let next = updated();
            scene.each(&next);
            next
        };
        row(&format!("{name} changed: up to date, a trace from each of 200"), repeated(ROUNDS, |_| timed(traced)), "");
    }
}

/// Processor time of this process, as the kernel counts it; what else runs on the machine is not in it. Without a kernel that tells,
/// the time since the first call.
fn worked() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let told = std::fs::read_to_string("/proc/self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| START.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

fn traces(scene: &Scene) {
    let model = Model::compile(&scene.snapshot, &Options::default());
    let requests: Vec<Request> = (0..world::KINDS * 7).map(world::request).collect();
    let mut ends = std::collections::BTreeMap::new();
    for (kind, request) in requests.iter().take(world::KINDS).enumerate() {
        let trace = scene.trace(&model, &scene.pods[0], request, 1);
        let hops: Vec<&str> = trace.record.hops.iter().map(|h| h.proxy.as_str()).collect();
        ends.insert(kind, format!("{} over {} proxies", trace.record.outcome, hops.len()));
    }
    let count = |name: &str, chosen: &dyn Fn(usize) -> bool| {
        let pairs: Vec<(&Arc<Object>, &Request)> = scene
            .pods
            .iter()
            .flat_map(|pod| requests.iter().enumerate().filter(|(i, _)| chosen(i % world::KINDS)).map(move |(_, r)| (pod, r)))
            .collect();
        pairs.iter().for_each(|(pod, request)| drop(black_box(scene.trace(&model, pod, request, 0))));
        let (start, mut n) = (worked(), 0_u64);
        while worked() - start < MEASURE {
            for (pod, request) in pairs.iter().cycle().skip(n as usize % pairs.len()).take(500) {
                black_box(scene.trace(&model, pod, request, n));
                n += 1;
            }
        }
        let per_second = n as f64 / (worked() - start).as_secs_f64();
        println!("{name:<64} {per_second:>9.0} traces/s");
    };
    count("traces, mixed (goal 500,000)", &|_| true);
    for (kind, end) in &ends {
        count(&format!("  {}: {end}", world::NAMES[*kind]), &|k| k == *kind);
    }
}

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4
}

fn memory(scene: &Scene) {
    let before = resident();
    let model = Model::compile(&scene.snapshot, &Options::default());
    model.base();
    let read = resident();
    scene.each(&model);
    let derived = resident();
    println!("{:<64} {:>9.1} MiB", "memory: the objects read", (read - before) as f64 / 1024.0);
    println!("{:<64} {:>9.1} MiB", "memory: 200 proxies, as far as they were asked", (derived - read) as f64 / 1024.0);
}

fn main() {
    let wanted = std::env::args().skip(1).find(|a| !a.starts_with("--")).unwrap_or_default();
    let scene = Scene::new();
    println!("{:<64} {:>9} {:>9} {:>9}", "milliseconds", "least", "middle", "most");
    let groups: [(&str, fn(&Scene)); 4] = [("memory", memory), ("compile", compile), ("change", change), ("trace", traces)];
    for (_, group) in groups.iter().filter(|(name, _)| name.contains(&wanted)) {
        group(&scene);
    }
}
