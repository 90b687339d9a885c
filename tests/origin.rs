//! `egress-lab origin` as a container of a cluster runs it: the program, a real curl over loopback, clients that mean no good.

mod agreement;
mod answers;
mod hostile;
mod kit;

use crate::program::{Home, text};
use kit::Origin;

#[test]
fn the_ca_is_made_once_and_the_folder_says_what_it_lacks() {
    let home = Home::new();
    let folder = home.folder.path().join("ca");
    let out = folder.display().to_string();
    let first = home.run(&["origin", "ca", "--out", &out], "", 20);
    assert_eq!((first.status.code(), text(&first.stdout)), (Some(0), format!("{out}/ca.crt\n")), "{}", text(&first.stderr));
    let ca = std::fs::read(folder.join("ca.crt")).unwrap();
    assert_eq!(home.run(&["origin", "ca", "--out", &out], "", 20).status.code(), Some(0));
    assert_eq!(std::fs::read(folder.join("ca.crt")).unwrap(), ca);
    // What goes into an image: no key of the CA.
    std::fs::remove_file(folder.join("ca.key")).unwrap();
    let origin = Origin::start(&["--ca", &out, "--site", "example", "--listen", "127.0.0.1", "--map", "80=0", "--map", "443=0"]);
    let seen = origin.curl(&["-sS", "-o", "/dev/null", "-w", "%{http_code}", "https://example.com/"]);
    assert_eq!((seen.code, seen.out.as_str()), (0, "200"), "{}", seen.err);
    std::fs::remove_file(folder.join("servers/wikimedia.crt")).unwrap();
    let none = home.run(&["origin", "--ca", &out, "--listen", "127.0.0.1"], "", 20);
    assert_eq!(none.status.code(), Some(4));
    assert!(text(&none.stderr).contains("neither ca.key nor servers/wikimedia.crt"), "{}", text(&none.stderr));
}

#[test]
fn what_cannot_be_served_is_said_with_the_way_out() {
    let home = Home::new();
    let ca = home.folder.path().join("ca").display().to_string();
    for (args, code, words) in [
        (&["--listen", "127.0.0.1"][..], 2, "--ca DIR"),
        (&["--ca", &ca, "--site", "nobody"], 2, "there are wikimedia, example"),
        (&["--ca", &ca, "--delay", "nobody=5"], 2, "there are wikimedia, example"),
        (&["--ca", &ca, "--listen", "nobody@127.0.0.1"], 2, "there are wikimedia, example"),
        (&["--ca", &ca, "--listen", "localhost"], 2, "is not an address"),
        (&["--ca", &ca, "--map", "80:8080"], 2, "is not PORT=PORT"),
        (&["--ca", &ca, "--map", "80=70000"], 2, "is not PORT=PORT"),
        (&["--ca", &ca, "--delay", "example=9999999"], 2, "at most 600000"),
        (&["ca"], 2, "--out"),
    ] {
        let output = home.run(&[&["origin"], args].concat(), "", 20);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(words), "{args:?}: {}", text(&output.stderr));
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let map = format!("80={port}");
    let args = ["origin", "--ca", &ca, "--site", "neverssl", "--listen", "127.0.0.1", "--map", &map];
    let output = home.run(&args, "", 20);
    assert_eq!(output.status.code(), Some(4));
    let error = text(&output.stderr);
    assert!(error.contains(&format!("127.0.0.1 port {port}")) && error.contains("--map"), "{error}");
}

/// What is under way may end, nothing new begins, every line is written, the exit code says that all is well.
#[test]
fn sigterm_ends_it_gently() {
    let mut origin = Origin::whole();
    let address = origin.door(80, "httpbin");
    let waiting = {
        let args = origin.curl_args(&["-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://httpbin.org/delay/2"]);
        std::thread::spawn(move || kit::run_curl(&args))
    };
    // A connection that asks nothing, and one that asked and stays open.
    let idle = std::net::TcpStream::connect(address).unwrap();
    let mut kept = std::net::TcpStream::connect(address).unwrap();
    let answer = kit::ask(&mut kept, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    std::thread::sleep(std::time::Duration::from_millis(600));
    let started = std::time::Instant::now();
    origin.signal("TERM");
    assert_eq!(origin.wait(15), Some(0));
    let took = started.elapsed().as_millis();
    assert!((800..6_000).contains(&took), "it waited for what was under way and for nothing else: {took} ms");
    let seen = waiting.join().unwrap();
    assert_eq!((seen.code, seen.out.as_str()), (0, "200"), "{}", seen.err);
    assert!(std::net::TcpStream::connect(address).is_err());
    let log = origin.log();
    assert!(log.iter().any(|line| line.contains("\"GET httpbin.org /delay/2\" 200 ")), "{log:#?}");
    drop((idle, kept));
}

/// Who asks twice is not kept waiting.
#[test]
fn a_second_signal_ends_it_at_once() {
    let mut origin = Origin::whole();
    let address = origin.door(80, "httpbin");
    let mut slow = std::net::TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut slow, b"GET /delay/10 HTTP/1.1\r\nHost: httpbin.org\r\n\r\n").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    origin.signal("TERM");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(origin.runs(), "the first one waits for what is under way");
    origin.signal("INT");
    assert_eq!(origin.wait(3), Some(0));
}
