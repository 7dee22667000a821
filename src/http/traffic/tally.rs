//! What has been counted and is not written yet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::times::{day_key, hour_key};
use crate::domain::{FieldChanges, JsonText, ParseFieldChangesError, Topic};
use crate::http::metrics::{CountedRequests, SeenRequest};
use crate::store::Merge;

/// The routes of the entities, each with the life of an entity after the last hour in which it changed, in days.
pub(in crate::http) const DAILY: (&str, u64) = ("_admin/daily", 400);
pub(in crate::http) const HOURLY: (&str, u64) = ("_admin/hourly", 8);
pub(in crate::http) const ENDPOINTS: (&str, u64) = ("_admin/endpoints", 400);
pub(in crate::http) const STATUS: (&str, u64) = ("_admin/status", 400);
/// The fields of days and hours: all requests, and those with a status below 400, below 500, and above.
pub(in crate::http) const REQUESTS: &str = "requests";
const OK: &str = "ok";
const REFUSED: &str = "refused";
pub(super) const FAILED: &str = "failed";

/// How many requests wait at most while the store does not take them.
const MOST_EVENTS: usize = 100;
/// An entity has 256 fields at most.
const MOST_FIELDS: usize = 200;
/// The field for what is beyond these.
const OTHERS: &str = "others";

const DAY: u64 = 24 * 3600;

/// An entity: its route with the life of its entities, and its key.
type Entity = ((&'static str, u64), String);
/// What is to be added to the fields of an entity.
pub(super) type Amounts = BTreeMap<String, u64>;

/// What has been counted and is not written yet. If the store does not answer, the amounts stay and grow, but their number does not.
#[derive(Debug, Default)]
pub(super) struct Tally {
    amounts: BTreeMap<Entity, Amounts>,
    events: Vec<JsonText>,
    /// The hour that was counted last, and the entities whose lives have begun anew in it: a life that is set costs the store an entry of an index.
    hour: String,
    living: BTreeSet<Entity>,
}

impl Tally {
    /// Adds what was counted in the second that ends at this time, in seconds since 1970.
    pub(super) fn count(&mut self, counted: &[CountedRequests], now: i64) {
        let (day, hour) = (day_key(now), hour_key(now));
        if self.hour != hour {
            self.hour.clone_from(&hour);
            self.living.clear();
        }
        for CountedRequests { route, method, status, requests } in counted {
            let endpoint = format!("{method} {}", if route.is_empty() { "elsewhere" } else { route });
            for (at, key, field) in [
                (DAILY, &day, REQUESTS),
                (HOURLY, &hour, REQUESTS),
                (ENDPOINTS, &day, &endpoint),
                (STATUS, &day, &status.to_string()),
            ] {
                self.add((at, key.clone()), field, *requests);
            }
            // Each of these fields is there, also if it is 0, so that a query can name it.
            for field in [OK, REFUSED, FAILED] {
                let amount = if field == outcome(*status) { *requests } else { 0 };
                self.add((DAILY, day.clone()), field, amount);
                self.add((HOURLY, hour.clone()), field, amount);
            }
        }
    }

    /// Adds the requests that become events.
    pub(super) fn keep(&mut self, seen: &[SeenRequest]) {
        // The serializer writes compact text, so the text need not be parsed, which would be a fifth of the work of the tally.
        let events = seen.iter().filter_map(|request| serde_json::to_string(request).ok());
        self.events.extend(events.map(JsonText::of_stored));
        let too_many = self.events.len().saturating_sub(MOST_EVENTS);
        self.events.drain(..too_many);
    }

    /// How long the entity lives from now on; `None` if this was set in this hour already.
    pub(super) fn begin_life(&mut self, entity: &Entity) -> Option<Duration> {
        let ((_, days), _) = entity;
        self.living.insert(entity.clone()).then(|| Duration::from_secs(days * DAY))
    }

    /// Notes that the entity has no life that was set in this hour.
    pub(super) fn forget_life(&mut self, entity: &Entity) {
        self.living.remove(entity);
    }

    /// Gives amounts back that the store did not take.
    pub(super) fn give_back(&mut self, entity: Entity, amounts: Amounts) {
        self.forget_life(&entity);
        for (field, amount) in amounts {
            self.add(entity.clone(), &field, amount);
        }
    }

    /// Takes everything.
    pub(super) fn take(&mut self) -> (BTreeMap<Entity, Amounts>, Vec<JsonText>) {
        (std::mem::take(&mut self.amounts), std::mem::take(&mut self.events))
    }

    fn add(&mut self, entity: Entity, field: &str, amount: u64) {
        let fields = self.amounts.entry(entity).or_default();
        let has_room = fields.len() < MOST_FIELDS || fields.contains_key(field);
        *fields.entry(if has_room { field } else { OTHERS }.to_owned()).or_default() += amount;
    }
}

/// The topic of an entity of the service's own; `None` for what is no route or no key.
pub(super) fn topic(route: &str, key: &str) -> Option<Topic> {
    Some(Topic::entity(&route.parse().ok()?, &key.parse().ok()?))
}

/// The changes that add these amounts.
pub(super) fn merge(amounts: &Amounts, keep: Option<Duration>) -> Result<Merge, ParseFieldChangesError> {
    let member = |(field, amount): (&String, &u64)| (format!("+{field}"), JsonText::number(*amount as i64));
    let fields = FieldChanges::of_members(amounts.iter().map(member).collect())?;
    Ok(Merge { fields, keep })
}

/// The field that counts requests with this status.
fn outcome(status: u16) -> &'static str {
    match status {
        ..400 => OK,
        400..500 => REFUSED,
        _ => FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(route: &'static str, status: u16, requests: u64) -> CountedRequests {
        CountedRequests { route, method: "GET", status, requests }
    }

    fn lines(tally: &mut Tally) -> Vec<String> {
        let (amounts, _) = tally.take();
        let line = |(((route, _), key), fields): (Entity, Amounts)| {
            let fields: Vec<String> = fields.iter().map(|(name, by)| format!("{name}={by}")).collect();
            format!("{route} {key} {}", fields.join(","))
        };
        amounts.into_iter().map(line).collect()
    }

    #[test]
    fn requests_are_added_up_by_day_hour_route_and_status() {
        let mut tally = Tally::default();
        tally.count(&[counted("/counters/{id}/", 200, 3), counted("", 404, 1)], 1_770_732_000);
        tally.count(&[counted("/counters/{id}/", 503, 2)], 1_770_735_600);
        let expected = [
            "_admin/daily 2026-02-10 failed=2,ok=3,refused=1,requests=6",
            "_admin/endpoints 2026-02-10 GET /counters/{id}/=5,GET elsewhere=1",
            "_admin/hourly 2026-02-10T14 failed=0,ok=3,refused=1,requests=4",
            "_admin/hourly 2026-02-10T15 failed=2,ok=0,refused=0,requests=2",
            "_admin/status 2026-02-10 200=3,404=1,503=2",
        ];
        assert_eq!(lines(&mut tally), expected);
        assert_eq!(lines(&mut tally), Vec::<String>::new());
    }

    #[test]
    fn amounts_that_are_given_back_are_added_to_those_that_came_since() {
        let mut tally = Tally::default();
        tally.count(&[counted("/", 200, 3)], 1_770_732_000);
        let (taken, _) = tally.take();
        tally.count(&[counted("/", 200, 4)], 1_770_732_001);
        for (entity, amounts) in taken {
            tally.give_back(entity, amounts);
        }
        assert_eq!(lines(&mut tally)[0], "_admin/daily 2026-02-10 failed=0,ok=7,refused=0,requests=7");
    }

    #[test]
    fn a_life_begins_anew_once_an_hour_and_after_a_failure() {
        let (mut tally, hour) = (Tally::default(), 1_770_732_000);
        let entity = (STATUS, "2026-02-10".to_owned());
        let life = Some(Duration::from_secs(400 * DAY));
        for (now, expected) in [(hour, life), (hour + 3599, None), (hour + 3600, life), (hour + 3601, None)] {
            tally.count(&[counted("/", 200, 1)], now);
            assert_eq!(tally.begin_life(&entity), expected, "{now}");
        }
        tally.give_back(entity.clone(), Amounts::new());
        assert_eq!((tally.begin_life(&entity), tally.begin_life(&entity)), (life, None));
        tally.forget_life(&entity);
        assert_eq!(tally.begin_life(&entity), life);
    }

    #[test]
    fn neither_fields_nor_events_grow_without_bounds() {
        let mut tally = Tally::default();
        for status in 0..1000 {
            tally.count(&[counted("/", status, 1)], 1_770_732_000);
        }
        let request =
            SeenRequest { at: 1, method: "GET", path: "/".into(), route: "/", status: 200, ms: 0.5 };
        tally.keep(&vec![request; 1000]);
        let (amounts, events) = tally.take();
        let status = amounts.get(&(STATUS, "2026-02-10".to_owned())).expect("an entity");
        assert_eq!((status.len(), status[OTHERS], events.len()), (MOST_FIELDS + 1, 800, MOST_EVENTS));
        assert!(amounts.values().all(|amounts| merge(amounts, None).is_ok()));
        assert_eq!(
            events[0].as_str(),
            r#"{"at":1,"method":"GET","path":"/","route":"/","status":200,"ms":0.5}"#
        );
    }
}
