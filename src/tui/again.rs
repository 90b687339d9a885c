//! A key that has to be pressed twice in a short time: Ctrl-C where nothing runs.

use crate::base::clock::{Clock, SystemClock, Time};

/// Within so many milliseconds the second press counts.
pub const WITHIN_MS: i64 = 2_000;

/// When the key was pressed last.
#[derive(Debug, Clone, Copy, Default)]
pub struct Again(Option<Time>);

impl Again {
    /// Takes a press; true when it is the second one in time.
    pub fn pressed(&mut self) -> bool {
        self.pressed_at(SystemClock.now())
    }

    fn pressed_at(&mut self, now: Time) -> bool {
        let second = self.0.is_some_and(|first| now.since(first) <= WITHIN_MS);
        self.0 = (!second).then_some(now);
        second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_quick_second_press_counts_and_a_third_begins_anew() {
        let (mut again, start) = (Again::default(), Time::LOGICAL_START);
        let pressed: Vec<bool> = [0, 2_500, 4_000, 4_100].iter().map(|ms| again.pressed_at(start.plus_ms(*ms))).collect();
        assert_eq!(pressed, [false, false, true, false]);
    }
}
