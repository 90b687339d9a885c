//! `istioctl uninstall --purge`.

use super::args::{Flag, switch, valued};
use super::install::{OWNED, described};
use super::{Context, Stop, api, args, confirmed};
use crate::base::io::Io;
use crate::base::not_simulated;

const FLAGS: &[Flag] = &[
    switch("purge", None),
    switch("skip-confirmation", Some('y')),
    switch("dry-run", None),
    switch("force", None),
    switch("verbose", Some('v')),
    valued("filename", Some('f')),
    valued("revision", Some('r')),
    valued("set", Some('s')),
    valued("manifests", Some('d')),
];

/// Removes what the installer owns; CRDs, their objects and the namespace stay, as with the real one.
pub async fn run(context: &Context, io: &mut Io, words: &[&str]) -> Result<(), Stop> {
    let parsed = args::parse(words, FLAGS)?;
    for flag in ["filename", "set", "manifests"] {
        if parsed.last(flag).is_some() {
            return Err(Stop::failed(not_simulated(&format!("istioctl uninstall --{flag}"))));
        }
    }
    match (parsed.on("purge"), parsed.last("revision")) {
        (true, None) | (false, Some("default")) => (),
        (false, None) => {
            return Err(Stop::failed("at least one of the --revision (or -r), --filename (or -f) or --purge flags must be set"));
        }
        _ => return Err(Stop::failed(not_simulated("istioctl uninstall --revision"))),
    }
    if api::mark(&context.client).await.is_none() {
        return Err(Stop::failed(format!(
            "this API server is not the lab's sandbox. On your own cluster run Istio's istioctl:\n  istioctl uninstall {}",
            words.join(" ")
        )));
    }
    io.say("All Istio resources will be pruned from the cluster");
    if !parsed.on("skip-confirmation") && !parsed.on("dry-run") && !confirmed(io, "Proceed? (y/N) ").await {
        io.say("Cancelled.");
        return Err(Stop { message: String::new(), code: 1 });
    }
    for (api_version, kind) in api::prunable() {
        for object in api::list(&context.client, api_version, kind, OWNED).await? {
            if !parsed.on("dry-run") {
                api::delete(&context.client, &object).await?;
            }
            io.say(&format!("  Removed {}.", described(&object)));
        }
    }
    io.say("✔ Uninstall complete");
    Ok(())
}
