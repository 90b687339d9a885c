//! What a program file needs around it in a container: read from its ELF header, so that an image is only built of a file that can run
//! in it.

use std::fmt;

/// The processor that a program is for, as container images name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    Amd64,
    Arm64,
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Arch::Amd64 => "amd64",
            Arch::Arm64 => "arm64",
        })
    }
}

/// The C library that a program asks its system for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it is linked statically.
    Nothing,
    /// The GNU C library, at the place where most systems have it.
    Glibc,
}

/// A program for Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binary {
    pub arch: Arch,
    pub needs: Needs,
}

/// Why a file cannot be the origin image's program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("it is not a program for Linux (no 64-bit ELF header)")]
    NotLinux,
    #[error("its processor (ELF machine {0}) is neither amd64 nor arm64")]
    Machine(u16),
    #[error("it asks for the loader {0:?}, which no image has; build it with RUSTFLAGS=\"-C target-feature=+crt-static\"")]
    Loader(String),
    #[error("its header is damaged")]
    Damaged,
}

impl Binary {
    /// The image to build upon.
    pub fn base_image(self) -> &'static str {
        match self.needs {
            Needs::Nothing => "scratch",
            Needs::Glibc => "debian:trixie-slim",
        }
    }

    /// Reads the start of a program file (the first 64 KiB hold all that counts).
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn read(start: &[u8]) -> Result<Binary, Unfit> {
        // e_ident: magic, 64-bit, little-endian (elf(5)).
        if start.get(..6) != Some(b"\x7fELF\x02\x01") {
            return Err(Unfit::NotLinux);
        }
        let arch = match number(start, 18, 2)? {
            62 => Arch::Amd64,
            183 => Arch::Arm64,
            other => return Err(Unfit::Machine(other as u16)),
        };
        Ok(Binary { arch, needs: needs(start)? })
    }
}

/// Where the image has its loader. Another place (musl's, or a store of its own as NixOS has it) is not there.
const GLIBC: [&str; 2] = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];

/// The loader of the PT_INTERP program header (type 3) decides.
fn needs(start: &[u8]) -> Result<Needs, Unfit> {
    let (table, size, count) = (number(start, 32, 8)?, number(start, 54, 2)?, number(start, 56, 2)?);
    for n in 0..count {
        let header = n.checked_mul(size).and_then(|offset| table.checked_add(offset)).ok_or(Unfit::Damaged)?;
        if number(start, header, 4)? != 3 {
            continue;
        }
        let (from, length) = (number(start, header + 8, 8)?, number(start, header + 32, 8)?);
        let text = slice(start, from, length).ok_or(Unfit::Damaged)?;
        let loader = String::from_utf8_lossy(text).trim_end_matches('\0').to_string();
        return if GLIBC.contains(&loader.as_str()) { Ok(Needs::Glibc) } else { Err(Unfit::Loader(loader)) };
    }
    Ok(Needs::Nothing)
}

/// A little-endian number of so many bytes.
fn number(bytes: &[u8], at: u64, length: u64) -> Result<u64, Unfit> {
    let bytes = slice(bytes, at, length).ok_or(Unfit::Damaged)?;
    Ok(bytes.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)))
}

fn slice(bytes: &[u8], at: u64, length: u64) -> Option<&[u8]> {
    let from = usize::try_from(at).ok()?;
    bytes.get(from..from.checked_add(usize::try_from(length).ok()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with one program header of this type and this loader.
    fn elf(machine: u16, kind: u32, loader: &str) -> Vec<u8> {
        let mut bytes = vec![0; 120];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes[32..40].copy_from_slice(&64u64.to_le_bytes());
        bytes[54..56].copy_from_slice(&56u16.to_le_bytes());
        bytes[56..58].copy_from_slice(&1u16.to_le_bytes());
        bytes[64..68].copy_from_slice(&kind.to_le_bytes());
        bytes[72..80].copy_from_slice(&120u64.to_le_bytes());
        bytes[96..104].copy_from_slice(&(loader.len() as u64 + 1).to_le_bytes());
        bytes.extend_from_slice(loader.as_bytes());
        bytes.push(0);
        bytes
    }

    #[test]
    fn a_program_says_what_it_needs() {
        let read = |machine, kind, loader| Binary::read(&elf(machine, kind, loader));
        let glibc = read(62, 3, "/lib64/ld-linux-x86-64.so.2").unwrap();
        assert_eq!((glibc.arch, glibc.base_image()), (Arch::Amd64, "debian:trixie-slim"));
        let bare = read(183, 1, "").unwrap();
        assert_eq!((bare.arch, bare.base_image()), (Arch::Arm64, "scratch"));
        assert_eq!(read(243, 1, ""), Err(Unfit::Machine(243)));
        for elsewhere in ["/nix/store/x-glibc/lib/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"] {
            let why = read(62, 3, elsewhere).unwrap_err();
            assert!(matches!(why, Unfit::Loader(_)) && why.to_string().contains("crt-static"), "{why}");
        }
    }

    #[test]
    fn damaged_and_foreign_files_are_refused() {
        assert_eq!(Binary::read(b"\xcf\xfa\xed\xfe\x0c\x00"), Err(Unfit::NotLinux));
        assert_eq!(Binary::read(b""), Err(Unfit::NotLinux));
        let whole = elf(62, 3, "/lib64/ld-linux-x86-64.so.2");
        for length in 6..whole.len() {
            assert_eq!(Binary::read(&whole[..length]), Err(Unfit::Damaged), "{length} bytes");
        }
        let mut far = whole.clone();
        far[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(Binary::read(&far), Err(Unfit::Damaged));
    }

    #[test]
    fn this_very_program_can_be_read() {
        #[cfg(target_os = "linux")]
        {
            let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
            assert!(Binary::read(&own[..65_536]).is_ok());
        }
    }
}
