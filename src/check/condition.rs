//! Which wrong turn the findings, objects and typed lines look like. Chooses hints; never a verdict.

use super::evaluate::Judged;
use super::objects;
use super::reader::{Error, Reader};
use crate::finding::{Ran, Verdict};
use crate::k8s::Snapshot;
use crate::lesson::model::Condition;
use futures::future::BoxFuture;

/// What a condition is held against.
pub struct Facts<'a> {
    pub reader: &'a Reader,
    pub snapshot: &'a Snapshot,
    pub ran: &'a [Ran],
    pub judged: &'a [Judged],
}

impl Facts<'_> {
    /// Whether the condition holds.
    pub fn holds<'f>(&'f self, condition: &'f Condition) -> BoxFuture<'f, Result<bool, Error>> {
        Box::pin(async move {
            Ok(match condition {
                Condition::All(parts) => {
                    for part in parts {
                        if !self.holds(part).await? {
                            return Ok(false);
                        }
                    }
                    true
                }
                Condition::Any(parts) => {
                    for part in parts {
                        if self.holds(part).await? {
                            return Ok(true);
                        }
                    }
                    false
                }
                Condition::Not(part) => !self.holds(part).await?,
                Condition::Log(check) => objects::log(self.reader, self.snapshot, check).await?.holds,
                plain => self.holds_plainly(plain),
            })
        })
    }

    fn holds_plainly(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Failed(id) => self.judged.iter().any(|j| j.finding.check == *id && j.finding.verdict != Verdict::Met),
            Condition::Observed { check, exchange, expect } => {
                let of = self.judged.iter().filter(|j| check.as_ref().is_none_or(|id| j.finding.check == *id));
                of.flat_map(|j| j.finding.evidence.exchanges.iter().enumerate()).any(|(nth, seen)| {
                    exchange.is_none_or(|wanted| wanted == nth) && super::expect::fits(expect, &seen.url, &seen.observation)
                })
            }
            Condition::Object(check) => objects::object(self.snapshot, check).holds,
            Condition::MeshConfig(check) => objects::mesh(self.snapshot, check).holds,
            Condition::Typed(pattern) => self.ran.iter().any(|ran| pattern.is_match(&ran.line)),
            Condition::Output(pattern) => self.ran.iter().any(|ran| pattern.is_match(&ran.output)),
            Condition::All(_) | Condition::Any(_) | Condition::Not(_) | Condition::Log(_) => false,
        }
    }
}
