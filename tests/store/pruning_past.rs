//! A pruned topic leaves the list and the history, and begins anew without a past.

use std::time::Duration;

use livecounter::domain::Unit;
use livecounter::store::redis::RedisStore;
use livecounter::store::sqlite::{self, SqliteStore};
use livecounter::store::{Store, Write};
use rusqlite::Connection;

use crate::contract::eventually;
use crate::pruning::{HOUR, age, announce, fill, millis_ago, topic};
use crate::sqlite::opened_again;
use crate::support::redis::RedisServer;

const UNITS: [Unit; 2] = [Unit::Hour, Unit::Day];
const LEFT: [&str; 3] = ["counter-unacknowledged", "counter-unclaimed", "counter-young"];

async fn listed(store: &dyn Store) -> Vec<String> {
    let listed = store.list("counter-", None, 10).await.expect("a list");
    listed.into_iter().map(|(topic, _)| topic.name().to_owned()).collect()
}

/// The values of the past of a topic, in hours and in days.
async fn past(store: &dyn Store, name: &str) -> [Vec<i64>; 2] {
    let mut past = [Vec::new(), Vec::new()];
    for (values, unit) in past.iter_mut().zip(UNITS) {
        let points = store.history(&topic(name), unit, u16::MAX).await.expect("a history").points;
        values.extend(points.iter().map(|point| point.value));
    }
    past
}

/// Asserts what there is while the topics are only counted.
async fn assert_all_is_there(store: &dyn Store) {
    assert_eq!(listed(store).await, ["counter-old", LEFT[0], LEFT[1], LEFT[2]]);
    let [hours, days] = past(store, "counter-old").await;
    assert!(hours.contains(&4) && days.contains(&3), "{hours:?} {days:?}");
}

/// Asserts that the list and the history show the old topic no more, and that it begins anew.
async fn assert_old_has_no_past(store: &dyn Store) {
    assert_eq!(listed(store).await, LEFT);
    assert_eq!(past(store, "counter-old").await, [Vec::<i64>::new(), Vec::new()]);
    assert_eq!(past(store, "counter-young").await, [vec![0, 5], vec![0, 5]], "others keep theirs");
    let added = store.write(vec![Write::add(topic("counter-old"), 3, None)]).await.remove(0);
    assert!(added.is_ok_and(|added| added.value == 3 && added.created));
    announce(store, "counter-old").await;
    assert_eq!(past(store, "counter-old").await, [vec![0, 3], vec![0, 3]], "0 before it was there");
    assert_eq!(listed(store).await[0], "counter-old");
}

/// The numbers of an hour and of a day that are over.
fn numbers() -> (i64, i64) {
    let ago = |ms| i64::try_from(millis_ago(ms)).expect("a time");
    (Unit::Hour.number(ago(5 * HOUR)), Unit::Day.number(ago(72 * HOUR)))
}

#[tokio::test]
async fn a_topic_pruned_in_redis_is_in_no_list_and_has_no_past() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url(), Duration::from_secs(2)).expect("a good address");
    fill(&store).await;
    age(&server);
    let (bucket, (hour, day)) = (topic("counter-old").bucket(), numbers());
    let [key, history] = ["t", "h"].map(|kind| format!("lc:{{b{bucket}}}:{kind}:counter-old"));
    // ":" in the place of "n" says that the present hour is not the first one of the topic.
    let open_hour = server.cli(&["HGET", &key, "h"]).replace('n', ":");
    server.cli(&["HSET", &key, "h", &open_hour]);
    server.cli(&["HSET", &history, &format!("h{hour}"), "4", &format!("d{day}"), "3"]);
    for remove in [false, true] {
        assert_all_is_there(&store).await;
        store.prune(millis_ago(HOUR), remove, |_| ()).await.expect("pruned");
    }
    assert_eq!(server.cli(&["EXISTS", &history]), "0");
    let parts = server.cli(&["--scan", "--pattern", &format!("lc:{{b{bucket}}}:n*")]);
    for part in parts.lines() {
        assert_eq!(server.cli(&["ZSCORE", part, "counter-old"]), "", "its name is still in {part}");
    }
    assert_old_has_no_past(&store).await;
}

#[tokio::test]
async fn a_topic_pruned_from_a_file_is_in_no_list_and_has_no_past() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("livecounter.db");
    let store = SqliteStore::open(&path).expect("a new file");
    fill(&store).await;
    drop(store);
    let (claimed, (hour, day)) = (millis_ago(2 * HOUR), numbers());
    let sql = format!(
        "UPDATE topic SET claimed = {claimed} WHERE name <> 'counter-young';
         UPDATE topic SET is_new = 0 WHERE name = 'counter-old';
         INSERT INTO history VALUES ('counter-old', 0, {hour}, 4), ('counter-old', 1, {day}, 3)"
    );
    Connection::open(&path).and_then(|file| file.execute_batch(&sql)).expect("a change from outside");
    for remove in [false, true] {
        assert_all_is_there(&opened_again(&path)).await;
        let prune = async || sqlite::prune(&path, millis_ago(HOUR), remove, |_| ()).ok();
        eventually("the file to be free", prune).await;
    }
    let rows = |file: Connection| {
        let sql = "SELECT count(*) FROM history WHERE topic = 'counter-old'";
        file.query_row(sql, [], |row| row.get::<_, i64>(0))
    };
    assert_eq!(Connection::open(&path).and_then(rows).expect("a number"), 0);
    assert_old_has_no_past(&opened_again(&path)).await;
}
