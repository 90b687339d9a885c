//! `-w`: what is known after a transfer.

use super::transfer::Transfer;
use crate::base::io::Stream;
use crate::base::not_simulated;

/// Writes the format with its variables filled in.
pub fn write(transfer: &mut Transfer<'_, '_, '_>, format: &str) {
    let mut to = Stream::Out;
    let mut rest = format;
    let mut text = String::new();
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match (c, rest.chars().next()) {
            ('%', Some('%')) => {
                text.push('%');
                rest = &rest[1..];
            }
            ('%', Some('{')) => match rest[1..].split_once('}') {
                None => text.push('%'),
                Some((name, after)) => {
                    rest = after;
                    match name {
                        "stdout" | "stderr" => {
                            flush(transfer, to, &mut text);
                            to = if name == "stderr" { Stream::Err } else { Stream::Out };
                        }
                        "onerror" if transfer.state.code == 0 => break,
                        "onerror" => (),
                        name => value(transfer, name, &mut text),
                    }
                }
            },
            ('%', Some('h')) if rest.starts_with("header{") => match rest["header{".len()..].split_once('}') {
                None => text.push('%'),
                Some((name, after)) => {
                    rest = after;
                    text.push_str(&header(transfer, name));
                }
            },
            ('\\', Some(e @ ('n' | 'r' | 't'))) => {
                rest = &rest[1..];
                text.push(match e {
                    'n' => '\n',
                    'r' => '\r',
                    _ => '\t',
                });
            }
            ('\\', Some(other)) => {
                rest = &rest[other.len_utf8()..];
                text.extend(['\\', other]);
            }
            (c, _) => text.push(c),
        }
    }
    flush(transfer, to, &mut text);
}

fn flush(transfer: &mut Transfer<'_, '_, '_>, to: Stream, text: &mut String) {
    transfer.tool.put(to, std::mem::take(text).as_bytes());
}

fn header(transfer: &Transfer<'_, '_, '_>, name: &str) -> String {
    let response = transfer.state.response.as_ref();
    let found = response.and_then(|r| r.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)));
    found.map(|(_, v)| v.to_string()).unwrap_or_default()
}

/// Milliseconds as curl prints seconds.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}000", ms / 1000, ms % 1000)
}

fn value(transfer: &mut Transfer<'_, '_, '_>, name: &str, text: &mut String) {
    match known(transfer, name).or_else(|| timing(transfer, name)) {
        Some(value) => text.push_str(&value),
        None => {
            let message = match name {
                "json"
                | "header_json"
                | "local_port"
                | "certs"
                | "num_certs"
                | "proxy_ssl_verify_result"
                | "http_connect"
                | "ftp_entry_path"
                | "proxy_used" => format!("{}\n", not_simulated(&format!("curl -w %{{{name}}}"))),
                _ => format!("curl: unknown --write-out variable: '{name}'\n"),
            };
            transfer.tool.err(&message);
        }
    }
}

fn known(transfer: &Transfer<'_, '_, '_>, name: &str) -> Option<String> {
    let state = &transfer.state;
    let response = state.response.as_ref();
    let peer = response.and_then(|r| r.peer);
    Some(match name {
        "http_code" | "response_code" => format!("{:03}", response.map_or(0, |r| r.status)),
        "num_redirects" => state.redirects.to_string(),
        "num_connects" => state.connects.to_string(),
        "num_headers" => response.map_or(0, |r| r.headers.len()).to_string(),
        "url" => transfer.text.to_string(),
        "url_effective" if state.url.is_empty() => transfer.text.to_string(),
        "url_effective" => state.url.clone(),
        "urlnum" => transfer.nth.to_string(),
        "redirect_url" => state.redirect_url.clone(),
        "remote_ip" => peer.map(|(ip, _)| ip.to_string()).unwrap_or_default(),
        "remote_port" => peer.map_or(0, |(_, port)| port).to_string(),
        "local_ip" => response.map(|_| transfer.tool.env.facts().address).unwrap_or_default(),
        "exitcode" => state.code.to_string(),
        "errormsg" => state.error.clone(),
        "ssl_verify_result" => state.verify.to_string(),
        "size_download" => state.received.to_string(),
        "size_upload" => state.sent.to_string(),
        "size_header" => state.header_bytes.to_string(),
        "size_request" => state.request_bytes.to_string(),
        "speed_download" => rate(state.received, state.end_ms - state.start_ms),
        "speed_upload" => rate(state.sent, state.end_ms - state.start_ms),
        "content_type" => header(transfer, "content-type"),
        "method" => state.method.clone(),
        "scheme" => if state.https { "HTTPS" } else { "HTTP" }.to_string(),
        "http_version" => transfer.version().to_string(),
        "filename_effective" => state.file.clone(),
        _ => return None,
    })
}

fn rate(bytes: u64, ms: u64) -> String {
    (bytes * 1000 / ms.max(1)).to_string()
}

/// Only the whole time is simulated: the parts before the answer are 0, those up to the answer are all of it.
fn timing(transfer: &Transfer<'_, '_, '_>, name: &str) -> Option<String> {
    let total = transfer.state.end_ms - transfer.state.start_ms;
    match name {
        "time_total" | "time_starttransfer" => Some(seconds(total)),
        "time_namelookup" | "time_connect" | "time_appconnect" | "time_pretransfer" | "time_redirect" => Some(seconds(0)),
        _ => None,
    }
}
