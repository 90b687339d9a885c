//! Time. The only place that reads the system clock.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

/// A moment, in milliseconds since the Unix epoch (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub i64);

impl Time {
    /// Where logical clocks start: 2026-01-01T09:00:00Z.
    pub const LOGICAL_START: Time = Time(1_767_258_000_000);

    /// This moment moved by `ms` milliseconds (negative: earlier).
    pub fn plus_ms(self, ms: i64) -> Time {
        Time(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment, 0 if `earlier` lies after it.
    pub fn since(self, earlier: Time) -> i64 {
        self.0.saturating_sub(earlier.0).max(0)
    }

    /// `2026-01-01T09:00:00Z`: how Kubernetes writes metav1.Time (whole seconds).
    pub fn rfc3339(self) -> String {
        self.stamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// `2026-01-01T09:00:00.123456Z`: how Kubernetes writes metav1.MicroTime.
    pub fn rfc3339_micro(self) -> String {
        format!("{}.{:03}000Z", self.stamp().strftime("%Y-%m-%dT%H:%M:%S"), self.0.rem_euclid(1000))
    }

    /// `2026-01-01T09:00:00.123Z`: Envoy's `%START_TIME%`.
    pub fn envoy(self) -> String {
        let (t, ms) = (self.in_utc(), self.0.rem_euclid(1000));
        let (hour, minute, second) = (t.hour(), t.minute(), t.second());
        format!("{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z", t.year(), t.month(), t.day())
    }

    /// Year, month and day in UTC.
    pub fn date(self) -> (i32, u8, u8) {
        let t = self.in_utc();
        (i32::from(t.year()), t.month().unsigned_abs(), t.day().unsigned_abs())
    }

    /// `Thu, 01 Jan 2026 09:00:00 GMT`: an HTTP `date` header.
    pub fn http_date(self) -> String {
        const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let t = self.in_utc();
        let day = DAYS[t.weekday().to_sunday_zero_offset() as usize % 7];
        let month = MONTHS[(t.month() - 1) as usize % 12];
        let (hour, minute, second) = (t.hour(), t.minute(), t.second());
        format!("{day}, {:02} {month} {:04} {hour:02}:{minute:02}:{second:02} GMT", t.day(), t.year())
    }

    /// Reads an RFC 3339 moment; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Time> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Time(t.as_millisecond()))
    }

    fn in_utc(self) -> jiff::civil::DateTime {
        let stamp = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        jiff::tz::TimeZone::UTC.to_datetime(stamp)
    }

    fn stamp(self) -> jiff::Zoned {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(jiff::tz::TimeZone::UTC)
    }
}

/// A time zone.
#[derive(Debug, Clone)]
pub struct Zone(jiff::tz::TimeZone);

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Zone {
        Zone(jiff::tz::TimeZone::UTC)
    }

    /// The zone of a name of the IANA database (`Europe/Berlin`); `None` when this machine knows none of that name.
    pub fn find(name: &str) -> Option<Zone> {
        jiff::tz::TimeZone::get(name).ok().map(Zone)
    }
}

/// What clocks and calendars of a zone show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    pub month: i8,
    pub day: i8,
    pub hour: i8,
    pub minute: i8,
    /// 0 is Sunday.
    pub weekday: i8,
}

impl Time {
    /// What the zone's clocks show at this moment.
    pub fn civil(self, zone: &Zone) -> Civil {
        let stamp = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let at = stamp.to_zoned(zone.0.clone());
        let weekday = at.weekday().to_sunday_zero_offset();
        Civil { month: at.month(), day: at.day(), hour: at.hour(), minute: at.minute(), weekday }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// Something that tells the time. Worlds are told the time (`tick`), drivers own a clock.
pub trait Clock: Send + Sync {
    /// The current moment.
    fn now(&self) -> Time;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        Time(jiff::Timestamp::now().as_millisecond())
    }
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct LogicalClock(AtomicI64);

impl LogicalClock {
    /// A clock that stands at `start`.
    pub fn new(start: Time) -> LogicalClock {
        LogicalClock(AtomicI64::new(start.0))
    }

    /// Sets the clock.
    pub fn set(&self, now: Time) {
        self.0.store(now.0, Ordering::Relaxed);
    }

    /// Moves the clock on by `ms` milliseconds.
    pub fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for LogicalClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::Relaxed))
    }
}

/// Measures elapsed wall time for reports (`elapsed_ms`); never for behaviour.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Stopwatch {
        Stopwatch(std::time::Instant::now())
    }

    /// Milliseconds since the start.
    pub fn elapsed_ms(&self) -> u64 {
        self.0.elapsed().as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_strftime_writes_them() {
        let odd = [0, -1, 999, 1_772_323_199_999, 1_709_164_800_000, -62_135_596_800_000, 253_402_207_200_000];
        let many = (0..3_000).map(|i| i * 86_399_987 * 11 - 400_000_000_000);
        for time in odd.into_iter().chain(many).map(Time) {
            let (stamp, ms) = (time.stamp(), time.0.rem_euclid(1000));
            assert_eq!(time.envoy(), format!("{}.{ms:03}Z", stamp.strftime("%Y-%m-%dT%H:%M:%S")));
            assert_eq!(time.http_date(), stamp.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
        }
    }
}
