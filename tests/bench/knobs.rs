//! What can be set: by the environment, since `make bench` has no arguments, and `--markdown`.

use std::env;

use anyhow::{Context, Result, bail};

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
Measures livecounter side by side with its peers and prints one table.

Usage: cargo bench --bench livecounter [-- OPTIONS] [WORD…]

With words, only rows whose names contain one of them.

Options:
  --markdown   print the table as Markdown
  --list       print the names of the rows, measure nothing
  --help       print this

Environment:
  BENCH_ROUNDS       interleaved rounds, whose medians are printed [3]
  BENCH_SECONDS      duration of each load of requests; feed takes 10 at most, storm and scale always take 10 [3]
  BENCH_ROWS         such words, separated by commas [all rows]
  BENCH_LIVECOUNTER  another executable to measure [the one of this build]

Programs: redis-server redis-tools pushpin varnish varnish-modules nginx libnginx-mod-nchan webdis wrk (Debian
packages).
The exit status is 1 when a row could not be measured; a row that falls short does not change it.
";

/// How to measure.
#[derive(Clone, Debug)]
pub(crate) struct Knobs {
    pub(crate) rounds: usize,
    pub(crate) seconds: u32,
    rows: Vec<String>,
}

impl Knobs {
    /// From the environment.
    pub(crate) fn from_environment() -> Result<Self> {
        let knobs = Knobs {
            rounds: number("BENCH_ROUNDS", 3)? as usize,
            seconds: number("BENCH_SECONDS", 3)?,
            rows: list(&env::var("BENCH_ROWS").unwrap_or_default()),
        };
        if !(1..=99).contains(&knobs.rounds) || !(1..=60).contains(&knobs.seconds) {
            bail!("BENCH_ROUNDS is between 1 and 99, BENCH_SECONDS between 1 and 60");
        }
        Ok(knobs)
    }

    /// Asks for rows whose names contain this word, too.
    pub(crate) fn want(&mut self, word: &str) {
        self.rows.push(word.to_owned());
    }

    /// Whether a row is asked for.
    pub(crate) fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|word| row.contains(word))
    }
}

fn number(name: &str, default: u32) -> Result<u32> {
    match env::var(name) {
        Ok(text) if !text.is_empty() => text.parse().with_context(|| format!("{name} is not a whole number")),
        _ => Ok(default),
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
