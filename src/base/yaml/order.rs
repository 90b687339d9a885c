//! The order in which go-yaml v2 writes the keys of a mapping: letters after everything else, digits as numbers (S: go-yaml sorter.go).

use std::cmp::Ordering;

/// Compares two keys.
pub(super) fn keys(a: &str, b: &str) -> Ordering {
    let (left, right): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = left.iter().zip(&right).position(|(a, b)| a != b) else { return left.len().cmp(&right.len()) };
    let (x, y) = (left[at], right[at]);
    let after_digit = at > 0 && left[at - 1].is_numeric();
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => x.cmp(&y),
        (true, false) => {
            if after_digit {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
        (false, true) => {
            if after_digit {
                Ordering::Greater
            } else {
                Ordering::Less
            }
        }
        (false, false) => {
            // A number that began before the difference: a zero in it counts.
            let begun = (x == '0' || y == '0') && left[..at].iter().rev().take_while(|c| c.is_numeric()).any(|c| *c != '0');
            let number = |chars: &[char]| {
                let digits = chars[at..].iter().map_while(|c| c.to_digit(10));
                digits.fold((i64::from(begun), 0usize), |(n, count), d| {
                    (n.saturating_mul(10).saturating_add(i64::from(d)), count + 1)
                })
            };
            number(&left).cmp(&number(&right)).then(x.cmp(&y))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_as_go_writes_them() {
        let expected = ["_a", "10", "a", "a-b", "a.b", "a1", "a2", "a10", "http_filters", "http2", "httpx"];
        let mut sorted = expected.to_vec();
        sorted.reverse();
        sorted.sort_by(|a, b| keys(a, b));
        assert_eq!(sorted, expected);
    }
}
