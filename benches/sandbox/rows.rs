//! The operations that are measured.

use crate::client::{Ask, Client};
use crate::{Figure, MEASURE, Place, resident};
use egress_lab::sandbox::call::Call;
use egress_lab::sandbox::world::World;
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::AttachParams;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
/// Clients that ask at the same time.
const CLIENTS: usize = 8;
/// Objects of the list.
const LISTED: usize = 1_000;
/// Clients of the watch, in one world.
const WATCHERS: usize = 100;

/// A ConfigMap of some 300 bytes.
fn map(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"app": "bench"}},
           "data": {"text": "x".repeat(200)}})
    .to_string()
}

fn pod(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "bench"}},
           "spec": {"containers": [{"name": "c", "image": "curlimages/curl:8.16.0", "command": ["sleep", "infinity"]}]}})
    .to_string()
}

fn patch(path: String, nth: usize) -> Ask {
    let body = json!({"data": {"nth": nth.to_string()}}).to_string();
    Ask { method: "PATCH", path, media: "application/merge-patch+json", body }
}

/// The world as a value: no server, no client.
pub fn bare(world: &mut World) -> Vec<Figure> {
    let call = |ask: Ask| {
        let mut call = Call::new(ask.method, &ask.path).header("content-type", ask.media);
        call.body = ask.body.into_bytes();
        call
    };
    let mut measure = |name: &str, ask: &dyn Fn(usize) -> Ask| {
        let (start, mut each) = (Instant::now(), Vec::new());
        while start.elapsed() < MEASURE {
            let call = call(ask(each.len()));
            let before = Instant::now();
            let answer = world.handle(&call);
            each.push(before.elapsed());
            assert!(answer.is_success(), "{name}: {}", String::from_utf8_lossy(&answer.body));
        }
        Figure::of(format!("{name:<22} bare    1 world"), each, start.elapsed())
    };
    vec![
        measure("create", &|nth| Ask::post(MAPS, map(&format!("m{nth}")))),
        measure("get", &|_| Ask::get(format!("{MAPS}/m0"))),
        measure("patch", &|nth| patch(format!("{MAPS}/m0"), nth)),
    ]
}

/// Runs an operation by several clients at once, each going round through its worlds, until the time is over.
async fn many(name: &str, places: &[Place], ask: impl Fn(usize, usize) -> Ask + Send + Sync + 'static) -> Figure {
    let mut clients: Vec<Vec<Client>> = (0..CLIENTS).map(|_| Vec::new()).collect();
    for n in 0..places.len().max(CLIENTS) {
        clients[n % CLIENTS].push(places[n % places.len()].road.connect().await);
    }
    let (ask, start) = (Arc::new(ask), Instant::now());
    let tasks: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(who, mut mine)| {
            let ask = ask.clone();
            tokio::spawn(async move {
                let mut each = Vec::new();
                while start.elapsed() < MEASURE {
                    let nth = each.len();
                    let at = nth % mine.len();
                    let before = Instant::now();
                    mine[at].ask(ask(who, nth)).await;
                    each.push(before.elapsed());
                }
                each
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("a client"));
    }
    Figure::of(label(name, places), all, start.elapsed())
}

fn label(name: &str, places: &[Place]) -> String {
    let worlds = if places.len() == 1 { "1 world".to_string() } else { format!("{} worlds", places.len()) };
    format!("{name:<22} {:<4} {worlds:>10}", places[0].kind)
}

/// create, get, patch, list.
pub async fn objects(places: &[Place]) -> Vec<Figure> {
    let mut figures = vec![many("create", places, |who, nth| Ask::post(MAPS, map(&format!("c{who}-{nth}")))).await];
    for place in places {
        let mut client = place.road.connect().await;
        for n in 0..CLIENTS {
            client.ask(Ask::post(MAPS, map(&format!("own{n}")))).await;
        }
        client.ask(Ask::post("/api/v1/namespaces", json!({"metadata": {"name": "listed"}}).to_string())).await;
        for n in 0..LISTED {
            let path = "/api/v1/namespaces/listed/configmaps";
            client.ask(Ask::post(path, map(&format!("l{n}")))).await;
        }
    }
    figures.push(many("get", places, |who, _| Ask::get(format!("{MAPS}/own{who}"))).await);
    figures.push(many("patch", places, |who, nth| patch(format!("{MAPS}/own{who}"), nth)).await);
    figures.push(many("list of 1,000", places, |_, _| Ask::get("/api/v1/namespaces/listed/configmaps?limit=1001")).await);
    figures
}

/// A write until each of the watching clients has it.
pub async fn fan_out(places: &[Place]) -> Vec<Figure> {
    let each_world = (WATCHERS / places.len()).max(10);
    let started: Arc<Vec<std::sync::OnceLock<Instant>>> = Arc::new((0..100_000).map(|_| Default::default()).collect());
    let heard = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for place in places {
        for _ in 0..each_world {
            let mut client = place.road.connect().await;
            let mut body = client.open("/api/v1/namespaces/fan/configmaps?watch=1".into()).await;
            let (started, heard) = (started.clone(), heard.clone());
            tasks.push(tokio::spawn(async move {
                let (_client, mut each, mut rest) = (client, Vec::new(), Vec::new());
                while let Some(Ok(frame)) = body.frame().await {
                    rest.extend_from_slice(&frame.into_data().unwrap_or_default());
                    while let Some(end) = rest.iter().position(|b| *b == b'\n') {
                        let line: Vec<u8> = rest.drain(..=end).collect();
                        let line = String::from_utf8_lossy(&line);
                        let Some(nth) = line.split("\"nth-").nth(1).and_then(|t| t.split('"').next()) else { continue };
                        if nth == "last" {
                            return each;
                        }
                        let start = started[nth.parse::<usize>().expect("a number")].get().expect("written");
                        each.push(start.elapsed());
                        heard.fetch_add(1, Ordering::Relaxed);
                    }
                }
                each
            }));
        }
    }
    let mut writers = Vec::new();
    for place in places {
        let mut client = place.road.connect().await;
        client.ask(Ask::post("/api/v1/namespaces", json!({"metadata": {"name": "fan"}}).to_string())).await;
        writers.push(client);
    }
    let (start, mut written, count) = (Instant::now(), 0, writers.len());
    while start.elapsed() < MEASURE {
        let _ = started[written].set(Instant::now());
        let path = "/api/v1/namespaces/fan/configmaps";
        writers[written % count].ask(Ask::post(path, map(&format!("nth-{written}")))).await;
        written += 1;
        // One write after the other: the next when all have heard of this one.
        let wait = Instant::now();
        while heard.load(Ordering::Relaxed) < written * each_world && wait.elapsed() < Duration::from_secs(5) {
            tokio::task::yield_now().await;
        }
    }
    let whole = start.elapsed();
    for writer in &mut writers {
        writer.ask(Ask::post("/api/v1/namespaces/fan/configmaps", map("nth-last"))).await;
    }
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("a watcher"));
    }
    vec![Figure::of(label(&format!("event to {each_world} watchers"), places), all, whole)]
}

/// `exec` of `true`, from the request to the exit code.
pub async fn exec(places: &[Place]) -> Vec<Figure> {
    let mut apis = Vec::new();
    for place in places {
        place.road.connect().await.ask(Ask::post("/api/v1/namespaces/default/pods", pod("run"))).await;
        apis.push(kube::Api::<Pod>::default_namespaced(place.client.clone()));
    }
    for pods in &apis {
        let running = kube::runtime::wait::await_condition(pods.clone(), "run", kube::runtime::conditions::is_pod_running());
        tokio::time::timeout(Duration::from_secs(10), running).await.expect("it runs soon").expect("a watch");
    }
    let (apis, start) = (Arc::new(apis), Instant::now());
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|who| {
            let apis = apis.clone();
            tokio::spawn(async move {
                let mut each = Vec::new();
                while start.elapsed() < MEASURE {
                    let pods = &apis[(who + each.len() * CLIENTS) % apis.len()];
                    let before = Instant::now();
                    let mut process = pods.exec("run", ["true"], &AttachParams::default()).await.expect("runs");
                    let status = process.take_status().expect("a status").await.expect("an end");
                    assert_eq!(status.status.as_deref(), Some("Success"));
                    each.push(before.elapsed());
                }
                each
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("a client"));
    }
    vec![Figure::of(label("exec of true", places), all, start.elapsed())]
}

/// A get in one world while another one has all that it can take: creates and lists by eight clients, and one collection deleted
/// over and over.
pub async fn beside(busy: &Place, quiet: &Place) -> Figure {
    let mut client = quiet.road.connect().await;
    client.ask(Ask::post(MAPS, map("mine"))).await;
    let start = Instant::now();
    let mut tasks = Vec::new();
    for who in 0..CLIENTS {
        let mut client = busy.road.connect().await;
        tasks.push(tokio::spawn(async move {
            for nth in 0.. {
                if start.elapsed() > MEASURE {
                    return;
                }
                let media = "application/json";
                client
                    .ask(match who {
                        0 if nth % 50 == 49 => Ask {
                            method: "DELETE",
                            path: format!("{MAPS}?labelSelector=app%3Dbench"),
                            media,
                            body: String::new(),
                        },
                        0 | 1 => Ask::get(format!("{MAPS}?limit=1000")),
                        _ => Ask::post(MAPS, map(&format!("b{who}-{nth}"))),
                    })
                    .await;
            }
        }));
    }
    let mut each = Vec::new();
    while start.elapsed() < MEASURE {
        let before = Instant::now();
        client.ask(Ask::get(format!("{MAPS}/mine"))).await;
        each.push(before.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let whole = start.elapsed();
    for task in tasks {
        task.await.expect("a client");
    }
    Figure::of(format!("{:<22} tls  a busy one beside", "get"), each, whole)
}

/// What an idle world costs: memory of the process before and after so many, with TLS and port.
pub async fn memory() {
    let before = resident();
    let mut places = Vec::new();
    for n in 0..100 {
        places.push(crate::place(true, 10_000 + n).await);
    }
    let each = (resident() - before) as f64 / places.len() as f64 / 1024.0;
    println!("{:<44} {each:>11.2} MiB (goal 3)", "memory per idle world, of 100 over TLS");
    for place in &places {
        place.handle.shutdown().await;
    }
}
