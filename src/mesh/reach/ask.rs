//! What is asked for, in curl's terms, and the request that it makes.

use crate::base::shared::Text;
use crate::mesh::follow::request_for;
use crate::outside::wire::{HttpVersion, Request, Scheme};
use std::net::IpAddr;

/// What the client calls itself.
pub const AGENT: &str = "egress-lab/explain";
/// Header lines and overrides that one request may have.
const MAX_PARTS: usize = 1_000;

/// A URL and the options of curl that change what goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// `http://`, `https://`, `tcp://HOST:PORT` or `udp://HOST:PORT`; without a scheme it is http.
    pub url: String,
    pub method: String,
    /// Names and values; `Host` replaces the URL's.
    pub headers: Vec<(String, String)>,
    /// `-L`.
    pub follow: bool,
    /// `-k`.
    pub insecure: bool,
    /// `--http1.0`.
    pub http10: bool,
    /// The server name of the TLS hello in place of the URL's; "" sends none.
    pub sni: Option<String>,
    /// `--resolve HOST:PORT:ADDRESS`.
    pub resolve: Vec<String>,
    /// `--connect-to HOST1:PORT1:HOST2:PORT2`.
    pub connect_to: Vec<String>,
}

impl Ask {
    /// A plain GET.
    pub fn get(url: &str) -> Ask {
        Ask {
            url: url.into(),
            method: "GET".into(),
            headers: Vec::new(),
            follow: false,
            insecure: false,
            http10: false,
            sni: None,
            resolve: Vec::new(),
            connect_to: Vec::new(),
        }
    }

    /// The request as the model takes it.
    ///
    /// # Errors
    /// A sentence on what cannot be read.
    pub fn request(&self) -> Result<Request, String> {
        if self.headers.len() + self.resolve.len() + self.connect_to.len() > MAX_PARTS {
            return Err(format!("more than {MAX_PARTS} headers and overrides"));
        }
        let mut request = match self.url.split_once("://") {
            Some(("tcp", rest)) => connection("tcp", rest)?,
            Some(("udp", rest)) => Request { scheme: Scheme::Udp, ..connection("udp", rest)? },
            _ => request_for(&self.url, &self.method, AGENT).ok_or_else(|| bad_url(&self.url))?,
        };
        if request.port == 0 || request.host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '*') {
            return Err(bad_url(&self.url));
        }
        for (name, value) in &self.headers {
            if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == ':' || c.is_control()) {
                return Err(format!("{name:?} is no header name; -H takes `Name: value`"));
            }
            request.headers.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
            request.headers.push((name.clone().into(), value.clone().into()));
        }
        if self.http10 && !matches!(request.scheme, Scheme::Tcp | Scheme::Udp) {
            request.version = HttpVersion::Http10;
        }
        request.insecure = self.insecure;
        self.redirect(&mut request)?;
        if let Some(name) = &self.sni {
            if request.scheme != Scheme::Https {
                return Err("--sni is for https:// (only a TLS hello carries a server name)".into());
            }
            request.sni = (!name.is_empty()).then(|| Text::new(name));
        }
        Ok(request)
    }

    /// `--connect-to`, then `--resolve`, each the first that fits, as curl does.
    fn redirect(&self, request: &mut Request) -> Result<(), String> {
        for text in &self.connect_to {
            let parts = split_addressed(text);
            let [from_host, from_port, to_host, to_port] = parts.as_slice() else {
                return Err(format!("--connect-to takes HOST1:PORT1:HOST2:PORT2, not {text}"));
            };
            let from_here = (from_host.is_empty() || from_host.eq_ignore_ascii_case(&request.host))
                && (from_port.is_empty() || *from_port == request.port.to_string());
            if !from_here {
                continue;
            }
            if !to_host.is_empty() {
                request.host = Text::new(to_host);
                request.address = to_host.parse().ok();
            }
            if !to_port.is_empty() {
                request.port = to_port.parse().map_err(|_| format!("--connect-to {text}: {to_port} is no port"))?;
            }
            break;
        }
        for text in &self.resolve {
            let parts = split_addressed(text);
            let [host, port, address] = parts.as_slice() else {
                return Err(format!("--resolve takes HOST:PORT:ADDRESS, not {text}"));
            };
            let first = address.split(',').next().unwrap_or("").trim_matches(['[', ']']);
            let address: IpAddr = first.parse().map_err(|_| format!("--resolve {text}: {first} is no IP address"))?;
            let host = host.strip_prefix('+').unwrap_or(host);
            if (host == "*" || host.eq_ignore_ascii_case(&request.host)) && *port == request.port.to_string() {
                request.address = Some(address);
                break;
            }
        }
        Ok(())
    }
}

fn bad_url(url: &str) -> String {
    format!(
        "{url} is not a URL that explain reads: http://, https://, tcp:// or udp://, a host, perhaps a port (1 to 65535) and a path"
    )
}

/// `HOST:PORT` of a bare connection.
fn connection(scheme: &str, text: &str) -> Result<Request, String> {
    let text = text.trim_end_matches('/');
    let bad =
        || format!("{scheme}://{text}: a bare connection needs a host and a port (1 to 65535), {scheme}://db.example.com:5432");
    let (host, port) = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).ok_or_else(bad)?;
    let port: u16 = port.parse().ok().filter(|p| *p > 0).ok_or_else(bad)?;
    let base = request_for(&format!("http://{host}:{port}/"), "GET", AGENT).ok_or_else(bad)?;
    Ok(Request { scheme: Scheme::Tcp, headers: Vec::new(), sni: None, ..base })
}

/// Splits at colons, but not inside `[..]` (IPv6).
fn split_addressed(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut inside = false;
    for c in text.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            ':' if !inside && parts.len() < 4 => parts.push(String::new()),
            c => parts.last_mut().expect("starts with one part").push(c),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_requests() {
        for (url, scheme, host, port, path) in [
            ("http://a.example/x?y#z", Scheme::Http, "a.example", 80, "/x?y"),
            ("a.example", Scheme::Http, "a.example", 80, "/"),
            ("https://a.example:8443", Scheme::Https, "a.example", 8443, "/"),
            ("tcp://db.example:5432", Scheme::Tcp, "db.example", 5432, "/"),
            ("http://[::1]:8080/", Scheme::Http, "::1", 8080, "/"),
            ("udp://198.51.100.7:53", Scheme::Udp, "198.51.100.7", 53, "/"),
            ("tcp://[fd00::1]:22", Scheme::Tcp, "fd00::1", 22, "/"),
        ] {
            let request = Ask::get(url).request().unwrap();
            assert_eq!((request.scheme, request.host.as_str(), request.port, request.path.as_str()), (scheme, host, port, path));
        }
        for url in [
            "",
            "http://",
            "ftp://a/",
            "http://a:x/",
            "http://a:0/",
            "http://a:70000/",
            "tcp://a",
            "tcp://:1",
            "tcp://a:0",
            "http://*.a/",
        ] {
            assert!(Ask::get(url).request().is_err(), "{url}");
        }
    }

    #[test]
    fn overrides_change_what_is_dialled_and_nothing_else() {
        let ask = |resolve: &[&str], connect: &[&str]| Ask {
            resolve: resolve.iter().map(|s| s.to_string()).collect(),
            connect_to: connect.iter().map(|s| s.to_string()).collect(),
            ..Ask::get("https://a.example/")
        };
        let request = ask(&["b.example:443:10.0.0.2", "a.example:443:10.0.0.1"], &[]).request().unwrap();
        assert_eq!((request.address, request.sni.as_deref()), (Some("10.0.0.1".parse().unwrap()), Some("a.example")));
        assert_eq!(ask(&["a.example:80:10.0.0.1"], &[]).request().unwrap().address, None);
        let request = ask(&["a.example:443:[fd00::1]"], &[]).request().unwrap();
        assert_eq!(request.address, Some("fd00::1".parse().unwrap()));
        let request = ask(&[], &["::gw.example:8443"]).request().unwrap();
        assert_eq!((request.host.as_str(), request.port, request.sni.as_deref()), ("gw.example", 8443, Some("a.example")));
        assert_eq!(request.header("host"), Some("a.example"));
        for bad in ["a.example", "a.example:443:nowhere"] {
            assert!(ask(&[bad], &[]).request().is_err(), "{bad}");
        }
        assert!(ask(&[], &["a:b"]).request().is_err());
    }

    #[test]
    fn headers_replace_and_server_names_belong_to_tls() {
        let mut ask = Ask::get("http://10.0.0.1:8080/");
        ask.headers = vec![("host".into(), "a.example".into()), ("X-A".into(), "1".into())];
        let request = ask.request().unwrap();
        assert_eq!((request.header("Host"), request.header("x-a")), (Some("a.example"), Some("1")));
        assert_eq!(request.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case("host")).count(), 1);
        ask.sni = Some("x".into());
        assert!(ask.request().is_err());
    }
}
