//! The single measurements. Each starts its own servers, so that none is measured with what another has left behind,
//! and gives named figures; rows are made of them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::knobs::Knobs;
use crate::peers::{Peer, bare, livecounter, redis, webdis};
use crate::usage::cpu_us;
use crate::wrk::{CONNECTIONS, Load, Path};
use crate::{badge, fanout, feeds, pages, redis_benchmark, scale, start, storm};

/// Figures of one run, by name.
pub(crate) type Figures = BTreeMap<&'static str, f64>;

/// A measurement.
pub(crate) struct Cell {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Knobs) -> Result<Figures>,
}

/// The default of `publish.interval`, with which everything is measured that does not say otherwise.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);

/// Seconds of load before those that count.
const WARM_UP: u32 = 1;

const HOT: Path<'_> = Path::One(livecounter::HOT);
const MANY: Path<'_> = Path::Many("/counters/c", "/");
/// The badges of one page, and of the pages of one site.
const PAGE: Path<'_> = Path::One("/count/tag.svg?url=www.example.com/page");
const PAGES: Path<'_> = Path::Many("/count/tag.svg?url=www.example.com/page-", "");

/// One entity, and those of one route.
const ENTITY: Path<'_> = Path::One(livecounter::ENTITY);
const ENTITIES: Path<'_> = Path::Many("/entity/bench/daily/k", "");

/// Values of `hits.window`. wrk keeps no cookies, so each of its requests is that of a new visitor.
const EVERY_HIT: &str = "0s";
const VISITORS: &str = "60s";

/// In the order in which every round runs them: what is compared runs in succession.
pub(crate) const CELLS: [Cell; 51] = [
    Cell { name: "post-hot/livecounter", run: |knobs| on_chain(knobs, "POST", HOT, false) },
    Cell { name: "post-hot/bare", run: |knobs| on_bare(knobs, "POST", HOT) },
    Cell { name: "post-hot/webdis", run: |knobs| on_webdis(knobs, Path::One("/INCR/hot"), None) },
    Cell {
        name: "post-hot/webdis-pool",
        run: |knobs| on_webdis(knobs, Path::One("/INCR/hot"), Some(webdis::POOL)),
    },
    Cell { name: "post-hot/redis-benchmark", run: |knobs| on_redis(knobs, false) },
    Cell { name: "post-hot/embedded", run: |knobs| on_embedded(knobs, HOT) },
    Cell { name: "post-spread/livecounter", run: |knobs| on_chain(knobs, "POST", MANY, false) },
    Cell { name: "post-spread/bare", run: |knobs| on_bare(knobs, "POST", MANY) },
    Cell { name: "post-spread/webdis", run: |knobs| on_webdis(knobs, Path::Many("/INCR/c", ""), None) },
    Cell {
        name: "post-spread/webdis-pool",
        run: |knobs| on_webdis(knobs, Path::Many("/INCR/c", ""), Some(webdis::POOL)),
    },
    Cell { name: "post-spread/redis-benchmark", run: |knobs| on_redis(knobs, true) },
    Cell { name: "post-spread/embedded", run: |knobs| on_embedded(knobs, MANY) },
    Cell { name: "entity-hot/livecounter", run: |knobs| on_entities(knobs, ENTITY) },
    Cell { name: "entity-spread/livecounter", run: |knobs| on_entities(knobs, ENTITIES) },
    Cell { name: "tag-hot/every-hit", run: |knobs| on_tags(knobs, PAGE, EVERY_HIT) },
    Cell { name: "tag-hot/visitors", run: |knobs| on_tags(knobs, PAGE, VISITORS) },
    Cell { name: "tag-spread/every-hit", run: |knobs| on_tags(knobs, PAGES, EVERY_HIT) },
    Cell { name: "tag-spread/visitors", run: |knobs| on_tags(knobs, PAGES, VISITORS) },
    Cell { name: "home/livecounter", run: |knobs| on_chain(knobs, "GET", Path::One("/"), false) },
    Cell { name: "get-plain/livecounter", run: |knobs| on_chain(knobs, "GET", HOT, false) },
    Cell { name: "get-hold/livecounter", run: |knobs| on_chain(knobs, "GET", HOT, true) },
    Cell { name: "get/bare", run: |knobs| on_bare(knobs, "GET", HOT) },
    Cell { name: "get-closing/bare", run: on_closing_bare },
    Cell { name: "streams-1000/livecounter", run: |_| fanout::in_process(1_000) },
    Cell { name: "streams-1000/nchan", run: |_| fanout::nchan(1_000) },
    Cell { name: "pages-1000/livecounter", run: |_| pages::in_process(1_000) },
    Cell { name: "pages-1000/nchan", run: |_| pages::nchan(1_000) },
    Cell { name: "pages-1000/pushpin", run: |_| pages::pushpin(1_000) },
    Cell { name: "pages-1000/four-pushpins", run: |_| pages::four_pushpins(1_000) },
    Cell { name: "pages-1000/four-pushpins-each", run: |_| pages::four_pushpins_each(1_000) },
    Cell { name: "page/one-stream", run: |_| pages::one_stream() },
    Cell { name: "page/stream-each", run: |_| pages::stream_each() },
    Cell { name: "streams-5000/livecounter", run: |_| fanout::in_process(5_000) },
    Cell { name: "streams-5000/nchan", run: |_| fanout::nchan(5_000) },
    Cell { name: "pushpin-1000/livecounter", run: |_| fanout::pushpin(1_000) },
    Cell { name: "pushpin-1000/by-hand", run: |_| fanout::pushpin_by_hand(1_000) },
    Cell { name: "feed-100/livecounter", run: |knobs| feeds::in_process(&feeds::FAST, knobs) },
    Cell { name: "feed-100/nchan", run: |knobs| feeds::nchan(&feeds::FAST, knobs) },
    Cell { name: "feed-100/pushpin", run: |knobs| feeds::pushpin(&feeds::FAST, knobs) },
    Cell { name: "feed-1000/livecounter", run: |knobs| feeds::in_process(&feeds::WIDE, knobs) },
    Cell { name: "feed-1000/nchan", run: |knobs| feeds::nchan(&feeds::WIDE, knobs) },
    Cell { name: "feed-1000/pushpin", run: |knobs| feeds::pushpin(&feeds::WIDE, knobs) },
    Cell { name: "storm-1000/publishing", run: |_| storm::publishing(1_000) },
    Cell { name: "storm-1000/silent", run: |_| storm::silent(1_000) },
    Cell { name: "storm-5000/publishing", run: |_| storm::publishing(5_000) },
    Cell { name: "origin-memory/livecounter", run: |_| storm::origin_memory(5_000) },
    Cell { name: "scale/1", run: |_| scale::origins(1) },
    Cell { name: "scale/2", run: |_| scale::origins(2) },
    Cell { name: "scale/3", run: |_| scale::origins(3) },
    Cell { name: "start/livecounter", run: |_| start::alone() },
    Cell { name: "badge/livecounter", run: |_| badge::drawing() },
];

fn on_chain(knobs: &Knobs, method: &str, path: Path<'_>, hold: bool) -> Result<Figures> {
    let chain = livecounter::chain(INTERVAL)?;
    let port = chain.livecounter.port();
    let mut fields = Vec::new();
    if hold {
        livecounter::holds(port)?;
        fields = livecounter::signed()?;
    }
    let servers = [("origin cpu us", chain.livecounter.id()), ("redis cpu us", chain.redis.id())];
    let figures = load(knobs, Load { port, method, path, fields: &fields, body: "" }, &servers)?;
    if method == "POST" && matches!(path, Path::One(_)) {
        counted(&figures, livecounter::value(port)?)?;
    }
    Ok(figures)
}

/// Each request adds 1 to a field of an entity.
fn on_entities(knobs: &Knobs, path: Path<'_>) -> Result<Figures> {
    let chain = livecounter::chain(INTERVAL)?;
    let port = chain.livecounter.port();
    let servers = [("origin cpu us", chain.livecounter.id()), ("redis cpu us", chain.redis.id())];
    let adding = Load { port, method: "POST", path, fields: &[], body: r#"{"+views":1}"# };
    let figures = load(knobs, adding, &servers)?;
    if matches!(path, Path::One(_)) {
        counted(&figures, livecounter::views(port)?)?;
    }
    Ok(figures)
}

fn on_tags(knobs: &Knobs, path: Path<'_>, window: &str) -> Result<Figures> {
    let chain = livecounter::chain_with(INTERVAL, &[("LIVECOUNTER__HITS__WINDOW", window)])?;
    let servers = [("origin cpu us", chain.livecounter.id()), ("redis cpu us", chain.redis.id())];
    load(knobs, Load { port: chain.livecounter.port(), method: "GET", path, fields: &[], body: "" }, &servers)
}

fn on_embedded(knobs: &Knobs, path: Path<'_>) -> Result<Figures> {
    let livecounter = livecounter::embedded(INTERVAL)?;
    let port = livecounter.port();
    let figures = load(knobs, Load { port, method: "POST", path, fields: &[], body: "" }, &[])?;
    if matches!(path, Path::One(_)) {
        counted(&figures, livecounter::value(port)?)?;
    }
    Ok(figures)
}

fn on_bare(knobs: &Knobs, method: &str, path: Path<'_>) -> Result<Figures> {
    let bare = bare::start()?;
    load(knobs, Load { port: bare.port(), method, path, fields: &[], body: "" }, &[])
}

/// A connection for each request, as the origin needs one for each request of a proxy.
fn on_closing_bare(knobs: &Knobs) -> Result<Figures> {
    let bare = bare::start()?;
    let fields = ["Connection: close".to_owned()];
    load(knobs, Load { port: bare.port(), method: "GET", path: HOT, fields: &fields, body: "" }, &[])
}

fn on_webdis(knobs: &Knobs, path: Path<'_>, pool: Option<u32>) -> Result<Figures> {
    let redis = redis::start()?;
    let webdis: Peer = webdis::start(&redis, pool)?;
    let servers = [("webdis cpu us", webdis.id()), ("redis cpu us", redis.id())];
    load(knobs, Load { port: webdis.port(), method: "GET", path, fields: &[], body: "" }, &servers)
}

fn on_redis(knobs: &Knobs, spread: bool) -> Result<Figures> {
    let redis = redis::start()?;
    redis_benchmark::increments(redis.port(), spread, WARM_UP)?;
    let per_second = redis_benchmark::increments(redis.port(), spread, knobs.seconds)?;
    Ok(Figures::from([("per second", per_second)]))
}

/// Under each server's name the CPU time that a request costs this server, with all that it does besides; under "cpu us" the sum.
fn load(knobs: &Knobs, load: Load<'_>, servers: &[(&'static str, u32)]) -> Result<Figures> {
    let before = load.run(WARM_UP)?;
    let used = || servers.iter().map(|(_, process)| cpu_us(*process)).collect::<Vec<_>>();
    let used_before = used();
    let outcome = load.run(knobs.seconds)?;
    let mut figures = Figures::from([
        ("per second", outcome.per_second),
        ("p50 ms", outcome.p50_ms),
        ("p99 ms", outcome.p99_ms),
        ("requests", (before.requests + outcome.requests) as f64),
    ]);
    for (((name, _), before), after) in servers.iter().zip(used_before).zip(used()) {
        let each = (after - before) / outcome.requests as f64;
        figures.insert(name, each);
        *figures.entry("cpu us").or_default() += each;
    }
    Ok(figures)
}

/// Fails when the value of the hot counter or entity is not what was added: neither less than the answered requests, nor more than
/// those that were under way when wrk stopped, twice.
fn counted(figures: &Figures, value: i64) -> Result<()> {
    let requests = figures["requests"] as i64;
    let (least, most) = (requests, requests + 2 * i64::from(CONNECTIONS));
    if !(least..=most).contains(&value) {
        bail!("{requests} POSTs were answered, the value is {value}");
    }
    Ok(())
}
