//! The names of the lab's outside world in the cluster's own DNS: a `hosts` block in the Corefile, put in and taken out again as text.
//! Taking it out gives back the text that was there before, to the byte.
//!
//! Rules: CoreDNS's `hosts` may stand once per server block, and needs `fallthrough` for names it does not know
//! (<https://coredns.io/plugins/hosts/>); a query goes to the server block with the longest zone that fits
//! (<https://coredns.io/manual/toc/#configuration>).

use std::fmt;
use std::net::IpAddr;

const TEMPLATE: &str = include_str!("../../../assets/kind/coredns-hosts.txt");
/// How the first and last line of the block start.
const BEGIN: &str = "# egress-lab begin";
const END: &str = "# egress-lab end";
/// A Corefile longer than this is none that a person wrote (a ConfigMap holds 1 MiB).
const LONGEST: usize = 1 << 20;

/// Why a Corefile is left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No server block answers for every name on port 53.
    NoRootBlock,
    /// Its server block has a `hosts` of its own, at this line; there can be only one.
    OwnHosts {
        line: usize,
    },
    /// A block of the lab begins or ends at this line without its other end.
    Torn {
        line: usize,
    },
    /// Braces do not match at this line.
    Unbalanced {
        line: usize,
    },
    /// A server block for this zone would answer for a name of the lab instead.
    Shadowed {
        zone: String,
        name: String,
    },
    TooLong,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NoRootBlock => write!(f, "no server block of the Corefile answers for every name on port 53 (\".:53 {{\")"),
            Refusal::OwnHosts { line } => {
                write!(f, "the Corefile has a hosts block already (line {line}), and CoreDNS takes one per server block")
            }
            Refusal::Torn { line } => {
                write!(f, "the lab's block in the Corefile is damaged (line {line}): its first or last line is missing")
            }
            Refusal::Unbalanced { line } => write!(f, "the braces of the Corefile do not match (line {line})"),
            Refusal::Shadowed { zone, name } => {
                write!(f, "the Corefile's server block for {zone} would answer for {name} instead of the lab's block")
            }
            Refusal::TooLong => write!(f, "the Corefile is longer than {LONGEST} bytes"),
        }
    }
}

impl std::error::Error for Refusal {}

/// The block for these addresses and names: one line per address, in the order of its first name.
pub fn hosts_block(hosts: &[(IpAddr, String)]) -> String {
    let mut lines: Vec<(IpAddr, Vec<&str>)> = Vec::new();
    for (address, name) in hosts {
        match lines.iter_mut().find(|(known, _)| known == address) {
            Some((_, names)) => names.push(name),
            None => lines.push((*address, vec![name])),
        }
    }
    let lines: Vec<String> = lines.iter().map(|(address, names)| format!("{address} {}", names.join(" "))).collect();
    TEMPLATE.replace("{hosts}", &lines.join("\n    "))
}

/// The Corefile with the block in its root server block, in place of an older one of the lab. The same call again changes nothing.
///
/// # Errors
/// [`Refusal`]; the Corefile is then to be left as it is.
pub fn insert(corefile: &str, block: &str) -> Result<String, Refusal> {
    let bare = remove(corefile)?;
    let lines: Vec<&str> = bare.split_inclusive('\n').collect();
    let root = root_block(&lines, block)?;
    let ending = if lines[root].ends_with("\r\n") { "\r\n" } else { "\n" };
    let block: String = block.lines().map(|line| format!("    {line}{ending}")).collect();
    let (before, after) = lines.split_at(root + 1);
    Ok(before.concat() + &block + &after.concat())
}

/// The Corefile without the lab's block: as it was before [`insert`].
///
/// # Errors
/// [`Refusal::Torn`], [`Refusal::TooLong`].
pub fn remove(corefile: &str) -> Result<String, Refusal> {
    if corefile.len() > LONGEST {
        return Err(Refusal::TooLong);
    }
    let (mut kept, mut inside) = (String::with_capacity(corefile.len()), None);
    for (n, line) in corefile.split_inclusive('\n').enumerate() {
        let (text, at) = (line.trim(), n + 1);
        match inside {
            None if text.starts_with(BEGIN) => inside = Some(at),
            None if text == END => return Err(Refusal::Torn { line: at }),
            None => kept.push_str(line),
            Some(_) if text.starts_with(BEGIN) => return Err(Refusal::Torn { line: at }),
            Some(_) if text == END => inside = None,
            Some(_) => {}
        }
    }
    inside.map_or(Ok(kept), |line| Err(Refusal::Torn { line }))
}

/// Whether the lab's block is in the Corefile.
pub fn is_in(corefile: &str) -> bool {
    corefile.lines().any(|line| line.trim().starts_with(BEGIN))
}

/// The line (from 0) that opens the server block for every name, when the block can go there and would be asked.
fn root_block(lines: &[&str], block: &str) -> Result<usize, Refusal> {
    let (mut depth, mut root, mut in_root) = (0usize, None, false);
    for (n, line) in lines.iter().enumerate() {
        let words: Vec<&str> = words(line).collect();
        let opens = words.last() == Some(&"{");
        if depth == 0 && opens {
            let zones: Vec<&str> = words[..words.len() - 1].iter().flat_map(|w| w.split(',')).filter_map(zone_at_53).collect();
            in_root = zones.contains(&".");
            if in_root && root.is_none() {
                root = Some(n);
            }
            shadowed(&zones, block)?;
        }
        if depth == 1 && in_root && words.first() == Some(&"hosts") {
            return Err(Refusal::OwnHosts { line: n + 1 });
        }
        let closes = words.iter().filter(|w| **w == "}").count();
        let opened = words.iter().filter(|w| **w == "{").count();
        depth = (depth + opened).checked_sub(closes).ok_or(Refusal::Unbalanced { line: n + 1 })?;
    }
    match (depth, root) {
        (0, Some(root)) => Ok(root),
        (0, None) => Err(Refusal::NoRootBlock),
        _ => Err(Refusal::Unbalanced { line: lines.len() }),
    }
}

/// The words of a line of a Corefile; from a word that starts with `#` on it is a comment.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_whitespace().take_while(|word| !word.starts_with('#'))
}

/// The zone of a server block's label that is asked over plain DNS on port 53, without its final dot (but `.` itself).
fn zone_at_53(label: &str) -> Option<&str> {
    let label = match label.split_once("://") {
        Some(("dns", rest)) => rest,
        Some(_) => return None,
        None => label,
    };
    // A snippet, `(name)`, serves nobody.
    if label.is_empty() || label.starts_with('(') {
        return None;
    }
    let zone = match label.rsplit_once(':') {
        Some((zone, "53")) => zone,
        Some(_) => return None,
        None => label,
    };
    Some(if zone == "." { zone } else { zone.trim_end_matches('.') })
}

/// A more exact zone wins over the root's block.
fn shadowed(zones: &[&str], block: &str) -> Result<(), Refusal> {
    let of_hosts = block.lines().filter(|line| line.trim().starts_with(|c: char| c.is_ascii_digit() || c == ':'));
    for name in of_hosts.flat_map(|line| line.split_whitespace().skip(1)) {
        let fits = |zone: &&&str| name == **zone || name.strip_suffix(**zone).is_some_and(|rest| rest.ends_with('.'));
        if let Some(zone) = zones.iter().filter(|zone| **zone != ".").find(fits) {
            return Err(Refusal::Shadowed { zone: zone.to_string(), name: name.to_string() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What kubeadm writes, and so kind (`pods insecure` and all).
    const KIND: &str = include_str!("../../../tests/data/kind/Corefile.kind");
    /// A Corefile as cloud providers ship it: several server blocks, a snippet, comments.
    const OTHER: &str = include_str!("../../../tests/data/kind/Corefile.other");

    fn block() -> String {
        let hosts = [("172.18.0.3", "www.wikipedia.org"), ("172.18.0.4", "example.com"), ("172.18.0.3", "wikipedia.org")];
        hosts_block(&hosts.map(|(address, name)| (address.parse().unwrap(), name.to_string())))
    }

    #[test]
    fn the_block_has_one_line_per_address_and_lets_other_names_through() {
        let block = block();
        assert!(block.contains("\n    172.18.0.3 www.wikipedia.org wikipedia.org\n    172.18.0.4 example.com\n"), "{block}");
        assert!(block.contains("\n    fallthrough\n}\n"), "{block}");
        assert!(block.starts_with(BEGIN) && block.ends_with("# egress-lab end\n"));
    }

    #[test]
    fn put_in_once_or_often_and_taken_out_to_the_byte() {
        let no_newline = KIND.trim_end().to_string();
        let windows = KIND.replace('\n', "\r\n");
        for corefile in [KIND, OTHER, &no_newline, &windows, ". {\n}", ".:53 {\n    hosts_file x\n}\n"] {
            let with = insert(corefile, &block()).unwrap_or_else(|why| panic!("{corefile}: {why}"));
            assert!(is_in(&with) && with.contains("172.18.0.3 www.wikipedia.org wikipedia.org"));
            assert_eq!(insert(&with, &block()).unwrap(), with, "the second time changes nothing");
            assert_eq!(remove(&with).unwrap(), corefile, "taken out again");
            assert_eq!(remove(corefile).unwrap(), corefile, "nothing to take out");
        }
    }

    #[test]
    fn it_goes_into_the_block_for_every_name_and_replaces_an_older_one() {
        let with = insert(OTHER, &block()).unwrap();
        let at = with.find(BEGIN).unwrap();
        let opening = with[..at].lines().rev().find(|line| line.ends_with('{')).unwrap();
        assert_eq!(opening, ".:53 {");
        let newer = hosts_block(&[("172.18.0.9".parse().unwrap(), "example.com".into())]);
        let again = insert(&with, &newer).unwrap();
        assert!(!again.contains("172.18.0.3") && again.contains("172.18.0.9 example.com"));
        assert_eq!(again.matches(BEGIN).count(), 1);
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_line() {
        let own = KIND.replacen("    ready\n", "    ready\n    hosts {\n        10.0.0.1 a.b\n    }\n", 1);
        assert_eq!(insert(&own, &block()), Err(Refusal::OwnHosts { line: 7 }));
        assert_eq!(insert("cluster.local:53 {\n}\n", &block()), Err(Refusal::NoRootBlock));
        assert_eq!(insert(".:5353 {\n}\n", &block()), Err(Refusal::NoRootBlock));
        assert_eq!(insert("tls://.:53 {\n}\n", &block()), Err(Refusal::NoRootBlock));
        assert_eq!(insert("", &block()), Err(Refusal::NoRootBlock));
        assert_eq!(insert(".:53 {\n", &block()), Err(Refusal::Unbalanced { line: 1 }));
        assert_eq!(insert(".:53 {\n}\n}\n", &block()), Err(Refusal::Unbalanced { line: 3 }));
        let shadow = format!("{KIND}wikipedia.org. {{\n    forward . 1.1.1.1\n}}\n");
        let zone = Refusal::Shadowed { zone: "wikipedia.org".into(), name: "www.wikipedia.org".into() };
        assert_eq!(insert(&shadow, &block()), Err(zone));
        // No label boundary, no shadow.
        assert!(insert(&format!("{KIND}pedia.org {{\n}}\n"), &block()).is_ok());
        let torn = insert(KIND, &block()).unwrap().replace("    # egress-lab end\n", "");
        assert!(matches!(remove(&torn), Err(Refusal::Torn { line: 2 })));
        assert!(matches!(remove("# egress-lab end\n"), Err(Refusal::Torn { line: 1 })));
        assert_eq!(remove(&"x".repeat(LONGEST + 1)), Err(Refusal::TooLong));
    }

    #[test]
    fn refusals_are_sentences_of_one_line() {
        let all = [
            Refusal::NoRootBlock,
            Refusal::OwnHosts { line: 3 },
            Refusal::Torn { line: 3 },
            Refusal::Unbalanced { line: 3 },
            Refusal::Shadowed { zone: "a".into(), name: "b.a".into() },
            Refusal::TooLong,
        ];
        all.iter().for_each(|refusal| assert!(refusal.to_string().contains("Corefile") && !refusal.to_string().contains('\n')));
    }
}
