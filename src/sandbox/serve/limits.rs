//! What connections may cost.

use std::time::Duration;

/// Connections of all worlds of a process together.
const ALL_CONNECTIONS: usize = 16_384;
/// Open files that are left for everything else.
const OTHER_FILES: usize = 64;

/// What a connection may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time; more wait in the system's queue.
    pub connections: usize,
    /// How long a client may take to greet (TLS).
    pub greeting: Duration,
    /// How long a connection may be idle, or take to send a request's head (a real API server closes idle ones after 90 s).
    pub head: Duration,
    /// How long a request's body may take.
    pub body: Duration,
    /// How long a client may read nothing while something waits for it; someone may look at a pager for a while.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        let seconds = Duration::from_secs;
        Limits { connections: 4_096, greeting: seconds(10), head: seconds(90), body: seconds(60), stall: seconds(600) }
    }
}

impl Limits {
    /// The share of one of so many worlds in a process that may have so many files open.
    pub fn shared_by(self, worlds: usize, files: Option<usize>) -> Limits {
        let all = files.map_or(ALL_CONNECTIONS, |files| ALL_CONNECTIONS.min(files.saturating_sub(OTHER_FILES)));
        Limits { connections: (all / worlds.max(1)).clamp(8, self.connections), ..self }
    }
}

/// How many files this process may have open now, and at most if it asked; `None` where the system does not say.
pub fn open_files() -> Option<(usize, usize)> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let mut words = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace();
    let mut number = || words.next().map(|word| word.parse().unwrap_or(usize::MAX));
    Some((number()?, number()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worlds_share_what_the_system_gives() {
        let one = Limits::default();
        assert_eq!(one.shared_by(1, None).connections, 4_096);
        assert_eq!(one.shared_by(1, Some(1_024)).connections, 960);
        assert_eq!(one.shared_by(100, Some(20_000)).connections, 163);
        assert_eq!(one.shared_by(1_000, Some(256)).connections, 8);
        #[cfg(target_os = "linux")]
        assert!(open_files().is_some_and(|(now, most)| now > 0 && most >= now));
    }
}
