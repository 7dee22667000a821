//! `find` and `list`.

use std::fmt::Write;

use crate::domain::{JsonText, MAX_EVENT_BYTES, Route};
use crate::exec::{Entity, Find};
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::sql::{SqlError, no_entities};
use crate::store::EntityQuery;

/// How many entities are answered if the command gives no number.
const USUAL: usize = 100;
/// The most entities of an answer.
const MOST: u32 = 1000;
/// The most entities that a `find` looks at.
const MOST_SEEN: usize = 10_000;
/// How many entities are read in one step.
const STEP: usize = 500;
/// How many bytes the entities may have that a `find` must keep to sort them, and those of an answer.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Whether a command may ask for this many entities.
pub(super) fn check_top(top: Option<u32>) -> Result<(), ApiError> {
    match top {
        Some(top) if top > MOST => Err(ApiError::BadRequest(format!("top is at most {MOST}"))),
        _ => Ok(()),
    }
}

/// Whether an event is not too long.
pub(super) fn check_event(event: &JsonText) -> Result<(), ApiError> {
    match event.as_str().len() {
        length if length > MAX_EVENT_BYTES => {
            let problem = format!("an event has at most {MAX_EVENT_BYTES} bytes, this one has {length}");
            Err(ApiError::BadRequest(problem))
        }
        _ => Ok(()),
    }
}

/// The first entities of a route.
pub(super) async fn list(
    context: &WorkerContext,
    route: &Route,
    top: Option<u32>,
) -> Result<String, ApiError> {
    let everything = Find { route: route.clone(), conditions: Vec::new(), pick: Vec::new(), sort: None, top };
    find(context, &everything).await
}

/// The entities that fulfil the conditions.
pub(super) async fn find(context: &WorkerContext, find: &Find) -> Result<String, ApiError> {
    let top = find.top.map_or(USUAL, |top| top as usize);
    let mut matching = matching(context, find, top).await?;
    find.arrange(&mut matching.entities);
    Ok(json(find, matching, top))
}

/// Entities that fulfil the conditions.
#[derive(Default)]
struct Matching {
    entities: Vec<Entity>,
    /// Whether there may be more of them.
    more: bool,
    /// Whether the route has entities at all.
    exist: bool,
}

/// All entities that fulfil the conditions if they must be sorted, else the first of them, at least `top` if there are so many and they are
/// not too long.
async fn matching(context: &WorkerContext, find: &Find, top: usize) -> Result<Matching, ApiError> {
    let (mut matching, mut seen, mut bytes) = (Matching::default(), 0, 0);
    let mut query =
        EntityQuery { limit: STEP, fields: find.fields(), ..EntityQuery::all(find.route.clone()) };
    loop {
        let entities = context.live.entities_in(&query).await.map_err(ApiError::unread)?;
        let last = entities.last().filter(|_| entities.len() == STEP).map(|(key, _)| key.clone());
        seen += entities.len();
        matching.exist |= seen > 0;
        for entity in entities.into_iter().filter(|entity| find.fits(entity)) {
            bytes += entity.1.bytes();
            matching.entities.push(entity);
            if find.sort.is_none() && (matching.entities.len() > top || bytes > MOST_BYTES) {
                return Ok(Matching { more: true, ..matching });
            }
        }
        let Some(last) = last else { return Ok(matching) };
        if seen >= MOST_SEEN || bytes > MOST_BYTES {
            let problem = format!(
                "find looks at {MOST_SEEN} entities and sorts {MOST_BYTES} bytes at most, and {} has more; \
                 ask in SQL with bounds on key",
                find.route
            );
            return Err(SqlError::TooMuch(problem).into());
        }
        query = query.behind(&last);
    }
}

/// The entities as JSON, as many as fit.
fn json(find: &Find, Matching { entities, more, exist }: Matching, top: usize) -> String {
    let mut json = format!("{{\"type\":\"{}\",\"entities\":[", find.route);
    let (mut shown, count) = (0, entities.len());
    for entity in entities.into_iter().take(top) {
        let (key, document) = find.picked(entity);
        let comma = if shown == 0 { "" } else { "," };
        // Writing to a String cannot fail. The characters of routes and keys need no escape in JSON.
        let _ = write!(json, "{comma}{{\"key\":\"{key}\",\"payload\":{}}}", document.to_json());
        shown += 1;
        if json.len() > MOST_BYTES {
            break;
        }
    }
    let _ = write!(json, "],\"truncated\":{}", more || shown < count);
    if !exist {
        let _ = write!(json, ",\"warnings\":[{}]", serde_json::Value::from(no_entities(find.route.as_str())));
    }
    json + "}"
}
