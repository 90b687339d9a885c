//! What can be wrong with an API server for a while, in words.

use super::answer::{Answer, Outcome};
use http::header::RETRY_AFTER;
use serde_json::Value;
use std::error::Error;
use std::fmt;

/// What ended a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// 429: nothing was done.
    TooMany { after_ms: Option<u64> },
    /// 502, 503, 504, and 500 where the server's own storage did not answer.
    Unavailable { status: u16, message: String, after_ms: Option<u64> },
    /// 500 `failed calling webhook`: nothing was done.
    Webhook { name: String },
    /// No connection could be made: nothing was done.
    Unreachable { why: String },
    /// The server's certificate, or the login, is not what the kubeconfig says: asking again changes nothing.
    Untrusted { why: String },
    /// The connection ended before the answer did.
    Cut { why: String },
    /// No answer came, and the connection did not end.
    Silent { ms: u64 },
    /// 401.
    Expired,
    /// 403 of the server's access rules.
    Forbidden { verb: String, resource: String, place: String },
}

/// A request that was given up: nothing was heard for so many milliseconds.
#[derive(Debug)]
pub struct Silence {
    pub ms: u64,
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer within {} s", self.ms / 1_000)
    }
}

impl Error for Silence {}

impl Trouble {
    /// Whether it is known that nothing was done. An upgrade that was answered at all did not come about.
    pub fn is_refusal(&self, upgrade: bool) -> bool {
        match self {
            Trouble::TooMany { .. } | Trouble::Webhook { .. } | Trouble::Unreachable { .. } => true,
            Trouble::Unavailable { .. } => upgrade,
            _ => false,
        }
    }

    /// Whether it may be over in a while.
    pub fn passes(&self) -> bool {
        !matches!(self, Trouble::Untrusted { .. } | Trouble::Expired | Trouble::Forbidden { .. })
    }

    /// What the server asks to wait, in milliseconds.
    pub fn after_ms(&self) -> Option<u64> {
        match self {
            Trouble::TooMany { after_ms } | Trouble::Unavailable { after_ms, .. } => *after_ms,
            _ => None,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::TooMany { .. } => write!(f, "too many requests"),
            Trouble::Unavailable { status, message, .. } if message.is_empty() => write!(f, "not available ({status})"),
            Trouble::Unavailable { status, message, .. } => write!(f, "not available ({status}: {message})"),
            Trouble::Webhook { name } => write!(f, "webhook {name} is not ready"),
            Trouble::Unreachable { why } => write!(f, "cannot be reached ({why})"),
            Trouble::Untrusted { why } => write!(f, "cannot be trusted ({why})"),
            Trouble::Cut { why } => write!(f, "the connection was cut ({why})"),
            Trouble::Silent { ms } => write!(f, "has not answered within {} s", ms / 1_000),
            Trouble::Expired => write!(f, "the credential of the kubeconfig is not valid, or not any more"),
            Trouble::Forbidden { verb, resource, place } => write!(f, "not allowed to {verb} {resource}{place}"),
        }
    }
}

/// The trouble of a try, if it is one that is not about what was asked.
pub fn of(outcome: &Outcome) -> Option<Trouble> {
    match outcome {
        Ok(answer) => of_answer(answer),
        Err(error) => of_error(error),
    }
}

fn of_answer(answer: &Answer) -> Option<Trouble> {
    let status = answer.status().as_u16();
    if status < 400 {
        return None;
    }
    let body = answer.json().unwrap_or(Value::Null);
    let message = body["message"].as_str().unwrap_or("").to_string();
    let after_ms = answer.header(RETRY_AFTER).and_then(|text| text.trim().parse::<u64>().ok()).map(|s| s.saturating_mul(1_000));
    match status {
        401 => Some(Trouble::Expired),
        403 => forbidden(&message),
        429 => Some(Trouble::TooMany { after_ms }),
        500 if message.contains("failed calling webhook") => {
            Some(Trouble::Webhook { name: quoted(&message, "failed calling webhook ") })
        }
        // Client-go asks again for these, too: the storage had no leader, or did not answer in time.
        500 if message.contains("etcdserver:") || body["reason"] == "ServerTimeout" => {
            Some(Trouble::Unavailable { status, message, after_ms })
        }
        502..=504 => Some(Trouble::Unavailable { status, message, after_ms }),
        _ => None,
    }
}

/// `pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "default"`. Other refusals (a quota,
/// an admission plugin) are about what was asked.
fn forbidden(message: &str) -> Option<Trouble> {
    let (_, rest) = message.split_once(" cannot ")?;
    let (verb, rest) = rest.split_once(" resource ")?;
    let resource = rest.split('"').nth(1)?;
    let group = rest.split_once("API group ").and_then(|(_, rest)| rest.split('"').nth(1)).filter(|group| !group.is_empty());
    let place = match rest.split_once("in the namespace ").and_then(|(_, rest)| rest.split('"').nth(1)) {
        Some(namespace) => format!(" in namespace {namespace}"),
        None => " in the whole cluster".to_string(),
    };
    let resource = group.map_or(resource.to_string(), |group| format!("{resource}.{group}"));
    Some(Trouble::Forbidden { verb: verb.to_string(), resource, place })
}

/// The quoted word after a phrase.
fn quoted(text: &str, after: &str) -> String {
    let rest = text.split_once(after).map_or("", |(_, rest)| rest);
    rest.split('"').nth(1).unwrap_or("of the mesh").to_string()
}

fn of_error(error: &kube::Error) -> Option<Trouble> {
    match error {
        kube::Error::Api(_) => None,
        kube::Error::HyperError(error) => Some(of_chain(error)),
        kube::Error::Service(error) => Some(match error.downcast_ref() {
            Some(Silence { ms }) => Trouble::Silent { ms: *ms },
            None => of_chain(&**error),
        }),
        kube::Error::Auth(error) => Some(Trouble::Untrusted { why: error.to_string() }),
        _ => None,
    }
}

fn of_chain(error: &(dyn Error + 'static)) -> Trouble {
    let mut connecting = false;
    let mut why = error.to_string();
    let mut next = Some(error);
    while let Some(error) = next {
        connecting |= error.to_string().contains("(Connect)");
        if let Some(tls) = tls_within(error) {
            return Trouble::Untrusted { why: tls.to_string() };
        }
        if let Some(kube::Error::Auth(error)) = error.downcast_ref::<kube::Error>() {
            return Trouble::Untrusted { why: error.to_string() };
        }
        why = error.to_string();
        next = error.source();
    }
    let why = without_link(&why);
    match connecting {
        true => Trouble::Unreachable { why },
        false => Trouble::Cut { why },
    }
}

/// What the TLS library says of a connection that ended early carries a link to its own manual: for its users, not for ours.
fn without_link(why: &str) -> String {
    why.split_once(": http").map_or(why, |(words, _)| words).to_string()
}

/// The fault of TLS inside an error of a connection. What an I/O error wraps is not what it names as its source.
fn tls_within<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let io = error.downcast_ref::<std::io::Error>();
    error.downcast_ref().or_else(|| tls_within(io?.get_ref()?))
}

/// Whether a command's last words are kubectl's for a lost connection rather than for what was asked.
pub fn is_lost(output: &str) -> bool {
    let last = output.trim_end().lines().last().unwrap_or("");
    let begins = [
        "error: error reading from error stream",
        "error: the answer broke off",
        "Unable to connect to the server",
        "The connection to the server ",
    ];
    begins.iter().any(|words| last.starts_with(words))
}
