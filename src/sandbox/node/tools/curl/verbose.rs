//! What `-v` prints, and header lines as they came over the wire.

use super::request::Hop;
use super::texts::HANDSHAKE;
use super::transfer::Transfer;
use super::url::Url;
use crate::outside::wire::{DnsAnswer, Failure, HttpVersion, Request, Response, Scheme};
use std::net::IpAddr;

/// Status line and headers; `styled`: names in bold, as curl has them on a terminal.
pub fn header_lines(response: &Response, styled: bool) -> String {
    let mut text = match response.version {
        HttpVersion::Http2 => format!("HTTP/2 {} \r\n", response.status),
        HttpVersion::Http11 => format!("HTTP/1.1 {} {}\r\n", response.status, response.reason),
        HttpVersion::Http10 => format!("HTTP/1.0 {} {}\r\n", response.status, response.reason),
    };
    for (name, value) in &response.headers {
        let name = if response.version == HttpVersion::Http2 { name.to_ascii_lowercase() } else { name.to_string() };
        text.push_str(&match styled {
            true => format!("\x1b[1m{name}\x1b[0m: {value}\r\n"),
            false => format!("{name}: {value}\r\n"),
        });
    }
    text.push_str("\r\n");
    text
}

/// Bytes of the header lines.
pub fn header_bytes(response: &Response) -> u64 {
    header_lines(response, false).len() as u64
}

fn request_lines(request: &Request, version: HttpVersion) -> Vec<String> {
    let name = match version {
        HttpVersion::Http2 => "HTTP/2",
        HttpVersion::Http11 => "HTTP/1.1",
        HttpVersion::Http10 => "HTTP/1.0",
    };
    let mut lines = vec![format!("{} {} {name}\r\n", request.method, request.path)];
    lines.extend(request.headers.iter().map(|(n, v)| if v.is_empty() { format!("{n}:\r\n") } else { format!("{n}: {v}\r\n") }));
    lines.push("\r\n".to_string());
    lines
}

/// Bytes of the request's head.
pub fn request_bytes(request: &Request, version: HttpVersion) -> u64 {
    request_lines(request, spoken(request, version)).iter().map(|l| l.len() as u64).sum()
}

/// The version in the request line: what TLS agreed on, else what the client chose.
fn spoken(request: &Request, answered: HttpVersion) -> HttpVersion {
    match (request.scheme, request.version) {
        (_, HttpVersion::Http10) => HttpVersion::Http10,
        (Scheme::Https, HttpVersion::Http2) => answered,
        (_, version) => version,
    }
}

fn shown(address: IpAddr) -> String {
    if address.is_ipv6() { format!("[{address}]") } else { address.to_string() }
}

/// Connecting, the handshake and the request.
pub fn request(transfer: &mut Transfer<'_, '_, '_>, request: &Request, response: &Response, number: usize, reused: bool) {
    if !transfer.config.verbose {
        return;
    }
    let mut lines = String::new();
    let host = &request.host;
    let version = spoken(request, response.version);
    if reused {
        lines.push_str(&format!("* Re-using existing connection #{number} with host {host}\n"));
    } else {
        let address = response.peer.map(|(a, _)| a).or(request.address).or_else(|| first_address(transfer, host));
        let address = address.unwrap_or(IpAddr::from([0, 0, 0, 0]));
        lines.push_str(&format!("*   Trying {}:{}...\n", shown(address), request.port));
        lines.push_str(&format!("* Connected to {host} ({address}) port {} (#{number})\n", request.port));
        if request.scheme == Scheme::Https {
            handshake(transfer, request, version, &mut lines);
        }
    }
    if request.scheme == Scheme::Https {
        lines.push_str(if version == HttpVersion::Http2 { "* using HTTP/2\n" } else { "* using HTTP/1.1\n" });
        if version == HttpVersion::Http2 {
            h2_lines(request, number, &mut lines);
        }
    }
    for line in request_lines(request, version) {
        lines.push_str(&format!("> {line}"));
    }
    transfer.tool.err(&lines);
    transfer.data_line('}', request.body_len as usize);
}

fn handshake(transfer: &Transfer<'_, '_, '_>, request: &Request, version: HttpVersion, lines: &mut String) {
    let offers = if request.version == HttpVersion::Http2 { "h2,http/1.1" } else { "http/1.1" };
    opening(transfer, offers, lines);
    for line in HANDSHAKE {
        lines.push_str(&format!("* {line}\n"));
    }
    let chosen = if version == HttpVersion::Http2 { "h2" } else { "http/1.1" };
    lines.push_str(&format!("* ALPN: server accepted {chosen}\n"));
    if !request.insecure {
        lines.push_str("*  SSL certificate verify ok.\n");
    }
}

fn opening(transfer: &Transfer<'_, '_, '_>, offers: &str, lines: &mut String) {
    let bundle = transfer.tool.call.env.get("CURL_CA_BUNDLE").cloned();
    let file = transfer.config.cacert.clone().or(bundle).unwrap_or_else(|| "/etc/ssl/certs/ca-certificates.crt".to_string());
    lines.push_str(&format!("* ALPN: offers {offers}\n* TLSv1.3 (OUT), TLS handshake, Client hello (1):\n"));
    if !transfer.config.insecure {
        lines.push_str(&format!("*  CAfile: {file}\n*  CApath: none\n"));
    }
}

fn h2_lines(request: &Request, number: usize, lines: &mut String) {
    let authority = request.header("Host").unwrap_or(&request.host);
    lines.push_str(&format!("* h2 [:method: {}]\n* h2 [:scheme: https]\n", request.method));
    lines.push_str(&format!("* h2 [:authority: {authority}]\n* h2 [:path: {}]\n", request.path));
    for (name, value) in request.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
        lines.push_str(&format!("* h2 [{}: {value}]\n", name.to_ascii_lowercase()));
    }
    lines.push_str(&format!("* Using Stream ID: 1 (easy handle 0x7f1e0c0d{:04x})\n", 0x1a90 + number * 0x10));
}

fn first_address(transfer: &mut Transfer<'_, '_, '_>, host: &str) -> Option<IpAddr> {
    match transfer.tool.env.resolve(host) {
        DnsAnswer::Addresses { addresses, .. } => addresses.first().copied(),
        _ => None,
    }
}

/// The answer's head.
pub fn response(transfer: &mut Transfer<'_, '_, '_>, response: &Response) {
    if !transfer.config.verbose {
        return;
    }
    let text: String = header_lines(response, false).split_inclusive('\n').map(|line| format!("< {line}")).collect();
    transfer.tool.err(&text);
}

/// What a failed exchange showed before its error.
pub fn failure(transfer: &mut Transfer<'_, '_, '_>, request: &Request, failure: &Failure, text: &str, number: usize) {
    if !transfer.config.verbose {
        return;
    }
    let mut lines = String::new();
    let (host, port) = (&request.host, request.port);
    let address = match failure {
        Failure::NameNotResolved => None,
        Failure::ConnectionRefused { address, .. } => Some(*address),
        _ => request.address.or_else(|| first_address(transfer, host)),
    };
    if let Some(address) = address {
        lines.push_str(&format!("*   Trying {}:{port}...\n", shown(address)));
        match failure {
            Failure::ConnectionRefused { .. } => {
                lines.push_str(&format!("* connect to {address} port {port} failed: Connection refused\n"));
            }
            Failure::ConnectTimedOut => (),
            _ => {
                lines.push_str(&format!("* Connected to {host} ({address}) port {port} (#{number})\n"));
                after_connect(transfer, request, failure, &mut lines);
            }
        }
    }
    lines.push_str(&format!("* {text}\n"));
    transfer.tool.err(&lines);
}

fn after_connect(transfer: &Transfer<'_, '_, '_>, request: &Request, failure: &Failure, lines: &mut String) {
    let in_handshake = matches!(
        failure,
        Failure::TlsHandshakeClosed { .. }
            | Failure::TlsWrongVersion
            | Failure::CertificateName { .. }
            | Failure::CertificateUnknownIssuer
    );
    if request.scheme == Scheme::Https {
        let offers = if request.version == HttpVersion::Http2 { "h2,http/1.1" } else { "http/1.1" };
        opening(transfer, offers, lines);
    }
    if !in_handshake {
        for line in request_lines(request, request.version) {
            lines.push_str(&format!("> {line}"));
        }
    }
}

/// After a good answer.
pub fn left_intact(transfer: &mut Transfer<'_, '_, '_>, hop: &Hop, number: usize) {
    if !transfer.config.verbose {
        return;
    }
    let closes = transfer.state.response.as_ref().is_some_and(|r| {
        r.version == HttpVersion::Http10
            || r.headers.iter().any(|(n, v)| n.eq_ignore_ascii_case("connection") && v.eq_ignore_ascii_case("close"))
    });
    let text = match closes {
        true => format!("* Closing connection {number}\n"),
        false => format!("* Connection #{number} to host {} left intact\n", hop.url.host),
    };
    transfer.tool.err(&text);
}

/// Before the next hop.
pub fn redirect(transfer: &mut Transfer<'_, '_, '_>, from: &Url, to: &Url) {
    if !transfer.config.verbose {
        return;
    }
    let mut lines = String::new();
    if from.port() != to.port() {
        lines.push_str(&format!("* Clear auth, redirects to port from {} to {}\n", from.port(), to.port()));
    } else if from.scheme != to.scheme {
        lines.push_str(&format!("* Clear auth, redirects scheme from {} to {}\n", from.scheme, to.scheme));
    }
    lines.push_str(&format!("* Issue another request to this URL: '{}'\n", to.text()));
    transfer.tool.err(&lines);
}
