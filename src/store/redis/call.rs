//! One command, with how it is sent over a connection.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, RedisError, RedisResult, Value};

use super::reply::refuse_error;
use super::wait::Wait;

/// A command and how it is sent.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) command: &'a Cmd,
    /// The previous owner of the slot has answered `ASK`, so `ASKING` must go before the command.
    pub(super) asking: bool,
    /// The command is a write that replicas must have.
    pub(super) wait: Option<Wait>,
}

impl<'a> Call<'a> {
    /// A command that is sent alone.
    pub(super) fn of(command: &'a Cmd) -> Self {
        Call { command, asking: false, wait: None }
    }

    /// Sends the command. An error that Redis answers is returned as an error.
    pub(super) async fn over(&self, connection: &mut MultiplexedConnection) -> RedisResult<Value> {
        if !self.asking {
            return connection.send_packed_command(self.command).await.and_then(refuse_error);
        }
        let mut pipeline = redis::pipe();
        pipeline.cmd("ASKING").add_command(self.command.clone());
        let mut answers = connection.send_packed_commands(&pipeline, 1, 1).await?.into_iter();
        let missing = || RedisError::from((ErrorKind::Parse, "no answer"));
        answers.next().ok_or_else(missing).and_then(refuse_error)
    }
}
