//! The curl of a probe: its command line and what it printed. One exchange each; redirects are followed by asking again, so that
//! every hop has its own lines in the proxies' logs.

use crate::lesson::model::ProbeRequest;
use crate::outside::wire::{self, HttpVersion, Request, Scheme};

/// Seconds after which a probe gives up.
pub const MAX_SECONDS: u32 = 40;
/// Redirects that are followed.
pub const MAX_REDIRECTS: usize = 5;
/// Characters kept of an answer's body.
const MAX_BODY: usize = 2_048;

/// An absolute http or https URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub scheme: Scheme,
    pub host: String,
    pub port: u16,
    /// Path and query, starting with `/`.
    pub path: String,
}

impl Target {
    /// Reads a URL; `None` unless it is `http://` or `https://` with a host.
    pub fn parse(url: &str) -> Option<Target> {
        let (scheme, rest) = url.split_once("://")?;
        let (scheme, standard) = match scheme {
            "http" => (Scheme::Http, 80),
            "https" => (Scheme::Https, 443),
            _ => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, standard),
        };
        let path = path.split('#').next().unwrap_or("");
        let path = if path.starts_with('/') { path.to_string() } else { format!("/{path}") };
        (!host.is_empty()).then(|| Target { scheme, host: host.to_string(), port, path })
    }

    /// The URL that a `location` header names, seen from here.
    pub fn join(&self, location: &str) -> Option<Target> {
        if location.contains("://") {
            return Target::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            let scheme = if self.scheme == Scheme::Https { "https" } else { "http" };
            return Target::parse(&format!("{scheme}://{rest}"));
        }
        location.starts_with('/').then(|| Target { path: location.to_string(), ..self.clone() })
    }

    /// The URL as people write it: without the scheme's own port.
    pub fn url(&self) -> String {
        let (scheme, standard) = if self.scheme == Scheme::Https { ("https", 443) } else { ("http", 80) };
        match self.port == standard {
            true => format!("{scheme}://{}{}", self.host, self.path),
            false => format!("{scheme}://{}:{}{}", self.host, self.port, self.path),
        }
    }

    /// The request as the mesh model takes it.
    pub fn request(&self, probe: &ProbeRequest, agent: &str) -> Request {
        let standard = if self.scheme == Scheme::Https { 443 } else { 80 };
        let authority = if self.port == standard { self.host.clone() } else { format!("{}:{}", self.host, self.port) };
        let own_host = probe.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host")).map(|(_, v)| v.clone());
        let mut headers = vec![
            ("Host".to_string(), own_host.unwrap_or(authority)),
            ("User-Agent".to_string(), agent.to_string()),
            ("Accept".to_string(), "*/*".to_string()),
        ];
        headers.extend(probe.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host")).cloned());
        let address = self.host.parse().ok();
        Request {
            scheme: self.scheme,
            version: HttpVersion::Http11,
            method: probe.method.clone().into(),
            host: self.host.clone().into(),
            port: self.port,
            path: self.path.clone().into(),
            headers: wire::headers(headers),
            sni: (self.scheme == Scheme::Https && address.is_none()).then(|| self.host.clone().into()),
            body_len: 0,
            address,
            from_proxy_user: false,
            max_time_ms: Some(u64::from(MAX_SECONDS) * 1000),
            connect_timeout_ms: None,
            insecure: false,
        }
    }
}

/// The command line of one exchange.
pub fn argv(probe: &ProbeRequest, url: &str, agent: &str) -> Vec<String> {
    let show = if probe.method == "HEAD" { "-I" } else { "-i" };
    let limit = MAX_SECONDS.to_string();
    let mut argv: Vec<String> = ["curl", "-sS", show, "-m", &limit, "-A", agent].map(str::to_string).to_vec();
    if !matches!(probe.method.as_str(), "HEAD" | "GET") {
        argv.extend(["-X".to_string(), probe.method.clone()]);
    }
    for (name, value) in &probe.headers {
        argv.extend(["-H".to_string(), format!("{name}: {value}")]);
    }
    argv.push(url.to_string());
    argv
}

/// The same as people would type it: `curl --head -L http://www.wikipedia.org`.
pub fn as_typed(probe: &ProbeRequest) -> String {
    let head = if probe.method == "HEAD" { " --head" } else { "" };
    let follow = if probe.follow { " -L" } else { "" };
    format!("curl{head}{follow} {}", probe.url)
}

/// An HTTP answer as `curl -i` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    /// Reads what curl printed; `None` when no answer came.
    pub fn parse(stdout: &str) -> Option<Answer> {
        let text = stdout.replace("\r\n", "\n");
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status: u16 = lines.next()?.strip_prefix("HTTP/")?.split(' ').nth(1)?.parse().ok()?;
        if (100..200).contains(&status) {
            return Answer::parse(body);
        }
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_string())).collect();
        Some(Answer { status, headers, body: body.chars().take(MAX_BODY).collect() })
    }

    /// Where it redirects to.
    pub fn location(&self) -> Option<&str> {
        if !matches!(self.status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        self.headers.iter().find(|(name, _)| name == "location").map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_come_apart_and_together() {
        for (url, host, port, path) in [
            ("http://www.wikipedia.org", "www.wikipedia.org", 80, "/"),
            ("https://www.wikipedia.org/a?b=c#d", "www.wikipedia.org", 443, "/a?b=c"),
            ("http://echo.lab-control:7070/x", "echo.lab-control", 7070, "/x"),
            ("http://h?q", "h", 80, "/?q"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.host.as_str(), target.port, target.path.as_str()), (host, port, path), "{url}");
        }
        for url in ["ftp://x", "www.wikipedia.org", "http://", "http://h:x/"] {
            assert_eq!(Target::parse(url), None, "{url}");
        }
        let here = Target::parse("http://h:81/a").unwrap();
        assert_eq!(here.join("/b").unwrap().url(), "http://h:81/b");
        assert_eq!(here.join("https://www.wikipedia.org/").unwrap().url(), "https://www.wikipedia.org/");
        assert_eq!(here.join("//x/y").unwrap().url(), "http://x/y");
    }

    #[test]
    fn answers_are_read_and_silence_is_none() {
        let text = "HTTP/1.1 301 Moved Permanently\r\nLocation: https://x/\r\nserver: envoy\r\n\r\nbody\n";
        let answer = Answer::parse(text).unwrap();
        assert_eq!((answer.status, answer.location(), answer.body.as_str()), (301, Some("https://x/"), "body\n"));
        assert_eq!(Answer::parse("HTTP/2 200 \r\n\r\n").unwrap().status, 200);
        assert_eq!(Answer::parse(""), None);
        assert_eq!(Answer::parse("HTTP/1.1 200 OK\r\nlocation: /x\r\n\r\n").unwrap().location(), None);
    }
}
