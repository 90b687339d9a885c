//! The client: a real curl from the pod's address.

use egress_lab::outside::wire::{HttpVersion, Request, Scheme};
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

/// What curl saw.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    pub exit: i32,
    pub status: Option<u16>,
    pub reason: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub error: String,
}

/// Sends a request from an address to an address.
pub fn send(request: &Request, from: IpAddr, to: IpAddr, roots: &Path, folder: &Path) -> Seen {
    let (head, body) = (folder.join("head"), folder.join("body"));
    let _ = (std::fs::remove_file(&head), std::fs::remove_file(&body));
    let scheme = if request.scheme == Scheme::Https { "https" } else { "http" };
    let literal = request.host.parse::<IpAddr>().is_ok();
    let mut command = Command::new("curl");
    command.args(["-sS", "-q", "--noproxy", "*", "--max-redirs", "0", "--interface", &from.to_string()]);
    command.arg("--cacert").arg(roots).arg("-D").arg(&head).arg("-o").arg(&body);
    if request.version == HttpVersion::Http10 {
        command.arg("-0");
    }
    if !literal {
        command.arg("--resolve").arg(format!("{}:{}:{to}", request.host, request.port));
    }
    match request.method.as_str() {
        "HEAD" => drop(command.arg("-I")),
        "GET" => {}
        other => drop(command.args(["-X", other])),
    }
    if request.body_len > 0 {
        command.arg("--data-binary").arg("x".repeat(request.body_len as usize));
    }
    for (name, value) in &request.headers {
        let port = if matches!((scheme, request.port), ("http", 80) | ("https", 443)) {
            String::new()
        } else {
            format!(":{}", request.port)
        };
        let usual = name.eq_ignore_ascii_case("host") && *value == format!("{}{port}", request.host);
        if !usual {
            command.arg("-H").arg(format!("{name}: {value}"));
        }
    }
    if request.insecure {
        command.arg("-k");
    }
    let limit = request.max_time_ms.unwrap_or(20_000);
    command.arg("-m").arg(format!("{}.{:03}", limit / 1000, limit % 1000));
    command.arg(format!("{scheme}://{}:{}{}", request.host, request.port, request.path));
    let output = command.output().expect("curl runs");
    let mut seen = Seen {
        exit: output.status.code().unwrap_or(-1),
        error: String::from_utf8_lossy(&output.stderr).trim().to_string(),
        body: std::fs::read(&body).unwrap_or_default(),
        ..Seen::default()
    };
    read_head(&std::fs::read_to_string(&head).unwrap_or_default(), &mut seen);
    if request.method == "HEAD" {
        seen.body.clear();
    }
    seen
}

/// The last head of the file: one of a `100 Continue` may stand before it.
fn read_head(text: &str, seen: &mut Seen) {
    let Some(last) = text.trim_end().rsplit("\r\n\r\n").next() else { return };
    let mut lines = last.lines();
    let mut words = lines.next().unwrap_or("").splitn(3, ' ').skip(1);
    seen.status = words.next().and_then(|w| w.parse().ok());
    seen.reason = words.next().unwrap_or("").to_string();
    let pair = |l: &str| l.split_once(':').map(|(n, v)| (n.to_string(), v.trim().to_string()));
    seen.headers = lines.filter_map(pair).collect();
}
