//! `egress-lab sandbox`: a cluster for any kubectl, in the foreground.

use super::args;
use super::{End, GOOD, Trouble, print, runtime};
use crate::base::paths::Paths;
use crate::base::seed::Seed;
use crate::lab::env::sandbox::{Serve, Served, serve_new, serve_saved};
use std::time::Duration;

pub(super) fn run(a: &args::Sandbox) -> End {
    let runtime = runtime()?;
    let paths = Paths::from_environment();
    let options = Serve {
        port: a.port.unwrap_or(0),
        seed: a.seed.map_or_else(Seed::fresh, Seed),
        instant: a.instant,
        real_time: a.real_time,
    };
    let end = runtime.block_on(async {
        let served: Served = match a.lab {
            true => serve_saved(&paths, &a.world, options).await?,
            false => serve_new(&paths.scratch(std::process::id()), options).await?,
        };
        print(&format!("export KUBECONFIG={}\nexport KUBECACHEDIR={}\n", served.kubeconfig.display(), served.cache.display()));
        eprintln!(
            "The sandbox is at {}. Ctrl-C ends it{}.",
            served.url,
            if a.lab { "; its world is kept" } else { " and its world" }
        );
        until_signal().await;
        Ok::<_, anyhow::Error>(())
    });
    // The world's folder goes with the values above; what still runs gets a moment to close its connections.
    runtime.shutdown_timeout(Duration::from_millis(300));
    end.map(|()| GOOD).map_err(Trouble::from)
}

/// Waits for Ctrl-C, SIGTERM or SIGHUP.
pub(super) async fn until_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut term), Ok(mut hup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
            return;
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => (),
            _ = term.recv() => (),
            _ = hup.recv() => (),
        }
    }
    #[cfg(not(unix))]
    let _ = tokio::signal::ctrl_c().await;
}
