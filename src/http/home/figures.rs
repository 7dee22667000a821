//! The numbers of the home page, read from the store at most once a second, however often the page is asked for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

use super::entry::Entry;

/// How long the numbers are used before they are read again.
const FRESH: Duration = Duration::from_secs(1);
/// How long a request for the page waits for the store. Then it shows the numbers of before.
const PATIENCE: Duration = Duration::from_millis(250);
/// After this time a reading has ended without a result, for instance since its worker was stopped.
const ABANDONED: Duration = Duration::from_secs(30);

/// The numbers that the page shows.
#[derive(Default)]
pub(super) struct Figures {
    /// The values of the page's counters, in the page's order; `None` for a value that is not known.
    pub(super) counters: Vec<Option<i64>>,
    /// The sites with the most hits.
    pub(super) sites: Vec<Entry>,
    /// The pages with the most hits.
    pub(super) pages: Vec<Entry>,
}

/// The numbers as they were read last, for all workers of this process.
pub(super) struct KeptFigures {
    figures: watch::Sender<Arc<Figures>>,
    turn: Mutex<Turn>,
}

/// When the numbers were asked for.
#[derive(Default)]
struct Turn {
    begun: Option<Instant>,
    underway: bool,
}

impl KeptFigures {
    pub(super) fn new() -> Self {
        KeptFigures { figures: watch::Sender::new(Arc::default()), turn: Mutex::default() }
    }

    /// The numbers: of this second, or those that were known before if the store does not answer soon. `read` reads the numbers; it
    /// gets those that were known before.
    pub(super) async fn present<F>(self: &Arc<Self>, read: impl FnOnce(Arc<Figures>) -> F) -> Arc<Figures>
    where
        F: Future<Output = Figures> + 'static,
    {
        let mut changes = self.figures.subscribe();
        if self.must_begin() {
            let reading = read(Arc::clone(&changes.borrow()));
            let kept = Arc::clone(self);
            // The task outlives this request if the store is slow.
            actix_web::rt::spawn(async move { kept.finish(reading.await) });
        } else if !self.with_turn(|turn| turn.underway) {
            return Arc::clone(&self.figures.borrow());
        }
        // An error only says that the time is over.
        let _ = timeout(PATIENCE, changes.changed()).await;
        Arc::clone(&self.figures.borrow())
    }

    /// Whether the caller must read the numbers. At most one caller does at a time.
    fn must_begin(&self) -> bool {
        self.with_turn(|turn| {
            let age = turn.begun.map_or(Duration::MAX, |begun| begun.elapsed());
            let begins = age >= if turn.underway { ABANDONED } else { FRESH };
            if begins {
                *turn = Turn { begun: Some(Instant::now()), underway: true };
            }
            begins
        })
    }

    fn finish(&self, figures: Figures) {
        self.with_turn(|turn| turn.underway = false);
        self.figures.send_replace(Arc::new(figures));
    }

    fn with_turn<T>(&self, work: impl FnOnce(&mut Turn) -> T) -> T {
        work(&mut self.turn.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn of(value: i64) -> Figures {
        Figures { counters: vec![Some(value)], ..Figures::default() }
    }

    #[actix_web::test]
    async fn the_store_is_asked_once_for_many_requests() {
        let (kept, asked) = (Arc::new(KeptFigures::new()), Arc::new(AtomicUsize::new(0)));
        let present = || {
            kept.present(|_| {
                let asked = Arc::clone(&asked);
                async move {
                    tokio::task::yield_now().await;
                    of(i64::try_from(asked.fetch_add(1, Ordering::Relaxed)).expect("few"))
                }
            })
        };
        for figures in futures_util::future::join_all((0..100).map(|_| present())).await {
            assert_eq!(figures.counters, [Some(0)]);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[actix_web::test]
    async fn a_store_that_is_silent_does_not_hold_up_the_page() {
        let kept = Arc::new(KeptFigures::new());
        kept.figures.send_replace(Arc::new(of(26)));
        let started = Instant::now();
        for _ in 0..2 {
            let figures = kept.present(|_| std::future::pending()).await;
            assert_eq!(figures.counters, [Some(26)]);
        }
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}
