//! One fault each, and all of them mixed. They wait more than they work, so run them with more threads than there are
//! cores, as `make test` does.

mod caches;
mod clocks;
mod control;
mod kills;
mod mixed;
mod redis;
mod restarts;
mod restores;
mod restores_file;
