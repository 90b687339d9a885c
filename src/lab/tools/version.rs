//! Versions as tools print them.

use std::fmt;

/// `1.30.2`: major, minor, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The first version in a text (`kind v0.31.0 go1.25.5 linux/amd64`, `client version: 1.30.2`); what stands behind a `-` or `+` is
    /// not looked at. `None` when there is none.
    pub fn find(text: &str) -> Option<Version> {
        let starts = text.char_indices().filter(|&(at, c)| {
            let before = text[..at].chars().next_back();
            c.is_ascii_digit() && !before.is_some_and(|b| b.is_ascii_alphanumeric() && b != 'v' || b == '.')
        });
        starts.filter_map(|(at, _)| Version::at(&text[at..])).next()
    }

    /// Its release line: `1.30`.
    pub fn line(self) -> String {
        format!("{}.{}", self.0, self.1)
    }

    fn at(text: &str) -> Option<Version> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut parts = text[..end].trim_end_matches('.').split('.').map(|part| part.parse::<u32>().ok());
        let (major, minor) = (parts.next()??, parts.next()??);
        Some(Version(major, minor, parts.next().flatten().unwrap_or(0)))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_tools_print() {
        let rows = [
            ("kind v0.31.0 go1.25.5 linux/amd64", Some(Version(0, 31, 0))),
            ("kind (@kind-version@) 0.20", Some(Version(0, 20, 0))),
            ("Docker version 28.2.2, build e6534b4", Some(Version(28, 2, 2))),
            ("podman version 5.4.2", Some(Version(5, 4, 2))),
            ("client version: 1.30.0-alpha.1", Some(Version(1, 30, 0))),
            ("Client Version: v1.36.2+k3s1", Some(Version(1, 36, 2))),
            ("go1.25 only", None),
            ("99999999999.1", None),
            ("v1", None),
            ("", None),
        ];
        for (text, version) in rows {
            assert_eq!(Version::find(text), version, "{text}");
        }
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(Version(0, 9, 9) < Version(0, 31, 0) && Version(1, 30, 0) < Version(1, 30, 1));
    }
}
