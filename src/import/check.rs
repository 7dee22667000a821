//! Reads the whole input before anything is stored.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::BufRead;

use ring::digest::Digest;

use super::counter_lines::CounterLines;
use super::line::{BadLine, ImportLine, ReadError, Target};
use crate::domain::{LIMIT, Topic};

/// How many bad lines are named; the others are counted.
const NAMED: usize = 10;

/// What happens to a counter that the input names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportMode {
    /// The counter is set to the value.
    Set,
    /// The value is added to the counter.
    Add,
}

/// An input of which every line can be used.
#[derive(Debug)]
pub struct CheckedInput {
    /// The SHA-256 digest of all bytes.
    pub digest: Digest,
    /// How many lines name a counter or a page.
    pub lines: u64,
    /// How many of these lines have the value 0.
    pub zeros: u64,
    /// Whether one of these lines names a page.
    pub has_pages: bool,
    counters: HashMap<u64, SeenCounter>,
}

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

/// A counter of the input. Its id is kept as a hash of 64 bits, so that a counter takes some 40 bytes of memory.
#[derive(Debug)]
struct SeenCounter {
    name: u64,
    /// The number of the line for [`ImportMode::Set`], the sum so far for [`ImportMode::Add`].
    number: i64,
}

impl CheckedInput {
    /// How many counters and pages the input names.
    pub fn counters(&self) -> usize {
        self.counters.len()
    }

    /// The sum that [`ImportMode::Add`] adds to a counter or a page.
    pub fn sum(&self, topic: &Topic) -> i64 {
        self.counters.get(&hash(topic.name())).map_or(0, |counter| counter.number)
    }
}

/// Reads the input to its end. Refuses lines that are malformed, counters that are set twice or come from two names, and sums out of range.
pub fn check(input: impl BufRead, mode: ImportMode) -> Result<CheckedInput, CheckError> {
    let mut input = CounterLines::new(input);
    let (mut lines, mut zeros, mut counters) = (0, 0, HashMap::new());
    let (mut first, mut count, mut has_pages) = (Vec::new(), 0, false);
    while let Some(read) = input.read_next()? {
        lines += 1;
        let known = match read {
            Ok(line) => {
                zeros += u64::from(line.value == 0);
                has_pages |= matches!(line.target, Target::Page(_));
                note(&mut counters, &line, mode)
            }
            Err(bad) => Err(bad),
        };
        if let Err(bad) = known {
            count += 1;
            if first.len() < NAMED {
                first.push(bad);
            }
        }
    }
    if count > 0 {
        return Err(CheckError::Lines { first, count });
    }
    Ok(CheckedInput { digest: input.digest(), lines, zeros, has_pages, counters })
}

fn note(
    counters: &mut HashMap<u64, SeenCounter>,
    line: &ImportLine,
    mode: ImportMode,
) -> Result<(), BadLine> {
    let bad = |reason| Err(BadLine { line: line.line, reason });
    if mode == ImportMode::Set && matches!(line.target, Target::Page(_)) {
        return bad("a page cannot be set, only added, as its site counts along".to_owned());
    }
    let topic = line.target.topic();
    let number = if mode == ImportMode::Set { line.line as i64 } else { line.value };
    let name = hash(line.name.as_deref().unwrap_or(topic.name()));
    match counters.entry(hash(topic.name())) {
        Entry::Vacant(new) => drop(new.insert(SeenCounter { name, number })),
        Entry::Occupied(seen) if seen.get().name != name => {
            return bad(format!("another name of the input is the {} as well", line.target));
        }
        Entry::Occupied(seen) if mode == ImportMode::Set => {
            return bad(format!("line {} sets the {} already", seen.get().number, line.target));
        }
        Entry::Occupied(mut seen) => {
            // Both numbers are within ±2^53, so their sum is no overflow.
            let sum = seen.get().number + number;
            if !(-LIMIT..=LIMIT).contains(&sum) {
                return bad(format!("the sum for the {} leaves ±{LIMIT}", line.target));
            }
            seen.get_mut().number = sum;
        }
    }
    Ok(())
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
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
