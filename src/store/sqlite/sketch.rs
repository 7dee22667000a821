//! An estimate of how many different hashes were added (HyperLogLog). It keeps no hash: of all hashes that fall to one of its registers, it
//! keeps how many zeros the least of them begins with.
//!
//! The estimator is that of Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), which Redis uses, too. Its
//! standard error with this number of registers is 0.8 %.

/// How many bits of a hash choose the register.
const INDEX_BITS: u32 = 14;
const REGISTERS: usize = 1 << INDEX_BITS;
/// The greatest rank: one more than the number of the bits that do not choose the register.
const MAX_RANK: u8 = 64 - INDEX_BITS as u8 + 1;
/// The bits of a rank in the dense form.
const RANK_BITS: u8 = 0x3f;
/// The length of the dense form: 6 bits for each register.
const DENSE_LEN: usize = REGISTERS / 4 * 3;
/// The length of a register in the sparse form: its index and its rank.
const SPARSE_LEN: usize = 3;

/// See the top of the module. In memory it is as the file has it: the registers that are in use, in the order of their indices, or all of them if
/// that is not longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sketch(Vec<u8>);

impl Sketch {
    /// A sketch to which nothing was added.
    pub(super) fn empty() -> Self {
        Sketch(Vec::new())
    }

    /// The sketch with these bytes. What no sketch has written is left out.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let mut sketch = Sketch::empty();
        if bytes.len() == DENSE_LEN {
            sketch.0 = bytes.to_vec();
            for index in 0..REGISTERS {
                if sketch.rank(index) > MAX_RANK {
                    sketch.set_dense(index, MAX_RANK);
                }
            }
        } else {
            for [low, high, rank] in bytes.as_chunks().0 {
                sketch.raise(usize::from(u16::from_le_bytes([*low, *high])), *rank);
            }
        }
        sketch
    }

    /// The sketch as bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Adds a hash, and returns whether that has changed the sketch.
    pub(super) fn add(&mut self, hash: u64) -> bool {
        let index = (hash >> (64 - INDEX_BITS)) as usize;
        // The bit behind the last one of the hash bounds the rank.
        let rest = (hash << INDEX_BITS) | 1 << (INDEX_BITS - 1);
        self.raise(index, (rest.leading_zeros() + 1) as u8)
    }

    /// How many different hashes were added.
    pub(super) fn count(&self) -> i64 {
        let mut registers = [0_u32; MAX_RANK as usize + 1];
        if self.is_dense() {
            (0..REGISTERS).for_each(|index| registers[usize::from(self.rank(index))] += 1);
        } else {
            self.used().iter().for_each(|[_, _, rank]| registers[usize::from(*rank)] += 1);
            registers[0] = (REGISTERS - self.used().len()) as u32;
        }
        let (m, share) =
            (REGISTERS as f64, |rank: u8| f64::from(registers[usize::from(rank)]) / REGISTERS as f64);
        let mut z = m * tau(1.0 - share(MAX_RANK));
        for rank in (1..MAX_RANK).rev() {
            z = 0.5 * (z + f64::from(registers[usize::from(rank)]));
        }
        z += m * sigma(share(0));
        (m * m / (2.0 * std::f64::consts::LN_2 * z)).round() as i64
    }

    /// Gives a register this rank if its rank is less, and returns whether it was.
    fn raise(&mut self, index: usize, rank: u8) -> bool {
        let rank = rank.min(MAX_RANK);
        if index >= REGISTERS || rank == 0 {
            return false;
        }
        if self.is_dense() {
            let is_less = self.rank(index) < rank;
            if is_less {
                self.set_dense(index, rank);
            }
            return is_less;
        }
        match self.place(index) {
            Ok(place) => {
                let known = &mut self.0[SPARSE_LEN * place + 2];
                let is_less = *known < rank;
                *known = rank.max(*known);
                is_less
            }
            Err(place) => {
                let [low, high, ..] = index.to_le_bytes();
                let at = SPARSE_LEN * place;
                self.0.splice(at..at, [low, high, rank]);
                if self.0.len() >= DENSE_LEN {
                    self.make_dense();
                }
                true
            }
        }
    }

    fn make_dense(&mut self) {
        let sparse = std::mem::replace(&mut self.0, vec![0; DENSE_LEN]);
        for [low, high, rank] in sparse.as_chunks().0 {
            self.set_dense(usize::from(u16::from_le_bytes([*low, *high])), *rank);
        }
    }

    fn is_dense(&self) -> bool {
        self.0.len() == DENSE_LEN
    }

    /// The registers of a sparse sketch that are in use.
    fn used(&self) -> &[[u8; SPARSE_LEN]] {
        self.0.as_chunks().0
    }

    /// Where a sparse sketch has the register, or where it must be inserted.
    fn place(&self, index: usize) -> Result<usize, usize> {
        self.used().binary_search_by_key(&index, |[low, high, _]| u16::from_le_bytes([*low, *high]).into())
    }

    /// The rank of a register of a dense sketch: 6 bits of the two bytes that have them.
    fn rank(&self, index: usize) -> u8 {
        let (byte, bit) = (6 * index / 8, 6 * index % 8);
        let high = self.0.get(byte + 1).copied().unwrap_or_default();
        (u16::from_le_bytes([self.0[byte], high]) >> bit) as u8 & RANK_BITS
    }

    fn set_dense(&mut self, index: usize, rank: u8) {
        let (byte, bit) = (6 * index / 8, 6 * index % 8);
        let [mask, bits] = [RANK_BITS, rank].map(|part| (u16::from(part) << bit).to_le_bytes());
        self.0[byte] = self.0[byte] & !mask[0] | bits[0];
        if let Some(high) = self.0.get_mut(byte + 1) {
            *high = *high & !mask[1] | bits[1];
        }
    }
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
            assert_eq!(Sketch::from_bytes(sketch.as_bytes()), sketch);
        }
        assert!(hashes().take(1_000_000).all(|hash| !sketch.add(hash)), "they are in it already");
    }

    #[test]
    fn a_sketch_takes_three_bytes_for_a_visitor_and_12_kib_at_most() {
        let mut sketch = Sketch::empty();
        assert_eq!(sketch.as_bytes(), [0; 0]);
        let mut lengths = Vec::new();
        for (number, hash) in (1..=20_000).zip(hashes()) {
            sketch.add(hash);
            if [1, 10, 1_000, 20_000].contains(&number) {
                lengths.push(sketch.as_bytes().len());
            }
        }
        assert_eq!([lengths[0], lengths[1], lengths[3]], [3, 30, 12_288]);
        assert!((2_800..=3_000).contains(&lengths[2]), "{lengths:?}");
    }

    #[test]
    fn the_ends_of_the_hashes_and_bytes_of_others_do_no_harm() {
        let mut sketch = Sketch::empty();
        assert!(sketch.add(0) && sketch.add(u64::MAX) && !sketch.add(0));
        assert_eq!(sketch.as_bytes(), [0, 0, 51, 0xff, 0x3f, 1]);
        assert_eq!(sketch.count(), 2);
        for len in [0, 1, 2, 3, 4, 300, DENSE_LEN - 1, DENSE_LEN, DENSE_LEN + 1] {
            let sketch = Sketch::from_bytes(&vec![0xff; len]);
            assert!(sketch.count() >= 0, "{len}");
        }
    }
}
