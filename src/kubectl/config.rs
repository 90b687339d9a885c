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

use super::error::{Error, Result};
use super::flags::{Flag, Parsed, Takes, flag};
use super::print::output::Output;
use super::session::Session;
use super::verbs::{GLOBAL, OUTPUT, Verb, verb};
use crate::base::order::Order;
use crate::base::tabs;
use serde_json::json;

const SET: &[Flag] = &[flag("current", Takes::Bool, "change the context that is in use")];
const VIEW: &[Flag] = &[
    flag("minify", Takes::Bool, "only what the context in use needs"),
    flag("raw", Takes::Bool, "with secrets (never shown here)"),
    flag("flatten", Takes::Bool, "with files put in (nothing to do here)"),
];
const LIST: &[Flag] = &[flag("no-headers", Takes::Bool, "leave the header line out")];

/// What can be done with the kubeconfig.
pub const SUBS: &[Verb] = &[
    verb!("current-context", [], "print the context in use", "", [], current_context),
    verb!("get-contexts", [], "list contexts", "[NAME ...]", [LIST, OUTPUT], get_contexts),
    verb!("use-context", ["use"], "use another context", "NAME", [], use_context),
    verb!("set-context", [], "set a context's default namespace", "--current --namespace=NS", [SET], set_context),
    verb!("get-clusters", [], "list clusters", "", [], get_clusters),
    verb!("get-users", [], "list users", "", [], get_users),
    verb!("view", [], "print the kubeconfig", "", [VIEW, OUTPUT], view),
];

fn snapshot(s: &Session<'_>) -> Config {
    s.ctx.config.lock().unwrap_or_else(|e| e.into_inner()).clone()
}

fn change(s: &Session<'_>, edit: impl FnOnce(&mut Config)) {
    let mut config = s.ctx.config.lock().unwrap_or_else(|e| e.into_inner());
    edit(&mut config);
    config.changed = true;
}

async fn current_context(s: &mut Session<'_>, _p: &Parsed) -> Result<i32> {
    match snapshot(s).current {
        name if name.is_empty() => Err(Error::plain("current-context is not set")),
        name => {
            s.say(&name);
            Ok(0)
        }
    }
}

async fn get_contexts(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let config = snapshot(s);
    for name in &p.operands {
        if config.contexts.iter().all(|c| c.name != *name) {
            return Err(Error::plain(format!("context {name} not found")));
        }
    }
    let mut contexts: Vec<&ContextEntry> =
        config.contexts.iter().filter(|c| p.operands.is_empty() || p.operands.contains(&c.name)).collect();
    contexts.order_by_key(|c| c.name.clone());
    if p.str("output") == "name" {
        let names: String = contexts.iter().map(|c| c.name.clone() + "\n").collect();
        s.io.write(names.as_bytes());
        return Ok(0);
    }
    let mut text = String::new();
    if !p.on("no-headers") {
        text += "CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE\n";
    }
    for c in contexts {
        let mark = if c.name == config.current { "*" } else { "" };
        text += &format!("{mark}\t{}\t{}\t{}\t{}\n", c.name, c.cluster, c.user, c.namespace);
    }
    let text = tabs::align(&text, 6, 3);
    s.io.write(text.as_bytes());
    Ok(0)
}

async fn get_clusters(s: &mut Session<'_>, _p: &Parsed) -> Result<i32> {
    let names = snapshot(s).contexts.into_iter().map(|c| c.cluster).collect();
    names_of(s, names)
}

async fn get_users(s: &mut Session<'_>, _p: &Parsed) -> Result<i32> {
    let names = snapshot(s).contexts.into_iter().map(|c| c.user).collect();
    names_of(s, names)
}

fn names_of(s: &mut Session<'_>, names: std::collections::BTreeSet<String>) -> Result<i32> {
    s.say("NAME");
    for name in names {
        s.say(&name);
    }
    Ok(0)
}

async fn use_context(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let [name] = p.operands.as_slice() else {
        return Err(Error::plain("Unexpected args: name one context"));
    };
    let config = snapshot(s);
    if config.contexts.iter().all(|c| c.name != *name) {
        return Err(Error::plain(format!("no context exists with the name: {name:?}")));
    }
    if *name != config.current && s.ctx.restrictions.plain_files {
        return Err(Error::plain("a line of the lab always talks to the lab's own environment"));
    }
    change(s, |config| config.current = name.clone());
    s.say(&format!("Switched to context {name:?}."));
    Ok(0)
}

async fn set_context(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let config = snapshot(s);
    let name = match (p.on("current"), p.operands.as_slice()) {
        (true, []) => config.current.clone(),
        (false, [name]) => name.clone(),
        _ => return Err(Error::plain("name a context, or use --current")),
    };
    if config.contexts.iter().all(|c| c.name != name) {
        return Err(Error::not_simulated("making a new context"));
    }
    if let Some(namespace) = p.text("namespace") {
        let namespace = namespace.to_string();
        change(s, |config| {
            for context in config.contexts.iter_mut().filter(|c| c.name == name) {
                context.namespace.clone_from(&namespace);
            }
        });
    }
    s.say(&format!("Context {name:?} modified."));
    Ok(0)
}

async fn view(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let config = snapshot(s);
    let kept = |c: &&ContextEntry| !p.on("minify") || c.name == config.current;
    let contexts: Vec<&ContextEntry> = config.contexts.iter().filter(kept).collect();
    let mut clusters: Vec<(&str, &str)> = contexts.iter().map(|c| (c.cluster.as_str(), c.server.as_str())).collect();
    clusters.dedup();
    let mut users: Vec<&str> = contexts.iter().map(|c| c.user.as_str()).collect();
    users.dedup();
    let context = |c: &&ContextEntry| {
        let mut inner = json!({"cluster": c.cluster, "user": c.user});
        if !c.namespace.is_empty() {
            inner["namespace"] = json!(c.namespace);
        }
        json!({"name": c.name, "context": inner})
    };
    let cluster = |(name, server): &(&str, &str)| json!({"name": name, "cluster": {"server": server, "certificate-authority-data": "DATA+OMITTED"}});
    let whole = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": config.current,
        "clusters": clusters.iter().map(cluster).collect::<Vec<_>>(),
        "contexts": contexts.iter().map(context).collect::<Vec<_>>(),
        "users": users.iter().map(|name| json!({"name": name, "user": {"token": "REDACTED"}})).collect::<Vec<_>>(),
    });
    let output = match Output::parse(p)? {
        Output::Human { .. } => Output::Yaml,
        other => other,
    };
    let text = output.print(&whole, &[], true)?;
    s.io.write(text.as_bytes());
    Ok(0)
}
