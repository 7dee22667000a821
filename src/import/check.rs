//! Reads the whole input before anything is stored.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
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
    /// How many lines name a counter, a page, a site or an entity.
    pub lines: u64,
    /// How many lines are events of feeds.
    pub events: u64,
    /// How many of these lines have the value 0.
    pub zeros: u64,
    /// Whether one of these lines names a page or a site.
    pub has_pages: bool,
    /// Whether one of these lines names an entity.
    pub has_entities: bool,
    counters: HashMap<u64, SeenCounter>,
    /// The hashes of the sites that have lines of their own.
    sites: HashSet<u64>,
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
    /// How many counters, pages, sites and entities the input names.
    pub fn counters(&self) -> usize {
        self.counters.len()
    }

    /// The sum that [`ImportMode::Add`] adds to a counter, a page or a site that the input names.
    pub fn sum(&self, topic: &Topic) -> i64 {
        self.counters.get(&hash(topic.name())).map_or(0, |counter| counter.number)
    }

    /// Whether the input has a line for this site, so that its pages do not add to it.
    pub fn names_site(&self, site: &Topic) -> bool {
        self.sites.contains(&hash(site.name()))
    }
}

/// Reads the input to its end. Refuses lines that are malformed, counters that are set twice or come from two names, pages that are set
/// without their site, and sums out of range.
pub fn check(input: impl BufRead, mode: ImportMode) -> Result<CheckedInput, CheckError> {
    let mut input = CounterLines::new(input);
    let (mut lines, mut zeros, mut counters) = (0, 0, HashMap::new());
    let (mut sites, mut set_pages, mut has_pages) = (HashSet::new(), Vec::new(), false);
    let (mut has_entities, mut events, mut feeds) = (false, 0, FeedOrder::default());
    let mut bad = BadLines::default();
    while let Some(read) = input.read_next()? {
        let known = read.and_then(|line| {
            if let Target::Event(event) = &line.target {
                events += 1;
                return feeds.note(&event.feed, line.line);
            }
            lines += 1;
            zeros += u64::from(line.value == 0);
            match &line.target {
                Target::Site(_) => drop(sites.insert(hash(line.target.topic().name()))),
                Target::Page(address) if mode == ImportMode::Set => {
                    set_pages.push((line.line, hash(Topic::site(address).name())));
                }
                Target::Entity(..) if mode == ImportMode::Add => {
                    let reason = "an entity cannot be added, only set".to_owned();
                    return Err(BadLine { line: line.line, reason });
                }
                Target::Page(_) | Target::Counter(_) | Target::Entity(..) | Target::Event(_) => {}
            }
            has_pages |= matches!(line.target, Target::Page(_) | Target::Site(_));
            has_entities |= matches!(line.target, Target::Entity(..));
            note(&mut counters, &line, mode)
        });
        if let Err(line) = known {
            bad.add(line);
        }
    }
    for (line, _) in set_pages.into_iter().filter(|(_, site)| !sites.contains(site)) {
        let reason = "a page cannot be set, only added, as its site counts along";
        bad.add(BadLine { line, reason: reason.to_owned() });
    }
    bad.refuse()?;
    Ok(CheckedInput {
        digest: input.digest(),
        lines,
        events,
        zeros,
        has_pages,
        has_entities,
        counters,
        sites,
    })
}

/// Refuses a feed whose events do not follow each other: an import looks only once at what the feed has.
#[derive(Default)]
struct FeedOrder {
    present: Option<Topic>,
    /// The hashes of all feeds so far.
    seen: HashSet<u64>,
}

impl FeedOrder {
    fn note(&mut self, feed: &Topic, line: u64) -> Result<(), BadLine> {
        if self.present.as_ref() == Some(feed) {
            return Ok(());
        }
        self.present = Some(feed.clone());
        match self.seen.insert(hash(feed.name())) {
            true => Ok(()),
            false => {
                let reason = "stands apart from the other events of its feed".to_owned();
                Err(BadLine { line, reason })
            }
        }
    }
}

/// The lines that cannot be used.
#[derive(Default)]
struct BadLines {
    first: Vec<BadLine>,
    count: u64,
}

impl BadLines {
    fn add(&mut self, line: BadLine) {
        self.count += 1;
        let place = self.first.partition_point(|known| known.line <= line.line);
        self.first.insert(place, line);
        self.first.truncate(NAMED);
    }

    fn refuse(self) -> Result<(), CheckError> {
        match self {
            BadLines { count: 0, .. } => Ok(()),
            BadLines { first, count } => Err(CheckError::Lines { first, count }),
        }
    }
}

fn note(
    counters: &mut HashMap<u64, SeenCounter>,
    line: &ImportLine,
    mode: ImportMode,
) -> Result<(), BadLine> {
    let bad = |reason| Err(BadLine { line: line.line, reason });
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
