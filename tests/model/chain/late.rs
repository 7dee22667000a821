//! Sweeps, and commands that reach the store after other steps, or after the origin that has sent them has ended.

use livecounter::domain::EventId;

use super::{Broken, Chain};
use crate::spec::{Change, Outcome};

/// A command on its way to the store.
#[derive(Clone, Copy, Debug)]
pub(super) enum Late {
    Acknowledgement(EventId),
    /// This origin has found that the life of the entity is over.
    EndOfLife(usize),
}

impl Chain {
    pub(super) fn sweep(&mut self, index: usize) {
        let (now, origin) = (self.now, &mut self.origins[index]);
        if !origin.up {
            return;
        }
        origin.changed |= self.topic.due.is_some_and(|due| due <= now);
        if self.topic.exists() && self.topic.ends.is_some_and(|ends| ends <= now) {
            self.late.push(Late::EndOfLife(index));
        }
    }

    pub(super) fn reach(&mut self, which: usize, answered: bool) {
        if self.late.is_empty() {
            return;
        }
        match self.late.remove(which % self.late.len()) {
            Late::Acknowledgement(id) => self.take_out(id),
            Late::EndOfLife(origin) => self.end_life(origin, answered),
        }
    }

    /// The store deletes the entity if its life is over.
    fn end_life(&mut self, index: usize, answered: bool) {
        let moment = self.moment();
        let outcome = match self.broken {
            Broken::Look => self.topic.change(&Change::Delete, None, moment),
            _ => self.topic.end_life(moment),
        };
        if outcome == Outcome::Nothing {
            return;
        }
        if !self.truth.is_over(self.now) {
            self.wrongs.push("an entity was deleted before the end of its life".into());
        }
        self.truth.note(&Change::Delete, self.now);
        let origin = &mut self.origins[index];
        origin.changed |= answered && origin.up;
    }
}
