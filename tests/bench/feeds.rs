//! Feeds: events at a given rate to listeners that get each of them; from the beginning of a request until the last listener has its event,
//! and CPU time for each event and listener.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::cells::{Figures, INTERVAL};
use crate::fanout::{Publish, reach_all};
use crate::http::{Client, request};
use crate::knobs::Knobs;
use crate::listeners::Listeners;
use crate::paced::{Events, Pace};
use crate::peers::{Peer, livecounter, nchan};
use crate::usage;

/// How many events a second how many listeners get.
pub(crate) struct Audience {
    per_second: u32,
    listeners: usize,
}

/// Many events.
pub(crate) const FAST: Audience = Audience { per_second: 5_000, listeners: 100 };
/// Many listeners.
pub(crate) const WIDE: Audience = Audience { per_second: 50, listeners: 1_000 };

/// Seconds of events before those that count: a second after a channel's first subscription, Pushpin sends a recovery for each listener.
const WARM_UP: u32 = 3;
/// The most seconds of events: each delivery takes memory of the listeners until the end.
const MOST_SECONDS: u32 = 10;

/// Where events are POSTed, and their bodies without their numbers.
struct Source {
    port: u16,
    path: &'static str,
    before: &'static str,
    after: &'static str,
}

/// Where listeners connect, and the server whose CPU time counts.
struct Stream<'a> {
    server: &'a Peer,
    path: &'static str,
}

const FEED: &str = "/live/bench";

impl Source {
    fn feed(livecounter: &Peer) -> Self {
        Source {
            port: livecounter.port(),
            path: "/drop",
            before: r#"{"route":"bench","payload":"#,
            after: "}",
        }
    }

    /// POSTs events from a number on, at the pace.
    fn pace(&self, first: i64, per_second: u32, seconds: u32) -> Pace {
        let Source { port, path, before, after } = *self;
        let events = Events { first, before: before.to_owned(), after: after.to_owned() };
        Pace { port, path: path.to_owned(), per_second, seconds, events: Some(events) }
    }
}

/// Our in-process streams.
pub(crate) fn in_process(audience: &Audience, knobs: &Knobs) -> Result<Figures> {
    let livecounter = livecounter::embedded(INTERVAL)?;
    measure(&Source::feed(&livecounter), Stream { server: &livecounter, path: FEED }, audience, knobs)
}

/// nginx with nchan, which writes each message alone.
pub(crate) fn nchan(audience: &Audience, knobs: &Knobs) -> Result<Figures> {
    let nginx = nchan::start()?;
    let source = Source { port: nginx.port(), path: nchan::PUBLISH_TO_FEED, before: "", after: "" };
    measure(&source, Stream { server: &nginx, path: nchan::STREAM_OF_FEED }, audience, knobs)
}

/// Pushpin fed by livecounter; the CPU time is Pushpin's.
pub(crate) fn pushpin(audience: &Audience, knobs: &Knobs) -> Result<Figures> {
    // Listeners that come through a proxy have no key, so the feed must be public.
    let chain = livecounter::chain_with(INTERVAL, &[("LIVECOUNTER__PUBLIC", "bench")])?;
    let stream = Stream { server: chain.pushpin(), path: FEED };
    measure(&Source::feed(&chain.livecounter), stream, audience, knobs)
}

fn measure(source: &Source, stream: Stream<'_>, audience: &Audience, knobs: &Knobs) -> Result<Figures> {
    let Audience { per_second, listeners: count } = *audience;
    let (mut client, mut last) = (Client::new(source.port), 0);
    let publish: Publish<'_> = &mut || {
        last += 1;
        let body = format!("{}{last}{}", source.before, source.after);
        client.demand(&request("POST", source.path, &[], &body))?;
        Ok(last)
    };
    publish()?;
    let Stream { server, path } = stream;
    let mut listeners = Listeners::connect_to_feed(server.port(), path, count)?;
    let renewed = reach_all(&mut listeners, publish)?;
    let first = publish()? + 1;
    source.pace(first, per_second, WARM_UP).run()?;
    let first = first + i64::from(per_second * WARM_UP);
    let cpu = usage::cpu_us(server.id());
    let report = source.pace(first, per_second, knobs.seconds.min(MOST_SECONDS)).run()?;
    // One more event: a listener that has it has all before it, as events come in their order.
    let end = first + i64::from(report.answered);
    source.pace(end, 1, 1).run()?;
    listeners.all_hold(end, Duration::from_secs(20))?;
    let cpu = usage::cpu_us(server.id()) - cpu;
    let seconds = report.elapsed_us as f64 / 1e6;
    let (answered, expected) = (report.answered, u64::from(report.answered) * count as u64);
    let comparison = listeners.compare(report.sent)?;
    if comparison.received != expected {
        bail!("{} of {expected} events were delivered", comparison.received);
    }
    Ok(Figures::from([
        ("p50 ms", comparison.percentile_ms(50)),
        ("p99 ms", comparison.percentile_ms(99)),
        ("cpu us", cpu / expected as f64),
        ("per second", f64::from(answered) / seconds),
        ("renewed", renewed as f64),
        ("closed", comparison.closed as f64),
    ]))
}
