//! The one thread that writes. It takes all commands that wait into one batch: one transaction, one wait for the disk, and only
//! then the answers. A batch that fails changes nothing, on the disk or in memory.
//!
//! A batch that has only claims and acknowledgements does not wait for the disk. If they are lost with the process, the claimed
//! topics are announced again with the same ids, which does no harm. They are saved with the next change of their topics, and within
//! twice [`SAVE_EVERY`].

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::committed_topics::CommittedTopics;
use super::file::StoreFile;
use super::pending_answer::{AnswerSender, PendingAnswer};
use super::recent_feeds::RecentFeeds;
use super::visited_sites::VisitedSites;
use super::write_batch::{NextEnd, WriteBatch};
use crate::domain::{EventId, Past, Topic};
use crate::store::{Claim, ClaimTerms, Hit, HitWritten, StoreError, Write, WriteError, Written};

/// How often the writer saves claims and acknowledgements that were in memory only when it looked before. So a topic that changes every
/// second, such as those of the tally, is saved once for each change.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// The pause before the writer looks for expired keys again: `PURGE_PAUSE` if there were more keys than it has deleted,
/// `PURGE_REST` if there were not.
const PURGE_PAUSE: Duration = Duration::from_secs(1);
const PURGE_REST: Duration = Duration::from_secs(60);
/// How many expired keys the writer deletes at such a time. While there are more, each batch deletes [`PURGE_FACTOR`] keys for
/// each key that it has written: as many keys expire as were written a day before, and the number of expired keys must shrink.
const PURGE_STEP: usize = 1000;
const PURGE_FACTOR: usize = 2;
/// The most keys that one batch deletes, which takes about 40 ms.
const PURGE_MOST: usize = 8192;

/// The most commands in one batch.
const BATCH: usize = 4096;

/// A command for the writer, with the sender of its answer.
pub(super) enum WriteCommand {
    Write(Vec<Write>, AnswerSender<Vec<Result<Written, WriteError>>>),
    Hit(Vec<Hit>, AnswerSender<Vec<HitWritten>>),
    Claim(Vec<Topic>, ClaimTerms, AnswerSender<Vec<Result<Claim, StoreError>>>),
    Acknowledge(Vec<(Topic, EventId)>, AnswerSender<Result<(), StoreError>>),
    KeepAddress(Topic, String, AnswerSender<Result<(), StoreError>>),
    /// Gives topics the pasts that they had in another store, and answers which have them. With `true`, only topics without a past get one.
    RestorePasts(Vec<(Topic, Past)>, bool, AnswerSender<Result<Vec<bool>, StoreError>>),
    /// Deletes entities whose lives are over, up to so many, and answers which.
    EndLives(usize, AnswerSender<Result<Vec<Topic>, StoreError>>),
    Ping(AnswerSender<Result<(), StoreError>>),
}

/// See the top of the module.
pub(super) struct Writer {
    file: StoreFile,
    committed: Arc<CommittedTopics>,
    visitors: VisitedSites,
    feeds: RecentFeeds,
    /// The last batch that used the disk has failed, so a ping must try the disk.
    failing: bool,
    /// The last attempt to save claims has failed, and that has been logged.
    saving_fails: bool,
    purges: KeyPurge,
}

/// When the writer deletes expired keys.
struct KeyPurge {
    at: Instant,
    /// Whether the writer found more expired keys than it deleted, when it looked last.
    behind: bool,
}

impl Writer {
    /// The writer of a file. It puts what it has committed into `committed`.
    pub(super) fn new(file: StoreFile, committed: Arc<CommittedTopics>) -> Self {
        Writer {
            file,
            committed,
            visitors: VisitedSites::default(),
            feeds: RecentFeeds::default(),
            failing: false,
            saving_fails: false,
            purges: KeyPurge { at: Instant::now(), behind: false },
        }
    }

    /// Works until all senders are dropped and all commands are done.
    pub(super) fn run(mut self, commands: &Receiver<WriteCommand>) {
        let mut save_at: Option<Instant> = None;
        loop {
            let first = match save_at {
                None => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => commands.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match first {
                Ok(first) => self.batch(std::iter::once(first).chain(commands.try_iter()).take(BATCH)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if save_at.is_some_and(|at| at <= Instant::now()) {
                self.save_rest();
                save_at = None;
            }
            if save_at.is_none() && !self.committed.is_saved() {
                save_at = Some(Instant::now() + SAVE_EVERY);
            }
        }
        // The topics of before, and then those that have come since.
        (0..2).for_each(|_| self.save_rest());
    }

    fn batch(&mut self, commands: impl Iterator<Item = WriteCommand>) {
        let mut batch = WriteBatch::new(&self.file, &self.committed, &mut self.visitors, &mut self.feeds);
        let mut failure = None;
        let pending: Vec<_> =
            commands.map(|command| take(&mut batch, command, &mut failure, self.failing)).collect();
        // A batch of claims alone does not use the disk, so its success does not show that the disk works.
        let tried_disk = batch.uses_disk();
        let saved = match failure {
            None => Self::save(&mut batch, &mut self.purges),
            Some(error) => Err(error),
        };
        // What fails before the commit is rolled back.
        let end = saved.map_err(StoreError::into_refusal).and_then(|next_end| batch.commit(next_end));
        if end.is_err() {
            self.file.roll_back();
            self.visitors.forget_all();
            self.feeds.forget_all();
        } else {
            self.visitors.bound();
        }
        self.failing = end.is_err() || self.failing && !tried_disk;
        let failure = end.err();
        pending.into_iter().for_each(|answer| answer.send(failure.as_ref()));
    }

    /// Writes the changes of a batch to the file, and deletes old rows with them. See [`WriteBatch::save`].
    fn save(batch: &mut WriteBatch<'_>, purges: &mut KeyPurge) -> Result<Option<NextEnd>, StoreError> {
        let now = Instant::now();
        let step = if purges.at <= now { PURGE_STEP } else { 0 };
        let most = match purges.behind || step > 0 {
            true => step.max(PURGE_FACTOR * batch.remembered()).min(PURGE_MOST),
            false => 0,
        };
        if batch.must_write() && most > 0 {
            purges.behind = batch.purge_keys(most)?;
            if step > 0 {
                batch.purge_tombstones()?;
            }
            if step > 0 || !purges.behind {
                purges.at = now + if purges.behind { PURGE_PAUSE } else { PURGE_REST };
            }
        }
        batch.save()
    }

    fn save_rest(&mut self) {
        let (unsaved, retention) = (self.committed.unsaved(), self.committed.retention());
        if unsaved.is_empty() {
            return self.committed.mark_saved();
        }
        let save = || {
            self.file.begin()?;
            unsaved.iter().try_for_each(|(topic, state)| self.file.save(topic, state, retention))?;
            self.file.commit()
        };
        let failed_before = self.saving_fails;
        let saved = save();
        self.saving_fails = saved.is_err();
        match saved {
            Ok(()) => {
                self.committed.mark_saved();
                if failed_before {
                    tracing::info!("claims are saved again");
                }
            }
            Err(error) => {
                self.file.roll_back();
                if failed_before {
                    tracing::debug!("claims still cannot be saved: {error}");
                } else {
                    tracing::warn!("claims cannot be saved, and stay in memory; tried every second: {error}");
                }
            }
        }
    }
}

fn take(
    batch: &mut WriteBatch<'_>,
    command: WriteCommand,
    failure: &mut Option<StoreError>,
    failing: bool,
) -> PendingAnswer {
    match command {
        WriteCommand::Write(writes, answer) => {
            let written = attempt(failure, || writes.iter().map(|write| batch.write(write)).collect());
            PendingAnswer::Write(writes.len(), written, answer)
        }
        WriteCommand::Hit(hits, answer) => {
            let written = attempt(failure, || hits.iter().map(|hit| batch.hit(hit)).collect());
            PendingAnswer::Hit(hits.len(), written, answer)
        }
        WriteCommand::Claim(topics, terms, answer) => {
            let claims = attempt(failure, || topics.iter().map(|topic| batch.claim(topic, terms)).collect());
            PendingAnswer::Claim(topics.len(), claims, answer)
        }
        WriteCommand::Acknowledge(claims, answer) => {
            attempt(failure, || claims.iter().try_for_each(|(topic, id)| batch.acknowledge(topic, *id)));
            PendingAnswer::Done(answer)
        }
        WriteCommand::KeepAddress(page, address, answer) => {
            attempt(failure, || batch.keep_address(&page, &address));
            PendingAnswer::Done(answer)
        }
        WriteCommand::RestorePasts(pasts, only_new, answer) => {
            let restore = |(topic, past): &(Topic, Past)| batch.restore_past(topic, past, only_new);
            let restored = attempt(failure, || pasts.iter().map(restore).collect());
            PendingAnswer::Restored(restored, answer)
        }
        WriteCommand::EndLives(limit, answer) => {
            PendingAnswer::Ended(attempt(failure, || batch.end_lives(limit)), answer)
        }
        WriteCommand::Ping(answer) => {
            attempt(failure, || if failing { batch.touch_disk() } else { Ok(()) });
            PendingAnswer::Done(answer)
        }
    }
}

/// Does the work unless an earlier command of the batch has failed. Keeps the first failure.
fn attempt<T>(failure: &mut Option<StoreError>, work: impl FnOnce() -> Result<T, StoreError>) -> Option<T> {
    if failure.is_some() {
        return None;
    }
    work().map_err(|error| *failure = Some(error)).ok()
}
