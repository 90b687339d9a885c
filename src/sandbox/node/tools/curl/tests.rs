//! curl lines with scripted replies, and what curl prints for them.

use crate::outside::wire::{Failure, HttpVersion, Reply};
use crate::sandbox::node::tools::tests::{Fake, answer, failure, run_line};
use std::collections::VecDeque;

const U: &str = "http://www.wikipedia.org/";
const HEAD_301: &str = "HTTP/1.1 301 Moved Permanently\r\nlocation: https://www.wikipedia.org/\r\nserver: envoy\r\n\r\n";
const ZERO: &str = "\r  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0";

fn moved() -> (Reply, u64) {
    (answer(301, "Moved Permanently", &[("location", "https://www.wikipedia.org/"), ("server", "envoy")], ""), 3)
}

fn h2() -> (Reply, u64) {
    let Reply::Response(mut response) = answer(200, "OK", &[("Date", "now"), ("server", "ATS")], "hello") else { unreachable!() };
    response.version = HttpVersion::Http2;
    (Reply::Response(response), 5)
}

fn blocked() -> (Reply, u64) {
    (answer(502, "Bad Gateway", &[("date", "now"), ("server", "envoy"), ("content-length", "0")], ""), 1)
}

fn hello() -> (Reply, u64) {
    (answer(200, "OK", &[("content-length", "5")], "hello"), 2)
}

fn fails(why: Failure, ms: u64) -> (Reply, u64) {
    (failure(why), ms)
}

fn run(line: &str, replies: Vec<(Reply, u64)>, tty: bool) -> (String, String, i32) {
    let mut env = Fake { replies: VecDeque::from(replies), ..Fake::default() };
    let (out, err, code, _) = run_line(&mut env, &line.replace("U", U), "", tty);
    assert!(env.replies.is_empty(), "{line}: not every reply was asked for");
    (out, err, code)
}

#[test]
fn answers_come_out_as_curl_prints_them() {
    let usage = "curl: try 'curl --help' or 'curl --manual' for more information\n";
    let refused = Failure::ConnectionRefused { address: "198.35.26.96".parse().unwrap(), port: 80 };
    let unknown = Failure::NotModelled { object: "VirtualService default/v".into(), field: "spec.http[0].mirror".into() };
    let table: Vec<(&str, Vec<(Reply, u64)>, String, String, i32)> = vec![
        ("curl -sI U", vec![moved()], HEAD_301.into(), "".into(), 0),
        (
            "curl -sSL --head U",
            vec![moved(), h2()],
            format!("{HEAD_301}HTTP/2 200 \r\ndate: now\r\nserver: ATS\r\n\r\n"),
            "".into(),
            0,
        ),
        ("curl -sSL U", vec![moved(), h2()], "hello".into(), "".into(), 0),
        (
            "curl -s -D - -o /dev/null U",
            vec![blocked()],
            "HTTP/1.1 502 Bad Gateway\r\ndate: now\r\nserver: envoy\r\ncontent-length: 0\r\n\r\n".into(),
            "".into(),
            0,
        ),
        ("curl -si U", vec![hello()], "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".into(), "".into(), 0),
        ("curl -s -o /dev/null -w %{http_code}\\n U", vec![blocked()], "502\n".into(), "".into(), 0),
        (
            "curl -so/dev/null -w %{http_code} https://x/",
            vec![fails(Failure::TlsHandshakeClosed { reset: true }, 1)],
            "000".into(),
            "".into(),
            35,
        ),
        (
            "curl -sS https://x/",
            vec![fails(Failure::TlsHandshakeClosed { reset: true }, 1)],
            "".into(),
            "curl: (35) Recv failure: Connection reset by peer\n".into(),
            35,
        ),
        (
            "curl -sS https://x/",
            vec![fails(Failure::TlsHandshakeClosed { reset: false }, 1)],
            "".into(),
            "curl: (35) OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to x:443 \n".into(),
            35,
        ),
        (
            "curl -sS https://x/",
            vec![fails(Failure::TlsWrongVersion, 1)],
            "".into(),
            "curl: (35) OpenSSL/3.1.1: error:0A00010B:SSL routines::wrong version number\n".into(),
            35,
        ),
        (
            "curl -sS http://x:81/",
            vec![fails(Failure::EmptyReply, 1)],
            "".into(),
            "curl: (52) Empty reply from server\n".into(),
            52,
        ),
        (
            "curl -sS http://x:81/",
            vec![fails(Failure::ReceiveReset, 1)],
            "".into(),
            "curl: (56) Recv failure: Connection reset by peer\n".into(),
            56,
        ),
        (
            "curl -sS http://x/",
            vec![fails(Failure::NameNotResolved, 1)],
            "".into(),
            "curl: (6) Could not resolve host: x\n".into(),
            6,
        ),
        ("curl -s http://x/", vec![fails(Failure::NameNotResolved, 1)], "".into(), "".into(), 6),
        (
            "curl -sS U",
            vec![fails(refused.clone(), 4)],
            "".into(),
            "curl: (7) Failed to connect to www.wikipedia.org port 80 after 4 ms: Couldn't connect to server\n".into(),
            7,
        ),
        (
            "curl -sS -m 2 U",
            vec![fails(Failure::TimedOut, 60_000)],
            "".into(),
            "curl: (28) Operation timed out after 2001 milliseconds with 0 bytes received\n".into(),
            28,
        ),
        (
            "curl -sS -m 0.001 U",
            vec![hello()],
            "".into(),
            "curl: (28) Operation timed out after 2 milliseconds with 0 bytes received\n".into(),
            28,
        ),
        (
            "curl -sS --connect-timeout 3 U",
            vec![fails(Failure::ConnectTimedOut, 130_000)],
            "".into(),
            "curl: (28) Connection timed out after 3001 milliseconds\n".into(),
            28,
        ),
        ("curl -sSf U", vec![blocked()], "".into(), "curl: (22) The requested URL returned error: 502\n".into(), 22),
        (
            "curl -s --fail-with-body U",
            vec![(answer(503, "Service Unavailable", &[], "no healthy upstream"), 1)],
            "no healthy upstream".into(),
            "".into(),
            22,
        ),
        (
            "curl -sSL --max-redirs 1 U",
            vec![moved(), moved()],
            "".into(),
            "curl: (47) Maximum (1) redirects followed\n".into(),
            47,
        ),
        (
            "curl -v U",
            vec![fails(unknown, 1)],
            "".into(),
            "not simulated here: VirtualService default/v spec.http[0].mirror\n".into(),
            125,
        ),
        (
            "curl -s -w '%{num_redirects} %{url_effective} %{remote_ip} %{redirect_url} %{time_total} %{exitcode} %{size_download} %{scheme} %{content_type}|%{foo}' U",
            vec![moved()],
            format!("0 {U} 198.35.26.96 https://www.wikipedia.org/ 0.003000 0 0 HTTP |"),
            "curl: unknown --write-out variable: 'foo'\n".into(),
            0,
        ),
        ("curl -s U U", vec![hello(), hello()], "hellohello".into(), "".into(), 0),
        ("curl -s -o a U -O U/x", vec![hello(), hello()], "".into(), "".into(), 0),
        (
            "curl U",
            vec![hello()],
            "hello".into(),
            format!(
                "{}{ZERO}\r100     5  100     5    0     0   2500      0 --:--:-- --:--:-- --:--:--  2500\n",
                super::texts::METER
            ),
            0,
        ),
        (
            "curl http://x/",
            vec![fails(Failure::NameNotResolved, 0)],
            "".into(),
            format!("{}{ZERO}curl: (6) Could not resolve host: x\n", super::texts::METER),
            6,
        ),
        (
            "curl -I U",
            vec![hello()],
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n".into(),
            format!(
                "{}{ZERO}\r  0     5    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0\n",
                super::texts::METER
            ),
            0,
        ),
        ("curl -s --retry 1 -w %{http_code} U", vec![blocked(), hello()], "hello200".into(), "".into(), 0),
        ("curl", vec![], "".into(), usage.into(), 2),
        ("curl -s", vec![], "".into(), format!("curl: no URL specified!\n{usage}"), 2),
        ("curl --foo", vec![], "".into(), format!("curl: option --foo: is unknown\n{usage}"), 2),
        ("curl -o", vec![], "".into(), format!("curl: option -o: requires parameter\n{usage}"), 2),
        ("curl -m x U", vec![], "".into(), format!("curl: option -m: expected a proper numerical parameter\n{usage}"), 2),
        ("curl -sS foo://x", vec![], "".into(), "curl: (1) Protocol \"foo\" not supported or disabled in libcurl\n".into(), 1),
        ("curl -sS 'http://a b'", vec![], "".into(), "curl: (3) URL using bad/illegal format or missing URL\n".into(), 3),
        ("curl -T x U", vec![], "".into(), "not simulated here: curl -T\n".into(), 125),
        ("curl --next U", vec![], "".into(), "not simulated here: curl --next\n".into(), 125),
        (
            "curl -sx proxy:3128 U",
            vec![],
            "".into(),
            "not simulated here: curl through a client-side proxy (proxy:3128)\n".into(),
            125,
        ),
        ("curl -sS --cacert /nope U", vec![], "".into(), "curl: (77) error setting certificate file: /nope\n".into(), 77),
        ("curl -sS -o /etc/x U", vec![hello()], "".into(), "curl: (23) Failure writing output to destination\n".into(), 23),
    ];
    for (line, replies, out, err, code) in table {
        assert_eq!(run(line, replies, false), (out, err, code), "{line}");
    }
}

#[test]
fn a_terminal_gets_bold_names_and_no_meter() {
    let (out, err, code) = run("curl --head -L U", vec![moved(), h2()], true);
    assert!(out.starts_with("HTTP/1.1 301 Moved Permanently\r\n\x1b[1mlocation\x1b[0m: https://"), "{out}");
    assert_eq!((err.as_str(), code), ("", 0));
}

#[test]
fn verbose_lines_are_those_of_8_1_2() {
    let (_, err, _) = run("curl -svL http://www.wikipedia.org/", vec![moved(), h2()], false);
    let wanted = "*   Trying 198.35.26.96:80...
* Connected to www.wikipedia.org (198.35.26.96) port 80 (#0)
> GET / HTTP/1.1\r
> Host: www.wikipedia.org\r
> User-Agent: curl/8.1.2\r
> Accept: */*\r
> \r
< HTTP/1.1 301 Moved Permanently\r
< location: https://www.wikipedia.org/\r
< server: envoy\r
< \r
* Connection #0 to host www.wikipedia.org left intact
* Clear auth, redirects to port from 80 to 443
* Issue another request to this URL: 'https://www.wikipedia.org/'
*   Trying 198.35.26.96:443...
* Connected to www.wikipedia.org (198.35.26.96) port 443 (#1)
* ALPN: offers h2,http/1.1
";
    assert!(err.starts_with(wanted), "{err}");
    for line in [
        "* ALPN: server accepted h2\n",
        "* using HTTP/2\n",
        "* h2 [:authority: www.wikipedia.org]\n",
        "> GET / HTTP/2\r\n",
        "< HTTP/2 200 \r\n",
        "{ [5 bytes data]\n* Connection #1 to host www.wikipedia.org left intact\n",
    ] {
        assert!(err.contains(line), "{line} in {err}");
    }
}

#[test]
fn requests_are_built_as_curl_builds_them() {
    let table: &[(&str, &str)] = &[
        ("curl -s http://h/", "GET / | Host: h, User-Agent: curl/8.1.2, Accept: */*"),
        ("curl -s -H 'Host: other' -A me h:81/x?y#z", "GET /x?y | Host: other, User-Agent: me, Accept: */*"),
        ("curl -s -H 'Accept:' -H 'X-A: 1' h", "GET / | Host: h, User-Agent: curl/8.1.2, X-A: 1"),
        (
            "curl -s -d a=1 -d b h",
            "POST / | Host: h, User-Agent: curl/8.1.2, Accept: */*, Content-Length: 5, Content-Type: application/x-www-form-urlencoded",
        ),
        ("curl -s -G -d a=1 h", "GET /?a=1 | Host: h, User-Agent: curl/8.1.2, Accept: */*"),
        (
            "curl -s -u a:b -e r -b c=d h",
            "GET / | Host: h, Authorization: Basic YTpi, User-Agent: curl/8.1.2, Accept: */*, Referer: r, Cookie: c=d",
        ),
        ("curl -s -X PUT h:80", "PUT / | Host: h, User-Agent: curl/8.1.2, Accept: */*"),
    ];
    for (line, wanted) in table {
        let mut env = Fake { replies: VecDeque::from([hello()]), ..Fake::default() };
        run_line(&mut env, line, "", false);
        let request = &env.seen[0];
        let headers: Vec<String> = request.headers.iter().map(|(n, v)| format!("{n}: {v}")).collect();
        assert_eq!(format!("{} {} | {}", request.method, request.path, headers.join(", ")), *wanted, "{line}");
    }
}

#[test]
fn resolve_and_connect_to_change_where_not_who() {
    let mut env = Fake { replies: VecDeque::from([hello(), hello()]), ..Fake::default() };
    run_line(&mut env, "curl -s --resolve en.wikipedia.org:443:10.96.3.4 https://en.wikipedia.org/", "", false);
    run_line(&mut env, "curl -s --connect-to ::gw:8443 https://en.wikipedia.org/", "", false);
    let seen: Vec<_> =
        env.seen.iter().map(|r| (r.host.as_str(), r.port, r.address.map(|a| a.to_string()), r.sni.as_deref())).collect();
    let sni = Some("en.wikipedia.org");
    assert_eq!(seen, [("en.wikipedia.org", 443, Some("10.96.3.4".to_string()), sni), ("gw", 8443, None, sni)]);
}

#[test]
fn a_post_that_is_redirected_becomes_a_get_unless_the_status_keeps_it() {
    for (status, line, methods) in [
        (301, "curl -sL -d a http://h/", ["POST", "GET"]),
        (303, "curl -sL -d a http://h/", ["POST", "GET"]),
        (307, "curl -sL -d a http://h/", ["POST", "POST"]),
        (301, "curl -sL -X POST -d a http://h/", ["POST", "POST"]),
        (302, "curl -sLI http://h/", ["HEAD", "HEAD"]),
    ] {
        let replies = VecDeque::from([(answer(status, "Moved", &[("location", "/n")], ""), 1), hello()]);
        let mut env = Fake { replies, ..Fake::default() };
        run_line(&mut env, line, "", false);
        assert_eq!(env.seen.iter().map(|r| r.method.as_str()).collect::<Vec<_>>(), methods, "{status} {line}");
    }
}
