//! Listeners of a counter, and what they are shown.

use livecounter::domain::EventId;

use super::{Answer, Shown};
use crate::pushpin::{Proxy, Session};
use crate::spec::Time;

/// A client that wants to see the counter.
#[derive(Clone, Debug, Default)]
pub(crate) enum Listener {
    #[default]
    Away,
    /// The first answer is on its way since this time; whether the cache keeps the answer, too.
    Joining {
        proxy: usize,
        answer: Answer,
        since: Time,
        kept: bool,
    },
    On(Stream),
}

/// An open stream, and the value that the listener sees.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(super) session: Session<Shown>,
    shown: Shown,
}

impl Listener {
    pub(super) fn shown(&self) -> Option<&Shown> {
        match self {
            Listener::On(stream) => Some(&stream.shown),
            _ => None,
        }
    }

    pub(super) fn stream(&mut self, on: usize) -> Option<&mut Stream> {
        match self {
            Listener::On(stream) if stream.session.proxy == on => Some(stream),
            _ => None,
        }
    }
}

impl Stream {
    /// Begins with the answer of the origin or the cache.
    pub(super) fn begin(proxy: usize, at: &mut Proxy<Shown>, answer: Answer) -> Self {
        Stream { session: Session::begin(proxy, at, answer.published), shown: answer.content }
    }

    /// Whether the listener shows a value that was never published and that the store has lost: only the next change replaces it.
    pub(super) fn shows_the_loss(&self, history: u64, published: EventId) -> bool {
        let prev = self.session.prev;
        prev == published && self.shown.history < history && self.shown.revision > prev.revision
    }

    /// Shows something. Returns what was shown before and this, if the latter is older, or is something else and not newer.
    pub(super) fn show(&mut self, shown: Shown) -> Option<(Shown, Shown)> {
        let before = std::mem::replace(&mut self.shown, shown.clone());
        let age = |shown: &Shown| (shown.history, shown.serial);
        let goes_on = age(&before) < age(&shown) || age(&before) == age(&shown) && before.body == shown.body;
        (!goes_on).then_some((before, shown))
    }
}
