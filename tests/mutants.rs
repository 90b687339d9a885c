//! Every leaf of the lesson's solution, deleted, altered or moved by a generator, applied to a world of its own: what the API says,
//! what requests come to, whether the lesson's checks notice, whether the cause names the changed field, and whether `explain --fix`
//! mends it there. `tests/data/mutants.txt` holds a line for each; EGRESS_LAB_BLESS=1 writes it anew. A sample of them is tried each
//! time, all of them with EGRESS_LAB_LONG=1; what the file claims of all is held each time.

mod generate;
mod judge;

use egress_lab::author::bench::{Bench, Manner, World};
use egress_lab::author::worlds::Sandboxes;
use egress_lab::base::seed::Seed;
use egress_lab::base::yaml;
use egress_lab::k8s::Key;
use egress_lab::lesson::load::Pack;
use egress_lab::lesson::model::{Action, File, Lesson, Step};
use futures::StreamExt;
use generate::Mutant;
use judge::{Judge, Line};
use std::sync::Arc;

const LESSON: &str = "control-external-egress";
/// One of so many mutants is tried in an ordinary run.
const SAMPLE: usize = 5;
/// The step whose solution the mutants are mutants of.
const STEP: &str = "route-through-the-gateway";
const KEPT: &str = "tests/data/mutants.txt";
const SOLUTION: [(&str, &str); 5] = [
    ("istio.yaml", include_str!("../lessons/egress/control-external-egress/solution/istio.yaml")),
    ("se.yaml", include_str!("../lessons/egress/control-external-egress/solution/serviceentry-wikipedia.yaml")),
    ("gw.yaml", include_str!("../lessons/egress/control-external-egress/solution/gateway.yaml")),
    ("dr.yaml", include_str!("../lessons/egress/control-external-egress/solution/destinationrule.yaml")),
    ("vs.yaml", include_str!("../lessons/egress/control-external-egress/solution/vs.yaml")),
];

/// The clients beside the lesson's own: one without a sidecar, one in a namespace of its own.
const CLIENTS: &[&str] = &[
    "kubectl create namespace bare",
    "kubectl create namespace other",
    "kubectl label namespace other istio-injection=enabled",
    "kubectl run client -n bare --image=curlimages/curl:8.1.2 --command -- sleep infinity",
    "kubectl run client -n other --image=curlimages/curl:8.1.2 --command -- sleep infinity",
];

fn line(text: &str) -> Action {
    Action::Line(text.into())
}

/// The world as the lesson leaves it after the step, with the further clients.
async fn solved(lesson: &Arc<Lesson>) -> Box<dyn World> {
    let bench = Sandboxes { mends: true, ..Sandboxes::default() };
    let world = bench.start(lesson, Seed(1)).await.expect("a start");
    for step in &lesson.steps {
        world.apply(&step.setup, Manner::Right).await.expect("the setup works");
        world.apply(&step.solution, Manner::Right).await.expect("the solution works");
        if step.id == STEP {
            break;
        }
    }
    let clients: Vec<Action> = CLIENTS.iter().map(|text| line(text)).collect();
    world.apply(&clients, Manner::Right).await.expect("the clients start");
    world
}

/// Puts a mutant in the place of what it was made from. The API's words when it refuses.
async fn put(world: &dyn World, mutant: &Mutant) -> Result<(), String> {
    let file = Action::File(File { name: "mutant.yaml".into(), content: yaml::write(&mutant.manifest) });
    let actions = match mutant.object.kind.kind.as_str() {
        "IstioOperator" => vec![file, line("istioctl install -f mutant.yaml -y")],
        kind => {
            let Key { name, namespace, .. } = &mutant.object;
            let resource = format!("{}.networking.istio.io", kind.to_lowercase());
            vec![line(&format!("kubectl delete {resource} {name} -n {namespace}")), file, line("kubectl apply -f mutant.yaml")]
        }
    };
    let ran = world.apply(&actions, Manner::NearMiss).await?.ran;
    match ran.last() {
        Some(last) if last.exit_code != 0 => Err(last.output.clone()),
        Some(_) => Ok(()),
        None => Err("nothing ran".into()),
    }
}

async fn tried(judge: Arc<Judge>, world: Arc<dyn World>, step: Arc<Step>, name: &'static str, mutant: Mutant) -> Line {
    let fork = world.fork().await.expect("a fork");
    match put(&*fork, &mutant).await {
        Err(words) => judge.refused(name, &mutant, &words),
        Ok(()) => {
            let findings = fork.evaluate(&step, None, &[]).await;
            let state = fork.state().await.expect("a state");
            tokio::task::spawn_blocking(move || judge.judged(name, &mutant, &state, &findings)).await.expect("a verdict")
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mutant_of_the_solution_is_judged_as_the_file_says() {
    let tracks = Pack::embedded().tracks().expect("the lessons load");
    let lesson = tracks.into_iter().flat_map(|t| t.lessons).find(|l| l.id == LESSON).map(Arc::new).expect("the lesson");
    let step = Arc::new(lesson.step(STEP).expect("the step").clone());
    let world: Arc<dyn World> = solved(&lesson).await.into();
    let judge = Arc::new(Judge::new(&world.state().await.expect("a state"), &step));
    let mutants = SOLUTION.iter().flat_map(|(name, text)| {
        let manifest = yaml::parse(text).expect("the solution is YAML");
        generate::mutants(&manifest).into_iter().map(move |mutant| (*name, mutant))
    });
    let one = |(name, mutant)| {
        let work = tried(judge.clone(), world.clone(), step.clone(), name, mutant);
        async move { tokio::spawn(work).await.expect("a verdict") }
    };
    let bless = std::env::var_os("EGRESS_LAB_BLESS").is_some();
    let every = if bless || std::env::var_os("EGRESS_LAB_LONG").is_some() { 1 } else { SAMPLE };
    let kept = std::fs::read_to_string(KEPT).expect("the kept verdicts");
    let mutants: Vec<_> = mutants.collect();
    if !bless {
        let lines = kept.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(lines, mutants.len(), "a line for each mutant");
    }
    let mutants = mutants.into_iter().step_by(every);
    let lines: Vec<Line> = futures::stream::iter(mutants.map(one).collect::<Vec<_>>()).buffered(3).collect().await;
    if bless {
        std::fs::write(KEPT, judge::report(&lines)).expect("the file can be written");
    }
    let kept = std::fs::read_to_string(KEPT).expect("the kept verdicts");
    let sampled: Vec<&str> = kept.lines().filter(|line| !line.starts_with('#')).step_by(every).collect();
    let now: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    assert!(sampled == now, "{}", judge::differences(&sampled.join("\n"), &now.join("\n")));
    judge::hold(&kept);
    println!("slowest search for a repair: {} ms", lines.iter().map(|l| l.fix_ms).max().unwrap_or(0));
}
