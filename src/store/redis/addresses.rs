//! The addresses of pages: one key for each page, in the bucket of its topic.

use futures_util::future::try_join_all;
use redis::{Cmd, RedisResult, Value};

use super::call::Call;
use super::keys::KeyWriter;
use super::reply;
use super::runner::ScriptRunner;
use crate::domain::Topic;

/// Keeps the address of a page.
pub(super) async fn keep(runner: &ScriptRunner, page: &Topic, address: &str) -> RedisResult<()> {
    runner.schema.check(&runner.topology).await?;
    let mut command = command("SET", page);
    command.arg(address);
    let answer = runner.topology.send(page.bucket(), Call::of(&command)).await?;
    reply::refuse_error(answer).map(drop)
}

/// The addresses of pages. All commands are on their way at the same time.
pub(super) async fn read(runner: &ScriptRunner, pages: &[Topic]) -> RedisResult<Vec<Option<String>>> {
    runner.schema.check(&runner.topology).await?;
    try_join_all(pages.iter().map(async |page| {
        let command = command("GET", page);
        match reply::refuse_error(runner.topology.send(page.bucket(), Call::of(&command)).await?)? {
            Value::Nil => Ok(None),
            Value::BulkString(text) => String::from_utf8(text).map(Some).map_err(|_| reply::unexpected()),
            _ => Err(reply::unexpected()),
        }
    }))
    .await
}

/// A command on the key of a page's address.
fn command(name: &str, page: &Topic) -> Cmd {
    let mut command = redis::cmd(name);
    KeyWriter::default().address(&mut command, page);
    command
}
