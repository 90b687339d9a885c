//! Ages and dates in kubectl's forms.

use crate::base::clock::Time;
use crate::base::duration::human;

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
    fn dates() {
        assert_eq!(date("2026-11-23T04:34:24Z"), "Mon, 23 Nov 2026 04:34:24 +0000");
    }
}
