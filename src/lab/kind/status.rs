//! `kind status`: what the journal says was made, and how it is now.

use super::coredns;
use super::journal::{Journal, Phase, Thing};
use super::outside::origins;
use super::pins::{CLUSTER, CONTEXT, NODE};
use super::preflight::{Row, State};
use super::site::{Site, Trouble};
use super::up::the_cluster;
use std::path::Path;

/// What is to be seen without asking anybody.
pub fn unmade(journal: &Journal) -> Option<Row> {
    let none = !journal.knows(&the_cluster());
    let images = journal.things().iter().filter(|thing| matches!(thing, Thing::Image(_))).count();
    let text = match images {
        0 => "none was made".to_string(),
        n => format!("none; {} kept for the next time", crate::base::text::count(n, "image")),
    };
    none.then(|| Row::new("cluster", State::Note, text).next("egress-lab kind up"))
}

/// Asks the engine and the cluster, where [`unmade`] has nothing to say. Changes nothing.
///
/// # Errors
/// An engine that does not answer.
pub async fn status(site: &mut Site<'_>) -> Result<Vec<Row>, Trouble> {
    let node = site.container(NODE).await?;
    let id = site.journal.id(&the_cluster()).map(str::to_string);
    let mut rows = vec![match (&node, &id) {
        (_, None) => Row::new("cluster", State::Missing, "half made").next("egress-lab kind up"),
        (None, Some(_)) => Row::new("cluster", State::Missing, "its node is gone").next("egress-lab kind up"),
        (Some(node), Some(id)) if node.id != *id => {
            Row::new("cluster", State::Missing, format!("{NODE} is not the node that was made")).next("egress-lab kind down")
        }
        (Some(node), _) if node.status != "running" => {
            Row::new("cluster", State::Missing, format!("its node is {}", node.status)).next("egress-lab kind up")
        }
        _ => Row::new("cluster", State::Good, format!("{CLUSTER}, its node runs")),
    }];
    let runs = rows[0].state == State::Good;
    rows.push(outside(site).await?);
    if runs {
        rows.push(dns(site).await);
        rows.push(istio(site).await);
    }
    let kubeconfig = site.folder.join("kubeconfig");
    rows.push(kubeconfig_row(&kubeconfig));
    if runs && rows.iter().all(|row| row.state <= State::Note) {
        rows.push(Row::new("lessons", State::Good, format!("context {CONTEXT}")).next("egress-lab learn --env kind"));
    }
    Ok(rows)
}

fn kubeconfig_row(path: &Path) -> Row {
    match path.exists() {
        true => Row::new("kubeconfig", State::Good, path.display().to_string()),
        false => Row::new("kubeconfig", State::Missing, format!("{} is not there", path.display())).next("egress-lab kind down"),
    }
}

async fn outside(site: &mut Site<'_>) -> Result<Row, Trouble> {
    if site.journal.internet() == Some(true) {
        return Ok(Row::new("outside world", State::Good, "the Internet"));
    }
    let all = origins();
    let mut still = Vec::new();
    for origin in &all {
        if site.container(&origin.container).await?.is_none_or(|there| there.status != "running") {
            still.push(origin.container.clone());
        }
    }
    let found = format!("{} of {} containers run", all.len() - still.len(), all.len());
    Ok(match still.is_empty() {
        true => Row::new("outside world", State::Good, found),
        false => {
            Row::new("outside world", State::Missing, format!("{found}; not {}", still.join(", "))).next("egress-lab kind up")
        }
    })
}

async fn dns(site: &mut Site<'_>) -> Row {
    if site.journal.internet() == Some(true) {
        return Row::new("dns", State::Good, "as kind made it");
    }
    let line = site.kubectl(&["get", "configmap", "coredns", "-n", "kube-system", "-o", "jsonpath={.data.Corefile}"], b"");
    match site.ask(line).await {
        Ok(corefile) if coredns::is_in(&corefile) => Row::new("dns", State::Good, "knows the names of the outside world"),
        Ok(_) => Row::new("dns", State::Missing, "does not know the names of the outside world").next("egress-lab kind up"),
        Err(trouble) => Row::new("dns", State::Missing, trouble.to_string()).next("egress-lab kind up"),
    }
}

async fn istio(site: &mut Site<'_>) -> Row {
    let path = r#"jsonpath={range .items[*]}{.metadata.name}={.status.readyReplicas}/{.spec.replicas} {end}"#;
    let line = site.kubectl(&["get", "deployments", "-n", "istio-system", "-o", path], b"");
    let by = if site.journal.is_done(Phase::Istio) { "`kind up --with-istio`" } else { "the lesson, or you" };
    match site.ask(line).await {
        Ok(text) if text.is_empty() => Row::new("istio", State::Note, "not installed; the lesson's install stage does it"),
        Ok(text) => Row::new("istio", State::Good, format!("{text} (installed by {by})")),
        Err(trouble) => Row::new("istio", State::Missing, trouble.to_string()),
    }
}
