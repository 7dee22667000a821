//! What a check has found, and the lines that say so.

use std::fmt;
use std::time::Duration;

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is as documented: how long it took, where that is of interest, and what was seen.
    Ok(Option<Duration>, String),
    /// Something is not as documented: what, what is likely wrong, and where to read about it.
    Failed(String),
    /// The check was not done, for this reason.
    Skipped(String),
}

/// One line of the report.
#[derive(Debug, PartialEq, Eq)]
pub struct CheckLine {
    /// The name of the check.
    pub name: &'static str,
    /// What it has found.
    pub verdict: Verdict,
}

impl fmt::Display for CheckLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, time, text) = match &self.verdict {
            Verdict::Ok(Some(took), text) => ("ok", format!("{} ms", took.as_millis()), text),
            Verdict::Ok(None, text) => ("ok", String::new(), text),
            Verdict::Failed(text) => ("failed", String::new(), text),
            Verdict::Skipped(text) => ("skipped", String::new(), text),
        };
        write!(f, "{word:<8}{:<10}{time:>8}  {text}", self.name)
    }
}

/// How many checks have ended which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckTotals {
    /// Checks that found all as documented.
    pub ok: usize,
    /// Checks that found something else.
    pub failed: usize,
    /// Checks that were not done.
    pub skipped: usize,
}

impl CheckTotals {
    pub(super) fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Ok(..) => self.ok += 1,
            Verdict::Failed(_) => self.failed += 1,
            Verdict::Skipped(_) => self.skipped += 1,
        }
    }
}

impl fmt::Display for CheckTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ok, {} failed, {} skipped", self.ok, self.failed, self.skipped)
    }
}

/// The longest part of a text from a server that a line repeats, in characters.
const QUOTED: usize = 120;

/// The beginning of a text from a server, between quotes: no control character in it reaches the terminal.
pub(super) fn quote(text: &str) -> String {
    let short: String = text.chars().take(QUOTED).collect();
    let end = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_columns() {
        let line = |verdict| CheckLine { name: "stream", verdict }.to_string();
        let took = Some(Duration::from_micros(12_999));
        assert_eq!(line(Verdict::Ok(took, "two".into())), "ok      stream       12 ms  two");
        assert_eq!(line(Verdict::Ok(None, "two".into())), "ok      stream              two");
        assert_eq!(line(Verdict::Failed("no".into())), "failed  stream              no");
        assert_eq!(line(Verdict::Skipped("no".into())), "skipped stream              no");
    }

    #[test]
    fn what_a_server_says_cannot_write_to_the_terminal() {
        assert_eq!(quote("a\u{1b}[2Jb\r\n\u{202e}"), r#""a\u{1b}[2Jb\r\n\u{202e}""#);
        assert_eq!(quote(&"x".repeat(1000)), format!("\"{}\"…", "x".repeat(120)));
    }
}
