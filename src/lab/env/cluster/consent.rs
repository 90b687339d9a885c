//! What is said and asked before the first write on a cluster: which server it is, what the lesson will make and change there, what
//! stands in the way.

use super::Cluster;
use super::facts::{Facts, facts};
use super::path::Place;
use super::plan::{Plan, plan};
use super::rights::{self, Missing};
use super::scribe::{meta, read};
use crate::base::text::count;
use crate::lab::env::Environment;
use crate::lesson::model::Lesson;
use futures::{StreamExt, TryStreamExt, stream};

/// Objects read at the same time.
const AT_ONCE: usize = 8;
/// Names shown in one line.
const SHOWN: usize = 6;

/// A lesson, looked at before it begins on a cluster.
pub struct Terms {
    pub facts: Facts,
    pub plan: Plan,
    /// Somebody else's objects that the lesson would change, and put back.
    pub changes: Vec<Place>,
    /// Why it cannot begin: sentences. Empty when it can.
    pub obstacles: Vec<String>,
}

/// Looks at the cluster and at what the first `steps` steps of the lesson will do there. Writes nothing.
///
/// # Errors
/// The cluster cannot be read.
pub async fn terms(cluster: &Cluster, lesson: &Lesson, steps: usize) -> anyhow::Result<Terms> {
    let client = &cluster.target().client;
    let plan = plan(lesson, steps).await?;
    let missing = rights::missing(client, &plan).await?;
    let mut obstacles = forbidden(&missing);
    if missing.is_empty() {
        cluster.must_be_known()?;
    }
    // Whoever may not read the cluster need not be told more about it.
    if !missing.is_empty() {
        let facts =
            facts(client).await.unwrap_or(Facts { version: "not to be read".into(), istio: Vec::new(), mode: String::new() });
        return Ok(Terms { facts, plan, changes: Vec::new(), obstacles });
    }
    if !cluster.options().allow_mesh_config {
        obstacles.extend(mesh_wide(&plan));
    }
    let facts = facts(client).await?;
    obstacles.extend(lesson.world.istio.as_ref().and_then(|istio| facts.lacks(istio, &cluster.name())));
    obstacles.extend(plan.unfit.iter().map(|(step, why)| format!("Step {step} is for the sandbox: {why}.")));
    for taken in others(cluster, plan.fresh.iter()).await? {
        obstacles.push(format!("{taken} is there and was not made by this lab; the lesson makes one of that name."));
    }
    let mut changes = others(cluster, plan.applied.iter().chain(&plan.changed)).await?;
    changes.sort_unstable();
    Ok(Terms { facts, plan, changes, obstacles })
}

/// Those of the places at which there is something that the lab did not make.
async fn others(cluster: &Cluster, places: impl Iterator<Item = &Place>) -> anyhow::Result<Vec<Place>> {
    let client = &cluster.target().client;
    let found: Vec<Option<Place>> = stream::iter(places.cloned().collect::<Vec<_>>().into_iter().map(|place| async move {
        let found = read(client, &place).await?;
        let others = found.is_some_and(|object| !cluster.is_ours(meta(&object, "uid")));
        Ok::<_, anyhow::Error>(others.then_some(place))
    }))
    .buffered(AT_ONCE)
    .try_collect()
    .await?;
    Ok(found.into_iter().flatten().collect())
}

fn forbidden(missing: &[Missing]) -> Vec<String> {
    let line = |missing: &Missing| match missing.steps.as_slice() {
        [] => format!("You may not {} (the lab needs it for its checks and control workloads).", missing.right),
        steps => format!("You may not {} (needed by {}).", missing.right, listed(steps)),
    };
    missing.iter().map(line).collect()
}

fn mesh_wide(plan: &Plan) -> Vec<String> {
    if plan.mesh_wide.is_empty() {
        return Vec::new();
    }
    let step = |(id, what): &(String, std::collections::BTreeSet<String>)| {
        let what: Vec<String> = what.iter().cloned().collect();
        let id = if id.is_empty() { "the lesson's start" } else { id };
        format!("  {id}: {}", listed(&what))
    };
    let steps: Vec<String> = plan.mesh_wide.iter().map(step).collect();
    vec![format!(
        "This lesson changes what concerns everybody on the cluster:\n{}\nOn a cluster that is yours alone say --allow-mesh-config. The \
         lesson has no form of these steps that stays in one namespace.",
        steps.join("\n")
    )]
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

impl Terms {
    /// What people should know before they say yes.
    pub fn text(&self, cluster: &Cluster) -> String {
        let mut lines =
            vec![format!("environment  {}", cluster.name()), format!("server       {}", cluster.url().unwrap_or_default())];
        lines.extend(self.facts.lines());
        let made = self.plan.fresh.len() + self.plan.applied.len();
        lines.push(format!(
            "makes        some {} of its own, and namespace lab-control for the checks' own requests",
            count(made, "object")
        ));
        if self.facts.istio.is_empty() {
            lines.push("             (its echo is made again once Istio is installed, so that it has a sidecar)".into());
        }
        let changes: Vec<String> = self.changes.iter().map(Place::to_string).collect();
        match changes.is_empty() {
            true => lines.push("changes      nothing that is there".into()),
            false => lines.push(format!("changes      {} (put back at the end)", listed(&changes))),
        }
        lines.push(format!("record       {}", cluster.record_path().display()));
        lines.join("\n") + "\n"
    }
}
