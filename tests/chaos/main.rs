//! The fault suite: the whole chain as real processes, with listeners, writers, faults, and a checker that knows only what clients can know.
//!
//! Every fault has a scenario of its own; `mixed` and `mixed_cluster` throw many, as a seed says. `make chaos` runs those for
//! as long as asked: `CHAOS_SECONDS=600 CHAOS_SEED=7 make chaos`; and those of `pressure` with a minute for each fault.
//!
//! Every scenario has a thread for its proxies, listeners and writers beside its own, which waits for `redis-cli` and the
//! like: a wire that stood still meanwhile would be a fault that no test plans, and Sentinels would act on it.

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod checker;
mod end;
mod engine;
mod fault_proxy;
mod hits;
mod listeners;
mod load;
mod managers;
mod network;
mod order;
mod origin;
mod random;
mod request;
mod routes;
mod scenarios;
mod sse;
mod start;
mod verdict;
mod wire;
mod world;
mod writers;
