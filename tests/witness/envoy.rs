//! The real Envoy as a process.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The program: `$ENVOY`, else what `tests/peers/envoy.sh` finds or fetches. `Err` says why there is none.
pub fn find() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("ENVOY") {
        return Ok(PathBuf::from(path));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/envoy.sh");
    let output = Command::new("bash").arg(script).output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
    match output.status.success() && Path::new(&text).is_file() {
        true => Ok(PathBuf::from(text)),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_string()),
    }
}

/// A running proxy; it ends with this value.
pub struct Envoy {
    child: Child,
    pub log: PathBuf,
    read: u64,
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Envoy {
    /// Starts a proxy and waits until it serves. `log` is the access log its configuration names.
    pub fn start(program: &Path, config: &Path, log: &Path, admin: u16) -> Envoy {
        let own_log = config.with_extension("log");
        std::fs::write(log, "").expect("the access log");
        let mut command = Command::new(program);
        command.arg("-c").arg(config).args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]);
        command.args(["--file-flush-interval-msec", "10", "--drain-time-s", "1"]).arg("--log-path").arg(&own_log);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("Envoy starts");
        let mut envoy = Envoy { child, log: log.into(), read: 0 };
        let start = Instant::now();
        while !get(admin, "/ready").is_some_and(|answer| answer.contains("LIVE")) {
            let gone = envoy.child.try_wait().expect("a child").is_some();
            let text = || std::fs::read_to_string(&own_log).unwrap_or_default();
            assert!(!gone, "Envoy ended: {}\n{}", config.display(), text());
            assert!(start.elapsed() < Duration::from_secs(20), "Envoy is not ready: {}", text());
            sleep(Duration::from_millis(10));
        }
        envoy
    }

    /// The lines written since the last call: waits for `wanted`, then a moment for more than that.
    pub fn lines(&mut self, wanted: usize) -> Vec<String> {
        let start = Instant::now();
        let mut lines;
        loop {
            let text = std::fs::read(&self.log).unwrap_or_default();
            let new = String::from_utf8_lossy(&text[(self.read as usize).min(text.len())..]).into_owned();
            lines = new.lines().map(str::to_string).collect::<Vec<_>>();
            let complete = lines.len() >= wanted && new.ends_with('\n') || wanted == 0;
            if complete || start.elapsed() > Duration::from_secs(3) {
                sleep(Duration::from_millis(40));
                let text = std::fs::read(&self.log).unwrap_or_default();
                let new = String::from_utf8_lossy(&text[(self.read as usize).min(text.len())..]).into_owned();
                self.read = text.len() as u64;
                return new.lines().map(str::to_string).collect();
            }
            sleep(Duration::from_millis(10));
        }
    }
}

/// A GET of the administration interface; the whole answer.
pub fn get(admin: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", admin)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}
