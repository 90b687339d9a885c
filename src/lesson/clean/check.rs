//! Checks and conditions.

use super::Cleaner;
use crate::base::outcome::Path;
use crate::lesson::field::{Assert, Test};
use crate::lesson::model::{
    Blocked, Check, CheckKind, CompiledCheck, Condition, ConditionalHint, Control, Count, Expect, FieldTest, LogCheck, LogField,
    LogRef, MeshConfigCheck, ObjectCheck, ProbeCheck, ProbeRequest, SubsetRef,
};
use crate::lesson::raw;
use std::collections::BTreeMap;

impl Cleaner<'_> {
    pub(super) fn check(&mut self, path: &str, raw: &raw::Check, step: &raw::Step) -> Check {
        let kinds = [
            raw.probe.is_some(),
            raw.object.is_some(),
            raw.mesh_config.is_some(),
            raw.log.is_some(),
            raw.compiled.is_some(),
            raw.ran.is_some(),
        ];
        if kinds.iter().filter(|k| **k).count() != 1 {
            let advice = "One of probe, object, mesh_config, log, compiled, ran.";
            self.problem(path, "a check is of exactly one kind", advice);
        }
        let hints = raw.hints.iter().enumerate().map(|(n, hint)| {
            let path = format!("{path}.hints[{n}].when");
            ConditionalHint { when: self.condition(&path, &hint.when, step), hint: hint.hint.clone() }
        });
        let hints = hints.collect();
        Check {
            id: raw.id.clone(),
            title: raw.title.clone(),
            kind: self.check_kind(path, raw),
            message: raw.message.clone(),
            hints,
            within: raw.within,
        }
    }

    fn check_kind(&mut self, path: &str, raw: &raw::Check) -> CheckKind {
        if let Some(probe) = &raw.probe {
            return CheckKind::Probe(self.probe(&format!("{path}.probe"), probe));
        }
        if let Some(object) = &raw.object {
            return CheckKind::Object(self.object_check(&format!("{path}.object"), object));
        }
        if let Some(assert) = &raw.mesh_config {
            return CheckKind::MeshConfig(self.mesh_config(&format!("{path}.mesh_config"), assert));
        }
        if let Some(log) = &raw.log {
            return CheckKind::Log(self.log_check(&format!("{path}.log"), log));
        }
        if let Some(compiled) = &raw.compiled {
            return CheckKind::Compiled(self.compiled(&format!("{path}.compiled"), compiled));
        }
        match &raw.ran {
            Some(ran) => {
                CheckKind::Ran { pattern: self.pattern(&format!("{path}.ran.line"), &ran.line), exit_code: ran.exit_code }
            }
            None => CheckKind::Answer,
        }
    }

    fn probe(&mut self, path: &str, raw: &raw::Probe) -> ProbeCheck {
        if raw.expect.is_empty() {
            self.problem(path, "a probe expects at least one exchange", "");
        }
        let expect = raw.expect.iter().enumerate().map(|(n, e)| self.expect(&format!("{path}.expect[{n}]"), e)).collect();
        let mut blocked = Vec::new();
        for (n, b) in raw.blocked.iter().enumerate() {
            let path = format!("{path}.blocked[{n}]");
            self.url(&format!("{path}.url"), &b.url);
            if b.outcome.is_empty() {
                self.problem(&format!("{path}.outcome"), "a blocked probe names how it is blocked", "");
            }
            let request = ProbeRequest { method: b.method.clone(), url: b.url.clone(), follow: false, headers: Vec::new() };
            blocked.push(Blocked { request, outcome: b.outcome.clone() });
        }
        self.url(&format!("{path}.url"), &raw.url);
        let control = |c: &raw::Control| match c {
            raw::Control::Mesh => Control::Mesh,
            raw::Control::Origin => Control::Origin,
        };
        ProbeCheck {
            from: self.workload(&format!("{path}.from"), &raw.from),
            request: ProbeRequest {
                method: raw.method.clone(),
                url: raw.url.clone(),
                follow: raw.follow,
                headers: raw.headers.clone().into_iter().collect(),
            },
            expect,
            blocked,
            controls: raw.controls.iter().map(control).collect(),
        }
    }

    fn url(&mut self, path: &str, url: &str) {
        if !(url.starts_with("http://") || url.starts_with("https://")) || url.contains(char::is_whitespace) {
            self.problem(path, &format!("`{url}` is not an http or https URL"), "");
        }
    }

    fn expect(&mut self, path: &str, raw: &raw::Expect) -> Expect {
        let way = raw.path.as_ref().map(|text| {
            parse_way(text).unwrap_or_else(|| {
                let advice = "One of none, uncaptured, direct, passthrough, `gateway NAMESPACE/NAME`.";
                self.problem(&format!("{path}.path"), &format!("`{text}` is not a way out"), advice);
                Path::None
            })
        });
        Expect {
            outcome: raw.outcome.clone(),
            status: raw.status.clone(),
            path: way,
            tls: raw.tls,
            at: raw.at,
            host: raw.host.clone(),
            exit_code: raw.exit_code.clone(),
        }
    }

    fn object_check(&mut self, path: &str, raw: &raw::ObjectCheck) -> ObjectCheck {
        let count = match (raw.at_least, raw.exactly) {
            (None, None) => Count::AtLeast(1),
            (Some(n), None) => Count::AtLeast(n),
            (None, Some(n)) => Count::Exactly(n),
            _ => {
                self.problem(path, "either `at_least` or `exactly`", "");
                Count::AtLeast(1)
            }
        };
        ObjectCheck {
            kind: self.kind(&format!("{path}.kind"), &raw.kind),
            namespace: raw.namespace.clone(),
            name: raw.name.clone(),
            labels: raw.labels.clone(),
            select: self.asserts(&format!("{path}.select"), &raw.select),
            asserts: self.asserts(&format!("{path}.asserts"), &raw.asserts),
            count,
            visible_from: raw.visible_from.clone(),
        }
    }

    fn asserts(&mut self, path: &str, raw: &[raw::Assert]) -> Vec<Assert> {
        raw.iter().enumerate().map(|(n, a)| self.assert(&format!("{path}[{n}]"), a)).collect()
    }

    fn assert(&mut self, path: &str, raw: &raw::Assert) -> Assert {
        let matches = raw.matches.as_ref().map(|m| Test::Matches(self.pattern(&format!("{path}.matches"), m)));
        let present = |wanted: bool| if wanted { Test::Present } else { Test::Absent };
        let mut tests: Vec<Test> = [
            raw.equals.clone().map(Test::Equals),
            raw.one_of.clone().map(Test::OneOf),
            raw.contains.clone().map(Test::Contains),
            matches,
            raw.present.map(present),
            raw.absent.map(|wanted| present(!wanted)),
            raw.set_equal.clone().map(Test::SetEqual),
            raw.count.map(Test::Count),
        ]
        .into_iter()
        .flatten()
        .collect();
        if tests.len() != 1 {
            let advice = "One of equals, one_of, contains, matches, present, absent, set_equal, count.";
            self.problem(path, "an assertion has exactly one test", advice);
        }
        Assert { path: self.field(&format!("{path}.path"), &raw.path), test: tests.pop().unwrap_or(Test::Present) }
    }

    fn mesh_config(&mut self, path: &str, raw: &raw::Assert) -> MeshConfigCheck {
        let assert = self.assert(path, raw);
        MeshConfigCheck { path: assert.path, test: assert.test }
    }

    fn log_check(&mut self, path: &str, raw: &raw::LogCheck) -> LogCheck {
        let workload = self.workload(&format!("{path}.from"), &raw.from);
        LogCheck { log: LogRef { workload, tail: raw.tail }, fields: self.field_tests(path, &raw.fields), at_least: raw.at_least }
    }

    pub(super) fn field_tests(&mut self, path: &str, raw: &BTreeMap<LogField, String>) -> Vec<FieldTest> {
        let each = raw.iter();
        each.map(|(field, text)| FieldTest { field: *field, pattern: self.pattern(&format!("{path}.where"), text) }).collect()
    }

    fn compiled(&mut self, path: &str, raw: &raw::Compiled) -> CompiledCheck {
        match raw {
            raw::Compiled::Cluster(c) => CompiledCheck::Cluster {
                namespace: c.namespace.clone(),
                host: c.host.clone(),
                port: c.port,
                subset: match c.subset.as_deref() {
                    None => SubsetRef::None,
                    Some("*") => SubsetRef::Any,
                    Some(name) => SubsetRef::Named(name.into()),
                },
                exists: c.exists,
            },
            raw::Compiled::Listener(l) => CompiledCheck::Listener {
                workload: self.workload(&format!("{path}.listener.workload"), &l.workload),
                port: l.port,
                exists: l.exists,
            },
            raw::Compiled::Route(r) => CompiledCheck::Route {
                workload: self.workload(&format!("{path}.route.workload"), &r.workload),
                port: r.port,
                host: r.host.clone(),
                exists: r.exists,
            },
        }
    }

    pub(super) fn condition(&mut self, path: &str, raw: &raw::Condition, step: &raw::Step) -> Condition {
        let list = |this: &mut Self, word: &str, all: &[raw::Condition]| {
            let each = all.iter().enumerate();
            each.map(|(n, c)| this.condition(&format!("{path}.{word}[{n}]"), c, step)).collect()
        };
        match raw {
            raw::Condition::All(all) => Condition::All(list(self, "all", all)),
            raw::Condition::Any(any) => Condition::Any(list(self, "any", any)),
            raw::Condition::Not(not) => Condition::Not(Box::new(self.condition(&format!("{path}.not"), not, step))),
            raw::Condition::Failed(id) => {
                self.known_check(&format!("{path}.failed"), id, step);
                Condition::Failed(id.clone())
            }
            raw::Condition::Observed(o) => {
                if let Some(id) = &o.check {
                    self.known_check(&format!("{path}.observed.check"), id, step);
                }
                let expect = self.expect(&format!("{path}.observed.expect"), &o.expect);
                Condition::Observed { check: o.check.clone(), exchange: o.exchange, expect }
            }
            raw::Condition::Object(o) => Condition::Object(self.object_check(&format!("{path}.object"), o)),
            raw::Condition::MeshConfig(a) => Condition::MeshConfig(self.mesh_config(&format!("{path}.mesh-config"), a)),
            raw::Condition::Log(l) => Condition::Log(self.log_check(&format!("{path}.log"), l)),
            raw::Condition::Typed(text) => Condition::Typed(self.pattern(&format!("{path}.typed"), text)),
            raw::Condition::Output(text) => Condition::Output(self.pattern(&format!("{path}.output"), text)),
        }
    }

    fn known_check(&mut self, path: &str, id: &str, step: &raw::Step) {
        if !step.checks.iter().any(|c| c.id == id) {
            self.problem(path, &format!("this step has no check `{id}`"), "");
        }
    }
}

fn parse_way(text: &str) -> Option<Path> {
    Some(match text {
        "none" => Path::None,
        "uncaptured" => Path::Uncaptured,
        "direct" => Path::Direct,
        "passthrough" => Path::Passthrough,
        _ => Path::Gateway(text.strip_prefix("gateway ").filter(|n| n.split('/').count() == 2)?.to_string()),
    })
}
