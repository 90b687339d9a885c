//! A small reader of istioctl's flags (pflag's rules: `-f x`, `-fx`, `--set x`, `--set=x`, bundled short switches, `--`).

use super::Stop;

/// One flag of a verb.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    pub long: &'static str,
    pub short: Option<char>,
    /// Whether it takes a value; others are switches.
    pub value: bool,
}

/// A flag that takes a value.
pub const fn valued(long: &'static str, short: Option<char>) -> Flag {
    Flag { long, short, value: true }
}

/// A switch.
pub const fn switch(long: &'static str, short: Option<char>) -> Flag {
    Flag { long, short, value: false }
}

/// Flags that every verb knows.
const GLOBAL: &[Flag] = &[
    valued("context", None),
    valued("kubeconfig", Some('c')),
    valued("istioNamespace", Some('i')),
    valued("namespace", Some('n')),
    valued("as", None),
    valued("as-group", None),
    valued("vklog", None),
    valued("log_output_level", None),
];

/// What was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    flags: Vec<(&'static str, String)>,
    pub operands: Vec<String>,
}

impl Parsed {
    /// All values of a flag, in order.
    pub fn all(&self, long: &str) -> Vec<String> {
        self.flags.iter().filter(|(name, _)| *name == long).map(|(_, value)| value.clone()).collect()
    }

    /// The last value of a flag.
    pub fn last(&self, long: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(name, _)| *name == long).map(|(_, value)| value.as_str())
    }

    /// Whether a switch is on.
    pub fn on(&self, long: &str) -> bool {
        matches!(self.last(long), Some("true"))
    }
}

/// Reads a verb's arguments.
///
/// # Errors
/// An unknown flag, a missing value, or a flag that would lead to another API server.
pub fn parse(words: &[&str], own: &[Flag]) -> Result<Parsed, Stop> {
    let mut parsed = Parsed::default();
    let mut rest = words.iter().copied();
    while let Some(word) = rest.next() {
        match word {
            "--" => parsed.operands.extend(rest.by_ref().map(str::to_string)),
            _ if word.starts_with("--") => long(&word[2..], own, &mut rest, &mut parsed)?,
            _ if word.starts_with('-') && word.len() > 1 => short(&word[1..], own, &mut rest, &mut parsed)?,
            _ => parsed.operands.push(word.to_string()),
        }
    }
    match ["context", "kubeconfig", "as", "as-group"].into_iter().find(|name| parsed.last(name).is_some()) {
        Some(name) => Err(Stop::usage(format!("--{name} is not taken here: this istioctl talks to the lab's world only"))),
        None => Ok(parsed),
    }
}

fn find(own: &[Flag], test: impl Fn(&Flag) -> bool) -> Option<Flag> {
    own.iter().chain(GLOBAL).find(|flag| test(flag)).copied()
}

fn long<'a>(text: &'a str, own: &[Flag], rest: &mut impl Iterator<Item = &'a str>, parsed: &mut Parsed) -> Result<(), Stop> {
    let (name, given) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let flag = find(own, |f| f.long == name).ok_or_else(|| Stop::usage(format!("unknown flag: --{name}")))?;
    let value = match (given, flag.value) {
        (Some(value), _) => value,
        (None, false) => "true",
        (None, true) => rest.next().ok_or_else(|| Stop::usage(format!("flag needs an argument: --{name}")))?,
    };
    parsed.flags.push((flag.long, value.to_string()));
    Ok(())
}

fn short<'a>(text: &'a str, own: &[Flag], rest: &mut impl Iterator<Item = &'a str>, parsed: &mut Parsed) -> Result<(), Stop> {
    for (at, c) in text.char_indices() {
        let flag =
            find(own, |f| f.short == Some(c)).ok_or_else(|| Stop::usage(format!("unknown shorthand flag: '{c}' in -{text}")))?;
        if !flag.value {
            parsed.flags.push((flag.long, "true".into()));
            continue;
        }
        let after = &text[at + c.len_utf8()..];
        let value = match after.strip_prefix('=').unwrap_or(after) {
            "" => rest.next().ok_or_else(|| Stop::usage(format!("flag needs an argument: '{c}' in -{text}")))?,
            value => value,
        };
        parsed.flags.push((flag.long, value.to_string()));
        return Ok(());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &[Flag] = &[valued("set", Some('s')), valued("filename", Some('f')), switch("skip-confirmation", Some('y'))];

    #[test]
    fn flags_are_read_in_every_spelling() {
        for line in [
            "--set a=b -y",
            "-s a=b --skip-confirmation",
            "--set=a=b -y",
            "-sa=b -y",
            "-ys a=b",
            "--set a=b --skip-confirmation=true",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            let parsed = parse(&words, OWN).expect(line);
            assert_eq!((parsed.all("set"), parsed.on("skip-confirmation")), (vec!["a=b".to_string()], true), "{line}");
        }
        let parsed = parse(&["-y", "--skip-confirmation=false", "x", "--", "-z"], OWN).expect("flags");
        assert_eq!((parsed.on("skip-confirmation"), parsed.operands), (false, vec!["x".to_string(), "-z".to_string()]));
    }

    #[test]
    fn mistakes_are_usage_errors() {
        let rows = [
            ("--sett a=b", "unknown flag: --sett"),
            ("-q", "unknown shorthand flag: 'q' in -q"),
            ("--set", "flag needs an argument: --set"),
            ("-f", "flag needs an argument: 'f' in -f"),
            ("--kubeconfig x", "--kubeconfig is not taken here: this istioctl talks to the lab's world only"),
        ];
        for (line, expected) in rows {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(parse(&words, OWN), Err(Stop::usage(expected)), "{line}");
        }
    }
}
