//! What an import has stored, in one sentence.

use crate::import::{CheckedInput, ImportMode};

/// What is stored, or would be. `left_out` is how many events their feeds do not need.
pub(super) fn sentence(checked: &CheckedInput, mode: ImportMode, are: &str, left_out: u64) -> String {
    let mut parts = Vec::new();
    if checked.lines > 0 {
        parts.push(sentence_of_values(checked, mode, are));
    }
    if checked.events > 0 {
        parts.push(format!("{} events {are} appended", checked.events - left_out));
    }
    if left_out > 0 {
        parts.push(format!("{left_out} events are left out, as their feeds have them or later ones"));
    }
    parts.join("; ")
}

fn sentence_of_values(checked: &CheckedInput, mode: ImportMode, are: &str) -> String {
    let (lines, counters, zeros) = (checked.lines, checked.counters(), checked.zeros);
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
