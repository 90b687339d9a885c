//! What the API server says to a manifest without taking it: YAML, schema, unknown fields, webhooks - each at its line.

use super::Manifests;
use super::spot::Spots;
use crate::base::text::nearest;
use crate::base::yaml::{self, Document};
use crate::k8s::shape::{Shape, Step};
use crate::k8s::templates;
use crate::kubectl::trial::{self, Refusal, Trial};
use crate::session::desk::manifest::{Checked, Grade, Problem};
use serde_json::Value;
use std::collections::BTreeSet;

/// Objects of one text that are checked.
pub const MOST_OBJECTS: usize = 100;
/// Bytes of a text that is checked.
pub const MOST_BYTES: usize = 1 << 20;
/// Problems that are told.
const MOST_PROBLEMS: usize = 100;
/// How long typing has to rest before the server is asked again, in milliseconds.
const REST_MS: u64 = 150;

/// One object of a text and what the server says to it.
pub struct Tried {
    pub object: Value,
    pub trial: Trial,
}

/// A text that was tried.
#[derive(Default)]
pub struct Findings {
    pub problems: Vec<Problem>,
    pub tried: Vec<Tried>,
}

impl Manifests<'_> {
    /// Checks a text for an editor. Waits a little first, so that fast typing asks seldom.
    pub async fn check(&self, text: &str) -> Checked {
        tokio::time::sleep(std::time::Duration::from_millis(REST_MS)).await;
        let found = self.try_text(text).await;
        let good = found.tried.iter().filter(|tried| tried.trial.made.is_ok()).count();
        Checked { problems: found.problems, good, blanks: blanks(text) }
    }

    /// Tries every object of a text.
    pub async fn try_text(&self, text: &str) -> Findings {
        let mut found = Findings::default();
        if text.len() > MOST_BYTES {
            found.problems.push(at((1, 1), Grade::Unsure, "The text is larger than 1 MiB and is not checked; split it."));
            return found;
        }
        let mut documents = Vec::new();
        for document in yaml::each_document(text) {
            match document {
                Ok(document) => documents.push(document),
                Err(error) => found.problems.push(syntax(&error)),
            }
        }
        let made: BTreeSet<String> =
            documents.iter().filter(|d| d.value["kind"] == "Namespace").map(|d| name(&d.value)).collect();
        for document in documents.iter().take(MOST_OBJECTS) {
            self.document(document, &made, &mut found).await;
        }
        if documents.len() > MOST_OBJECTS {
            let line = documents[MOST_OBJECTS].line;
            found.problems.push(at((line, 1), Grade::Unsure, "Only the first 100 objects are checked; split the file."));
        }
        found.problems.sort_by_key(|p| (p.line, p.column));
        found.problems.truncate(MOST_PROBLEMS);
        found
    }

    async fn document(&self, document: &Document, made: &BTreeSet<String>, found: &mut Findings) {
        let spots = Spots::of(document);
        if let Some(problem) = shapeless(&document.value, &spots) {
            return found.problems.push(problem);
        }
        let items = match document.value["items"].as_array().filter(|_| text(&document.value["kind"]).ends_with("List")) {
            Some(items) => items.iter().take(MOST_OBJECTS).collect(),
            None => vec![&document.value],
        };
        let open = blanks(&document.text);
        if !open.is_empty() {
            found.problems.extend(open.into_iter().map(|(line, blank)| Problem {
                next: "Write over it; Tab goes from blank to blank in the editor.".into(),
                ..at((document.line + line - 1, 1), Grade::Refused, &format!("The blank {blank} is still open."))
            }));
            return;
        }
        for object in items {
            let trial = trial::trial(&self.prompt.kubectl, &self.prompt.files, object).await;
            if let Err(refusal) = &trial.made {
                let shape = match refusal.message.contains("unknown field") {
                    true => self.shape(text(&object["apiVersion"]), text(&object["kind"])).await.ok(),
                    false => None,
                };
                found.problems.extend(refused(refusal, &spots, made, shape.as_deref()));
            }
            found.problems.extend(trial.warnings.iter().map(|said| {
                let field = spots.named_in(said);
                let place = spots.field(&field);
                Problem { field, ..at(place, Grade::Unsure, said) }
            }));
            found.tried.push(Tried { object: object.clone(), trial });
        }
    }
}

fn at((line, column): (usize, usize), grade: Grade, what: &str) -> Problem {
    Problem { line, column, grade, field: String::new(), what: what.into(), next: String::new() }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn name(object: &Value) -> String {
    text(&object["metadata"]["name"]).to_string()
}

fn syntax(error: &yaml::Error) -> Problem {
    let next = match error.message.as_str() {
        m if m.contains("a tab") => "Indent with spaces: two for each level.",
        m if m.contains("mapping values are not allowed") => {
            "A value with a colon needs quotes; else the line above or this one is indented wrongly."
        }
        m if m.contains("did not find expected key") => "Look at the indentation: fields of one object begin in the same column.",
        m if m.contains("unclosed quote") => "Close the quote.",
        m if m.contains("bracket") => "Close the bracket.",
        m if m.contains("anchor") || m.contains("alias") => "Name the anchor (`&NAME`) above the place that uses it (`*NAME`).",
        _ => "Look at the indentation and at the end of the line above.",
    };
    Problem { next: next.into(), ..at((error.line, error.column), Grade::Syntax, &format!("This is no YAML: {}", error.message)) }
}

/// What is no object of Kubernetes at all.
fn shapeless(value: &Value, spots: &Spots) -> Option<Problem> {
    let missing = |what: &str, next: &str| Some(Problem { next: next.into(), ..at(spots.field(""), Grade::Refused, what) });
    if !value.is_object() {
        return missing("This document is no object.", "It needs `apiVersion:`, `kind:` and `metadata:` at its left edge.");
    }
    match (text(&value["apiVersion"]), text(&value["kind"])) {
        ("", _) => missing("apiVersion is not set.", "For instance `apiVersion: networking.istio.io/v1`, or `v1` for a Pod."),
        (_, "") => missing("kind is not set.", "For instance `kind: ServiceEntry`."),
        _ => None,
    }
}

/// The server's refusal as problems at their places.
fn refused(refusal: &Refusal, spots: &Spots, made: &BTreeSet<String>, shape: Option<&Shape>) -> Vec<Problem> {
    let problem = |field: String, what: String| {
        let next = advice(refusal, &field, &what, made, shape);
        let grade = match refusal.unreachable || is_made_here(refusal, made) {
            true => Grade::Unsure,
            false => Grade::Refused,
        };
        Problem { field: field.clone(), next, ..at(spots.field(&field), grade, &what) }
    };
    let unknown = unknown_fields(&refusal.message);
    if !unknown.is_empty() {
        return unknown.into_iter().map(|(words, field)| problem(field.to_string(), words.to_string())).collect();
    }
    let listed: Vec<Problem> = refusal
        .causes
        .iter()
        .filter(|(field, _)| !field.is_empty())
        .map(|(field, message)| problem(field.trim_start_matches("<nil>").to_string(), format!("{field}: {message}")))
        .collect();
    match listed.is_empty() {
        false => listed,
        true => vec![problem(spots.named_in(&refusal.message), refusal.message.clone())],
    }
}

/// The pieces of a strict decoding error: `unknown field "spec.hostz"`, `duplicate field "x"`.
fn unknown_fields(message: &str) -> Vec<(&str, &str)> {
    let Some((_, list)) = message.split_once("strict decoding error: ") else { return Vec::new() };
    let one = |words: &'_ str| -> Option<(usize, usize)> {
        let open = words.find('"')? + 1;
        Some((open, open + words[open..].find('"')?))
    };
    list.split(", ").filter_map(|words| one(words).map(|(from, to)| (words, &words[from..to]))).collect()
}

/// Whether all that is wrong is a namespace that the same text makes.
fn is_made_here(refusal: &Refusal, made: &BTreeSet<String>) -> bool {
    refusal.reason == "NotFound" && made.iter().any(|ns| refusal.message.contains(&format!("namespaces \"{ns}\" not found")))
}

/// What to do about a refusal, as far as its words do not say it.
fn advice(refusal: &Refusal, field: &str, what: &str, made: &BTreeSet<String>, shape: Option<&Shape>) -> String {
    let message = &refusal.message;
    if refusal.unreachable {
        return "The server could not be asked; what is written may be right.".into();
    }
    if is_made_here(refusal, made) {
        return "The namespace is made by this file; this object can be checked once it is there.".into();
    }
    if what.contains("unknown field") {
        return match shape.and_then(|shape| meant(shape, field)) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => "`kubectl explain KIND.spec` lists the fields; perhaps it belongs at another indentation.".into(),
        };
    }
    let next = match () {
        () if message.contains("duplicate field") => "Remove one of the two.",
        () if refusal.reason == "NotFound" && message.starts_with("namespaces ") => {
            "Make the namespace first (`kubectl create namespace NAME`), or name one that exists."
        }
        () if message.contains("no matches for kind") => {
            "Look at apiVersion and kind; Istio's kinds are there once Istio is installed (`istioctl install`)."
        }
        () if message.contains("failed calling webhook") => {
            "Istio's control plane did not answer: `kubectl get pods -n istio-system` shows whether istiod is ready."
        }
        () if message.contains("immutable") => "Such a field cannot change: delete the object and create it anew.",
        () if refusal.reason == "Forbidden" => "Your user may not do this here; `kubectl auth can-i --list` shows what it may.",
        () if what.contains("Required value") => "Add the field.",
        () if what.contains("Invalid value") && what.contains("must be of type") => {
            "Write a value of that type; quotes make text of a number."
        }
        () if message.contains("resource name may not be empty") => "Give it a name: `metadata:`, below it `name: ..`.",
        () => "",
    };
    next.into()
}

/// The field of the schema that an unknown one looks like.
fn meant(shape: &Shape, field: &str) -> Option<String> {
    let (path, last) = field.rsplit_once('.').unwrap_or(("", field));
    let parent = shape.at(&steps(path))?;
    let names = parent.fields.iter().map(|(name, _)| name.as_str());
    nearest(last, names).map(str::to_string)
}

/// `spec.ports[0]` as a path of a schema.
fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for piece in path.split('.').filter(|piece| !piece.is_empty()) {
        let (name, rest) = piece.split_once('[').map_or((piece, ""), |(name, rest)| (name, rest));
        if !name.is_empty() {
            steps.push(Step::Key(name.to_string()));
        }
        steps.extend(rest.matches(']').map(|_| Step::Item));
    }
    steps
}

/// Blanks that are still open, with their 1-based lines.
fn blanks(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(range) = templates::next_blank(text, from).filter(|_| found.len() < MOST_PROBLEMS) {
        from = range.end;
        found.push((1 + text[..range.start].matches('\n').count(), text[range].to_string()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_decoding_errors_come_apart() {
        let message = "ServiceEntry in version \"v1\" cannot be handled as a ServiceEntry: strict decoding error: unknown field \
                       \"spec.hostz\", duplicate field \"metadata.name\"";
        let found = unknown_fields(message);
        assert_eq!(
            found,
            [("unknown field \"spec.hostz\"", "spec.hostz"), ("duplicate field \"metadata.name\"", "metadata.name")]
        );
        assert_eq!(unknown_fields("nothing of the kind"), []);
    }

    #[test]
    fn paths_of_servers_are_paths_of_schemas() {
        let key = |name: &str| Step::Key(name.into());
        assert_eq!(steps("spec.ports[0].name"), [key("spec"), key("ports"), Step::Item, key("name")]);
        assert_eq!(steps(""), []);
    }
}
