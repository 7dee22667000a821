//! What must be true of the fields of an entity: each merge has happened whole, once if it was answered, a deletion leaves nothing of those before it, and
//! listeners are shown nothing older.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::history::{Attempt, History};

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

/// The revision of the last deletion before these fields; 0 if there was none. Each merge has the next revision, and adds 1 to `total`.
fn last_deletion(payload: &Value, revision: u64) -> u64 {
    if payload.is_null() { revision } else { revision.saturating_sub(number(payload, "total")) }
}

/// What the drops of a writer come to within some revisions.
#[derive(Default)]
struct Sum {
    answered: u64,
    /// The number of the last answered one.
    last: u64,
    /// The numbers of those that may have been written besides, at any time.
    unknown: Vec<u64>,
}

/// What each writer's drops come to whose revisions are behind `after` and not behind `up_to`.
fn by_writer(attempts: &[Attempt], after: u64, up_to: u64) -> BTreeMap<&str, Sum> {
    let mut writers: BTreeMap<&str, Sum> = BTreeMap::new();
    for attempt in attempts {
        let sum = writers.entry(&attempt.writer).or_default();
        match attempt.revision() {
            None => sum.unknown.push(attempt.number),
            Some(revision) if after < revision && revision <= up_to => {
                sum.answered += 1;
                sum.last = sum.last.max(attempt.number);
            }
            Some(_) => {}
        }
    }
    writers
}

/// What is wrong with the fields at this revision.
fn state_wrongs(attempts: &[Attempt], payload: &Value, revision: u64) -> Vec<String> {
    let mut wrongs: Vec<String> = torn(payload).into_iter().collect();
    for (writer, sum) in by_writer(attempts, last_deletion(payload, revision), revision) {
        let Sum { answered, last, unknown } = sum;
        let (count, others) = (number(payload, writer), unknown.len() as u64);
        if !(answered..=answered + others).contains(&count) {
            wrongs.push(format!(
                "{count} merges of {writer} are there at {revision}, of {answered} and {others} unanswered"
            ));
        }
        let shown = number(payload, &format!("last {writer}"));
        if shown != last && (count == answered || !unknown.contains(&shown)) {
            wrongs.push(format!(
                "the last merge of {writer} is {shown} at {revision}, though {last} was answered"
            ));
        }
    }
    wrongs
}

/// What is wrong with the fields at the end; `revision` is that of the last merge, if there are fields. If `kept`, the store has lost nothing.
pub(crate) fn wrongs(history: &History, payload: &Value, revision: u64, kept: bool) -> Vec<String> {
    if payload.is_null() {
        return history.misplaced(u64::MAX).into_iter().collect();
    }
    let deletion = last_deletion(payload, revision);
    let mut wrongs = state_wrongs(&history.attempts, payload, revision);
    wrongs.extend(history.undeleted(deletion));
    wrongs.extend(history.misplaced(deletion));
    let known = by_writer(&history.attempts, 0, revision);
    let ours: u64 = known.keys().map(|writer| number(payload, writer)).sum();
    wrongs
        .extend(history.miscounted(revision, number(payload, "total").saturating_sub(ours)).filter(|_| kept));
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
    history: &History,
    streams: &[Vec<Option<EntitySight>>],
    kept: bool,
) -> Vec<String> {
    let mut wrongs = Vec::new();
    let mut known: BTreeMap<(u64, &str), &Value> = BTreeMap::new();
    for sight in streams.iter().flatten().flatten() {
        wrongs.extend(torn(&sight.payload));
        let EntitySight { epoch, revision, payload } = sight;
        let first = *known.entry((*revision, epoch)).or_insert(payload);
        if first != payload {
            wrongs.push(format!("{epoch}-{revision} was shown as {first} and as {payload}"));
        }
    }
    // After a loss, the revision may have been that of a lost merge before.
    if kept {
        wrongs.extend(life_wrongs(history, &known));
    }
    wrongs.extend(streams.iter().flat_map(|stream| set_backs(stream, kept)));
    wrongs
}

/// What is wrong with fields that were shown, by revision: each must be what the merges since a deletion come to, and fields of two lives must have a
/// deletion between them.
fn life_wrongs(history: &History, known: &BTreeMap<(u64, &str), &Value>) -> Vec<String> {
    let mut wrongs = Vec::new();
    let mut before = (0, 0);
    // The revision 0 is that of an entity which there is not.
    for (&(revision, _), payload) in known.iter().filter(|((revision, _), _)| *revision > 0) {
        let deletion = last_deletion(payload, revision);
        let (seen, seen_deletion) = before;
        if deletion != seen_deletion && deletion <= seen {
            wrongs.push(format!(
                "at {revision} the last deletion is {deletion}, at {seen} it was {seen_deletion}: {payload}"
            ));
        }
        if !payload.is_null() {
            wrongs.extend(state_wrongs(&history.attempts, payload, revision));
        }
        wrongs.extend(history.misplaced(deletion));
        before = (revision, deletion);
    }
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
                // The epoch 0 is that of an entity which there is not.
                sight.epoch != "0"
                    && (past.contains(sight.epoch.as_str()) || kept && sight.revision < last.revision)
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
fn lost_torn_deleted_and_older_fields_are_seen() {
    use std::time::Instant;

    use serde_json::json;

    use super::history::Deletion;

    let start = Instant::now();
    let attempt = |number, id| super::history::attempt(start, number, id);
    let deletion = |from, to| Deletion { span: super::history::at(start, from, Some(to)), found: Some(true) };
    let attempts = vec![attempt(1, Some("e-1")), attempt(2, None), attempt(3, Some("e-2"))];
    let merged = History { attempts, deletions: Vec::new() };
    let payload = |total: u64, own: u64, last: u64| json!({"total": total, "w": own, "last w": last});
    let count =
        |revision, total, own, last| wrongs(&merged, &payload(total, own, last), revision, true).len();
    assert_eq!(count(2, 2, 2, 3), 0);
    let late = History {
        attempts: vec![attempt(1, Some("e-1")), attempt(2, None), attempt(3, Some("e-3"))],
        ..History::default()
    };
    assert_eq!(wrongs(&late, &payload(3, 3, 3), 3, true), Vec::<String>::new());
    assert!(count(2, 1, 1, 3) > 0, "lost");
    assert!(count(4, 4, 4, 3) > 0, "doubled");
    assert!(count(2, 2, 3, 3) > 0 && count(2, 2, 2, 1) > 0, "a part, and an older one");
    let anew = vec![attempt(1, Some("e-1")), attempt(3, Some("e-3"))];
    let deleted = History { attempts: anew, deletions: vec![deletion(20, 25)] };
    let anew = |total, last, revision| wrongs(&deleted, &payload(total, total, last), revision, true).len();
    assert_eq!(anew(1, 3, 3), 0);
    assert!(anew(2, 3, 3) > 0, "a deleted merge is there again");
    assert!(anew(1, 3, 4) > 0, "a deletion that nobody sent");
    assert!(!wrongs(&deleted, &Value::Null, 0, true).is_empty(), "deleted after the last deletion");
    let sight = |id: &str, total: u64| EntitySight::parse(id, &payload(total, total, total).to_string());
    let gone = |id: &str| EntitySight::parse(id, "null");
    let none = History::default();
    let back = |kept, sights: &[Option<EntitySight>]| shown_wrongs(&none, &[sights.to_vec()], kept).len();
    assert_eq!(back(true, &[sight("0-0", 0), sight("e-1", 1), sight("e-3", 3), sight("f-4", 4)]), 0);
    assert_eq!(back(true, &[sight("e-3", 3), sight("e-1", 1)]), 1);
    assert_eq!(back(true, &[sight("f-3", 3), sight("e-2", 2)]), 1);
    assert_eq!(back(false, &[sight("e-3", 3), sight("f-3", 2)]), 0);
    assert_eq!(back(false, &[sight("e-3", 3), sight("f-3", 2), sight("e-4", 4)]), 1, "a past epoch");
    assert_eq!(back(true, &[sight("e-3", 3), None, sight("e-1", 1)]), 0);
    assert!(back(true, &[sight("e-3", 3), sight("e-3", 4)]) > 0, "two contents");
    let shown = |sights: &[Option<EntitySight>]| shown_wrongs(&deleted, &[sights.to_vec()], true).len();
    let again = EntitySight::parse("e-3", &payload(1, 1, 3).to_string());
    assert_eq!(shown(&[sight("e-1", 1), gone("e-2"), again.clone()]), 0);
    assert!(shown(&[sight("e-1", 1), gone("e-3")]) > 0, "a merge was answered this revision");
    let back = EntitySight::parse("e-3", &payload(3, 3, 3).to_string());
    assert!(shown(&[sight("e-1", 1), gone("e-2"), back]) > 0, "deleted fields are shown again");
}
