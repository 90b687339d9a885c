//! The outside world on real sockets: every site of `Outside` listens on its own addresses and answers as the model says it does, faults
//! included; and a name server. HTTP/1.1 only: what origins say over HTTP/2 is not looked at.

use super::keys::Authority;
use egress_lab::base::clock::Time;
use egress_lab::outside::answer::{self, Asked};
use egress_lab::outside::site::{Port, Speaks};
use egress_lab::outside::wire::{DnsAnswer, Header, HttpVersion, Response};
use egress_lab::outside::{OriginFault, Outside};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How the world is at the moment; the servers look each time.
pub type World = Arc<Mutex<Outside>>;

/// The open ports of the outside world.
pub fn open_ports(outside: &Outside) -> Vec<(IpAddr, u16)> {
    let mut all: Vec<(IpAddr, u16)> = Vec::new();
    for ip in outside.names().into_iter().flat_map(|(_, addresses)| addresses) {
        let site = outside.site_at(ip).expect("an address of a site");
        all.extend(site.ports.keys().map(|p| (ip, p.parse().expect("a port"))));
    }
    all.sort();
    all.dedup();
    all
}

/// Starts a server on every open port.
pub fn start(world: &World, public: &Authority) {
    let outside = world.lock().expect("the world").clone();
    for (ip, port) in open_ports(&outside) {
        let site = outside.site_at(ip).expect("a site");
        let tls = public.server(&site.certificate);
        let listener = TcpListener::bind((ip, port)).unwrap_or_else(|e| panic!("{ip}:{port}: {e}"));
        let world = world.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let origin = Origin { world: world.clone(), ip, port, tls: tls.clone() };
                thread::spawn(move || origin.serve(stream));
            }
        });
    }
}

struct Origin {
    world: World,
    ip: IpAddr,
    port: u16,
    tls: Arc<rustls::ServerConfig>,
}

impl Origin {
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let outside = self.world.lock().expect("the world").clone();
        let open = outside.site_at(self.ip)?.port(self.port)?.clone();
        let from = stream.peer_addr().ok()?.ip().to_string();
        let mut first = [0u8];
        stream.peek(&mut first).ok()?;
        match outside.fault_at(self.ip, self.port) {
            Some(OriginFault::Close) => {
                let _ = stream.read(&mut [0u8; 8192]);
                return None;
            }
            Some(OriginFault::Hang) => {
                thread::sleep(Duration::from_secs(30));
                return None;
            }
            _ => {}
        }
        let hello = first[0] == 0x16;
        match open.speaks {
            // What it echoes is no HTTP, and the model has nothing to say about it.
            Speaks::Bytes => stream.read(&mut [0u8; 8192]).ok().map(drop),
            Speaks::Http if hello => refuse(&mut stream),
            Speaks::Http => self.talk(&mut stream, &open, &from, false),
            Speaks::Tls if hello => {
                let session = rustls::ServerConnection::new(self.tls.clone()).ok()?;
                let mut stream = rustls::StreamOwned::new(session, stream);
                self.talk(&mut stream, &open, &from, true)
            }
            Speaks::Tls => {
                let request = Head::read(&mut BufReader::new(&mut stream))?;
                let page = answer::plain_on_tls(open.plain, &request.asked(&from, false))?;
                write(&mut stream, &page, &request)
            }
        }
    }

    /// Requests one after the other, until the client has enough or an answer ends the connection.
    fn talk(&self, stream: &mut (impl Read + Write), open: &Port, from: &str, secure: bool) -> Option<()> {
        loop {
            let mut reader = BufReader::with_capacity(1 << 16, &mut *stream);
            if secure && reader.fill_buf().ok()?.first() == Some(&0x16) {
                drop(reader);
                return refused(stream);
            }
            let request = Head::read(&mut reader)?;
            let said = answer::at_port(open, &request.asked(from, secure));
            let fault = self.world.lock().expect("the world").fault_at(self.ip, self.port);
            let slow = if let Some(OriginFault::Slow(ms)) = fault { ms } else { 0 };
            thread::sleep(Duration::from_millis(slow + said.extra_ms));
            write(stream, &said.response, &request)?;
            let closes = said.response.headers.iter().any(|(n, v)| n.eq_ignore_ascii_case("connection") && v == "close");
            if closes {
                return Some(());
            }
        }
    }
}

/// What a server for plain HTTP says to a TLS hello.
fn refuse(stream: &mut (impl Read + Write)) -> Option<()> {
    let _ = stream.read(&mut [0u8; 8192]);
    refused(stream)
}

fn refused(stream: &mut impl Write) -> Option<()> {
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()?;
    stream.flush().ok()
}

/// A request as it arrives.
pub struct Head {
    method: String,
    path: String,
    authority: String,
    headers: Vec<Header>,
    http10: bool,
}

impl Head {
    fn read(reader: &mut impl BufRead) -> Option<Head> {
        let mut line = |most: u64| {
            let mut text = String::new();
            reader.take(most).read_line(&mut text).ok().filter(|n| *n > 0)?;
            Some(text.trim_end().to_string())
        };
        let first = line(1 << 16)?;
        let mut words = first.split(' ');
        let (method, path, version) = (words.next()?.to_string(), words.next()?.to_string(), words.next()?.to_string());
        let mut headers: Vec<Header> = Vec::new();
        for _ in 0..200 {
            let text = line(1 << 16)?;
            let Some((name, value)) = text.split_once(':') else { break };
            headers.push((name.to_string().into(), value.trim().to_string().into()));
        }
        let value = |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_string());
        let authority = value("host").unwrap_or_default();
        let length: u64 = value("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
        std::io::copy(&mut reader.take(length), &mut std::io::sink()).ok()?;
        Some(Head { method, path, authority, headers, http10: version == "HTTP/1.0" })
    }

    fn asked<'a>(&'a self, from: &'a str, secure: bool) -> Asked<'a> {
        Asked {
            method: &self.method,
            authority: &self.authority,
            path: &self.path,
            headers: &self.headers,
            version: if self.http10 { HttpVersion::Http10 } else { HttpVersion::Http11 },
            secure,
            from,
            now: Time::LOGICAL_START,
        }
    }
}

fn write(stream: &mut impl Write, response: &Response, request: &Head) -> Option<()> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", response.status, response.reason);
    for (name, value) in &response.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    if request.method != "HEAD" {
        stream.write_all(&response.body).ok()?;
    }
    stream.flush().ok()
}

/// A name server at 127.0.0.1:53 for what the outside world says.
pub fn name_server(world: &World) {
    let socket = UdpSocket::bind("127.0.0.1:53").expect("port 53 of the namespace");
    let world = world.clone();
    thread::spawn(move || {
        let mut buffer = [0u8; 1500];
        while let Ok((n, from)) = socket.recv_from(&mut buffer) {
            let outside = world.lock().expect("the world").clone();
            if let Some(reply) = dns_reply(&buffer[..n], &outside) {
                let _ = socket.send_to(&reply, from);
            }
        }
    });
}

/// The reply to a question; `None` for silence.
fn dns_reply(question: &[u8], outside: &Outside) -> Option<Vec<u8>> {
    let (mut at, mut labels) = (12, Vec::new());
    while let Some(length) = question.get(at).copied().filter(|l| *l > 0) {
        labels.push(String::from_utf8_lossy(question.get(at + 1..at + 1 + usize::from(length))?).into_owned());
        at += 1 + usize::from(length);
    }
    let end = at + 5;
    let is_a = question.get(at + 1..at + 3)? == [0, 1];
    let (code, addresses) = match outside.resolve(&labels.join(".")) {
        DnsAnswer::TimedOut => return None,
        DnsAnswer::NoSuchName => (3, Vec::new()),
        DnsAnswer::Addresses { addresses, .. } => (0, addresses),
    };
    let v4: Vec<Ipv4Addr> = addresses.iter().filter_map(|ip| if let IpAddr::V4(v4) = ip { Some(*v4) } else { None }).collect();
    let v4 = if is_a { v4 } else { Vec::new() };
    let mut reply = question.get(..2)?.to_vec();
    reply.extend([0x81, 0x80 | code, 0, 1, 0, v4.len() as u8, 0, 0, 0, 0]);
    reply.extend(question.get(12..end)?);
    for ip in v4 {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4]);
        reply.extend(ip.octets());
    }
    Some(reply)
}
