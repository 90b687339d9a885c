//! Container logs: kept lines, and `pods/log` over them.

use super::spec::{self, Role};
use super::{Node, Refusal, life::PodLife};
use crate::base::clock::Time;
use crate::k8s::{Object, Snapshot};
use std::sync::Arc;

/// Lines kept per container run; the oldest go first.
pub const LINES_LIMIT: usize = 5_000;
/// Bytes of one line; what is longer is cut into several lines, as runtimes do.
pub const LINE_BYTES: usize = 16 * 1024;
const CHUNK: usize = 64;

/// The query of `pods/log`. `now` for `since_seconds` is the world's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    pub namespace: String,
    pub pod: String,
    pub container: Option<String>,
    pub previous: bool,
    pub timestamps: bool,
    pub tail_lines: Option<usize>,
    pub since_seconds: Option<i64>,
    pub since_time: Option<Time>,
    pub limit_bytes: Option<usize>,
}

/// Where a follower stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogCursor {
    uid: String,
    container: String,
    /// The run of the container that is followed.
    run: u32,
    next: u64,
    timestamps: bool,
    /// Bytes that may still be told.
    left: Option<usize>,
    /// A log that has ended: nothing is followed.
    over: bool,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub at: Time,
    pub text: String,
}

/// The log of one run of a container. Cloning is cheap: full chunks are shared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    chunks: Vec<Arc<Vec<Line>>>,
    /// Lines dropped from the front.
    dropped: u64,
}

impl Log {
    /// Appends a line, cutting what is too long.
    pub fn push(&mut self, at: Time, text: &str) {
        let mut rest = text;
        loop {
            let mut cut = rest.len().min(LINE_BYTES);
            while !rest.is_char_boundary(cut) {
                cut -= 1;
            }
            self.push_one(Line { at, text: rest[..cut].to_string() });
            rest = &rest[cut..];
            if rest.is_empty() {
                return;
            }
        }
    }

    fn push_one(&mut self, line: Line) {
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => Arc::make_mut(chunk).push(line),
            _ => self.chunks.push(Arc::new(vec![line])),
        }
        if self.chunks.len() * CHUNK > LINES_LIMIT + CHUNK {
            self.dropped += self.chunks.remove(0).len() as u64;
        }
    }

    /// The lines that are kept.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.chunks.iter().flat_map(|c| c.iter())
    }

    /// The number of the next line, counted from the start of the run.
    pub fn end(&self) -> u64 {
        self.dropped + self.chunks.iter().map(|c| c.len() as u64).sum::<u64>()
    }

    /// The lines from a number on.
    pub fn from(&self, next: u64) -> impl Iterator<Item = &Line> {
        self.lines().skip(next.saturating_sub(self.dropped) as usize)
    }
}

fn write(out: &mut Vec<u8>, line: &Line, timestamps: bool) {
    if timestamps {
        // Kubelet: RFC 3339 with nanoseconds.
        let micro = line.at.rfc3339_micro();
        out.extend_from_slice(format!("{}000Z ", micro.trim_end_matches('Z')).as_bytes());
    }
    out.extend_from_slice(line.text.as_bytes());
    out.push(b'\n');
}

impl Node {
    /// The text so far, and a cursor to follow from.
    ///
    /// # Errors
    /// The API server's 400 and 404 messages.
    pub fn log(&self, query: &LogQuery, state: &Snapshot, now: Time) -> Result<(Vec<u8>, LogCursor), Refusal> {
        let missing = || Refusal { code: 404, message: format!("pods \"{}\" not found", query.pod) };
        let pod = state.find("", "Pod", &query.namespace, &query.pod).ok_or_else(missing)?;
        let name = choose(pod, query.container.as_deref())?;
        let Some(life) = self.life(pod.uid()) else { return Ok((Vec::new(), LogCursor::default())) };
        let waiting = |reason: &str| {
            let why = match reason {
                "ErrImagePull" => "image can't be pulled",
                "ImagePullBackOff" => "trying and failing to pull image",
                other => other,
            };
            Refusal::bad(format!("container \"{name}\" in pod \"{}\" is waiting to start: {why}", query.pod))
        };
        let run = life.run(&name).ok_or_else(|| waiting("PodInitializing"))?;
        let log = match (query.previous, &run.previous) {
            (true, Some(previous)) => previous,
            (true, None) => {
                let message = format!("previous terminated container \"{name}\" in pod \"{}\" not found", query.pod);
                return Err(Refusal::bad(message));
            }
            (false, previous) => match (run.waiting(), previous) {
                // Between two runs the last one's log is what there is.
                (Some(_), Some(last)) => last,
                (Some(reason), None) => return Err(waiting(reason)),
                (None, _) => &run.log,
            },
        };
        let since = query.since_time.into_iter().chain(query.since_seconds.map(|s| now.plus_ms(-s.saturating_mul(1000)))).max();
        let lines: Vec<&Line> = log.lines().filter(|l| since.is_none_or(|t| l.at >= t)).collect();
        let skip = query.tail_lines.map_or(0, |n| lines.len().saturating_sub(n));
        let mut out = Vec::new();
        lines.into_iter().skip(skip).for_each(|line| write(&mut out, line, query.timestamps));
        let left = query.limit_bytes.map(|limit| limit.saturating_sub(out.len()));
        out.truncate(query.limit_bytes.unwrap_or(usize::MAX));
        let cursor = LogCursor {
            left,
            over: query.previous || run.waiting().is_some(),
            uid: pod.uid().into(),
            container: name,
            run: run.restarts,
            next: log.end(),
            timestamps: query.timestamps,
        };
        Ok((out, cursor))
    }

    /// What was appended since; the flag says whether the container has ended (the follower may stop).
    pub fn log_more(&self, cursor: &mut LogCursor) -> (Vec<u8>, bool) {
        if cursor.over || cursor.left == Some(0) {
            return (Vec::new(), true);
        }
        let Some(run) = self.life(&cursor.uid).and_then(|life| life.run(&cursor.container)) else { return (Vec::new(), true) };
        let same = run.restarts == cursor.run;
        let log = match (same, &run.previous) {
            (true, _) => &run.log,
            (false, Some(previous)) if run.restarts == cursor.run + 1 => previous,
            _ => return (Vec::new(), true),
        };
        let mut out = Vec::new();
        log.from(cursor.next).for_each(|line| write(&mut out, line, cursor.timestamps));
        cursor.next = log.end();
        if let Some(left) = &mut cursor.left {
            out.truncate(*left);
            *left -= out.len();
        }
        (out, !same || !run.is_running())
    }
}

/// The container that is meant: the one named, or the only one (pkg/registry/core/pod/strategy.go: `validateContainer`).
///
/// # Errors
/// 400 with the API server's message.
pub fn choose(pod: &Object, wanted: Option<&str>) -> Result<String, Refusal> {
    let all = spec::containers(pod);
    if let Some(name) = wanted.filter(|n| !n.is_empty()) {
        return match all.iter().any(|c| c.name() == name) {
            true => Ok(name.to_string()),
            false => Err(Refusal::bad(format!("container {name} is not valid for pod {}", pod.name()))),
        };
    }
    // The default-container annotation is kubectl's business: the API server does not look at it.
    let of = |roles: &[Role]| all.iter().filter(|c| roles.contains(&c.role)).map(|c| c.name()).collect::<Vec<_>>();
    let apps = of(&[Role::App]);
    if let [only] = apps.as_slice() {
        return Ok(only.to_string());
    }
    let mut message = format!("a container name must be specified for pod {}, choose one of: [{}]", pod.name(), apps.join(" "));
    for (kind, names) in [("init", of(&[Role::Init, Role::Sidecar])), ("ephemeral", of(&[Role::Ephemeral]))] {
        if !names.is_empty() {
            message += &format!(" or one of the {kind} containers: [{}]", names.join(" "));
        }
    }
    Err(Refusal::bad(message))
}

impl PodLife {
    /// Appends a line to a container's log, if the container is there.
    pub(super) fn log_line(&mut self, container: &str, at: Time, text: &str) {
        if let Some(run) = self.run_mut(container) {
            run.log.push(at, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_lines_go_first_and_numbers_stay() {
        let mut log = Log::default();
        for n in 0..(LINES_LIMIT + 3 * CHUNK) {
            log.push(Time(n as i64), &n.to_string());
        }
        assert!(log.lines().count() <= LINES_LIMIT + CHUNK);
        assert_eq!(log.end(), (LINES_LIMIT + 3 * CHUNK) as u64);
        let last = log.end() - 1;
        assert_eq!(log.from(last).map(|l| l.text.as_str()).collect::<Vec<_>>(), [last.to_string()]);
    }

    #[test]
    fn long_lines_are_cut_at_characters() {
        let mut log = Log::default();
        log.push(Time(0), &"é".repeat(LINE_BYTES));
        assert_eq!(log.lines().count(), 2);
    }
}
