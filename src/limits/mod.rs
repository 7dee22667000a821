//! What one client may take, and what all of them together may. Everything is counted in this process alone; where no
//! limit is set, nothing is.

mod client;
mod clients;
mod rate;
mod refusals;
mod streams;

pub use client::{Client, ParseRangeError, TrustedProxies};
pub use rate::{Exceeded, ParseRateError, Rate, RateLimit};
pub use refusals::{Refusal, Refusals};
pub use streams::{StreamCounts, StreamPlace};

use std::num::NonZeroU32;

/// What is set.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// How many streams this process may hold for one client.
    pub streams: Option<NonZeroU32>,
}

/// The limits of this process; all workers share them.
#[derive(Debug, Default)]
pub struct Limits {
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// The streams held for each client, where they are limited.
    pub streams: Option<StreamCounts>,
    /// How many requests were refused, by reason.
    pub refusals: Refusals,
}

impl Limits {
    /// Nothing is counted yet.
    pub fn new(options: Options) -> Self {
        Limits {
            trusted_proxies: options.trusted_proxies,
            streams: options.streams.map(StreamCounts::new),
            refusals: Refusals::default(),
        }
    }
}
