//! The child process with the listeners: one thread, so that it uses one core as the server does.

use std::cell::RefCell;
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

use super::seen::Seen;
use super::{Connected, Held, Order, Plan, Renewed};
use crate::peers::nchan;
use crate::wire::{Body, Field, Head, head_end, take_fields};

/// The number of connections that are being made at a time, so that accept queues are not what is measured.
const CONNECTING: usize = 64;

/// The deadline for all connections together.
const CONNECT_LIMIT: Duration = Duration::from_secs(60);

/// Runs the child process, which ends at the end of its orders.
pub(crate) fn main(plan: &str) -> Result<()> {
    let plan: Plan = serde_json::from_str(plan)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, listen(plan))
}

async fn listen(plan: Plan) -> Result<()> {
    let seen = Rc::new(RefCell::new(Seen::by(plan.count, plan.paths.len())));
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
            Order::Compare { published } => answer(&match plan.is_feed {
                true => seen.borrow().compare_events(published),
                false => seen.borrow().compare(published),
            })?,
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

/// Asks for a stream, behind the event with the id if there is one. Returns the connection, the bytes that have come, and where the head of the answer ends in them.
async fn ask(port: u16, path: &str, last_id: &str) -> Result<(TcpStream, Vec<u8>, usize)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.context("cannot connect")?;
    let seen = if last_id.is_empty() { String::new() } else { format!("Last-Event-ID: {last_id}\r\n") };
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n{seen}\r\n");
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
    // Only a listener of a feed must have every event; others get the present value.
    let last_id = seen.borrow().ids[listener].clone();
    let (mut stream, mut received, end) = ask(plan.port, path, &last_id).await?;
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
        take_fields(&mut decoded, |field| match field {
            Field::Data(number) if plan.is_feed => seen.borrow_mut().note_event(listener, number),
            Field::Data(value) => {
                seen.borrow_mut().note(listener, value, std::mem::take(&mut first) || several)
            }
            Field::Id(id) if plan.is_feed => id.clone_into(&mut seen.borrow_mut().ids[listener]),
            Field::Id(_) => {}
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

async fn hold(seen: &RefCell<Seen>, value: i64, limit_ms: u64) -> Held {
    let deadline = Instant::now() + Duration::from_millis(limit_ms);
    while !seen.borrow().behind(value).is_empty() && Instant::now() < deadline {
        sleep(Duration::from_millis(5)).await;
    }
    seen.borrow().since(value)
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
