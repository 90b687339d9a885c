//! `egress-lab sandbox`: a cluster for any kubectl, or several, in the foreground.

use super::args;
use super::{End, GOOD, Trouble, print};
use crate::base::paths::Paths;
use crate::base::seed::Seed;
use crate::lab::env::sandbox::{Serve, Served, Several, open_files, serve_new, serve_saved, serve_several};
use std::time::Duration;

/// Files that a sandbox with many clients opens; with fewer it is served all the same, to fewer at a time.
const FILES: usize = 4_096;
/// Set once the limit has been raised.
const RAISED: &str = "EGRESS_LAB_FILES_RAISED";

pub(super) fn run(a: &args::Sandbox) -> End {
    raise_files();
    let runtime = server_runtime()?;
    let paths = Paths::from_environment();
    let options = Serve {
        port: a.port.unwrap_or(0),
        seed: a.seed.map_or_else(Seed::fresh, Seed),
        instant: a.instant,
        real_time: a.real_time,
    };
    let last_port = u32::from(options.port) + u32::from(a.worlds.unwrap_or(1)) - 1;
    if last_port > u32::from(u16::MAX) {
        return Err(Trouble::usage(format!("--port {} leaves no room for so many worlds", options.port)));
    }
    let end = runtime.block_on(async {
        match a.worlds {
            Some(count) => several(serve_several(&paths, &a.name, count, options).await?).await,
            None if a.lab => one(serve_saved(&paths, &a.world, options).await?, true).await,
            None => one(serve_new(&paths, options).await?, false).await,
        }
        Ok::<_, anyhow::Error>(())
    });
    // What still runs gets a moment to close its connections.
    runtime.shutdown_timeout(Duration::from_millis(300));
    end.map(|()| GOOD).map_err(Trouble::from)
}

/// Starts this program anew with as many open files as the system allows, when it has few. Every connection is one; shells give few by
/// default. Does nothing where that is not possible.
fn raise_files() {
    let Some(files) = open_files().filter(|files| *files < FILES) else { return };
    #[cfg(unix)]
    if std::env::var_os(RAISED).is_none()
        && let Ok(program) = std::env::current_exe()
    {
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", "ulimit -n \"$(ulimit -H -n)\" 2>/dev/null; exec \"$0\" \"$@\""]).arg(program);
        shell.args(std::env::args_os().skip(1)).env(RAISED, "1");
        // Only comes back when it failed.
        let _ = std::os::unix::process::CommandExt::exec(&mut shell);
    }
    eprintln!("note: this system allows {files} open files: so many connections at a time are served, a few less");
}

async fn one(served: Served, kept: bool) {
    served.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    print(&format!("export KUBECONFIG={}\nexport KUBECACHEDIR={}\n", served.kubeconfig.display(), served.cache.display()));
    let fate = if kept { "; its world is kept" } else { " and its world" };
    eprintln!("The sandbox is at {}. Ctrl-C ends it{fate}.", served.url);
    until_signal().await;
    served.sandbox.handle().shutdown().await;
}

async fn several(several: Several) {
    let mut text = String::new();
    if let Some((_, first)) = several.worlds.first() {
        text = format!("export KUBECONFIG={}\nexport KUBECACHEDIR={}\n", first.kubeconfig.display(), several.cache.display());
    }
    several.worlds.iter().for_each(|(name, served)| text += &format!("world {name} {}\n", served.kubeconfig.display()));
    print(&text);
    eprintln!("{} worlds are served. Ctrl-C ends them.", several.worlds.len());
    until_signal().await;
    for (_, served) in &several.worlds {
        served.sandbox.handle().shutdown().await;
    }
}

/// A runtime in which a world that works hard leaves threads for the others.
fn server_runtime() -> Result<tokio::runtime::Runtime, Trouble> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores + 2)
        .enable_all()
        .build()
        .map_err(|e| Trouble::unavailable(format!("no runtime could be started: {e}")))
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
