//! How quick the sandbox is: one table. `cargo bench --bench sandbox`, with `-- WORD` only the groups whose name holds the word
//! (bare, objects, watch, exec, memory, beside).
//!
//! Server and clients run in this one process on the machine's own cores: a figure pays for both ends. `bare` calls the world as a
//! value; `pipe` speaks HTTP over pipes in memory; `tls` speaks HTTPS over loopback sockets. Latencies under several clients at once
//! are what counts here, and the benchmark crates measure one caller: so the harness is a small one of our own.

#[path = "sandbox/client.rs"]
mod client;
#[path = "sandbox/rows.rs"]
mod rows;

use client::Road;
use egress_lab::base::clock::{Clock, SystemClock};
use egress_lab::base::seed::Seed;
use egress_lab::lab::env::sandbox::{Bend, Make, Sandbox, world};
use egress_lab::sandbox::Pace;
use egress_lab::sandbox::serve::{Handle, Identity, Local, Options, Server};
use std::time::{Duration, Instant};

/// How long a row is measured.
pub const MEASURE: Duration = Duration::from_millis(1_200);
const WALL: Pace = Pace::Wall { real_time: false };

/// One row's figures.
pub struct Figure {
    name: String,
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

impl Figure {
    /// From every operation's latency, and how long they took together.
    pub fn of(name: impl Into<String>, mut each: Vec<Duration>, whole: Duration) -> Figure {
        each.sort_unstable();
        let at = |share: f64| each.get(((each.len() as f64 * share) as usize).min(each.len().saturating_sub(1))).copied();
        let per_second = each.len() as f64 / whole.as_secs_f64();
        Figure { name: name.into(), per_second, p50: at(0.5).unwrap_or_default(), p99: at(0.99).unwrap_or_default() }
    }

    fn print(&self) {
        let ms = |d: Duration| d.as_secs_f64() * 1000.0;
        println!("{:<44} {:>11.0} {:>10.3} {:>10.3}", self.name, self.per_second, ms(self.p50), ms(self.p99));
    }
}

/// A served world.
pub struct Place {
    pub handle: Handle,
    pub road: Road,
    pub client: kube::Client,
    pub kind: &'static str,
    _server: Option<Server>,
}

/// A world of the lab's own parts (Istio's model as its network), at the pace of `egress-lab sandbox`.
pub async fn place(tls: bool, nth: u64) -> Place {
    let handle = Sandbox::in_process(Make { seed: Seed(nth), pace: WALL }, Bend::Honest).handle().clone();
    let client = kube::Client::new(Local::new(handle.clone()), "default");
    if !tls {
        return Place { road: Road::Pipe(handle.clone()), handle, client, kind: "pipe", _server: None };
    }
    let identity = Identity::fresh(SystemClock.now()).expect("an identity");
    let folder = std::env::temp_dir().join(format!("egress-lab-bench-{}-{nth}", std::process::id()));
    let options = Options { port: 0, kubeconfig: folder.join("kubeconfig"), ..Default::default() };
    let server = Server::start(handle.clone(), &identity, &options).await.expect("serves");
    let kubeconfig = kube::config::Kubeconfig::read_from(server.kubeconfig()).expect("a kubeconfig");
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await.expect("a config");
    config.proxy_url = None;
    let client = kube::Client::try_from(config).expect("a client");
    let road = Road::tls(server.address(), identity.ca_pem(), identity.token());
    let _ = std::fs::remove_dir_all(&folder);
    Place { handle, road, client, kind: "tls", _server: Some(server) }
}

/// Resident memory of this process, in KiB.
pub fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4
}

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with("--")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(cores + 2).enable_all().build().expect("a runtime");
    let start = Instant::now();
    println!(
        "{:<44} {:>11} {:>10} {:>10}",
        format!("{cores} cores, clients in the same process"),
        "per second",
        "p50 ms",
        "p99 ms"
    );
    // First: memory that something else has used before would not be seen.
    if "memory".contains(&filter) {
        runtime.block_on(rows::memory());
    }
    if "bare".contains(&filter) {
        let mut world = world(Make { seed: Seed(1), pace: WALL }, Bend::Honest);
        rows::bare(&mut world).iter().for_each(Figure::print);
    }
    runtime.block_on(async {
        if "beside".contains(&filter) {
            let (busy, quiet) = (place(true, 1).await, place(true, 2).await);
            rows::beside(&busy, &quiet).await.print();
        }
        for (tls, worlds) in [(false, 1), (true, 1), (true, 100)] {
            measure(tls, worlds, &filter).await;
        }
    });
    println!("measured in {:.0} s", start.elapsed().as_secs_f64());
}

async fn measure(tls: bool, worlds: u64, filter: &str) {
    let mut places = Vec::new();
    for n in 0..worlds {
        places.push(place(tls, n + 1).await);
    }
    if "objects".contains(filter) {
        rows::objects(&places).await.iter().for_each(Figure::print);
    }
    if "watch".contains(filter) {
        rows::fan_out(&places).await.iter().for_each(Figure::print);
    }
    if "exec".contains(filter) {
        rows::exec(&places).await.iter().for_each(Figure::print);
    }
    for place in &places {
        place.handle.shutdown().await;
    }
}
