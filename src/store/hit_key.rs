//! The keys by which hits are counted once. The key of a new visitor names the period in which it was made, so that a store can keep the keys of one
//! period together.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::IdempotencyKey;

/// The length of a key that [`HitKey::new`] makes.
pub const NEW_KEY_LEN: usize = 22;
/// How many characters at the beginning of such a key name its period.
const PERIOD_LEN: usize = 6;
/// How many random bytes are behind them. Two visitors of one period get the same ones as good as never.
const RANDOM_LEN: usize = 12;
/// How many random bytes the system is asked for at once: a call of the system takes longer than all else that a key needs.
const BYTES_AT_ONCE: usize = 64 * RANDOM_LEN;
/// How many keys of a process are in one period at most. A store that keeps them together deletes them together, and serves nothing else
/// meanwhile.
const KEYS_OF_A_PERIOD: u64 = 1024;
/// How many periods a lifetime has at least.
const PERIODS: u32 = 8;
/// The characters of a period's name.
const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

thread_local! {
    /// Random bytes of which no key was made yet.
    static UNUSED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// When this process has made its first key.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);
/// Makes the names of periods from their numbers: others in each process, and none that tell how many keys there are.
static NAMES: LazyLock<RandomState> = LazyLock::new(RandomState::new);
/// How many keys this process has made.
static MADE: AtomicU64 = AtomicU64::new(0);

/// What makes a repeated hit of a page count once: the same key on the same page counts once within the lifetime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HitKey {
    /// The key, which no hit of another page of the site may have.
    pub key: IdempotencyKey,
    /// How long the key is remembered. A repetition does not prolong this time. A store that keeps the keys of one period together may remember
    /// a new key for one [period](Self::period) longer.
    pub lifetime: Duration,
    /// Where the key comes from.
    pub source: KeySource,
}

/// Where the key of a hit comes from: this says how a store may have kept it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeySource {
    /// A client has chosen the key, or it follows from what is known of the client.
    #[default]
    Client,
    /// [`HitKey::new`] has just made the key, so no other hit has it.
    New,
    /// A client has sent the key as one that [`HitKey::new`] has made for it, which may not be true.
    Returned,
}

impl HitKey {
    /// The key of a new visitor; `None` if the system has no random numbers.
    pub fn new(lifetime: Duration) -> Option<Self> {
        let period = NAMES.hash_one(period_number(lifetime));
        let mut key = [0; NEW_KEY_LEN];
        let (name, rest) = key.split_at_mut(PERIOD_LEN);
        for (place, character) in name.iter_mut().enumerate() {
            *character = CHARACTERS[(period >> (6 * place)) as usize % CHARACTERS.len()];
        }
        fill_random(rest)?;
        let key = std::str::from_utf8(&key).ok()?.parse().ok()?;
        Some(HitKey { key, lifetime, source: KeySource::New })
    }

    /// For how long new keys with this lifetime are made in one period, at most.
    pub fn period(lifetime: Duration) -> Duration {
        lifetime / PERIODS
    }
}

/// The name of the period, and what follows, if [`HitKey::new`] can have made the key.
pub(super) fn split_at_period(key: &IdempotencyKey) -> Option<(&str, &str)> {
    (key.as_str().len() == NEW_KEY_LEN).then(|| key.as_str().split_at(PERIOD_LEN))
}

/// The number of the present period, to which a key is added, among those of this process. It grows with the time and with the number of keys, and neither is ever
/// less than before: so two keys with the same number are of one part of the time and of one part of the keys.
fn period_number(lifetime: Duration) -> u64 {
    let made = MADE.fetch_add(1, Ordering::Relaxed);
    let period = HitKey::period(lifetime).as_nanos().max(1);
    let passed = START.elapsed().as_nanos() / period;
    (passed as u64).wrapping_add(made / KEYS_OF_A_PERIOD)
}

/// Writes random characters; `None` if the system has no random numbers.
fn fill_random(characters: &mut [u8]) -> Option<()> {
    UNUSED.with_borrow_mut(|unused| {
        if unused.is_empty() {
            let mut bytes = vec![0; BYTES_AT_ONCE];
            getrandom::fill(&mut bytes).ok()?;
            *unused = bytes;
        }
        let rest = unused.len() - RANDOM_LEN;
        URL_SAFE_NO_PAD.encode_slice(&unused[rest..], characters).ok()?;
        unused.truncate(rest);
        Some(())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn keys(count: u64) -> Vec<String> {
        let keys = (0..count).map(|_| HitKey::new(HOUR).expect("random numbers").key);
        keys.map(|key| key.as_str().to_owned()).collect()
    }

    #[test]
    fn no_two_new_keys_are_the_same() {
        let keys = keys(3 * 64);
        assert!(keys.iter().all(|key| key.len() == NEW_KEY_LEN));
        let random: HashSet<&str> = keys.iter().map(|key| &key[PERIOD_LEN..]).collect();
        assert_eq!(random.len(), keys.len());
    }

    #[test]
    fn a_period_has_a_bounded_number_of_keys() {
        let keys = keys(3 * KEYS_OF_A_PERIOD);
        let mut periods = std::collections::HashMap::new();
        for key in &keys {
            let parsed: IdempotencyKey = key.parse().expect("a key");
            let (period, _) = split_at_period(&parsed).expect("a period");
            *periods.entry(period.to_owned()).or_insert(0) += 1;
        }
        assert!(periods.values().all(|keys| *keys <= KEYS_OF_A_PERIOD), "{periods:?}");
        assert!(periods.len() >= 3, "{periods:?}");
    }

    #[test]
    fn only_a_key_of_the_right_length_has_a_period() {
        let split =
            |key: &str| split_at_period(&key.parse().expect("a key")).map(|(name, _)| name.to_owned());
        assert_eq!(split("abcdefghijklmnopqrstu_"), Some("abcdef".to_owned()));
        assert_eq!((split("a"), split(&"a".repeat(23))), (None, None));
    }
}
