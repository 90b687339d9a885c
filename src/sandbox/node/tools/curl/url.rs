//! URLs as curl takes them: scheme guessed, dots removed, relative ones resolved.

/// A URL in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Lower case.
    pub scheme: String,
    /// `user:password`, as written.
    pub userinfo: Option<String>,
    /// As written; brackets of an IPv6 address removed.
    pub host: String,
    /// As written, if any.
    pub port: Option<u16>,
    /// Starts with `/`, with the query.
    pub path: String,
}

/// Why a text is no URL for curl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// Exit 3.
    Malformed,
    /// Exit 1.
    Protocol(String),
}

impl Url {
    /// Reads a URL; without a scheme it is http.
    ///
    /// # Errors
    /// What curl cannot take.
    pub fn parse(text: &str, path_as_is: bool) -> Result<Url, Wrong> {
        if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Wrong::Malformed);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) => {
                (scheme.to_ascii_lowercase(), rest)
            }
            _ => ("http".to_string(), text),
        };
        if scheme != "http" && scheme != "https" {
            return Err(Wrong::Protocol(scheme));
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (userinfo, hostport) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user.to_string()), host),
            None => (None, authority),
        };
        let (host, port) = split_port(hostport)?;
        if host.is_empty() || host.contains(['{', '}', '|', '\\', '^', '`', '"', '<', '>', '%', '[', ']']) {
            return Err(Wrong::Malformed);
        }
        let path = if path.starts_with('/') { path.to_string() } else { format!("/{path}") };
        let path = if path_as_is { path } else { without_dots(&path) };
        Ok(Url { scheme, userinfo, host, port, path })
    }

    /// The port, or the scheme's own.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.scheme == "https" { 443 } else { 80 })
    }

    /// Host and port as a `Host` header has them.
    pub fn authority(&self) -> String {
        let host = self.bracketed();
        match self.port.filter(|p| *p != if self.scheme == "https" { 443 } else { 80 }) {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    /// The whole URL.
    pub fn text(&self) -> String {
        let user = self.userinfo.as_ref().map(|u| format!("{u}@")).unwrap_or_default();
        let port = self.port.map(|p| format!(":{p}")).unwrap_or_default();
        format!("{}://{user}{}{port}{}", self.scheme, self.bracketed(), self.path)
    }

    /// Where a `Location` leads from here.
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub fn join(&self, location: &str) -> Result<Url, Wrong> {
        let location = location.trim().replace(' ', "%20");
        if location.split_once("://").is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric())) {
            return Url::parse(&location, false);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Url::parse(&format!("{}://{rest}", self.scheme), false);
        }
        let mut url = self.clone();
        let location = location.split('#').next().unwrap_or_default();
        let base = self.path.split('?').next().unwrap_or("/");
        url.path = match location.chars().next() {
            Some('/') => without_dots(location),
            Some('?') => format!("{base}{location}"),
            None => self.path.clone(),
            Some(_) => without_dots(&format!("{}{location}", &base[..=base.rfind('/').unwrap_or(0)])),
        };
        Ok(url)
    }
}

fn split_port(hostport: &str) -> Result<(String, Option<u16>), Wrong> {
    let (host, port) = match hostport.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(Wrong::Malformed)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| Wrong::Malformed)?;
            (host, after.strip_prefix(':'))
        }
        None => match hostport.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (hostport, None),
        },
    };
    match port.filter(|p| !p.is_empty()) {
        None => Ok((host.to_string(), None)),
        Some(port) => Ok((host.to_string(), Some(port.parse().map_err(|_| Wrong::Malformed)?))),
    }
}

/// Removes `.` and `..` from a path; the query stays as it is.
fn without_dots(path: &str) -> String {
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (path, String::new()),
    };
    let mut out: Vec<&str> = Vec::new();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    for (at, part) in parts.iter().enumerate() {
        let last = at + 1 == parts.len();
        match *part {
            ".." => {
                out.pop();
                if last {
                    out.push("");
                }
            }
            "." if last => out.push(""),
            "." => (),
            part => out.push(part),
        }
    }
    format!("/{}{query}", out.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_read_and_join() {
        let table = [
            ("www.wikipedia.org", "http://www.wikipedia.org/"),
            ("HTTPS://a.b:8443/x/../y?z=/../#f", "https://a.b:8443/y?z=/../"),
            ("http://u:p@h?q", "http://u:p@h/?q"),
            ("http://[::1]:80/", "http://[::1]:80/"),
        ];
        for (text, want) in table {
            assert_eq!(Url::parse(text, false).map(|u| u.text()), Ok(want.to_string()));
        }
        let base = Url::parse("http://h:81/a/b?c", false).unwrap();
        for (to, want) in [
            ("/x", "http://h:81/x"),
            ("y", "http://h:81/a/y"),
            ("?q", "http://h:81/a/b?q"),
            ("//o/p", "http://o/p"),
            ("https://s", "https://s/"),
        ] {
            assert_eq!(base.join(to).unwrap().text(), want);
        }
        assert_eq!(Url::parse("http://a b", false), Err(Wrong::Malformed));
        assert_eq!(Url::parse("http://a:x/", false), Err(Wrong::Malformed));
        assert_eq!(Url::parse("foo://x", false), Err(Wrong::Protocol("foo".to_string())));
    }
}
