//! Ages and dates in kubectl's forms.

use crate::base::clock::Time;

/// `75s`, `4m12s`, `57m`, `3h5m`, `30h`, `3d4h`, `90d`, `2y15d`: how long ago, rounded as Kubernetes rounds.
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

/// The age of an RFC 3339 moment, `<unknown>` when it is none.
pub fn since(now: Time, stamp: &str) -> String {
    match Time::parse(stamp) {
        Some(then) => human(now.0 - then.0),
        None => "<unknown>".into(),
    }
}

/// `Mon, 23 Nov 2026 04:34:24 +0000`: dates in describe.
pub fn date(stamp: &str) -> String {
    match Time::parse(stamp) {
        Some(time) => time.http_date().replace("GMT", "+0000"),
        None => stamp.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        let rows = [
            (0, "0s"),
            (75, "75s"),
            (252, "4m12s"),
            (240, "4m"),
            (57 * 60, "57m"),
            (3 * 3600 + 300, "3h5m"),
            (30 * 3600, "30h"),
            (3 * 86400 + 4 * 3600, "3d4h"),
            (90 * 86400, "90d"),
            (745 * 86400, "2y15d"),
            (-5, "<invalid>"),
        ];
        for (seconds, want) in rows {
            assert_eq!(human(seconds * 1000), want);
        }
        assert_eq!(date("2026-11-23T04:34:24Z"), "Mon, 23 Nov 2026 04:34:24 +0000");
    }
}
