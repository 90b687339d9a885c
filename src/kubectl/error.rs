//! What went wrong, and the words kubectl has for it.

use serde_json::{Value, json};
use std::fmt::Write as _;

/// Why a command ends early.
#[derive(Debug, Clone)]
pub enum Error {
    /// The server refused: its `Status` object, perhaps with words put before the message.
    Status(Box<Value>),
    /// kubectl itself refuses: printed after `error: `.
    Plain(String),
    /// Printed as it stands.
    Said(String),
    /// Several errors: one line each.
    Many(Vec<Error>),
    /// Standard output that came before an error.
    After(String, Box<Error>),
    /// An error with an exit code of its own.
    Coded(i32, Box<Error>),
    /// The learner pressed Ctrl-C.
    Interrupted,
}

/// The result of a step of a command.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// `error: ...`.
    pub fn plain(text: impl Into<String>) -> Error {
        Error::Plain(text.into())
    }

    /// A mistake in the command line: kubectl adds where to look.
    pub fn usage(verb: &str, text: impl AsRef<str>) -> Error {
        Error::Said(format!("error: {}\nSee 'kubectl {verb} --help' for usage.", text.as_ref()))
    }

    /// The same error, with what is printed before it.
    pub fn after(self, output: String) -> Error {
        Error::After(output, Box::new(self))
    }

    /// What this program does not imitate.
    pub fn not_simulated(what: &str) -> Error {
        Error::Plain(crate::base::not_simulated(what))
    }

    /// A 404 answer for the type itself.
    pub fn no_type(argument: &str) -> Error {
        match argument.split_once('.') {
            Some((_, group)) if group.contains('.') || !group.is_empty() => {
                let resource = argument.split('.').next().unwrap_or(argument);
                Error::Plain(format!("the server doesn't have a resource type \"{resource}\" in group \"{group}\""))
            }
            _ => Error::Plain(format!("the server doesn't have a resource type \"{argument}\"")),
        }
    }

    /// The `reason` of a server's refusal, "" for anything else.
    pub fn reason(&self) -> &str {
        match self {
            Error::Status(status) => status["reason"].as_str().unwrap_or(""),
            _ => "",
        }
    }

    /// Whether the object or the path does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Error::Status(status) if status["reason"] == "NotFound" || status["code"] == 404)
    }

    /// Whether a version is no longer kept.
    pub fn is_stale(&self) -> bool {
        matches!(self, Error::Status(status) if status["code"] == 410)
    }

    /// The message without kubectl's `Error from server` in front.
    pub fn message(&self) -> String {
        match self {
            Error::Status(status) => status["message"].as_str().unwrap_or("").to_string(),
            Error::Plain(text) | Error::Said(text) => text.clone(),
            Error::Many(errors) => errors.iter().map(Error::message).collect::<Vec<_>>().join(", "),
            Error::After(_, error) | Error::Coded(_, error) => error.message(),
            Error::Interrupted => String::new(),
        }
    }

    /// The same refusal with words before its message: `error when creating "f.yaml": ...`.
    pub fn prefixed(self, prefix: &str) -> Error {
        match self {
            Error::Status(mut status) => {
                let message = format!("{prefix}: {}", status["message"].as_str().unwrap_or(""));
                status["message"] = Value::String(message);
                Error::Status(status)
            }
            Error::Plain(text) => Error::Plain(format!("{prefix}: {text}")),
            other => other,
        }
    }

    /// What goes to standard error; "" when nothing does.
    pub fn text(&self) -> String {
        match self {
            Error::Status(status) => status_text(status),
            Error::Plain(text) if text.starts_with("error: ") => text.clone(),
            Error::Plain(text) => format!("error: {text}"),
            Error::Said(text) => text.clone(),
            Error::Many(errors) => {
                let texts = errors.iter().map(|e| match e {
                    Error::Plain(text) if errors.len() > 1 => text.clone(),
                    other => other.text(),
                });
                texts.collect::<Vec<_>>().join("\n")
            }
            Error::After(_, error) | Error::Coded(_, error) => error.text(),
            Error::Interrupted => String::new(),
        }
    }

    /// The exit code.
    pub fn code(&self) -> i32 {
        match self {
            Error::Interrupted => 130,
            Error::Coded(code, _) => *code,
            _ => 1,
        }
    }

    /// One error for several: none is fine, one is itself.
    ///
    /// # Errors
    /// The errors, when there are any.
    pub fn all(mut errors: Vec<Error>) -> Result<()> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(Error::Many(errors)),
        }
    }
}

/// A `Status` for an answer that is none (plain text 404, an empty 500).
pub fn status_from_answer(code: u16, body: &str) -> Value {
    if let Ok(value) = serde_json::from_str::<Value>(body)
        && value["kind"] == "Status"
    {
        return value;
    }
    let (reason, message) = match code {
        404 => ("NotFound", "the server could not find the requested resource".to_string()),
        401 => ("Unauthorized", "the server has asked for the client to provide credentials".to_string()),
        403 => ("Forbidden", body.trim().to_string()),
        405 => ("MethodNotAllowed", "the server does not allow this method on the requested resource".to_string()),
        415 => ("UnsupportedMediaType", body.trim().to_string()),
        500.. => ("InternalError", format!("an error on the server ({body:?}) has prevented the request from succeeding")),
        _ => ("", body.trim().to_string()),
    };
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code})
}

fn status_text(status: &Value) -> String {
    let message = status["message"].as_str().unwrap_or("");
    match status["reason"].as_str().unwrap_or("") {
        "Invalid" => invalid_text(status, message),
        "Unauthorized" => format!("error: You must be logged in to the server ({message})"),
        "" => format!("Error from server: {message}"),
        reason => format!("Error from server ({reason}): {message}"),
    }
}

/// kubectl rebuilds the text of a 422 from the causes.
fn invalid_text(status: &Value, message: &str) -> String {
    let details = &status["details"];
    let causes = details["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let (kind, name) = (details["kind"].as_str().unwrap_or(""), details["name"].as_str().unwrap_or(""));
    let mut text = String::from("The request is invalid");
    if !kind.is_empty() || !name.is_empty() {
        text = format!("The {kind} {name:?} is invalid");
    } else if !message.is_empty() && causes.is_empty() {
        let _ = write!(text, ": {message}");
    }
    let mut lines: Vec<String> = Vec::new();
    for cause in causes {
        let line = cause_text(cause);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    match lines.as_slice() {
        [] => text,
        [one] => format!("{text}: {one}"),
        many => format!("{text}: \n{}", many.iter().map(|l| format!("* {l}")).collect::<Vec<_>>().join("\n")),
    }
}

fn cause_text(cause: &Value) -> String {
    let message = cause["message"].as_str().unwrap_or("");
    match cause["field"].as_str().unwrap_or("") {
        "" => message.to_string(),
        field => format!("{field}: {message}"),
    }
}

/// What is said when the server cannot be reached.
pub fn unreachable(error: &kube::Error, server: &str) -> Error {
    let mut causes = format!("{error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes = cause.to_string();
        source = cause.source();
    }
    let host = server.split_once("://").map_or(server, |(_, rest)| rest).trim_end_matches('/');
    match causes.to_ascii_lowercase().contains("refused") {
        true => Error::Said(format!("The connection to the server {host} was refused - did you specify the right host or port?")),
        false => Error::Said(format!("Unable to connect to the server: {causes}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid(causes: Value) -> Error {
        Error::Status(Box::new(json!({
            "reason": "Invalid", "message": "m", "details": {"kind": "ServiceEntry", "name": "x", "causes": causes}
        })))
    }

    #[test]
    fn the_words_are_kubectls() {
        let not_found = json!({"reason": "NotFound", "message": "pods \"x\" not found"});
        let rows = [
            (Error::Status(Box::new(not_found.clone())), "Error from server (NotFound): pods \"x\" not found"),
            (
                Error::Status(Box::new(not_found)).prefixed("error when deleting \"cm.yaml\""),
                "Error from server (NotFound): error when deleting \"cm.yaml\": pods \"x\" not found",
            ),
            (invalid(json!([{"field": "spec.a", "message": "bad"}])), "The ServiceEntry \"x\" is invalid: spec.a: bad"),
            (
                invalid(json!([{"field": "spec.a", "message": "bad"}, {"field": "spec.b", "message": "worse"}])),
                "The ServiceEntry \"x\" is invalid: \n* spec.a: bad\n* spec.b: worse",
            ),
            (
                Error::Status(Box::new(json!({"reason": "Invalid", "message": "patch: no", "details": {}}))),
                "The request is invalid: patch: no",
            ),
            (Error::plain("boo"), "error: boo"),
            (Error::no_type("foo"), "error: the server doesn't have a resource type \"foo\""),
        ];
        for (error, want) in rows {
            assert_eq!(error.text(), want);
        }
    }
}
