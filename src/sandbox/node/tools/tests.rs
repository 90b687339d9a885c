//! Commands against a container in memory: a line, scripted replies, and what is printed.

use super::*;
use crate::outside::wire::{Failure, HttpVersion, Reply, Response};
use crate::shell::FileInfo;
use std::collections::{BTreeMap, VecDeque};

/// A container whose exchanges are scripted.
#[derive(Default)]
pub struct Fake {
    pub files: BTreeMap<String, Vec<u8>>,
    pub replies: VecDeque<(Reply, u64)>,
    pub seen: Vec<Request>,
}

impl Files for Fake {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        self.files.get(path).cloned().ok_or(FileError::NotFound)
    }
    fn write(&mut self, path: &str, bytes: &[u8], append: bool) -> Result<(), FileError> {
        if !path.starts_with("/tmp/") {
            return Err(FileError::Denied);
        }
        let file = self.files.entry(path.to_string()).or_default();
        if !append {
            file.clear();
        }
        file.extend_from_slice(bytes);
        Ok(())
    }
    fn list(&self, folder: &str) -> Result<Vec<String>, FileError> {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        Ok(self.files.keys().filter_map(|k| k.strip_prefix(&prefix)).map(str::to_string).collect())
    }
    fn stat(&self, path: &str) -> Result<FileInfo, FileError> {
        let folder = path == "/tmp";
        let size = self.files.get(path).map(|b| b.len() as u64);
        if !folder && size.is_none() {
            return Err(FileError::NotFound);
        }
        let (owner, group) = ("curl_user".to_string(), "curl_group".to_string());
        let mode = if folder { 0o755 } else { 0o644 };
        Ok(FileInfo { folder, size: size.unwrap_or(0), mode, owner, group, modified: Time::LOGICAL_START })
    }
    fn command_path(&self, name: &str) -> Option<String> {
        path_of(name)
    }
}

impl ToolEnv for Fake {
    fn set_facts(&mut self, path: &str, _: u32, _: Option<Time>) -> Result<(), FileError> {
        self.stat(path).map(drop)
    }

    fn resolve(&mut self, name: &str) -> DnsAnswer {
        match name {
            "www.wikipedia.org" => DnsAnswer::Addresses {
                canonical: "dyna.wikimedia.org".to_string(),
                addresses: vec!["198.35.26.96".parse().unwrap()],
            },
            "echo" => DnsAnswer::Addresses {
                canonical: "echo.default.svc.cluster.local".to_string(),
                addresses: vec!["10.96.3.4".parse().unwrap()],
            },
            _ => DnsAnswer::NoSuchName,
        }
    }
    fn exchange(&mut self, request: &Request) -> Exchange {
        self.seen.push(request.clone());
        let (reply, delay_ms) = self.replies.pop_front().expect("more exchanges than replies");
        Exchange { reply, delay_ms, logs: Vec::new() }
    }
    fn facts(&self) -> Facts {
        Facts {
            hostname: "test".into(),
            user: "curl_user".into(),
            group: "curl_group".into(),
            uid: 100,
            gid: 101,
            address: "10.244.0.7".into(),
            nameserver: "10.96.0.10".into(),
            search: vec!["default.svc.cluster.local".into()],
            ndots: 5,
            processes: vec![Process { pid: 1, user: "curl_use".into(), seconds: 61, command: "sleep 3600".into() }],
            kernel: "6.1.0".into(),
            machine: "x86_64".into(),
        }
    }
    fn now(&self) -> Time {
        Time::LOGICAL_START
    }
    fn make_folder(&mut self, _: &str) -> Result<(), FileError> {
        Err(FileError::Denied)
    }
    fn remove(&mut self, path: &str) -> Result<(), FileError> {
        self.files.remove(path).map(drop).ok_or(FileError::NotFound)
    }
}

/// An HTTP/1.1 answer.
pub fn answer(status: u16, reason: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    Reply::Response(Response {
        version: HttpVersion::Http11,
        status,
        reason: reason.to_string().into(),
        headers: headers.iter().map(|(n, v)| (n.to_string().into(), v.to_string().into())).collect(),
        body: body.as_bytes().to_vec(),
        peer: Some(("198.35.26.96".parse().unwrap(), 80)),
    })
}

pub fn failure(failure: Failure) -> Reply {
    Reply::Failure(failure)
}

/// Splits a line at blanks; single quotes hold words together.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('\'').enumerate();
    let mut out = Vec::new();
    for (at, part) in parts {
        if at % 2 == 1 {
            out.push(part.to_string());
        } else {
            out.extend(part.split_whitespace().map(str::to_string));
        }
    }
    out
}

/// Runs a line; gives standard output, standard error, exit code and milliseconds.
pub fn run_line(env: &mut Fake, line: &str, stdin: &str, tty: bool) -> (String, String, i32, u64) {
    let call = Call {
        argv: words(line),
        env: BTreeMap::from([("HOME".to_string(), "/tmp".to_string())]),
        cwd: "/tmp".to_string(),
        stdin: CallInput::Bytes(stdin.as_bytes().to_vec()),
        out_direct: true,
        err_direct: true,
    };
    let ran = run(env, &call, &Streams { stdin: None, in_tty: tty, out_tty: tty, err_tty: tty, size: None });
    let text = |stream: Stream| {
        let bytes: Vec<u8> = ran.chunks.iter().filter(|c| c.stream == stream).flat_map(|c| c.bytes.clone()).collect();
        String::from_utf8(bytes).unwrap()
    };
    (text(Stream::Out), text(Stream::Err), ran.exit_code, ran.elapsed_ms)
}

#[test]
fn small_tools_print_what_busybox_prints() {
    let text = "one 1\ntwo 2\nthree 3\ntwo 2\n";
    let table: &[(&str, &str, &str, i32)] = &[
        ("cat", text, "", 0),
        ("cat /tmp/a", "alpha\n", "", 0),
        ("cat /nope", "", "cat: can't open '/nope': No such file or directory\n", 1),
        ("grep two", "two 2\ntwo 2\n", "", 0),
        ("grep -c two", "2\n", "", 0),
        ("grep -v two", "one 1\nthree 3\n", "", 0),
        ("grep -n -A1 one", "1:one 1\n2-two 2\n", "", 0),
        ("grep -B1 three", "two 2\nthree 3\n", "", 0),
        ("grep -oE '[0-9]+'", "1\n2\n3\n2\n", "", 0),
        ("grep -o 't[a-z]*'", "two\nthree\ntwo\n", "", 0),
        ("grep -i ONE", "one 1\n", "", 0),
        ("grep -q none", "", "", 1),
        ("grep 'one\\|three'", "one 1\nthree 3\n", "", 0),
        ("grep x /nope", "", "grep: can't open '/nope': No such file or directory\n", 2),
        ("head -n 1", "one 1\n", "", 0),
        ("head -2", "one 1\ntwo 2\n", "", 0),
        ("head -c 3", "one", "", 0),
        ("tail -n1", "two 2\n", "", 0),
        ("tail -n +4", "two 2\n", "", 0),
        ("tail -f", "", "not simulated here: tail -f in a pod\n", 125),
        ("wc -l", "4\n", "", 0),
        ("sort -u", "one 1\nthree 3\ntwo 2\n", "", 0),
        ("sort -r", "two 2\ntwo 2\nthree 3\none 1\n", "", 0),
        ("uniq -c", "      1 one 1\n      1 two 2\n      1 three 3\n      1 two 2\n", "", 0),
        ("cut -d ' ' -f 2", "1\n2\n3\n2\n", "", 0),
        ("cut -c1-3", "one\ntwo\nthr\ntwo\n", "", 0),
        ("tr a-z A-Z", "ONE 1\nTWO 2\nTHREE 3\nTWO 2\n", "", 0),
        ("tr -d '0-9 \\n'", "onetwothreetwo", "", 0),
        ("sed 's/two/2/'", "one 1\n2 2\nthree 3\n2 2\n", "", 0),
        ("sed -n 2p", "two 2\n", "", 0),
        ("sed -n '/two/,/three/p'", "two 2\nthree 3\ntwo 2\n", "", 0),
        ("sed 's/\\(t.\\).*/<\\1&>/g;1d'", "<twtwo 2>\n<ththree 3>\n<twtwo 2>\n", "", 0),
        ("awk '{print $2, $1}'", "1 one\n2 two\n3 three\n2 two\n", "", 0),
        ("awk '/three/ {print $NF}'", "3\n", "", 0),
        (
            "awk '{s+=$2} END {print s}'",
            "",
            "not simulated here: awk '{s+=$2} END {print s}' (print with fields and texts after an optional /pattern/ or NR==N is)\n",
            125,
        ),
        ("xargs echo a", "a one 1 two 2 three 3 two 2\n", "", 0),
        ("xargs -n 4 echo", "one 1 two 2\nthree 3 two 2\n", "", 0),
        ("tee /tmp/t", text, "", 0),
        ("base64", "b25lIDEKdHdvIDIKdGhyZWUgMwp0d28gMgo=\n", "", 0),
        ("ls", "a\n", "", 0),
        ("ls -l", "total 0\n-rw-r--r--    1 curl_user curl_group         6 Jan  1 09:00 a\n", "", 0),
        ("ls /nope", "", "ls: /nope: No such file or directory\n", 1),
        ("rm /tmp/x", "", "rm: can't remove '/tmp/x': No such file or directory\n", 1),
        ("rm -f /tmp/x", "", "", 0),
        ("touch /etc/x", "", "touch: /etc/x: Permission denied\n", 1),
        ("cp a b", "", "", 0),
        ("id", "uid=100(curl_user) gid=101(curl_group) groups=101(curl_group)\n", "", 0),
        ("whoami", "curl_user\n", "", 0),
        ("hostname", "test\n", "", 0),
        ("date", "Thu Jan  1 09:00:00 UTC 2026\n", "", 0),
        ("date +%s", "1767258000\n", "", 0),
        ("uname", "Linux\n", "", 0),
        ("ps", "PID   USER     TIME  COMMAND\n    1 curl_use  1:01 sleep 3600\n", "", 0),
        ("which curl nope", "/usr/bin/curl\n", "", 1),
        ("env A=1 printenv A", "1\n", "", 0),
        ("printenv HOME", "/tmp\n", "", 0),
        ("time true", "", "real\t0m 0.00s\nuser\t0m 0.00s\nsys\t0m 0.00s\n", 0),
        ("vim x", "", "sh: vim: not found\n", 127),
        ("getent hosts echo", "10.96.3.4         echo.default.svc.cluster.local  echo\n", "", 0),
        ("getent hosts nope", "", "", 2),
        ("ping -c1 echo", "", "not simulated here: ICMP (ping); a sidecar never sees it either\n", 125),
        ("ping nope", "", "ping: bad address 'nope'\n", 1),
        (
            "nslookup www.wikipedia.org",
            "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\nNon-authoritative answer:\nwww.wikipedia.org\tcanonical name = dyna.wikimedia.org\nName:\tdyna.wikimedia.org\nAddress: 198.35.26.96\n\nNon-authoritative answer:\nwww.wikipedia.org\tcanonical name = dyna.wikimedia.org\n\n",
            "",
            0,
        ),
        (
            "nslookup nope",
            "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n** server can't find nope: NXDOMAIN\n\n** server can't find nope: NXDOMAIN\n\n",
            "",
            1,
        ),
    ];
    for (line, out, err, code) in table {
        let mut env = Fake { files: BTreeMap::from([("/tmp/a".to_string(), b"alpha\n".to_vec())]), ..Fake::default() };
        let (got_out, got_err, got_code, _) = run_line(&mut env, line, text, false);
        assert_eq!((got_out.as_str(), got_err.as_str(), got_code), (*out, *err, *code), "{line}");
    }
}

#[test]
fn nc_and_wget_end_as_the_connection_did() {
    let refused = || failure(Failure::ConnectionRefused { address: "10.96.3.4".parse().unwrap(), port: 81 });
    let table = [
        ("nc -zv echo 80", answer(200, "OK", &[], ""), "", "echo (198.35.26.96:80) open\n", 0),
        ("nc -zv echo 81", refused(), "", "nc: echo (10.96.3.4:81): Connection refused\n", 1),
        ("nc -z nope 81", failure(Failure::NameNotResolved), "", "nc: bad address 'nope'\n", 1),
        ("wget -qO- http://echo/", answer(200, "OK", &[], "hi"), "hi", "", 0),
        (
            "wget -q http://echo/x",
            answer(502, "Bad Gateway", &[], ""),
            "",
            "wget: server returned error: HTTP/1.1 502 Bad Gateway\n",
            1,
        ),
    ];
    for (line, reply, out, err, code) in table {
        let mut env = Fake { replies: VecDeque::from([(reply, 1)]), ..Fake::default() };
        let got = run_line(&mut env, line, "", false);
        assert_eq!((got.0.as_str(), got.1.as_str(), got.2), (out, err, code), "{line}");
    }
}

#[test]
fn the_table_of_names_is_sorted_and_every_name_has_a_place() {
    assert!(names().windows(2).all(|pair| pair[0] < pair[1]));
    assert!(names().iter().all(|name| path_of(name).is_some()));
    assert!(wants_stdin(&Call {
        argv: vec!["cat".into()],
        env: BTreeMap::new(),
        cwd: "/".into(),
        stdin: CallInput::Host,
        out_direct: true,
        err_direct: true
    }));
}
