//! What is done to which request. Pure: a request's number and the seed decide.

use egress_lab::base::seed::Seed;
use serde_json::Value;
use std::sync::Mutex;

/// How bad the day is.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    pub seed: u64,
    /// Before every answer.
    pub latency_ms: u64,
    /// Of a hundred requests: connections cut (a third each before, after, in the middle of the answer).
    pub resets: u64,
    /// Of a hundred requests: answered 429 (with Retry-After) or 503.
    pub refusals: u64,
    /// Of a hundred commands in pods: cut in their middle.
    pub streams: u64,
    /// A watch lives so long.
    pub watches_ms: Option<u64>,
    /// Verb and resource (`create`, `serviceentries.networking.istio.io`): 403, and `can-i` says no.
    pub forbidden: Vec<(&'static str, &'static str)>,
    /// Faults for certain requests, in this order.
    pub planned: Vec<Planned>,
}

/// Something that happens to the next `times` requests of a verb and resource ("*": any).
#[derive(Debug, Clone)]
pub struct Planned {
    pub verb: &'static str,
    pub resource: &'static str,
    pub fault: Fault,
    pub times: u32,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut before the server has the request.
    CutBefore,
    /// .. after it has answered, before the client has a byte of it.
    CutAfter,
    /// .. when the client has half of the answer (a command: when it has begun).
    CutAmid,
    /// 429 with Retry-After, in seconds.
    TooMany(u64),
    Unavailable,
    /// 410 when a watch is opened.
    Gone,
    /// An ERROR event of 410 in a watch.
    GoneLater,
    /// 500 `failed calling webhook`.
    Webhook,
}

/// A request as access rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub verb: String,
    /// `pods`, `pods/exec`, `gateways.networking.istio.io`.
    pub resource: String,
    pub namespace: String,
    pub name: String,
    pub upgrade: bool,
}

impl Subject {
    /// Reads method and path as the API server does (k8s.io/apiserver, request/requestinfo.go).
    pub fn of(method: &str, path: &str, query: &str, upgrade: bool) -> Option<Subject> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, rest) = match parts.as_slice() {
            ["api", _, rest @ ..] => ("", rest),
            ["apis", group, _, rest @ ..] => (*group, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, more @ ..] if !more.is_empty() => (*namespace, more),
            rest => ("", rest),
        };
        let resource = *rest.first()?;
        let name = rest.get(1).copied().unwrap_or("");
        let verb = match (method, name.is_empty()) {
            ("GET", _) if query.contains("watch=true") || query.contains("watch=1") => "watch",
            // Since 1.35 a command over a websocket needs the right to create, as over a POST.
            ("GET", false) if upgrade => "create",
            ("GET", true) => "list",
            ("GET", false) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", true) => "deletecollection",
            ("DELETE", false) => "delete",
            _ => return None,
        };
        let sub = rest.get(2).map(|sub| format!("/{sub}")).unwrap_or_default();
        let dot = if group.is_empty() { String::new() } else { format!(".{group}") };
        Some(Subject {
            verb: verb.into(),
            resource: format!("{resource}{sub}{dot}"),
            namespace: namespace.into(),
            name: name.into(),
            upgrade,
        })
    }

    pub fn is_write(&self) -> bool {
        let asks = self.resource.contains("reviews.");
        !asks && !self.upgrade && !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }

    /// The API server's words for a refusal (k8s.io/apiserver, responsewriters/errors.go).
    pub fn forbidden(&self) -> String {
        let (resource, group) = self.resource.split_once('.').unwrap_or((&self.resource, ""));
        let name = if self.name.is_empty() { String::new() } else { format!(" {:?}", self.name) };
        let place = match self.namespace.as_str() {
            "" => "at the cluster scope".to_string(),
            namespace => format!("in the namespace \"{namespace}\""),
        };
        let dotted = if group.is_empty() { resource.to_string() } else { format!("{resource}.{group}") };
        format!(
            "{dotted}{name} is forbidden: User \"ann\" cannot {} resource \"{resource}\" in API group \"{group}\" {place}",
            self.verb
        )
    }
}

/// The faults, and how many of the planned ones are left.
pub struct Rules {
    pub faults: Faults,
    left: Mutex<Vec<Planned>>,
}

impl Rules {
    pub fn new(faults: Faults) -> Rules {
        Rules { left: Mutex::new(faults.planned.clone()), faults }
    }

    pub fn is_forbidden(&self, verb: &str, resource: &str) -> bool {
        self.faults.forbidden.iter().any(|(v, r)| (*v == "*" || *v == verb) && *r == resource)
    }

    /// Whether a SelfSubjectAccessReview asks for something forbidden.
    pub fn denies(&self, review: &Value) -> bool {
        let asked = &review["spec"]["resourceAttributes"];
        let text = |key: &str| asked[key].as_str().unwrap_or("").to_string();
        // Whoever may not do one thing may not do everything.
        if [text("verb"), text("resource"), text("group")].iter().any(|word| word == "*") {
            return !self.faults.forbidden.is_empty();
        }
        let sub = Some(text("subresource")).filter(|s| !s.is_empty()).map(|s| format!("/{s}")).unwrap_or_default();
        let group = Some(text("group")).filter(|g| !g.is_empty()).map(|g| format!(".{g}")).unwrap_or_default();
        self.is_forbidden(&text("verb"), &format!("{}{sub}{group}", text("resource")))
    }

    /// What goes wrong with the request of this number.
    pub fn fault(&self, nth: u64, subject: &Subject) -> Option<Fault> {
        let mut left = self.left.lock().unwrap();
        let fits = |p: &&mut Planned| {
            p.times > 0 && (p.verb == "*" || p.verb == subject.verb) && (p.resource == "*" || p.resource == subject.resource)
        };
        if let Some(planned) = left.iter_mut().find(fits) {
            planned.times -= 1;
            return Some(planned.fault);
        }
        let draw = |what: &str| Seed(self.faults.seed).hash(&[what, &nth.to_string()]);
        let happens = |what: &str, percent: u64| draw(what) % 100 < percent;
        if subject.upgrade && happens("stream", self.faults.streams) {
            return Some(Fault::CutAmid);
        }
        if happens("reset", self.faults.resets) {
            return Some([Fault::CutBefore, Fault::CutAfter, Fault::CutAmid][(draw("which") % 3) as usize]);
        }
        if happens("refusal", self.faults.refusals) {
            return Some([Fault::TooMany(1), Fault::Unavailable][(draw("kind") % 2) as usize]);
        }
        None
    }
}
