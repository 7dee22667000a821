//! Limits how many streams this process holds for each client.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::client::Client;

/// Counts the streams that this process holds for each client. A client without a stream takes no memory.
#[derive(Debug)]
pub struct StreamLimit {
    most: NonZeroU32,
    held: Arc<Mutex<HashMap<Client, u32>>>,
}

/// One of the streams that a client may have. Dropping the slot frees it for another stream of the client.
#[derive(Debug)]
pub struct StreamSlot {
    client: Client,
    held: Arc<Mutex<HashMap<Client, u32>>>,
}

impl StreamLimit {
    /// A limit of `most` streams for each client.
    pub fn new(most: NonZeroU32) -> Self {
        StreamLimit { most, held: Arc::default() }
    }

    /// The most streams that one client may have.
    pub fn most(&self) -> u32 {
        self.most.get()
    }

    /// Counts one more stream of the client until the slot is dropped, or returns `None` if the client has as many as it may.
    pub fn acquire(&self, client: Client) -> Option<StreamSlot> {
        let mut held = lock(&self.held);
        let count = held.entry(client).or_default();
        // The limit is at least 1, so a client that is new to the map passes here and never stays in it with 0 streams.
        if *count >= self.most.get() {
            return None;
        }
        *count += 1;
        Some(StreamSlot { client, held: Arc::clone(&self.held) })
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        if let Some(count) = held.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.client);
            }
        }
    }
}

fn lock(held: &Mutex<HashMap<Client, u32>>) -> MutexGuard<'_, HashMap<Client, u32>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn client(address: &str) -> Client {
        address.parse::<IpAddr>().expect("an address").into()
    }

    #[test]
    fn each_client_has_its_own_slots_and_gets_them_back() {
        let limit = StreamLimit::new(NonZeroU32::new(2).expect("not 0"));
        let (one, other) = (client("192.0.2.1"), client("192.0.2.2"));
        let first = limit.acquire(one).expect("the first slot");
        let _second = limit.acquire(one).expect("the second slot");
        assert!(limit.acquire(one).is_none());
        let _of_other = limit.acquire(other).expect("another client's slot");
        drop(first);
        let _third = limit.acquire(one).expect("the slot that became free");
        assert!(limit.acquire(one).is_none());
    }

    #[test]
    fn a_client_without_a_stream_takes_no_memory() {
        let limit = StreamLimit::new(NonZeroU32::MIN);
        let slots: Vec<_> =
            (0..100).map(|n| limit.acquire(client(&format!("10.0.0.{n}"))).expect("a slot")).collect();
        assert_eq!(lock(&limit.held).len(), 100);
        drop(slots);
        assert!(lock(&limit.held).is_empty());
    }

    #[test]
    fn slots_may_outlive_the_limit() {
        let limit = StreamLimit::new(NonZeroU32::MIN);
        let slot = limit.acquire(client("::1")).expect("a slot");
        drop(limit);
        drop(slot);
    }
}
