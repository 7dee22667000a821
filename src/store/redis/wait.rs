//! Waiting until replicas have what was written, before it is called counted.
//!
//! Redis answers a write before its replicas have it. When the master is lost then, so is the write. `WAIT`, sent behind
//! the write, is answered when so many replicas have it, or when its time is over. It undoes nothing: what too few
//! replicas have is counted where the master survives. What can be built on it is in `docs/operations.md`.

use std::num::NonZeroU32;
use std::time::Duration;

use redis::{Cmd, ErrorKind, RedisError, RedisResult, Value};

use super::reply;

/// How many replicas must have a change before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// So many, of the one master that has the change.
    pub replicas: NonZeroU32,
    /// How long they may take; at least a millisecond.
    pub within: Duration,
}

impl Wait {
    /// The command, to be sent right behind the write and over the same connection.
    pub(super) fn command(self) -> Cmd {
        let mut command = redis::cmd("WAIT");
        // Zero would be for ever.
        command.arg(self.replicas.get()).arg(self.within.as_millis().max(1) as u64);
        command
    }

    /// Takes the number of replicas that have the write. Too few are an error, though the write is done.
    pub(super) fn judge(self, answer: &Value) -> RedisResult<()> {
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
