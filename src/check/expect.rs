//! What a probe was to do against what it did.

use crate::base::outcome::Outcome;
use crate::finding::{Exchanged, words};
use crate::lesson::model::Expect;
use crate::mesh::Record;
use std::fmt::Display;

/// Whether an exchange was as expected.
pub fn fits(expect: &Expect, url: &str, record: &Record) -> bool {
    let host = super::curl::Target::parse(url).map(|target| target.host);
    (expect.outcome.is_empty() || expect.outcome.contains(&record.outcome))
        && (expect.status.is_empty() || record.status.is_some_and(|status| expect.status.contains(&status)))
        && expect.path.as_ref().is_none_or(|path| *path == record.path)
        && expect.tls.is_none_or(|tls| tls == record.tls)
        && expect.at.is_none_or(|at| at == record.at)
        && expect.host.as_ref().is_none_or(|wanted| host.is_some_and(|host| host.eq_ignore_ascii_case(wanted)))
        && (expect.exit_code.is_empty() || expect.exit_code.iter().any(|code| same_exit(*code, record.exit_code)))
}

/// curl 52 and 56 are one answer: which of them comes is chance.
fn same_exit(a: i32, b: i32) -> bool {
    a == b || (matches!(a, 52 | 56) && matches!(b, 52 | 56))
}

/// The first exchange that was not as expected, counted from 0; the number of exchanges when some are missing.
pub fn first_miss(expect: &[Expect], exchanges: &[Exchanged]) -> Option<usize> {
    if expect.is_empty() {
        return None;
    }
    let pairs = expect.iter().zip(exchanges);
    let miss = pairs.into_iter().position(|(expect, seen)| !fits(expect, &seen.url, &seen.observation));
    miss.or((expect.len() != exchanges.len()).then(|| expect.len().min(exchanges.len())))
}

/// `delivered, path direct, status 301; then delivered, status 200`.
pub fn expected_words(expect: &[Expect]) -> String {
    let each: Vec<String> = expect.iter().map(one).collect();
    each.join("; then ")
}

/// What each exchange was, in the same form.
pub fn observed_words(exchanges: &[Exchanged]) -> String {
    let each: Vec<String> = exchanges.iter().map(|exchange| words(&exchange.observation)).collect();
    each.join("; then ")
}

fn one(expect: &Expect) -> String {
    let mut parts = vec![outcomes(&expect.outcome)];
    parts.extend(expect.path.as_ref().map(|path| format!("path {path}")));
    parts.extend(expect.tls.map(|tls| format!("TLS by {tls}")));
    parts.extend(expect.at.map(|at| format!("at {at}")));
    parts.push(list("status ", &expect.status));
    parts.push(list("curl exit ", &expect.exit_code));
    parts.extend(expect.host.as_ref().map(|host| format!("host {host}")));
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() { "any answer".into() } else { parts.join(", ") }
}

/// `blocked-registry-only`, several joined by `or`.
pub fn outcomes(outcomes: &[Outcome]) -> String {
    list("", outcomes)
}

fn list<T: Display>(label: &str, values: &[T]) -> String {
    let texts: Vec<String> = values.iter().map(T::to_string).collect();
    if texts.is_empty() { String::new() } else { format!("{label}{}", texts.join(" or ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::outcome::{At, Path, TlsBy};
    use crate::mesh::Cause;

    fn seen(outcome: Outcome, status: Option<u16>, exit_code: i32) -> Exchanged {
        let cause = Cause::new("", "", "");
        let observation =
            Record { outcome, path: Path::Direct, tls: TlsBy::None, at: At::Origin, status, exit_code, hops: Vec::new(), cause };
        Exchanged { url: "http://www.wikipedia.org/".into(), observation, prediction: None }
    }

    #[test]
    fn each_part_of_an_expectation_counts() {
        let moved = seen(Outcome::Delivered, Some(301), 0);
        let cases: [(fn(&mut Expect), bool); 12] = [
            (|_| (), true),
            (|e| e.outcome = vec![Outcome::Delivered], true),
            (|e| e.outcome = vec![Outcome::BlockedRegistryOnly], false),
            (|e| e.status = vec![200, 301], true),
            (|e| e.status = vec![200], false),
            (|e| e.path = Some(Path::Direct), true),
            (|e| e.path = Some(Path::Gateway("istio-system/istio-egressgateway".into())), false),
            (|e| e.tls = Some(TlsBy::Client), false),
            (|e| e.at = Some(At::Sidecar), false),
            (|e| e.host = Some("WWW.wikipedia.org".into()), true),
            (|e| e.host = Some("en.wikipedia.org".into()), false),
            (|e| e.exit_code = vec![35], false),
        ];
        for (nth, (set, expected)) in cases.into_iter().enumerate() {
            let mut expect = Expect::default();
            set(&mut expect);
            assert_eq!(fits(&expect, &moved.url, &moved.observation), expected, "case {nth}: {expect:?}");
        }
    }

    #[test]
    fn a_closed_connection_is_one_answer_under_two_codes() {
        let closed = seen(Outcome::BlockedRegistryOnly, None, 56);
        let expect = Expect { exit_code: vec![52], ..Expect::default() };
        assert!(fits(&expect, &closed.url, &closed.observation));
    }

    #[test]
    fn a_missing_or_an_extra_exchange_is_a_miss() {
        let any = Expect::default();
        let one = [seen(Outcome::Delivered, Some(301), 0)];
        assert_eq!(first_miss(std::slice::from_ref(&any), &one), None);
        assert_eq!(first_miss(&[any.clone(), any.clone()], &one), Some(1));
        assert_eq!(first_miss(&[any], &[one[0].clone(), one[0].clone()]), Some(1));
        assert_eq!(first_miss(&[], &one), None);
    }
}
