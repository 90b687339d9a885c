//! The lab's outside world on a kind cluster: the images to build, the containers to run, the command lines for both.
//!
//! Each front end of `assets/outside` is a container of its own on kind's network, so that each has an address of its own as in the
//! sandbox. None is a Service or a pod: for the address of a Service a sidecar has a listener, and lets TLS and TCP pass to it under
//! REGISTRY_ONLY, which would spoil every lesson on blocking.

use super::binary::Binary;
use super::pins::{CLUSTER, CURL_IMAGE, LABEL, NETWORK, NODE};
use super::site::words;
use crate::outside::Outside;
use crate::outside::site::Site;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The origin image. `localhost/` keeps anybody from looking for it in a registry, and is what podman would write anyway.
pub const ORIGIN_IMAGE: &str = concat!("localhost/egress-lab/origin:", env!("CARGO_PKG_VERSION"));
/// The curl image with the lab's CA, under a name of its own: what the user has as `curlimages/curl` stays what it is.
pub const CURL_WITH_CA: &str = "localhost/egress-lab/curl:8.1.2";

const ORIGIN_FILE: &str = include_str!("../../../assets/kind/origin.Dockerfile");
const CURL_FILE: &str = include_str!("../../../assets/kind/curl.Dockerfile");

/// A folder that an image is built of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildContext {
    /// The image's name.
    pub tag: &'static str,
    /// The image it is built upon, which must be there or be pulled; `None`: nothing.
    pub base: Option<&'static str>,
    /// `linux/amd64` or so, when it must be just that.
    pub platform: Option<String>,
    /// Paths below the folder.
    pub files: Vec<(String, Content)>,
}

/// What is in a file of a [`BuildContext`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Text(String),
    CopyOf(PathBuf),
}

/// A front end of the outside world and its container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its id in `assets/outside`.
    pub site: String,
    /// The container's name.
    pub container: String,
    /// The names that are to lead to it.
    pub hosts: Vec<String>,
}

impl BuildContext {
    /// Writes the folder, which must not be there or be empty.
    ///
    /// # Errors
    /// File errors; what was written until then stays.
    pub fn lay(&self, folder: &Path) -> io::Result<()> {
        for (path, content) in &self.files {
            let path = folder.join(path);
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            match content {
                Content::Text(text) => fs::write(&path, text)?,
                Content::CopyOf(from) => drop(fs::copy(from, &path)?),
            }
        }
        Ok(())
    }

    /// `docker build` of that folder: the arguments after the program's name. The same for podman.
    pub fn build(&self, folder: &Path) -> Vec<String> {
        let mut argv = words(&["build", "--tag", self.tag, "--label", LABEL]);
        if let Some(platform) = &self.platform {
            argv.extend(["--platform".into(), platform.clone()]);
        }
        argv.push(folder.display().to_string());
        argv
    }
}

/// The image of the origins: this program (`program`, read as `binary`) and what `egress-lab origin ca --out CA` wrote, without the
/// CA's key.
pub fn origin_image(program: &Path, binary: Binary, ca: &Path) -> BuildContext {
    let base = binary.base_image();
    let mut files = vec![
        ("Dockerfile".into(), Content::Text(ORIGIN_FILE.replace("{base}", base))),
        ("egress-lab".into(), Content::CopyOf(program.into())),
        ("ca.crt".into(), Content::CopyOf(ca.join("ca.crt"))),
    ];
    for site in Outside::standard().sites().iter().filter(|site| !site.certificate.is_empty()) {
        let both = ["crt", "key"].map(|ending| format!("servers/{}.{ending}", site.id));
        files.extend(both.map(|path| (path.clone(), Content::CopyOf(ca.join(path)))));
    }
    let base = Some(base).filter(|base| *base != "scratch");
    BuildContext { tag: ORIGIN_IMAGE, base, platform: Some(format!("linux/{}", binary.arch)), files }
}

/// The image of the lessons' test pods with the lab's CA (PEM) among what it trusts.
pub fn curl_image(ca_pem: &str) -> BuildContext {
    let files = vec![
        ("Dockerfile".into(), Content::Text(CURL_FILE.replace("{base}", CURL_IMAGE))),
        ("ca.crt".into(), Content::Text(ca_pem.into())),
    ];
    BuildContext { tag: CURL_WITH_CA, base: Some(CURL_IMAGE), platform: None, files }
}

/// Every front end of the outside world.
pub fn origins() -> Vec<Origin> {
    let of = |site: &Site| Origin {
        site: site.id.clone(),
        container: format!("egress-lab-origin-{}", site.id),
        hosts: site.names.clone(),
    };
    Outside::standard().sites().iter().map(of).collect()
}

/// `docker run` of an origin: nothing it could write to, no rights, little memory.
pub fn origin_container(origin: &Origin) -> Vec<String> {
    let mut argv = words(&["run", "--detach", "--name", &origin.container, "--network", NETWORK, "--label", LABEL]);
    argv.extend(words(&["--restart", "unless-stopped", "--read-only", "--cap-drop", "ALL"]));
    argv.extend(words(&["--security-opt", "no-new-privileges", "--memory", "256m", "--pids-limit", "64"]));
    // Ports 80 and 443 for a user who is not root.
    argv.extend(words(&["--sysctl", "net.ipv4.ip_unprivileged_port_start=0"]));
    argv.extend(words(&[ORIGIN_IMAGE, "origin", "--ca", "/ca", "--site", &origin.site]));
    argv
}

/// `docker inspect` that prints the container's address; [`read_address`] reads it.
pub fn origin_address(origin: &Origin) -> Vec<String> {
    let format = format!("{{{{(index .NetworkSettings.Networks {:?}).IPAddress}}}}", NETWORK);
    words(&["inspect", "--type", "container", "--format", &format, &origin.container])
}

/// The address that `docker inspect` printed; `None` while the container has none.
pub fn read_address(printed: &str) -> Option<IpAddr> {
    printed.trim().parse().ok()
}

/// `docker save` of images into a file: the way into a node that docker and podman share.
pub fn save_images(images: &[&str], file: &Path) -> Vec<String> {
    let mut argv = words(&["save", "--output", &file.display().to_string()]);
    argv.extend(words(images));
    argv
}

/// `kind load image-archive` of such a file.
pub fn load_images(file: &Path) -> Vec<String> {
    words(&["load", "image-archive", &file.display().to_string(), "--name", CLUSTER])
}

/// `docker exec` in the node that gives the image with the CA the name that lessons type, for this cluster alone.
pub fn name_curl_image() -> Vec<String> {
    let name = format!("docker.io/{CURL_IMAGE}");
    words(&["exec", NODE, "ctr", "--namespace", "k8s.io", "images", "tag", "--force", CURL_WITH_CA, &name])
}

/// `docker rm` of an origin, running or not.
pub fn remove_container(name: &str) -> Vec<String> {
    words(&["rm", "--force", "--volumes", name])
}

/// `docker image rm` of an image that was built here.
pub fn remove_image(tag: &str) -> Vec<String> {
    words(&["image", "rm", tag])
}

#[cfg(test)]
mod tests {
    use super::super::binary::{Arch, Needs};
    use super::*;

    const STATIC: Binary = Binary { arch: Arch::Amd64, needs: Needs::Nothing };

    #[test]
    fn every_site_has_a_container_and_no_two_share_a_name_or_host() {
        let origins = origins();
        assert!(origins.iter().any(|o| o.site == "wikimedia" && o.hosts.contains(&"www.wikipedia.org".to_string())));
        let mut all: Vec<&String> = origins.iter().flat_map(|o| o.hosts.iter().chain([&o.container])).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn the_origin_image_holds_what_its_dockerfile_copies_and_never_the_cas_key() {
        let folder = tempfile::tempdir().unwrap();
        let (ca, program) = (folder.path().join("ca"), folder.path().join("program"));
        fs::create_dir_all(ca.join("servers")).unwrap();
        fs::write(&program, "program").unwrap();
        fs::write(ca.join("ca.key"), "SECRET").unwrap();
        let context = origin_image(&program, STATIC, &ca);
        for (path, content) in &context.files {
            if let Content::CopyOf(from) = content
                && *from != program
            {
                fs::write(from, path).unwrap();
            }
        }
        let out = folder.path().join("context");
        context.lay(&out).unwrap();
        assert_eq!(fs::read_to_string(out.join("servers/wikimedia.key")).unwrap(), "servers/wikimedia.key");
        assert!(!out.join("ca.key").exists() && !out.join("servers/neverssl.key").exists());
        let dockerfile = fs::read_to_string(out.join("Dockerfile")).unwrap();
        assert!(dockerfile.contains("\nFROM scratch\n"), "{dockerfile}");
        let copied = dockerfile.lines().filter(|line| line.starts_with("COPY")).map(|line| line.split(' ').nth(2).unwrap());
        copied.for_each(|path| assert!(out.join(path).exists(), "{path} is copied and not there"));
        assert_eq!((context.base, context.platform.as_deref()), (None, Some("linux/amd64")));
    }

    #[test]
    fn the_curl_image_is_the_lessons_own_and_keeps_its_user() {
        let context = curl_image("-----BEGIN CERTIFICATE-----\n");
        let Content::Text(dockerfile) = &context.files[0].1 else { panic!("text") };
        assert!(dockerfile.contains("\nFROM curlimages/curl:8.1.2\n") && dockerfile.trim_end().ends_with("USER curl_user"));
        assert_eq!(context.base, Some("curlimages/curl:8.1.2"));
        // Built under another name: the user's own image of that name is not replaced.
        assert_ne!(context.tag, CURL_IMAGE);
    }

    #[test]
    fn addresses_are_read_as_docker_prints_them() {
        assert_eq!(read_address("172.18.0.3\n"), Some("172.18.0.3".parse().unwrap()));
        assert_eq!(read_address("\n"), None);
        assert_eq!(read_address("<no value>\n"), None);
        let origin = &origins()[0];
        let argv = origin_address(origin);
        assert!(argv.contains(&"{{(index .NetworkSettings.Networks \"kind\").IPAddress}}".to_string()), "{argv:?}");
    }

    /// Every command line, as a person would type it.
    fn lines() -> Vec<String> {
        let (ca, folder, file) = (Path::new("CA"), Path::new("FOLDER"), Path::new("images.tar"));
        let origin = &origins()[0];
        let (image, curl) = (origin_image(Path::new("egress-lab"), STATIC, ca), curl_image(""));
        let docker = |argv: Vec<String>| format!("docker {}", quoted(&argv));
        vec![
            "egress-lab origin ca --out CA".into(),
            docker(image.build(folder)),
            docker(curl.build(folder)),
            docker(origin_container(origin)),
            docker(origin_address(origin)),
            docker(save_images(&[CURL_WITH_CA], file)),
            format!("kind {}", quoted(&load_images(file))),
            docker(name_curl_image()),
            docker(remove_container(&origin.container)),
            docker(remove_image(image.tag)),
            docker(remove_image(curl.tag)),
        ]
    }

    fn quoted(argv: &[String]) -> String {
        let plain = |word: &String| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:=".contains(&b));
        argv.iter().map(|word| if plain(word) { word.clone() } else { format!("'{word}'") }).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_readme_has_the_command_lines_as_they_are_run() {
        let readme = include_str!("../../../README.md").replace(" \\\n    ", " ");
        let block = format!("```\n{}\n```\n", lines().join("\n"));
        assert!(readme.contains(&block), "README.md does not have:\n{block}");
    }
}
