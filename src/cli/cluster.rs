//! Lessons on a cluster from the command line: which one, what is said and asked before the first write, and cleaning up.

use super::args::From;
use super::cluster_args::{Cleanup, Rules, Where};
use super::{End, FAILED, GOOD, Trouble, lessons, print, runtime, said_yes};
use crate::base::paths::Paths;
use crate::base::seed::Seed;
use crate::base::text::count;
use crate::finding::Finding;
use crate::lab::env::Environment;
use crate::lab::env::cluster::consent::terms;
use crate::lab::env::cluster::sweep::Swept;
use crate::lab::env::cluster::{Cluster, Options};
use crate::lab::ground::EnvGround;
use crate::lab::retry::Tiding;
use crate::lesson::model::Lesson;
use std::io::IsTerminal;
use std::sync::Arc;

/// The cluster that `--env` names; `None` is the sandbox.
pub(super) fn named(env: &str) -> Result<Option<&str>, Trouble> {
    match env.strip_prefix("context:") {
        Some(name) if !name.is_empty() => Ok(Some(name)),
        None if env == "sandbox" => Ok(None),
        None if env == "kind" => match Paths::from_environment().kind().join("kubeconfig").exists() {
            true => Ok(Some(crate::lab::kind::pins::CONTEXT)),
            false => Err(Trouble::unavailable("the lab's own cluster is not there; `egress-lab kind up` makes it")),
        },
        _ => Err(Trouble::usage(format!("--env is sandbox, kind or context:NAME, not {env}"))),
    }
}

/// Opens the cluster that the flags name, without a word about what will be done there.
pub(super) async fn open(at: &Where) -> Result<Option<Cluster>, Trouble> {
    let Some(context) = named(&at.env)? else { return Ok(None) };
    let cluster = connect(at, context).await?;
    // Until the program ends.
    drop(tell(&cluster));
    Ok(Some(cluster))
}

async fn connect(at: &Where, context: &str) -> Result<Cluster, Trouble> {
    let cluster = Cluster::open(&Paths::from_environment(), context, options(&at.rules, &at.env)).await.map_err(Trouble::from)?;
    cluster.notes().iter().for_each(|note| eprintln!("egress-lab: {note}"));
    Ok(cluster)
}

/// Says on standard error what the API server makes people wait for, until the task is ended.
fn tell(cluster: &Cluster) -> tokio::task::JoinHandle<()> {
    let mut tidings = cluster.target().tidings.listen();
    tokio::spawn(async move {
        use tokio::sync::broadcast::error::RecvError::Lagged;
        loop {
            match tidings.recv().await {
                Ok(Tiding::Over) => (),
                Ok(tiding) => eprintln!("egress-lab: {tiding}"),
                Err(Lagged(missed)) => eprintln!("egress-lab: ({missed} more like this)"),
                Err(_) => return,
            }
        }
    })
}

/// The lab's own cluster is there for lessons: installing Istio in it needs no further word.
fn options(rules: &Rules, env: &str) -> Options {
    Options { within: rules.within, allow_mesh_config: rules.allow_mesh_config || env == "kind" }
}

/// The lesson to take where the flags say: the one that it names instead, on a cluster whose mesh is not to be changed for everybody.
/// Who names a step of a lesson wants that lesson.
pub(super) fn fitting(at: &Where, from: &From, step: Option<&str>, lesson: Arc<Lesson>) -> Result<Arc<Lesson>, Trouble> {
    let Some(other) = &lesson.without_mesh_config else { return Ok(lesson) };
    let meant = step.is_some_and(|step| lessons::step_index(&lesson, step).is_ok());
    if meant || named(&at.env)?.is_none() || options(&at.rules, &at.env).allow_mesh_config {
        return Ok(lesson);
    }
    let other = lessons::find(from, other)?;
    eprintln!(
        "egress-lab: nothing is changed for everybody on {}: lesson {} is taken, with a Sidecar in its own namespace where {} changes the \
         mesh. On a cluster that is yours alone --allow-mesh-config takes that one.",
        at.env, other.id, lesson.id
    );
    Ok(other)
}

/// Says on standard error what the first `steps` steps of a lesson will do on the cluster, stops when something stands in the way, asks
/// once, then places the control workloads. What is left of them when that fails is removed.
pub(super) async fn begin(cluster: &Cluster, at: &Where, lesson: &Lesson, steps: usize) -> Result<(), Trouble> {
    let terms = terms(cluster, lesson, steps).await.map_err(Trouble::from)?;
    eprint!("{}", terms.text(cluster));
    if !terms.obstacles.is_empty() {
        let obstacles = terms.obstacles.join("\n");
        return Err(Trouble::unavailable(format!("{obstacles}\nNothing was written.")));
    }
    if !at.rules.yes && !asked("Begin the lesson on this cluster?") {
        return Err(Trouble::unavailable("Nothing was written. `--yes` answers this question beforehand."));
    }
    cluster.watch(&terms.plan).await.map_err(Trouble::from)?;
    eprintln!("Placing the control workloads in namespace lab-control.");
    if let Err(error) = cluster.place_controls().await {
        let _ = cluster.remove_controls().await;
        return Err(Trouble::from(error));
    }
    Ok(())
}

/// `egress-lab reset --env context:NAME`: removes the lesson's objects, puts back what it changed, and makes the start of a step anew,
/// for `learn` to go on with.
pub(super) async fn reset(at: &Where, lesson: &Lesson, step: usize) -> End {
    let Some(cluster) = open(at).await? else { return Err(Trouble::usage("--env names no cluster")) };
    cluster.must_be_known().map_err(Trouble::from)?;
    let terms = terms(&cluster, lesson, step).await.map_err(Trouble::from)?;
    if !terms.obstacles.is_empty() {
        return Err(Trouble::unavailable(format!("{}\nNothing was changed.", terms.obstacles.join("\n"))));
    }
    list(&cluster);
    let title = format!("the start of step {} ({})", step + 1, lesson.steps[step].title);
    print(&format!("then      {title} is made anew on {}\n", cluster.name()));
    if !at.rules.yes && !asked("Go on?") {
        print("Nothing was changed.\n");
        return Ok(FAILED);
    }
    cluster.watch(&terms.plan).await.map_err(Trouble::from)?;
    let rebuilt = cluster.rebuild(lesson, step).await;
    // Also where it failed: nobody has the lesson open who would take them away.
    let removed = cluster.remove_controls().await;
    rebuilt.and(removed).map_err(Trouble::from)?;
    print(&format!("{} is at {title}.\n", cluster.name()));
    Ok(GOOD)
}

/// Lists what the lab has made and changed on a cluster; whether there is any.
fn list(cluster: &Cluster) -> bool {
    let record = cluster.record();
    record.made().iter().for_each(|made| print(&format!("remove    {}\n", made.place)));
    record.changed().keys().for_each(|changed| print(&format!("put back  {changed}\n")));
    !record.made().is_empty() || !record.changed().is_empty()
}

/// Opens the cluster of the flags for a learner, all of the lesson being asked about. From then on the lesson itself tells what the API
/// server makes people wait for: standard error may be under a screen.
pub(super) async fn offered(at: &Where, lesson: &Lesson) -> Result<Option<Cluster>, Trouble> {
    let Some(context) = named(&at.env)? else { return Ok(None) };
    let cluster = connect(at, context).await?;
    let telling = tell(&cluster);
    let begun = begin(&cluster, at, lesson, lesson.steps.len()).await;
    telling.abort();
    begun.map(|()| Some(cluster))
}

/// At the end of a learner's session: the control workloads go, the lesson's own objects stay, so that it can be gone on with.
pub(super) async fn left(cluster: Option<Cluster>, end: End) -> End {
    let Some(cluster) = cluster else { return end };
    drop(tell(&cluster));
    let swept = cluster.remove_controls().await.map_err(Trouble::from)?;
    swept.left.iter().for_each(|(what, why)| eprintln!("left: {what}: {why}"));
    let strangers = cluster.strangers().await.map_err(Trouble::from)?;
    let record = cluster.record();
    let (made, changed, name) = (record.made().len(), record.changed().len(), cluster.name());
    eprintln!("The control workloads are removed.");
    if made + changed + strangers.len() > 0 {
        let (made, changed) = (count(made, "object"), count(changed, "object"));
        eprintln!("On {name} the lesson has {made} of its own and has changed {changed} of others; so you can go on later.");
        strangers.iter().for_each(|s| eprintln!("not made by the lab: {}", s.place));
        eprintln!("`egress-lab cleanup --env {name}` removes and puts back, and asks about what the lab did not make.");
    }
    end
}

/// Judges a step of a lesson that is open on a cluster, from another terminal. Writes nothing.
pub(super) async fn judged(
    context: &str,
    (lesson, step): (&Lesson, usize),
    answer: Option<&str>,
) -> Result<Vec<Finding>, Trouble> {
    let paths = Paths::from_environment();
    let cluster = Cluster::visit(&paths, context, options(&Rules::default(), "")).await.map_err(Trouble::from)?;
    let ground = EnvGround { env: Arc::new(cluster), seed: Seed::fresh(), mends: true };
    crate::check::judge(&ground, lesson, &lesson.steps[step], answer, &[]).await.map_err(Trouble::unavailable)
}

/// Asks on the terminal; without one nobody can say yes.
fn asked(question: &str) -> bool {
    if !std::io::stdin().is_terminal() {
        eprintln!("egress-lab: {question} Nobody can be asked here.");
        return false;
    }
    eprint!("{question} (y/N) ");
    said_yes()
}

/// What a cleanup did, for people.
fn told(swept: &Swept) -> String {
    let number = |n: usize| count(n, "object");
    let mut text = format!("removed {}, put back {}\n", number(swept.removed.len()), number(swept.put_back.len()));
    swept.left.iter().for_each(|(what, why)| text.push_str(&format!("left: {what}: {why}\n")));
    text
}

/// Cleans up after a run and says so: on standard error, since standard output may be a document. What came from elsewhere is listed.
pub(super) async fn clean(cluster: &Cluster) -> Result<Swept, Trouble> {
    let strangers = cluster.strangers().await.map_err(Trouble::from)?;
    let swept = cluster.cleanup().await.map_err(Trouble::from)?;
    eprint!("{}", told(&swept));
    for stranger in strangers {
        eprintln!("left: {}: it appeared meanwhile and was not made by this lab", stranger.place);
    }
    Ok(swept)
}

/// `egress-lab cleanup --env context:NAME`.
pub(super) fn cleanup(a: &Cleanup) -> End {
    let runtime = runtime()?;
    let end = runtime.block_on(sweep(a));
    runtime.shutdown_background();
    end
}

async fn sweep(a: &Cleanup) -> End {
    let rules = Rules { allow_mesh_config: true, yes: a.yes, within: None };
    let Some(cluster) = open(&Where { env: a.env.clone(), rules }).await? else {
        return Err(Trouble::usage("the sandbox needs no cleanup: `egress-lab reset` puts it back; say --env context:NAME"));
    };
    cluster.must_be_known().map_err(Trouble::from)?;
    let doubtful = cluster.doubtful().await.map_err(Trouble::from)?;
    let strangers = cluster.strangers().await.map_err(Trouble::from)?;
    let others = [doubtful, strangers].concat();
    let known = list(&cluster);
    others.iter().for_each(|other| print(&format!("ask       {}: not known to be made by this lab\n", other.place)));
    if !known && others.is_empty() {
        print(&format!("Nothing of the lab is left on {}.\n", cluster.name()));
        return Ok(GOOD);
    }
    if a.dry_run {
        return Ok(GOOD);
    }
    let (made, changed) = {
        let record = cluster.record();
        (count(record.made().len(), "object"), count(record.changed().len(), "object"))
    };
    if !a.yes && !asked(&format!("Remove {made} and put back {changed}?")) {
        print("Nothing was changed.\n");
        return Ok(FAILED);
    }
    // That the lab's own things may go does not say that others' may.
    if !others.is_empty() && (a.others || (!a.yes && asked("Remove those that the lab is not known to have made, too?"))) {
        cluster.adopt(others).map_err(Trouble::from)?;
    }
    let swept = cluster.cleanup().await.map_err(Trouble::from)?;
    print(&told(&swept));
    Ok(if swept.left.is_empty() { GOOD } else { FAILED })
}
