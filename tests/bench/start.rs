//! How long the service takes to serve, and what it uses then: what a newcomer starts, without any other server.

use std::time::Instant;

use anyhow::Result;

use crate::cells::{Figures, INTERVAL};
use crate::peers::livecounter;
use crate::usage;

/// From the start of the process, with a new file, to the first answer (asked for every 10 ms); and what it has in
/// memory then.
pub(crate) fn alone() -> Result<Figures> {
    let began = Instant::now();
    let livecounter = livecounter::embedded(INTERVAL)?;
    let took = began.elapsed();
    let resident = usage::resident_kib(livecounter.id())?;
    Ok(Figures::from([("start ms", took.as_secs_f64() * 1e3), ("idle KiB", resident)]))
}
