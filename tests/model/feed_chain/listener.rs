//! Listeners of a feed, and what they must be shown.

use livecounter::domain::EventId;

use super::feed::{Content, Gap, Position};
use super::{Answer, Item};
use crate::pushpin::{Asking, Session};

/// A client, which remembers between its streams what it has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listener {
    /// The event that it has seen last, or the end of the last gap. `None` if no event was missed as it has not listened yet.
    pub(super) seen: Option<Position>,
    pub(super) stream: Stream,
}

#[derive(Clone, Debug, Default)]
pub(crate) enum Stream {
    #[default]
    Away,
    /// The first answer is on its way; with the event behind which a new listener begins.
    Joining {
        proxy: usize,
        answer: Answer,
        seen: Position,
    },
    On(Session<Content>),
}

impl Listener {
    /// The event that the client names when it returns.
    pub(super) fn last_id(&self) -> Option<Position> {
        self.seen.filter(|seen| seen.id != EventId::default())
    }

    pub(super) fn is_on(&self, proxy: usize) -> bool {
        match &self.stream {
            Stream::Away => false,
            Stream::Joining { proxy: on, .. } => *on == proxy,
            Stream::On(session) => session.proxy == proxy,
        }
    }

    pub(super) fn leave(&mut self) {
        (self.stream, self.seen) = (Stream::Away, self.last_id());
    }

    pub(super) fn offer(&mut self, proxy: usize, item: &Item) -> Vec<String> {
        match &mut self.stream {
            Stream::On(session) if session.proxy == proxy => {
                let content = session.offer(item.clone());
                content.map(|content| self.show(content)).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn recovered(&mut self) -> Vec<String> {
        let Stream::On(session) = &mut self.stream else { return Vec::new() };
        let shown = session.recovered();
        shown.into_iter().flat_map(|content| self.show(content)).collect()
    }

    /// Takes what the stream shows. Returns what is wrong: each event must come behind the one that was seen before.
    pub(super) fn show(&mut self, content: Content) -> Vec<String> {
        let mut wrongs = Vec::new();
        let Some(seen) = &mut self.seen else { return wrongs };
        if let Some(Gap { from, to, needless }) = content.gap {
            if from != seen.id {
                wrongs.push(format!("a gap from {from} was shown behind {seen:?}"));
            }
            if needless {
                wrongs.push(format!("a gap to {to:?} was shown behind {seen:?} for no reason"));
            }
            *seen = to;
        }
        for event in content.events {
            // Who has seen nothing begins with whatever the feed begins with.
            let begins = seen.id == EventId::default() && event.first;
            if event.follows != seen.number && !begins {
                let what = if event.at.number > seen.number { "too early" } else { "once more" };
                wrongs.push(format!("{event:?} was shown {what}, behind {seen:?}"));
            }
            *seen = event.at;
        }
        wrongs
    }

    /// Begins a recovery, as the stream has been silent for long enough.
    pub(super) fn ask(&mut self) {
        if let Stream::On(session) = &mut self.stream {
            session.ask();
        }
    }

    /// Whether a proxy waits for the answer to a recovery.
    pub(super) fn is_asking(&self) -> bool {
        matches!(&self.stream, Stream::On(Session { asking: Asking::Sent, .. }))
    }

    pub(super) fn answer(&mut self, answer: Answer) {
        if let Stream::On(session) = &mut self.stream {
            session.asking = Asking::Answered(answer);
        }
    }
}
