//! `istioctl install`.

use super::options::{self, FLAGS};
use super::{Context, Readiness, Stop, api, args, confirmed};
use crate::base::io::Io;
use crate::k8s::Object;
use crate::mesh::install::{self, Component, Installation};
use std::collections::BTreeSet;
use std::time::Duration;

/// Our own little ship, on a terminal only.
const SAIL: &str = r"
        /|
       / |\
      /  | \
     /___|__\
   ____________
    \________/
";

/// What owns the objects of an installation.
pub const OWNED: &str = "operator.istio.io/managed=Reconcile";

/// Runs it.
pub async fn run(context: &Context, io: &mut Io, words: &[&str]) -> Result<(), Stop> {
    let parsed = args::parse(words, FLAGS)?;
    let options = options::read(context, io, &parsed, "install").await?;
    let plan = install::plan(&options).map_err(|e| match e {
        install::Error::NotSimulated(what) => Stop::failed(what),
        other => Stop::failed(format!("generate config: {other}")),
    })?;
    if api::mark(&context.client).await.is_none() {
        return Err(Stop::failed(format!(
            "this API server is not the lab's sandbox, and the built-in istioctl installs only there. On your own cluster run Istio's \
             istioctl:\n  istioctl install {}",
            words.join(" ")
        )));
    }
    if io.tty.is_some() {
        io.warn(SAIL);
    }
    let tag = plan.operator.at("tag").as_str().unwrap_or("").to_string();
    let question =
        format!("This will install the Istio {tag} profile {:?} into the cluster. Proceed? (y/N) ", plan.operator.profile);
    if !parsed.on("skip-confirmation") && !parsed.on("dry-run") && !confirmed(io, &question).await {
        io.say("Cancelled.");
        return Err(Stop { message: String::new(), code: 1 });
    }
    let mut work =
        Work { context, io, readiness: readiness(context, parsed.last("readiness-timeout"))?, dry: parsed.on("dry-run") };
    work.install(&plan).await
}

fn readiness(context: &Context, limit: Option<&str>) -> Result<Readiness, Stop> {
    let Some(text) = limit else { return Ok(context.readiness) };
    let units = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    let read = units.iter().find_map(|(unit, ms)| Some(text.strip_suffix(unit)?.parse::<u64>().ok()?.saturating_mul(*ms)));
    let wrong =
        || Stop::usage(format!("invalid argument {text:?} for \"--readiness-timeout\" flag: time: invalid duration {text:?}"));
    Ok(Readiness { limit_ms: read.ok_or_else(wrong)?, ..context.readiness })
}

/// An installation under way.
struct Work<'a> {
    context: &'a Context,
    io: &'a mut Io,
    readiness: Readiness,
    dry: bool,
}

impl Work<'_> {
    async fn install(&mut self, plan: &Installation) -> Result<(), Stop> {
        if !self.dry {
            self.apply(&plan.namespace).await?;
        }
        // The two gateways are installed at once, all else in order.
        for group in [vec![Component::Base], vec![Component::Pilot], vec![Component::EgressGateways, Component::IngressGateways]]
        {
            let of = |c: &Component| plan.components.iter().find(|(name, _)| name == c).map_or(&[][..], |(_, objects)| objects);
            let active: Vec<Component> = group.into_iter().filter(|c| !of(c).is_empty()).collect();
            let objects: Vec<&Object> = active.iter().flat_map(of).collect();
            if let Err(stop) = self.install_group(&active, &objects).await {
                let title = active.first().map_or("Istio", |c| c.title());
                self.io.say(&format!("✘ {title} encountered an error: {}", stop.message));
                return Err(Stop::failed(format!("failed to install manifests: {}", stop.message)));
            }
        }
        self.prune(plan).await?;
        self.io.say("✔ Installation complete");
        Ok(())
    }

    async fn install_group(&mut self, components: &[Component], objects: &[&Object]) -> Result<(), Stop> {
        if components.is_empty() {
            return Ok(());
        }
        let titles: Vec<&str> = components.iter().map(|c| c.title()).collect();
        let doing = format!("- Processing resources for {}.", titles.join(", "));
        self.io.say(&doing);
        if !self.dry {
            for object in objects {
                self.apply(object).await?;
            }
            self.wait(&doing, objects).await?;
        }
        for component in components {
            self.io.say(&format!("✔ {} installed {}", component.title(), picture(*component)));
        }
        Ok(())
    }

    async fn apply(&mut self, object: &Object) -> Result<(), Stop> {
        let what = format!("{}/{}/{}", object.kind(), object.namespace(), object.name());
        api::apply(&self.context.client, object).await.map_err(|e| Stop::failed(format!("failed to apply {what}: {}", e.message)))
    }

    /// Waits until the Deployments among the objects are available; says each change of what is waited for.
    async fn wait(&mut self, doing: &str, objects: &[&Object]) -> Result<(), Stop> {
        let deployments: Vec<&Object> = objects.iter().copied().filter(|o| o.kind() == "Deployment").collect();
        let (mut said, mut waited) = (String::new(), 0_u64);
        loop {
            // Asked before looking, so that what settles in between is still seen.
            let settled = api::settled(&self.context.client).await;
            let mut waiting = Vec::new();
            for deployment in &deployments {
                let live = api::get(&self.context.client, deployment).await?;
                if !live.is_some_and(|live| available(&live)) {
                    waiting.push(format!("Deployment/{}/{}", deployment.namespace(), deployment.name()));
                }
            }
            if waiting.is_empty() {
                return Ok(());
            }
            let names = waiting.join(", ");
            if settled {
                return Err(Stop::failed(format!(
                    "failed to wait for resource: resources not ready, and nothing is under way that would make them ready: {names}"
                )));
            }
            if waited >= self.readiness.limit_ms {
                let limit = self.readiness.limit_ms / 1000;
                let limit = format!("{}m{}s", limit / 60, limit % 60);
                return Err(Stop::failed(format!(
                    "failed to wait for resource: resources not ready after {limit}: context deadline exceeded: {names}"
                )));
            }
            if said != names {
                self.io.say(&format!("{doing} Waiting for {names}"));
                said = names;
            }
            let step = self.readiness.poll_ms.max(1);
            tokio::time::sleep(Duration::from_millis(step)).await;
            waited += step;
        }
    }

    /// Removes what an earlier installation made and this one does not have.
    async fn prune(&mut self, plan: &Installation) -> Result<(), Stop> {
        self.io.say("- Pruning removed resources");
        if self.dry {
            return Ok(());
        }
        let wanted: BTreeSet<_> = plan.components.iter().flat_map(|(_, objects)| objects).map(Object::key).collect();
        for (api_version, kind) in api::prunable() {
            for object in api::list(&self.context.client, api_version, kind, OWNED).await? {
                if !wanted.contains(&object.key()) {
                    api::delete(&self.context.client, &object).await?;
                    self.io.say(&format!("  Removed {}.", described(&object)));
                }
            }
        }
        Ok(())
    }
}

/// `apps/v1, Kind=Deployment/istio-egressgateway.istio-system`.
pub fn described(object: &Object) -> String {
    let namespace = if object.namespace().is_empty() { String::new() } else { format!(".{}", object.namespace()) };
    format!("{}, Kind={}/{}{namespace}", object.api_version(), object.kind(), object.name())
}

fn picture(component: Component) -> &'static str {
    match component {
        Component::Base => "⛵️",
        Component::Pilot => "🧠",
        Component::EgressGateways => "🛫",
        Component::IngressGateways => "🛬",
    }
}

/// Whether a Deployment has rolled out: its controller saw this generation and enough of the new pods are ready.
fn available(deployment: &Object) -> bool {
    let number = |path: &[&str]| deployment.at(path).as_i64();
    let wanted = number(&["spec", "replicas"]).unwrap_or(1);
    let seen = number(&["status", "observedGeneration"]).unwrap_or(0) >= number(&["metadata", "generation"]).unwrap_or(0);
    let updated = number(&["status", "updatedReplicas"]).unwrap_or(0) >= wanted;
    seen && updated && number(&["status", "readyReplicas"]).unwrap_or(0) >= wanted
}
