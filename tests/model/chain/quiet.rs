//! Faults have ended: everything that is under way is completed in turn, and time goes by.

use super::steps::{Luck, Step};
use super::{Chain, LISTENERS, Listener, ORIGINS, PROXIES};
use crate::spec::Time;

/// Longer than twice Pushpin's silence, and than a lease, a delivery and a sweep together.
const LASTING: Time = 45_000;
const TICK: Time = 500;
/// How often Pushpin sends recoveries for listeners that have received nothing.
const SILENCE: u64 = 15_000;

impl Chain {
    /// Lets the chain come to rest, and checks it.
    pub(crate) fn come_to_rest(&mut self) {
        (0..ORIGINS).for_each(|origin| self.take(Step::Start(origin)));
        for time in (0..LASTING).step_by(TICK as usize) {
            self.round(time % SILENCE == 0, time % 1000 == 0);
            self.take(Step::Tick(TICK));
        }
        self.check_the_end();
    }

    fn round(&mut self, silence: bool, sweep: bool) {
        for origin in 0..ORIGINS {
            if sweep {
                self.take(Step::Sweep(origin));
            }
            (0..self.late.len()).for_each(|_| self.take(Step::Reach(0, true)));
            self.take(Step::Claim(origin, true));
            // Every delivery, request and answer is completed.
            for _ in 0..6 {
                for delivery in (0..self.origins[origin].deliveries.len()).rev() {
                    self.take(Step::Deliver(origin, delivery, Luck::Well));
                }
                for proxy in 0..PROXIES {
                    self.take(Step::Send(origin, proxy));
                    self.take(Step::Sent(origin, proxy, Luck::Well));
                }
            }
        }
        for proxy in 0..PROXIES {
            (0..self.proxies[proxy].network.len()).for_each(|_| self.take(Step::Arrive(proxy, 0, true)));
            (0..self.proxies[proxy].waiting.len()).for_each(|_| self.take(Step::Expire(proxy)));
        }
        (0..self.fills.len()).for_each(|_| self.take(Step::Fill(0)));
        for listener in 0..LISTENERS {
            if matches!(self.listeners[listener], Listener::Away) {
                self.take(Step::Join(listener, listener));
            }
            self.take(Step::Open(listener));
            if silence {
                self.take(Step::Ask(listener));
            }
            // A recovery may make another one necessary.
            for _ in 0..3 {
                self.take(Step::Answer(listener, true));
                self.take(Step::Recovered(listener));
            }
        }
    }
}
