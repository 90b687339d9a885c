//! Which cluster a command line talks to: `--kubeconfig`, else `$KUBECONFIG`, else the lab's saved world.

mod save;

use crate::base::clock::Clock;
use crate::base::paths::{self, Paths};
use crate::istioctl;
use crate::kubectl::{self, Config, ContextEntry, RealPause, Restrictions};
use crate::lab::retry::{self, Limits, Reread, Tidings};
use anyhow::{Context, bail};
use kube::config::{KubeConfigOptions, Kubeconfig};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// What requests say they come from.
const AGENT: &str = concat!("egress-lab/", env!("CARGO_PKG_VERSION"));

/// A cluster and the part of the kubeconfig that commands show.
#[derive(Clone)]
pub struct Target {
    pub client: kube::Client,
    pub config: Config,
    /// How the client connects.
    pub connection: kube::Config,
    /// What the client says when the API server has a bad moment, and what remained of it (`--env context:NAME` only).
    pub tidings: Tidings,
    /// The kubeconfig files that were read, in their order.
    files: Vec<PathBuf>,
}

impl Target {
    /// What kubectl works with.
    pub fn kubectl(&self, restrictions: Restrictions, clock: Arc<dyn Clock>) -> kubectl::Context {
        kubectl::Context {
            client: self.client.clone(),
            config: Arc::new(Mutex::new(self.config.clone())),
            clock,
            pause: Arc::new(RealPause),
            restrictions,
            color: false,
        }
    }

    /// Writes back what a command changed in the contexts.
    ///
    /// # Errors
    /// A kubeconfig that cannot be read again or written.
    pub fn save(&self, after: &Config) -> anyhow::Result<()> {
        if after.changed { save::save(&self.files, &self.config, after) } else { Ok(()) }
    }

    /// The kubeconfig files that were read.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What istioctl works with.
    pub fn istioctl(&self) -> istioctl::Context {
        istioctl::Context {
            client: self.client.clone(),
            namespace: self.config.namespace(),
            version: String::new(),
            readiness: istioctl::Readiness::default(),
        }
    }
}

/// The cluster that the flags and the environment name. Without any kubeconfig: one whose every request fails and says what to do,
/// since many commands ask no server (`--dry-run=client`, `version --client`, `manifest generate`).
///
/// # Errors
/// A kubeconfig that cannot be used, or a named one that does not exist; says what to do.
pub async fn from_flags(argv: &[String]) -> anyhow::Result<Target> {
    let flag = |name: &str| flag_value(argv, name);
    let files: Vec<PathBuf> = match flag("--kubeconfig") {
        Some(path) => vec![PathBuf::from(path)],
        None if std::env::var_os("KUBECONFIG").is_some_and(|v| !v.is_empty()) => paths::user_kubeconfigs(),
        None => vec![Paths::from_environment().kubeconfig("default")],
    };
    let context = flag("--context");
    match flag("--kubeconfig").is_none() && context.is_none() && !files.iter().any(|file| file.exists()) {
        true => Ok(nowhere(&files)),
        false => from_files(&files, context.as_deref(), false).await,
    }
}

/// Where there is no kubeconfig.
fn nowhere(files: &[PathBuf]) -> Target {
    let why = missing(files);
    let service = tower::service_fn(move |_: http::Request<kube::client::Body>| {
        let why = why.clone();
        async move { Err::<http::Response<kube::client::Body>, _>(std::io::Error::other(why)) }
    });
    Target {
        client: kube::Client::new(service, "default"),
        config: Config { contexts: Vec::new(), current: String::new(), changed: false },
        connection: kube::Config::new(http::Uri::from_static("http://localhost:8080")),
        tidings: Tidings::default(),
        files: files.to_vec(),
    }
}

fn missing(files: &[PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    format!(
        "there is no kubeconfig at {}; `egress-lab sandbox` serves a cluster and prints the export line, `egress-lab learn` makes the \
         lab's own",
        names.join(", ")
    )
}

/// The named context of the user's own kubeconfigs (`--env context:NAME`), or of the one that `kind up` wrote (`--env kind`), with a client that asks again when the API server has a bad
/// moment.
///
/// # Errors
/// As [`from_flags`].
pub async fn named_context(name: &str) -> anyhow::Result<Target> {
    let own = Paths::from_environment().kind().join("kubeconfig");
    match name == crate::lab::kind::pins::CONTEXT && own.exists() {
        true => patient(&[own], name, Limits::CLUSTER).await,
        false => patient(&paths::user_kubeconfigs(), name, Limits::CLUSTER).await,
    }
}

/// The current context of the user's own kubeconfigs, without running a program to log in (`doctor`).
///
/// # Errors
/// As [`from_flags`].
pub async fn current_context() -> anyhow::Result<Target> {
    from_files(&paths::user_kubeconfigs(), None, false).await
}

/// A context of kubeconfig files, with a client that asks again within these limits.
///
/// # Errors
/// As [`from_flags`].
pub async fn patient(files: &[PathBuf], name: &str, limits: Limits) -> anyhow::Result<Target> {
    let target = from_files(files, Some(name), true).await?;
    let (files, name) = (files.to_vec(), name.to_string());
    let reread: Reread = Arc::new(move || {
        let (files, name) = (files.clone(), name.clone());
        Box::pin(async move { Some(from_files(&files, Some(&name), true).await.ok()?.connection) })
    });
    let client = retry::client(target.connection.clone(), reread, limits, target.tidings.clone())?;
    Ok(Target { client, ..target })
}

/// The lab's saved world, where somebody serves it (`learn`, `sandbox --lab`).
///
/// # Errors
/// As [`from_flags`].
pub async fn saved_world(name: &str) -> anyhow::Result<Target> {
    from_files(&[Paths::from_environment().kubeconfig(name)], None, false).await
}

/// Whether the API server carries the sandbox's mark.
pub async fn is_sandbox(client: &kube::Client) -> bool {
    let Ok(request) = http::Request::get("/.well-known/egress-lab").body(Vec::new()) else { return false };
    client.request_text(request).await.is_ok_and(|text| text.contains("egress-lab"))
}

/// The value of `--name VALUE` or `--name=VALUE`, before `--`.
fn flag_value(argv: &[String], name: &str) -> Option<String> {
    let argv: Vec<&String> = argv.iter().take_while(|arg| *arg != "--").collect();
    let joined = argv.iter().find_map(|arg| arg.strip_prefix(name)?.strip_prefix('=').map(str::to_string));
    joined.or_else(|| argv.windows(2).find(|pair| pair[0] == name).map(|pair| pair[1].clone()))
}

async fn from_files(files: &[PathBuf], context: Option<&str>, trusted: bool) -> anyhow::Result<Target> {
    let mut merged = Kubeconfig::default();
    let mut found = false;
    for file in files.iter().filter(|file| file.exists()) {
        let one = Kubeconfig::read_from(file).with_context(|| format!("reading {}", file.display()))?;
        merged = merged.merge(one)?;
        found = true;
    }
    if !found {
        bail!(missing(files));
    }
    let config = describe(&merged, context)?;
    if !trusted {
        refuse_programs(&merged, &config.current)?;
    }
    let options = KubeConfigOptions { context: Some(config.current.clone()), ..KubeConfigOptions::default() };
    let mut client = kube::Config::from_custom_kubeconfig(merged, &options).await?;
    if client.cluster_url.host().is_some_and(is_loopback) {
        client.proxy_url = None;
    }
    // An audit log of a cluster should say who it was.
    client.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(AGENT)));
    let tidings = Tidings::default();
    Ok(Target { client: kube::Client::try_from(client.clone())?, config, connection: client, tidings, files: files.to_vec() })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A kubeconfig that runs a program for its credential is only followed when the context was named on the command line.
fn refuse_programs(config: &Kubeconfig, context: &str) -> anyhow::Result<()> {
    let user = config.contexts.iter().find(|c| c.name == context).and_then(|c| c.context.as_ref()).and_then(|c| c.user.clone());
    let auth = config.auth_infos.iter().find(|a| Some(&a.name) == user.as_ref()).and_then(|a| a.auth_info.as_ref());
    match auth.is_some_and(|auth| auth.exec.is_some() || auth.auth_provider.is_some()) {
        true => bail!("context {context} runs a program to log in; name it with `--env context:{context}` to allow that"),
        false => Ok(()),
    }
}

fn describe(config: &Kubeconfig, context: Option<&str>) -> anyhow::Result<Config> {
    let contexts: Vec<ContextEntry> = config.contexts.iter().map(|named| entry(config, named)).collect();
    let current = context.map(str::to_string).or_else(|| config.current_context.clone()).unwrap_or_default();
    if !contexts.iter().any(|c| c.name == current) {
        let names: Vec<&str> = contexts.iter().map(|c| c.name.as_str()).collect();
        bail!("the kubeconfig has no context {current:?}; it has {}", names.join(", "));
    }
    Ok(Config { contexts, current, changed: false })
}

fn entry(config: &Kubeconfig, named: &kube::config::NamedContext) -> ContextEntry {
    let context = named.context.clone().unwrap_or_default();
    let cluster = config.clusters.iter().find(|c| c.name == context.cluster).and_then(|c| c.cluster.as_ref());
    ContextEntry {
        name: named.name.clone(),
        cluster: context.cluster.clone(),
        user: context.user.clone().unwrap_or_default(),
        namespace: context.namespace.clone().unwrap_or_default(),
        server: cluster.and_then(|c| c.server.clone()).unwrap_or_default(),
    }
}
