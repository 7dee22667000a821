//! Reads counters and pages with their values from lines of text: an export of this program, the same lines written by hand, and what CountAPI
//! answers. Knows no store.

mod check;
mod counter_lines;
mod json_line;
mod line;
mod text_lines;

pub use check::{CheckError, CheckedInput, ImportMode, check};
pub use counter_lines::CounterLines;
pub use line::{BadLine, ImportLine, ReadError, Target};
