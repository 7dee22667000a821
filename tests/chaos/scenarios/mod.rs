//! One fault each, and many of them mixed. They wait more than they work, so run them with more threads than there are
//! cores, as `make test` does.

mod caches;
mod clocks;
mod cluster;
mod control;
mod kills;
mod mixed;
mod mixed_cluster;
mod redis;
mod sentinel;
