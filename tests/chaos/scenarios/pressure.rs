//! Back pressure: under load on many counters, a Pushpin or the purge API is away, hangs or is slow for a while. POSTs must not
//! wait for this outlet, the number of counters must bound the memory, logs and metrics must tell the operator, and in the
//! end no announcement must be pending.

use std::time::{Duration, Instant};

use super::number;
use crate::fault_proxy::{Fault, FaultProxy};
use crate::load::Load;
use crate::start::Shape;
use crate::world::{End, World, until};

const COUNTERS: usize = 2_000;
/// How many seconds an outlet is slow, or at least away; `PRESSURE_SECONDS` sets another number.
const SHORT: u64 = 8;
/// An origin waits 4 s for a delivery. When announcements have failed for another 10 s, the origin is not ready.
const UNTIL_NOT_READY: u64 = 15;
/// How much the memory of an origin may grow during the trouble: 4 KiB for each counter.
const GROWTH_KIB: u64 = 4 * COUNTERS as u64;
/// If a POST waited for an outlet, it would take a second or longer. The bound is far above the usual time, as the machine
/// also does other work.
const SLACK: Duration = Duration::from_millis(250);
/// A lease (6 s), a sweep (1 s), a delivery with its second purge (2 s), and some seconds more for a busy machine.
const DRAINED_AFTER: Duration = Duration::from_secs(20);
const LATE: Duration = Duration::from_millis(1_500);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outlet {
    Pushpin,
    PurgeApi,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Connections are refused.
    Away,
    /// Requests are accepted and not answered.
    Hanging,
    /// Each answer takes a second and a half, which is less than the time limit of any sender.
    Slow,
}

impl Trouble {
    async fn begin(self, proxy: &mut FaultProxy) {
        match self {
            Trouble::Away => proxy.go_away(),
            Trouble::Hanging => proxy.all(Fault::Hold),
            Trouble::Slow => proxy.all(Fault::Delay(LATE)),
        }
    }

    async fn end(self, proxy: &mut FaultProxy) {
        proxy.all(Fault::None);
        proxy.discard();
        proxy.come_back().await;
    }

    fn fails(self) -> bool {
        self != Trouble::Slow
    }

    /// How long the trouble lasts.
    fn seconds(self) -> u64 {
        let asked = number("PRESSURE_SECONDS").unwrap_or(SHORT);
        if self.fails() { asked.max(UNTIL_NOT_READY) } else { asked }
    }
}

fn fault_proxy(world: &mut World, outlet: Outlet) -> &mut FaultProxy {
    match outlet {
        Outlet::Pushpin => &mut world.controls[0],
        Outlet::PurgeApi => &mut world.purges,
    }
}

/// The figures before the trouble, with which those during the trouble are compared.
struct Usual {
    p99: Duration,
    resident_kib: Vec<u64>,
}

/// A world with a load on many counters. Each of them has been announced and is in the cache.
async fn under_load() -> (World, Load, Usual) {
    let world = World::start(Shape { listeners: 60, writers: 2, ..Shape::default() }).await;
    // Redis writes no append-only file here: a disk that other programs use would delay POSTs.
    world.redis.server.cli(&["CONFIG", "SET", "appendonly", "no"]);
    let mut load = Load::new(&world, COUNTERS);
    load.touch_all().await;
    drained(&world).await;
    let took = load.run(4).await;
    drained(&world).await;
    assert_eq!(load.stale(&world).await, [""; 0]);
    let resident_kib = world.origins.iter().map(|origin| origin.resident_kib()).collect();
    (world, load, Usual { p99: median(&took), resident_kib })
}

/// The time of the median second, as the machine may have done other work in some seconds.
fn median(p99s: &[Duration]) -> Duration {
    p99s[p99s.len() / 2]
}

async fn withstands(troubles: [(Outlet, Trouble); 2]) {
    let (mut world, mut load, usual) = under_load().await;
    let mut lasted = Duration::ZERO;
    for (outlet, trouble) in troubles {
        let began = Instant::now();
        trouble.begin(fault_proxy(&mut world, outlet)).await;
        let took = load.run(trouble.seconds()).await;
        let p99 = median(&took);
        eprintln!(
            "{outlet:?} {trouble:?}: POSTs' p99 {p99:?}, at worst {:?}, else {:?}",
            took[took.len() - 1],
            usual.p99
        );
        assert!(p99 < 2 * usual.p99 + SLACK, "{outlet:?} {trouble:?}: p99 {p99:?}, else {:?}", usual.p99);
        operator_is_told(&world, outlet, trouble).await;
        if outlet == Outlet::PurgeApi {
            streams_go_on(&world).await;
        }
        assert_bounded_memory(&world, &usual);
        trouble.end(fault_proxy(&mut world, outlet)).await;
        lasted = lasted.max(began.elapsed());
        let healed = Instant::now();
        drained(&world).await;
        eprintln!("{outlet:?} {trouble:?}: drained {:?} later", healed.elapsed());
        assert_eq!(load.stale(&world).await, [""; 0]);
        assert_bounded_memory(&world, &usual);
    }
    world.end(End { within: DRAINED_AFTER, late: lasted + DRAINED_AFTER, ..End::default() }).await;
}

/// Checks that metrics, log and `/readyz` tell the operator of the trouble while it lasts.
async fn operator_is_told(world: &World, outlet: Outlet, trouble: Trouble) {
    let (origin, soon) = (&world.origins[0], Duration::from_secs(5));
    let pending = origin.metric("livecounter_outbox_topics").await;
    eprintln!("{outlet:?} {trouble:?}: {pending} topics in the outbox");
    if !trouble.fails() {
        assert!(pending > 0.0, "what is under way is marked");
        return;
    }
    assert!(pending >= 0.9 * COUNTERS as f64, "{pending} topics in the outbox");
    for origin in &world.origins {
        assert!(origin.metric("livecounter_announcements_failing_seconds").await > 0.0);
        let status = async || i64::from(origin.readiness().await);
        until("/readyz to answer 503", soon, status, |status| status == 503).await;
        match outlet {
            Outlet::Pushpin => {
                assert_eq!(origin.metric("livecounter_endpoint_up{").await, 0.0);
                let waiting = origin.metric("livecounter_endpoint_items_pending{").await;
                assert!(waiting >= 0.4 * COUNTERS as f64, "{waiting} items wait: half of all at each origin");
            }
            Outlet::PurgeApi => assert!(origin.metric("livecounter_purge_failures_total").await > 0.0),
        }
    }
}

/// Checks that publishing does not wait for a slow purge.
async fn streams_go_on(world: &World) {
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let (value, asked) = (world.value("a").await, Instant::now());
        let behind = async || {
            let seen = world.listeners.seen().into_iter().filter(|seen| seen.name == "a");
            seen.filter(|seen| seen.value() < Some(value)).count() as i64
        };
        until("listeners to get new values", Duration::from_secs(10), behind, |behind| behind == 0).await;
        quickest = quickest.min(asked.elapsed());
    }
    eprintln!("listeners see what is counted {quickest:?} later");
    assert!(quickest < LATE, "listeners wait {quickest:?}");
}

/// Checks that the memory of the origins has not grown by more than the counters explain.
fn assert_bounded_memory(world: &World, usual: &Usual) {
    for (origin, before) in world.origins.iter().zip(&usual.resident_kib) {
        let now = origin.resident_kib();
        eprintln!("{before} KiB were resident, {now} are");
        assert!(now < before + GROWTH_KIB, "{before} KiB were resident, {now} are");
    }
}

/// Waits until no announcement is pending and every origin is ready. What the world's writers change may be
/// pending, as these writers go on.
async fn drained(world: &World) {
    let own = world.all_names().len() as i64;
    let marks = async || world.marks().await;
    until("the outbox to drain", DRAINED_AFTER, marks, |marks| marks <= own).await;
    for origin in &world.origins {
        let waiting = async || origin.metric("livecounter_endpoint_items_pending{").await as i64;
        until("the queues for Pushpin to drain", DRAINED_AFTER, waiting, |waiting| waiting <= own).await;
        let topics = async || origin.metric("livecounter_announcer_topics").await as i64;
        until("all rounds to end", DRAINED_AFTER, topics, |topics| topics <= own).await;
        let status = async || i64::from(origin.readiness().await);
        until("/readyz to answer 200", DRAINED_AFTER, status, |status| status == 200).await;
        assert_eq!(origin.metric("livecounter_endpoint_up{").await, 1.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_pushpin_that_is_away_or_slow_delays_no_post_and_fills_no_memory() {
    withstands([(Outlet::Pushpin, Trouble::Away), (Outlet::Pushpin, Trouble::Slow)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_purge_api_that_is_away_or_slow_delays_no_post_and_fills_no_memory() {
    withstands([(Outlet::PurgeApi, Trouble::Away), (Outlet::PurgeApi, Trouble::Slow)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_purge_api_or_a_pushpin_that_hangs_delays_no_post_and_fills_no_memory() {
    withstands([(Outlet::PurgeApi, Trouble::Hanging), (Outlet::Pushpin, Trouble::Hanging)]).await;
}
