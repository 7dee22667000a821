//! Passwords, and a Redis user that has only the rights that the store needs.

use std::time::Duration;

use livecounter::domain::{LIMIT, Topic, Unit};
use livecounter::store::redis::RedisStore;
use livecounter::store::{
    Catalog, Change, Claim, ClaimTerms, Hit, HitKey, KeySource, Outbox, Store, Values, Visit, Visitors,
    Write, WriteError,
};

use crate::contract::eventually;
use crate::support::redis::RedisServer;
use crate::support::redis_cluster::RedisCluster;
use crate::support::redis_sentinels::RedisSentinels;
use crate::support::wait::until_an_hour_has_time;

/// The rights that docs/configuration.md lists.
fn documented_rights() -> String {
    let page = include_str!("../../docs/configuration.md");
    let line = page.lines().find(|line| line.starts_with("ACL SETUSER livecounter "));
    line.expect("the line in the documentation").replace("ACL SETUSER livecounter on >PASSWORD ", "")
}

#[test]
fn the_user_of_compose_has_the_documented_rights() {
    let compose = include_str!("../../docker-compose.yml");
    let line = compose.lines().find(|line| line.trim_start().starts_with("user livecounter on "));
    let (_, rights) = line.expect("the user").split_once("$(cat /keys/redis/key) ").expect("its password");
    assert_eq!(rights, documented_rights());
}

/// Redis loads its append-only file as the user `default`: without rights for that user, it skips the writes of scripts.
#[tokio::test]
async fn a_redis_with_the_users_of_compose_loads_its_own_files() {
    let compose = include_str!("../../docker-compose.yml");
    let users = compose.lines().map(str::trim_start).filter(|line| line.starts_with("user "));
    // The test asks as the user `default` whether the server is ready.
    let users = users.filter(|line| !line.starts_with("user health")).map(|line| {
        let line = line.replace("default off", "default on >watch +ping");
        format!("--{}", line.replace(">$$(cat /keys/redis/key)", ">hunter2"))
    });
    let users: Vec<String> = users.collect();
    let mut settings: Vec<_> = users.iter().map(String::as_str).collect();
    settings.extend(["--requirepass watch", "--appendonly yes", "--appendfsync always"]);
    let mut server = RedisServer::with_port(&settings);
    let url = with_login(&server.url(), "livecounter:hunter2");
    for added in connect(&url).write(adds()).await {
        added.expect("counted");
    }
    server.kill();
    server.run();
    for reading in connect(&url).read(topics()).await {
        assert_eq!(reading.expect("a reading").value(), 1);
    }
}

fn connect(url: &str) -> RedisStore {
    RedisStore::connect(url, Duration::from_secs(2)).expect("a good address")
}

fn with_login(url: &str, login: &str) -> String {
    url.replacen("://", &format!("://{login}@"), 1)
}

fn topics() -> Vec<Topic> {
    (0..100).map(|n| format!("counter-{n}").parse().expect("a topic")).collect()
}

fn adds() -> Vec<Write> {
    topics().into_iter().map(|topic| Write::add(topic, 1, None)).collect()
}

async fn counting_visitors_works(store: &RedisStore) {
    until_an_hour_has_time().await;
    let (day, site) = (store.daily_salt().await.expect("a salt").day, "site-example.com");
    let site: Topic = site.parse().expect("a topic");
    for day in [day - 400, day - 1, day] {
        let visit = Some(Visit { day, visitor: 7 });
        let written = store.write(vec![Write { visit, ..Write::add(site.clone(), 1, None) }]).await;
        assert!(written.iter().all(Result::is_ok), "{written:?}");
    }
    let uniques = store.uniques(&site).await.expect("a number");
    assert_eq!((uniques.today, uniques.all, uniques.days.len()), (1, 3, 1));
    let deleted = store.write(vec![Write::new(site, Change::Delete)]).await;
    assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
}

async fn counting_hits_works(store: &RedisStore) {
    let (page, full): (Topic, Topic) =
        ("page-a".parse().expect("a topic"), "page-full".parse().expect("a topic"));
    let site: Topic = "site-example.com".parse().expect("a topic");
    let key = HitKey::new(Duration::from_secs(60)).expect("random numbers");
    for source in [KeySource::New, KeySource::Returned, KeySource::Client] {
        let hit = Hit::new(page.clone(), site.clone(), HitKey { source, ..key.clone() }, None);
        store.hit(vec![hit]).await.remove(0).page.expect("an answer");
    }
    store.write(vec![Write::add(full.clone(), LIMIT, None)]).await.remove(0).expect("counted");
    let refused = store.hit(vec![Hit::new(full.clone(), site, key, None)]).await.remove(0).page;
    assert!(matches!(refused, Err(WriteError::OutOfRange)), "{refused:?}");
    for topic in [page, full] {
        store.write(vec![Write::new(topic, Change::Delete)]).await.remove(0).expect("deleted");
    }
}

/// Calls every method of the store.
async fn everything_works(store: &RedisStore) {
    writing_works(store).await;
    announcing_works(store).await;
    listing_and_deleting_work(store).await;
    counting_hits_works(store).await;
    counting_visitors_works(store).await;
    store.prune(u64::MAX >> 12, true, |_| ()).await.expect("removed");
}

async fn writing_works(store: &RedisStore) {
    for added in store.write(adds()).await {
        added.expect("counted");
    }
    for key in [None, Some("k".parse().expect("a key"))] {
        let claim = Some(Duration::from_millis(1));
        let add = Write { claim, ..Write::add(topics().remove(0), 1, key) };
        for answer in store.write(vec![add; 2]).await {
            answer.expect("counted");
        }
    }
    let far = Write::add(topics().remove(1), i64::MAX >> 10, None);
    assert!(matches!(store.write(vec![far]).await.remove(0), Err(WriteError::OutOfRange)));
}

/// The conditions of claims whose gate and lease end at once.
const TERMS: ClaimTerms = ClaimTerms { interval: Duration::from_millis(1), lease: Duration::from_millis(1) };

async fn announcing_works(store: &RedisStore) {
    let mut claimed = Vec::new();
    for (topic, claim) in topics().into_iter().zip(store.claim(topics(), TERMS).await) {
        if let Claim::Announce(announcement) = claim.expect("an answer to a claim") {
            claimed.push((topic, announcement.id));
        }
    }
    assert!(claimed.len() >= 99, "{}", claimed.len());
    eventually("overdue topics", async || {
        let overdue = store.overdue(1000, Duration::from_millis(1)).await.expect("a sweep");
        (!overdue.is_empty()).then_some(())
    })
    .await;
    store.acknowledge(claimed).await.expect("acknowledged");
    let readings = store.read(topics()).await;
    assert!(readings.into_iter().all(|reading| reading.expect("a reading").value() > 0));
    store.outbox_len().await.expect("a number");
}

async fn listing_and_deleting_work(store: &RedisStore) {
    store.ping().await.expect("the store to answer");
    assert!(store.topic_count().await.expect("a number") >= 100);
    store.migrate().await.expect("a look");
    assert_eq!(store.list("counter-", None, 1000).await.expect("a list").len(), 100);
    assert_ne!(store.history(&topics()[0], Unit::Hour, 9).await.expect("a history").points, []);
    let gone = topics().remove(2);
    for change in [Change::Set(5), Change::Delete, Change::Set(6), Change::Delete] {
        store.write(vec![Write::new(gone.clone(), change)]).await.remove(0).expect("changed");
        if let Ok(Claim::Announce(announcement)) = store.claim(vec![gone.clone()], TERMS).await.remove(0) {
            store.acknowledge(vec![(gone.clone(), announcement.id)]).await.expect("acknowledged");
        }
    }
    assert_eq!(store.list("counter-", None, 1000).await.expect("a list").len(), 99);
}

#[tokio::test]
async fn a_user_with_the_documented_rights_can_do_everything() {
    let server = RedisServer::with_port(&[]);
    let rights = documented_rights();
    let user = ["ACL", "SETUSER", "livecounter", "on", ">hunter2"];
    server.cli(&user.into_iter().chain(rights.split(' ')).collect::<Vec<_>>());
    // The data is as the version before left it.
    let old: Topic = "counter-0".parse().expect("a topic");
    let hash = format!("lc:{{b{}}}:t:{old}", old.bucket());
    server.cli(&[
        "HSET", &hash, "v", "1", "e", "9", "r", "1", "c", "0", "p", "1", "w", "1", "q", "0", "a", "1",
    ]);
    everything_works(&connect(&with_login(&server.url(), "livecounter:hunter2"))).await;
}

#[tokio::test]
async fn a_cluster_with_passwords_is_used_and_refuses_clients_without_one() {
    let cluster = RedisCluster::start(3, 0, &["--requirepass hunter2"]).await;
    let rights = documented_rights();
    let user = ["ACL", "SETUSER", "livecounter", "on", ">another"];
    for node in &cluster.nodes {
        node.cli(&user.into_iter().chain(rights.split(' ')).collect::<Vec<_>>());
    }
    everything_works(&connect(&with_login(&cluster.url(), ":hunter2"))).await;
    everything_works(&connect(&with_login(&cluster.url(), "livecounter:another"))).await;
    for login in ["", ":hunter3@"] {
        let store = connect(&cluster.url().replacen("://", &format!("://{login}"), 1));
        assert!(store.write(adds()).await.iter().all(Result::is_err), "{login:?}");
        let error = store.ping().await.expect_err("a refused login");
        assert!(!error.to_string().contains("hunter3"), "{error}");
    }
}

#[tokio::test]
async fn sentinels_and_servers_with_passwords_refuse_clients_without() {
    let watched = RedisSentinels::start(
        1,
        1,
        &["--requirepass hunter2"],
        "requirepass watch\nsentinel sentinel-pass watch\nsentinel auth-pass main hunter2",
    )
    .await;
    let url = with_login(&watched.url(), ":hunter2");
    let store = connect(&format!("{url}?sentinel_password=watch"));
    everything_works(&store).await;
    for wrong in [url, format!("{}?sentinel_password=watch", watched.url())] {
        assert!(connect(&wrong).ping().await.is_err(), "{wrong}");
    }
    watched.fail_over().await;
    eventually("the new master to be found", async || {
        let set = Write::new(topics().remove(7), Change::Set(77));
        store.write(vec![set]).await.remove(0).ok()?;
        let there =
            watched.servers[1].cli(&["HGET", &format!("lc:{{b{}}}:t:counter-7", topics()[7].bucket()), "v"]);
        (there == "77").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_database_of_a_url_is_the_one_that_is_used() {
    let server = RedisServer::with_port(&[]);
    let watched = RedisSentinels::start(0, 1, &[], "").await;
    let (tcp, socket) = (server.url(), format!("unix://{}/redis.sock", server.directory().display()));
    let (tcp_server, watched_server) = (&server, &watched.servers[0]);
    for (number, (url, server)) in [
        (format!("{tcp}/1"), tcp_server),
        (format!("{tcp}?db=2"), tcp_server),
        (format!("{tcp}/?db=3"), tcp_server),
        (format!("{socket}?db=4"), tcp_server),
        (format!("{}/5", watched.url()), watched_server),
        (format!("{}?db=6", watched.url()), watched_server),
    ]
    .into_iter()
    .enumerate()
    {
        let store = connect(&url);
        store.write(vec![Write::add(topics().remove(0), 1, None)]).await.remove(0).expect("counted");
        let number = (number + 1).to_string();
        assert_ne!(server.cli(&["-n", &number, "DBSIZE"]), "0", "{url}");
        assert_eq!(server.cli(&["DBSIZE"]), "0", "{url}");
    }
}
