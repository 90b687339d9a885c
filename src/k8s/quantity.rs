//! Quantities: `100m`, `1Gi`, `2`, `1e3`.

/// A quantity in billionths, the finest step Kubernetes keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity {
    pub nano: i128,
    binary: bool,
}

const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];
const DECIMAL: [(&str, i32); 11] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18), ("", 0)];

impl Quantity {
    /// Nothing.
    pub const ZERO: Quantity = Quantity { nano: 0, binary: false };

    /// A whole number.
    pub fn whole(n: i64) -> Quantity {
        Quantity { nano: i128::from(n) * 1_000_000_000, binary: false }
    }

    /// Reads a quantity written as text or as a number; zero for what is none.
    pub fn of(value: &serde_json::Value) -> Quantity {
        let text = value.as_str().map_or_else(|| value.to_string(), String::from);
        Quantity::parse(&text).unwrap_or(Quantity::ZERO)
    }

    /// The sum, written as the first one is unless that is zero.
    pub fn plus(self, other: Quantity) -> Quantity {
        let binary = if self.nano == 0 { other.binary } else { self.binary };
        Quantity { nano: self.nano.saturating_add(other.nano), binary }
    }

    /// The difference, written as the first one is unless that is zero.
    pub fn minus(self, other: Quantity) -> Quantity {
        self.plus(Quantity { nano: -other.nano, binary: other.binary })
    }

    /// Reads a quantity; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Quantity> {
        let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        if !number.bytes().any(|b| b.is_ascii_digit()) {
            return None;
        }
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.len() > 9 || whole.len() > 19 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let negative = whole.starts_with('-');
        let whole: i128 = match whole.trim_start_matches(['+', '-']) {
            "" => 0,
            digits => digits.parse().ok()?,
        };
        let part: i128 = format!("{fraction:0<9}").parse().ok()?;
        let nano = (whole * 1_000_000_000 + part) * if negative { -1 } else { 1 };
        if let Some((_, shift)) = BINARY.iter().find(|(s, _)| *s == suffix) {
            return Some(Quantity { nano: nano.checked_mul(1 << shift)?, binary: true });
        }
        let exponent = match DECIMAL.iter().find(|(s, _)| *s == suffix) {
            Some((_, exponent)) => *exponent,
            None => suffix.strip_prefix(['e', 'E'])?.parse().ok()?,
        };
        let nano = match exponent {
            0..=18 => nano.checked_mul(10_i128.pow(exponent.unsigned_abs()))?,
            -9..0 => nano / 10_i128.pow(exponent.unsigned_abs()),
            _ => return None,
        };
        Some(Quantity { nano, binary: false })
    }

    /// The canonical text: the largest suffix without a fraction.
    pub fn canonical(self) -> String {
        if self.nano == 0 {
            return "0".into();
        }
        const ONE: i128 = 1_000_000_000;
        if self.binary && self.nano % ONE == 0 {
            let whole = self.nano / ONE;
            let fits = BINARY.iter().rev().find(|(_, shift)| whole % (1 << shift) == 0);
            if let Some((suffix, shift)) = fits {
                return format!("{}{suffix}", whole >> shift);
            }
            return whole.to_string();
        }
        let fits = DECIMAL[..10].iter().rev().find(|(_, e)| self.nano % 10_i128.pow((e + 9).unsigned_abs()) == 0);
        let (suffix, exponent) = fits.copied().unwrap_or(("n", -9));
        format!("{}{suffix}", self.nano / 10_i128.pow((exponent + 9).unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_and_written_canonically() {
        for (text, canonical) in [
            ("100m", "100m"),
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1Gi", "1Gi"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("1500", "1500"),
            ("64Mi", "64Mi"),
            ("2000", "2k"),
            ("1e3", "1k"),
            ("0", "0"),
            ("10", "10"),
            ("-1", "-1"),
        ] {
            assert_eq!(Quantity::parse(text).map(Quantity::canonical).as_deref(), Some(canonical), "{text}");
        }
        for bad in ["", "x", "1x", "1.2.3", "Mi"] {
            assert_eq!(Quantity::parse(bad), None, "{bad}");
        }
        assert!(Quantity::parse("1Gi") > Quantity::parse("500Mi"));
    }
}
