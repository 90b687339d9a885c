//! Go's way of writing durations, which Kubernetes and Istio share.

/// A duration (`1h30m`, `2.5s`, `100ms`, `0`, `-1s`) in milliseconds, rounded; `None` when it is none.
pub fn go_duration_ms(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        total += number
            * match &rest[..unit] {
                "h" => 3_600_000.0,
                "m" => 60_000.0,
                "s" => 1000.0,
                "ms" => 1.0,
                "us" | "µs" => 0.001,
                "ns" => 0.000_001,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    Some(sign * total.round() as i64)
}

/// `75s`, `4m12s`, `57m`, `3h5m`, `30h`, `3d4h`, `90d`, `2y15d`: a length of time, rounded as Kubernetes rounds ages
/// (S: k8s.io/apimachinery duration.HumanDuration).
pub fn human(ms: i64) -> String {
    let seconds = ms.div_euclid(1000);
    if seconds < -1 {
        return "<invalid>".into();
    }
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let two = |a: i64, unit: &str, b: i64, small: &str| match b {
        0 => format!("{a}{unit}"),
        b => format!("{a}{unit}{b}{small}"),
    };
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => two(days, "d", hours % 24, "h"),
        () if days < 730 => format!("{days}d"),
        () if days < 365 * 8 => two(days / 365, "y", days % 365, "d"),
        () => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::{go_duration_ms, human};

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let cases = [("1h30m", 5_400_000), ("2.5s", 2_500), ("100ms", 100), ("0", 0), ("-1s", -1_000), ("1500us", 2)];
        for (text, ms) in cases {
            assert_eq!(go_duration_ms(text), Some(ms), "{text}");
        }
        for text in ["", "5", "s", "1x", "1h30", "-"] {
            assert_eq!(go_duration_ms(text), None, "{text}");
        }
    }

    #[test]
    fn ages_are_written_as_kubernetes_does() {
        for (seconds, text) in [
            (-5, "<invalid>"),
            (0, "0s"),
            (75, "75s"),
            (119, "119s"),
            (120, "2m"),
            (130, "2m10s"),
            (240, "4m"),
            (252, "4m12s"),
            (599, "9m59s"),
            (600, "10m"),
            (3420, "57m"),
            (7200, "120m"),
            (10_800, "3h"),
            (11_100, "3h5m"),
            (30_000, "8h"),
            (108_000, "30h"),
            (200_000, "2d7h"),
            (273_600, "3d4h"),
            (7_776_000, "90d"),
            (64_368_000, "2y15d"),
            (283_824_000, "9y"),
        ] {
            assert_eq!(human(seconds * 1000), text);
        }
    }
}
