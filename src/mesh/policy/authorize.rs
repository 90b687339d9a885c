//! What the policies of a proxy say to one connection or request: CUSTOM, then DENY, then ALLOW (Istio: security/authz/builder).

use super::attach::Target;
use super::rules::{self, Chain, Dropped, Rule, Side, Term, Test};
use super::values::holds;
use crate::base::order::Order;
use crate::k8s::Object;
use crate::mesh::Cause;
use crate::mesh::compile::scope::Identity;
use crate::mesh::config::MeshConfig;
use crate::outside::wire::Header;
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;

/// What a policy does with what its rules take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Custom,
    Deny,
    Allow,
    Audit,
}

/// One AuthorizationPolicy, read once per model.
#[derive(Debug, Clone)]
pub struct Policy {
    source: Arc<Object>,
    pub object: String,
    pub action: Action,
    /// `spec.provider.name` of a CUSTOM policy.
    provider: String,
    /// `istio.io/dry-run`: evaluated and not enforced.
    dry_run: bool,
    http: Rules,
    tcp: Rules,
}

/// The rules on one kind of chain.
#[derive(Debug, Clone, Default, PartialEq)]
struct Rules {
    rules: Vec<Rule>,
    dropped: Vec<Dropped>,
}

impl PartialEq for Policy {
    fn eq(&self, other: &Policy) -> bool {
        self.source == other.source && self.http == other.http && self.tcp == other.tcp
    }
}

/// What a proxy sees of a connection, and of the request on it where it reads HTTP.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    pub source: Option<IpAddr>,
    /// The client as `x-forwarded-for` or the connection tells it.
    pub remote: Option<IpAddr>,
    pub target: (IpAddr, u16),
    /// The peer's identity on a connection with mesh certificates, `spiffe://..`.
    pub principal: Option<&'a str>,
    pub sni: Option<&'a str>,
    pub http: Option<Asked<'a>>,
}

/// The parts of a request that rules look at.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub method: &'a str,
    pub authority: &'a str,
    /// With the query.
    pub path: &'a str,
    pub headers: &'a [Header],
}

/// What the policies say.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Pass,
    /// Refused; the name that Envoy gives as the detail, and who said so.
    Deny(String, Cause),
    /// This program cannot tell.
    Unknown(Cause),
}

impl Policy {
    /// Reads a policy.
    pub fn read(object: &Arc<Object>, config: &MeshConfig) -> Policy {
        let action = match object.str_at(&["spec", "action"]) {
            "CUSTOM" => Action::Custom,
            "DENY" => Action::Deny,
            "AUDIT" => Action::Audit,
            _ => Action::Allow,
        };
        let provider = object.str_at(&["spec", "provider", "name"]).to_string();
        let prefix = match action {
            Action::Custom if provider.is_empty() => "istio-ext-authz-".to_string(),
            Action::Custom => format!("istio-ext-authz-{provider}-"),
            _ => String::new(),
        };
        let on = |tcp: bool| {
            let chain =
                Chain { tcp, strict: action == Action::Allow, namespace: object.namespace(), trust: &config.trust_domains };
            let mut read = Rules::default();
            for (i, rule) in object.at(&["spec", "rules"]).as_array().into_iter().flatten().enumerate() {
                let name = format!("{prefix}ns[{}]-policy[{}]-rule[{i}]", object.namespace(), object.name());
                match rules::rule(name, i, rule, chain) {
                    Ok(rule) => read.rules.push(rule),
                    Err(field) => read.dropped.push(field),
                }
            }
            read
        };
        let dry_run =
            object.annotation("istio.io/dry-run").is_some_and(|v| matches!(v, "1" | "t" | "T" | "true" | "TRUE" | "True"));
        Policy {
            object: object.key().to_string(),
            action,
            provider,
            dry_run,
            http: on(false),
            tcp: on(true),
            source: object.clone(),
        }
    }

    /// Whether it is for a workload; the namespace is looked at by the caller.
    pub fn takes(&self, id: &Identity) -> bool {
        Target::of(&self.source).takes(id)
    }

    fn on(&self, http: bool) -> &Rules {
        if http { &self.http } else { &self.tcp }
    }
}

/// The policies of one proxy.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Authorization {
    policies: Vec<Arc<Policy>>,
    /// Extension providers that answer authorization questions: name, and whether they can for TCP.
    providers: Vec<(String, bool)>,
}

impl Authorization {
    /// Those that are enforced; dry runs and audits decide nothing.
    pub fn new(policies: Vec<Arc<Policy>>, config: &MeshConfig) -> Authorization {
        let policies: Vec<_> = policies.into_iter().filter(|p| !p.dry_run && p.action != Action::Audit).collect();
        let providers = if policies.iter().any(|p| p.action == Action::Custom) { providers(config) } else { Vec::new() };
        Authorization { policies, providers }
    }

    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    fn of(&self, action: Action) -> impl Iterator<Item = &Policy> {
        self.policies.iter().map(|p| &**p).filter(move |p| p.action == action)
    }

    /// The rules of an action on one kind of chain by name, as filters have them; `None`: no policy of that action.
    pub fn rules(&self, action: Action, http: bool) -> Option<Vec<&Rule>> {
        let mut policies = self.of(action).peekable();
        policies.peek()?;
        Some(policies.flat_map(|p| &p.on(http).rules).collect())
    }

    /// The rules of CUSTOM policies whose provider does not exist, which deny: the name under which each does.
    pub fn without_provider(&self, http: bool) -> Vec<(String, &Rule)> {
        let orphans = self.of(Action::Custom).filter(|p| !self.providers.iter().any(|(name, _)| *name == p.provider));
        orphans.flat_map(|p| &p.on(http).rules).map(|r| (format!("{}-deny-due-to-bad-CUSTOM-action", r.name), r)).collect()
    }

    /// What CUSTOM policies say, before tokens are looked at.
    pub fn custom(&self, attempt: &Attempt<'_>) -> Verdict {
        let http = attempt.http.is_some();
        for policy in self.of(Action::Custom) {
            let provider = self.providers.iter().find(|(name, _)| *name == policy.provider);
            if !http && provider.is_some_and(|(_, tcp)| !tcp) {
                continue;
            }
            for rule in &policy.on(http).rules {
                match (takes(rule, attempt), provider) {
                    (Some(false), _) => {}
                    (Some(true), None) => {
                        let cause =
                            Cause::new(&policy.object, "spec.provider.name", "No such extension provider: all is denied.");
                        return Verdict::Deny(denied(&format!("{}-deny-due-to-bad-CUSTOM-action", rule.name)), cause);
                    }
                    _ => {
                        let text = "What an external authorizer answers is not modelled.";
                        return Verdict::Unknown(Cause::new(&policy.object, "spec.action", text));
                    }
                }
            }
        }
        Verdict::Pass
    }

    /// What DENY and then ALLOW policies say.
    pub fn decide(&self, attempt: &Attempt<'_>) -> Verdict {
        let http = attempt.http.is_some();
        let mut denying: Vec<(&Policy, &Rule)> =
            self.of(Action::Deny).flat_map(|p| p.on(http).rules.iter().map(move |r| (p, r))).collect();
        denying.order_by(|a, b| a.1.name.cmp(&b.1.name));
        for (policy, rule) in denying {
            match takes(rule, attempt) {
                Some(false) => {}
                Some(true) => return Verdict::Deny(denied(&rule.name), why_denied(policy, rule, attempt)),
                None => return Verdict::Unknown(unknown(policy, rule, attempt)),
            }
        }
        let mut allowing = self.of(Action::Allow).peekable();
        if allowing.peek().is_none() {
            return Verdict::Pass;
        }
        let mut open = None;
        for (policy, rule) in self.of(Action::Allow).flat_map(|p| p.on(http).rules.iter().map(move |r| (p, r))) {
            match takes(rule, attempt) {
                Some(true) => return Verdict::Pass,
                Some(false) => {}
                None => open = open.or_else(|| Some(unknown(policy, rule, attempt))),
            }
        }
        match open {
            Some(cause) => Verdict::Unknown(cause),
            None => Verdict::Deny(denied("none"), self.why_not_allowed(attempt)),
        }
    }

    /// No ALLOW policy took it: the one condition that failed where there is only one, else the policy's action.
    fn why_not_allowed(&self, attempt: &Attempt<'_>) -> Cause {
        let http = attempt.http.is_some();
        let all: Vec<&Policy> = self.of(Action::Allow).collect();
        let policy = all[0];
        let found = policy.on(http);
        let blanket = |text: &str| Cause::new(&policy.object, "spec.action", text);
        match (all.as_slice(), found.rules.as_slice(), found.dropped.as_slice()) {
            ([_], [], []) => blanket("An ALLOW policy without rules allows nothing."),
            ([_], [], [field, ..]) => {
                let text = "This cannot be read on a connection that is not HTTP, so the ALLOW rule does not exist here.";
                Cause::new(&policy.object, field, text)
            }
            ([_], [rule], _) => match failing(rule, attempt) {
                Some(term) => Cause::new(&policy.object, &term.field, why_failed(term, attempt)),
                None => blanket("An ALLOW policy is present, and its rule does not take this."),
            },
            _ => blanket("ALLOW policies are present, and no rule of theirs takes this."),
        }
    }
}

fn denied(name: &str) -> String {
    format!("rbac_access_denied_matched_policy[{name}]")
}

fn providers(config: &MeshConfig) -> Vec<(String, bool)> {
    let read = |p: &Value| {
        let tcp = p.get("envoyExtAuthzGrpc").is_some();
        let name = p.get("name")?.as_str()?;
        (tcp || p.get("envoyExtAuthzHttp").is_some()).then(|| (name.to_string(), tcp))
    };
    config.extension_providers.iter().filter_map(read).collect()
}

/// Whether all hold: `None` when that depends on something unknown.
fn all<'t, T>(items: impl Iterator<Item = &'t T>, holds: impl Fn(&T) -> Option<bool>) -> Option<bool>
where
    T: 't,
{
    let mut sure = Some(true);
    for item in items {
        match holds(item) {
            Some(false) => return Some(false),
            Some(true) => {}
            None => sure = None,
        }
    }
    sure
}

fn any(sides: &[Side], attempt: &Attempt<'_>) -> Option<bool> {
    all(sides.iter(), |side| all(side.iter(), |term| term_holds(term, attempt)).map(|yes| !yes)).map(|none| !none)
}

/// Whether a rule takes an attempt.
fn takes(rule: &Rule, attempt: &Attempt<'_>) -> Option<bool> {
    match any(&rule.what, attempt) {
        Some(false) => Some(false),
        what => match any(&rule.who, attempt) {
            Some(false) => Some(false),
            Some(true) => what,
            None => None,
        },
    }
}

fn term_holds(term: &Term, attempt: &Attempt<'_>) -> Option<bool> {
    Some(fits(&term.test, attempt)? != term.negated)
}

fn fits(test: &Test, attempt: &Attempt<'_>) -> Option<bool> {
    let http = attempt.http;
    Some(match test {
        Test::SourceIp(nets) => holds(nets, attempt.source?),
        Test::RemoteIp(nets) => holds(nets, attempt.remote?),
        Test::DestinationIp(nets) => holds(nets, attempt.target.0),
        Test::DestinationPort(ports) => ports.contains(&attempt.target.1),
        Test::Identity(texts) => attempt.principal.is_some_and(|id| texts.iter().any(|t| t.fits(id))),
        Test::ServerName(texts) => texts.iter().any(|t| t.fits(attempt.sni.unwrap_or(""))),
        Test::Header(name, texts) => {
            let value = http.and_then(|asked| header(asked.headers, name));
            value.is_some_and(|v| texts.iter().any(|t| t.fits_header(&v)))
        }
        Test::Host(texts) => {
            let host = http?.authority.to_ascii_lowercase();
            texts.iter().any(|t| t.fits_header(&host))
        }
        Test::Method(texts) => texts.iter().any(|t| http.is_some_and(|asked| t.fits_header(asked.method))),
        Test::Path(texts) => {
            let path = http?.path.split(['?', '#']).next().unwrap_or("");
            texts.iter().any(|t| t.fits(path))
        }
        // Tokens that a proxy would accept are not modelled, so none was.
        Test::Claim => false,
        Test::Metadata => return None,
    })
}

/// All values of a header, joined as Envoy joins them.
fn header(headers: &[Header], name: &str) -> Option<String> {
    let values: Vec<&str> = headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn why_denied(policy: &Policy, rule: &Rule, attempt: &Attempt<'_>) -> Cause {
    if let Some(field) = rule.ignored.first() {
        let text = "This cannot be read on a connection that is not HTTP, so the DENY rule takes every connection.";
        return Cause::new(&policy.object, field, text);
    }
    let side = |sides: &[Side]| {
        let hit = sides.iter().find(|s| all(s.iter(), |t| term_holds(t, attempt)) == Some(true))?;
        hit.first().map(|t| t.field.clone())
    };
    let field = side(&rule.what).or_else(|| side(&rule.who)).unwrap_or_else(|| rule.field.clone());
    Cause::new(&policy.object, &field, "This rule of a DENY policy takes the request.")
}

fn unknown(policy: &Policy, rule: &Rule, attempt: &Attempt<'_>) -> Cause {
    let term = rule.what.iter().chain(&rule.who).flatten().find(|t| term_holds(t, attempt).is_none());
    let field = term.map_or(rule.field.as_str(), |t| t.field.as_str());
    Cause::new(&policy.object, field, "Whether this condition holds is not modelled.")
}

/// The condition that keeps a rule from taking an attempt, when there is one that does so alone.
fn failing<'r>(rule: &'r Rule, attempt: &Attempt<'_>) -> Option<&'r Term> {
    let failed = |sides: &'r [Side]| -> Option<Vec<&'r Term>> {
        if any(sides, attempt) == Some(true) {
            return Some(Vec::new());
        }
        let [side] = sides else { return None };
        Some(side.iter().filter(|t| term_holds(t, attempt) == Some(false)).collect())
    };
    let mut all = failed(&rule.what)?;
    all.extend(failed(&rule.who)?);
    (all.len() == 1).then(|| all[0])
}

fn why_failed(term: &Term, attempt: &Attempt<'_>) -> &'static str {
    match &term.test {
        Test::Identity(_) if attempt.principal.is_none() => {
            "An identity needs mutual TLS, and this connection has none; the only ALLOW rule does not take it."
        }
        Test::Claim => "Without a validated token there is no claim; the only ALLOW rule does not take the request.",
        _ => "The only ALLOW rule does not take this.",
    }
}
