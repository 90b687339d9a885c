//! Where a request that did not end as expected would have to be mended: the smallest edits that the model finds. They are hints for
//! answers that no author foresaw, so they name places, never values.

use super::ctx::Ctx;
use super::curl::{MAX_REDIRECTS, Target};
use super::expect::fits;
use super::workload;
use crate::finding::Suspect;
use crate::lesson::model::ProbeCheck;
use crate::mesh::fix::{self, Answer, Question, Repair, Wish};
use crate::mesh::{Inputs, Model, Record};

/// Edited meshes that are tried for one check.
const TRIES: usize = 900;
/// Repairs that cost at most so much more than the smallest are as likely.
const AS_LIKELY: u32 = 10;

/// The places, the likeliest first; none when nothing small helps.
pub fn suspects(ctx: &Ctx, model: &Model, check: &ProbeCheck) -> Vec<Suspect> {
    let Ok(source) = workload::source(model.snapshot(), &check.from) else { return Vec::new() };
    let wants_way = check.expect.iter().any(|expect| expect.path.is_some() || !expect.outcome.is_empty());
    let told = |record: &Record| !wants_way || record.hops.iter().all(|hop| hop.log.is_some());
    let as_expected = |records: &[Record]| {
        check.expect.len() == records.len()
            && records.iter().all(told)
            && check.expect.iter().zip(records).all(|(expect, record)| fits(expect, &check.request.url, record))
    };
    let mut holds: Vec<Box<dyn Fn(&[Record]) -> bool + Sync + '_>> = vec![Box::new(as_expected)];
    for pair in &check.blocked {
        holds.push(Box::new(|records| records.first().is_some_and(|r| pair.outcome.contains(&r.outcome))));
    }
    let requests = [&check.request].into_iter().chain(check.blocked.iter().map(|pair| &pair.request));
    let mut wishes: Vec<Wish<'_>> = Vec::new();
    for (probe, holds) in requests.zip(&holds) {
        let Some(target) = Target::parse(&probe.url) else { continue };
        wishes.push(Wish {
            pod: source.pod.clone(),
            request: target.request(probe, "egress-lab/suspects"),
            follow: if probe.follow { MAX_REDIRECTS } else { 0 },
            holds: &**holds,
            opens: wishes.is_empty(),
        });
    }
    let inputs = Inputs { outside: &ctx.outside, now: ctx.now, seed: ctx.seed, nth: 0 };
    let question = Question { model, inputs, wishes: &wishes, tries: TRIES };
    match fix::repair(&question) {
        Answer::Repairs(found) => named(&found),
        Answer::Fine | Answer::Nothing { .. } => Vec::new(),
    }
}

fn named(found: &[Repair]) -> Vec<Suspect> {
    let limit = found.first().map_or(0, |first| first.cost + AS_LIKELY);
    let mut all: Vec<Suspect> = Vec::new();
    for edit in found.iter().filter(|repair| repair.cost <= limit).flat_map(|repair| &repair.edits) {
        let suspect = Suspect { object: edit.object.to_string(), field: edit.field() };
        if !all.contains(&suspect) {
            all.push(suspect);
        }
    }
    all
}
