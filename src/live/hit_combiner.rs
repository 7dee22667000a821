//! Group commit of hits with keys: the hits that wait while batches are under way to the store make up the next batch. The store combines
//! them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use super::batch_queue::{BatchQueue, Waiting, WorkerGuard, abandoned, lock};
use super::counted::Counted;
use crate::announcer::Announcer;
use crate::domain::Topic;
use crate::store::{Hit, HitWritten, Store, WriteError, Written};

/// What became of the additions to the page and to the site.
type CountedOnBoth = [Result<Counted, WriteError>; 2];

/// Hits, and the callers that wait for what becomes of them.
type HitsWaiting = Vec<(Hit, oneshot::Sender<CountedOnBoth>)>;

/// Puts waiting hits into batches (see the module).
pub(super) struct HitCombiner {
    store: Arc<dyn Store>,
    announcer: Announcer,
    queue: Mutex<BatchQueue<HitsWaiting>>,
}

impl Waiting for HitsWaiting {
    fn with_capacity(hits: usize) -> Self {
        Vec::with_capacity(hits)
    }

    fn len(&self) -> usize {
        Vec::len(self)
    }
}

impl HitCombiner {
    pub(super) fn new(store: Arc<dyn Store>, announcer: Announcer) -> Self {
        HitCombiner { store, announcer, queue: Mutex::default() }
    }

    /// Counts a hit once for its key.
    pub(super) async fn hit(self: &Arc<Self>, hit: Hit) -> CountedOnBoth {
        let (answer, counted) = oneshot::channel();
        {
            let mut queue = lock(&self.queue);
            queue.waiting.push((hit, answer));
            if queue.count_call() {
                tokio::spawn(Arc::clone(self).run());
            }
        }
        let failed = || Err(WriteError::Unavailable(abandoned()));
        counted.await.unwrap_or_else(|_| [failed(), failed()])
    }

    async fn run(self: Arc<Self>) {
        let mut guard = WorkerGuard::on(&self.queue);
        while let Some(waiting) = guard.next().await {
            let claim = self.announcer.claim_at_once();
            let (mut hits, mut callers) =
                (Vec::with_capacity(waiting.len()), Vec::with_capacity(waiting.len()));
            for (hit, caller) in waiting {
                callers.push((hit.page.clone(), hit.site.clone(), caller));
                hits.push(Hit { claim, ..hit });
            }
            let answers = self.store.hit(hits).await;
            let mut changes = HitChanges::with_capacity(callers.len());
            for ((page, site, caller), HitWritten { page: of_page, site: of_site }) in
                callers.into_iter().zip(answers)
            {
                let page = of_page.map(|written| self.settle(page, written, &mut changes));
                let site = of_site.map(|written| self.settle(site, written, &mut changes));
                let _ = caller.send([page, site]); // a caller that has gone needs no answer
            }
            self.announcer.changed(changes.known);
            self.announcer.created(changes.created);
        }
    }

    /// Announces a change, or notes that it must be announced.
    fn settle(&self, topic: Topic, written: Written, changes: &mut HitChanges) -> Counted {
        let Written { value, created, replayed, claimed, .. } = written;
        match claimed {
            Some(claimed) => self.announcer.announce(topic, vec![claimed]),
            None if !replayed => changes.note(topic, created),
            None => {}
        }
        Counted { value, created, replayed }
    }
}

/// The topics that hits have changed, each once.
#[derive(Default)]
struct HitChanges {
    seen: HashMap<Topic, ()>,
    known: Vec<Topic>,
    created: Vec<Topic>,
}

impl HitChanges {
    /// No topics, with room for the pages of so many hits, and one site.
    fn with_capacity(hits: usize) -> Self {
        HitChanges { seen: HashMap::with_capacity(hits + 1), ..HitChanges::default() }
    }

    /// Notes a topic. The hit that has created the topic comes before all others.
    fn note(&mut self, topic: Topic, is_new: bool) {
        if let Entry::Vacant(unseen) = self.seen.entry(topic) {
            let changed = if is_new { &mut self.created } else { &mut self.known };
            changed.push(unseen.key().clone());
            unseen.insert(());
        }
    }
}
