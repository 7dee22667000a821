//! Waits until replicas have a change, before the change is acknowledged to the client.
//!
//! Redis answers a write before its replicas have it. If the master is lost then, the write is lost, too. Redis answers a `WAIT`
//! behind the write when enough replicas have the write, or when a time is over. `WAIT` undoes nothing: a change that too few
//! replicas have is counted if the master survives. `docs/failures.md` says what this guarantees.

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
    /// The number of replicas, of the one master that has the change.
    pub replicas: NonZeroU32,
    /// How long the replicas may take; at least a millisecond.
    pub within: Duration,
}

impl Wait {
    /// The command. It must be sent behind the write, over the same connection.
    fn command(self) -> Cmd {
        let mut command = redis::cmd("WAIT");
        // Zero would mean to wait without an end.
        command.arg(self.replicas.get()).arg(self.within.as_millis().max(1) as u64);
        command
    }

    /// Judges the answer, which is the number of replicas that have the write. Too few replicas are an error, though the master
    /// has the write.
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

/// The `WAIT`s of one connection. A `WAIT` covers all writes that were sent over the connection before it, and while it lasts
/// Redis takes no other command from the connection. So there is one `WAIT` at a time, for all callers whose write was
/// answered before it began.
pub(super) struct Waits {
    /// How many `WAIT`s have begun.
    begun: AtomicU64,
    /// Held during a `WAIT`. It keeps the result of the last one.
    last: Mutex<RedisResult<()>>,
}

impl Default for Waits {
    fn default() -> Self {
        Waits { begun: AtomicU64::new(0), last: Mutex::new(Ok(())) }
    }
}

impl Waits {
    /// Waits until replicas have a write that Redis has just answered over this connection.
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
        // The other callers get this error if this caller is dropped during the `WAIT`.
        *last = Err(unknown("the request that asked was abandoned"));
        let answer = connection.send_packed_command(&wait.command()).await.and_then(refuse_error);
        // The kind of the error is replaced, since some kinds would mean that Redis has done nothing and that the call may be
        // repeated.
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
