//! Fan-out: 200 messages at 20 a second to all listeners; publish → received, CPU time per delivery, memory per
//! listener.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cells::Figures;
use crate::http::{Client, request};
use crate::listeners::{Held, Listeners, now_us};
use crate::peers::livecounter::Chain;
use crate::peers::{Peer, livecounter, nchan, pushpin};
use crate::usage;

const MESSAGES: u32 = 200;
pub(crate) const GAP: Duration = Duration::from_millis(50);
/// The number of values that are published before the measurement.
const WARM_UP: u32 = 40;
/// The number of values that are published without a request for reading at the origin, before the measurement begins: a second after a channel's
/// first subscription, Pushpin sends a recovery for each listener, and holds the channel's items back until it has the answer.
const QUIET: u32 = 40;
/// How often the origin may have had requests for reading meanwhile.
const QUIET_ATTEMPTS: usize = 10;

/// The figure that says how many values were delivered; the others were overtaken by later ones.
pub(crate) const DELIVERED: &str = "delivered %";

/// Publishes the next value, and returns it.
pub(crate) type Publish<'a> = &'a mut dyn FnMut() -> Result<i64>;

/// How many requests for reading the origin has had.
type Reads<'a> = &'a dyn Fn() -> Result<f64>;

/// Our in-process streams: a POST to livecounter alone.
pub(crate) fn in_process(count: usize) -> Result<Figures> {
    let livecounter = livecounter::embedded(Duration::ZERO)?;
    let mut client = Client::new(livecounter.port());
    let publish: Publish<'_> = &mut || livecounter::add(&mut client);
    measure(&livecounter, livecounter::HOT, count, publish)
}

/// nginx with nchan: a message to its publisher.
pub(crate) fn nchan(count: usize) -> Result<Figures> {
    let nginx = nchan::start()?;
    let mut client = Client::new(nginx.port());
    let mut value = 0;
    let publish: Publish<'_> = &mut || {
        value += 1;
        client.demand(&request("POST", nchan::PUBLISH, &[], &value.to_string()))?;
        Ok(value)
    };
    measure(&nginx, nchan::STREAM, count, publish)
}

/// Pushpin fed by livecounter: a POST to livecounter, the listeners at Pushpin, whose CPU and memory are measured.
pub(crate) fn pushpin(count: usize) -> Result<Figures> {
    let chain = livecounter::chain(Duration::ZERO)?;
    let mut client = Client::new(chain.livecounter.port());
    let publish: Publish<'_> = &mut || livecounter::add(&mut client);
    measure_chain(&chain, &[livecounter::HOT.to_owned()], count, publish)
}

/// Pushpin fed by hand: an item straight to its control port.
pub(crate) fn pushpin_by_hand(count: usize) -> Result<Figures> {
    let by_hand = pushpin::ByHand::start()?;
    measure(&by_hand.pushpin.peer, "/hold/", count, &mut by_hand.publisher())
}

/// Publishes at the pace to `count` listeners at the chain's Pushpins, which take the paths in turn. Each value is one of the path whose place is its
/// remainder by their number.
pub(crate) fn measure_chain(
    chain: &Chain,
    paths: &[String],
    count: usize,
    publish: Publish<'_>,
) -> Result<Figures> {
    let holders: Vec<&Peer> = chain.pushpins.iter().map(|pushpin| &pushpin.peer).collect();
    let reads = || livecounter::reads(chain.livecounter.port());
    measure_when_quiet(&holders, paths, count, publish, &reads)
}

/// Publishes at the pace to `count` listeners of `path`, which `holder` holds.
pub(crate) fn measure(holder: &Peer, path: &str, count: usize, publish: Publish<'_>) -> Result<Figures> {
    measure_when_quiet(&[holder], &[path.to_owned()], count, publish, &|| Ok(0.0))
}

/// The CPU time and the memory are those of all `holders`; each has as many listeners.
fn measure_when_quiet(
    holders: &[&Peer],
    paths: &[String],
    count: usize,
    publish: Publish<'_>,
    reads: Reads<'_>,
) -> Result<Figures> {
    let ports: Vec<u16> = holders.iter().map(|holder| holder.port()).collect();
    let cpu_us = || holders.iter().map(|holder| usage::cpu_us(holder.id())).sum::<f64>();
    let memory_kib = || holders.iter().map(|holder| usage::memory_kib(holder.id())).sum::<Result<f64>>();
    publish()?;
    let memory = memory_kib()?;
    let mut listeners = Listeners::connect_to(&ports, paths, count)?;
    let renewed = reach_all(&mut listeners, publish)?;
    pace(publish, WARM_UP)?;
    until_quiet(publish, reads)?;
    let cpu = cpu_us();
    let published = pace(publish, MESSAGES)?;
    let last = published.last().map_or(0, |&(value, _)| value);
    listeners.all_hold(last - (paths.len() as i64 - 1), Duration::from_secs(20))?;
    let cpu = cpu_us() - cpu;
    let memory = memory_kib()? - memory;
    let comparison = listeners.compare(published)?;
    let expected = f64::from(MESSAGES) * (count / paths.len()) as f64;
    let received = comparison.received as f64;
    Ok(Figures::from([
        ("p50 ms", comparison.percentile_ms(50)),
        ("p99 ms", comparison.percentile_ms(99)),
        ("cpu us", cpu / received),
        ("KiB", memory / count as f64),
        (DELIVERED, 100.0 * received / expected),
        ("renewed", renewed as f64),
        ("closed", comparison.closed as f64),
    ]))
}

/// Publishes until every listener has received a value of its path. A listener that receives none connects anew: a Pushpin that is short of CPU time loses
/// some while thousands connect. Returns the number of listeners that did.
pub(crate) fn reach_all(listeners: &mut Listeners, publish: Publish<'_>) -> Result<usize> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut renewed = 0;
    loop {
        let value = publish()?;
        for _ in 1..listeners.paths {
            publish()?;
        }
        let Held { holding, .. } = listeners.hold(value, Duration::from_secs(2))?;
        if holding == listeners.count {
            return Ok(renewed);
        }
        if Instant::now() > deadline {
            bail!("only {holding} of {} listeners get anything", listeners.count);
        }
        renewed += listeners.renew(value)?;
    }
}

/// Publishes until the origin has had no request for reading in the time of [`QUIET`] values.
fn until_quiet(publish: Publish<'_>, reads: Reads<'_>) -> Result<()> {
    let mut before = reads()?;
    for _ in 0..QUIET_ATTEMPTS {
        pace(publish, QUIET)?;
        let now = reads()?;
        if now == before {
            return Ok(());
        }
        before = now;
    }
    bail!("the origin still has requests for reading");
}

/// The values that were published, with the times at which that was begun.
fn pace(publish: Publish<'_>, messages: u32) -> Result<Vec<(i64, u64)>> {
    let start = Instant::now();
    let mut published = Vec::new();
    for number in 0..messages {
        thread::sleep((start + GAP * number).saturating_duration_since(Instant::now()));
        let time_us = now_us();
        published.push((publish()?, time_us));
    }
    Ok(published)
}
