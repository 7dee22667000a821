//! Asking Sentinels who the master is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::sentinel::SentinelClient;
use redis::{Client, ErrorKind, RedisError, RedisResult};

/// Asking them, one after the other, takes at most this.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How often they are asked whether the master is still the same. After `SENTINEL FAILOVER` the old master takes writes
/// for some ten seconds more, and they are lost.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// The Sentinels of one master.
pub(super) struct Sentinels(tokio::sync::Mutex<SentinelClient>);

impl Sentinels {
    pub(super) fn new(client: SentinelClient) -> Self {
        Sentinels(tokio::sync::Mutex::new(client))
    }

    /// The master at this moment.
    pub(super) async fn master(&self) -> RedisResult<Client> {
        let mut sentinels = self.0.lock().await;
        tokio::time::timeout(TIMEOUT, sentinels.async_get_client())
            .await
            .map_err(|_| RedisError::from((ErrorKind::Io, "no Sentinel answered in time")))?
    }

    /// Sets `lost` once another is the master, until nobody is interested in `lost` any more.
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
                // Sentinels that are away say nothing about the master.
                let Ok(now) = sentinels.master().await else { continue };
                if *now.get_connection_info().addr() != address {
                    lost.upgrade().inspect(|lost| lost.store(true, Ordering::Relaxed));
                    return;
                }
            }
        });
    }
}
