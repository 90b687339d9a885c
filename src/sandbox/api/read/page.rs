//! Lists in parts: which state a list shows, where a part begins, the token that leads to the next one.

use crate::k8s::{Kind, Object, base64};
use crate::sandbox::api::go_json;
use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::world::View;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a list asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The state to show; `None`: the newest.
    pub exact: Option<u64>,
    /// Namespace and name after which it begins.
    pub after: Option<(String, String)>,
    /// How many objects at most; 0: all.
    pub limit: usize,
    /// The state that a token leads to is forgotten.
    pub expired: bool,
}

impl Page {
    /// Reads the query of a list.
    ///
    /// # Errors
    /// 400 for what is no number or token, 504 for a version that is not there yet, 410 for one that is forgotten.
    pub fn read(view: &View, call: &Call) -> Result<Page, Refusal> {
        let limit = usize::try_from(number(call, "limit")?.unwrap_or(0)).unwrap_or(0);
        let token = call.param("continue").unwrap_or("");
        let text = call.param("resourceVersion").unwrap_or("");
        if !token.is_empty() {
            let (version, after) = read_token(token)?;
            if !matches!(text, "" | "0") {
                return Err(Refusal::bad_request("specifying resource version is not allowed when using continue"));
            }
            return Page::resumed(view, version, after, limit);
        }
        let Some(version) = resource_version(call)? else { return Ok(Page { limit, ..Page::default() }) };
        if version > view.revision() {
            return Err(too_large(version, view.revision()));
        }
        let exact = match call.param("resourceVersionMatch").unwrap_or("") {
            "Exact" => true,
            // A part of a list at a version is a part of the list at that version.
            "" => version > 0 && limit > 0,
            _ => false,
        };
        if exact && version < view.store.forgotten() {
            return Err(Refusal::new(410, "Expired", "The resourceVersion for the provided list is too old."));
        }
        // Version 0 means whatever is at hand, and all of it.
        let limit = if version == 0 { 0 } else { limit };
        Ok(Page { exact: exact.then_some(version), limit, ..Page::default() })
    }

    /// The next part of a list, in the state of its first part.
    fn resumed(view: &View, version: i64, after: (String, String), limit: usize) -> Result<Page, Refusal> {
        // A negative version is what an expired token was exchanged for: the rest of the newest state.
        let Ok(version) = u64::try_from(version) else { return Ok(Page { after: Some(after), limit, ..Page::default() }) };
        if version > view.revision() {
            return Err(too_large(version, view.revision()));
        }
        let expired = version < view.store.forgotten();
        Ok(Page { exact: Some(version), after: Some(after), limit, expired })
    }
}

/// 410 with a token that goes on in the newest state.
pub fn expired(after: &(String, String)) -> Answer {
    let message = "The provided continue parameter is too old to display a consistent list result. You can start a new list without \
                   the continue parameter, or use the continue token in this response to retrieve the remainder of the results. \
                   Continuing with the provided token results in an inconsistent list - objects that were created, modified, or \
                   deleted between the time the first chunk was returned and now may show up in the list.";
    let mut status = Refusal::new(410, "Expired", message).status();
    status["metadata"]["continue"] = json!(token(-1, &after.0, &after.1));
    Answer::json(410, &status)
}

/// 504: a version that is not there yet.
pub fn too_large(asked: u64, current: u64) -> Refusal {
    let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
    let causes = json!([{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]);
    Refusal { details: json!({"causes": causes, "retryAfterSeconds": 1}), ..Refusal::new(504, "Timeout", message) }
}

/// The objects of a kind as they were at a version that is still known, by namespace and name.
pub fn past(view: &View, kind: &Kind, namespace: &str, version: u64) -> Vec<Arc<Object>> {
    let snapshot = view.store.snapshot();
    let now: Vec<&Arc<Object>> = match namespace {
        "" => snapshot.list(&kind.group, &kind.kind).collect(),
        ns => snapshot.list_in(&kind.group, &kind.kind, ns).collect(),
    };
    let mut state: BTreeMap<(String, String), Arc<Object>> =
        now.into_iter().map(|o| ((o.namespace().to_string(), o.name().to_string()), o.clone())).collect();
    let changes: Vec<_> = view.store.since_of(kind, version).into_iter().flatten().collect();
    for change in changes.into_iter().rev() {
        if !namespace.is_empty() && change.key.namespace != namespace {
            continue;
        }
        let place = (change.key.namespace.clone(), change.key.name.clone());
        match &change.before {
            Some(before) => drop(state.insert(place, before.clone())),
            None => drop(state.remove(&place)),
        }
    }
    state.into_values().collect()
}

/// The token that leads to what comes after an object.
pub fn token(version: i64, namespace: &str, name: &str) -> String {
    let text = json!({"v": "meta.k8s.io/v1", "rv": version, "start": format!("{namespace}/{name}\u{0}")}).to_string();
    base64::encode(text.as_bytes()).trim_end_matches('=').replace('+', "-").replace('/', "_")
}

fn read_token(token: &str) -> Result<(i64, (String, String)), Refusal> {
    let bad = |why: &str| Refusal::bad_request(format!("invalid continue token: continue key is not valid{why}"));
    let bytes = unescaped(token).map_err(|at| bad(&format!(": illegal base64 data at input byte {at}")))?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|e| bad(&format!(": {}", go_json::problem(&bytes, &e))))?;
    if value["v"] != "meta.k8s.io/v1" {
        let version = value["v"].as_str().unwrap_or("");
        return Err(bad(&format!(": server does not recognize this encoded version {version}")));
    }
    let version = value["rv"].as_i64().filter(|version| *version != 0);
    let version = version.ok_or_else(|| bad(": incorrect encoded start resourceVersion (version meta.k8s.io/v1)"))?;
    let start = value["start"].as_str().unwrap_or("");
    if start.is_empty() {
        return Err(bad(": encoded start key empty (version meta.k8s.io/v1)"));
    }
    if start.split('/').any(|part| matches!(part, "." | "..")) || start.contains("//") {
        return Err(bad(&format!(": {start}")));
    }
    let start = start.trim_end_matches('\u{0}');
    let (namespace, name) = start.split_once('/').unwrap_or(("", start));
    Ok((version, (namespace.into(), name.into())))
}

/// Base64 of the web without padding. The error is where Go finds one.
fn unescaped(token: &str) -> Result<Vec<u8>, usize> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if let Some(at) = token.bytes().position(|b| !good(b)) {
        return Err(at);
    }
    if token.len() % 4 == 1 {
        return Err(token.len() - 1);
    }
    let padded = format!("{}{}", token.replace('-', "+").replace('_', "/"), &"=="[..(4 - token.len() % 4) % 4]);
    base64::decode(&padded)
}

/// A number in a query.
///
/// # Errors
/// 400 in the words of Go's reader of numbers.
pub fn number(call: &Call, name: &str) -> Result<Option<i64>, Refusal> {
    let Some(text) = call.param(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let why = if is_number { "value out of range" } else { "invalid syntax" };
    text.parse().map(Some).map_err(|_| Refusal::bad_request(format!("strconv.ParseInt: parsing {text:?}: {why}")))
}

/// The `resourceVersion` of a query, `None` when unset.
///
/// # Errors
/// 400 when it is no number.
pub fn resource_version(call: &Call) -> Result<Option<u64>, Refusal> {
    let Some(text) = call.param("resourceVersion").filter(|text| !text.is_empty()) else { return Ok(None) };
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let why = if digits { "value out of range" } else { "invalid syntax" };
    match text.parse() {
        Ok(version) if digits => Ok(Some(version)),
        _ => {
            let parsing = format!("strconv.ParseUint: parsing {text:?}: {why}");
            let message = format!("invalid resource version: resourceVersion: Invalid value: {text:?}: {parsing}");
            Err(Refusal::bad_request(message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_lead_on_and_bent_ones_are_refused() {
        assert_eq!(read_token(&token(7, "a", "b")), Ok((7, ("a".into(), "b".into()))));
        assert_eq!(read_token(&token(-1, "", "b")), Ok((-1, (String::new(), "b".into()))));
        let encode = |value: Value| base64::encode(value.to_string().as_bytes()).trim_end_matches('=').to_string();
        for (token, why) in [
            ("bogus".to_string(), "illegal base64 data at input byte 4"),
            ("%%%".into(), "illegal base64 data at input byte 0"),
            (encode(json!({"v": "x", "rv": 1, "start": "a"})), "server does not recognize this encoded version x"),
            (
                encode(json!({"v": "meta.k8s.io/v1", "start": "a"})),
                "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
            ),
            (encode(json!({"v": "meta.k8s.io/v1", "rv": 1})), "encoded start key empty (version meta.k8s.io/v1)"),
            (encode(json!({"v": "meta.k8s.io/v1", "rv": 1, "start": "/../x"})), "/../x"),
        ] {
            let refusal = read_token(&token).expect_err(&token);
            assert_eq!(refusal.message, format!("invalid continue token: continue key is not valid: {why}"));
        }
    }
}
