//! Keeps answers for which the store has to read much.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::store::StoreError;

/// How long an answer is kept at least.
const LEAST: Duration = Duration::from_secs(1);
/// An answer is kept for this many times as long as the store took for it: so it takes a twentieth of the store's time at most.
const SHARE: u32 = 20;
/// How long a request waits at most while the store reads for others: a slow store must not make requests wait for each other without end.
const PATIENCE: Duration = Duration::from_secs(10);

/// At most `MOST` answers of the store, each to another question. The store reads for one of them at a time.
pub(super) struct KeptAnswers<Q, A, const MOST: usize>(Mutex<HashMap<Q, Kept<A>>>);

struct Kept<A> {
    answer: A,
    fresh_until: Instant,
}

impl<Q, A, const MOST: usize> Default for KeptAnswers<Q, A, MOST> {
    fn default() -> Self {
        KeptAnswers(Mutex::default())
    }
}

impl<Q: Eq + Hash, A: Clone, const MOST: usize> KeptAnswers<Q, A, MOST> {
    /// The kept answer to the question if there is a fresh one, else that of `read`. An error if the store does not answer, or reads for others
    /// for too long.
    pub(super) async fn answer(
        &self,
        question: Q,
        read: impl Future<Output = Result<A, StoreError>>,
    ) -> Result<A, StoreError> {
        self.sufficient(question, |_| true, read).await
    }

    /// The same where a kept answer may have too little: `is_enough` decides. Then that of `read` takes its place.
    pub(super) async fn sufficient(
        &self,
        question: Q,
        is_enough: impl Fn(&A) -> bool,
        read: impl Future<Output = Result<A, StoreError>>,
    ) -> Result<A, StoreError> {
        let locked = timeout(PATIENCE, self.0.lock()).await;
        let mut kept = locked.map_err(|_| StoreError::new("the store is reading for other requests"))?;
        if let Some(known) = kept.get(&question).filter(|kept| kept.is_fresh() && is_enough(&kept.answer)) {
            return Ok(known.answer.clone());
        }
        let asked = Instant::now();
        let answer = read.await?;
        if kept.len() >= MOST {
            kept.retain(|_, kept| kept.is_fresh());
        }
        if kept.len() < MOST || kept.contains_key(&question) {
            let fresh_until = Instant::now() + LEAST.max(SHARE * asked.elapsed());
            kept.insert(question, Kept { answer: answer.clone(), fresh_until });
        }
        Ok(answer)
    }
}

impl<A> Kept<A> {
    fn is_fresh(&self) -> bool {
        Instant::now() < self.fresh_until
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn an_answer_is_read_once_for_each_question_while_it_is_fresh_and_enough() {
        let (answers, asked) = (KeptAnswers::<&str, usize, 2>::default(), AtomicUsize::new(0));
        let read = || async { Ok(asked.fetch_add(1, Ordering::Relaxed)) };
        for (question, expected) in [("a", 0), ("b", 1), ("a", 0), ("b", 1)] {
            assert_eq!(answers.answer(question, read()).await.expect("an answer"), expected, "{question}");
        }
        assert_eq!(answers.sufficient("a", |answer| *answer > 0, read()).await.expect("an answer"), 2);
        // There is no room for a third answer while two are fresh.
        for (question, expected) in [("a", 2), ("c", 3), ("c", 4), ("b", 1)] {
            assert_eq!(answers.answer(question, read()).await.expect("an answer"), expected, "{question}");
        }
    }

    #[tokio::test]
    async fn requests_at_the_same_time_share_one_answer() {
        let (answers, asked) = (KeptAnswers::<(), usize, 1>::default(), AtomicUsize::new(0));
        let answered = join_all((0..100).map(|_| {
            answers.answer((), async {
                tokio::task::yield_now().await;
                Ok(asked.fetch_add(1, Ordering::Relaxed))
            })
        }));
        assert!(answered.await.into_iter().all(|answer| answer.is_ok_and(|answer| answer == 0)));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
