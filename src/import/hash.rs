//! Hashes that stand for the names of topics, as they take less memory.

use std::hash::{DefaultHasher, Hash, Hasher};

/// A hash of 64 bits.
pub(super) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
