//! The outside world: a container for each front end, and their names in the cluster's DNS.

use crate::lab::kind::coredns;
use crate::lab::kind::journal::Thing;
use crate::lab::kind::outside::{Origin, origin_address, origin_container, origins, read_address, remove_container};
use crate::lab::kind::site::{Site, Trouble, words};
use serde_json::{Value, json};
use std::net::IpAddr;

/// Starts every origin that does not run.
pub(super) async fn start(site: &mut Site<'_>) -> Result<(), Trouble> {
    for origin in origins() {
        let thing = Thing::Container(origin.container.clone());
        let there = site.container(&origin.container).await?;
        match there {
            Some(there) if !site.journal.knows(&thing) || !there.is_ours => return Err(foreign(&origin)),
            Some(there) if there.status == "running" && site.journal.id(&thing) == Some(&there.id) => continue,
            Some(_) => drop(site.engine(remove_container(&origin.container)).await?),
            None => (),
        }
        site.noted(|journal| journal.making(&thing))?;
        let id = site.engine(origin_container(&origin)).await?.stdout.trim().to_string();
        site.noted(|journal| journal.made(&thing, &id))?;
    }
    Ok(())
}

fn foreign(origin: &Origin) -> Trouble {
    let name = &origin.container;
    Trouble::Foreign(format!(
        "there is a container {name} that this state folder did not make. It is left alone. If nobody needs it: docker rm --force {name}"
    ))
}

/// The origins' addresses and names as they are now.
async fn hosts(site: &mut Site<'_>) -> Result<Vec<(IpAddr, String)>, Trouble> {
    let mut hosts = Vec::new();
    for origin in origins() {
        let printed = site.ask(site.engine.line(origin_address(&origin))).await?;
        let address = read_address(&printed).ok_or_else(|| {
            Trouble::Unexpected(format!("container {} has no address on kind's network: {printed:?}", origin.container))
        })?;
        hosts.extend(origin.hosts.into_iter().map(|host| (address, host)));
    }
    Ok(hosts)
}

/// Writes the names into CoreDNS' configuration, and has it read anew. Nothing is written when they stand there already.
pub(super) async fn names(site: &mut Site<'_>) -> Result<(), Trouble> {
    let block = coredns::hosts_block(&hosts(site).await?);
    let printed = site.ask(site.kubectl(&["get", "configmap", "coredns", "-n", "kube-system", "-o", "json"], b"")).await?;
    let map: Value = serde_json::from_str(&printed)
        .map_err(|e| Trouble::Unexpected(format!("ConfigMap kube-system/coredns could not be read: {e}")))?;
    let before = map["data"]["Corefile"].as_str().unwrap_or_default();
    let after = coredns::insert(before, &block)?;
    if after == before {
        site.note("The names stand there already.");
        return Ok(());
    }
    let patch = json!({"data": {"Corefile": after}}).to_string();
    let change = ["patch", "configmap", "coredns", "-n", "kube-system", "--type=merge", "--patch-file=/dev/stdin"];
    let line = site.kubectl(&change, patch.as_bytes());
    site.run(line).await?;
    // CoreDNS reads a changed file by itself, up to two minutes later.
    for args in [words(&["rollout", "restart"]), words(&["rollout", "status", "--timeout=120s"])] {
        let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
        args.extend(["deployment", "coredns", "-n", "kube-system"]);
        let line = site.kubectl(&args, b"");
        site.work(line).await?;
    }
    Ok(())
}
