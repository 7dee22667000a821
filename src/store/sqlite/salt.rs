//! The salt of the present day. It is in memory only, since one process has the file: so no copy of the file has a salt. After a new start
//! the process has another salt.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::millis::Millis;
use crate::domain::Unit;
use crate::store::{DailySalt, SALT_LEN, StoreError};

/// See the top of the module.
#[derive(Default)]
pub(super) struct SaltInMemory(Mutex<Option<(i64, [u8; SALT_LEN])>>);

impl SaltInMemory {
    /// The salt of the day to which the time belongs. The salt of the day before is forgotten.
    pub(super) fn at(&self, now: Millis) -> Result<DailySalt, StoreError> {
        let day = Unit::Day.number(now);
        let left = Duration::from_millis(((day + 1) * Unit::Day.millis() - now).unsigned_abs());
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, secret)) = kept.filter(|(of, _)| *of == day) {
            return Ok(DailySalt { day, secret, left });
        }
        let mut secret = [0; SALT_LEN];
        getrandom::fill(&mut secret).map_err(StoreError::new)?;
        *kept = Some((day, secret));
        Ok(DailySalt { day, secret, left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_has_a_salt_of_its_own() {
        let salts = SaltInMemory::default();
        let day = Unit::Day.millis();
        let morning = salts.at(7 * day).expect("a salt");
        assert_eq!((morning.day, morning.left), (7, Duration::from_secs(86_400)));
        let evening = salts.at(8 * day - 1).expect("a salt");
        assert_eq!((evening.secret, evening.left), (morning.secret, Duration::from_millis(1)));
        let next = salts.at(8 * day).expect("a salt");
        assert!(next.day == 8 && next.secret != morning.secret);
        assert_ne!(salts.at(7 * day).expect("a salt").secret, morning.secret, "it is forgotten");
    }
}
