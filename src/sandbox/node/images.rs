//! The images that this node knows: which has a shell, under which user it runs, what its main process does.

/// One image of the catalogue, whatever its registry and tag.
#[derive(Debug)]
pub struct Image {
    /// The end of the repository name: `curlimages/curl`.
    pub name: &'static str,
    /// Whether `sh` is in it.
    pub shell: bool,
    /// Whether `bash` is in it.
    pub bash: bool,
    pub user: &'static str,
    pub uid: u32,
    pub gid: u32,
    pub home: &'static str,
    /// The port that the default process listens on.
    pub port: Option<u16>,
    /// ENTRYPOINT, then CMD.
    pub entrypoint: &'static [&'static str],
    pub cmd: &'static [&'static str],
    /// Commands beyond the usual small tools; `*` stands for those (busybox or coreutils).
    pub tools: &'static [&'static str],
    /// `PRETTY_NAME` and `ID` of /etc/os-release.
    pub os: (&'static str, &'static str),
    /// What a process that is not one of the tools does.
    pub main: Main,
}

/// What the image's own program does when it is the main process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Main {
    /// Runs until it is stopped.
    Serves,
    /// Whatever the command says: run it with the shell and the tools.
    Command,
}

const ALPINE: (&str, &str) = ("Alpine Linux v3.22", "alpine");
const DEBIAN: (&str, &str) = ("Debian GNU/Linux 12 (bookworm)", "debian");
const UBUNTU: (&str, &str) = ("Ubuntu 24.04.3 LTS", "ubuntu");

/// The catalogue.
pub const CATALOGUE: &[Image] = &[
    Image {
        name: "curlimages/curl",
        shell: true,
        bash: false,
        user: "curl_user",
        uid: 100,
        gid: 101,
        home: "/home/curl_user",
        port: None,
        entrypoint: &["/entrypoint.sh"],
        cmd: &["curl"],
        tools: &["*", "curl"],
        os: ALPINE,
        main: Main::Command,
    },
    Image {
        name: "istio/proxyv2",
        shell: true,
        bash: true,
        user: "istio-proxy",
        uid: 1337,
        gid: 1337,
        home: "/home/istio-proxy",
        port: Some(15021),
        entrypoint: &["/usr/local/bin/pilot-agent"],
        cmd: &[],
        tools: &["*", "curl", "pilot-agent", "envoy", "openssl"],
        os: UBUNTU,
        main: Main::Serves,
    },
    Image {
        name: "istio/pilot",
        shell: true,
        bash: true,
        user: "istio-proxy",
        uid: 1337,
        gid: 1337,
        home: "/home/istio-proxy",
        port: Some(15017),
        entrypoint: &["/usr/local/bin/pilot-discovery"],
        cmd: &[],
        tools: &["*", "curl", "pilot-discovery"],
        os: UBUNTU,
        main: Main::Serves,
    },
    Image {
        name: "nginx",
        shell: true,
        bash: true,
        user: "root",
        uid: 0,
        gid: 0,
        home: "/root",
        port: Some(80),
        entrypoint: &["/docker-entrypoint.sh"],
        cmd: &["nginx", "-g", "daemon off;"],
        tools: &["*", "curl", "nginx"],
        os: DEBIAN,
        main: Main::Serves,
    },
    Image {
        name: "hashicorp/http-echo",
        shell: false,
        bash: false,
        user: "nonroot",
        uid: 65532,
        gid: 65532,
        home: "/home/nonroot",
        port: Some(5678),
        entrypoint: &["/http-echo"],
        cmd: &[],
        tools: &[],
        os: DEBIAN,
        main: Main::Serves,
    },
    Image {
        name: "busybox",
        shell: true,
        bash: false,
        user: "root",
        uid: 0,
        gid: 0,
        home: "/root",
        port: None,
        entrypoint: &[],
        cmd: &["sh"],
        tools: &["*", "wget"],
        os: ("BusyBox 1.37", "busybox"),
        main: Main::Command,
    },
    Image {
        name: "mccutchen/go-httpbin",
        shell: false,
        bash: false,
        user: "nonroot",
        uid: 65532,
        gid: 65532,
        home: "/home/nonroot",
        port: Some(8080),
        entrypoint: &["/bin/go-httpbin"],
        cmd: &[],
        tools: &[],
        os: DEBIAN,
        main: Main::Serves,
    },
    Image {
        name: "kennethreitz/httpbin",
        shell: true,
        bash: true,
        user: "root",
        uid: 0,
        gid: 0,
        home: "/root",
        port: Some(80),
        entrypoint: &[],
        cmd: &["gunicorn", "-b", "0.0.0.0:80", "httpbin:app", "-k", "gevent"],
        tools: &["*", "gunicorn"],
        os: ("Ubuntu 18.04.1 LTS", "ubuntu"),
        main: Main::Serves,
    },
];

impl Image {
    /// Whether the image has this command (by its name, without folder). `all` are the names the tools know.
    pub fn has(&self, command: &str, all: &[&str]) -> bool {
        match command {
            "sh" | "ash" => self.shell,
            "bash" => self.bash,
            "curl" | "wget" | "openssl" | "pilot-agent" => {
                self.tools.contains(&command) || (command == "wget" && self.os.1 == "alpine" && self.shell)
            }
            name => self.tools.contains(&name) || (self.tools.contains(&"*") && all.contains(&name)),
        }
    }
}

/// The catalogue's entry for a reference such as `docker.io/curlimages/curl:8.16.0` or `gcr.io/istio-release/proxyv2@sha256:..`.
pub fn find(reference: &str) -> Option<&'static Image> {
    let repository = repository(reference);
    let is = |image: &&Image| match image.name {
        // Istio's images come from several hubs: istio, gcr.io/istio-release, registry.istio.io/release, a mirror.
        "istio/proxyv2" => ends_with(repository, "proxyv2"),
        "istio/pilot" => ends_with(repository, "pilot"),
        name => ends_with(repository, name),
    };
    CATALOGUE.iter().find(is)
}

fn ends_with(repository: &str, name: &str) -> bool {
    repository.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}

/// The reference without tag and digest.
fn repository(reference: &str) -> &str {
    let name = reference.split('@').next().unwrap_or(reference);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

/// The reference as a runtime writes it into the status: `docker.io/library/nginx:latest`.
pub fn full_name(reference: &str) -> String {
    let tagged = match repository(reference).len() == reference.len() {
        true => format!("{reference}:latest"),
        false => reference.to_string(),
    };
    match tagged.split_once('/') {
        None => format!("docker.io/library/{tagged}"),
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => tagged,
        Some(_) => format!("docker.io/{tagged}"),
    }
}

/// The names of the catalogue, for the message about an image outside it.
pub fn names() -> String {
    CATALOGUE.iter().map(|i| i.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_whatever_their_registry_and_tag() {
        for (reference, name) in [
            ("curlimages/curl", Some("curlimages/curl")),
            ("docker.io/curlimages/curl:8.16.0", Some("curlimages/curl")),
            ("gcr.io/istio-release/proxyv2:1.30.0-distroless", Some("istio/proxyv2")),
            ("registry.istio.io/release/pilot@sha256:abc", Some("istio/pilot")),
            ("localhost:5000/nginx", Some("nginx")),
            ("nginx:1.29", Some("nginx")),
            ("mynginx", None),
            ("alpine:3", None),
        ] {
            assert_eq!(find(reference).map(|i| i.name), name, "{reference}");
        }
    }

    #[test]
    fn full_names_are_the_runtimes() {
        assert_eq!(full_name("nginx"), "docker.io/library/nginx:latest");
        assert_eq!(full_name("curlimages/curl:8"), "docker.io/curlimages/curl:8");
        assert_eq!(full_name("gcr.io/x/y:1"), "gcr.io/x/y:1");
    }
}
