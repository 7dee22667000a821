//! What must be true of the fields of an entity: each merge has happened whole, once if it was answered, and listeners are shown nothing older.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::writing::Attempt;

/// The fields that a listener was shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EntitySight {
    pub(crate) epoch: String,
    pub(crate) revision: u64,
    pub(crate) payload: Value,
}

impl EntitySight {
    /// Reads an event of a stream, whose id is `epoch-revision`.
    pub(crate) fn parse(id: &str, data: &str) -> Option<EntitySight> {
        let (epoch, revision) = id.split_once('-')?;
        let payload = serde_json::from_str(data).ok()?;
        Some(EntitySight { epoch: epoch.to_owned(), revision: revision.parse().ok()?, payload })
    }
}

fn number(payload: &Value, field: &str) -> u64 {
    payload[field].as_u64().unwrap_or(0)
}

/// What each writer's drops come to: how many were answered, how many may have been written besides, and the number of the last one.
fn by_writer(attempts: &[Attempt]) -> BTreeMap<&str, (u64, u64, u64)> {
    let mut writers: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
    for Attempt { writer, number, id } in attempts {
        let (answered, unknown, last) = writers.entry(writer).or_default();
        if id.is_some() {
            *answered += 1;
            *last = (*last).max(*number);
        } else {
            *unknown += 1;
        }
    }
    writers
}

/// What is wrong with the fields at the end.
pub(crate) fn wrongs(attempts: &[Attempt], payload: &Value) -> Vec<String> {
    let mut wrongs: Vec<String> = torn(payload).into_iter().collect();
    for (writer, (answered, unknown, last)) in by_writer(attempts) {
        let count = number(payload, writer);
        if !(answered..=answered + unknown).contains(&count) {
            wrongs.push(format!(
                "{count} merges of {writer} are there, of {answered} and {unknown} unanswered"
            ));
        }
        let shown = number(payload, &format!("last {writer}"));
        if shown < last || unknown == 0 && shown != last {
            wrongs.push(format!("the last merge of {writer} is {shown}, though {last} was answered"));
        }
    }
    wrongs
}

/// Each merge adds 1 to `total` and to a field of the writer: if they do not fit together, a part of a merge is missing.
fn torn(payload: &Value) -> Option<String> {
    let fields = payload.as_object()?;
    let adds = fields.iter().filter(|(name, _)| *name != "total" && !name.starts_with("last "));
    let sum: u64 = adds.map(|(_, value)| value.as_u64().unwrap_or(0)).sum();
    (sum != number(payload, "total")).then(|| format!("{payload} is a part of a merge"))
}

/// What is wrong with what listeners were shown. `None` among the sights: the test has made the store lose data. If `kept`, the store has lost nothing
/// that was shown.
pub(crate) fn shown_wrongs(
    attempts: &[Attempt],
    streams: &[Vec<Option<EntitySight>>],
    kept: bool,
) -> Vec<String> {
    let mut wrongs = Vec::new();
    let mut known: HashMap<(&str, u64), &Value> = HashMap::new();
    for sight in streams.iter().flatten().flatten() {
        wrongs.extend(torn(&sight.payload));
        let EntitySight { epoch, revision, payload } = sight;
        let first = *known.entry((epoch, *revision)).or_insert(payload);
        if first != payload {
            wrongs.push(format!("{epoch}-{revision} was shown as {first} and as {payload}"));
        }
    }
    // After a loss, the revision may have been that of a lost merge before.
    for Attempt { writer, number: own, id } in attempts.iter().filter(|_| kept) {
        let sight = id.as_deref().and_then(|id| id.split_once('-'));
        let Some((epoch, revision)) = sight.and_then(|(epoch, it)| Some((epoch, it.parse().ok()?))) else {
            continue;
        };
        // The merge that was answered with this revision is the writer's last one so far.
        if let Some(payload) = known.get(&(epoch, revision))
            && number(payload, &format!("last {writer}")) != *own
        {
            wrongs
                .push(format!("merge {own} of {writer} was answered {epoch}-{revision}, which is {payload}"));
        }
    }
    wrongs.extend(streams.iter().flat_map(|stream| set_backs(stream, kept)));
    wrongs
}

/// Older fields that a listener was shown after newer ones.
fn set_backs(stream: &[Option<EntitySight>], kept: bool) -> Vec<String> {
    let mut wrongs = Vec::new();
    let (mut past, mut last) = (HashSet::new(), None::<&EntitySight>);
    for sight in stream {
        let Some(sight) = sight else {
            past.clear();
            last = None;
            continue;
        };
        if let Some(last) = last {
            let back = if last.epoch == sight.epoch {
                sight.revision < last.revision
            } else {
                past.insert(last.epoch.as_str());
                // The epoch 0 is that of an entity which does not exist.
                sight.epoch != "0" && past.contains(sight.epoch.as_str())
                    || kept && number(&sight.payload, "total") < number(&last.payload, "total")
            };
            if back {
                wrongs.push(format!("{sight:?} was shown after {last:?}"));
            }
        }
        last = Some(sight);
    }
    wrongs
}

#[test]
fn lost_torn_and_older_fields_are_seen() {
    use serde_json::json;
    let attempt =
        |number, id: Option<&str>| Attempt { writer: "w".into(), number, id: id.map(str::to_owned) };
    let attempts = [attempt(1, Some("e-1")), attempt(2, None), attempt(3, Some("e-2"))];
    let payload = |total: u64, own: u64, last: u64| json!({"total": total, "w": own, "last w": last});
    let count = |total, own, last| wrongs(&attempts, &payload(total, own, last)).len();
    assert_eq!((count(2, 2, 3), count(3, 3, 3)), (0, 0));
    assert_eq!((count(1, 1, 3), count(4, 4, 3)), (1, 1), "lost, and doubled");
    assert_eq!((count(2, 3, 3), count(2, 2, 1)), (1, 1), "a part, and an older one");
    let sight = |id: &str, total: u64| EntitySight::parse(id, &payload(total, total, total).to_string());
    let back = |kept, sights: &[Option<EntitySight>]| shown_wrongs(&[], &[sights.to_vec()], kept).len();
    assert_eq!(back(true, &[sight("0-0", 0), sight("e-1", 1), sight("e-3", 3), sight("f-4", 4)]), 0);
    assert_eq!(back(true, &[sight("e-3", 3), sight("e-1", 1)]), 1);
    assert_eq!(back(true, &[sight("e-3", 3), sight("f-3", 2)]), 1);
    assert_eq!(back(false, &[sight("e-3", 3), sight("f-3", 2)]), 0);
    assert_eq!(back(false, &[sight("e-3", 3), sight("f-3", 2), sight("e-4", 4)]), 1, "a past epoch");
    assert_eq!(back(true, &[sight("e-3", 3), None, sight("e-1", 1)]), 0);
    assert_eq!(back(true, &[sight("e-3", 3), sight("e-3", 4)]), 1, "two contents");
    assert_eq!(
        shown_wrongs(&attempts, &[vec![sight("e-2", 2)]], true).len(),
        1,
        "another merge was answered"
    );
}
