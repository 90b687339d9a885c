//! `kubectl exec` and `attach`, over a websocket with kubectl's channels (v5.channel.k8s.io).

use super::error::{Error, Result};
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::pods;
use super::session::{Session, escape};
use crate::base::io::{Input, Raw, Stream};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

pub const FLAGS: &[Flag] = &[
    short("container", 'c', Takes::Text, "which container of the pod"),
    short("stdin", 'i', Takes::Bool, "pass standard input on"),
    short("tty", 't', Takes::Bool, "with a terminal"),
    short("quiet", 'q', Takes::Bool, "only what the command prints"),
    flag("pod-running-timeout", Takes::Text, "how long to wait for the pod to run"),
];

/// The most that [`piped`] keeps.
const PIPED: usize = 256 << 20;

/// What is asked of a container.
pub struct Call<'a> {
    pub pod: &'a str,
    pub container: &'a str,
    /// None: attach.
    pub command: Option<&'a [String]>,
    pub stdin: bool,
    pub tty: bool,
}

/// Runs `kubectl exec`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let (before, command) = (p.before_dash(), p.after_dash());
    let Some(operand) = before.first() else {
        return Err(Error::Said("error: pod, type/name or --filename must be specified".into()));
    };
    if p.dash.is_none() && before.len() > 1 {
        return Err(Error::Said(
            "error: exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead\nSee 'kubectl exec -h' for help and examples".into(),
        ));
    }
    if command.is_empty() {
        return Err(Error::plain("you must specify at least one command for the container"));
    }
    let found = pods::behind(s, operand).await?;
    let pod = found.first().ok_or_else(|| Error::plain(format!("no pods found for {operand}")))?;
    let name = pod["metadata"]["name"].as_str().unwrap_or("").to_string();
    if let phase @ ("Succeeded" | "Failed") = pod["status"]["phase"].as_str().unwrap_or("") {
        return Err(Error::plain(format!("cannot exec into a container in a completed pod; current phase is {phase}")));
    }
    let container = choose(s, pod, p)?;
    let tty = terminal(s, p);
    call(s, &Call { pod: &name, container: &container, command: Some(command), stdin: p.on("stdin"), tty }).await
}

/// Runs `kubectl attach`.
pub async fn attach(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let Some(operand) = p.operands.first() else {
        return Err(Error::plain("at least 1 argument is required for attach"));
    };
    let found = pods::behind(s, operand).await?;
    let pod = found.first().ok_or_else(|| Error::plain(format!("no pods found for {operand}")))?;
    let name = pod["metadata"]["name"].as_str().unwrap_or("").to_string();
    if let phase @ ("Succeeded" | "Failed") = pod["status"]["phase"].as_str().unwrap_or("") {
        return Err(Error::plain(format!("cannot attach a container in a completed pod; current phase is {phase}")));
    }
    let container = choose(s, pod, p)?;
    let tty = terminal(s, p);
    if !p.on("quiet") {
        announce(s);
    }
    call(s, &Call { pod: &name, container: &container, command: None, stdin: p.on("stdin"), tty }).await
}

/// What kubectl says before it joins a container's main process.
pub fn announce(s: &mut Session<'_>) {
    s.warn("All commands and output from this session will be recorded in container logs, including credentials and sensitive information passed through the command prompt.");
    s.warn("If you don't see a command prompt, try pressing enter.");
}

fn choose(s: &mut Session<'_>, pod: &Value, p: &Parsed) -> Result<String> {
    let (container, said) = pods::container(pod, p.str("container"))?;
    if let Some(said) = said.filter(|_| !p.on("quiet")) {
        s.warn(&said);
    }
    Ok(container)
}

/// Whether a terminal is to be had; says so when one was asked for in vain.
fn terminal(s: &mut Session<'_>, p: &Parsed) -> bool {
    let tty = p.on("tty");
    if tty && (!p.on("stdin") || s.io.tty.is_none()) {
        s.warn("Unable to use a TTY - input is not a terminal or the right kind of file");
        return false;
    }
    tty
}

/// Runs a call to its end and gives the exit code.
///
/// # Errors
/// A refused upgrade, a broken connection, Ctrl-C.
pub async fn call(s: &mut Session<'_>, call: &Call<'_>) -> Result<i32> {
    let connection = connect(s, call).await?;
    let closes = connection.supports_stream_close();
    let mut socket = connection.into_stream();
    if let Some((cols, rows)) = s.io.tty.filter(|_| call.tty) {
        if call.command.is_none() {
            // A size that is not the real one, then the real one: who was there before draws anew.
            let _ = socket.send(resize(cols.saturating_add(1), rows.saturating_add(1))).await;
        }
        let _ = socket.send(resize(cols, rows)).await;
    }
    let (mut open, mut status) = (call.stdin, None);
    let raw = s.io.raw.as_ref().filter(|_| call.tty).map(Raw::on);
    loop {
        tokio::select! {
            biased;
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => receive(s, &bytes, &mut status),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_) | Message::Frame(_))) => (),
                Some(Ok(Message::Close(_))) | None => break,
                Some(Err(_)) if status.is_some() => break,
                Some(Err(error)) => return Err(Error::plain(format!("error reading from error stream: {error}"))),
            },
            input = s.input_or_interrupt(open) => match input {
                Input::Bytes(bytes) => send(&mut socket, 0, &bytes).await,
                Input::Resize { cols, rows } if call.tty => drop(socket.send(resize(cols, rows)).await),
                Input::Resize { .. } => (),
                Input::Interrupt => {
                    let _ = socket.close(None).await;
                    return Err(Error::Interrupted);
                }
                Input::Eof => {
                    open = false;
                    if closes {
                        send(&mut socket, 255, &[0]).await;
                    }
                }
            },
        }
    }
    // What is said from here on is said on a terminal as it was.
    drop(raw);
    let _ = socket.close(None).await;
    finish(s, status)
}

async fn connect(s: &mut Session<'_>, call: &Call<'_>) -> Result<kube::client::Connection> {
    let request = http::Request::get(path(s, call)).header("Kubectl-Command", format!("kubectl {}", s.verb));
    let request = request.body(Vec::new()).map_err(|e| Error::plain(format!("this cannot be asked of a server: {e}")))?;
    let client = s.ctx.client.clone();
    tokio::select! {
        made = client.connect(request) => made.map_err(|e| upgrade_error(s, &e)),
        () = s.interrupted() => Err(Error::Interrupted),
    }
}

/// Runs a command on given input and keeps what it writes to standard output and standard error; its exit code is not an
/// error.
///
/// # Errors
/// As [`call`], and more output than fits.
pub async fn piped(s: &mut Session<'_>, call: &Call<'_>, input: &[u8]) -> Result<(i32, Vec<u8>, Vec<u8>)> {
    let connection = connect(s, call).await?;
    let closes = connection.supports_stream_close();
    let (mut sink, mut source) = connection.into_stream().split();
    let write = async {
        if call.stdin {
            send(&mut sink, 0, input).await;
            if closes {
                send(&mut sink, 255, &[0]).await;
            }
        }
        std::future::pending::<()>().await;
    };
    let (mut output, mut errors, mut status) = (Vec::new(), Vec::new(), None);
    let read = async {
        while let Some(message) = source.next().await {
            match message {
                Ok(Message::Binary(bytes)) => match bytes.split_first() {
                    Some((1, bytes)) => output.extend_from_slice(bytes),
                    Some((2, bytes)) => errors.extend_from_slice(bytes),
                    Some((3, bytes)) => {
                        status = serde_json::from_slice::<Value>(bytes).ok();
                        return Ok(());
                    }
                    _ => (),
                },
                Ok(Message::Close(_)) => return Ok(()),
                Ok(_) => (),
                Err(error) => return Err(Error::plain(format!("error reading from error stream: {error}"))),
            }
            if output.len() + errors.len() > PIPED {
                return Err(Error::plain("the command wrote more than 256 MiB"));
            }
        }
        Ok(())
    };
    tokio::select! {
        outcome = read => outcome?,
        () = write => (),
        () = s.interrupted() => return Err(Error::Interrupted),
    }
    Ok((exit_code(status.as_ref())?, output, errors))
}

fn path(s: &Session<'_>, call: &Call<'_>) -> String {
    let verb = if call.command.is_some() { "exec" } else { "attach" };
    let mut query: Vec<String> = call.command.into_iter().flatten().map(|word| format!("command={}", escape(word))).collect();
    query.push(format!("container={}", escape(call.container)));
    let flags = [("stdin", call.stdin), ("stdout", true), ("stderr", !call.tty), ("tty", call.tty)];
    query.extend(flags.into_iter().filter(|(_, on)| *on).map(|(name, _)| format!("{name}=true")));
    format!("/api/v1/namespaces/{}/pods/{}/{verb}?{}", s.namespace, call.pod, query.join("&"))
}

fn resize(cols: u16, rows: u16) -> Message {
    let mut bytes = vec![4];
    bytes.extend(format!("{{\"Width\":{cols},\"Height\":{rows}}}\n").bytes());
    Message::Binary(Bytes::from(bytes))
}

async fn send<S>(socket: &mut S, channel: u8, bytes: &[u8])
where
    S: SinkExt<Message> + Unpin,
{
    for piece in bytes.chunks(32 << 10) {
        let mut message = vec![channel];
        message.extend_from_slice(piece);
        // A closed connection shows when reading; what was typed last is lost either way.
        let _ = socket.send(Message::Binary(Bytes::from(message))).await;
    }
}

fn receive(s: &mut Session<'_>, bytes: &[u8], status: &mut Option<Value>) {
    match bytes.split_first() {
        Some((1, bytes)) => s.write(Stream::Out, bytes),
        Some((2, bytes)) => s.write(Stream::Err, bytes),
        Some((3, bytes)) => *status = serde_json::from_slice(bytes).ok(),
        _ => (),
    }
}

/// A refused upgrade, in the words of the new dialect.
fn upgrade_error(s: &Session<'_>, error: &kube::Error) -> Error {
    match s.connection_error(error) {
        Error::Status(status) if status["reason"] == "InternalError" || status["reason"] == "" => {
            Error::plain(status["message"].as_str().unwrap_or("").to_string())
        }
        Error::Status(status) => {
            Error::plain(format!("unable to upgrade connection: {}", status["message"].as_str().unwrap_or("")))
        }
        other => other,
    }
}

/// Says how it ended, and gives the exit code.
fn finish(s: &mut Session<'_>, status: Option<Value>) -> Result<i32> {
    let code = exit_code(status.as_ref())?;
    if code != 0 {
        s.warn(&format!("command terminated with exit code {code}"));
    }
    Ok(code)
}

/// The exit code in the final status.
fn exit_code(status: Option<&Value>) -> Result<i32> {
    let Some(status) = status.filter(|v| v["status"] != "Success") else { return Ok(0) };
    let causes = status["details"]["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let code = causes.iter().find(|c| c["reason"] == "ExitCode").and_then(|c| c["message"].as_str()?.parse::<i32>().ok());
    let message = status["message"].as_str().unwrap_or("").to_string();
    match (status["reason"].as_str().unwrap_or(""), code) {
        ("NonZeroExitCode", Some(code)) => Ok(code),
        ("InternalError", _) if !message.starts_with("Internal error occurred") => {
            Err(Error::plain(format!("Internal error occurred: {message}")))
        }
        _ => Err(Error::plain(message)),
    }
}
