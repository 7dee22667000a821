//! The rows of the table: which figures they compare, and what they should reach.

use crate::cells::INTERVAL;

/// One figure of a measurement.
#[derive(Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) cell: &'static str,
    pub(crate) name: &'static str,
}

/// How a figure is written.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    PerSecond,
    Milliseconds,
    Microseconds,
    Kibibytes,
    PerChange,
}

/// The bounds of the ratio to the peer, or of the figure itself where there is no peer.
#[derive(Clone, Copy)]
pub(crate) struct Goal {
    pub(crate) at_least: bool,
    pub(crate) must: Option<f64>,
    pub(crate) reach: Option<f64>,
}

/// A line of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) ours: Figure,
    /// The peer as the table calls it, and its figure.
    pub(crate) peer: Option<(&'static str, Figure)>,
    pub(crate) goal: Option<Goal>,
}

impl Row {
    const fn new(name: &'static str, unit: Unit, cell: &'static str, figure: &'static str) -> Self {
        Row { name, unit, ours: Figure { cell, name: figure }, peer: None, goal: None }
    }

    /// Compared with the same figure of another measurement.
    const fn against(mut self, peer: &'static str, cell: &'static str) -> Self {
        self.peer = Some((peer, Figure { cell, name: self.ours.name }));
        self
    }

    const fn at_least(mut self, must: f64, reach: f64) -> Self {
        self.goal = Some(Goal { at_least: true, must: Some(must), reach: Some(reach) });
        self
    }

    const fn at_most(mut self, must: f64, reach: f64) -> Self {
        self.goal = Some(Goal { at_least: false, must: Some(must), reach: Some(reach) });
        self
    }

    /// A bound that should be reached, but need not be.
    const fn only_reach(mut self, at_least: bool, reach: f64) -> Self {
        self.goal = Some(Goal { at_least, must: None, reach: Some(reach) });
        self
    }

    /// The measurements that the row needs.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &'static str> {
        [self.ours.cell].into_iter().chain(self.peer.map(|(_, figure)| figure.cell))
    }
}

/// The time in which the storm's listeners must get the last value: the interval and 200 ms.
const HELD_MS: f64 = INTERVAL.as_millis() as f64 + 200.0;

/// The most publishes a second: one per interval, and in ten seconds one more.
const PUBLISHES: f64 = 1_000.0 / INTERVAL.as_millis() as f64 + 0.1;

/// The rows in the order of the table.
pub(crate) fn rows() -> Vec<Row> {
    [
        post_rows(),
        entity_rows(),
        hit_rows(),
        get_and_embedded_rows(),
        stream_rows(),
        feed_rows(),
        storm_rows(),
        origin_rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The measurements of POSTs to one counter and to many.
const HOT: &str = "post-hot/livecounter";
const SPREAD: &str = "post-spread/livecounter";

/// POSTs to one counter and to many, beside peers.
fn post_rows() -> Vec<Row> {
    use Unit::{Microseconds as Us, Milliseconds as Ms, PerSecond as S};
    let (row, hot, spread) = (Row::new, HOT, SPREAD);
    vec![
        row("post-hot-bare", S, hot, "per second")
            .against("bare actix-web", "post-hot/bare")
            .at_least(0.65, 0.80),
        row("post-hot-webdis", S, hot, "per second").against("webdis", "post-hot/webdis").at_least(1.4, 1.7),
        row("post-hot-redis", S, hot, "per second").against("redis-benchmark", "post-hot/redis-benchmark"),
        row("post-spread-bare", S, spread, "per second")
            .against("bare actix-web", "post-spread/bare")
            .at_least(0.60, 0.70),
        row("post-spread-webdis", S, spread, "per second")
            .against("webdis", "post-spread/webdis")
            .at_least(1.3, 1.6),
        row("post-spread-redis", S, spread, "per second")
            .against("redis-benchmark", "post-spread/redis-benchmark"),
        row("post-hot-p99", Ms, hot, "p99 ms").against("bare actix-web", "post-hot/bare").at_most(2.0, 1.3),
        row("post-spread-p99", Ms, spread, "p99 ms")
            .against("bare actix-web", "post-spread/bare")
            .at_most(2.0, 1.3),
        row("post-hot-cpu", Us, hot, "cpu us").against("webdis", "post-hot/webdis").at_most(0.58, 0.50),
        row("post-hot-cpu-pool", Us, hot, "cpu us")
            .against("webdis, 20 connections", "post-hot/webdis-pool")
            .at_most(0.58, 0.50),
        row("post-hot-origin-cpu", Us, hot, "origin cpu us"),
        row("post-hot-redis-cpu", Us, hot, "redis cpu us"),
        row("post-spread-cpu", Us, spread, "cpu us")
            .against("webdis", "post-spread/webdis")
            .at_most(0.58, 0.50),
        row("post-spread-cpu-pool", Us, spread, "cpu us")
            .against("webdis, 20 connections", "post-spread/webdis-pool")
            .at_most(0.58, 0.50),
        row("post-spread-origin-cpu", Us, spread, "origin cpu us"),
        row("post-spread-redis-cpu", Us, spread, "redis cpu us"),
    ]
}

/// Additions to entities, beside POSTs to counters.
fn entity_rows() -> Vec<Row> {
    use Unit::{Microseconds as Us, PerSecond as S};
    let (row, hot, spread) = (Row::new, "entity-hot/livecounter", "entity-spread/livecounter");
    vec![
        row("entity-hot", S, hot, "per second").against("our own POST", HOT).at_least(0.60, 0.80),
        row("entity-spread", S, spread, "per second").against("our own POST", SPREAD).at_least(0.45, 0.60),
        row("entity-hot-cpu", Us, hot, "cpu us").against("our own POST", HOT),
        row("entity-spread-cpu", Us, spread, "cpu us").against("our own POST", SPREAD),
    ]
}

/// Badges that count a hit, beside POSTs, and the home page.
fn hit_rows() -> Vec<Row> {
    use Unit::PerSecond as S;
    let tag = |name, cell, post| {
        Row::new(name, S, cell, "per second").against("our own POST", post).at_least(0.70, 0.85)
    };
    vec![
        tag("tag-hot", "tag-hot/every-hit", HOT),
        tag("tag-spread", "tag-spread/every-hit", SPREAD),
        tag("tag-hot-visitors", "tag-hot/visitors", HOT),
        tag("tag-spread-visitors", "tag-spread/visitors", SPREAD),
        Row::new("home", S, "home/livecounter", "per second").at_least(5_000.0, 20_000.0),
    ]
}

/// Reads, and POSTs to the embedded store.
fn get_and_embedded_rows() -> Vec<Row> {
    use Unit::PerSecond as S;
    let (row, hot, spread) = (Row::new, HOT, SPREAD);
    vec![
        row("get-plain", S, "get-plain/livecounter", "per second")
            .against("bare actix-web", "get/bare")
            .at_least(0.60, 0.75),
        row("get-hold", S, "get-hold/livecounter", "per second")
            .against("bare actix-web, closing", "get-closing/bare")
            .at_least(0.60, 0.75),
        row("get-hold-kept", S, "get-hold/livecounter", "per second").against("bare actix-web", "get/bare"),
        row("embedded-hot", S, "post-hot/embedded", "per second")
            .against("livecounter on Redis", hot)
            .at_least(0.5, 0.9),
        row("embedded-spread", S, "post-spread/embedded", "per second")
            .against("livecounter on Redis", spread)
            .at_least(0.5, 0.9),
    ]
}

/// Events to many listeners, of the service itself and by way of Pushpin.
fn stream_rows() -> Vec<Row> {
    use Unit::{Kibibytes as Kib, Microseconds as Us, Milliseconds as Ms};
    let row = Row::new;
    let pages = "pages-1000/livecounter";
    let (streams, many_streams) = ("streams-1000/livecounter", "streams-5000/livecounter");
    let (pushpin, by_hand) = ("pushpin-1000/livecounter", "pushpin-1000/by-hand");
    vec![
        row("streams-1000-p50", Ms, streams, "p50 ms").against("nchan", "streams-1000/nchan"),
        row("streams-1000-p99", Ms, streams, "p99 ms")
            .against("nchan", "streams-1000/nchan")
            .at_most(1.0, 0.8),
        row("streams-1000-cpu", Us, streams, "cpu us")
            .against("nchan", "streams-1000/nchan")
            .at_most(1.0, 0.75),
        row("streams-1000-memory", Kib, streams, "KiB")
            .against("nchan", "streams-1000/nchan")
            .at_most(1.2, 1.0),
        row("pages-1000-p99", Ms, pages, "p99 ms").against("nchan", "pages-1000/nchan").at_most(1.0, 0.8),
        row("pages-1000-cpu", Us, pages, "cpu us").against("nchan", "pages-1000/nchan"),
        row("pages-1000-memory", Kib, pages, "KiB").against("nchan", "pages-1000/nchan"),
        row("pages-1000-single-p99", Ms, pages, "p99 ms")
            .against("single streams", streams)
            .at_most(1.0, 0.8),
        row("pages-1000-pushpin-p99", Ms, "pages-1000/pushpin", "p99 ms")
            .against("single streams", pushpin)
            .only_reach(false, 1.0),
        row("pages-1000-pushpins-each-p99", Ms, "pages-1000/four-pushpins", "p99 ms")
            .against("20 streams", "pages-1000/four-pushpins-each")
            .at_most(1.0, 0.8),
        row("pages-1000-pushpins-each-cpu", Us, "pages-1000/four-pushpins", "cpu us")
            .against("20 streams", "pages-1000/four-pushpins-each"),
        row("page-cpu", Us, "page/one-stream", "cpu us").against("20 streams", "page/stream-each"),
        row("page-memory", Kib, "page/one-stream", "KiB").against("20 streams", "page/stream-each"),
        row("page-bytes", Kib, "page/one-stream", "sent KiB").against("20 streams", "page/stream-each"),
        row("streams-5000-p50", Ms, many_streams, "p50 ms").against("nchan", "streams-5000/nchan"),
        row("streams-5000-p99", Ms, many_streams, "p99 ms")
            .against("nchan", "streams-5000/nchan")
            .at_most(1.3, 1.0),
        row("streams-5000-cpu", Us, many_streams, "cpu us").against("nchan", "streams-5000/nchan"),
        row("streams-5000-memory", Kib, many_streams, "KiB").against("nchan", "streams-5000/nchan"),
        row("pushpin-1000-p50", Ms, pushpin, "p50 ms").against("by hand", by_hand),
        row("pushpin-1000-p99", Ms, pushpin, "p99 ms").against("by hand", by_hand).at_most(1.15, 1.05),
        row("pushpin-1000-cpu", Us, pushpin, "cpu us").against("by hand", by_hand),
        row("pushpin-1000-memory", Kib, pushpin, "KiB").against("by hand", by_hand),
    ]
}

/// Events to listeners that get each of them.
fn feed_rows() -> Vec<Row> {
    use Unit::{Microseconds as Us, Milliseconds as Ms, PerSecond as S};
    let row = Row::new;
    let (fast, fast_nchan, fast_pushpin) = ("feed-100/livecounter", "feed-100/nchan", "feed-100/pushpin");
    let (wide, wide_nchan, wide_pushpin) = ("feed-1000/livecounter", "feed-1000/nchan", "feed-1000/pushpin");
    vec![
        row("feed-100-rate", S, fast, "per second").against("nchan", fast_nchan).at_least(0.95, 1.0),
        row("feed-100-p99", Ms, fast, "p99 ms").at_most(HELD_MS, HELD_MS),
        row("feed-100-nchan-p99", Ms, fast, "p99 ms").against("nchan", fast_nchan),
        row("feed-100-cpu", Us, fast, "cpu us").at_most(2.0, 1.0),
        row("feed-100-nchan-cpu", Us, fast, "cpu us").against("nchan", fast_nchan).at_most(1.0, 0.5),
        row("feed-100-pushpin-rate", S, fast_pushpin, "per second"),
        row("feed-100-pushpin-p99", Ms, fast_pushpin, "p99 ms"),
        row("feed-100-pushpin-cpu", Us, fast_pushpin, "cpu us"),
        row("feed-1000-p99", Ms, wide, "p99 ms").at_most(HELD_MS, HELD_MS),
        row("feed-1000-nchan-p99", Ms, wide, "p99 ms").against("nchan", wide_nchan),
        row("feed-1000-cpu", Us, wide, "cpu us").at_most(2.0, 1.0),
        row("feed-1000-nchan-cpu", Us, wide, "cpu us").against("nchan", wide_nchan).at_most(1.0, 0.5),
        row("feed-1000-pushpin-p99", Ms, wide_pushpin, "p99 ms"),
        row("feed-1000-pushpin-cpu", Us, wide_pushpin, "cpu us"),
    ]
}

/// Many POSTs to one counter that has listeners.
fn storm_rows() -> Vec<Row> {
    use Unit::{Milliseconds as Ms, PerSecond as S};
    let row = Row::new;
    let (storm, great_storm, silent) =
        ("storm-1000/publishing", "storm-5000/publishing", "storm-1000/silent");
    vec![
        row("storm-1000-held", Ms, storm, "held ms").at_most(HELD_MS, HELD_MS),
        row("storm-1000-rate", S, storm, "per second").against("publishing off", silent).at_least(0.9, 0.9),
        row("storm-5000-held", Ms, great_storm, "held ms").only_reach(false, HELD_MS),
        row("storm-5000-rate", S, great_storm, "per second")
            .against("publishing off", silent)
            .only_reach(true, 0.9),
    ]
}

/// The memory of an origin, several origins together, the start, and a badge.
fn origin_rows() -> Vec<Row> {
    use Unit::{Kibibytes as Kib, Microseconds as Us, Milliseconds as Ms, PerChange as C, PerSecond as S};
    let row = Row::new;
    vec![
        row("origin-memory", Kib, "origin-memory/livecounter", "KiB").at_most(0.5, 0.1),
        row("scale-1-publishes", S, "scale/1", "publishes").at_most(PUBLISHES, PUBLISHES),
        row("scale-2-publishes", S, "scale/2", "publishes").against("1 origin", "scale/1").at_most(1.1, 1.05),
        row("scale-3-publishes", S, "scale/3", "publishes").against("1 origin", "scale/1").at_most(1.1, 1.05),
        row("scale-1-reads", C, "scale/1", "reads").at_most(1.5, 1.25),
        row("scale-2-reads", C, "scale/2", "reads").at_most(1.5, 1.25),
        row("scale-3-reads", C, "scale/3", "reads").at_most(1.5, 1.25),
        row("start", Ms, "start/livecounter", "start ms").at_most(100.0, 50.0),
        row("idle-memory", Kib, "start/livecounter", "idle KiB").at_most(25.0 * 1024.0, 15.0 * 1024.0),
        row("badge", Us, "badge/livecounter", "draw us").at_most(5.0, 1.0),
    ]
}
