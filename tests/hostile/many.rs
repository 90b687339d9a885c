//! Much of everything.

use super::{Target, number};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// One connection that asks and waits.
struct Asker<'a> {
    target: &'a Target,
    stream: BufReader<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>,
}

impl Asker<'_> {
    async fn new(target: &Target) -> Asker<'_> {
        Asker { target, stream: BufReader::new(target.connect().await) }
    }

    async fn ask(&mut self, line: &str, body: &str) -> (u16, Vec<u8>) {
        let more = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        let request = self.target.head(line, &more) + body;
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let (mut code, mut length, mut chunked) = (0, 0, false);
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).await.unwrap();
            if let Some(status) = line.strip_prefix("HTTP/1.1 ") {
                code = status[..3].parse().unwrap();
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            chunked |= line.to_ascii_lowercase().starts_with("transfer-encoding: chunked");
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.unwrap();
        while chunked {
            let mut size = String::new();
            self.stream.read_line(&mut size).await.unwrap();
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let start = body.len();
            // With the line's end that follows each chunk.
            body.resize(start + size + 2, 0);
            self.stream.read_exact(&mut body[start..]).await.unwrap();
            body.truncate(start + size);
            chunked = size > 0;
        }
        (code, body)
    }

    async fn json(&mut self, path: &str) -> serde_json::Value {
        let (code, body) = self.ask(&format!("GET {path}"), "").await;
        assert_eq!(code, 200, "{path}");
        serde_json::from_slice(&body).unwrap()
    }
}

fn made(list: &serde_json::Value) -> usize {
    let names = list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap());
    names.filter(|name| name.starts_with("many-")).count()
}

/// 20,000 objects: made one by one, listed in pages and whole, watched from the beginning, deleted at once.
#[tokio::test(flavor = "multi_thread")]
async fn many_objects() {
    let target = Arc::new(Target::start().await);
    let count = number(20_000, 2_000);
    let start = Instant::now();
    let mut askers = Vec::new();
    for _ in 0..4 {
        askers.push(Asker::new(&target).await);
    }
    let creating = askers.iter_mut().enumerate().map(|(who, asker)| async move {
        for n in (who..count).step_by(4) {
            let body = format!(r#"{{"metadata":{{"name":"many-{n}","labels":{{"half":"{}"}}}},"data":{{"n":"{n}"}}}}"#, n % 2);
            assert_eq!(asker.ask(&format!("POST {MAPS}"), &body).await.0, 201);
        }
    });
    futures::future::join_all(creating).await;
    println!("{count} objects made in {:?}, {} MiB", start.elapsed(), target.memory());
    drop(askers);
    let mut asker = Asker::new(&target).await;
    assert_eq!(made(&asker.json(MAPS).await), count);
    assert_eq!(made(&asker.json(&format!("{MAPS}?labelSelector=half%3D1")).await), count / 2);
    let (mut next, mut seen) = (String::new(), 0);
    loop {
        let page = asker.json(&format!("{MAPS}?limit=500&continue={next}")).await;
        seen += made(&page);
        next = page["metadata"]["continue"].as_str().unwrap_or("").to_string();
        if next.is_empty() {
            break;
        }
    }
    assert_eq!(seen, count);

    let mut watch = BufReader::new(target.connect().await);
    watch.write_all(target.head(&format!("GET {MAPS}?watch=1&resourceVersion=0"), "").as_bytes()).await.unwrap();
    events(&mut watch, "ADDED", count).await;
    let slowest = quickly(&target, async { asker.ask(&format!("DELETE {MAPS}?labelSelector=half"), "").await.0 }).await;
    assert_eq!(slowest.0, 200);
    events(&mut watch, "DELETED", count).await;
    assert_eq!(made(&asker.json(MAPS).await), 0);
    println!("all of it in {:?}, {} MiB, slowest get meanwhile {:?}", start.elapsed(), target.memory(), slowest.1);
    assert!(target.memory() < 700, "{} MiB", target.memory());
    assert!(target.runs());
}

/// Reads a watch until it has told so many events of a type.
async fn events(watch: &mut (impl AsyncBufReadExt + Unpin), kind: &str, count: usize) {
    let kind = format!("{{\"type\":\"{kind}\"");
    let (mut seen, mut line) = (0, Vec::new());
    while seen < count {
        line.clear();
        let read = tokio::time::timeout(Duration::from_secs(30), watch.read_until(b'\n', &mut line)).await;
        assert!(read.expect("the watch goes on").unwrap() > 0, "the watch ended after {seen} events");
        seen += usize::from(line.starts_with(kind.as_bytes()) && String::from_utf8_lossy(&line).contains("\"many-"));
    }
}

/// Runs something, and meanwhile asks ordinary questions: the result, and the slowest answer.
async fn quickly<T>(target: &Arc<Target>, work: impl Future<Output = T>) -> (T, Duration) {
    let (target, over) = (target.clone(), Arc::new(AtomicBool::new(false)));
    let asking = tokio::spawn({
        let over = over.clone();
        async move {
            let mut slowest = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                slowest = slowest.max(target.ordinary().await);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            slowest
        }
    });
    let done = work.await;
    over.store(true, Ordering::Relaxed);
    (done, asking.await.unwrap())
}

/// 2,000 watches on connections of their own: all of them hear of a write, and the others are answered meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn many_watches() {
    let target = Arc::new(Target::start().await);
    let wanted = number(2_000, 300);
    let room = open_files().saturating_sub(200);
    let count = wanted.min(room);
    if count < wanted {
        println!("only {count} watches of {wanted}: this machine allows {} open files", open_files());
    }
    let before = target.memory();
    let mut watches = Vec::new();
    for n in 0..count {
        let mut stream = target.connect().await;
        let query = if n % 2 == 0 { "" } else { "&fieldSelector=metadata.name%3Dmany-0" };
        stream.write_all(target.head(&format!("GET {MAPS}?watch=1&resourceVersion=1{query}"), "").as_bytes()).await.unwrap();
        watches.push(BufReader::new(stream));
    }
    assert!(target.ordinary().await < Duration::from_secs(2));
    println!("{count} watches: {} MiB before, {} MiB now", before, target.memory());
    let mut asker = Asker::new(&target).await;
    assert_eq!(asker.ask(&format!("POST {MAPS}"), r#"{"metadata":{"name":"many-0"}}"#).await.0, 201);
    for watch in &mut watches {
        events(watch, "ADDED", 1).await;
    }
    assert!(target.memory() < before + 200, "{} MiB", target.memory());
    drop(watches);
    assert!(target.ordinary().await < Duration::from_secs(2));
    assert!(target.runs());
}

/// How many files a process may have open.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok()).unwrap_or(256)
}

/// Clients that ask for much and read nothing, while others work.
#[tokio::test(flavor = "multi_thread")]
async fn many_who_never_read() {
    let target = Arc::new(Target::start().await);
    let mut asker = Asker::new(&target).await;
    let text = "x".repeat(100_000);
    for n in 0..60 {
        let body = format!(r#"{{"metadata":{{"name":"many-{n}"}},"data":{{"text":"{text}"}}}}"#);
        assert_eq!(asker.ask(&format!("POST {MAPS}"), &body).await.0, 201);
    }
    let mut silent = Vec::new();
    for n in 0..100 {
        let mut stream = target.connect().await;
        let what = if n % 2 == 0 { "?watch=1" } else { "" };
        for _ in 0..10 {
            stream.write_all(target.head(&format!("GET {MAPS}{what}"), "").as_bytes()).await.unwrap();
        }
        silent.push(stream);
    }
    let mut slowest = Duration::ZERO;
    for n in 0..60 {
        let body = format!(r#"{{"metadata":{{"name":"many-{n}"}},"data":{{"text":"{n}{text}"}}}}"#);
        assert_eq!(asker.ask(&format!("PUT {MAPS}/many-{n}"), &body).await.0, 200);
        slowest = slowest.max(target.ordinary().await);
    }
    println!("100 silent clients: {} MiB, slowest get {slowest:?}", target.memory());
    assert!(target.memory() < 250, "{} MiB", target.memory());
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    assert!(target.runs());
}
