//! What a client that means well sees.

use super::kit::{Origin, Seen, ask};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The lesson's own command.
#[test]
fn the_lessons_command_sees_the_redirect_and_then_the_page_over_http2() {
    let origin = Origin::whole();
    let seen = origin.curl(&["-sS", "--head", "-L", "http://www.wikipedia.org"]);
    assert_eq!(seen.code, 0, "{}", seen.err);
    let lines: Vec<&str> = seen.out.lines().collect();
    assert_eq!(lines[0], "HTTP/1.1 301 TLS Redirect", "{}", seen.out);
    assert!(lines.contains(&"location: https://www.wikipedia.org/") && lines.contains(&"HTTP/2 200 "), "{}", seen.out);
    origin.logged("http/1.1 \"HEAD www.wikipedia.org /\" 301 ");
    let line = origin.logged("tls+h2 \"HEAD www.wikipedia.org /\" 200 ");
    assert!(line.contains(" wikimedia 127.0.0.1:") && line.contains("\"curl/"), "{line}");
    let old =
        origin.curl(&["-sS", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "--http1.1", "https://www.wikipedia.org/"]);
    assert_eq!(old.out, "1.1 200");
}

#[test]
fn the_server_name_chooses_the_certificate() {
    let origin = Origin::whole();
    let subject = |seen: &Seen| seen.err.lines().find(|line| line.contains("subject:")).unwrap_or_default().to_string();
    let get = |args: &[&str]| origin.curl(&[&["-sS", "-v", "-o", "/dev/null", "-w", "%{http_code}"], args].concat());
    let (one, other) = (get(&["https://en.wikipedia.org/wiki/Main_Page"]), get(&["https://www.example.org/"]));
    assert_eq!((one.code, one.out.as_str(), other.code, other.out.as_str()), (0, "200", 0, "200"), "{}{}", one.err, other.err);
    assert!(subject(&one).contains("CN=wikipedia.org") && subject(&other).contains("CN=example.com"), "{}", subject(&one));
    // Nobody's name: the first site stands there, its certificate is not good for it.
    let stranger = get(&["https://stranger.test/"]);
    assert_eq!(stranger.code, 60, "{}", stranger.err);
    let taken = get(&["-k", "https://stranger.test/"]);
    assert_eq!((taken.code, taken.out.as_str()), (0, "200"), "{}", taken.err);
    assert!(subject(&taken).contains("CN=wikipedia.org"));
    // No name at all: an address has none.
    let nameless = get(&["-k", "https://192.0.2.1/"]);
    assert_eq!(nameless.code, 0, "{}", nameless.err);
    // A stranger's CA is not trusted.
    let untrusted = origin.curl(&["-sS", "--cacert", "/dev/null", "https://example.com/"]);
    assert!([60, 77].contains(&untrusted.code), "{untrusted:?}");
}

#[test]
fn a_port_that_asks_for_a_certificate_takes_the_labs_and_no_other() {
    let origin = Origin::whole();
    let (cert, key) = (origin.of_ca("client.crt"), origin.of_ca("client.key"));
    for url in ["https://partner.example.net/", "https://partner.example.net:8443/"] {
        let with = origin.curl(&["-sS", "--cert", &cert, "--key", &key, url]);
        assert_eq!((with.code, with.out.as_str()), (0, "The partner knows your certificate.\n"), "{}", with.err);
        let without = origin.curl(&["-sS", url]);
        assert_eq!((without.code, without.out.as_str()), (56, ""), "{}", without.err);
        assert!(without.err.contains("certificate required"), "{}", without.err);
        let old = origin.curl(&["-sS", "--tls-max", "1.2", url]);
        // Which of the two depends on curl's release (98 came with 7.77).
        assert!([35, 98].contains(&old.code) && old.out.is_empty(), "{old:?}");
    }
    origin.logged(" partner ");
    origin.logged("TLS failed: peer sent no certificates");
    // One that another CA signed: a server's certificate of another lab.
    let other = Origin::whole();
    let (cert, key) = (other.of_ca("client.crt"), other.of_ca("client.key"));
    let foreign = origin.curl(&["-sS", "--cert", &cert, "--key", &key, "https://partner.example.net/"]);
    assert!(foreign.code != 0 && foreign.out.is_empty(), "{foreign:?}");
    // A certificate for servers is none for clients.
    let (cert, key) = (origin.of_ca("servers/example.crt"), origin.of_ca("servers/example.key"));
    let server = origin.curl(&["-sS", "--cert", &cert, "--key", &key, "https://partner.example.net/"]);
    assert!(server.code != 0 && server.out.is_empty(), "{server:?}");
}

#[test]
fn delays_are_the_datas_or_those_that_were_asked_for() {
    let origin = Origin::with(&["--listen", "127.0.0.1", "--delay", "example=700", "--delay", "wikimedia=0"]);
    let time = |url: &str| {
        let seen = origin.curl(&["-sS", "-o", "/dev/null", "-w", "%{time_starttransfer}", url]);
        assert_eq!(seen.code, 0, "{}", seen.err);
        seen.out.parse::<f64>().unwrap()
    };
    let slow = time("http://example.com/");
    assert!((0.7..5.0).contains(&slow), "{slow}");
    let (quick, asked) = (time("http://www.wikipedia.org/"), time("http://httpbin.org/delay/1"));
    assert!(quick < 0.6 && asked >= 1.02, "{quick} {asked}");
}

#[test]
fn bytes_come_back_until_the_client_ends() {
    let origin = Origin::whole();
    for port in [9000, 5432] {
        let stream = TcpStream::connect(origin.door(port, "tcp-echo")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let sent: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
        let mut reading = stream.try_clone().unwrap();
        let writer = {
            let (mut stream, sent) = (stream.try_clone().unwrap(), sent.clone());
            std::thread::spawn(move || {
                stream.write_all(&sent).unwrap();
                stream.shutdown(std::net::Shutdown::Write).unwrap();
            })
        };
        let mut got = Vec::new();
        reading.read_to_end(&mut got).unwrap();
        writer.join().unwrap();
        assert!(got == sent, "{} of {} bytes came back", got.len(), sent.len());
        drop(stream);
    }
    origin.logged("\"echo\" - 200000 ");
}

/// One connection, several requests, every way to say how long a body is.
#[test]
fn requests_follow_each_other_on_one_connection() {
    let origin = Origin::whole();
    let mut stream = TcpStream::connect(origin.door(80, "example")).unwrap();
    let host = "Host: example.com\r\n";
    for request in [
        format!("HEAD / HTTP/1.1\r\n{host}\r\n"),
        format!("POST / HTTP/1.1\r\n{host}Content-Length: 5\r\n\r\nhello"),
        format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"),
        format!("HEAD http://example.com/ HTTP/1.1\r\n{host}\r\n"),
    ] {
        let answer = ask(&mut stream, &request);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nETag: "), "{request}: {answer}");
        if !request.starts_with("HEAD") && !answer.ends_with("</html>\n") {
            let mut rest = [0; 4096];
            let _ = stream.read(&mut rest).unwrap();
        }
    }
    let waits = ask(&mut stream, &format!("POST / HTTP/1.1\r\n{host}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
    assert_eq!(waits, "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(ask(&mut stream, "ab").starts_with("HTTP/1.1 200 OK\r\n"));
    // Several at once are answered in turn; the last one closes.
    let mut stream = TcpStream::connect(origin.door(80, "neverssl")).unwrap();
    let two = "HEAD / HTTP/1.1\r\nHost: example.com\r\n\r\nHEAD / HTTP/1.1\r\nHost: www.cnn.com\r\nConnection: close\r\n\r\n";
    stream.write_all(two.as_bytes()).unwrap();
    let (mut all, started) = (String::new(), Instant::now());
    stream.read_to_string(&mut all).unwrap();
    assert!(all.contains("HTTP/1.1 200 OK\r\n") && all.contains("HTTP/1.1 301 Moved Permanently\r\n"), "{all}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn many_streams_share_a_connection() {
    let origin = Origin::whole();
    let mut args = vec!["-sS", "-Z", "--parallel-max", "50", "-w", "%{http_version} %{http_code}\n"];
    let urls: Vec<String> = (0..50).map(|n| format!("https://httpbin.org/status/{}", 200 + n)).collect();
    for url in &urls {
        args.extend(["-o", "/dev/null", url.as_str()]);
    }
    let seen = origin.curl(&args);
    assert_eq!(seen.code, 0, "{}", seen.err);
    let mut lines: Vec<&str> = seen.out.lines().collect();
    lines.sort_unstable();
    let mut wanted: Vec<String> = (0..50).map(|n| format!("2 {}", 200 + n)).collect();
    wanted.sort_unstable();
    assert_eq!(lines, wanted);
    // With prior knowledge, without TLS.
    let prior = origin.curl(&[
        "-sS",
        "--http2-prior-knowledge",
        "-o",
        "/dev/null",
        "-w",
        "%{http_version} %{http_code}",
        "http://example.com/",
    ]);
    assert_eq!(prior.out, "2 200", "{}", prior.err);
}

/// As most servers do; a sidecar that opens TLS may offer the mesh's own names.
#[test]
fn who_offers_a_protocol_that_nobody_speaks_gets_http1() {
    let origin = Origin::whole();
    let ca = std::fs::read(origin.of_ca("ca.crt")).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&ca).unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    for (offers, agreed) in [(&[&b"istio"[..]][..], None), (&[b"istio", b"http/1.1"], Some(&b"http/1.1"[..])), (&[], None)] {
        config.alpn_protocols = offers.iter().map(|offer| offer.to_vec()).collect();
        let name = "example.com".try_into().unwrap();
        let mut tls = rustls::ClientConnection::new(std::sync::Arc::new(config.clone()), name).unwrap();
        let mut stream = TcpStream::connect(origin.door(443, "example")).unwrap();
        let mut stream = rustls::Stream::new(&mut tls, &mut stream);
        stream.write_all(b"HEAD / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert_eq!(tls.alpn_protocol(), agreed);
    }
}
