//! Bounds how many statements run at the same time.

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::answer::Answer;
use super::query::{Query, QueryError, TableSource};

/// How many statements one process runs at the same time.
const AT_ONCE: usize = 2;
/// How long a statement waits for one of the statements before it to end.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How many statements wait at most.
const MOST_WAITING: usize = 32;

/// Runs the statements of one process.
#[derive(Debug)]
pub struct Runner {
    running: Semaphore,
    waiting: Semaphore,
}

impl Default for Runner {
    fn default() -> Self {
        Runner { running: Semaphore::new(AT_ONCE), waiting: Semaphore::new(MOST_WAITING) }
    }
}

impl Runner {
    /// Answers the statement. If two others run, the statement waits for up to a second; then it gets [`QueryError::Busy`].
    pub async fn answer<S: TableSource>(
        &self,
        query: Query,
        source: &S,
    ) -> Result<Answer, QueryError<S::Error>> {
        let waits = self.waiting.try_acquire().map_err(|_| QueryError::Busy)?;
        let running = timeout(LONGEST_WAIT, self.running.acquire()).await;
        let _runs = running.ok().and_then(Result::ok).ok_or(QueryError::Busy)?;
        drop(waits);
        query.answer(source).await
    }
}
