//! The lessons of this program, proven on the sandbox; and networks that do not obey, which every check must notice.

use super::*;
use crate::author::prove::prove;
use crate::lesson::load::Pack;
use crate::lesson::model::{CheckKind, StepKind};

fn lessons() -> Vec<Arc<Lesson>> {
    let tracks = Pack::embedded().tracks().expect("the embedded lessons load");
    tracks.into_iter().flat_map(|track| track.lessons).map(Arc::new).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute or two unoptimised; the gate runs `prove` on the release binary"]
async fn every_proof_of_the_embedded_lessons_holds() {
    let report = prove(&Sandboxes::default(), &lessons()).await;
    assert!(report.holds(), "{}", report.text());
}

/// Judges every step's probe checks after its solution in a world whose network is bent, and says which were met.
async fn met_under(bend: Bend) -> Vec<(String, String, bool)> {
    let lesson = lessons().remove(0);
    let bent = Sandboxes { bend, ..Sandboxes::default() }.start(&lesson, Seed(1)).await.expect("a start");
    let mut met = Vec::new();
    for step in &lesson.steps {
        // An answer that this network's logs do not hold is part of the game; what was done before it stays.
        let _ = bent.apply(&step.setup, Manner::NearMiss).await;
        let _ = bent.apply(&step.solution, Manner::NearMiss).await;
        if step.kind == StepKind::Read {
            continue;
        }
        let findings = bent.evaluate(step, None, &[]).await;
        for check in &step.checks {
            let CheckKind::Probe(probe) = &check.kind else { continue };
            let delivered = probe.expect.iter().any(|e| e.outcome.contains(&crate::base::outcome::Outcome::Delivered));
            let finding = findings.iter().find(|finding| finding.check == check.id).expect("each check has its finding");
            let blocks = !probe.blocked.is_empty() || !delivered;
            let concerned = if bend == Bend::BlockEverything { delivered } else { blocks };
            if concerned {
                met.push((step.id.clone(), check.id.clone(), finding.verdict == Verdict::Met));
                let apart = finding.evidence.exchanges.iter().any(|exchange| exchange.prediction.is_some());
                assert!(apart || finding.evidence.exchanges.is_empty(), "{}: observation without prediction", step.id);
            }
        }
    }
    met
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_network_that_delivers_everything_every_blocked_check_fails() {
    let met = met_under(Bend::DeliverEverything).await;
    assert!(met.len() >= 5, "{met:?}");
    assert!(met.iter().all(|(_, _, met)| !met), "{met:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_network_that_blocks_everything_every_delivered_check_fails() {
    let met = met_under(Bend::BlockEverything).await;
    assert!(met.len() >= 5, "{met:?}");
    assert!(met.iter().all(|(_, _, met)| !met), "{met:?}");
}
