//! Starts the chain of a test.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::engine::{Engine, OneRedis};
use crate::fault_proxy::FaultProxy;
use crate::hits;
use crate::listeners::{Listeners, managed_streams, single_streams};
use crate::managers::{Managers, Owner};
use crate::origin::Origin;
use crate::routes::{PUBLIC, Routes};
use crate::support::http::client;
use crate::support::port::Port;
use crate::support::pushpin::{Options, Pushpin};
use crate::support::varnish::{API_KEY, Varnish};
use crate::world::{INTERVAL, SETTLED_WITHIN, World, until};
use crate::writers::Writers;

/// The listeners of each proxy that have a managed counter in their stream.
const OF_MANAGED: usize = 10;
/// The listeners of each proxy that have pages or their site in their stream.
const OF_HITS: usize = 10;

/// How large a world is.
pub(crate) struct Shape {
    pub(crate) origins: usize,
    pub(crate) pushpins: usize,
    /// The listeners of the counters that are only added to, one counter in each stream.
    pub(crate) listeners: usize,
    /// The writers that only add. For every two of them, a manager sets, deletes and adds to other counters, and a writer visits pages.
    pub(crate) writers: usize,
    pub(crate) interval: Duration,
    pub(crate) seed: u64,
    /// The number of replicas that must have an addition before it is answered.
    pub(crate) wait_replicas: u32,
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            origins: 2,
            pushpins: 1,
            listeners: 200,
            writers: 6,
            interval: INTERVAL,
            seed: 1,
            wait_replicas: 0,
        }
    }
}

impl World {
    /// Starts everything on one Redis and waits until every listener has a value.
    pub(crate) async fn start(shape: Shape) -> World {
        World::start_on(OneRedis::start().await, shape).await
    }
}

impl<E: Engine> World<E> {
    /// Starts everything else on a Redis that runs, and waits until every listener has a value.
    pub(crate) async fn start_on(redis: E, shape: Shape) -> World<E> {
        let began = Instant::now();
        let (purges, controls) = (FaultProxy::start().await, start_controls(shape.pushpins).await);
        let owner = Owner::new();
        let environment = environment(&shape, &controls, &purges, &owner);
        // The origins start first, so that the cache's health checks never fail.
        let (origins, fetches) = start_origins(&redis, shape.origins, &environment).await;
        let cache = Varnish::start(&fetches.iter().map(FaultProxy::addr).collect::<Vec<_>>()).await;
        purges.lead_to(address(&cache.api_url()));
        let pushpins = start_pushpins(&cache, &controls).await;
        let counters: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        let proxies: Vec<SocketAddr> = pushpins.iter().map(Pushpin::addr).collect();
        let managed: Vec<String> = ["m", "n"].map(str::to_owned).into();
        let mut streams = single_streams(shape.listeners, proxies.len(), &counters);
        streams.extend(managed_streams(OF_MANAGED, proxies.len(), &counters, &managed));
        streams.extend(hits::streams(OF_HITS, proxies.len(), &counters[0]));
        let listeners = Listeners::start(streams, &proxies, &managed);
        let routes = Routes::start(&proxies, &owner);
        let (writers, managers, visitors) = (Writers::default(), Managers::default(), Writers::default());
        let (interval, client) = (shape.interval, client());
        let mut world = World {
            listeners,
            writers,
            managers,
            visitors,
            routes,
            owner,
            origins,
            pushpins,
            controls,
            purges,
            fetches,
            redis,
            cache,
            counters,
            managed,
            interval,
            began,
            client,
        };
        world.all_are_connected().await;
        // The writers start when all listeners are connected, as some hundred requests at one moment are too many for Pushpin 1.36.
        world.write_anew(shape.writers, shape.seed);
        world
    }

    /// Waits until every listener is connected, and has a value if it listens to numbers.
    async fn all_are_connected(&self) {
        let without_value = async || {
            self.listeners.seen().iter().filter(|it| !it.connected || it.last.is_none()).count() as i64
        };
        until("every listener to have a value", SETTLED_WITHIN, without_value, |left| left == 0).await;
        let unconnected = async || self.routes.unconnected() as i64;
        until("the listeners of feeds and entities", SETTLED_WITHIN, unconnected, |left| left == 0).await;
    }
}

/// Starts the fault proxy before the control port of each Pushpin.
async fn start_controls(pushpins: usize) -> Vec<FaultProxy> {
    join_all((0..pushpins).map(|_| FaultProxy::start())).await
}

/// Starts a Pushpin behind each of the fault proxies.
async fn start_pushpins(cache: &Varnish, controls: &[FaultProxy]) -> Vec<Pushpin> {
    join_all(controls.iter().map(async |control| {
        let pushpin = Pushpin::with(cache.addr(), Options::default()).await;
        control.lead_to(address(&pushpin.control_url()));
        pushpin
    }))
    .await
}

/// The settings of all origins but the address of Redis.
fn environment(
    shape: &Shape,
    controls: &[FaultProxy],
    purges: &FaultProxy,
    owner: &Owner,
) -> Vec<(String, String)> {
    let key = Options::default().sig_key;
    let grip = controls.iter().map(|control| format!("http://{}/?iss=test&key={key}", control.addr()));
    let environment = [
        ("GRIP_URL", grip.collect::<Vec<_>>().join(" ")),
        ("FASTLY_SERVICE_ID", "local".to_owned()),
        ("FASTLY_API_KEY", API_KEY.to_owned()),
        ("LIVECOUNTER__FASTLY__API_URL", format!("http://{}", purges.addr())),
        ("LIVECOUNTER__PUBLISH__INTERVAL", format!("{}ms", shape.interval.as_millis())),
        ("LIVECOUNTER__WORKERS", "1".to_owned()),
        ("LIVECOUNTER__REDIS__WAIT_REPLICAS", shape.wait_replicas.to_string()),
        ("LIVECOUNTER__PUBLIC", PUBLIC.to_owned()),
    ];
    environment.map(|(name, value)| (name.to_owned(), value)).into_iter().chain([owner.setting()]).collect()
}

/// Starts the origins, and before each of them the fault proxy by which the cache asks it.
async fn start_origins(
    redis: &impl Engine,
    count: usize,
    environment: &[(String, String)],
) -> (Vec<Origin>, Vec<FaultProxy>) {
    let (mut origins, mut fetches) = (Vec::new(), Vec::new());
    for number in 0..count {
        let redis = [("REDIS_URL".to_owned(), redis.url_of_origin(number))];
        let mut origin = Origin::new(Port::reserve(), [environment, &redis].concat());
        origin.run().await;
        let fetch = FaultProxy::start().await;
        fetch.lead_to(origin.addr());
        origins.push(origin);
        fetches.push(fetch);
    }
    (origins, fetches)
}

fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").trim_end_matches('/').parse().expect("an address")
}
