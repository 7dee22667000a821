//! Limits what one client, and what all clients together, may use of the service. Each process counts for itself. Without a
//! limit, nothing is counted.

mod allowances;
mod amounts;
mod client;
mod rate_limit;
mod refusal_counts;
mod stream_limit;
mod topic_limit;

pub use amounts::{Amounts, ParseAmountsError};
pub use client::{Client, ParseRangeError, TrustedProxies};
pub use rate_limit::{ParseRateError, Rate, RateExceeded, RateLimit};
pub use refusal_counts::{RefusalCounts, RefusalReason};
pub use stream_limit::{StreamLimit, StreamSlot};
pub use topic_limit::{TopicLimit, TopicReservation};

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Weak;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// How often clients that have their whole allowance back are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(10);

/// The limits as they are set.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The amounts that a request may add.
    pub amounts: Amounts,
    /// How many new topics one client may create; `None` for any number.
    pub new_topics: Option<Rate>,
    /// How many streams this process may hold for one client; `None` for any number.
    pub streams: Option<NonZeroU32>,
    /// The most topics that the store may have; `None` for any number.
    pub topics: Option<NonZeroU64>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// How many requests that write one client may send; `None` for any number.
    pub writes: Option<Rate>,
}

impl Options {
    /// Whether a client may use the service without bounds. The range of amounts is no such bound, because a client may
    /// send any number of requests.
    pub fn are_off(&self) -> bool {
        self.new_topics.is_none() && self.streams.is_none() && self.topics.is_none() && self.writes.is_none()
    }
}

/// The limits as this process applies them. All its workers share them.
#[derive(Debug)]
pub struct Limits {
    /// The amounts that a request may add.
    pub amounts: Amounts,
    /// The rate of new topics for each client, if it is limited.
    pub new_topics: Option<RateLimit>,
    /// The streams held for each client, if their number is limited.
    pub streams: Option<StreamLimit>,
    /// The topics of the store, if their number is limited.
    pub topics: Option<TopicLimit>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// The rate of requests that write for each client, if it is limited.
    pub writes: Option<RateLimit>,
    /// How many requests were refused for each reason.
    pub refusals: RefusalCounts,
}

impl Limits {
    /// Limits under which no client has used anything yet.
    pub fn new(options: Options) -> Self {
        Limits {
            amounts: options.amounts,
            new_topics: options.new_topics.map(RateLimit::new),
            streams: options.streams.map(StreamLimit::new),
            topics: options.topics.map(TopicLimit::new),
            trusted_proxies: options.trusted_proxies,
            writes: options.writes.map(RateLimit::new),
            refusals: RefusalCounts::default(),
        }
    }

    fn rates(&self) -> impl Iterator<Item = &RateLimit> {
        self.writes.iter().chain(&self.new_topics)
    }
}

/// Forgets clients that have their whole allowance back, every few seconds until the limits are dropped. Returns at once if
/// no rate is limited.
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
