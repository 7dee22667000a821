//! The names of the topics, in order. Each bucket keeps the names of its topics in as many parts as its outbox has, so that Redis
//! can store each part compactly.

use futures_util::future::join_all;
use redis::{Cmd, RedisResult, Value};

use super::keys::KeyWriter;
use super::runner::ScriptRunner;
use super::{reply, script};
use crate::domain::{BUCKETS, OUTBOX_PARTS, Topic};

/// A character that sorts after all characters of names.
pub(super) const LAST: char = '\u{7f}';

/// A part of the names that may have more of the names that the caller wants.
#[derive(Clone)]
struct Part {
    bucket: u16,
    number: u16,
    /// The least name still to be asked for, as `ZRANGEBYLEX` takes it.
    least: String,
}

/// The first `limit` topics whose names begin with `prefix` and come after `after`, in the order of their names.
pub(super) async fn after(
    runner: &ScriptRunner,
    prefix: &str,
    after: Option<&Topic>,
    limit: usize,
) -> RedisResult<Vec<Topic>> {
    let least = match after.map(Topic::name) {
        Some(after) if after >= prefix => format!("({after}"),
        _ => format!("[{prefix}"),
    };
    between(runner, least, &format!("({prefix}{LAST}"), limit).await
}

/// The first `limit` topics whose names lie between these two, as `ZRANGEBYLEX` takes them, in the order of their names.
pub(super) async fn between(
    runner: &ScriptRunner,
    least: String,
    greatest: &str,
    limit: usize,
) -> RedisResult<Vec<Topic>> {
    let mut open: Vec<Part> = (0..BUCKETS)
        .flat_map(|bucket| (0..OUTBOX_PARTS).map(move |number| (bucket, number)))
        .map(|(bucket, number)| Part { bucket, number, least: least.clone() })
        .collect();
    // Names are spread evenly over the parts, so most parts have few of the first names.
    let each = 2 + 2 * limit / open.len();
    let mut names: Vec<String> = Vec::new();
    while !open.is_empty() && limit > 0 {
        let found = ask(runner, &open, greatest, each).await?;
        let mut more = Vec::new();
        for (part, some) in open.into_iter().zip(found) {
            if let Some(last) = some.last().filter(|_| some.len() == each) {
                more.push(Part { least: format!("({last}"), ..part });
            }
            names.extend(some);
        }
        names.sort_unstable();
        names.truncate(limit);
        let last = names.get(limit - 1);
        // All further names of a part come after its `least`. If `least` does not come before the last name wanted, the part has
        // no more names for the caller.
        more.retain(|part| last.is_none_or(|last| part.least[1..] < **last));
        open = more;
    }
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

/// How many names there are.
pub(super) async fn count(runner: &ScriptRunner) -> RedisResult<u64> {
    let buckets: Vec<u16> = (0..BUCKETS).collect();
    let calls = runner.topology.bucket_groups(&buckets).map(|buckets| {
        let parts = usize::from(OUTBOX_PARTS) * buckets.len();
        runner.run(buckets[0], &script::NAME_COUNT, parts, move |command| {
            let mut keys = KeyWriter::default();
            for &bucket in buckets {
                for part in 0..OUTBOX_PARTS {
                    keys.names(command, bucket, part);
                }
            }
        })
    });
    reply::sum(join_all(calls).await)
}

/// The parts whose least names a call must contain: one part stands for all if all have the same least name.
fn least_names(parts: &[Part]) -> &[Part] {
    let same = parts.iter().all(|part| part.least == parts[0].least);
    if same { &parts[..1] } else { parts }
}

/// The first names of each part, at most `each` of them. The parts are in the order of their buckets.
async fn ask(
    runner: &ScriptRunner,
    parts: &[Part],
    greatest: &str,
    each: usize,
) -> RedisResult<Vec<Vec<String>>> {
    let is_one = runner.topology.is_one();
    let calls = parts.chunk_by(|a, b| is_one || a.bucket == b.bucket).map(|parts| async move {
        let write = |command: &mut Cmd| {
            let mut keys = KeyWriter::default();
            for part in parts {
                keys.names(command, part.bucket, part.number);
            }
            command.arg(greatest).arg(each);
            for part in least_names(parts) {
                command.arg(&part.least);
            }
        };
        let reply = runner.run(parts[0].bucket, &script::NAMES, parts.len(), write).await?;
        reply::items(reply, parts.len())?.into_iter().map(names).collect::<RedisResult<Vec<_>>>()
    });
    let answers: Vec<_> = join_all(calls).await.into_iter().collect::<RedisResult<_>>()?;
    Ok(answers.into_iter().flatten().collect())
}

fn names(part: Value) -> RedisResult<Vec<String>> {
    let Value::Array(names) = part else { return Err(reply::unexpected()) };
    let name = |name| match name {
        Value::BulkString(name) => String::from_utf8(name).map_err(|_| reply::unexpected()),
        _ => Err(reply::unexpected()),
    };
    names.into_iter().map(name).collect()
}
