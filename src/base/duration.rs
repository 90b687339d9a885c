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

#[cfg(test)]
mod tests {
    use super::go_duration_ms;

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
}
