//! Checks of objects, of the mesh's configuration, and of access-log lines.

use super::accesslog::Entry;
use super::reader::{Error, Reader};
use super::workload;
use crate::base::yaml;
use crate::finding::Evidence;
use crate::k8s::{Kind, Object, Snapshot};
use crate::lesson::model::{Count, FieldTest, LogCheck, LogField, LogRef, MeshConfigCheck, ObjectCheck};
use serde_json::Value;
use std::sync::Arc;

/// Whether something holds, and what that rests on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Holds {
    pub holds: bool,
    pub evidence: Evidence,
    /// One more sentence about what is so; may be empty.
    pub detail: String,
}

impl Holds {
    fn of(holds: bool, expected: String, observed: String) -> Holds {
        Holds { holds, evidence: Evidence { expected, observed, ..Evidence::default() }, detail: String::new() }
    }
}

/// The objects that a check looks at: by kind, namespace, name, labels, selection and visibility. Objects that are being deleted
/// do not count.
pub fn looked_at<'s>(snapshot: &'s Snapshot, check: &ObjectCheck) -> Vec<&'s Arc<Object>> {
    let fits = |object: &&Arc<Object>| {
        !object.is_terminating()
            && check.namespace.as_ref().is_none_or(|ns| object.namespace() == ns)
            && check.name.as_ref().is_none_or(|name| object.name() == name)
            && check.labels.iter().all(|(key, value)| object.label(key) == Some(value))
            && check.select.iter().all(|assert| assert.holds(&object.0))
            && check.visible_from.as_ref().is_none_or(|ns| is_visible(object, ns))
    };
    snapshot.list(&check.kind.group, &check.kind.kind).filter(fits).collect()
}

/// Whether `exportTo` lets proxies of a namespace see the object (Istio's default: everybody).
pub fn is_visible(object: &Object, namespace: &str) -> bool {
    match object.at(&["spec", "exportTo"]).as_array() {
        None => true,
        Some(list) if list.is_empty() => true,
        Some(list) => list.iter().filter_map(Value::as_str).any(|to| match to {
            "*" => true,
            "." => object.namespace() == namespace,
            to => to == namespace,
        }),
    }
}

/// Judges an object check.
pub fn object(snapshot: &Snapshot, check: &ObjectCheck) -> Holds {
    let found = looked_at(snapshot, check);
    let what = name_of(check);
    if !check.count.holds(found.len()) {
        let expected = match check.count {
            Count::Exactly(0) => format!("no {what}"),
            Count::AtLeast(1) => what.clone(),
            Count::AtLeast(n) => format!("at least {n} of {what}"),
            Count::Exactly(n) => format!("exactly {n} of {what}"),
        };
        let names: Vec<String> = found.iter().map(|object| object.key().to_string()).collect();
        let observed = if names.is_empty() { format!("{ABSENT}{}", elsewhere(snapshot, check)) } else { names.join(", ") };
        return Holds::of(false, expected, observed);
    }
    for object in &found {
        if let Some(assert) = check.asserts.iter().find(|assert| !assert.holds(&object.0)) {
            let (expected, observed) = assert.explain(&object.0);
            let mut holds = Holds::of(false, expected, observed);
            holds.evidence.decided_by = Some((object.key().to_string(), assert.path.to_string()));
            return holds;
        }
    }
    let names: Vec<String> = found.iter().map(|object| object.key().to_string()).collect();
    let observed = if names.is_empty() { format!("no {what}") } else { names.join(", ") };
    Holds::of(true, what, observed)
}

/// What is observed where no object is found; where it is elsewhere is said behind it.
const ABSENT: &str = "none";

/// Whether a check of an object observed that there is none.
pub fn is_absent(observed: &str) -> bool {
    observed.strip_prefix(ABSENT).is_some_and(|rest| rest.is_empty() || rest.starts_with(';'))
}

fn name_of(check: &ObjectCheck) -> String {
    let name = check.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    let namespace = check.namespace.as_ref().map(|ns| format!(" in namespace {ns}")).unwrap_or_default();
    let labels: Vec<String> = check.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let labels = if labels.is_empty() { String::new() } else { format!(" with {}", labels.join(",")) };
    let rest = if check.select.is_empty() { "" } else { " as asked for" };
    format!("{}{name}{namespace}{labels}{rest}", check.kind.kind)
}

/// The right object in another namespace is worth telling (M77).
fn elsewhere(snapshot: &Snapshot, check: &ObjectCheck) -> String {
    if check.namespace.is_none() {
        return String::new();
    }
    let anywhere = ObjectCheck { namespace: None, visible_from: None, ..check.clone() };
    let found = looked_at(snapshot, &anywhere);
    found.first().map(|object| format!("; there is {}", object.key())).unwrap_or_default()
}

/// The parsed text under `data.mesh` of ConfigMap `istio`, `None` when there is none or it is not YAML.
pub fn mesh_config(snapshot: &Snapshot) -> Option<Value> {
    let map = snapshot.find("", "ConfigMap", "istio-system", "istio")?;
    yaml::parse(map.str_at(&["data", "mesh"])).ok()
}

/// Judges a check of the mesh's configuration.
pub fn mesh(snapshot: &Snapshot, check: &MeshConfigCheck) -> Holds {
    let expected = format!("{} {}", check.path, check.test);
    let mut holds = match mesh_config(snapshot) {
        None => Holds::of(false, expected, "there is no readable mesh configuration (ConfigMap istio-system/istio)".into()),
        Some(config) => {
            let found = check.path.select(&config);
            let there: Vec<String> = found.iter().map(|value| crate::lesson::field::text_of(value)).collect();
            let there = if there.is_empty() { "absent".to_string() } else { there.join(", ") };
            Holds::of(check.test.holds(&found), expected, format!("{} is {there}", check.path))
        }
    };
    holds.evidence.decided_by = Some(("ConfigMap istio-system/istio".into(), format!("data.mesh {}", check.path)));
    holds
}

/// The access-log lines that a reference names, newest last; lines of the checks' own probes are left out.
///
/// # Errors
/// What the API says.
pub async fn log_lines(reader: &Reader, snapshot: &Snapshot, log: &LogRef) -> Result<Vec<Entry>, Error> {
    let container = log.workload.container.as_deref().unwrap_or("istio-proxy");
    let mut entries = Vec::new();
    for pod in workload::pods(snapshot, &log.workload) {
        if !has_container(&pod, container) || !workload::is_ready(&pod) {
            continue;
        }
        let text = reader.log(pod.namespace(), pod.name(), container, log.tail as i64 + OWN_LINES).await?;
        let theirs: Vec<&str> = text.lines().filter(|line| !is_own(line)).collect();
        let newest = theirs.len().saturating_sub(log.tail);
        entries.extend(theirs[newest..].iter().filter_map(|line| Entry::parse(line)));
    }
    Ok(entries)
}

/// Lines of the lab's own probes that may stand between a learner's: on a cluster they go to the same logs.
const OWN_LINES: i64 = 500;

/// Whether a line of an access log tells of a probe of the lab.
pub fn is_own(line: &str) -> bool {
    line.contains(" \"egress-lab/")
}

fn has_container(pod: &Object, name: &str) -> bool {
    let lists = ["containers", "initContainers"].map(|list| pod.at(&["spec", list]).as_array());
    lists.into_iter().flatten().flatten().any(|container| container["name"] == name)
}

/// Whether all tests hold of the line.
pub fn line_fits(entry: &Entry, fields: &[FieldTest]) -> bool {
    fields.iter().all(|test| test.pattern.is_match(entry.get(test.field)))
}

/// Judges a check of a log.
///
/// # Errors
/// What the API says.
pub async fn log(reader: &Reader, snapshot: &Snapshot, check: &LogCheck) -> Result<Holds, Error> {
    let entries = log_lines(reader, snapshot, &check.log).await?;
    let fitting: Vec<&Entry> = entries.iter().filter(|entry| line_fits(entry, &check.fields)).collect();
    let holds = if check.at_least == 0 { fitting.is_empty() } else { fitting.len() >= check.at_least };
    let tests: Vec<String> = check.fields.iter().map(|t| format!("{} ~ {}", field_name(t.field), t.pattern.as_str())).collect();
    let expected = match check.at_least {
        0 => format!("no access-log line with {}", tests.join(", ")),
        n => format!("{} with {}", crate::base::text::count(n, "access-log line"), tests.join(", ")),
    };
    let observed = match (fitting.len(), entries.len()) {
        (0, 0) => "no access-log line at all".to_string(),
        (0, n) => format!("none of the newest {} fits", crate::base::text::count(n, "line")),
        (n, _) => format!("{} that fits", crate::base::text::count(n, "line")),
    };
    let mut result = Holds::of(holds, expected, observed);
    let shown = fitting.last().copied().or(entries.last());
    result.evidence.log = shown.map(|entry| format!("{}: {}", place(&check.log), entry.line)).into_iter().collect();
    Ok(result)
}

fn place(log: &LogRef) -> &'static str {
    if log.workload.namespace == "istio-system" { "gateway" } else { "sidecar" }
}

fn field_name(field: LogField) -> String {
    serde_json::to_value(field).ok().and_then(|v| v.as_str().map(str::to_string)).unwrap_or_default()
}

/// The kinds that a check looks at.
pub fn kind_of(check: &ObjectCheck) -> &Kind {
    &check.kind
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lesson::field::{Assert, FieldPath, Pattern, Test};
    use serde_json::json;

    fn entry(namespace: &str, export: Value) -> Object {
        Object(json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
            "metadata": {"name": "wikipedia", "namespace": namespace},
            "spec": {"hosts": ["www.wikipedia.org"], "exportTo": export, "resolution": "DNS"}}))
    }

    fn check() -> ObjectCheck {
        ObjectCheck {
            kind: Kind::new("networking.istio.io", "ServiceEntry"),
            namespace: Some("default".into()),
            name: None,
            labels: Default::default(),
            select: vec![assert("spec.hosts", Test::Contains(json!("www.wikipedia.org")))],
            asserts: vec![assert("spec.resolution", Test::Equals(json!("DNS")))],
            count: Count::AtLeast(1),
            visible_from: Some("istio-system".into()),
        }
    }

    fn assert(path: &str, test: Test) -> Assert {
        Assert { path: FieldPath::parse(path).unwrap(), test }
    }

    #[test]
    fn objects_are_judged_by_meaning() {
        for (object_, holds, observed) in [
            (entry("default", json!(["*"])), true, "ServiceEntry default/wikipedia"),
            (entry("default", Value::Null), true, "ServiceEntry default/wikipedia"),
            (entry("default", json!(["istio-system"])), true, "ServiceEntry default/wikipedia"),
            (entry("default", json!(["."])), false, "none; there is ServiceEntry default/wikipedia"),
            (entry("other", json!(["*"])), false, "none; there is ServiceEntry other/wikipedia"),
        ] {
            let shown = object_.0.to_string();
            let found = object(&Snapshot::from_iter([object_]), &check());
            assert_eq!((found.holds, found.evidence.observed.as_str()), (holds, observed), "{shown}");
        }
        let mut wrong = entry("default", Value::Null);
        wrong.set(&["spec", "resolution"], json!("NONE"));
        let found = object(&Snapshot::from_iter([wrong]), &check());
        assert_eq!(found.evidence.observed, "spec.resolution is NONE");
        assert_eq!(found.evidence.decided_by, Some(("ServiceEntry default/wikipedia".into(), "spec.resolution".into())));
    }

    #[test]
    fn every_object_looked_at_is_judged_and_going_ones_do_not_count() {
        let mut second = entry("default", Value::Null);
        second.set(&["metadata", "name"], json!("second"));
        second.set(&["spec", "resolution"], json!("NONE"));
        let first = entry("default", Value::Null);
        assert!(!object(&Snapshot::from_iter([first.clone(), second.clone()]), &check()).holds);
        second.set(&["metadata", "deletionTimestamp"], json!("2026-01-01T09:00:00Z"));
        assert!(object(&Snapshot::from_iter([first, second]), &check()).holds);
    }

    #[test]
    fn the_mesh_text_is_parsed() {
        let map = |mesh: &str| {
            Object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio", "namespace": "istio-system"},
                "data": {"mesh": mesh}}))
        };
        let check = MeshConfigCheck {
            path: FieldPath::parse("outboundTrafficPolicy.mode").unwrap(),
            test: Test::Equals(json!("REGISTRY_ONLY")),
        };
        for (text, holds) in [
            ("outboundTrafficPolicy:\n  mode: REGISTRY_ONLY\n", true),
            ("outboundTrafficPolicy:\n  mode: REGISTER_ONLY\n", false),
            ("# mode: REGISTRY_ONLY\naccessLogFile: x\n", false),
            ("", false),
        ] {
            assert_eq!(mesh(&Snapshot::from_iter([map(text)]), &check).holds, holds, "{text:?}");
        }
        assert!(!mesh(&Snapshot::default(), &check).holds);
    }

    #[test]
    fn lines_are_judged_field_by_field() {
        let line =
            r#"[t] "GET / HTTP/1.1" 502 - direct_response - "-" 0 0 0 - "-" "curl/8.1.2" "id" "h" "-" - - a b - block_all"#;
        let entry = Entry::parse(line).unwrap();
        let test = |field, pattern: &str| FieldTest { field, pattern: Pattern::parse(pattern).unwrap() };
        assert!(line_fits(&entry, &[test(LogField::ResponseCode, "^502$"), test(LogField::RouteName, "^block_all$")]));
        assert!(!line_fits(&entry, &[test(LogField::ResponseCode, "^502$"), test(LogField::RouteName, "^default$")]));
    }
}
