//! Why an import stored nothing, or not all lines.

use std::fmt::Write as _;

use super::import_record::RecordError;
use super::import_summary::lines_stored;
use crate::import::{CheckError, ImportLine};
use crate::settings::SettingsError;
use crate::store::StoreError;

/// How many lines that were not stored are named.
const NAMED: usize = 10;

/// The reason why nothing was imported, or not all lines.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A setting cannot be used, or the file that it names is in use.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The input cannot be used.
    #[error("nothing is stored")]
    Input(#[from] CheckError),
    /// Values would leave the range.
    #[error("nothing is stored: {0}")]
    OutOfRange(String),
    /// The store did not answer before anything was stored.
    #[error("nothing is stored")]
    Store(#[from] StoreError),
    /// What an earlier import of the same input has stored is not known.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The input was read twice, and was another the second time.
    #[error("the input has changed while it was read; {}", lines_stored(*stored))]
    Changed {
        /// How many lines were stored.
        stored: u64,
    },
    /// Some lines were not stored.
    #[error("{}; {reasons}", lines_stored(*stored))]
    Refused {
        /// How many lines were stored.
        stored: u64,
        /// Which lines were not, and why.
        reasons: String,
    },
}

/// The lines that were not stored.
#[derive(Default)]
pub(super) struct RefusedLines {
    /// The first of these lines, with the reasons.
    reasons: Vec<String>,
    count: u64,
}

impl RefusedLines {
    /// Adds a line, with the reason why the line was not stored.
    pub(super) fn add(&mut self, line: &ImportLine, reason: &str) {
        self.count += 1;
        if self.reasons.len() < NAMED {
            self.reasons.push(format!("line {}: {reason}", line.line));
        }
    }

    /// Whether all lines were stored so far.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The lines in one sentence.
    pub(super) fn text(&self) -> String {
        let mut text = self.reasons.join("; ");
        let more = self.count - self.reasons.len() as u64;
        if more > 0 {
            let _ = write!(text, "; and {more} more");
        }
        text
    }
}
