//! Measures 5,000 POSTs a second for 10 s on one counter whose listeners are connected to Pushpin, and the memory that these
//! listeners take in the origin.

use std::time::Duration;

use anyhow::Result;

use crate::cells::{Figures, INTERVAL};
use crate::fanout::reach_all;
use crate::http::Client;
use crate::listeners::Listeners;
use crate::paced::{Pace, Report};
use crate::peers::livecounter::{self, Chain};
use crate::usage;
use crate::wrk::{Load, Path};

const PER_SECOND: u32 = 5_000;
const SECONDS: u32 = 10;

/// An interval longer than any measurement, so that only the first value is published.
const NEVER: Duration = Duration::from_secs(3_600);

/// The figure with publishing: the time from the last POST until the last listener has the last value, in ms.
pub(crate) fn publishing(count: usize) -> Result<Figures> {
    let chain = livecounter::chain(INTERVAL)?;
    let mut listeners = Listeners::connect(chain.pushpin().port(), livecounter::HOT, count)?;
    let mut client = Client::new(chain.livecounter.port());
    let renewed = reach_all(&mut listeners, &mut || livecounter::add(&mut client))?;
    let cpu = usage::cpu_us(chain.pushpin().id());
    let report = storm(&chain)?;
    let held = listeners.all_hold(report.value, Duration::from_secs(30))?;
    let closed = listeners.compare(Vec::new())?.closed;
    let cpu = usage::cpu_us(chain.pushpin().id()) - cpu;
    let held_ms = held.last_us.saturating_sub(report.last_us) as f64 / 1e3;
    Ok(Figures::from([
        ("held ms", held_ms),
        ("per second", per_second(&report)),
        ("cpu s", cpu / 1e6),
        ("renewed", renewed as f64),
        ("closed", closed as f64),
    ]))
}

/// The same load while nothing is published.
pub(crate) fn silent(count: usize) -> Result<Figures> {
    let chain = livecounter::chain(NEVER)?;
    let _listeners = Listeners::connect(chain.pushpin().port(), livecounter::HOT, count)?;
    let report = storm(&chain)?;
    Ok(Figures::from([("per second", per_second(&report))]))
}

/// How much the memory of an origin, which has served before, grows when so many listeners connect to Pushpin.
pub(crate) fn origin_memory(count: usize) -> Result<Figures> {
    let chain = livecounter::chain(INTERVAL)?;
    let (origin, port) = (chain.livecounter.id(), chain.livecounter.port());
    let mut client = Client::new(port);
    livecounter::add(&mut client)?;
    for (method, fields) in [("GET", livecounter::signed()?), ("POST", Vec::new())] {
        let path = Path::One(livecounter::HOT);
        Load { port, method, path, fields: &fields, body: "" }.run(1)?;
    }
    let before = usage::resident_kib(origin)?;
    let mut listeners = Listeners::connect(chain.pushpin().port(), livecounter::HOT, count)?;
    reach_all(&mut listeners, &mut || livecounter::add(&mut client))?;
    let grown = usage::resident_kib(origin)? - before;
    Ok(Figures::from([("KiB", grown.max(0.0) / count as f64)]))
}

fn storm(chain: &Chain) -> Result<Report> {
    let path = livecounter::HOT.to_owned();
    Pace { port: chain.livecounter.port(), path, per_second: PER_SECOND, seconds: SECONDS, events: None }
        .run()
}

fn per_second(report: &Report) -> f64 {
    f64::from(report.answered) * 1e6 / report.elapsed_us as f64
}
