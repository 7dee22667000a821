//! Pages that show several counters: one stream for all of them, or one for each.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::cells::Figures;
use crate::fanout::{self, GAP, Publish};
use crate::http::{Client, request};
use crate::listeners::Listeners;
use crate::peers::{livecounter, nchan};
use crate::usage;

/// The number of counters of a page: the most that one stream carries.
pub(crate) const COUNTERS: usize = 20;

/// The pages of which memory and CPU time are compared.
const PAGES: usize = 50;

/// The number of times that each counter changes in that comparison.
const ROUNDS: u32 = 10;

/// Changes the counters in turn. Each change brings its counter to the next number of one sequence, so that a page has a later
/// change exactly if it has a greater number.
struct Turns {
    client: Client,
    values: [i64; COUNTERS],
    last: i64,
}

impl Turns {
    fn on(port: u16) -> Self {
        Turns { client: Client::new(port), values: [0; COUNTERS], last: 0 }
    }

    /// Changes the next counter, and returns its number.
    fn next(&mut self) -> Result<i64> {
        self.last += 1;
        let counter = self.last as usize % COUNTERS;
        let by = self.last - std::mem::replace(&mut self.values[counter], self.last);
        let target = format!("/counters/p{counter}/?by={by}");
        let response = self.client.demand(&request("POST", &target, &[], ""))?;
        response.body.trim().parse().with_context(|| format!("POST {target} answered {:?}", response.body))
    }

    /// Changes every counter once, one every [`GAP`]. Returns the first number, which every stream then has, or a greater one.
    fn round(&mut self) -> Result<i64> {
        let start = Instant::now();
        let first = self.last + 1;
        for number in 0..COUNTERS as u32 {
            thread::sleep((start + GAP * number).saturating_duration_since(Instant::now()));
            self.next()?;
        }
        Ok(first)
    }
}

/// The path of the stream of all counters.
fn all() -> String {
    let ids: Vec<String> = (0..COUNTERS).map(|counter| format!("p{counter}")).collect();
    format!("/counters/{}/", ids.join(","))
}

/// The paths of the streams of each counter, in the order of the numbers that [`Turns`] gives them.
fn each() -> Vec<String> {
    (0..COUNTERS).map(|counter| format!("/counters/p{counter}/")).collect()
}

/// One stream for each page, held in process.
pub(crate) fn in_process(count: usize) -> Result<Figures> {
    let livecounter = livecounter::embedded(Duration::ZERO)?;
    let mut turns = Turns::on(livecounter.port());
    let publish: Publish<'_> = &mut || turns.next();
    fanout::measure(&livecounter, &all(), count, publish)
}

/// The same at Pushpin.
pub(crate) fn pushpin(count: usize) -> Result<Figures> {
    at_pushpins(1, &[all()], count)
}

/// The same at four Pushpins.
pub(crate) fn four_pushpins(count: usize) -> Result<Figures> {
    at_pushpins(4, &[all()], count)
}

/// The same deliveries at four Pushpins, with a stream for each counter of each page.
pub(crate) fn four_pushpins_each(count: usize) -> Result<Figures> {
    at_pushpins(4, &each(), count * COUNTERS)
}

fn at_pushpins(pushpins: usize, paths: &[String], streams: usize) -> Result<Figures> {
    let chain = livecounter::chain_of(pushpins, Duration::ZERO)?;
    let mut turns = Turns::on(chain.livecounter.port());
    let publish: Publish<'_> = &mut || turns.next();
    fanout::measure_chain(&chain, paths, streams, publish)
}

/// nginx with nchan: one subscriber of as many channels for each page.
pub(crate) fn nchan(count: usize) -> Result<Figures> {
    let nginx = nchan::start()?;
    let mut client = Client::new(nginx.port());
    let mut value = 0;
    let publish: Publish<'_> = &mut || {
        value += 1;
        let target = format!("{}{}", nchan::PUBLISH_ONE_OF_MANY, value as usize % COUNTERS);
        client.demand(&request("POST", &target, &[], &value.to_string()))?;
        Ok(value)
    };
    fanout::measure(&nginx, nchan::STREAM_OF_MANY, count, publish)
}

/// What a page costs the process that holds its streams: one stream for all its counters.
pub(crate) fn one_stream() -> Result<Figures> {
    cost(&[all()], PAGES)
}

/// The same with a stream for each counter.
pub(crate) fn stream_each() -> Result<Figures> {
    cost(&each(), PAGES * COUNTERS)
}

fn cost(paths: &[String], streams: usize) -> Result<Figures> {
    let livecounter = livecounter::embedded(Duration::ZERO)?;
    let mut turns = Turns::on(livecounter.port());
    turns.round()?;
    let memory = usage::memory_kib(livecounter.id())?;
    let mut listeners = Listeners::connect_to(&[livecounter.port()], paths, streams)?;
    let first = turns.round()?;
    listeners.all_hold(first, Duration::from_secs(20))?;
    let cpu = usage::cpu_us(livecounter.id());
    let mut first = 0;
    for _ in 0..ROUNDS {
        first = turns.round()?;
    }
    listeners.all_hold(first, Duration::from_secs(20))?;
    let cpu = usage::cpu_us(livecounter.id()) - cpu;
    let memory = usage::memory_kib(livecounter.id())? - memory;
    let bytes = listeners.compare(Vec::new())?.bytes;
    let pages = PAGES as f64;
    Ok(Figures::from([
        ("cpu us", cpu / (pages * f64::from(ROUNDS) * COUNTERS as f64)),
        ("KiB", memory / pages),
        ("sent KiB", bytes as f64 / 1024.0 / pages),
    ]))
}
