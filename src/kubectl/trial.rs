//! What applying an object would make, asked of the server as `kubectl apply` would ask, in a dry run: for editors and previews.

use super::diff::{hide, merged};
use super::error::Error;
use super::flags::Parsed;
use super::manifest;
use super::print::output::without_managed_fields;
use super::session::{Ask, Session};
use super::{Context, explain};
use crate::base::files::Files;
use crate::base::io::{Io, Stream};
use crate::k8s::shape::Shape;
use serde_json::Value;
use std::sync::Arc;

/// What became of an object in a dry run.
#[derive(Debug, Clone)]
pub struct Trial {
    /// "" for cluster-scoped kinds.
    pub namespace: String,
    /// What is there now; null when nothing is. Without managed fields.
    pub live: Value,
    /// What would be there, as the server made it.
    pub made: Result<Value, Refusal>,
    /// Warnings of the server.
    pub warnings: Vec<String>,
}

/// Why the server does not take an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The whole message, without kubectl's `Error from server`.
    pub message: String,
    /// The reason's name (`Invalid`), "" when the server was not asked.
    pub reason: String,
    /// Field and message, where the server lists them.
    pub causes: Vec<(String, String)>,
    /// The server could not be asked at all.
    pub unreachable: bool,
}

impl Refusal {
    fn of(error: &Error) -> Refusal {
        let causes = match error {
            Error::Status(status) => status["details"]["causes"].as_array().cloned().unwrap_or_default(),
            _ => Vec::new(),
        };
        let text = |value: &Value| value.as_str().unwrap_or("").to_string();
        let causes =
            causes.iter().map(|c| (text(&c["field"]), text(&c["message"]))).filter(|(f, m)| !f.is_empty() || !m.is_empty());
        // The text has no file of its own that a sentence could name.
        let message = error.message().replace(&format!(" from {SOURCE:?}"), "");
        let unreachable = message.starts_with("Unable to connect to the server") || message.contains("connection refused");
        Refusal { causes: causes.collect(), reason: error.reason().to_string(), unreachable, message }
    }
}

/// What stands for the file of an object in kubectl's sentences.
const SOURCE: &str = "FILE";

/// Asks what applying an object would make, with strict validation. Changes nothing.
pub async fn trial(ctx: &Context, files: &Arc<dyn Files>, object: &Value) -> Trial {
    let (mut io, heard) = Io::collecting(files.clone());
    let mut trial = Trial { namespace: String::new(), live: Value::Null, made: Ok(Value::Null), warnings: Vec::new() };
    let made = ask(&mut Session::new(ctx, &mut io, "apply", &Parsed::default()), object, &mut trial).await;
    trial.made = made.map_err(|error| Refusal::of(&error));
    let said = heard.text(Stream::Err);
    trial.warnings = said.lines().map(|line| line.trim_start_matches("Warning: ").to_string()).collect();
    trial
}

async fn ask(s: &mut Session<'_>, object: &Value, trial: &mut Trial) -> Result<Value, Error> {
    let parsed = Parsed::default();
    let (mut items, errors) = manifest::place(s, vec![(SOURCE.to_string(), object.clone())]).await?;
    Error::all(errors)?;
    let Some(item) = items.pop() else { return Err(Error::plain("no objects passed to apply")) };
    trial.namespace = item.namespace.clone();
    let live = match s.json(Ask::get(item.resource.object_path(&item.namespace, item.name()))).await {
        Ok(live) => live,
        Err(error) if error.is_not_found() => Value::Null,
        Err(error) => return Err(error),
    };
    let made = merged(s, &parsed, &item, &live, "Strict").await;
    trial.live = if live.is_null() { live } else { without_managed_fields(live) };
    let mut made = without_managed_fields(made?);
    if item.resource.kind == "Secret" && item.resource.group.is_empty() {
        hide(&mut trial.live, &mut made);
    }
    Ok(made)
}

/// The fields of a kind as the server's OpenAPI has them.
///
/// # Errors
/// The server has no such kind, or cannot be asked; its words.
pub async fn shape(ctx: &Context, files: &Arc<dyn Files>, api_version: &str, kind: &str) -> Result<Shape, String> {
    let (mut io, _) = Io::collecting(files.clone());
    let mut session = Session::new(ctx, &mut io, "explain", &Parsed::default());
    explain::shape(&mut session, api_version, kind).await.map_err(|error| error.message())
}
