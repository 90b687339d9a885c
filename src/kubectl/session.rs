//! One running command: its context, its input and output, and how it asks the server. Ctrl-C ends every wait.

use super::Context;
use super::discovery::{self, Resource};
use super::error::{Error, Result, status_from_answer, unreachable};
use super::flags::Parsed;
use crate::base::io::{Input, Io, Stream};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use http_body_util::BodyExt;
use serde_json::Value;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// What a command may keep of input that it has not asked for yet.
const QUEUED_INPUT: usize = 1 << 20;
/// The largest answer that is read whole.
const ANSWER: usize = 64 << 20;

pub const JSON: &str = "application/json";
pub const TABLE: &str =
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
pub const MERGE: &str = "application/merge-patch+json";
pub const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub const JSON_PATCH: &str = "application/json-patch+json";
pub const APPLY: &str = "application/apply-patch+yaml";

/// One question to the server.
#[derive(Debug, Clone)]
pub struct Ask {
    method: http::Method,
    path: String,
    query: Vec<(String, String)>,
    accept: &'static str,
    body: Option<(&'static str, Vec<u8>)>,
}

impl Ask {
    fn new(method: http::Method, path: impl Into<String>) -> Ask {
        Ask { method, path: path.into(), query: Vec::new(), accept: JSON, body: None }
    }

    pub fn get(path: impl Into<String>) -> Ask {
        Ask::new(http::Method::GET, path)
    }

    pub fn post(path: impl Into<String>, body: &Value) -> Ask {
        Ask::new(http::Method::POST, path).body(JSON, body)
    }

    pub fn put(path: impl Into<String>, body: &Value) -> Ask {
        Ask::new(http::Method::PUT, path).body(JSON, body)
    }

    pub fn patch(path: impl Into<String>, kind: &'static str, body: &Value) -> Ask {
        Ask::new(http::Method::PATCH, path).body(kind, body)
    }

    pub fn delete(path: impl Into<String>, body: &Value) -> Ask {
        Ask::new(http::Method::DELETE, path).body(JSON, body)
    }

    fn body(mut self, kind: &'static str, body: &Value) -> Ask {
        self.body = Some((kind, body.to_string().into_bytes()));
        self
    }

    pub fn accept(mut self, accept: &'static str) -> Ask {
        self.accept = accept;
        self
    }

    /// Adds a query parameter; an empty value leaves it out.
    pub fn query(mut self, key: &str, value: impl Into<String>) -> Ask {
        let value = value.into();
        if !value.is_empty() {
            self.query.push((key.to_string(), value));
        }
        self
    }

    fn uri(&self) -> String {
        let pairs: Vec<String> = self.query.iter().map(|(k, v)| format!("{}={}", escape(k), escape(v))).collect();
        match pairs.is_empty() {
            true => self.path.clone(),
            false => format!("{}?{}", self.path, pairs.join("&")),
        }
    }
}

/// Percent-encodes a query part.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// What a wait on a stream came to.
#[derive(Debug)]
pub enum Next {
    Bytes(bytes::Bytes),
    Ended,
    TimedOut,
}

/// The body of an answer that goes on.
pub type Bytes = BoxStream<'static, std::result::Result<bytes::Bytes, String>>;

/// A running command.
pub struct Session<'a> {
    pub ctx: &'a Context,
    pub io: &'a mut Io,
    /// The verb as written in sentences (`get`, `rollout status`).
    pub verb: String,
    /// The namespace in force.
    pub namespace: String,
    /// Whether `-n` was given.
    pub namespace_given: bool,
    /// `--as`.
    act_as: Option<String>,
    queue: VecDeque<Input>,
    input_ended: bool,
    warned: BTreeSet<String>,
    resources: Option<Arc<Vec<Resource>>>,
}

impl<'a> Session<'a> {
    /// Starts a command.
    pub fn new(ctx: &'a Context, io: &'a mut Io, verb: &str, parsed: &Parsed) -> Session<'a> {
        let default = ctx.namespace();
        let given = parsed.text("namespace").filter(|ns| !ns.is_empty());
        Session {
            ctx,
            io,
            verb: verb.to_string(),
            namespace: given.map_or(default, str::to_string),
            namespace_given: given.is_some(),
            act_as: parsed.text("as").map(str::to_string),
            queue: VecDeque::new(),
            input_ended: false,
            warned: BTreeSet::new(),
            resources: None,
        }
    }

    pub fn say(&mut self, line: &str) {
        self.io.say(line);
    }

    pub fn warn(&mut self, line: &str) {
        self.io.warn(line);
    }

    /// Prints an error the way kubectl does, if it has words.
    pub fn print_error(&mut self, error: &Error) {
        if let Error::After(output, _) = error {
            self.io.write(output.as_bytes());
        }
        let text = error.text();
        if !text.is_empty() {
            self.io.warn(&text);
        }
    }

    /// What the server has, asked once per command.
    ///
    /// # Errors
    /// When discovery fails.
    pub async fn resources(&mut self) -> Result<Arc<Vec<Resource>>> {
        if let Some(known) = &self.resources {
            return Ok(known.clone());
        }
        let core = self.json(Ask::get("/api").accept(discovery::ACCEPT)).await?;
        let groups = self.json(Ask::get("/apis").accept(discovery::ACCEPT)).await?;
        let found = Arc::new(discovery::read(&core, &groups)?);
        self.resources = Some(found.clone());
        Ok(found)
    }

    /// Forgets discovery: a definition was just written.
    pub fn forget_resources(&mut self) {
        self.resources = None;
    }

    /// The environment's present moment.
    pub fn now(&self) -> crate::base::clock::Time {
        self.ctx.clock.now()
    }

    /// Asks and reads a JSON answer.
    ///
    /// # Errors
    /// The server's refusal, an unreadable answer, no connection, Ctrl-C.
    pub async fn json(&mut self, ask: Ask) -> Result<Value> {
        let text = self.text(ask).await?;
        serde_json::from_str(&text).map_err(|e| Error::plain(format!("the server's answer is not JSON: {e}")))
    }

    /// Asks and reads a text answer.
    ///
    /// # Errors
    /// As [`Session::json`].
    pub async fn text(&mut self, ask: Ask) -> Result<String> {
        let (queue, ended) = (&mut self.queue, &mut self.input_ended);
        let work = answer(self.ctx, &self.verb, self.act_as.as_deref(), ask);
        let (warnings, body) = tokio::select! {
            done = work => done?,
            () = interrupt(self.io, queue, ended) => return Err(Error::Interrupted),
        };
        self.print_warnings(warnings);
        body
    }

    /// Asks and gives the answer's body as it comes.
    ///
    /// # Errors
    /// As [`Session::json`].
    pub async fn stream(&mut self, ask: Ask) -> Result<Bytes> {
        let (queue, ended) = (&mut self.queue, &mut self.input_ended);
        let work = open(self.ctx, &self.verb, self.act_as.as_deref(), ask);
        let (warnings, body) = tokio::select! {
            done = work => done?,
            () = interrupt(self.io, queue, ended) => return Err(Error::Interrupted),
        };
        self.print_warnings(warnings);
        body
    }

    /// The next piece of a stream, or that time is up.
    ///
    /// # Errors
    /// Ctrl-C, or a broken connection.
    pub async fn next(&mut self, stream: &mut Bytes, deadline: Option<&mut BoxFuture<'static, ()>>) -> Result<Next> {
        let (queue, ended) = (&mut self.queue, &mut self.input_ended);
        let late = async {
            match deadline {
                Some(deadline) => deadline.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = interrupt(self.io, queue, ended) => Err(Error::Interrupted),
            piece = stream.next() => match piece {
                Some(Ok(bytes)) => Ok(Next::Bytes(bytes)),
                Some(Err(text)) => Err(Error::plain(text)),
                None => Ok(Next::Ended),
            },
            () = late => Ok(Next::TimedOut),
        }
    }

    /// Completes when Ctrl-C comes.
    pub async fn interrupted(&mut self) {
        interrupt(self.io, &mut self.queue, &mut self.input_ended).await;
    }

    /// The next input while a command still wants some, otherwise only Ctrl-C.
    pub async fn input_or_interrupt(&mut self, wanted: bool) -> Input {
        match wanted {
            true => self.input().await,
            false => {
                self.interrupted().await;
                Input::Interrupt
            }
        }
    }

    /// The next input, [`Input::Eof`] for ever after the end.
    pub async fn input(&mut self) -> Input {
        if let Some(input) = self.queue.pop_front() {
            return input;
        }
        if self.input_ended {
            return Input::Eof;
        }
        match self.io.stdin.next().await {
            Some(input) => input,
            None => {
                self.input_ended = true;
                Input::Eof
            }
        }
    }

    /// All of standard input (`-f -`).
    ///
    /// # Errors
    /// Ctrl-C, or more than a manifest may hold.
    pub async fn read_stdin(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            match self.input().await {
                Input::Bytes(more) => bytes.extend(more),
                Input::Eof => return Ok(bytes),
                Input::Interrupt => return Err(Error::Interrupted),
                Input::Resize { .. } => (),
            }
            if bytes.len() > ANSWER {
                return Err(Error::plain("standard input is longer than 64 MiB"));
            }
        }
    }

    fn print_warnings(&mut self, warnings: Vec<String>) {
        for warning in warnings {
            if self.warned.insert(warning.clone()) {
                self.io.warn(&format!("Warning: {warning}"));
            }
        }
    }

    /// Writes bytes to one of the outputs.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) {
        (self.io.out)(stream, bytes);
    }

    /// An error about the connection in kubectl's words.
    pub fn connection_error(&self, error: &kube::Error) -> Error {
        from_kube(self.ctx, error)
    }
}

/// Completes when Ctrl-C comes; keeps everything else for later.
async fn interrupt(io: &mut Io, queue: &mut VecDeque<Input>, ended: &mut bool) {
    let mut held: usize = queue.iter().map(|i| if let Input::Bytes(b) = i { b.len() } else { 1 }).sum();
    while !*ended && held < QUEUED_INPUT {
        match io.stdin.next().await {
            Some(Input::Interrupt) => return,
            Some(input) => {
                held += if let Input::Bytes(b) = &input { b.len() } else { 1 };
                queue.push_back(input);
            }
            None => *ended = true,
        }
    }
    std::future::pending().await
}

fn from_kube(ctx: &Context, error: &kube::Error) -> Error {
    match error {
        kube::Error::Api(status) => {
            let value = serde_json::to_value(&**status).unwrap_or(Value::Null);
            Error::Status(Box::new(value))
        }
        other => {
            let server = ctx.config.lock().unwrap_or_else(|p| p.into_inner()).current().map(|c| c.server.clone());
            unreachable(other, &server.unwrap_or_default())
        }
    }
}

type Sent = (Vec<String>, http::Response<kube::client::Body>);

async fn send(ctx: &Context, verb: &str, act_as: Option<&str>, ask: Ask) -> Result<Sent> {
    let mut request = http::Request::builder().method(ask.method.clone()).uri(ask.uri());
    request = request.header("Accept", ask.accept).header("Kubectl-Command", format!("kubectl {verb}"));
    if let Some(user) = act_as {
        request = request.header("Impersonate-User", user);
    }
    if let Some((kind, _)) = &ask.body {
        request = request.header("Content-Type", *kind);
    }
    let body = ask.body.map(|(_, bytes)| bytes).unwrap_or_default();
    let request = request
        .body(kube::client::Body::from(body))
        .map_err(|e| Error::plain(format!("this cannot be asked of a server: {e}")))?;
    let response = ctx.client.send(request).await.map_err(|e| from_kube(ctx, &e))?;
    let warnings = response.headers().get_all("warning").iter().filter_map(|w| warning_text(w.to_str().ok()?)).collect();
    Ok((warnings, response))
}

async fn answer(ctx: &Context, verb: &str, act_as: Option<&str>, ask: Ask) -> Result<(Vec<String>, Result<String>)> {
    let (warnings, response) = send(ctx, verb, act_as, ask).await?;
    Ok((warnings, read_all(response).await))
}

async fn read_all(response: http::Response<kube::client::Body>) -> Result<String> {
    let code = response.status();
    let body = http_body_util::Limited::new(response.into_body(), ANSWER);
    let body = body.collect().await.map_err(|e| Error::plain(format!("the answer broke off: {e}")))?.to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    match code.is_success() {
        true => Ok(text),
        false => Err(Error::Status(Box::new(status_from_answer(code.as_u16(), &text)))),
    }
}

async fn open(ctx: &Context, verb: &str, act_as: Option<&str>, ask: Ask) -> Result<(Vec<String>, Result<Bytes>)> {
    let (warnings, response) = send(ctx, verb, act_as, ask).await?;
    if !response.status().is_success() {
        let refused = read_all(response).await.map(|_| futures::stream::empty().boxed());
        return Ok((warnings, refused));
    }
    let stream = response.into_body().into_data_stream().map(|piece| piece.map_err(|e| e.to_string())).boxed();
    Ok((warnings, Ok(stream)))
}

/// The text of a `Warning: 299 - "..."` header.
fn warning_text(header: &str) -> Option<String> {
    let start = header.find('"')?;
    let end = header.rfind('"').filter(|end| *end > start)?;
    Some(header[start + 1..end].replace("\\\"", "\"").replace("\\\\", "\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_escaped() {
        let ask = Ask::get("/api/v1/pods").query("labelSelector", "app in (a,b)").query("limit", "").query("limit", "500");
        assert_eq!(ask.uri(), "/api/v1/pods?labelSelector=app%20in%20%28a%2Cb%29&limit=500");
    }

    #[test]
    fn warnings_are_unquoted() {
        assert_eq!(warning_text(r#"299 - "unknown field \"spec.x\"""#).unwrap(), r#"unknown field "spec.x""#);
        assert_eq!(warning_text("junk"), None);
    }
}
