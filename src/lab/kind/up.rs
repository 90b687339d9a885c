//! `kind up`: phase after phase, each noted when it is finished, so that a run that was cut off goes on where it was. What was half made
//! is removed and made again.

mod origins;

use super::images::{self, Programs};
use super::journal::{Phase, Thing};
use super::merged;
use super::pins::{CLUSTER, CONTEXT, NETWORK, NODE, cluster_config};
use super::preflight::{Istioctl, Preflight, Wishes};
use super::site::{Site, Told, Trouble, words};
use crate::lab::tools::Line;

/// Makes the cluster and everything around it.
///
/// # Errors
/// [`Trouble`]; what is finished stays and is noted.
pub async fn up(site: &mut Site<'_>, wishes: &Wishes, preflight: &Preflight) -> Result<(), Trouble> {
    if site.journal.internet().is_some_and(|internet| internet != wishes.internet) && site.journal.is_done(Phase::Cluster) {
        let (has, flag) = if wishes.internet { ("the lab's own origins", "without") } else { ("the Internet", "with") };
        return Err(Trouble::Foreign(format!(
            "this cluster was made with {has} as the outside world: go on {flag} --internet, or `egress-lab kind down` first"
        )));
    }
    let (engine, internet) = (site.engine.program, wishes.internet);
    site.noted(|journal| journal.with(engine, internet))?;
    look_at_earlier(site).await?;
    let phases = phases(wishes);
    for (n, &phase) in phases.iter().enumerate() {
        // Addresses of containers change when the machine is started anew: these two are looked at each time.
        let always = matches!(phase, Phase::Origins | Phase::Dns);
        let finished = site.journal.is_done(phase) && !always;
        (site.say)(Told::Phase { nth: n + 1, of: phases.len(), phase, finished });
        if !finished {
            make(site, phase, wishes, preflight).await?;
            site.noted(|journal| journal.done(phase))?;
        }
    }
    Ok(())
}

/// The phases in their order.
pub fn phases(wishes: &Wishes) -> Vec<Phase> {
    let rows = [
        (Phase::Archive, wishes.archive.is_some()),
        (Phase::Cluster, true),
        (Phase::Images, true),
        (Phase::Origins, !wishes.internet),
        (Phase::Dns, !wishes.internet),
        (Phase::Istio, wishes.with_istio),
        (Phase::Merge, wishes.merge),
    ];
    rows.into_iter().filter(|(_, wanted)| *wanted).map(|(phase, _)| phase).collect()
}

async fn make(site: &mut Site<'_>, phase: Phase, wishes: &Wishes, preflight: &Preflight) -> Result<(), Trouble> {
    let node = preflight.node_image();
    match phase {
        Phase::Archive => match &wishes.archive {
            Some(file) => images::from_archive(site, file, node).await,
            None => Ok(()),
        },
        Phase::Cluster => {
            let node = if wishes.archive.is_some() { images::node_in_archive(node) } else { node.to_string() };
            cluster(site, &node).await
        }
        Phase::Images => {
            if wishes.archive.is_none() {
                images::build(site, &Programs::of(wishes, preflight)).await?;
            }
            images::into_node(site, wishes.internet).await
        }
        Phase::Origins => origins::start(site).await,
        Phase::Dns => origins::names(site).await,
        Phase::Istio => istio(site, &wishes.istio, &preflight.istioctl).await,
        Phase::Merge => merge(site).await,
    }
}

/// The one cluster of the lab.
pub(super) fn the_cluster() -> Thing {
    Thing::Cluster(CLUSTER.into())
}

/// Whether the cluster of an earlier run is still there and still that one.
async fn look_at_earlier(site: &mut Site<'_>) -> Result<(), Trouble> {
    if !site.journal.is_done(Phase::Cluster) {
        return Ok(());
    }
    let made = site.journal.id(&the_cluster()).unwrap_or_default().to_string();
    match site.container(NODE).await? {
        Some(node) if node.id != made => Err(foreign(&format!("the container {NODE} is not the one that `kind up` made"))),
        Some(node) if node.status != "running" => {
            site.note(&format!("The node is {}: it is started again.", node.status));
            site.engine(words(&["start", NODE])).await?;
            ready(site).await
        }
        Some(_) => Ok(()),
        None => {
            site.note("The cluster of the earlier run is gone: it is made again.");
            site.noted(|journal| journal.gone(&the_cluster()))?;
            forget(site, &[Phase::Cluster, Phase::Images, Phase::Dns, Phase::Istio, Phase::Merge])
        }
    }
}

/// Phases that have to be done anew.
pub(super) fn forget(site: &mut Site<'_>, phases: &[Phase]) -> Result<(), Trouble> {
    phases.iter().try_for_each(|phase| site.noted(|journal| journal.again(*phase)))
}

pub(super) fn foreign(what: &str) -> Trouble {
    Trouble::Foreign(format!("{what}. It is left alone. If nobody needs it: kind delete cluster --name {CLUSTER}"))
}

async fn cluster(site: &mut Site<'_>, node: &str) -> Result<(), Trouble> {
    let (config, kubeconfig) = (site.path("cluster.yaml"), site.path("kubeconfig"));
    if let Some(id) = site.journal.id(&the_cluster()).map(str::to_string)
        && site.container(NODE).await?.is_some_and(|node| node.id == id)
    {
        return Ok(());
    }
    if site.journal.knows(&the_cluster()) {
        site.note("An earlier run was cut off while it made the cluster: what there is of it is removed and made again.");
        delete(site).await?;
    } else if site.has_cluster().await? {
        return Err(foreign(&format!("there is a kind cluster named {CLUSTER} already, and this state folder did not make it")));
    }
    site.write("cluster.yaml", &cluster_config(node))?;
    site.noted(|journal| journal.making(&the_cluster()))?;
    site.kind(&["create", "cluster", "--name", CLUSTER, "--config", &config, "--kubeconfig", &kubeconfig, "--wait", "180s"])
        .await?;
    let made = site.container(NODE).await?;
    let made = made.ok_or_else(|| Trouble::Unexpected(format!("kind made the cluster, and there is no container {NODE}")))?;
    site.noted(|journal| journal.made(&the_cluster(), &made.id))
}

/// `kind delete cluster` of the lab's cluster, whole or half.
pub(super) async fn delete(site: &mut Site<'_>) -> Result<(), Trouble> {
    let kubeconfig = site.path("kubeconfig");
    site.kind(&["delete", "cluster", "--name", CLUSTER, "--kubeconfig", &kubeconfig]).await.map(drop)
}

/// Waits until the node of a cluster that was started again takes pods.
async fn ready(site: &mut Site<'_>) -> Result<(), Trouble> {
    let line = site.kubectl(&["wait", "--for=condition=Ready", "node", "--all", "--timeout=180s"], b"");
    site.work(line).await.map(drop)
}

/// Installs with the lesson's own file: the istioctl of this machine, or the pinned image on kind's network.
async fn istio(site: &mut Site<'_>, file: &str, istioctl: &Istioctl) -> Result<(), Trouble> {
    site.write("istio.yaml", file)?;
    let args = |kubeconfig: &str, file: &str| words(&["install", "--kubeconfig", kubeconfig, "-f", file, "-y"]);
    let line = match istioctl {
        Istioctl::Own => Line::of("istioctl", args(&site.path("kubeconfig"), &site.path("istio.yaml"))),
        Istioctl::Image(image) => {
            let inside = site.ask(site.engine.kind(words(&["get", "kubeconfig", "--name", CLUSTER, "--internal"]))).await?;
            site.write("kubeconfig.internal", &format!("{inside}\n"))?;
            let mount = |name: &str| format!("{}:/lab/{name}:ro", site.path(name));
            let (config, file) = (mount("kubeconfig.internal"), mount("istio.yaml"));
            // As root of the container: the files belong to the user and nobody else may read them.
            let mut argv = words(&["run", "--rm", "--network", NETWORK, "--user", "0:0", "--security-opt", "label=disable"]);
            argv.extend(words(&["--volume", &config, "--volume", &file, image]));
            argv.extend(args("/lab/kubeconfig.internal", "/lab/istio.yaml"));
            site.engine.line(argv)
        }
    };
    site.work(line).await?;
    site.clear("kubeconfig.internal")
}

/// Only when it was asked for.
async fn merge(site: &mut Site<'_>) -> Result<(), Trouble> {
    let thing = Thing::Context(CONTEXT.into());
    site.noted(|journal| journal.making(&thing))?;
    let line = own_kubeconfig(site.engine.kind(words(&["export", "kubeconfig", "--name", CLUSTER])));
    merged::keep(site)?;
    site.run(line).await?;
    merged::kept(site)?;
    site.note(&format!("{CONTEXT} is now the current context of your own kubeconfig."));
    site.noted(|journal| journal.made(&thing, ""))
}

/// With the user's own `$KUBECONFIG`, which tools do not get otherwise.
pub(super) fn own_kubeconfig(line: Line) -> Line {
    match std::env::var("KUBECONFIG").ok().filter(|list| !list.is_empty()) {
        Some(list) => line.env("KUBECONFIG", list),
        None => line,
    }
}
