//! Reads counters, pages and sites with their values and their pasts, entities, and events of feeds from lines of text: an export of this program, the same lines written by hand, and what
//! CountAPI answers; and pages from the SQLite file of the hit-counter. Knows no store.

mod bad_lines;
mod check;
mod counter_lines;
mod feed_order;
mod hash;
mod hit_counter;
mod json_line;
mod line;
mod points;
mod text_lines;

pub use bad_lines::CheckError;
pub use check::{CheckedInput, ImportMode, NamedTopics, check};
pub use counter_lines::CounterLines;
pub use hit_counter::{HitCounterError, HitCounterPages, is_sqlite, write_hit_counter_pages};
pub use line::{BadLine, ImportLine, PastEvent, ReadError, Target};
