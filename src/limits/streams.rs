//! How many streams are held for each client.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Client;

/// Counts the streams that are held for each client. A client without a stream takes no memory.
#[derive(Debug)]
pub struct StreamCounts {
    most: NonZeroU32,
    held: Arc<Mutex<HashMap<Client, u32>>>,
}

/// One stream of a client. Dropping it makes room for another.
#[derive(Debug)]
pub struct StreamPlace {
    client: Client,
    held: Arc<Mutex<HashMap<Client, u32>>>,
}

impl StreamCounts {
    /// At most so many for each client.
    pub fn new(most: NonZeroU32) -> Self {
        StreamCounts { most, held: Arc::default() }
    }

    /// The most that one client may have.
    pub fn most(&self) -> u32 {
        self.most.get()
    }

    /// Counts one more stream of the client until the place is dropped; `None` where the client has as many as it may.
    pub fn acquire(&self, client: Client) -> Option<StreamPlace> {
        let mut held = lock(&self.held);
        let count = held.entry(client).or_default();
        // An entry that is new is below the limit, so none is left behind with 0 streams.
        if *count >= self.most.get() {
            return None;
        }
        *count += 1;
        Some(StreamPlace { client, held: Arc::clone(&self.held) })
    }
}

impl Drop for StreamPlace {
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
    fn each_client_has_its_own_places_and_gets_them_back() {
        let counts = StreamCounts::new(NonZeroU32::new(2).expect("not 0"));
        let (one, other) = (client("192.0.2.1"), client("192.0.2.2"));
        let first = counts.acquire(one).expect("the first place");
        let _second = counts.acquire(one).expect("the second place");
        assert!(counts.acquire(one).is_none());
        let _of_other = counts.acquire(other).expect("another client's place");
        drop(first);
        let _third = counts.acquire(one).expect("the place that became free");
        assert!(counts.acquire(one).is_none());
    }

    #[test]
    fn a_client_without_a_stream_takes_no_memory() {
        let counts = StreamCounts::new(NonZeroU32::MIN);
        let places: Vec<_> =
            (0..100).map(|n| counts.acquire(client(&format!("10.0.0.{n}"))).expect("a place")).collect();
        assert_eq!(lock(&counts.held).len(), 100);
        drop(places);
        assert!(lock(&counts.held).is_empty());
    }

    #[test]
    fn places_may_outlive_the_counts() {
        let counts = StreamCounts::new(NonZeroU32::MIN);
        let place = counts.acquire(client("::1")).expect("a place");
        drop(counts);
        drop(place);
    }
}
