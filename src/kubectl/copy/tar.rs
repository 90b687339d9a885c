//! Tar archives: written in the ustar form, read with the long names of GNU tar and pax. Links and devices are only named.

use std::fmt::Write as _;

const BLOCK: usize = 512;
/// The longest name that is believed.
const NAME: usize = 4096;

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    /// A link and where it leads.
    Link(String),
}

/// An entry of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub kind: Kind,
    pub bytes: Vec<u8>,
}

/// An archive in the making.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    entries: usize,
}

impl Writer {
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Adds a file (rights 0644).
    pub fn file(&mut self, name: &str, bytes: &[u8]) {
        self.entry(name, b'0', 0o644, bytes);
    }

    /// Adds a folder (rights 0755).
    pub fn folder(&mut self, name: &str) {
        self.entry(&format!("{}/", name.trim_end_matches('/')), b'5', 0o755, b"");
    }

    fn entry(&mut self, name: &str, kind: u8, mode: u32, bytes: &[u8]) {
        self.entries += 1;
        if name.len() > 100 {
            // GNU's way: the name comes before, as the content of an entry of its own.
            let mut long = name.as_bytes().to_vec();
            long.push(0);
            self.header("././@LongLink", b'L', 0, long.len());
            self.content(&long);
        }
        self.header(name, kind, mode, bytes.len());
        self.content(bytes);
    }

    fn header(&mut self, name: &str, kind: u8, mode: u32, size: usize) {
        let mut block = [0u8; BLOCK];
        let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
        put(0, &name.as_bytes()[..name.len().min(100)]);
        put(100, format!("{mode:07o}").as_bytes());
        put(108, b"0000000");
        put(116, b"0000000");
        put(124, format!("{size:011o}").as_bytes());
        put(136, b"00000000000");
        put(148, b"        ");
        put(156, &[kind]);
        put(257, b"ustar\x0000");
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        let mut text = String::new();
        let _ = write!(text, "{sum:06o}\0 ");
        block[148..156].copy_from_slice(text.as_bytes());
        self.bytes.extend_from_slice(&block);
    }

    fn content(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
    }

    /// The archive with its end.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }
}

/// Reads an archive.
///
/// # Errors
/// What is no archive, or breaks off.
pub fn read(bytes: &[u8]) -> Result<Vec<Entry>, String> {
    let mut found = Vec::new();
    let (mut at, mut long_name, mut long_link) = (0, None, None);
    while let Some(block) = bytes.get(at..at + BLOCK) {
        if block.iter().all(|b| *b == 0) {
            return Ok(found);
        }
        check(block)?;
        let size = number(&block[124..136]).ok_or("archive/tar: invalid tar header")?;
        at += BLOCK;
        let content = at.checked_add(size).and_then(|end| bytes.get(at..end)).ok_or("unexpected EOF")?;
        at = (at + size).next_multiple_of(BLOCK);
        let prefix =
            if &block[257..262] == b"ustar" && block[263..265] == *b"00" { text(&block[345..500]) } else { String::new() };
        let short = text(&block[..100]);
        let short = if prefix.is_empty() { short } else { format!("{prefix}/{short}") };
        match block[156] {
            b'L' => long_name = Some(text(&content[..content.len().min(NAME)])),
            b'K' => long_link = Some(text(&content[..content.len().min(NAME)])),
            b'x' => {
                for (key, value) in pax(content) {
                    match key.as_str() {
                        "path" => long_name = Some(value),
                        "linkpath" => long_link = Some(value),
                        _ => (),
                    }
                }
            }
            b'g' => (),
            kind => {
                let name = long_name.take().unwrap_or(short);
                let link = long_link.take().unwrap_or_else(|| text(&block[157..257]));
                let (kind, bytes) = match kind {
                    b'5' => (Kind::Folder, Vec::new()),
                    b'1' | b'2' => (Kind::Link(link), Vec::new()),
                    b'0' | 0 | b'7' if !name.ends_with('/') => (Kind::File, content.to_vec()),
                    b'0' | 0 => (Kind::Folder, Vec::new()),
                    // Devices and pipes are not copied.
                    _ => continue,
                };
                found.push(Entry { name, kind, bytes });
            }
        }
    }
    match bytes.len() {
        0 => Ok(found),
        _ if at >= bytes.len() => Ok(found),
        _ => Err("unexpected EOF".into()),
    }
}

fn check(block: &[u8]) -> Result<(), String> {
    let sum: u32 = block.iter().enumerate().map(|(n, b)| if (148..156).contains(&n) { 32 } else { u32::from(*b) }).sum();
    match number(&block[148..156]) == Some(sum as usize) {
        true => Ok(()),
        false => Err("archive/tar: invalid tar header".into()),
    }
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

/// An octal number.
fn number(field: &[u8]) -> Option<usize> {
    let digits = text(field);
    let digits = digits.trim();
    if digits.is_empty() { Some(0) } else { usize::from_str_radix(digits, 8).ok() }
}

/// `LENGTH KEY=VALUE\n` records.
fn pax(content: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(content);
    let record = |line: &str| {
        let (_, pair) = line.split_once(' ')?;
        let (key, value) = pair.split_once('=')?;
        Some((key.to_string(), value.chars().take(NAME).collect()))
    };
    text.lines().filter_map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let long = "d/".repeat(80) + "file";
        let mut writer = Writer::default();
        writer.file("a.txt", b"hello");
        writer.folder("empty");
        writer.file(&long, &[7; 1000]);
        let bytes = writer.finish();
        assert_eq!(bytes.len() % BLOCK, 0);
        let found = read(&bytes).unwrap();
        let file = |name: &str, bytes: &[u8]| Entry { name: name.into(), kind: Kind::File, bytes: bytes.into() };
        let folder = Entry { name: "empty/".into(), kind: Kind::Folder, bytes: Vec::new() };
        assert_eq!(found, [file("a.txt", b"hello"), folder, file(&long, &[7; 1000])]);
        assert_eq!(read(&bytes[..515]), Err("unexpected EOF".into()));
        assert!(read(&[1; 512]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..2000), at in 0usize..1500) {
            let _ = read(&bytes);
            let mut writer = Writer::default();
            writer.file("x", &bytes);
            let mut whole = writer.finish();
            let at = at % whole.len();
            whole[at] ^= bytes.pop().unwrap_or(1);
            let _ = read(&whole);
        }
    }
}
