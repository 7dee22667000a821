//! One command on its way over a connection, with what must go before and behind it.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, RedisError, RedisResult, Value};

use super::wait::Wait;

/// A command and how it is sent.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) command: &'a Cmd,
    /// A slot's previous owner has sent it here (Redis Cluster's `ASK`).
    pub(super) asking: bool,
    /// It is a write that replicas must have.
    pub(super) wait: Option<Wait>,
}

impl<'a> Call<'a> {
    /// The command alone.
    pub(super) fn of(command: &'a Cmd) -> Self {
        Call { command, asking: false, wait: None }
    }

    /// Sends everything at once. What Redis answers with an error is an error.
    pub(super) async fn over(&self, connection: &mut MultiplexedConnection) -> RedisResult<Value> {
        if !self.asking && self.wait.is_none() {
            return connection.send_packed_command(self.command).await.and_then(refuse_error);
        }
        let mut pipeline = redis::pipe();
        if self.asking {
            pipeline.cmd("ASKING");
        }
        pipeline.add_command(self.command.clone());
        if let Some(wait) = self.wait {
            pipeline.add_command(wait.command());
        }
        let (skip, count) = (usize::from(self.asking), 1 + usize::from(self.wait.is_some()));
        let mut answers = connection.send_packed_commands(&pipeline, skip, count).await?.into_iter();
        let missing = || RedisError::from((ErrorKind::Parse, "no answer"));
        let mut next = || answers.next().ok_or_else(missing).and_then(refuse_error);
        let answer = next()?;
        if let Some(wait) = self.wait {
            wait.judge(&next()?)?;
        }
        Ok(answer)
    }
}

/// A nested error cannot be here: our scripts end with the first.
fn refuse_error(value: Value) -> RedisResult<Value> {
    match value {
        Value::ServerError(error) => Err(error.into()),
        value => Ok(value),
    }
}
