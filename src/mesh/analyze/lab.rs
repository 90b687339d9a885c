//! What Istio's analyzers do not notice and a learner wants to know: findings with ids of our own, each with the object and field
//! that is the cause and what to do next. Not proofs: a finding says what will surprise, not that someone erred.

mod gateway;
mod injection;
mod mesh;
mod other;
mod policy;
mod scope;
mod service_entry;
mod tls;
mod view;

use super::{Context, Input, Level};
use crate::base::order::Order;
use crate::k8s::Object;
pub(crate) use view::View;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `EGL101`.
    pub id: &'static str,
    pub level: Level,
    /// `VirtualService default/vs`, as causes name objects.
    pub object: String,
    /// `spec.gateways`.
    pub field: String,
    /// One sentence.
    pub text: String,
    /// What to do about it.
    pub next: String,
    /// `FILE:LINE` for an object that comes from a file.
    pub reference: Option<String>,
}

impl Finding {
    /// The line that is printed, without colour.
    pub fn line(&self) -> String {
        let at = self.reference.as_ref().map(|r| format!(" {r}")).unwrap_or_default();
        format!("{} [{}] ({} {}{at}) {} Next: {}", self.level.name(), self.id, self.object, self.field, self.text, self.next)
    }
}

/// One of our checks.
pub struct Check {
    pub id: &'static str,
    pub level: Level,
    /// What it looks for.
    pub about: &'static str,
    /// The numbers of the catalogue of mistakes whose cause it names.
    pub mistakes: &'static [&'static str],
    run: fn(&View<'_>, &mut Report<'_>),
}

/// Every check, by theme.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    let themes = [
        mesh::CHECKS,
        injection::CHECKS,
        service_entry::CHECKS,
        tls::CHECKS,
        gateway::CHECKS,
        scope::CHECKS,
        policy::CHECKS,
        other::CHECKS,
    ];
    themes.into_iter().flatten()
}

/// Where a check puts what it found.
pub(crate) struct Report<'a> {
    input: &'a Input<'a>,
    check: &'static Check,
    found: Vec<Finding>,
}

impl Report<'_> {
    /// Adds a finding about a field of an object.
    pub fn add(&mut self, object: &Object, field: &str, text: &str, next: &str) {
        let key = object.key();
        let origin = self.input.origins.get(&key);
        // A field that is not there is where the nearest field around it is.
        let line = origin.map(|o| {
            let mut path = field;
            loop {
                match (o.fields.get(path), path.rfind(['.', '['])) {
                    (Some(line), _) => break *line,
                    (None, Some(at)) => path = &path[..at],
                    (None, None) => break o.line,
                }
            }
        });
        self.found.push(Finding {
            id: self.check.id,
            level: self.check.level,
            object: key.to_string(),
            field: field.to_string(),
            text: text.to_string(),
            next: next.to_string(),
            reference: origin.zip(line).map(|(o, line)| o.at(line)),
        });
    }
}

/// All findings about objects of a namespace ("" for all; those of no namespace and of the control plane's always), worst first,
/// then by id and object.
pub fn findings(input: &Input<'_>, namespace: &str) -> Vec<Finding> {
    let mesh = crate::base::yaml::parse(input.mesh).unwrap_or_default();
    let context = Context { input: *input, mesh, messages: Vec::new() };
    let view = View::new(&context);
    let mut all = Vec::new();
    for check in checks() {
        let mut report = Report { input, check, found: Vec::new() };
        (check.run)(&view, &mut report);
        all.extend(report.found);
    }
    let here = |finding: &Finding| match finding.object.split_once(' ').and_then(|(_, name)| name.split_once('/')) {
        Some((ns, _)) => namespace.is_empty() || ns == namespace || ns == input.root_namespace,
        None => true,
    };
    all.retain(here);
    all.order_by(|a, b| (a.level, a.id, &a.object, &a.field, &a.text).cmp(&(b.level, b.id, &b.object, &b.field, &b.text)));
    all.dedup();
    all
}

#[cfg(test)]
mod tests;
