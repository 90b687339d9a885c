//! `egress-lab origin`: the lab's outside world as a server, in the foreground. What a container of a cluster's lab runs.

use super::sandbox::until_signal;
use super::{End, GOOD, Trouble, print};
use crate::base::clock::{Clock, SystemClock};
use crate::lab::origin::ca;
use crate::lab::origin::doors::{Listen, Mapping, doors, no_such};
use crate::lab::origin::limits::Limits;
use crate::lab::origin::log::Log;
use crate::lab::origin::server::{Options, Server};
use crate::outside::Outside;
use crate::outside::site::Site;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Without a command: serve.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Origin {
    #[command(subcommand)]
    pub what: Option<What>,
    /// The folder of the lab's CA; made and filled when it is not there
    #[arg(long, value_name = "DIR")]
    pub ca: Option<PathBuf>,
    /// Serve only this site (may be repeated)
    #[arg(long, value_name = "ID")]
    pub site: Vec<String>,
    /// Listen at this address, or for one site at an address of its own (may be repeated)
    #[arg(long, value_name = "[ID@]ADDRESS", default_value = "0.0.0.0")]
    pub listen: Vec<Listen>,
    /// Listen at another port in place of a site's (0: any free one; may be repeated)
    #[arg(long, value_name = "PORT=PORT", value_parser = pair)]
    pub map: Vec<(u16, u16)>,
    /// How long a site takes to answer, in place of what the lab's data say (may be repeated)
    #[arg(long, value_name = "ID=MS", value_parser = delay)]
    pub delay: Vec<(String, u64)>,
}

#[derive(Debug, Subcommand)]
pub enum What {
    /// Make the lab's CA and the certificates that it signs
    Ca {
        /// The folder; a CA that is there is kept, everything else is made anew
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// Longer than any client waits.
const LONGEST_DELAY: u64 = 600_000;

fn pair(text: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("{text:?} is not PORT=PORT");
    let (port, real) = text.split_once('=').ok_or_else(wrong)?;
    Ok((port.parse().map_err(|_| wrong())?, real.parse().map_err(|_| wrong())?))
}

fn delay(text: &str) -> Result<(String, u64), String> {
    let wrong = || format!("{text:?} is not ID=MS with at most {LONGEST_DELAY} milliseconds");
    let (site, ms) = text.split_once('=').ok_or_else(wrong)?;
    let ms = ms.parse().ok().filter(|ms| *ms <= LONGEST_DELAY).ok_or_else(wrong)?;
    Ok((site.into(), ms))
}

pub(super) fn run(a: &Origin) -> End {
    let outside = Outside::standard();
    if let Some(What::Ca { out }) = &a.what {
        ca::make(out, outside.sites(), SystemClock.now()).map_err(|e| Trouble::unavailable(e.to_string()))?;
        print(&format!("{}\n", out.join("ca.crt").display()));
        return Ok(GOOD);
    }
    let sites = wanted(outside.sites(), a)?;
    let doors = doors(&sites, &a.listen).map_err(Trouble::usage)?;
    let folder = a.ca.as_deref().ok_or_else(|| Trouble::usage("say where the lab's CA is kept: --ca DIR"))?;
    let certificates = ca::certificates(folder, &sites, SystemClock.now()).map_err(|e| Trouble::unavailable(e.to_string()))?;
    let mapping: Mapping = a.map.iter().copied().collect();
    let delays = a.delay.iter().cloned().collect();
    let options = Options { doors, mapping, certificates, delays, limits: Limits::default() };
    let runtime = super::runtime()?;
    let end = runtime.block_on(async {
        let (log, writer) = Log::new(std::io::stdout());
        let server = Server::start(options, log.clone(), writer).await.map_err(|e| Trouble::unavailable(e.to_string()))?;
        server.listening().into_iter().for_each(|line| log.say(line));
        log.say("ready".into());
        drop(log);
        until_signal().await;
        tokio::select! {
            () = server.end() => {}
            // Who asks twice does not want to wait.
            () = until_signal() => {}
        }
        Ok(GOOD)
    });
    runtime.shutdown_timeout(Duration::from_millis(300));
    end
}

/// The sites that were asked for; a name that is none is a mistake wherever it stands.
fn wanted(all: &[Site], a: &Origin) -> Result<Vec<Site>, Trouble> {
    let named = a.site.iter().chain(a.delay.iter().map(|(site, _)| site));
    if let Some(wrong) = named.into_iter().find(|id| all.iter().all(|site| site.id != **id)) {
        return Err(Trouble::usage(no_such(wrong, all)));
    }
    Ok(all.iter().filter(|site| a.site.is_empty() || a.site.contains(&site.id)).cloned().collect())
}
