//! What one client may take, and what all of them together may. Everything is counted in this process alone; where no
//! limit is set, nothing is.

mod amounts;
mod client;
mod clients;
mod rate;
mod refusals;
mod streams;
mod topics;

pub use amounts::{Amounts, ParseAmountsError};
pub use client::{Client, ParseRangeError, TrustedProxies};
pub use rate::{Exceeded, ParseRateError, Rate, RateLimit};
pub use refusals::{Refusal, Refusals};
pub use streams::{StreamCounts, StreamPlace};
pub use topics::{Room, TopicLimit};

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Weak;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// How often clients that have their whole allowance again are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(10);

/// What is set.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What anybody may add.
    pub amounts: Amounts,
    /// How many new topics one client may make.
    pub new_topics: Option<Rate>,
    /// How many streams this process may hold for one client.
    pub streams: Option<NonZeroU32>,
    /// The most topics there may be in the store.
    pub topics: Option<NonZeroU64>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// How many requests that write one client may send.
    pub writes: Option<Rate>,
}

impl Options {
    /// Whether nothing bounds what a client may take. The amounts do not: they always have bounds, and any number of
    /// requests may follow one another.
    pub fn are_off(&self) -> bool {
        self.new_topics.is_none() && self.streams.is_none() && self.topics.is_none() && self.writes.is_none()
    }
}

/// The limits of this process; all workers share them.
#[derive(Debug)]
pub struct Limits {
    /// What anybody may add.
    pub amounts: Amounts,
    /// The new topics of each client, where they are limited.
    pub new_topics: Option<RateLimit>,
    /// The streams held for each client, where they are limited.
    pub streams: Option<StreamCounts>,
    /// The topics there may be, where they are limited.
    pub topics: Option<TopicLimit>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// The requests that write of each client, where they are limited.
    pub writes: Option<RateLimit>,
    /// How many requests were refused, by reason.
    pub refusals: Refusals,
}

impl Limits {
    /// Nothing is counted yet.
    pub fn new(options: Options) -> Self {
        Limits {
            amounts: options.amounts,
            new_topics: options.new_topics.map(RateLimit::new),
            streams: options.streams.map(StreamCounts::new),
            topics: options.topics.map(TopicLimit::new),
            trusted_proxies: options.trusted_proxies,
            writes: options.writes.map(RateLimit::new),
            refusals: Refusals::default(),
        }
    }

    fn rates(&self) -> impl Iterator<Item = &RateLimit> {
        self.writes.iter().chain(&self.new_topics)
    }
}

/// Forgets every few seconds the clients that have their whole allowance again, for as long as the limits are there. At
/// once done where no rate is limited.
pub async fn forget_idle(limits: Weak<Limits>) {
    forget_idle_every(FORGET_EVERY, limits).await;
}

async fn forget_idle_every(time: Duration, limits: Weak<Limits>) {
    let mut tick = interval(time);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while let Some(limits) = limits.upgrade() {
        if limits.rates().next().is_none() {
            return;
        }
        limits.rates().for_each(RateLimit::forget_idle);
        drop(limits);
        tick.tick().await;
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn idle_clients_are_forgotten_until_the_limits_go() {
        let rate = || Some("1000000/s".parse().expect("a rate"));
        let limits = Limits::new(Options { new_topics: rate(), writes: rate(), ..Options::default() });
        let limits = Arc::new(limits);
        let task = tokio::spawn(forget_idle_every(Duration::from_millis(1), Arc::downgrade(&limits)));
        for number in 0..1000 {
            let client = Client::from(IpAddr::from(Ipv4Addr::from_bits(number)));
            limits.rates().for_each(|rate| rate.check(client).expect("allowed"));
        }
        assert_eq!(limits.rates().count(), 2);
        let forgotten = async {
            while limits.rates().any(|rate| rate.clients() > 0) {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), forgotten).await.expect("the clients to be forgotten");
        drop(limits);
        timeout(Duration::from_secs(10), task).await.expect("an end in time").expect("an end");
    }

    #[tokio::test]
    async fn where_no_rate_is_limited_nothing_is_looked_at() {
        let limits = Arc::new(Limits::new(Options::default()));
        forget_idle(Arc::downgrade(&limits)).await;
        assert!(Options::default().are_off());
    }
}
