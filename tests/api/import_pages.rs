//! Pages and sites in `livecounter export` and `livecounter import`, and the file of a hit-counter.

use std::time::Duration;

use livecounter::domain::{PageAddress, Topic};
use livecounter::store::Store;
use livecounter::store::redis::RedisStore;
use livecounter::store::sqlite::SqliteStore;

use crate::import::{done, redis_environment, run};
use crate::support::redis::RedisServer;

#[tokio::test]
async fn what_is_added_to_pages_is_added_to_their_sites() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = RedisServer::start();
    let url = redis.url();
    let pages = ["https://Example.com/a?b=c", "http://example.com/", "example.com/a"];
    let line = |(page, value): (&&str, i64)| format!("{{\"page\":\"{page}\",\"value\":{value}}}\n");
    let input: String = pages.iter().zip(5..).map(line).collect();
    for environment in [&[][..], &redis_environment(&url)] {
        let first = done(directory.path(), environment, &["import", "--add"], &input);
        assert_eq!(first, "3 values for 2 pages are added\n");
        done(directory.path(), environment, &["import", "--add"], &input);
        let addresses: Vec<PageAddress> =
            ["example.com/a", "example.com"].map(|a| a.parse().expect("an address")).into();
        let pages = [Topic::page(&addresses[0]), Topic::page(&addresses[1])];
        let topics = [&pages[..], &[Topic::site(&addresses[0])]].concat();
        let store: Box<dyn Store> = if environment.is_empty() {
            Box::new(SqliteStore::open(directory.path().join("livecounter.db")).expect("the file"))
        } else {
            Box::new(RedisStore::connect(&url, Duration::from_secs(2)).expect("a URL"))
        };
        let values = store.read(topics).await.into_iter().map(|reading| reading.expect("a reading").value());
        assert_eq!(values.collect::<Vec<_>>(), [12, 6, 18]);
        let kept = store.addresses(&pages).await.expect("addresses");
        assert_eq!(kept, [Some("example.com/a".to_owned()), Some("example.com".to_owned())]);
    }
}

#[test]
fn limits_and_patterns_for_clients_do_not_hold_for_an_import() {
    let directory = tempfile::tempdir().expect("a directory");
    let environment = [
        ("LIVECOUNTER__LIMITS__TOPICS", "1"),
        ("LIVECOUNTER__HITS__ALLOW", "^allowed"),
        ("LIVECOUNTER__HITS__DENY", "^denied"),
    ];
    let input = "{\"page\":\"denied.example/a\",\"value\":1}\n{\"page\":\"other.example/b\",\"value\":2}\n{\"id\":\"c\",\"value\":3}\n";
    let told = done(directory.path(), &environment, &["import", "--add"], input);
    assert_eq!(told, "3 values for 1 counter and 2 pages are added\n");
    let export = done(directory.path(), &environment, &["export"], "");
    for line in ["denied.example/a", "other.example/b", "\"id\":\"c\",\"value\":3"] {
        assert!(export.contains(line), "{line}: {export}");
    }
}

#[tokio::test]
async fn pages_and_sites_are_exported_and_come_back_unchanged() {
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let redis = RedisServer::start();
    let url = redis.url();
    let environment = redis_environment(&url);
    // A line for the site stands for all of its hits, so its pages do not count along; other sites get the sum of their pages.
    let page = |n: i64| format!("{{\"page\":\"example.com/{n}\",\"value\":{n}}}\n");
    let input: String = (0..1_200).map(page).collect();
    let input = input
        + "{\"id\":\"a\",\"value\":-5}\n{\"site\":\"example.com\",\"value\":1000000}\n{\"page\":\"[::1]:81/a\",\"value\":3}\n";
    let done_first = done(first.path(), &[], &["import", "--add"], &input);
    assert_eq!(done_first, "1203 values for 1 counter, 1201 pages and 1 site are added\n");
    let exported = done(first.path(), &[], &["export"], "");
    let lines: Vec<&str> = exported.lines().collect();
    assert_eq!(lines.len(), 1_204 + 2);
    assert_eq!(lines[1], "{\"id\":\"a\",\"value\":-5}");
    assert!(lines.contains(&"{\"page\":\"example.com/7\",\"value\":7}"));
    assert_eq!(
        lines[1_203..],
        [
            "{\"site\":\"[::1]:81\",\"value\":3}",
            "{\"site\":\"example.com\",\"value\":1000000}",
            "{\"end\":true,\"counters\":1204}"
        ]
    );
    let only_counters = done(first.path(), &[], &["export", "--prefix", "a"], "");
    assert_eq!(only_counters.lines().count(), 3, "{only_counters}");
    for (mode, environment) in [("--set", &environment[..]), ("--add", &[])] {
        done(second.path(), environment, &["import", mode], &exported);
        assert!(done(second.path(), environment, &["export"], "") == exported, "{mode}");
    }
    done(second.path(), &[], &["import", "--set"], &exported);
    assert!(done(second.path(), &[], &["export"], "") == exported);
}

#[tokio::test]
async fn the_hits_of_a_hit_counter_are_added_once_and_its_file_stays() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data.db");
    let old = rusqlite::Connection::open(&path).expect("a new file");
    old.execute_batch(
        "CREATE TABLE url (id INTEGER PRIMARY KEY, url VARCHAR(256), count INTEGER); CREATE TABLE views (id, url_id, value, time);
         INSERT INTO url (url, count) VALUES ('www.example.com/a', 5), ('www.example.com/a', 7), ('www.example.com', 1),
         ('WWW.example.com/a', 30), ('www.example.com/', 2), ('example.com:8080/b', 4), ('alert(1)', 9)",
    )
    .expect("the tables");
    drop(old);
    let before = std::fs::read(&path).expect("the file");
    let redis = RedisServer::start();
    let url = redis.url();
    for environment in [&[][..], &redis_environment(&url)] {
        let dry = done(directory.path(), environment, &["import", "--add", "--dry-run", "data.db"], "");
        assert!(dry.starts_with("5 values for 3 pages"), "{dry}");
        let first = done(directory.path(), environment, &["import", "--add", "data.db"], "");
        let left_out = "texts that name no page, and are left out: 1, such as [\"alert(1)\"]\n";
        assert_eq!(first, format!("5 values for 3 pages are added\n{left_out}"));
        let again = done(directory.path(), environment, &["import", "--add", "data.db"], "");
        assert!(again.starts_with("nothing is added: "), "{again}");
        let exported = done(directory.path(), environment, &["export"], "");
        let mut lines: Vec<&str> = exported.lines().skip(1).collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "{\"end\":true,\"counters\":5}",
                "{\"page\":\"example.com:8080/b\",\"value\":4}",
                "{\"page\":\"www.example.com\",\"value\":3}",
                "{\"page\":\"www.example.com/a\",\"value\":37}",
                "{\"site\":\"example.com:8080\",\"value\":4}",
                "{\"site\":\"www.example.com\",\"value\":40}",
            ]
        );
    }
    assert_eq!(std::fs::read(&path).expect("the file"), before);
    let set = run(directory.path(), &[], &["import", "--set", "data.db"], b"");
    let text = String::from_utf8_lossy(&set.stderr).into_owned();
    assert!(set.status.code() == Some(1) && text.contains("can only be added"), "{text}");
    let own = run(directory.path(), &[], &["import", "--add", "livecounter.db"], b"");
    let text = String::from_utf8_lossy(&own.stderr).into_owned();
    assert!(own.status.code() == Some(1) && text.contains("is a database of livecounter"), "{text}");
    let piped = run(directory.path(), &[], &["import", "--add"], &before);
    let text = String::from_utf8_lossy(&piped.stderr).into_owned();
    assert!(piped.status.code() == Some(1) && text.contains("name its file"), "{text}");
}
