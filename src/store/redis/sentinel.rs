//! Asks Sentinels which server is the master.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::sentinel::SentinelClient;
use redis::{Client, ErrorKind, RedisError, RedisResult};

/// Asking the Sentinels one after the other takes at most this long.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How often the Sentinels are asked whether the master is still the same. After `SENTINEL FAILOVER` the old master accepts
/// writes for about ten more seconds, and these writes are lost.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// The Sentinels of one master.
pub(super) struct Sentinels(tokio::sync::Mutex<SentinelClient>);

impl Sentinels {
    pub(super) fn new(client: SentinelClient) -> Self {
        Sentinels(tokio::sync::Mutex::new(client))
    }

    /// The present master.
    pub(super) async fn master(&self) -> RedisResult<Client> {
        let mut sentinels = self.0.lock().await;
        tokio::time::timeout(TIMEOUT, sentinels.async_get_client())
            .await
            .map_err(|_| RedisError::from((ErrorKind::Io, "no Sentinel answered in time")))?
    }

    /// Starts a task that sets `lost` when the Sentinels name another master. The task ends when `lost` is set or dropped.
    pub(super) fn watch(self: &Arc<Self>, master: &Client, lost: &Arc<AtomicBool>) {
        let sentinels = Arc::clone(self);
        let address = master.get_connection_info().addr().clone();
        let lost = Arc::downgrade(lost);
        tokio::spawn(async move {
            let mut again = tokio::time::interval(WATCH_INTERVAL);
            again.tick().await;
            loop {
                again.tick().await;
                if lost.upgrade().is_none_or(|lost| lost.load(Ordering::Relaxed)) {
                    return;
                }
                // If no Sentinel answers, the master may still be the same.
                let Ok(now) = sentinels.master().await else { continue };
                if *now.get_connection_info().addr() != address {
                    lost.upgrade().inspect(|lost| lost.store(true, Ordering::Relaxed));
                    return;
                }
            }
        });
    }
}
