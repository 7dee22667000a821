//! Waiting until replicas have what was written, before it is called counted.
//!
//! Redis answers a write before its replicas have it. When the master is lost then, so is the write. `WAIT`, sent behind
//! the write, is answered when so many replicas have it, or when its time is over. It undoes nothing: what too few
//! replicas have is counted where the master survives. What can be built on it is in `docs/failures.md`.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, RedisError, RedisResult, Value};
use tokio::sync::Mutex;

use super::reply::{self, refuse_error};

/// How many replicas must have a change before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// So many, of the one master that has the change.
    pub replicas: NonZeroU32,
    /// How long they may take; at least a millisecond.
    pub within: Duration,
}

impl Wait {
    /// The command, to be sent behind the write and over the same connection.
    fn command(self) -> Cmd {
        let mut command = redis::cmd("WAIT");
        // Zero would be for ever.
        command.arg(self.replicas.get()).arg(self.within.as_millis().max(1) as u64);
        command
    }

    /// Takes the number of replicas that have the write. Too few are an error, though the write is done.
    fn judge(self, answer: &Value) -> RedisResult<()> {
        match answer {
            Value::Int(replicas) if *replicas >= i64::from(self.replicas.get()) => Ok(()),
            Value::Int(replicas) => {
                let detail = format!("{replicas} of {} replicas within {:?}", self.replicas, self.within);
                Err(RedisError::from((ErrorKind::Extension, "counted, but on too few replicas", detail)))
            }
            _ => Err(reply::unexpected()),
        }
    }
}

/// The `WAIT`s of one connection. Each is for all that was written over the connection before it was sent, and while it
/// lasts Redis takes nothing else from the connection: so there is one at a time, for everybody whose write was answered
/// before it began.
pub(super) struct Waits {
    /// How many have begun.
    begun: AtomicU64,
    /// Held during a `WAIT`; how the last one ended.
    last: Mutex<RedisResult<()>>,
}

impl Default for Waits {
    fn default() -> Self {
        Waits { begun: AtomicU64::new(0), last: Mutex::new(Ok(())) }
    }
}

impl Waits {
    /// Waits until replicas have a write that this connection has just been answered.
    pub(super) async fn after_write(
        &self,
        wait: Wait,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<()> {
        let before = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if self.begun.load(Ordering::SeqCst) > before {
            return last.clone();
        }
        self.begun.fetch_add(1, Ordering::SeqCst);
        // What the others are told should this one be dropped on the way.
        *last = Err(unknown("nobody has heard"));
        let answer = connection.send_packed_command(&wait.command()).await.and_then(refuse_error);
        // Not as Redis says it: some of its refusals mean that nothing was done, and that the call may be repeated.
        let answer = answer.map_err(|error| match error.kind() {
            ErrorKind::Server(_) => unknown(&error.to_string()),
            _ => error,
        });
        *last = answer.and_then(|answer| wait.judge(&answer));
        last.clone()
    }
}

fn unknown(detail: &str) -> RedisError {
    RedisError::from((
        ErrorKind::Extension,
        "counted, but it is not known on how many replicas",
        detail.to_owned(),
    ))
}
