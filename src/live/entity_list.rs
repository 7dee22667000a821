//! The entities of one route.

use crate::domain::{EntityKey, Route, Topic};
use crate::store::{Reading, Store, StoreError};

/// How often the store is asked for one page at most. A route may have any number of routes below it, whose entities come between its own.
const MOST_READS: usize = 16;

/// A page of the entities of one route, in ascending order of their keys' bytes.
#[derive(Clone, Debug, Default)]
pub struct EntityPage {
    /// The entities.
    pub entities: Vec<(EntityKey, Reading)>,
    /// Where the next page begins, if there may be more: behind this key, which need not be one of the entities.
    pub after: Option<String>,
}

/// The first `limit` entities of the route whose keys begin with `prefix` and come after `after`.
pub(super) async fn list(
    store: &dyn Store,
    route: &Route,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<EntityPage, StoreError> {
    let begin = Topic::entity_prefix(route, prefix);
    let all = Topic::entity_prefix(route, "");
    let mut last = after.and_then(|after| format!("{all}{after}").parse::<Topic>().ok());
    let mut page = EntityPage::default();
    for _ in 0..MOST_READS {
        let wanted = limit + 1 - page.entities.len();
        let listed = store.list(&begin, last.as_ref(), wanted).await?;
        let is_end = listed.len() < wanted;
        let mut below = None;
        for (topic, reading) in listed {
            match topic.name().strip_prefix(&all).map(|rest| rest.split_once('/').ok_or(rest)) {
                Some(Err(key)) => {
                    let Ok(key) = key.parse::<EntityKey>() else { continue };
                    if page.entities.len() == limit {
                        page.after = page.entities.last().map(|(key, _)| key.as_str().to_owned());
                        return Ok(page);
                    }
                    page.entities.push((key, reading));
                    last = Some(topic);
                }
                Some(Ok((segment, _))) => {
                    below = Some(segment.to_owned());
                    break;
                }
                None => continue,
            }
        }
        match below {
            // The search goes on behind the routes that begin with this segment: no name has a ~ behind a slash that is not a key's.
            Some(segment) => {
                last = format!("{all}{segment}/{}", "~".repeat(EntityKey::MAX_LEN + 1)).parse().ok();
                page.after = Some(last_key_before(&segment));
            }
            None if is_end => return Ok(EntityPage { after: None, ..page }),
            None => {
                page.after = last.as_ref().and_then(|last| last.name().strip_prefix(&all)).map(str::to_owned)
            }
        }
    }
    Ok(page)
}

/// The greatest key that comes before all names that begin with this segment of a route and a slash: only `-` and `.` come before a slash.
fn last_key_before(segment: &str) -> String {
    let mut key = [segment, "."].concat();
    key.extend(std::iter::repeat_n('~', EntityKey::MAX_LEN.saturating_sub(key.len())));
    key.truncate(EntityKey::MAX_LEN);
    key
}
