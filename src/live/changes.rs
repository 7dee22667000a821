//! Changes of entities and feeds. Those that wait while batches are under way to the store make up the next batch; each of them stays a change of its own.

use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use super::batch_queue::{BatchQueue, Waiting, WorkerGuard, abandoned, lock};
use crate::announcer::Announcer;
use crate::domain::EventId;
use crate::store::{Store, StoreError, Write, WriteError, Written};

/// The answer to a change of an entity or of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// The id of the change; of several events, that of the last one.
    pub id: EventId,
    /// When the store took the change, in milliseconds since 1970.
    pub at: u64,
    /// Whether this change has created the topic.
    pub created: bool,
    /// The key was used before, so the call has changed nothing.
    pub replayed: bool,
}

impl TryFrom<Written> for Stamped {
    type Error = WriteError;

    fn try_from(written: Written) -> Result<Self, WriteError> {
        let Written { stamp, created, replayed, .. } = written;
        let stamp = stamp.ok_or_else(|| StoreError::new("the answer to a change has no id"))?;
        Ok(Stamped { id: stamp.id, at: stamp.at, created, replayed })
    }
}

/// Puts waiting changes into batches (see the module).
pub(super) struct ChangeBatcher {
    store: Arc<dyn Store>,
    announcer: Announcer,
    queue: Mutex<BatchQueue<Vec<WaitingChange>>>,
}

/// A change, and the caller that waits for its answer.
struct WaitingChange {
    write: Write,
    caller: oneshot::Sender<Result<Written, WriteError>>,
}

impl Waiting for Vec<WaitingChange> {
    fn with_capacity(changes: usize) -> Self {
        Vec::with_capacity(changes)
    }

    fn len(&self) -> usize {
        Vec::len(self)
    }
}

impl ChangeBatcher {
    pub(super) fn new(store: Arc<dyn Store>, announcer: Announcer) -> Self {
        ChangeBatcher { store, announcer, queue: Mutex::default() }
    }

    /// Applies a change and tells the announcer of it, even if the caller stops waiting before the end.
    pub(super) async fn write(self: &Arc<Self>, write: Write) -> Result<Stamped, WriteError> {
        let (caller, answer) = oneshot::channel();
        {
            let mut queue = lock(&self.queue);
            queue.waiting.push(WaitingChange { write, caller });
            if queue.count_call() {
                tokio::spawn(Arc::clone(self).run());
            }
        }
        answer.await.unwrap_or_else(|_| Err(abandoned().into())).and_then(Stamped::try_from)
    }

    async fn run(self: Arc<Self>) {
        let mut guard = WorkerGuard::on(&self.queue);
        while let Some(waiting) = guard.next().await {
            let part = |WaitingChange { write, caller }| ((write.topic.clone(), caller), write);
            let (callers, writes): (Vec<_>, Vec<Write>) = waiting.into_iter().map(part).unzip();
            let answers = self.store.write(writes).await;
            let (mut known, mut created) = (Vec::new(), Vec::new());
            for ((topic, caller), answer) in callers.into_iter().zip(answers) {
                // After an error without an answer it is unknown whether the store has applied the change. If so, a sweep announces it.
                match &answer {
                    Ok(written) if written.replayed => {}
                    Ok(written) if written.created => created.push(topic),
                    Ok(_) => known.push(topic),
                    Err(_) => {}
                }
                let _ = caller.send(answer); // a caller that has gone needs no answer
            }
            self.announcer.changed(known);
            self.announcer.created(created);
        }
    }
}
