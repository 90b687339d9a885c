//! nslookup, getent, nc, wget and ping, as busybox has them.

use super::Tool;
use crate::outside::wire::{DnsAnswer, Failure, HttpVersion, Reply, Request, Scheme};
use crate::sandbox::node::tools::files::split;
use std::net::IpAddr;

pub fn nslookup(tool: &mut Tool<'_>) -> i32 {
    let names: Vec<String> = tool.args().iter().filter(|a| !a.starts_with('-')).cloned().collect();
    if let Some(option) = tool.args().iter().find(|a| a.starts_with('-')).cloned() {
        return tool.refuse(&format!("nslookup {option}"));
    }
    let [name] = names.as_slice() else {
        return match names.is_empty() {
            true => tool.fail("Usage: nslookup [-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]"),
            false => tool.refuse("nslookup with a server of your own"),
        };
    };
    let server = tool.env.facts().nameserver;
    let answer = tool.env.resolve(name);
    if answer == DnsAnswer::TimedOut {
        tool.pass(10_000);
        return tool.fail(";; connection timed out; no servers could be reached\n");
    }
    tool.say(&format!("Server:\t\t{server}\nAddress:\t{server}:53\n\n"));
    match answer {
        DnsAnswer::Addresses { canonical, addresses } => {
            let (v4, v6): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv4);
            for family in [v4, v6] {
                family_lines(tool, name, &canonical, &family);
            }
            0
        }
        _ => {
            tool.say(&format!("** server can't find {name}: NXDOMAIN\n\n").repeat(2));
            1
        }
    }
}

fn family_lines(tool: &mut Tool<'_>, name: &str, canonical: &str, addresses: &[IpAddr]) {
    let inside = canonical.trim_end_matches('.').ends_with(".cluster.local");
    let mut text = if inside { String::new() } else { "Non-authoritative answer:\n".to_string() };
    let canonical = canonical.trim_end_matches('.');
    if !inside && !canonical.is_empty() && canonical != name.trim_end_matches('.') {
        text.push_str(&format!("{name}\tcanonical name = {canonical}\n"));
    }
    for address in addresses {
        let shown = if canonical.is_empty() { name } else { canonical };
        text.push_str(&format!("Name:\t{shown}\nAddress: {address}\n"));
    }
    tool.say(&format!("{text}\n"));
}

pub fn getent(tool: &mut Tool<'_>) -> i32 {
    let args = tool.args().to_vec();
    let (base, name) = match args.as_slice() {
        [base, name] => (base.as_str(), name),
        _ => return tool.refuse("getent other than: getent hosts NAME, getent ahosts NAME"),
    };
    if !["hosts", "ahosts", "ahostsv4"].contains(&base) {
        return tool.refuse(&format!("getent {base}"));
    }
    match tool.env.resolve(name) {
        DnsAnswer::Addresses { canonical, addresses } => {
            let first = addresses
                .iter()
                .find(|a| a.is_ipv6())
                .filter(|_| base == "hosts")
                .map_or(addresses.clone(), |_| addresses.iter().copied().filter(IpAddr::is_ipv6).collect());
            let shown = if canonical.is_empty() { name.clone() } else { canonical.trim_end_matches('.').to_string() };
            for address in first {
                tool.say(&format!("{address:<15}   {shown}  {name}\n").replace(&format!("{shown}  {shown}"), &shown));
            }
            0
        }
        _ => 2,
    }
}

/// A request of another client than curl.
fn request(scheme: Scheme, host: &str, port: u16, path: &str, agent: &str) -> Request {
    let named = scheme == Scheme::Https && host.parse::<IpAddr>().is_err();
    let authority =
        if port == if scheme == Scheme::Https { 443 } else { 80 } { host.to_string() } else { format!("{host}:{port}") };
    Request {
        scheme,
        version: HttpVersion::Http11,
        method: "GET".into(),
        host: host.to_string().into(),
        port,
        path: path.to_string().into(),
        headers: vec![
            ("Host".into(), authority.into()),
            ("User-Agent".into(), agent.to_string().into()),
            ("Connection".into(), "close".into()),
        ],
        sni: named.then(|| host.to_string().into()),
        body_len: 0,
        address: host.parse().ok(),
        from_proxy_user: false,
        max_time_ms: None,
        connect_timeout_ms: None,
        insecure: false,
    }
}

/// `nc -z [-v] [-w SECONDS] HOST PORT`
pub fn nc(tool: &mut Tool<'_>) -> i32 {
    let mut words = tool.args().to_vec();
    let limit = words.iter().position(|w| w == "-w").map(|at| {
        words.remove(at);
        if at < words.len() { words.remove(at).parse::<u64>().unwrap_or(0) * 1000 } else { 0 }
    });
    let (letters, operands) = split(&words);
    let ([host, port], true) = (operands.as_slice(), letters.contains('z') && letters.chars().all(|c| "zvn".contains(c))) else {
        return tool.refuse("nc other than: nc -z [-v] [-w SECONDS] HOST PORT");
    };
    let Ok(number) = port.parse::<u16>() else {
        return tool.fail(&format!("nc: bad port spec '{port}'"));
    };
    let mut request = request(Scheme::Tcp, host, number, "", "");
    request.headers.clear();
    request.method = Default::default();
    request.connect_timeout_ms = limit.filter(|ms| *ms > 0);
    let exchange = tool.env.exchange(&request);
    tool.pass(exchange.delay_ms.min(limit.filter(|ms| *ms > 0).unwrap_or(u64::MAX)));
    let verbose = letters.contains('v');
    match exchange.reply {
        Reply::Failure(Failure::NotModelled { object, field }) => tool.refuse(&format!("{object} {field}")),
        Reply::Failure(Failure::NameNotResolved) => tool.fail(&format!("nc: bad address '{host}'")),
        Reply::Failure(Failure::ConnectionRefused { address, .. }) => {
            if verbose {
                tool.err(&format!("nc: {host} ({address}:{number}): Connection refused\n"));
            }
            1
        }
        Reply::Failure(Failure::ConnectTimedOut | Failure::TimedOut) => {
            if verbose {
                tool.err("nc: timed out\n");
            }
            1
        }
        Reply::Failure(_) => opened(tool, verbose, host, None, number),
        Reply::Response(response) => opened(tool, verbose, host, response.peer.map(|(a, _)| a), number),
    }
}

fn opened(tool: &mut Tool<'_>, verbose: bool, host: &str, peer: Option<IpAddr>, port: u16) -> i32 {
    if verbose {
        let address = peer.or_else(|| host.parse().ok()).or_else(|| match tool.env.resolve(host) {
            DnsAnswer::Addresses { addresses, .. } => addresses.first().copied(),
            _ => None,
        });
        let shown = address.map(|a| a.to_string()).unwrap_or_default();
        tool.err(&format!("{host} ({shown}:{port}) open\n"));
    }
    0
}

pub fn ping(tool: &mut Tool<'_>) -> i32 {
    let host = tool.args().iter().rfind(|a| !a.starts_with('-')).cloned().unwrap_or_default();
    match tool.env.resolve(&host) {
        DnsAnswer::Addresses { .. } => tool.refuse("ICMP (ping); a sidecar never sees it either"),
        _ if host.parse::<IpAddr>().is_ok() => tool.refuse("ICMP (ping); a sidecar never sees it either"),
        _ => tool.fail(&format!("ping: bad address '{host}'")),
    }
}

/// `wget [-q] [-S] [-O FILE] [-T SECONDS] URL`
pub fn wget(tool: &mut Tool<'_>) -> i32 {
    let args = tool.args().to_vec();
    let (mut quiet, mut headers, mut spider, mut file, mut limit, mut url) = (false, false, false, None, None, None);
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--spider" => spider = true,
            "-q" => quiet = true,
            "-S" => headers = true,
            "-qS" | "-Sq" => (quiet, headers) = (true, true),
            "-O" => file = words.next().cloned(),
            "-qO-" | "-O-" => (quiet, file) = (quiet || word.starts_with("-q"), Some("-".to_string())),
            "-qO" => (quiet, file) = (true, words.next().cloned()),
            "-T" => limit = words.next().and_then(|s| s.parse::<u64>().ok()).map(|s| s * 1000),
            option if option.starts_with('-') => return tool.refuse(&format!("wget {option}")),
            _ => url = Some(word.clone()),
        }
    }
    let Some(mut url) = url else {
        return tool.fail("BusyBox wget: needs a URL");
    };
    for _ in 0..5 {
        match fetch(tool, &url, quiet, headers, limit) {
            Err(code) => return code,
            Ok((_, Some(next))) => url = next,
            Ok((_, None)) if spider => return 0,
            Ok((body, None)) => return save(tool, &url, file, quiet, &body),
        }
    }
    tool.fail("wget: too many redirections")
}

/// One hop: the body, or where to go next.
fn fetch(
    tool: &mut Tool<'_>,
    url: &str,
    quiet: bool,
    headers: bool,
    limit: Option<u64>,
) -> Result<(Vec<u8>, Option<String>), i32> {
    let (scheme, rest) = match url.split_once("://") {
        Some(("https", rest)) => (Scheme::Https, rest),
        Some(("http", rest)) => (Scheme::Http, rest),
        Some((other, _)) => return Err(tool.fail(&format!("wget: not an http or ftp url: {other}"))),
        None => (Scheme::Http, url),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| tool.fail(&format!("wget: bad port spec '{port}'")))?),
        None => (authority, if scheme == Scheme::Https { 443 } else { 80 }),
    };
    let mut request = request(scheme, host, port, &format!("/{path}"), "Wget");
    request.max_time_ms = limit;
    let exchange = tool.env.exchange(&request);
    tool.pass(exchange.delay_ms);
    let response = match exchange.reply {
        Reply::Response(response) => response,
        Reply::Failure(failure) => return Err(wget_failure(tool, host, port, &failure)),
    };
    if !quiet {
        let address = response.peer.map(|(a, _)| a.to_string()).unwrap_or_default();
        tool.err(&format!(
            "Connecting to {host}{} ({address}:{port})\n",
            if [80, 443].contains(&port) { String::new() } else { format!(":{port}") }
        ));
    }
    if headers {
        let lines: String = response.headers.iter().map(|(n, v)| format!("  {n}: {v}\n")).collect();
        tool.err(&format!("  HTTP/1.1 {} {}\n{lines}", response.status, response.reason));
    }
    let location = response.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("location")).map(|(_, v)| v.to_string());
    match (response.status, location) {
        (301 | 302 | 303 | 307 | 308, Some(to)) if to.starts_with('/') => {
            let scheme = if scheme == Scheme::Https { "https" } else { "http" };
            Ok((Vec::new(), Some(format!("{scheme}://{authority}{to}"))))
        }
        (301 | 302 | 303 | 307 | 308, Some(to)) => Ok((Vec::new(), Some(to))),
        (200..=299, _) => Ok((response.body, None)),
        (status, _) => Err(tool.fail(&format!("wget: server returned error: HTTP/1.1 {status} {}", response.reason))),
    }
}

fn wget_failure(tool: &mut Tool<'_>, host: &str, port: u16, failure: &Failure) -> i32 {
    match failure {
        Failure::NotModelled { object, field } => tool.refuse(&format!("{object} {field}")),
        Failure::NameNotResolved => tool.fail(&format!("wget: bad address '{host}'")),
        Failure::ConnectionRefused { address, .. } => tool.fail(
            &format!("wget: can't connect to remote host ({address}:{port}): Connection refused")
                .replace(&format!(":{port})"), ")"),
        ),
        Failure::ConnectTimedOut | Failure::TimedOut => tool.fail("wget: download timed out"),
        Failure::ReceiveReset => tool.fail("wget: error getting response: Connection reset by peer"),
        Failure::EmptyReply => tool.fail("wget: error getting response"),
        _ => tool.fail("wget: error getting response: Connection reset by peer"),
    }
}

fn save(tool: &mut Tool<'_>, url: &str, file: Option<String>, quiet: bool, body: &[u8]) -> i32 {
    let name = file.unwrap_or_else(|| match url.rsplit('/').next() {
        Some(last) if !last.is_empty() && !url.ends_with(&format!("://{last}")) => last.to_string(),
        _ => "index.html".to_string(),
    });
    if name == "-" {
        tool.out(body);
        return 0;
    }
    let path = crate::shell::join(&tool.call.cwd, &name);
    if name != "/dev/null"
        && let Err(error) = tool.env.write(&path, body, false)
    {
        return tool.fail(&format!("wget: can't open '{name}': {error}"));
    }
    if !quiet {
        tool.err(&format!("saving to '{name}'\n'{name}' saved\n"));
    }
    0
}
