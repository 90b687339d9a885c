//! Where our files are. The only place that knows the home folder.

use etcetera::BaseStrategy;
use std::path::PathBuf;

/// The folders whose names tell who the learner is, and what may stand for them in a file that is given away.
pub fn private() -> Vec<(String, &'static str)> {
    let mut found: Vec<(String, &'static str)> = Vec::new();
    if let Ok(home) = etcetera::home_dir() {
        found.push((home.display().to_string(), "~"));
    }
    found.push((Paths::from_environment().state().display().to_string(), "[state folder]"));
    found
}

/// The folders of this program on this machine.
#[derive(Debug, Clone)]
pub struct Paths {
    state: PathBuf,
    config: PathBuf,
}

impl Paths {
    /// `$EGRESS_LAB_HOME` if set, else the platform's state folder (`~/.local/state/egress-lab`); the temporary folder when there
    /// is no home at all.
    pub fn from_environment() -> Paths {
        match std::env::var_os("EGRESS_LAB_HOME").filter(|v| !v.is_empty()) {
            Some(dir) => Paths::under(PathBuf::from(dir)),
            None => {
                let state = platform_state().unwrap_or_else(|| std::env::temp_dir().join("egress-lab"));
                Paths { config: platform_config().unwrap_or_else(|| state.clone()), state }
            }
        }
    }

    /// Folders below a given one (tests).
    pub fn under(state: PathBuf) -> Paths {
        Paths { config: state.clone(), state }
    }

    /// Everything this program keeps.
    pub fn state(&self) -> PathBuf {
        self.state.clone()
    }

    /// The saved world of this name.
    pub fn world(&self, name: &str) -> PathBuf {
        self.state.join("worlds").join(name)
    }

    /// The kubeconfig of the saved world of this name: beside the world, or where a note there says.
    pub fn kubeconfig(&self, world: &str) -> PathBuf {
        let noted = std::fs::read_to_string(self.world(world).join("kubeconfig-at")).ok().filter(|path| !path.trim().is_empty());
        noted.map_or_else(|| self.world(world).join("kubeconfig"), |path| PathBuf::from(path.trim()))
    }

    /// Notes where a world's kubeconfig is, if it is not beside the world.
    pub fn note_kubeconfig(&self, world: &str, kubeconfig: &std::path::Path) {
        let note = self.world(world).join("kubeconfig-at");
        // Without the note a second terminal does not find the world: no reason not to serve it.
        let _ = match kubeconfig.starts_with(self.world(world)) {
            true => std::fs::remove_file(note),
            false => std::fs::write(note, kubeconfig.display().to_string()),
        };
    }

    /// The learner's files for a world: shared by the prompt, the editor and the learner's own shell.
    pub fn files(&self, world: &str) -> PathBuf {
        self.world(world).join("files")
    }

    /// What the lab's runs made on a cluster (`context:NAME`, whose name may hold anything).
    pub fn cluster(&self, name: &str) -> PathBuf {
        let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
        let digest = crate::base::seed::Seed(0).uuid(&["cluster", name]);
        self.state.join("clusters").join(format!("{}-{}", plain.trim_start_matches('.'), &digest[..8]))
    }

    /// What belongs to the lab's own kind cluster: its kubeconfig, the journal of what was made, the CA of its outside world.
    pub fn kind(&self) -> PathBuf {
        self.state.join("kind")
    }

    /// Every command that was run on this machine, and how it ended.
    pub fn tools_log(&self) -> PathBuf {
        self.state.join("tools.log")
    }

    /// The progress journal.
    pub fn journal(&self) -> PathBuf {
        self.state.join("progress.jsonl")
    }

    /// What was typed at the prompt of a world.
    pub fn history(&self, world: &str) -> PathBuf {
        self.world(world).join("history")
    }

    /// Bookmarks of a world's time-line.
    pub fn bookmarks(&self, world: &str) -> PathBuf {
        self.world(world).join("bookmarks")
    }

    /// The settings file: in the platform's configuration folder (`~/.config/egress-lab`), or in `$EGRESS_LAB_HOME` if that is set.
    pub fn settings(&self) -> PathBuf {
        self.config.join("settings.toml")
    }

    /// Where private files that need not last may go, best first: the user's runtime folder (`$XDG_RUNTIME_DIR`), the state folder,
    /// the temporary folder.
    pub fn runtime(&self) -> Vec<PathBuf> {
        let own = std::env::var_os("EGRESS_LAB_HOME").is_none_or(|v| v.is_empty());
        let session = std::env::var_os("XDG_RUNTIME_DIR").filter(|v| own && !v.is_empty());
        let session = session.map(|dir| PathBuf::from(dir).join("egress-lab"));
        session.into_iter().chain([self.state.join("run"), std::env::temp_dir()]).collect()
    }
}

fn platform_state() -> Option<PathBuf> {
    let base = etcetera::choose_base_strategy().ok()?;
    Some(base.state_dir().unwrap_or_else(|| base.data_dir()).join("egress-lab"))
}

fn platform_config() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.config_dir().join("egress-lab"))
}

/// The kubeconfig files that kubectl itself would read: `$KUBECONFIG` (a list), else `~/.kube/config`. Only asked when `--env
/// context:NAME`, a command-line `egress-lab kubectl` or `kind up --merge-kubeconfig` allows it.
pub fn user_kubeconfigs() -> Vec<PathBuf> {
    match std::env::var_os("KUBECONFIG").filter(|v| !v.is_empty()) {
        Some(list) => std::env::split_paths(&list).filter(|p| !p.as_os_str().is_empty()).collect(),
        None => etcetera::home_dir().map(|home| home.join(".kube").join("config")).into_iter().collect(),
    }
}
