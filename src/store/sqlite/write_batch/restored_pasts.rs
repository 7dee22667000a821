//! Gives topics the pasts that they had in another store, in a batch of the writer.

use super::WriteBatch;
use crate::domain::{Past, Point, Topic, Unit};
use crate::store::StoreError;

impl WriteBatch<'_> {
    /// Gives a topic the past that it had in another store, in the place of its own, and returns whether it has that now. With `only_new`, a topic
    /// that has a past from before the present hour keeps it.
    pub(in crate::store::sqlite) fn restore_past(
        &mut self,
        topic: &Topic,
        past: &Past,
        only_new: bool,
    ) -> Result<bool, StoreError> {
        let (now, retention) = (self.now, self.committed.retention());
        let state = &mut self.draft(topic)?.state;
        let present = [Unit::Hour, Unit::Day].map(|unit| unit.number(now));
        // The present hour is that of a claim, which knows its value better than the other store.
        let is_open = state.published > 0
            && state.claimed_value.is_some()
            && Unit::Hour.number(state.claimed) == present[0];
        let is_new = state.is_new && (is_open || state.claimed_value.is_none()) || state.published == 0;
        if !state.exists() || only_new && !is_new {
            return Ok(false);
        }
        let mut past = past.kept_by(retention);
        // What lies ahead was written by a clock that is ahead.
        let before = |point: &Point, present| point.number < present || point.number == present && !is_open;
        past.hours.retain(|point| before(point, present[0]));
        past.days.retain(|point| before(point, present[1]));
        if past.is_empty() {
            return Ok(false);
        }
        if !is_open {
            // What an earlier claim has left is no part of this past, and the next claim opens an hour of its own.
            state.claimed_value = None;
        }
        (state.is_new, state.complete) = (false, None);
        self.draft(topic)?.changed = true;
        self.must_write = true;
        self.begin()?;
        self.file.history().replace(topic, &past).map_err(StoreError::new)?;
        Ok(true)
    }
}
