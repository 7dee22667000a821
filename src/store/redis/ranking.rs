//! The topics with the greatest values. No key is kept for them: a ranking reads the values of all topics, one bucket after the other, so
//! that a claim costs nothing more.

use std::cmp::Reverse;

use redis::{Cmd, RedisResult, Value};

use super::keys::KeyWriter;
use super::names::LAST;
use super::runner::ScriptRunner;
use super::{reply, script};
use crate::domain::{BUCKETS, OUTBOX_PARTS, Topic};

/// See [`Catalog::top`](crate::store::Catalog::top).
pub(super) async fn top(runner: &ScriptRunner, prefix: &str, limit: usize) -> RedisResult<Vec<(Topic, i64)>> {
    let (least, greatest) = (format!("[{prefix}"), format!("({prefix}{LAST}"));
    let mut found = Vec::new();
    // Redis serves other clients between two buckets.
    for bucket in 0..BUCKETS {
        let write = |command: &mut Cmd| {
            let mut keys = KeyWriter::default();
            (0..OUTBOX_PARTS).for_each(|part| keys.names(command, bucket, part));
            command.arg(&least).arg(&greatest).arg(limit);
        };
        let reply = runner.run(bucket, &script::TOP, usize::from(OUTBOX_PARTS), write).await?;
        let Value::Array(parts) = reply else { return Err(reply::unexpected()) };
        for pair in parts.chunks(2) {
            let [Value::BulkString(name), value] = pair else { return Err(reply::unexpected()) };
            let name = std::str::from_utf8(name).map_err(|_| reply::unexpected())?;
            if let Ok(topic) = name.parse::<Topic>() {
                found.push((topic, reply::number::<i64>(value)?));
            }
        }
        found.sort_unstable_by(|(a, more), (b, less)| {
            (Reverse(more), a.name()).cmp(&(Reverse(less), b.name()))
        });
        found.truncate(limit);
    }
    Ok(found)
}
