//! Where what was seen on a cluster and what the model said differ: one file with the request, both answers and the objects, which
//! `egress-lab explain -f FILE` asks again offline. Secrets are not among the objects; what looks like one elsewhere is taken out.

use crate::base::clock::{Clock, SystemClock};
use crate::finding::{Finding, words};
use crate::k8s::Object;
use crate::lab::explain::world;
use crate::lab::share::redact::Redactor;
use anyhow::Context;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Reports that are kept; the oldest makes place.
const KEPT: usize = 50;

/// Writes the report of a finding; `None` when its answers agree.
///
/// # Errors
/// The cluster cannot be read, or the folder cannot be written.
pub async fn write(
    folder: &Path,
    client: &kube::Client,
    environment: &str,
    finding: &Finding,
) -> anyhow::Result<Option<PathBuf>> {
    let Some(exchange) = finding.evidence.exchanges.iter().find(|exchange| exchange.disagrees()) else { return Ok(None) };
    let objects = world::seen(client).await?;
    let objects: Vec<Object> = objects.all().filter(|object| object.kind() != "Secret").map(|object| plain(object)).collect();
    let from = exchange.prediction.as_ref().and_then(|p| p.hops.first()).map(|hop| hop.proxy.to_string()).unwrap_or_default();
    let mut redactor = Redactor::new(&Value::Null, &crate::base::paths::private());
    let lines = [
        format!("What was seen on {environment} and what the model says differ."),
        format!("check       {}", finding.check),
        format!("typed       {}", finding.evidence.probe),
        format!("request     {}", exchange.url),
        format!("from        {}", if from.is_empty() { "(see the typed line)" } else { &from }),
        format!("observed    {}", words(&exchange.observation)),
        format!("predicted   {}", exchange.prediction.as_ref().map(words).unwrap_or_default()),
        format!("log         {}", finding.evidence.log.join(" | ")),
        format!("replay      egress-lab explain -f THIS_FILE {from} {}", exchange.url),
    ];
    let mut text = lines.map(|line| format!("# {}\n", redactor.text(&line).replace('\n', " "))).concat();
    for object in &objects {
        text.push_str("---\n");
        text.push_str(&redactor.text(&object.0.to_string()));
        text.push('\n');
    }
    crate::base::files::make_private(folder).with_context(|| format!("making {}", folder.display()))?;
    make_place(folder);
    let path = folder.join(format!("{}-{}.yaml", SystemClock.now().0, finding.check));
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    Ok(Some(path))
}

/// An object without what servers note about its writers.
fn plain(object: &Object) -> Object {
    let mut object = object.clone();
    object.remove(&["metadata", "managedFields"]);
    object
}

/// Deletes the oldest reports; their names begin with their time.
fn make_place(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut there: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    there.sort_unstable();
    let surplus = (there.len() + 1).saturating_sub(KEPT);
    there.iter().take(surplus).for_each(|path| drop(std::fs::remove_file(path)));
}
