//! Clients that mean no good: each is held within a limit, and everybody else is answered meanwhile.

use super::kit::{Origin, ask};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Somebody else's request, which has to be answered soon whatever goes on.
fn others_are_served(origin: &Origin) {
    let started = Instant::now();
    for url in ["http://example.com/", "https://example.com/"] {
        let seen = origin.curl(&["-sS", "-o", "/dev/null", "-w", "%{http_code}", url]);
        assert_eq!((seen.code, seen.out.as_str()), (0, "200"), "{}", seen.err);
    }
    let took = started.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Everything that comes until the server ends the connection.
fn to_the_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset ends it as well.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A head that comes a byte at a time never ends; after ten seconds the server ends it.
#[test]
fn who_drips_a_head_is_shown_out_and_keeps_nobody_waiting() {
    let origin = Origin::whole();
    let drip = |address: SocketAddr, bytes: &'static [u8]| {
        std::thread::spawn(move || {
            let (mut stream, started) = (connect(address), Instant::now());
            for byte in bytes.iter().cycle() {
                if stream.write_all(&[*byte]).is_err() || started.elapsed() > Duration::from_secs(40) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(200));
            }
            (started.elapsed(), to_the_end(&mut stream))
        })
    };
    let (http, tls) = (origin.door(80, "example"), origin.door(443, "example"));
    let heads = (0..20).map(|_| drip(http, b"GET / HTTP/1.1\r\nX: y\r\nX: z"));
    let hellos = (0..20).map(|_| drip(tls, b"\x16\x03\x01\x02\x00\x01\x00\x01"));
    let all: Vec<_> = heads.chain(hellos).collect();
    std::thread::sleep(Duration::from_secs(1));
    others_are_served(&origin);
    for one in all {
        let (took, _) = one.join().unwrap();
        assert!(took < Duration::from_secs(25), "{took:?}");
    }
    origin.logged("\"no proper request\" 408 ");
    origin.logged("TLS failed: it took too long");
}

#[test]
fn heads_without_end_are_refused_with_431() {
    let origin = Origin::whole();
    // curl itself takes no header line of a MiB.
    let megabyte = "a".repeat(1_000_000);
    let file = origin.home.folder.path().join("headers");
    std::fs::write(&file, format!("x: {megabyte}\n")).unwrap();
    let header = format!("@{}", file.display());
    for url in ["http://example.com/", "https://example.com/"] {
        let seen = origin.curl(&["-sS", "--http1.1", "-o", "/dev/null", "-w", "%{http_code}", "-H", &header, url]);
        assert_eq!(seen.out, "431", "{url}: {seen:?}");
    }
    let seen = origin.curl(&["-sS", "--http2", "-o", "/dev/null", "-w", "%{http_code}", "-H", &header, "https://example.com/"]);
    assert!(seen.code != 0 || seen.out == "431", "{seen:?}");
    // Many small ones, a target without end, a line without end.
    for request in [
        format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(101)),
        format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "p".repeat(40_000)),
        "G".repeat(100_000),
    ] {
        let mut stream = connect(origin.door(80, "example"));
        let answer = ask(&mut stream, &request);
        let refused = answer.starts_with("HTTP/1.1 431 ") || answer.starts_with("HTTP/1.1 400 ");
        assert!(refused && answer.contains("connection: close"), "{}: {answer}", &request[..20]);
    }
    others_are_served(&origin);
}

#[test]
fn bodies_without_end_are_refused() {
    let origin = Origin::whole();
    let post = |rest: &str| {
        let mut stream = connect(origin.door(80, "example"));
        ask(&mut stream, &format!("POST / HTTP/1.1\r\nHost: example.com\r\n{rest}"))
    };
    assert!(post("Content-Length: 99999999999\r\n\r\n").starts_with("HTTP/1.1 413 "));
    assert!(post("Transfer-Encoding: chunked\r\n\r\nffffffffff\r\n").starts_with("HTTP/1.1 413 "));
    assert!(post("Transfer-Encoding: chunked\r\n\r\nnothing\r\n").starts_with("HTTP/1.1 400 "));
    assert!(post("Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n").starts_with("HTTP/1.1 400 "));
    let trailers = format!("Transfer-Encoding: chunked\r\n\r\n0\r\n{}\r\n", "T: t\r\n".repeat(40));
    assert!(post(&trailers).starts_with("HTTP/1.1 431 "));
    let many = format!("Transfer-Encoding: chunked\r\n\r\n{}", format!("1;{}\r\nx\r\n", "e".repeat(4_000)).repeat(2_200));
    assert!(post(&many).starts_with("HTTP/1.1 413 "), "extensions count");
    // Two lengths, or a length and chunks: what one server takes for a body another may take for a request.
    for smuggled in
        ["Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]
    {
        let mut stream = connect(origin.door(80, "example"));
        stream
            .write_all(
                format!("POST / HTTP/1.1\r\nHost: example.com\r\n{smuggled}GET /second HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes(),
            )
            .unwrap();
        let all = to_the_end(&mut stream);
        assert!(all.starts_with("HTTP/1.1 400 ") && all.matches("HTTP/1.1").count() == 1, "{all}");
    }
    others_are_served(&origin);
}

#[test]
fn garbage_ends_the_connection_and_nothing_else() {
    let origin = Origin::whole();
    let noise: Vec<u8> = (0..5_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for (port, site) in [(80, "example"), (443, "example"), (8443, "partner"), (9000, "tcp-echo")] {
        for start in [
            &b""[..],
            b"\x16",
            b"\x16\x03\x01\x00\x05",
            b"\x16\x03\x01\xff\xff",
            b"\x80",
            b"SSH-2.0-x\r\n",
            b"\r\n\r\n",
            &preface[..],
        ] {
            let mut stream = connect(origin.door(port, site));
            let _ = stream.write_all(&[start, &noise].concat());
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let started = Instant::now();
            to_the_end(&mut stream);
            assert!(started.elapsed() < Duration::from_secs(15), "port {port}, {start:?}");
        }
    }
    others_are_served(&origin);
    let log = origin.log();
    assert!(log.iter().all(|line| !line.chars().any(char::is_control)), "{log:#?}");
}

/// TLS to the HTTP port is what curl calls a wrong version; HTTP to the TLS port is answered as the site does it.
#[test]
fn the_wrong_scheme_fails_in_the_way_that_the_lessons_tell() {
    let origin = Origin::whole();
    let seen = origin.curl(&["-sS", "https://example.com:80/"]);
    assert_eq!(seen.code, 35, "{seen:?}");
    assert!(seen.err.contains("wrong version number"), "{}", seen.err);
    let page = origin.curl(&["-sS", "-i", "http://example.com:443/"]);
    assert!(page.out.starts_with("HTTP/1.1 400 Bad Request\r\nServer: nginx/1.22.1\r\n"), "{page:?}");
    assert!(page.out.contains("The plain HTTP request was sent to HTTPS port"), "{}", page.out);
    let closed = origin.curl(&["-sS", "http://www.cnn.com:443/"]);
    assert_eq!((closed.code, closed.out.as_str()), (52, ""), "{closed:?}");
}

#[test]
fn five_hundred_silent_connections_keep_nobody_out() {
    let origin = Origin::whole();
    let (http, tls) = (origin.door(80, "example"), origin.door(443, "example"));
    let mut silent: Vec<TcpStream> = (0..500).map(|n| connect(if n % 2 == 0 { http } else { tls })).collect();
    others_are_served(&origin);
    let started = Instant::now();
    // They are shown out, too.
    silent.iter_mut().for_each(|stream| assert_eq!(to_the_end(stream), ""));
    assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
    others_are_served(&origin);
}

/// More connections than there are places: the rest waits, nobody is lost, and places come free.
#[test]
fn a_crowd_beyond_the_limit_waits_its_turn() {
    let origin = Origin::whole();
    let http = origin.door(80, "example");
    let crowd: Vec<TcpStream> = (0..900).filter_map(|_| TcpStream::connect_timeout(&http, Duration::from_secs(5)).ok()).collect();
    assert!(crowd.len() >= 768, "{}", crowd.len());
    drop(crowd);
    others_are_served(&origin);
}

/// Opening streams and taking them back at once costs the server nothing (CVE-2023-44487).
#[test]
fn streams_that_are_taken_back_end_the_connection() {
    let origin = Origin::whole();
    let mut stream = connect(origin.door(80, "httpbin"));
    let frame = |kind: u8, flags: u8, id: u32, payload: &[u8]| {
        let length = (payload.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags], &id.to_be_bytes(), payload].concat()
    };
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, b""));
    // :method GET, :scheme http, :path /, :authority h, from HPACK's static table.
    let head = [&[0x82, 0x86, 0x84, 0x41, 1][..], b"h"].concat();
    for n in 0..20_000u32 {
        bytes.extend(frame(1, 5, 2 * n + 1, &head));
        bytes.extend(frame(3, 0, 2 * n + 1, &8u32.to_be_bytes()));
    }
    let _ = stream.write_all(&bytes);
    let started = Instant::now();
    to_the_end(&mut stream);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    others_are_served(&origin);
}
