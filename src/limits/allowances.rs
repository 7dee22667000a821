//! How much of a rate each client has used, for a bounded number of clients.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;

use super::client::Client;

/// The most clients that one rate limit remembers; they take about 4 MiB of memory.
const MOST_CLIENTS: usize = 100_000;

/// The time at which each client will have its whole allowance again. The more a client has used, the later that time is.
///
/// The number of clients is bounded, so that a sender with many addresses cannot fill the memory. When a new client would
/// exceed the bound, the half of the clients that has used least is forgotten. A forgotten client gets back only what it had
/// used, so a client that has used up its allowance, and therefore is in the other half, gains nothing.
#[derive(Debug)]
pub(super) struct Allowances {
    most: usize,
    whole_at: Mutex<HashMap<Client, Nanos>>,
}

impl Default for Allowances {
    fn default() -> Self {
        Allowances::at_most(MOST_CLIENTS)
    }
}

impl Allowances {
    /// Remembers at most `most` clients.
    pub(super) fn at_most(most: usize) -> Self {
        Allowances { most, whole_at: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Client, Nanos>> {
        self.whole_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for Allowances {
    type Key = Client;

    fn measure_and_replace<T, F, E>(&self, client: &Client, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut clients = self.lock();
        if clients.len() >= self.most && !clients.contains_key(client) {
            forget_half(&mut clients);
        }
        match clients.entry(*client) {
            Entry::Occupied(mut known) => {
                let (outcome, time) = decide(Some(*known.get()))?;
                known.insert(time);
                Ok(outcome)
            }
            Entry::Vacant(new) => {
                let (outcome, time) = decide(None)?;
                new.insert(time);
                Ok(outcome)
            }
        }
    }
}

impl ShrinkableKeyedStateStore<Client> for Allowances {
    fn retain_recent(&self, drop_below: Nanos) {
        let mut clients = self.lock();
        clients.retain(|_, time| *time > drop_below);
        // The map is shrunk only if it is far too large: it is after a flood, but not after ordinary ups and downs.
        if clients.capacity() > 1024 && clients.capacity() > 4 * clients.len() {
            let capacity = 2 * clients.len();
            clients.shrink_to(capacity);
        }
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

/// Forgets the half of the clients that has used least. This takes one or two milliseconds for [`MOST_CLIENTS`] clients,
/// and the next time comes only after half as many new clients.
fn forget_half(clients: &mut HashMap<Client, Nanos>) {
    let mut times: Vec<Nanos> = clients.values().copied().collect();
    let middle = times.len() / 2;
    if middle < times.len() {
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        clients.retain(|_, time| *time > median);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn record(clients: &Allowances, number: u32, time: u64) {
        let client = Client::from(IpAddr::from(Ipv4Addr::from_bits(number)));
        let recorded = clients.measure_and_replace(&client, |_| Ok::<_, ()>(((), Nanos::new(time))));
        assert_eq!(recorded, Ok(()));
    }

    #[test]
    fn the_clients_that_have_used_most_are_remembered() {
        let clients = Allowances::at_most(10);
        (0..10).for_each(|n| record(&clients, n, u64::from(100 - n)));
        record(&clients, 10, 1);
        let mut left: Vec<u64> = clients.lock().values().map(|time| time.as_u64()).collect();
        left.sort_unstable();
        assert_eq!(left, [1, 97, 98, 99, 100]);
        record(&clients, 0, 101);
        assert_eq!(clients.len(), 5, "a known client displaces no other");
    }

    #[test]
    fn clients_that_have_used_the_same_stay_within_the_bound() {
        let clients = Allowances::at_most(10);
        (0..100).for_each(|n| record(&clients, n, 7));
        assert!(clients.len() <= 10);
    }

    #[test]
    fn the_memory_of_a_flood_is_given_back() {
        let clients = Allowances::default();
        (0..100_500).for_each(|n| record(&clients, n, u64::from(n)));
        assert!(clients.len() <= MOST_CLIENTS);
        assert!(clients.lock().capacity() < 2 * MOST_CLIENTS);
        clients.retain_recent(Nanos::new(100_490));
        assert_eq!(clients.len(), 9);
        assert!(clients.lock().capacity() < 2048);
    }
}
