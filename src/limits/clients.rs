//! What is known of each client's use of a rate, within a bound.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;

use super::Client;

/// How many clients a rate knows at most: some 4 MiB of memory.
const MOST: usize = 100_000;

/// When each client will have its whole allowance again. Whoever has used more is given a later time.
///
/// Whoever has many addresses must not fill the memory. When there are too many clients, the half that has used least is
/// forgotten: a forgotten client gains no more than what it had used, and one that has used up its allowance gains nothing.
#[derive(Debug)]
pub(super) struct Clients {
    most: usize,
    whole_again: Mutex<HashMap<Client, Nanos>>,
}

impl Default for Clients {
    fn default() -> Self {
        Clients::at_most(MOST)
    }
}

impl Clients {
    pub(super) fn at_most(most: usize) -> Self {
        Clients { most, whole_again: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Client, Nanos>> {
        self.whole_again.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for Clients {
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

impl ShrinkableKeyedStateStore<Client> for Clients {
    fn retain_recent(&self, drop_below: Nanos) {
        let mut clients = self.lock();
        clients.retain(|_, time| *time > drop_below);
        // The memory of a flood is given back; that of ordinary ups and downs is kept.
        if clients.capacity() > 1024 && clients.capacity() > 4 * clients.len() {
            let room = 2 * clients.len();
            clients.shrink_to(room);
        }
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

/// Forgets the half that has used least. It takes a millisecond or two for [`MOST`] clients, and half as many must come
/// before it is done again.
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

    fn note(clients: &Clients, number: u32, time: u64) {
        let client = Client::from(IpAddr::from(Ipv4Addr::from_bits(number)));
        let noted = clients.measure_and_replace(&client, |_| Ok::<_, ()>(((), Nanos::new(time))));
        assert_eq!(noted, Ok(()));
    }

    #[test]
    fn those_who_have_used_most_are_remembered() {
        let clients = Clients::at_most(10);
        (0..10).for_each(|n| note(&clients, n, u64::from(100 - n)));
        note(&clients, 10, 1);
        let mut left: Vec<u64> = clients.lock().values().map(|time| time.as_u64()).collect();
        left.sort_unstable();
        assert_eq!(left, [1, 97, 98, 99, 100]);
        note(&clients, 0, 101);
        assert_eq!(clients.len(), 5, "who is known takes no place of another");
    }

    #[test]
    fn those_who_have_used_the_same_are_within_the_bound_too() {
        let clients = Clients::at_most(10);
        (0..100).for_each(|n| note(&clients, n, 7));
        assert!(clients.len() <= 10);
    }

    #[test]
    fn the_memory_of_a_flood_is_given_back() {
        let clients = Clients::default();
        (0..100_500).for_each(|n| note(&clients, n, u64::from(n)));
        assert!(clients.len() <= MOST);
        assert!(clients.lock().capacity() < 2 * MOST);
        clients.retain_recent(Nanos::new(100_490));
        assert_eq!(clients.len(), 9);
        assert!(clients.lock().capacity() < 2048);
    }
}
