//! The child process with the listeners: one thread, so that it uses one core as the server does.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{self, BufRead, Write};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::{Instant, sleep, timeout};

use super::{Comparison, Connected, Held, Order, Plan, Renewed, now_us};
use crate::peers::nchan;
use crate::wire::{Body, Head, head_end, take_values};

/// The number of connections that are being made at a time, so that accept queues are not what is measured.
const CONNECTING: usize = 64;

/// The deadline for all connections together.
const CONNECT_LIMIT: Duration = Duration::from_secs(60);

/// A value as one listener got it.
struct Receipt {
    listener: usize,
    value: i64,
    time_us: u64,
}

#[derive(Default)]
struct Seen {
    receipts: Vec<Receipt>,
    /// The latest value of each listener.
    latest: Vec<Option<i64>>,
    /// The listeners that have connected since the start or since the last order to connect anew.
    connected: HashSet<usize>,
    /// The error of the last connection that failed.
    error: Option<String>,
    /// The error of a connection that will always fail.
    refused: Option<String>,
    backwards: u64,
    closed: usize,
    bytes: u64,
}

/// Runs the child process, which ends at the end of its orders.
pub(crate) fn main(plan: &str) -> Result<()> {
    let plan: Plan = serde_json::from_str(plan)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, listen(plan))
}

async fn listen(plan: Plan) -> Result<()> {
    let seen = Rc::new(RefCell::new(Seen { latest: vec![None; plan.count], ..Seen::default() }));
    let places = Rc::new(Semaphore::new(CONNECTING));
    let spawn = |listener: usize| -> JoinHandle<()> {
        tokio::task::spawn_local(stay(listener, plan.clone(), seen.clone(), places.clone()))
    };
    let mut tasks: Vec<_> = (0..plan.count).map(spawn).collect();
    let mut orders = orders();
    answer(&connected(&seen, plan.count).await)?;
    while let Some(order) = orders.recv().await {
        match serde_json::from_str(&order)? {
            Order::Await { value, limit_ms } => answer(&hold(&seen, value, limit_ms).await)?,
            Order::Renew { value } => {
                let behind = seen.borrow().behind(value);
                for &listener in &behind {
                    tasks[listener].abort();
                    seen.borrow_mut().connected.remove(&listener);
                    tasks[listener] = spawn(listener);
                }
                connected(&seen, plan.count).await;
                answer(&Renewed { count: behind.len() })?;
            }
            Order::Compare { published } => answer(&compare(&seen.borrow(), published))?,
        }
    }
    Ok(())
}

/// Waits until all listeners are connected, or cannot be.
async fn connected(seen: &RefCell<Seen>, count: usize) -> Connected {
    let deadline = Instant::now() + CONNECT_LIMIT;
    let connected = || seen.borrow().connected.len();
    while connected() < count && seen.borrow().refused.is_none() && Instant::now() < deadline {
        sleep(Duration::from_millis(5)).await;
    }
    let error = (connected() < count).then(|| {
        let reason = seen.borrow().refused.clone().or(seen.borrow().error.clone()).unwrap_or_default();
        format!("{} did: {reason}", connected())
    });
    Connected { error }
}

/// Runs one listener, which connects again when its connection is closed, as browsers do.
async fn stay(listener: usize, plan: Plan, seen: Rc<RefCell<Seen>>, places: Rc<Semaphore>) {
    loop {
        match receive(listener, &plan, &seen, &places).await {
            Ok(()) => seen.borrow_mut().closed += 1,
            Err(error) => seen.borrow_mut().error = Some(format!("{error:#}")),
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Asks for a stream. Returns the connection, the bytes that have come, and where the head of the answer ends in them.
async fn ask(port: u16, path: &str) -> Result<(TcpStream, Vec<u8>, usize)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.context("cannot connect")?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut received = Vec::new();
    loop {
        if let Some(end) = head_end(&received) {
            return Ok((stream, received, end));
        }
        let read = timeout(Duration::from_secs(20), stream.read_buf(&mut received));
        if read.await.context("no answer")?.context("no answer")? == 0 {
            bail!("closed before an answer");
        }
    }
}

/// Reads one connection until it is closed.
async fn receive(listener: usize, plan: &Plan, seen: &RefCell<Seen>, places: &Semaphore) -> Result<()> {
    let place = places.acquire().await?;
    let path = &plan.paths[listener % plan.paths.len()];
    let (mut stream, mut received, end) = ask(plan.port, path).await?;
    let head = Head::parse(&received[..end]).context("not an HTTP response")?;
    if head.status != 200 {
        let reason = format!("status {}: {}", head.status, String::from_utf8_lossy(&received[end..]));
        if matches!(head.status, 400..=499 | 501) {
            seen.borrow_mut().refused = Some(reason.clone());
        }
        bail!(reason);
    }
    drop(place);
    seen.borrow_mut().connected.insert(listener);
    seen.borrow_mut().bytes += received.len() as u64;
    // A stream of several counters begins with a number of each, and different counters may change places: their numbers are
    // one sequence only as far as each is published after the one before has arrived.
    let several = path.contains(',') || path == nchan::STREAM_OF_MANY;
    let mut first = true;
    let (mut body, mut decoded) = (Body::of(&head), Vec::new());
    body.feed(&received[end..], &mut decoded);
    loop {
        take_values(&mut decoded, |value| {
            seen.borrow_mut().note(listener, value, std::mem::take(&mut first) || several);
        });
        received.clear();
        match stream.read_buf(&mut received).await {
            Ok(0) | Err(_) => return Ok(()),
            Ok(read) => {
                seen.borrow_mut().bytes += read as u64;
                body.feed(&received, &mut decoded);
            }
        }
        if body.is_end() {
            return Ok(());
        }
    }
}

impl Seen {
    /// Records a value; the first one of a connection may be known already.
    fn note(&mut self, listener: usize, value: i64, first: bool) {
        match self.latest[listener] {
            Some(latest) if latest == value => {}
            Some(latest) if latest > value => self.backwards += u64::from(!first),
            _ => {
                self.latest[listener] = Some(value);
                self.receipts.push(Receipt { listener, value, time_us: now_us() });
            }
        }
    }

    /// The listeners that have neither `value` nor a later one.
    fn behind(&self, value: i64) -> Vec<usize> {
        let behind = |listener: &usize| self.latest[*listener].is_none_or(|latest| latest < value);
        (0..self.latest.len()).filter(behind).collect()
    }

    /// When each listener got `value` or the first one after it.
    fn since(&self, value: i64) -> Held {
        let mut first: Vec<Option<u64>> = vec![None; self.latest.len()];
        for receipt in self.receipts.iter().filter(|receipt| receipt.value >= value) {
            first[receipt.listener].get_or_insert(receipt.time_us);
        }
        let times = first.into_iter().flatten();
        times.fold(Held { holding: 0, last_us: 0 }, |held, time_us| Held {
            holding: held.holding + 1,
            last_us: held.last_us.max(time_us),
        })
    }
}

async fn hold(seen: &RefCell<Seen>, value: i64, limit_ms: u64) -> Held {
    let deadline = Instant::now() + Duration::from_millis(limit_ms);
    while !seen.borrow().behind(value).is_empty() && Instant::now() < deadline {
        sleep(Duration::from_millis(5)).await;
    }
    seen.borrow().since(value)
}

/// A listener has a value from the moment it receives it or a later one: a value may be overtaken by the next.
fn compare(seen: &Seen, mut published: Vec<(i64, u64)>) -> Comparison {
    published.sort_unstable();
    let values: HashSet<i64> = published.iter().map(|&(value, _)| value).collect();
    let mut received = 0;
    let mut delays = Vec::new();
    // Of each listener the first published value that it does not have yet.
    let mut next = vec![0; seen.latest.len()];
    for receipt in &seen.receipts {
        received += u64::from(values.contains(&receipt.value));
        let next = &mut next[receipt.listener];
        while let Some(&(value, published_us)) = published.get(*next)
            && value <= receipt.value
        {
            delays.push(receipt.time_us.saturating_sub(published_us));
            *next += 1;
        }
    }
    delays.sort_unstable();
    let percentile = |share: usize| {
        let place = (delays.len() * share).div_ceil(100).max(1) - 1;
        delays.get(place).map_or(0.0, |&delay| delay as f64 / 1e3)
    };
    Comparison {
        received,
        p50_ms: percentile(50),
        p99_ms: percentile(99),
        backwards: seen.backwards,
        closed: seen.closed,
        bytes: seen.bytes,
    }
}

/// The lines of standard input.
fn orders() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn answer<T: Serialize>(answer: &T) -> Result<()> {
    let line = serde_json::to_string(answer)? + "\n";
    let mut output = io::stdout().lock();
    output.write_all(line.as_bytes())?;
    Ok(output.flush()?)
}
