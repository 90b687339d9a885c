//! What the pods of the cluster serve, by image: the answers of in-mesh servers. The pod's own facts come as plain values.

use super::answer::{Asked, Said, echo, httpbin, text};

/// A container that may listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container<'a> {
    pub image: &'a str,
    /// The pod's name.
    pub pod: &'a str,
    /// `containerPort`s.
    pub ports: &'a [u16],
}

/// What a container does with a connection to one of the pod's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listens {
    /// Nothing listens there.
    No,
    Httpbin,
    Echo,
    Nginx,
    /// A server that this program knows nothing about.
    Unknown,
}

/// The image's name without registry and tag: `docker.io/curlimages/curl:8.1.2` -> `curl`.
pub fn short_name(image: &str) -> &str {
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split(['@', ':']).next().unwrap_or(last)
}

/// Whether and how the container listens on a port.
pub fn listens(container: &Container<'_>, port: u16) -> Listens {
    let name = short_name(container.image);
    let declared = |default: &[u16]| match container.ports {
        [] => default.contains(&port),
        ports => ports.contains(&port),
    };
    let known = |kind: Listens, default: &[u16]| if declared(default) { kind } else { Listens::No };
    match name {
        "httpbin" => known(Listens::Httpbin, &[80]),
        "go-httpbin" => known(Listens::Httpbin, &[8080]),
        "nginx" | "nginx-unprivileged" => known(Listens::Nginx, &[80]),
        "http-echo" => known(Listens::Echo, &[5678]),
        n if n.contains("echo") => known(Listens::Echo, &[80, 7070, 8080]),
        "curl" | "busybox" | "alpine" | "pause" | "sleep" | "ubuntu" | "debian" | "netshoot" => Listens::No,
        _ if container.ports.contains(&port) => Listens::Unknown,
        _ => Listens::No,
    }
}

/// What the server says; `None` for [`Listens::No`] and [`Listens::Unknown`].
pub fn answer(kind: Listens, container: &Container<'_>, asked: &Asked<'_>) -> Option<Said> {
    let plain = |response| Some(Said { response, extra_ms: 0 });
    match kind {
        Listens::Httpbin => Some(httpbin(asked, "gunicorn/19.9.0")),
        Listens::Echo => plain(echo(asked, container.pod)),
        Listens::Nginx => plain(nginx(asked)),
        Listens::No | Listens::Unknown => None,
    }
}

fn nginx(asked: &Asked<'_>) -> super::wire::Response {
    let page = match asked.path.split('?').next() {
        Some("/" | "/index.html") => (
            200,
            "<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n</head>\n<body>\n<h1>Welcome to nginx!</h1>\n</body>\n</html>\n",
        ),
        _ => (
            404,
            "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
        ),
    };
    let mut response = text(asked, page.0, "text/html", page.1);
    response.headers.insert(0, ("server".into(), "nginx".into()));
    response
}
