//! Archives as bytes: POSIX ustar with long names as GNU and pax write them.

use crate::base::clock::Time;

const BLOCK: usize = 512;

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    /// Links and devices: named, not made.
    Other(&'static str),
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// A folder's ends with `/`.
    pub name: String,
    pub kind: Kind,
    pub mode: u32,
    pub uid: u32,
    pub owner: String,
    pub modified: Time,
    pub bytes: Vec<u8>,
}

/// Appends a member.
pub fn write(out: &mut Vec<u8>, member: &Member) {
    let name = member.name.as_bytes();
    if name.len() > 100 {
        // GNU's way: the name as a member of its own before the member.
        let mut long = header(b"././@LongLink", b'L', 0, 0, name.len() + 1, 0, "root");
        finish(&mut long);
        out.extend(long);
        out.extend_from_slice(name);
        out.extend(std::iter::repeat_n(0, 1 + padding(name.len() + 1)));
    }
    let kind = if member.kind == Kind::Folder { b'5' } else { b'0' };
    let seconds = member.modified.0.max(0) / 1000;
    let mut head =
        header(&name[..name.len().min(100)], kind, member.mode, member.uid, member.bytes.len(), seconds, &member.owner);
    finish(&mut head);
    out.extend(head);
    out.extend_from_slice(&member.bytes);
    out.extend(std::iter::repeat_n(0, padding(member.bytes.len())));
}

/// Appends what ends an archive.
pub fn end(out: &mut Vec<u8>) {
    out.extend([0; 2 * BLOCK]);
    out.extend(std::iter::repeat_n(0, out.len().next_multiple_of(20 * BLOCK) - out.len()));
}

fn padding(length: usize) -> usize {
    length.next_multiple_of(BLOCK) - length
}

fn header(name: &[u8], kind: u8, mode: u32, uid: u32, size: usize, seconds: i64, owner: &str) -> Vec<u8> {
    let mut head = vec![0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| head[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name);
    put(100, format!("{:07o}\0", mode & 0o7777).as_bytes());
    put(108, format!("{uid:07o}\0").as_bytes());
    put(116, format!("{uid:07o}\0").as_bytes());
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, format!("{seconds:011o}\0").as_bytes());
    put(156, &[kind]);
    put(257, b"ustar  \0");
    let owner = &owner.as_bytes()[..owner.len().min(31)];
    put(265, owner);
    put(297, owner);
    head
}

fn finish(head: &mut [u8]) {
    head[148..156].fill(b' ');
    let sum: u32 = head.iter().map(|b| u32::from(*b)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// The members of an archive.
///
/// # Errors
/// What is wrong with it.
pub fn read(bytes: &[u8], limit: usize) -> Result<Vec<Member>, &'static str> {
    let mut members = Vec::new();
    let (mut at, mut long_name, mut pax_size) = (0, None::<String>, None::<usize>);
    if bytes.len() < BLOCK {
        return Err("too short");
    }
    while let Some(head) = bytes.get(at..at + BLOCK) {
        if head.iter().all(|b| *b == 0) {
            return Ok(members);
        }
        check(head)?;
        let size = pax_size.take().map_or_else(|| octal(&head[124..136]), Ok)?;
        let start = at + BLOCK;
        let content = start.checked_add(size).and_then(|end| bytes.get(start..end)).ok_or("cut off")?;
        at = start + size + padding(size);
        match head[156] {
            b'L' => long_name = Some(text(content)),
            b'x' => {
                let (name, size) = pax(content);
                long_name = name.or(long_name);
                pax_size = size;
            }
            b'g' | b'K' => (),
            kind => {
                if members.len() >= limit {
                    return Err("too many members");
                }
                let name = long_name.take().unwrap_or_else(|| name_of(head));
                members.push(member(head, kind, name, content)?);
            }
        }
    }
    // Some end without their two empty blocks.
    Ok(members)
}

fn member(head: &[u8], kind: u8, mut name: String, content: &[u8]) -> Result<Member, &'static str> {
    let kind = match kind {
        b'0' | 0 | b'7' if name.ends_with('/') => Kind::Folder,
        b'0' | 0 | b'7' => Kind::File,
        b'5' => Kind::Folder,
        b'1' => Kind::Other("a hard link"),
        b'2' => Kind::Other("a symbolic link"),
        _ => Kind::Other("a special file"),
    };
    if kind == Kind::Folder && !name.ends_with('/') {
        name.push('/');
    }
    let seconds = octal(&head[136..148]).unwrap_or(0) as i64;
    Ok(Member {
        name,
        kind,
        mode: octal(&head[100..108])? as u32,
        uid: octal(&head[108..116]).unwrap_or(0) as u32,
        owner: text(&head[265..297]),
        modified: Time(seconds.saturating_mul(1000)),
        bytes: content.to_vec(),
    })
}

fn check(head: &[u8]) -> Result<(), &'static str> {
    let sum: u32 = head.iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { 32 } else { u32::from(*b) }).sum();
    if octal(&head[148..156])? as u32 == sum { Ok(()) } else { Err("a wrong checksum") }
}

/// The name with ustar's prefix.
fn name_of(head: &[u8]) -> String {
    let name = text(&head[..100]);
    let posix = &head[257..263] == b"ustar\0";
    match text(&head[345..500]) {
        prefix if posix && !prefix.is_empty() => format!("{prefix}/{name}"),
        _ => name,
    }
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn octal(bytes: &[u8]) -> Result<usize, &'static str> {
    // GNU's numbers beyond eight gigabytes, and before 1970.
    if bytes.first().is_some_and(|b| b & 0x80 != 0) {
        return Err("a number too large");
    }
    let digits = text(bytes);
    let digits = digits.trim();
    if digits.is_empty() { Ok(0) } else { usize::from_str_radix(digits, 8).map_err(|_| "a broken number") }
}

/// `path` and `size` of a pax header: lines `LENGTH KEY=VALUE`.
fn pax(content: &[u8]) -> (Option<String>, Option<usize>) {
    let (mut path, mut size, mut rest) = (None, None, content);
    while let Some(space) = rest.iter().position(|b| *b == b' ') {
        let Ok(length) = text(&rest[..space]).parse::<usize>() else { break };
        let Some(line) = rest.get(space + 1..length) else { break };
        let line = String::from_utf8_lossy(line);
        match line.trim_end_matches('\n').split_once('=') {
            Some(("path", value)) => path = Some(value.to_string()),
            Some(("size", value)) => size = value.parse().ok(),
            _ => (),
        }
        rest = &rest[length..];
    }
    (path, size)
}

/// A line of `tar tv`.
pub fn long(member: &Member) -> String {
    let bits: String = (0..9).rev().map(|bit| if member.mode >> bit & 1 == 1 { ['x', 'w', 'r'][bit % 3] } else { '-' }).collect();
    let kind = if member.kind == Kind::Folder { 'd' } else { '-' };
    let stamp = member.modified.rfc3339();
    let when = stamp.get(..16).unwrap_or("").replace('T', " ");
    let owner = if member.owner.is_empty() { member.uid.to_string() } else { member.owner.clone() };
    format!("{kind}{bits} {owner}/{owner} {:>9} {when} {}", member.bytes.len(), member.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: &[u8]) -> Member {
        let kind = if name.ends_with('/') { Kind::Folder } else { Kind::File };
        let modified = Time(1_700_000_000_000);
        Member { name: name.into(), kind, mode: 0o640, uid: 100, owner: "curl_user".into(), modified, bytes: bytes.to_vec() }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let long = format!("a/{}/end", "folder/".repeat(30).trim_end_matches('/'));
        let members = [file("a/", b""), file("a/x", b"hello"), file("a/empty", b""), file(&long, &[7; 1025])];
        let mut bytes = Vec::new();
        members.iter().for_each(|m| write(&mut bytes, m));
        end(&mut bytes);
        assert_eq!(bytes.len() % 10_240, 0);
        assert_eq!(read(&bytes, 10).unwrap(), members);
        assert_eq!(read(&bytes, 3), Err("too many members"));
    }

    #[test]
    fn a_pax_header_names_the_next_member() {
        let name = "n".repeat(150);
        let line = format!("{} path={name}\n", 150 + 10);
        let mut bytes = Vec::new();
        let mut head = header(b"PaxHeaders.0/x", b'x', 0o644, 0, line.len(), 0, "root");
        finish(&mut head);
        bytes.extend(head);
        bytes.extend(line.as_bytes());
        bytes.extend(vec![0; padding(line.len())]);
        write(&mut bytes, &file("short", b"1"));
        end(&mut bytes);
        assert_eq!(read(&bytes, 10).unwrap()[0].name, name);
    }

    #[test]
    fn broken_archives_are_refused_without_a_panic() {
        let mut bytes = Vec::new();
        write(&mut bytes, &file("x", b"hello"));
        end(&mut bytes);
        assert_eq!(read(b"", 10), Err("too short"));
        assert_eq!(read(&[b'x'; 512], 10), Err("a broken number"));
        assert_eq!(read(&bytes[..514], 10), Err("cut off"));
        for i in 0..BLOCK {
            for value in [0, b'7', b' ', 0x80, 0xff] {
                let mut other = bytes.clone();
                other[i] = value;
                let _ = read(&other, 10);
            }
        }
    }
}
