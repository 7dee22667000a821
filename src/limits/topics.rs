//! The most topics there may be in the store.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How old a count of the store may be: it asks every part of the store.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Keeps the store from having more topics than it may, whoever makes them.
///
/// The store is counted at most once a second; what this process creates in between is added. So no process lets the store
/// have more than it may by topics of its own; others may create some that it does not know of yet.
#[derive(Debug)]
pub struct TopicLimit {
    most: NonZeroU64,
    known: Arc<Mutex<Known>>,
    /// Held while the store is asked, so that it is asked once for all who wait.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    /// When the store was asked, and what it said.
    counted: Option<(Instant, u64)>,
    /// When it last did not answer.
    failed: Option<Instant>,
    /// What this process has created since then, or may have.
    created: u64,
    /// What this process is about to create.
    pending: u64,
}

impl Known {
    fn total(&self) -> Option<u64> {
        self.counted.map(|(_, topics)| topics + self.created + self.pending)
    }

    fn is_recent(&self, now: Instant) -> bool {
        self.counted.is_some_and(|(asked, _)| now.saturating_duration_since(asked) < COUNT_EVERY)
    }
}

/// Room for one new topic. Dropped, it counts as used, as where a request is abandoned while the store is asked.
#[derive(Debug)]
pub struct Room {
    known: Arc<Mutex<Known>>,
    used: bool,
}

impl TopicLimit {
    /// At most so many.
    pub fn new(most: NonZeroU64) -> Self {
        TopicLimit { most, known: Arc::default(), asking: tokio::sync::Mutex::default() }
    }

    /// The most topics there may be.
    pub fn most(&self) -> u64 {
        self.most.get()
    }

    /// How many there are, as far as this process knows; `None` where the store did not say when it was asked last.
    pub fn known(&self) -> Option<u64> {
        lock(&self.known).total()
    }

    /// Room for one more, or `None` where there is none. `count` asks the store for the number of its topics; it is called
    /// where what is known is too old. Its error is returned, without a text to all who have waited for it.
    pub async fn room<E>(
        &self,
        count: impl AsyncFnOnce() -> Result<u64, E>,
    ) -> Result<Option<Room>, Option<E>> {
        self.room_at(Instant::now(), count).await
    }

    async fn room_at<E>(
        &self,
        now: Instant,
        count: impl AsyncFnOnce() -> Result<u64, E>,
    ) -> Result<Option<Room>, Option<E>> {
        self.refresh_at(now, count).await?;
        let mut known = lock(&self.known);
        if known.total().is_none_or(|total| total >= self.most.get()) {
            return Ok(None);
        }
        known.pending += 1;
        Ok(Some(Room { known: Arc::clone(&self.known), used: true }))
    }

    /// Counts a topic that this process has created without having asked for room.
    pub fn add_created(&self) {
        lock(&self.known).created += 1;
    }

    /// Asks the store if what is known is too old.
    pub async fn refresh<E>(&self, count: impl AsyncFnOnce() -> Result<u64, E>) -> Result<(), Option<E>> {
        self.refresh_at(Instant::now(), count).await
    }

    async fn refresh_at<E>(
        &self,
        now: Instant,
        count: impl AsyncFnOnce() -> Result<u64, E>,
    ) -> Result<(), Option<E>> {
        if lock(&self.known).is_recent(now) {
            return Ok(());
        }
        let _asking = self.asking.lock().await;
        let created_before = {
            let known = lock(&self.known);
            if known.is_recent(now) {
                return Ok(());
            }
            // Or all who have waited would ask a store that hangs, one after the other.
            if known.failed.is_some_and(|failed| failed >= now) {
                return Err(None);
            }
            known.created
        };
        let answer = count().await;
        let mut known = lock(&self.known);
        match answer {
            Ok(topics) => {
                known.counted = Some((now, topics));
                // What was created while the store counted may be in its answer or not: it stays counted here, too.
                known.created -= created_before;
                Ok(())
            }
            Err(error) => {
                known.counted = None;
                known.failed = Some(Instant::now());
                Err(Some(error))
            }
        }
    }
}

impl Room {
    /// Gives the room back: no topic was created.
    pub fn unused(mut self) {
        self.used = false;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut known = lock(&self.known);
        known.pending -= 1;
        known.created += u64::from(self.used);
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn limit(most: u64) -> TopicLimit {
        TopicLimit::new(NonZeroU64::new(most).expect("not 0"))
    }

    /// A time at which nothing that is known now is recent any more.
    fn later() -> Instant {
        Instant::now() + COUNT_EVERY
    }

    async fn room(limit: &TopicLimit, now: Instant, stored: u64) -> Option<Room> {
        limit.room_at(now, async || Ok::<_, ()>(stored)).await.expect("a count")
    }

    #[tokio::test]
    async fn there_is_room_up_to_the_limit_and_what_is_under_way_takes_some() {
        let (limit, now) = (limit(5), Instant::now());
        let (first, second) = (room(&limit, now, 3).await, room(&limit, now, 3).await);
        assert!(first.is_some() && second.is_some());
        assert!(room(&limit, now, 3).await.is_none(), "two are under way");
        assert_eq!(limit.known(), Some(5));
        second.expect("room").unused();
        assert!(room(&limit, now, 3).await.is_some(), "one has given its room back");
        drop(first);
        assert!(room(&limit, now, 3).await.is_none(), "what was created takes room");
    }

    #[tokio::test]
    async fn the_store_is_asked_once_a_second() {
        let (limit, asked) = (limit(100), Cell::new(0));
        let ask = async |now| {
            let count = async || {
                asked.set(asked.get() + 1);
                Ok::<_, ()>(7)
            };
            drop(limit.room_at(now, count).await.expect("a count"));
            (asked.get(), limit.known())
        };
        let now = Instant::now();
        assert_eq!(ask(now).await, (1, Some(8)));
        assert_eq!(ask(now + COUNT_EVERY - Duration::from_millis(1)).await, (1, Some(9)));
        assert_eq!(
            ask(now + COUNT_EVERY).await,
            (2, Some(8)),
            "the store has counted what was created before"
        );
    }

    #[tokio::test]
    async fn what_is_created_while_the_store_counts_is_not_forgotten() {
        let limit = limit(100);
        let under_way = room(&limit, Instant::now(), 10).await.expect("room");
        let count = async || {
            drop(under_way);
            Ok::<_, ()>(10)
        };
        drop(limit.room_at(later(), count).await.expect("a count"));
        assert_eq!(limit.known(), Some(12));
    }

    #[tokio::test]
    async fn without_an_answer_there_is_no_room_and_the_store_is_asked_again() {
        let limit = limit(100);
        let [now, later, latest] = [0, 1, 2].map(|seconds| Instant::now() + COUNT_EVERY * seconds);
        assert_eq!(limit.room_at(now, async || Err(())).await.map(|_| ()), Err(Some(())));
        assert_eq!(limit.known(), None);
        assert!(room(&limit, later, 99).await.is_some());
        assert_eq!(limit.room_at(latest, async || Err(())).await.map(|_| ()), Err(Some(())));
        assert_eq!(limit.known(), None);
        assert!(room(&limit, latest, 100).await.is_none());
    }

    #[tokio::test]
    async fn all_who_wait_for_a_store_that_does_not_answer_are_told_by_one() {
        let (limit, asked) = (limit(10), Cell::new(0));
        let one = async || {
            let count = async || {
                asked.set(asked.get() + 1);
                tokio::task::yield_now().await;
                Err(())
            };
            limit.room(count).await.map(|_| ())
        };
        let answers = futures_util::future::join_all((0..20).map(|_| one())).await;
        assert_eq!((asked.get(), answers[0]), (1, Err(Some(()))));
        assert!(answers[1..].iter().all(|answer| *answer == Err(None)), "{answers:?}");
        assert_eq!(one().await, Err(Some(())), "who comes later asks again");
    }

    #[tokio::test]
    async fn all_who_wait_for_a_count_are_told_by_one() {
        let (limit, asked, now) = (limit(10), Cell::new(0), Instant::now());
        let one = async || {
            let count = async || {
                asked.set(asked.get() + 1);
                tokio::task::yield_now().await;
                Ok::<_, ()>(4)
            };
            limit.room_at(now, count).await.expect("a count")
        };
        let rooms = futures_util::future::join_all((0..20).map(|_| one())).await;
        assert_eq!((asked.get(), rooms.iter().flatten().count()), (1, 6));
    }
}
