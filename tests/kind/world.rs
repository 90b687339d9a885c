//! A machine with stand-ins for docker, kind and istioctl, which keep a world of files.

use crate::program::{Home, finish, text};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/kind");

/// What a machine has that lacks nothing.
pub const WITH_DOCKER: &[&str] = &["docker", "kind", "istioctl", "df"];
pub const WITH_PODMAN: &[&str] = &["podman", "kind", "istioctl", "df"];

/// What the world is kept in.
pub struct World {
    pub home: Home,
    folder: PathBuf,
    bin: PathBuf,
}

/// Everything that is there: folder and name, with the state of containers.
pub type There = BTreeMap<String, String>;

impl World {
    pub fn new() -> World {
        World::with(WITH_DOCKER)
    }

    /// A machine that has podman and no docker.
    pub fn podman() -> World {
        World::with(WITH_PODMAN)
    }

    pub fn with(tools: &[&str]) -> World {
        let home = Home::new();
        let (folder, bin) = (home.folder.path().join("world"), home.folder.path().join("bin"));
        ["containers", "images", "clusters"].iter().for_each(|name| fs::create_dir_all(folder.join(name)).unwrap());
        fs::create_dir_all(&bin).unwrap();
        let world = World { home, folder, bin };
        tools.iter().for_each(|tool| world.install(tool));
        for name in ["docker-info.json", "podman-info.json"] {
            fs::copy(Path::new(DATA).join(name), world.folder.join(name)).unwrap();
        }
        let arch = if cfg!(target_arch = "aarch64") { "aarch64" } else { "x86_64" };
        let info = fs::read_to_string(world.folder.join("docker-info.json")).unwrap().replace("x86_64", arch);
        world.set("docker-info.json", &info);
        let info = fs::read_to_string(world.folder.join("podman-info.json")).unwrap();
        world.set("podman-info.json", &info.replace("arm64", if arch == "aarch64" { "arm64" } else { "amd64" }));
        world.set("kind-version", "0.33.0");
        world.set("istio-version", "1.30.0");
        let corefile = fs::read_to_string(Path::new(DATA).join("Corefile.kind")).unwrap();
        world.set("coredns.json", &serde_json::json!({"data": {"Corefile": corefile}}).to_string());
        // The start of a statically linked program for this processor.
        let mut elf = vec![0; 120];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        elf[18] = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
        fs::write(world.home.folder.path().join("origin-program"), elf).unwrap();
        world
    }

    pub fn install(&self, tool: &str) {
        let path = self.bin.join(tool);
        let script = fs::read_to_string(Path::new(DATA).join("stand-in.sh")).unwrap();
        fs::write(&path, script.replace("@WORLD@", self.folder.to_str().unwrap())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn set(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    pub fn get(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    pub fn unset(&self, name: &str) {
        let _ = fs::remove_file(self.folder.join(name));
    }

    /// The program that `up` builds the origins' image of.
    pub fn origin_program(&self) -> String {
        self.home.folder.path().join("origin-program").to_str().unwrap().to_string()
    }

    /// The state folder's part.
    pub fn state(&self, name: &str) -> PathBuf {
        self.home.folder.path().join("state/kind").join(name)
    }

    /// From now on a command line that begins so goes wrong.
    pub fn breaks(&self, mode: &str, begins: &str) {
        self.set("fault", &format!("{mode}\n{begins}\n"));
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.home.command(&[&["kind"], args].concat());
        command.env("PATH", &self.bin);
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        finish(self.command(args), "", 60)
    }

    /// `kind up` with the small program for the origins; memory of the machine that tests run on is not the matter.
    pub fn up(&self, args: &[&str]) -> Output {
        let program = self.origin_program();
        let common = ["up", "--force", "--origin-program", &program];
        self.run(&[&common, args].concat())
    }

    /// Runs and expects this exit code; what was said on both streams.
    pub fn said(output: &Output, code: i32) -> String {
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{said}");
        said
    }

    /// The command lines that were run since the last call.
    pub fn log(&self) -> Vec<String> {
        let lines = self.get("log").lines().map(str::to_string).collect();
        self.unset("log");
        lines
    }

    /// What is there outside the state folder. Ids differ from run to run.
    pub fn there(&self) -> There {
        let mut there = There::new();
        for folder in ["containers", "images", "clusters"] {
            for entry in fs::read_dir(self.folder.join(folder)).unwrap() {
                let entry = entry.unwrap();
                let text = fs::read_to_string(entry.path()).unwrap();
                let state = text.split_once(' ').map_or("", |(_, state)| state.trim());
                there.insert(format!("{folder}/{}", entry.file_name().to_string_lossy()), state.to_string());
            }
        }
        if self.folder.join("istio").exists() {
            there.insert("istio".into(), String::new());
        }
        there
    }

    /// The hosts that the cluster's DNS was told, without addresses.
    pub fn names(&self) -> Vec<String> {
        let map: serde_json::Value = serde_json::from_str(&self.get("coredns.json")).unwrap();
        let corefile = map["data"]["Corefile"].as_str().unwrap().to_string();
        let lines = corefile.lines().filter(|line| line.trim().starts_with("172.18."));
        lines.flat_map(|line| line.split_whitespace().skip(1).map(str::to_string).collect::<Vec<_>>()).collect()
    }
}

/// Lines that only look.
pub fn is_look(line: &str) -> bool {
    let looks = [
        " info ",
        "kind version",
        "istioctl version",
        "buildx version",
        "df -Pk",
        " inspect ",
        "get clusters",
        " get configmap",
        " get deployments",
    ];
    looks.iter().any(|look| line.contains(look))
}
