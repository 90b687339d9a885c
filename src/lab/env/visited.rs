//! A sandbox world that another process serves, as an environment: what `check` and `reset` from a second terminal work on. Looks at
//! forks that the serving process makes; leaves no trace in the world that is learnt in.

use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::lab::env::{Checkpoint, Environment, Probe, place_controls, sandbox::rebuild, wait_settled};
use crate::lab::target::Target;
use crate::lesson::model::{Fault, Lesson};
use anyhow::{Context, bail};
use futures::future::BoxFuture;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

const MARK: &str = "/.well-known/egress-lab";

/// See the module's text.
pub struct Visited {
    target: Target,
    istio: String,
}

impl Visited {
    /// A world behind a client that carries the sandbox's mark; the Istio release that installing brings, "" for the default.
    pub fn new(target: Target, istio: &str) -> Visited {
        Visited { target, istio: istio.into() }
    }

    /// A member of the mark's `world`.
    async fn mark(&self) -> anyhow::Result<Value> {
        let request = http::Request::get(MARK).body(Vec::new())?;
        let mark: Value = self.target.client.request(request).await.context("asking the world that is open elsewhere")?;
        Ok(mark["world"].clone())
    }

    /// A client for a fork of the world that `client` reaches, below `prefix`; its own prefix and the revision.
    async fn fork(&self, client: &kube::Client, prefix: &str, how: &str) -> anyhow::Result<(kube::Client, String, u64)> {
        let request = http::Request::post(format!("{MARK}/forks?{how}")).body(Vec::new())?;
        let made: Value = client.request(request).await.context("forking the world")?;
        let id = made["fork"].as_u64().context("the world's answer names no fork")?;
        let prefix = format!("{prefix}{MARK}/forks/{id}");
        let mut config = self.target.connection.clone();
        config.cluster_url =
            format!("{}{prefix}", self.target.connection.cluster_url.to_string().trim_end_matches('/')).parse()?;
        Ok((kube::Client::try_from(config)?, prefix, made["revision"].as_u64().unwrap_or(0)))
    }

    async fn probed(&self, controls: bool) -> anyhow::Result<Probe> {
        wait_settled(self).await;
        if !controls {
            return self.look(None).await;
        }
        let (work, prefix, revision) = self.fork(&self.target.client, "", "pace=instant").await?;
        place_controls(&work).await?;
        let (client, _, _) = self.fork(&work, &prefix, "pace=frozen").await?;
        Ok(Probe { client, revision: Some(revision) })
    }
}

impl Environment for Visited {
    fn istio(&self) -> String {
        self.istio.clone()
    }

    fn name(&self) -> String {
        "sandbox".into()
    }

    fn url(&self) -> Option<String> {
        Some(self.target.connection.cluster_url.to_string())
    }

    fn client(&self) -> kube::Client {
        self.target.client.clone()
    }

    fn probe(&self, controls: bool) -> BoxFuture<'_, anyhow::Result<Probe>> {
        Box::pin(self.probed(controls))
    }

    fn look(&self, revision: Option<u64>) -> BoxFuture<'_, anyhow::Result<Probe>> {
        Box::pin(async move {
            let at = revision.map(|n| format!("&revision={n}")).unwrap_or_default();
            let (client, _, revision) = self.fork(&self.target.client, "", &format!("pace=frozen{at}")).await?;
            Ok(Probe { client, revision: Some(revision) })
        })
    }

    fn settled(&self) -> BoxFuture<'_, bool> {
        Box::pin(async { self.mark().await.is_ok_and(|world| world["settled"] == true) })
    }

    fn checkpoint(&self) -> BoxFuture<'_, anyhow::Result<Checkpoint>> {
        Box::pin(async { bail!("a world that another process serves is marked there") })
    }

    fn reset<'a>(&'a self, _to: &'a Checkpoint) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(async { bail!("a world that another process serves goes back to its own marks there") })
    }

    fn rebuild<'a>(&'a self, lesson: &'a Lesson, step: usize) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(async move {
            let seed = self.mark().await?["seed"].as_str().and_then(|seed| seed.parse().ok()).context("the world's seed")?;
            let state = rebuild::state_before(lesson, step, Seed(seed)).await?;
            let request = http::Request::post(format!("{MARK}/state")).header("content-type", "application/json").body(state)?;
            let _: Value = self.target.client.request(request).await.context("bringing the state in")?;
            Ok(())
        })
    }

    fn fault<'a>(&'a self, _fault: &'a Fault) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(async { bail!("{}", crate::base::not_simulated("faults of the outside world from another process")) })
    }

    fn now(&self) -> BoxFuture<'_, Time> {
        Box::pin(async { self.mark().await.ok().and_then(|world| world["now_ms"].as_i64()).map(Time).unwrap_or_default() })
    }

    fn wait(&self, ms: u64) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }

    fn kubeconfig(&self) -> Option<PathBuf> {
        None
    }
}
