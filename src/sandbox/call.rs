//! One request to the API server and its answer, and the streams beside them (watch, exec, attach, log follow), as plain values.

use crate::base::clock::Time;
use crate::base::percent::decoded;
use crate::k8s::encode;
use serde_json::{Value, json};

/// An HTTP request, already authenticated by whoever carries it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Call {
    /// Upper case: `GET`.
    pub method: String,
    /// Percent-decoded path, starting with `/`.
    pub path: String,
    /// Percent-decoded query parameters in the order sent; names may repeat (`command`).
    pub query: Vec<(String, String)>,
    /// Header names in any case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Who asks, e.g. `learner`.
    pub user: String,
}

impl Call {
    /// A call from method and target (`/api/v1/pods?limit=5`), without headers or body.
    pub fn new(method: &str, target: &str) -> Call {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let query =
            pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(k, v)| (decoded(k, true), decoded(v, true)));
        Call {
            method: method.into(),
            path: decoded(path, false),
            query: query.collect(),
            user: "learner".into(),
            ..Call::default()
        }
    }

    /// The same call with a header added.
    pub fn header(mut self, name: &str, value: &str) -> Call {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same call with a JSON body (and its content type, unless one is set).
    pub fn json(mut self, body: &Value) -> Call {
        self.body = body.to_string().into_bytes();
        if self.header_value("content-type").is_none() {
            self.headers.push(("content-type".into(), "application/json".into()));
        }
        self
    }

    /// A header's value, by name without case.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The first query parameter of this name.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Whether a query parameter is set to a true value: as the API server has it, anything but `0` and `false`.
    pub fn flag(&self, name: &str) -> bool {
        self.param(name).is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"))
    }

    /// Whether the answer is a stream: a watch, a followed log, exec or attach. Such calls go to `World::open`.
    pub fn is_stream(&self) -> bool {
        let tail = self.path.rsplit('/').next().unwrap_or("");
        let under_pod = self.path.contains("/pods/");
        let of_resource = self.path.starts_with("/api/") || self.path.starts_with("/apis/");
        (self.method == "GET" && of_resource && (self.flag("watch") || self.path.contains("/watch/")))
            || (under_pod && tail == "log" && self.flag("follow"))
            || (under_pod && matches!(tail, "exec" | "attach" | "portforward"))
    }
}

/// An HTTP answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Answer {
        let headers = vec![("content-type".to_string(), "application/json".to_string())];
        Answer { status, headers, body: encode::to_vec(body) }
    }

    /// A text answer.
    pub fn text(status: u16, body: &str) -> Answer {
        let headers = vec![("content-type".to_string(), "text/plain; charset=utf-8".to_string())];
        Answer { status, headers, body: body.as_bytes().to_vec() }
    }

    /// The body read as JSON, `Null` when it is not.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A header's value, by name without case.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A refusal: what becomes a `Status` object of kind Failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub code: u16,
    /// `NotFound`, `Invalid`, ...; "" where the API server gives none.
    pub reason: String,
    pub message: String,
    /// `details` of the Status: name, group, kind, causes, retryAfterSeconds. `Null` leaves it out.
    pub details: Value,
}

impl Refusal {
    /// A refusal without details.
    pub fn new(code: u16, reason: &str, message: impl Into<String>) -> Refusal {
        Refusal { code, reason: reason.into(), message: message.into(), details: Value::Null }
    }

    /// What an answer that is no success refuses: its Status, or its text.
    pub fn of(answer: &Answer) -> Refusal {
        let status = answer.value();
        let text = |field: &str| status[field].as_str().map(String::from);
        Refusal {
            code: answer.status,
            reason: text("reason").unwrap_or_default(),
            message: text("message").unwrap_or_else(|| String::from_utf8_lossy(&answer.body).trim().to_string()),
            details: status["details"].clone(),
        }
    }

    /// 400 BadRequest.
    pub fn bad_request(message: impl Into<String>) -> Refusal {
        Refusal::new(400, "BadRequest", message)
    }

    /// 501 for what this program does not imitate; `what` names it.
    pub fn not_simulated(what: &str) -> Refusal {
        Refusal::new(501, "NotImplemented", crate::base::not_simulated(what))
    }

    /// The Status object.
    pub fn status(&self) -> Value {
        let mut status =
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message});
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status["code"] = json!(self.code);
        status
    }

    /// The HTTP answer that carries the Status.
    pub fn answer(&self) -> Answer {
        let mut answer = Answer::json(self.code, &self.status());
        if let Some(seconds) = self.details["retryAfterSeconds"].as_i64() {
            answer.headers.push(("retry-after".into(), seconds.to_string()));
        }
        answer
    }
}

/// Names one open stream of one world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u64);

/// What a client sends on a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamInput {
    /// Bytes for the process's standard input.
    Bytes(Vec<u8>),
    /// Its standard input ends.
    Eof,
    Resize {
        cols: u16,
        rows: u16,
    },
}

/// What a poll of a stream gives.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamOutput {
    /// Nothing now. Poll again after input, after the world's next revision, or at `until` if it is set.
    Pending { until: Option<Time> },
    /// Bytes of a watch or log answer's body.
    Body(Vec<u8>),
    /// Standard output (exec, attach).
    Stdout(Vec<u8>),
    /// Standard error (exec, attach).
    Stderr(Vec<u8>),
    /// The process ended with this code (exec, attach). The stream is over.
    Exit(i32),
    /// The process could not go on: the text for channel 3. The stream is over.
    Failed(Refusal),
    /// The watch or log ended. The stream is over.
    End,
}
