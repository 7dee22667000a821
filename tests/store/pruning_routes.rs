//! Pruning entities and feeds: an old one goes with its fields or events, and begins anew.

use std::time::Duration;

use livecounter::domain::{EventId, FieldChanges, JsonText, Topic};
use livecounter::store::redis::RedisStore;
use livecounter::store::sqlite::{self, SqliteStore};
use livecounter::store::{Body, Change, Merge, Pruned, Store, Write};
use rusqlite::Connection;

use crate::contract::eventually;
use crate::pruning::{HOUR, announce, millis_ago, topic};
use crate::sqlite::opened_again;
use crate::support::redis::RedisServer;

/// Those that become old, and those that do not.
const OLD: [&str; 2] = ["entity-a/old", "feed-a/old"];
const YOUNG: [&str; 2] = ["entity-a/young", "feed-a/young"];
const PRUNED: Pruned = Pruned { seen: 4, old: 2 };

fn write(topic: Topic) -> Write {
    if topic.is_entity() {
        let fields = FieldChanges::parse(br#"{"+n":1,"title":"x"}"#).expect("a payload");
        // The entity has an end of its life, which is kept beside it.
        let merge = Merge { fields, keep: Some(Duration::from_secs(3600)) };
        return Write::new(topic, Change::Merge(merge.into()));
    }
    let event = JsonText::parse(b"\"x\"").expect("JSON");
    Write::new(topic, Change::Append([event].into()))
}

async fn fill(store: &dyn Store) {
    for name in OLD.into_iter().chain(YOUNG) {
        assert!(store.write(vec![write(topic(name))]).await[0].is_ok());
        announce(store, name).await;
    }
}

/// The fields of an entity, and the events of a feed.
async fn contents(store: &dyn Store, [entity, feed]: [&str; 2]) -> (String, usize) {
    let reading = store.read(vec![topic(entity)]).await.remove(0).expect("a reading");
    let fields = match reading.body {
        Body::Document(document) => document.to_json(),
        _ => "null".to_owned(),
    };
    (fields, store.before(&topic(feed), None, 9).await.expect("a page").events.len())
}

async fn assert_only_old_are_gone(store: &dyn Store) {
    let kept = (r#"{"n":1,"title":"x"}"#.to_owned(), 1);
    assert_eq!(contents(store, OLD).await, ("null".to_owned(), 0));
    assert_eq!(contents(store, YOUNG).await, kept);
    assert_eq!(store.topic_count().await.expect("a number"), 2);
    assert_eq!(store.list("", None, 9).await.expect("a list").len(), 2);
    let seen = EventId::default();
    assert_eq!(store.after(&topic(OLD[1]), seen).await.expect("an answer").events, Ok(Vec::new()));
    for name in OLD {
        let written = store.write(vec![write(topic(name))]).await.remove(0).expect("written");
        assert!(written.created && written.stamp.is_some_and(|stamp| stamp.id.revision == 1), "{written:?}");
        announce(store, name).await;
    }
    assert_eq!(contents(store, OLD).await, kept);
}

#[tokio::test]
async fn redis_prunes_entities_with_their_fields_and_feeds_with_their_events() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url(), Duration::from_secs(2)).expect("a good address");
    fill(&store).await;
    for name in OLD {
        let hash = format!("lc:{{b{}}}:t:{name}", topic(name).bucket());
        server.cli(&["HSET", &hash, "s", &millis_ago(2 * HOUR).to_string()]);
    }
    assert_eq!(store.prune(millis_ago(HOUR), true, |_| ()).await.expect("removed"), PRUNED);
    let left = server.cli(&["--scan", "--pattern", "*a/old*"]);
    assert_eq!(left, "", "{left}");
    let lives = format!("lc:{{b{}}}:lives", topic(OLD[0]).bucket());
    assert_eq!(server.cli(&["ZSCORE", &lives, OLD[0]]), "", "no sweep looks at it again");
    assert_only_old_are_gone(&store).await;
}

#[tokio::test]
async fn a_file_prunes_entities_with_their_fields_and_feeds_with_their_events() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("livecounter.db");
    let store = SqliteStore::open(&path).expect("a new file");
    fill(&store).await;
    drop(store);
    let file = Connection::open(&path).expect("the file");
    let sql = format!("UPDATE topic SET claimed = {} WHERE name LIKE '%/old'", millis_ago(2 * HOUR));
    file.execute_batch(&sql).expect("a change from outside");
    let prune = async || sqlite::prune(&path, millis_ago(HOUR), true, |_| ()).ok();
    assert_eq!(eventually("the file to be free", prune).await, PRUNED);
    for table in ["topic", "document", "event"] {
        let column = if table == "topic" { "name" } else { "topic" };
        let sql = format!("SELECT count(*) FROM {table} WHERE {column} LIKE '%/old'");
        let rows: i64 = file.query_row(&sql, [], |row| row.get(0)).expect("a number");
        assert_eq!(rows, 0, "{table}");
    }
    drop(file);
    assert_only_old_are_gone(&opened_again(&path)).await;
}
