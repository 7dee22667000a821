//! Listeners: a child process with thousands of SSE connections for each port. Lines of JSON tell it the value for which to wait, and what to report.

pub(crate) mod client;
mod seen;

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::process::{Running, command, enough_open_files};

/// The argument of the child process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) port: u16,
    /// The listeners take these paths in turn. A value of a number is shown by the path whose place is the remainder of the value by the
    /// number of paths.
    pub(crate) paths: Vec<String>,
    pub(crate) count: usize,
    /// Whether the values are the numbers of events, of which each listener gets all.
    pub(crate) is_feed: bool,
}

/// An order to the child process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Wait until every listener holds this value or a later one.
    Await { value: i64, limit_ms: u64 },
    /// Let the listeners that do not hold this value connect anew.
    Renew { value: i64 },
    /// Compare what was received with these values and their times.
    Compare { published: Vec<(i64, u64)> },
}

/// The answer when all listeners are connected, or cannot be.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Connected {
    pub(crate) error: Option<String>,
}

/// The answer to [`Order::Renew`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Renewed {
    pub(crate) count: usize,
}

/// The answer to [`Order::Await`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Held {
    /// How many listeners hold the value.
    pub(crate) holding: usize,
    /// When the last of them got it.
    pub(crate) last_us: u64,
}

/// The answer to [`Order::Compare`].
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Comparison {
    /// Deliveries of the published values; fewer than were published where one was overtaken by the next.
    pub(crate) received: u64,
    /// From publishing a value until a listener has it or a later one, of each value and listener; from publishing an event until the last listener
    /// has it, of each event. In microseconds, sorted.
    pub(crate) delays_us: Vec<u64>,
    /// Values that came after a later one, or events that came twice.
    pub(crate) backwards: u64,
    /// Connections that were closed, and made anew as browsers do.
    pub(crate) closed: usize,
    /// What all listeners have received, with the heads of the answers.
    pub(crate) bytes: u64,
}

impl Comparison {
    /// The delay in milliseconds that so many percent of all do not exceed.
    pub(crate) fn percentile_ms(&self, percent: usize) -> f64 {
        let place = (self.delays_us.len() * percent).div_ceil(100).max(1) - 1;
        self.delays_us.get(place).map_or(0.0, |&delay| delay as f64 / 1e3)
    }

    /// Both together.
    fn and(mut self, other: Comparison) -> Self {
        self.delays_us.extend(other.delays_us);
        self.delays_us.sort_unstable();
        Comparison {
            received: self.received + other.received,
            delays_us: self.delays_us,
            backwards: self.backwards + other.backwards,
            closed: self.closed + other.closed,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// The time that publisher and listeners share: microseconds since the epoch.
pub(crate) fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

/// The child processes.
pub(crate) struct Listeners {
    pub(crate) count: usize,
    /// The number of paths that they take in turn.
    pub(crate) paths: usize,
    crowds: Vec<Crowd>,
}

impl Listeners {
    /// Connects `count` listeners and waits until each has the head of its answer.
    pub(crate) fn connect(port: u16, path: &str, count: usize) -> Result<Self> {
        Self::connect_to(&[port], &[path.to_owned()], count)
    }

    /// The same for listeners that take these paths in turn; as many at each port.
    pub(crate) fn connect_to(ports: &[u16], paths: &[String], count: usize) -> Result<Self> {
        let at_each = count / ports.len();
        let plans =
            ports.iter().map(|&port| Plan { port, paths: paths.to_vec(), count: at_each, is_feed: false });
        let crowds = plans.map(|plan| Crowd::start(&plan)).collect::<Result<_>>()?;
        Ok(Listeners { count: at_each * ports.len(), paths: paths.len(), crowds })
    }

    /// The same for listeners of a feed, whose events have numbers.
    pub(crate) fn connect_to_feed(port: u16, path: &str, count: usize) -> Result<Self> {
        let crowd = Crowd::start(&Plan { port, paths: vec![path.to_owned()], count, is_feed: true })?;
        Ok(Listeners { count, paths: 1, crowds: vec![crowd] })
    }

    /// Waits until every listener holds `value`, or the time is up.
    pub(crate) fn hold(&mut self, value: i64, limit: Duration) -> Result<Held> {
        let held: Vec<Held> = self.ask(&Order::Await { value, limit_ms: limit.as_millis() as u64 })?;
        Ok(Held {
            holding: held.iter().map(|held| held.holding).sum(),
            last_us: held.iter().map(|held| held.last_us).max().unwrap_or_default(),
        })
    }

    /// Fails unless every listener holds `value` in time.
    pub(crate) fn all_hold(&mut self, value: i64, limit: Duration) -> Result<Held> {
        let held = self.hold(value, limit)?;
        if held.holding < self.count {
            bail!("after {limit:?} only {} of {} listeners hold the last value", held.holding, self.count);
        }
        Ok(held)
    }

    /// Lets the listeners that do not hold `value` connect anew. Returns their number.
    pub(crate) fn renew(&mut self, value: i64) -> Result<usize> {
        let renewed: Vec<Renewed> = self.ask(&Order::Renew { value })?;
        Ok(renewed.iter().map(|renewed| renewed.count).sum())
    }

    /// Compares what was received with what was published when; fails if a value came after a later one.
    pub(crate) fn compare(&mut self, published: Vec<(i64, u64)>) -> Result<Comparison> {
        let comparisons: Vec<Comparison> = self.ask(&Order::Compare { published })?;
        let comparison = comparisons.into_iter().reduce(Comparison::and).unwrap_or_default();
        if comparison.backwards > 0 {
            bail!("{} values came after later ones, or events twice", comparison.backwards);
        }
        Ok(comparison)
    }

    /// Gives the order to each child process, and returns the answers of all.
    fn ask<T: DeserializeOwned>(&mut self, order: &Order) -> Result<Vec<T>> {
        for crowd in &mut self.crowds {
            crowd.order(order)?;
        }
        self.crowds.iter_mut().map(Crowd::answer).collect()
    }
}

/// The listeners of one child process.
struct Crowd {
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    _running: Running,
}

impl Crowd {
    fn start(plan: &Plan) -> Result<Self> {
        let count = plan.count;
        enough_open_files(count)?;
        let mut child = command(&env::current_exe()?)?
            .args(["--listeners", &serde_json::to_string(plan)?])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the listeners")?;
        let (orders, answers) = (child.stdin.take(), child.stdout.take());
        let running = Running(child);
        let mut crowd = Crowd {
            orders: orders.context("no stdin")?,
            answers: BufReader::new(answers.context("no stdout")?),
            _running: running,
        };
        match crowd.answer::<Connected>()?.error {
            Some(error) => bail!("{count} listeners cannot connect: {error}"),
            None => Ok(crowd),
        }
    }

    fn order(&mut self, order: &Order) -> Result<()> {
        let line = serde_json::to_string(order)? + "\n";
        self.orders.write_all(line.as_bytes()).context("the listeners have ended")
    }

    fn answer<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line).context("the listeners have ended")
    }
}
