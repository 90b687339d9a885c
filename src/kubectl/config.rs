//! The part of a kubeconfig that commands look at: contexts, their clusters and default namespaces.

/// A context of the kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextEntry {
    pub name: String,
    pub cluster: String,
    pub user: String,
    /// "" when the context sets none (then `default` is used).
    pub namespace: String,
    /// The cluster's address, e.g. `https://127.0.0.1:6443`.
    pub server: String,
}

/// Contexts and which of them is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub contexts: Vec<ContextEntry>,
    pub current: String,
    /// A change was made that a caller with a kubeconfig file should write back.
    pub changed: bool,
}

impl Config {
    /// One context named like its cluster.
    pub fn single(name: &str, user: &str, server: &str) -> Config {
        let context = ContextEntry {
            name: name.into(),
            cluster: name.into(),
            user: user.into(),
            namespace: String::new(),
            server: server.into(),
        };
        Config { contexts: vec![context], current: name.into(), changed: false }
    }

    /// The context in use, if its name is known.
    pub fn current(&self) -> Option<&ContextEntry> {
        self.contexts.iter().find(|c| c.name == self.current)
    }

    /// The namespace that commands without `-n` use.
    pub fn namespace(&self) -> String {
        match self.current().map(|c| c.namespace.as_str()) {
            None | Some("") => "default".into(),
            Some(ns) => ns.into(),
        }
    }
}
