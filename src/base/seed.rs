//! Names, uids, addresses and ids without chance: every value is a hash of (seed, what it is for). The only source of randomness.

use std::hash::{BuildHasher, Hasher};

/// The seed of a world or a run. Same seed, same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// A seed that nobody chose, for served worlds.
    pub fn fresh() -> Seed {
        Seed(std::collections::hash_map::RandomState::new().build_hasher().finish())
    }

    /// A number that depends on the seed and on `parts` only (FNV-1a over the parts, then SplitMix64).
    pub fn hash(self, parts: &[&str]) -> u64 {
        let mut h = 0xcbf2_9ce4_8422_2325_u64 ^ self.0;
        for part in parts {
            for byte in part.bytes().chain([0xff]) {
                h = (h ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        mix(h)
    }

    /// A version-4-looking UUID made of [`Seed::hash`].
    pub fn uuid(self, parts: &[&str]) -> String {
        let a = self.hash(parts);
        let b = mix(a ^ 0x9e37_79b9_7f4a_7c15);
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | ((b >> 48) & 0x3fff),
            b & 0xffff_ffff_ffff
        )
    }

    /// `n` characters of the alphabet Kubernetes uses for generated names (`bcdfghjklmnpqrstvwxz2456789`).
    pub fn suffix(self, parts: &[&str], n: usize) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let mut h = self.hash(parts);
        (0..n)
            .map(|_| {
                let c = ALPHABET[(h % ALPHABET.len() as u64) as usize] as char;
                h = mix(h);
                c
            })
            .collect()
    }
}

/// SplitMix64's output function (Steele, Lea, Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_parts_give_the_same_value_and_others_do_not() {
        let s = Seed(7);
        assert_eq!(s.uuid(&["Pod", "default", "test"]), s.uuid(&["Pod", "default", "test"]));
        assert_ne!(s.hash(&["ab", "c"]), s.hash(&["a", "bc"]));
        assert_ne!(Seed(8).hash(&["x"]), s.hash(&["x"]));
        assert_eq!(s.suffix(&["p"], 5).len(), 5);
    }
}
