//! Cron schedules as Kubernetes reads them (github.com/robfig/cron/v3, five fields and descriptors).

use crate::base::clock::{Time, Zone};

/// When a CronJob runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    Fields(Box<Fields>),
    /// `@every 1h30m`, in milliseconds.
    Every(i64),
}

/// Which minutes, hours, days, months and weekdays; bit n stands for the value n.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether the day, the weekday was `*`: then both must hold, else one of them.
    any_day: bool,
    any_weekday: bool,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MINUTE_MS: i64 = 60_000;
/// No moment within so many steps of at least a minute (about eight years of hours): none at all, as for 30 February.
const STEP_LIMIT: usize = 80_000;

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    /// What is wrong with it, in the parser's words.
    pub fn parse(text: &str) -> Result<Schedule, String> {
        let fields = match text.trim() {
            "" => return Err("empty spec string".into()),
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => match other.strip_prefix("@every ") {
                Some(duration) => return every(other, duration),
                None if other.starts_with('@') => return Err(format!("unrecognized descriptor: {other}")),
                None => other,
            },
        };
        let parts: Vec<&str> = fields.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = parts[..] else {
            return Err(format!("expected exactly 5 fields, found {}: [{}]", parts.len(), parts.join(" ")));
        };
        let star = |part: &str| part.starts_with(['*', '?']) && !part.contains(',');
        Ok(Schedule::Fields(Box::new(Fields {
            minutes: field(minute, 0, 59, &[], 0)?,
            hours: field(hour, 0, 23, &[], 0)?,
            days: field(day, 1, 31, &[], 0)?,
            months: field(month, 1, 12, &MONTHS, 1)?,
            weekdays: field(weekday, 0, 6, &WEEKDAYS, 0)?,
            any_day: star(day),
            any_weekday: star(weekday),
        })))
    }

    /// The first moment after `after`.
    pub fn next(&self, after: Time, zone: &Zone) -> Option<Time> {
        let fields = match self {
            Schedule::Every(ms) => return Some(Time(after.0.div_euclid(1000) * 1000).plus_ms(*ms)),
            Schedule::Fields(fields) => fields,
        };
        let mut at = Time((after.0.div_euclid(MINUTE_MS) + 1) * MINUTE_MS);
        for _ in 0..STEP_LIMIT {
            let civil = at.civil(zone);
            let has = |bits: u64, n: i8| bits >> n & 1 == 1;
            let (day, weekday) = (has(fields.days, civil.day), has(fields.weekdays, civil.weekday));
            let on = if fields.any_day || fields.any_weekday { day && weekday } else { day || weekday };
            if !(has(fields.months, civil.month) && on && has(fields.hours, civil.hour)) {
                at = at.plus_ms((60 - i64::from(civil.minute)) * MINUTE_MS);
            } else if !has(fields.minutes, civil.minute) {
                at = at.plus_ms(MINUTE_MS);
            } else {
                return Some(at);
            }
        }
        None
    }

    /// The last moment after `since` that is not after `now`.
    pub fn latest(&self, since: Time, now: Time, zone: &Zone) -> Option<Time> {
        let first = self.next(since, zone).filter(|at| *at <= now)?;
        if let Schedule::Every(ms) = self {
            return Some(first.plus_ms((now.0 - first.0) / ms * ms));
        }
        // From the end backwards in growing steps, so that a long pause costs no more than a short one.
        let mut back = MINUTE_MS;
        for _ in 0..40 {
            let from = Time((now.0 - back).max(first.0 - 1));
            if let Some(mut at) = self.next(from, zone).filter(|at| *at <= now) {
                for _ in 0..STEP_LIMIT {
                    match self.next(at, zone).filter(|next| *next <= now) {
                        Some(next) => at = next,
                        None => return Some(at),
                    }
                }
                return Some(at);
            }
            back *= 2;
        }
        Some(first)
    }
}

fn every(text: &str, duration: &str) -> Result<Schedule, String> {
    let mut ms = 0_i64;
    let mut number = String::new();
    let bad = || format!("failed to parse duration {text}: time: invalid duration {duration:?}");
    let mut chars = duration.chars().peekable();
    while let Some(c) = chars.next() {
        let unit = match c {
            '0'..='9' => {
                number.push(c);
                continue;
            }
            'h' => 3_600_000,
            'm' if chars.peek() == Some(&'s') => {
                chars.next();
                1
            }
            'm' => MINUTE_MS,
            's' => 1000,
            _ => return Err(bad()),
        };
        let n: i64 = number.parse().map_err(|_| bad())?;
        ms = n.checked_mul(unit).and_then(|n| ms.checked_add(n)).ok_or_else(bad)?;
        number.clear();
    }
    if !number.is_empty() || duration.is_empty() {
        return Err(bad());
    }
    Ok(Schedule::Every((ms / 1000 * 1000).max(1000)))
}

/// The bits of one field: a comma list of `*`, `n`, `a-b`, each with `/step`.
fn field(text: &str, least: u32, most: u32, names: &[&str], first: u32) -> Result<u64, String> {
    text.split(',').try_fold(0, |bits, part| Ok(bits | range(part, least, most, names, first)?))
}

fn range(text: &str, least: u32, most: u32, names: &[&str], first: u32) -> Result<u64, String> {
    let number = |word: &str| -> Result<u32, String> {
        if let Some(i) = names.iter().position(|n| *n == word.to_lowercase()) {
            return Ok(i as u32 + first);
        }
        let why =
            if word.is_empty() || !word.bytes().all(|b| b.is_ascii_digit()) { "invalid syntax" } else { "value out of range" };
        word.parse().map_err(|_| format!("failed to parse int from {word}: strconv.Atoi: parsing {word:?}: {why}"))
    };
    let (span, step) = match text.split_once('/') {
        Some((_, rest)) if rest.contains('/') => return Err(format!("too many slashes: {text}")),
        Some((span, step)) => (span, Some(number(step)?)),
        None => (text, None),
    };
    let (start, end) = match span.split_once('-') {
        _ if span == "*" || span == "?" => (least, most),
        Some((_, b)) if b.contains('-') => return Err(format!("too many hyphens: {text}")),
        Some((a, b)) => (number(a)?, number(b)?),
        // `5/10` means from 5 on.
        None => (number(span)?, if step.is_some() { most } else { number(span)? }),
    };
    if start < least {
        return Err(format!("beginning of range ({start}) below minimum ({least}): {text}"));
    }
    if end > most {
        return Err(format!("end of range ({end}) above maximum ({most}): {text}"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {text}"));
    }
    match step {
        Some(0) => Err(format!("step of range should be a positive number: {text}")),
        step => Ok((start..=end).step_by(step.unwrap_or(1) as usize).fold(0, |bits, n| bits | 1 << n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        Time::parse(text).expect("a moment")
    }

    #[test]
    fn schedules_name_their_next_moment() {
        // 2026-01-01 is a Thursday.
        for (schedule, next) in [
            ("* * * * *", "2026-01-01T09:01:00Z"),
            ("*/5 * * * *", "2026-01-01T09:05:00Z"),
            ("30 8 * * *", "2026-01-02T08:30:00Z"),
            ("0 0 * * 1-5", "2026-01-02T00:00:00Z"),
            ("0 0 * * sun", "2026-01-04T00:00:00Z"),
            ("0 12 1 feb *", "2026-02-01T12:00:00Z"),
            ("0 0 13 * 5", "2026-01-02T00:00:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
            ("@monthly", "2026-02-01T00:00:00Z"),
            ("@every 90s", "2026-01-01T09:02:00Z"),
            ("5/20 * * * *", "2026-01-01T09:05:00Z"),
        ] {
            let parsed = Schedule::parse(schedule).expect(schedule);
            assert_eq!(parsed.next(at("2026-01-01T09:00:30Z"), &Zone::utc()), Some(at(next)), "{schedule}");
        }
        let never = Schedule::parse("0 0 30 2 *").expect("reads");
        assert_eq!(never.next(at("2026-01-01T09:00:00Z"), &Zone::utc()), None);
    }

    #[test]
    fn the_latest_moment_that_has_passed() {
        let hourly = Schedule::parse("15 * * * *").expect("reads");
        let latest = |since: &str, now: &str| hourly.latest(at(since), at(now), &Zone::utc());
        assert_eq!(latest("2026-01-01T09:15:00Z", "2026-01-01T10:14:59Z"), None);
        assert_eq!(latest("2026-01-01T09:15:00Z", "2026-01-01T10:15:00Z"), Some(at("2026-01-01T10:15:00Z")));
        assert_eq!(latest("2025-01-01T09:15:00Z", "2026-01-01T10:30:00Z"), Some(at("2026-01-01T10:15:00Z")));
    }

    #[test]
    fn a_zone_moves_the_hours() {
        let Some(zone) = Zone::find("Asia/Tokyo") else { return };
        let nine = Schedule::parse("0 9 * * *").expect("reads");
        assert_eq!(nine.next(at("2026-01-01T09:00:00Z"), &zone), Some(at("2026-01-02T00:00:00Z")));
        assert!(Zone::find("Not/AZone").is_none());
    }

    #[test]
    fn what_is_no_schedule_is_refused_in_the_parsers_words() {
        for (schedule, words) in [
            ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * * * 7", "end of range (7) above maximum (6): 7"),
            ("x * * * *", "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
            ("@never", "unrecognized descriptor: @never"),
        ] {
            assert_eq!(Schedule::parse(schedule), Err(words.to_string()), "{schedule}");
        }
    }
}
