//! The verdict on one mutant.

use super::generate::Mutant;
use egress_lab::base::clock::{Stopwatch, Time};
use egress_lab::base::outcome::Outcome;
use egress_lab::base::seed::Seed;
use egress_lab::check::expect::fits;
use egress_lab::finding::{Finding, Verdict};
use egress_lab::k8s::{Object, Snapshot};
use egress_lab::lesson::model::{CheckKind, ProbeCheck, Step};
use egress_lab::mesh::fix::path::Seg;
use egress_lab::mesh::fix::{self, Answer, Question, Repair, TRIES, Wish};
use egress_lab::mesh::{Inputs, Model, Options, Record, follow};
use egress_lab::outside::Outside;
use std::collections::BTreeMap;
use std::fmt::Write;

const CLIENTS: [(&str, &str); 3] = [("default", "test"), ("bare", "client"), ("other", "client")];
const HOSTS: [&str; 6] =
    ["www.wikipedia.org", "en.wikipedia.org", "wikipedia.org", "edition.cnn.com", "httpbin.org", "example.com"];
const GATEWAY: &str = "http://istio-egressgateway.istio-system.svc.cluster.local/";

/// One mutant's line.
pub struct Line {
    pub text: String,
    pub kind: Kind,
    /// Equal ones pass; the others fail and the changed field is named.
    pub right: bool,
    /// Mended at the changed field; `None` where there is nothing to mend.
    pub fixed: Option<bool>,
    pub fix_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Refused,
    Equal,
    Unequal,
}

/// What the solution comes to.
pub struct Judge {
    outside: Outside,
    records: Vec<(String, Vec<Record>)>,
    check: ProbeCheck,
}

fn snapshot(state: &BTreeMap<String, String>) -> Snapshot {
    state.values().map(|text| Object(serde_json::from_str(text).expect("an object"))).collect()
}

impl Judge {
    pub fn new(state: &BTreeMap<String, String>, step: &Step) -> Judge {
        let check = step.checks.iter().find_map(|check| match &check.kind {
            CheckKind::Probe(probe) => Some(probe.clone()),
            _ => None,
        });
        let mut judge = Judge { outside: Outside::standard(), records: Vec::new(), check: check.expect("a probe") };
        judge.records = judge.probes(&snapshot(state));
        assert!(judge.records.iter().any(|(_, r)| r[0].outcome == Outcome::Delivered), "the solution lets something out");
        judge
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs { outside: &self.outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 1 }
    }

    /// The fixed set of requests, each as `NAMESPACE/POD URL`, and what becomes of them.
    fn probes(&self, snapshot: &Snapshot) -> Vec<(String, Vec<Record>)> {
        let model = Model::compile(snapshot, &Options::default());
        let mut all = Vec::new();
        for (namespace, name) in CLIENTS {
            let pod = snapshot.find("", "Pod", namespace, name).expect("the client");
            let urls = HOSTS
                .iter()
                .flat_map(|host| [format!("http://{host}/"), format!("https://{host}/"), format!("http://{host}:8080/")]);
            for url in urls.chain([GATEWAY.to_string()]) {
                let request = follow::request_for(&url, "GET", "mutants").expect("a URL");
                all.push((format!("{namespace}/{name} {url}"), model.trace_follow(pod, &request, &self.inputs(), 0).exchanges));
            }
        }
        all
    }

    pub fn refused(&self, name: &str, mutant: &Mutant, words: &str) -> Line {
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let key = mutant.path.0.iter().rev().find_map(|seg| match seg {
            Seg::Key(key) => Some(key.as_str()),
            Seg::Index(_) => None,
        });
        let value = mutant.how.strip_prefix("alter to ").unwrap_or("");
        let singular = |key: &str| key.trim_end_matches('s').to_string();
        let right = key.is_some_and(|key| words.to_lowercase().contains(&singular(key).to_lowercase()))
            || (!value.is_empty() && words.contains(value));
        let text = format!("refused  {} {name} {} {}: {words}", mark(right), mutant.path, mutant.how);
        Line { text, kind: Kind::Refused, right, fixed: None, fix_ms: 0 }
    }

    pub fn judged(&self, name: &str, mutant: &Mutant, state: &BTreeMap<String, String>, findings: &[Finding]) -> Line {
        let snapshot = snapshot(state);
        let records = self.probes(&snapshot);
        let differing: Vec<usize> = (0..records.len()).filter(|i| !same(&records[*i].1, &self.records[*i].1)).collect();
        let failed = findings.iter().find(|finding| finding.verdict != Verdict::Met);
        let what = format!("{name} {} {}", mutant.path, mutant.how);
        if differing.is_empty() {
            let right = failed.is_none();
            let seen = failed.map_or("checks pass".to_string(), |f| format!("FAILS: {}", f.message));
            return Line {
                text: format!("equal    {} {what}: {seen}", mark(right)),
                kind: Kind::Equal,
                right,
                fixed: None,
                fix_ms: 0,
            };
        }
        let watch = Stopwatch::start();
        let answer = self.mend(&snapshot, &records, &differing);
        let fix_ms = watch.elapsed_ms();
        let fixed = matches!(&answer, Answer::Repairs(all) if repairs(mutant, &all[0]));
        let mut text = String::new();
        let right = match failed {
            None => {
                let _ = write!(text, "checks pass, though {} differs", records[differing[0]].0);
                false
            }
            Some(finding) => {
                let named = causes(finding);
                let hit = named.iter().find(|(_, object, field)| names(mutant, object, field));
                let (how, object, field) = hit.or(named.first()).cloned().unwrap_or_default();
                let _ = write!(text, "{how} {object} {field}");
                hit.is_some()
            }
        };
        let told = match &answer {
            Answer::Repairs(all) => all[0].edits.iter().map(ToString::to_string).collect::<Vec<_>>().join(" AND "),
            Answer::Nothing { .. } => "nothing small".into(),
            Answer::Fine => "fine as it is".into(),
        };
        let text = format!("unequal  {} {what}: {text}; fix {} {told}", mark(right), mark(fixed));
        Line { text, kind: Kind::Unequal, right, fixed: Some(fixed), fix_ms }
    }

    /// What the lesson asks for, and that the differing requests come to what they came to before.
    fn mend(&self, snapshot: &Snapshot, records: &[(String, Vec<Record>)], differing: &[usize]) -> Answer {
        let mut holds: Vec<Box<dyn Fn(&[Record]) -> bool + Sync + '_>> = Vec::new();
        let mut asked: Vec<(String, usize, bool)> = Vec::new();
        let check = &self.check;
        holds.push(Box::new(|records| {
            check.expect.len() == records.len()
                && check.expect.iter().zip(records).all(|(expect, record)| fits(expect, &check.request.url, record))
        }));
        asked.push((format!("default/test {}", check.request.url), 50, true));
        for pair in &check.blocked {
            holds.push(Box::new(|records| records.first().is_some_and(|r| pair.outcome.contains(&r.outcome))));
            asked.push((format!("default/test {}", pair.request.url), 0, false));
        }
        for &i in differing {
            let wanted = &self.records[i].1;
            holds.push(Box::new(move |records| same(records, wanted)));
            asked.push((records[i].0.clone(), 0, wanted[0].outcome == Outcome::Delivered));
        }
        let wishes: Vec<Wish<'_>> = asked
            .iter()
            .zip(&holds)
            .map(|((what, follow, opens), holds)| {
                let (client, url) = what.split_once(' ').expect("CLIENT URL");
                let (namespace, pod) = client.split_once('/').expect("NAMESPACE/POD");
                Wish {
                    pod: snapshot.find("", "Pod", namespace, pod).expect("the client").clone(),
                    request: follow::request_for(url, "GET", "mutants").expect("a URL"),
                    follow: *follow,
                    holds: &**holds,
                    opens: *opens,
                }
            })
            .collect();
        let model = Model::compile(snapshot, &Options::default());
        fix::repair(&Question { model: &model, inputs: self.inputs(), wishes: &wishes, tries: TRIES })
    }
}

fn mark(right: bool) -> &'static str {
    if right { "ok  " } else { "MISS" }
}

/// The outcome records alike: everything but names of hops and the wording of causes. Whether there are log lines counts.
fn same(a: &[Record], b: &[Record]) -> bool {
    let logged = |r: &Record| r.hops.iter().map(|hop| hop.log.is_some()).collect::<Vec<_>>();
    let exit = |r: &Record| if r.exit_code == 52 { 56 } else { r.exit_code };
    let key = |r: &Record| (r.outcome, r.path.clone(), r.tls, r.at, r.status, exit(r), logged(r));
    a.iter().map(key).eq(b.iter().map(key))
}

/// Objects and fields that a failed check names: what decided, where the model would change something, and what the lesson's own hint
/// says of the installation.
fn causes(finding: &Finding) -> Vec<(&'static str, String, String)> {
    let evidence = &finding.evidence;
    let decided = evidence.decided_by.iter().map(|(object, field)| ("cause", object.clone(), field.clone()));
    let suspects = evidence.suspects.iter().map(|s| ("suspect", s.object.clone(), s.field.clone()));
    let hints = finding.wrong_turn.iter().filter(|turn| turn.hint.contains("`profile`"));
    let installed = hints.map(|_| ("hint", "IstioOperator".to_string(), "spec.profile".to_string()));
    decided.chain(suspects).chain(installed).collect()
}

/// Whether a cause names the changed field: the same object, and the field itself, the list that it stands in, or a part of it.
fn names(mutant: &Mutant, object: &str, field: &str) -> bool {
    if mutant.object.kind.kind == "IstioOperator" {
        let path = mutant.path.to_string();
        if object == "IstioOperator" {
            return path == field;
        }
        let option = path.strip_prefix("spec.meshConfig.").unwrap_or("no option");
        return object == "ConfigMap istio-system/istio" && field.ends_with(option);
    }
    let now = Object(mutant.manifest.clone()).key();
    let moved = if now.namespace.is_empty() { egress_lab::k8s::Key { namespace: "default".into(), ..now } } else { now };
    if object != moved.to_string() && object != mutant.object.to_string() {
        return false;
    }
    if let Some(other) = mutant.how.strip_prefix("swap with ") {
        // Two entries have exchanged a value: it is the entries that are wrong, by whichever of their fields one looks at it.
        let entries = [mutant.path.parent().to_string(), other.rsplit_once('.').map_or(String::new(), |(entry, _)| entry.into())];
        return entries.iter().any(|entry| !entry.is_empty() && field.starts_with(entry.trim_end_matches(".gateways")));
    }
    let list = |path: &str| path.trim_end_matches(|c: char| c == ']' || c.is_ascii_digit()).trim_end_matches('[').to_string();
    let (wanted, field) = (list(&mutant.path.to_string()), list(field));
    let parts = |path: &str| path.split('.').count();
    wanted == field
        || (parts(&field) > 1 && wanted.starts_with(&field) && wanted[field.len()..].starts_with(['.', '[']))
        || (field.starts_with(&wanted) && field[wanted.len()..].starts_with(['.', '[']))
}

fn repairs(mutant: &Mutant, repair: &Repair) -> bool {
    repair.edits.iter().any(|edit| names(mutant, &edit.object.to_string(), &edit.field()))
}

/// The file: what it counts, then a line for each mutant.
pub fn report(lines: &[Line]) -> String {
    let count = |kind: Kind, right: bool| lines.iter().filter(|l| l.kind == kind && l.right == right).count();
    let fixed = lines.iter().filter(|l| l.fixed == Some(true)).count();
    let open = lines.iter().filter(|l| l.fixed.is_some()).count();
    let mut out = format!(
        "# Mutants of the lesson's solution: {} in all.\n# Refused by the API: {}, of which {} name what is wrong. Equal: {}, of which {} pass.\n\
         # Unequal: {}, of which {} fail with the changed field named; {fixed} of {open} are mended there.\n",
        lines.len(),
        count(Kind::Refused, true) + count(Kind::Refused, false),
        count(Kind::Refused, true),
        count(Kind::Equal, true) + count(Kind::Equal, false),
        count(Kind::Equal, true),
        count(Kind::Unequal, true) + count(Kind::Unequal, false),
        count(Kind::Unequal, true),
    );
    lines.iter().for_each(|line| {
        out.push_str(&line.text);
        out.push('\n');
    });
    out
}

/// The lines that are not as kept.
pub fn differences(kept: &str, now: &str) -> String {
    let diff = similar::TextDiff::from_lines(kept, now);
    diff.unified_diff().context_radius(0).to_string()
}

/// What the file has to show: nearly all verdicts are right, and most mistakes are mended where they are.
pub fn hold(kept: &str) {
    let lines: Vec<&str> = kept.lines().filter(|line| !line.starts_with('#')).collect();
    let most = |what: &str, part: usize, whole: usize, percent: usize| {
        assert!(part * 100 >= whole * percent, "{part} of {whole} {what}, not {percent} %");
    };
    assert!(lines.len() > 150, "{} mutants", lines.len());
    let verdict = |line: &&&str| line.get(9..13) == Some("ok  ");
    most("verdicts are right", lines.iter().filter(verdict).count(), lines.len(), 95);
    let unequal: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with("unequal")).collect();
    most("unequal ones fail with their field named", unequal.iter().filter(verdict).count(), unequal.len(), 95);
    most("are mended where they are", unequal.iter().filter(|line| line.contains("; fix ok  ")).count(), unequal.len(), 85);
}
