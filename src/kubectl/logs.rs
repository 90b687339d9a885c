//! `kubectl logs`.

use super::error::{Error, Result};
use super::fetch::{self, Filter};
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::pods;
use super::select;
use super::session::{Ask, Bytes, Session};
use crate::base::duration::go_duration_ms;
use crate::base::io::Stream;
use futures::StreamExt;
use serde_json::Value;

pub const FLAGS: &[Flag] = &[
    short("container", 'c', Takes::Text, "which container of the pod"),
    flag("all-containers", Takes::Bool, "every container of the pod"),
    flag("all-pods", Takes::Bool, "every pod behind TYPE/NAME"),
    short("follow", 'f', Takes::Bool, "go on printing as it is written"),
    short("previous", 'p', Takes::Bool, "of the container's life before this one"),
    flag("tail", Takes::Int, "only the last N lines (10 with -l)"),
    flag("since", Takes::Text, "only what is newer than this, e.g. 5m"),
    flag("since-time", Takes::Text, "only what is newer than this moment"),
    flag("timestamps", Takes::Bool, "put the time before each line"),
    flag("prefix", Takes::Bool, "put pod and container before each line"),
    flag("limit-bytes", Takes::Int, "no more than this many bytes"),
    flag("max-log-requests", Takes::Int, "how many logs may be followed at once (default 5)"),
    flag("ignore-errors", Takes::Bool, "go on when a log cannot be read"),
    flag("pod-running-timeout", Takes::Text, "how long to wait for the pod to run"),
];

/// One log to read.
struct Source {
    pod: String,
    container: String,
}

/// Runs `kubectl logs`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let sources = sources(s, p).await?;
    let limit = p.int("max-log-requests").unwrap_or(5).max(1) as usize;
    if p.on("follow") && sources.len() > limit {
        return Err(Error::plain(format!(
            "you are attempting to follow {} log streams, but maximum allowed concurrency is {limit}, use --max-log-requests to increase the limit",
            sources.len()
        )));
    }
    match p.on("follow") && sources.len() > 1 {
        true => together(s, p, &sources).await,
        false => one_by_one(s, p, &sources).await,
    }
}

async fn sources(s: &mut Session<'_>, p: &Parsed) -> Result<Vec<Source>> {
    let selected = p.given("selector");
    let found = match (p.operands.as_slice(), selected) {
        ([], true) => {
            let pods = select::one_type(s, "pods").await?;
            let filter = Filter { namespace: s.namespace.clone(), labels: p.str("selector").to_string(), ..Filter::default() };
            fetch::objects(s, &pods, &filter).await?
        }
        ([], false) => {
            return Err(Error::plain(
                "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command\nSee 'kubectl logs -h' for help and examples",
            ));
        }
        (_, true) => return Err(Error::plain("only a selector (-l) or a POD name is allowed")),
        ([operand, ..], false) => behind(s, p, operand).await?,
    };
    if found.is_empty() {
        match selected {
            true => s.warn(&format!("No resources found in {} namespace.", s.namespace.clone())),
            false => return Err(Error::plain("timed out waiting for the condition")),
        }
    }
    let mut sources = Vec::new();
    let wanted = p.text("container").or(p.operands.get(1).map(String::as_str)).unwrap_or("");
    for pod in &found {
        let name = pod["metadata"]["name"].as_str().unwrap_or("").to_string();
        if p.on("all-containers") {
            sources.extend(pods::every(pod).into_iter().map(|container| Source { pod: name.clone(), container }));
            continue;
        }
        let (container, said) = pods::container(pod, wanted)?;
        if let Some(said) = said {
            s.warn(&said);
        }
        sources.push(Source { pod: name, container });
    }
    Ok(sources)
}

async fn behind(s: &mut Session<'_>, p: &Parsed, operand: &str) -> Result<Vec<Value>> {
    let mut found = match pods::behind(s, operand).await {
        Err(error) if error.is_not_found() && !operand.contains('/') => {
            return Err(Error::plain(format!(
                "error from server (NotFound): {} in namespace {:?}",
                error.message(),
                s.namespace
            )));
        }
        other => other?,
    };
    if found.len() > 1 && !p.on("all-pods") {
        let name = found[0]["metadata"]["name"].as_str().unwrap_or("").to_string();
        s.warn(&format!("Found {} pods, using pod/{name}", found.len()));
        found.truncate(1);
    }
    Ok(found)
}

fn ask(s: &Session<'_>, p: &Parsed, source: &Source) -> Result<Ask> {
    let on = |flag: &str| if p.on(flag) { "true" } else { "" };
    let tail = p.int("tail").or_else(|| p.given("selector").then_some(10)).filter(|n| *n >= 0);
    let since = match p.text("since") {
        Some(text) => {
            let ms = go_duration_ms(text).ok_or_else(|| {
                Error::plain(format!("invalid argument {text:?} for \"--since\" flag: time: invalid duration {text:?}"))
            })?;
            ((ms + 999) / 1000).to_string()
        }
        None => String::new(),
    };
    Ok(Ask::get(format!("/api/v1/namespaces/{}/pods/{}/log", s.namespace, source.pod))
        .query("container", source.container.as_str())
        .query("follow", on("follow"))
        .query("previous", on("previous"))
        .query("timestamps", on("timestamps"))
        .query("tailLines", tail.map(|n| n.to_string()).unwrap_or_default())
        .query("sinceSeconds", since)
        .query("sinceTime", p.str("since-time"))
        .query("limitBytes", p.text("limit-bytes").unwrap_or("")))
}

async fn one_by_one(s: &mut Session<'_>, p: &Parsed, sources: &[Source]) -> Result<i32> {
    for source in sources {
        let ask = ask(s, p, source)?;
        let mut stream = match s.stream(ask).await {
            Err(error) if p.on("ignore-errors") => {
                s.print_error(&error);
                continue;
            }
            other => other?,
        };
        let mut lines = Lines::new(p, source);
        while let super::session::Next::Bytes(bytes) = s.next(&mut stream, None).await? {
            let text = lines.push(&bytes);
            s.write(Stream::Out, &text);
        }
        let rest = lines.end();
        s.write(Stream::Out, &rest);
    }
    Ok(0)
}

/// Several logs followed at once, line by line.
async fn together(s: &mut Session<'_>, p: &Parsed, sources: &[Source]) -> Result<i32> {
    let mut streams: Vec<Bytes> = Vec::new();
    let mut lines = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let ask = ask(s, p, source)?;
        let stream = s.stream(ask).await?;
        // The index travels in front of each piece, so that one merged stream can be taken apart again.
        let tagged = stream.map(move |piece| {
            piece.map(|bytes| {
                let mut out = vec![index as u8];
                out.extend_from_slice(&bytes);
                bytes::Bytes::from(out)
            })
        });
        streams.push(tagged.boxed());
        lines.push(Lines { whole: true, ..Lines::new(p, source) });
    }
    let mut all: Bytes = futures::stream::select_all(streams).boxed();
    while let super::session::Next::Bytes(bytes) = s.next(&mut all, None).await? {
        if let Some((index, bytes)) = bytes.split_first() {
            let text = lines[usize::from(*index)].push(bytes);
            s.write(Stream::Out, &text);
        }
    }
    for mut rest in lines {
        let text = rest.end();
        s.write(Stream::Out, &text);
    }
    Ok(0)
}

/// Puts prefixes before whole lines.
struct Lines {
    prefix: String,
    /// Wait for whole lines even without a prefix.
    whole: bool,
    buffer: Vec<u8>,
}

impl Lines {
    fn new(p: &Parsed, source: &Source) -> Lines {
        let prefix = match p.on("prefix") {
            true => format!("[pod/{}/{}] ", source.pod, source.container),
            false => String::new(),
        };
        Lines { prefix, whole: false, buffer: Vec::new() }
    }

    fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.prefix.is_empty() && !self.whole {
            return bytes.to_vec();
        }
        self.buffer.extend_from_slice(bytes);
        let mut out = Vec::new();
        while let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
            out.extend_from_slice(self.prefix.as_bytes());
            out.extend(self.buffer.drain(..=end));
        }
        out
    }

    fn end(&mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.buffer);
        match rest.is_empty() {
            true => rest,
            false => [self.prefix.as_bytes(), &rest].concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_stand_before_whole_lines() {
        let mut lines = Lines { prefix: "[p] ".into(), whole: false, buffer: Vec::new() };
        assert_eq!(lines.push(b"a\nb"), b"[p] a\n");
        assert_eq!(lines.push(b"c\n"), b"[p] bc\n");
        lines.push(b"rest");
        assert_eq!(lines.end(), b"[p] rest");
    }
}
