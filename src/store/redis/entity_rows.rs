//! Entities in a range of keys, with some of their fields.

use redis::{Cmd, RedisResult, Value};
use smol_str::SmolStr;

use super::batch::BatchQuery;
use super::keys::KeyWriter;
use super::runner::ScriptRunner;
use super::{names, reply, script};
use crate::domain::{Document, EntityKey, JsonText, Topic};
use crate::store::{EntityQuery, StoreError};

/// The topics of the entities that the caller needs, in the order of the query, with their keys.
pub(super) async fn topics(
    runner: &ScriptRunner,
    query: &EntityQuery,
) -> RedisResult<Vec<(Topic, EntityKey)>> {
    let (low, high) = query.names();
    let (mut least, greatest) = (format!("[{low}"), format!("({high}"));
    // The last entities are wanted: all names must be known, as a part of the names is read from its beginning.
    let most = if query.descending { usize::MAX } else { query.limit };
    let mut found = Vec::new();
    while found.len() < most {
        let missing = (most - found.len()).min(STEP);
        let some = names::between(runner, least, &greatest, missing).await?;
        let is_end = some.len() < missing;
        least = some.last().map(|last| format!("({}", last.name())).unwrap_or_default();
        found.extend(some.into_iter().filter_map(|topic| {
            // Routes below this one have topics whose names begin alike.
            let (_, key) = topic.entity_name().filter(|(route, _)| *route == query.route)?;
            Some((topic, key))
        }));
        if is_end {
            break;
        }
    }
    if query.descending {
        found.reverse();
    }
    found.truncate(query.limit);
    Ok(found)
}

/// How many names are asked for at once.
const STEP: usize = 20_000;

/// These fields of the entities, in the order of the topics; `None` for an entity that was deleted meanwhile.
pub(super) async fn read(
    runner: &ScriptRunner,
    topics: Vec<Topic>,
    fields: &[SmolStr],
) -> Result<Vec<Option<Document>>, StoreError> {
    let query = BatchQuery { script: &script::ENTITY_ROWS, keys_per_topic: 2, decode: values };
    let write = |command: &mut Cmd, chunk: &[usize]| {
        let mut keys = KeyWriter::default();
        for &index in chunk {
            keys.topic(command, &topics[index]);
            keys.fields(command, &topics[index]);
        }
        for field in fields {
            command.arg(field.as_str());
        }
    };
    let document = |values: Vec<Option<JsonText>>| {
        let named = fields.iter().cloned().zip(values);
        Document::of(named.filter_map(|(name, value)| Some((name, value?))).collect())
    };
    let answers = query.ask(runner, &topics, write).await.into_iter();
    answers.map(|values| Ok(values?.map(document))).collect()
}

/// Decodes an entity of the answer of `entity_rows.lua`; `None` if there is no such entity.
fn values(item: &Value) -> RedisResult<Option<Vec<Option<JsonText>>>> {
    let value = |value: &Value| match value {
        Value::Nil => Ok(None),
        Value::BulkString(text) => {
            let text = std::str::from_utf8(text).map_err(|_| reply::unexpected())?;
            Ok(Some(JsonText::of_stored(text)))
        }
        _ => Err(reply::unexpected()),
    };
    match item {
        Value::Int(0) => Ok(None),
        Value::Array(values) => values.iter().map(value).collect::<RedisResult<_>>().map(Some),
        _ => Err(reply::unexpected()),
    }
}
