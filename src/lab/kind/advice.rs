//! The exact next command for what is missing, for this operating system and processor.

use super::engine::arch;
use super::pins::{KIND_USUAL, NODE_IMAGE};
use crate::lab::tools::Tools;
use crate::mesh::versions;

/// What commands depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Os {
    /// `linux`, `macos`, `windows`, as Rust names it.
    pub family: String,
    /// As images name it: amd64, arm64.
    pub arch: String,
    /// The package tool that was found: apt-get, dnf, pacman, apk, zypper, brew, winget.
    pub packages: Option<&'static str>,
}

impl Os {
    /// This machine.
    pub fn here(tools: &dyn Tools) -> Os {
        let usual: &[&str] = match std::env::consts::OS {
            "macos" => &["brew"],
            "windows" => &["winget"],
            _ => &["apt-get", "dnf", "pacman", "apk", "zypper", "brew"],
        };
        let packages = usual.iter().copied().find(|program| tools.find(program).is_some());
        Os { family: std::env::consts::OS.into(), arch: arch(std::env::consts::ARCH), packages }
    }

    /// How to get a tool: docker, podman, kind, kubectl, istioctl.
    pub fn get(&self, tool: &str) -> String {
        match (tool, self.packages) {
            ("docker", Some("brew")) if self.family == "macos" => "brew install --cask docker && open -a Docker".into(),
            ("podman", Some("brew")) => "brew install podman && podman machine init --memory 6144 && podman machine start".into(),
            ("kubectl", Some("brew")) => "brew install kubernetes-cli".into(),
            (tool, Some("brew")) => format!("brew install {tool}"),
            ("docker", Some("winget")) => "winget install Docker.DockerDesktop".into(),
            ("podman", Some("winget")) => "winget install RedHat.Podman".into(),
            ("kubectl", Some("winget")) => "winget install Kubernetes.kubectl".into(),
            ("kind", Some("winget")) => "winget install Kubernetes.kind".into(),
            ("docker" | "podman" | "docker-buildx", packages) => self.engine(tool, packages),
            ("kind", _) => self.kind(),
            ("kubectl", _) => self.kubectl(),
            _ => self.istioctl(),
        }
    }

    fn engine(&self, tool: &str, packages: Option<&str>) -> String {
        let name = match (tool, packages) {
            // Its plugin buildx is a package of newer releases only (Debian 13, Ubuntu 24.04), and one unknown name stops the whole line.
            ("docker", Some("apt-get")) => "docker.io",
            ("docker-buildx", Some("apk")) => "docker-cli-buildx",
            ("docker", Some("dnf")) => "moby-engine",
            (tool, _) => tool,
        };
        match packages {
            Some("apt-get") => format!("sudo apt-get install -y {name}"),
            Some("dnf") => format!("sudo dnf install -y {name}"),
            Some("pacman") => format!("sudo pacman -S {name}"),
            Some("apk") => format!("sudo apk add {name}"),
            Some("zypper") => format!("sudo zypper install -y {name}"),
            _ if tool == "docker-buildx" => "see https://github.com/docker/buildx#installing".into(),
            _ if tool == "docker" => "see https://docs.docker.com/engine/install/".into(),
            _ => "see https://podman.io/docs/installation".into(),
        }
    }

    /// The name of this system in file names of Kubernetes' and Istio's downloads.
    fn download(&self) -> &str {
        if self.family == "macos" { "darwin" } else { &self.family }
    }

    fn kind(&self) -> String {
        if self.family == "windows" {
            return format!(
                "curl.exe -Lo kind.exe https://kind.sigs.k8s.io/dl/{KIND_USUAL}/kind-windows-{} (then put it on PATH)",
                self.arch
            );
        }
        format!(
            "curl -fLo kind https://kind.sigs.k8s.io/dl/{KIND_USUAL}/kind-{}-{} && chmod +x kind && sudo mv kind /usr/local/bin/",
            self.download(),
            self.arch
        )
    }

    fn kubectl(&self) -> String {
        let version = NODE_IMAGE.split([':', '@']).nth(1).unwrap_or_default();
        let url = format!("https://dl.k8s.io/release/{version}/bin/{}/{}/kubectl", self.download(), self.arch);
        match self.family.as_str() {
            "windows" => format!("curl.exe -LO {url}.exe (then put it on PATH)"),
            _ => format!("curl -fLO {url} && chmod +x kubectl && sudo mv kubectl /usr/local/bin/"),
        }
    }

    /// Istio's published archives (`istioctl-VERSION-SYSTEM[-ARCH].tar.gz` of its releases).
    fn istioctl(&self) -> String {
        let tag = &versions::default_release().tag;
        let base = format!("https://github.com/istio/istio/releases/download/{tag}/istioctl-{tag}");
        match (self.family.as_str(), self.arch.as_str()) {
            ("windows", _) => format!("curl.exe -LO {base}-win-amd64.zip (then put istioctl.exe on PATH)"),
            ("macos", "arm64") => format!("curl -fL {base}-osx-arm64.tar.gz | sudo tar -xz -C /usr/local/bin"),
            ("macos", _) => format!("curl -fL {base}-osx-amd64.tar.gz | sudo tar -xz -C /usr/local/bin"),
            (_, arch) => format!("curl -fL {base}-linux-{arch}.tar.gz | sudo tar -xz -C /usr/local/bin"),
        }
    }

    /// What to do about an engine that is installed and does not answer, by what it said.
    pub fn wake(&self, program: &str, said: &str) -> String {
        let said = said.to_lowercase();
        match (program, self.family.as_str()) {
            ("docker", _) if said.contains("permission denied") => {
                "sudo usermod -aG docker $USER, then log out and in again (members of that group are as powerful as root)".into()
            }
            ("docker", "macos") => "open -a Docker".into(),
            ("docker", "windows") => "start Docker Desktop".into(),
            ("docker", _) => "sudo systemctl start docker (or `sudo service docker start`)".into(),
            (_, "macos" | "windows") => "podman machine start".into(),
            _ => "systemctl --user start podman.socket".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::tools::replay::Replay;

    fn os(family: &str, arch: &str, packages: Option<&'static str>) -> Os {
        Os { family: family.into(), arch: arch.into(), packages }
    }

    #[test]
    fn each_system_gets_its_own_line() {
        let (ubuntu, bare) = (os("linux", "arm64", Some("apt-get")), os("linux", "amd64", None));
        assert_eq!(ubuntu.get("docker"), "sudo apt-get install -y docker.io");
        assert_eq!(os("linux", "amd64", Some("dnf")).get("podman"), "sudo dnf install -y podman");
        assert!(ubuntu.get("kind").contains("/kind-linux-arm64 ") && bare.get("kind").contains("/kind-linux-amd64 "));
        assert!(ubuntu.get("istioctl").contains("-linux-arm64.tar.gz"), "{}", ubuntu.get("istioctl"));
        assert!(bare.get("docker").starts_with("see https://"));
        let mac = os("macos", "arm64", Some("brew"));
        assert_eq!(mac.get("kind"), "brew install kind");
        assert!(os("macos", "arm64", None).get("kubectl").contains("/bin/darwin/arm64/kubectl"));
        assert_eq!(os("windows", "amd64", Some("winget")).get("kind"), "winget install Kubernetes.kind");
    }

    #[test]
    fn an_engine_that_sleeps_and_one_that_refuses_are_told_apart() {
        let linux = os("linux", "amd64", Some("apt-get"));
        assert!(linux.wake("docker", "Cannot connect to the Docker daemon").starts_with("sudo systemctl start docker"));
        assert!(linux.wake("docker", "permission denied while trying to connect").starts_with("sudo usermod"));
        assert_eq!(os("macos", "arm64", None).wake("podman", ""), "podman machine start");
    }

    #[test]
    fn the_package_tool_is_one_that_is_there() {
        let all = ["apt-get", "dnf", "pacman", "apk", "zypper", "brew", "winget"];
        let none = all.iter().fold(Replay::new(), |replay, program| replay.without(program));
        assert_eq!(Os::here(&none).packages, None);
        assert!(Os::here(&Replay::new()).packages.is_some());
    }
}
