//! What an import has stored, in one sentence.

use crate::import::{CheckedInput, ImportMode};

/// What an import did not need to store.
#[derive(Clone, Copy, Default)]
pub(super) struct LeftOut {
    /// How many events their feeds do not need.
    pub(super) events: u64,
    /// How many entities have a life that is over.
    pub(super) ended: u64,
    /// How many hours and days of counters were not stored: the store keeps none, or the counter has a past of its own.
    pub(super) pasts: u64,
}

/// What is stored, or would be.
pub(super) fn sentence(checked: &CheckedInput, mode: ImportMode, are: &str, left_out: LeftOut) -> String {
    let mut parts = Vec::new();
    if checked.lines > 0 {
        parts.push(sentence_of_values(checked, mode, are, left_out.ended));
    }
    if left_out.pasts > 0 {
        let why = match mode {
            ImportMode::Set => "this service keeps none of them",
            ImportMode::Add => "their counters have a past here, or this service keeps none of them",
        };
        parts.push(format!("the hours and days of {} lines are left out, as {why}", left_out.pasts));
    }
    if left_out.ended > 0 {
        parts.push(format!("{} entities are left out, as their lives are over", left_out.ended));
    }
    if checked.events > 0 {
        parts.push(format!("{} events {are} appended", checked.events - left_out.events));
    }
    if left_out.events > 0 {
        let events = left_out.events;
        parts.push(format!("{events} events are left out, as their feeds have them or later ones"));
    }
    parts.join("; ")
}

fn sentence_of_values(checked: &CheckedInput, mode: ImportMode, are: &str, ended: u64) -> String {
    let (lines, counters, zeros) = (checked.lines, checked.counters() as u64 - ended, checked.zeros);
    let what = match (checked.has_pages, checked.has_entities) {
        (false, false) => "counters",
        (true, false) => "counters and pages",
        (false, true) => "counters and entities",
        (true, true) => "counters, pages and entities",
    };
    match mode {
        ImportMode::Set => format!("{counters} {what} {are} set"),
        ImportMode::Add if zeros > 0 => {
            let note = format!("values of 0, which change nothing: {zeros}");
            format!("{lines} values for {counters} {what} {are} added; {note}")
        }
        ImportMode::Add => format!("{lines} values for {counters} {what} {are} added"),
    }
}
