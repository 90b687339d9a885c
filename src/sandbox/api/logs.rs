//! `pods/NAME/log`.

use crate::base::clock::Time;
use crate::sandbox::api::route::Target;
use crate::sandbox::api::status::{self, Cause};
use crate::sandbox::api::{node_refusal, read};
use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::node::logs::{self, LogQuery};
use crate::sandbox::world::World;
use serde_json::json;

/// Reads the options (pkg/apis/core/validation: `ValidatePodLogOptions`).
///
/// # Errors
/// 400 for what is no number or time, 422 about PodLogOptions, 501 for one stream of the two.
pub fn query(call: &Call, target: &Target) -> Result<LogQuery, Refusal> {
    let number = |name: &str| -> Result<Option<i64>, Refusal> {
        let Some(text) = call.param(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        let why = match text.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit()) && text != "-" {
            true => "value out of range",
            false => "invalid syntax",
        };
        let wrong = |_| Refusal::bad_request(format!("strconv.ParseInt: parsing {text:?}: {why}"));
        text.parse().map(Some).map_err(wrong)
    };
    let since_time = match call.param("sinceTime").filter(|text| !text.is_empty()) {
        Some(text) => Some(Time::parse(text).ok_or_else(|| {
            let layout = "2006-01-02T15:04:05Z07:00";
            Refusal::bad_request(format!("parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\""))
        })?),
        None => None,
    };
    let (tail, since, limit) = (number("tailLines")?, number("sinceSeconds")?, number("limitBytes")?);
    let mut causes = Vec::new();
    let mut at_least = |name: &str, value: Option<i64>, least: i64, why: &str| {
        causes.extend(value.filter(|n| *n < least).map(|n| Cause::invalid(name, &json!(n), why)));
    };
    at_least("tailLines", tail, 0, "must be greater than or equal to 0");
    at_least("limitBytes", limit, 1, "must be greater than 0");
    if since.is_some() && since_time.is_some() {
        causes.push(Cause::forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"));
    } else {
        causes.extend(since.filter(|n| *n < 1).map(|n| Cause::invalid("sinceSeconds", &json!(n), "must be greater than 0")));
    }
    let stream = call.param("stream").filter(|s| !s.is_empty()).unwrap_or("All");
    if !["All", "Stdout", "Stderr"].contains(&stream) {
        causes.push(Cause::unsupported("stream", &json!(stream), &["All", "Stderr", "Stdout"]));
    } else if stream != "All" && tail.is_some() {
        causes.push(Cause::forbidden("", "`tailLines` and specific `stream` are mutually exclusive for now"));
    }
    if !causes.is_empty() {
        return Err(status::invalid("", "PodLogOptions", &target.name, causes));
    }
    if stream != "All" {
        return Err(Refusal::not_simulated(&format!("logs of {stream} alone")));
    }
    Ok(LogQuery {
        namespace: target.namespace.clone(),
        pod: target.name.clone(),
        container: call.param("container").filter(|c| !c.is_empty()).map(String::from),
        previous: call.flag("previous"),
        timestamps: call.flag("timestamps"),
        tail_lines: tail.and_then(|n| usize::try_from(n).ok()),
        since_seconds: since,
        since_time,
        limit_bytes: limit.and_then(|n| usize::try_from(n).ok()),
    })
}

/// The log so far.
///
/// # Errors
/// As [`query`]; 404 and 400 about the pod and its container.
pub fn read_all(world: &mut World, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let pod = read::find(world, target)?;
    let query = query(call, target)?;
    logs::choose(&pod, query.container.as_deref()).map_err(|refusal| node_refusal(refusal, &target.name))?;
    if pod.str_at(&["spec", "nodeName"]).is_empty() {
        return Ok(Answer { status: 204, ..Answer::default() });
    }
    let read = world.node.log(&query, world.store.snapshot(), world.now);
    let (text, _) = read.map_err(|refusal| node_refusal(refusal, &target.name))?;
    if !query.previous {
        world.log_was_read(&query);
    }
    let headers = vec![("content-type".to_string(), "text/plain".to_string())];
    Ok(Answer { status: 200, headers, body: text })
}
