//! What somebody expects of the mesh: who asks, what for, and whether it should get out. Values and a judgement; the files and
//! flags that hold expectations are read elsewhere.

pub mod ask;
pub mod client;

pub use ask::Ask;
pub use client::Client;

use super::{Explanation, Inputs, Model, Record};
use crate::base::outcome::{Outcome, Path};
use std::fmt;

/// Redirects followed, as curl's `--max-redirs` default.
pub const REDIRECTS: usize = 50;

/// One client's request, and what should become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    pub from: Client,
    pub ask: Ask,
    pub want: Want,
}

/// What should become of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// The intended origin answers.
    Allowed,
    /// The mesh stops it: it reaches no origin, and that is not the fault of DNS or of the origin.
    Blocked,
    /// The intended origin answers, by way of a gateway: this one (`NAMESPACE/NAME` or `NAME`), or any.
    ViaGateway(Option<String>),
    /// Exactly this outcome.
    Outcome(Outcome),
}

/// Whether an expectation holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Met,
    /// Something decides that is not modelled: nobody can say.
    NotModelled,
    NotMet,
}

impl Want {
    /// Reads `allowed`, `blocked`, `via-gateway`, `via-gateway=NAMESPACE/NAME` or `outcome=NAME`.
    ///
    /// # Errors
    /// A sentence that lists what there is.
    pub fn parse(text: &str) -> Result<Want, String> {
        let named = |name: &str| {
            let value = serde_json::Value::String(name.to_string());
            serde_json::from_value(value).map_err(|_| format!("{name} is no outcome; outcomes are {}", outcomes()))
        };
        match text.split_once('=').unwrap_or((text, "")) {
            ("allowed", "") => Ok(Want::Allowed),
            ("blocked", "") => Ok(Want::Blocked),
            ("via-gateway", "") => Ok(Want::ViaGateway(None)),
            ("via-gateway", name) => Ok(Want::ViaGateway(Some(name.to_string()))),
            ("outcome", name) => named(name).map(Want::Outcome),
            _ => Err(format!("{text:?} is not one of allowed, blocked, via-gateway, via-gateway=NAME, outcome=NAME")),
        }
    }

    /// Judges what a client's exchanges came to: the last one for `blocked` and an outcome, every one for the others.
    pub fn judge(&self, exchanges: &[Record]) -> Verdict {
        let Some(last) = exchanges.last() else { return Verdict::NotModelled };
        let met = match self {
            Want::Outcome(outcome) => last.outcome == *outcome,
            _ if exchanges.iter().any(|r| r.outcome == Outcome::NotModelled) => return Verdict::NotModelled,
            Want::Allowed => exchanges.iter().all(is_allowed),
            Want::Blocked => is_blocked(last),
            Want::ViaGateway(name) => exchanges.iter().all(|r| is_allowed(r) && goes_through(&r.path, name.as_deref())),
        };
        match met {
            true => Verdict::Met,
            false if last.outcome == Outcome::NotModelled => Verdict::NotModelled,
            false => Verdict::NotMet,
        }
    }
}

impl fmt::Display for Want {
    /// As [`Want::parse`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Want::Allowed => f.pad("allowed"),
            Want::Blocked => f.pad("blocked"),
            Want::ViaGateway(None) => f.pad("via-gateway"),
            Want::ViaGateway(Some(name)) => write!(f, "via-gateway={name}"),
            Want::Outcome(outcome) => write!(f, "outcome={outcome}"),
        }
    }
}

/// Whether the intended origin answered.
pub fn is_allowed(record: &Record) -> bool {
    record.outcome == Outcome::Delivered
}

/// Whether the mesh stopped the request. An answer that a proxy was told to give counts when it is an error.
pub fn is_blocked(record: &Record) -> bool {
    use Outcome as O;
    match record.outcome {
        O::BlockedRegistryOnly
        | O::BlockedPolicy
        | O::BlockedNetworkPolicy
        | O::GatewayNotListening
        | O::NoFilterChain
        | O::NoRoute
        | O::NoCluster
        | O::NoHealthyUpstream
        | O::ProtocolMismatch
        | O::Loop => true,
        O::AnsweredByProxy => record.status.is_some_and(|status| status >= 400),
        O::Delivered
        | O::DeliveredElsewhere
        | O::DnsFailed
        | O::TlsFailed
        | O::UpstreamUnavailable
        | O::Overflow
        | O::TimedOut
        | O::NotModelled => false,
    }
}

fn goes_through(path: &Path, wanted: Option<&str>) -> bool {
    let Path::Gateway(name) = path else { return false };
    wanted.is_none_or(|wanted| name == wanted || name.rsplit('/').next() == Some(wanted))
}

fn outcomes() -> String {
    let all: Vec<String> = ALL.iter().map(ToString::to_string).collect();
    all.join(", ")
}

/// Every outcome, in the order of the vocabulary.
pub const ALL: [Outcome; 19] = [
    Outcome::Delivered,
    Outcome::DeliveredElsewhere,
    Outcome::AnsweredByProxy,
    Outcome::BlockedRegistryOnly,
    Outcome::BlockedPolicy,
    Outcome::BlockedNetworkPolicy,
    Outcome::DnsFailed,
    Outcome::GatewayNotListening,
    Outcome::NoFilterChain,
    Outcome::NoRoute,
    Outcome::NoCluster,
    Outcome::NoHealthyUpstream,
    Outcome::ProtocolMismatch,
    Outcome::TlsFailed,
    Outcome::UpstreamUnavailable,
    Outcome::Overflow,
    Outcome::TimedOut,
    Outcome::Loop,
    Outcome::NotModelled,
];

/// An expectation's verdict and what it was judged by.
#[derive(Debug, Clone)]
pub struct Judged {
    pub verdict: Verdict,
    pub explanation: Explanation,
}

impl Expectation {
    /// Traces the request over a model and judges what came of it.
    ///
    /// # Errors
    /// There is no such client, or the request cannot be made; a sentence.
    pub fn judge(&self, model: &Model, inputs: &Inputs<'_>) -> Result<Judged, String> {
        let pod = self.from.find(model.snapshot())?;
        let request = self.ask.request()?;
        let limit = if self.ask.follow { REDIRECTS } else { 0 };
        let explanation = model.trace_follow(&pod, &request, inputs, limit);
        Ok(Judged { verdict: self.want.judge(&explanation.exchanges), explanation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::outcome::{At, TlsBy};
    use crate::mesh::Cause;

    fn record(outcome: Outcome, path: Path, status: Option<u16>) -> Record {
        let cause = Cause::new("default", "x", "x");
        Record { outcome, path, tls: TlsBy::None, at: At::Origin, status, exit_code: 0, hops: Vec::new(), cause }
    }

    #[test]
    fn wants_are_read_and_written_alike() {
        for text in ["allowed", "blocked", "via-gateway", "via-gateway=istio-system/istio-egressgateway", "outcome=no-route"] {
            assert_eq!(Want::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "allow", "outcome=", "outcome=nowhere", "allowed=yes"] {
            assert!(Want::parse(text).is_err(), "{text}");
        }
        assert!(Want::parse("outcome=nowhere").unwrap_err().contains("no-route"));
    }

    #[test]
    fn every_outcome_is_listed_once_and_is_not_both_allowed_and_blocked() {
        let unique: std::collections::BTreeSet<_> = ALL.iter().collect();
        assert_eq!(unique.len(), ALL.len());
        for outcome in ALL {
            let record = record(outcome, Path::Direct, Some(403));
            assert!(!(is_allowed(&record) && is_blocked(&record)), "{outcome}");
        }
    }

    #[test]
    fn verdicts() {
        let gateway = || Path::Gateway("istio-system/istio-egressgateway".into());
        let delivered = record(Outcome::Delivered, gateway(), Some(200));
        let direct = record(Outcome::Delivered, Path::Direct, Some(200));
        let unknown = record(Outcome::NotModelled, Path::None, None);
        let stopped = record(Outcome::BlockedRegistryOnly, Path::None, Some(502));
        let nameless = record(Outcome::DnsFailed, Path::None, None);
        for (want, records, verdict) in [
            ("allowed", vec![&delivered], Verdict::Met),
            ("allowed", vec![&delivered, &stopped], Verdict::NotMet),
            ("allowed", vec![&unknown], Verdict::NotModelled),
            ("blocked", vec![&stopped], Verdict::Met),
            ("blocked", vec![&delivered, &stopped], Verdict::Met),
            ("blocked", vec![&nameless], Verdict::NotMet),
            ("blocked", vec![&unknown], Verdict::NotModelled),
            ("via-gateway", vec![&delivered], Verdict::Met),
            ("via-gateway", vec![&delivered, &direct], Verdict::NotMet),
            ("via-gateway=istio-egressgateway", vec![&delivered], Verdict::Met),
            ("via-gateway=istio-system/istio-egressgateway", vec![&delivered], Verdict::Met),
            ("via-gateway=gateway", vec![&delivered], Verdict::NotMet),
            ("outcome=not-modelled", vec![&unknown], Verdict::Met),
            ("outcome=delivered", vec![&unknown], Verdict::NotModelled),
            ("outcome=dns-failed", vec![&nameless], Verdict::Met),
        ] {
            let records: Vec<Record> = records.into_iter().cloned().collect();
            assert_eq!(Want::parse(want).unwrap().judge(&records), verdict, "{want}");
        }
    }
}
