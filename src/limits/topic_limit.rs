//! Limits how many topics the store may have.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How old the store's count may be. The store is not asked more often because it has to visit all its buckets to count.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Refuses new topics once the store has as many as it may, whichever process has created them.
///
/// The store is asked for its count at most once a second; the topics that this process creates in between are added to the
/// count. So the topics of one process alone never exceed the limit. Other processes may have created some since the count.
#[derive(Debug)]
pub struct TopicLimit {
    most: NonZeroU64,
    known: Arc<Mutex<TopicCount>>,
    /// Held while the store is asked, so that all requests that wait for its count share one question.
    asking: tokio::sync::Mutex<()>,
}

/// How many topics there are, as far as this process knows.
#[derive(Debug, Default)]
struct TopicCount {
    /// When the store was asked last, and its answer; `None` if it has not answered.
    counted: Option<(Instant, u64)>,
    /// When the store last failed to answer.
    failed: Option<Instant>,
    /// How many topics this process has created since the store counted; topics that it may have created are included.
    created: u64,
    /// How many topics this process is about to create.
    pending: u64,
}

impl TopicCount {
    fn total(&self) -> Option<u64> {
        self.counted.map(|(_, topics)| topics + self.created + self.pending)
    }

    fn is_recent(&self, now: Instant) -> bool {
        self.counted.is_some_and(|(asked, _)| now.saturating_duration_since(asked) < COUNT_EVERY)
    }
}

/// Permission to create one topic. A reservation that is dropped counts as a created topic, because a request can be
/// abandoned while the store creates its topic; [`TopicReservation::cancel`] says that none was created.
#[derive(Debug)]
pub struct TopicReservation {
    known: Arc<Mutex<TopicCount>>,
    used: bool,
}

impl TopicLimit {
    /// A limit of `most` topics.
    pub fn new(most: NonZeroU64) -> Self {
        TopicLimit { most, known: Arc::default(), asking: tokio::sync::Mutex::default() }
    }

    /// The most topics that the store may have.
    pub fn most(&self) -> u64 {
        self.most.get()
    }

    /// How many topics there are, as far as this process knows; `None` if the store did not answer when it was asked last.
    pub fn known(&self) -> Option<u64> {
        lock(&self.known).total()
    }

    /// Reserves one new topic, or returns `None` if the store is full. `count` asks the store for the number of its topics;
    /// `reserve` calls `count` only if the known count is too old. If `count` fails, the request that has called it gets the
    /// error, and requests that waited for its answer get `Err(None)`.
    pub async fn reserve<E>(
        &self,
        count: impl AsyncFnOnce() -> Result<u64, E>,
    ) -> Result<Option<TopicReservation>, Option<E>> {
        self.reserve_at(Instant::now(), count).await
    }

    async fn reserve_at<E>(
        &self,
        now: Instant,
        count: impl AsyncFnOnce() -> Result<u64, E>,
    ) -> Result<Option<TopicReservation>, Option<E>> {
        self.refresh_at(now, count).await?;
        let mut known = lock(&self.known);
        if known.total().is_none_or(|total| total >= self.most.get()) {
            return Ok(None);
        }
        known.pending += 1;
        Ok(Some(TopicReservation { known: Arc::clone(&self.known), used: true }))
    }

    /// Counts a topic that this process has created without a reservation.
    pub fn add_created(&self) {
        lock(&self.known).created += 1;
    }

    /// Asks the store for its count if the known count is too old.
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
            // Requests that waited for a failed question share its failure. Otherwise each would ask a store that hangs again.
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
                // Topics created while the store counted may be missing from its answer, so they are still added to it.
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

impl TopicReservation {
    /// Gives the reservation back, because no topic was created.
    pub fn cancel(mut self) {
        self.used = false;
    }
}

impl Drop for TopicReservation {
    fn drop(&mut self) {
        let mut known = lock(&self.known);
        known.pending -= 1;
        known.created += u64::from(self.used);
    }
}

fn lock(known: &Mutex<TopicCount>) -> MutexGuard<'_, TopicCount> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn limit(most: u64) -> TopicLimit {
        TopicLimit::new(NonZeroU64::new(most).expect("not 0"))
    }

    /// A time at which a count made now is too old.
    fn later() -> Instant {
        Instant::now() + COUNT_EVERY
    }

    async fn reserve(limit: &TopicLimit, now: Instant, stored: u64) -> Option<TopicReservation> {
        limit.reserve_at(now, async || Ok::<_, ()>(stored)).await.expect("a count")
    }

    #[tokio::test]
    async fn topics_can_be_created_up_to_the_limit_and_reservations_count() {
        let (limit, now) = (limit(5), Instant::now());
        let (first, second) = (reserve(&limit, now, 3).await, reserve(&limit, now, 3).await);
        assert!(first.is_some() && second.is_some());
        assert!(reserve(&limit, now, 3).await.is_none(), "two are under way");
        assert_eq!(limit.known(), Some(5));
        second.expect("a reservation").cancel();
        assert!(reserve(&limit, now, 3).await.is_some(), "one has cancelled its reservation");
        drop(first);
        assert!(reserve(&limit, now, 3).await.is_none(), "a created topic keeps its place");
    }

    #[tokio::test]
    async fn the_store_is_asked_once_a_second() {
        let (limit, asked) = (limit(100), Cell::new(0));
        let ask = async |now| {
            let count = async || {
                asked.set(asked.get() + 1);
                Ok::<_, ()>(7)
            };
            drop(limit.reserve_at(now, count).await.expect("a count"));
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
    async fn topics_created_while_the_store_counts_are_not_forgotten() {
        let limit = limit(100);
        let under_way = reserve(&limit, Instant::now(), 10).await.expect("a reservation");
        let count = async || {
            drop(under_way);
            Ok::<_, ()>(10)
        };
        drop(limit.reserve_at(later(), count).await.expect("a count"));
        assert_eq!(limit.known(), Some(12));
    }

    #[tokio::test]
    async fn without_an_answer_nothing_is_reserved_and_the_store_is_asked_again() {
        let limit = limit(100);
        let [now, later, latest] = [0, 1, 2].map(|seconds| Instant::now() + COUNT_EVERY * seconds);
        assert_eq!(limit.reserve_at(now, async || Err(())).await.map(|_| ()), Err(Some(())));
        assert_eq!(limit.known(), None);
        assert!(reserve(&limit, later, 99).await.is_some());
        assert_eq!(limit.reserve_at(latest, async || Err(())).await.map(|_| ()), Err(Some(())));
        assert_eq!(limit.known(), None);
        assert!(reserve(&limit, latest, 100).await.is_none());
    }

    #[tokio::test]
    async fn requests_that_wait_for_a_failing_store_share_one_question() {
        let (limit, asked) = (limit(10), Cell::new(0));
        let one = async || {
            let count = async || {
                asked.set(asked.get() + 1);
                tokio::task::yield_now().await;
                Err(())
            };
            limit.reserve(count).await.map(|_| ())
        };
        let answers = futures_util::future::join_all((0..20).map(|_| one())).await;
        assert_eq!((asked.get(), answers[0]), (1, Err(Some(()))));
        assert!(answers[1..].iter().all(|answer| *answer == Err(None)), "{answers:?}");
        assert_eq!(one().await, Err(Some(())), "a later request asks again");
    }

    #[tokio::test]
    async fn requests_that_wait_for_a_count_share_one_question() {
        let (limit, asked, now) = (limit(10), Cell::new(0), Instant::now());
        let one = async || {
            let count = async || {
                asked.set(asked.get() + 1);
                tokio::task::yield_now().await;
                Ok::<_, ()>(4)
            };
            limit.reserve_at(now, count).await.expect("a count")
        };
        let reserved = futures_util::future::join_all((0..20).map(|_| one())).await;
        assert_eq!((asked.get(), reserved.iter().flatten().count()), (1, 6));
    }
}
