//! An environment as checks look at it.

use crate::base::seed::Seed;
use crate::check::{Ctx, Ground, Patience, Restless};
use crate::lab::env::Environment;
use crate::outside::Outside;
use futures::future::BoxFuture;
use std::sync::Arc;

/// [`Ground`] on an environment: each look is a fresh probe client.
pub struct EnvGround {
    pub env: Arc<dyn Environment>,
    /// Makes the ids that tell this run's probes from all others.
    pub seed: Seed,
    /// Search for where it could be mended what does not hold.
    pub mends: bool,
}

impl Ground for EnvGround {
    fn look(&self, controls: bool) -> BoxFuture<'_, Result<Ctx, String>> {
        Box::pin(async move {
            let probe = self.env.probe(controls).await.map_err(|e| crate::lab::words::line(&e))?;
            let settled = self.env.settled().await;
            Ok(Ctx {
                client: probe.client,
                revision: probe.revision,
                patience: if settled { Patience::SETTLED } else { Patience { settled: false, ..self.env.patience() } },
                seed: self.seed,
                outside: Outside::standard(),
                now: self.env.now().await,
                mends: self.mends,
            })
        })
    }

    fn wait(&self, ms: u64) -> BoxFuture<'_, ()> {
        self.env.wait(ms)
    }

    fn restless(&self) -> Option<&dyn Restless> {
        self.env.restless()
    }
}
