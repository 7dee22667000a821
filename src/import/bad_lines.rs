//! The lines of an input that cannot be used.

use super::line::{BadLine, ReadError};

/// How many bad lines are named; the others are counted.
const NAMED: usize = 10;

/// The reason why an input cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The input cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Lines cannot be used.
    #[error("{count} {} of the input cannot be used{}", if *count == 1 { "line" } else { "lines" }, listed(first, *count))]
    Lines {
        /// The first bad lines.
        first: Vec<BadLine>,
        /// The number of all bad lines.
        count: u64,
    },
}

/// The lines that cannot be used.
#[derive(Default)]
pub(super) struct BadLines {
    first: Vec<BadLine>,
    count: u64,
}

impl BadLines {
    /// Adds a line, in the order of the numbers.
    pub(super) fn add(&mut self, line: BadLine) {
        self.count += 1;
        let place = self.first.partition_point(|known| known.line <= line.line);
        self.first.insert(place, line);
        self.first.truncate(NAMED);
    }

    /// Refuses the input if there is such a line.
    pub(super) fn refuse(self) -> Result<(), CheckError> {
        match self {
            BadLines { count: 0, .. } => Ok(()),
            BadLines { first, count } => Err(CheckError::Lines { first, count }),
        }
    }
}

/// The first bad lines, each in a line of its own, and how many more there are.
fn listed(first: &[BadLine], count: u64) -> String {
    let mut text: String = first.iter().map(|bad| format!("\n  {bad}")).collect();
    let more = count - first.len() as u64;
    if more > 0 {
        text += &format!("\n  and {more} more");
    }
    text
}
