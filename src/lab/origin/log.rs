//! One line per request, written by a thread of its own: a reader that does not read keeps no client waiting.

use crate::base::clock::Time;
use std::fmt::Write as _;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Lines that wait for their reader; more are counted and left out.
const WAITING: usize = 4_096;
/// Characters of a text that a client sent.
const LONGEST: usize = 300;

/// Where lines go. Copies share it.
#[derive(Clone)]
pub struct Log {
    lines: SyncSender<String>,
    lost: Arc<AtomicU64>,
}

/// The thread that writes.
pub struct Writer(Receiver<()>);

/// What a line tells.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    pub now: Time,
    /// The front end's id.
    pub site: &'a str,
    pub from: SocketAddr,
    /// `http/1.1`, `h2`, `bytes`; with `tls+` before it inside TLS.
    pub protocol: &'a str,
    /// Method, authority and path, as sent; or what happened instead of a request.
    pub asked: &'a [&'a str],
    /// The status; 0: there was no answer.
    pub status: u16,
    /// Bytes of the answer's body.
    pub bytes: u64,
    pub ms: u64,
    pub user_agent: &'a str,
}

impl Log {
    /// A log into `out`, and the thread that writes it, which ends when the last copy of the log is gone.
    pub fn new(out: impl Write + Send + 'static) -> (Log, Writer) {
        let (lines, waiting) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let of_writer = lost.clone();
        let (done, ended) = sync_channel(1);
        std::thread::spawn(move || {
            write_all(&waiting, out, &of_writer);
            let _ = done.send(());
        });
        (Log { lines, lost }, Writer(ended))
    }

    /// A line as it is.
    pub fn say(&self, line: String) {
        if self.lines.try_send(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A line about a request.
    pub fn tell(&self, entry: &Entry<'_>) {
        self.say(entry.line());
    }
}

impl Writer {
    /// Waits until everything is written, but not for a reader who does not read. No [`Log`] may be left.
    pub fn finish(self, most: Duration) {
        let _ = self.0.recv_timeout(most);
    }
}

impl Entry<'_> {
    /// `2026-01-01T09:00:00.000Z wikimedia 172.18.0.2:40112 tls+h2 "GET www.wikipedia.org /" 200 354 24ms "curl/8.1.2"`. What clients
    /// sent is made harmless: control characters and quotes are escaped, long texts are cut.
    pub fn line(&self) -> String {
        let asked: Vec<String> = self.asked.iter().map(|part| harmless(part)).collect();
        let (time, agent) = (self.now.envoy(), harmless(self.user_agent));
        let status = if self.status == 0 { "-".to_string() } else { self.status.to_string() };
        let asked = asked.join(" ");
        let Entry { site, from, protocol, bytes, ms, .. } = self;
        format!("{time} {site} {from} {protocol} \"{asked}\" {status} {bytes} {ms}ms \"{agent}\"")
    }
}

fn harmless(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(LONGEST) {
        match c {
            '"' | '\\' => drop(write!(out, "\\{c}")),
            c if c.is_control() => drop(write!(out, "{}", c.escape_default())),
            c => out.push(c),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        out.push_str("..");
    }
    out
}

fn write_all(waiting: &Receiver<String>, mut out: impl Write, lost: &AtomicU64) {
    while let Ok(line) = waiting.recv() {
        let lost = lost.swap(0, Ordering::Relaxed);
        let note = if lost == 0 { String::new() } else { format!("({lost} lines were not written: nobody read them)\n") };
        let _ = out.write_all(format!("{note}{line}\n").as_bytes()).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn entry<'a>(asked: &'a [&'a str], agent: &'a str) -> Entry<'a> {
        let from = "172.18.0.2:40112".parse().unwrap();
        let (now, site, protocol) = (Time::LOGICAL_START, "wikimedia", "tls+h2");
        Entry { now, site, from, protocol, asked, status: 200, bytes: 354, ms: 24, user_agent: agent }
    }

    #[test]
    fn a_line_is_one_line_whatever_was_sent() {
        let line = entry(&["GET", "www.wikipedia.org", "/"], "curl/8.1.2").line();
        let wanted =
            r#"2026-01-01T09:00:00.000Z wikimedia 172.18.0.2:40112 tls+h2 "GET www.wikipedia.org /" 200 354 24ms "curl/8.1.2""#;
        assert_eq!(line, wanted);
        let long = "y".repeat(100_000);
        let hostile = entry(&["GET", "a\r\nb\u{1b}[2J", &long], "\"quoted\" \u{9b}31m").line();
        assert!(!hostile.chars().any(char::is_control), "{hostile:?}");
        assert!(hostile.contains(r#"\"quoted\" \u{9b}31m"#) && hostile.contains("a\\r\\nb\\u{1b}[2J"), "{hostile}");
        assert!(hostile.len() < 700);
    }

    /// A pipe that nobody reads until it is told to.
    struct Slow(Arc<Mutex<Vec<u8>>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_does_not_read_costs_lines_and_nothing_else() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let (log, writer) = Log::new(Slow(written.clone()));
        let held = written.lock().unwrap();
        (0..WAITING + 100).for_each(|n| log.say(format!("line {n}")));
        drop(held);
        while written.lock().unwrap().len() < 100 {
            std::thread::yield_now();
        }
        log.say("the last".into());
        drop(log);
        writer.finish(Duration::from_secs(60));
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert!(text.contains("line 0\n") && text.contains(" lines were not written"), "{}", &text[..60]);
        assert!(text.lines().count() <= WAITING + 4, "{}", text.lines().count());
    }
}
