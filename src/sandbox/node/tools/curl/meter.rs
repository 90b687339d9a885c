//! The progress meter on standard error.

use super::texts::METER;

/// What has been moved.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    pub elapsed_ms: u64,
    /// Bytes announced, if any were.
    pub total: Option<u64>,
    pub received: u64,
    pub sent: u64,
}

/// The head and the first line.
pub fn start() -> String {
    format!("{METER}{}", line(&Progress::default()))
}

/// One line of the meter.
pub fn line(p: &Progress) -> String {
    let expected = p.total.unwrap_or(p.received) + p.sent;
    let moved = p.received + p.sent;
    let percent = |part: u64, whole: u64| (part * 100).checked_div(whole).unwrap_or(0);
    let speed = |bytes: u64| bytes * 1000 / p.elapsed_ms.max(1);
    let spent = p.elapsed_ms / 1000;
    let estimate = if spent > 0 { moved.checked_div(speed(moved)).unwrap_or(0) } else { 0 };
    format!(
        "\r{:3} {}  {:3} {}  {:3} {}  {}  {} {} {} {} {}",
        percent(moved, expected),
        five(expected),
        p.total.map_or(0, |total| percent(p.received, total)),
        five(p.received),
        percent(p.sent, p.sent),
        five(p.sent),
        five(speed(p.received)),
        five(speed(p.sent)),
        clock(estimate),
        clock(spent),
        clock(estimate.saturating_sub(spent)),
        five(speed(moved)),
    )
}

/// A number in five columns.
fn five(n: u64) -> String {
    const K: u64 = 1024;
    match n {
        0..=99_999 => format!("{n:5}"),
        100_000..=10_239_999 => format!("{:4}k", n / K),
        10_240_000..=104_857_599 => format!("{:2}.{}M", n / (K * K), (n % (K * K)) / (K * K / 10)),
        _ => format!("{:4}M", n / (K * K)),
    }
}

fn clock(seconds: u64) -> String {
    match seconds {
        0 => "--:--:--".to_string(),
        s => format!("{:2}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60),
    }
}
