//! The answers of a batch of the writer, which are sent when the disk has the batch.

use tokio::sync::oneshot;

use crate::domain::Topic;
use crate::store::{Claim, HitWritten, StoreError, WriteError, Written};

/// The sender of an answer.
pub(super) type AnswerSender<T> = oneshot::Sender<T>;

/// An answer that waits for the end of its batch; `None` if the batch had failed before the command. The number is how many items
/// the command had.
pub(super) enum PendingAnswer {
    Write(usize, Option<Vec<Result<Written, WriteError>>>, AnswerSender<Vec<Result<Written, WriteError>>>),
    Hit(usize, Option<Vec<HitWritten>>, AnswerSender<Vec<HitWritten>>),
    Claim(usize, Option<Vec<Claim>>, AnswerSender<Vec<Result<Claim, StoreError>>>),
    Restored(Option<Vec<bool>>, AnswerSender<Result<Vec<bool>, StoreError>>),
    Ended(Option<Vec<Topic>>, AnswerSender<Result<Vec<Topic>, StoreError>>),
    Done(AnswerSender<Result<(), StoreError>>),
}

impl PendingAnswer {
    /// Sends the answer. The caller may have stopped waiting, so a failure to send is ignored.
    pub(super) fn send(self, failure: Option<&StoreError>) {
        match self {
            PendingAnswer::Write(len, written, answer) => {
                let written = written.filter(|_| failure.is_none());
                let _ = answer.send(written.unwrap_or_else(|| {
                    (0..len).map(|_| Err(WriteError::Unavailable(lost(failure)))).collect()
                }));
            }
            PendingAnswer::Hit(len, written, answer) => {
                let written = written.filter(|_| failure.is_none());
                let failed = || HitWritten::failed(WriteError::Unavailable(lost(failure)));
                let _ = answer.send(written.unwrap_or_else(|| (0..len).map(|_| failed()).collect()));
            }
            PendingAnswer::Claim(len, claims, answer) => {
                let claims = claims.filter(|_| failure.is_none());
                let _ = answer.send(match claims {
                    Some(claims) => claims.into_iter().map(Ok).collect(),
                    None => (0..len).map(|_| Err(lost(failure))).collect(),
                });
            }
            PendingAnswer::Restored(restored, answer) => {
                let restored = restored.filter(|_| failure.is_none());
                let _ = answer.send(restored.ok_or_else(|| lost(failure)));
            }
            PendingAnswer::Ended(ended, answer) => {
                let ended = ended.filter(|_| failure.is_none());
                let _ = answer.send(ended.ok_or_else(|| lost(failure)));
            }
            PendingAnswer::Done(answer) => {
                let _ = answer.send(failure.map_or(Ok(()), |error| Err(error.clone())));
            }
        }
    }
}

fn lost(failure: Option<&StoreError>) -> StoreError {
    failure.cloned().unwrap_or_else(|| StoreError::new("the batch was given up"))
}
