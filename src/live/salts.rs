//! The salt of the present day, kept for a while, so that not each hit asks the store for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::log::Throttle;
use crate::store::{DailySalt, Store};

/// How long the salt is kept at most. If the store has lost it and another process has made another one, both are in use for so long.
const KEPT: Duration = Duration::from_secs(60);
/// How long the store is not asked again after it has not answered.
const PAUSE: Duration = Duration::from_secs(1);

/// Failures to get the salt. One line a minute is logged.
static FAILED: Throttle = Throttle::new(Duration::from_secs(60));

/// See the top of the module.
pub(super) struct SaltCache {
    store: Arc<dyn Store>,
    kept: Mutex<Option<KeptSalt>>,
}

#[derive(Clone, Copy)]
struct KeptSalt {
    /// `None` if the store did not answer.
    salt: Option<DailySalt>,
    until: Instant,
}

impl SaltCache {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        SaltCache { store, kept: Mutex::default() }
    }

    /// The salt of the present day; `None` if the store does not answer.
    pub(super) async fn present(&self) -> Option<DailySalt> {
        let asked = Instant::now();
        let kept = *self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.filter(|kept| asked < kept.until) {
            return kept.salt;
        }
        // Callers at the same time may ask at the same time: none of them waits for the answer to another one.
        let (salt, pause) = match self.store.daily_salt().await {
            Ok(salt) => (Some(salt), salt.left.min(KEPT)),
            Err(error) => {
                if let Some(failed) = FAILED.record() {
                    tracing::warn!(
                        failed,
                        "visitors without cookies are not recognised, and visitors of sites are not counted, because the store does \
                         not give the salt of the day: {error} ({failed} failures since the last message)"
                    );
                }
                (None, PAUSE)
            }
        };
        let until = asked + pause;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(KeptSalt { salt, until });
        salt
    }
}
