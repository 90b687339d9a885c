//! A quick hash for maps whose keys this program made itself: addresses of values, numbers, names of the mesh's own objects and
//! requests. The standard one also withstands keys that somebody chose so that they collide, and that is most of what it costs.

use std::hash::{BuildHasherDefault, Hasher};

/// For maps and sets: `HashMap<K, V, Spread>`.
pub type Spread = BuildHasherDefault<Multiplied>;

/// Eight bytes at a time, each time a multiplication by the golden ratio.
#[derive(Debug, Clone, Copy, Default)]
pub struct Multiplied(u64);

impl Multiplied {
    #[inline]
    fn add(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(26);
    }
}

impl Hasher for Multiplied {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.add(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.add(u64::from_le_bytes(last));
        }
    }

    #[inline]
    fn write_u8(&mut self, n: u8) {
        self.add(u64::from(n));
    }

    #[inline]
    fn write_u16(&mut self, n: u16) {
        self.add(u64::from(n));
    }

    #[inline]
    fn write_usize(&mut self, n: usize) {
        self.add(n as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    #[test]
    fn names_that_differ_little_are_told_apart_in_the_bits_that_maps_look_at() {
        let hashes: Vec<u64> = (0..4_096).map(|i| Spread::default().hash_one(format!("api-{i}.example.com").as_str())).collect();
        let whole: HashSet<u64> = hashes.iter().copied().collect();
        assert_eq!(whole.len(), hashes.len());
        for shift in [0, 52] {
            let buckets: HashSet<u64> = hashes.iter().map(|h| h >> shift & 0xfff).collect();
            assert!(buckets.len() > 2_000, "{} of 4,096 at bit {shift}", buckets.len());
        }
    }
}
