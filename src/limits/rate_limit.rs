//! Limits how many requests each client may send in a second, a minute or an hour.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::{Quota, RateLimiter};

use super::allowances::Allowances;
use super::client::Client;

/// The highest number in a rate.
const HIGHEST_NUMBER: u32 = 1_000_000;

/// A number of requests in a window of time. All of them may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    number: NonZeroU32,
    window: Duration,
}

/// The error for a text that is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a rate of 1 to {HIGHEST_NUMBER} in a second, a minute or an hour, such as 50/s, 100/m or 1000/h"
)]
pub struct ParseRateError;

impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, ParseRateError> {
        let (number, unit) = text.split_once('/').ok_or(ParseRateError)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(ParseRateError),
        };
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number =
            number.parse::<NonZeroU32>().ok().filter(|number| digits && number.get() <= HIGHEST_NUMBER);
        Ok(Rate { number: number.ok_or(ParseRateError)?, window: Duration::from_secs(seconds) })
    }
}

/// A client has used up its allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateExceeded {
    /// How many requests the client may send in each [`RateExceeded::window`].
    pub number: u32,
    /// The window of time that the number is for.
    pub window: Duration,
    /// How long the client must wait before its next request is allowed.
    pub wait: Duration,
}

/// Applies one rate to each client separately.
#[derive(Debug)]
pub struct RateLimit<C: Clock = MonotonicClock> {
    rate: Rate,
    limiter: RateLimiter<Client, Allowances, C, NoOpMiddleware<C::Instant>>,
}

impl RateLimit {
    /// A limit under which each client begins with its whole allowance.
    pub fn new(rate: Rate) -> Self {
        RateLimit::with_clock(rate, MonotonicClock, Allowances::default())
    }
}

impl<C: Clock> RateLimit<C> {
    fn with_clock(rate: Rate, clock: C, clients: Allowances) -> Self {
        // This is never zero: the shortest window is a second, and the highest number is 1,000,000.
        let one = rate.window / rate.number.get();
        let quota = Quota::with_period(one).unwrap_or_else(|| Quota::per_second(rate.number));
        let limiter = RateLimiter::new(quota.allow_burst(rate.number), clients, clock);
        RateLimit { rate, limiter }
    }

    /// Takes one request from the client's allowance, or returns how long the client must wait.
    pub fn check(&self, client: Client) -> Result<(), RateExceeded> {
        self.limiter.check_key(&client).map_err(|until| RateExceeded {
            number: self.rate.number.get(),
            window: self.rate.window,
            wait: until.wait_time_from(self.limiter.clock().now()),
        })
    }

    /// How many clients are remembered: those that have used some of their allowance, or had until a few seconds ago.
    pub fn clients(&self) -> usize {
        self.limiter.len()
    }

    /// Forgets the clients that have their whole allowance back.
    pub fn forget_idle(&self) {
        self.limiter.retain_recent();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn client(number: u64) -> Client {
        Client::from(IpAddr::from(Ipv6Addr::from_bits(u128::from(number + 1) << 64)))
    }

    /// A limit that remembers `most` clients, and the clock that it reads.
    fn limit(rate: &str, most: usize) -> (RateLimit<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let rate = rate.parse().expect("a rate");
        (RateLimit::with_clock(rate, clock.clone(), Allowances::at_most(most)), clock)
    }

    /// How many requests the client may send now.
    fn take_all(limit: &RateLimit<FakeRelativeClock>, client: Client) -> u32 {
        (0..10_000).find(|_| limit.check(client).is_err()).expect("an end")
    }

    #[test]
    fn rates_are_plain_numbers_in_a_second_a_minute_or_an_hour() {
        for (text, number, seconds) in [("50/s", 50, 1), ("100/m", 100, 60), ("1000000/h", 1_000_000, 3600)] {
            let rate: Rate = text.parse().expect("a rate");
            assert_eq!((rate.number.get(), rate.window.as_secs()), (number, seconds));
        }
        for text in [
            "",
            "50",
            "/s",
            "0/s",
            "-1/s",
            "+1/s",
            "1.5/s",
            "1e3/s",
            " 1/s",
            "1 / s",
            "1/S",
            "1/d",
            "1/s/s",
            "1000001/s",
            "99999999999/h",
            "1/1s",
            "５/s",
        ] {
            assert_eq!(text.parse::<Rate>(), Err(ParseRateError), "{text:?}");
        }
    }

    #[test]
    fn the_burst_is_the_number_and_it_comes_back_evenly() {
        for (rate, number, step) in [
            ("4/s", 4, Duration::from_millis(250)),
            ("4/m", 4, Duration::from_secs(15)),
            ("4/h", 4, Duration::from_secs(900)),
        ] {
            let (limit, clock) = limit(rate, 10);
            assert_eq!(take_all(&limit, client(1)), number, "{rate}");
            let exceeded = limit.check(client(1)).expect_err("none is left");
            assert_eq!((exceeded.number, exceeded.wait), (number, step), "{rate}");
            assert_eq!(take_all(&limit, client(2)), number, "{rate}: another client has its own");
            clock.advance(step);
            assert_eq!(take_all(&limit, client(1)), 1, "{rate}");
            clock.advance(step * 100);
            assert_eq!(take_all(&limit, client(1)), number, "{rate}: no more than the burst is saved up");
        }
    }

    #[test]
    fn a_client_with_its_whole_allowance_is_forgotten() {
        let (limit, clock) = limit("10/s", 10);
        (0..5).for_each(|n| limit.check(client(n)).expect("allowed"));
        take_all(&limit, client(0));
        limit.forget_idle();
        assert_eq!(limit.clients(), 5);
        clock.advance(Duration::from_millis(500));
        limit.forget_idle();
        assert_eq!(limit.clients(), 1, "a client that has used ten needs more than half a second");
        assert_eq!(take_all(&limit, client(0)), 5);
        clock.advance(Duration::from_secs(2));
        limit.forget_idle();
        assert_eq!(limit.clients(), 0);
    }

    #[test]
    fn a_flood_of_addresses_frees_no_client_that_has_used_more() {
        let (limit, clock) = limit("60/m", 1000);
        assert_eq!(take_all(&limit, client(0)), 60);
        for n in 1..20_000 {
            clock.advance(Duration::from_micros(1));
            assert_eq!(
                limit.check(client(n)),
                Ok(()),
                "a new client has its allowance, however many there are"
            );
            assert!(limit.clients() <= 1000);
        }
        assert!(limit.check(client(0)).is_err(), "the flood let a client have more");
    }
}
