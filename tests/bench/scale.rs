//! One hot counter on several origins: how often the origins publish together, and how many requests they get while listeners
//! join through the cache.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::cells::{Figures, INTERVAL};
use crate::http::request;
use crate::paced::Pace;
use crate::peers::livecounter::{self, Origins, READS, RECOVERIES};
use crate::wire::{Body, Head, head_end, take_values};

const PER_SECOND: u32 = 500;
const SECONDS: u32 = 10;
/// The time between two listeners that join: a dozen join per interval.
const JOINING: Duration = Duration::from_millis(20);

/// How many listeners may be refused and connect again, as browsers do: a Pushpin that is short of CPU time refuses some.
const REFUSALS: usize = 3;

const CLAIMED: &str = "livecounter_announcements_claimed_total";
const FAILED: &str = r#",status="5"#;

/// Measures POSTs through the cache to so many origins while listeners join at Pushpin. The figures are the publishes a
/// second, and for each publish the requests for reading at the origins: those of the cache, and Pushpin's recoveries.
pub(crate) fn origins(count: usize) -> Result<Figures> {
    let chain = livecounter::origins(count, INTERVAL)?;
    let sums = || -> Result<Vec<f64>> {
        [CLAIMED, READS, RECOVERIES, FAILED].iter().map(|metric| sum(&chain, metric)).collect()
    };
    let before = sums()?;
    let (port, path) = (chain.cache.peer.port(), livecounter::HOT.to_owned());
    let load = Pace { port, path, per_second: PER_SECOND, seconds: SECONDS, events: None };
    let done = AtomicBool::new(false);
    let (report, joined) = thread::scope(|scope| {
        let joining = scope.spawn(|| join_until(&done, chain.pushpin.peer.port()));
        let report = load.run();
        done.store(true, Relaxed);
        (report, joining.join())
    });
    let report = report?;
    let (mut joined, refused) = joined.map_err(|_| anyhow!("the listeners have panicked"))??;
    for listener in &mut joined {
        listener.until(report.value)?;
    }
    let after = sums()?;
    let [claimed, reads, recoveries, failed] = [0, 1, 2, 3].map(|figure| after[figure] - before[figure]);
    if failed > 0.0 {
        bail!("{failed} requests failed at the origins");
    }
    let seconds = report.elapsed_us as f64 / 1e6 + INTERVAL.as_secs_f64();
    Ok(Figures::from([
        ("publishes", claimed / seconds),
        ("reads", (reads + recoveries) / claimed),
        ("recoveries", recoveries / claimed),
        ("posts", f64::from(report.answered)),
        ("joined", joined.len() as f64),
        ("refused", refused as f64),
    ]))
}

fn sum(chain: &Origins, metric: &str) -> Result<f64> {
    chain.origins.iter().map(|origin| livecounter::metric(origin.port(), metric)).sum()
}

/// The listeners that have joined, and the number of refused attempts before.
fn join_until(done: &AtomicBool, port: u16) -> Result<(Vec<Joined>, usize)> {
    let (start, mut joined, mut refused) = (Instant::now(), Vec::new(), 0);
    while !done.load(Relaxed) {
        match Joined::join(port) {
            Ok(listener) => joined.push(listener),
            Err(error) if refused < REFUSALS => {
                eprint!("({error:#}) ");
                refused += 1;
            }
            Err(error) => return Err(error),
        }
        thread::sleep((start + JOINING * joined.len() as u32).saturating_duration_since(Instant::now()));
    }
    Ok((joined, refused))
}

/// A listener that has joined.
struct Joined {
    stream: TcpStream,
    body: Body,
    decoded: Vec<u8>,
}

impl Joined {
    fn join(port: u16) -> Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).context("cannot join")?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let fields = ["Accept: text/event-stream".to_owned()];
        stream.write_all(request("GET", livecounter::HOT, &fields, "").as_bytes())?;
        let mut received = Vec::new();
        let end = loop {
            match head_end(&received) {
                Some(end) => break end,
                None => read(&mut stream, &mut received)?,
            }
        };
        let head = Head::parse(&received[..end]).context("not an HTTP response")?;
        if head.status != 200 {
            let length = end + head.content_length().unwrap_or_default();
            while received.len() < length {
                read(&mut stream, &mut received)?;
            }
            bail!("answered {}: {}", head.status, String::from_utf8_lossy(&received[end..]).trim());
        }
        let (mut body, mut decoded) = (Body::of(&head), Vec::new());
        body.feed(&received[end..], &mut decoded);
        Ok(Joined { stream, body, decoded })
    }

    /// Reads until the listener has this value.
    fn until(&mut self, value: i64) -> Result<()> {
        let (mut seen, mut received) = (false, Vec::new());
        loop {
            take_values(&mut self.decoded, |data| seen |= data == value);
            if seen {
                return Ok(());
            }
            received.clear();
            read(&mut self.stream, &mut received).context("a listener lacks the last value")?;
            self.body.feed(&received, &mut self.decoded);
        }
    }
}

fn read(stream: &mut TcpStream, received: &mut Vec<u8>) -> Result<()> {
    let mut buffer = [0; 16 * 1024];
    let count = stream.read(&mut buffer)?;
    if count == 0 {
        bail!("closed");
    }
    received.extend_from_slice(&buffer[..count]);
    Ok(())
}
