//! Scenarios with one fault each, and two with many faults. The tests mostly wait, so run them with more threads than there
//! are cores, as `make test` does. Run the tests of `pressure` alone: they measure how long POSTs take.

mod caches;
mod clocks;
mod cluster;
mod control;
mod embedded;
mod entities;
mod kills;
mod mixed;
mod mixed_cluster;
mod partitions_cluster;
mod partitions_sentinel;
mod pressure;
mod redis;
mod restarts;
mod restores;
mod restores_file;
mod sentinel;

/// A number from the environment.
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}
