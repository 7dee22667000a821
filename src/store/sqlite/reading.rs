//! What the thread that reads is asked, and how it answers.

use tokio::sync::oneshot;

use super::committed_topics::CommittedTopics;
use super::read_only_file::ReadOnlyFile;
use super::topic::TopicState;
use crate::domain::{Point, Topic, Unit};
use crate::store::{Reading, StoreError, Uniques};

pub(super) type Readings = Vec<Result<Reading, StoreError>>;
/// The state of a topic, and the points of its history, as the file has them.
pub(super) type SavedHistory = Result<(Option<TopicState>, Vec<Point>), StoreError>;
pub(super) type Ranking = Result<Vec<(Topic, i64)>, StoreError>;
pub(super) type Listed = Result<Vec<(Topic, Reading)>, StoreError>;

/// A command for the thread that reads, with the sender of its answer.
pub(super) enum ReadRequest {
    Read(Vec<Topic>, oneshot::Sender<Readings>),
    History(Topic, Unit, oneshot::Sender<SavedHistory>),
    Addresses(Vec<Topic>, oneshot::Sender<Result<Vec<Option<String>>, StoreError>>),
    Top(String, usize, oneshot::Sender<Ranking>),
    /// The number is that of the present day.
    Uniques(Topic, i64, oneshot::Sender<Result<Uniques, StoreError>>),
    List {
        prefix: String,
        after: String,
        limit: usize,
        answer: oneshot::Sender<Listed>,
    },
}

/// Answers a request. The caller may have stopped waiting, so a failure to send is ignored.
pub(super) fn serve(file: &ReadOnlyFile, committed: &CommittedTopics, request: ReadRequest) {
    match request {
        ReadRequest::Read(topics, answer) => {
            let _ = answer.send(topics.iter().map(|topic| read(file, committed, topic)).collect());
        }
        ReadRequest::History(topic, unit, answer) => {
            // The state is read first: if the writer completes an hour between the two, the history has that hour.
            let saved = file.load(&topic).and_then(|state| Ok((state, file.history(&topic, unit)?)));
            let _ = answer.send(saved.map_err(StoreError::new));
        }
        ReadRequest::Addresses(pages, answer) => {
            let found: rusqlite::Result<_> = pages.iter().map(|page| file.address(page)).collect();
            let _ = answer.send(found.map_err(StoreError::new));
        }
        ReadRequest::Top(prefix, limit, answer) => {
            let _ = answer.send(file.top(&prefix, limit).map_err(StoreError::new));
        }
        ReadRequest::Uniques(site, day, answer) => {
            let kept = committed.retention().days;
            let _ = answer.send(file.uniques(&site, day, kept).map_err(StoreError::new));
        }
        ReadRequest::List { prefix, after, limit, answer } => {
            let listed = file.list(&prefix, &after, limit).map_err(StoreError::new);
            let reading = |(topic, state): (Topic, TopicState)| (topic, state.reading());
            let _ = answer.send(listed.map(|listed| listed.into_iter().map(reading).collect()));
        }
    }
}

fn read(file: &ReadOnlyFile, committed: &CommittedTopics, topic: &Topic) -> Result<Reading, StoreError> {
    let times_forgotten = committed.times_forgotten();
    let state = file.load(topic).map_err(StoreError::new)?.unwrap_or_default();
    committed.add_read(topic, state, times_forgotten);
    Ok(state.reading())
}
