//! An estimate of how many different hashes were added (HyperLogLog). It keeps no hash: of all hashes that fall to one of its registers, it
//! keeps how many zeros the least of them begins with.
//!
//! The estimator is that of Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), which Redis uses, too. Its
//! standard error with this number of registers is 0.8 %.

/// How many bits of a hash choose the register.
const INDEX_BITS: u32 = 14;
const REGISTERS: usize = 1 << INDEX_BITS;
/// The greatest rank: one more than the number of the bits that do not choose the register.
const MAX_RANK: usize = 64 - INDEX_BITS as usize + 1;
/// The length of the dense form: 6 bits for each register.
const DENSE_LEN: usize = REGISTERS / 4 * 3;
/// The length of a register in the sparse form: its index and its rank.
const SPARSE_LEN: usize = 3;

/// See the top of the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sketch {
    /// The greatest rank of each register; 0 if no hash has fallen to it.
    ranks: Vec<u8>,
}

impl Sketch {
    /// A sketch to which nothing was added.
    pub(super) fn empty() -> Self {
        Sketch { ranks: vec![0; REGISTERS] }
    }

    /// Adds a hash, and returns whether that has changed the sketch.
    pub(super) fn add(&mut self, hash: u64) -> bool {
        let index = (hash >> (64 - INDEX_BITS)) as usize;
        // The bit behind the last one of the hash bounds the rank.
        let rest = (hash << INDEX_BITS) | 1 << (INDEX_BITS - 1);
        let rank = (rest.leading_zeros() + 1) as u8;
        let is_greater = self.ranks[index] < rank;
        if is_greater {
            self.ranks[index] = rank;
        }
        is_greater
    }

    /// How many different hashes were added.
    pub(super) fn count(&self) -> i64 {
        let mut registers = [0_u32; MAX_RANK + 1];
        for &rank in &self.ranks {
            registers[usize::from(rank)] += 1;
        }
        let (m, share) = (REGISTERS as f64, |rank: usize| f64::from(registers[rank]) / REGISTERS as f64);
        let mut z = m * tau(1.0 - share(MAX_RANK));
        for rank in (1..MAX_RANK).rev() {
            z = 0.5 * (z + f64::from(registers[rank]));
        }
        z += m * sigma(share(0));
        (m * m / (2.0 * std::f64::consts::LN_2 * z)).round() as i64
    }

    /// The sketch as bytes: those registers that are in use, or all of them if that is shorter.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let used = self.ranks.iter().filter(|rank| **rank > 0).count();
        if used * SPARSE_LEN >= DENSE_LEN {
            return self.ranks.chunks_exact(4).flat_map(pack).collect();
        }
        let used = (0_u16..).zip(&self.ranks).filter(|(_, rank)| **rank > 0);
        used.flat_map(|(index, rank)| [index.to_le_bytes()[0], index.to_le_bytes()[1], *rank]).collect()
    }

    /// The sketch with these bytes. What no sketch has written is left out.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let mut sketch = Sketch::empty();
        if bytes.len() == DENSE_LEN {
            sketch.ranks = bytes.chunks_exact(3).flat_map(unpack).collect();
        } else {
            for part in bytes.chunks_exact(SPARSE_LEN) {
                let index = usize::from(u16::from_le_bytes([part[0], part[1]]));
                if let Some(rank) = sketch.ranks.get_mut(index) {
                    *rank = part[2];
                }
            }
        }
        sketch.ranks.iter_mut().for_each(|rank| *rank = (*rank).min(MAX_RANK as u8));
        sketch
    }
}

/// Four ranks in three bytes.
fn pack(ranks: &[u8]) -> [u8; 3] {
    let bits = ranks.iter().rev().fold(0_u32, |bits, rank| bits << 6 | u32::from(*rank));
    let [first, second, third, _] = bits.to_le_bytes();
    [first, second, third]
}

/// The four ranks in three bytes.
fn unpack(bytes: &[u8]) -> [u8; 4] {
    let bits = bytes.iter().rev().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
    [0, 6, 12, 18].map(|shift| (bits >> shift & 0x3f) as u8)
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        let before = z;
        x *= x;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        let before = z;
        x = x.sqrt();
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that are spread like hashes (SplitMix64).
    fn hashes() -> impl Iterator<Item = u64> {
        (1_u64..).map(|number| {
            let mut hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            hash ^ hash >> 31
        })
    }

    #[test]
    fn estimates_are_within_two_percent() {
        let mut sketch = Sketch::empty();
        assert_eq!(sketch.count(), 0);
        let mut added = 0;
        for until in [1_i64, 2, 10, 100, 1_000, 5_000, 10_000, 40_000, 100_000, 1_000_000] {
            for hash in hashes().skip(added as usize).take((until - added) as usize) {
                sketch.add(hash);
            }
            added = until;
            let error = (sketch.count() - until).abs();
            assert!(error * 50 <= until, "{until}: {}", sketch.count());
            assert_eq!(Sketch::from_bytes(&sketch.to_bytes()), sketch);
        }
        assert!(hashes().take(1_000_000).all(|hash| !sketch.add(hash)), "they are in it already");
    }

    #[test]
    fn a_sketch_takes_three_bytes_for_a_visitor_and_12_kib_at_most() {
        let mut sketch = Sketch::empty();
        assert_eq!(sketch.to_bytes(), [0; 0]);
        let mut lengths = Vec::new();
        for (number, hash) in (1..=20_000).zip(hashes()) {
            sketch.add(hash);
            if [1, 10, 1_000, 20_000].contains(&number) {
                lengths.push(sketch.to_bytes().len());
            }
        }
        assert_eq!([lengths[0], lengths[1], lengths[3]], [3, 30, 12_288]);
        assert!((2_800..=3_000).contains(&lengths[2]), "{lengths:?}");
    }

    #[test]
    fn the_ends_of_the_hashes_and_bytes_of_others_do_no_harm() {
        let mut sketch = Sketch::empty();
        assert!(sketch.add(0) && sketch.add(u64::MAX) && !sketch.add(0));
        assert_eq!((sketch.ranks[0], sketch.ranks[REGISTERS - 1]), (51, 1));
        assert_eq!(sketch.count(), 2);
        for len in [0, 1, 2, 3, 4, 300, DENSE_LEN - 1, DENSE_LEN, DENSE_LEN + 1] {
            let sketch = Sketch::from_bytes(&vec![0xff; len]);
            assert!(sketch.count() >= 0, "{len}");
        }
    }
}
