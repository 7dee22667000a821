//! POSTs at a given rate, which wrk cannot do: a child process that reports how many were answered, and when the last; of events, when each was sent.

use std::cell::RefCell;
use std::env;
use std::io::{self, Write};
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::http::request;
use crate::listeners::now_us;
use crate::process::command;
use crate::wire::{Head, head_end};
use crate::wrk::CONNECTIONS;

/// The argument of the child process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pace {
    pub(crate) port: u16,
    pub(crate) path: String,
    pub(crate) per_second: u32,
    pub(crate) seconds: u32,
    /// The bodies of the requests; `None` if they have none, and each answer is a value.
    pub(crate) events: Option<Events>,
}

/// Bodies with numbers that follow each other, each between the same two texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Events {
    pub(crate) first: i64,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// The report of the child process.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) answered: u32,
    pub(crate) failed: u32,
    /// From the first request to the last answer.
    pub(crate) elapsed_us: u64,
    /// When the last answer came.
    pub(crate) last_us: u64,
    /// The greatest value that was answered.
    pub(crate) value: i64,
    /// The numbers of the events, with the times at which their requests began.
    pub(crate) sent: Vec<(i64, u64)>,
}

impl Pace {
    /// Runs the load in a child process; a request that fails is an error.
    pub(crate) fn run(&self) -> Result<Report> {
        let output = command(&env::current_exe()?)?
            .args(["--paced", &serde_json::to_string(self)?])
            .stdin(Stdio::null())
            .output()
            .context("cannot start the load")?;
        let report: Report = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).trim().to_owned())?;
        if report.failed > 0 {
            bail!("{} POSTs failed, {} were answered", report.failed, report.answered);
        }
        Ok(report)
    }
}

/// The requests that are not sent yet, shared by all connections.
struct Schedule {
    start: Instant,
    pace: Pace,
    next: u32,
    report: Report,
}

impl Schedule {
    /// The number of the next request and when it is due, if there is one.
    fn take(&mut self) -> Option<(u32, Instant)> {
        let (number, due) =
            (self.next, self.start + Duration::from_secs(1) * self.next / self.pace.per_second);
        self.next += 1;
        (number < self.pace.per_second * self.pace.seconds).then_some((number, due))
    }
}

/// The child process.
pub(crate) fn main(pace: &str) -> Result<()> {
    let pace: Pace = serde_json::from_str(pace)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let start = Instant::now();
    let schedule = Schedule { start, pace, next: 0, report: Report::default() };
    let schedule = Rc::new(RefCell::new(schedule));
    LocalSet::new().block_on(&runtime, async {
        let connections: Vec<_> =
            (0..CONNECTIONS).map(|_| tokio::task::spawn_local(send(schedule.clone()))).collect();
        for connection in connections {
            // A request that a connection has begun and not finished has failed.
            if let Ok(Err(error)) = connection.await {
                eprintln!("{error:#}");
                schedule.borrow_mut().report.failed += 1;
            }
        }
    });
    let text = serde_json::to_string(&schedule.borrow().report)?;
    Ok(io::stdout().lock().write_all(text.as_bytes())?)
}

/// One connection: takes what is due until nothing is left.
async fn send(schedule: Rc<RefCell<Schedule>>) -> Result<()> {
    let Pace { port, path, events, .. } = schedule.borrow().pace.clone();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.context("cannot connect")?;
    stream.set_nodelay(true)?;
    let mut received = Vec::new();
    let mut text = request("POST", &path, &[], "");
    loop {
        let Some((number, due)) = schedule.borrow_mut().take() else { return Ok(()) };
        let event = events.as_ref().map(|events| (events, events.first + i64::from(number)));
        if let Some((Events { before, after, .. }, number)) = event {
            text = request("POST", &path, &[], &format!("{before}{number}{after}"));
        }
        sleep_until(due).await;
        let sent_us = now_us();
        stream.write_all(text.as_bytes()).await.context("cannot send")?;
        received.clear();
        let answer = timeout(Duration::from_secs(10), answer(&mut stream, &mut received));
        let body = answer.await.context("no answer in 10 s")??;
        let mut schedule = schedule.borrow_mut();
        let elapsed_us = schedule.start.elapsed().as_micros() as u64;
        let report = &mut schedule.report;
        match event {
            Some((_, number)) => report.sent.push((number, sent_us)),
            None => report.value = report.value.max(body.trim().parse()?),
        }
        report.answered += 1;
        report.last_us = now_us();
        report.elapsed_us = elapsed_us;
    }
}

/// Reads one answer, and returns its body.
async fn answer<'a>(stream: &mut TcpStream, received: &'a mut Vec<u8>) -> Result<&'a str> {
    let (head, end) = loop {
        if stream.read_buf(received).await.context("no answer")? == 0 {
            bail!("closed before an answer");
        }
        let Some(end) = head_end(received) else { continue };
        let head = Head::parse(&received[..end]).context("not an HTTP response")?;
        if received.len() - end >= head.content_length().context("an answer without Content-Length")? {
            break (head, end);
        }
    };
    let body = String::from_utf8_lossy(&received[end..]);
    if !(200..300).contains(&head.status) {
        bail!("status {}: {body}", head.status);
    }
    Ok(std::str::from_utf8(&received[end..])?)
}
