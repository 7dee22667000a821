//! Reads the whole input before anything is stored.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io::BufRead;

use ring::digest::Digest;

use super::bad_lines::{BadLines, CheckError};
use super::counter_lines::CounterLines;
use super::feed_order::FeedOrder;
use super::hash::hash;
use super::line::{BadLine, ImportLine, Target};
use crate::domain::{LIMIT, Topic};

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
    /// How many different counters, pages, sites and entities these lines name.
    pub named: NamedTopics,
    counters: HashMap<u64, SeenCounter>,
    /// The hashes of the sites that have lines of their own.
    sites: HashSet<u64>,
}

/// How many topics of each kind an input names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NamedTopics {
    /// The number of counters.
    pub counters: u64,
    /// The number of pages.
    pub pages: u64,
    /// The number of sites that have lines of their own.
    pub sites: u64,
    /// The number of entities.
    pub entities: u64,
}

/// A counter of the input. Its id is kept as a hash of 64 bits, so that a counter takes some 40 bytes of memory.
#[derive(Debug)]
struct SeenCounter {
    name: u64,
    /// The number of the line for [`ImportMode::Set`], the sum so far for [`ImportMode::Add`].
    number: i64,
}

impl CheckedInput {
    /// The sum that [`ImportMode::Add`] adds to a counter, a page or a site that the input names.
    pub fn sum(&self, topic: &Topic) -> i64 {
        self.counters.get(&hash(topic.name())).map_or(0, |counter| counter.number)
    }

    /// Whether the input has a line for this site, so that its pages do not add to it.
    pub fn names_site(&self, site: &Topic) -> bool {
        self.sites.contains(&hash(site.name()))
    }
}

impl NamedTopics {
    fn note(&mut self, target: &Target) {
        match target {
            Target::Counter(_) => self.counters += 1,
            Target::Page(_) => self.pages += 1,
            Target::Site(_) => self.sites += 1,
            Target::Entity(..) => self.entities += 1,
            Target::Event(_) => {}
        }
    }
}

/// Reads the input to its end. Refuses lines that are malformed, counters that are set twice or come from two names, pages that are set
/// without their site, and sums out of range.
pub fn check(input: impl BufRead, mode: ImportMode) -> Result<CheckedInput, CheckError> {
    let mut input = CounterLines::new(input);
    let mut seen = InputCheck::of(mode, input.digest());
    let mut bad = BadLines::default();
    while let Some(read) = input.read_next()? {
        if let Err(line) = read.and_then(|line| seen.note(&line)) {
            bad.add(line);
        }
    }
    seen.pages_without_sites().for_each(|line| bad.add(line));
    bad.refuse()?;
    Ok(CheckedInput { digest: input.digest(), ..seen.checked })
}

/// What the lines so far have named.
struct InputCheck {
    mode: ImportMode,
    /// What an input of these lines would be.
    checked: CheckedInput,
    feeds: FeedOrder,
    /// The lines that set a page, each with the hash of the site.
    set_pages: Vec<(u64, u64)>,
    /// The hashes of the counters that have a past in the input.
    with_past: HashSet<u64>,
}

impl InputCheck {
    fn of(mode: ImportMode, digest: Digest) -> Self {
        let checked = CheckedInput {
            digest,
            lines: 0,
            events: 0,
            named: NamedTopics::default(),
            counters: HashMap::new(),
            sites: HashSet::new(),
        };
        InputCheck {
            mode,
            checked,
            feeds: FeedOrder::default(),
            set_pages: Vec::new(),
            with_past: HashSet::new(),
        }
    }

    /// Notes a line, or returns why it cannot be used beside the lines before it.
    fn note(&mut self, line: &ImportLine) -> Result<(), BadLine> {
        let checked = &mut self.checked;
        if let Target::Event(event) = &line.target {
            checked.events += 1;
            return self.feeds.note(&event.feed, line.line);
        }
        checked.lines += 1;
        match &line.target {
            Target::Site(_) => drop(checked.sites.insert(hash(line.target.topic().name()))),
            Target::Page(address) if self.mode == ImportMode::Set => {
                self.set_pages.push((line.line, hash(Topic::site(address).name())));
            }
            Target::Entity(..) if self.mode == ImportMode::Add => {
                let reason = "an entity cannot be added, only set".to_owned();
                return Err(BadLine { line: line.line, reason });
            }
            Target::Entity(..) | Target::Page(_) | Target::Counter(_) | Target::Event(_) => {}
        }
        self.note_past(line)?;
        let known = self.checked.counters.len();
        note_counter(&mut self.checked.counters, line, self.mode)?;
        if self.checked.counters.len() > known {
            self.checked.named.note(&line.target);
        }
        Ok(())
    }

    /// Refuses two lines of one counter if one of them has a past, which is not that of their sum.
    fn note_past(&mut self, line: &ImportLine) -> Result<(), BadLine> {
        let has_past = !line.past.is_empty();
        if self.mode == ImportMode::Set || (!has_past && self.with_past.is_empty()) {
            return Ok(());
        }
        let counter = hash(line.target.topic().name());
        let known = match has_past {
            true => self.checked.counters.contains_key(&counter) || !self.with_past.insert(counter),
            false => self.with_past.contains(&counter),
        };
        if known {
            let reason = format!("the {} has hours or days, and stands in another line, too", line.target);
            return Err(BadLine { line: line.line, reason });
        }
        Ok(())
    }

    /// The lines that set a page whose site has no line.
    fn pages_without_sites(&self) -> impl Iterator<Item = BadLine> {
        let reason = "a page cannot be set, only added, as its site counts along";
        let alone = self.set_pages.iter().filter(|(_, site)| !self.checked.sites.contains(site));
        alone.map(move |(line, _)| BadLine { line: *line, reason: reason.to_owned() })
    }
}

/// Adds a line to what the input says of its counter, or returns why the two do not go together.
fn note_counter(
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
